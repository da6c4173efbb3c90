"""Commands that are given at the same time."""

import pytest
from histories import Build, iso

from simulator.checkers import CHECKERS
from simulator.hosts import reference_host
from simulator.scenario_file import parse_scenario
from simulator.stage import RunStage
from simulator.world import simulate

TWICE = """
name: twice-by-hand
start: 2026-03-02T08:00:00
lasts: 2h
jobs: [{id: j, schedule: every 7h, runs_for: 20s}]
steps: [{at: 1h, do: run, job: j}, {at: 1h2s, do: run, job: j}]
"""


def once_1():
    scenario = parse_scenario(TWICE)
    run = simulate(scenario, reference_host().bundled()["builtin"])
    return CHECKERS["ONCE-1"](run.history, scenario), run.history.of("run.begin")


def test_a_command_lives_for_another_command():
    finding, runs = once_1()
    assert (finding.verdict, len(runs)) == ("held", 1)


def test_two_commands_that_run_a_job_at_the_same_time_are_seen(monkeypatch):
    monkeypatch.setattr(RunStage, "lives", lambda stage, pid: pid in stage.pids())
    finding, runs = once_1()
    assert (finding.verdict, len(runs)) == ("violated", 2)
    assert "two commands run it at the same time" in finding.reason


def beside(*states: tuple[str, str]) -> Build:
    """A pause and an update that go on at once, a resume after them; these writes of the state."""
    build = Build().up()
    wrote = {"schedule": {"kind": "interval", "minutes": 60}, "next_run_at": iso("1h")}
    build.store(0, "j", **wrote, state="scheduled")
    for at, do in (("30m", "pause"), ("30m1s", "update"), ("30m5s", "resume")):
        build.add(at, "op", "operator", do=do, job="j")
        build.add("30m9s", "op.end", "operator", do=do, job="j", error=None)
    for at, state in states:
        build.store(at, "j", **wrote, state=state)
    return build


@pytest.mark.parametrize(
    ("states", "verdict"),
    [
        ([("30m3s", "paused"), ("30m6s", "scheduled")], "held"),
        ([("30m3s", "paused"), ("30m4s", "scheduled")], "violated"),
    ],
    ids=["by the resume", "before the resume began"],
)
def test_a_pause_that_an_update_undoes_is_seen_before_somebody_resumes(states, verdict):
    assert beside(*states).judge("STORE-3").verdict == verdict
