"""What the names `datetime` and `date` mean during a run: the genuine classes, but for "now".

freezegun's classes stand under them, and what those get wrong is put right: they drop `fold`, are
off by the zone in naive conversions, and give real time to callers whose module is called like one
of its ignore list.
"""

from __future__ import annotations

import copyreg
import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from freezegun.api import FakeDate, FakeDatetime

from simulator.kernel import Kernel, here
from simulator.kernel.clock import wall_us

__all__ = ["SimDate", "SimDatetime", "picklable_dates"]

REAL_DATETIME = dt.datetime
REAL_DATE = dt.date
_EPOCH = REAL_DATETIME(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


def _now(kernel: Kernel, zone: dt.tzinfo | None) -> dt.datetime:
    instant_us = wall_us(kernel)
    if zone is None:  # the only maker of naive local time that sets fold
        return REAL_DATETIME.fromtimestamp(instant_us / 1_000_000)
    return (_EPOCH + instant_us * _MICROSECOND).astimezone(zone)


class SimDatetime(FakeDatetime):
    """What the name `datetime` means during a run: only its sources of "now" differ.

    It makes genuine `datetime` objects, so that their arithmetic, `fold`, pickling and exact type
    are the real ones; `isinstance` and `issubclass` are freezegun's and take genuine ones for ours.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """A genuine `datetime`; an instance of the subclass for subclasses made during a run."""
        if cls is SimDatetime:
            return REAL_DATETIME(*args, **kwargs)
        return REAL_DATETIME.__new__(cls, *args, **kwargs)

    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> Any:
        """The machine's wall time in `tz`, or naive local time of the run's zone."""
        kernel = here()
        if kernel is None:
            return _of(cls).now(tz)
        if tz is not None and not isinstance(tz, dt.tzinfo):
            raise TypeError(f"tz must be None or a tzinfo, not {type(tz).__name__!r}")
        return _cast(cls, _now(kernel, tz))

    @classmethod
    def today(cls) -> Any:
        """Naive local time."""
        kernel = here()
        return _of(cls).today() if kernel is None else _cast(cls, _now(kernel, None))

    @classmethod
    def utcnow(cls) -> Any:
        """Naive UTC."""
        kernel = here()
        if kernel is None:
            return _of(cls).utcnow()
        return _cast(cls, _now(kernel, dt.UTC).replace(tzinfo=None))

    @classmethod
    def fromtimestamp(cls, timestamp: float, tz: dt.tzinfo | None = None) -> Any:
        """The real one: freezegun's drops `fold` and is off by the zone."""
        return _of(cls).fromtimestamp(timestamp, tz)

    @classmethod
    def utcfromtimestamp(cls, timestamp: float) -> Any:
        """Naive UTC of an instant."""
        return cls.fromtimestamp(timestamp, dt.UTC).replace(tzinfo=None)

    @classmethod
    def fromisoformat(cls, date_string: str) -> Any:
        """The real one."""
        return _of(cls).fromisoformat(date_string)

    @classmethod
    def strptime(cls, date_string: str, format: str) -> Any:  # noqa: A002 - datetime's own name
        """The real one."""
        return _of(cls).strptime(date_string, format)

    @classmethod
    def combine(cls, *args: Any, **kwargs: Any) -> Any:
        """The real one."""
        return _of(cls).combine(*args, **kwargs)

    # What freezegun puts between is wrong (fold, zone) and slow; the real ones again.
    __add__ = REAL_DATETIME.__add__
    __radd__ = REAL_DATETIME.__radd__
    __sub__ = REAL_DATETIME.__sub__
    astimezone = REAL_DATETIME.astimezone
    timestamp = REAL_DATETIME.timestamp
    date = REAL_DATETIME.date  # type: ignore[assignment]
    min = REAL_DATETIME.min
    max = REAL_DATETIME.max


class SimDate(FakeDate):
    """What the name `date` means during a run; see `SimDatetime`."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """A genuine `date`; an instance of the subclass for subclasses made during a run."""
        if cls is SimDate:
            return REAL_DATE(*args, **kwargs)
        return REAL_DATE.__new__(cls, *args, **kwargs)

    @classmethod
    def today(cls) -> Any:
        """The local date on the machine's wall clock."""
        kernel = here()
        today = REAL_DATE.today() if kernel is None else _now(kernel, None).date()
        return today if cls is SimDate else cls(today.year, today.month, today.day)

    @classmethod
    def fromtimestamp(cls, timestamp: float) -> Any:
        """The real one."""
        return _of(cls).fromtimestamp(timestamp)

    @classmethod
    def fromisoformat(cls, date_string: str) -> Any:
        """The real one."""
        return _of(cls).fromisoformat(date_string)

    @classmethod
    def fromordinal(cls, n: int) -> Any:
        """The real one."""
        return _of(cls).fromordinal(n)

    __add__ = REAL_DATE.__add__
    __radd__ = REAL_DATE.__radd__
    __sub__ = REAL_DATE.__sub__
    min = REAL_DATE.min
    max = REAL_DATE.max


for _ours, _genuine in ((SimDatetime, REAL_DATETIME), (SimDate, REAL_DATE)):
    # What is pickled in a run names the class by its own name, and so is genuine when read later.
    _ours.__module__, _ours.__name__ = _genuine.__module__, _genuine.__name__
    _ours.__qualname__ = _genuine.__qualname__


def _reduce(ours: Any, value: dt.date) -> tuple[Any, Any]:
    return ours, value.__reduce__()[1]


@contextmanager
def picklable_dates() -> Iterator[None]:
    """Genuine dates can be pickled and copied although their classes go by ours for now."""
    table = copyreg.dispatch_table
    before = {cls: table.get(cls) for cls in (REAL_DATETIME, REAL_DATE)}
    for genuine, ours in ((REAL_DATETIME, SimDatetime), (REAL_DATE, SimDate)):
        copyreg.pickle(genuine, partial(_reduce, ours))
    try:
        yield
    finally:
        for cls, reducer in before.items():
            if reducer is None:
                del table[cls]
            else:
                table[cls] = reducer


class _Bound:
    """Class methods of a genuine class, called for a subclass of it."""

    def __init__(self, cls: type, base: type) -> None:
        self._cls, self._base = cls, base

    def __getattr__(self, name: str) -> Any:
        return self._base.__dict__[name].__get__(None, self._cls)


def _of(cls: type) -> Any:
    """The genuine class behind ours, or its class methods bound to a subclass of ours."""
    if cls is SimDatetime:
        return REAL_DATETIME
    if cls is SimDate:
        return REAL_DATE
    return _Bound(cls, REAL_DATETIME if issubclass(cls, REAL_DATETIME) else REAL_DATE)


def _cast(cls: Any, value: dt.datetime) -> Any:
    if cls is SimDatetime:
        return value
    day, time = (value.year, value.month, value.day), value.timetz()
    return cls(
        *day, time.hour, time.minute, time.second, time.microsecond, time.tzinfo, fold=value.fold
    )
