"""The pool that due jobs run in: bounded, and not to be starved.

At most `limit` jobs run at the same time, but one that has run for longer than `SLOW_S` does not
count: a slow job keeps a thread and nobody's place. Work that waits gets that place at once.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from threading import Lock, Timer

from hermes_cron import clock, config, process

__all__ = ["DispatchRefusedError", "Dispatcher", "dispatcher"]

DEFAULT_LIMIT = 8
SLOW_S = 25.0  # longer than a short run (LIVE-5: no storm), and no half interval (LIVE-1)
_MOST_THREADS = 1024
_LOOK_S = 1.0  # at least, between two looks of the timer, whatever a clock rounds


class DispatchRefusedError(RuntimeError):
    """The executor takes no work any more."""


class Dispatcher:
    """Runs functions on threads.

    Args:
        limit: how many at the same time.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._lock = Lock()
        self._queue: deque[tuple[Future[bool], Callable[[], bool]]] = deque()
        self._since: dict[int, float] = {}  # worker: when its present work began, monotonic
        self._coming: dict[int, float] = {}  # workers that have not begun: when they were asked for
        self._serial = 0
        self._executor: ThreadPoolExecutor | None = None
        self._timer: Timer | None = None  # only while work waits behind work

    def submit(self, work: Callable[[], bool]) -> Future[bool]:
        """Run `work` as soon as there is room.

        Raises:
            DispatchRefusedError: the executor refused; `work` will not run.
        """
        future: Future[bool] = Future()
        item = (future, work)
        with self._lock:
            self._queue.append(item)
        try:
            self.relieve()
        except DispatchRefusedError:
            with self._lock, suppress(ValueError):
                self._queue.remove(item)
                raise
            # A worker that was on already has taken it.
        return future

    def relieve(self) -> None:
        """Give waiting work the places of slow work. Cheap when nothing waits.

        What finds no place gets one as soon as a job that runs now has run for `SLOW_S`.

        Raises:
            DispatchRefusedError: the executor refused.
        """
        while self._queue:
            with self._lock:
                now_s = clock.monotonic()
                coming = sum(now_s - since < SLOW_S for since in self._coming.values())
                if len(self._queue) <= coming or len(self._since) >= _MOST_THREADS:
                    return  # each of those that come takes one
                busy = [since for since in self._since.values() if now_s - since < SLOW_S]
                if len(busy) >= self.limit:
                    self._look_again(min(busy) + SLOW_S - now_s)
                    return
                self._serial += 1
                worker = self._serial
                self._since[worker] = self._coming[worker] = now_s
                if self._executor is None:
                    self._executor = ThreadPoolExecutor(_MOST_THREADS, "cron-job")
                executor = self._executor
            try:
                executor.submit(self._work, worker)
            except RuntimeError as error:
                with self._lock:
                    del self._since[worker], self._coming[worker]
                    # Shut down by somebody: the next work gets an executor of its own.
                    self._executor = None
                raise DispatchRefusedError(f"the executor refused: {error}") from error

    def close(self) -> None:
        """Take no more work with the present executor; what runs goes on."""
        with self._lock:
            executor, self._executor = self._executor, None
            timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        if executor is not None:
            executor.shutdown(wait=False)

    def _look_again(self, after_s: float) -> None:
        """Relieve once more after a while, with the lock held."""
        if self._timer is not None:
            return
        timer = Timer(max(after_s, _LOOK_S), self._relieve_in_time)
        timer.name, timer.daemon = "cron-relief", True  # a process that ends waits for no timer
        with suppress(RuntimeError):  # no more threads: then the next tick relieves
            timer.start()
            self._timer = timer

    def _relieve_in_time(self) -> None:
        with self._lock:
            self._timer = None
        with suppress(DispatchRefusedError):  # what was refused waits for the next tick
            self.relieve()

    def _work(self, worker: int) -> None:
        """Run what waits until nothing does."""
        while True:
            with self._lock:
                self._coming.pop(worker, None)
                if not self._queue:
                    del self._since[worker]
                    return
                future, work = self._queue.popleft()
                self._since[worker] = clock.monotonic()
            try:
                result = work()
            except BaseException as error:  # it belongs to whoever waits for the result
                future.set_exception(error)
            else:
                future.set_result(result)


def dispatcher() -> Dispatcher:
    """The dispatcher of this process, with the limit that is configured now."""
    state = process.current()
    limit = _limit()
    with state.lock:
        if state.dispatcher is None:
            state.dispatcher = Dispatcher(limit)
        state.dispatcher.limit = limit
        return state.dispatcher


def _limit() -> int:
    """`$HERMES_CRON_MAX_PARALLEL`, else `cron.max_parallel_jobs`, else the default."""
    configured = config.cfg_get(config.load_config(), "cron", "max_parallel_jobs")
    for value in (os.environ.get("HERMES_CRON_MAX_PARALLEL"), configured):
        with suppress(TypeError, ValueError):
            wanted = int(value)  # type: ignore[arg-type]
            if wanted > 0:
                return wanted
    return DEFAULT_LIMIT
