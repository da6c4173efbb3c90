"""Timers at an HTTP service, by requests: PUT and DELETE /timers/ID, GET /timers."""

import json
import logging
import os
import threading
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests

from hermes_cron import CronScheduler, jobs

log = logging.getLogger("over_http")


class HttpTimersCron(CronScheduler):
    name = "http-timers"

    def __init__(self, url=None):
        self.url = url or os.environ.get("TIMERS_URL", "http://timers.example.test")
        self._session = requests.Session()
        self._lock = threading.Lock()
        self._armed = {}
        self._stop_event = None

    def is_available(self):
        return bool(self.url)

    def start(self, stop_event, *, adapters=None, loop=None, interval=60):
        self._stop_event = stop_event
        self.recover_interrupted()
        self.reconcile()

    def on_jobs_changed(self):
        self.reconcile()

    def fire_due(self, job_id, *, adapters=None, loop=None):
        try:
            return super().fire_due(job_id, adapters=adapters, loop=loop)
        finally:
            self.reconcile()

    def reconcile(self):
        if self._stop_event is not None and self._stop_event.is_set():
            return
        with self._lock:
            wanted = {
                job["id"]: _second(job["next_run_at"])
                for job in jobs.list_jobs()
                if job.get("state") == "scheduled" and job.get("next_run_at")
            }
            there = self._call("GET", "/timers")
            known = self._armed if there is None else {k: _second(v) for k, v in there.items()}
            for job_id, at in wanted.items():
                if known.get(job_id) == at:
                    continue
                self._armed.pop(job_id, None)
                if self._call("PUT", f"/timers/{job_id}", {"at": at.isoformat()}) is not None:
                    self._armed[job_id] = at
            for job_id in (self._armed.keys() | known.keys()) - wanted.keys():
                if self._call("DELETE", f"/timers/{job_id}") is not None:
                    self._armed.pop(job_id, None)

    def _call(self, method, path, body=None):
        """The answer's JSON object; None when there was none."""
        try:
            answer = self._session.request(method, self.url + path, json=body, timeout=10)
            answer.raise_for_status()
            found = answer.json()
        except (requests.RequestException, ValueError) as error:
            log.warning("%s %s: %s", method, path, error)
            return None
        return found if isinstance(found, dict) else None


def _second(text):
    return datetime.fromisoformat(text).astimezone(timezone.utc).replace(microsecond=0)


class FakeTimers:
    """The service, on a port of this machine."""

    fails = {"nonsense"}

    def __init__(self):
        self.at = {}
        self.lock = threading.Lock()
        self.asks = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.address = self._server.server_address
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def attach(self, provider):
        provider.url = "http://127.0.0.1:%d" % self.address[1]

    def armed(self):
        with self.lock:
            return dict(self.at)

    def deliver_due(self, now):
        with self.lock:
            due = [(job_id, at) for job_id, at in self.at.items() if at <= now]
            for job_id, _ in due:
                del self.at[job_id]
        return due

    def forget_all(self):
        with self.lock:
            self.at.clear()

    def fail_next(self, asks):
        self.asks = asks

    def _handler(fake):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self):
                if not fake.asks("list"):
                    self._answer(200, {k: v.isoformat() for k, v in fake.armed().items()})
                else:
                    self._answer(503, {"error": "out of timers"})

            def do_PUT(self):
                length = int(self.headers["Content-Length"])
                job_id, body = self.path.rpartition("/")[2], json.loads(self.rfile.read(length))
                wrong = fake.asks("arm", job_id)
                if wrong == "nonsense":
                    return self._answer(200, "<html>Please sign in")
                if wrong:
                    return self._answer(503, {"error": "out of timers"})
                with fake.lock:
                    fake.at[job_id] = datetime.fromisoformat(body["at"])
                self._answer(200, {})

            def do_DELETE(self):
                job_id = self.path.rpartition("/")[2]
                if fake.asks("cancel", job_id):
                    return self._answer(503, {"error": "out of timers"})
                with fake.lock:
                    fake.at.pop(job_id, None)
                self._answer(200, {})

            def _answer(self, status, body):
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args):
                pass

        return Handler
