"""`Lock` and `RLock` between tasks: what `Condition`, `Semaphore`, `Queue` and `Future` stand on.

Waiters are served first come, first served; a lock that is released goes straight to the next
one. For other OS threads and after a run they are real locks.
"""

from __future__ import annotations

import _thread
import threading
from collections import deque
from typing import Any

from simulator.kernel import Kernel, here
from simulator.kernel.tasks import OutsideTask, Task

__all__ = ["Lock", "RLock", "as_us"]

_real_lock = _thread.allocate_lock
_real_rlock = _thread.RLock


def as_us(timeout: float) -> int:
    """Seconds as whole microseconds; what is more than nothing is at least one."""
    if timeout <= 0:
        return 0
    if timeout > threading.TIMEOUT_MAX:
        raise OverflowError("timeout value is too large")
    return round(timeout * 1_000_000) or 1


def _lock_timeout(blocking: bool, timeout: float) -> int | None:
    """Microseconds, None for ever; the mistakes that the real lock refuses."""
    if timeout == -1:
        return None
    if not blocking:
        raise ValueError("can't specify a timeout for a non-blocking call")
    if timeout < 0:
        raise ValueError("timeout value must be a non-negative number")
    return as_us(timeout)


class Lock:
    """`threading.Lock` between tasks; `owner` is the task that took it last.

    A `quiet` one is no decision: logging's locks are taken more often the first time in a process,
    when its caches are cold, and that must not shift the choices of a tape.
    """

    __slots__ = ("__weakref__", "_real", "_waiters", "owner", "quiet")

    def __init__(self, *, quiet: bool = False) -> None:
        self.owner: object | None = None
        self.quiet = quiet
        self._waiters: deque[Task] = deque()
        self._real: Any = None

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """As the real one; waiters get it in the order in which they came."""
        kernel = here()
        if kernel is None:
            return bool(self._outside().acquire(blocking, timeout))
        timeout_us = None if timeout == -1 else _lock_timeout(blocking, timeout)
        task = kernel.current
        if task is not None and not self.quiet:  # a decision, in line: fifty locks make a fire
            task.decisions = nth = task.decisions + 1
            if task.delays is not None and nth in task.delays:
                kernel.deviate(task, nth)
        owner = self.owner
        if owner is None or (type(owner) is Task and owner.gone):
            self.owner = task or kernel
            return True
        if not blocking or timeout_us == 0:
            if task is not None:
                kernel.count_spin(task)
            return False
        if task is None:
            raise OutsideTask(f"a lock that {owner!r} holds is waited for outside a task")
        self._waiters.append(task)
        if kernel.park(self, timeout_us):
            return True
        self._waiters.remove(task)
        return False

    def release(self, *_: object) -> None:
        """Hand it to the first waiter; RuntimeError when nobody holds it."""
        kernel = here()
        if kernel is None or self.owner is None:
            if kernel is None and self.owner is not None:
                self.owner = None  # taken in a run that is over
                return
            self._outside().release()
            return
        if self._waiters:
            self._hand_over(kernel)
        else:
            self.owner = None
        task = kernel.current
        if task is not None and not self.quiet:
            task.decisions = nth = task.decisions + 1
            if task.delays is not None and nth in task.delays:
                kernel.deviate(task, nth)

    def _hand_over(self, kernel: Kernel) -> None:
        waiters = self._waiters
        while waiters:
            task = waiters.popleft()
            if kernel.unpark(task):
                self.owner = task
                return
        self.owner = None

    def owner_died(self) -> None:
        """The kernel's word that the owner crashed: its process is gone, so is its hold."""
        kernel = here()
        if kernel is not None:
            self._hand_over(kernel)

    def locked(self) -> bool:
        """Whether somebody holds it."""
        owner = self.owner
        if owner is None:
            return self._real is not None and bool(self._real.locked())
        return not (type(owner) is Task and owner.gone)

    def _outside(self) -> Any:
        """The real lock that this one is where no run is on."""
        if self._real is None:
            self._real = _real_lock()
        return self._real

    __enter__ = acquire
    __exit__ = release

    def describe(self) -> str:
        """As something that a task waits for."""
        return "a Lock"

    def _at_fork_reinit(self) -> None:
        self.__init__()  # type: ignore[misc]

    acquire_lock = acquire
    release_lock = release
    locked_lock = locked


class RLock:
    """`threading.RLock` between tasks."""

    __slots__ = ("__weakref__", "_block", "_count", "_real", "owner")

    def __init__(self, *, quiet: bool = False) -> None:
        self.owner: object | None = None
        self._count = 0
        self._block = Lock(quiet=quiet)
        self._real: Any = None

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """As the real one."""
        kernel = here()
        if kernel is None:
            return bool(self._outside().acquire(blocking, timeout))
        me: object = kernel.current or kernel
        if self.owner is me:
            self._count += 1
            return True
        taken = self._block.acquire(blocking, timeout)
        if taken:
            self.owner = me
            self._count = 1
        return taken

    def release(self) -> None:
        """As the real one; RuntimeError for whoever does not hold it."""
        kernel = here()
        if kernel is None:
            if self._real is None and self.owner is not None:
                self._forget()
                return
            self._outside().release()
            return
        if self.owner is not (kernel.current or kernel):
            raise RuntimeError("cannot release un-acquired lock")
        self._count -= 1
        if not self._count:
            self.owner = None
            self._block.release()

    def _forget(self) -> None:
        """It was taken in a run that is over."""
        self._count -= 1
        if self._count <= 0:
            self.owner, self._count, self._block = None, 0, Lock(quiet=self._block.quiet)

    def _outside(self) -> Any:
        if self._real is None:
            self._real = _real_rlock()
        return self._real

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def locked(self) -> bool:
        """Whether somebody holds it."""
        return self._block.locked()

    # What Condition needs.

    def _is_owned(self) -> bool:
        kernel = here()
        if kernel is None:
            return self.owner is not None or bool(self._outside()._is_owned())  # noqa: SLF001
        return self.owner is (kernel.current or kernel)

    def _release_save(self) -> Any:
        kernel = here()
        if kernel is None:
            return self._outside()._release_save()  # noqa: SLF001
        if self.owner is not (kernel.current or kernel):
            raise RuntimeError("cannot release un-acquired lock")
        count, self._count, self.owner = self._count, 0, None
        self._block.release()
        return count

    def _acquire_restore(self, state: Any) -> None:
        kernel = here()
        if kernel is None:
            self._outside()._acquire_restore(state)  # noqa: SLF001
            return
        self._block.acquire()
        self._count, self.owner = state, kernel.current or kernel

    def _recursion_count(self) -> int:
        return self._count if self._is_owned() else 0

    def _at_fork_reinit(self) -> None:
        self.__init__()  # type: ignore[misc]
