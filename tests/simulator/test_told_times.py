"""Texts that tell the time of their event take little room in a folded history, and come back."""

import json

import pytest

from simulator import history as histories
from simulator.history import History
from simulator.packing import BLOCK
from simulator.told_times import restored, shortened

START_US = 1_772_438_400_000_000
MINUTE_US = 60_000_000


def seconds(us):
    return repr(us / 1_000_000)


def evidence(us):
    """What a ticker's own file says in its tick: when that began, and when the one before did."""
    return json.dumps({"pid": 1, "tick_since": us / 1e6, "success_at": (us - MINUTE_US) / 1e6})


def minute(nth):
    us = START_US + nth * MINUTE_US
    return [(us, evidence(us)), (us, seconds(us)), (us, None), (us + 1, f"{seconds(us)}!")]


ROWS = [row for nth in range(40) for row in minute(nth)]


def test_they_are_the_same_again():
    at_us, texts = zip(*ROWS, strict=True)
    short = shortened(at_us, texts)
    assert list(restored(at_us, short)) == list(texts)


def test_what_they_tell_of_now_and_of_before_is_left_out():
    at_us = [START_US, START_US + MINUTE_US, START_US + MINUTE_US]
    short = shortened(at_us, [evidence(us) for us in at_us])
    assert short[1] == short[2]
    assert not {seconds(START_US), seconds(START_US + MINUTE_US)} & set(short[1].split(": "))
    assert len(short[1]) < len(evidence(START_US)) - 20


@pytest.mark.parametrize("mark", ["\0", "\1"])
def test_what_could_not_be_undone_is_not_done(mark):
    assert shortened([START_US] * 2, [seconds(START_US), f"a{mark}b"]) is None


def told(monkeypatch, plain, contents):
    monkeypatch.setattr(histories, "PLAIN", plain)
    instants = iter([START_US + nth // 3 * MINUTE_US for nth in range(3 * BLOCK)])
    history = History({"scenario": "signals"}, lambda: next(instants))
    for nth in range(3 * BLOCK):
        us = START_US + nth // 3 * MINUTE_US
        history.append("signal", "a", **contents(nth, us))
    return history


@pytest.mark.parametrize(
    "contents",
    [
        lambda nth, us: {"name": "ab"[nth % 2], "content": evidence(us) if nth % 7 else None},
        lambda nth, us: {"content": seconds(us), "name": "ab"[nth % 2]},
        lambda nth, us: {"content": seconds(us) if nth % 7 else us},
        lambda nth, us: {"content": f"\0{seconds(us)}" if nth == BLOCK else seconds(us)},
        lambda nth, us: {"name": 1 if nth % 2 else True, "content": seconds(us)},
        lambda nth, us: {"content": seconds(us)} if nth % 2 else {},
    ],
    ids=["usual", "first", "a number", "a mark", "1 or True", "none"],
)
def test_a_folded_history_says_what_a_plain_one_does(monkeypatch, contents):
    plain, folded = (told(monkeypatch, room, contents) for room in (10 * BLOCK, BLOCK))
    assert folded._blocks
    assert not plain._blocks
    assert list(map(repr, folded)) == list(map(repr, plain))
    columns = [list(zip(*each.columns("signal"), strict=True)) for each in (plain, folded)]
    assert [x for some in columns[1][3] for x in some] == [
        x for some in columns[0][3] for x in some
    ]


def test_digits_that_only_grow_take_no_room(monkeypatch):
    history = told(monkeypatch, BLOCK, lambda _nth, us: {"name": "beat", "content": evidence(us)})
    (_, folded, _) = history._blocks[0]._groups["signal"]
    assert len(folded) < BLOCK // 4  # a tenth of what their digits take
