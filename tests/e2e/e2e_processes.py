"""Real processes for the end-to-end tests: a home, `hermes-sim nas`, `hermes-cron serve`.

Every process is started here and ended by its own id. Nothing waits longer than `SOON_S`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
SOON_S = 20.0
TOKEN, AGENT = "token-of-me", "me"

# Runs until the test says so, and at most 20 s; tells its process id, so that it can be ended.
HOLD = """\
echo $$ >> "$HERMES_HOME/began"
for _ in $(seq 400); do
  [ -e "$HERMES_HOME/go" ] && break
  sleep 0.05
done
echo $$ >> "$HERMES_HOME/ended"
"""


def until(condition: Callable[[], Any], what: str) -> Any:
    """What `condition` gives as soon as that is true."""
    deadline = time.monotonic() + SOON_S
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {SOON_S:g} s: {what}"
        time.sleep(0.02)
    return value


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        listeners = [
            held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)
        ]
        return [listener.getsockname()[1] for listener in listeners]


class World:
    """One home with its processes.

    Attributes:
        home: `$HERMES_HOME`.
        url: of the NAS; it stays the same when it is started again.
        callback_url: of the gateway, likewise.
        nas_process: the NAS that `start` started.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.url, self.callback_url = (f"http://127.0.0.1:{port}" for port in free_ports(2))
        self.nas_process: subprocess.Popen[str] | None = None
        self._begun: list[subprocess.Popen[str]] = []
        (home / "scripts").mkdir(parents=True)
        (home / "scripts" / "hold.sh").write_text(HOLD)
        (home / "scripts" / "quick.sh").write_text('echo $$ >> "$HERMES_HOME/began"; echo fine\n')

    # -- processes --------------------------------------------------------------------------------

    def start(self, *nas_options: str) -> subprocess.Popen[str]:
        """A NAS and a gateway that takes fires, both at once; the gateway."""
        self._log_in()
        gateway = self._begin_gateway()
        self.nas_process = self.start_nas(*nas_options)
        self._until_it_takes_fires(gateway)
        return gateway

    def start_nas(self, *options: str) -> subprocess.Popen[str]:
        agent = f"{TOKEN}={AGENT}"
        process = self._start(
            *(
                "hermes-sim",
                "nas",
                "--port",
                self.url.rpartition(":")[2],
                "--agent",
                agent,
                *options,
            ),
            stdout=subprocess.PIPE,
        )
        assert process.stdout.readline().strip() == self.url, self._said()
        process.stdout.close()
        return process

    def start_gateway(self) -> subprocess.Popen[str]:
        process = self._begin_gateway()
        self._until_it_takes_fires(process)
        return process

    def _begin_gateway(self) -> subprocess.Popen[str]:
        return self._start("hermes-cron", "serve", "--port", self.callback_url.rpartition(":")[2])

    def _until_it_takes_fires(self, gateway: subprocess.Popen[str]) -> None:
        def takes_fires() -> bool:
            assert gateway.poll() is None, self._said()
            try:  # refused for want of a token, by a gateway that is up
                url = f"{self.callback_url}/api/cron/fire"
                return httpx.post(url, timeout=5, trust_env=False).status_code == 401
            except httpx.TransportError:
                return False

        until(takes_fires, "the gateway takes fires")

    def _log_in(self) -> None:
        """Write what makes the agent one of this NAS's."""
        chronos = {
            "portal_url": self.url,
            "callback_url": self.callback_url,
            "expected_audience": f"agent:{AGENT}",
            "nas_jwks_url": f"{self.url}/jwks.json",
        }
        config = {"timezone": "UTC", "cron": {"provider": "chronos", "chronos": chronos}}
        (self.home / "config.yaml").write_text(json.dumps(config))  # JSON is YAML
        login = {"version": 1, "providers": {"nous": {"access_token": TOKEN}}}
        (self.home / "auth.json").write_text(json.dumps(login))

    def kill(self, process: subprocess.Popen[str]) -> None:
        process.send_signal(signal.SIGKILL)
        assert process.wait(SOON_S) == -signal.SIGKILL

    def close(self) -> None:
        """SIGTERM for what still runs; it must then leave by itself, with 0."""
        (self.home / "go").touch()
        self.end_scripts()
        left = [process for process in reversed(self._begun) if process.poll() is None]
        try:
            for process in left:
                process.send_signal(signal.SIGTERM)
                assert process.wait(SOON_S) == 0, self._said()
        finally:
            for process in left:
                if process.poll() is None:
                    process.kill()
                    process.wait()

    def end_scripts(self) -> None:
        """End the scripts that outlive their gateway: a script is in a session of its own."""
        for pid in set(self.lines("began")) - set(self.lines("ended")):
            try:
                named = Path(f"/proc/{pid}/cmdline").read_bytes()
                if str(self.home).encode() in named:
                    os.kill(int(pid), signal.SIGKILL)
            except (FileNotFoundError, ProcessLookupError):
                continue

    def _start(self, command: str, *arguments: str, **more: Any) -> subprocess.Popen[str]:
        # What runs is the tree that these tests stand in.
        with (self.home / "log").open("a") as log:
            process = subprocess.Popen(
                [str(BIN / command), *arguments],
                env=self._environment(),
                stderr=log,
                text=True,
                **({"stdout": log} | more),
            )
        self._begun.append(process)
        return process

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "HERMES_HOME": str(self.home), "PYTHONPATH": str(ROOT)}

    def _said(self) -> str:
        return (self.home / "log").read_text()

    # -- the agent --------------------------------------------------------------------------------

    def command(self, *arguments: str) -> Any:
        """What `hermes-cron ... --json` prints."""
        done = subprocess.run(
            [str(BIN / "hermes-cron"), *arguments, "--json"],
            env=self._environment(), capture_output=True, text=True, timeout=SOON_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def job(self, job_id: str) -> dict[str, Any]:
        jobs = json.loads((self.home / "cron" / "jobs.json").read_text())["jobs"]
        return next((job for job in jobs if job["id"] == job_id), {})

    def states(self) -> list[str]:
        """The execution records, oldest first."""
        path = self.home / "cron" / "executions.jsonl"
        return (
            [json.loads(line)["state"] for line in path.read_text().splitlines()]
            if path.exists()
            else []
        )

    def lines(self, name: str) -> list[str]:
        path = self.home / name
        return path.read_text().split() if path.exists() else []

    # -- the NAS ----------------------------------------------------------------------------------

    def nas(self, path: str = "/state", body: dict[str, Any] | None = None) -> dict[str, Any]:
        method = "GET" if body is None else "POST"
        answer = httpx.request(method, self.url + path, json=body, timeout=SOON_S, trust_env=False)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def armed(self) -> dict[str, str]:
        return self.nas()["armed"]

    def answers(self) -> dict[str, int]:
        """How often the agent gave each answer to a fire; {} while deliveries are on their way."""
        deliveries = self.nas()["deliveries"]
        return {} if deliveries["on_their_way"] else deliveries["answers"]
