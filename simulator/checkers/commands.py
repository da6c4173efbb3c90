"""What commands do that are given at the same time, or while a lock is kept.

Parts of STORE-3, ONCE-1 and STAT-13; their checkers call them.
"""

from collections.abc import Iterator
from itertools import pairwise

from simulator.checkers.facts import Facts
from simulator.checkers.finding import Judgement
from simulator.checkers.happened import CLAIM_TTL_US, COMMAND, FOREVER, Op
from simulator.checkers.misread import lost_writes
from simulator.checkers.struck import lasts_us
from simulator.checkers.wanted import commits_of
from simulator.event import Event

__all__ = ["changes_at_once", "runs_at_once", "status_waited"]

_OF_UPDATE = ("schedule", "schedule_display", "prompt", "name")
_OF_REST = ("enabled", "state")
_RESTS = {"pause", "resume"}


def changes_at_once(facts: Facts, judgement: Judgement) -> None:
    """STORE-3: of an update and a pause or resume at the same time, neither undoes the other."""
    lost = {job for _, jobs in lost_writes(facts) for job in jobs}
    changes = [op for op in facts.ops if op.job is not None and op.end and not op.failed]
    for op in changes:
        if op.job in lost:
            continue
        wishes = _OF_REST if op.do in _RESTS else _OF_UPDATE if op.do == "update" else ()
        others = [one for one in changes if one.job == op.job and one.begin.n > op.begin.n]
        for other in others:
            undone_by = {"update"} if op.do in _RESTS else _RESTS
            if op.end is None or other.begin.n > op.end.n or other.do not in undone_by:
                break
            if op.do in _RESTS and not {"state", "enabled"}.isdisjoint(_set(other)):
                break
            _kept(facts, judgement, op, other, wishes)
            break


def _wished_again(facts: Facts, op: Op, other: Op) -> int:
    """When somebody began to change the same once more, who may put it back; the number."""
    kinds = _RESTS if op.do in _RESTS else {op.do}
    later = (one for one in facts.ops if one.job == op.job and one.begin.n > other.begin.n)
    return min((one.begin.n for one in later if one.do in kinds), default=FOREVER)


def _set(op: Op) -> dict[str, object]:
    return (op.step.set if op.step is not None else None) or {}


def _kept(facts: Facts, judgement: Judgement, op: Op, other: Op, wishes: tuple[str, ...]) -> None:
    """Judge two operations of which the second began while the first was at it."""
    assert op.end is not None
    assert other.end is not None
    stored = commits_of(facts, str(op.job))
    last_n = min(_wished_again(facts, op, other), max(op.end.n, other.end.n))
    began = stored.until(op.begin.n)
    if began == 0 or stored[began - 1][1] is None:
        return
    states = [record for event, record in stored.since(began - 1) if event.n <= last_n]
    for wish in wishes:
        values = [None if record is None else record.get(wish) for record in states]
        changed = [value for value in values if value != values[0]]
        if changed:
            judgement.reached(op.begin, other.begin)
        if changed and values[-1] == values[0]:
            judgement.violated(
                f"job {op.job}: its {wish} was changed by {op.do} to {changed[0]!r}, and put back "
                f"by {other.do} at the same time",
                op.begin,
                other.begin,
            )


def runs_at_once(facts: Facts, judgement: Judgement) -> None:
    """ONCE-1: of two commands that run a job at the same time, one does."""
    lost = {job for _, jobs in lost_writes(facts) for job in jobs}
    twins = {job.record.get("id") for job in facts.scenario.jobs}
    refused = [op for op in facts.ops if op.do == "run" and op.failed]
    for job, runs in facts.runs.items():
        mine = [run for run in runs if run.begin.machine == COMMAND]
        for op in refused:
            if any(op.job == job and op.end and run.begin.n < op.end.n < run.end_n for run in mine):
                judgement.reached(op.end)
        for first, second in pairwise(mine):
            apart_us = second.begin.at_us - first.begin.at_us
            if second.begin.n < first.end_n and apart_us < CLAIM_TTL_US:
                judgement.reached(second.begin)
                if job not in lost | twins:
                    judgement.violated(
                        f"job {job}: two commands run it at the same time",
                        first.begin,
                        second.begin,
                    )


def status_waited(facts: Facts, judgement: Judgement) -> None:
    """STAT-13: it answers at once, whoever holds a lock; but for a tape, or a disk that is slow."""
    if facts.held_us:
        return
    slow = [
        (event.at_us, event.at_us + lasts_us(facts, event))
        for event in facts.history.of("fault")
        if event.machine == COMMAND and event.data.get("does") == "hang"
    ]
    for late in facts.history.of("status.late"):
        if not any(begin <= late.at_us <= end for begin, end in slow):
            judgement.violated("the status waited for something", *_asked(facts, late), late)


def _asked(facts: Facts, late: Event) -> Iterator[Event]:
    asked = [op.begin for op in facts.ops if op.do == "status" and op.begin.n < late.n]
    yield from asked[-1:]
