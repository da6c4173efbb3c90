"""`install(kernel)`: for the time of a run, code that knows nothing of it is the kernel's.

Replaced are leaves, not names: the C functions and C locks on which the standard library stands,
wherever somebody holds them (`standins.py`), some methods of `Event`, `Thread` and
`ThreadPoolExecutor`, and the classes `datetime` and `date`. Each stand-in asks at each call whether
the caller is part of the run; other OS threads go on in the real world. Everything is put back at
the end.
"""

from __future__ import annotations

import _thread
import gc
import importlib
import logging
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from simulator.kernel import Kernel, here, set_installed
from simulator.kernel.aio import LOOP_METHODS, event_loops
from simulator.kernel.dates import picklable_dates
from simulator.kernel.file_times import virtual_file_times
from simulator.kernel.guard import guarded
from simulator.kernel.heirs import heirs_of_dates
from simulator.kernel.locks import Lock, RLock
from simulator.kernel.pools import POOL_METHODS
from simulator.kernel.primitives import METHODS, remember_excepthook
from simulator.kernel.randomness import seeded
from simulator.kernel.refusals import refused_calls
from simulator.kernel.standins import swapped
from simulator.kernel.threads import ActiveThreads
from simulator.kernel.zones import local_zone

__all__ = ["install"]


@contextmanager
def install(
    kernel: Kernel,
    *,
    adopt: Iterable[Any] = (),
    zone: str = "UTC",
    hang_s: float = 20.0,
) -> Iterator[Kernel]:
    """Put the kernel under everything in this process, and take it away again.

    Args:
        kernel: The run. One at a time; the OS thread that installs is the one that runs it.
        adopt: Objects that were made before the run and belong to it (a provider): the locks,
            functions and classes that they hold, however deep, are replaced too.
        zone: The system's local zone, an IANA name.
        hang_s: After so many real seconds without an event the run fails and names the line; 0:
            never. Only in the main thread.

    Raises:
        RuntimeError: A run is on already.
    """
    with ExitStack() as stack:
        _claim(kernel, stack)
        stack.enter_context(_collected_at_events())
        stack.enter_context(local_zone(zone))
        stack.enter_context(seeded(kernel))
        stack.enter_context(_methods())
        stack.enter_context(_threads())
        stack.enter_context(picklable_dates())
        stack.enter_context(heirs_of_dates())
        stack.enter_context(virtual_file_times())
        stack.enter_context(swapped(adopt))
        stack.enter_context(_quiet_locks())
        stack.enter_context(event_loops())
        stack.enter_context(guarded(kernel, hang_s))
        stack.callback(kernel.close)
        yield kernel


def _claim(kernel: Kernel, stack: ExitStack) -> None:
    if here() is not None:
        raise RuntimeError("a run is on already, and runs can't be nested")
    kernel.thread_ident = _thread.get_ident()
    set_installed(kernel)
    stack.callback(set_installed, None)


@contextmanager
def _collected_at_events() -> Iterator[None]:
    """No garbage collection but the kernel's own; what was there before is left out of it."""
    enabled = gc.isenabled()
    frozen = gc.get_freeze_count()
    gc.disable()
    if not frozen:
        gc.freeze()
    try:
        yield
    finally:
        if not frozen:
            gc.unfreeze()
        if enabled:
            gc.enable()


@contextmanager
def _methods() -> Iterator[None]:
    changed = []
    refused = [(cls, name, fake) for cls, name, _, fake in refused_calls() if isinstance(cls, type)]
    for cls, name, fake in [*METHODS, *POOL_METHODS, *LOOP_METHODS, *refused]:
        changed.append((cls, name, cls.__dict__.get(name)))
        setattr(cls, name, fake)
    try:
        yield
    finally:
        for cls, name, before in reversed(changed):
            if before is None:
                delattr(cls, name)
            else:
                setattr(cls, name, before)


@contextmanager
def _threads() -> Iterator[None]:
    """The table of threads is the run's own."""
    names = ("_active", "excepthook")
    before = {name: getattr(threading, name) for name in names}
    threading._active = ActiveThreads(before["_active"])  # type: ignore[attr-defined]  # noqa: SLF001
    remember_excepthook()
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(threading, name, value)


class _ImportThreads:
    """`_thread` as the import machinery sees it: its locks are quiet."""

    @staticmethod
    def allocate_lock() -> Lock:
        return Lock(quiet=True)

    @staticmethod
    def RLock() -> RLock:  # noqa: N802 - the name that it has there
        return RLock(quiet=True)

    def __getattr__(self, name: str) -> Any:
        return getattr(_thread, name)


@contextmanager
def _quiet_locks() -> Iterator[None]:
    """Logging and imports get locks that tasks can share and that no tape can choose at.

    A contended real one would hang the process. And both take more of them the first time in a
    process, when caches are cold and modules still to be loaded: a decision there would shift the
    choices of a tape between the first run and the second.
    """
    bootstrap: Any = importlib._bootstrap  # noqa: SLF001
    references = list(logging._handlerList)  # type: ignore[attr-defined]  # noqa: SLF001
    handlers = [handler for ref in references if (handler := ref()) is not None]
    places: list[tuple[Any, str, Any]] = [
        (handler, "lock", RLock(quiet=True)) for handler in handlers if handler.lock is not None
    ]
    places += [(logging, "_lock", RLock(quiet=True)), (bootstrap, "_thread", _ImportThreads())]
    before = [(holder, name, getattr(holder, name)) for holder, name, _ in places]
    for holder, name, quiet in places:
        setattr(holder, name, quiet)
    try:
        yield
    finally:
        for holder, name, original in before:
            setattr(holder, name, original)
