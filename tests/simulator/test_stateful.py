"""The state machine: the references pass it, providers with one mistake do not."""

import shlex
import tempfile

import pytest
from explored_providers import CatchesExceptions, LeavesAtOnce, RunsWhateverComes
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import rule, run_state_machine_as_test

from simulator import CronSim
from simulator.stateful import CronMachine

# The same examples each time. Nothing is made small: what fails is a scenario, and small by `shrink`.
SETTINGS = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=25,
    stateful_step_count=12,
    phases=[Phase.generate],
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
FIRST = {"schedule": "every 1h", "runs_for": "1s"}


def machine(provider, **words):
    return type("TheirMachine", (CronMachine,), {"provider": provider, "words": words})


@pytest.mark.parametrize("provider", ["builtin", "chronos"])
@pytest.mark.parametrize(
    "words", [{}, {"zone": "Europe/Berlin", "machines": ("a", "b")}], ids=["one", "two"]
)
def test_the_references_pass(provider, words):
    run_state_machine_as_test(machine(provider, **words), settings=SETTINGS)


@pytest.mark.parametrize(
    ("provider", "requirement"),
    [(CatchesExceptions, "TICK-"), (RunsWhateverComes, "FIRE-1"), (LeavesAtOnce, "TICK-1")],
)
def test_a_mistake_is_found_and_left_as_a_scenario(provider, requirement):
    """Which replays without Hypothesis and shows the same."""
    with pytest.raises(AssertionError) as caught:
        run_state_machine_as_test(machine(provider), settings=settings(SETTINGS, max_examples=160))
    lines = str(caught.value).splitlines()
    found = [line.partition(" ")[0] for line in lines if " violated: " in line]
    assert any(one.startswith(requirement) for one in found)
    words = shlex.split(lines[-1].removeprefix("replay: "))
    sim = CronSim(provider, scenario=words[words.index("run") + 1])
    sim.run()
    assert [one.id for one in sim.violations()] == found
    assert list(sim.scenario().expect.hold) == found


def test_what_never_ran_is_seen_at_the_end():
    """An example without `advance` still has to converge."""
    one = machine(LeavesAtOnce)()
    one.first(said=FIRST)
    one.nothing_is_violated()
    with pytest.raises(AssertionError, match="TICK-1 violated"):
        one.teardown()


def test_at_the_end_faults_stop_and_gateways_are_back():
    one = machine("builtin")()
    one.first(said=FIRST)
    one.sim.fault(SystemExit, into="tick", times="always")
    one.sim.do("crash")
    one.advance(lasts="2h")
    assert one.sim.up == []
    one.teardown()
    assert one.sim.up == ["a"]
    assert one.sim.runs("job-1") == 3
    assert len(one.sim.history.of("fault")) == 1, "healed since, but for the tick at once"


def test_a_failed_example_is_not_judged_once_more():
    """What Hypothesis reports is the first failure, not what the end makes of it."""
    one = machine(LeavesAtOnce)()
    one.first(said=FIRST)
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        one.teardown()
    assert not one.sim.has_run


def test_a_subclass_adds_rules_of_its_own(tmp_path, monkeypatch):
    seen = []

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    class Own(CronMachine):
        provider = "builtin"

        @rule()
        def look(self):
            seen.append(self.sim.elapsed)
            assert len(seen) < 3, "a rule's own"

    with pytest.raises(AssertionError, match="a rule's own"):
        run_state_machine_as_test(Own, settings=SETTINGS)
    assert list(tmp_path.iterdir()) == [], "no run was violated: nothing is left"


def test_a_provider_must_be_named():
    with pytest.raises(TypeError, match="Own names no provider: write provider = MyProvider in it"):
        type("Own", (CronMachine,), {})()
