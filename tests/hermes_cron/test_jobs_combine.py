"""What several threads want written at the same time is written at once."""

from __future__ import annotations

import gc
import threading
from contextlib import suppress

import pytest
from jobs_home import make_home

from hermes_cron import jobs, store
from hermes_cron.combine import Combiner


@pytest.fixture
def home(tmp_path, monkeypatch):
    yield from make_home(tmp_path, monkeypatch)


def in_threads(count, work):
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    return threads


def test_who_comes_while_a_write_is_on_is_written_together():
    batches, go, begun = [], threading.Event(), threading.Event()

    def write(wishes):
        batches.append(sorted(wish.wanted for wish in wishes))
        begun.set()
        go.wait(5)
        for wish in wishes:
            wish.got = wish.wanted * 10

    combiner, got = Combiner(write), {}

    def work(number):
        got[number] = combiner.run(number)

    first = in_threads(1, work)
    begun.wait(5)
    others = [threading.Thread(target=work, args=(number,)) for number in (1, 2, 3)]
    for thread in others:
        thread.start()
    while len(combiner._wishes) < 3:
        pass
    go.set()
    for thread in (*first, *others):
        thread.join(5)
    assert batches == [[0], [1, 2, 3]]
    assert got == {0: 0, 1: 10, 2: 20, 3: 30}


def test_a_write_that_fails_fails_for_all_of_it_and_not_for_later_ones():
    fail = [True]

    def write(wishes):
        if fail:
            raise SystemExit("full")
        for wish in wishes:
            wish.got = "written"

    combiner = Combiner(write)
    with pytest.raises(SystemExit):
        combiner.run(1)
    fail.clear()
    assert combiner.run(2) == "written"


def test_one_completion_that_cannot_be_stored_is_not_the_others_failure(home, monkeypatch):
    home.plant(id="a")
    home.plant(id="b", repeat={"times": 5})
    original = jobs.runs._count

    def count(job, claim):
        original(job, claim)
        if job["id"] == "b":
            raise ValueError("odd")
        return False

    monkeypatch.setattr(jobs.runs, "_count", count)
    results = {}

    def work(number):
        job_id = "ab"[number]
        try:
            jobs.mark_job_run(job_id, True)
        except ValueError:
            results[job_id] = "failed"

    for thread in in_threads(2, work):
        thread.join(5)
    assert results == {"b": "failed"}
    assert home.job("a")["last_status"] == "ok"
    assert "last_status" not in home.job("b")
    assert home.job("b")["repeat"] == {"times": 5}


def test_no_completion_of_many_threads_is_lost(home):
    """STORE-3."""
    for number in range(40):
        home.plant(id=f"job{number}")
    for thread in in_threads(40, lambda number: jobs.mark_job_run(f"job{number}", True)):
        thread.join(20)
    assert all(job["last_status"] == "ok" for job in store.current_store().read().jobs)


def test_a_write_that_fails_needs_no_garbage_collector():
    """A gateway whose disk is full for hours fails at each fire."""

    def write(wishes):
        raise OSError(len(wishes))

    combiner = Combiner(write)
    gc.collect()
    for _ in range(20):
        with suppress(OSError):
            combiner.run("x")
    assert gc.collect() == 0
