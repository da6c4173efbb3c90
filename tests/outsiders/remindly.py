"""Remindly: a hosted reminder service wakes the gateway. One call a reminder; ours are tagged."""

import json
import logging
import os
import threading
import urllib.request
from contextlib import contextmanager
from datetime import datetime, timezone

from hermes_cron import CronScheduler
from hermes_cron import jobs

log = logging.getLogger("remindly")


class RemindlyError(Exception):
    pass


class Remindly:
    """Their API."""

    key = os.environ.get("REMINDLY_KEY", "")

    def remind(self, job_id, at):
        return self._send("PUT", f"/reminders/{job_id}", {"at": at.isoformat()}).get("id")

    def forget(self, job_id):
        self._send("DELETE", f"/reminders/{job_id}")

    def reminders(self):
        found = self._send("GET", "/reminders?tag=hermes")["reminders"]
        return [(one["id"], datetime.fromisoformat(one["at"])) for one in found]

    def _send(self, method, path, body=None):
        request = urllib.request.Request(
            f"https://api.remindly.example{path}",
            method=method,
            data=json.dumps(body).encode() if body else None,
            headers={"Authorization": f"Bearer {self.key}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)
        except (OSError, ValueError) as error:
            raise RemindlyError(str(error)) from error


class RemindlyCron(CronScheduler):
    """Reconcile is all there is: whatever happens, compare and make it so."""

    name = "remindly"

    def __init__(self):
        self.service = Remindly()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._mine = {}

    def is_available(self):
        return bool(self.service.key)

    def start(self, stop_event, *, adapters=None, loop=None, interval=60):
        self._stop_event = stop_event
        self.recover_interrupted()
        self.reconcile()

    def stop(self):
        self._stopped.set()

    def on_jobs_changed(self):
        self.reconcile()

    def fire_due(self, job_id, *, adapters=None, loop=None):
        try:
            return super().fire_due(job_id, adapters=adapters, loop=loop)
        finally:
            self.reconcile()

    def reconcile(self):
        stop = getattr(self, "_stop_event", None)
        if self._stopped.is_set() or (stop is not None and stop.is_set()):
            return
        with self._lock:
            wanted = self._wanted()
            try:
                there = dict(self.service.reminders())
            except RemindlyError as error:
                log.warning("no list of reminders (%s); going by what I remember", error)
                there = None
            for job_id, at in wanted.items():
                known = (self._mine if there is None else there).get(job_id)
                if known != at or (there is None and job_id not in self._mine):
                    self._set(job_id, at)
            for job_id in set(self._mine) | set(there or ()):
                if job_id not in wanted and (there is None or job_id in there):
                    self._drop(job_id)

    def _set(self, job_id, at):
        try:
            if self.service.remind(job_id, at) != job_id:
                raise RemindlyError("it did not confirm")
        except RemindlyError as error:
            self._mine.pop(job_id, None)
            log.warning("no reminder for %s: %s", job_id, error)
        else:
            self._mine[job_id] = at

    def _drop(self, job_id):
        try:
            self.service.forget(job_id)
        except RemindlyError as error:
            log.warning("the reminder for %s stays: %s", job_id, error)
        else:
            self._mine.pop(job_id, None)

    def _wanted(self):
        found = {}
        for job in jobs.list_jobs():
            if job.get("state") == "scheduled" and job.get("next_run_at"):
                at = datetime.fromisoformat(job["next_run_at"]).astimezone(timezone.utc)
                found[job["id"]] = at.replace(microsecond=0)
        return found


class FakeRemindly:
    """The service, for tests."""

    fails = {"after", "nonsense"}

    def __init__(self):
        self.at = {}
        self.asks = None

    # what the provider calls

    def remind(self, job_id, at):
        with self._call("arm", job_id) as served:
            if not served:
                return "<html>Please sign in"
            self.at[job_id] = at
        return job_id

    def forget(self, job_id):
        with self._call("cancel", job_id) as served:
            if served:
                self.at.pop(job_id, None)

    def reminders(self):
        with self._call("list") as served:
            if not served:
                raise RemindlyError("no JSON")
            return list(self.at.items())

    @contextmanager
    def _call(self, *what):
        wrong = self.asks(*what)
        if wrong == "fail":
            raise RemindlyError("503")
        yield not wrong
        if self.asks(*what, after=True):
            raise RemindlyError("timed out")

    # what the kit calls

    def attach(self, provider):
        provider.service = self

    def armed(self):
        return self.at

    def deliver_due(self, now):
        due = [(job_id, at) for job_id, at in self.at.items() if at <= now]
        for job_id, _ in due:
            del self.at[job_id]
        return due

    def forget_all(self):
        self.at.clear()

    def fail_next(self, asks):
        self.asks = asks
