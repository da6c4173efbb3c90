"""What one process remembers: the only mutable state outside the store.

Everything here may be lost at any moment without harm: a process that dies leaves its claims in the
store, where they end by themselves. The simulator replaces `current` and gives each simulated
machine a state of its own, so everybody calls `process.current()` at the time of use and keeps
nothing of it at module level.
"""

from __future__ import annotations

import os
import platform
import threading
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hermes_cron import liveness

if TYPE_CHECKING:
    from hermes_cron.dispatch import Dispatcher
    from hermes_cron.leases import LeaseKeeper
    from hermes_cron.scheduler_provider import CronScheduler

__all__ = ["Execution", "ProcessState", "current", "execution", "new_id"]


@dataclass
class Execution:
    """One attempt to run a job, as the process that makes it knows it.

    Attributes:
        job_id: the job.
        id: names the attempt in the execution records.
        token: the fencing token of its claim; None when the run was not claimed.
        occurrence: the instant that is run, ISO 8601; None when there is none.
        ended_at: when the body ended; a completion that had to wait still says the truth.
        fenced: set when the store refused its completion because the lease had been lost.
        settled: set when its result was stored by whoever of this process ended its claim.
        skipped: set when the body was not begun after all.
        over: set when its result is stored; only its records may still have to be told.
    """

    job_id: str
    id: str
    token: int | None = None
    occurrence: str | None = None
    ended_at: datetime | None = None
    fenced: bool = False
    settled: bool = False
    skipped: bool = False
    over: bool = False

    @property
    def extra(self) -> dict[str, Any]:
        """What every log record about this attempt carries."""
        return {"job_id": self.job_id, "occurrence": self.occurrence, "execution_id": self.id}


# The attempt that this thread (or task) is making: how the fencing token travels to `mark_job_run`
# without a place in its signature. A context variable holds no state of its own.
execution: ContextVar[Execution | None] = ContextVar("hermes_cron_execution", default=None)


def _pid_is_alive(pid: int) -> bool:
    """Whether a process of that id exists on this host; True when that cannot be told."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


@dataclass
class ProcessState:
    """What one gateway or command process knows for as long as it lives.

    Attributes:
        pid: the process id.
        boot_id: tells this process from an earlier one with the same id.
        host: the machine, as it stands in claims. `$HERMES_MACHINE_ID` overrides the host's name.
        pid_is_alive: asks this host about another process.
        identity_of: asks this host what tells a process from an earlier one that had its pid.
        lock: guards `running` and `pending`. Held for dictionary operations only, never over I/O.
        running: the executions that this process holds, queued ones too, by job id.
        pending: writes that failed and wait for the next occasion, oldest first.
        provider: the provider that the gateway of this process runs, if one does.
        fallback: what was configured and why it is not what runs, if so: `configured`, `reason`.
        dispatcher: runs due jobs; made when first needed.
        leases: renews the claims of running jobs; made when first needed.
        slots: caches and notes of single modules, by name.
    """

    pid: int
    boot_id: str
    host: str
    pid_is_alive: Callable[[int], bool] = _pid_is_alive
    identity_of: Callable[[int], str | None] = liveness.identity
    lock: threading.Lock = field(default_factory=threading.Lock)
    running: dict[str, Execution] = field(default_factory=dict)
    pending: list[Callable[[], object]] = field(default_factory=list)
    provider: CronScheduler | None = None
    fallback: dict[str, str | None] | None = None
    dispatcher: Dispatcher | None = None
    leases: LeaseKeeper | None = None
    slots: dict[str, Any] = field(default_factory=dict)

    @property
    def holder(self) -> str:
        """How this process signs its claims, in hermes-agent's form."""
        return f"{self.host}:{self.pid}"

    def is_on(self, job_id: str) -> bool:
        """Whether this process holds the job for a run whose result it has not stored yet."""
        run = self.running.get(job_id)
        return run is not None and not run.over

    def lives_on(self, pid: int, known_as: str | None) -> bool:
        """Whether a pid of this host still is the process whose identity was `known_as`.

        True unless it is known that the process ended or that its pid went to another.

        Args:
            pid: another process than this one.
            known_as: its identity when the evidence was written, None when it could not be told.
        """
        if not self.pid_is_alive(pid):
            return False
        return known_as is None or self.identity_of(pid) == known_as

    def is_gone(self, holder: object, boot_id: object) -> bool:
        """Whether the process that signed a claim is known to be dead.

        False for a process of another host and whenever it cannot be told: such a claim ends by
        its time.
        """
        host, _, pid = str(holder).rpartition(":")
        if host != self.host or not pid.isdecimal() or not isinstance(boot_id, str):
            return False
        if int(pid) == self.pid:
            return boot_id != self.boot_id
        return not self.pid_is_alive(int(pid))


def new_id() -> str:
    """A fresh id for a job, a boot or an execution: 12 hexadecimal characters."""
    return os.urandom(6).hex()


def _boot() -> ProcessState:
    host = os.environ.get("HERMES_MACHINE_ID", "").strip() or platform.node() or "unknown"
    return ProcessState(pid=os.getpid(), boot_id=new_id(), host=host)


_state = _boot()


def current() -> ProcessState:
    """The state of this process. A forked child starts with a fresh one."""
    global _state
    if _state.pid != os.getpid():
        _state = _boot()
    return _state
