"""One example: run, judged, and reduced to what a report needs."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.checkers.facts import Facts, facts_of
from simulator.checkers.happened import Window
from simulator.checkers.matching import match_all
from simulator.durations import MINUTE_US
from simulator.fault_rule import Fault
from simulator.hosts import Host
from simulator.scenario import Scenario
from simulator.target import Target
from simulator.verdict import decided_after_faults, judge
from simulator.world import simulate

__all__ = ["Seen", "Struck", "look_at"]

Struck = tuple[str, str, str]
"""A fault that struck: what it did, at which seam, in which phase."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one example showed; small, since it travels between processes.

    Attributes:
        index: Which example.
        violations: Requirements and why, in catalogue order.
        struck: The faults that really struck.
        reached: Requirements whose case came up.
        went_wrong: Something did: a fault, a crash, a registry that forgot.
        while_due: Something went wrong while a job was due or running.
        choices: Choices of the tape that were reached.
        ended: "horizon", or how the run ended before it.
        clean: It reached its horizon, nothing was violated, and occurrences after the last fault
            were decided: a run that would have shown a job that is silent for good.
    """

    index: int
    violations: tuple[tuple[str, str], ...]
    struck: frozenset[Struck]
    reached: frozenset[str]
    went_wrong: bool
    while_due: bool
    choices: int
    ended: str
    clean: bool


def look_at(index: int, scenario: Scenario, target: Target, host: Host) -> Seen:
    """Run and judge example `index`."""
    run = simulate(scenario, target, host=host)
    history = run.history
    judged = judge(history, scenario)
    facts = facts_of(history, scenario)
    violations = tuple(
        (finding.id, finding.reason) for finding in judged.findings if finding.verdict == "violated"
    )
    wrong = history.of("fault", "crash", "nas.forgot")
    ended = str(history.of("world.end")[0].data["reason"])
    if history.of("not_simulated"):
        ended = "not simulated: " + str(history.of("not_simulated")[0].data["what"])
    windows = _busy(facts)
    return Seen(
        index=index,
        violations=violations,
        struck=frozenset(
            _struck(scenario.faults[event.data["index"]], event.data.get("phase"))
            for event in history.of("fault")
        ),
        reached=frozenset(finding.id for finding in judged.findings if finding.reached),
        went_wrong=bool(wrong),
        while_due=any(first <= event.at_us <= last for event in wrong for first, last in windows),
        choices=run.choices,
        ended=ended,
        clean=not violations and ended == "horizon" and decided_after_faults(facts),
    )


def _struck(fault: Fault, phase: str | None) -> Struck:
    what = fault.effect
    if fault.raises is not None:
        what = f"raise {fault.raises.type} {fault.raises.detail or ''}".rstrip()
    elif fault.answer is not None:
        what = f"answer {fault.answer}"
    return what, fault.into, phase or ("after" if fault.after else "before")


def _busy(facts: Facts) -> list[Window]:
    """When a job was due (until it ran, a minute at most) or running."""
    return [
        (due.at_us, due.run.end_us if due.run is not None else due.at_us + MINUTE_US)
        for match in match_all(facts).values()
        for due in match.dues
    ]
