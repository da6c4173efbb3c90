"""A run that does not reach the kernel any more is ended, with the line that hangs."""

# ruff: noqa: PT012 - the run is what raises, and it needs its preparation

import _thread
import os
import signal
import time

import pytest

from simulator.kernel import Kernel
from simulator.kernel.patches import install
from simulator.kernel.tasks import Hang


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


def test_slow_but_moving_runs_are_left_alone():
    kernel = Kernel(start_us=0)
    began = time.monotonic()

    def works():
        for _ in range(60):
            busy = 0
            for n in range(200_000):
                busy += n
            time.sleep(1)

    with install(kernel, hang_s=0.1):
        kernel.spawn(works, name="x")
        assert kernel.run(100_000_000) == "idle"
    assert time.monotonic() - began > 0.2


def test_ctrl_c_is_not_taken_for_a_fault_of_the_code_under_test():
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
        signal_now(pid)

    signal_now = _sender()
    with pytest.raises(KeyboardInterrupt), install(kernel):
        kernel.spawn(survivor, name="x")
        kernel.run(60_000_000)
    assert (seen, kernel.now_us) == ([], 5_000_000)


def _sender():
    import ctypes

    libc = ctypes.CDLL(None)
    return lambda pid: libc.kill(pid, signal.SIGINT)


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
