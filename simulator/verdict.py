"""The verdict on one run: requirements, run counts, and whether the run can speak at all.

Violated when any checker finds a violation or a run count is not as expected. Unknown when the run
proves nothing: a fault that never fired, no occurrence to show what came after the last one, an
expected requirement whose case never came up, a call that is not simulated. Held otherwise; it
never comes from an expected violation.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from simulator.checkers import check
from simulator.checkers.dues import Outcome
from simulator.checkers.facts import Facts, facts_of
from simulator.checkers.finding import Finding, Verdict
from simulator.checkers.matching import match_all
from simulator.event import Event
from simulator.history import History
from simulator.scenario import Scenario

__all__ = ["Judged", "applies", "decided_after_faults", "judge"]

_BLOCKING = {"TICK", "STAT-1", "STAT-2", "STAT-3", "STAT-4", "STAT-5", "STAT-7", "STAT-8"}
_EXTERNAL = {
    "FIRE-1", "FIRE-2", "FIRE-3", "FIRE-5", "RECON", "ONCE-2", "ONCE-3", "ONCE-4", "ONCE-5",
    "LIVE-2", "LIVE-3", "LIVE-4", "STAT-11",
}  # fmt: skip

_WENT_WRONG = ("fault", "crash", "nas.forgot")


@dataclass(frozen=True, slots=True)
class Judged:
    """What one run came to.

    Attributes:
        verdict: Over everything.
        findings: Of every checker, in catalogue order.
        reasons: Why it is violated or unknown; empty when it held.
        runs: How often each job of the scenario ran.
    """

    verdict: Verdict
    findings: tuple[Finding, ...]
    reasons: tuple[str, ...]
    runs: dict[str, int]


def judge(history: History, scenario: Scenario) -> Judged:
    """Judge a run of `scenario` by its history alone."""
    facts = facts_of(history, scenario)
    findings = tuple(check(history, scenario))
    counted = Counter(event.data["job"] for event in history.of("run.begin"))
    runs = {job.id: counted[job.id] for job in scenario.jobs}
    violated = [f"{one.id}: {one.reason}" for one in findings if one.verdict == "violated"]
    violated += [
        f"job {job} ran {runs[job]} times, expected {expected}"
        for job, expected in scenario.expect.runs.items()
        if not expected.allows(runs[job])
    ]
    if violated:
        return Judged(
            "violated", findings, (*violated, *_refused(history), *_leaked(history)), runs
        )
    unknown = tuple(_unknown(facts, findings))
    return Judged("unknown" if unknown else "held", findings, unknown, runs)


def _unknown(facts: Facts, findings: tuple[Finding, ...]) -> Iterator[str]:
    """Why the run cannot speak, if so."""
    history, scenario = facts.history, facts.scenario
    fired = {event.data.get("index") for event in history.of("fault")}
    for index, fault in enumerate(scenario.faults):
        if index not in fired:
            yield f"fault {index} ({fault.effect} at {fault.into}) never fired"
    yield from _not_as_told(history)
    yield from _refused(history)
    for event in history.of("world.end"):
        if event.data.get("reason") not in {"horizon", None}:
            yield f"the run ended by {event.data['reason']}, not at its horizon"
    if not decided_after_faults(facts):
        yield "no occurrence was due after the last fault"
    by_id = {finding.id: finding for finding in findings}
    nobody = "no checker judges it from a history"
    for name in scenario.expect.hold:
        finding = by_id.get(name, Finding(name, "unknown", nobody))
        concerned = applies(name, blocking=facts.blocking, external=facts.external)
        if finding.verdict == "unknown" and concerned:
            yield f"{name}: {finding.reason}"


def _refused(history: History) -> Iterator[str]:
    """What the provider tried that a run does not have: all that follows may come of it."""
    for event in history.of("not_simulated"):
        yield f"{event.data.get('what')} is not simulated (event {event.n})"


def _leaked(history: History) -> Iterator[str]:
    """Tasks that did not end with their process, for who looks for a reason."""
    for event in history.of("task.leaked"):
        yield f"left behind at the end: {history.text(event.n)} (event {event.n})"


def _not_as_told(history: History) -> Iterator[str]:
    """What the scenario says stands or is done, and was not so."""
    boots = history.of("boot")
    first = boots[0].n if boots else len(history)
    for event in history.of("op.end"):
        if event.n < first and event.data.get("error") is not None:
            said = f"{event.data['error']}: {history.text(event.n)}"
            yield f"job {event.data.get('job')} was never made ({said})"
    for event in history.of("provider.raised"):
        said = f"{event.data.get('error')}: {history.text(event.n)}"
        yield f"the provider's start raised, and its host went on without it ({said})"
    idle = [event.data.get("job") for event in history.of("nas.nothing_to_deliver")]
    for job in dict.fromkeys(idle):
        yield f"nothing was armed for job {job}, so nothing was delivered"
    for event in history.of("task.raised"):
        back = any(boot.machine == event.machine and boot.n > event.n for boot in boots)
        if event.data.get("task") == "gateway" and not back:
            said = f"{event.data.get('error')}: {history.text(event.n)}"
            yield f"gateway {event.machine} ended by {said} (event {event.n})"


def applies(requirement: str, *, blocking: bool, external: bool) -> bool:
    """Whether a requirement speaks of a provider, by the capabilities that it declares."""
    names = {requirement, requirement.partition("-")[0]}
    if not blocking and names & _BLOCKING:
        return False
    return external or not names & _EXTERNAL


def decided_after_faults(facts: Facts) -> bool:
    """Whether something was due, and decided, after all that went wrong."""
    last_us = max(
        (_over_us(event, facts.scenario) for event in facts.history.of(*_WENT_WRONG)),
        default=facts.scenario.start_us - 1,
    )
    return any(
        due.at_us > last_us and due.outcome is not Outcome.OPEN
        for match in match_all(facts).values()
        for due in match.dues
    )


def _over_us(event: Event, scenario: Scenario) -> int:
    """When something that went wrong was over: what hangs, or is late, goes wrong until its end."""
    if event.kind != "fault":
        return event.at_us
    fault = scenario.faults[event.data["index"]]
    return event.at_us + (fault.hang or fault.delay or 0)
