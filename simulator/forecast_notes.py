"""What a change of the clock does to each job, told from the fires that were seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from simulator.cron_text import Cron, CronError, read_cron
from simulator.forecast import Fire, Forecast, JobForecast, Question

__all__ = ["ClockChange", "clock_changes", "notes"]

_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)
_LOOK = timedelta(hours=1)
_WEEK = timedelta(days=7)


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
        return self.shift > timedelta(0)

    @property
    def before(self) -> datetime:
        """What the clock would have shown at that instant; naive."""
        return self.at.replace(tzinfo=None) - self.shift

    def __str__(self) -> str:
        day = f"{self.at:%a %Y-%m-%d}"
        after = self.at.replace(tzinfo=None)
        if self.forward:
            return f"{day}: {self.before:%H:%M} to {after:%H:%M} does not exist"
        return f"{day}: {after:%H:%M} to {self.before:%H:%M} comes twice"


def clock_changes(question: Question) -> list[ClockChange]:
    """The changes in the span that is asked about, in order."""
    found: list[ClockChange] = []
    zone = question.zone
    at = question.start.astimezone(UTC)
    end = question.end.astimezone(UTC)
    while at < end:
        step = min(at + _LOOK, end)
        if _offset(at, zone) != _offset(step, zone):
            change = _narrow(at, step, zone)
            found.append(change)
        at = step
    return found


def notes(forecast: Forecast, change: ClockChange) -> Iterator[tuple[JobForecast, str]]:
    """What the change does to each job that runs around it."""
    for job in forecast.jobs:
        said = _note(job, change)
        if said is not None:
            yield job, said


def _note(job: JobForecast, change: ClockChange) -> str | None:
    schedule = (job.record or {}).get("schedule")
    kind = schedule.get("kind") if isinstance(schedule, dict) else None
    if kind == "interval":
        return _interval_note(job, change)
    if kind == "cron":
        try:
            cron = read_cron(schedule["expr"])
        except (CronError, KeyError, TypeError):
            return None
        return _cron_note(job, cron, change)
    return _once_note(job, schedule, change) if kind == "once" else None


def _interval_note(job: JobForecast, change: ClockChange) -> str | None:
    before, after = _last_before(job, change), _first_after(job, change)
    if before is None or after is None:
        return None
    took = after.at.astimezone(UTC) - before.at.astimezone(UTC)
    return f"keeps elapsed time: {before.at:%H:%M %Z} then {after.at:%H:%M %Z}, {_say(took)} apart"


def _cron_note(job: JobForecast, cron: Cron, change: ClockChange) -> str | None:
    twice = [] if change.forward else _named_walls(cron, change)
    lost = _named_walls(cron, change) if change.forward else []
    day = [fire for fire in job.fires if abs(_since(fire, change)) < _DAY]
    if lost:
        at = [fire for fire in day if timedelta(0) <= _since(fire, change) < _MINUTE]
        named = _say_walls(lost)
        if cron.fixed and at:
            return f"{named} does not exist: fires once, at {at[0].at:%H:%M %Z}"
        return f"{named} does not exist: {len(lost)} fewer that day" if not cron.fixed else None
    if twice:
        return _twice_note(day, cron, twice, change)
    return _steady_note(job, cron, change)


def _twice_note(
    day: list[Fire], cron: Cron, twice: list[datetime], change: ClockChange
) -> str | None:
    span = -change.shift
    passes = [
        [fire for fire in day if start <= _since(fire, change) < start + span]
        for start in (-span, timedelta(0))
    ]
    if not passes[0] and not passes[1]:
        return None
    named = _say_walls(twice)
    if cron.fixed and passes[0] and not passes[1]:
        return f"{named} comes twice: fires once, at the first ({passes[0][0].at:%H:%M %Z})"
    return (
        f"{named} comes twice: fires {len(passes[0])}x in the first pass, {len(passes[1])}x again"
    )


def _steady_note(job: JobForecast, cron: Cron, change: ClockChange) -> str | None:
    before, after = _last_before(job, change), _first_after(job, change)
    if not cron.fixed or before is None or after is None:
        return None
    if before.at.timetz().replace(tzinfo=None) != after.at.timetz().replace(tzinfo=None):
        return None
    took = after.at.astimezone(UTC) - before.at.astimezone(UTC)
    if took > _WEEK:
        return None
    return f"stays at {after.at:%H:%M} by the clock: {_say(took)} between the two fires"


def _once_note(job: JobForecast, schedule: Any, change: ClockChange) -> str | None:
    try:
        asked = datetime.fromisoformat(schedule["run_at"])
    except (KeyError, TypeError, ValueError):
        return None
    fire = job.fires[0] if job.fires else None
    if asked.tzinfo is not None or fire is None or abs(_since(fire, change)) > _LOOK:
        return None
    if change.forward and change.before <= asked < change.at.replace(tzinfo=None):
        return f"{asked:%H:%M} does not exist: fires at {fire.at:%H:%M %Z}"
    if not change.forward and change.at.replace(tzinfo=None) <= asked < change.before:
        return f"{asked:%H:%M} comes twice: fires at {fire.at:%H:%M %Z}"
    return None


def _named_walls(cron: Cron, change: ClockChange) -> list[datetime]:
    """The wall minutes named by the expression that are skipped, or that come twice."""
    wall = min(change.before, change.at.replace(tzinfo=None))
    end = max(change.before, change.at.replace(tzinfo=None))
    named = []
    while wall < end:
        if wall.minute in cron.minutes and wall.hour in cron.hours and cron.names_day(wall.date()):
            named.append(wall)
        wall += _MINUTE
    return named


def _say_walls(walls: list[datetime]) -> str:
    if len(walls) == 1:
        return f"{walls[0]:%H:%M}"
    return f"{walls[0]:%H:%M}..{walls[-1]:%H:%M}"


def _since(fire: Fire, change: ClockChange) -> timedelta:
    """How long after the change a fire was due."""
    return (fire.occurrence or fire.at).astimezone(UTC) - change.at.astimezone(UTC)


def _last_before(job: JobForecast, change: ClockChange) -> Fire | None:
    found = [fire for fire in job.fires if _since(fire, change) < timedelta(0)]
    return found[-1] if found else None


def _first_after(job: JobForecast, change: ClockChange) -> Fire | None:
    found = [fire for fire in job.fires if _since(fire, change) >= timedelta(0)]
    return found[0] if found else None


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


def _say(span: timedelta) -> str:
    minutes = round(span.total_seconds() / 60)
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"
