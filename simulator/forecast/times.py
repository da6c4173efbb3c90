"""Instants, spans and outages of a forecast, and how they are written for people."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

__all__ = ["Outage", "instant", "merged", "say_at", "say_clock", "say_span", "utc"]

_MINUTE = timedelta(minutes=1)


def utc(at: datetime) -> datetime:
    """The same instant in UTC, where instants can be compared and subtracted."""
    return at.astimezone(UTC)


def instant(text: object, zone: ZoneInfo) -> datetime | None:
    """A stored time in the zone; None for what is none. A naive one is wall time in the zone.

    In a gap that is the first instant after it, in a repeated hour the first pass.
    """
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(zone)
        return _place(moment.replace(fold=0), zone)
    except (ValueError, OverflowError):
        return None


def _place(wall: datetime, zone: ZoneInfo) -> datetime:
    """The first instant whose wall clock shows `wall` or later."""
    at = utc(wall.replace(tzinfo=zone))
    if at.astimezone(zone).replace(tzinfo=None) == wall:
        return at.astimezone(zone)
    high, low = at, at - timedelta(days=2)  # in a gap `at` lies after it: look for its end
    while high - low > timedelta(seconds=1):
        middle = (low + (high - low) / 2).replace(microsecond=0)
        if middle.astimezone(zone).replace(tzinfo=None) < wall:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0).astimezone(zone)


@dataclass(frozen=True)
class Outage:
    """The gateway is down from `start` for `lasts`; both are about true time."""

    start: datetime
    lasts: timedelta

    @property
    def end(self) -> datetime:
        """When it is back, in UTC."""
        return utc(self.start) + self.lasts

    def covers(self, at: datetime) -> bool:
        """Whether it is down at that instant."""
        return utc(self.start) <= utc(at) < self.end


def merged(outages: Iterable[Outage]) -> tuple[Outage, ...]:
    """The same time down, as outages in order that do not touch; in UTC."""
    found: list[Outage] = []
    for outage in sorted(outages, key=lambda one: utc(one.start)):
        start, end = utc(outage.start), outage.end
        if found and start <= found[-1].end:
            start, end = found[-1].start, max(end, found[-1].end)
            found.pop()
        found.append(Outage(start, end - start))
    return tuple(found)


def say_clock(at: datetime) -> str:
    """`09:00`, or `02:30 CEST` where the wall clock shows that time twice."""
    return f"{at:%H:%M %Z}" if _comes_twice(at) else f"{at:%H:%M}"


def say_at(at: datetime, year: int | None = None, *, day_width: int = 1) -> str:
    """`Tue 20 Oct 09:00`, with the year where it is not `year`."""
    day = f"{at:%a} {at.day:{day_width}} {at:%b}"
    return f"{day} {say_clock(at)}" if at.year == year else f"{day} {at.year} {say_clock(at)}"


def _comes_twice(at: datetime) -> bool:
    early, late = at.replace(fold=0).utcoffset(), at.replace(fold=1).utcoffset()
    return early is not None and late is not None and early > late


def say_span(span: timedelta, *, days: bool = True) -> str:
    """`5h30m`, `3d4h`, `20s`: the two largest parts that are not nothing; without `days`, `73h`."""
    seconds = round(span.total_seconds())
    if span >= _MINUTE:
        seconds = 60 * round(seconds / 60)
    units = [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")]
    parts = []
    for size, unit in units if days else units[1:]:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts[:2]) or "0s"
