"""The smallest scenario of each failure: what the kit's own scenario boils down to."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from contract_tests.engine import Judge
from contract_tests.probes.virtual import Watched, runs_of
from contract_tests.verdicts import Result, Ruling
from simulator.checkers import CHECKERS
from simulator.explore.shrinking import shrink
from simulator.scenario import Scenario
from simulator.scenario_file import parse_scenario, to_yaml

__all__ = ["write_smallest"]

MOST_REPLAYS = 100


def write_smallest(judge: Judge, results: tuple[Result, ...], folder: Path) -> dict[str, Path]:
    """Shrink what was violated over virtual time; one file for each requirement, by its id.

    A failure that the simulator's checker does not see, or in a run with something put between the
    provider and its world, has none: a file would not show it again.

    Raises:
        OSError: the folder cannot be made, or written into.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for result in results:
        requirement = result.requirement.id
        if result.verdict not in (Ruling.FAIL, Ruling.KNOWN_DEVIATION):
            continue
        scenario = _searched(judge, result)
        scenario = scenario or next(_smallest(judge, requirement, result.scenarios), None)
        if scenario is not None:
            written[requirement] = folder / f"{scenario.name}.yaml"
            written[requirement].write_text(to_yaml(scenario), encoding="utf-8")
    return written


def _searched(judge: Judge, result: Result) -> Scenario | None:
    """The scenario of a failure that only the search has seen."""
    found = None if judge.searched is None else judge.searched.of(result.requirement.id)
    if found is None or found.sentence not in result.evidence:
        return None
    return parse_scenario(found.scenario)


def _smallest(judge: Judge, requirement: str, names: tuple[str, ...]) -> Iterator[Scenario]:
    for watched in (one for name in names for one in runs_of(judge.context, name)):
        if not _shows(judge, watched, requirement):
            continue
        target = replace(judge.context.target.target, capabilities=judge.capabilities)
        found = shrink(watched.run.scenario, target, requirement, most_replays=MOST_REPLAYS)
        yield found.to_keep(f"{requirement.lower()}-{watched.run.scenario.name}", judge.target.spec)


def _shows(judge: Judge, watched: Watched, requirement: str) -> bool:
    """Whether this run, of the provider as it is, violates it by the simulator's checker."""
    checker, label = CHECKERS.get(requirement), judge.context.target.target.label
    if checker is None or watched.strikes or watched.run.target != label:
        return False
    return checker(watched.history, watched.run.scenario).verdict == "violated"
