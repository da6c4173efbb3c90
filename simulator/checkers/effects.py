"""When an operation took effect: an operator waits for locks, and for a machine that sleeps.

The store says when it was written. The host's clock lies between the beginning of the operation and
that write, give or take how far the clocks of machines are apart; a schedule that counts from now
counts from there.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from simulator import oracle
from simulator.checkers.facts import Facts
from simulator.checkers.happened import Op
from simulator.checkers.wanted import commits_by_job
from simulator.durations import SECOND_US
from simulator.event import Event
from simulator.fold import instant_us

__all__ = ["as_counted", "came_meanwhile_us", "effect_us", "stored_n", "took_effect_n"]

_DECIDES = ("schedule", "next_run_at", "enabled", "state")
"""What an operation changes in the record of its job."""


def effect_us(facts: Facts, op: Op) -> int:
    """When what an operation did was stored; its beginning when it stored nothing."""
    write = _write_of(facts, op)
    return op.begin.at_us if write is None else write[0].at_us


def stored_n(facts: Facts, op: Op) -> int:
    """The number of the last write that may be the operation's; of its beginning without one."""
    return max((event.n for event, _ in _writes_of(facts, op)), default=op.begin.n)


def took_effect_n(facts: Facts, op: Op) -> int:
    """The number of the write that an operation first stored; of its beginning without one."""
    write = _write_of(facts, op)
    return op.begin.n if write is None else write[0].n


def came_meanwhile_us(facts: Facts, op: Op) -> int | None:
    """A next time that an operation stored when it was past: it counted before it had to wait."""
    write = _write_of(facts, op)
    stated_us = None if write is None else instant_us(write[1].get("next_run_at"))
    if write is None or stated_us is None or not op.begin.at_us <= stated_us <= write[0].at_us:
        return None
    return stated_us


def as_counted(facts: Facts, op: Op, text: str, schedule: oracle.Schedule) -> oracle.Schedule:
    """A schedule that counts from `effect_us`, moved to where the host counted from, if it may."""
    write = _write_of(facts, op)
    stated = None if write is None else instant_us(write[1].get("next_run_at"))
    by_the_wall = isinstance(schedule, oracle.CronTimes) or text.strip()[4:5] == "-"
    if write is None or stated is None or by_the_wall:
        return schedule
    assert not isinstance(schedule, oracle.CronTimes)
    first_us = schedule.first_us if isinstance(schedule, oracle.Every) else schedule.at_us
    moved_us = stated - first_us
    rounded_us = SECOND_US if isinstance(schedule, oracle.Once) else 0
    earliest_us = op.begin.at_us - write[0].at_us - facts.skew_us
    if not earliest_us <= moved_us <= facts.skew_us + rounded_us:
        return schedule
    if isinstance(schedule, oracle.Every):
        return replace(schedule, first_us=stated)
    return replace(schedule, at_us=stated)


def _write_of(facts: Facts, op: Op) -> tuple[Event, dict[str, Any]] | None:
    """The write by which an operation changed its job."""
    return next(_writes_of(facts, op), None)


def _writes_of(facts: Facts, op: Op) -> Iterator[tuple[Event, dict[str, Any]]]:
    """The writes by which an operation may have changed its job, as far as can be told.

    A run by hand need not change when its job comes: what it stores first is its claim.
    """
    claims = op.do == "run" and op.tells_writes
    before: dict[str, Any] = {}
    for event, record in commits_by_job(facts).get(str(op.job), ()):
        if op.end is not None and event.n > op.end.n:
            return
        after = record or {}
        if (
            event.n > op.begin.n
            and op.may_have_stored(event)
            and (claims or any(after.get(name) != before.get(name) for name in _DECIDES))
        ):
            yield event, after
        before = after
