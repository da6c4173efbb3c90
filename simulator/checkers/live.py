"""LIVE: no occurrence is lost without a record, and jobs come back when faults stop."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import compress
from typing import Any

from simulator.checkers.disturbance import damage, general_disturbances
from simulator.checkers.dues import Due, JobMatch, Outcome, allowance_us
from simulator.checkers.extras import extras_under
from simulator.checkers.facts import Facts, facts_of
from simulator.checkers.finding import Finding, Judgement
from simulator.checkers.happened import FOREVER, SLACK_US, BodyRun
from simulator.checkers.live_more import no_storm, passed_over, results_arrive
from simulator.checkers.matching import match_all
from simulator.checkers.struck import held_locks, set_by_us
from simulator.checkers.untold import record_refused
from simulator.checkers.wanted import commits_by_job
from simulator.durations import SECOND_US
from simulator.event import Event
from simulator.fold import instant_us
from simulator.history import History
from simulator.scenario import Scenario

__all__ = [
    "live_1",
    "live_5",
    "live_6",
    "live_7",
    "live_8",
    "live_9",
    "say_due",
    "when",
]

_FAILED = {Outcome.LATE, Outcome.MISSED}
# The one run for a missed stretch may be booked on any occurrence of it (a late delivery names its
# own), so an occurrence that is booked as run is told as well.
_TOLD = {"missed", "skipped", "running", "completed", "failed", "unknown"}
_CUT = {"unknown", "failed", "interrupted", "missed", "skipped"}
_STORE_SEAMS = ("store.write", "store.sync", "store.replace", "store.lock", "store.refused")


def when(at_us: int) -> str:
    """An instant for people, in UTC."""
    return datetime.fromtimestamp(at_us // SECOND_US, UTC).isoformat()


def _dues(facts: Facts) -> Iterator[tuple[JobMatch, Due]]:
    """Every occurrence of the schedules of all jobs."""
    for match in match_all(facts).values():
        for due in match.dues:
            yield match, due


def say_due(due: Due) -> str:
    """An occurrence and what became of it, for people."""
    return f"job {due.job}, due {when(due.at_us)}: {due.outcome.value}"


def live_1(history: History, scenario: Scenario) -> Finding:
    """When faults stop, every due job fires again within one wake."""
    facts = facts_of(history, scenario)
    judgement = Judgement("LIVE-1", "no fault fired with an occurrence after it")
    windows = general_disturbances(facts)
    troubles = sorted(
        [start for start, end in windows if end < FOREVER and end > scenario.start_us]
        + [e.at_us for e in history.of("nas.call") if e.data.get("reason") is not None]
        + [end.at_us for end in facts.failed_ticks]
    )
    # A stretch without gateway before the first boot is how every world begins.
    first_us = next((at_us for at_us in troubles if at_us > scenario.start_us), None)
    if _began_ill(scenario):
        first_us = scenario.start_us
    for _match, due in _dues(facts):
        if due.outcome in _FAILED:
            judgement.violated(say_due(due), due.run.begin if due.run else None)
        elif due.outcome is Outcome.RAN and first_us is not None and due.deadline_us > first_us:
            judgement.reached(due.run.begin if due.run else None)
    return judgement.finding()


def _began_ill(scenario: Scenario) -> bool:
    """Whether something was wrong from the beginning: a broken record."""
    return any(job.record for job in scenario.jobs)


def live_5(history: History, scenario: Scenario) -> Finding:
    """After downtime a recurring job fires once, not once per missed occurrence."""
    facts = facts_of(history, scenario)
    judgement = Judgement("LIVE-5", "no recurring job missed an occurrence that it could catch up")
    for match, due in _dues(facts):
        if due.outcome is not Outcome.EXCUSED or not match.plan.recurring:
            continue
        following = match.due_after(due.at_us)
        if following is None or following.outcome in {Outcome.EXCUSED, Outcome.OPEN}:
            continue
        if following.outcome in _FAILED:
            judgement.violated(f"after a missed stretch: {say_due(following)}")
        elif following.run is not None:
            judgement.reached(following.run.begin)
    extras_under(facts, "LIVE-5", judgement)
    no_storm(facts, judgement)
    return judgement.finding()


def live_6(history: History, scenario: Scenario) -> Finding:
    """What was missed, interrupted or skipped is recorded as such."""
    facts = facts_of(history, scenario)
    judgement = Judgement("LIVE-6", "nothing was missed, skipped or interrupted")
    recorded = _recorded(history)
    for job, match in match_all(facts).items():
        missed = recorded.get(job, _Recorded())
        for due in match.dues:
            unclear_us = match.plan.segments[due.segment].unclear_us
            if due.manual or due.at_us <= unclear_us or not _must_be_recorded(facts, due):
                continue
            judgement.reached()
            if not missed.has(due.at_us) and not record_refused(facts, due):
                judgement.violated(
                    f"job {job}, due {when(due.at_us)}: missed, and no record says so"
                )
        for run in facts.runs.get(job, ()):
            if run.died is None or not _known_since(facts, run.died.at_us):
                continue
            judgement.reached(run.died)
            # Records say when it was by the clock of the machine that took the occurrence.
            began_us = run.begin.at_us + set_by_us(facts, run.begin.machine, run.begin.n)
            if not missed.interrupted(began_us, run) and not _unwritable(facts, run):
                judgement.violated(
                    f"job {job}: its run was interrupted, and no record says so",
                    run.begin,
                    run.died,
                )
    passed_over(facts, judgement)
    return judgement.finding()


def _must_be_recorded(facts: Facts, due: Due) -> bool:
    """Whether it was missed, and the host had its next wake for this job since."""
    if due.run is not None or due.outcome not in {Outcome.EXCUSED, Outcome.MISSED}:
        return False
    return not due.optional and due.deadline_us + allowance_us(facts) < facts.end_us


def _known_since(facts: Facts, at_us: int) -> bool:
    """Whether a gateway was up, and had time to look, after an instant."""
    return any(
        life.up_us > at_us and life.serves_until_us - life.up_us > allowance_us(facts)
        for life in facts.all_lives
        if life.up_us + allowance_us(facts) < facts.end_us
    )


def _forgotten_after(facts: Facts, run: BodyRun) -> bool:
    """Whether the records were lost after a run began, and its job with its claim was removed."""
    lost = any(
        op.begin.n > run.begin.n and op.step is not None and op.step.what == "forgotten-runs"
        for op in facts.ops
        if op.do == "damage"
    )
    return lost and any(
        op.do == "remove" and op.job == run.job and op.begin.n > run.begin.n for op in facts.ops
    )


def _unwritable(facts: Facts, run: BodyRun) -> bool:
    """Whether the next process could not settle what a dead one left: store or records refused."""
    died = run.died
    back = next((life for life in facts.all_lives if died and life.boot.n > died.n), None)
    if back is None or _forgotten_after(facts, run):
        return back is not None
    left = back.start_left
    until_n, until_us = (left.n, left.at_us) if left is not None else (FOREVER, back.end_us)
    torn = any(at_us <= back.boot.at_us and until_us <= end for at_us, end in damage(facts))
    over_us = facts.end_us if _known_since(facts, back.end_us) else min(back.end_us, facts.end_us)
    kept = any(
        at_us <= back.boot.at_us and over_us <= end + facts.slack_us
        for _, _, (at_us, end) in held_locks(facts)
    )
    return (
        torn
        or kept
        or any(
            back.boot.n < event.n < until_n and event.data.get("seam") == "store.execution"
            for event in facts.history.of("fault")
        )
    )


class _Recorded:
    """What the execution records say of one job."""

    def __init__(self) -> None:
        self._told, self._all, self._numbers = array("q"), array("q"), array("q")
        self._cut = bytearray()  # for each of all: 1 when it did not come to its end
        self._spans: list[tuple[int, int]] = []

    def take(self, record: dict[str, Any], n: int) -> None:
        """Take in one more, with the number of its event."""
        at_us = instant_us(record.get("occurrence"))
        state = str(record.get("state") or record.get("status"))
        if at_us is None:
            return
        self._all.append(at_us)
        self._numbers.append(n)
        self._cut.append(state in _CUT)
        if state in _TOLD:
            self._told.append(at_us)
            until_us = instant_us(record.get("until") or record.get("last"))
            if until_us is not None:
                self._spans.append((at_us, until_us))

    def sort(self) -> None:
        """No more will come."""
        self._told = array("q", sorted(self._told))

    def has(self, at_us: int) -> bool:
        """Whether the records say what became of an occurrence, itself or within a stretch."""
        index = bisect_left(self._told, at_us - SECOND_US)
        if index < len(self._told) and self._told[index] <= at_us + SECOND_US:
            return True
        return any(first <= at_us <= last for first, last in self._spans)

    def interrupted(self, began_us: int, run: BodyRun) -> bool:
        """Whether the run that began then stands as something that did not come to its end."""
        past = [at_us for at_us in self._all if at_us <= began_us + SLACK_US]
        last_us = max(past, default=None)
        cuts = compress(zip(self._all, self._numbers, strict=True), self._cut)
        return any(at_us in {last_us, self._taken_up(run, n)} for at_us, n in cuts)

    def _taken_up(self, run: BodyRun, n: int) -> int | None:
        """What was recorded last as the run began, if this number came when it was dead.

        A claim that hung is not that of the latest occurrence when its run begins.
        """
        if run.died is None or n < run.died.n:
            return None
        place = bisect_left(self._numbers, run.begin.n)
        return self._all[place - 1] if place else None


def _recorded(history: History) -> dict[str, _Recorded]:
    """What they say of each job."""
    found: dict[str, _Recorded] = {}
    for event in history.of("execution"):
        for record in event.data["records"]:
            found.setdefault(str(record.get("job_id")), _Recorded()).take(record, event.n)
    for recorded in found.values():
        recorded.sort()
    return found


def live_7(history: History, scenario: Scenario) -> Finding:
    """One broken record stops no other job."""
    facts = facts_of(history, scenario)
    judgement = Judgement("LIVE-7", "no broken record stood beside a good job that was due")
    broken = {job.id for job in scenario.jobs if job.record}
    if not broken:
        return judgement.finding()
    for _match, due in _dues(facts):
        if due.job in broken:
            continue
        if due.outcome in _FAILED:
            judgement.violated(f"beside a broken record, {say_due(due)}")
        elif due.run is not None:
            judgement.reached(due.run.begin)
    return judgement.finding()


def live_8(history: History, scenario: Scenario) -> Finding:
    """A write that fails loses no occurrence silently and blocks no other job."""
    facts = facts_of(history, scenario)
    judgement = Judgement("LIVE-8", "no write of the store failed with an occurrence after it")
    failed = [
        event
        for event in facts.faults
        if event.kind == "store.refused"
        or event.data.get("seam") in {*_STORE_SEAMS, "dispatch", "submit", "claim", "mark"}
    ]
    if not failed:
        return judgement.finding()
    for _match, due in _dues(facts):
        before = bisect_right(failed, due.deadline_us, key=lambda event: event.at_us)
        if before == 0:
            continue
        if due.outcome in _FAILED:
            judgement.violated(f"after a write that failed, {say_due(due)}", failed[before - 1])
        elif due.run is not None and due.run.begin.at_us > failed[0].at_us:
            judgement.reached(failed[0], due.run.begin)
    missed = live_6(history, scenario)
    if missed.verdict == "violated":
        judgement.violated(f"after a write that failed: {missed.reason}", failed[0])
    _settled(facts, judgement, failed)
    results_arrive(facts, judgement)
    return judgement.finding()


def _settled(facts: Facts, judgement: Judgement, failed: list[Event]) -> None:
    """At the end no job stands as taken by a run that ended long ago."""
    for job, stored in commits_by_job(facts).items():
        event, record = stored[-1]
        claim = (record or {}).get("fire_claim")
        runs = facts.runs.get(job, [])
        if not isinstance(claim, dict) or not runs or job not in match_all(facts):
            continue
        last_us = runs[-1].end_us
        if last_us + 2 * 300 * SECOND_US < facts.end_us and event.at_us <= last_us:
            due = match_all(facts)[job].due_after(last_us)
            if due is not None and due.deadline_us < facts.end_us:
                judgement.violated(f"job {job}: its claim stands for ever", failed[0], event)


def live_9(history: History, scenario: Scenario) -> Finding:
    """A claim whose holder died, or that is dated in the future, is taken over after its time."""
    facts = facts_of(history, scenario)
    judgement = Judgement("LIVE-9", "no claim was left by the dead, or dated in the future")
    for job, match in match_all(facts).items():
        left = [run.died for run in facts.runs.get(job, ()) if run.died is not None]
        by_hand = isinstance(match.plan.job.record.get("fire_claim"), dict)
        for due in match.dues if left or by_hand else ():
            last = next((event for event in reversed(left) if event.at_us < due.at_us), None)
            if last is None and not by_hand:
                continue
            if due.outcome in _FAILED:
                judgement.violated(f"its claim was left standing: {say_due(due)}", last)
            elif due.run is not None:
                judgement.reached(last, due.run.begin)
    return judgement.finding()
