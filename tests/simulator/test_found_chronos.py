"""What was found with Chronos, and is told by more than its verdict: how often, and how soon."""

from pathlib import Path

from simulator.durations import HOUR_US, MINUTE_US
from simulator.hosts import reference_host
from simulator.scenario_file import parse_scenario
from simulator.verdict import judge
from simulator.world import simulate

CHRONOS = reference_host().bundled()["chronos"]
NOT_TAKEN_UP = "a-locked-store-lets-nobody-take-up-the-promise-of-a-last-run"


def test_a_claim_that_fails_for_half_a_minute_makes_no_storm_of_arms():
    """What follows is armed ahead of each attempt, so the same fire is never armed twice running."""
    scenario = parse_scenario("""
name: a-claim-that-fails-for-half-a-minute
start: 2026-03-02T08:00:00
lasts: 30m
jobs: [{id: job-1, schedule: every 10m}]
faults: [{into: claim, raise: SystemExit, from: 10m, until: 10m30s}]
""")
    history = simulate(scenario, CHRONOS).history
    assert 0 < len(history.of("fault")) < 10
    first_us = history.of("run.begin")[0].at_us - scenario.start_us
    assert first_us <= 11.5 * 60 * 1_000_000
    assert [one for one in judge(history, scenario).findings if one.verdict == "violated"] == []


def test_what_nobody_could_take_up_is_given_back_and_armed_at_once():
    """NAS was told that all is well, and nothing else wakes the agent for four hours."""
    found = Path(__file__).parent / "found" / "chronos" / f"{NOT_TAKEN_UP}.yaml"
    text = found.read_text(encoding="utf-8").replace("30m", "4h").replace("32m", "5h")
    scenario = parse_scenario(text)
    begun = simulate(scenario, CHRONOS).history.of("run.begin")
    due_us = scenario.start_us + 4 * HOUR_US
    assert {event.data["job"] for event in begun} == {"job-2", "job-3", "job-4"}
    assert all(due_us <= event.at_us <= due_us + 3 * MINUTE_US for event in begun)
