"""A gateway's Chronos in a home of its own, with a fake NAS, on a clock that the test moves."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jobs_home import Home, make_home

sys.path.insert(0, str(Path(__file__).parents[1]))
from nas_bench import TOKEN, NasBench

from hermes_cron import auth, clock, config, store
from hermes_cron.plugins.chronos import ChronosCronScheduler
from simulator.nas_http import mount_respx

CONFIGURED = {
    "portal_url": "https://portal.example.test",
    "callback_url": "https://agent.test/base",
}


class Agent:
    """A gateway's provider, its home and its NAS."""

    def __init__(self, home: Home, bench: NasBench, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home, self.bench, self.monkeypatch = home, bench, monkeypatch
        self.stop_event = threading.Event()
        self.provider = ChronosCronScheduler()

    def start(self) -> None:
        self.provider.start(self.stop_event)

    def restart(self) -> None:
        """A new process, which remembers nothing."""
        self.home.restart()
        self.provider = ChronosCronScheduler()
        self.stop_event = threading.Event()
        self.start()

    def configure(self, **section: Any) -> None:
        section = CONFIGURED | section
        self.monkeypatch.setattr(config, "load_config", lambda: {"cron": {"chronos": section}})

    def plant(self, job: str = "job", **fields: Any) -> dict[str, Any]:
        return self.home.plant(
            **{"id": job, "name": job, "next_run_at": self.bench.iso(3600)} | fields
        )

    def armed(self) -> dict[str, str]:
        return {job: at[11:19] for job, at in self.bench.nas.snapshot().items()}

    def wait(self, **duration: float) -> None:
        before = self.home.epoch()
        self.home.wait(**duration)
        self.bench.timer.advance(self.home.epoch() - before)

    def fired(self) -> list[tuple[str, str]]:
        """Take what NAS delivered since this was asked last."""
        taken = [(d.job_id, d.fire_at[11:19]) for d in self.bench.deliveries]
        self.bench.deliveries.clear()
        return taken

    def signal(self) -> Any:
        """What the provider told the status."""
        told = store.current_store().read_signal("registry-chronos")
        assert told is not None
        return json.loads(told)


def make_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Agent]:
    world = make_home(tmp_path, monkeypatch)
    bench = NasBench()
    agent = Agent(next(world), bench, monkeypatch)
    agent.configure()
    monkeypatch.setattr(auth, "resolve_nous_access_token", lambda: TOKEN)
    logins = {"nous": {"access_token": TOKEN}}
    monkeypatch.setattr(auth, "get_provider_auth_state", logins.get)
    monkeypatch.setattr(clock, "monotonic", lambda: bench.timer.us / 1e6)
    with mount_respx(bench.nas, sleep=bench.timer.advance):
        yield agent
    agent.provider.stop()
    next(world, None)
