"""A home of its own for each test: the real file store in a temporary folder, and a clock to set."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from hermes_cron import clock, executions, jobs, process, scheduler, store


class Home:
    """What a test sees of the host.

    Attributes:
        at: the present; set it to move the clock.
        ran: the ids of the jobs whose body ran, in order.
        body: what a run does: job -> (success, output, text, error).
    """

    def __init__(self, path: Path, zone: str = "UTC", start: str = "2026-03-02T08:00:00") -> None:
        self.path = path
        self.zone = ZoneInfo(zone)
        self.at = datetime.fromisoformat(start).replace(tzinfo=self.zone)
        self.ran: list[str] = []
        self.body: Callable[[dict[str, Any]], Any] = lambda job: (True, "out", "text", None)

    def now(self) -> datetime:
        return self.at.astimezone(self.zone)

    def epoch(self) -> float:
        return self.at.timestamp()

    def wait(self, **duration: float) -> None:
        """Move the clock on by elapsed time."""
        self.at = datetime.fromtimestamp(
            self.at.timestamp() + timedelta(**duration).total_seconds(), self.zone
        )

    def run_job(self, job: dict[str, Any]) -> Any:
        self.ran.append(job["id"])
        return self.body(job)

    def plant(self, **fields: Any) -> dict[str, Any]:
        """Put a record into the store, as somebody else would have written it."""
        record = {
            "id": "job",
            "name": "job",
            "prompt": "do it",
            "schedule": {"kind": "interval", "minutes": 60, "display": "every 60m"},
            "next_run_at": self.at.isoformat(),
            **fields,
        }
        with store.current_store().edit() as edit:
            edit.put(record)
        return record

    def job(self, job_id: str = "job") -> dict[str, Any]:
        """The record as it stands in the store."""
        found = store.current_store().read().get(job_id)
        assert found is not None, f"{job_id} is gone"
        return found

    def change(self, job_id: str = "job", **fields: Any) -> None:
        """Change a record behind everybody's back."""
        with store.current_store().edit() as edit:
            job = edit.get(job_id)
            assert job is not None
            job.update(fields)

    def gone(self, job_id: str = "job") -> bool:
        return store.current_store().read().get(job_id) is None

    def trace(self, job_id: str | None = None) -> list[tuple[str, str | None]]:
        """State and occurrence (time of day) of the attempts, oldest first."""
        return [
            (entry["state"], entry["occurrence"] and entry["occurrence"][11:16])
            for entry in executions.attempts(job_id)
        ]

    def restart(self) -> None:
        """The process dies and another one starts on the same host."""
        old = process.current()
        self.state = process.ProcessState(
            pid=old.pid + 1,
            boot_id=f"boot{old.pid + 1}",
            host="host",
            pid_is_alive=lambda pid: False,
        )

    state: process.ProcessState


def make_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zone: str = "UTC") -> Iterator[Home]:
    home = Home(tmp_path, zone)
    monkeypatch.setenv("HERMES_HOME", str(tmp_path))
    monkeypatch.setenv("HERMES_TIMEZONE", zone)
    monkeypatch.setattr(clock, "epoch", home.epoch)
    monkeypatch.setattr(clock, "now", home.now)
    monkeypatch.setattr(scheduler, "run_job", home.run_job)
    home.state = process.ProcessState(
        pid=100, boot_id="boot100", host="host", pid_is_alive=lambda pid: False
    )
    monkeypatch.setattr(process, "current", lambda: home.state)
    jobs.load_jobs()
    yield home
    assert not home.state.running, "a run is still noted as on"
    logging.getLogger("hermes_cron").handlers.clear()
