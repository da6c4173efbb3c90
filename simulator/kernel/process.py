"""One simulated process: its pid, its end, its view of the machine."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable
from typing import Any

from simulator.kernel import Kernel, here
from simulator.kernel.clock import monotonic_us
from simulator.kernel.refusals import refuse
from simulator.kernel.tasks import Incarnation

__all__ = ["CPUS", "PROCESS_FUNCTIONS"]

CPUS = 2  # what os.cpu_count() says: pools are sized by it
_getpid, _kill, _exit = os.getpid, os.kill, os._exit
_cpu_count, _gethostname, _signal = os.cpu_count, socket.gethostname, signal.signal
_set_wakeup_fd, _times = signal.set_wakeup_fd, os.times


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


def fake_set_wakeup_fd(fd: int, /, *, warn_on_full_buffer: bool = True) -> int:
    """`signal.set_wakeup_fd`: as above."""
    if here() is None or threading.current_thread() is threading.main_thread():
        return _set_wakeup_fd(fd, warn_on_full_buffer=warn_on_full_buffer)
    raise ValueError("set_wakeup_fd only works in main thread of the main interpreter")


def fake_times() -> os.times_result:
    """`os.times`: what elapsed is the machine's monotonic clock; nothing costs CPU time."""
    kernel = here()
    if kernel is None:
        return _times()
    return os.times_result((0.0, 0.0, 0.0, 0.0, monotonic_us(kernel) / 1_000_000))


PROCESS_FUNCTIONS: list[tuple[Callable[..., Any], Callable[..., Any]]] = [
    (_getpid, fake_getpid),
    (_kill, fake_kill),
    (_exit, fake_exit),
    (_cpu_count, fake_cpu_count),
    (_gethostname, fake_gethostname),
    (_signal, fake_signal),
    (_set_wakeup_fd, fake_set_wakeup_fd),
    (_times, fake_times),
]
if hasattr(os, "process_cpu_count"):
    PROCESS_FUNCTIONS.append((os.process_cpu_count, fake_cpu_count))
