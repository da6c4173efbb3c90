"""STAT-10 and 12: what the status has to speak of each time it is asked."""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import islice, takewhile
from typing import Any

from simulator.checkers.disturbance import damage
from simulator.checkers.dues import JobMatch
from simulator.checkers.facts import Facts, facts_of
from simulator.checkers.finding import Finding, Judgement
from simulator.checkers.happened import FOREVER, BodyRun, Life
from simulator.checkers.matching import match_all
from simulator.checkers.struck import lasts_us
from simulator.checkers.truth import NEAR_US, stale_after_us
from simulator.checkers.wanted import commits_of, last_commit
from simulator.durations import SECOND_US
from simulator.event import Event
from simulator.fold import instant_us
from simulator.history import History
from simulator.scenario import Scenario

__all__ = ["stat_10", "stat_12"]

_CLOSING = {"torn", "garbage", "deleted", "unreadable", "failing"}

_CHANGES = {"pause", "resume", "trigger", "update", "remove"}


def stat_10(history: History, scenario: Scenario) -> Finding:
    """A fallback is named: what was configured, why it is not running."""
    facts = facts_of(history, scenario)
    judgement = Judgement("STAT-10", "no status was asked for after a provider had failed")
    for status in history.of("status"):
        for life in facts.serving(status.n):
            failed = _failed(facts, life, status)
            if failed is None or life.started is None:
                continue
            judgement.reached(status)
            wanted = (life.started.data.get("name"), failed.data.get("error"))
            missing = [name for name in wanted if name and name not in _names(status)]
            if missing:
                judgement.violated(f"{missing[0]} does not run, and is not named", failed, status)
    return judgement.finding()


def _failed(facts: Facts, life: Life, status: Event) -> Event | None:
    """What the first `start` of this process raised before a status, if it raised.

    Not at the very instant: what the status read may have been from before it.
    """
    raised = facts.history.of("provider.raised")
    first = next((e for e in raised if e.machine == life.machine and e.n > life.boot.n), None)
    return first if first is not None and first.at_us < status.at_us else None


def _names(status: Event) -> list[str]:
    return list(status.data.get("names", ()))


def stat_12(history: History, scenario: Scenario) -> Finding:
    """Overdue jobs and jobs in error are named; for them nothing is promised.

    Nor is it while the store cannot be read or the only gateway leaves.
    """
    facts = facts_of(history, scenario)
    judgement = Judgement("STAT-12", "no status was asked for while such a thing was so")
    for status in history.of("status"):
        troubles = [(job, f"job {job} {how}") for job, how in _troubled_jobs(facts, status)]
        troubles += [("", how) for how in _troubled_host(facts, status)]
        for name, what in troubles:
            judgement.reached(status)
            if status.data.get("promises"):
                judgement.violated(f"{what}, and jobs are promised", status)
            elif name and name not in _names(status):
                judgement.violated(f"{what}, and is not named", status)
    return judgement.finding()


def _troubled_jobs(facts: Facts, status: Event) -> Iterator[tuple[str, str]]:
    """(job, what is wrong with it) of the jobs that were to run."""
    windows = damage(facts)
    damaged = any(start <= status.at_us <= end for start, end in windows)
    if damaged or _read_failed(facts, status) or _struck(facts, status, "stale"):
        return  # of jobs that nobody can read nothing can be said
    for job, match in match_all(facts).items():
        record = _record(facts, job, status)
        if record is None or match.plan.unjudged or match.plan.off_at(status.n):
            continue
        if record.get("state") == "error":
            yield job, "is in error"
        elif not _being_changed(facts, job, status) and _is_overdue(facts, match, record, status):
            yield job, "is overdue"


def _being_changed(facts: Facts, job: str, status: Event) -> bool:
    """Whether somebody was at it to change the job just then: it may rest already, or still."""
    return any(
        op.begin.n < status.n and (op.end is None or status.n < op.end.n)
        for op in facts.ops
        if op.job == job and op.do in _CHANGES
    )


_LATE_US = 200 * SECOND_US
"""What is late by the interval that a host goes by without one (HOST.md)."""


def _is_overdue(facts: Facts, match: JobMatch, record: dict[str, Any], status: Event) -> bool:
    """Whether an occurrence that did not run is the one that the store still waits for."""
    waits_us = instant_us(record.get("next_run_at"))
    limit_us = stale_after_us(facts) + NEAR_US + facts.skew_us
    if facts.external or not facts.serving(status.n):  # no interval of its own says when it is late
        limit_us = max(limit_us, _LATE_US + NEAR_US + facts.skew_us)
    if waits_us is None or record.get("fire_claim") or status.at_us - waits_us <= limit_us:
        return False
    runs = [run for run in facts.runs.get(match.plan.job.id, ()) if run.begin.n < status.n]
    last = next((run for run in reversed(runs) if run.end is not None), None)
    ended = [] if last is None else [_let_go_us(facts, last)]
    if status.at_us - max([waits_us, *ended]) <= limit_us:  # it could not begin before
        return False
    if any(status.n < run.end_n for run in runs):
        return False
    if _about_to_fire(facts, match.plan.job.id, waits_us, status):
        return False
    return any(
        abs(due.at_us - waits_us) <= SECOND_US and (due.run is None or due.run.begin.n > status.n)
        for due in match.dues
    )


def _let_go_us(facts: Facts, run: BodyRun) -> int:
    """When a run that has ended let go of its job: its output, or its result, may have hung."""
    stored = commits_of(facts, run.job)
    since = stored.since(stored.before(run.end_n))
    free = (event.at_us for event, record in since if not (record or {}).get("fire_claim"))
    return next(free, run.end_us)


def _about_to_fire(facts: Facts, job: str, waits_us: int, status: Event) -> bool:
    """Whether a registry took an arm for it a moment ago, which it honours at once."""
    armed = facts.history.of("nas.armed")
    since = bisect_left(armed, status.at_us - NEAR_US, key=lambda event: event.at_us)
    return any(
        event.data.get("job_id") == job and instant_us(event.data.get("fire_at")) == waits_us
        for event in armed[since:]
        if event.n < status.n
    )


def _record(facts: Facts, job: str, status: Event) -> dict[str, Any] | None:
    """The job as the store has it; None when it is not there."""
    return last_commit(facts, job, status.n)[1]


def _troubled_host(facts: Facts, status: Event) -> Iterator[str]:
    if _read_failed(facts, status) is not None or _closed(facts, status):
        yield "the store could not be read"
    leaving = [life for life in facts.all_lives if _leaves(facts, life, status)]
    if leaving and not facts.serving(status.n) and not facts.external:
        yield f"the gateway on {leaving[0].machine} leaves"


def _closed(facts: Facts, status: Event) -> bool:
    """Whether the jobs file was damaged so that nobody could have read it then."""
    return any(
        op.begin.at_us <= status.at_us < op.begin.at_us + (op.step.lasts or FOREVER)
        for op in facts.ops
        if op.do == "damage" and op.step is not None and op.step.what in _CLOSING
    )


def _leaves(facts: Facts, life: Life, status: Event) -> bool:
    """Whether a gateway is on its way out, and the disk did not refuse to take that down."""
    asked = life.stop_requested
    if asked is None or not asked.n < status.n or (life.end is not None and life.end.n < status.n):
        return False
    refused = facts.history.of("store.refused")
    index = bisect_left(refused, asked.n, key=lambda event: event.n)
    return not _hangs_at_disk(facts, life, status) and not any(
        event.data.get("by") == life.machine and event.data.get("step") != "lock"
        for event in takewhile(lambda event: event.n < status.n, islice(refused, index, None))
    )


def _hangs_at_disk(facts: Facts, life: Life, status: Event) -> bool:
    """Whether a call of the store hung there then, or all of its machine was suspended."""
    asleep = any(
        op.begin.at_us <= status.at_us <= op.begin.at_us + (op.step.lasts or 0)
        for op in facts.ops
        if op.do == "suspend" and op.step is not None and op.step.machine == life.machine
    )
    return asleep or any(
        event.n < status.n and status.at_us <= event.at_us + lasts_us(facts, event)
        for event in facts.faults
        if facts.life_at(event) is life and str(event.data.get("seam")).startswith("store.")
    )


def _read_failed(facts: Facts, status: Event) -> Event | None:
    """The fault that kept this status from reading the store, if one did."""
    return _struck(facts, status, "raise")


def _struck(facts: Facts, status: Event, does: str) -> Event | None:
    """The fault that struck this status as it read the store, if one did."""
    faults, asked = facts.history.of("fault"), facts.history.of("status")
    index = bisect_left(faults, status.n, key=lambda fault: fault.n) - 1
    before = bisect_left(asked, status.n, key=lambda event: event.n) - 1
    since_n = asked[before].n if before >= 0 else -1
    while index >= 0 and faults[index].at_us == status.at_us and faults[index].n > since_n:
        fault = faults[index]
        wanted = ("store.read", does)
        if fault.machine == status.machine and _what(fault) == wanted:
            return fault
        index -= 1
    return None


def _what(fault: Event) -> tuple[object, object]:
    return fault.data.get("seam"), fault.data.get("does")
