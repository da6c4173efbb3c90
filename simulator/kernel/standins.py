"""What a run puts in the place of what, wherever somebody holds it (see `captured.py`)."""

from __future__ import annotations

import _queue
import _thread
import _threading_local
import os
import queue
import select
import selectors
import threading
import time
import types
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

from simulator.kernel.aio import SimSelector
from simulator.kernel.captured import Slot, Slots
from simulator.kernel.clock import fake_time_functions
from simulator.kernel.dates import REAL_DATE, REAL_DATETIME, SimDate, SimDatetime
from simulator.kernel.file_times import FILE_FUNCTIONS
from simulator.kernel.locks import Lock, RLock
from simulator.kernel.polling import FakeEpoll, FakePoll, fake_select, real_select
from simulator.kernel.primitives import fake_sleep
from simulator.kernel.process import PROCESS_FUNCTIONS
from simulator.kernel.randomness import fake_urandom
from simulator.kernel.refusals import refused_calls
from simulator.kernel.threads import (
    fake_get_ident,
    fake_get_native_id,
    fake_newname,
    fake_start_new_thread,
)

__all__ = ["swapped"]

_LOCK_TYPE = type(_thread.allocate_lock())
_METHOD_TYPE = types.BuiltinMethodType
_POLLERS = (("poll", FakePoll), ("epoll", FakeEpoll))
_FEW = 16  # larger tuples hold data


@cache
def _stand_ins() -> dict[int, tuple[Any, Any]]:
    """(genuine, stand-in) by the genuine one's id, for functions and classes."""
    pairs: list[tuple[Any, Any]] = [
        (time.sleep, fake_sleep),
        (threading.Lock, Lock),  # first: what a stand-in is turned back into
        (_thread.allocate_lock, Lock),
        (_LOCK_TYPE, Lock),
        (_thread.RLock, RLock),
        (_thread.get_ident, fake_get_ident),
        (_thread.get_native_id, fake_get_native_id),
        (_thread.start_new_thread, fake_start_new_thread),
        (_thread._local, _threading_local.local),  # noqa: SLF001
        (_queue.SimpleQueue, queue._PySimpleQueue),  # type: ignore[attr-defined]  # noqa: SLF001
        (threading._newname, fake_newname),  # type: ignore[attr-defined]  # noqa: SLF001
        (REAL_DATETIME, SimDatetime),
        (REAL_DATE, SimDate),
        (os.urandom, fake_urandom),
        (real_select, fake_select),
        *((getattr(select, name), fake) for name, fake in _POLLERS if hasattr(select, name)),
        (selectors.DefaultSelector, SimSelector),
        *((getattr(time, name), fake) for name, fake in fake_time_functions().items()),
        *PROCESS_FUNCTIONS,
        *FILE_FUNCTIONS,
        *(
            (genuine, fake)
            for cls, _, genuine, fake in refused_calls()
            if not isinstance(cls, type)
        ),
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
def swapped(adopt: Iterable[Any]) -> Iterator[None]:
    """Put stand-ins wherever the genuine things are held, and take them out again."""
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
