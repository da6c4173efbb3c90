"""What is not simulated is refused by its name: real sockets, name look-ups, processes, signals.

A refused call raises `NotSimulated` in the code that made it. Because that code may swallow it, the
call is also listed in `Kernel.not_simulated` and told to `Kernel.on_not_simulated`.
"""

from __future__ import annotations

import _thread
import multiprocessing.connection
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import SemLock
from typing import Any

from simulator.kernel import Kernel, here

__all__ = ["NotSimulated", "refuse", "refused_calls"]


class NotSimulated(BaseException):
    """A call that would leave the simulation; no `Exception`, which a retry would swallow."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is not simulated: it would reach out of the run")
        self.what = what


def refuse(kernel: Kernel, what: str) -> NotSimulated:
    """Record that `what` was tried; the exception to raise."""
    kernel.not_simulated.append(what)
    kernel.on_not_simulated(what)
    return NotSimulated(what)


_CALLS: list[tuple[Any, str, tuple[str, ...]]] = [
    (socket.socket, "socket.socket", ("connect", "connect_ex", "bind", "sendto", "sendmsg")),
    (socket, "socket", ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr",
                        "getnameinfo", "create_connection", "socketpair")),
    (subprocess.Popen, "subprocess.Popen", ("__init__",)),
    (BaseProcess, "multiprocessing.Process", ("start",)),
    (SemLock, "multiprocessing.SemLock", ("__init__",)),
    (multiprocessing.connection, "multiprocessing", ("Pipe",)),
    (ProcessPoolExecutor, "concurrent.futures.ProcessPoolExecutor", ("__init__",)),
    (os, "os", ("fork", "forkpty", "system", "posix_spawn", "posix_spawnp", "execv", "execve",
                "abort", "killpg", "wait", "waitpid", "waitid", "wait3", "wait4", "pidfd_open")),
    (signal, "signal", ("setitimer", "alarm", "raise_signal", "pthread_kill", "pause", "sigwait",
                        "sigwaitinfo", "sigtimedwait")),
    (_thread, "_thread", ("interrupt_main",)),
]  # fmt: skip


@cache
def refused_calls() -> list[tuple[Any, str, Callable[..., Any], Callable[..., Any]]]:
    """(holder, name, genuine, stand-in) for everything that a run refuses."""
    return [
        (holder, name, getattr(holder, name), _refusal(getattr(holder, name), f"{label}.{name}"))
        for holder, label, names in _CALLS
        for name in names
        if hasattr(holder, name)
    ]


def _is_reachable(kernel: Kernel, args: tuple[Any, ...]) -> bool:
    """Whether a call is about a server that belongs to the run: time stands still while it works.

    An address stands alone, behind a socket, or as host and port.
    """
    addresses = tuple(kernel.reachable)  # compared, not hashed: arguments may be lists
    return bool(addresses) and any(one in addresses for one in (*_tuples(args), args[:2]))


def _tuples(args: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    return [one[:2] for one in args if isinstance(one, tuple)]


def _refusal(genuine: Callable[..., Any], what: str) -> Callable[..., Any]:
    what = what.removesuffix(".__init__")

    def refused(*args: Any, **kwargs: Any) -> Any:
        kernel = here()
        if kernel is None or not kernel.running or _is_reachable(kernel, args):
            return genuine(*args, **kwargs)
        raise refuse(kernel, what)

    refused.__name__ = refused.__qualname__ = genuine.__name__
    return refused
