"""Time for a fake NAS that is a real server: the machine's, or one that is moved by hand."""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections.abc import Callable

__all__ = ["ServerTimer"]

logger = logging.getLogger("nas")

_SECOND_US = 1_000_000
# The machine's clock may be set while we wait for an instant of it.
_LONGEST_WAIT_S = 5.0


class _Planned:
    def __init__(self, us: int, call: Callable[[], object]) -> None:
        self.us = us
        self.call: Callable[[], object] | None = call

    def cancel(self) -> None:
        self.call = None


class ServerTimer:
    """A `simulator.nas_types.Timer` with a thread that makes the calls, `lock` held.

    Args:
        manual: The time stands, from the present on, until `advance`.

    Attributes:
        lock: For the registry that lives by this timer.
    """

    def __init__(self, *, manual: bool = False) -> None:
        self.lock = threading.RLock()
        self._changed = threading.Condition(self.lock)
        self._advancing = threading.Lock()
        self._manual_us = _machine_us() if manual else None
        self._queue: list[tuple[int, int, _Planned]] = []
        self._serial = 0
        self._closed = False
        threading.Thread(target=self._run, name="nas-timer", daemon=True).start()

    @property
    def is_manual(self) -> bool:
        """Whether the time is moved by hand."""
        return self._manual_us is not None

    def now_us(self) -> int:
        """Return microseconds since the epoch."""
        return _machine_us() if self._manual_us is None else self._manual_us

    def call_at(self, us: int, call: Callable[[], object], /) -> _Planned:
        """Plan a call at an instant; one in the past comes at once, from another thread."""
        with self._changed:
            self._serial += 1
            planned = _Planned(max(us, self.now_us()), call)
            heapq.heappush(self._queue, (planned.us, self._serial, planned))
            self._changed.notify_all()
        return planned

    def advance(self, seconds: float, *, settle: Callable[[], object], within_s: float) -> bool:
        """Move the time on, from one planned call to the next.

        Args:
            seconds: How far; not negative.
            settle: Called after each step, without the lock: waits until what was sent is answered,
                so that no answer is late only because the time jumped.
            within_s: Seconds of the machine's clock that this may take.

        Returns:
            False when that was not enough; the time has been moved part of the way.
        """
        if self._manual_us is None:
            raise RuntimeError("the machine's clock cannot be moved")
        if seconds < 0:
            raise ValueError("time can't go backwards")
        give_up_at = time.monotonic() + within_s
        with self._advancing:
            until_us = self._manual_us + round(seconds * _SECOND_US)
            while time.monotonic() < give_up_at:
                with self._changed:
                    next_us = self._queue[0][0] if self._queue else until_us
                    self._manual_us = max(self._manual_us, min(next_us, until_us))
                    went = self._make_due_calls()
                settle()
                if not went and self._manual_us >= until_us:
                    return True
        return False

    def close(self) -> None:
        """End the thread; nothing that is planned comes any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _run(self) -> None:
        with self._changed:
            while not self._closed:
                if not self._make_due_calls():
                    self._changed.wait(self._pause_s())

    def _pause_s(self) -> float | None:
        if self.is_manual or not self._queue:
            return None
        return min((self._queue[0][0] - self.now_us()) / _SECOND_US, _LONGEST_WAIT_S)

    def _make_due_calls(self) -> int:
        """Make the calls that are due now, not those that they plan; how many."""
        due: list[_Planned] = []
        while self._queue and self._queue[0][0] <= self.now_us():
            due.append(heapq.heappop(self._queue)[2])
        for planned in due:
            if planned.call is not None:  # looked at only now: one call may cancel another
                try:
                    planned.call()
                except Exception:  # one arm that goes wrong may not end the time of the others
                    logger.exception("a planned call failed")
        return len(due)


def _machine_us() -> int:
    return time.time_ns() // 1000
