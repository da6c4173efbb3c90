"""What several threads want written at the same time is written at once."""

from __future__ import annotations

import gc
import threading
from contextlib import suppress

import pytest
from jobs_home import make_home

from hermes_cron import executions, jobs, store
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


def test_a_write_that_hangs_is_not_waited_for_without_end():
    written, begun, go = [], threading.Event(), threading.Event()

    def write(wishes):
        begun.set()
        go.wait(5)
        written.extend(wish.wanted for wish in wishes)

    combiner = Combiner(write)
    threads = in_threads(1, combiner.run)
    begun.wait(5)
    with pytest.raises(TimeoutError, match=r"more than 0\.01 s"):
        combiner.run(1, timeout_s=0.01)
    go.set()
    threads[0].join(5)
    combiner.run(2)
    assert written == [0, 2]


def test_records_that_hang_keep_no_job_and_what_ended_is_told_later(home, monkeypatch):
    """LIVE-8: the lock of the jobs is held while a claim tells what it jumps over."""
    monkeypatch.setattr(executions, "LOCK_TIMEOUT_S", 0.01)
    kept, begun, go = store.current_store().append_executions, threading.Event(), threading.Event()

    def hang(entries):
        begun.set()
        go.wait(5)
        return kept(entries)

    home.plant(next_run_at=home.at.isoformat())
    home.wait(hours=2)
    ended = executions.record("failed", {"id": "other"}, home.now(), execution_id="it")
    monkeypatch.setattr(store.current_store(), "append_executions", hang)
    threads = in_threads(1, lambda _: executions.append([ended]))
    begun.wait(5)
    assert [job["id"] for job in jobs.claim_due(jobs.get_due_jobs())] == ["job"]
    assert home.trace() == []
    go.set()
    threads[0].join(5)
    assert home.trace() == [("failed", None)]
    jobs.retry_pending()
    assert ("missed", "09:00") in home.trace()
