"""Commands that are given at the same time."""

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
