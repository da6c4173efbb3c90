"""A reader of five-field cron expressions for the oracle, apart from the host's.

Understood: `*`, values, ranges (which may wrap around), lists, steps (`5/15` runs to the end of the
field), names, Sunday as 0 and 7, `?` for `*` in a day field, `L` for the last day of the month,
`FRI#2` and `L5` in the day of week, and the aliases `@hourly` to `@yearly`. When both day fields
are restricted (neither begins with `*`) a day that either names will do; else both must name it.
"""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

__all__ = ["Cron", "CronError", "read_cron"]

_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAY_NAMES = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = {name: nth for nth, name in enumerate(_MONTH_NAMES, start=1)}
_DAYS = {name: nth for nth, name in enumerate(_DAY_NAMES)}
_BOUNDS: tuple[tuple[int, int, dict[str, int]], ...] = (
    (0, 59, {}),
    (0, 23, {}),
    (1, 31, {}),
    (1, 12, _MONTHS),
    (0, 6, _DAYS),
)
_ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_ITEM = re.compile(r"(\*|[0-9a-z]+)(?:-([0-9a-z]+))?(?:/([0-9]+))?")
_NTH = re.compile(r"([0-9a-z]+)#([1-5])|l([0-9a-z]+)")
_FIELDS = 5


class CronError(ValueError):
    """Not a five-field cron expression."""


@dataclass(frozen=True, slots=True)
class Cron:
    """What an expression names. Weekdays count from Sunday, 0."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    nth_weekdays: frozenset[tuple[int, int]]  # (weekday, nth); nth 0 is the last of the month
    last_day: bool
    either_day: bool
    fixed: bool

    def names_day(self, day: date) -> bool:
        """Whether the three day fields name this date."""
        if day.month not in self.months:
            return False
        length = monthrange(day.year, day.month)[1]
        by_date = day.day in self.days or (self.last_day and day.day == length)
        weekday = day.isoweekday() % 7
        by_weekday = (
            weekday in self.weekdays
            or (weekday, (day.day - 1) // 7 + 1) in self.nth_weekdays
            or ((weekday, 0) in self.nth_weekdays and day.day + 7 > length)
        )
        return by_date or by_weekday if self.either_day else by_date and by_weekday


@lru_cache(maxsize=4096)
def read_cron(text: str) -> Cron:
    """Read an expression.

    Raises:
        CronError: Not five fields, or a field that names nothing.
    """
    low = text.strip().lower()
    fields = _ALIASES.get(low, low).split()
    if len(fields) != _FIELDS:
        raise CronError(f"{text!r}: five fields are needed, not {len(fields)}")
    for place in (2, 4):
        fields[place] = "*" if fields[place] == "?" else fields[place]
    last_day, nth = False, set()
    values: list[frozenset[int]] = []
    for place, field in enumerate(fields):
        found: set[int] = set()
        for item in field.split(","):
            if place == 2 and item == "l":  # noqa: PLR2004  the day of month
                last_day = True
            elif place == 4 and (special := _NTH.fullmatch(item)):  # noqa: PLR2004  the weekday
                day = _value(special[1] or special[3], place, text)
                nth.add((day % 7, int(special[2] or 0)))
            else:
                found.update(_item(item, place, text))
        values.append(frozenset(found))
    minutes, hours, days, months, weekdays = values
    return Cron(
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=weekdays,
        nth_weekdays=frozenset(nth),
        last_day=last_day,
        either_day=not (fields[2].startswith("*") or fields[4].startswith("*")),
        fixed=not (fields[0].startswith("*") or fields[1].startswith("*")),
    )


def _value(word: str, place: int, text: str) -> int:
    low, high, names = _BOUNDS[place]
    value = names.get(word, -1) if not word.isdigit() else int(word)
    if not low <= value <= (7 if names is _DAYS else high):
        raise CronError(f"{text!r}: {word!r} is not in field {place + 1}")
    return value


def _item(item: str, place: int, text: str) -> set[int]:
    """The values of one item of a list."""
    found = _ITEM.fullmatch(item)
    if found is None:
        raise CronError(f"{text!r}: {item!r} is nothing for field {place + 1}")
    low, high, _ = _BOUNDS[place]
    size, step = high - low + 1, int(found[3] or 1)
    if step == 0:
        raise CronError(f"{text!r}: a step of 0")
    if found[1] == "*":
        if found[2]:
            raise CronError(f"{text!r}: {item!r} is nothing for field {place + 1}")
        start, end = low, high
    else:
        start = _value(found[1], place, text)
        end = _value(found[2], place, text) if found[2] else (high if found[3] else start)
    if end < start:
        end += size
    return {(value - low) % size + low for value in range(start, end + 1, step)}
