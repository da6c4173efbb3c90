"""The claim bench: jobs of one home, claimed, run and left behind, with the kit at their bodies."""

import functools
import importlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, get_args
from unittest import mock

__all__ = ["TROUBLES", "ClaimBench", "Trouble", "reference_claim_bench"]

Trouble = Literal["says none", "raises"]
"""How nobody can compute a next time: the computation says that there is none, or raises."""
TROUBLES: tuple[Trouble, ...] = get_args(Trouble)


@dataclass
class ClaimBench:
    """A host's own ways to take jobs and to settle them.

    Attributes:
        add: store one more job, which comes every hour; its id.
        claim: take a job as a fire does; True when it was won.
        tick: run what is due, and wait for the runs.
        recover: look at what an earlier process left, as at a boot.
        remove: remove a job, as an operator does.
        executions: what is on record of a job.
        restart: forget what a process remembers, as a new one does.
        as_replica: (in a process that was just forked) be one on another machine of this name.
        operations: ways to change a stored job, by what they are called.
        patience_s: for how long, by its own word, the host waits for the lock of the jobs.
        impatient: have it wait for a fraction of a second.
        stuck: somebody keeps the lock of the jobs, as a process does that is stuck.
        without_next_times: no next time can be computed.
        runs: the job of each run that reached the body, in order.
    """

    add: Callable[[], str]
    claim: Callable[[str], bool]
    tick: Callable[[], object]
    recover: Callable[[], object]
    remove: Callable[[str], object]
    executions: Callable[[str], list[Mapping[str, Any]]]
    restart: Callable[[], object]
    as_replica: Callable[[str], object]
    operations: Mapping[str, Callable[[str], object]]
    patience_s: float
    impatient: Callable[[], AbstractContextManager[object]]
    stuck: Callable[[], AbstractContextManager[None]]
    without_next_times: Callable[[Trouble], AbstractContextManager[None]]
    runs: list[str] = field(default_factory=list)


@contextmanager
def reference_claim_bench() -> Iterator[ClaimBench]:
    """A bench on the reference host, by the names that HOST.md has looked up at call time."""
    jobs = importlib.import_module("hermes_cron.jobs")
    scheduler = importlib.import_module("hermes_cron.scheduler")
    process = importlib.import_module("hermes_cron.process")
    stores = importlib.import_module("hermes_cron.store")
    runs: list[str] = []

    def body(job: Mapping[str, Any]) -> tuple[bool, str, str, str | None]:
        runs.append(str(job["id"]))
        return True, "hello", "hello", None

    def restart() -> None:
        state = process.current()
        for memory in (state.slots, state.pending, state.running):
            memory.clear()

    restart()
    bench = ClaimBench(
        add=lambda: str(jobs.create_job("say hello", "every 1h")["id"]),
        claim=jobs.claim_job_for_fire,
        tick=lambda: scheduler.tick(verbose=False, sync=True),
        recover=scheduler.recover,
        remove=jobs.remove_job,
        executions=jobs.list_executions,
        restart=restart,
        as_replica=functools.partial(os.environ.__setitem__, "HERMES_MACHINE_ID"),
        operations={
            "a new job": lambda _: jobs.create_job("say more", "every 2h"),
            "a change": lambda job_id: jobs.update_job(job_id, {"name": "changed"}),
            "a claim": jobs.claim_job_for_fire,
            "a result": lambda job_id: jobs.mark_job_run(job_id, True),
            "a removal": jobs.remove_job,
            "a tick": lambda _: scheduler.tick(verbose=False, sync=True),
        },
        patience_s=float(stores.current_store().lock_timeout_s),
        impatient=lambda: mock.patch.object(stores.current_store(), "lock_timeout_s", 0.05),
        stuck=lambda: _stuck(str(jobs.CRON_DIR / ".jobs.lock")),
        without_next_times=_without_next_times,
        runs=runs,
    )
    with mock.patch.object(scheduler, "run_job", body):
        yield bench
    restart()


@contextmanager
def _stuck(path: str) -> Iterator[None]:
    """Keep the lock file by a handle of the kit's own: what two processes do to each other."""
    fcntl = importlib.import_module("fcntl")  # not on every system
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        fcntl.flock(handle, fcntl.LOCK_UN)  # a child that was forked meanwhile has the handle too
        os.close(handle)


@contextmanager
def _without_next_times(trouble: Trouble) -> Iterator[None]:
    jobs = importlib.import_module("hermes_cron.jobs")
    schedule = importlib.import_module("hermes_cron.schedule")

    def raises(*_: Any, **__: Any) -> Any:
        raise schedule.ScheduleError("no schedule can be read today")

    def none(*_: Any, **__: Any) -> None:
        return None

    answer = raises if trouble == "raises" else none
    with ExitStack() as undo:
        undo.enter_context(mock.patch.object(jobs, "compute_next_run", answer))
        for name in ("next_after", "next_on_grid"):
            undo.enter_context(mock.patch.object(schedule, name, answer))
        yield
