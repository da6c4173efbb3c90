"""The bench of instants: jobs on disk, with the kit at the clock and the zone of their host."""

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from unittest import mock
from zoneinfo import ZoneInfo

__all__ = ["InstantsBench", "reference_instants_bench"]


@dataclass
class _Clock:
    at: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    zone: str = "UTC"

    def now(self) -> datetime:
        return self.at.astimezone(ZoneInfo(self.zone))


@dataclass
class InstantsBench:
    """A host's own ways to its schedules. All instants are aware.

    Attributes:
        accepts: take a schedule as a person writes it; raises what the host says against it.
        next_run: the next time of such a schedule after a last run.
        add: store a job with such a schedule; its record.
        reschedule: give a job another one.
        pause: as an operator does; so is the next.
        resume: see `pause`.
        due: the ids of the jobs that a tick would start now.
        claim: take a job's next occurrence, due or not; whether it was won.
        complete: record that its run is over.
        stored: the job's record as it is now; None when it is gone.
    """

    accepts: Callable[[str], object]
    next_run: Callable[[str, datetime], datetime | None]
    add: Callable[[str], dict[str, Any]]
    reschedule: Callable[[str, str], object]
    pause: Callable[[str], object]
    resume: Callable[[str], object]
    due: Callable[[], list[str]]
    claim: Callable[[str], bool]
    complete: Callable[[str], object]
    stored: Callable[[str], dict[str, Any] | None]
    _clock: _Clock = field(default_factory=_Clock)

    def set(self, at: datetime, zone: str | None = None) -> None:
        """Set the host's clock, and its configured zone where one is given."""
        self._clock.at = at.astimezone(UTC)
        self._clock.zone = zone or self._clock.zone


@contextmanager
def reference_instants_bench() -> Iterator[InstantsBench]:
    """A bench on the reference host, by the names that HOST.md has looked up at call time."""
    jobs = importlib.import_module("hermes_cron.jobs")
    clock = _Clock()

    def next_run(text: str, last_run_at: datetime) -> datetime | None:
        found = jobs.compute_next_run(jobs.parse_schedule(text), last_run_at.isoformat())
        return None if found is None else datetime.fromisoformat(found)

    with mock.patch.object(jobs, "_hermes_now", clock.now):
        yield InstantsBench(
            accepts=jobs.parse_schedule,
            next_run=next_run,
            add=lambda text: dict(jobs.create_job("say hello", text)),
            reschedule=lambda job_id, text: jobs.update_job(job_id, {"schedule": text}),
            pause=jobs.pause_job,
            resume=jobs.resume_job,
            due=lambda: [str(job["id"]) for job in jobs.get_due_jobs()],
            claim=lambda job_id: bool(jobs.claim_job_for_fire(job_id)),
            complete=lambda job_id: jobs.mark_job_run(job_id, True),
            stored=jobs.get_job,
            _clock=clock,
        )
