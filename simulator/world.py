"""One run: wires clock, store, registry and machines, and lets them run to the horizon.

Start here: `simulate(scenario, target)` gives a `Run` with the history; judging it is
`simulator.verdict`'s affair. Same scenario, same provider, same tape: the same history, byte for
byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC
from functools import cache
from importlib.metadata import version
from typing import Any

from simulator.deliveries import Deliveries
from simulator.fake_store import FakeStore
from simulator.faults import FaultPlan
from simulator.history import History
from simulator.hosts import Host, reference_host
from simulator.kernel import Kernel, patches
from simulator.kernel.tape import Tape
from simulator.kernel.tasks import (
    Blocked,
    Deadlock,
    Handle,
    Hang,
    Incarnation,
    Livelock,
    MachineClock,
    Task,
)
from simulator.machine import Life, Machine
from simulator.operator import Operator
from simulator.registry import FakeRegistry, cannot_strike, declared
from simulator.registry_run import WatchfulHistory
from simulator.scenario import Scenario
from simulator.stage import RunStage
from simulator.target import Target
from simulator.volume import Volume
from simulator.words import text_of

__all__ = ["Run", "World", "simulate"]

SETTLE_US = 60_000_000  # what machines get to leave, once they were asked at the horizon
STATUS_LOOKS = 8  # at even distances, besides those after faults
STATUS_AFTER_FAULT_US = 90_000_000
MAX_FAULT_LOOKS = 20


@dataclass(frozen=True)
class Run:
    """What a run left behind.

    Attributes:
        scenario: Its input.
        target: The label of the provider.
        history: All that was seen.
        events: How many entries of the queue were handled.
        choices: Choices of the tape that were reached.
        never_fired: Indices of faults that did not strike once.
    """

    scenario: Scenario
    target: str
    history: History
    events: int
    choices: int
    never_fired: tuple[int, ...]


def simulate(
    scenario: Scenario,
    target: Target,
    *,
    host: Host | None = None,
    tape: Tape | None = None,
    jobs_file: bytes | None = None,
    most_events: int | None = None,
) -> Run:
    """Run `scenario` with the provider `target`.

    Args:
        scenario: What stands, is done and goes wrong.
        target: The provider; made anew at each boot.
        host: The code around it; this distribution's own when not given.
        tape: The choices that deviate from first-in-first-out, instead of the scenario's own.
        jobs_file: What stands in the jobs file at the start, besides the scenario's own jobs.
        most_events: After about so many the run ends as a livelock; None lets a provider spin to
            the horizon.
    """
    world = World(scenario, target, host or reference_host(), tape or scenario.tape, jobs_file)
    world.kernel.most_events = most_events
    return world.run()


class World:
    """Everything in one run.

    Attributes:
        kernel: Tasks and true time.
        history: What is seen.
        plan: What goes wrong.
        volume: The disk that the machines share.
        machines: The gateways, by name.
        minted: Fire tokens of this run and their claims.
        fake: The registry of this run, where it is not NAS.
    """

    def __init__(
        self,
        scenario: Scenario,
        target: Target,
        host: Host,
        tape: Tape,
        jobs_file: bytes | None = None,
    ) -> None:
        """Wire everything; nothing happens yet."""
        self.scenario, self.target, self.host = scenario, target, host
        start = scenario.start.replace(tzinfo=scenario.tz).astimezone(UTC)
        self.kernel = Kernel(start_us=round(start.timestamp() * 1_000_000), tape=tape)
        header = _header(scenario, target, tape)
        header["configured"] = target.label if target.label in host.bundled() else ""
        self.fake: FakeRegistry | None = target.registry() if target.registry else None
        if self.fake is not None:
            header["registry"] = declared(self.fake)
            self.kernel.reachable |= {tuple(getattr(self.fake, "address", None) or ())} - {()}
        kind = History if self.fake is None else WatchfulHistory
        self.history: History = kind(header, lambda: self.kernel.now_us)
        self.plan: FaultPlan = FaultPlan(())
        self.volume = Volume()
        if jobs_file is not None:
            self.volume.corrupt(jobs_file)
        self.volume.on_release.append(self._lock_is_free)
        self.stage: RunStage = RunStage(self)
        self.minted: dict[str, dict[str, Any]] = {}
        self.machines = {
            spec.id: Machine(self, spec.id, skew_us=spec.skew) for spec in scenario.machines
        }
        self.deliveries: Deliveries = Deliveries(self)
        self.operator = Operator(self)
        self._lock_waiters: list[Task] = []
        self._processes: list[Incarnation] = []
        self._fault_looks = 0

    @property
    def end_us(self) -> int:
        """True time of the horizon."""
        return self.kernel.start_us + self.scenario.lasts

    # -- the run

    def run(self) -> Run:
        """Let everything happen; a run is made once."""
        try:
            return self._run()
        finally:
            self.deliveries.close()

    def _run(self) -> Run:
        kernel = self.kernel
        kernel.on_task_error = self._task_failed
        kernel.on_not_simulated = lambda what: self._append("not_simulated", what=what)
        self._append("world.start")
        self._tell_what_stands()
        reason = "horizon"
        with (
            patches.install(kernel, adopt=self._adopted()),
            self.stage.pools(),
            self.host.installed(self.stage),
            self.deliveries.mounted(),
        ):
            try:
                self._set_up()
                self._until(self.end_us)
                self._tear_down()
            except (Deadlock, Livelock, Hang) as error:
                reason = type(error).__name__.lower()
                self._append("world.stuck", reason=reason, text=str(error))
            finally:
                kernel.close()
        self._append("world.end", reason=reason)
        # Tasks of dead machines keep the world for ever, and who may know its history must ask it.
        history, self.history = self.history, History()
        return Run(
            scenario=self.scenario,
            target=self.target.label,
            history=history,
            events=kernel.events,
            choices=len(kernel.deviations),
            never_fired=tuple(self.plan.never_fired()),
        )

    def _adopted(self) -> list[object]:
        """What was made before the run and belongs to it; a server's threads are real ones."""
        return [] if self.fake is None or self.kernel.reachable else [self.fake]

    def _tell_what_stands(self) -> None:
        """The jobs file of the start is history too."""
        document = self.volume.document
        if document is not None:
            changes = [[entry.job_id, entry.value] for entry in document.entries]
            self.history.append("store.commit", "store", by="world", changes=changes)

    def _set_up(self) -> None:
        """The jobs stand, then faults are armed and the machines boot."""
        self.operator.prepare()
        self._until(self.kernel.start_us)
        plan = FaultPlan(self.scenario.faults)
        if (fake := self.fake) is not None:
            plan.leave_out(lambda fault: cannot_strike(fault, fake))
        self.stage.arm(plan)
        for machine in self.machines.values():
            machine.boot()
        for step in self.scenario.steps:
            self.later(step.at, self.operator.do, step)
        looks = STATUS_LOOKS + 1
        for look in range(1, looks):
            self.later(self.scenario.lasts * look // looks, self.operator.look)

    def _tear_down(self) -> None:
        """A last look, then everybody is asked to leave; who does not is said."""
        self.operator.look()
        self._until(self.end_us + 1)
        for machine in self.machines.values():
            machine.stop()
        self._until(self.end_us + SETTLE_US)
        self.tell_leaked(self.kernel.blocked())

    def tell_leaked(self, tasks: Iterable[Blocked]) -> None:
        """Say which tasks of machines should have ended, and what they wait for."""
        for blocked in tasks:
            lane = blocked.task.partition("#")[0]
            if lane in self.machines:
                self.history.append("task.leaked", lane, task=blocked.task, text=str(blocked))

    def _until(self, true_us: int) -> None:
        """Run up to an instant; that it comes is an event, so sleeping gateways are no deadlock."""
        self.kernel.call_at(true_us + 1, lambda: None)
        self.kernel.run(true_us)

    def later(self, us: int, call: Callable[..., object], *args: Any) -> Handle:
        """Call from outside all tasks, this much from now."""
        return self.kernel.call_at(self.kernel.now_us + us, call, *args)

    def fault_struck(self) -> None:
        """Somebody looks at the status a little after each of the first faults."""
        self._fault_looks += 1
        if self._fault_looks <= MAX_FAULT_LOOKS:
            self.later(STATUS_AFTER_FAULT_US, self.operator.look)

    # -- who is running

    def new_life(self, name: str, clock: MachineClock) -> Life:
        """A process of the host, with a handle of its own on the disk."""
        incarnation = self.kernel.boot(name, clock=clock)
        store = FakeStore(
            self.volume,
            name=name,
            seam=self.stage.store_seam,
            record=self._store_record(name),
            told=self._signal_record(name),
            clock=lambda: clock.wall_us(self.kernel.now_us) / 1_000_000,
            wait=self._wait_for_lock,
            task=lambda: self.kernel.current,
        )
        boot_id = f"{incarnation.rng.getrandbits(48):012x}"
        process = self.host.new_process(pid=incarnation.pid, machine=name, boot_id=boot_id)
        life = incarnation.life = Life(self.kernel, name, incarnation, store, process)
        self._processes = [one for one in self._processes if one.life is not None] + [incarnation]
        return life

    def lives(self, pid: int) -> bool:
        """Whether there is such a process, a gateway or a command that somebody typed."""
        return any(one.pid == pid and one.life is not None for one in self._processes)

    def life_here(self) -> Life:
        """The process whose task is running."""
        task = self.kernel.current
        life: Life | None = None
        if task is not None and task.machine is not None:
            life = task.machine.life
        if life is None:
            raise RuntimeError("host code ran outside of any simulated process")
        return life

    def name_here(self) -> str:
        """The lane of the running task."""
        task = self.kernel.current
        return task.machine.name if task is not None and task.machine is not None else "world"

    def crash_here(self, *, back_after_us: int | None) -> None:
        """Kill the process whose task is running: a machine, or the command that somebody typed."""
        life = self.life_here()
        machine = self.machines.get(life.machine)
        if machine is not None:
            machine.crash(back_after_us=back_after_us)
            return
        self.history.append("crash", life.machine)
        life.end()
        self.kernel.kill_machine(life.incarnation)

    # -- inside

    def _append(self, kind: str, *, text: str | None = None, **data: Any) -> None:
        self.history.append(kind, "world", text=text, **data)

    def _store_record(self, name: str) -> Callable[..., object]:
        kernel = self.kernel

        def record(kind: str, /, **data: Any) -> None:
            lane = "store" if kind.startswith("store.") else name
            self.history.put(kernel.now_us, lane, kind, data)
            if kind == "store.commit":
                self.operator.wrote(len(self.history) - 1)

        return record

    def _signal_record(self, name: str) -> Callable[[str, str | None], object]:
        kernel = self.kernel

        def told(signal: str, content: str | None) -> None:
            said = {"name": signal, "content": content}
            self.history.put(kernel.now_us, name, "signal", said)

        return told

    def _wait_for_lock(self, take: Callable[[], bool], timeout_s: float) -> bool:
        kernel, task = self.kernel, self.kernel.current
        deadline_us = kernel.now_us + round(timeout_s * 1_000_000)
        while not take():
            left_us = deadline_us - kernel.now_us
            if left_us <= 0 or task is None:
                return False
            self._lock_waiters.append(task)
            if not kernel.park("a lock of the store", left_us):
                self._lock_waiters.remove(task)  # or it would be woken from what it waits for next
        return True

    def _lock_is_free(self, _name: str) -> None:
        waiters, self._lock_waiters = self._lock_waiters, []
        for task in waiters:
            self.kernel.unpark(task)

    def _task_failed(self, task: Task, error: BaseException) -> None:
        lane = task.machine.name if task.machine is not None else "world"
        short = task.name.rpartition("/")[2]
        self.history.append(
            "task.raised", lane, task=short, error=type(error).__name__, text=text_of(error)
        )


def _header(scenario: Scenario, target: Target, tape: Tape) -> dict[str, Any]:
    return {
        "scenario": scenario.name,
        "provider": target.label,
        "zone": scenario.zone,
        "replicas": len(scenario.machines) > 1,
        "start": scenario.start.isoformat(),
        "horizon_us": scenario.lasts,
        "interval_s": scenario.interval,
        "capabilities": sorted(target.capabilities) or list(scenario.capabilities),
        "tape": tape.to_data(),
        "tzdata": _tzdata(),
    }


@cache
def _tzdata() -> str:
    """The version of the zones; a file has to be read to know it."""
    return version("tzdata")
