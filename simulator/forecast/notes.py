"""What a change of the clock does to each job, told from the fires that were seen.

What a schedule names comes from reading it; whether that happened, and when, comes from the fires
alone. A sentence that the fires do not bear out is not said, or says what they show instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from simulator.cron_text import Cron, CronError, read_cron
from simulator.forecast import Fire, Forecast, JobForecast, Question
from simulator.forecast.times import say_span, utc

__all__ = ["ClockChange", "clock_changes", "notes"]

_NOTHING = timedelta(0)
_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)
_NEAR = timedelta(days=8)  # fires further from the change than this say nothing about it
_LOOK = timedelta(hours=12)
_LISTED = 3


@dataclass(frozen=True)
class ClockChange:
    """The zone's offset changes at an instant.

    Attributes:
        at: The first instant with the new offset, aware, in the zone.
        shift: How far the clock goes forward; negative when it is put back.
    """

    at: datetime
    shift: timedelta

    @property
    def forward(self) -> bool:
        """Whether wall times are skipped; else they come twice."""
        return self.shift > _NOTHING

    @property
    def after(self) -> datetime:
        """What the clock shows at that instant; naive."""
        return self.at.replace(tzinfo=None, fold=0)

    @property
    def before(self) -> datetime:
        """What the clock would have shown at that instant; naive."""
        return self.after - self.shift

    @property
    def span(self) -> tuple[datetime, datetime]:
        """The wall times that are skipped or come twice, half open; naive."""
        return min(self.before, self.after), max(self.before, self.after)

    def __str__(self) -> str:
        first, end = self.span
        said = f"{first:%H:%M} to {end:%H:%M}" if abs(self.shift) < _DAY else f"{first:%a %d %b}"
        does = "does not exist" if self.forward else "comes twice"
        old = utc(self.at) - timedelta(seconds=1)
        zones = f"{old.astimezone(self.at.tzinfo):%Z} to {self.at:%Z}"
        return f"{first:%a} {first.day} {first:%b %Y}, {zones}: {said} {does}"


def clock_changes(question: Question) -> list[ClockChange]:
    """The changes in the span that is asked about, in order."""
    found: list[ClockChange] = []
    at = question.start
    while at < question.end:
        step = min(at + _LOOK, question.end)
        if _offset(at, question.zone) != _offset(step, question.zone):
            found.append(_narrow(at, step, question.zone))
        at = step
    return found


def notes(forecast: Forecast, change: ClockChange) -> Iterator[tuple[JobForecast, str]]:
    """What the change does to each job that runs around it."""
    for job in forecast.jobs:
        said = _note(job, change, forecast.question) if job.fires else None
        if said is not None:
            yield job, said


def _note(job: JobForecast, change: ClockChange, question: Question) -> str | None:
    schedule = (job.record or {}).get("schedule")
    if not isinstance(schedule, dict):
        return None
    match schedule.get("kind"):
        case "interval":
            return _interval_note(job, schedule, change)
        case "once":
            return _once_note(job, schedule, change)
        case "cron":
            return _cron_note(job, str(schedule.get("expr")), change, question)
    return None


def _cron_note(job: JobForecast, expr: str, change: ClockChange, question: Question) -> str | None:
    try:
        cron = read_cron(expr)
    except CronError:
        return None
    named = _named_walls(cron, change)
    if not named:
        return _steady_note(job, change)
    if change.forward:
        return _gap_note(job, cron, named, change, question)
    return _twice_note(job, cron, named, change)


def _interval_note(
    job: JobForecast, schedule: Mapping[str, Any], change: ClockChange
) -> str | None:
    """Elapsed time goes on, so the wall time moves, but not by whole periods."""
    before, after = _around(job, change)
    minutes = schedule.get("minutes")
    if before is None or after is None or not isinstance(minutes, int) or minutes < 1:
        return None
    period = timedelta(minutes=minutes)
    took = after.due - before.due
    told = f"{_say(before)}, then {_say(after)}"
    if took % period:
        return f"{say_span(took)} apart instead of {say_span(period)}: {told}"
    if took != period:
        told += f" ({took // period} periods)"
    if abs(change.shift) % period == _NOTHING:
        return f"keeps its {say_span(period)}: {told}"
    moved = "later" if change.forward else "earlier"
    shift = say_span(abs(change.shift) % period)
    return f"keeps its {say_span(period)}: {told}; {shift} {moved} by the clock"


def _gap_note(
    job: JobForecast, cron: Cron, lost: list[datetime], change: ClockChange, question: Question
) -> str | None:
    does_not = f"{_list_walls(lost)} {'does' if len(lost) == 1 else 'do'} not exist"
    at_once = [fire for fire in job.fires if _NOTHING <= _since(fire, change) < _MINUTE]
    if cron.fixed:
        if not at_once:
            return None
        times = "once" if len(at_once) == 1 else f"{len(at_once)} times"
        return f"{does_not}: fires {times}, at {_say(at_once[0])}"
    seen = _fires_on(job, change.after.date(), question)
    usual = len(cron.minutes) * len(cron.hours)
    if seen is None or seen != usual - len(lost):
        return f"{does_not}, so there is no fire for {'it' if len(lost) == 1 else 'them'}"
    return f"{does_not}: {seen} fires on that day, not {usual}"


def _twice_note(
    job: JobForecast, cron: Cron, named: list[datetime], change: ClockChange
) -> str | None:
    span = -change.shift
    passes = [
        [fire for fire in job.fires if start <= _since(fire, change) < start + span]
        for start in (-span, _NOTHING)
    ]
    if not passes[0] and not passes[1]:
        return None
    come = f"{_list_walls(named)} {'comes' if len(named) == 1 else 'come'} twice"
    if cron.fixed and len(passes[0]) == len(named) and not passes[1]:
        if len(named) == 1:
            return f"{come}: fires once, at {_say(passes[0][0])}"
        return f"{come}: fires once each, in the first pass (from {_say(passes[0][0])})"
    first = f"{len(passes[0])} {'fire' if len(passes[0]) == 1 else 'fires'}"
    return f"{come}: {first} in the first pass, {len(passes[1])} in the second"


def _steady_note(job: JobForecast, change: ClockChange) -> str | None:
    """A time away from the change keeps its wall time; the day is longer or shorter."""
    before, after = _around(job, change)
    if before is None or after is None:
        return None
    one, other = (_wall_time(fire) for fire in (before, after))
    took = after.due - before.due
    if one != other or took % _DAY == _NOTHING:
        return None
    usual = say_span(took + change.shift, days=False)
    return f"stays at {other:%H:%M} by the clock, after {say_span(took, days=False)}, not {usual}"


def _once_note(job: JobForecast, schedule: Mapping[str, Any], change: ClockChange) -> str | None:
    """A naive time that does not exist, or that comes twice; one with an offset is an instant."""
    try:
        asked = datetime.fromisoformat(str(schedule.get("run_at")))
    except ValueError:
        return None
    first, end = change.span
    fire = job.fires[0]
    if asked.tzinfo is not None or not first <= asked < end or abs(_since(fire, change)) > _DAY:
        return None
    if change.forward:
        return f"{asked:%H:%M} does not exist: fires at {_say(fire)}"
    which = "first" if _since(fire, change) < _NOTHING else "second"
    return f"{asked:%H:%M} comes twice: fires in the {which} pass ({_say(fire)})"


def _named_walls(cron: Cron, change: ClockChange) -> list[datetime]:
    """The wall minutes named by the expression that are skipped, or that come twice."""
    wall, end = change.span
    named = []
    while wall < end:
        if wall.minute in cron.minutes and wall.hour in cron.hours and cron.names_day(wall.date()):
            named.append(wall)
        wall += _MINUTE
    return named


def _list_walls(walls: list[datetime]) -> str:
    if len(walls) <= _LISTED:
        return ", ".join(f"{wall:%H:%M}" for wall in walls)
    return f"{walls[0]:%H:%M}, {walls[1]:%H:%M} … {walls[-1]:%H:%M}"


def _fires_on(job: JobForecast, day: date, question: Question) -> int | None:
    """How often it fires on a day, by the wall clock; None when the forecast has only a part."""
    first = datetime.combine(day, time(), question.zone)
    after = datetime.combine(day + _DAY, time(), question.zone)
    if utc(first) < question.start or utc(after) > question.end:
        return None
    return sum(utc(first) <= fire.due < utc(after) for fire in job.fires)


def _around(job: JobForecast, change: ClockChange) -> tuple[Fire | None, Fire | None]:
    """The last fire before the change and the first after it, when they are near it."""
    for one, other in pairwise(job.fires):
        if _since(one, change) < _NOTHING <= _since(other, change):
            near = -_since(one, change) <= _NEAR and _since(other, change) <= _NEAR
            return (one, other) if near else (None, None)
    return None, None


def _since(fire: Fire, change: ClockChange) -> timedelta:
    """How long after the change a fire was due."""
    return fire.due - utc(change.at)


def _wall_time(fire: Fire) -> time:
    return (fire.occurrence or fire.at).time()


def _say(fire: Fire) -> str:
    return f"{fire.occurrence or fire.at:%H:%M %Z}"


def _offset(at: datetime, zone: ZoneInfo) -> timedelta:
    offset = at.astimezone(zone).utcoffset()
    assert offset is not None  # a ZoneInfo always knows
    return offset


def _narrow(low: datetime, high: datetime, zone: ZoneInfo) -> ClockChange:
    before = _offset(low, zone)
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if _offset(middle, zone) == before:
            low = middle
        else:
            high = middle
    at = high.replace(microsecond=0)
    return ClockChange(at.astimezone(zone), _offset(high, zone) - before)
