"""The status bench: a home with what gateways left in it, and the status that is asked for there.

What older hosts leave are the two epoch files and the functions of HOST.md ("Status lines"). What
this host leaves beside them it writes itself, by a real beat, as another process of another time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import io
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from unittest import mock

__all__ = ["NO_PROCESS", "StatusBench", "StatusReading", "reference_status_bench"]

NO_PROCESS = 2**22 + 7
"""A process id that no system gives out: Linux ends at 2**22."""


@dataclasses.dataclass(frozen=True, slots=True)
class StatusReading:
    """One answer of the status, by every way that a user has to it.

    Attributes:
        text: what the command prints.
        exit_code: what the command exits with.
        printed: what `cron_status()` prints.
        data: what `--json` prints; None when that is no JSON.
        json_exit_code: what the command exits with for `--json`.
        error: what any of them raised instead; None when nothing did.
    """

    text: str
    exit_code: int
    printed: str
    data: Any
    json_exit_code: int
    error: BaseException | None = None


class StatusBench(Protocol):
    """A home under `$HERMES_HOME` that a probe furnishes before it asks for the status."""

    home: Path

    def reported(self, *pids: int) -> None:
        """These are the gateways that run, whatever the home says."""

    def ages(self, *, heartbeat: object, success: object) -> None:
        """Both ages are these, whatever the files say, as a test of hermes-agent has it."""

    def ago(self, seconds: float) -> str:
        """The instant so long ago, as it stands in the files of HOST.md."""

    def signal(self, name: str, text: str) -> None:
        """Put a file beside the jobs, as another host may have written it."""

    def write(self, path: str, text: str | None) -> None:
        """Put a file into the home; None: a folder where a file belongs."""

    def usual_interval(self, seconds: float) -> None:
        """The host's constant, for gateways that say nothing of their own."""

    def fail(self, what: str, error: BaseException) -> None:
        """A function of HOST.md raises: `find_gateway_pids`, an age, `list_jobs`, the config."""

    def gateway(
        self,
        pid: int,
        *,
        boot: str = "first",
        began_s: float = 3600.0,
        interval_s: float = 60.0,
        **told: Any,
    ) -> None:
        """A gateway told of itself when it began, so many seconds ago.

        Args:
            pid: its process id.
            boot: tells processes with the same id apart.
            began_s: how long ago it began.
            interval_s: what its loop waits between ticks.
            told: `provider`, `external`, `state` or `fallback`, where they are not the usual ones.
        """

    def loop(
        self,
        pid: int,
        *,
        boot: str = "first",
        began_s: float = 3600.0,
        interval_s: float = 60.0,
        beat_s: float | None = 20.0,
        clean_s: float | None = 20.0,
        tick_s: float | None = None,
        error: BaseException | None = None,
    ) -> None:
        """A loop began, beat and ticked, each by the host's own functions, so many seconds ago.

        Args:
            pid: the process that it is in.
            boot: tells processes with the same id apart.
            began_s: how long ago it began.
            interval_s: what it waits between ticks.
            beat_s: the last heartbeat; None for none.
            clean_s: the last clean tick, which beats too; None for none.
            tick_s: a tick began and is under way; None between ticks.
            error: what the ticks since the last clean one raised.
        """

    def job(self, name: str, *, due_s: float = 3600.0, **fields: Any) -> str:
        """A job that is next due in so many seconds, with these fields of its record. Its id."""

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Somebody else holds every lock of the home."""
        yield

    def read(self) -> StatusReading:
        """Ask for the status, as a process of its own."""


class ReferenceStatusBench:
    """See `StatusBench`."""

    def __init__(self, home: Path, undo: contextlib.ExitStack) -> None:
        """A bench on `home`; what it replaces is put back by `undo`."""
        self.home = home
        self._undo = undo
        self._host = {
            name: importlib.import_module(f"hermes_cron.{name}")
            for name in (
                "cli",
                "clock",
                "config",
                "gateway",
                "gateway_evidence",
                "heartbeat",
                "jobs",
                "process",
                "status",
                "store",
            )
        }
        self._machine = self._host["process"].current().host

    def reported(self, *pids: int) -> None:
        """See `StatusBench`."""
        self._replace("gateway", "find_gateway_pids", lambda *_, **__: list(pids))

    def ages(self, *, heartbeat: object, success: object) -> None:
        """See `StatusBench`."""
        self._replace("jobs", "get_ticker_heartbeat_age", lambda: heartbeat)
        self._replace("jobs", "get_ticker_success_age", lambda: success)

    def ago(self, seconds: float) -> str:
        """See `StatusBench`."""
        return repr(time.time() - seconds)

    def signal(self, name: str, text: str) -> None:
        """See `StatusBench`."""
        self.write(f"cron/{name}", text)

    def write(self, path: str, text: str | None) -> None:
        """See `StatusBench`."""
        file = self.home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            file.unlink(missing_ok=True)
            file.mkdir()
        else:
            file.write_text(text, encoding="utf-8")

    def usual_interval(self, seconds: float) -> None:
        """See `StatusBench`."""
        self._replace("jobs", "TICKER_INTERVAL_SECONDS", seconds)

    def fail(self, what: str, error: BaseException) -> None:
        """See `StatusBench`."""

        def broken(*_: Any, **__: Any) -> Any:
            raise error

        module = {"find_gateway_pids": "gateway", "load_config": "config"}.get(what, "jobs")
        self._replace(module, what, broken)

    def gateway(
        self,
        pid: int,
        *,
        boot: str = "first",
        began_s: float = 3600.0,
        interval_s: float = 60.0,
        **told: Any,
    ) -> None:
        """See `StatusBench`."""
        with self._as(pid, boot), self._ago(began_s):
            evidence = self._host["gateway_evidence"].GatewayEvidence()
            evidence.begin(interval_s=interval_s)
            usual = {"provider": "builtin", "external": False, "state": "running"}
            evidence.tell(**{**usual, **told})

    def loop(
        self,
        pid: int,
        *,
        boot: str = "first",
        began_s: float = 3600.0,
        interval_s: float = 60.0,
        beat_s: float | None = 20.0,
        clean_s: float | None = 20.0,
        tick_s: float | None = None,
        error: BaseException | None = None,
    ) -> None:
        """See `StatusBench`."""
        heartbeat, jobs = self._host["heartbeat"], self._host["jobs"]
        with self._as(pid, boot) as me:
            me.pid_is_alive = lambda _pid: True  # whatever else told of itself, lives
            with self._ago(began_s):
                heartbeat.loop_began(interval_s)
            if clean_s is not None:
                with self._ago(clean_s):
                    jobs.record_ticker_heartbeat(success=True)
            if beat_s is not None:
                with self._ago(beat_s):
                    if error is not None:
                        heartbeat.tick_failed(error)
                    if beat_s != clean_s:
                        jobs.record_ticker_heartbeat(success=False)
            if tick_s is not None:
                with self._ago(tick_s), heartbeat.tick_under_way():
                    heartbeat.tick_works()

    def job(self, name: str, *, due_s: float = 3600.0, **fields: Any) -> str:
        """See `StatusBench`."""
        jobs, clock = self._host["jobs"], self._host["clock"]
        job_id = str(jobs.create_job("say hello", "every 2h", name=name)["id"])
        due = clock.datetime.fromtimestamp(clock.epoch() + due_s, clock.zone()).isoformat()
        records = json.loads(jobs.JOBS_FILE.read_text(encoding="utf-8"))
        for record in records["jobs"]:
            if record["id"] == job_id:
                record.update({"next_run_at": due, **fields})
        jobs.JOBS_FILE.write_text(json.dumps(records), encoding="utf-8")
        return job_id

    @contextmanager
    def locked(self) -> Iterator[None]:
        """See `StatusBench`."""
        held, release = threading.Event(), threading.Event()
        home = self._host["store"].current_store()

        def hold() -> None:
            with home.edit(), home.lock("gateway", timeout_s=5):
                held.set()
                release.wait(60)

        holder = threading.Thread(target=hold, name="contract-holder", daemon=True)
        holder.start()
        assert held.wait(10), "the locks of a fresh home are free"
        try:
            yield
        finally:
            release.set()
            holder.join()

    def read(self) -> StatusReading:
        """See `StatusBench`."""
        with self._as(os.getpid(), "reader"):
            text, code, error = self._command("status")
            words, json_code, json_error = self._command("status", "--json")
            out = io.StringIO()
            try:
                with contextlib.redirect_stdout(out):
                    self._host["status"].cron_status()
            except BaseException as raised:
                error = error or raised
        try:
            data = json.loads(words, parse_constant=_no_number)
        except ValueError:
            data = None
        return StatusReading(text, code, out.getvalue(), data, json_code, error or json_error)

    def _command(self, *arguments: str) -> tuple[str, int, BaseException | None]:
        out = io.StringIO()
        try:
            with contextlib.redirect_stdout(out):
                self._host["cli"].cli.main(args=list(arguments), prog_name="hermes-cron")
        except SystemExit as left:
            return out.getvalue(), int(left.code or 0), None
        except BaseException as error:
            return out.getvalue(), -1, error
        return out.getvalue(), 0, None

    @contextmanager
    def _as(self, pid: int, boot: str) -> Iterator[Any]:
        """Be another process of this machine."""
        module = self._host["process"]
        other = module.ProcessState(pid=pid, boot_id=boot, host=self._machine)
        with mock.patch.object(module, "current", return_value=other):
            yield other

    @contextmanager
    def _ago(self, seconds: float) -> Iterator[None]:
        """Let it be so many seconds earlier."""
        clock = self._host["clock"]
        at = clock.epoch() - seconds
        with mock.patch.object(clock, "epoch", return_value=at):
            yield

    def _replace(self, module: str, name: str, value: Any) -> None:
        self._undo.enter_context(mock.patch.object(self._host[module], name, value))


@contextmanager
def reference_status_bench() -> Iterator[StatusBench]:
    """A bench on the reference host and the home in effect."""
    with contextlib.ExitStack() as undo:
        yield ReferenceStatusBench(Path(os.environ["HERMES_HOME"]), undo)


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no JSON")
