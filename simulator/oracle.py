"""The oracle: when a schedule is due, found the slow and plain way.

It is a second opinion. It shares no code with the host: its own reading of schedules, brute force
over the minutes of UTC for cron, and the rule of CONTRACT.md (TIME-2, TIME-3) in its own words:

- A cron time is wall time in the zone. A minute of UTC is due when the wall clock then shows a time
  that the expression names.
- When neither the minute nor the hour field begins with `*`, the schedule is fixed: of a wall time
  that comes twice only the first pass is due, and wall times that a gap swallows are due, all
  together once, at the first minute after the gap.
- An interval is a grid of elapsed time.

Instants are integers: microseconds since the epoch, or minutes since the epoch where named so.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from simulator.cron_text import Cron, CronError, read_cron
from simulator.durations import MINUTE_US, SECOND_US

__all__ = [
    "CronTimes",
    "Every",
    "Once",
    "OracleError",
    "Schedule",
    "grace_us",
    "latest_wall_us",
    "next_after",
    "occurrences",
    "offset_minutes",
    "read",
    "read_stored",
    "to_us",
    "wall_us",
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_MINUTES = 1440
_UNIT_MINUTES = {"m": 1, "h": 60, "d": _DAY_MINUTES}
_DURATION = re.compile(
    r"(\d+)\s*(m|min|mins|minute|minutes|h|hr|hrs|hour|hours|d|day|days)", re.IGNORECASE
)
_SHORTEST_GRACE_US = 120 * SECOND_US
_LONGEST_GRACE_US = 7200 * SECOND_US
_HORIZON_DAYS = 366 * 41


class OracleError(ValueError):
    """A schedule that the oracle cannot read; nothing is expected of its job."""


@dataclass(frozen=True, slots=True)
class Once:
    """Due at one instant."""

    at_us: int


@dataclass(frozen=True, slots=True)
class Every:
    """Due at `first_us` and each `period_us` after it."""

    first_us: int
    period_us: int


@dataclass(frozen=True, slots=True)
class CronTimes:
    """Due when the wall clock of `zone` shows what `cron` names."""

    cron: Cron
    zone: str


Schedule = Once | Every | CronTimes


def to_us(moment: datetime) -> int:
    """Microseconds since the epoch of an aware datetime, exactly."""
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * SECOND_US + since.microseconds


def read(text: str, created_us: int, zone: str) -> Schedule:
    """The schedule that a user's text means when it is given at `created_us`.

    Raises:
        OracleError: Not a schedule.
    """
    words = text.strip()
    if words.lower().startswith("every "):
        period_us = _duration_us(words[6:])
        return Every(created_us + period_us, period_us)
    if _DURATION.fullmatch(words):
        at_us = created_us + _duration_us(words)
        return Once(-(-at_us // SECOND_US) * SECOND_US)  # rounded up to the second
    if re.match(r"\d{4}-\d{2}-\d{2}", words):
        return Once(_instant_us(words, zone))
    try:
        return CronTimes(read_cron(words), zone)
    except CronError as error:
        raise OracleError(str(error)) from error


def read_stored(schedule: Mapping[str, Any], first_us: int, zone: str) -> Schedule:
    """The schedule in a stored record (`kind` and what belongs to it).

    Args:
        schedule: As `jobs.json` has it.
        first_us: The first occurrence of an interval: the record's own `next_run_at`.
        zone: The configured zone.

    Raises:
        OracleError: Not a schedule.
    """
    kind = schedule.get("kind")
    try:
        if kind == "once":
            return Once(_instant_us(schedule["run_at"], zone))
        if kind == "interval":
            return Every(first_us, int(schedule["minutes"]) * MINUTE_US)
        if kind == "cron":
            return CronTimes(read_cron(schedule["expr"]), zone)
    except (KeyError, TypeError, ValueError) as error:
        raise OracleError(f"stored schedule {schedule!r}: {error}") from error
    raise OracleError(f"stored schedule {schedule!r}: unknown kind {kind!r}")


def occurrences(schedule: Schedule, after_us: int, until_us: int) -> Iterator[int]:
    """Every due instant strictly after `after_us` and not after `until_us`, in order."""
    if isinstance(schedule, Once):
        if after_us < schedule.at_us <= until_us:
            yield schedule.at_us
    elif isinstance(schedule, Every):
        nth = max(0, (after_us - schedule.first_us) // schedule.period_us + 1)
        at_us = schedule.first_us + nth * schedule.period_us
        while at_us <= until_us:
            yield at_us
            at_us += schedule.period_us
    else:
        first_day = after_us // MINUTE_US // _DAY_MINUTES
        last_day = until_us // MINUTE_US // _DAY_MINUTES
        for day in range(first_day, last_day + 1):
            for minute in due_minutes(schedule.cron, schedule.zone, day):
                at_us = minute * MINUTE_US
                if after_us < at_us <= until_us:
                    yield at_us


def next_after(schedule: Schedule, after_us: int) -> int | None:
    """The first due instant strictly after `after_us`; None when none comes (in 41 years)."""
    end_us = after_us + _HORIZON_DAYS * _DAY_MINUTES * MINUTE_US
    return next(occurrences(schedule, after_us, end_us), None)


def grace_us(schedule: Schedule, at_us: int) -> int:
    """How late the occurrence at `at_us` may start before it collapses with later ones.

    Half the distance to the next, between 120 s and 2 h; 120 s for what comes once.
    """
    following = next_after(schedule, at_us)
    if following is None:
        return _SHORTEST_GRACE_US
    return min(max((following - at_us) // 2, _SHORTEST_GRACE_US), _LONGEST_GRACE_US)


@lru_cache(maxsize=8192)
def due_minutes(cron: Cron, zone: str, day: int) -> tuple[int, ...]:
    """The minutes since the epoch, within one day of UTC, at which a cron expression is due."""
    minutes, hours = cron.minutes, cron.hours
    found: list[int] = []
    before = _offset(zone, day * _DAY_MINUTES - 1)
    for start, end, offset in _stretches(zone, day):
        if offset > before and cron.fixed and _in_gap(cron, start + before, start + offset):
            found.append(start)
        before = offset
        wall_date, named = -1, False
        for minute in range(start, end):
            wall = minute + offset
            if wall // _DAY_MINUTES != wall_date:
                wall_date = wall // _DAY_MINUTES
                named = cron.names_day(date.fromordinal(_EPOCH_ORDINAL + wall_date))
            if (
                named
                and wall % 60 in minutes
                and wall // 60 % 24 in hours
                and not (cron.fixed and _second_pass(zone, minute, wall))
                and found[-1:] != [minute]
            ):
                found.append(minute)
    return tuple(found)


_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


def _in_gap(cron: Cron, first_wall: int, end_wall: int) -> bool:
    """Whether the expression names a wall minute of the half-open span."""
    return any(
        wall % 60 in cron.minutes
        and wall // 60 % 24 in cron.hours
        and cron.names_day(date.fromordinal(_EPOCH_ORDINAL + wall // _DAY_MINUTES))
        for wall in range(first_wall, end_wall)
    )


def _second_pass(zone: str, minute: int, wall: int) -> bool:
    """Whether this wall minute was shown before, when the clock had not been put back yet."""
    back = _recent_step_back(zone, minute // _DAY_MINUTES)
    index = bisect_right(back, (minute, 1 << 62)) - 1
    # The step at `at` put the clock back from showing `shown`: what lies before it came already.
    return index >= 0 and wall < back[index][1]


@lru_cache(maxsize=1024)
def _recent_step_back(zone: str, day: int) -> tuple[tuple[int, int], ...]:
    """(minute, wall shown just before) of each step back on this day and the one before it."""
    steps = []
    for each in (day - 1, day):
        before = _offset(zone, each * _DAY_MINUTES - 1)
        for start, _end, offset in _stretches(zone, each):
            if offset < before:
                steps.append((start, start + before))
            before = offset
    return tuple(steps)


@lru_cache(maxsize=2048)
def _stretches(zone: str, day: int) -> tuple[tuple[int, int, int], ...]:
    """The day of UTC as (first minute, end minute, offset in minutes) of one offset each."""
    first = day * _DAY_MINUTES
    found: list[tuple[int, int, int]] = []
    for hour in range(first, first + _DAY_MINUTES, 60):
        same = _offset(zone, hour) == _offset(zone, hour + 59)
        for start, size in [(hour, 60)] if same else [(hour + i, 1) for i in range(60)]:
            offset = _offset(zone, start)
            if found and found[-1][2] == offset:
                found[-1] = (found[-1][0], start + size, offset)
            else:
                found.append((start, start + size, offset))
    return tuple(found)


def _offset(zone: str, minute: int) -> int:
    """Minutes that the zone is ahead of UTC at this minute since the epoch."""
    moment = (_EPOCH + timedelta(minutes=minute)).astimezone(ZoneInfo(zone))
    offset = moment.utcoffset()
    assert offset is not None  # a ZoneInfo always knows
    return int(offset.total_seconds()) // 60


def offset_minutes(zone: str, at_us: int) -> int:
    """Minutes that the zone's clocks are ahead of UTC at an instant."""
    return _offset(zone, at_us // MINUTE_US)


def wall_us(zone: str, at_us: int) -> int:
    """What the zone's clocks show at an instant, as microseconds of a clock without zones."""
    return at_us + offset_minutes(zone, at_us) * MINUTE_US


def latest_wall_us(zone: str, at_us: int) -> int:
    """The latest that the zone's clocks have shown by an instant, as `wall_us` counts.

    It is what they show then, unless they were put back a short while before.
    """
    minute = at_us // MINUTE_US
    steps = _recent_step_back(zone, minute // _DAY_MINUTES)
    before = [shown * MINUTE_US for step, shown in steps if step <= minute]
    return max([wall_us(zone, at_us), *before])


def _duration_us(text: str) -> int:
    found = _DURATION.fullmatch(text.strip())
    if found is None or int(found[1]) == 0:
        raise OracleError(f"{text!r} is no duration")
    return int(found[1]) * _UNIT_MINUTES[found[2][0].lower()] * MINUTE_US


def _instant_us(text: str, zone: str) -> int:
    """An ISO instant; a naive one is wall time in the zone, in a gap the first instant after it."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise OracleError(f"{text!r} is no instant") from error
    if moment.tzinfo is not None:
        return to_us(moment)
    since = moment.replace(tzinfo=UTC) - _EPOCH
    wall_us = (since.days * 86_400 + since.seconds) * SECOND_US + since.microseconds
    wall, rest_us = divmod(wall_us, MINUTE_US)
    shown = -1
    for minute in range(wall - _DAY_MINUTES, wall + _DAY_MINUTES):
        shown = minute + _offset(zone, minute)
        if shown == wall:
            return minute * MINUTE_US + rest_us
        if shown > wall:
            return minute * MINUTE_US
    raise OracleError(f"{text!r} does not come in {zone}")
