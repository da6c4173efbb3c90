"""The pytest plugin: a green run that left something out is not a conformant one."""

import subprocess
import sys

import pytest

from contract_tests import catalogue
from contract_tests.report.verify import objections, read_report
from contract_tests.suites import CronSchedulerContract

pytest_plugins = ["pytester"]

SUITE = """
import collections
import pytest
from contract_tests import catalogue
from contract_tests.suites import CronSchedulerContract
from contract_tests.verdicts import Assessment, Result, Ruling

FAILS = ()

class Judge:
    # Stands for the engine: what is tested here is what becomes of its results.
    def judge(self, key):
        row = catalogue.load().get(key)
        if row.capability not in (None, "blocking"):
            return Result(row, Ruling.NOT_SUPPORTED, ("not its kind",))
        verdict = Ruling.FAIL if key in FAILS else Ruling.PASS
        return Result(row, verdict, ("seen",), reached=True)

    def assessment(self, results):
        loop = frozenset({"blocking"})
        return Assessment("it", "It", "1", TestIt.profile, loop, loop, tuple(results))

class TestIt(CronSchedulerContract):
    _hermes_contract_judges = collections.defaultdict(Judge)

    @pytest.fixture
    def harness(self):
        return None

    BODY
"""
TOTAL = len(catalogue.load().requirements)
APPLY = sum(row.capability in (None, "blocking") for row in catalogue.load().requirements)


@pytest.fixture
def summary(pytester, monkeypatch):
    # Loading everybody's plugins takes a second for each run.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run(body="pass", *arguments, fails=(), lines=3):
        pytester.makepyfile(SUITE.replace("BODY", body).replace("FAILS = ()", f"FAILS = {fails}"))
        out = pytester.runpytest_inprocess("-p", "contract_tests.plugin", *arguments).outlines
        start = [n for n, line in enumerate(out) if "hermes-cron contract:" in line]
        return "\n".join(out[start[0] : start[0] + lines]) if start else "\n".join(out)

    return run


def test_all_run_is_conformant(summary):
    assert f"TestIt: conformant, {APPLY} of {APPLY} held, {TOTAL - APPLY} do not" in summary()


def test_deselected_is_inconclusive(summary):
    said = summary("pass", "-k", "ABC_1 or ABC_2")
    assert "inconclusive, 2 of" in said
    assert "its test was deselected: ABC-3, ABC-4" in said


def test_deselected_by_workers_is_inconclusive_too(summary):
    said = summary("pass", "-p", "xdist", "-n", "2", "-k", "ABC_1 or ABC_2")
    assert "inconclusive, 2 of" in said
    assert "its test was deselected: ABC-3, ABC-4" in said


def test_all_deselected_is_inconclusive(summary):
    assert "inconclusive, nothing of it was run" in summary("pass", "-k", "nothing_of_the_kind")


@pytest.mark.parametrize("body", ["def test_ABC_1(self): pass", "test_ABC_1 = None"])
def test_overridden_or_deleted_is_inconclusive(summary, body):
    said = summary(body)
    assert f"inconclusive, {APPLY - 1} of {APPLY} held" in said
    assert "the class overrides its test: ABC-1" in said


def test_an_override_that_borrows_the_exported_test_is_one_all_the_same(summary):
    body = "def test_ABC_1(self, harness, request): super().test_ABC_1(harness, request)"
    assert "the class overrides its test: ABC-1" in summary(body)


def test_an_override_cannot_be_hidden_by_a_list_of_what_there_is(summary):
    body = "hermes_contract_ids = ()\n\n    def test_ABC_1(self, harness, request):\n"
    said = summary(f"{body}        super().test_ABC_1(harness, request)")
    assert "the class overrides its test: ABC-1" in said


def test_classes_that_a_function_makes_are_told_apart(summary):
    body = (
        "pass\n\ndef made():\n    class TestMade(TestIt):\n"
        "        _hermes_contract_judges = TestIt._hermes_contract_judges\n"
        "    return TestMade\n\nTestOne, TestTwo = made(), made()\n\n"
        "TestOne.test_ABC_1 = None"
    )
    said = summary(body, lines=6)
    assert f"TestOne: inconclusive, {APPLY - 1} of {APPLY} held" in said
    assert f"TestTwo: conformant, {APPLY} of {APPLY} held" in said


def test_emptied_is_inconclusive(summary, monkeypatch):
    monkeypatch.setattr(CronSchedulerContract, "test_ABC_1", lambda _: None)
    assert "it has no result" in summary()


def test_skipped_is_inconclusive(summary):
    assert "inconclusive, nothing of it was run" in summary("pytestmark = pytest.mark.skip")


def test_one_skipped_is_inconclusive(summary, monkeypatch):
    marks = [pytest.mark.skip.mark]
    monkeypatch.setattr(CronSchedulerContract.test_ABC_1, "pytestmark", marks, raising=False)
    assert f"inconclusive, {APPLY - 1} of {APPLY} held" in summary()


def test_one_node_named_on_the_command_line_is_inconclusive(summary):
    said = summary(
        "pass", "test_one_node_named_on_the_command_line_is_inconclusive.py::TestIt::test_ABC_1"
    )
    assert "inconclusive, 1 of" in said


def test_a_failure_is_a_violation(summary):
    said = summary(fails=("ABC-1",))
    assert f"violated, {APPLY - 1} of {APPLY} held" in said
    assert "FAIL: ABC-1" in said


def test_a_strict_failure_is_not_one_for_core(summary):
    assert "TestIt: conformant" in summary(fails=("ABC-8",))
    assert "TestIt: violated" in summary('profile = "strict"', fails=("ABC-8",))


def test_workers_report_to_their_controller(summary):
    assert f"conformant, {APPLY} of {APPLY} held" in summary("pass", "-p", "xdist", "-n", "2")


def test_both_ways_of_running_write_one_report(summary, pytester):
    summary("pass", "--contract-json", "one.json", "--contract-junit", "one.xml", fails=("ABC-1",))
    summary("pass", "-p", "xdist", "-n", "2", "--contract-json", "two.json", fails=("ABC-1",))
    one = (pytester.path / "one.json").read_bytes()
    assert one == (pytester.path / "two.json").read_bytes()
    assert list(objections(read_report(pytester.path / "one.json"))) == []
    assert '<testcase classname="it.ABC" name="ABC-1">' in (pytester.path / "one.xml").read_text()


def test_runs_without_a_contract_class_say_nothing(pytester):
    pytester.makepyfile("def test_x(): pass")
    assert "hermes-cron contract" not in pytester.runpytest_inprocess().stdout.str()


def test_loading_the_plugin_costs_next_to_nothing():
    script = (
        "import sys, pytest; before = set(sys.modules); import contract_tests.plugin; "
        "print(sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "['contract_tests', 'contract_tests.plugin']"
