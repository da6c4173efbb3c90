"""What ends a run that does not reach the kernel any more, and Ctrl-C and its like."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any

from simulator.kernel import Kernel
from simulator.kernel.tasks import Hang

__all__ = ["guarded"]

_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_Handler = Callable[[int, FrameType | None], Any]


@contextmanager
def guarded(kernel: Kernel, hang_s: float) -> Iterator[None]:
    """A real timer that names the line that hangs, and a Ctrl-C that no task can swallow.

    The same for SIGTERM and SIGHUP, where somebody handles them.

    Only in the main thread (others get no signals), and the timer only where nobody else uses it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    free = hang_s > 0 and signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    handlers = {number: signal.getsignal(number) for number in _ENDS}
    for number, handler in handlers.items():
        if callable(handler):
            signal.signal(number, partial(_outside_of_tasks, kernel, handler))
    alarm = signal.signal(signal.SIGALRM, _Watch(kernel, hang_s)) if free else None
    if free:
        signal.setitimer(signal.ITIMER_REAL, hang_s, hang_s)
    try:
        yield
    finally:
        if free:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, alarm)
        for number, handler in handlers.items():
            if callable(handler):
                signal.signal(number, handler)


def _outside_of_tasks(
    kernel: Kernel, handler: _Handler, number: int, frame: FrameType | None
) -> None:
    """What it raises would be taken for a fault of the code under test: it ends the run instead."""
    try:
        handler(number, frame)
    except BaseException as error:
        if not kernel.running or kernel.current is None:
            raise
        kernel.abandon(error)


class _Watch:
    def __init__(self, kernel: Kernel, hang_s: float) -> None:
        self._kernel, self._hang_s, self._events = kernel, hang_s, -1

    def __call__(self, _signal: int, frame: FrameType | None) -> Any:
        kernel = self._kernel
        seen, self._events = self._events, kernel.events
        if not kernel.running or seen != kernel.events:
            return
        where = f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame is not None else "C code"
        function = frame.f_code.co_name if frame is not None else "?"
        who = kernel.current.name if kernel.current is not None else "the world"
        hang = Hang(
            f"{who} hangs in {function} at {where}: no event for {self._hang_s:g} real seconds; "
            "it computes without end or waits for a lock that is not simulated"
        )
        if kernel.current is None:
            raise hang
        kernel.abandon(hang)
