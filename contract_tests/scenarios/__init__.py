"""The scenarios in which a provider is watched over virtual time, as files beside this one."""

import functools
from importlib import resources

from simulator.scenario import Scenario
from simulator.scenario_file import parse_scenario

__all__ = ["scenario"]


@functools.cache
def scenario(name: str) -> Scenario:
    """The scenario of this name.

    Raises:
        ScenarioError: the file is damaged; names the line.
    """
    path = resources.files("contract_tests.scenarios") / f"{name}.yaml"
    return parse_scenario(path.read_text(encoding="utf-8"), source=f"{name}.yaml")
