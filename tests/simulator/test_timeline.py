"""The timeline: lanes, wall time, folded quiet."""

import re
from io import StringIO

import pytest
from histories import Build
from rich.console import Console

from simulator.timeline import Moment, Quiet, lanes, moments, show_timeline


def _text(build: Build) -> str:
    out = StringIO()
    show_timeline(build.history(), Console(file=out, width=200))
    return out.getvalue()


def test_one_lane_for_each_machine_the_registry_and_the_store():
    build = (
        Build("machines: [a, b]\n", external=True)
        .up(machine="b")
        .up()
        .arm("j", 0, "1h")
        .store(1, "j")
    )
    assert lanes(build.history()) == ["a", "b", "nas", "store"]
    assert lanes(Build().up().op(1, "pause", "j").history()) == ["a", "operator"]


def test_quiet_is_folded_and_counted():
    build = Build().up().loop().run("j", "1h", 2).run("j", "2h", 2)
    shown = list(moments(build.history()))
    assert [type(each) for each in shown] == [Moment, Quiet, Moment, Moment, Quiet, Moment, Moment]
    assert str(shown[1]) == "1h quiet"
    assert shown[1].ticks == 61
    assert re.search(r"^… 1h quiet +61 ticks", _text(build), re.MULTILINE)
    assert "boot" in shown[0].cells["a"]


def test_it_is_told_in_wall_time():
    build = Build("zone: Europe/Berlin\n").up().run("j", "1h", 2)
    text = _text(build)
    assert "2026-03-02 Mon" in text
    assert "09:00:00" in text
    assert "Europe/Berlin" in text


def test_what_is_notable_is_told():
    build = (
        Build(external=True).up().arm("j", 0, "1h").fire("j", "1h", arms="2h", error="ValueError")
    )
    build.fault("1h10m", "store.replace").add("1h10m", "crash").op(
        "1h20m", "pause", "j", error="StoreError"
    )
    build.store("1h30m", "j", next_run_at="2026-03-02T10:00:00+00:00")
    build.store(
        "1h40m",
        "j",
        next_run_at="2026-03-02T10:00:00+00:00",
        fire_claim={"at": "x"},
        last_run_at="y",
        last_status="ok",
    )
    build.call("1h50m", "list", None, 500, "down").add("2h", "nas.forgot", "nas")
    build.status("2h10m", "STALLED").status("2h20m", "STALLED").tick("2h30m", error="SystemExit")
    text = _text(build)
    for words in (
        "armed j 09:00", "fires j", "answers 202 accepted", "run 1 j raised ValueError", "raise at store.replace",
        "crash", "pause j", "StoreError", "created, next 10:00", "claimed", "marked ok", "list: 500 down",
        "lost its state", "status: unhealthy, STALLED", "tick raised SystemExit", "logged ERROR SystemExit",
    ):  # fmt: skip
        assert words in text, words
    assert text.count("STALLED") == 1  # what was said before is not said again


@pytest.mark.parametrize(
    ("next_run_at", "said"),
    [
        ("2026-03-02T10:00:00+00:00", "next 10:00"),
        ("2026-03-02T10:00:05+00:00", "next 10:00:05"),
        ("2026-03-03T10:00:00+00:00", "next Tue 10:00"),
        ("2026-03-09T10:00:00+00:00", "next 2026-03-09 10:00"),
        ("2026-03-02T10:00:00", "next 2026-03-02T10:00:00"),
        ("garbage", "next garbage"),
        (None, "no next time"),
    ],
)
def test_an_instant_is_told_as_far_as_it_is_not_known(next_run_at, said):
    """The day only when it is another, a weekday within a week; what is no instant as it stands."""
    build = Build().up().store("1h", "j", next_run_at=next_run_at)
    assert re.search(rf"j created, {re.escape(said)}\s", _text(build))


def test_names_that_look_like_markup_are_told_as_they_are():
    build = Build('jobs: [{id: "[red]x", schedule: every 1h}]\n').up().run("[red]x", "1h", 2)
    assert "[red]x" in _text(build)


def test_nothing_is_told_of_nothing():
    assert list(moments(Build().history())) == []
