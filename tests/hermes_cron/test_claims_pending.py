"""Writes that failed wait for the next occasion, in order, and none is lost in silence."""

from datetime import UTC, datetime

import pytest

from hermes_cron import jobs, pending, process, settling, store
from hermes_cron.process import Execution

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def me(monkeypatch):
    state = process.ProcessState(pid=7, boot_id="boot7", host="h")
    monkeypatch.setattr(process, "current", lambda: state)
    monkeypatch.setattr(jobs, "_hermes_now", lambda: NOW)
    return state


@pytest.fixture
def run():
    return Execution("job", "attempt", token=3, occurrence="2026-03-02T08:00:00+00:00")


class Writes:
    """Makes writes that note their number, and raise while `failing` has one for it."""

    def __init__(self):
        self.done = []
        self.failing = {}

    def __call__(self, number):
        def write():
            if number in self.failing:
                raise self.failing[number]
            self.done.append(number)

        return write


def test_what_failed_is_made_good_once_in_order(me):
    writes = Writes()
    for number in (1, 2, 3):
        pending.later(writes(number))
    pending.retry()
    pending.retry()
    assert (writes.done, me.pending) == ([1, 2, 3], [])


def test_what_fails_again_waits_with_all_that_came_after_it(me, caplog):
    writes = Writes()
    made = [writes(number) for number in (1, 2, 3)]
    for write in made:
        pending.later(write)
    writes.failing[2] = store.StoreError("no space")
    pending.retry()
    assert (writes.done, me.pending) == ([1], made[1:])
    assert "2 writes still wait for the store: no space" in caplog.text
    writes.failing.clear()
    pending.retry()
    assert (writes.done, me.pending) == ([1, 2, 3], [])


def test_what_was_put_off_meanwhile_waits_behind_it(me):
    writes = Writes()
    first, second = writes(1), writes(2)

    def fails():
        pending.later(second)
        raise store.StoreError("no space")

    pending.later(fails)
    pending.later(first)
    pending.retry()
    assert me.pending == [fails, first, second]


@pytest.mark.parametrize("error", [ValueError("no such job"), SystemExit("no such job")])
def test_what_fails_for_a_reason_of_its_own_waits_too_and_keeps_no_other_waiting(me, caplog, error):
    """LIVE-8: an error that the store did not raise may pass like any other."""
    writes = Writes()
    made = [writes(1), writes(2)]
    writes.failing[1] = error
    for write in made:
        pending.later(write)
    pending.retry()
    assert (writes.done, me.pending) == ([2], made[:1])
    assert "no such job" in caplog.text
    writes.failing.clear()
    pending.retry()
    assert (writes.done, me.pending) == ([2, 1], [])


def test_only_so_many_wait(me, monkeypatch):
    monkeypatch.setattr(pending, "_MOST", 2)
    made = [Writes()(number) for number in (1, 2, 3)]
    for write in made:
        pending.later(write)
    assert me.pending == made[1:]


class TestRelease:
    def test_it_gives_back_what_was_claimed(self, me, run, monkeypatch):
        seen = []
        monkeypatch.setattr(settling, "release", lambda *args: seen.append(args))
        pending.release(run, "paused")
        assert (seen, me.pending) == ([(run, "paused")], [])

    @pytest.mark.parametrize("failure", [store.StoreError("no space"), KeyboardInterrupt()])
    def test_what_the_store_does_not_take_is_given_back_later(self, me, run, monkeypatch, failure):
        seen = []

        def fails(*_args):
            raise failure

        with monkeypatch.context() as broken:
            broken.setattr(settling, "release", fails)
            pending.release(run, "paused")
        monkeypatch.setattr(settling, "release", lambda *args: seen.append(args))
        pending.retry()
        assert (seen, me.pending) == ([(run, "paused")], [])

    def test_without_a_claim_there_is_nothing_to_give_back(self, me, monkeypatch):
        monkeypatch.setattr(settling, "release", lambda *_args: pytest.fail("nothing was claimed"))
        pending.release(Execution("job", "attempt"), "paused")
        assert me.pending == []


class TestMark:
    @pytest.fixture
    def marked(self, monkeypatch):
        """What `mark_job_run` was told, and whose run it was then."""
        seen = []

        def mark(*args, **more):
            seen.append((args, more, process.execution.get()))

        monkeypatch.setattr(jobs, "mark_job_run", mark)
        return seen

    def test_it_stores_the_result_as_that_of_the_run(self, me, run, marked):
        assert pending.mark(run, False, "why", "not sent") is None
        assert marked == [(("job", False, "why"), {"delivery_error": "not sent"}, run)]
        assert (run.ended_at, process.execution.get(), me.pending) == (NOW, None, [])

    @pytest.mark.parametrize(
        ("failure", "said"),
        [
            (store.StoreError("no space"), "StoreError: no space"),
            (SystemExit(3), "SystemExit: 3"),
        ],
    )
    def test_a_result_that_is_not_stored_is_said_and_stored_later(
        self, run, marked, monkeypatch, failure, said
    ):
        def fails(*_args, **_more):
            raise failure

        with monkeypatch.context() as broken:
            broken.setattr(jobs, "mark_job_run", fails)
            assert pending.mark(run, True, None, None) == said
        assert process.execution.get() is None
        pending.retry()
        assert marked == [(("job", True, None), {"delivery_error": None}, run)]
        assert process.current().pending == []


def test_what_always_fails_is_tried_a_few_at_a_time_and_all_get_their_turn(me):
    """A thousand results that nothing takes must not cost a thousand tries with each tick."""
    writes, tried = Writes(), []

    def stuck(number):
        def write():
            tried.append(number)
            raise ValueError("no such job")

        return write

    for number in range(30):
        pending.later(stuck(number))
    pending.later(writes("good"))
    pending.retry()
    assert tried == list(range(10))
    for _ in range(3):
        pending.retry()
    assert tried == [*range(30), *range(10)]
    assert (writes.done, len(me.pending)) == (["good"], 30)
