"""An example: a hosted reminder service wakes the gateway, and NAS has no part in it.

One file, as somebody outside would write it: the client of the service, the provider on it, and
the fake of the service for the contract:

    hermes-contract check contract_tests.examples.remindly:RemindlyCron \
        --registry contract_tests.examples.remindly:FakeRemindly

It takes part in the proof of the teeth too: controls break it by plausible edits.
"""

import json
import logging
import os
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from hermes_cron import CronScheduler, jobs
from simulator.registry import Asks

__all__ = ["FakeRemindly", "Remindly", "RemindlyCron", "RemindlyError"]

logger = logging.getLogger("remindly")


class RemindlyError(Exception):
    """The service refused, could not be reached, or answered with something else."""


class Remindly:
    """The client: one call for each reminder, known by the job's id; ours are tagged."""

    def __init__(self) -> None:
        self.key = os.environ.get("REMINDLY_KEY", "")

    def remind(self, job_id: str, at: datetime) -> Any:
        """Set the reminder of a job, or move it; the id that the service confirms."""
        return self._send("PUT", f"/reminders/{job_id}", {"at": at.isoformat()}).get("id")

    def forget(self, job_id: str) -> None:
        """Take the reminder of a job away."""
        self._send("DELETE", f"/reminders/{job_id}")

    def reminders(self) -> list[tuple[str, datetime]]:
        """What is set."""
        found = self._send("GET", "/reminders?tag=hermes")["reminders"]
        return [(one["id"], datetime.fromisoformat(one["at"])) for one in found]

    def _send(self, method: str, path: str, body: Mapping[str, str] | None = None) -> Any:
        request = urllib.request.Request(
            f"https://api.remindly.example{path}",
            method=method,
            data=json.dumps(body).encode() if body else None,
            headers={"Authorization": f"Bearer {self.key}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - https above
                return json.load(answer)
        except (OSError, ValueError) as error:
            raise RemindlyError(str(error)) from error


class RemindlyCron(CronScheduler):
    """Reconcile is all there is: whatever happens, compare and make it so."""

    name = "remindly"

    def __init__(self) -> None:
        self.service: Remindly | FakeRemindly = Remindly()
        self._lock = threading.Lock()
        self._stops: list[threading.Event] = [threading.Event()]
        self._mine: dict[str, datetime] = {}  # what the service confirmed to this process

    def is_available(self) -> bool:
        """With a key; whether the service likes it is not asked here."""
        return bool(os.environ.get("REMINDLY_KEY"))

    def start(
        self,
        stop_event: threading.Event,
        *,
        adapters: Any = None,  # noqa: ARG002 - the interface's
        loop: Any = None,  # noqa: ARG002
        interval: int = 60,  # noqa: ARG002
    ) -> None:
        """Set what the store wants, and return: the service does the waiting."""
        self._stops.append(stop_event)
        self.recover_interrupted()
        self.reconcile()

    def stop(self) -> None:
        """Set nothing more."""
        self._stops[0].set()

    def on_jobs_changed(self) -> None:
        """A job was made, changed or removed."""
        self.reconcile()

    def fire_due(self, job_id: str, *, adapters: Any = None, loop: Any = None) -> bool:
        """A reminder came: run the job, and set its next one, whatever came of this."""
        try:
            return super().fire_due(job_id, adapters=adapters, loop=loop)
        finally:
            self.reconcile()

    def reconcile(self) -> None:
        """Make the service's reminders those that the store wants."""
        if any(stop.is_set() for stop in self._stops):
            return
        with self._lock:
            wanted, there = self._wanted(), self._there()
            for job_id, at in wanted.items():
                if there.get(job_id) != at:
                    self._set(job_id, at)
            for job_id in there.keys() - wanted.keys():
                self._drop(job_id)

    def _wanted(self) -> dict[str, datetime]:
        """When each job is to be woken for, to the second."""
        found = {}
        for job in jobs.list_jobs():
            if job.get("state") == "scheduled" and job.get("next_run_at"):
                at = datetime.fromisoformat(job["next_run_at"]).astimezone(UTC)
                found[job["id"]] = at.replace(microsecond=0)
        return found

    def _there(self) -> dict[str, datetime]:
        """What is set: the service's own list, else what this process remembers."""
        try:
            return dict(self.service.reminders())
        except RemindlyError as error:
            logger.warning("no list of reminders (%s); going by what I remember", error)
            return dict(self._mine)

    def _set(self, job_id: str, at: datetime) -> None:
        try:
            confirmed, why = self.service.remind(job_id, at), "it did not confirm"
        except RemindlyError as error:
            confirmed, why = None, str(error)
        if confirmed == job_id:
            self._mine[job_id] = at
        else:
            self._mine.pop(job_id, None)
            logger.warning("no reminder for %s: %s", job_id, why)

    def _drop(self, job_id: str) -> None:
        try:
            self.service.forget(job_id)
        except RemindlyError as error:
            logger.warning("the reminder for %s stays: %s", job_id, error)
        else:
            self._mine.pop(job_id, None)


class FakeRemindly:
    """The service, for tests: the client's three calls, and the five of the kit behind them."""

    fails = frozenset({"after", "nonsense"})

    def __init__(self) -> None:
        self.at: dict[str, datetime] = {}
        self.asks: Asks

    # what the provider calls

    def remind(self, job_id: str, at: datetime) -> str:
        """As `Remindly.remind`."""
        with self._call("arm", job_id) as served:
            if not served:
                return "<html>Please sign in"
            self.at[job_id] = at
        return job_id

    def forget(self, job_id: str) -> None:
        """As `Remindly.forget`."""
        with self._call("cancel", job_id) as served:
            if served:
                self.at.pop(job_id, None)

    def reminders(self) -> list[tuple[str, datetime]]:
        """As `Remindly.reminders`."""
        with self._call("list") as served:
            if not served:
                raise RemindlyError("no JSON")
            return list(self.at.items())

    @contextmanager
    def _call(self, *what: str) -> Iterator[bool]:
        """A call that fails before it has any effect, or after; or is answered with nonsense."""
        wrong = self.asks(*what)
        if wrong == "fail":
            raise RemindlyError("503")
        yield not wrong
        if self.asks(*what, after=True):
            raise RemindlyError("timed out")

    # what the kit calls: simulator.registry.FakeRegistry

    def attach(self, provider: RemindlyCron) -> None:
        """Have this provider talk to this fake."""
        provider.service = self

    def armed(self) -> Mapping[str, datetime]:
        """What is set."""
        return self.at

    def deliver_due(self, now: datetime) -> list[tuple[str, datetime]]:
        """Let go what is due."""
        due = [(job_id, at) for job_id, at in self.at.items() if at <= now]
        for job_id, _ in due:
            del self.at[job_id]
        return due

    def forget_all(self) -> None:
        """Lose everything."""
        self.at.clear()

    def fail_next(self, asks: Asks) -> None:
        """Ask this before each call whether it fails."""
        self.asks = asks
