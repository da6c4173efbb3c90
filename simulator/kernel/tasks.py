"""What the kernel runs: tasks, the machines they belong to, and what is said of their waits."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath
from random import Random
from types import FrameType
from typing import TYPE_CHECKING, Any

from greenlet import getcurrent, greenlet  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from simulator.kernel import Kernel

__all__ = [
    "POLLING",
    "Blocked",
    "Deadlock",
    "Handle",
    "Hang",
    "Incarnation",
    "Livelock",
    "MachineClock",
    "OutsideTask",
    "Task",
    "retire",
]

_HOUR_US = 3_600_000_000
_HERE = PurePath(__file__).parent.parent
_INNER = ("threading.py", "queue.py", "_base.py", "thread.py", "sched.py")
POLLING = "nothing, it polls"
_retired: list[greenlet] = []


class OutsideTask(RuntimeError):  # noqa: N818 - reads as what it says
    """Something waited where nothing can: in a callback of the kernel or between two runs."""


class Livelock(RuntimeError):  # noqa: N818 - the field's word
    """Events without end at one instant."""


class Hang(RuntimeError):  # noqa: N818 - the field's word
    """A task computes, or sits in a real lock, for real seconds without reaching the kernel."""


@dataclass(frozen=True)
class Blocked:
    """One task that waits: for what, held by whom (None: nobody), since when, at which line."""

    task: str
    waits_for: str
    held_by: str | None
    since_us: int
    where: str

    def __str__(self) -> str:
        held = f", held by {self.held_by}" if self.held_by else ""
        return f"{self.task} waits for {self.waits_for}{held} ({self.where})"


class Deadlock(RuntimeError):  # noqa: N818 - the field's word
    """Nothing is scheduled any more and these tasks wait for ever."""

    def __init__(self, blocked: list[Blocked]) -> None:
        super().__init__("nothing can happen any more: " + "; ".join(map(str, blocked)))
        self.blocked = blocked


class MachineClock:
    """What one machine's clocks show: true time plus an offset, and a monotonic clock apart.

    Attributes:
        wall_offset_us: Wall clock minus true time: skew and steps.
        monotonic_origin_us: The true time at which the monotonic clock was 0.
    """

    __slots__ = ("monotonic_origin_us", "wall_offset_us")

    def __init__(self, start_us: int, *, skew_us: int = 0) -> None:
        self.wall_offset_us = skew_us
        self.monotonic_origin_us = start_us - _HOUR_US

    def step(self, us: int) -> None:
        """Move the wall clock by `us`, forward or back; the monotonic clock does not notice."""
        self.wall_offset_us += us

    def wall_us(self, true_us: int) -> int:
        """Microseconds since the epoch on this machine's wall clock."""
        return true_us + self.wall_offset_us

    def monotonic_us(self, true_us: int) -> int:
        """Microseconds on this machine's monotonic clock."""
        return true_us - self.monotonic_origin_us


class Incarnation:
    """One life of one machine's process, from boot to crash or end: "a#1", then "a#2".

    Attributes:
        alive: False once it was killed; no task of it runs again.
        paused_until_us: Its tasks stand still until then (suspended machine).
        pid: What `os.getpid()` says there.
        rng: The source of what is random there.
        counters: Numbers for names, such as "Thread-1".
        life: What a world keeps for this life; None before it and after its end.
    """

    __slots__ = (
        "alive", "clock", "counters", "life", "name", "number", "paused_until_us", "pid", "rng"
    )  # fmt: skip

    def __init__(self, name: str, number: int, clock: MachineClock, pid: int, rng: Random) -> None:
        self.name, self.number, self.clock, self.pid, self.rng = name, number, clock, pid, rng
        self.alive = True
        self.paused_until_us = 0
        self.counters: dict[str, int] = {}
        self.life: Any = None

    @property
    def label(self) -> str:
        """The name with the number of the life."""
        return f"{self.name}#{self.number}"

    def count(self, what: str) -> int:
        """1, 2, 3, ... for each kind of thing."""
        self.counters[what] = nth = self.counters.get(what, 0) + 1
        return nth

    def __repr__(self) -> str:
        return f"<Incarnation {self.label}{'' if self.alive else ' dead'}>"


class Handle:
    """A callback in the queue."""

    __slots__ = ("args", "cancelled", "fn")

    def __init__(self, fn: Callable[..., object], args: tuple[Any, ...]) -> None:
        self.fn, self.args = fn, args
        self.cancelled = False

    def call(self) -> None:
        """Call it, and let go of what it holds: that often holds this handle."""
        fn, args = self.fn, self.args
        self.fn, self.args = _nothing, ()
        fn(*args)

    def cancel(self) -> None:
        """It will not be called; after the call this does nothing."""
        self.cancelled = True
        self.fn, self.args = _nothing, ()


class Task:
    """Blocking code that runs as a greenlet.

    Attributes:
        name: "a#1/ticker"; unique in the run.
        ident: What `threading.get_ident()` says in it.
        machine: The incarnation that it belongs to, None for the world's own.
        decisions: How many points it passed at which the tape could have held it back.
        waits_for: What it waits for, None while it is ready or running.
        done: It returned or raised.
        gone: It will never run again although it did not end: a crash, or the end of the world.
        error: What left it, if anything did.
        resting: A worker without work: no code but the simulator's is on its stack, and it leaves
            when it is resumed as `gone`.
    """

    __slots__ = (
        "args", "clock", "daemon", "decisions", "delays", "done", "epoch", "error", "fn", "glet",
        "gone", "ident", "joiners", "kernel", "machine", "name", "resting", "since_us", "spins",
        "timed", "waits_for", "woken",
    )  # fmt: skip

    def __init__(
        self,
        kernel: Kernel,
        name: str,
        ident: int,
        machine: Incarnation | None,
        *,
        fn: Callable[..., object],
        args: tuple[Any, ...],
    ) -> None:
        self.kernel, self.name, self.ident, self.machine = kernel, name, ident, machine
        self.fn, self.args = fn, args
        self.daemon = False
        self.clock = machine.clock if machine is not None else kernel.clock
        self.glet: greenlet | None = None
        self.delays: dict[int, int] | None = None
        self.epoch = self.decisions = self.spins = self.since_us = 0
        self.done = self.gone = self.woken = self.timed = self.resting = False
        self.waits_for: object | None = None
        self.error: BaseException | None = None
        self.joiners: list[Task] = []

    def switch(self) -> None:
        """Go on with this task; a new one starts with an empty context, like a real thread."""
        if self.glet is None:
            self.glet = greenlet(self._main, parent=self.kernel.hub)
        self.glet.switch()

    def return_to(self, hub: greenlet) -> None:
        """Return to `hub` at the end."""
        if self.glet is not None and self.glet.parent is not hub:
            self.glet.parent = hub

    def _main(self) -> None:
        try:
            self.fn(*self.args)
        except BaseException as error:  # whatever it is, it ends this task only
            self.error = error
        self.done = True
        self.fn, self.args = _nothing, ()
        if not self.gone:
            self.kernel.finished(self)

    def where(self) -> str:
        """The innermost line outside the simulator and, if any is, the threading machinery."""
        frame: FrameType | None = self.glet.gr_frame if self.glet is not None else None
        if self.kernel.current is self:
            frame = sys._getframe(1)  # noqa: SLF001 - the only way to one's own line
        inner = "not started" if self.glet is None else "unknown line"
        while frame is not None:
            path = PurePath(frame.f_code.co_filename)
            if not path.is_relative_to(_HERE):
                inner = f"{path.name}:{frame.f_lineno} in {frame.f_code.co_name}"
                if path.name not in _INNER:
                    break
            frame = frame.f_back
        return inner

    def blocked(self) -> Blocked:
        """This wait, for people."""
        what = self.waits_for
        describe = getattr(what, "describe", None)
        text = describe() if describe is not None else _phrase(what)
        owner = getattr(what, "owner", None)
        held_by = owner.name if isinstance(owner, Task) else None
        return Blocked(self.name, text, held_by, self.since_us, self.where())

    def never_ends(self) -> bool:
        """Whether it polls, or waits for ever for what somebody holds or as one that has to end."""
        if self.waits_for is None or self.resting:
            return False
        if self.timed:
            return self.waits_for == POLLING
        owner = getattr(self.waits_for, "owner", None)
        by_another = (
            isinstance(owner, Task) and owner is not self
        )  # a Condition's wait is one's own
        return not self.daemon or by_another

    def describe(self) -> str:
        """As something that another task waits for."""
        return f"the end of {self.name}"

    def __repr__(self) -> str:
        return f"<Task {self.name}>"


def _phrase(what: object) -> str:
    if isinstance(what, str):
        return what
    return "nothing" if what is None else f"an {type(what).__name__}"


def _nothing() -> None:
    pass


def retire(task: Task) -> None:
    """Never resume `task`, and never let its greenlet be freed.

    A greenlet that is freed has GreenletExit thrown into it: its `finally` blocks run, a loop that
    survives everything goes on ticking. So it stays referenced, also while the interpreter
    shuts down and clears this module. One that rests has nothing to run, and is let go.
    """
    task.gone = True
    task.epoch += 1
    if task.resting and task.glet is not None:
        task.return_to(getcurrent())
        task.glet.switch()
    elif task.glet is not None and not task.glet.dead and task.glet:
        _retired.append(task.glet)
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(task.glet))
