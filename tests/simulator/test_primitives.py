"""What threads wait in, under the kernel: the standard library's own classes, in virtual time."""

import concurrent.futures
import logging
import queue
import sched
import threading
import time

import pytest

from simulator.kernel import Kernel, primitives
from simulator.kernel.patches import install
from simulator.kernel.primitives import fast_event

START = 1_772_000_000_000_000
HOUR = 3_600_000_000


@pytest.fixture
def world():
    """Run bodies as tasks of one machine for an hour; errors of tasks are raised here."""
    kernel = Kernel(start_us=START)

    def run(*bodies, adopt=()):
        errors = []
        kernel.on_task_error = lambda _task, error: errors.append(error)
        with install(kernel, adopt=[*adopt, *bodies]):
            machine = kernel.boot("a")
            for index, body in enumerate(bodies):
                kernel.spawn(body, name=f"t{index}", machine=machine)
            kernel.run(START + HOUR)
        for error in errors:
            raise error
        return kernel

    run.kernel = kernel
    run.now = lambda: (kernel.now_us - START) / 1_000_000
    return run


def test_an_event_wakes_its_waiters_in_order_and_times_out(world):
    event, seen = threading.Event(), []

    def waiter(name):
        return lambda: seen.append((name, event.wait(), world.now()))

    def setter():
        assert event.wait(10) is False
        event.set()
        assert event.is_set()
        event.clear()
        assert event.wait(0) is False

    world(waiter("x"), waiter("y"), setter)
    assert seen == [("x", True, 10), ("y", True, 10)]


def test_a_subclass_of_event_and_a_fast_event_wait_in_the_kernel(world):
    class Mine(threading.Event):
        def wait(self, timeout=None):
            return super().wait(timeout and timeout * 2)

    def body():
        assert Mine().wait(30) is False
        assert world.now() == 60
        fast = fast_event(world.kernel)
        threading.Timer(5, fast.set).start()
        assert fast.wait(600)
        assert world.now() == 65

    world(body)


@pytest.mark.parametrize("make", [threading.Lock, threading.RLock])
def test_a_lock_goes_to_its_waiters_in_order(world, make):
    lock, seen = make(), []

    def holder(name):
        def body():
            with lock:
                time.sleep(10)
                seen.append((name, world.now()))

        return body

    world(holder("x"), holder("y"), holder("z"))
    assert seen == [("x", 10), ("y", 20), ("z", 30)]


@pytest.mark.parametrize("make", [threading.Lock, threading.RLock])
def test_a_lock_times_out_and_refuses_what_the_real_one_refuses(world, make):
    lock = make()

    def holder():
        with lock:
            time.sleep(100)

    def other():
        time.sleep(1)
        assert not lock.acquire(blocking=False)
        assert not lock.acquire(timeout=5)
        assert world.now() == 6
        with pytest.raises(ValueError, match="timeout"):
            lock.acquire(False, 1)
        with pytest.raises(ValueError, match="timeout"):
            lock.acquire(True, -2)
        with pytest.raises(OverflowError):
            lock.acquire(True, 1e30)
        assert lock.acquire(timeout=200)
        assert world.now() == 100
        lock.release()
        with pytest.raises(RuntimeError):
            lock.release()

    world(holder, other)


def test_a_lock_may_be_released_by_another_task_an_rlock_only_by_its_owner(world):
    lock, rlock = threading.Lock(), threading.RLock()

    def taker():
        lock.acquire()
        rlock.acquire()
        rlock.acquire()
        lock.acquire()
        assert world.now() == 5
        rlock.release()
        rlock.release()

    def giver():
        time.sleep(5)
        with pytest.raises(RuntimeError, match="un-acquired"):
            rlock.release()
        assert lock.locked()
        lock.release()

    world(taker, giver)


def test_condition_semaphore_and_barrier_run_as_they_are(world):
    condition, semaphore = threading.Condition(), threading.BoundedSemaphore(2)
    barrier, seen = threading.Barrier(3), []

    def worker(name):
        def body():
            with semaphore:
                seen.append((name, "in", world.now()))
                time.sleep(10)
            barrier.wait()
            with condition:
                assert condition.wait_for(lambda: ("go",) in seen, timeout=100)
            seen.append((name, "out", world.now()))

        return body

    def starter():
        time.sleep(50)
        with condition:
            seen.append(("go",))
            condition.notify_all()

    world(worker("x"), worker("y"), worker("z"), starter)
    assert seen == [
        *[("x", "in", 0), ("y", "in", 0), ("z", "in", 10), ("go",)],
        *[("z", "out", 50), ("x", "out", 50), ("y", "out", 50)],  # z closed the barrier
    ]


def test_a_condition_times_out(world):
    condition = threading.Condition()

    def body():
        with condition:
            assert condition.wait(30) is False
            assert condition.wait_for(lambda: False, timeout=30) is False
        assert world.now() == 60

    world(body)


@pytest.mark.parametrize("make", [queue.Queue, queue.LifoQueue, queue.SimpleQueue])
def test_queues_block_and_time_out(world, make):
    box, seen = make(), []

    def consumer():
        with pytest.raises(queue.Empty):
            box.get(timeout=3)
        assert world.now() == 3
        while (item := box.get()) is not None:
            seen.append((item, world.now()))

    def producer():
        for item in (1, 2, None):
            time.sleep(10)
            box.put(item)

    world(consumer, producer)
    assert seen == [(1, 10), (2, 20)]


def test_a_full_queue_blocks_its_producer_and_join_waits_for_the_work(world):
    box, seen = queue.Queue(maxsize=1), []

    def producer():
        for item in range(3):
            box.put(item)
            seen.append(("put", world.now()))
        box.join()
        seen.append(("joined", world.now()))

    def consumer():
        for _ in range(3):
            time.sleep(10)
            box.get()
            box.task_done()

    world(producer, consumer)
    assert seen == [("put", 0), ("put", 10), ("put", 20), ("joined", 30)]


def test_threads_are_known_by_name_joined_and_see_those_of_their_machine_only(world):
    seen = []

    def child():
        seen.append(threading.current_thread().name)
        time.sleep(20)

    def parent():
        thread = threading.Thread(target=child)
        assert not thread.is_alive()
        thread.start()
        assert thread.is_alive()
        assert repr(thread).startswith("<Thread(Thread-1 (child), started")
        assert {t.name for t in threading.enumerate()} == {"a#1/t0", "Thread-1 (child)"}
        assert threading.active_count() == 2
        thread.join(5)
        assert thread.is_alive()
        thread.join()
        assert (world.now(), thread.is_alive()) == (20, False)
        assert "stopped" in repr(thread)
        with pytest.raises(RuntimeError, match="only be started once"):
            thread.start()
        with pytest.raises(RuntimeError, match="cannot join current thread"):
            threading.current_thread().join()
        with pytest.raises(RuntimeError, match="before it is started"):
            threading.Thread(target=child).join()
        assert threading.current_thread() is not threading.main_thread()
        assert threading.current_thread().ident == threading.get_ident()

    def stranger():
        time.sleep(1)
        seen.append([t.name for t in threading.enumerate()])

    def both():
        parent()

    kernel = world.kernel
    kernel.call_at(START + 1, lambda: kernel.spawn(stranger, name="s", machine=kernel.boot("b")))
    world(both)
    assert seen == ["Thread-1 (child)", ["b#1/s"]]


def test_what_a_thread_raises_ends_only_that_thread_and_reaches_a_hook_set_in_the_run(world):
    hooked = []

    def child():
        raise SystemExit

    def parent():
        threading.excepthook = lambda args: hooked.append((args.exc_type, args.thread.name))
        thread = threading.Thread(target=child, name="child")
        thread.start()
        thread.join()
        hooked.append(thread.is_alive())

    before = threading.excepthook
    with pytest.raises(SystemExit):
        world(parent)
    assert hooked == [(SystemExit, "child"), False]
    assert threading.excepthook is before


def test_a_hook_from_outside_the_run_is_not_called_for_what_happens_in_it(world, monkeypatch):
    """Pytest has one, which would warn of every thread that a fault ends."""
    called = []
    monkeypatch.setattr(threading, "excepthook", called.append)

    def body():
        thread = threading.Thread(target=lambda: 1 // 0)
        thread.start()
        thread.join()

    with pytest.raises(ZeroDivisionError):
        world(body)
    assert called == []


def test_a_timer_fires_and_a_cancelled_one_does_not(world):
    fired = []

    def body():
        threading.Timer(30, lambda: fired.append(world.now())).start()
        other = threading.Timer(30, fired.append, args=["never"])
        other.start()
        time.sleep(10)
        other.cancel()

    world(body)
    assert fired == [30]


def test_thread_local_data_are_each_tasks_own(world):
    class Typed(threading.local):
        count = 0

    plain, seen = threading.local(), []

    def body(name):
        def inner():
            plain.value = name
            typed = Typed()
            typed.count += 1
            time.sleep(1)
            seen.append((plain.value, typed.count))
            assert vars(plain) == {"value": name}

        return inner

    world(body("x"), body("y"))
    assert seen == [("x", 1), ("y", 1)]
    assert not hasattr(plain, "value")


def test_sched_runs_in_virtual_time(world):
    seen = []

    def body():
        scheduler = sched.scheduler()
        scheduler.enter(100, 1, lambda: seen.append(world.now()))
        scheduler.run()

    world(body)
    assert seen == [100]


def test_log_handlers_do_not_hang_when_a_task_waits_while_it_logs(world):
    seen, left = [], []

    class Slow(logging.Handler):
        def emit(self, record):
            time.sleep(10)
            seen.append((record.getMessage(), record.created, record.threadName))
            left.append(world.now())

    handler = Slow()
    logger = logging.getLogger("slow")
    logger.addHandler(handler)
    real_lock = handler.lock
    try:
        world(lambda: logger.error("x"), lambda: logger.error("y"))
    finally:
        logger.removeHandler(handler)
    assert [line[0] for line in seen] == ["x", "y"]
    assert left == [10, 20]
    assert seen[0][1:] == (START / 1_000_000, "a#1/t0")
    assert handler.lock is real_lock


def test_sleep_refuses_a_negative_time(world):
    with pytest.raises(ValueError, match="non-negative"):
        world(lambda: time.sleep(-1))


def test_an_object_made_in_a_run_works_after_it(world):
    made = {}

    def body():
        made.update(
            lock=threading.Lock(), rlock=threading.RLock(), event=threading.Event(),
            queue=queue.Queue(), simple=queue.SimpleQueue(), condition=threading.Condition(),
            pool=concurrent.futures.ThreadPoolExecutor(1), local=threading.local(),
        )  # fmt: skip
        made["lock"].acquire()
        made["rlock"].acquire()

    world(body)
    made["lock"].release()
    made["rlock"].release()
    for name in ("lock", "rlock", "condition"):
        with made[name]:
            pass
    with made["lock"]:
        assert not made["lock"].acquire(timeout=0.01)
    thread = threading.Thread(target=made["event"].set)
    thread.start()
    assert made["event"].wait(10)
    thread.join()
    made["queue"].put(1)
    made["simple"].put(2)
    made["local"].x = 3
    assert (made["queue"].get(), made["simple"].get(timeout=1), made["local"].x) == (1, 2, 3)
    assert made["pool"].submit(threading.get_ident).result(10) != threading.get_ident()
    made["pool"].shutdown()


def test_other_os_threads_stay_in_the_real_world(world):
    """A test runner's own threads go on while a run is on."""
    asked, results, children, over = [], [], [], []

    def outsider():
        while not asked:
            primitives._real_sleep(0.001)  # an attribute that no run replaces
        results.append(time.time())
        results.append(threading.current_thread().name)
        results.append(threading.Event().wait(0.01))
        lock = threading.Lock()
        with lock:
            results.append(threading.get_ident())
        children.append(threading.Thread(target=outlives, name="child"))
        children[0].start()

    def outlives():
        while not over:
            primitives._real_sleep(0.001)
        results.append(threading.current_thread().name)

    thread = threading.Thread(target=outsider, name="outsider")
    thread.start()
    real = time.time()

    def body():
        asked.append(True)
        while primitives._thread_is_alive(thread):
            primitives._real_sleep(0.001)  # an attribute that no run replaces

    world(body)
    over.append(True)
    children[0].join()
    assert not {thread, children[0]} & set(threading.enumerate())
    assert abs(results[0] - real) < 20
    assert results[1:] == ["outsider", False, thread.ident, "child"]
