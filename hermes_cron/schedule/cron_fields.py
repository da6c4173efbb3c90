"""The grammar of five-field cron expressions: text in, the values that each field names out.

croniter splits and expands the fields; what its versions read differently or wrongly is refused or
rewritten before it sees them.

Understood in each field: ``*``, values, ranges (``22-2`` wraps around), lists, steps (``*/15``,
``1-9/2``; ``5/15`` runs from 5 to the end of the field), names (``JAN``, ``MON``, in any case),
Sunday as 0 and as 7. ``?`` in a day field is ``*``. In the day of month ``L`` is the last day; in
the day of week ``FRI#2`` is the second Friday and ``L5`` the last one. Refused, each with what
would be right: seconds and years (six fields and more), ``R`` and ``H`` (a schedule must be the
same each time it is read), ``W``, ``L-3``, ``5L`` (Friday for some programs, Thursday for others)
and ``@reboot``.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from croniter import croniter

__all__ = ["CronFields", "read_fields", "refuse_overlong_steps"]


class ScheduleError(ValueError):
    """A schedule that cannot be kept; the message says what would be right."""


@dataclass(frozen=True)
class CronFields:
    """What the five fields name.

    ``text`` is the expression as every croniter reads it rightly. ``starred`` tells for each field
    whether it begins with ``*``. ``nth_weekdays`` holds (weekday, n) pairs, Sunday 0, n 0 for the
    last.
    """

    text: str
    starred: tuple[bool, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    last_day: bool
    nth_weekdays: frozenset[tuple[int, int]]


@dataclass(frozen=True)
class _Field:
    """Name, bounds and words of one field."""

    name: str
    low: int
    high: int
    end: int  # of one cycle: Saturday, though 7 may be written for Sunday
    words: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """How many values one cycle has."""
        return self.end - self.low + 1


_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_FIELDS = (
    _Field("minute", 0, 59, 59),
    _Field("hour", 0, 23, 23),
    _Field("day of month", 1, 31, 31),
    _Field("month", 1, 12, 12, _MONTHS),
    _Field("day of week", 0, 7, 6, _WEEKDAYS),
)
_DAY, _WEEKDAY = _FIELDS[2], _FIELDS[4]
_ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_LONGEST_TEXT = 1000  # every value of every field, listed, takes less than half of it

_VALUE = r"[0-9]{1,4}|[A-Za-z]{3}"
_STAR = re.compile(r"\*(?:/(?P<step>[0-9]{1,4}))?")
_RANGE = re.compile(rf"(?P<low>{_VALUE})(?:-(?P<high>{_VALUE}))?(?:/(?P<step>[0-9]{{1,4}}))?")
_NTH = re.compile(rf"(?P<day>{_VALUE})#(?P<nth>[1-5])")
_LAST = re.compile(rf"[Ll](?P<day>{_VALUE})")
_HINTS = {
    "R": "random times are not supported, write the time",
    "H": "hashed times are not supported, write the time",
    "W": "the nearest weekday is not supported, write days or weekdays",
    "#": "write FRI#2 for the second Friday, 1 to 5",
    "L": "write L alone for the last day of the month, L5 in the day of week for the last Friday",
    "?": "'?' stands alone and in a day field only, write '*'",
}


def read_fields(text: str) -> CronFields:
    """Read a five-field expression or an alias such as ``@daily``.

    Raises:
        ScheduleError: not such an expression.
    """
    written = _split(text)
    try:
        items = [_rewrite(field, part) for field, part in zip(_FIELDS, written, strict=True)]
    except ScheduleError as error:
        raise ScheduleError(f"cron expression {text!r}: {error}") from None
    plain = " ".join(items)
    try:
        expanded, nth = croniter.expand(plain)
    except (ValueError, KeyError, TypeError) as error:
        raise ScheduleError(f"cron expression {text!r} cannot be read: {error}") from error
    values = [_numbers(field, found) for field, found in zip(_FIELDS, expanded, strict=True)]
    return CronFields(
        text=plain,
        starred=tuple(part.startswith("*") for part in items),
        minutes=values[0],
        hours=values[1],
        days=frozenset(values[2]),
        months=frozenset(values[3]),
        weekdays=frozenset() if nth else frozenset(values[4]),
        last_day="l" in expanded[2],
        nth_weekdays=_nth_weekdays(nth),
    )


def refuse_overlong_steps(text: str) -> None:
    """Refuse ``*/90`` in the minutes: it means hourly, and nobody who writes it wants that.

    For new schedules only; a stored one keeps the meaning that cron gives it.

    Raises:
        ScheduleError: a step is longer than its field.
    """
    for field, part in zip(_FIELDS, _split(text), strict=True):
        for item in part.split(","):
            star = _STAR.fullmatch(item)
            if star and star["step"] and int(star["step"]) > field.size:
                unit = {"minute": "m", "hour": "h", "day of month": "d"}.get(field.name)
                every = f" or 'every {int(star['step'])}{unit}' for an interval" if unit else ""
                raise ScheduleError(
                    f"cron expression {text!r}: {item!r} in the {field.name} steps over the whole "
                    f"field and names {field.low} only; write '{field.low}'{every}"
                )


def _split(text: str) -> list[str]:
    if not isinstance(text, str):
        raise ScheduleError(f"a cron expression is text such as '0 9 * * *', not {text!r:.80}")
    if len(text) > _LONGEST_TEXT or not text.isascii():
        raise ScheduleError(
            f"cron expression {text[:60]!r} is not one: five fields of plain letters, digits and "
            f"'*,-/', {_LONGEST_TEXT} characters at most"
        )
    alias = text.strip().lower()
    if alias.startswith("@") and alias not in _ALIASES:
        raise ScheduleError(
            f"{text.strip()!r} is no alias for times; there are {', '.join(_ALIASES)}"
        )
    fields = _ALIASES.get(alias, text).split()
    if len(fields) != len(_FIELDS):
        more = "; seconds and years are not supported" if len(fields) > len(_FIELDS) else ""
        raise ScheduleError(
            f"cron expression {text!r} has {len(fields)} fields and should have five: minute, "
            f"hour, day of month, month, day of week, as in '0 9 * * MON-FRI'{more}"
        )
    return fields


def _rewrite(field: _Field, part: str) -> str:
    """One field in the words that every croniter reads alike."""
    if part == "?" and field in (_DAY, _WEEKDAY):
        return "*"
    items = part.split(",")
    nth = [field is _WEEKDAY and bool(_NTH.fullmatch(i) or _LAST.fullmatch(i)) for i in items]
    if any(nth) and not all(nth):
        raise ScheduleError(
            f"the day of week {part!r} mixes plain days with '#' or 'L' days; make two jobs of it"
        )
    return ",".join(_rewrite_item(field, item) for item in items)


def _rewrite_item(field: _Field, item: str) -> str:
    if field is _DAY and item in ("L", "l"):
        return item
    if field is _WEEKDAY and (nth := _NTH.fullmatch(item) or _LAST.fullmatch(item)):
        day = _number(field, nth["day"]) % 7
        return f"{day}#{nth['nth']}" if "#" in item else f"L{day}"
    star = _STAR.fullmatch(item)
    found = star or _RANGE.fullmatch(item)
    if found is None:
        hint = next((text for sign, text in _HINTS.items() if sign in item.upper()), "")
        raise ScheduleError(
            f"{item!r} is nothing for the {field.name}: "
            + (
                hint
                or f"write '*', a value of {_bounds(field)}, a range 'a-b', a step '*/n' or a list"
            )
        )
    step = 1 if found["step"] is None else int(found["step"])
    if step == 0:
        raise ScheduleError(f"step 0 in {item!r} of the {field.name}; the smallest step is 1")
    if star:
        return item
    low = _number(field, found["low"])
    high = _number(field, found["high"]) if found["high"] else field.high if found["step"] else low
    if low == high:
        return str(low) if found["high"] or found["step"] else item
    if low < high and found["high"]:
        return item
    return ",".join(str(value) for value in _walk(field, low, high, step))


def _walk(field: _Field, low: int, high: int, step: int) -> list[int]:
    """The values from low to high by step, past the end of the field when high is the smaller."""
    last = high if low <= high else high + field.size
    return [field.low + (value - field.low) % field.size for value in range(low, last + 1, step)]


def _number(field: _Field, word: str) -> int:
    if word.upper() in field.words:
        return field.words.index(word.upper()) + field.low
    if not word.isdigit() or not field.low <= int(word) <= field.high:
        raise ScheduleError(f"{word!r} is no {field.name}; it is {_bounds(field)}")
    return int(word)


def _bounds(field: _Field) -> str:
    words = f" or {field.words[0]}-{field.words[-1]}" if field.words else ""
    return f"{field.low}-{field.high}{words}"


def _numbers(field: _Field, expanded: Sequence[int | str]) -> tuple[int, ...]:
    if "*" in expanded:
        return tuple(range(field.low, field.end + 1))
    return tuple(sorted(value for value in expanded if isinstance(value, int)))


def _nth_weekdays(found: Mapping[Any, Any]) -> frozenset[tuple[int, int]]:
    """From croniter's weekday -> {1..5 or 'l'}."""
    return frozenset(
        (int(day), 0 if n == "l" else int(n)) for day, some in found.items() for n in some
    )
