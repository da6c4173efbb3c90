"""The queue, the virtual clock and the switch; `kernel.py` builds machines and tasks on it.

Everything that happens is an entry (time in us, priority, serial) in one queue: equal times go by
priority, then in the order in which they were made. A task runs until it waits; nothing
interrupts it. A task that waits while nothing else comes first goes on without a switch, one that
does have to wait switches straight to the next. Callbacks, failures and garbage are the hub's: the
greenlet that called `run`.
"""

from __future__ import annotations

import gc
from asyncio import _get_running_loop, _set_running_loop
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Any

from greenlet import getcurrent, greenlet  # type: ignore[import-untyped]

from simulator.kernel.tasks import (
    POLLING,
    Deadlock,
    Handle,
    Livelock,
    OutsideTask,
    Task,
    retire,
)

__all__ = ["SPIN_LIMIT", "Core"]

GC_EVERY = 20_000  # events between two garbage collections
SPIN_LIMIT = 100_000  # looks at the clock or at a lock without waiting, before each costs time
SPIN_US = 1_000  # what each costs then; more when it goes on
_SPINS_A_STEP, _MOST_STEPS = 10_000, 50
LIVELOCK_EVENTS = 200_000  # events at one instant that are called a livelock
_MIN_STALE = 64  # dead entries in the queue that are worth a clean-up

_CALLBACK, _TASK = 0, 1  # priorities: what the world does at an instant goes before the tasks


def _cost_us(spins: int) -> int:
    """What one more look costs a task that polls: an hour of it may not take minutes."""
    return SPIN_US * min(_MOST_STEPS, 1 + (spins - SPIN_LIMIT) // _SPINS_A_STEP)


class Core:
    """See `Kernel`."""

    def __init__(self, start_us: int) -> None:
        self.start_us = self.now_us = start_us
        self.current: Task | None = None
        self.tasks: dict[int, Task] = {}
        self.events = self.switches = 0
        self.running = False
        self.most_events: int | None = None  # then the run ends, looked at every `GC_EVERY`
        self.deviations: list[tuple[str, int, int, str]] = []
        self.hub: greenlet = getcurrent()
        self._heap: list[tuple[int, int, int, Any, int]] = []
        self._serial = self._stale = self._stuck = 0
        self._until = -1
        self._gc_at = self._attention_at = GC_EVERY  # events at which the hub has to look
        self._failure: BaseException | None = None
        self._starting: Task | None = None  # picked, and not begun yet

    # -- making things happen

    def call_at(self, us: int, fn: Callable[..., object], *args: Any) -> Handle:
        """Call `fn(*args)` at `us`, before the tasks of that instant and outside of any task.

        It must not wait. What it raises ends the run.
        """
        if us < self.now_us:
            raise ValueError(f"time can't go backwards: {us} is before {self.now_us}")
        handle = Handle(fn, args)
        self._push(us, _CALLBACK, handle, 0)
        return handle

    def fail(self, error: BaseException) -> None:
        """End the run: `run` raises `error` as soon as the running task waits."""
        self._failure = self._failure or error
        self._attention_at = -1

    def abandon(self, error: BaseException) -> None:
        """End the run now: leave the running task where it is, for good, and raise `error`."""
        task = self.current
        self.fail(error)
        if task is not None:
            self.tasks.pop(task.ident, None)
            retire(task)
            self.leave()

    def leave(self) -> None:
        """Switch to the hub; the running task comes back only if the queue holds it."""
        self.current = None
        _set_running_loop(None)
        self.hub.switch()

    # -- waiting

    def sleep_us(self, us: int) -> None:
        """The running task waits `us` microseconds; 0 lets others at this instant go first."""
        self.decision()
        self.park("sleep", max(us, 0))

    def park(self, waits_for: object, timeout_us: int | None = None) -> bool:
        """The running task waits until `unpark` (True) or until the time is over (False).

        `waits_for` says what for in the report of a deadlock: a text, or an object that may have
        `describe() -> str`, an `owner` (the task that holds it) and `owner_died()`.
        """
        task = self.current
        if task is None:
            raise OutsideTask(f"nothing can wait outside a task ({waits_for})")
        if timeout_us is None or timeout_us > 0:
            task.spins = 0
        else:
            task.spins += 1
            timeout_us = 0
            if task.spins > SPIN_LIMIT:
                waits_for, timeout_us = POLLING, _cost_us(task.spins)
        if timeout_us is not None:
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
            self._serial = serial = self._serial + 1
            heappush(heap, (wake, _TASK, serial, task, task.epoch))
            task.timed = True
        task.waits_for = waits_for
        task.since_us = self.now_us
        task.woken = False
        loop = _get_running_loop()
        if loop is None:
            self._switch(task)
        else:  # asyncio asks the OS thread which loop is running
            _set_running_loop(None)
            self._switch(task)
            _set_running_loop(loop)
        task.waits_for = None
        task.timed = False
        return task.woken

    def unpark(self, task: Task) -> bool:
        """Make a waiting task ready, behind what is ready now; False if it waits no more."""
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

        Real polling takes time, so each further look costs a millisecond, later up to 50: a loop
        that polls a lock until a deadline ends here as well.
        """
        task.spins += 1
        if task.spins > SPIN_LIMIT:
            self.polls(task)

    def polls(self, task: Task) -> None:
        """The running task has looked too often: this look costs time."""
        spins = task.spins
        self.park(POLLING, _cost_us(spins))
        task.spins = spins

    # -- running

    def run(self, until_us: int) -> str:
        """Handle everything up to and including `until_us`; the clock stands there afterwards.

        Returns:
            "until" when more is scheduled later, "idle" when nothing is.

        Raises:
            Deadlock: Nothing is scheduled any more and a task that is no daemon waits for ever.
            Livelock: `LIVELOCK_EVENTS` events at one instant, or more than `most_events` in all.
            BaseException: What a callback raised, or what was handed to `fail`.
        """
        if self.running:
            raise RuntimeError("the kernel runs already")
        self.hub = getcurrent()
        for task in self.tasks.values():
            task.return_to(self.hub)
        self._until = until_us
        self.running = True
        try:
            while True:
                following = self._starting or self._pick()
                if following is not None:
                    self._starting = None
                    self.switches += 1
                    self.current = following
                    following.switch()
                    self.current = None
                elif (reason := self._attend()) is not None:
                    return reason
        finally:
            self.running = False
            self.current = None

    # -- inside

    def _push(self, us: int, priority: int, target: object, epoch: int) -> None:
        self._serial += 1
        heappush(self._heap, (us, priority, self._serial, target, epoch))

    def _drop_one(self) -> None:
        """One entry will not count; such entries are thrown out when they are the most."""
        self._stale += 1
        if self._stale > _MIN_STALE and self._stale * 2 > len(self._heap):
            self._heap = [e for e in self._heap if type(e[3]) is Handle or e[3].epoch == e[4]]
            heapify(self._heap)
            self._stale = 0

    def _pick(self) -> Task | None:
        """The task that is next, made current; None when the hub has to look first."""
        heap = self._heap
        while heap and self.events < self._attention_at:
            us, _, serial, task, epoch = heap[0]
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
            self.events += 1  # as `_count`, in line
            if us > self.now_us:
                self.now_us, self._stuck = us, 0
            else:
                self._stuck = stuck = self._stuck + 1
                if stuck > LIVELOCK_EVENTS:
                    self._fail_stuck()
            self.current = task
            return task  # type: ignore[no-any-return]
        return None

    def _count(self, us: int) -> None:
        self.events += 1
        self._stuck = 0 if us > self.now_us else self._stuck + 1
        self.now_us = max(us, self.now_us)
        if self._stuck > LIVELOCK_EVENTS:
            self._fail_stuck()

    def _fail_stuck(self) -> None:
        at_once = f"{LIVELOCK_EVENTS} events at one instant"
        self.fail(Livelock(f"{at_once}, among tasks {self._names()}"))

    def _names(self) -> str:
        return ", ".join(task.name for task in self.tasks.values())

    def _switch(self, task: Task) -> None:
        """Leave a task that waits: straight to the next one, or to the hub."""
        following = self._pick()
        if following is task:
            return
        self.switches += 1
        if following is None:
            self.leave()
        elif following.glet is None:
            # The stack of a new task is taken to be as deep as that of who starts it: the hub does,
            # or a hundred tasks, each started by the one before, end in a RecursionError.
            self._starting = following
            self.leave()
        else:
            following.glet.switch()

    def _attend(self) -> str | None:
        """What only the hub does: failures, garbage, callbacks, the end; a reason ends the run."""
        if self._failure is not None:
            failure, self._failure = self._failure, None
            self._attention_at = self._gc_at
            raise failure
        if self.events >= self._gc_at:
            self._gc_at = self._attention_at = self.events + GC_EVERY
            gc.collect()
            if self.most_events is not None and self.events > self.most_events:
                raise Livelock(f"more than {self.most_events} events, among tasks {self._names()}")
            return None
        heap = self._heap
        if heap and type(heap[0][3]) is Handle and heap[0][3].cancelled:
            heappop(heap)
            return None
        if heap and heap[0][0] <= self._until:
            us, _, _, handle, _ = heappop(heap)
            self._count(us)
            handle.call()
            return None
        self.now_us = max(self.now_us, self._until)
        if heap:
            return "until"
        waiting = [task.blocked() for task in self.tasks.values() if not task.daemon]
        if waiting:
            raise Deadlock(waiting)
        return "idle"
