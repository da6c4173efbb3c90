"""What a search found, as a scenario file to replay and a test to paste."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from simulator.scenario import Scenario
from simulator.scenario_file import to_yaml

if TYPE_CHECKING:
    from simulator.explore.search import Exploration, Found

__all__ = ["pasteable_test", "scenario_to_keep", "write_findings"]


def scenario_to_keep(found: Found, exploration: Exploration) -> Scenario:
    """The shrunk scenario under a name of its own, with its story and what must hold."""
    return found.shrunk.to_keep(
        f"{found.requirement.lower()}-seed-{exploration.seed}-example-{found.index}",
        exploration.target,
        origin=f"explored, seed {exploration.seed}, example {found.index}",
    )


def pasteable_test(scenario: Scenario, provider: str, registry: str | None = None) -> str:
    """A test that fails as long as the scenario violates what it expects to hold.

    Args:
        scenario: As `scenario_to_keep` gives it.
        provider: What the provider is called on a command line.
        registry: What the fake of its registry is called there, where that is not NAS.
    """
    fake = "" if registry is None else f", {registry!r}"
    (requirement,) = scenario.expect.hold
    name = scenario.name.replace("-", "_")
    return f'''"""{requirement}, {scenario.origin}."""

from simulator import find_target, judge, parse_scenario, reference_host, simulate

SCENARIO = r"""
{to_yaml(scenario)}"""


def test_{name}():
    scenario = parse_scenario(SCENARIO)
    run = simulate(scenario, find_target({provider!r}, reference_host(){fake}))
    judged = judge(run.history, scenario)
    broken = [one for one in judged.findings if one.verdict == "violated"]
    assert not broken, judged.reasons
'''


def write_findings(
    exploration: Exploration, provider: str, folder: Path, registry: str | None = None
) -> list[tuple[Path, Path]]:
    """Write a scenario file and a test for each finding; where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for found in exploration.findings:
        scenario = scenario_to_keep(found, exploration)
        file = folder / f"{scenario.name}.yaml"
        file.write_text(to_yaml(scenario), encoding="utf-8")
        test = folder / f"test_{scenario.name.replace('-', '_')}.py"
        test.write_text(pasteable_test(scenario, provider, registry), encoding="utf-8")
        written.append((file, test))
    return written
