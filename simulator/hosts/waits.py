"""The stop event as a provider gets it: a fault may strike where it waits on it."""

from __future__ import annotations

import threading

from simulator.hosts import Stage

__all__ = ["waited_on"]


def waited_on(stage: Stage, stop_event: threading.Event) -> threading.Event:
    """`stop_event` with the seam "wait" around its `wait`; itself where no fault is put there."""
    return _Struck(stage, stop_event) if stage.is_struck("wait") else stop_event


class _Struck(threading.Event):
    """Another's event. What is not said here is never called: it holds no state."""

    def __init__(self, stage: Stage, real: threading.Event) -> None:
        self._stage = stage
        self._real = real

    def is_set(self) -> bool:
        return self._real.is_set()

    def set(self) -> None:
        self._real.set()

    def clear(self) -> None:
        self._real.clear()

    def wait(self, timeout: float | None = None) -> bool:
        return self._stage.around("wait", lambda: self._real.wait(timeout))
