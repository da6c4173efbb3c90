"""The fire bench: a job store on disk, with the kit at the claim, the shared path and the body."""

import functools
import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, get_args
from unittest import mock

__all__ = ["CHANGES", "OUTCOMES", "BodyOutcome", "FireBench", "JobChange", "reference_fire_bench"]

JobChange = Literal["paused", "shown paused", "disabled", "completed", "removed"]
CHANGES: tuple[JobChange, ...] = get_args(JobChange)
BodyOutcome = Literal["succeeds", "fails", "raises"]
OUTCOMES: tuple[BodyOutcome, ...] = get_args(BodyOutcome)


@dataclass
class FireBench:
    """A job store on disk with the kit at the body of every job.

    Attributes:
        outcome: how the bodies end.
        runs: the job of each run that reached the body, in order.
        claims: each claim that was asked for (job, won).
        shared: each run on the shared path (job, adapters, loop).
        after_claim: called once, when a claim has been won.
        at_shared_path: called once, when the shared path is entered.
    """

    add_job: Callable[[], str]
    change: Callable[[str, JobChange], None]
    claim: Callable[[str], bool]
    outcome: BodyOutcome = "succeeds"
    runs: list[str] = field(default_factory=list)
    claims: list[tuple[str, bool]] = field(default_factory=list)
    shared: list[tuple[str, Any, Any]] = field(default_factory=list)
    after_claim: Callable[[], None] | None = None
    at_shared_path: Callable[[], None] | None = None

    def happen(self, moment: str) -> None:
        """Call what was planned for a moment, and never again."""
        planned: Callable[[], None] | None = getattr(self, moment)
        setattr(self, moment, None)
        if planned is not None:
            planned()


@contextmanager
def reference_fire_bench() -> Iterator[FireBench]:
    """A bench on the reference host, by the names that HOST.md has looked up at call time."""
    jobs = importlib.import_module("hermes_cron.jobs")
    scheduler = importlib.import_module("hermes_cron.scheduler")
    claim, run_one_job = jobs.claim_job_for_fire, scheduler.run_one_job
    bench = FireBench(
        add_job=lambda: str(jobs.create_job("say hello", "every 1h")["id"]),
        change=functools.partial(_change_job, jobs),
        claim=claim,
    )

    def watched_claim(job_id: str, **keywords: Any) -> bool:
        won = bool(claim(job_id, **keywords))
        bench.claims.append((job_id, won))
        if won:
            bench.happen("after_claim")
        return won

    def watched_path(job: Any, **keywords: Any) -> bool:
        bench.shared.append((job["id"], keywords.get("adapters"), keywords.get("loop")))
        bench.happen("at_shared_path")
        return bool(run_one_job(job, **keywords))

    def body(job: Any) -> tuple[bool, str, str, str | None]:
        bench.runs.append(job["id"])
        if bench.outcome == "raises":
            raise ValueError("the body raises")
        if bench.outcome == "succeeds":
            return True, "hello", "hello", None
        return False, "", "", "the body failed"

    with (
        mock.patch.object(jobs, "claim_job_for_fire", watched_claim),
        mock.patch.object(scheduler, "run_one_job", watched_path),
        mock.patch.object(scheduler, "run_job", body),
    ):
        yield bench


def _change_job(jobs: Any, job_id: str, change: JobChange) -> None:
    """What somebody else does to a job meanwhile."""
    if change == "removed":
        jobs.remove_job(job_id)
    elif change == "paused":
        jobs.pause_job(job_id)
    elif change == "shown paused":
        jobs.update_job(job_id, {"state": "paused"})
    elif change == "disabled":
        jobs.update_job(job_id, {"enabled": False})
    else:
        jobs.update_job(job_id, {"enabled": False, "state": "completed", "next_run_at": None})
