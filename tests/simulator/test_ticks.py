"""Ticks and heartbeats as columns are the very events of the history, folded or not."""

import random
import tracemalloc
from itertools import count

import pytest

from simulator import history as histories
from simulator.checkers.happened import Tick
from simulator.checkers.ticks import Ticks, Track, tracks_of
from simulator.history import History
from simulator.packing import BLOCK

MINUTE_US = 60_000_000
SAID = {
    "tick.begin": [{"sync": False}, {"sync": True}, {"sync": 0}],
    "tick.end": [{"error": None, "dispatched": 0}, {"error": "OSError", "dispatched": None}],
    "heartbeat": [{"success": True}, {"success": 1}, {"success": False}],
}


def told(monkeypatch, *, plain: int, events: int = 3 * BLOCK + 5) -> History:
    """Two machines whose ticks begin, end, are cut off and begin again as chance has it."""
    monkeypatch.setattr(histories, "PLAIN", plain)
    rng, clock = random.Random(7), count(MINUTE_US, MINUTE_US)
    history = History({"scenario": "long"}, lambda: next(clock))
    for _ in range(events):
        kind = rng.choice([*SAID])
        history.append(kind, rng.choice("ab"), **rng.choice(SAID[kind]))
    return history


@pytest.fixture(params=[BLOCK, 10 * BLOCK], ids=["folded", "plain"])
def history(request, monkeypatch):
    return told(monkeypatch, plain=request.param)


def pairs_of(history: History, machine: str) -> list[Tick]:
    """What a reader takes for ticks who goes from event to event."""
    ticks, on = [], None
    for event in history.of("tick.begin", "tick.end"):
        if event.machine != machine:
            continue
        if event.kind == "tick.begin":
            on = Tick(event)
            ticks.append(on)
        elif on is not None:
            on.end, on = event, None
    return ticks


def ticks_of(history: History, machine: str) -> Ticks:
    begins, ends = (tracks_of(history, kind)[machine] for kind in ("tick.begin", "tick.end"))
    return Ticks.paired(begins, ends)


@pytest.mark.parametrize("kind", [*SAID])
def test_columns_are_the_events(history, kind):
    rows = [row for columns in history.columns(kind) for row in zip(*columns, strict=True)]
    assert rows == [(event.n, event.at_us, event.machine, event.data) for event in history.of(kind)]


def test_a_kind_that_never_came_has_no_columns(history):
    assert list(history.columns("status")) == []
    assert tracks_of(history, "status") == {}


def test_what_no_block_can_fold_is_in_the_columns(monkeypatch):
    history = told(monkeypatch, plain=BLOCK, events=10)
    odd = object()
    history.append("odd", "a", value=odd)
    for _ in range(3 * BLOCK):
        history.append("even", "a")
    assert [data for *_, said in history.columns("odd") for data in said] == [{"value": odd}]


@pytest.mark.parametrize("kind", [*SAID])
def test_a_track_is_the_events_of_one_machine(history, kind):
    tracks = tracks_of(history, kind)
    for machine in "ab":
        mine = [event for event in history.of(kind) if event.machine == machine]
        assert list(tracks[machine]) == mine
        assert tracks[machine][-1] == mine[-1]
        assert tracks[machine][5:9] == mine[5:9]


def test_what_is_equal_and_not_the_same_is_told_apart(history):
    beats = tracks_of(history, "heartbeat")["a"]
    marked = beats.where(lambda data: data["success"] is True)
    assert [beats[place] for place in marked] == [e for e in beats if e.data["success"] is True]
    assert 0 < len(marked) < sum(e.data["success"] == 1 for e in beats)
    assert beats.where(lambda data: "error" in data) == []


def test_each_tick_has_the_end_that_comes_before_the_next(history):
    for machine in "ab":
        ticks, plain = ticks_of(history, machine), pairs_of(history, machine)
        assert list(ticks) == plain
        assert any(tick.end is None for tick in plain)
        assert list(ticks[10:90]) == plain[10:90]
        assert list(ticks[10:90][5:]) == plain[15:90]


def test_ticks_answer_by_place(history):
    ticks, plain = ticks_of(history, "a"), pairs_of(history, "a")
    places = range(len(plain))
    raised = [p for p in places if plain[p].end is not None and not plain[p].clean]
    assert ticks.unclean() == raised
    assert ticks.endless() == [p for p in places if plain[p].end is None]
    for n in (0, plain[7].begin.n, plain[7].begin.n + 1, len(history)):
        assert ticks.begun_before(n) == sum(tick.begin.n < n for tick in plain)
        assert ticks.begun_until(n) == sum(tick.begin.n <= n for tick in plain)
        for place in (0, 7, 8):
            end = plain[place].end
            assert ticks.ended_before(place, n) == (end is not None and end.n < n)


def test_who_never_ticked_has_no_ticks():
    assert list(Ticks.none("a")) == list(Track("a", "heartbeat")) == []
    assert Ticks.none("a").unclean() == Ticks.none("a").endless() == []


def test_a_tick_takes_few_bytes(monkeypatch):
    """The events of one, made, take ten times as much."""
    monkeypatch.setattr(histories, "PLAIN", BLOCK)
    history, ticks = History(), 8 * BLOCK
    quiet = (("tick.begin", {"sync": False}), ("tick.end", {"error": None, "dispatched": 0}))
    for nth in range(ticks):
        for kind, data in quiet:
            history.put(nth * MINUTE_US, "a", kind, data)
    tracemalloc.start()
    try:
        held = ticks_of(history, "a")
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(held) == ticks
    assert size / ticks < 100


def test_more_things_than_a_byte_tells_apart_stay_apart():
    track = Track("a", "tick.end")
    for first in (0, 100, 250, 251):
        ns = range(first, first + 100)
        track.extend([*ns], [60 * n for n in ns], [{"n": n} for n in ns])
    assert [event.data["n"] for event in track][-1] == 350
    assert all(event.data["n"] == event.n for event in track)
    assert [event.n for event in track.pick([399, 0])] == [350, 0]
    assert [event.data["n"] for event in track.pick([399, 0])] == [350, 0]
