"""Schedules: what their text means and when they come (CONTRACT.md, TIME).

A schedule is the ``schedule`` field of a job in ``jobs.json``:

    {"kind": "once", "run_at": ISO timestamp, "display": ...}
    {"kind": "interval", "minutes": int, "display": ...}
    {"kind": "cron", "expr": five fields, "display": ...}

All instants are computed in UTC and handed out aware in the configured zone, with the fold that
tells the two passes of a repeated hour apart. A naive instant is wall time in that zone; in a gap
it is the first instant after the gap, in a repeated hour the first of the two.

**Cron times are wall times.** A schedule whose minute and hour field both name values (neither
begins with ``*``) is *fixed*: a time in a gap comes once, at the first instant after the gap (all
times of one gap together are one occurrence), and a time in a repeated hour once, at the first
pass. Any other schedule follows elapsed time: it comes at each minute that really exists and shows
a matching wall time, so in both passes of a repeated hour and never in a gap. What is a shift does
not matter: an hour, 30 minutes (Lord Howe), a day that a zone leaves out (Apia, 2011-12-30).

**Intervals are elapsed time** on the grid of their earlier occurrence; clock changes do not shift
them.

Reading an expression is cached, and so are the clock changes of a zone: an answer takes some 5 us.
Which expressions are understood stands in `hermes_cron.schedule.cron_fields`.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any

from hermes_cron import clock
from hermes_cron.schedule.cron_expr import CronExpr, parse_cron
from hermes_cron.schedule.cron_fields import ScheduleError
from hermes_cron.schedule.text import parse_duration, parse_schedule
from hermes_cron.schedule.zone_spans import (
    LAST_YEAR,
    MOST_OFFSET_S,
    from_seconds,
    span_after,
    spans_back,
    to_utc,
)

__all__ = [
    "ONE_SHOT_GRACE_S",
    "ScheduleError",
    "ensure_not_past",
    "grace_s",
    "is_fixed",
    "is_past_grace",
    "latest_not_after",
    "next_after",
    "next_on_grid",
    "occurrences_between",
    "parse_duration",
    "parse_schedule",
]

ONE_SHOT_GRACE_S = 120
"""A one-shot may start this late when it was created late."""

_LEAST_GRACE_S, _MOST_GRACE_S = 120.0, 7200.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_TICK = timedelta(microseconds=1)


def next_after(schedule: Mapping[str, Any], after: datetime, zone: tzinfo) -> datetime | None:
    """The first occurrence strictly after ``after``, aware in ``zone``.

    An interval has no grid of its own: here it comes one period after ``after``, which is
    hermes-agent's "last run plus period"; see `next_on_grid`.

    Returns:
        None when nothing comes any more: a one-shot that is over, the end of the calendar.

    Raises:
        ScheduleError: the schedule cannot be read, or never comes.
    """
    kind = _kind(schedule)
    start = to_utc(after, zone)
    if kind == "cron":
        seconds = _first_after(_cron(schedule), (start - _EPOCH) // _SECOND, zone)
        return None if seconds is None else _moved(_EPOCH, timedelta(seconds=seconds), zone)
    if kind == "interval":
        return _moved(start, _period(schedule), zone)
    run_at = _run_at(schedule, zone)
    return run_at.astimezone(zone) if run_at > start else None


def next_on_grid(
    schedule: Mapping[str, Any], previous: datetime, after: datetime, zone: tzinfo
) -> datetime | None:
    """The first occurrence strictly after both ``previous`` and ``after``.

    For an interval ``previous`` is an occurrence, and the answer lies whole periods after it,
    however late the tick or long the run (TIME-3). For cron and one-shots it is `next_after` the
    later of the two, so that a clock that was stepped back repeats nothing (TIME-1).

    Raises:
        ScheduleError: the schedule cannot be read, or never comes.
    """
    anchor, base = to_utc(previous, zone), to_utc(after, zone)
    if _kind(schedule) != "interval":
        return next_after(schedule, max(anchor, base), zone)
    period = _period(schedule)
    return _moved(anchor, period * max(1, (base - anchor) // period + 1), zone)


def latest_not_after(
    schedule: Mapping[str, Any], previous: datetime, now: datetime, zone: tzinfo
) -> datetime:
    """The last occurrence at or before ``now``, counted from ``previous``, itself an occurrence.

    Never earlier than ``previous``, which is the answer when nothing came since.

    Raises:
        ScheduleError: the schedule cannot be read, or never comes.
    """
    kind = _kind(schedule)
    anchor, limit = to_utc(previous, zone), to_utc(now, zone)
    if kind == "interval":
        period = _period(schedule)
        return (anchor + period * max(0, (limit - anchor) // period)).astimezone(zone)
    if kind == "cron":
        earliest = (anchor - _EPOCH) // _SECOND
        seconds = _last_until(_cron(schedule), earliest, (limit - _EPOCH) // _SECOND, zone)
        if seconds is not None:
            return from_seconds(seconds, zone)
    return anchor.astimezone(zone)


def occurrences_between(
    schedule: Mapping[str, Any], first: datetime, last: datetime, zone: tzinfo
) -> Iterator[datetime]:
    """The occurrences from ``first`` to ``last``, both included when they are occurrences.

    For an interval ``first`` is one and gives the grid. Lazy and in order; there may be very many,
    so the caller bounds it (`itertools.islice`).

    Raises:
        ScheduleError: the schedule cannot be read, or never comes.
    """
    begin, end = to_utc(first, zone), to_utc(last, zone)
    if _kind(schedule) == "interval":
        at: datetime | None = begin.astimezone(zone)
    else:
        at = next_after(schedule, begin - _TICK, zone)
    while at is not None and to_utc(at, zone) <= end:
        yield at
        at = next_after(schedule, at, zone)


def grace_s(schedule: Mapping[str, Any], zone: tzinfo, at: datetime | None = None) -> float:
    """How late, in seconds, an occurrence may start before it counts as missed.

    Half the period, between 120 s and 2 h; 120 s for a one-shot. The period of a cron schedule is
    the one that begins with the occurrence ``at``, or with the first after it when ``at`` is none.

    Args:
        schedule: the schedule as it is stored.
        zone: the configured zone.
        at: the occurrence in question; the present when left out. Without meaning for intervals.

    Raises:
        ScheduleError: the schedule cannot be read, or never comes.
    """
    kind = _kind(schedule)
    if kind == "once":
        return _LEAST_GRACE_S
    if kind == "interval":
        period_s = _period(schedule).total_seconds()
    else:
        base = to_utc(clock.now() if at is None else at, zone)
        first = next_after(schedule, base - _TICK, zone)
        second = None if first is None else next_after(schedule, first, zone)
        if first is None or second is None:
            return _MOST_GRACE_S
        period_s = (to_utc(second, zone) - to_utc(first, zone)).total_seconds()
    return min(max(period_s / 2, _LEAST_GRACE_S), _MOST_GRACE_S)


def is_past_grace(schedule: Mapping[str, Any], late_s: float, zone: tzinfo, at: datetime) -> bool:
    """Whether the occurrence ``at``, which starts ``late_s`` seconds late, counts as missed.

    What starts within the least grace never does, and its period is not looked for.

    Raises:
        ScheduleError: the schedule cannot be read, or never comes.
    """
    if late_s > _LEAST_GRACE_S:
        return late_s > grace_s(schedule, zone, at)
    kind = _kind(schedule)
    if kind == "cron":
        _cron(schedule)
    elif kind == "interval":
        _period(schedule)
    return False


def ensure_not_past(schedule: Mapping[str, Any], now: datetime, zone: tzinfo) -> None:
    """Refuse a one-shot that is over, where a job is created, rescheduled or resumed (TIME-6).

    Raises:
        ScheduleError: a one-shot more than `ONE_SHOT_GRACE_S` before ``now``, or one without a
        time.
    """
    if _kind(schedule) != "once":
        return
    run_at, present = _run_at(schedule, zone), to_utc(now, zone)
    late_s = (present - run_at).total_seconds()
    if late_s > ONE_SHOT_GRACE_S:
        raise ScheduleError(
            f"the time {run_at.astimezone(zone).isoformat()} is {_spoken(late_s)} past (now is "
            f"{present.astimezone(zone).isoformat(timespec='seconds')}) and would never come; "
            "give a later one: a timestamp, or '30m' for in half an hour"
        )


def _spoken(seconds: float) -> str:
    for unit, size_s in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size_s:
            return f"{seconds // size_s:.0f} {unit}"
    return f"{seconds:.0f} seconds"


@lru_cache(maxsize=4096)  # one run asks twice, and jobs that stand side by side ask the same
def _first_after(cron: CronExpr, after: int, zone: tzinfo) -> int | None:
    at = after
    while (span := span_after(zone, at)) is not None:
        fresh = span.fresh if cron.fixed else span.start + span.offset
        low = -(-fresh // 60)
        if span.start <= after:
            low = max(low, (after + span.offset) // 60 + 1)
        wall = cron.first_wall(low)
        if wall is None:
            return None
        if wall * 60 < span.end + span.offset:
            return max(span.start, wall * 60 - span.offset)
        at = span.end
        if span.end - MOST_OFFSET_S >= low * 60:  # no later wall is before `low`: skip ahead
            at = max(at, wall * 60 - MOST_OFFSET_S)
    return None


def _last_until(cron: CronExpr, earliest: int, until: int, zone: tzinfo) -> int | None:
    for span in spans_back(zone, until):
        if span.end <= earliest:
            return None
        fresh = span.fresh if cron.fixed else span.start + span.offset
        wall = cron.last_wall((min(until, span.end - 1) + span.offset) // 60)
        if wall is not None and wall * 60 >= fresh:
            found = max(span.start, wall * 60 - span.offset)
            return found if found > earliest else None
    return None


def _moved(at: datetime, by: timedelta, zone: tzinfo) -> datetime | None:
    """The sum in the zone; None at the end of the calendar."""
    try:
        moved = at + by
    except OverflowError:
        return None
    return moved.astimezone(zone) if moved.year < LAST_YEAR else None


def _kind(schedule: Mapping[str, Any]) -> str:
    kind = schedule.get("kind") if isinstance(schedule, Mapping) else None
    if kind not in ("once", "interval", "cron"):
        raise ScheduleError(
            f"schedule {schedule!r:.200} has no kind that is known; it is a mapping whose 'kind' "
            "is 'once' (with 'run_at'), 'interval' (with 'minutes') or 'cron' (with 'expr')"
        )
    return str(kind)


def is_fixed(schedule: Mapping[str, Any]) -> bool:
    """Whether a cron schedule is meant by the hands of the clock, and not by elapsed time.

    Raises:
        ScheduleError: the schedule cannot be read.
    """
    return _cron(schedule).fixed


def _cron(schedule: Mapping[str, Any]) -> CronExpr:
    expr = schedule.get("expr")
    if not isinstance(expr, str):
        raise ScheduleError(
            f"cron schedule without an expression: 'expr' is {expr!r:.80} and should be five "
            "fields such as '0 9 * * *'"
        )
    return parse_cron(expr)


def _period(schedule: Mapping[str, Any]) -> timedelta:
    minutes = schedule.get("minutes")
    if not isinstance(minutes, int) or isinstance(minutes, bool) or minutes < 1:
        raise ScheduleError(
            f"interval schedule without a period: 'minutes' is {minutes!r:.80} and should be a "
            "whole number of minutes, 1 or more"
        )
    try:
        return timedelta(minutes=minutes)
    except OverflowError:
        raise ScheduleError(f"interval of {minutes} minutes is longer than the calendar") from None


def _run_at(schedule: Mapping[str, Any], zone: tzinfo) -> datetime:
    run_at = schedule.get("run_at")
    try:
        return to_utc(datetime.fromisoformat(run_at), zone)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise ScheduleError(
            f"one-shot schedule without a time: 'run_at' is {run_at!r:.80} and should be an ISO "
            "timestamp such as '2026-02-03T14:00:00+01:00'"
        ) from None
