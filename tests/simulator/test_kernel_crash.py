"""A crash is not a kill: nothing of a dead incarnation runs again, and nothing it held stays held."""

import gc
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from simulator.kernel import Kernel
from simulator.kernel.patches import install

START = 1_772_000_000_000_000
HOUR = 3_600_000_000


@pytest.fixture
def kernel():
    return Kernel(start_us=START)


def test_a_crash_runs_no_finally_and_no_except(kernel):
    seen = []

    def survivor():
        while True:
            try:
                time.sleep(60)
                seen.append("tick")
            except BaseException:
                seen.append("except")
            finally:
                seen.append("finally")

    with install(kernel):
        machine = kernel.boot("a")
        kernel.spawn(survivor, name="ticker", machine=machine)
        kernel.call_at(START + 150_000_000, kernel.kill_machine, machine)
        kernel.run(START + HOUR)
        assert not machine.alive
        assert kernel.tasks == {}
    del machine, kernel
    gc.collect()
    assert seen == ["tick", "finally"] * 2


@pytest.mark.parametrize("end", ["crash", "close"])
def test_a_worker_that_was_just_given_work_does_not_begin_it_after_the_end(kernel, end):
    seen = []

    def body():
        pool = ThreadPoolExecutor(1)
        pool.submit(seen.append, "first").result()
        pool.submit(seen.append, "never")  # the worker rested, and has not taken it up yet
        if end == "crash":
            kernel.kill_machine(kernel.current.machine)
        else:
            kernel.fail(RuntimeError("the world ends here"))
            time.sleep(0)

    with install(kernel, adopt=[body]):
        kernel.spawn(body, name="main", machine=kernel.boot("a"))
        if end == "crash":
            kernel.run(START + HOUR)
        else:
            with pytest.raises(RuntimeError, match="the world ends here"):
                kernel.run(START + HOUR)
        kernel.close()
    assert seen == ["first"]


def test_a_task_may_crash_its_own_machine_and_nothing_after_that_line_runs(kernel):
    seen = []

    def crashes():
        try:
            kernel.kill_machine(kernel.current.machine)
            seen.append("after")
        finally:
            seen.append("finally")

    def neighbour():
        time.sleep(1)
        seen.append("neighbour")

    with install(kernel):
        a, b = kernel.boot("a"), kernel.boot("b")
        kernel.spawn(crashes, name="x", machine=a)
        kernel.spawn(neighbour, name="y", machine=a)
        kernel.spawn(neighbour, name="y", machine=b)
        kernel.run(START + HOUR)
    assert seen == ["neighbour"]


def test_a_dead_machine_starts_nothing_and_its_next_life_does(kernel):
    with install(kernel):
        first = kernel.boot("a")
        kernel.kill_machine(first)
        with pytest.raises(RuntimeError, match="a#1 is dead and starts no task"):
            kernel.spawn(print, name="x", machine=first)
        second = kernel.boot("a", clock=first.clock)
        assert kernel.spawn(int, name="x", machine=second).name == "a#2/x"
        assert second.pid != first.pid


@pytest.mark.parametrize("make", [threading.Lock, threading.RLock])
def test_what_a_dead_task_held_is_free_for_waiters_and_for_later_ones(kernel, make):
    lock, seen = make(), []

    def holder():
        with lock:
            time.sleep(1000)

    def waiter(name):
        with lock:
            seen.append((name, kernel.now_us - START))

    with install(kernel, adopt=[holder]):
        a, b = kernel.boot("a"), kernel.boot("b")
        kernel.spawn(holder, name="holder", machine=a)
        kernel.spawn(waiter, "early", name="early", machine=b)
        kernel.spawn(waiter, "early too", name="early", machine=b)
        kernel.call_at(START + 7_000_000, kernel.kill_machine, a)
        kernel.spawn(waiter, "late", name="late", machine=b, delay_us=9_000_000)
        kernel.run(START + HOUR)
    assert seen == [("early", 7_000_000), ("early too", 7_000_000), ("late", 9_000_000)]


def test_what_a_dead_task_held_is_free_when_nobody_waited_yet(kernel):
    lock, seen = threading.Lock(), []

    def holder():
        with lock:
            time.sleep(1000)

    def later():
        seen.append((lock.locked(), lock.acquire(timeout=1)))

    with install(kernel, adopt=[holder, later]):
        a, b = kernel.boot("a"), kernel.boot("b")
        kernel.spawn(holder, name="holder", machine=a)
        kernel.call_at(START + 7_000_000, kernel.kill_machine, a)
        kernel.spawn(later, name="later", machine=b, delay_us=9_000_000)
        kernel.run(START + HOUR)
    assert seen == [(False, True)]


def test_what_a_finished_thread_still_holds_stays_held(kernel):
    lock, seen = threading.Lock(), []

    def lock_in_run():
        lock.acquire()

    def later():
        time.sleep(1)
        seen.append(lock.acquire(timeout=5))

    with install(kernel, adopt=[later, lock_in_run]):
        kernel.spawn(lock_in_run, name="x")
        kernel.spawn(later, name="y")
        kernel.run(START + HOUR)
    assert seen == [False]


def test_a_suspended_machine_stands_still_and_goes_on(kernel):
    seen = []

    def ticker(name):
        while True:
            time.sleep(60)
            seen.append((name, (kernel.now_us - START) // 1_000_000))

    with install(kernel):
        a, b = kernel.boot("a"), kernel.boot("b")
        kernel.spawn(ticker, "a", name="t", machine=a)
        kernel.spawn(ticker, "b", name="t", machine=b)
        kernel.call_at(START + 90_000_000, kernel.pause_machine, a, START + 200_000_000)
        kernel.run(START + 270_000_000)
    assert [at for name, at in seen if name == "a"] == [60, 200, 260]
    assert [at for name, at in seen if name == "b"] == [60, 120, 180, 240]


def test_a_task_that_suspends_its_own_machine_stands_still_at_once(kernel):
    seen = []

    def body():
        kernel.pause_machine(kernel.current.machine, START + 5_000_000)
        seen.append(kernel.now_us - START)

    with install(kernel):
        kernel.spawn(body, name="x", machine=kernel.boot("a"))
        kernel.run(START + HOUR)
    assert seen == [5_000_000]


def test_the_end_of_the_world_runs_no_finally_either_not_even_at_exit():
    program = """
import time
from simulator.kernel import Kernel
from simulator.kernel.patches import install
def body():
    while True:
        try:
            time.sleep(60)
        finally:
            print("finally")
            import sys; sys.stdout.flush()
kernel = Kernel(start_us=0)
with install(kernel):
    kernel.spawn(body, name="x")
    kernel.run(30_000_000)
del kernel
import gc; gc.collect()
print("end")
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env=os.environ,
    )
    assert (done.stdout, done.stderr) == ("end\n", "")


def test_os_exit_is_the_death_of_the_simulated_process_only(kernel):
    seen = []

    def dies():
        os._exit(1)
        seen.append("after")

    def asks(pid):
        os.kill(pid, 0)
        time.sleep(2)
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        seen.append(os.getpid())

    with install(kernel):
        a, b = kernel.boot("a"), kernel.boot("b")
        kernel.spawn(dies, name="x", machine=a, delay_us=1_000_000)
        kernel.spawn(asks, a.pid, name="y", machine=b)
        kernel.run(START + HOUR)
    assert seen == [b.pid]
    assert not a.alive


def test_sigkill_to_a_simulated_process_is_a_crash(kernel):
    with install(kernel):
        a, b = kernel.boot("a"), kernel.boot("b")
        kernel.spawn(lambda: time.sleep(1000), name="x", machine=a)
        kernel.spawn(lambda: os.kill(a.pid, 9), name="y", machine=b)
        kernel.run(START + HOUR)
        assert (a.alive, b.alive, kernel.tasks) == (False, True, {})
