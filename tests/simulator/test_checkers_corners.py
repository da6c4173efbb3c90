"""Corners in which a judge was once too strict: right code holds there, and wrong code does not."""

from __future__ import annotations

import pytest
from histories import Build, iso

from simulator import CronSim
from simulator.checkers import CHECKERS
from simulator.hosts import reference_host
from simulator.kernel.tape import Choice, Tape
from simulator.scenario_file import parse_scenario
from simulator.verdict import judge
from simulator.world import simulate

HEAD = "name: corner\nstart: 2026-03-02T08:00:00\nlasts: 4h10m\n"
GOOD = "- {id: good, schedule: every 30m}\n"

CORNERS = {
    "made again under its own id": (
        f"jobs:\n{GOOD}- {{id: j, schedule: every 1h}}\n"
        "steps: [{at: 1h30m, do: create, job: j}]\nexpect: {runs: {j: 3}}"
    ),
    "removed and made again": (
        f"jobs:\n{GOOD}- {{id: j, schedule: every 1h}}\nsteps:\n"
        "- {at: 1h30m, do: remove, job: j}\n- {at: 1h40m, do: create, job: j}\n"
        "expect: {runs: {j: 3}}"
    ),
    "a one-shot made again after its run": (
        f"jobs:\n{GOOD}- {{id: j, schedule: 30m}}\n"
        "steps: [{at: 1h30m, do: create, job: j}]\nexpect: {runs: {j: 2}}"
    ),
    "a limited job made again after its last run": (
        f"jobs:\n{GOOD}- {{id: j, schedule: every 20m, repeat: 2}}\n"
        "steps: [{at: 1h30m, do: create, job: j}]\nexpect: {runs: {j: 4}}"
    ),
    "an interval's next time long ago": (
        f"jobs:\n{GOOD}- {{id: j, schedule: every 1h, record: {{next_run_at: "
        "'2020-01-01T00:00:00+00:00'}}\nexpect: {runs: {j: 5}}"
    ),
    "a cron job's next time long ago": (
        f"jobs:\n{GOOD}- {{id: j, schedule: 15 * * * *, record: {{next_run_at: "
        "'2020-01-01T00:15:00+00:00'}}\nexpect: {runs: {j: 5}}"
    ),
    "a next time without an offset": (
        f"jobs:\n{GOOD}- {{id: j, schedule: every 1h, record: {{next_run_at: "
        "'2026-03-02T08:20:00'}}\nexpect: {runs: {j: 4}}"
    ),
    "all its runs behind it": (
        f"jobs:\n{GOOD}- {{id: j, schedule: every 1h, record: {{repeat: "
        "{times: 3, completed: 3}}}\nexpect: {runs: {j: 0}}"
    ),
    "more runs behind it than it may have": (
        f"jobs:\n{GOOD}- {{id: j, schedule: every 1h, record: {{repeat: "
        "{times: 3, completed: 9}}}\nexpect: {runs: {j: 0}}"
    ),
    "one of its runs left": (
        f"jobs:\n{GOOD}- {{id: j, schedule: every 1h, record: {{repeat: "
        "{times: 3, completed: 2}}}\nexpect: {runs: {j: 1}}"
    ),
    "broken by hand as soon as it was made": (
        f"jobs:\n{GOOD}- {{id: j, schedule: every 30m, created: by a step, record: "
        "{next_run_at: garbage}}\nsteps: [{at: 1h30m, do: create, job: j}]"
    ),
}


CORNERS["a machine dies in a run, and another stays"] = (
    f"machines: [a, b]\njobs:\n{GOOD}- {{id: j, schedule: 15 * * * *, runs_for: 5m}}\nsteps:\n"
    "- {at: 77m, do: crash, machine: a, for: 10m}\n- {at: 137m, do: crash, machine: b, for: 10m}\n"
)
CORNERS["a zone in which its time comes again"] = (
    f"jobs:\n{GOOD}- {{id: j, schedule: 30 8 * * *}}\nsteps:\n"
    "- {at: 2h, do: set-zone, to: America/New_York}\n"
)
CORNERS["its rest ends with no run by hand"] = (
    f"jobs:\n{GOOD}- {{id: j, schedule: every 1h}}\nsteps:\n"
    "- {at: 30m, do: pause, job: j}\n- {at: 50m, do: run, job: j}\n"
)


@pytest.mark.parametrize("provider", ["builtin", "chronos"])
@pytest.mark.parametrize("corner", CORNERS)
def test_right_code_holds_there(corner, provider):
    """The references do what is right, and no judge says otherwise."""
    scenario = parse_scenario(HEAD + CORNERS[corner])
    run = simulate(scenario, reference_host().bundled()[provider])
    judged = judge(run.history, scenario)
    assert judged.verdict == "held", judged.reasons


def test_a_refused_dispatch_at_boot_is_no_late_loop():
    """The host gave no leave for what would have been the first tick."""
    more = f"jobs:\n{GOOD}faults: [{{into: dispatch, raise: ValueError}}]"
    scenario = parse_scenario(HEAD + more)
    run = simulate(scenario, reference_host().bundled()["builtin"])
    assert CHECKERS["TICK-1"](run.history, scenario).verdict != "violated"
    assert judge(run.history, scenario).verdict == "held"


@pytest.mark.parametrize(
    ("provider", "choices"),
    [
        ("builtin", [("a#1/cron-provider", 1, 30), ("a#1/cron-provider", 400, 30)]),
        ("builtin", [("operator#10/status", 1, 30)]),
        ("chronos", [("a#1/webhook-2", 5, 30), ("a#1/webhook-4", 1, 30)]),
        ("chronos", [("a#1/webhook-8", 2, 30)]),
        ("chronos", [("a#1/cron-fire-3", 8, 30), ("a#1/cron-fire-4", 5, 5)]),
    ],
)
def test_a_task_that_a_tape_holds_back_is_no_fault_of_the_provider(provider, choices):
    """What the tape takes is allowed for; work that starts late for it is in time."""
    scenario = parse_scenario(HEAD + "jobs:\n- {id: j, schedule: every 1h}\n" + GOOD)
    tape = Tape(tuple(Choice(task, nth, s * 1_000_000) for task, nth, s in choices))
    run = simulate(scenario, reference_host().bundled()[provider], tape=tape)
    assert run.choices, "no choice of the tape was reached"
    assert judge(run.history, scenario).verdict == "held"


def test_no_tape_holds_back_what_stands_already():
    """The jobs of the start are there when the machines boot, whatever the tape says."""
    scenario = parse_scenario(HEAD + "jobs:\n" + GOOD)
    tape = Tape((Choice("operator#1/prepare", 3, 30_000_000),))
    run = simulate(scenario, reference_host().bundled()["builtin"], tape=tape)
    assert run.history.of("store.commit")[0].n < run.history.of("boot")[0].n
    assert not run.choices


LONG_AGO = (
    "jobs: [{id: j, schedule: every 1h, record: {next_run_at: '2026-03-02T05:30:00+00:00'}}]\n"
)
DONE = "jobs: [{id: j, schedule: every 1h, record: {repeat: {times: 3, completed: 3}}}]\n"
LEFT = "jobs: [{id: j, schedule: every 1h, record: {repeat: {times: 3, completed: 2}}}]\n"
AGAIN = "jobs: [{id: j, schedule: every 1h}]\nsteps: [{at: 90m, do: create, job: j}]\n"


def made(build: Build) -> Build:
    """As the world makes the job at the start, and a step once more."""
    build.add(0, "op.end", "operator", do="create", job="j", error=None)
    build.add("90m", "op", "operator", do="create", job="j")
    return build.add("90m", "op.end", "operator", do="create", job="j", error=None)


@pytest.mark.parametrize(
    ("requirement", "verdict", "build"),
    [
        # Nothing runs for a missed stretch; its one run comes twice; off the grid that was stated.
        ("LIVE-1", "violated", Build(LONG_AGO).up().loop().runs("j", "30m", "90m", "150m", "210m")),
        ("LIVE-1", "held", Build(LONG_AGO).up().loop().runs("j", 1, "30m", "90m", "150m", "210m")),
        ("ONCE-10", "violated", Build(LONG_AGO).up().loop().runs("j", 1, 60, "30m", "90m")),
        ("LIVE-1", "violated", Build(LONG_AGO).up().loop().runs("j", 1, "1h", "2h", "3h")),
        # It runs though all its runs were behind it, or oftener than was left.
        ("FIRE-4", "violated", Build(DONE).up().loop().runs("j", "1h")),
        ("ONCE-9", "violated", Build(LEFT).up().loop().runs("j", "1h", "2h")),
        # Made anew: the old grid is over, the first life still counts.
        ("LIVE-1", "violated", made(Build(AGAIN)).up().loop().runs("j", "1h", "2h", "3h")),
        ("ONCE-10", "violated", made(Build(AGAIN)).up().loop().runs("j", "1h", "65m", "150m")),
    ],
)
def test_wrong_code_does_not(requirement, verdict, build):
    """The same corners with what must not happen there."""
    history = build.history()
    assert CHECKERS[requirement](history, build.scenario).verdict == verdict


def test_a_hold_excuses_no_more_than_it_took():
    """A run 40 s later than a hold of 30 s explains is late all the same."""
    build = Build("jobs: [{id: j, schedule: every 1h}]\n").up().loop()
    history = build.runs("j", 3600 + 60 + 5 + 40, "2h", "3h").history()
    history.header["tape"] = {"seed": 0, "choices": [["a#1/x", 1, 30_000_000]]}
    assert CHECKERS["LIVE-1"](history, build.scenario).verdict == "violated"
    assert iso("1h") in CHECKERS["LIVE-1"](history, build.scenario).reason


@pytest.mark.parametrize("provider", ["builtin", "chronos"])
@pytest.mark.parametrize("schedule", ["40m", "every 20m", "0 * * * *"])
@pytest.mark.parametrize("back_on", ["trigger", "resume"])
def test_what_a_paused_job_was_given_counts_when_it_is_on_again(provider, schedule, back_on):
    """Not what it had before; and a one-shot that has run is off by right."""
    sim = CronSim(provider).job("report", "every 7m").do("pause", "report", at="35m")
    sim.do("update", "report", at="36m", set={"schedule": schedule})
    sim.do(back_on, "report", at="2h36m2s")
    sim.run("5h")
    sim.check_so_far()
