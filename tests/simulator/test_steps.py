"""What is done from outside during a run: each step does what its name says, and is judged for it."""

from __future__ import annotations

from itertools import pairwise

import pytest

from simulator.hosts import reference_host
from simulator.scenario import Scenario
from simulator.scenario_file import ScenarioError, parse_scenario
from simulator.verdict import judge
from simulator.volume import DAMAGES
from simulator.world import Run, simulate

HEAD = """
name: steps
start: 2026-03-02T08:00:00
lasts: 5h10m
jobs:
- {id: report, schedule: every 1h, runs_for: 2s}
- {id: other, schedule: 15 * * * *, runs_for: 3s}
"""


def ran(step: str, provider: str = "builtin") -> tuple[Scenario, Run]:
    """A run with one step."""
    scenario = parse_scenario(HEAD + f"steps: [{step}]")
    return scenario, simulate(scenario, reference_host().bundled()[provider])


def seconds(run: Run, kind: str, **wanted: object) -> list[float]:
    """When an event came, in seconds since the start."""
    return [
        (event.at_us - run.scenario.start_us) / 1_000_000
        for event in run.history.of(kind)
        if all(event.data.get(key) == value for key, value in wanted.items())
    ]


@pytest.mark.parametrize("provider", ["builtin", "chronos"])
@pytest.mark.parametrize(
    "step",
    [
        "{at: 90m, do: suspend, machine: a, for: 1h45m}",
        "{at: 59m50s, do: suspend, machine: a, for: 5m}",
        "{at: 90m, do: set-zone, to: Asia/Tehran}",
        "{at: 90m, do: hold-lock, for: 45m}",
        "{at: 90m, do: hold-lock, lock: executions, for: 45m}",
        "{at: 90m, do: run, job: report}",
        "{at: 2h, do: run, job: report}",
        "{at: 1h59m59s, do: run, job: report}",
        *(f"{{at: 90m, do: damage, what: {what}, for: 45m}}" for what in DAMAGES if what != "lost"),
    ],
)
def test_the_references_stand_it(step, provider):
    """When it is over, everything runs again; what it explains is no violation."""
    scenario, run = ran(step, provider)
    assert judge(run.history, scenario).verdict == "held"


@pytest.mark.parametrize("what", DAMAGES)
@pytest.mark.parametrize("provider", ["builtin", "chronos"])
def test_damage_that_stays_is_no_provider_s_fault(what, provider):
    """Nobody can run what nobody can read."""
    scenario, run = ran(f"{{at: 90m, do: damage, what: {what}}}", provider)
    assert judge(run.history, scenario).verdict != "violated"


@pytest.mark.parametrize(
    ("what", "step", "reason"),
    [
        ("torn", "read", "corrupt"),
        ("garbage", "read", "corrupt"),
        ("deleted", "read", "missing"),
        ("unreadable", "read", "permission"),
        ("failing", "read", "io"),
        ("read-only", "write", "permission"),
        ("full", "write", "no_space"),
    ],
)
def test_damage_is_met_for_as_long_as_it_lasts(what, step, reason):
    """Who reads or writes gets the error of a real disk, from then until it is undone."""
    _, run = ran(f"{{at: 90m, do: damage, what: {what}, for: 45m}}")
    met = seconds(run, "store.refused", step=step, reason=reason)
    assert met
    assert 5400 <= min(met) <= max(met) <= 5400 + 2700


def test_a_control_character_is_repaired_and_not_taken_for_no_jobs():
    """The jobs are still there and go on."""
    _, run = ran("{at: 90m, do: damage, what: control-character}")
    assert len(seconds(run, "run.begin", job="report")) == 5


def test_who_is_no_gateway_can_hold_a_lock():
    """Every tick in that time gives up, and the first after it looks again."""
    _, run = ran("{at: 90m, do: hold-lock, for: 45m}")
    busy = seconds(run, "store.refused", step="lock", reason="busy")
    assert len(busy) > 5
    assert 5400 < min(busy) < max(busy) <= 5400 + 2700 + 10
    assert 3 * 3600 in seconds(run, "run.begin", job="report")


def test_a_lock_that_was_waited_for_in_vain_wakes_nobody_later():
    """A gateway that gave up waiting for one lock is not woken from its pause by another."""
    _, run = ran("{at: 90m, do: hold-lock, lock: executions, for: 45m}")
    ticks = seconds(run, "tick.begin")
    apart = [after - before for before, after in pairwise(ticks)]
    assert min(apart) == max(apart) == 60


def test_a_suspended_machine_stands_still_and_goes_on():
    """No tick in that time, no burst after it, and NAS gets no answer."""
    _, run = ran("{at: 90m, do: suspend, machine: a, for: 1h}")
    ticks = seconds(run, "tick.begin")
    assert not [at for at in ticks if 5400 < at < 9000]
    assert [at for at in ticks if 9000 <= at < 9120] != []
    _, run = ran("{at: 90m, do: suspend, machine: a, for: 1h}", "chronos")
    assert not [at for at in seconds(run, "fire.answer") if 5400 < at < 9000]
    assert len([at for at in seconds(run, "nas.answer") if 7200 <= at < 9000]) > 2


def test_another_zone_moves_what_is_wall_time_only():
    """A quarter past in Tehran is a quarter to in UTC; an interval is elapsed time everywhere."""
    _, run = ran("{at: 90m, do: set-zone, to: Asia/Tehran}")
    other = seconds(run, "run.begin", job="other")
    assert other[:2] == [900, 4500]
    assert 6300 <= other[2] < 9900
    assert other[3:] == [9900, 13500, 17100]
    assert seconds(run, "run.begin", job="report")[:3] == [3600, 7200, 10800]


def test_a_command_runs_a_job_in_a_process_of_its_own():
    """Beside its schedule, which keeps its grid."""
    _, run = ran("{at: 90m, do: run, job: report}")
    (by_hand,) = [event for event in run.history.of("run.begin") if event.machine == "operator"]
    assert by_hand.data["job"] == "report"
    assert seconds(run, "run.begin", job="report") == [3600, 5400, 7200, 10800, 14400, 18000]


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("{at: 1h, do: set-zone, to: Europe/Berln}", "did you mean 'Europe/Berlin'"),
        ("{at: 1h, do: damage, what: tron}", "did you mean 'torn'"),
        ("{at: 1h, do: suspend, machine: a}", "step 'suspend' needs 'for'"),
        ("{at: 1h, do: hold-lock, job: report}", "step 'hold-lock' takes no 'job'"),
    ],
)
def test_a_step_that_means_nothing_is_refused(step, message):
    """With what would."""
    with pytest.raises(ScenarioError, match=message):
        ran(step)
