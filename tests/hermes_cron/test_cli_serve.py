"""`hermes-cron serve` as a process of its own: it runs jobs, answers fires, leaves on SIGTERM."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from hermes_cron import jobs

SOON_S = 120.0  # after so long it hangs, however busy the machine is


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HERMES_HOME", str(tmp_path))
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "ok.sh").write_text("echo fine; date")
    (tmp_path / "scripts" / "long.sh").write_text(
        "touch $HERMES_HOME/began; sleep ${LONG_S:-0.5}; touch $HERMES_HOME/ended"
    )
    return tmp_path


@pytest.fixture
def shell(home):
    environment = {**os.environ, "HERMES_HOME": str(home), "HERMES_TIMEZONE": "UTC"}

    def call(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "hermes_cron.cli", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=SOON_S,
            check=False,
        )

    return call


@pytest.fixture
def serve(home):
    """Start a gateway; its process, and the URL of its webhook. Killed at the end if it must be."""
    begun = []

    def start(*arguments, **environment):
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "hermes_cron.cli",
                "serve",
                "--interval",
                "1",
                "--port",
                "0",
                *arguments,
            ],
            env={**os.environ, "HERMES_HOME": str(home), "HERMES_TIMEZONE": "UTC", **environment},
            stderr=subprocess.PIPE,
            text=True,
        )
        begun.append(process)
        for line in process.stderr:
            found = re.match(r"taking fires at (\S+)", line)
            if found:
                return process, found.group(1)
        raise AssertionError("it did not say where it takes fires")

    yield start
    for process in begun:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stderr.close()


def until(condition, what):
    deadline = time.monotonic() + SOON_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {SOON_S} s: {what}"
        time.sleep(0.02)


def due_now():
    """A job that is due; the next tick of the other process sees it."""
    jobs.trigger_job(jobs.create_job("", "every 1h", script="long.sh", no_agent=True)["id"])


def executions(home):
    path = home / "cron" / "executions.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_a_script_job_runs_on_its_schedule_and_the_status_tells_the_truth(home, shell, serve):
    assert shell("status").returncode == 1
    process, _ = serve()
    until(lambda: shell("status").returncode == 0, "healthy")
    # Made here: a command may take longer to begin than there is time left.
    at = (datetime.now(UTC) + timedelta(seconds=2)).isoformat(timespec="seconds")
    created = jobs.create_job("", at, script="ok.sh", name="soon", no_agent=True)
    told = json.loads(shell("status", "--json").stdout)
    assert told["evidence"]["pids"] == [process.pid]
    assert told["ages"]["stale_after_s"] == 23
    until(lambda: any(e["state"] == "completed" for e in executions(home)), "the run")
    assert [e["state"] for e in executions(home)] == ["claimed", "running", "completed"]
    ran_at = datetime.fromisoformat(executions(home)[1]["at"])
    assert ran_at >= datetime.fromisoformat(at)
    [output] = (home / "cron" / "output" / created["id"]).iterdir()
    assert "fine" in output.read_text()
    second = shell("serve", "--port", "0")
    assert second.returncode == 1
    assert f"pid {process.pid}" in second.stderr
    process.send_signal(signal.SIGTERM)
    assert process.wait(SOON_S) == 0
    assert "will NOT fire" in shell("status").stdout


def test_sigterm_lets_a_run_come_to_its_end(home, serve):
    process, _ = serve()
    due_now()
    until((home / "began").exists, "the run")
    process.send_signal(signal.SIGTERM)
    assert process.wait(SOON_S) == 0
    assert (home / "ended").exists()
    assert executions(home)[-1]["state"] == "completed"


def test_a_run_that_does_not_end_is_left_after_the_drain_and_not_run_again(home, serve):
    process, _ = serve("--drain", "0.2", LONG_S="600")
    due_now()
    until((home / "began").exists, "the run")
    process.send_signal(signal.SIGTERM)
    assert process.wait(SOON_S) == 1  # the script would take ten minutes
    (home / "began").unlink()
    serve()
    until(lambda: executions(home)[-1]["state"] == "unknown", "the recovery")
    assert not (home / "began").exists()


def test_a_killed_gateway_is_not_running_and_another_takes_over(home, shell, serve):
    process, _ = serve()
    until(lambda: shell("status").returncode == 0, "healthy")
    process.kill()
    process.wait()
    assert "will NOT fire" in shell("status").stdout
    process, _ = serve()
    until(lambda: shell("status").returncode == 0, "healthy")
    assert json.loads(shell("status", "--json").stdout)["evidence"]["pids"] == [process.pid]


def test_fires_over_the_wire(serve):
    _, url = serve()
    assert httpx.post(url, content=b"{}").status_code == 401
    assert httpx.post(url, content=b"x" * 100_000).status_code == 413
    host, port = re.search(r"//([\d.]+):(\d+)/", url).groups()
    assert host == "127.0.0.1"
    with socket.create_connection((host, int(port)), timeout=SOON_S) as raw:
        raw.sendall(b"this is no HTTP\r\n\r\n")
        assert b"400" in raw.recv(1000).split(b"\r\n")[0]


def test_a_port_in_use_stops_only_who_asked_for_it(home):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "hermes_cron.cli",
                "serve",
                "--port",
                str(taken.getsockname()[1]),
            ],
            env={**os.environ, "HERMES_HOME": str(home)},
            capture_output=True,
            text=True,
            timeout=SOON_S,
            check=False,
        )
    assert done.returncode == 1
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr
