"""The store bench: the jobs of one home, changed and read as the host's callers do.

The files are the ones that HOST.md fixes, so that probes write and read those by themselves.
"""

import importlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

__all__ = [
    "StoreBench",
    "cron_folder",
    "hourly",
    "jobs_file",
    "put_file",
    "reference_store_bench",
    "stored",
]

Fields = dict[str, Any]


def cron_folder(home: Path) -> Path:
    """Where a host with this home keeps everything about jobs."""
    return home / "cron"


def jobs_file(home: Path) -> Path:
    """The jobs of a home."""
    return cron_folder(home) / "jobs.json"


def hourly(job_id: str, due: timedelta = timedelta(hours=1), **more: Any) -> dict[str, Any]:
    """An hourly job as HOST.md stores it, next due so long from now."""
    now = datetime.now(UTC)
    schedule = {"kind": "interval", "minutes": 60, "display": "every 60m"}
    return {
        "id": job_id,
        "name": job_id,
        "prompt": "say hello",
        "schedule": schedule,
        "repeat": {"times": None, "completed": 0},
        "enabled": True,
        "state": "scheduled",
        "created_at": (now - timedelta(days=1)).isoformat(),
        "next_run_at": (now + due).isoformat(),
    } | more


def put_file(home: Path, content: object) -> None:
    """Write the jobs file as somebody else does: data, or bytes as they are."""
    file = jobs_file(home)
    file.parent.mkdir(parents=True, exist_ok=True)
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    file.with_name("put-by-the-kit").write_bytes(data)
    file.with_name("put-by-the-kit").replace(file)


def stored(home: Path, job_id: str) -> Fields:
    """The record of a job as it stands in the file; empty when there is none."""
    records = json.loads(jobs_file(home).read_bytes())["jobs"]
    return next((one for one in records if isinstance(one, dict) and one.get("id") == job_id), {})


@dataclass
class StoreBench:
    """A host's own ways to its jobs.

    Attributes:
        add: store one more recurring job; its id.
        read: the records as callers get them.
        change: set fields of a job by one read-modify-write; fields that nobody knows too.
        pause: as an operator does; so are the next three.
        resume: see `pause`.
        trigger: see `pause`.
        remove: see `pause`.
        start_due: one tick, with what it starts noted in `started` and not run.
        run: claim a job and run it by the shared path, with a body that says hello.
        keep_output: keep one output of the job with this id.
        beat: one heartbeat.
        restart: forget what a process remembers, as a new one does.
        started: the ids of the jobs that `start_due` started.
    """

    add: Callable[[], str]
    read: Callable[[], list[Fields]]
    change: Callable[[str, Fields], object]
    pause: Callable[[str], object]
    resume: Callable[[str], object]
    trigger: Callable[[str], object]
    remove: Callable[[str], object]
    start_due: Callable[[], object]
    run: Callable[[str], object]
    keep_output: Callable[[str, str], object]
    beat: Callable[[], object]
    restart: Callable[[], object]
    started: list[str] = field(default_factory=list)


@contextmanager
def reference_store_bench() -> Iterator[StoreBench]:
    """A bench on the reference host, by the names that HOST.md has looked up at call time."""
    jobs = importlib.import_module("hermes_cron.jobs")
    scheduler = importlib.import_module("hermes_cron.scheduler")
    process = importlib.import_module("hermes_cron.process")
    started: list[str] = []

    def start_due() -> None:
        def note(job: Fields, **_: Any) -> bool:
            started.append(str(job["id"]))
            return True

        with mock.patch.object(scheduler, "run_one_job", note):
            scheduler.tick(verbose=False, sync=True)

    def run(job_id: str) -> None:
        hello = (True, "hello", "hello", None)
        with mock.patch.object(scheduler, "run_job", return_value=hello):
            if jobs.claim_job_for_fire(job_id):
                scheduler.run_one_job(jobs.get_job(job_id))

    def restart() -> None:
        process.current().slots.clear()

    yield StoreBench(
        add=lambda: str(jobs.create_job("say hello", "every 1h")["id"]),
        read=lambda: list(jobs.load_jobs()),
        change=jobs.update_job,
        pause=jobs.pause_job,
        resume=jobs.resume_job,
        trigger=jobs.trigger_job,
        remove=jobs.remove_job,
        start_due=start_due,
        run=run,
        keep_output=jobs.save_job_output,
        beat=lambda: jobs.record_ticker_heartbeat(success=True),
        restart=restart,
        started=started,
    )
