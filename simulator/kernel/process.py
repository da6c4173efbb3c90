"""One simulated process: its pid, its end, its view of the machine."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable
from typing import Any

from simulator.kernel import Kernel, here
from simulator.kernel.refusals import refuse
from simulator.kernel.tasks import Incarnation

__all__ = ["CPUS", "PROCESS_FUNCTIONS"]

CPUS = 2  # what os.cpu_count() says: pools are sized by it
_getpid, _kill, _exit = os.getpid, os.kill, os._exit
_cpu_count, _gethostname, _signal = os.cpu_count, socket.gethostname, signal.signal


def _machine(kernel: Kernel | None) -> Incarnation | None:
    return None if kernel is None or kernel.current is None else kernel.current.machine


def fake_getpid() -> int:
    """`os.getpid`: the incarnation's number."""
    machine = _machine(here())
    return _getpid() if machine is None else machine.pid


def fake_exit(status: int) -> None:
    """`os._exit`: the death of the simulated process."""
    kernel = here()
    machine = _machine(kernel)
    if kernel is None or machine is None:
        _exit(status)
    kernel.kill_machine(machine)


def fake_kill(pid: int, signalnum: int, /) -> None:
    """`os.kill`: asks for, or ends, a simulated process; no real one is ever signalled."""
    kernel = here()
    if kernel is None or not kernel.running:
        _kill(pid, signalnum)
        return
    victim = next((machine for machine in kernel.machines if machine.pid == pid), None)
    if victim is None or not victim.alive:
        raise ProcessLookupError(3, "No such process")
    if signalnum == signal.SIGKILL:
        kernel.kill_machine(victim)
    elif signalnum != 0:
        raise refuse(kernel, f"os.kill with signal {signalnum}")


def fake_cpu_count() -> int | None:
    """`os.cpu_count`: the same on every machine."""
    return _cpu_count() if here() is None else CPUS


def fake_gethostname() -> str:
    """`socket.gethostname`: the machine's name."""
    machine = _machine(here())
    return _gethostname() if machine is None else machine.name


def fake_signal(signalnum: int, handler: Any, /) -> Any:
    """`signal.signal`: no task is the main thread of its process."""
    if here() is None or threading.current_thread() is threading.main_thread():
        return _signal(signalnum, handler)
    raise ValueError("signal only works in main thread of the main interpreter")


PROCESS_FUNCTIONS: list[tuple[Callable[..., Any], Callable[..., Any]]] = [
    (_getpid, fake_getpid),
    (_kill, fake_kill),
    (_exit, fake_exit),
    (_cpu_count, fake_cpu_count),
    (_gethostname, fake_gethostname),
    (_signal, fake_signal),
]
if hasattr(os, "process_cpu_count"):
    PROCESS_FUNCTIONS.append((os.process_cpu_count, fake_cpu_count))
