"""`install(kernel)`: for the time of a run, code that knows nothing of the simulator is the kernel's.

Replaced are leaves, not names: the C functions and C locks on which the standard library stands, wherever
somebody holds them (`captured.py`), some methods of `Event`, `Thread` and `ThreadPoolExecutor`, and the
classes `datetime` and `date`. Each stand-in asks at each call whether the caller is part of the run;
other OS threads go on in the real world. Everything is put back at the end.
"""

from __future__ import annotations

import _queue
import _thread
import _threading_local
import concurrent.futures.thread
import gc
import logging
import os
import queue
import threading
import time
import types
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any

from simulator.captured import Slot, Slots
from simulator.clock import REAL_DATE, REAL_DATETIME, SimDate, SimDatetime, fake_time_functions
from simulator.guard import guarded
from simulator.kernel import Kernel, here, set_installed
from simulator.pools import POOL_METHODS
from simulator.primitives import METHODS, Lock, RLock, fake_sleep
from simulator.process import PROCESS_FUNCTIONS
from simulator.randomness import fake_urandom, seeded
from simulator.refusals import refused_calls
from simulator.threads import ActiveThreads, fake_get_ident, fake_newname, fake_start_new_thread
from simulator.zones import local_zone

__all__ = ["install"]

_LOCK_TYPE = type(_thread.allocate_lock())
_METHOD_TYPE = types.BuiltinMethodType


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
        adopt: Objects that were made before the run and belong to it (a provider): the locks, functions
            and classes that they hold, however deep, are replaced too.
        zone: The system's local zone, an IANA name.
        hang_s: After so many real seconds without an event the run fails and names the line; 0: never.
            Only in the main thread.

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
        stack.enter_context(_captured(adopt))
        stack.enter_context(_handler_locks())
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
    """No garbage collection but the kernel's own; what was there before the run is left out of it."""
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
    names = ("_active", "_limbo")
    before = {name: getattr(threading, name) for name in names}
    threading._active = ActiveThreads(before["_active"])  # type: ignore[attr-defined]  # noqa: SLF001
    threading._limbo = {}  # type: ignore[attr-defined]  # noqa: SLF001
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(threading, name, value)


@contextmanager
def _handler_locks() -> Iterator[None]:
    """Log handlers get locks that tasks can share; a contended real one would hang the process."""
    handlers = [handler for ref in list(logging._handlerList) if (handler := ref()) is not None]  # type: ignore[attr-defined]  # noqa: SLF001
    before = [(handler, handler.lock) for handler in handlers]
    for handler in handlers:
        if handler.lock is not None:
            handler.lock = RLock()  # type: ignore[assignment]
    try:
        yield
    finally:
        for handler, lock in before:
            handler.lock = lock


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


def _is_instance_leaf(value: Any) -> bool:
    kind = type(value)
    if kind is _METHOD_TYPE:
        kind = type(value.__self__)
    return kind is _LOCK_TYPE or kind is _thread.RLock or kind in _INSTANCES


_INSTANCES: dict[type, Callable[[], Any]] = {
    _LOCK_TYPE: Lock,
    _thread.RLock: RLock,
    _thread._local: _threading_local.local,  # noqa: SLF001
    _queue.SimpleQueue: queue._PySimpleQueue,  # type: ignore[attr-defined]  # noqa: SLF001
}


@cache
def _slots() -> Slots:
    stand_ins = _stand_ins()
    return Slots(lambda value: id(value) in stand_ins, _is_instance_leaf)


@contextmanager
def _captured(adopt: Iterable[Any]) -> Iterator[None]:
    slots = _slots()
    slots.refresh()
    before = set(slots.known)
    wanted = [*slots.found, *slots.search(adopt)] if adopt else slots.found
    instances: dict[int, Any] = {}
    stand_ins = _stand_ins()
    put: list[tuple[Slot, Any]] = []
    for slot in wanted:
        original = slot.original
        if slot.get() is original:
            known = stand_ins.get(id(original))
            fake = known[1] if known is not None else _instance(original, instances)
            slot.put(fake)
            put.append((slot, fake))
    try:
        yield
    finally:
        for slot, fake in put:
            if slot.get() is fake:
                slot.put(slot.original)
        _clean_new_modules(slots, before)


def _instance(original: Any, made: dict[int, Any]) -> Any:
    """The simulated twin of a lock (or of its bound method), one for all who hold the same."""
    if type(original) is _METHOD_TYPE:
        return getattr(_instance(original.__self__, made), original.__name__)
    twin = made.get(id(original))
    if twin is None:
        twin = made[id(original)] = _INSTANCES[type(original)]()
    return twin


def _clean_new_modules(slots: Slots, before: set[str]) -> None:
    """Modules that were imported during the run took hold of stand-ins: give them the real things."""
    genuine = _genuine()
    search = Slots(lambda value: id(value) in genuine, lambda _value: False)
    search.known |= before
    search.refresh()
    for slot in search.found:
        slot.put(genuine[id(slot.original)][1])
