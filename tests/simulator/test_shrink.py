"""Shrinking: fewer faults, jobs, machines, then less time, then fewer choices; the same violation."""

import pytest
from explored_providers import CatchesExceptions, DiesAtTheSecond, LeavesWhenHeld

from simulator.checkers import check
from simulator.durations import HOUR_US
from simulator.explore import shrink
from simulator.kernel.tape import Choice, Tape
from simulator.scenario import Scenario
from simulator.target import Target
from simulator.world import simulate

BLOCKING = frozenset({"blocking"})
ONE = Target("one", CatchesExceptions, BLOCKING)
TWO = Target("two", DiesAtTheSecond, BLOCKING)

EXITS = [{"into": "tick", "raise": "SystemExit", "nth": nth} for nth in (40, 200)]
NOISE = [
    {"into": "store.replace", "raise": {"OSError": "ENOSPC"}, "nth": 7},
    {"into": "store.read", "hang": "2s", "nth": 30},
    {"into": "heartbeat", "raise": "RuntimeError", "at": "30m"},
    {"into": "tick", "raise": "RuntimeError", "nth": 9, "times": 2},
    {"into": "body", "raise": "ValueError", "nth": 2},
    {"into": "mark", "hang": "1s", "nth": 2, "job": "b"},
    {"into": "store.sync", "raise": {"OSError": "EIO"}, "nth": 4, "on": "advance"},
    {"into": "store.output", "raise": {"OSError": "EIO"}, "nth": 3},
    {"into": "dispatch", "raise": "RuntimeError", "nth": 20},
    {"into": "nas.list", "answer": 500},
]


def scenario(faults, **fields):
    base = {
        "name": "big",
        "zone": "Europe/Berlin",
        "start": "2026-03-02T08:00:00",
        "lasts": "12h",
        "machines": {"a": {}, "b": {"skew": "2s"}},
        "jobs": [
            {"id": "a", "schedule": "every 20m", "runs_for": "20s"},
            {"id": "b", "schedule": "every 30m", "repeat": 9},
            {"id": "c", "schedule": "0 * * * *", "body": {"fails": "no"}},
        ],
        "steps": [
            {"at": "50m", "do": "pause", "job": "c"},
            {"at": "1h", "do": "crash", "machine": "b", "for": "10m"},
        ],
        "tape": {"seed": 3, "choices": [["a#1/cron-provider", 5, "1s"], ["b#1/gateway", 2]]},
    }
    return Scenario.model_validate(base | {"faults": faults} | fields)


def verdict(small, target, requirement):
    (finding,) = check(simulate(small, target).history, small, [requirement])
    return finding.verdict


def test_twelve_faults_shrink_to_the_two_that_matter(figure):
    mixed = [*NOISE[:5], EXITS[0], *NOISE[5:], EXITS[1]]
    exits = [{**fault, "machine": "a"} for fault in EXITS]
    mixed = [exits.pop(0) if fault in EXITS else fault for fault in mixed]
    shrunk = shrink(scenario(mixed), TWO, "TICK-2")
    small = shrunk.scenario
    assert verdict(small, TWO, "TICK-2") == "violated"
    assert [fault.raises.type for fault in small.faults] == ["SystemExit"] * 2
    assert (len(small.steps), len(small.jobs), len(small.machines)) == (0, 1, 1)
    assert small.tape == Tape()
    assert small.lasts < 4 * HOUR_US
    assert (small.zone, small.jobs[0].plain().keys()) == ("UTC", {"id", "schedule"})
    assert shrunk.replays <= 300
    figure(f"12 faults shrink to 2 in {shrunk.replays} replays (300 at least, 50 aimed)")


def test_a_fault_that_matters_twice_is_not_split_from_its_times():
    fault = {"into": "tick", "raise": "SystemExit", "nth": 5, "times": 2}
    small = shrink(scenario([fault], machines=["a"], steps=[]), TWO, "TICK-2").scenario
    assert [(one.nth, one.times) for one in small.faults] == [(5, 2)]


def test_what_is_kept_is_the_same_requirement():
    """The run violates others beside it; each shrinks to what it needs."""
    start = scenario([*EXITS, *NOISE[:2]], machines=["a"], steps=[])
    history = simulate(start, TWO).history
    violated = [one.id for one in check(history, start) if one.verdict == "violated"]
    assert len(violated) > 1
    for requirement in violated:
        shrunk = shrink(start, TWO, requirement)
        assert requirement in dict(shrunk.violations)
        assert verdict(shrunk.scenario, TWO, requirement) == "violated"


def test_a_choice_that_matters_stays():
    """The loop stops when it is held back at one line of it; another choice changes nothing."""
    quiet = scenario([], machines=["a"], steps=[], lasts="2h")

    def held(nth):
        choices = (Choice("a#1/cron-provider", nth, 9_000_000), Choice("a#1/gateway", 3))
        return quiet.model_copy(update={"tape": Tape(choices, seed=5)})

    racy = Target("racy", LeavesWhenHeld, BLOCKING)
    start = next(
        one for one in map(held, range(1, 40)) if verdict(one, racy, "LIVE-6") == "violated"
    )
    small = shrink(start, racy, "LIVE-6").scenario
    assert small.tape.entries == start.tape.entries[:1]


def test_it_leaves_off_at_the_most_replays_with_what_it_has():
    start = scenario([EXITS[0], *NOISE])
    shrunk = shrink(start, ONE, "TICK-2", most_replays=5)
    assert shrunk.replays <= 5
    assert verdict(shrunk.scenario, ONE, "TICK-2") == "violated"


def test_what_is_not_violated_cannot_shrink():
    with pytest.raises(ValueError, match="big does not violate TICK-2 with one"):
        shrink(scenario(NOISE), ONE, "TICK-2")
