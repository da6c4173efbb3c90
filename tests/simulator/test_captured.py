"""Code that took hold of names, locks and instances before the world exists is simulated all the same."""

import importlib
import sys
import threading
import time

import pytest

from simulator.kernel import Kernel
from simulator.kernel.patches import install

START = 1_772_000_000_000_000
HOUR = 3_600_000_000

GITOPS = """
import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from functools import partial
from queue import SimpleQueue
from threading import Condition, Event, Lock, RLock, Semaphore, current_thread, local
from time import monotonic as clock, sleep

GUARD = Lock()
REENTRANT = RLock()
CHANGED = Condition()
STARTED = Event()
SLOTS = Semaphore(1)
INBOX = queue.Queue()
SIMPLE = SimpleQueue()
LOCKS = {"x": [Lock()]}
acquire = GUARD.acquire
nap = partial(time.sleep, 5)
mine = local()


class Loop:
    shared = Lock()
    pause = staticmethod(sleep)

    def __init__(self, now=time.time):
        self._lock = Lock()
        self._now = now
        self._inbox = queue.Queue()

    def hold(self, seen, name, lock):
        with lock:
            self.pause(10)
            seen.append((name, self._now(), current_thread().name))


class Slotted:
    __slots__ = ("lock",)

    def __init__(self):
        self.lock = Lock()


def make():
    lock = Lock()

    def enter(seen, wait=sleep, *, read=clock):
        with lock:
            wait(10)
            seen.append(read())

    return enter


LOOP = Loop()
ENTER = make()
SLOTTED = Slotted()
"""


@pytest.fixture
def gitops(tmp_path, monkeypatch):
    (tmp_path / "gitops_cron.py").write_text(GITOPS)
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("gitops_cron")
    yield module
    del sys.modules["gitops_cron"]


def run(*bodies, adopt=()):
    kernel, errors = Kernel(start_us=START), []
    kernel.on_task_error = lambda _task, error: errors.append(error)
    with install(kernel, adopt=adopt):
        for index, body in enumerate(bodies):
            kernel.spawn(body, name=f"t{index}", machine=kernel.boot("ab"[index % 2]))
        kernel.run(START + HOUR)
    for error in errors:
        raise error
    return kernel


def seconds(seen):
    return [at - START / 1_000_000 for _, at, _ in seen]


@pytest.mark.parametrize(
    "find",
    [
        lambda m: m.GUARD,
        lambda m: m.LOCKS["x"][0],
        lambda m: m.Loop.shared,
        lambda m: m.LOOP._lock,
        lambda m: m.SLOTTED.lock,
        lambda m: m.SLOTS,
        lambda m: m.INBOX.mutex,
        lambda m: m.CHANGED,
    ],
    ids=["global", "container", "class", "instance", "slots", "semaphore", "queue", "condition"],
)
def test_a_lock_from_before_excludes_tasks_and_is_the_same_after(gitops, find):
    before, seen = find(gitops), []
    run(*(lambda n=n: gitops.LOOP.hold(seen, n, find(gitops)) for n in range(3)))
    assert seconds(seen) == [10, 20, 30]
    assert [name for _, _, name in seen] == ["a#1/t0", "b#1/t1", "a#2/t2"]
    assert find(gitops) is before


def test_an_rlock_keeps_two_tasks_apart(gitops):
    """A real one would let both in: they are one OS thread."""
    seen = []
    run(*(lambda n=n: gitops.LOOP.hold(seen, n, gitops.REENTRANT) for n in range(2)))
    assert seconds(seen) == [10, 20]
    assert type(gitops.REENTRANT) is type(threading.RLock())


def test_defaults_closures_partials_and_bound_methods_are_reached(gitops):
    seen = []

    def body():
        gitops.acquire()
        assert gitops.GUARD.locked()
        gitops.GUARD.release()
        gitops.nap()
        seen.append(time.monotonic())

    def other():
        gitops.ENTER(seen)

    run(body, other, other)
    start = 3600
    assert seen == [start + 5, start + 10, start + 20]
    assert gitops.ENTER.__defaults__ == (time.sleep,)
    assert gitops.ENTER.__kwdefaults__ == {"read": time.monotonic}
    assert gitops.nap.func is time.sleep


def test_events_queues_and_local_data_from_before_work(gitops):
    seen = []

    def consumer():
        gitops.mine.x = 1
        gitops.STARTED.set()
        seen.append((gitops.INBOX.get(timeout=100), gitops.SIMPLE.get()))
        with gitops.CHANGED:
            assert gitops.CHANGED.wait(timeout=50)

    def producer():
        gitops.STARTED.wait()
        assert not hasattr(gitops.mine, "x")
        gitops.nap()
        gitops.INBOX.put("a")
        gitops.SIMPLE.put("b")
        gitops.nap()
        with gitops.CHANGED:
            gitops.CHANGED.notify()

    run(consumer, producer)
    assert seen == [("a", "b")]
    gitops.STARTED.clear()


def test_an_instance_made_before_the_run_is_adopted(gitops):
    loop, seen = gitops.Loop(), []
    real = loop._lock, loop._now
    run(*(lambda n=n: loop.hold(seen, n, loop._lock) for n in range(2)), adopt=[loop])
    assert seconds(seen) == [10, 20]
    assert (loop._lock, loop._now) == real


def test_a_module_that_nobody_registered_is_reached_through_its_instance():
    namespace = {"__name__": "from_a_plugin_folder"}
    exec(GITOPS, namespace)
    loop, seen = namespace["Loop"](), []
    run(*(lambda n=n: loop.hold(seen, n, namespace["GUARD"]) for n in range(2)), adopt=[loop])
    assert seconds(seen) == [10, 20]
    assert namespace["sleep"] is time.sleep


def test_a_module_that_replaces_another_of_its_name_is_found(gitops, tmp_path):
    run(lambda: None)
    del sys.modules["gitops_cron"]
    (tmp_path / "gitops_cron.py").write_text(GITOPS + "\nSECOND = True\n")
    importlib.invalidate_caches()
    again, seen = importlib.import_module("gitops_cron"), []
    assert again.SECOND
    run(*(lambda n=n: again.LOOP.hold(seen, n, again.GUARD) for n in range(2)))
    assert seconds(seen) == [10, 20]


def test_names_keep_their_identity(gitops):
    def body():
        assert gitops.Event is threading.Event
        assert gitops.Condition is threading.Condition
        assert gitops.Lock is threading.Lock
        assert gitops.queue.Queue is not None
        assert isinstance(gitops.STARTED, threading.Event)
        assert gitops.ThreadPoolExecutor.__name__ == "ThreadPoolExecutor"

    run(body)


def test_what_the_run_itself_put_in_a_place_stays(gitops):
    marker = object()

    def body():
        gitops.GUARD = marker

    run(body)
    assert gitops.GUARD is marker
