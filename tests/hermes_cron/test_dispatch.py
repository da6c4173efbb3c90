"""The places of the pool: who waits behind slow work gets one in time."""

import threading

import pytest

from hermes_cron import dispatch
from simulator import find_target, parse_scenario, reference_host, simulate
from simulator.durations import SECOND_US

SLOW = "".join(f"- {{id: slow-{nth}, schedule: every 10m, runs_for: 8m}}\n" for nth in range(17))
SCENARIO = f"""
name: more-slow-jobs-than-places
start: 2026-03-02T08:00:00
lasts: 24m
jobs:
{SLOW}- {{id: last, schedule: every 10m}}
"""


class Held:
    """A timer that goes off when a test says so."""

    made: list["Held"]

    def __init__(self, after_s, function):
        self.after_s, self.function, self.cancelled = after_s, function, False
        self.made.append(self)

    def start(self):
        pass

    def cancel(self):
        self.cancelled = True


@pytest.fixture
def timers(monkeypatch):
    Held.made = []
    monkeypatch.setattr(dispatch, "Timer", Held)
    return Held.made


@pytest.fixture
def clock(monkeypatch):
    now_s = [0.0]
    monkeypatch.setattr(dispatch.clock, "monotonic", lambda: now_s[0])
    return now_s


@pytest.fixture
def go():
    """What slow work waits for."""
    event = threading.Event()
    yield event
    event.set()


def test_who_waits_behind_slow_jobs_begins_long_before_the_next_tick():
    """LIVE-1, LIVE-12: seventeen slow jobs and a short one, and eight places."""
    scenario = parse_scenario(SCENARIO)
    history = simulate(scenario, find_target("builtin", reference_host())).history
    begun = [event for event in history.of("run.begin") if event.data["job"] == "last"]
    after_us = begun[0].at_us - scenario.start_us - 600 * SECOND_US
    assert after_us == 2 * dispatch.SLOW_S * SECOND_US
    assert not history.of("task.leaked")


def test_a_timer_is_there_only_while_work_waits(timers, clock, go):
    pool = dispatch.Dispatcher(1)
    pool.submit(lambda: go.wait(10))
    assert not timers
    clock[0] = 1.0
    second = pool.submit(lambda: True)
    third = pool.submit(lambda: True)
    assert [timer.after_s for timer in timers] == [dispatch.SLOW_S - 1.0]
    clock[0] = dispatch.SLOW_S
    timers[0].function()
    assert second.result(10)
    assert third.result(10)
    assert len(timers) == 1


def test_a_timer_that_comes_a_little_early_looks_again_but_not_at_once(timers, clock, go):
    pool = dispatch.Dispatcher(1)
    pool.submit(lambda: go.wait(10))
    waits = pool.submit(lambda: True)
    clock[0] = dispatch.SLOW_S - 0.001
    timers[0].function()
    assert timers[1].after_s == 1.0
    assert not waits.done()


def test_without_a_thread_for_the_timer_the_next_tick_relieves(timers, clock, go, monkeypatch):
    def no_thread(_self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(Held, "start", no_thread)
    pool = dispatch.Dispatcher(1)
    pool.submit(lambda: go.wait(10))
    waits = pool.submit(lambda: True)
    clock[0] = dispatch.SLOW_S
    pool.relieve()
    assert waits.result(10)


def test_a_pool_that_is_closed_has_no_timer(timers, clock, go):
    pool = dispatch.Dispatcher(1)
    pool.submit(lambda: go.wait(10))
    waits = pool.submit(lambda: True)
    pool.close()
    assert timers[0].cancelled
    go.set()
    assert waits.result(10), "what was taken still runs"


class Lazy:
    """An executor that begins nothing until a test says so."""

    def __init__(self, *_):
        self.asked = []

    def submit(self, function, *args):
        self.asked.append((function, args))


def test_each_work_asks_for_one_thread_and_for_no_timer(timers, clock, monkeypatch):
    executor = Lazy()
    monkeypatch.setattr(dispatch, "ThreadPoolExecutor", lambda *_: executor)
    pool = dispatch.Dispatcher(8)
    futures = [pool.submit(lambda: True) for _ in range(3)]
    pool.relieve()
    assert len(executor.asked) == 3
    assert not timers
    for function, args in executor.asked:
        function(*args)
    assert all(future.result(0) for future in futures)


def test_threads_that_never_came_are_asked_for_again(timers, clock, monkeypatch):
    executor = Lazy()
    monkeypatch.setattr(dispatch, "ThreadPoolExecutor", lambda *_: executor)
    pool = dispatch.Dispatcher(8)
    futures = [pool.submit(lambda: True) for _ in range(2)]
    executor.asked.clear()
    clock[0] = dispatch.SLOW_S
    pool.relieve()
    for function, args in executor.asked:
        function(*args)
    assert all(future.result(0) for future in futures)
