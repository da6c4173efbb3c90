"""When leases are renewed. Rounds are walked by hand: nothing waits, no thread is started."""

import threading

import pytest

from hermes_cron import clock, leases, process, store
from hermes_cron.process import Execution


class Rounds:
    """Stands for the event that ends the rounds: so many come, and what was waited is kept."""

    def __init__(self, count):
        self.left = count
        self.waited = []

    def wait(self, seconds):
        self.waited.append(seconds)
        self.left -= 1
        return self.left < 0


@pytest.fixture(autouse=True)
def me(monkeypatch):
    state = process.ProcessState(pid=7, boot_id="boot7", host="h")
    monkeypatch.setattr(process, "current", lambda: state)
    return state


@pytest.fixture
def started(monkeypatch):
    """The threads that would have run, as they were asked for."""
    asked = []

    class Unstarted:
        def __init__(self, **wanted):
            self.wanted = wanted

        def start(self):
            asked.append(self.wanted)

    monkeypatch.setattr(threading, "Thread", Unstarted)
    return asked


@pytest.fixture
def renewals(monkeypatch):
    """What each round renews, and what it answers: a list of lost ones, or an error to raise.

    Or a number: so many seconds it takes.
    """
    seen, answers, took = [], [], [0]
    monkeypatch.setattr(clock, "monotonic", lambda: sum(took))

    def renew(held):
        seen.append(list(held))
        answer = answers.pop(0) if answers else []
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, int):
            took.append(answer)
            return []
        return answer

    monkeypatch.setattr(leases, "_renew", renew)
    return seen, answers


RUN = Execution("job", "attempt", token=3, occurrence="2026-03-02T08:00:00+00:00")
OTHER = Execution("other", "attempt2", token=1)


def test_one_daemon_thread_serves_all_runs(started):
    keeper = leases.LeaseKeeper()
    keeper.hold(RUN)
    keeper.hold(OTHER)
    [asked] = started
    assert (asked["target"], asked["name"], asked["daemon"]) == (
        keeper._rounds,
        "cron-leases",
        True,
    )
    [stop] = asked["args"]
    keeper.drop(RUN)
    assert not stop.is_set()
    keeper.drop(OTHER)
    assert stop.is_set()
    keeper.hold(RUN)
    assert len(started) == 2
    assert not started[1]["args"][0].is_set()


def test_a_run_without_a_claim_needs_no_thread(started):
    leases.LeaseKeeper().hold(Execution("job", "attempt"))
    assert started == []


def test_another_run_of_the_job_keeps_its_lease(started):
    keeper = leases.LeaseKeeper()
    keeper.hold(RUN)
    keeper.drop(Execution("job", "later", token=4))
    assert not started[0]["args"][0].is_set()


def test_a_thread_that_cannot_be_started_is_tried_again_by_the_next_run(
    started, monkeypatch, caplog
):
    keeper = leases.LeaseKeeper()

    def refused(**_wanted):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as broken:
        broken.setattr(threading, "Thread", refused)
        keeper.hold(RUN)
    assert "more than 300 s may be repeated: can't start new thread" in caplog.text
    keeper.hold(OTHER)
    assert len(started) == 1


def test_a_third_of_the_time_lies_between_renewals(started, renewals):
    seen, _ = renewals
    keeper = leases.LeaseKeeper()
    keeper.hold(RUN)
    keeper.hold(OTHER)
    rounds = Rounds(2)
    keeper._rounds(rounds)
    assert rounds.waited == [100, 100, 100]
    assert seen == [[RUN, OTHER], [RUN, OTHER]]


def test_a_renewal_that_took_long_is_followed_sooner(started, renewals):
    """What it wrote is dated before it: after minutes the claims may be over already."""
    _, answers = renewals
    keeper = leases.LeaseKeeper()
    keeper.hold(RUN)
    answers += [30, 360]
    rounds = Rounds(3)
    keeper._rounds(rounds)
    assert rounds.waited == [100, 70, 0, 100]


def test_a_renewal_that_failed_is_tried_again_soon(started, renewals, caplog):
    seen, answers = renewals
    keeper = leases.LeaseKeeper()
    keeper.hold(RUN)
    answers += [store.StoreError("no space"), store.StoreError("no space")]
    rounds = Rounds(3)
    keeper._rounds(rounds)
    assert rounds.waited == [100, 10, 10, 100]
    assert seen == [[RUN]] * 3
    assert "1 running jobs could not be renewed, tried again in 10 s: no space" in caplog.text


def test_what_was_lost_is_renewed_no_more(started, renewals):
    seen, answers = renewals
    keeper = leases.LeaseKeeper()
    keeper.hold(RUN)
    keeper.hold(OTHER)
    answers += [[RUN]]
    keeper._rounds(Rounds(2))
    assert seen == [[RUN, OTHER], [OTHER]]


def test_a_process_has_one_keeper(me):
    assert leases.keeper() is leases.keeper() is me.leases
    assert isinstance(me.leases, leases.LeaseKeeper)
