"""Exploration: finds what is broken, makes it small, says what it tried, and is the same each time."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from explored_providers import CatchesExceptions
from hypothesis import settings

from simulator import drawn_faults, strategies
from simulator.checkers import CHECKERS
from simulator.cli import cli
from simulator.explore import (
    ExploreError,
    explore,
    pasteable_test,
    scenario_to_keep,
    shrink,
    write_findings,
)
from simulator.explore.drawing import draw_scenario, learn_tasks
from simulator.explore.looking import look_at
from simulator.explore.reach import FLOORS, reach_of
from simulator.explore.workers import CHUNK, Looker
from simulator.fault_rule import SEAMS
from simulator.hosts import reference_host
from simulator.scenario import Scenario
from simulator.scenario_file import load_scenario, parse_scenario, to_yaml
from simulator.steps import OPERATIONS
from simulator.target import Target
from simulator.world import simulate

HERE = Path(__file__).parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(HERE)}
LOOP = "explored_providers:CatchesExceptions"
REGISTRY = "explored_providers:RunsWhateverComes"


@pytest.fixture(scope="module")
def of_registry():
    return explore(REGISTRY, examples=200, seed=1)


@pytest.fixture
def calm(monkeypatch):
    """Little goes wrong: bodies of jobs may fail."""
    monkeypatch.setattr(drawn_faults, "SEAMS", {"body": SEAMS["body"]})
    monkeypatch.setattr(strategies, "OPERATIONS", {"heal": OPERATIONS["heal"]})


class TestWhatIsFound:
    def test_a_loop_that_an_exception_ends_is_found_and_made_small(self, monkeypatch):
        ticks = {name: SEAMS[name] for name in ("tick", "heartbeat")}
        monkeypatch.setattr(drawn_faults, "SEAMS", ticks)  # so that twenty examples are enough
        looker = Looker.of(Target("loop", CatchesExceptions, frozenset({"blocking"})), None, 2, 1)
        index = next(
            index
            for index in range(2 * CHUNK)
            if "TICK-2" in dict(looker.look([index])[0].violations)
        )
        shrunk = shrink(looker.scenario(index), looker.target, "TICK-2")
        assert len(shrunk.scenario.faults) + len(shrunk.scenario.steps) <= 3
        assert shrunk.replays <= 300

    def test_a_fire_without_a_claim_is_found_and_made_small(self, of_registry):
        assert of_registry.verdict == "violated"
        found = {
            name: one for one in of_registry.findings for name in (one.requirement, *one.beside)
        }
        small = found["FIRE-1"].shrunk.scenario
        assert (len(small.faults), len(small.jobs)) == (0, 1)

    def test_it_ends_soon_after_the_first_violation(self, of_registry):
        first = min(found.index for found in of_registry.findings)
        assert of_registry.reach.examples == (first // CHUNK + 1) * CHUNK < of_registry.wanted


class TestWhatIsKept:
    def test_a_file_replays_the_same_history_without_hypothesis(self, of_registry, tmp_path):
        (file, _test), *_ = write_findings(of_registry, REGISTRY, tmp_path / "found")
        scenario = load_scenario(file)
        assert scenario == scenario_to_keep(of_registry.findings[0], of_registry)
        here = simulate(scenario, Looker.of(REGISTRY, None, 1, 1).target).history
        done = subprocess.run(
            [
                *(sys.executable, "-c", NO_HYPOTHESIS, "run", str(file)),
                *("--provider", REGISTRY, "--history", str(tmp_path)),
            ],
            env=ENVIRONMENT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (1, "")
        (history,) = tmp_path.glob("*.jsonl")
        assert history.read_bytes() == here.to_bytes()

    def test_the_pasted_test_fails_and_says_why(self, of_registry, tmp_path):
        ((_file, test), *_) = write_findings(of_registry, REGISTRY, tmp_path)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(test)],
            env=ENVIRONMENT, cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 1
        assert of_registry.findings[0].requirement in done.stdout
        assert "1 failed" in done.stdout

    def test_the_pasted_test_passes_once_it_is_mended(self, of_registry):
        """With a provider that does not violate it, the same text passes."""
        kept = scenario_to_keep(of_registry.findings[0], of_registry)
        calm = kept.model_copy(update={"faults": (), "steps": ()})
        names: dict = {}
        exec(pasteable_test(calm, "chronos"), names)  # what a user would paste
        (test,) = (value for name, value in names.items() if name.startswith("test_"))
        test()

    def test_the_tape_is_in_the_file(self):
        scenario = next(
            one
            for one in (
                draw_scenario(3, i, capabilities=["blocking"], tasks=["a#1/x"]) for i in range(20)
            )
            if one.tape.entries
        )
        assert parse_scenario(to_yaml(scenario)).tape == scenario.tape


NO_HYPOTHESIS = """
import sys
sys.modules["hypothesis"] = None
from simulator.cli import cli
cli(sys.argv[1:])
"""
DRAW = """
import sys
from simulator.explore.drawing import draw_scenario
for index in (5, 0, 17):
    print(draw_scenario(9, index, capabilities=["external", "blocking"], tasks=["a#1/x"]).canonical())
"""


class TestSameSeedSameExamples:
    def test_processes_with_other_hash_seeds_and_other_modules_draw_the_same(self, tmp_path):
        """Hypothesis likes constants of the modules that are loaded; ours are none of them."""
        other = "import simulator.checkers, contract_tests.cli\n"
        texts = [
            subprocess.run(
                [sys.executable, "-c", more + DRAW],
                env={**os.environ, "PYTHONHASHSEED": seed},
                cwd=tmp_path, capture_output=True, text=True, check=True,
            ).stdout
            for seed, more in (("1", ""), ("77", other))
        ]  # fmt: skip
        assert texts[0] == texts[1]
        here = [draw_scenario(9, 17, capabilities=["external", "blocking"], tasks=["a#1/x"])]
        assert texts[0].splitlines()[2] == here[0].canonical()

    def test_another_seed_or_index_is_another_example(self):
        drawn = {
            draw_scenario(seed, index, capabilities=["blocking"])
            .model_copy(update={"name": "x"})
            .canonical()
            for seed in (1, 2)
            for index in range(10)
        }
        assert len(drawn) == 20

    def test_workers_change_nothing(self):
        alone, together = (
            explore("builtin", examples=CHUNK + 1, seed=4, workers=workers, keep_going=True)
            for workers in (1, 2)
        )
        assert alone == together
        assert alone.reach.examples == CHUNK + 1

    def test_more_workers_need_a_name(self):
        target = reference_host().bundled()["builtin"]
        with pytest.raises(ValueError, match="more workers need the provider's name"):
            explore(target, workers=2)

    def test_no_profile_of_hypothesis_is_touched(self):
        before = settings.default
        draw_scenario(1, 1, capabilities=["blocking"])
        assert settings.default is before


class TestWhatWasTried:
    def test_too_little_is_unknown(self, calm):
        done = explore("builtin", examples=2, seed=0)
        assert done.verdict == "unknown"
        assert [floor.what for floor in done.floors] == list(FLOORS)
        assert not all(floor.reached for floor in done.floors)

    @pytest.mark.parametrize("what", FLOORS)
    def test_each_floor_counts(self, what):
        seen = examples_that_are_enough()
        assert all(floor.reached for floor in reach_of(seen, {"blocking"}).floors())
        less = {
            "clean runs": {"clean": False},
            "distinct (fault, seam, phase)": {"struck": frozenset()},
            "requirements whose case came up": {"reached": frozenset()},
            "share of examples with a fault while a job was due or running": {"while_due": False},
            "choices other than first-in-first-out": {"choices": 0},
        }[what]
        floors = reach_of([replace(one, **less) for one in seen], {"blocking"}).floors()
        assert [floor.what for floor in floors if not floor.reached] == [what]

    def test_what_struck_is_told_with_its_phase(self):
        scenario = Scenario.model_validate(
            {
                "name": "struck",
                "start": "2026-03-02T08:00:00",
                "lasts": "2h",
                "jobs": [{"id": "job", "schedule": "every 30m", "runs_for": "30s"}],
                "faults": [
                    {"into": "store.replace", "raise": {"OSError": "ENOSPC"}, "on": "mark"},
                    {"into": "body", "hang": "1s", "after": True},
                    {"into": "nas.list", "answer": 503},
                ],
            }
        )
        seen = look_at(0, scenario, reference_host().bundled()["builtin"], reference_host())
        assert seen.struck == {
            ("raise OSError ENOSPC", "store.replace", "mark"),
            ("hang", "body", "after"),
        }
        assert (seen.went_wrong, seen.while_due, seen.clean) == (True, True, True)
        assert "LIVE-8" in seen.reached

    def test_what_happens_while_nothing_is_due_is_not_counted_as_while_due(self):
        scenario = Scenario.model_validate(
            {
                "name": "idle",
                "start": "2026-03-02T08:00:00",
                "lasts": "2h",
                "jobs": [{"id": "job", "schedule": "every 30m"}],
                "faults": [{"into": "tick", "raise": "SystemExit", "at": "40m"}],
            }
        )
        seen = look_at(0, scenario, reference_host().bundled()["builtin"], reference_host())
        assert (seen.went_wrong, seen.while_due) == (True, False)

    def test_tasks_are_learnt_from_the_code_under_test(self):
        host = reference_host()
        tasks = learn_tasks(host.bundled()["builtin"], host)
        assert {"a#1/cron-provider", "a#2/gateway", "b#1/gateway"} <= set(tasks)


def examples_that_are_enough():
    host = reference_host()
    looked = look_at(
        0,
        draw_scenario(1, 0, capabilities=["blocking"]),
        host.bundled()["builtin"],
        host,
    )
    one = replace(
        looked,
        violations=(),
        struck=frozenset((f"fault {n}", "tick", "before") for n in range(300)),
        reached=frozenset(CHECKERS),
        went_wrong=True,
        while_due=True,
        choices=3,
        ended="horizon",
        clean=True,
    )
    return [replace(one, index=index) for index in range(300)]


class TestCommand:
    def invoke(self, *arguments, out):
        return CliRunner().invoke(cli, ["explore", *arguments, "--out", str(out)])

    def test_a_violation_exits_1_and_tells_how_to_replay_it(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        done = self.invoke("-p", LOOP, "-n", "60", "--seed", "1", out="here")
        assert done.exit_code == 1, done.output
        said, replay = (
            next(line.split() for line in done.output.splitlines() if word in line)
            for word in ("violated ", "replay:")
        )
        again = CliRunner().invoke(cli, replay[2:-1])
        assert again.exit_code == 1
        assert f"{said[1].strip(':')}" in again.output
        assert {path.name for path in tmp_path.iterdir()} == {"here"}, "no .hypothesis beside it"

    def test_what_was_found_is_said_where_it_cannot_be_written(self, of_registry, monkeypatch):
        monkeypatch.setattr("simulator.explore.explore", lambda *_, **__: of_registry)
        done = self.invoke("-p", "builtin", out="/proc/found")
        assert done.exit_code == 3
        assert f"Error: violated: {of_registry.findings[0].requirement}, " in done.stderr
        assert "the same seed finds it again" in done.stderr

    def test_too_little_exits_3(self, tmp_path, calm):
        done = self.invoke("-n", "2", out=tmp_path / "none")
        assert done.exit_code == 3, done.output
        assert "too little was tried" in done.output
        assert not (tmp_path / "none").exists()

    def test_where_no_bar_can_be_drawn_each_tenth_is_a_line_beside_the_answer(self, tmp_path, calm):
        done = self.invoke("-n", "200", out=tmp_path)
        told = [f"explored {count} of 200 examples" for count in range(20, 220, 20)]
        assert done.stderr.splitlines() == told
        assert "explored" not in done.stdout

    def test_a_worker_that_died_is_no_verdict(self, tmp_path, monkeypatch):
        def explore(*_, **__):
            raise ExploreError("a worker died")

        monkeypatch.setattr("simulator.explore.explore", explore)
        done = self.invoke(out=tmp_path)
        assert (done.exit_code, done.stderr) == (3, "Error: a worker died\n")

    def test_ctrl_c_is_no_verdict(self, tmp_path, monkeypatch):
        def explore(*_, **__):
            raise KeyboardInterrupt

        monkeypatch.setattr("simulator.explore.explore", explore)
        done = self.invoke(out=tmp_path)
        assert (done.exit_code, done.stderr) == (3, "\nstopped before there was a verdict\n")

    def test_an_unknown_provider_is_wrong_use(self, tmp_path):
        done = self.invoke("-p", "nobody", out=tmp_path)
        assert done.exit_code == 2
        assert "no provider 'nobody': bundled are builtin, chronos" in done.output

    def test_without_hypothesis_it_says_what_to_install(self, tmp_path):
        program = NO_HYPOTHESIS.replace("sys.modules", "import importlib.util\nsys.modules", 1)
        done = subprocess.run(
            [sys.executable, "-c", program, "explore"],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 3
        assert "pip install 'hermes-cron[explore]'" in done.stderr
        assert "Traceback" not in done.stderr
