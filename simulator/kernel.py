"""Tasks, the event queue and virtual time: blocking code as greenlets under one total order.

Start here: `Kernel.run` pops the queue, `Kernel.park` is where a task waits. Everything that
happens is an entry (time in us, priority, serial) in one queue; equal times go by priority, then in
the order in which they were made. A task runs until it waits, nothing interrupts it, and a task
that waits while nothing else comes first goes on without a switch. Primitives are in
`primitives.py`; `patches.py` puts them under code that knows nothing of this.
"""

from __future__ import annotations

import gc
from _thread import get_ident
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from random import Random
from typing import Any

from greenlet import getcurrent, greenlet

from simulator.tape import Tape
from simulator.tasks import (
    Blocked,
    Deadlock,
    Handle,
    Incarnation,
    Livelock,
    MachineClock,
    OutsideTask,
    Task,
    retire,
)

__all__ = ["Kernel", "here"]

GC_EVERY = 20_000  # events between two garbage collections
SPIN_LIMIT = 100_000  # looks at the clock or at a lock without waiting, before each costs time
SPIN_US = 1_000  # what each costs then
LIVELOCK_EVENTS = 1_000_000  # events at one instant that are called a livelock

_CALLBACK, _TASK = 0, 1  # priorities: what the world does at an instant goes before what tasks do
_FAR = 1 << 62

_installed: Kernel | None = None


def here() -> Kernel | None:
    """The kernel whose run the caller is part of; None for other OS threads and after the run."""
    kernel = _installed
    return kernel if kernel is not None and kernel.thread_ident == get_ident() else None


class Kernel:
    """One run: its tasks, its queue, its clock.

    Attributes:
        now_us: True time, microseconds since the epoch.
        current: The running task; None in callbacks and between runs.
        events: Entries handled so far, waits that needed no switch included.
        switches: Greenlet switches so far.
        deviations: The choices of the tape that were reached: (task, nth, delay_us, where).
        on_task_error: Called with (task, exception) for whatever leaves a task.
        not_simulated: What was refused so far (see `refusals.py`).
    """

    def __init__(self, *, start_us: int, tape: Tape | None = None) -> None:
        self.start_us = self.now_us = start_us
        self.tape = Tape() if tape is None else tape
        self.thread_ident = get_ident()
        self.current: Task | None = None
        self.clock = MachineClock(start_us)
        self.rng = Random(f"world/{self.tape.seed}")
        self.events = self.switches = 0
        self.deviations: list[tuple[str, int, int, str]] = []
        self.on_task_error: Callable[[Task, BaseException], None] = lambda _task, _error: None
        self.on_not_simulated: Callable[[str], None] = lambda _what: None
        self.not_simulated: list[str] = []
        self.tasks: dict[int, Task] = {}  # unfinished ones by ident, in order of birth
        self.running = False
        self._heap: list[tuple[int, int, int, Any, int]] = []
        self._serial = self._idents = self._stale = self._stuck = 0
        self._until = -1
        self._attention_at = GC_EVERY
        self._gc_at = GC_EVERY
        self._failure: BaseException | None = None
        self._hub: greenlet = getcurrent()
        self.machines: list[Incarnation] = []
        self._counters: dict[str, int] = {}

    # -- making things happen

    def boot(self, name: str, *, clock: MachineClock | None = None) -> Incarnation:
        """The next incarnation of a machine: 'a#1', 'a#2', ...; its clock outlives it if handed on."""
        number = self.count(f"machine {name}")
        rng = Random(f"{name}#{number}/{self.tape.seed}")
        pid = 1001 + len(self.machines)
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
        """A new task, ready `delay_us` from now, behind what is ready then.

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
        self._idents += 1
        task = Task(self, full, 1_000_000 + self._idents, machine, fn, args, daemon)
        task.delays = self.tape.of(full)
        self.tasks[task.ident] = task
        self._push(self.now_us + delay_us, _TASK, task, task.epoch)
        return task

    def call_at(self, us: int, fn: Callable[..., object], *args: Any) -> Handle:
        """Call `fn(*args)` at `us` outside of any task; it must not wait. Before tasks of that instant."""
        if us < self.now_us:
            raise ValueError(f"time can't go backwards: {us} is before {self.now_us}")
        handle = Handle(fn, args)
        self._push(us, _CALLBACK, handle, 0)
        return handle

    def fail(self, error: BaseException) -> None:
        """End the run: `run` raises `error` as soon as the running task waits."""
        self._failure = self._failure or error
        self._attention_at = -1

    # -- waiting

    def sleep_us(self, us: int) -> None:
        """The running task waits `us` microseconds; 0 lets others at this instant go first."""
        self.decision()
        self.park("sleep", max(us, 0))

    def park(self, waits_for: object, timeout_us: int | None = None) -> bool:
        """The running task waits until `unpark` (True) or until the time is over (False).

        `waits_for` says what for, in the report of a deadlock: a text, or an object with
        `describe()` and `owner`.
        """
        task = self.current
        if task is None:
            raise OutsideTask(f"nothing can wait outside a task ({waits_for})")
        task.spins = 0
        if timeout_us is not None:
            if timeout_us <= 0:
                timeout_us = SPIN_US if self._stuck > SPIN_LIMIT else 0
            heap = self._heap
            wake = self.now_us + timeout_us
            if (
                wake <= self._until
                and (not heap or heap[0][0] > wake)
                and self.events < self._attention_at
            ):
                self.events += 1
                self._stuck = 0 if timeout_us else self._stuck + 1
                self.now_us = wake
                return False
            self._serial += 1
            heappush(heap, (wake, _TASK, self._serial, task, task.epoch))
            task.timed = True
        task.waits_for = waits_for
        task.since_us = self.now_us
        task.woken = False
        self._switch(task)
        task.waits_for = None
        task.timed = False
        return task.woken

    def unpark(self, task: Task) -> bool:
        """Make a waiting task ready, behind what is ready now; False if it does not wait any more."""
        if task.waits_for is None or task.woken or task.gone:
            return False
        task.woken = True
        task.epoch += 1
        if task.timed:
            self._drop_one()
        self._push(self.now_us, _TASK, task, task.epoch)
        return True

    def decision(self) -> None:
        """The running task passes a point at which the tape may hold it back (a seam)."""
        task = self.current
        if task is not None:
            task.decisions = nth = task.decisions + 1
            if task.delays is not None and nth in task.delays:
                self.deviate(task, nth)

    def deviate(self, task: Task, nth: int) -> None:
        """Hold the running task back as the tape says."""
        assert task.delays is not None
        delay_us = task.delays[nth]
        self.deviations.append((task.name, nth, delay_us, task.where()))
        self.park("a choice of the tape", delay_us)

    def count_spin(self, task: Task) -> None:
        """The running task looked at something without waiting; too often means that it polls.

        Real polling takes time, so each further look costs a millisecond: a loop that polls a lock
        until a deadline ends here as well.
        """
        task.spins = spins = task.spins + 1
        if spins > SPIN_LIMIT:
            self.park("a polling loop", SPIN_US)
            task.spins = spins

    # -- machines

    def kill_machine(self, machine: Incarnation) -> None:
        """Crash: no task of this incarnation runs again, not even a `finally`.

        Locks that its tasks hold count as free. Called by one of its own tasks this never returns.
        """
        machine.alive = False
        for task in self.of_machine(machine):
            del self.tasks[task.ident]
            retire(task)
        for task in list(self.tasks.values()):
            owner = getattr(task.waits_for, "owner", None)
            if isinstance(owner, Task) and owner.gone:
                task.waits_for.owner_died()  # type: ignore[union-attr]
        if self.current is not None and self.current.machine is machine:
            self.current = None
            self._hub.switch()

    def pause_machine(self, machine: Incarnation, until_us: int) -> None:
        """Suspend: its tasks stand still until `until_us`, then what came due meanwhile goes on."""
        machine.paused_until_us = max(machine.paused_until_us, until_us)
        if self.current is not None and self.current.machine is machine:
            self.park("its machine to resume", max(0, until_us - self.now_us))

    # -- running

    def run(self, until_us: int) -> str:
        """Handle everything up to and including `until_us`; says why it ended: "until" or "idle".

        Raises:
            Deadlock: Nothing is scheduled any more and a task that is no daemon waits for ever.
            Livelock: A million events at one instant.
            BaseException: What a callback raised, or was handed to `fail`.
        """
        if self.running:
            raise RuntimeError("the kernel runs already")
        self._enter(until_us)
        try:
            while True:
                task = self._pick()
                if task is not None:
                    self.switches += 1
                    task.switch()
                    self.current = None
                elif (reason := self._attend()) is not None:
                    return reason
        finally:
            self.running = False
            self.current = None

    def close(self) -> None:
        """End of the world: what has not finished is never resumed, as in a crash."""
        for task in list(self.tasks.values()):
            retire(task)
        self.tasks.clear()
        self._heap.clear()

    def blocked(self) -> list[Blocked]:
        """Who waits now, for what, held by whom, since when; in order of birth."""
        return [task.blocked() for task in self.tasks.values() if task.waits_for is not None]

    # -- inside

    def _enter(self, until_us: int) -> None:
        self._hub = getcurrent()
        for task in self.tasks.values():
            task.adopt(self._hub)
        self._until = until_us
        self.running = True

    def _push(self, us: int, priority: int, target: object, epoch: int) -> None:
        self._serial += 1
        heappush(self._heap, (us, priority, self._serial, target, epoch))

    def _drop_one(self) -> None:
        """One entry of the queue will not count; throw such entries out when they are the most."""
        self._stale += 1
        if self._stale > 64 and self._stale * 2 > len(self._heap):  # noqa: PLR2004 - any size does
            self._heap = [e for e in self._heap if type(e[3]) is Handle or e[3].epoch == e[4]]
            heapify(self._heap)
            self._stale = 0

    def _pick(self) -> Task | None:
        """The task that is next, made current; None when the hub has to look first."""
        heap = self._heap
        while heap and self.events < self._attention_at:
            entry = heap[0]
            us, _, serial, task, epoch = entry
            if us > self._until or type(task) is Handle:
                return None
            heappop(heap)
            if task.epoch != epoch or task.gone:
                self._stale = max(0, self._stale - 1)
                continue
            machine = task.machine
            if machine is not None and machine.paused_until_us > us:
                heappush(heap, (machine.paused_until_us, _TASK, serial, task, epoch))
                continue
            task.epoch = epoch + 1
            self._count(us)
            self.current = task
            return task  # type: ignore[no-any-return]
        return None

    def _count(self, us: int) -> None:
        self.events += 1
        if us > self.now_us:
            self.now_us = us
            self._stuck = 0
            return
        self._stuck += 1
        if self._stuck > LIVELOCK_EVENTS:
            names = ", ".join(task.name for task in self.tasks.values())
            self.fail(Livelock(f"{LIVELOCK_EVENTS} events at one instant, among tasks {names}"))

    def _switch(self, task: Task) -> None:
        """Leave a task that waits: straight to the next one, or to the hub."""
        following = self._pick()
        if following is task:
            return
        self.switches += 1
        if following is None:
            self.current = None
            self._hub.switch()
        else:
            following.switch()

    def _attend(self) -> str | None:
        """What only the hub does: failures, garbage, callbacks, the end. A reason ends the run."""
        if self._failure is not None:
            failure, self._failure = self._failure, None
            self._attention_at = self._gc_at
            raise failure
        if self.events >= self._gc_at:
            self._gc_at = self._attention_at = self.events + GC_EVERY
            gc.collect()
            return None
        heap = self._heap
        if heap and type(heap[0][3]) is Handle and heap[0][3].cancelled:
            heappop(heap)
            return None
        if heap and heap[0][0] <= self._until:
            us, _, _, handle, _ = heappop(heap)
            self._count(us)
            handle.fn(*handle.args)
            return None
        if heap:
            self.now_us = self._until
            return "until"
        waiting = [task.blocked() for task in self.tasks.values() if not task.daemon]
        if waiting:
            raise Deadlock(waiting)
        self.now_us = max(self.now_us, min(self._until, _FAR))
        return "idle"

    def finished(self, task: Task, error: BaseException | None) -> None:
        """Called by a task at its end."""
        self.tasks.pop(task.ident, None)
        if error is not None:
            self.on_task_error(task, error)
        for joiner in task.joiners:
            self.unpark(joiner)
        task.joiners.clear()

    def of_machine(self, machine: Incarnation | None) -> list[Task]:
        """The unfinished tasks of one incarnation, in order of birth."""
        return [task for task in self.tasks.values() if task.machine is machine]

    def count(self, what: str) -> int:
        """1, 2, 3, ... for each kind of thing."""
        self._counters[what] = nth = self._counters.get(what, 0) + 1
        return nth

    def abandon(self, error: BaseException) -> None:
        """End the run now: leave the running task where it is, for good, and raise `error`."""
        task = self.current
        self.fail(error)
        if task is not None:
            self.tasks.pop(task.ident, None)
            retire(task)
            self.current = None
            self._hub.switch()


def set_installed(kernel: Kernel | None) -> None:
    """Say whose run this process is in; `patches.install` does."""
    global _installed
    _installed = kernel
