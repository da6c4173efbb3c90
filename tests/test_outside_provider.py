"""A provider from a plain file outside the packages, imported before any world exists, runs unmodified."""

import importlib
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest

from simulator.detect import with_capabilities
from simulator.hosts import reference_host
from simulator.runner import run_all, select
from simulator.scenario_file import parse_scenario
from simulator.target import from_attribute, from_class
from simulator.world import simulate

HERE = Path(__file__).parent / "outsiders"

DAY = parse_scenario("""
name: an-ordinary-day
start: 2026-06-01T00:00:00
lasts: 1d
jobs:
  - {id: report, schedule: "0 * * * *", runs_for: 2s}
""")


@pytest.fixture
def gitops(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(HERE))
    sys.modules.pop("gitops_cron", None)
    yield importlib.import_module("gitops_cron")
    sys.modules.pop("gitops_cron", None)


def test_its_day_is_virtual(gitops: ModuleType) -> None:
    made: list = []

    def factory():
        made.append(gitops.GitOpsCron())
        return made[-1]

    began = time.monotonic()
    run = simulate(DAY, from_class(factory, "gitops"))
    assert time.monotonic() - began < 60, "a day in real time would take a day"
    assert len(run.history.of("run.begin")) == 24
    seen = made[0].seen
    assert seen[0][0] == datetime(2026, 6, 1, 0, 0, 0, 250_000, UTC), (
        "datetime.now as a default argument"
    )
    assert {took for _, took in seen} == {0.25}, (
        "time.sleep and time.monotonic as default arguments"
    )
    assert run.history.of("nas.call"), "its httpx client reached the registry of the run"
    assert not run.history.of("not_simulated")


def test_its_history_is_the_same_each_time(gitops: ModuleType) -> None:
    target = from_class(gitops.GitOpsCron, "gitops")
    assert simulate(DAY, target).history.digest() == simulate(DAY, target).history.digest()


def test_it_is_judged_like_any_other(gitops: ModuleType) -> None:
    host = reference_host()
    target = with_capabilities(from_attribute("gitops_cron:GitOpsCron"), host)
    assert target.capabilities == {"blocking"}
    rows = run_all(
        select(["tick-raises-systemexit", "long-job-beside-a-short-one"]), [target], host
    )
    assert [row.judged.verdict for row in rows] == ["held", "held"]


def test_what_it_held_is_given_back(gitops: ModuleType) -> None:
    lock, pause = gitops._LOCK, gitops.pause.__defaults__
    simulate(DAY, from_class(gitops.GitOpsCron, "gitops"))
    assert gitops._LOCK is lock
    assert gitops.pause.__defaults__ == pause == (time.sleep,)
    assert gitops.datetime is datetime


HOURS = parse_scenario("""
name: two-hours
start: 2026-06-01T00:00:00
lasts: 2h
jobs:
  - {id: report, schedule: "*/20 * * * *", runs_for: 2s}
""")
ODD = (
    "Coroutines", "AsyncClient", "Timers", "Sched", "Worker", "LoopThread", "Select", "Naive",
    "Notified",
)  # fmt: skip


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(HERE))
    yield importlib.import_module("odd_shapes")
    sys.modules.pop("odd_shapes", None)


@pytest.mark.parametrize("name", ODD)
def test_loops_of_any_shape_tick_in_virtual_time_and_leave(name: str, odd: ModuleType) -> None:
    made: list = []

    def factory():
        made.append(getattr(odd, name)())
        return made[-1]

    run = simulate(HOURS, from_class(factory, name))
    history = run.history
    assert len(history.of("run.begin")) in {5, 6}, "the last one falls on the horizon"
    ticks = made[0].seen
    assert {type(at) for at in ticks} == {odd.Stamp}
    apart = {round((after - before).total_seconds()) for before, after in pairwise(ticks)}
    assert apart <= {60, 61}
    assert ticks[0] < datetime(2026, 6, 1, 0, 1, tzinfo=UTC)
    for trouble in ("not_simulated", "task.leaked", "task.raised", "provider.raised"):
        assert not history.of(trouble), trouble
    assert history.digest() == simulate(HOURS, from_class(factory, name)).history.digest()
