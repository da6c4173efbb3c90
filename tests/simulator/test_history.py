"""The history: canonical bytes, texts beside, reading back."""

import pytest

from simulator.event import Event, HistoryError
from simulator.history import History


def _clocked(*instants: int) -> History:
    steps = iter(instants)
    return History({"scenario": "x", "zone": "UTC"}, lambda: next(steps))


def test_an_event_is_one_canonical_line():
    """Sorted keys, compact, ASCII: the order of the arguments never shows."""
    history = _clocked(7, 7)
    history.append("run.begin", "a", run=1, job="ré")
    history.append("run.begin", "a", job="ré", run=1)
    header, first, second = history.lines()
    assert header == '{"history":1,"scenario":"x","zone":"UTC"}'
    assert first == '{"job":"r\\u00e9","k":"run.begin","m":"a","n":0,"run":1,"t":7}'
    assert second == first.replace('"n":0', '"n":1')


def test_texts_stay_out_of_the_bytes():
    with_text, without = _clocked(1), _clocked(1)
    n = with_text.append("log", "a", text="Traceback ...", level="ERROR")
    without.append("log", "a", level="ERROR")
    assert with_text.text(n) == "Traceback ..."
    assert without.text(n) is None
    assert with_text.to_bytes() == without.to_bytes()
    assert with_text.digest() == without.digest()


def test_lines_read_back_to_the_same_bytes():
    history = _clocked(1, 2)
    history.append("up", "a")
    history.append("store.commit", "store", changes=[["j", {"id": "j", "x": None}]])
    again = History.from_lines(history.to_bytes().decode().splitlines())
    assert list(again) == list(history)
    assert again.header == history.header
    assert again.to_bytes() == history.to_bytes()


def test_of_gives_the_kinds_asked_for_in_order_and_grows():
    history = _clocked(1, 2, 3, 4)
    history.append("up", "a")
    assert [event.n for event in history.of("up", "crash")] == [0]
    history.append("crash", "a")
    history.append("boot", "a")
    history.append("up", "a")
    assert [event.n for event in history.of("up", "crash")] == [0, 1, 3]
    assert history.of("up") == [Event(0, 1, "a", "up", {}), Event(3, 4, "a", "up", {})]
    assert history.of("never") == []


def test_what_of_hands_out_can_be_changed_without_harm():
    history = _clocked(1)
    history.append("up", "a")
    history.of("up").clear()
    assert len(history.of("up")) == 1


def test_derived_is_computed_once_until_the_history_grows():
    history = _clocked(1, 2)
    history.append("up", "a")
    calls: list[int] = []

    def build() -> int:
        calls.append(len(history))
        return len(history)

    assert [history.derived("size", build), history.derived("size", build)] == [1, 1]
    history.append("crash", "a")
    assert history.derived("size", build) == 2
    assert calls == [1, 2]


@pytest.mark.parametrize("value", [{1, 2}, object(), float("nan"), b"x"])
def test_what_json_does_not_have_is_refused_with_the_event(value):
    history = _clocked(1)
    history.append("op", "operator", value=value)
    with pytest.raises(HistoryError, match=r"event 0 \(op\) holds what JSON does not have"):
        history.to_bytes()


def test_data_may_not_use_the_keys_of_the_line():
    history = _clocked(1)
    history.append("op", "operator", t=5)
    with pytest.raises(HistoryError, match=r"event 0 \(op\): .* own keys: t"):
        history.to_bytes()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "not even a header"),
        (["{"], "line 1: not JSON"),
        (["[]"], "line 1: not a JSON object"),
        (['{"history":99}'], "line 1: format 99"),
        (['{"history":1}', '{"k":"up"}'], "line 2: no 'n'"),
        (['{"history":1}', '{"k":"up","m":"a","n":1,"t":0}'], "line 2: event 1 where 0"),
    ],
)
def test_a_file_that_is_no_history_is_said_with_its_line(lines, message):
    with pytest.raises(HistoryError, match=message):
        History.from_lines(lines)
