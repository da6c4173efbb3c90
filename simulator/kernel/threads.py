"""Who am I: the identity of threads during a run."""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable
from typing import Any

from simulator.kernel import here
from simulator.kernel.tasks import Task

__all__ = [
    "ActiveThreads",
    "fake_get_ident",
    "fake_get_native_id",
    "fake_newname",
    "fake_start_new_thread",
]

_get_ident, _get_native_id = _thread.get_ident, _thread.get_native_id
_start_new_thread = _thread.start_new_thread
_newname: Callable[[str], str] = threading._newname  # type: ignore[attr-defined]  # noqa: SLF001


def fake_get_ident() -> int:
    """`get_ident`: a number of the task."""
    kernel = here()
    if kernel is None or kernel.current is None:
        return _get_ident()
    return kernel.current.ident


def fake_get_native_id() -> int:
    """`get_native_id`: the same number; the system's own would differ from run to run."""
    kernel = here()
    if kernel is None or kernel.current is None:
        return _get_native_id()
    return kernel.current.ident


def fake_newname(name_template: str) -> str:
    """Names such as "Thread-1", counted for each machine so that they are the same in each run."""
    kernel = here()
    if kernel is None:
        return _newname(name_template)
    task = kernel.current
    machine = task.machine if task is not None else None
    if machine is None:
        return name_template % kernel.count("thread")
    return name_template % machine.count("thread")


def fake_start_new_thread(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: Any = None
) -> int:
    """`_thread.start_new_thread`: a task."""
    kernel = here()
    if kernel is None:
        return _start_new_thread(function, args, kwargs or {})
    name = f"thread ({getattr(function, '__name__', 'call')})"
    task = kernel.spawn(lambda: function(*args, **(kwargs or {})), name=name, daemon=True)
    return task.ident


class ActiveThreads(dict[int, Any]):
    """`threading._active` of a run: each task sees the threads of its own machine.

    Threads outside the run find what they would find without it.
    """

    def __init__(self, outside: dict[int, Any]) -> None:
        super().__init__()
        self._outside = outside

    def __missing__(self, ident: int) -> Any:
        """A task that no `Thread` started gets one to be known by."""
        kernel = here()
        task = kernel.tasks.get(ident) if kernel is not None else None
        if task is None:
            return self._outside[ident]
        self[ident] = thread = _stand_in(task)
        return thread

    def __setitem__(self, ident: int, thread: Any) -> None:
        """Threads outside the run that begin meanwhile go into the real table."""
        if here() is None:
            self._outside[ident] = thread
        else:
            super().__setitem__(ident, thread)

    def __delitem__(self, ident: int) -> None:
        """Threads outside the run that end meanwhile leave the real table."""
        if ident in self:
            super().__delitem__(ident)
        else:
            del self._outside[ident]

    def values(self) -> Any:
        """The threads of the current machine."""
        kernel = here()
        if kernel is None or kernel.current is None:
            return self._outside.values()
        return [self[task.ident] for task in kernel.of_machine(kernel.current.machine)]

    def __len__(self) -> int:
        return len(self.values())


def _stand_in(task: Task) -> threading.Thread:
    thread = threading.Thread(name=task.name, daemon=task.daemon)
    thread._sim_task = task  # type: ignore[attr-defined]  # noqa: SLF001
    thread._ident = thread._native_id = task.ident  # type: ignore[attr-defined]  # noqa: SLF001
    thread._started._flag = True  # type: ignore[attr-defined]  # noqa: SLF001
    return thread
