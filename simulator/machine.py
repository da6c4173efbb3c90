"""A machine: one gateway that boots, is killed, comes back; each life is a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from simulator.fake_store import FakeStore
from simulator.kernel import Kernel
from simulator.kernel.primitives import fast_event
from simulator.kernel.tasks import Handle, Incarnation, MachineClock
from simulator.words import text_of

if TYPE_CHECKING:
    from simulator.world import World

__all__ = ["Life", "Machine"]


class Life:
    """One process on a machine, from its boot to its end.

    Attributes:
        machine: Where it runs; "operator" for a command that a person types.
        incarnation: What the kernel knows it as.
        store: Its handle on the disk; dies with it.
        process: What the host's code remembers in it.
        stop_event: Set when it is asked to leave.
    """

    __slots__ = ("incarnation", "machine", "process", "stop_event", "store")

    def __init__(
        self, kernel: Kernel, machine: str, incarnation: Incarnation, store: FakeStore, process: Any
    ) -> None:
        self.machine = machine
        self.incarnation = incarnation
        self.store = store
        self.process = process
        self.stop_event = fast_event(kernel)

    def end(self) -> None:
        """The process is gone: its locks are free, and code of it that still runs has no host."""
        self.store.die()
        self.incarnation.life = None


class Machine:
    """One gateway of the scenario."""

    def __init__(self, world: World, name: str, *, skew_us: int = 0) -> None:
        """A machine that is off. `skew_us` is how far its wall clock is ahead of true time."""
        self.name = name
        self.life: Life | None = None
        self._world = world
        self._comes_back: Handle | None = None
        self._wanted = False  # to come back as soon as the process that leaves has left
        self._clock = MachineClock(world.kernel.start_us, skew_us=skew_us)

    def step_clock(self, us: int) -> None:
        """Let the wall clock jump by `us`; timers and the monotonic clock do not notice."""
        self._clock.step(us)

    @property
    def is_up(self) -> bool:
        """Whether a process runs that was not asked to leave."""
        return self.life is not None and not self.life.stop_event.is_set()

    def boot(self) -> None:
        """Start a process; nothing happens when one runs. One that leaves is waited for."""
        if self.life is not None:
            self._wanted = not self.is_up
            return
        world = self._world
        self._wanted = False
        self.life = life = world.new_life(self.name, self._clock)
        world.history.append(
            "boot", self.name, incarnation=life.incarnation.number, pid=life.incarnation.pid
        )
        world.kernel.spawn(self._live, life, name="gateway", machine=life.incarnation)

    def _live(self, life: Life) -> None:
        """The process' main thread."""
        world = self._world
        try:
            provider = world.target.make()
            world.deliveries.attach(provider)
            world.history.append("up", self.name)
            world.host.run_gateway(provider, life.stop_event, interval_s=world.scenario.interval)
        except BaseException as error:
            # What leaves the main thread ends a process, whatever it is.
            world.history.append(
                "task.raised",
                self.name,
                task="gateway",
                error=type(error).__name__,
                text=text_of(error),
            )
        self._end(life, "stopped", leaving=True)

    @property
    def answers(self) -> bool:
        """Whether somebody outside would get an answer: it is up, and not suspended."""
        life, now_us = self.life, self._world.kernel.now_us
        return life is not None and self.is_up and life.incarnation.paused_until_us <= now_us

    def suspend(self, us: int) -> None:
        """Let everything on it stand still for so long, as a laptop that sleeps; clocks go on."""
        if self.life is not None:
            kernel = self._world.kernel
            kernel.pause_machine(self.life.incarnation, kernel.now_us + us)

    def stop(self, *, back_after_us: int | None = None) -> None:
        """Ask the process to leave, as SIGTERM does.

        Args:
            back_after_us: Boot again this much later, but not before the process has left.
        """
        self._plan_return(back_after_us)
        if self.life is not None and not self.life.stop_event.is_set():
            self._world.history.append("stop.requested", self.name)
            self.life.stop_event.set()

    def crash(self, *, back_after_us: int | None = None) -> None:
        """Kill the process where it stands. Called by a task of it, this never returns.

        Args:
            back_after_us: Boot again this much later; None: only a `restart` step brings it back.
                What an earlier crash or stop said about that no longer counts.
        """
        life = self.life
        self._plan_return(back_after_us)
        if life is not None:
            self._end(life, "crash")

    def _plan_return(self, back_after_us: int | None) -> None:
        if self._comes_back is not None:
            self._comes_back.cancel()
        self._wanted = False
        later = self._world.later
        self._comes_back = later(back_after_us, self.boot) if back_after_us is not None else None

    def _end(self, life: Life, kind: str, *, leaving: bool = False) -> None:
        if self.life is not life:
            return
        self.life = None
        if leaving:
            self._world.tell_leaked(self._world.kernel.left_behind(life.incarnation))
        self._world.history.append(kind, self.name)
        life.end()
        if self._wanted:
            self._world.later(1, self.boot)
        self._world.kernel.kill_machine(life.incarnation, leaving=leaving)

    def run(self, name: str, call: Callable[[Life], None]) -> None:
        """Run `call` in a task of the living process."""
        life = self.life
        assert life is not None, f"machine {self.name} is off"
        self._world.kernel.spawn(call, life, name=name, machine=life.incarnation)
