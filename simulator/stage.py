"""What a run offers to the host in it: the seams, as `simulator.hosts.Stage` promises them.

Each call is about the machine whose task calls. A fault strikes here and is recorded where it
strikes; what happens is recorded beside it, so that no judge has to believe anybody's word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from unittest import mock

from simulator.durations import format_duration
from simulator.fault_rule import SEAMS, Fault
from simulator.faults import FaultPlan
from simulator.hosts import BodyResult, Surroundings
from simulator.kernel.tasks import Task
from simulator.raising import build_exception
from simulator.scenario import Body

if TYPE_CHECKING:
    from simulator.machine import Life
    from simulator.world import World

__all__ = ["RunStage"]

P = ParamSpec("P")
T = TypeVar("T")
_PLAIN_BODY = Body()


class RunStage:
    """The stage of one world."""

    def __init__(self, world: World) -> None:
        """Offer `world` to its host."""
        self._world = world
        self._kernel = world.kernel
        self._around = Surroundings(
            zone=world.scenario.zone, replicas=len(world.scenario.machines) > 1
        )
        self._told = replace(self._around, provider=world.history.header["configured"])
        self._phases: dict[Task, list[str]] = {}
        self._phases_matter = any(SEAMS[fault.into].phases for fault in world.scenario.faults)
        self._struck: frozenset[str] = frozenset()
        self._runs = 0
        self._runs_of: dict[str, int] = {}
        self._bodies = {job.id: job for job in world.scenario.jobs}

    def arm(self, plan: FaultPlan) -> None:
        """Faults may strike from now on."""
        self._world.plan, self._struck = plan, plan.seams

    def set_zone(self, zone: str) -> None:
        """Somebody changes the configured zone."""
        self._around = replace(self._around, zone=zone)
        self._told = replace(self._told, zone=zone)

    @property
    def surroundings(self) -> Surroundings:
        """See `Stage`. Gateways are handed their provider; who reads the status must be told."""
        task = self._kernel.current
        if task is None or not task.name.endswith("/status"):
            return self._around
        return self._told

    # -- who is asking

    def life(self) -> Life:
        """The process whose task is running."""
        return self._world.life_here()

    # A provider asks these at every turn, a hundred thousand times in a quiet week.

    def process(self) -> Any:
        """See `Stage`."""
        task: Any = self._kernel.current
        try:
            return task.machine.life.process
        except AttributeError:
            return self.life().process

    def store(self) -> Any:
        """See `Stage`."""
        task: Any = self._kernel.current
        try:
            return task.machine.life.store
        except AttributeError:
            return self.life().store

    def pids(self) -> list[int]:
        """See `Stage`."""
        return [
            machine.life.incarnation.pid
            for machine in self._world.machines.values()
            if machine.life is not None
        ]

    def lives(self, pid: int) -> bool:
        """See `Stage`."""
        return self._world.lives(pid)

    # -- what is seen, and what goes wrong

    def record(self, kind: str, /, *, text: str | None = None, **data: Any) -> None:
        """See `Stage`."""
        task = self._kernel.current
        machine = task.machine if task is not None else None
        name = machine.name if machine is not None else "world"
        self._world.history.append(kind, name, text=text, **data)

    def note(self, kind: str, data: dict[str, Any]) -> None:
        """See `Stage`."""
        kernel = self._kernel
        task = kernel.current
        machine = task.machine if task is not None else None
        name = machine.name if machine is not None else "world"
        self._world.history.put(kernel.now_us, name, kind, data)

    def around(self, seam: str, call: Callable[[], T], *, job: str | None = None) -> T:
        """See `Stage`."""
        kernel = self._kernel
        task = kernel.current
        if task is not None:  # a decision, in line: ten of them make a quiet tick
            task.decisions = nth = task.decisions + 1
            if task.delays is not None and nth in task.delays:
                kernel.deviate(task, nth)
        if seam not in self._struck:
            return call()
        fault = self.consult(seam, job=job)
        if fault is None:
            return call()
        if not fault.after:
            self.strike(fault)
            return call()
        struck_n, asked_us = len(self._world.history) - 1, kernel.now_us
        result = call()
        if kernel.now_us > asked_us:  # what was held up on its way is struck that much later
            self.record("fault.late", fault=struck_n)
        self.strike(fault)
        return result

    def is_struck(self, seam: str) -> bool:
        """See `Stage`."""
        return seam in self._struck

    def in_phase(self, name: str, real: Callable[P, T]) -> Callable[P, T]:
        """See `Stage`."""
        if not self._phases_matter:
            return real

        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            task = self._kernel.current
            if task is None:
                return real(*args, **kwargs)
            stack = self._phases.setdefault(task, [])
            stack.append(name)
            try:
                return real(*args, **kwargs)
            finally:
                stack.pop()

        return call

    def consult(self, seam: str, *, job: str | None = None, **about: Any) -> Fault | None:
        """The fault that strikes this passage; it is recorded as fired, with what is known."""
        if seam not in self._struck:
            return None
        world = self._world
        task = world.kernel.current
        stack = self._phases.get(task) if task is not None else None
        phase = stack[-1] if stack else None
        struck = world.plan.consult(
            seam,
            world.kernel.now_us - world.kernel.start_us,
            machine=world.name_here(),
            job=job,
            phase=phase,
        )
        if struck is None:
            return None
        index, fault = struck
        known = {"job": job, **about, "phase": phase}
        data = {key: value for key, value in known.items() if value is not None}
        world.history.append(
            "fault", world.name_here(), index=index, seam=fault.into, does=fault.effect, **data
        )
        world.fault_struck()
        return fault

    def strike(self, fault: Fault) -> None:
        """Do what the fault does: raise, take long, or kill the machine."""
        if fault.hang is not None:
            self._world.kernel.sleep_us(fault.hang)
        elif fault.crash:
            self._world.crash_here(back_after_us=fault.lasts)
        elif fault.damage is not None:
            self._world.volume.damage(fault.damage)
        elif fault.raises is not None:
            raise build_exception(fault.raises)

    def store_seam(self, name: str, /, **context: Any) -> str | None:
        """A step of the store (`simulator.fake_store.Seam`)."""
        kernel = self._kernel
        task = kernel.current
        if task is not None:  # a decision, in line: ten of them make a quiet tick
            task.decisions = nth = task.decisions + 1
            if task.delays is not None and nth in task.delays:
                kernel.deviate(task, nth)
        if name not in self._struck:
            return None
        locks = self._world.volume.locks
        holds = sorted(lock for lock, (_, holder) in locks.items() if holder is task)
        about = {"lock": context.get("lock"), "holds": holds or None}
        fault = self.consult(name, job=_job_of(context), **about)
        if fault is None:
            return None
        self.strike(fault)
        return "stale" if fault.stale else None

    @contextmanager
    def pools(self) -> Iterator[None]:
        """Let faults strike where work is given to a thread pool, while this lasts."""
        real = ThreadPoolExecutor.submit

        def submit(pool: ThreadPoolExecutor, /, *args: Any, **kwargs: Any) -> Any:
            fault = self.consult("submit")
            if fault is None:
                return real(pool, *args, **kwargs)
            if fault.shutdown:
                pool.shutdown(wait=False)
            elif not fault.after:
                self.strike(fault)
            given = real(pool, *args, **kwargs)
            self.strike(fault)
            return given

        with mock.patch.object(ThreadPoolExecutor, "submit", submit):
            yield

    # -- the body of a job

    def run_body(self, job: Mapping[str, Any]) -> BodyResult:
        """See `Stage`."""
        job_id = str(job.get("id"))
        self._runs += 1
        nth = self._runs_of[job_id] = self._runs_of.get(job_id, 0) + 1
        run = self._runs
        self.record("run.begin", job=job_id, run=run)
        spec = self._bodies.get(job_id)
        try:
            if spec is not None:
                self._world.kernel.sleep_us(spec.runs_for)
            result = self.around("body", lambda: self._outcome(job_id, nth), job=job_id)
        except BaseException as error:
            self.record("run.end", job=job_id, run=run, ok=False, error=type(error).__name__)
            raise
        self.record("run.end", job=job_id, run=run, ok=result.success, error=None)
        return result

    def _outcome(self, job_id: str, nth: int) -> BodyResult:
        spec = self._bodies.get(job_id)
        body = spec.body if spec is not None else _PLAIN_BODY
        if body.nth is not None and body.nth != nth:
            body = _PLAIN_BODY
        if body.crashes:
            self._world.crash_here(back_after_us=body.restarts_after)
        if body.raises is not None:
            raise build_exception(body.raises)
        if body.fails is not None:
            return BodyResult(success=False, output=body.fails, final_text="", error=body.fails)
        took = format_duration(spec.runs_for) if spec is not None else "no time"
        text = f"run {nth} of {job_id}, {took}"
        return BodyResult(success=True, output=text, final_text=text, error=None)

    def check_token(self, token: str) -> Mapping[str, Any] | None:
        """See `Stage`."""
        return self._world.minted.get(token)


def _job_of(context: Mapping[str, Any]) -> str | None:
    """The one job that a step of the store is about, where there is one."""
    ids = {change[0] for change in context.get("changes", ())}
    ids |= {record.get("job_id") for record in context.get("records", ())}
    ids |= {context.get("job")} - {None}
    job = ids.pop() if len(ids) == 1 else None
    return job if isinstance(job, str) else None
