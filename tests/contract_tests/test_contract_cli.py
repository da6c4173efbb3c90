"""The command as its users call it."""

import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from contract_tests import catalogue, controls, engine
from contract_tests.cli import cli
from contract_tests.report.verify import objections, read_report
from contract_tests.verdicts import Ruling


def run(*arguments):
    return CliRunner().invoke(cli, arguments, catch_exceptions=False)


@pytest.fixture(scope="module", params=["builtin", "chronos"])
def checked(request, tmp_path_factory):
    """One check of each reference: (target, result, report)."""
    path = tmp_path_factory.mktemp("report") / "r.json"
    result = run("check", request.param, "--profile", "strict", "--json", str(path))
    return request.param, result, json.loads(path.read_text())


def test_the_references_are_conformant_by_both_profiles(checked):
    _, result, report = checked
    assert result.exit_code == 0, result.output
    assert report["verdict"] == "conformant"
    assert report["verdicts"] == {"core": "conformant", "strict": "conformant"}
    assert result.output.endswith("conformant\n")


def test_every_row_that_applies_is_judged_and_reached(checked):
    target, _, report = checked
    capability = {"builtin": "blocking", "chronos": "external"}[target]
    for row in report["requirements"]:
        applies = row["capability"] in (None, capability)
        assert row["verdict"] == ("PASS" if applies else "NOT_SUPPORTED"), row
        assert row["reached"] is applies


def test_a_row_that_neither_reference_is_judged_by_does_not_exist():
    """But for replicas: several machines on one store, which both references leave to the host."""
    kinds = {row.capability for row in catalogue.load().requirements}
    assert kinds <= {None, "blocking", "external"}


def test_the_coverage_is_whole():
    result = run("list", "--coverage")
    total = len(catalogue.load().requirements)
    assert f"{total} of {total} requirements have a test" in result.output


def test_the_report_adds_up(checked):
    _, _, report = checked
    rows, counts = report["requirements"], report["counts"]
    assert len(rows) == counts["total"] == 108
    for verdict in ("PASS", "FAIL", "NOT_RUN", "NOT_SUPPORTED", "KIT_ERROR", "KNOWN_DEVIATION"):
        assert counts[verdict] == sum(row["verdict"] == verdict for row in rows)
    assert all(row["evidence"] for row in rows)
    assert counts["selected"] == 108
    assert counts["executed"] == counts["expected"] == counts["PASS"]


def test_a_selection_is_inconclusive_and_says_so(tmp_path):
    path = tmp_path / "r.json"
    result = run("check", "builtin", "--only", "ABC-1,tick-2", "--timeline", "--json", str(path))
    report = json.loads(path.read_text())
    assert result.exit_code == 3
    assert report["counts"]["selected"] == report["counts"]["executed"] == 2
    assert "loop-survives" in result.output


def test_a_known_deviation_is_4_and_a_stale_one_is_1(tmp_path, monkeypatch):
    (tmp_path / "unnamed.py").write_text(
        "from hermes_cron import InProcessCronScheduler\n"
        "class Unnamed(InProcessCronScheduler):\n"
        "    name = ''\n"
    )
    known = tmp_path / "dev.toml"
    entry = "[[deviation]]\nid = 'ABC-4'\nreason = 'r'\nlink = 'l'\nexpires = 2999-01-01\n"
    known.write_text(entry)
    monkeypatch.chdir(tmp_path)
    listed = run("check", "unnamed:Unnamed", "--known-deviations", str(known))
    assert listed.exit_code == 4, listed.output
    assert listed.output.endswith("deviating\n")
    known.write_text(entry.replace("ABC-4", "ABC-3"))
    stale = run("check", "unnamed:Unnamed", "--known-deviations", str(known))
    assert stale.exit_code == 1
    assert "take the entry out" in stale.output


def test_list_is_an_array_of_the_contract():
    rows = json.loads(run("list", "--json").output)
    assert len(rows) == 108
    assert [row["id"] for row in rows if row["tested"]] == list(engine.probed_ids())


def test_explain_shows_where_it_comes_from_and_what_breaks_it():
    said = run("explain", "tick-2").output
    assert "hermes-agent #32612" in said
    assert "hermes-sim run tick-raises-systemexit -v\n    A job comes every hour." in said
    assert said.index("-             except BaseException") < said.index("+             except Exc")
    assert "-             except BaseException as error:" in said
    assert "+             except Exception as error:" in said


@pytest.mark.parametrize("row", catalogue.load().requirements, ids=lambda row: row.id)
def test_each_is_explained_by_what_breaks_it_first_what_breaks_it_alone(row):
    done = run("explain", row.id)
    assert done.exit_code == 0
    said = done.output
    assert all(f"hermes-agent {one}" in said for one in row.origin if one.startswith("#"))
    breaking = [one for one in controls.broken() if row.id in one.rejects]
    assert said.count("see it fail: hermes-contract self-test --only ") == len(breaking) > 0
    _, _, first = said.partition("broken by ")
    alone = {one.name for one in breaking if one.rejects == (row.id,)}
    assert not alone or first.partition(",")[0] in alone


def test_a_kit_that_breaks_is_inconclusive_and_not_violated(monkeypatch):
    def broken(*_, **__):
        raise ImportError("a module is missing")

    monkeypatch.setattr(engine, "Judge", broken)
    result = run("check", "builtin")
    assert result.exit_code == 3
    assert "the kit itself failed: ImportError: a module is missing" in result.output


def test_self_test_counts_what_it_proved(monkeypatch):
    from contract_tests.controls import bench

    def trial(control):
        right = control.name != "one-alias-forgotten"
        return bench.Trial(control, Ruling.PASS if right else Ruling.FAIL, "as it is")

    monkeypatch.setattr(bench, "try_control", trial)
    result = run("self-test")
    assert result.exit_code == 1
    assert "BAD one-alias-forgotten" in result.output
    count = len(controls.broken())
    assert f"rejects {count - 1} of {count}, accepts" in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("explain", "TICK-22"), "did you mean"),
        (("check", "nobody"), "no provider is called"),
        (("check", "builtin", "--capabilities", "psychic"), "psychic is no capability"),
        (("check", "builtin", "--json", "no/such/folder/r.json"), "no folder"),
        (("check",), "Missing argument"),
        (("check", "builtin", "--profile", "lax"), "lax"),
    ],
)
def test_wrong_use_is_2_and_says_what_is_right(arguments, said):
    result = run(*arguments)
    assert result.exit_code == 2
    assert said in result.output


LOOP = """
from hermes_cron import CronScheduler, scheduler

class Careless(CronScheduler):
    name = "careless"

    def start(self, stop_event, *, adapters=None, loop=None, interval=60):
        while not stop_event.is_set():
            scheduler.tick(verbose=False, sync=False)
            stop_event.wait(interval)
"""


def command(folder, *arguments, path=""):
    """The command as a process, started in a folder of the user's."""
    return subprocess.run(
        [sys.executable, "-c", "from contract_tests.cli import main; main()", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )


LEAVES = """
import os, sys, tempfile
from hermes_cron import InProcessCronScheduler

class Moves(InProcessCronScheduler):
    @property
    def name(self):
        os.chdir(tempfile.gettempdir())
        return "moves"

class Shuts(InProcessCronScheduler):
    @property
    def name(self):
        sys.stdout.close()
        return "shuts"
"""


def test_a_provider_in_the_current_folder_that_dies_at_the_first_exception(tmp_path):
    """Found without installation, judged for what it shows, violated is 1."""
    (tmp_path / "careless_cron.py").write_text(LOOP)
    arguments = ("--json", "r.json", "--scenarios", "small")
    done = command(tmp_path, "check", "careless_cron:Careless", *arguments)
    report = json.loads((tmp_path / "r.json").read_text())
    failed = {row["id"] for row in report["requirements"] if row["verdict"] == "FAIL"}
    assert done.returncode == 1, done.stderr
    assert {"TICK-2", "TICK-3"} <= failed
    assert report["capabilities"] == {"declared": ["blocking"], "shown": ["blocking"]}
    assert "warning" not in done.stderr
    row = next(row for row in report["requirements"] if row["id"] == "TICK-2")
    assert row["excerpt"]
    assert row["smallest"].startswith("hermes-sim run small/tick-2-loop-survives.yaml -p careless")
    assert list(objections(read_report(tmp_path / "r.json"))) == []
    again = replayed(tmp_path, *row["smallest"].split()[1:])
    assert again.returncode == 1, again.stdout + again.stderr
    assert "TICK-2" in again.stdout


def test_a_provider_that_leaves_the_folder_or_shuts_the_output_gives_no_wrong_verdict(tmp_path):
    (tmp_path / "leaves.py").write_text(LEAVES)
    done = command(tmp_path, "check", "leaves:Moves", "--only", "ABC-4", "--json", "r.json")
    assert done.returncode == 3, done.stderr
    assert (tmp_path / "r.json").is_file()
    done = command(tmp_path, "check", "leaves:Shuts", "--only", "ABC-4")
    assert done.returncode == 3
    assert "the kit itself failed" in done.stderr


def replayed(folder, *arguments):
    """`hermes-sim` in a folder of the user's."""
    return subprocess.run(
        [sys.executable, "-m", "simulator.cli", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder), "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_folder_that_hides_the_kits_is_named_before_it_does_harm(tmp_path):
    (tmp_path / "path" / "simulator").mkdir(parents=True)
    (tmp_path / "path" / "simulator" / "__init__.py").touch()
    done = command(tmp_path, "check", "builtin", path=tmp_path / "path")
    assert "warning: simulator is imported from" in done.stderr
    assert done.returncode == 3
    assert "the kit itself failed" in done.stderr
