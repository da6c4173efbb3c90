"""The kernel of one run: machines and their tasks, in virtual time.

Start here, then `core.py` (the queue and the switch), `tasks.py` (what a task and a machine are),
`primitives.py` (what tasks wait in) and `patches.py` (how code that knows nothing of this gets in):

    kernel = Kernel(start_us=1_772_000_000_000_000)
    with install(kernel, adopt=[provider], zone="Europe/Berlin"):
        kernel.spawn(provider.start, stop, name="ticker", machine=kernel.boot("a"))
        kernel.run(kernel.start_us + 86_400_000_000)
"""

from __future__ import annotations

from _thread import get_ident
from collections.abc import Callable
from random import Random
from typing import Any

from simulator.kernel.core import Core
from simulator.kernel.tape import Tape
from simulator.kernel.tasks import Blocked, Incarnation, MachineClock, Task, retire

__all__ = ["Kernel", "here"]

_TASK = 1
_FIRST_PID = 1001
_FIRST_IDENT = 1_000_001

_installed: Kernel | None = None


def here() -> Kernel | None:
    """The kernel whose run the caller is part of; None for other OS threads and after the run."""
    kernel = _installed
    return kernel if kernel is not None and kernel.thread_ident == get_ident() else None


def set_installed(kernel: Kernel | None) -> None:
    """Say whose run this process is in; `patches.install` does."""
    global _installed
    _installed = kernel


class Kernel(Core):
    """One run: its tasks, its queue, its clock.

    Attributes:
        now_us: True time, microseconds since the epoch.
        current: The running task; None in callbacks and between runs.
        tasks: The unfinished tasks by ident, in order of birth.
        machines: Every incarnation so far.
        clock: What the tasks of no machine see.
        rng: The source of what is random outside of machines.
        events: Entries handled so far, waits that needed no switch included.
        switches: Greenlet switches so far.
        deviations: The choices of the tape that were reached: (task, nth, delay_us, where).
        not_simulated: What was refused so far, by name (see `refusals.py`).
        reachable: Addresses on loopback that the run may really connect to.
        on_not_simulated: Called with each such name.
        on_task_error: Called with (task, exception) for whatever leaves a task; the task ends.
    """

    def __init__(self, *, start_us: int, tape: Tape | None = None) -> None:
        super().__init__(start_us)
        self.tape = Tape() if tape is None else tape
        self.thread_ident = get_ident()
        self.clock = MachineClock(start_us)
        self.rng = Random(f"world/{self.tape.seed}")
        self.machines: list[Incarnation] = []
        self.not_simulated: list[str] = []
        self.reachable: set[tuple[str, int]] = set()
        self.on_not_simulated: Callable[[str], None] = lambda _what: None
        self.on_task_error: Callable[[Task, BaseException], None] = lambda _task, _error: None
        self._counters: dict[str, int] = {}
        self._next_ident = _FIRST_IDENT

    def boot(self, name: str, *, clock: MachineClock | None = None) -> Incarnation:
        """The next life of a machine: "a#1", then "a#2"; hand on its clock if it goes on."""
        number = self.count(f"machine {name}")
        rng = Random(f"{name}#{number}/{self.tape.seed}")
        pid = _FIRST_PID + len(self.machines)
        machine = Incarnation(name, number, clock or MachineClock(self.start_us), pid, rng)
        self.machines.append(machine)
        return machine

    def spawn(
        self,
        fn: Callable[..., object],
        *args: Any,
        name: str,
        machine: Incarnation | None = None,
        delay_us: int = 0,
        daemon: bool = False,
    ) -> Task:
        """A new task that runs `fn(*args)`, ready `delay_us` from now, behind what is ready then.

        It belongs to `machine`, else to the machine of the running task. Its name becomes
        "a#1/NAME", with "~2" behind it where that is taken. A daemon may wait for ever.
        """
        if machine is None and self.current is not None:
            machine = self.current.machine
        if machine is not None and not machine.alive:
            raise RuntimeError(f"{machine.label} is dead and starts no task ({name})")
        full = f"{machine.label}/{name}" if machine else name
        if (nth := self.count(f"task {full}")) > 1:
            full = f"{full}~{nth}"
        task = Task(self, full, self._next_ident, machine, fn=fn, args=args)
        self._next_ident += 1
        task.daemon = daemon
        task.delays = self.tape.of(full)
        self.tasks[task.ident] = task
        self._push(self.now_us + delay_us, _TASK, task, task.epoch)
        return task

    def finished(self, task: Task) -> None:
        """Called by a task at its end."""
        self.tasks.pop(task.ident, None)
        if task.error is not None:
            self.on_task_error(task, task.error)
        for joiner in task.joiners:
            self.unpark(joiner)
        task.joiners.clear()

    # -- machines

    def kill_machine(self, machine: Incarnation, *, leaving: bool = False) -> None:
        """Crash: no task of this incarnation runs again, not even a `finally`.

        What its tasks hold counts as free. Called by one of its own tasks this never returns,
        unless that task is `leaving`: the last one, which returns by itself at once.
        """
        machine.alive = False
        for task in self.of_machine(machine):
            if not (leaving and task is self.current):
                del self.tasks[task.ident]
                retire(task)
        for task in list(self.tasks.values()):
            thing = task.waits_for
            owner = getattr(thing, "owner", None)
            if isinstance(owner, Task) and owner.gone:
                getattr(thing, "owner_died", bool)()
        if self.current is not None and self.current.machine is machine and not leaving:
            self.leave()

    def pause_machine(self, machine: Incarnation, until_us: int) -> None:
        """Suspend: its tasks stand still until `until_us`; what came due meanwhile goes on then."""
        machine.paused_until_us = max(machine.paused_until_us, until_us)
        if self.current is not None and self.current.machine is machine:
            self.park("its machine to resume", max(0, until_us - self.now_us))

    def of_machine(self, machine: Incarnation | None) -> list[Task]:
        """The unfinished tasks of one incarnation, in order of birth."""
        return [task for task in self.tasks.values() if task.machine is machine]

    def blocked(self) -> list[Blocked]:
        """Who waits now, for what, held by whom, since when; in order of birth."""
        return [task.blocked() for task in self.tasks.values() if task.waits_for is not None]

    def left_behind(self, machine: Incarnation) -> list[Blocked]:
        """What keeps a process from ending: who waits for ever or polls, but for idle daemons."""
        return [
            task.blocked()
            for task in self.of_machine(machine)
            if task is not self.current and task.never_ends()
        ]

    def close(self) -> None:
        """End of the world: what has not finished is never resumed, as in a crash."""
        for task in self.tasks.values():
            retire(task)
        self.tasks.clear()
        self._heap.clear()

    def count(self, what: str) -> int:
        """1, 2, 3, ... for each kind of thing."""
        self._counters[what] = nth = self._counters.get(what, 0) + 1
        return nth
