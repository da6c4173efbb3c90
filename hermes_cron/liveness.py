"""Is the process that left some evidence still the one that runs under its pid?

A pid alone proves nothing: a crashed gateway's pid goes to the next process that asks for one, and
in a container it is 1 on every start. The kernel's start time of the process tells them apart.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["identity"]

_PROC = Path("/proc")
_START_TICKS = 19  # its place after the command's name, proc(5) counts from the pid


def identity(pid: int) -> str | None:
    """What no other process with this pid has: the kernel's boot and the start in its ticks.

    None where it cannot be told: no such process, a zombie, or a system without /proc.
    """
    try:
        stat = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None
    # The command's name stands in brackets and may hold anything; what we need comes after it.
    fields = stat.rpartition(")")[2].split()
    if len(fields) <= _START_TICKS or fields[0] in "ZX":
        return None
    return f"{boot}:{fields[_START_TICKS]}"
