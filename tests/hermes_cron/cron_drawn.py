"""Cron expressions drawn for tests, each with its meaning beside its text, and a brute force over time.

The meaning comes from how an item was drawn, not from reading the text, and the brute force looks at
every UTC minute: neither shares a thought with `hermes_cron`.
"""

import calendar
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

ZONES = (
    "America/New_York",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Pacific/Apia",
    "Pacific/Auckland",
    "America/Sao_Paulo",
    "Europe/London",
    "UTC",
)
MONTHS = ("", *(name.upper() for name in calendar.month_abbr[1:]))
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
MINUTE = timedelta(minutes=1)
FIRST_YEAR, LAST_YEAR = 2024, 2030


@dataclass(frozen=True)
class Field:
    text: str
    values: frozenset[int]
    day: Callable[[date], bool] | None = None  # for L and #, which no set of values tells

    @property
    def starred(self):
        return self.text.startswith("*")


@dataclass(frozen=True)
class Drawn:
    minute: Field
    hour: Field
    day: Field
    month: Field
    weekday: Field

    @property
    def text(self):
        parts = (self.minute, self.hour, self.day, self.month, self.weekday)
        return " ".join(part.text for part in parts)

    @property
    def fixed(self):
        return not self.minute.starred and not self.hour.starred

    @property
    def schedule(self):
        return {"kind": "cron", "expr": self.text}

    def on(self, day):
        if day.month not in self.month.values:
            return False
        by_date = self.day.day(day) if self.day.day else day.day in self.day.values
        dow = day.isoweekday() % 7
        by_weekday = self.weekday.day(day) if self.weekday.day else dow in self.weekday.values
        if self.day.starred or self.weekday.starred:
            return by_date and by_weekday
        return by_date or by_weekday

    def at(self, wall):
        return (
            wall.minute in self.minute.values
            and wall.hour in self.hour.values
            and self.on(wall.date())
        )


@st.composite
def items(draw, low, high, words, *, portable):
    """One item of a list: text and values. ``portable`` leaves out what other libraries refuse."""

    def value(of):
        return words[of % 7 if high == 7 else of] if words and draw(st.booleans()) else str(of)

    number = st.integers(low, high)
    step = draw(st.integers(1, 7) | st.integers(1, high + 5))
    cycle = 7 if high == 7 else high - low + 1
    form = draw(st.sampled_from(("value", "value", "range", "steps", "open", "star", "wrap")))
    first, last = draw(number), draw(number)
    if form == "star":
        return f"*/{step}", range(low, high + 1, step)
    if form == "open" and first < high:
        return f"{first}/{step}", range(first, high + 1, step)
    if form == "wrap" and not portable and first > last and first < low + cycle:
        walked = range(first, last + cycle + 1, step)
        return f"{value(first)}-{value(last)}/{step}", [low + (v - low) % cycle for v in walked]
    first, last = min(first, last), max(first, last)
    if form == "range" and first < last < low + cycle:
        return f"{value(first)}-{value(last)}", range(first, last + 1)
    if form == "steps" and first < last:
        return f"{first}-{last}/{step}", range(first, last + 1, step)
    return value(first), [first]


@st.composite
def fields(draw, low, high, words=(), *, portable=False, star=2):
    if draw(st.integers(0, 4)) < star:
        return Field("*", frozenset(range(low, high + 1)))
    some = draw(st.lists(items(low, high, words, portable=portable), min_size=1, max_size=3))
    values = {7 % 7 if high == 7 and v == 7 else v for _, run in some for v in run}
    return Field(",".join(text for text, _ in some), frozenset(values))


def _last_day(day):
    return (day + timedelta(days=1)).month != day.month


def _nth_weekday(number, nth):
    def on(day):
        if day.isoweekday() % 7 != number:
            return False
        if nth == 0:
            return (day + timedelta(days=7)).month != day.month
        return sum(1 for n in range(1, day.day + 1) if (day.day - n) % 7 == 0) == nth

    return on


LAST_DAY = st.just(Field("L", frozenset(), _last_day))
NTH_WEEKDAY = st.builds(
    lambda number, nth: Field(
        f"{number}#{nth}" if nth else f"L{number}", frozenset(), _nth_weekday(number, nth)
    ),
    st.integers(0, 6),
    st.integers(0, 5),
)


def days(*, portable=False):
    plain = fields(1, 31, portable=portable)
    return plain | plain | plain | LAST_DAY


def weekdays(*, portable=False):
    plain = fields(0, 7, WEEKDAYS, portable=portable, star=3)
    return plain | plain | plain | NTH_WEEKDAY


def expressions(*, portable=False):
    """Any expression; hours near the usual clock changes come often."""
    night = st.integers(0, 4).map(lambda hour: Field(str(hour), frozenset({hour})))
    return st.builds(
        Drawn,
        minute=fields(0, 59, portable=portable, star=1),
        hour=night | fields(0, 23, portable=portable),
        day=st.just(Field("*", frozenset(range(1, 32)))) | days(portable=portable),
        month=fields(1, 12, MONTHS, portable=portable, star=4),
        weekday=weekdays(portable=portable),
    )


def daily(minute, minutes, hour, hours):
    """An expression of each day, from its first two fields and what they mean."""
    times = Field(minute, frozenset(minutes)), Field(hour, frozenset(hours))
    return Drawn(
        *times, *(Field("*", frozenset(range(*span))) for span in ((1, 32), (1, 13), (7,)))
    )


# Elapsed ones, and times of the day that a gap or a repeated hour may hold.
AROUND = (
    daily("*/15", range(0, 60, 15), "*", range(24)),
    daily("20", [20], "*", range(24)),
    daily("*/20", range(0, 60, 20), "0-3", range(4)),
    daily("0,15,30,45", range(0, 60, 15), "0,1,2,3", range(4)),
    daily("30", [30], "2", [2]),
    daily("10", [10], "0,23", [0, 23]),
)


@cache
def changes(zone):
    """The UTC hours of 2024 to 2030 in which the zone's offset changes."""
    found = []
    day = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)
    while day.year <= LAST_YEAR:
        following = day + timedelta(days=1)
        if day.astimezone(zone).utcoffset() != following.astimezone(zone).utcoffset():
            hours = [day + timedelta(hours=n) for n in range(25)]
            offsets = [hour.astimezone(zone).utcoffset() for hour in hours]
            found += [hours[n] for n in range(24) if offsets[n] != offsets[n + 1]]
        day = following
    return tuple(found)


@st.composite
def instants(draw, zone):
    """UTC instants of 2024 to 2030, most of them within a day of a clock change if there is one."""
    seconds = draw(st.integers(0, 86_399) | st.integers(0, 1439).map(lambda n: n * 60))
    if changes(zone) and draw(st.integers(0, 3)):
        near = draw(st.sampled_from(changes(zone)))
        return near + timedelta(hours=draw(st.integers(-18, 2))) + timedelta(seconds=seconds % 7200)
    start = datetime(2024, 1, 2, tzinfo=UTC)
    return start + timedelta(days=draw(st.integers(0, 2550)), seconds=seconds)


def brute(drawn, zone, begin, end):
    """Every occurrence from ``begin`` to ``end``, both included, by looking at each UTC minute."""
    first = begin.replace(second=0, microsecond=0) - timedelta(hours=26)
    shown = _shown(zone, first, (end - first) // MINUTE + 26 * 60)
    found = _fixed(drawn, shown) if drawn.fixed else [at for at, wall in shown if drawn.at(wall)]
    return [at for at in found if begin <= at <= end]


@lru_cache(maxsize=4)
def _shown(zone, first, count):
    """So many minutes of UTC, each with what the clock on the wall shows then."""
    return [
        (at, at.astimezone(zone).replace(tzinfo=None, fold=0))
        for at in (first + n * MINUTE for n in range(count))
    ]


def _fixed(drawn, shown):
    """One instant for each wall minute: the first that shows it, or the first that is past it."""
    first_showing = {}
    for at, wall in shown:
        first_showing.setdefault(wall, at)
    found = set()
    wall, last = min(first_showing), max(first_showing)
    while wall <= last:
        if drawn.at(wall):
            if wall in first_showing:
                found.add(first_showing[wall])
            else:
                found.add(next(at for at, showing in shown if showing > wall))
        wall += MINUTE
    return sorted(found)


@dataclass
class Tally:
    """What a property was tried on, for the figures at the end of a run."""

    schedules: set[str] = field(default_factory=set)
    zones: set[str] = field(default_factory=set)
    changes: set[tuple[str, datetime]] = field(default_factory=set)
    occurrences: int = 0
    differences: Counter[str] = field(default_factory=Counter)

    def saw(self, expr, zone, begin, end, found):
        self.schedules.add(expr.text)
        self.zones.add(zone.key)
        near = (at for at in changes(zone) if begin <= at + timedelta(hours=1) and at <= end)
        self.changes.update((zone.key, at) for at in near)
        self.occurrences += len(found)

    def __str__(self):
        return (
            f"{len(self.schedules)} schedules, {len(self.zones)} zones, "
            f"{len(self.changes)} changes of clocks, {self.occurrences} occurrences"
        )


def zones():
    return st.sampled_from(ZONES).map(ZoneInfo)
