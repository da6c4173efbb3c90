"""Virtual time: the functions of `time` that read a clock; `dates.py` has those of `datetime`.

True time is `Kernel.now_us`. A machine sees it through its `MachineClock`: its wall clock may be
off (skew) and may be stepped, its monotonic clock never is. The functions here stand in for the
real ones while a run is on; whoever is not part of the run (another OS thread, code after the run)
gets real time from them. Local time is the run's zone, set in the C library (`zones.py`), so that
`localtime`, `timestamp()`, `astimezone()` and `fold` are the real ones.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from simulator.kernel import Kernel, here
from simulator.kernel.core import SPIN_LIMIT

__all__ = ["fake_time_functions", "monotonic_us", "wall_us"]


def wall_us(kernel: Kernel) -> int:
    """The wall clock of the running task's machine; true time in callbacks."""
    task = kernel.current
    if task is None:
        return kernel.now_us
    task.spins = spins = task.spins + 1
    if spins > SPIN_LIMIT:
        kernel.polls(task)
    return kernel.now_us + task.clock.wall_offset_us


def monotonic_us(kernel: Kernel) -> int:
    """The monotonic clock of the running task's machine."""
    task = kernel.current
    if task is None:
        return kernel.clock.monotonic_us(kernel.now_us)
    task.spins = spins = task.spins + 1
    if spins > SPIN_LIMIT:
        kernel.polls(task)
    return kernel.now_us - task.clock.monotonic_origin_us


_time, _monotonic = time.time, time.monotonic

# These two are in one piece, because every loop asks them at every turn.


def _fake_time() -> float:
    """`time.time`."""
    kernel = here()
    if kernel is None:
        return _time()
    task = kernel.current
    if task is None:
        return kernel.now_us / 1_000_000
    task.spins = spins = task.spins + 1
    if spins > SPIN_LIMIT:
        kernel.polls(task)
    return (kernel.now_us + task.clock.wall_offset_us) / 1_000_000


def _fake_monotonic() -> float:
    """`time.monotonic`."""
    kernel = here()
    if kernel is None:
        return _monotonic()
    task = kernel.current
    if task is None:
        return monotonic_us(kernel) / 1_000_000
    task.spins = spins = task.spins + 1
    if spins > SPIN_LIMIT:
        kernel.polls(task)
    return (kernel.now_us - task.clock.monotonic_origin_us) / 1_000_000


_fake_time.__name__ = _fake_time.__qualname__ = "time"
_fake_monotonic.__name__ = _fake_monotonic.__qualname__ = "monotonic"


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
        "time": _fake_time,
        "time_ns": reader("time_ns", lambda kernel: wall_us(kernel) * 1000),
    }
    for name in ("monotonic", "perf_counter", "process_time", "thread_time"):
        nanoseconds = f"{name}_ns"
        readers[name] = reader(name, lambda kernel: monotonic_us(kernel) / 1_000_000)
        readers[nanoseconds] = reader(nanoseconds, lambda kernel: monotonic_us(kernel) * 1000)
    return readers | {"monotonic": _fake_monotonic}


def _clock_id_us(kernel: Kernel, clock_id: int) -> int:
    wall = {time.CLOCK_REALTIME, getattr(time, "CLOCK_TAI", None)}
    wall.add(getattr(time, "CLOCK_REALTIME_COARSE", 5))
    return wall_us(kernel) if clock_id in wall else monotonic_us(kernel)


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
    return wall_us(kernel) / 1_000_000


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
