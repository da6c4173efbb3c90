"""A registry of one's own, wherever a provider is named: run, explore, a pasted test, `CronSim`."""

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from contract_tests.examples import remindly
from simulator import CronSim, find_target, judge, parse_scenario, reference_host, simulate
from simulator.cli import cli
from simulator.explore import pasteable_test
from simulator.target import TargetError

PROVIDER, FAKE = "mine.cron:RemindlyCron", "mine.cron:FakeRemindly"
TWO_MACHINES = """
name: two-machines
origin: written here
for: [external]
start: 2026-03-08T00:30:00
lasts: 2h
machines: [a, b]
jobs: [{id: job-1, schedule: every 10m}, {id: job-2, schedule: every 7m}]
faults: [{into: nas.provision, answer: 429, nth: NTH}]
expect: {hold: [RECON-4]}
"""


@pytest.fixture(autouse=True)
def package(monkeypatch, tmp_path):
    """Provider and fake in a package that nobody else uses, so that each boot imports it anew."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "cron.py").write_text(Path(remindly.__file__).read_text())
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("REMINDLY_KEY", "a key")
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "mine"]:
        del sys.modules[name]


def invoke(*words):
    return CliRunner().invoke(cli, [str(word) for word in words])


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_each_machine_catches_what_the_fake_raises(nth):
    """The error is of the class that the machine imported which made the call."""
    scenario = parse_scenario(TWO_MACHINES.replace("NTH", str(nth)))
    run = simulate(scenario, find_target(PROVIDER, reference_host(), FAKE))
    assert judge(run.history, scenario).reasons == ()
    assert not run.never_fired


@pytest.mark.parametrize("workers", [1, 2])
def test_exploring_is_with_the_registry(tmp_path, workers):
    """Without it nothing is armed, which is a violation."""
    words = ("-n", 1, "--workers", workers, "--out", tmp_path / "out")
    done = invoke("explore", "-p", PROVIDER, "--registry", FAKE, *words)
    assert done.exit_code == 3, done.output
    assert "nothing was found" in done.output


def test_what_is_written_names_the_registry(tmp_path):
    (tmp_path / "mine" / "bad.py").write_text(
        "from mine.cron import *\n"
        "class ArmsNothing(RemindlyCron):\n    def _wanted(self):\n        return {}\n"
    )
    found = invoke(
        "explore", "-p", "mine.bad:ArmsNothing", "--registry", FAKE, "-n", 1,
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert found.exit_code == 1, found.output
    replay = next(line for line in found.output.splitlines() if "replay:" in line)
    assert invoke(*replay.split()[2:]).exit_code == 1
    assert f"--registry {FAKE} " in replay
    (test, *_) = (tmp_path / "out").glob("test_*.py")
    assert repr(FAKE) in test.read_text()


def test_a_pasted_test_runs_with_the_registry():
    scenario = parse_scenario(TWO_MACHINES.replace("NTH", "1"))
    names: dict = {}
    exec(pasteable_test(scenario, PROVIDER, FAKE), names)  # what a user would paste
    names["test_two_machines"]()


def test_a_day_in_a_test_is_with_the_registry(tmp_path):
    sim = CronSim(remindly.RemindlyCron, registry=remindly.FakeRemindly, folder=tmp_path)
    sim.job("report", "every 1h")
    sim.run("3h30m")
    sim.check()
    assert sim.runs("report") == 3
    assert list(sim.armed) == ["report"]
    assert f" --registry {remindly.__name__}:FakeRemindly " in sim.replay()


def test_a_registry_without_a_name_has_no_command(tmp_path):
    sim = CronSim(PROVIDER, registry=lambda: remindly.FakeRemindly(), folder=tmp_path)  # noqa: PLW0108
    sim.job("report", "every 1h")
    sim.run("1h")
    assert "no command can name" in sim.replay()


@pytest.mark.parametrize("command", ["run", "explore"])
@pytest.mark.parametrize(
    ("fake", "said"),
    [
        ("mine.cron:Remindly", "has no attach, armed, deliver_due, forget_all, fail_next"),
        ("mine.cron:Nothing", "mine.cron has no 'Nothing'"),
    ],
)
def test_half_a_fake_is_wrong_use(command, fake, said):
    done = invoke(command, "--provider", PROVIDER, "--registry", fake)
    assert done.exit_code == 2, done.output
    assert said in " ".join(done.output.split())


def test_half_a_fake_is_refused_in_a_test():
    with pytest.raises(TargetError, match="has no attach"):
        CronSim(PROVIDER, registry=remindly.Remindly)


def test_who_calls_no_registry_that_is_there_is_told_how_to_name_its_own(tmp_path):
    file = tmp_path / "two-machines.yaml"
    file.write_text(TWO_MACHINES.replace("NTH", "1"))
    without = invoke("run", file, "--provider", PROVIDER)
    assert "never called NAS: if it calls another registry, give --registry" in without.output
    for words in (("--provider", PROVIDER, "--registry", FAKE), ("--provider", "chronos")):
        assert "never called NAS" not in invoke("run", file, *words).output


def test_a_good_provider_with_a_registry_of_its_own_violates_nothing_of_the_library():
    done = invoke("run", "--provider", PROVIDER, "--registry", FAKE)
    assert " held" in done.output
    assert "violated" not in done.output, done.output
