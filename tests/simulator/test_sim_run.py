"""`CronSim`: providers in every form, runs that go on, what can be looked at, a check with teeth."""

import inspect
import os
import re
import shlex
import subprocess
import sys
import textwrap
from datetime import UTC, datetime
from pathlib import Path

import explored_providers
import pytest
from click.testing import CliRunner
from explored_providers import CatchesExceptions, RunsWhateverComes

from hermes_cron.scheduler_provider import CronScheduler, InProcessCronScheduler
from simulator import CronSim, cron_sim
from simulator.cli import cli
from simulator.scenario_file import load_scenario
from simulator.target import Target, TargetError


def _struck(provider, **how):
    """An hourly job, and a SystemExit in the tick of its first occurrence."""
    sim = CronSim(provider, **how).job("report", "every 1h", runtime="2s")
    return sim.fault(SystemExit, into="tick", at="1h")


def test_the_example_of_the_docstring_works():
    """And has teeth: a loop that SystemExit ends does not pass it."""
    lines = [line for line in (cron_sim.__doc__ or "").splitlines() if line.startswith("    ")]
    example = textwrap.dedent("\n".join(lines))
    assert "sim.check()" in example
    exec(example, {"CronSim": CronSim, "MyProvider": InProcessCronScheduler})
    with pytest.raises(AssertionError, match="TICK-2 violated"):
        exec(example, {"CronSim": CronSim, "MyProvider": CatchesExceptions})


# -- providers


def make_builtin():
    return InProcessCronScheduler()


@pytest.mark.parametrize(
    "provider",
    [
        "builtin",
        InProcessCronScheduler,
        InProcessCronScheduler(),
        make_builtin,
        lambda: InProcessCronScheduler(),  # noqa: PLW0108 - a lambda is what is meant
        "hermes_cron.scheduler_provider:InProcessCronScheduler",
        Target("mine", InProcessCronScheduler),
    ],
    ids=["name", "class", "instance", "function", "lambda", "module:attribute", "target"],
)
def test_every_form_of_a_provider_runs(provider):
    sim = _struck(provider)
    sim.run("3h")
    sim.check("TICK-2")
    assert sim.runs("report") == 3


def test_what_cannot_be_run_is_wrong_use(tmp_path):
    for words, said in (
        ([str(tmp_path)], "has no scenario: they are *.yaml"),
        (["-p", "logging:root"], "logging:root is no provider: it is of type RootLogger"),
    ):
        done = CliRunner().invoke(cli, ["run", *words])
        assert (done.exit_code, said in done.stderr) == (2, True), done.output


def test_a_plugins_folder_runs(monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[1] / "outsiders")
    sim = CronSim("clockwork").job("report", "every 1h")
    sim.run("2h10m")
    assert sim.runs("report") == 2
    assert str(Path.cwd() / "clockwork") in shlex.split(sim.replay())


class NeedsAKey(InProcessCronScheduler):
    def __init__(self):
        raise RuntimeError("no key")


class Remembers(InProcessCronScheduler):
    """Remembers being started, in itself."""

    made = 0

    def __init__(self, retries=3):
        Remembers.made += 1
        self.retries = retries
        self.started = 0

    def start(self, stop_event, **kwargs):
        self.started += 1
        assert self.started == 1, "a reboot forgets"
        super().start(stop_event, **kwargs)


def test_an_instance_stands_for_its_class_at_reboots():
    sim = CronSim(Remembers()).job("report", "every 1h").do("crash", at="90m", for_="1m")
    before = Remembers.made
    sim.run("3h")
    sim.check()
    assert Remembers.made == before + 2
    assert sim.runs("report") == 3


@pytest.mark.parametrize(
    ("provider", "message"),
    [
        (Remembers(retries=5), "would be without retries=5: hand over a function that makes it"),
        (42, "42 is a int, not a provider"),
        ("builtn", "no provider 'builtn': bundled are builtin, chronos"),
        ("explored_providers:Nobody", "explored_providers has no 'Nobody'"),
        (NeedsAKey, "NeedsAKey gives no provider: RuntimeError: no key"),
        (CronScheduler, "gives no provider: TypeError: Can't instantiate abstract class"),
    ],
)
def test_what_is_no_provider_is_refused(provider, message):
    with pytest.raises(TargetError, match=re.escape(message)):
        CronSim(provider)


def test_a_gateway_that_makes_no_provider_says_why():
    """Here it is made at first, and not at the reboot."""
    made = []

    def once():
        if made:
            raise RuntimeError("the key has expired")
        made.append(1)
        return RunsWhateverComes()

    sim = CronSim(once, capabilities={"external"})
    sim.job("report", "every 1h")
    sim.do("crash", "a", at="30m", for_="1m")
    sim.run("3h")
    assert any("ended by RuntimeError: the key has" in said for said in sim.judged.reasons)


def test_an_instance_that_cannot_be_made_again_is_refused():
    class Needs(InProcessCronScheduler):
        def __init__(self, url):
            self.url = url

    with pytest.raises(TargetError, match=r"cannot be made anew at a reboot .*like lambda: Needs"):
        CronSim(Needs("x"))
    CronSim(lambda: Needs("x")).run("1m")


# -- running on


def _seen(history, until_us):
    """What a provider did, without what only the horizon decides: when the status is read."""
    return [
        (event.at_us, event.machine, event.kind, event.data)
        for event in history
        if event.at_us <= until_us
        and event.kind
        in {"tick.begin", "run.begin", "run.end", "fault", "nas.armed", "fire.answer"}
    ]


@pytest.mark.parametrize("provider", ["builtin", "chronos"])
def test_a_run_goes_on_and_its_past_stays(provider):
    """Also where something was said in between, at the very instant at which a job ran."""
    sim = CronSim(provider).job("report", "every 1h")
    sim.run("2h")
    past, until_us = _seen(sim.history, sim.scenario().end_us), sim.scenario().end_us
    sim.do("pause", "report").job("other", "every 30m")
    sim.fault("crash", into="mark", job="other", for_="1m")
    sim.run("3h")
    assert _seen(sim.history, until_us) == past
    assert len(past) > 3
    assert sim.elapsed == "5h"
    assert sim.runs("report") == 2, "paused since"
    assert sim.runs("other") >= 5
    (crash,) = sim.history.of("crash")
    assert crash.at_us > until_us


def test_what_was_due_where_the_run_stands_has_happened():
    """Also when that very instant is named: the run of 02:00 is not undone by a pause then."""
    sim = CronSim("builtin").job("report", "every 1h")
    sim.run("2h")
    assert sim.runs("report") == 2
    sim.do("pause", "report", at="2h")
    sim.run("2h")
    assert sim.runs("report") == 2


def test_what_is_done_without_an_instant_is_done_second_by_second():
    """So that a gateway which dies has done what it was told before."""
    sim = CronSim("builtin").job("report", "every 1h")
    sim.do("pause", "report").do("crash", for_="1m")
    sim.run("3h")
    assert sim.runs("report") == 0
    assert [step.at for step in sim.scenario().steps] == [1_000_000, 2_000_000]


def test_what_is_said_later_cannot_speak_of_the_past():
    sim = CronSim("builtin").job("report", "every 1h")
    sim.run("2h")
    for say in (
        lambda: sim.do("pause", "report", at="1h"),
        lambda: sim.fault(SystemExit, into="tick", at="119m"),
        lambda: sim.fault(SystemExit, into="tick", from_="1h"),
        lambda: sim.job("other", "every 1h", at="1h"),
    ):
        with pytest.raises(ValueError, match="is past: 2h have run; say it before that run"):
            say()


def test_a_fault_said_later_counts_passages_from_there():
    """The third tick from now, not the third of all."""
    sim = CronSim("builtin").job("report", "every 1h")
    sim.run("1h")
    sim.fault(SystemExit, into="tick", nth=3)
    sim.run("1h")
    (fault,) = sim.history.of("fault")
    assert fault.at_us == sim.scenario().start_us + (3600 + 180) * 1_000_000


def test_what_is_said_for_later_waits_for_it():
    """And a check before that says so: a mistyped instant must not pass for a test."""
    sim = CronSim("builtin").job("report", "every 1h").job("other", "every 10m", at="150m")
    sim.do("pause", "other", at="170m").fault(SystemExit, into="tick", at="3h")
    sim.fault(ValueError, into="body", job="other")
    sim.run("2h")
    with pytest.raises(AssertionError) as caught:
        sim.check()
    for said in ("step 'create' is said for 2h30m", "'raise' at tick is said for 3h, and 2h have"):
        assert f"the run unknown: {said}" in str(caught.value)
    with pytest.raises(AssertionError, match="'raise' at tick is said for 3h"):
        sim.check("TICK-1")
    sim.check_so_far()
    sim.run("2h")
    assert len(sim.history.of("fault")) == 2
    assert sim.runs("other") == 1, "it is paused at the instant of its second"
    sim.check()


def test_a_scenario_can_be_started_from_and_ends_where_it_ends():
    sim = CronSim("builtin", scenario=Path(explored_providers.__file__).parents[2]
                  / "simulator" / "incidents" / "tick-raises-systemexit.yaml")  # fmt: skip
    sim.run()
    sim.check()
    with pytest.raises(ValueError, match="6h10m have run, which is all of it"):
        sim.run()
    sim.run("1h")
    assert sim.runs("report") == 7


# -- looking


def test_what_stands_where_the_run_stands():
    """Not what the leaving of everybody at the end makes of it."""
    sim = CronSim("chronos", zone="Europe/Berlin").job("report", "0 9 * * *")
    sim.run("2h")
    assert sim.armed == {"report": datetime(2026, 3, 3, 8, tzinfo=UTC)}
    assert str(sim.armed["report"].tzinfo) == "Europe/Berlin"
    assert sim.status().verdict == "healthy"
    assert "will fire automatically" in sim.status().text
    assert repr(sim) == "<CronSim of chronos after 2h>"


def test_what_comes_after_the_end_is_not_looked_at():
    """Gateways leave after the horizon, and what was armed may fire meanwhile."""
    sim = CronSim("chronos").job("report", "every 1h")
    sim.run("59m30s")
    assert sim.armed == {"report": datetime(2026, 3, 2, 9, tzinfo=UTC)}
    sim = CronSim("builtin").job("report", "every 1h").fault(ValueError, into="tick", at="119m")
    sim.run("2h")
    assert sim.history.of("status")[-1].at_us > sim.scenario().end_us
    assert sim.status().verdict == "healthy"


def test_the_status_is_that_of_the_end():
    sim = CronSim("builtin").job("report", "every 1h")
    sim.run("2h")
    assert sim.status().verdict == "healthy"
    assert sim.up == ["a"]
    sim.do("crash")
    sim.run("1h")
    assert sim.status().exit_code == 1
    assert "will fire automatically" not in sim.status().text
    assert sim.up == []
    assert sim.armed == {}
    assert "09:00:00" in sim.timeline()
    assert len(max(sim.timeline(60).splitlines(), key=len)) <= 60


# -- judging


def test_a_fault_that_never_struck_is_not_held():
    """A case that never came true: neither check says anything good of it."""
    sim = CronSim("builtin").job("report", "every 1h").fault(SystemExit, into="tick", nth=99)
    sim.run("1h10m")
    with pytest.raises(AssertionError, match=r"the run unknown: fault 0 .* never fired"):
        sim.check()
    with pytest.raises(AssertionError, match="the run unknown: fault 0 at tick never fired"):
        sim.check("TICK-1")
    with pytest.raises(AssertionError, match="TICK-2 unknown: "):
        sim.check("TICK-2")


def test_some_can_be_checked_beside_others_that_are_violated():
    sim = _struck(CatchesExceptions)
    sim.run("3h")
    sim.check("TICK-3", "STAT-1")
    with pytest.raises(AssertionError, match="TICK-2 violated"):
        sim.check("TICK-3", "TICK-2")
    assert [one.id for one in sim.violations()] == ["TICK-2"]


def test_expected_runs_are_checked():
    sim = CronSim("builtin").job("report", "every 1h").expect(runs={"report": {"min": 4}})
    sim.run("3h")
    with pytest.raises(AssertionError, match="report ran 3 times, expected 4 or more"):
        sim.check()
    sim.run("1h")
    sim.check()


def test_a_failed_check_says_all_that_is_needed(tmp_path):
    sim = _struck(
        CatchesExceptions,
        name="dies",
        folder=tmp_path,
        sentence_of=lambda requirement: f"what {requirement} demands",
    )
    sim.run("3h")
    with pytest.raises(AssertionError) as caught:
        sim.check()
    lines = str(caught.value).splitlines()
    assert lines[0] == "explored_providers:CatchesExceptions after 3h:"
    assert lines[1] == "TICK-2 violated: machine a: the loop ended with that tick"
    assert lines[2] == "  demanded: what TICK-2 demands"
    assert "  > Mon 09:00:00 a        start raised SystemExit" in lines
    assert lines[-2].startswith("≠ Mon 09:00:00: departs from the run of builtin. There nothing.")
    assert lines[-1].startswith("replay: ")
    assert load_scenario(tmp_path / "dies.yaml").expect.hold == ("TICK-2",)


def test_the_command_of_a_failed_check_replays_it(tmp_path):
    """In another process and folder: the same history, byte for byte, and the same verdict."""
    sim = _struck(CatchesExceptions, name="dies", folder=tmp_path)
    sim.run("3h")
    with pytest.raises(AssertionError) as caught:
        sim.check()
    command = str(caught.value).splitlines()[-1].removeprefix("replay: ")
    words = shlex.split(command)
    assert words.pop(0) == f"PYTHONPATH={Path(explored_providers.__file__).parent}"
    done = subprocess.run(
        [Path(sys.executable).parent / words[0], *words[1:], "--history", tmp_path / "out"],
        env={**os.environ, "PYTHONPATH": str(Path(explored_providers.__file__).parent)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "TICK-2 violated" in done.stdout
    assert done.stdout.rstrip().splitlines()[-1].strip().startswith("replay: hermes-sim run ")
    (history,) = (tmp_path / "out").iterdir()
    assert history.read_bytes() == sim.history.to_bytes()


def test_a_provider_without_a_name_is_replayed_by_what_made_it(tmp_path):
    class Local(RunsWhateverComes):
        pass

    sim = CronSim(Local, folder=tmp_path, again="pytest test_it.py").job("report", "every 1h")
    sim.run("2h")
    assert sim.replay() == (
        f"pytest test_it.py (no command can name the provider; see {tmp_path / 'cron-sim.yaml'})"
    )


def test_a_name_is_said_as_it_is_written(tmp_path, monkeypatch):
    """No part of it is taken for a picture."""
    (tmp_path / "pets.py").write_text("from explored_providers import CatchesExceptions as cat\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    done = CliRunner().invoke(cli, ["run", "tick-raises-systemexit", "-p", "pets:cat"])
    assert " pets:cat: " in done.output


def test_what_cannot_be_written_is_one_line_and_no_verdict():
    done = CliRunner().invoke(cli, ["run", "tick-raises-systemexit", "--json", "/dev/full"])
    assert done.exit_code == 3
    assert "Error: held, and cannot be written: [Errno 28] No space left" in done.stderr


def test_every_part_of_the_face_is_documented():
    """A word without a docstring cannot be found out in an editor."""
    public = [value for name, value in vars(CronSim).items() if not name.startswith("_")]
    assert all(inspect.getdoc(value) for value in public)


def test_a_scenario_that_names_no_requirement_says_how_many_held(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(
        "name: mine\nstart: 2026-03-02T08:00:00\nlasts: 1h\njobs: [{id: j, schedule: every 10m}]\n"
    )
    done = CliRunner().invoke(cli, ["run", str(file), "--provider", "builtin"])
    assert done.exit_code == 0, done.output
    assert re.search(r"j ran 6x; [1-9]\d* requirements held; 1h in", " ".join(done.output.split()))
