"""The webhook bench: the host's ASGI application, with the kit as NAS and at the body of each job.

Requests go through one client on one event loop, as they would through one server: whoever blocks
that loop blocks the others.
"""

import errno
import importlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from unittest import mock

import yaml

from contract_tests.benches.asgi import ANSWER_WITHIN_S, AsgiClient
from contract_tests.benches.issuer import Issuer

__all__ = ["ACCEPTED", "Fire", "Said", "StoreTrouble", "WebhookBench", "reference_webhook_bench"]

ACCEPTED = 202
FIRE_PATH = "/api/cron/fire"
_BODY_WITHIN_S = 20.0
StoreTrouble = Literal["unreadable", "unwritable"]


@dataclass(frozen=True)
class Said:
    """The host's answer; None everywhere when there was none in time."""

    status: int | None = None
    body: Any = None

    @property
    def word(self) -> Any:
        """The status that the body names."""
        return self.body.get("status") if isinstance(self.body, dict) else None

    def __str__(self) -> str:
        if self.status is None:
            return f"no answer within {ANSWER_WITHIN_S:g} s"
        return f"{self.status} {json.dumps(self.body)[:120]}"


@dataclass(frozen=True)
class Fire:
    """A fire of an occurrence: job id and instant, as the body of the request has them."""

    job_id: str
    fire_at: str

    def content(self) -> bytes:
        """The body of the request."""
        return json.dumps({"job_id": self.job_id, "fire_at": self.fire_at}).encode()


@dataclass
class WebhookBench:
    """A host that takes fires, on a job store on disk.

    Attributes:
        client: posts a body with an Authorization header.
        add_job: a job whose next occurrence lies so many seconds ahead; the fire of that.
        pause: pauses a job.
        claim: the claim that stands in the job's record, as the file has it; None without one.
        trouble: while it is on, the store cannot be read, or not be written; tells whether that
            was felt.
        pass_time: moves the host's clock for durations on.
        runs: the job of each run that reached the body, in order.
        ended: the job of each run whose body has ended.
        handed: each claimed fire as the provider was handed it: job and claim on disk at that time.
        returned: the job of each of those fires that has come back, its result stored.
    """

    client: "Client"
    add_job: Callable[[float], Fire]
    pause: Callable[[str], object]
    claim: Callable[[str], Any]
    trouble: Callable[[StoreTrouble], AbstractContextManager[Callable[[], bool]]]
    pass_time: Callable[[float], None]
    runs: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    handed: list[tuple[str, Any]] = field(default_factory=list)
    returned: list[str] = field(default_factory=list)
    _closed: bool = False
    _held: dict[str, threading.Event] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def hold(self, *job_ids: str) -> None:
        """Let the bodies of these jobs hang until `let_go`."""
        self._held.update({job_id: threading.Event() for job_id in job_ids})

    def let_go(self) -> None:
        """Let every body end."""
        for event in self._held.values():
            event.set()

    def reaches(self, condition: Callable[[], bool], within_s: float = ANSWER_WITHIN_S) -> bool:
        """Wait until something is true of what was seen; whether it came to be."""
        with self._changed:
            return self._changed.wait_for(condition, within_s)

    # -- what the host's own parts call ----------------------------------------------------------

    def body(self, job: Any) -> tuple[bool, str, str, None]:
        """The body of every job."""
        job_id = job["id"]
        self._note(lambda: self.runs.append(job_id))
        if job_id in self._held:
            self._held[job_id].wait(_BODY_WITHIN_S)
        self._note(lambda: self.ended.append(job_id))
        return True, "hello", "hello", None

    def hand(self, job_id: str, run: Callable[[], bool]) -> bool:
        """The provider is handed a fire, and runs it."""
        if self._closed:
            return False  # its home is gone, and another's is in its place
        claim = self.claim(job_id)
        self._note(lambda: self.handed.append((job_id, claim)))
        try:
            return run()
        finally:
            self._note(lambda: self.returned.append(job_id))

    def settle(self) -> None:
        """Let go, and wait until nothing of this bench runs any more."""
        self.let_go()
        self.reaches(lambda: len(self.returned) >= max(len(self.handed), self.client.accepted))
        self._closed = True

    def _note(self, change: Callable[[], object]) -> None:
        with self._changed:
            change()
            self._changed.notify_all()


class Client:
    """NAS's side of the wire."""

    def __init__(self, app: Any) -> None:
        self.accepted = 0  # fires that were answered 202
        self._asgi = AsgiClient(app, "http://agent.example.test")
        self.close = self._asgi.close

    def post(self, content: bytes, authorization: str | None) -> Said:
        """Post one fire and wait for its answer, within bounds."""
        headers = {"content-type": "application/json"}
        if authorization is not None:
            headers["authorization"] = authorization
        response = self._asgi.request("POST", FIRE_PATH, content=content, headers=headers)
        if response is None:
            return Said()
        self.accepted += response.status_code == ACCEPTED
        try:
            return Said(response.status_code, response.json())
        except ValueError:
            return Said(response.status_code, response.text)


@contextmanager
def reference_webhook_bench(home: Path, issuer: Issuer) -> Iterator[WebhookBench]:
    """A bench on the reference host, in this home, which trusts this issuer."""
    jobs, scheduler, clock, process, server, provider = (
        importlib.import_module(f"hermes_cron.{name}")
        for name in ("jobs", "scheduler", "clock", "process", "server", "scheduler_provider")
    )
    settings = {
        "portal_url": issuer.portal_url,
        "expected_audience": issuer.audience,
        "nas_jwks_url": issuer.keys_url,
    }
    config = {"cron": {_section(importlib.import_module("hermes_cron.config")): settings}}
    (home / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    ahead_s = [0.0]
    bench = WebhookBench(
        client=Client(server.standalone_app()),
        add_job=lambda in_s: _add_job(jobs, in_s),
        pause=jobs.pause_job,
        claim=lambda job_id: _claim_on_disk(jobs.JOBS_FILE, job_id),
        trouble=lambda kind: _trouble(Path(jobs.JOBS_FILE), kind),
        pass_time=lambda seconds: ahead_s.append(ahead_s[-1] + seconds),
    )

    class Witness(provider.CronScheduler):  # type: ignore[misc, name-defined]
        name = "contract-witness"

        def start(self, stop_event: Any, **_more: Any) -> None:
            """Nothing to start: fires come from outside."""

        def fire_due(self, job_id: str, **more: Any) -> bool:
            run = super().fire_due
            return bench.hand(job_id, lambda: bool(run(job_id, **more)))

    monotonic = clock.monotonic

    def moved() -> float:
        return float(monotonic() + ahead_s[-1])

    with (
        mock.patch.object(process.current(), "provider", Witness()),
        mock.patch.object(process.current(), "slots", {}),
        mock.patch.object(clock, "monotonic", moved),
        mock.patch.object(scheduler, "run_job", bench.body),
        mock.patch.dict(os.environ, {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}),
    ):
        try:
            yield bench
        finally:
            bench.settle()
            bench.client.close()


def _section(config: Any) -> str:
    """Where the host's configuration has what its webhook checks tokens by (WIRE.md)."""
    for name, keys in config.DEFAULT_CONFIG["cron"].items():
        if isinstance(keys, dict) and "nas_jwks_url" in keys:
            return str(name)
    raise LookupError("the host's configuration has no nas_jwks_url")


def _add_job(jobs: Any, in_s: float) -> Fire:
    at = (datetime.now(UTC) + timedelta(seconds=in_s)).isoformat(timespec="seconds")
    job_id = str(jobs.create_job("say hello", "every 1h")["id"])
    jobs.update_job(job_id, {"next_run_at": at})
    return Fire(job_id, at)


def _claim_on_disk(file: Any, job_id: str) -> Any:
    # The file is only ever replaced whole, and its format is everybody's (HOST.md, Files).
    for job in json.loads(Path(file).read_text(encoding="utf-8"))["jobs"]:
        if job["id"] == job_id:
            return job.get("fire_claim")
    return None


@contextmanager
def _trouble(file: Path, kind: StoreTrouble) -> Iterator[Callable[[], bool]]:
    """See `WebhookBench.trouble`."""
    if kind == "unreadable":
        good = file.read_bytes()
        file.write_bytes(b'{"jobs": [')
        try:
            yield lambda: True
        finally:
            file.write_bytes(good)
        return
    struck: list[str] = []

    def full(replace: Callable[..., None]) -> Callable[..., None]:
        def refused(source: Any, target: Any, **more: Any) -> None:
            if Path(target).name != file.name:
                return replace(source, target, **more)
            struck.append(str(target))
            raise OSError(errno.ENOSPC, "No space left on device", str(target))

        return refused

    with (
        mock.patch.object(os, "replace", full(os.replace)),
        mock.patch.object(os, "rename", full(os.rename)),
    ):
        yield lambda: bool(struck)
