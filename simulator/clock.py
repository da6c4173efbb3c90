"""Virtual time: the functions of `time` and the classes of `datetime` that read a clock.

True time is `Kernel.now_us`. A machine sees it through its `MachineClock`: its wall clock may be
off (skew) and may be stepped, its monotonic clock never is. The functions here stand in for the
real ones while a run is on; whoever is not part of the run (another OS thread, code after the run)
gets real time from them. Local time is the run's zone, set in the C library (`zones.py`), so that
`localtime`, `timestamp()`, `astimezone()` and `fold` are the real ones.
"""

from __future__ import annotations

import copyreg
import datetime as dt
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from freezegun.api import FakeDate, FakeDatetime

from simulator.kernel import Kernel, here

__all__ = ["SimDate", "SimDatetime", "fake_time_functions", "picklable_dates"]

REAL_DATETIME = dt.datetime
REAL_DATE = dt.date
_EPOCH = REAL_DATETIME(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


def _wall_us(kernel: Kernel) -> int:
    task = kernel.current
    if task is None:
        return kernel.now_us
    kernel.count_spin(task)
    return kernel.now_us + task.clock.wall_offset_us


def _monotonic_us(kernel: Kernel) -> int:
    task = kernel.current
    if task is None:
        return kernel.clock.monotonic_us(kernel.now_us)
    kernel.count_spin(task)
    return kernel.now_us - task.clock.monotonic_origin_us


def _now(kernel: Kernel, zone: dt.tzinfo | None) -> dt.datetime:
    wall_us = _wall_us(kernel)
    if zone is None:  # the only maker of naive local time that sets fold
        return REAL_DATETIME.fromtimestamp(wall_us / 1_000_000)
    return (_EPOCH + wall_us * _MICROSECOND).astimezone(zone)


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
        return cls.now()

    @classmethod
    def utcnow(cls) -> Any:
        """Naive UTC."""
        return cls.now(dt.UTC).replace(tzinfo=None)

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


def _cast(cls: type, value: dt.datetime) -> Any:
    if cls is SimDatetime:
        return value
    return cls.combine(value.date(), value.timetz()).replace(fold=value.fold)  # type: ignore[attr-defined]


def _readers() -> dict[str, Callable[..., Any]]:
    """The functions of `time` that only read a clock, each falling back to the real one."""

    def reader(name: str, read: Callable[[Kernel], Any]) -> Callable[[], Any]:
        genuine: Callable[[], Any] = getattr(time, name)

        def fake() -> Any:
            kernel = here()
            return genuine() if kernel is None else read(kernel)

        fake.__name__ = fake.__qualname__ = name
        return fake

    readers = {
        "time": reader("time", lambda kernel: _wall_us(kernel) / 1_000_000),
        "time_ns": reader("time_ns", lambda kernel: _wall_us(kernel) * 1000),
    }
    for name in ("monotonic", "perf_counter", "process_time", "thread_time"):
        nanoseconds = f"{name}_ns"
        readers[name] = reader(name, lambda kernel: _monotonic_us(kernel) / 1_000_000)
        readers[nanoseconds] = reader(nanoseconds, lambda kernel: _monotonic_us(kernel) * 1000)
    return readers


def _clock_id_us(kernel: Kernel, clock_id: int) -> int:
    wall = {time.CLOCK_REALTIME, getattr(time, "CLOCK_TAI", None)}
    wall.add(getattr(time, "CLOCK_REALTIME_COARSE", 5))
    return _wall_us(kernel) if clock_id in wall else _monotonic_us(kernel)


_localtime, _gmtime, _ctime = time.localtime, time.gmtime, time.ctime
_strftime, _asctime = time.strftime, time.asctime


def fake_localtime(seconds: float | None = None) -> time.struct_time:
    """`time.localtime` in the run's zone."""
    return _localtime(_seconds(seconds))


def fake_gmtime(seconds: float | None = None) -> time.struct_time:
    """`time.gmtime`."""
    return _gmtime(_seconds(seconds))


def fake_ctime(seconds: float | None = None) -> str:
    """`time.ctime`."""
    return _ctime(_seconds(seconds))


def fake_strftime(format: str, t: Any = None) -> str:  # noqa: A002 - time's own name
    """`time.strftime`."""
    return _strftime(format, fake_localtime() if t is None else t)


def fake_asctime(t: Any = None) -> str:
    """`time.asctime`."""
    return _asctime(fake_localtime() if t is None else t)


def _seconds(given: float | None) -> float | None:
    kernel = here()
    if given is not None or kernel is None:
        return given
    return _wall_us(kernel) / 1_000_000


def fake_time_functions() -> dict[str, Callable[..., Any]]:
    """What stands in for the functions of `time` by name, `sleep` apart."""
    fakes = _readers()
    if hasattr(time, "clock_gettime"):
        gettime, gettime_ns = time.clock_gettime, time.clock_gettime_ns

        def fake_gettime(clk_id: int) -> float:
            kernel = here()
            return gettime(clk_id) if kernel is None else _clock_id_us(kernel, clk_id) / 1_000_000

        def fake_gettime_ns(clk_id: int) -> int:
            kernel = here()
            return gettime_ns(clk_id) if kernel is None else _clock_id_us(kernel, clk_id) * 1000

        fakes |= {"clock_gettime": fake_gettime, "clock_gettime_ns": fake_gettime_ns}
    return fakes | {
        "localtime": fake_localtime,
        "gmtime": fake_gmtime,
        "ctime": fake_ctime,
        "strftime": fake_strftime,
        "asctime": fake_asctime,
    }
