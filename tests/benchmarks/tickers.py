"""Loops that wait a minute and look: ours, on one machine and on a hundred, and stock APScheduler's."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from json import loads
from pathlib import Path

from apscheduler.executors.debug import DebugExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.schedulers.base import BaseScheduler

from hermes_cron import CronScheduler, jobs, scheduler
from simulator.hosts import reference_host
from simulator.kernel import Kernel, here
from simulator.kernel.patches import install
from simulator.scenario import Scenario
from simulator.target import Target, from_class
from simulator.verdict import judge
from simulator.world import simulate
from tests.benchmarks.measure import ROUNDS, Figures, alternately

__all__ = ["apscheduler_rows", "machine_rows", "peer_rows", "ticker_rows"]

ROOT = Path(__file__).parents[2]
DAY_S = 86_400
WEEK_S = 7 * DAY_S
TICKS = WEEK_S // 60
START_US = 1_772_000_000_000_000

QUIET_WEEK = Scenario.model_validate(
    {
        "name": "a-quiet-week",
        "start": "2026-03-02T08:00:00",
        "lasts": "7d",
        "jobs": [{"id": f"job-{n}", "schedule": "0 0 1 7 *"} for n in range(100)],
    }
)
BUILTIN = reference_host().bundled()["builtin"]


class BareLoop(CronScheduler):
    """The body of the built-in's tick in a `for`, with the clock pushed on by hand: no kernel."""

    @property
    def name(self) -> str:
        return "bare"

    def start(self, stop_event, *, adapters=None, loop=None, interval=60) -> None:
        kernel = here()
        step_us = interval * 1_000_000
        jobs.record_ticker_heartbeat(success=False)
        for _ in range(TICKS):
            scheduler.tick(verbose=False, adapters=adapters, loop=loop, sync=False)
            jobs.record_ticker_heartbeat(success=True)
            kernel.now_us += step_us


def week_of(target: Target) -> Callable[[], None]:
    def run() -> None:
        history = simulate(QUIET_WEEK, target).history
        assert len(history.of("tick.end")) >= TICKS
        judge(history, QUIET_WEEK)

    return run


def ticker_rows(figures: Figures) -> None:
    simulated, bare = alternately(week_of(BUILTIN), week_of(from_class(BareLoop, "bare")))
    figures.row(
        "built-in, one 60 s ticker, 100 jobs, none due, judged: simulated s per s",
        [WEEK_S / seconds for seconds in simulated],
        *(",.0f", "2,000,000", "10,000,000"),
    )
    ratios = [one / other for one, other in zip(simulated, bare, strict=True)]
    figures.row("  beside a bare loop over the tick's body: times", ratios, ".2f", "3.0", "1.3")


def machines(count: int, lasts: str) -> Callable[[], object]:
    scenario = Scenario.model_validate(
        {
            "name": "many-machines",
            "start": "2026-03-02T08:00:00",
            "lasts": lasts,
            "machines": {f"m{nth}": {} for nth in range(count)},
            "jobs": [{"id": "job", "schedule": "0 0 1 7 *"}],
        }
    )
    return lambda: simulate(scenario, BUILTIN)


def waiting_tasks() -> None:
    """A hundred tasks that wait a minute, for two hours: the kernel's part of a hundred machines."""
    never = threading.Event()
    waits = 0

    def main() -> None:
        nonlocal waits
        for _ in range(120):
            never.wait(60)
            waits += 1

    kernel = Kernel(start_us=START_US)
    with install(kernel, adopt=[never]):
        for nth in range(100):
            kernel.spawn(main, name="ticker", machine=kernel.boot(f"m{nth}"))
        kernel.run(START_US + 7200 * 1_000_000)
    assert waits == 100 * 120


def machine_rows(figures: Figures) -> None:
    whole, kernel = alternately(machines(100, "2h"), waiting_tasks)
    figures.row(
        "100 machines on one store, nothing due: simulated s per s",
        [7200 / one for one in whole],
        *(",.0f", "40,000", "150,000"),
    )
    figures.row("  a tick: us", [1e6 * one / 12_000 for one in whole], ",.1f")
    figures.row("  100 loops that only wait: simulated s per s", [7200 / s for s in kernel], ",.0f")
    sizes = [10, 20, 40, 80]
    figures.growth("machines", sizes, alternately(*(machines(size, "2h") for size in sizes)))


# -- stock APScheduler


def stock() -> None:
    """Its own thread and pool, unmodified, in the kernel."""
    fires = []

    def main() -> None:
        own = BackgroundScheduler(timezone="UTC")
        own.add_job(lambda: fires.append(None), "interval", seconds=60)
        own.start()
        time.sleep(WEEK_S + 0.5)
        own.shutdown()

    kernel = Kernel(start_us=START_US)
    with install(kernel, adopt=[main]):
        kernel.spawn(main, name="main", machine=kernel.boot("a"))
        kernel.run(START_US + 2 * WEEK_S * 1_000_000)
    assert len(fires) == TICKS


class Pushed(BaseScheduler):
    """Its `_process_jobs` only, called when it asks to be, with nothing between: what a tick costs."""

    def wakeup(self) -> None:
        """It is called in a loop."""

    def shutdown(self, wait: bool = True) -> None:
        """Nothing to stop."""


def pushed() -> None:
    fires = []

    def main() -> None:
        own = Pushed(timezone="UTC", executors={"default": DebugExecutor()})
        own.add_job(lambda: fires.append(None), "interval", seconds=60)
        own.start()
        kernel = here()
        while len(fires) < TICKS:
            wait = timedelta(seconds=own._process_jobs() or 0)
            kernel.now_us += max(1, wait // timedelta(microseconds=1))

    kernel = Kernel(start_us=START_US)
    with install(kernel, adopt=[main]):
        kernel.spawn(main, name="main", machine=kernel.boot("a"))
        kernel.run(START_US + 1)
    assert len(fires) == TICKS


def apscheduler_rows(figures: Figures) -> None:
    whole, bare = alternately(stock, pushed)
    figures.row(
        "stock APScheduler 3.11, one 60 s job: simulated s per s",
        [WEEK_S / seconds for seconds in whole],
        *(",.0f", "500,000", "1,000,000"),
    )
    figures.row("  its own cost a tick, no threads: us", [1e6 * s / TICKS for s in bare], ",.1f")
    ratios = [one / other for one, other in zip(whole, bare, strict=True)]
    figures.row("  with its threads, in the kernel, beside that: times", ratios, ".2f")


# -- libraries that do a part of this: one task that waits a minute


PEERS = {
    "ours": "blocking code that waits in an Event, clocks patched",
    "simpy": "a ceiling: generators, no clock of anybody's is patched",
    "detangle": "asyncio only",
    "simloop": "asyncio only",
    "seedloop": "asyncio only",
}


def peer_rows(figures: Figures) -> None:
    """The environments are this one, .venv-3.1x, and what BENCH_PYTHONS names (with colons)."""
    named = [Path(one) for one in os.environ.get("BENCH_PYTHONS", "").split(":") if one]
    pythons = [Path(sys.executable), *sorted(ROOT.glob(".venv-3.1?/bin/python")), *named]
    found = {peer: _python_with(peer, pythons) for peer in PEERS}
    rounds: dict[str, list[float]] = {peer: [] for peer in PEERS}
    for _ in range(ROUNDS):
        for peer, python in found.items():
            if python is not None:
                done = loads(_peer(python, peer).stdout.splitlines()[-1])
                rounds[peer].append(1e6 * done["seconds"] / done["waits"])
    for peer, note in PEERS.items():
        what = f"one wait of a minute in {peer} ({note}): us"
        if rounds[peer]:
            figures.row(what, rounds[peer], ",.2f")
        else:
            figures.not_run(what, "not installed in any environment here")
    figures.not_run("the same in interleave-test", "it has no clock: its sleep takes no time")


def _python_with(peer: str, pythons: list[Path]) -> Path | None:
    module = "simulator" if peer == "ours" else peer
    for python in pythons:
        asked = [str(python), "-c", f"import {module}"]
        if subprocess.run(asked, cwd=ROOT, capture_output=True, check=False).returncode == 0:
            return python
    return None


def _peer(python: Path, peer: str) -> subprocess.CompletedProcess[str]:
    script = Path(__file__).with_name("peer.py")
    environment = {
        **os.environ,
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": str(ROOT) if peer == "ours" else "",
    }
    return subprocess.run(
        [str(python), str(script), peer],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
