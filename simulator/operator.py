"""What is done from outside: jobs are made and changed, machines killed, the status read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from simulator.hosts import Reading
from simulator.kernel.tasks import MachineClock, Task
from simulator.machine import Life, Machine
from simulator.scenario import Job
from simulator.steps import Step

if TYPE_CHECKING:
    from simulator.world import World

__all__ = ["PHRASES", "Operator"]

PHRASES = (
    "will fire automatically",
    "STALLED",
    "no tick has succeeded",
    "is not running",
    "will NOT fire",
    "managed scheduler",
)
"""What people grep the status for (HOST.md, Status lines); the first is the promise."""

LANE = "operator"


class Operator:
    """The person at the terminal, and the script that kills machines.

    Attributes:
        reads_status: Whether `look` does; each time costs a look at every job.
    """

    def __init__(self, world: World) -> None:
        """Act on `world`."""
        self.reads_status = True
        self._world = world
        self._clock = MachineClock(world.kernel.start_us)
        self._jobs = {job.id: job for job in world.scenario.jobs}
        self._writes: dict[object, list[int]] = {}  # of each operation that is under way

    # -- at the start

    def prepare(self) -> None:
        """Make the jobs that stand at the start as a user would, then break some by hand."""
        at_start = [job for job in self._world.scenario.jobs if job.created == "at start"]

        def make(life: Life) -> None:
            for job in at_start:
                self._operate("create", job.id, _creation(job))
            self._write_by_hand(life, at_start)

        self._command("prepare", make).delays = None  # no tape holds back what stands already

    def _write_by_hand(self, life: Life, jobs: list[Job]) -> None:
        """Somebody edited the jobs file: what `record` says stands in it, valid or not."""
        by_id = {job.id: job.record for job in jobs if job.record}
        if not by_id:
            return
        with life.store.edit() as edit:
            edit.replace_all(
                [{**one, **by_id.get(one.get("id"), {})} for one in edit.document.records]
            )

    # -- during the run

    def do(self, step: Step) -> None:
        """Carry out one step of the scenario."""
        world = self._world
        said = {key: value for key, value in step.plain().items() if key not in {"at", "do"}}
        said |= self._number(step)
        world.history.append("op", LANE, do=step.do, **said)
        machine = world.machines.get(step.machine or "")
        if machine is not None and step.do in _TO_MACHINES:
            _TO_MACHINES[step.do](machine, step)
            if (
                step.do == "set-clock" and len(world.machines) == 1
            ):  # its terminal is the operator's
                self._clock.step(step.by or 0)
        elif step.do in _TO_WORLD:
            _TO_WORLD[step.do](world, step)
        elif step.do == "status":
            self.look()
        else:
            self._change(step)

    def _number(self, step: Step) -> dict[str, int]:
        """Which step it is, where another does the same to the same job and may go on beside it."""
        steps = self._world.scenario.steps
        alike = [nth for nth, one in enumerate(steps) if (one.do, one.job) == (step.do, step.job)]
        mine = (nth for nth in alike if steps[nth] is step)
        return {"step": next(mine)} if step.job is not None and len(alike) > 1 else {}

    def look(self) -> None:
        """Read the status in a process of its own, as a command does.

        One that was held back on its way speaks of no one instant, and is recorded as such.
        """
        if not self.reads_status:
            return

        def read(_life: Life) -> None:
            asked_us = self._world.kernel.now_us
            raised: dict[str, str] = {}
            try:
                reading = self._world.host.status()
            except Exception as error:  # it may not: the history says that it did
                raised["error"] = type(error).__name__
                reading = Reading("none", -1, f"{type(error).__name__}: {error}")
            at_once = self._world.kernel.now_us == asked_us
            self._world.history.append(
                "status" if at_once else "status.late",
                LANE,
                verdict=reading.verdict,
                exit_code=reading.exit_code,
                promises=PHRASES[0] in reading.text,
                says=[phrase for phrase in PHRASES if phrase in reading.text],
                names=self._names(reading.text),
                evidence=dict(reading.evidence),
                text=reading.text,
                **raised,
            )

        self._command("status", read)

    def _names(self, text: str) -> list[str]:
        """What a status speaks of: jobs, providers that were started, and what these raised."""
        history = self._world.history
        started = (str(event.data.get("name")) for event in history.of("provider.start"))
        raised = (str(event.data.get("error")) for event in history.of("provider.raised"))
        known = dict.fromkeys([*self._jobs, *started, *raised])
        words = set(re.findall(r"[\w.:-]*\w", text))
        return [name for name in known if name in words]

    def _change(self, step: Step) -> None:
        """Change jobs inside the gateway where one runs, as its own tools do; else by a command."""
        do, job_id = step.do, step.job or ""
        arguments: Mapping[str, Any] = step.set or {}
        if do == "create":
            arguments = _creation(self._jobs[job_id])
        running = [machine for machine in self._world.machines.values() if machine.is_up]
        if step.machine is not None:
            running = [machine for machine in running if machine.name == step.machine]

        def change(life: Life) -> None:
            self._operate(do, job_id, arguments, **self._number(step))
            if do == "create":
                self._write_by_hand(life, [self._jobs[job_id]])

        if running and do != "run":  # a command that runs a job is a process of its own
            running[0].run(f"operator-{do}", change)
        else:
            self._command(do, change)

    def _operate(self, do: str, job_id: str, arguments: Mapping[str, Any], **number: int) -> None:
        world = self._world
        error: str | None = None
        text = None
        writer = self._writer()
        stored = self._writes[writer] = []
        try:
            world.host.operate(do, job_id, arguments)
        except BaseException as raised:
            # What a command raises is said to its user and ends nothing else.
            error, text = type(raised).__name__, str(raised)
        del self._writes[writer]
        about = {"job": job_id or None, **number, "stored": stored}
        world.history.append("op.end", LANE, do=do, **about, error=error, text=text)

    def _writer(self) -> object:
        """Who writes: a command with all its threads, or the one task of a gateway that is on."""
        task = self._world.kernel.current
        life = task.machine if task is not None else None
        return life if life is not None and life.name == LANE else task

    def wrote(self, n: int) -> None:
        """The jobs were stored by the running task, which event `n` says."""
        stored = self._writes.get(self._writer())
        if stored is not None:
            stored.append(n)

    def _command(self, name: str, call: Callable[[Life], None]) -> Task:
        """Run `call` in a process of its own."""
        world = self._world
        life = world.new_life(LANE, self._clock)

        def run() -> None:
            try:
                call(life)
            finally:
                life.end()
                world.kernel.kill_machine(life.incarnation, leaving=True)  # what still hangs, too

        return world.kernel.spawn(run, name=name, machine=life.incarnation)


def _creation(job: Job) -> dict[str, Any]:
    arguments: dict[str, Any] = {"schedule": job.schedule}
    if job.repeat is not None:
        arguments["repeat"] = job.repeat
    return arguments


def _damage(world: World, step: Step) -> None:
    """Hurt the disk; somebody mends it when the step says how long it lasts."""
    undo = world.volume.damage(step.what or "")
    if step.lasts is not None:
        world.later(step.lasts, undo)


def _hold(world: World, step: Step, waits_n: int | None = None) -> None:
    """Somebody who is no gateway takes a lock as soon as it is free, and keeps it.

    Where it is not free, history says that, and with `waits_n`, the number of the operation, when
    it was taken.
    """
    lock, volume = step.lock or "jobs", world.volume
    if lock in volume.locks:
        if waits_n is None:
            waits_n = len(world.history) - 1
            world.history.append("lock.waits", LANE, op=waits_n)

        def again(freed: str) -> None:
            if freed == lock:
                volume.on_release.remove(again)
                world.later(1, _hold, world, step, waits_n)  # who waits for it goes first

        volume.on_release.append(again)
        return
    volume.hold_lock(lock)
    if waits_n is not None:
        world.history.append("lock.held", LANE, op=waits_n)
    if step.lasts is not None:
        world.later(step.lasts, volume.free, lock)


_TO_MACHINES: dict[str, Callable[[Machine, Step], None]] = {
    "crash": lambda machine, step: machine.crash(back_after_us=step.lasts),
    "stop": lambda machine, step: machine.stop(back_after_us=step.lasts),
    "restart": lambda machine, _step: machine.crash(back_after_us=1),
    "suspend": lambda machine, step: machine.suspend(step.lasts or 0),
    "set-clock": lambda machine, step: machine.step_clock(step.by or 0),
}

_TO_WORLD: dict[str, Callable[[World, Step], None]] = {
    "heal": lambda world, _step: world.plan.heal(),
    "forget": lambda world, _step: world.deliveries.nas.forget_all(),
    "deliver": lambda world, step: world.deliveries.again(step.job or "", step.fire_at, step.times),
    "set-zone": lambda world, step: world.stage.set_zone(step.to or ""),
    "damage": _damage,
    "hold-lock": _hold,
}
