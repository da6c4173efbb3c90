"""`ThreadPoolExecutor` under the kernel."""

import concurrent.futures
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from concurrent.futures.thread import BrokenThreadPool

import pytest

from simulator.kernel import Kernel
from simulator.kernel.patches import install
from simulator.kernel.tasks import Deadlock

START = 1_772_000_000_000_000
HOUR = 3_600_000_000


@pytest.fixture
def world():
    kernel = Kernel(start_us=START)

    def run(body):
        errors = []
        kernel.on_task_error = lambda _task, error: errors.append(error)
        with install(kernel, adopt=[body]):
            kernel.spawn(body, name="main", machine=kernel.boot("a"))
            kernel.run(START + HOUR)
        for error in errors:
            raise error

    run.now = lambda: (kernel.now_us - START) / 1_000_000
    return run


def test_work_is_bounded_by_the_workers_and_served_in_order(world):
    seen = []

    def work(n):
        time.sleep(10)
        seen.append((n, threading.current_thread().name, world.now()))
        return n

    def body():
        with ThreadPoolExecutor(2) as pool:
            futures = [pool.submit(work, n) for n in range(3)]
            assert [f.result() for f in futures] == [0, 1, 2]

    world(body)
    names = [f"ThreadPoolExecutor-0_{n}" for n in (0, 1)]
    assert seen == [(0, names[0], 10), (1, names[1], 10), (2, names[0], 20)]


def test_an_idle_worker_is_used_again(world):
    def body():
        pool = ThreadPoolExecutor(8, thread_name_prefix="p")
        for _ in range(5):
            assert pool.submit(lambda: threading.current_thread().name).result() == "p_0"

    world(body)


def test_results_time_out_and_errors_belong_to_the_future(world):
    def body():
        pool = ThreadPoolExecutor(1)
        slow = pool.submit(time.sleep, 100)
        with pytest.raises(concurrent.futures.TimeoutError):
            slow.result(timeout=7)
        assert world.now() == 7
        failing = pool.submit(lambda: 1 // 0)
        queued = pool.submit(time.sleep, 1)
        assert queued.cancel()
        assert isinstance(failing.exception(), ZeroDivisionError)
        assert world.now() == 100

    world(body)


def test_system_exit_in_work_does_not_end_the_worker(world):
    def leave():
        raise SystemExit

    def body():
        pool = ThreadPoolExecutor(1)
        assert isinstance(pool.submit(leave).exception(), SystemExit)
        assert pool.submit(lambda: 1).result(5) == 1

    world(body)


def test_map_wait_and_as_completed(world):
    def work(seconds):
        time.sleep(seconds)
        return seconds

    def body():
        pool = ThreadPoolExecutor(3)
        assert list(pool.map(work, [3, 1, 2])) == [3, 1, 2]
        assert world.now() == 3
        futures = [pool.submit(work, n) for n in (3, 1, 2)]
        assert [f.result() for f in as_completed(futures)] == [1, 2, 3]
        done, rest = wait([pool.submit(work, n) for n in (5, 50)], timeout=10)
        assert (len(done), len(rest)) == (1, 1)
        assert world.now() == 16

    world(body)


def test_shutdown_waits_refuses_and_cancels(world):
    def body():
        pool = ThreadPoolExecutor(1)
        running, queued = pool.submit(time.sleep, 10), pool.submit(time.sleep, 10)
        time.sleep(1)
        pool.shutdown(wait=True, cancel_futures=True)
        assert (world.now(), running.done(), queued.cancelled()) == (10, True, True)
        with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
            pool.submit(print)

    world(body)


def test_shutdown_without_waiting_lets_the_work_end(world):
    seen = []

    def body():
        pool = ThreadPoolExecutor(1)
        pool.submit(lambda: (time.sleep(10), seen.append(world.now())))
        pool.shutdown(wait=False)
        assert world.now() == 0

    world(body)
    assert seen == [10]


def test_a_failing_initializer_breaks_the_pool(world):
    def body():
        pool = ThreadPoolExecutor(1, initializer=lambda: 1 // 0)
        with pytest.raises(BrokenThreadPool):
            pool.submit(print).result(5)
        with pytest.raises(BrokenThreadPool):
            pool.submit(print)

    world(body)


def test_a_pool_and_a_subclass_from_before_the_run_work_and_are_the_same_class(world):
    class Mine(ThreadPoolExecutor):
        def submit(self, fn, /, *args):
            return super().submit(lambda: ("mine", fn(*args)))

    pool = Mine(1)

    def body():
        assert isinstance(pool, ThreadPoolExecutor)
        future = pool.submit(time.time)
        assert future.result() == ("mine", START / 1_000_000)

    world(body)


def test_idle_workers_are_no_deadlock_stuck_ones_are(world):
    def idle():
        world.pool = ThreadPoolExecutor(1)
        world.pool.submit(time.sleep, 1).result()

    world(idle)
    kernel = Kernel(start_us=START)
    with install(kernel):
        pool = ThreadPoolExecutor(1)
        kernel.spawn(lambda: pool.submit(time.sleep, 1), name="x")
        kernel.spawn(lambda: pool.submit(threading.Event().wait), name="y", delay_us=9_000_000)
        with pytest.raises(Deadlock, match="ThreadPoolExecutor-0_0 waits for an Event"):
            kernel.run(START + HOUR)


def test_workers_of_a_forgotten_pool_end(world):
    def body():
        ThreadPoolExecutor(1).submit(time.sleep, 1).result()
        time.sleep(1)
        assert threading.active_count() == 1

    world(body)
