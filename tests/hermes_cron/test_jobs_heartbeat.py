"""The signals of a loop."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import pytest
from jobs_home import make_home

from hermes_cron import heartbeat, jobs, store


@pytest.fixture
def home(tmp_path, monkeypatch):
    yield from make_home(tmp_path, monkeypatch)


def evidence() -> dict:
    return json.loads(store.current_store().read_signal("ticker-100"))


def test_the_two_epoch_files_are_hermes_agents(home):
    """TICK-3."""
    jobs.record_ticker_heartbeat()
    home.wait(seconds=5)
    assert (jobs.get_ticker_heartbeat_age(), jobs.get_ticker_success_age()) == (5.0, None)
    jobs.record_ticker_heartbeat(success=True)
    assert (jobs.get_ticker_heartbeat_age(), jobs.get_ticker_success_age()) == (0.0, 0.0)
    assert float(jobs.TICKER_SUCCESS_FILE.read_text()) == home.epoch()


@pytest.mark.parametrize(
    "text", ["", "  ", "soon", "nan", "inf", "-inf", "-5", "9e99", "1e12", "\x00", "{}"]
)
def test_what_is_no_time_is_unknown(home, text):
    """STAT-6."""
    store.current_store().write_signal("ticker_heartbeat", text)
    assert jobs.get_ticker_heartbeat_age() is None


def test_a_future_value_is_unknown(home):
    store.current_store().write_signal("ticker_heartbeat", repr(home.epoch() + 3))
    assert jobs.get_ticker_heartbeat_age() is None
    home.wait(seconds=2)
    assert jobs.get_ticker_heartbeat_age() == 0.0


def test_what_cannot_be_read_is_unknown(home, monkeypatch):
    def broken(_name):
        raise PermissionError(13, "no")

    monkeypatch.setattr(store.current_store(), "read_signal", broken)
    assert jobs.get_ticker_heartbeat_age() is None


def test_the_loop_says_more_beside_them(home):
    """STAT-7, STAT-8, STAT-9: whose, since when, how often, what is wrong."""
    heartbeat.loop_began(30)
    jobs.record_ticker_heartbeat()
    began_at = home.epoch()
    assert evidence() == {
        "pid": 100,
        "boot_id": "boot100",
        "host": "host",
        "interval_s": 30,
        "started_at": began_at,
        "heartbeat_at": began_at,
        "success_at": None,
        "tick_since": None,
        "failing_since": None,
        "error": None,
    }
    home.wait(seconds=30)
    with heartbeat.tick_under_way():
        assert evidence()["tick_since"] is None
        heartbeat.tick_works()
        assert evidence()["tick_since"] == home.epoch()
    heartbeat.tick_works()
    heartbeat.tick_failed(ValueError('a "bad" thing\n'))
    jobs.record_ticker_heartbeat()
    assert (evidence()["tick_since"], evidence()["error"]) == (None, 'ValueError: a "bad" thing\n')
    failing_since = evidence()["failing_since"]
    home.wait(seconds=30)
    heartbeat.tick_failed(SystemExit())
    jobs.record_ticker_heartbeat()
    assert evidence()["failing_since"] == failing_since == home.epoch() - 30
    jobs.record_ticker_heartbeat(success=True)
    assert (evidence()["failing_since"], evidence()["error"]) == (None, None)
    assert evidence()["success_at"] == home.epoch()


def test_what_a_loop_told_stays_until_another_has_told_of_itself(home, monkeypatch):
    """STAT-8: whose the last heartbeat was is known while a gateway waits for its home."""
    heartbeat.loop_began(60)
    jobs.record_ticker_heartbeat()
    heartbeat.loop_ended()
    told = evidence()
    assert told["heartbeat_at"] == home.epoch()
    home.restart()
    home.state.pid_is_alive = lambda pid: pid == 300
    for pid, host in ((300, "host"), (400, "elsewhere")):
        other = {**told, "pid": pid, "host": host}
        store.current_store().write_signal(f"ticker-{pid}", json.dumps(other))
    heartbeat.loop_began(60)
    assert evidence() == told
    with monkeypatch.context() as full:
        full.setattr(store.current_store(), "write_signal", _no_space)
        jobs.record_ticker_heartbeat()
    assert evidence() == told
    jobs.record_ticker_heartbeat()
    assert [loop["pid"] for loop in heartbeat.told()] == [101, 300, 400]


def test_only_a_loop_that_told_so_since_it_began_has_beaten(home):
    assert not heartbeat.has_beaten()
    heartbeat.loop_began(60)
    assert not heartbeat.has_beaten()
    jobs.record_ticker_heartbeat()
    assert heartbeat.has_beaten()
    heartbeat.loop_ended()
    assert not heartbeat.has_beaten()


def _no_space(_name, _text):
    raise OSError(28, "no space left")


def _by_hand(then: Callable[[], None] = lambda: None) -> None:
    """A tick that is no loop's: in a thread of its own."""

    def tick() -> None:
        with heartbeat.tick_under_way():
            heartbeat.tick_works()
            then()

    thread = threading.Thread(target=tick)
    thread.start()
    thread.join()


@pytest.mark.parametrize("beats", [0, 1])
def test_a_tick_by_hand_tells_that_it_is_over(home, beats):
    """STAT-2: no heartbeat may follow it, and a loop that hangs is not at work."""
    heartbeat.loop_began(60)
    for _ in range(beats):
        jobs.record_ticker_heartbeat()
    told = []
    _by_hand(lambda: told.append(evidence()["tick_since"]))
    assert told == [home.epoch()]
    assert evidence()["tick_since"] is None


def test_a_tick_by_hand_says_nothing_of_the_loops_own(home):
    heartbeat.loop_began(60)
    jobs.record_ticker_heartbeat()
    with heartbeat.tick_under_way():
        heartbeat.tick_works()
        own_since = home.epoch()
        home.wait(seconds=5)
        _by_hand()
        assert evidence()["tick_since"] == own_since
    jobs.record_ticker_heartbeat()
    assert evidence()["tick_since"] is None


def test_a_heartbeat_that_cannot_be_written_raises_nothing(home, monkeypatch, caplog):
    """TICK-4."""

    def broken(_name, _text):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.current_store(), "write_signal", broken)
    for _ in range(3):
        jobs.record_ticker_heartbeat(success=True)
        with heartbeat.tick_under_way():
            heartbeat.tick_works()
    assert len([r for r in caplog.records if "Cron ticker heartbeat" in r.getMessage()]) == 1
