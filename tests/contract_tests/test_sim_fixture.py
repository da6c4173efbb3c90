"""The fixture `cron_sim`: the simulator in somebody's own tests, at no cost for those without it."""

import subprocess
import sys
import textwrap
from importlib.metadata import entry_points

import pytest

from contract_tests import sim_fixture

pytest_plugins = ["pytester"]

PROVIDERS = """
import logging
from hermes_cron import jobs, scheduler
from hermes_cron.scheduler_provider import CronScheduler, InProcessCronScheduler

class MyProvider(InProcessCronScheduler):
    @property
    def name(self):
        return "mine"

class Fragile(MyProvider):
    def start(self, stop_event, *, adapters=None, loop=None, interval=60):
        while not stop_event.is_set():
            try:
                scheduler.tick(verbose=False, adapters=adapters, loop=loop, sync=False)
            except Exception:
                logging.exception("tick")
            stop_event.wait(interval)
"""
EXAMPLE = textwrap.dedent(
    "\n".join(line for line in (sim_fixture.__doc__ or "").splitlines() if line[:4] == "    ")
)


@pytest.fixture
def outcome(pytester, monkeypatch):
    # Loading everybody's plugins takes a second for each run.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run(body, *arguments):
        pytester.makepyfile(theirs=PROVIDERS)
        pytester.makepyfile(test_theirs=f"from theirs import *\n\n{body}")
        plugin = "contract_tests.sim_fixture"
        return pytester.runpytest_inprocess("-p", plugin, "--basetemp=tmp", *arguments)

    return run


def test_the_example_of_the_docstring_works(outcome):
    assert "def test_survives_sysexit(cron_sim)" in EXAMPLE
    outcome(EXAMPLE).assert_outcomes(passed=1)


def test_a_failure_says_what_is_demanded_and_how_to_replay_it(outcome, pytester):
    """The contract's sentence, the timeline, and a scenario file under the test's own name."""
    result = outcome(EXAMPLE.replace("MyProvider", "Fragile()"))
    result.assert_outcomes(failed=1)
    text = result.stdout.str()
    assert "TICK-2 violated: machine a: the loop ended" in text
    assert "demanded: " in text
    assert "<CronSim of theirs:Fragile after 1d>" in text
    assert "≠ 09:00:00" in text
    file = pytester.path / "tmp" / "test_survives_sysexit0" / "test-survives-sysexit.yaml"
    assert f"replay: hermes-sim run {file} --provider theirs:Fragile --verbose" in text
    assert file.exists()


def test_any_failing_assertion_shows_the_runs_before_it(outcome):
    body = """
def test_two(cron_sim):
    for provider in (MyProvider, Fragile):
        sim = cron_sim(provider).job("report", "every 1h")
        sim.run("1h")
    cron_sim(MyProvider)
    assert sim.runs("report") == 5
"""
    text = outcome(body).stdout.str()
    assert "assert 1 == 5" in text
    assert text.count("run 1 report done") == 2
    assert "test-two.yaml" in text
    assert "test-two-2.yaml" in text
    assert "test-two-3.yaml" not in text, "the third did not run"


def test_a_provider_that_no_command_can_name_is_replayed_by_its_test(outcome):
    body = """
def test_local(cron_sim):
    class Local(MyProvider):
        pass
    sim = cron_sim(Local)
    sim.run("1h")
    assert sim.history is None
"""
    assert "replay: pytest 'test_theirs.py::test_local'" in outcome(body).stdout.str()


def test_a_passing_test_shows_nothing(outcome):
    assert "CronSim" not in outcome(EXAMPLE).stdout.str()


def test_it_is_there_without_being_asked_for():
    (point,) = entry_points(group="pytest11", name="hermes_cron_sim")
    assert point.load() is sim_fixture


def test_loading_it_costs_next_to_nothing():
    script = (
        "import sys, pytest; before = set(sys.modules); import contract_tests.sim_fixture; "
        "print(sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "['contract_tests', 'contract_tests.sim_fixture']"
