"""What a loop cannot have known or done; beside each history that is right, wrong ones."""

from __future__ import annotations

import pytest
from histories import Build, iso


def broken_by_hand(first: str, *runs: str, error: str | None = None) -> Build:
    """J's next time is garbage from the start on; the loop makes its first tick at this instant."""
    more = "jobs: [{id: j, schedule: '*/30 * * * *', record: {next_run_at: garbage}}]\n"
    build = Build(more).up().store(0, "j", next_run_at="garbage").tick("29m", error=error)
    return build.loop(first).runs("j", *runs)


HOURS = ("1h", "90m", "2h", "150m", "3h", "210m")


@pytest.mark.parametrize("judge", ["LIVE-1", "LIVE-6"])
def test_nobody_knows_when_a_broken_record_comes_before_a_tick_has_looked(judge):
    """One that raised has not; after the first clean one its times are those of its schedule."""
    assert broken_by_hand("31m", *HOURS, error="OSError").judge(judge).verdict != "violated"
    assert broken_by_hand("31m", *HOURS).judge(judge).verdict == "violated"
    assert broken_by_hand("31m", *HOURS[1:], error="OSError").judge(judge).verdict == "violated"


def asked_at(at: str, *said: str, by: str, set_at: str) -> Build:
    """The clock is set; from one hour on a tick is at work that says so; a status is asked for."""
    build = Build(f"steps: [{{at: {set_at}, do: set-clock, machine: a, by: {by}}}]\n").up()
    build.loop(last="1h").op(set_at, "set-clock").add("1h", "tick.begin", sync=False)
    build.add("1h", "signal", name="ticker-1", content="{}")
    return build.status(at, *said)


@pytest.mark.parametrize(
    ("by", "set_at", "at", "said", "right"),
    [
        ("10m", "61m", "64m", "STALLED", True),  # it was under way for 14 minutes, by that clock
        ("10m", "59m", "64m", "STALLED", False),
        ("1m", "61m", "64m", "STALLED", False),
        ("-10m", "61m", "71m", "", True),  # by that clock it has yet to begin
        ("-10m", "61m", "82m", "", False),
        ("-10m", "50m", "71m", "", False),
    ],
)
def test_a_signal_is_as_old_as_the_readers_clock_says(by, set_at, at, said, right):
    """Which is the loop's own, and may have been set since."""
    build = asked_at(at, *filter(None, [said]), by=by, set_at=set_at)
    assert (build.judge("STAT-2").verdict != "violated") == right


def died_before_it_told(at: str, *, claimed: bool) -> Build:
    """Of two machines one dies after its run, with the claim or without; a status is asked for."""
    build = Build("machines: [a, b]\njobs: [{id: j, schedule: every 1h}]\n").up().up(machine="b")
    claim = {"at": iso("1h"), "by": "a:1", "token": 1} if claimed else None
    build.store("1h", "j", next_run_at=iso("2h"), fire_claim=claim).run("j", "1h")
    build.loop(last="65m").add("65m", "crash").loop(machine="b")
    return build.status(at)


def test_a_claim_that_the_dead_left_may_worry_a_status_until_it_is_over():
    assert died_before_it_told("70m", claimed=True).judge("STAT-1").verdict != "violated"
    assert died_before_it_told("70m", claimed=False).judge("STAT-1").verdict == "violated"
    assert died_before_it_told("80m", claimed=True).judge("STAT-1").verdict == "violated"


def refused(*before: int) -> Build:
    """Somebody keeps the lock from 1h1s on; the tick of 1h2m is refused it, and one at these."""
    build = Build("steps: [{at: 1h1s, do: hold-lock, for: 5m}]\n").up().loop(last="30m")
    build.op("1h1s", "hold-lock").add("30m", "crash").up("31m").loop("31m", "1h1m")
    for at in (*before, 3730):
        build.add(at, "store.refused", "store", by="a", step="lock", reason="busy")
    build.add(3720, "tick.begin", sync=False).add(3730, "log", level="WARNING", logger="x")
    return build.add(3731, "tick.end", error=None, dispatched=0)


def test_what_was_refused_before_a_tick_may_be_tried_again_in_it():
    """By the same process, that is."""
    assert refused(3670).judge("LIVE-10").verdict != "violated"
    assert refused().judge("LIVE-10").verdict == "violated"
    assert refused(1500).judge("LIVE-10").verdict == "violated"
