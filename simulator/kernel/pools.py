"""`ThreadPoolExecutor` during a run: the same class, with workers that are tasks.

Replaced whole, because the standard library's waits in a C queue and hands work to its threads
differently from one Python version to the next. Bounded like the real one: a worker is started
for new work when none is idle, up to `max_workers`; idle ones take work first come, first served.
A worker without work may wait for ever; one that works may not (see `Deadlock`).
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.thread import BrokenThreadPool, ThreadPoolExecutor
from typing import Any

from simulator.kernel import Kernel, here
from simulator.kernel.tasks import Task

__all__ = ["POOL_METHODS"]

_Work = tuple["Future[Any]", Callable[..., Any], tuple[Any, ...], dict[str, Any]]
_init, _submit, _shutdown = (
    ThreadPoolExecutor.__init__,
    ThreadPoolExecutor.submit,
    ThreadPoolExecutor.shutdown,
)


class _Pool:
    """What the workers of one executor share; it does not keep the executor alive."""

    def __init__(self, executor: Any) -> None:
        self.pending: deque[_Work] = deque()
        self.idle: deque[Task] = deque()
        self.closing = False
        self.executor = weakref.ref(executor, lambda _ref: self.close())
        self.initializer = getattr(executor, "_initializer", None)
        self.initargs = getattr(executor, "_initargs", ())

    def close(self) -> None:
        """Workers leave when nothing is left to do."""
        self.closing = True
        kernel = here()
        while self.idle and kernel is not None:
            kernel.unpark(self.idle.popleft())

    def break_(self, reason: str) -> None:
        executor = self.executor()
        if executor is not None:
            executor._broken = reason  # noqa: SLF001
        while self.pending:
            self.pending.popleft()[0].set_exception(BrokenThreadPool(reason))

    def cancel(self) -> None:
        while self.pending:
            self.pending.popleft()[0].cancel()


def _pool_of(executor: Any) -> _Pool:
    pool = executor.__dict__.get("_sim_pool")
    if pool is None:
        pool = executor._sim_pool = _Pool(executor)  # noqa: SLF001
    return pool  # type: ignore[no-any-return]


def _pool_init(
    self: Any,
    max_workers: int | None = None,
    thread_name_prefix: str = "",
    *args: Any,
    **kwargs: Any,
) -> None:
    kernel = here()
    if kernel is not None and not thread_name_prefix:
        task = kernel.current
        counter = kernel if task is None or task.machine is None else task.machine
        thread_name_prefix = f"ThreadPoolExecutor-{counter.count('pool') - 1}"
    _init(self, max_workers, thread_name_prefix, *args, **kwargs)


def _pool_submit(self: Any, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
    kernel = here()
    if kernel is None:
        return _submit(self, fn, *args, **kwargs)
    kernel.decision()
    if self._broken:
        raise BrokenThreadPool(self._broken)
    if self._shutdown:
        raise RuntimeError("cannot schedule new futures after shutdown")
    pool = _pool_of(self)
    future: Future[Any] = Future()
    pool.pending.append((future, fn, args, kwargs))
    if pool.idle:
        kernel.unpark(pool.idle.popleft())
    elif len(self._threads) < self._max_workers:
        name = f"{self._thread_name_prefix or self}_{len(self._threads)}"
        thread = threading.Thread(name=name, target=_work, args=(pool,), daemon=False)
        thread.start()
        self._threads.add(thread)
    return future


def _pool_shutdown(self: Any, wait: bool = True, *, cancel_futures: bool = False) -> None:
    kernel = here()
    pool = self.__dict__.get("_sim_pool")
    if kernel is None or pool is None:
        _shutdown(self, wait, cancel_futures=cancel_futures)
        return
    kernel.decision()
    self._shutdown = True
    if cancel_futures:
        pool.cancel()
    pool.close()
    if wait:
        for thread in sorted(self._threads, key=lambda thread: thread.ident):
            thread.join()


def _work(pool: _Pool) -> None:
    """A worker's life."""
    kernel = here()
    if kernel is None or kernel.current is None:
        raise RuntimeError("a simulated worker runs only in its run")
    if pool.initializer is not None:
        try:
            pool.initializer(*pool.initargs)
        except BaseException:  # as the real one: whatever it is, the pool is broken
            pool.break_("A thread initializer failed, the thread pool is not usable anymore")
            return
    while _await_work(kernel, kernel.current, pool):
        _run(*pool.pending.popleft())


def _await_work(kernel: Kernel, me: Task, pool: _Pool) -> bool:
    while not pool.pending:
        if pool.closing:
            return False
        me.daemon = me.resting = True
        pool.idle.append(me)
        kernel.park("work for its pool")
        me.daemon = me.resting = False
        if me.gone:  # killed after it was given work and before it began: it never begins
            return False
    return True


def _run(
    future: Future[Any], fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = fn(*args, **kwargs)
    except BaseException as error:  # as the real one: it belongs to whoever asks for the result
        future.set_exception(error)
    else:
        future.set_result(result)


POOL_METHODS: list[tuple[type, str, Callable[..., Any]]] = [
    (ThreadPoolExecutor, "__init__", _pool_init),
    (ThreadPoolExecutor, "submit", _pool_submit),
    (ThreadPoolExecutor, "shutdown", _pool_shutdown),
]
