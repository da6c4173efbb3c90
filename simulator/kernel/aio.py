"""asyncio in a task: a loop's wait for events is a wait in the kernel.

A loop that is made in a run has no pipe to itself and no descriptor: who calls it from another task
(`call_soon_threadsafe`, `run_coroutine_threadsafe`, a finished executor) wakes its task. Which
loop is running is known by OS thread, so the kernel takes that along at each switch (`core.py`).
Real descriptors that code registers are looked at when the loop passes by; see `polling.py`.
"""

from __future__ import annotations

import asyncio
import asyncio.selector_events
import selectors
import sys
from _threading_local import local
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from simulator.kernel import here
from simulator.kernel.locks import as_us
from simulator.kernel.polling import real_select, wait
from simulator.kernel.tasks import OutsideTask, Task

__all__ = ["LOOP_METHODS", "SimSelector", "event_loops"]

_Loop: Any = asyncio.selector_events.BaseSelectorEventLoop
_make_self_pipe, _close_self_pipe = _Loop._make_self_pipe, _Loop._close_self_pipe  # noqa: SLF001
_write_to_self = _Loop._write_to_self  # noqa: SLF001
_policy: Any = asyncio.events.BaseDefaultEventLoopPolicy


class SimSelector(selectors.SelectSelector):
    """What `selectors.DefaultSelector` makes during a run."""

    _select = staticmethod(real_select)

    def __init__(self) -> None:
        super().__init__()
        self._waiter: Task | None = None
        self._woken = False

    def select(self, timeout: float | None = None) -> Any:
        """Events that are there, else those after a wait in virtual time."""
        kernel = here()
        ready = super().select(0) if self.get_map() else []
        if ready or kernel is None or self._woken:
            self._woken = False
            return ready
        if kernel.current is None:
            raise OutsideTask("an event loop's events are waited for outside a task")
        kernel.decision()
        if timeout is not None and timeout <= 0:
            return ready
        return wait(
            "selectors.select",
            super().select,
            lambda: self._park(timeout),
            anything=bool(self.get_map()),
        )

    def _park(self, timeout: float | None) -> None:
        kernel = here()
        assert kernel is not None
        self._waiter = kernel.current
        kernel.park("an event of its loop", None if timeout is None else as_us(timeout))
        self._waiter, self._woken = None, False

    def wake(self) -> None:
        """End the wait, or the next one."""
        kernel = here()
        self._woken = True
        if kernel is not None and self._waiter is not None:
            kernel.unpark(self._waiter)

    def describe(self) -> str:
        """As something that a task waits for."""
        return "an event of its loop"


class _NoPipe:
    """What a loop tells to `signal.set_wakeup_fd`, which no thread but the main one may call."""

    def fileno(self) -> int:
        return -1


def _loop_make_pipe(loop: Any) -> None:
    if here() is None or not isinstance(loop._selector, SimSelector):  # noqa: SLF001
        _make_self_pipe(loop)
    else:
        loop._ssock, loop._csock = None, _NoPipe()  # noqa: SLF001


def _loop_close_pipe(loop: Any) -> None:
    if loop._ssock is not None:  # noqa: SLF001
        _close_self_pipe(loop)


def _loop_wake(loop: Any) -> None:
    selector = loop._selector  # noqa: SLF001
    if isinstance(selector, SimSelector):
        selector.wake()
    else:
        _write_to_self(loop)


LOOP_METHODS: list[tuple[type, str, Callable[..., Any]]] = [
    (_Loop, "_make_self_pipe", _loop_make_pipe),
    (_Loop, "_close_self_pipe", _loop_close_pipe),
    (_Loop, "_write_to_self", _loop_wake),
]


class _PolicyLocal(local):
    _loop = None
    _set_called = False


@contextmanager
def event_loops() -> Iterator[None]:
    """Each task has its own current loop, and none is left over from before or for afterwards."""
    events: Any = asyncio.events
    hooks = sys.get_asyncgen_hooks()
    before = events._event_loop_policy, _policy._Local, asyncio._get_running_loop()  # noqa: SLF001
    events._event_loop_policy, _policy._Local = None, _PolicyLocal  # noqa: SLF001
    asyncio._set_running_loop(None)  # noqa: SLF001
    try:
        yield
    finally:
        events._event_loop_policy, _policy._Local, running = before  # noqa: SLF001
        asyncio._set_running_loop(running)  # noqa: SLF001
        sys.set_asyncgen_hooks(*hooks)
