"""`Event`, `Thread` and `sleep` during a run: the same classes, waiting in the kernel.

Their methods are replaced for the time of a run (`METHODS`), not the classes, so that names,
subclasses and instances from before the run work. `Condition`, `Semaphore`, `Barrier`, `Timer`,
`Queue` and `Future` run as they are, on the locks of `locks.py`. For other OS threads and after a
run everything is the real thing.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from simulator.kernel import Kernel, here
from simulator.kernel.locks import as_us
from simulator.kernel.tasks import OutsideTask, Task

__all__ = ["METHODS", "FastEvent", "fake_sleep", "fast_event", "remember_excepthook"]

_real_sleep = time.sleep
_outer_hook: list[Any] = [threading.excepthook]  # what was there when the run began
_make_handle: Any = getattr(threading, "_make_thread_handle", None)  # since Python 3.13
_Event = threading.Event
_Thread = threading.Thread
_event_wait, _event_set, _event_clear = _Event.wait, _Event.set, _Event.clear
_thread_start, _thread_join, _thread_is_alive = _Thread.start, _Thread.join, _Thread.is_alive

# -- Event


def _event_waiters(event: Any) -> deque[Task]:
    try:
        return event._sim_waiters  # type: ignore[no-any-return]  # noqa: SLF001
    except AttributeError:
        event._sim_waiters = waiters = deque[Task]()  # noqa: SLF001
        return waiters


def event_wait(event: Any, timeout: float | None = None) -> bool:
    """`Event.wait` of a task: straight to the kernel."""
    kernel = here()
    if kernel is None:
        return _event_wait(event, timeout)
    return _wait(kernel, event, timeout)


def _wait(kernel: Kernel, event: Any, timeout: float | None) -> bool:
    task = kernel.current
    if task is not None:
        task.decisions = nth = task.decisions + 1
        if task.delays is not None and nth in task.delays:
            kernel.deviate(task, nth)
    if event._flag:  # noqa: SLF001
        return True
    if task is None:
        raise OutsideTask("an Event that is not set is waited for outside a task")
    try:
        waiters = event._sim_waiters  # noqa: SLF001
    except AttributeError:
        waiters = _event_waiters(event)
    waiters.append(task)
    if kernel.park(event, None if timeout is None else as_us(timeout)):
        return True
    waiters.remove(task)
    return False


def event_set(event: Any) -> None:
    """`Event.set` of a task."""
    kernel = here()
    if kernel is None:
        _event_set(event)
        return
    event._flag = True  # noqa: SLF001
    waiters = _event_waiters(event)
    while waiters:
        kernel.unpark(waiters.popleft())
    kernel.decision()


def event_clear(event: Any) -> None:
    """`Event.clear` of a task."""
    if here() is None:
        _event_clear(event)
    else:
        event._flag = False  # noqa: SLF001


class FastEvent(_Event):
    """An Event for the world's own use in one run, made with its kernel; nothing is looked up."""

    def __init__(self, kernel: Kernel) -> None:
        super().__init__()
        self._kernel = kernel
        self._sim_waiters: deque[Task] = deque()

    def wait(self, timeout: float | None = None) -> bool:
        """As `Event.wait`."""
        return _wait(self._kernel, self, timeout)


def fast_event(kernel: Kernel) -> threading.Event:
    """The fastest Event of a run."""
    return FastEvent(kernel)


# -- Thread


def thread_start(thread: Any) -> None:
    """`Thread.start` in a run: a task of the same machine."""
    kernel = here()
    if kernel is None:
        _thread_start(thread)
        return
    if not thread._initialized:  # noqa: SLF001
        raise RuntimeError("thread.__init__() not called")
    if thread._started._flag:  # noqa: SLF001
        raise RuntimeError("threads can only be started once")
    task = kernel.spawn(_run_thread, thread, name=thread.name, daemon=thread.daemon)
    thread._sim_task = task  # noqa: SLF001
    thread._ident = thread._native_id = task.ident  # noqa: SLF001
    thread._started._flag = True  # noqa: SLF001
    if _make_handle is not None:
        thread._handle = _make_handle(task.ident)  # noqa: SLF001
    threading._active[task.ident] = thread  # type: ignore[attr-defined]  # noqa: SLF001
    kernel.decision()


def remember_excepthook() -> None:
    """Called at the beginning of a run: only a hook that is set in it is called."""
    _outer_hook[0] = threading.excepthook


def _run_thread(thread: Any) -> None:
    try:
        thread.run()
    except BaseException as error:
        hook = threading.excepthook
        if hook is not _outer_hook[0]:  # the code under test has a say; else it is the kernel's
            hook(threading.ExceptHookArgs((type(error), error, error.__traceback__, thread)))
        raise
    finally:
        thread._is_stopped = True  # noqa: SLF001
        if _make_handle is not None:
            thread._handle._set_done()  # noqa: SLF001
        threading._active.pop(thread._ident, None)  # type: ignore[attr-defined]  # noqa: SLF001


def thread_join(thread: Any, timeout: float | None = None) -> None:
    """`Thread.join` of a task."""
    kernel = here()
    task = getattr(thread, "_sim_task", None)
    if kernel is None or task is None:
        _thread_join(thread, timeout)
        return
    if task is kernel.current:
        raise RuntimeError("cannot join current thread")
    kernel.decision()
    if task.done or task.gone:
        return
    joiner = kernel.current
    if joiner is None:
        raise OutsideTask(f"the end of {task.name} is waited for outside a task")
    task.joiners.append(joiner)
    if not kernel.park(task, None if timeout is None else as_us(timeout)):
        task.joiners.remove(joiner)


def thread_is_alive(thread: Any) -> bool:
    """`Thread.is_alive` of a task."""
    task = getattr(thread, "_sim_task", None)
    if task is None:
        return _thread_is_alive(thread)
    return not (task.done or task.gone)


def fake_sleep(seconds: float) -> None:
    """`time.sleep`."""
    kernel = here()
    if kernel is None:
        _real_sleep(seconds)
        return
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    kernel.sleep_us(as_us(seconds))


METHODS: list[tuple[type, str, Callable[..., Any]]] = [
    (_Event, "wait", event_wait),
    (_Event, "set", event_set),
    (_Event, "clear", event_clear),
    (_Thread, "start", thread_start),
    (_Thread, "join", thread_join),
    (_Thread, "is_alive", thread_is_alive),
]
