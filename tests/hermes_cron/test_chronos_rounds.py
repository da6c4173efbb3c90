"""One round at a time, walked by hand: no provider, no registry, no thread that is not joined."""

import threading

import pytest

from hermes_cron import clock
from hermes_cron.plugins.chronos._rounds import Rounds


class Maker:
    """Makes rounds and notes them; `during` is called in each one with its number from 1."""

    def __init__(self):
        self.made = []
        self.failures = []
        self.over = False
        self.during = lambda number: None
        self.rounds = Rounds(self.make, ended=lambda: self.over, failed=self.failures.append)

    def make(self, words, first):
        self.made.append((words, first))
        self.during(len(self.made))


@pytest.fixture
def maker():
    return Maker()


@pytest.fixture
def timers(monkeypatch):
    """The timers that would run, and the monotonic clock that they are measured by."""

    class Held:
        now_s = 1000.0

        def __init__(self, pause_s, function):
            self.pause_s, self.function = pause_s, function
            self.daemon = self.started = self.cancelled = False
            Held.made.append(self)

        def start(self):
            self.started = True

        def cancel(self):
            self.cancelled = True

    Held.made = []
    monkeypatch.setattr(threading, "Timer", Held)
    monkeypatch.setattr(clock, "monotonic", lambda: Held.now_s)
    return Held


def test_a_request_makes_a_round_with_its_word(maker):
    maker.rounds.ask("a")
    maker.rounds.ask()
    assert maker.made == [(["a"], True), ([], True)]


def test_what_is_asked_during_a_round_comes_in_the_next_one_in_order(maker):
    def during(number):
        if number == 1:
            for word in ("b", "a", "b", None):
                maker.rounds.ask(word)

    maker.during = during
    maker.rounds.ask("first")
    assert maker.made == [(["first"], True), (["b", "a"], False)]


def test_another_thread_leaves_its_word_and_goes(maker):
    def during(number):
        if number == 1:
            other = threading.Thread(target=maker.rounds.ask, args=("b",))
            other.start()
            other.join(5)
            assert not other.is_alive()

    maker.during = during
    maker.rounds.ask("a")
    assert maker.made == [(["a"], True), (["b"], False)]


def test_a_round_that_fails_is_told_and_stops_no_later_one(maker):
    def during(number):
        if number == 1:
            maker.rounds.ask("b")
            raise ValueError("no")

    maker.during = during
    maker.rounds.ask("a")
    assert [str(one) for one in maker.failures] == ["no"]
    assert maker.made == [(["a"], True), (["b"], False)]
    maker.rounds.ask("c")
    assert maker.made[2:] == [(["c"], True)]


def test_an_interrupted_round_leaves_the_turn_to_the_next_who_asks(maker):
    def during(number):
        if number == 1:
            raise KeyboardInterrupt

    maker.during = during
    with pytest.raises(KeyboardInterrupt):
        maker.rounds.ask("a")
    assert maker.failures == []
    maker.rounds.ask("b")
    assert maker.made == [(["a"], True), (["b"], True)]


def test_after_the_end_no_round_is_made(maker):
    def during(_number):
        maker.rounds.ask("b")
        maker.over = True

    maker.during = during
    maker.rounds.ask("a")
    assert maker.made == [(["a"], True)]
    maker.rounds.ask("c")
    assert len(maker.made) == 1


def test_a_round_after_the_end_was_taken_back_has_what_was_left(maker):
    maker.over = True
    maker.rounds.ask("a")
    maker.over = False
    maker.rounds.ask("b")
    assert maker.made == [(["a", "b"], True)]


def test_a_round_later_is_made_by_a_daemon_timer(maker, timers):
    maker.rounds.ask_in(30)
    [timer] = timers.made
    assert (timer.pause_s, timer.daemon, timer.started) == (30, True, True)
    assert maker.made == []
    timer.function()
    assert maker.made == [([], True)]


def test_the_soonest_round_counts(maker, timers):
    maker.rounds.ask_in(30)
    timers.now_s += 10
    maker.rounds.ask_in(20)  # at the same time
    maker.rounds.ask_in(25)
    assert len(timers.made) == 1
    maker.rounds.ask_in(19)
    assert [one.cancelled for one in timers.made] == [True, False]
    maker.rounds.ask_in(19.5)
    assert len(timers.made) == 2


def test_once_made_a_later_round_can_be_asked_for_again(maker, timers):
    maker.rounds.ask_in(30)
    timers.made[0].function()
    maker.rounds.ask_in(60)
    assert len(timers.made) == 2
    assert not timers.made[0].cancelled


def test_a_dropped_timer_is_cancelled_once_and_forgotten(maker, timers):
    maker.rounds.drop_timer()
    maker.rounds.ask_in(30)
    maker.rounds.drop_timer()
    assert timers.made[0].cancelled
    maker.rounds.ask_in(60)
    assert len(timers.made) == 2


def test_after_the_end_no_timer_is_set(maker, timers):
    maker.over = True
    maker.rounds.ask_in(30)
    assert timers.made == []
