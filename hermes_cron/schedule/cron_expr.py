"""Cron expressions on a calendar: the next and the previous wall time that one names.

No zone and no clock here. A *wall* is a count of minutes since 1970-01-01T00:00 on a wall clock
that knows no zone; a *day* counts from the same date. Days are walked by code of our own, since
croniter 6 skips some (1 March for ``0 9 1,16,31 * *``) and 7 doubles others.

Days follow standard cron, crontab(5): when both day fields are restricted, that is neither begins
with ``*``, a day that matches either will do; otherwise it must match both.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from hermes_cron.schedule.cron_fields import CronFields, ScheduleError, read_fields

__all__ = ["CronExpr", "parse_cron"]

_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_DAY_MINUTES = 24 * 60
_FEBRUARY, _DECEMBER = 2, 12
_LENGTHS = (28, 29, 30, 31)
# The longest wait of an expression that comes at all: 29 February on one weekday, across 2100.
_LONGEST_WAIT_MONTHS = 41 * 12


@dataclass(frozen=True, slots=True, eq=False)  # one an expression: equal is the same
class CronExpr:
    """One expression, ready to be asked.

    ``text`` is the five fields as every croniter reads them rightly. ``fixed`` says that the minute
    and the hour field both name values (neither begins with ``*``); it decides what a clock change
    does to the schedule (CONTRACT.md, TIME-2).
    """

    text: str
    fixed: bool
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    months: frozenset[int]
    day_masks: tuple[int, ...]  # for each kind of month, see _kind(): bit n-1 stands for day n
    every_day: bool

    def first_wall(self, wall: int) -> int | None:
        """The first wall named that is not before ``wall``; None when none comes in 40 years."""
        day, minute_of_day = divmod(wall, _DAY_MINUTES)
        found = self._day_from(day)
        if found == day:
            time = self._time_from(*divmod(minute_of_day, 60))
            if time is not None:
                return day * _DAY_MINUTES + time
            found = self._day_from(day + 1)
        if found is None:
            return None
        return found * _DAY_MINUTES + self.hours[0] * 60 + self.minutes[0]

    def last_wall(self, wall: int) -> int | None:
        """The last wall named that is not after ``wall``; None when none was in 40 years."""
        day, minute_of_day = divmod(wall, _DAY_MINUTES)
        found = self._day_until(day)
        if found == day:
            time = self._time_until(*divmod(minute_of_day, 60))
            if time is not None:
                return day * _DAY_MINUTES + time
            found = self._day_until(day - 1)
        if found is None:
            return None
        return found * _DAY_MINUTES + self.hours[-1] * 60 + self.minutes[-1]

    def _time_from(self, hour: int, minute: int) -> int | None:
        nth = bisect_left(self.hours, hour)
        if nth < len(self.hours) and self.hours[nth] == hour:
            if minute <= self.minutes[-1]:
                return hour * 60 + self.minutes[bisect_left(self.minutes, minute)]
            nth += 1
        return self.hours[nth] * 60 + self.minutes[0] if nth < len(self.hours) else None

    def _time_until(self, hour: int, minute: int) -> int | None:
        nth = bisect_right(self.hours, hour) - 1
        if nth >= 0 and self.hours[nth] == hour:
            if minute >= self.minutes[0]:
                return hour * 60 + self.minutes[bisect_right(self.minutes, minute) - 1]
            nth -= 1
        return self.hours[nth] * 60 + self.minutes[-1] if nth >= 0 else None

    def _day_from(self, day: int) -> int | None:
        if self.every_day:
            return day
        start = date.fromordinal(day + _EPOCH_ORDINAL)
        year, month, nth = start.year, start.month, start.day
        first = day - nth + 1
        for _ in range(_LONGEST_WAIT_MONTHS):
            length = _month_length(year, month)
            if month in self.months:
                left = self.day_masks[_kind(first, length)] >> (nth - 1)
                if left:
                    lowest = (left & -left).bit_length()
                    return first + nth + lowest - 2
            first, nth = first + length, 1
            year, month = (year + 1, 1) if month == _DECEMBER else (year, month + 1)
        return None

    def _day_until(self, day: int) -> int | None:
        if self.every_day:
            return day
        start = date.fromordinal(day + _EPOCH_ORDINAL)
        year, month, nth = start.year, start.month, start.day
        first = day - nth + 1
        for _ in range(_LONGEST_WAIT_MONTHS):
            if month in self.months:
                mask = self.day_masks[_kind(first, _month_length(year, month))]
                left = mask & ((1 << nth) - 1)
                if left:
                    return first + left.bit_length() - 1
            year, month = (year - 1, _DECEMBER) if month == 1 else (year, month - 1)
            nth = _month_length(year, month)
            first -= nth
        return None


@lru_cache(maxsize=2048)
def parse_cron(text: str) -> CronExpr:
    """Read a five-field expression or an alias such as ``@daily``.

    Raises:
        ScheduleError: not such an expression, or one that never comes (``0 0 31 2 *``).
    """
    fields = read_fields(text)
    masks = tuple(_mask(fields, weekday, length) for weekday in range(7) for length in _LENGTHS)
    lengths = {_month_length(year, month) for year in (2023, 2024) for month in fields.months}
    if not any(masks[_kind(first, length)] for first in range(7) for length in lengths):
        raise ScheduleError(
            f"cron expression {text!r} never comes: no month that it names has such a day; "
            "name another day, or the last of the month, which is 'L', as in '0 0 L 2 *'"
        )
    whole = tuple((1 << length) - 1 for _ in range(7) for length in _LENGTHS)
    return CronExpr(
        text=fields.text,
        fixed=not (fields.starred[0] or fields.starred[1]),
        minutes=fields.minutes,
        hours=fields.hours,
        months=fields.months,
        day_masks=masks,
        every_day=len(fields.months) == _DECEMBER and masks == whole,
    )


def _mask(fields: CronFields, first_weekday: int, length: int) -> int:
    return sum(
        1 << (day - 1)
        for day in range(1, length + 1)
        if _matches(fields, day, (first_weekday + day - 1) % 7, length)
    )


def _matches(fields: CronFields, day: int, weekday: int, length: int) -> bool:
    by_date = day in fields.days or (fields.last_day and day == length)
    by_weekday = (
        weekday in fields.weekdays
        or (weekday, (day + 6) // 7) in fields.nth_weekdays
        or (day + 7 > length and (weekday, 0) in fields.nth_weekdays)
    )
    if fields.starred[2] or fields.starred[4]:
        return by_date and by_weekday
    return by_date or by_weekday


def _month_length(year: int, month: int) -> int:
    if month == _FEBRUARY:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def _kind(first_day: int, length: int) -> int:
    """Which of the 28 kinds of month: by the weekday of its first day (Sunday 0) and its length."""
    return (first_day + 4) % 7 * 4 + length - 28  # day 0, 1970-01-01, was a Thursday
