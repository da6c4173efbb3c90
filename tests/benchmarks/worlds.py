"""Whole runs: a day of Chronos with faults, a year in memory, a forecast, a shrunk scenario."""

import json
import random
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from hermes_cron import CronScheduler, jobs, scheduler
from simulator.explore import shrink
from simulator.forecast import Question, forecast
from simulator.hosts import reference_host
from simulator.scenario import Scenario
from simulator.target import Target
from simulator.verdict import judge
from simulator.world import simulate
from tests.benchmarks.measure import Figures, alternately

__all__ = ["chronos_rows", "forecast_rows", "growth_rows", "shrink_rows", "year_rows"]

ROOT = Path(__file__).parents[2]
HOST = reference_host()
BUILTIN, CHRONOS = (HOST.bundled()[name] for name in ("builtin", "chronos"))


def chronos_days(days: int) -> Scenario:
    return Scenario.model_validate(
        {
            "name": "days-with-faults",
            "start": "2026-03-02T08:00:30",
            "lasts": f"{days}d",
            "for": ["external"],
            "jobs": [
                {"id": f"job-{n}", "schedule": f"{7 * n} * * * *", "runs_for": "20s"}
                for n in range(5)
            ],
            "steps": [{"at": "11h", "do": "crash", "machine": "a", "for": "10m"}],
            "faults": [
                {"into": "nas.provision", "answer": 503, "nth": 9},
                {"into": "nas.deliver", "duplicate": ["5s", "400s"], "nth": 20},
                {"into": "store.replace", "raise": {"OSError": "ENOSPC"}, "nth": 40},
            ],
        }
    )


def judged(scenario: Scenario, target: Target) -> Callable[[], object]:
    def run() -> None:
        done = simulate(scenario, target)
        assert not done.never_fired
        assert not judge(done.history, scenario).verdict.startswith("violated")

    return run


def chronos_rows(figures: Figures) -> None:
    scenario = chronos_days(1)
    history = simulate(scenario, CHRONOS).history
    fires = len(history.of("fire.begin"))
    (whole,) = alternately(judged(scenario, CHRONOS))
    figures.row(
        "one day of Chronos, 5 hourly jobs, faults, all checkers: runs per s and core",
        [1 / seconds for seconds in whole],
        *(",.1f", "50", "200"),
    )
    (checking,) = alternately(lambda: judge(_fresh(history), scenario))
    figures.row(f"  of it for each of {fires} fires: us", [1e6 * s / fires for s in whole], ",.0f")
    figures.row("  of it for the checkers: ms", [1e3 * s for s in checking], ",.1f")


def _fresh(history):
    """The same history, of which nothing was derived yet."""
    return type(history).from_lines(history.lines())


def growth_rows(figures: Figures) -> None:
    days = [1, 2, 4]
    runs = [judged(chronos_days(size), CHRONOS) for size in days]
    figures.growth("days of Chronos, judged", days, alternately(*runs))
    sizes = [100, 200, 400]
    due = [_all_due(size) for size in sizes]
    figures.growth("jobs due at once, judged", sizes, alternately(*due))


def _all_due(count: int) -> Callable[[], object]:
    scenario = Scenario.model_validate(
        {
            "name": "all-due",
            "start": "2026-03-02T08:00:00",
            "lasts": "4h",
            "jobs": [{"id": f"job-{n}", "schedule": "0 * * * *"} for n in range(count)],
        }
    )
    return judged(scenario, BUILTIN)


def year_rows(figures: Figures) -> None:
    for kind, what in (("idle", "100 jobs, none due"), ("hourly", "5 hourly jobs")):
        child = [sys.executable, "-m", "tests.benchmarks.year", kind]
        done = subprocess.run(child, cwd=ROOT, capture_output=True, text=True, check=True)
        said = json.loads(done.stdout.splitlines()[-1])
        before = said["before_mib"]
        figures.row(
            f"a year, {what}: most resident MiB ({before:.0f} of it before it began)",
            *([said["most_mib"]], ",.0f", "100", "50"),
        )
        figures.row(f"  {said['events']:,} events; s", [said["seconds"]], ",.0f")
        figures.row("  and judged: most resident MiB", [said["judged_mib"]], ",.0f")
        figures.row("  judging it; s", [said["judge_seconds"]], ",.1f")


def jobs_file(count: int) -> bytes:
    """Cron jobs of all kinds: daily, weekly, monthly, every few hours."""
    rng = random.Random(1)
    forms = (
        lambda: f"{rng.randrange(60)} {rng.randrange(24)} * * *",
        lambda: f"{rng.randrange(60)} {rng.randrange(24)} * * {rng.randrange(7)}",
        lambda: f"{rng.randrange(60)} {rng.randrange(24)} {rng.randrange(1, 28)} * *",
        lambda: f"{rng.randrange(60)} */{rng.choice([4, 6, 12])} * * *",
    )
    records = [
        {
            "id": f"job-{n}",
            "name": f"job {n}",
            "prompt": "x",
            "schedule": {"kind": "cron", "expr": forms[n % 4]()},
            "enabled": True,
            "state": "scheduled",
            "created_at": "2026-03-01T00:00:00+00:00",
        }
        for n in range(count)
    ]
    return json.dumps({"jobs": records}).encode()


def forecast_rows(figures: Figures) -> None:
    fires = 0

    def days(count: int) -> Callable[[], None]:
        start = datetime(2026, 3, 2, tzinfo=UTC)
        end = start + timedelta(days=count)
        question = Question(jobs_file(1000), ZoneInfo("Europe/Berlin"), start, end)

        def run() -> None:
            nonlocal fires
            fires = sum(len(job.fires) for job in forecast(question, BUILTIN, HOST).jobs)

        return run

    short, long = alternately(days(1), days(2))
    each = [later - before for before, later in zip(short, long, strict=True)]
    figures.row(
        "forecast, 1000 mixed cron jobs: s for a year, from its second day",
        [365 * seconds for seconds in each],
        *(",.0f", "60", "10"),
    )
    figures.row(f"  a fire, {fires // 2} a day: us", [2e6 * s / fires for s in each], ",.0f")


class CatchesExceptions(CronScheduler):
    """A loop as most people write it: `SystemExit` ends it."""

    @property
    def name(self) -> str:
        return "catches-exceptions"

    def start(self, stop_event, *, adapters=None, loop=None, interval=60) -> None:
        while not stop_event.is_set():
            jobs.record_ticker_heartbeat(success=False)
            try:
                scheduler.tick(verbose=False, adapters=adapters, loop=loop, sync=False)
            except Exception:
                continue
            jobs.record_ticker_heartbeat(success=True)
            stop_event.wait(interval)


def shrink_rows(figures: Figures) -> None:
    faults = [
        {"into": "store.replace", "raise": {"OSError": "ENOSPC"}, "nth": 7},
        {"into": "store.read", "hang": "2s", "nth": 30},
        {"into": "heartbeat", "raise": "RuntimeError", "at": "30m"},
        {"into": "tick", "raise": "RuntimeError", "nth": 9, "times": 2},
        {"into": "body", "raise": "ValueError", "nth": 2},
        {"into": "tick", "raise": "SystemExit", "nth": 40},
        {"into": "mark", "hang": "1s", "nth": 2, "job": "b"},
        {"into": "store.output", "raise": {"OSError": "EIO"}, "nth": 3},
        {"into": "dispatch", "raise": "RuntimeError", "nth": 20},
        {"into": "store.sync", "raise": {"OSError": "EIO"}, "nth": 4},
        {"into": "claim", "hang": "1s", "nth": 3},
        {"into": "nas.list", "answer": 500},
    ]
    scenario = Scenario.model_validate(
        {
            "name": "twelve-faults",
            "start": "2026-03-02T08:00:00",
            "lasts": "12h",
            "machines": {"a": {}, "b": {"skew": "2s"}},
            "jobs": [
                {"id": "a", "schedule": "every 20m", "runs_for": "20s"},
                {"id": "b", "schedule": "every 30m"},
            ],
            "steps": [{"at": "1h", "do": "crash", "machine": "b", "for": "10m"}],
            "faults": faults,
        }
    )
    target = Target("catches-exceptions", CatchesExceptions, frozenset({"blocking"}))
    small = shrink(scenario, target, "TICK-2")
    left = len(small.scenario.faults)
    figures.row(
        f"shrink {len(faults)} faults to {left}: replays", [small.replays], ",.0f", "300", "50"
    )
