"""Search for what breaks a target where the kit's own scenarios do not look.

The simulator's exploration, told as a part of the report. What it finds breaks the row of its
requirement; that it found nothing means something above its floors only.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from contract_tests.searched import Finding, Floor, Search, Searched
from contract_tests.target import Subject
from contract_tests.verdicts import Result, Ruling
from simulator.scenario_file import to_yaml

if TYPE_CHECKING:
    from simulator.explore import Exploration

__all__ = ["in_the_light_of_search", "not_searched", "search"]


def search(subject: Subject, capabilities: frozenset[str], how: Search) -> Searched:
    """Search, in this process. Takes a second for three or four examples that hold.

    Args:
        subject: what is judged.
        capabilities: what it is judged for.
        how: what is drawn.
    """
    from simulator.explore import explore

    done = explore(
        replace(subject.target, capabilities=capabilities),
        examples=how.examples,
        seed=how.seed,
        days=how.days,
        keep_going=True,  # what is known to be broken must not hide the rest
    )
    return Searched(
        examples=how.examples,
        seed=how.seed,
        days=how.days,
        tried=done.reach.examples,
        floors=tuple(Floor(one.what, one.seen, one.least) for one in done.floors),
        findings=tuple(_findings(subject, how, done)),
    )


def not_searched(how: Search, why: str) -> Searched:
    """What came of a search that there was none of."""
    return Searched(how.examples, how.seed, how.days, 0, (), (), not_tried=why)


def _findings(subject: Subject, how: Search, done: "Exploration") -> Iterator[Finding]:
    """One for each requirement: the first that shows it, be it beside another."""
    from simulator.explore import scenario_to_keep

    told: set[str] = set()
    for found in done.findings:
        for requirement in (found.requirement, *found.beside):
            if requirement in told:
                continue
            told.add(requirement)
            shrunk = replace(found.shrunk, requirement=requirement)
            one = replace(found, requirement=requirement, reason=shrunk.reason, shrunk=shrunk)
            yield Finding(
                requirement=requirement,
                reason=shrunk.reason,
                example=found.index,
                scenario=to_yaml(scenario_to_keep(one, done)),
                replay=_replay(subject, how, found.index),
            )


def _replay(subject: Subject, how: Search, index: int) -> str:
    words = ["hermes-contract", "check", subject.spec]
    if subject.registry:
        words += ["--registry", subject.registry]
    words += ["--profile", "nightly", "--seed", str(how.seed), "--days", str(how.days)]
    return " ".join([*words, "--examples", str(index + 1)])


def in_the_light_of_search(result: Result, searched: Searched | None) -> Result:
    """The result of a row, broken where a search found what breaks it.

    A row that is broken already keeps what the kit's own scenarios have to say.
    """
    found = None if searched is None else searched.of(result.requirement.id)
    if found is None or result.verdict in (Ruling.FAIL, Ruling.KIT_ERROR):
        return result
    return Result(result.requirement, Ruling.FAIL, (found.sentence,), reached=True)
