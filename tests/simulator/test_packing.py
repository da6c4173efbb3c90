"""A folded history is the same history: its lines, its kinds, its places, its texts."""

from itertools import count

import pytest

from simulator import history as histories
from simulator.history import PLAIN, PLAIN_IF_SHORT, History
from simulator.packing import BLOCK, ROOM

DAY_US = 86_400_000_000
MANY = 3 * BLOCK + 17


def told(monkeypatch, *, plain: int, odd: object = None) -> History:
    monkeypatch.setattr(histories, "PLAIN", plain)
    clock = count(1_772_438_400_000_000, 60_000_000)
    history = History({"scenario": "long"}, lambda: next(clock))
    for nth in range(MANY):
        text = f"turn {nth}" if nth % 5 == 0 else None
        kind = ("tick.begin", "tick.end", "signal")[nth % 3]
        history.append(kind, "ab"[nth % 2], text=text, nth=nth, of=[{"x": None}, True, 0.5, "é"])
    if odd is not None:
        history.append("odd", "a", value=odd)
    return history


@pytest.fixture
def pair(monkeypatch):
    plain = told(monkeypatch, plain=10 * BLOCK)
    folded = told(monkeypatch, plain=BLOCK)
    assert len(folded._rows) < 2 * BLOCK < len(plain._rows)
    return plain, folded


def test_the_lines_are_the_same(pair):
    plain, folded = pair
    assert folded.to_bytes() == plain.to_bytes()
    assert folded.digest() == plain.digest()
    assert len(folded) == len(plain) == MANY


def test_a_long_history_is_read_back(pair):
    plain, folded = pair
    again = History.from_lines(folded.lines())
    assert again.to_bytes() == plain.to_bytes()


def test_every_kind_is_found_in_order(pair):
    plain, folded = pair
    for kinds in (("signal",), ("tick.end", "tick.begin"), ("signal", "signal"), ("none",)):
        assert list(folded.of(*kinds)) == list(plain.of(*kinds))
        assert len(folded.of(*kinds)) == len(plain.of(*kinds))


def test_every_place_is_found_from_both_ends(pair):
    plain, folded = pair
    for n in (0, 1, BLOCK - 1, BLOCK, 2 * BLOCK + 5, MANY - 1, -1, -BLOCK, -MANY):
        assert folded[n] == plain[n]
    some, same = folded.of("signal"), plain.of("signal")
    for place in (0, 5, len(same) - 1, -1, -len(same)):
        assert some[place] == same[place]
    assert some[3:9] == same[3:9]
    for beyond in (len(same), -len(same) - 1):
        with pytest.raises(IndexError):
            some[beyond]


def test_texts_stay_beside_their_events(pair):
    plain, folded = pair
    assert [folded.text(n) for n in range(MANY)] == [plain.text(n) for n in range(MANY)]


def test_it_grows_on_after_it_was_looked_at(pair):
    plain, folded = pair
    assert len(folded.of("signal")) == len(plain.of("signal"))
    for history in pair:
        history.append("signal", "a", nth=-1)
    assert list(folded.of("signal")) == list(plain.of("signal"))


def test_what_is_no_json_is_folded_as_it_is(monkeypatch):
    class Word(str):
        __slots__ = ()

    history = told(monkeypatch, plain=10 * BLOCK, odd=Word("sent"))
    for _ in range(10 * BLOCK):
        history.append("signal", "a")
    (odd,) = history.of("odd")
    assert history._blocks
    assert type(odd.data["value"]) is Word


def test_who_looks_everywhere_holds_little(pair):
    _, folded = pair
    for n in range(0, MANY, 97):
        assert folded[n].n == n
        assert folded._shelf._size <= ROOM


@pytest.mark.parametrize(
    ("horizon_us", "folds"), [(None, True), (15 * DAY_US, True), (DAY_US, False)]
)
def test_a_run_that_ends_soon_is_folded_later(horizon_us, folds):
    history = History({"horizon_us": horizon_us}, lambda: 0)
    for _ in range(PLAIN + 1):
        history.append("tick.begin", "a")
    assert (len(history._rows) < PLAIN) is folds
    for _ in range(PLAIN_IF_SHORT - PLAIN):
        history.append("tick.begin", "a")
    assert len(history._rows) < PLAIN_IF_SHORT
    assert len(history) == PLAIN_IF_SHORT + 1
