"""What hangs, holds itself up or is left behind is told, with the line and who waits for what."""

# ruff: noqa: PT012 - the run is what raises, and it needs its preparation

import _thread
import os
import re
import signal
import threading
import time
from contextlib import ExitStack

import pytest

from hermes_cron import CronScheduler
from simulator.hosts import reference_host
from simulator.kernel import Kernel
from simulator.kernel.patches import install
from simulator.kernel.tasks import Hang
from simulator.scenario_file import parse_scenario
from simulator.target import from_class
from simulator.verdict import judge
from simulator.world import simulate


def hang_of(body, hang_s=0.15):
    kernel = Kernel(start_us=0)
    seen = []

    def survivor():
        while True:
            try:
                body()
            except BaseException:
                seen.append("swallowed")

    with pytest.raises(Hang) as caught, install(kernel, hang_s=hang_s):
        kernel.spawn(survivor, name="ticker", machine=kernel.boot("a"))
        kernel.run(10_000_000)
    assert seen == []
    return str(caught.value)


def test_an_endless_computation_is_named():
    def computes():
        while True:
            pass

    said = hang_of(computes)
    assert "a#1/ticker hangs in computes at " in said
    assert "test_guard.py:" in said
    assert "no event for 0.15 real seconds" in said


def test_a_real_lock_that_nobody_will_release_is_named():
    def waits():
        kept.take()

    kept = _Kept()
    assert "hangs in take at " in hang_of(waits)


class _Kept:
    """A real lock where no search finds it: in a generator's frame."""

    def __init__(self):
        def keep():
            lock = _thread.allocate_lock()
            lock.acquire()
            while True:
                yield lock

        self._keeper = keep()
        next(self._keeper)

    def take(self):
        next(self._keeper).acquire()


def test_a_callback_that_hangs_is_named_too():
    def spins():
        while True:
            pass

    kernel = Kernel(start_us=0)
    kernel.call_at(1, spins)
    with (
        pytest.raises(Hang, match="the world hangs in spins"),
        install(kernel, hang_s=0.15),
    ):
        kernel.run(10)


@pytest.mark.parametrize(("alarms", "ended"), [(1, "idle"), (2, "hang")])
def test_slow_but_moving_runs_are_left_alone(alarms, ended):
    """However slow the machine is: an event between two alarms is all that it takes."""
    kernel, pid, send = Kernel(start_us=0), os.getpid(), _sender()

    def works():
        for _ in range(5):
            for _ in range(alarms):
                send(pid, signal.SIGALRM)
            time.sleep(1)

    with install(kernel, hang_s=3600):
        kernel.spawn(works, name="x")
        if ended == "hang":
            with pytest.raises(Hang, match="x hangs in works"):
                kernel.run(100_000_000)
        else:
            assert kernel.run(100_000_000) == ended


@pytest.fixture
def handled():
    """Have a signal raise KeyboardInterrupt, whatever became of it where the tests were begun."""
    with ExitStack() as stack:

        def handle(number):
            before = signal.signal(number, signal.default_int_handler)
            stack.callback(signal.signal, number, before)

        yield handle


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_not_taken_for_a_fault_of_the_code_under_test(number, handled):
    handled(number)
    kernel, seen = Kernel(start_us=0), []
    pid = os.getpid()

    def survivor():
        while True:
            try:
                time.sleep(1)
                if kernel.now_us == 5_000_000:
                    interrupt()
            except BaseException:
                seen.append("swallowed")

    def interrupt():
        signal_now(pid, number)

    signal_now = _sender()
    with pytest.raises(KeyboardInterrupt), install(kernel):
        kernel.spawn(survivor, name="x")
        kernel.run(60_000_000)
    assert (seen, kernel.now_us) == ([], 5_000_000)


def _sender():
    import ctypes

    return ctypes.CDLL(None).kill


def test_a_signal_that_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with install(Kernel(start_us=0)):
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_signal_handlers_and_timers_are_put_back():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM)
    with install(Kernel(start_us=0)):
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM)) == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_timer_of_somebody_else_is_left_alone():
    fired = []
    before = signal.signal(signal.SIGALRM, lambda *_: fired.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        with install(Kernel(start_us=0)):
            busy_until = 0
            while not fired and busy_until < 50_000_000:
                busy_until += 1
        assert fired == [1]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


QUIET = parse_scenario("""
name: a-quiet-half-hour
start: 2026-06-01T00:00:00
lasts: 30m
jobs:
- {id: report, schedule: "*/10 * * * *", runs_for: 2s}
""")


class Entangled(CronScheduler):
    """Its loop and a thread of it each hold what the other wants."""

    name = "entangled"

    def start(self, stop_event, **_):
        ours, theirs = threading.Lock(), threading.Lock()

        def other():
            with theirs:
                time.sleep(1)
                ours.acquire()

        threading.Thread(target=other, name="other").start()
        with ours:
            time.sleep(2)
            theirs.acquire()


class Forgetful(CronScheduler):
    """It returns, and leaves a thread behind that no interpreter would end without."""

    name = "forgetful"

    def start(self, stop_event, **_):
        never = threading.Event()
        threading.Thread(target=never.wait, name="forgotten", daemon=False).start()
        threading.Thread(target=never.wait, name="idle", daemon=True).start()
        stop_event.wait()


class Restless(CronScheduler):
    """Its thread looks at a flag without ever waiting, and nobody tells it to end."""

    name = "restless"

    def start(self, stop_event, **_):
        def look():
            while True:
                time.sleep(0)

        threading.Thread(target=look, name="looking").start()
        stop_event.wait()


@pytest.mark.parametrize(
    ("provider", "told"),
    [
        (
            Entangled,
            [
                "a#1/cron-provider waits for a Lock, held by a#1/other (test_guard.py:# in start)",
                "a#1/other waits for a Lock, held by a#1/cron-provider (test_guard.py:# in other)",
            ],
        ),
        (Forgetful, ["a#1/forgotten waits for an Event (threading.py:# in run)"]),
        (Restless, ["a#1/looking waits for nothing, it polls (test_guard.py:# in look)"]),
    ],
)
def test_who_keeps_a_process_from_ending_is_told_with_what_it_waits_for(provider, told):
    """Two that hold each other up, one that was forgotten, one that polls: the world goes on."""
    run = simulate(QUIET, from_class(provider, provider.name))
    leaked = [run.history.text(event.n) for event in run.history.of("task.leaked")]
    assert [re.sub(r":\d+ in", ":# in", text) for text in leaked] == told
    judged = judge(run.history, QUIET)
    assert judged.verdict == "violated"
    assert sum(reason.startswith("left behind at the end: ") for reason in judged.reasons) == len(
        told
    )


def test_what_is_not_simulated_stands_among_the_reasons():
    class Forker(CronScheduler):
        name = "forker"

        def start(self, stop_event, **_):
            os.fork()

    run = simulate(QUIET, from_class(Forker, "forker"))
    reasons = judge(run.history, QUIET).reasons
    assert [reason.partition(" (")[0] for reason in reasons if "simulated" in reason] == [
        "os.fork is not simulated"
    ]


def test_the_references_leave_nothing_behind():
    for target in reference_host().bundled().values():
        assert not simulate(QUIET, target).history.of("task.leaked")


def test_an_hour_of_polling_is_not_looked_at_ten_million_times():
    """A loop that never waits costs more the longer it goes on; its deadline is met all the same."""
    kernel, looks, ended = Kernel(start_us=0), [], []

    def body():
        until = time.monotonic() + 3600
        while time.monotonic() < until:
            looks.append(None)
        ended.append(kernel.now_us)

    with install(kernel):
        kernel.spawn(body, name="x", machine=kernel.boot("a"))
        kernel.run(7_200_000_000)
    assert 3600 <= ended[0] / 1e6 < 3600.1
    assert len(looks) < 700_000
