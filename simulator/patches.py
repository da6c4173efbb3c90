"""`install(kernel)`: for the time of a run, code that knows nothing of it is the kernel's.

Replaced are leaves, not names: the C functions and C locks on which the standard library stands,
wherever somebody holds them (`captured.py`), some methods of `Event`, `Thread` and
`ThreadPoolExecutor`, and the classes `datetime` and `date`. Each stand-in asks at each call whether
the caller is part of the run; other OS threads go on in the real world. Everything is put back at
the end.
"""

from __future__ import annotations

import _queue
import _thread
import _threading_local
import gc
import importlib
import logging
import os
import queue
import threading
import time
import types
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from typing import Any

from simulator.captured import Slot, Slots
from simulator.clock import (
    REAL_DATE,
    REAL_DATETIME,
    SimDate,
    SimDatetime,
    fake_time_functions,
    picklable_dates,
)
from simulator.guard import guarded
from simulator.kernel import Kernel, here, set_installed
from simulator.locks import Lock, RLock
from simulator.pools import POOL_METHODS
from simulator.primitives import METHODS, fake_sleep, remember_excepthook
from simulator.process import PROCESS_FUNCTIONS
from simulator.randomness import fake_urandom, seeded
from simulator.refusals import refused_calls
from simulator.threads import ActiveThreads, fake_get_ident, fake_newname, fake_start_new_thread
from simulator.zones import local_zone

__all__ = ["install"]

_LOCK_TYPE = type(_thread.allocate_lock())
_METHOD_TYPE = types.BuiltinMethodType
_FEW = 16  # larger tuples hold data


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
        stack.enter_context(_captured(adopt))
        stack.enter_context(_quiet_locks())
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
    refused = [(cls, name, fake) for cls, name, _, fake in _refused() if isinstance(cls, type)]
    for cls, name, fake in [*METHODS, *POOL_METHODS, *refused]:
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
    names = ("_active", "_limbo", "excepthook")
    before = {name: getattr(threading, name) for name in names}
    threading._active = ActiveThreads(before["_active"])  # type: ignore[attr-defined]  # noqa: SLF001
    threading._limbo = {}  # type: ignore[attr-defined]  # noqa: SLF001
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


# -- what others hold


@cache
def _refused() -> list[tuple[Any, str, Callable[..., Any], Callable[..., Any]]]:
    return refused_calls()


@cache
def _stand_ins() -> dict[int, tuple[Any, Any]]:
    """(genuine, stand-in) by the genuine one's id, for functions and classes."""
    pairs: list[tuple[Any, Any]] = [
        (time.sleep, fake_sleep),
        (_thread.allocate_lock, Lock),
        (_LOCK_TYPE, Lock),
        (_thread.RLock, RLock),
        (_thread.get_ident, fake_get_ident),
        (_thread.start_new_thread, fake_start_new_thread),
        (_thread._local, _threading_local.local),  # noqa: SLF001
        (_queue.SimpleQueue, queue._PySimpleQueue),  # type: ignore[attr-defined]  # noqa: SLF001
        (threading._newname, fake_newname),  # type: ignore[attr-defined]  # noqa: SLF001
        (REAL_DATETIME, SimDatetime),
        (REAL_DATE, SimDate),
        (os.urandom, fake_urandom),
        *((getattr(time, name), fake) for name, fake in fake_time_functions().items()),
        *PROCESS_FUNCTIONS,
        *((genuine, fake) for cls, _, genuine, fake in _refused() if not isinstance(cls, type)),
    ]
    return {id(genuine): (genuine, fake) for genuine, fake in pairs}


@cache
def _genuine() -> dict[int, tuple[Any, Any]]:
    """(stand-in, genuine) by the stand-in's id; the first one wins."""
    back: dict[int, tuple[Any, Any]] = {}
    for genuine, fake in _stand_ins().values():
        back.setdefault(id(fake), (fake, genuine))
    return back


_INSTANCES: dict[type, Callable[[], Any]] = {
    _LOCK_TYPE: Lock,
    _thread.RLock: RLock,
    _thread._local: _threading_local.local,  # noqa: SLF001
    _queue.SimpleQueue: queue._PySimpleQueue,  # type: ignore[attr-defined]  # noqa: SLF001
}
_DATE_CLASSES: dict[Any, Any] = {REAL_DATETIME: SimDatetime, REAL_DATE: SimDate}


def _is_name_leaf(value: Any) -> bool:
    """A function or class that a run replaces, alone or in a tuple or a partial."""
    if id(value) in _stand_ins():
        return True
    kind = type(value)
    if kind is _METHOD_TYPE:
        return isinstance(value.__self__, type) and value.__self__ in _DATE_CLASSES
    if kind is tuple:
        return len(value) < _FEW and any(map(_is_name_leaf, value))
    if kind is staticmethod:
        return _is_name_leaf(value.__func__)
    if kind is partial:
        return any(map(_is_name_leaf, (value.func, *value.args, *value.keywords.values())))
    return False


def _is_instance_leaf(value: Any) -> bool:
    """A lock and its like, or a bound method of one."""
    kind = type(value)
    if kind is _METHOD_TYPE:
        kind = type(value.__self__)
    return kind in _INSTANCES


@cache
def _slots() -> Slots:
    return Slots(_is_name_leaf, _is_instance_leaf)


@contextmanager
def _captured(adopt: Iterable[Any]) -> Iterator[None]:
    slots = _slots()
    slots.refresh()
    before = dict(slots.known)
    wanted = [*slots.found, *slots.search(adopt)] if adopt else slots.found
    twins: dict[int, Any] = {}
    put: list[tuple[Slot, Any]] = []
    for slot in wanted:
        if slot.get() is slot.original:
            fake = _replacement(slot.original, twins)
            slot.put(fake)
            put.append((slot, fake))
    try:
        yield
    finally:
        for slot, fake in put:
            if slot.get() is fake:
                slot.put(slot.original)
        _clean_new_modules(before)


def _replacement(original: Any, twins: dict[int, Any]) -> Any:
    """What a run puts there; locks get one twin for all who hold the same."""
    known = _stand_ins().get(id(original))
    if known is not None:
        return known[1]
    kind = type(original)
    if kind is tuple:
        return tuple(_replacement(part, twins) for part in original)
    if kind is staticmethod:
        return staticmethod(_replacement(original.__func__, twins))
    if kind is partial:
        arguments = (_replacement(part, twins) for part in original.args)
        keywords = {key: _replacement(part, twins) for key, part in original.keywords.items()}
        return partial(_replacement(original.func, twins), *arguments, **keywords)
    if kind is _METHOD_TYPE:
        owner = original.__self__
        by = _DATE_CLASSES.get(owner) if isinstance(owner, type) else _replacement(owner, twins)
        return original if by is None else getattr(by, original.__name__)
    if kind in _INSTANCES and id(original) not in twins:
        twins[id(original)] = _INSTANCES[kind]()
    return twins.get(id(original), original)


def _clean_new_modules(before: dict[str, types.ModuleType]) -> None:
    """Modules that were imported during the run hold stand-ins: give them the real things."""
    genuine = _genuine()
    search = Slots(lambda value: id(value) in genuine, lambda _value: False)
    search.known |= before
    search.refresh()
    for slot in search.found:
        slot.put(genuine[id(slot.original)][1])
