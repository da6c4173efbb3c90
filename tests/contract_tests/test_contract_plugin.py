"""The pytest plugin: a green run that left something out is not a conformant one."""

import subprocess
import sys

import pytest

pytest_plugins = ["pytester"]

SUITE = """
import pytest

def judged(key, verdict="PASS", level="core", profile="core"):
    def test(self, request):
        cls = type(self)
        request.node.user_properties.append(("hermes_contract", {
            "suite": f"{cls.__module__}.{cls.__qualname__}", "id": key, "level": level,
            "profile": profile, "verdict": verdict, "expected": 3}))
        assert verdict not in ("FAIL",) or level == "strict"
    return test

class Contract:
    hermes_contract_ids = ("ABC-1", "ABC-2", "ABC-3")
    test_ABC_1 = judged("ABC-1")
    test_ABC_2 = judged("ABC-2")
    test_ABC_3 = judged("ABC-3")

class TestIt(Contract):
    BODY
"""


@pytest.fixture
def summary(pytester, monkeypatch):
    # Loading everybody's plugins takes a second for each run.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run(body="pass", *arguments):
        pytester.makepyfile(SUITE.replace("BODY", body))
        lines = pytester.runpytest_inprocess("-p", "contract_tests.plugin", *arguments).outlines
        start = [n for n, line in enumerate(lines) if "hermes-cron contract:" in line]
        return "\n".join(lines[start[0] : start[0] + 3]) if start else "\n".join(lines)

    return run


def test_all_run_is_conformant(summary):
    assert "TestIt: conformant, 3 of 3 held" in summary()


def test_deselected_is_inconclusive(summary):
    said = summary("pass", "-k", "ABC_1")
    assert "inconclusive, 1 of 3 held" in said
    assert "deselected: ABC-2, ABC-3" in said


def test_all_deselected_is_inconclusive(summary):
    assert "inconclusive, 0 of 3 held" in summary("pass", "-k", "nothing_of_the_kind")


@pytest.mark.parametrize("body", ["def test_ABC_1(self): pass", "test_ABC_1 = None"])
def test_overridden_or_deleted_is_inconclusive(summary, body):
    said = summary(body)
    assert "inconclusive, 2 of 3 held" in said
    assert "overridden: ABC-1" in said


def test_skipped_is_inconclusive(summary):
    said = summary("pytestmark = pytest.mark.skip")
    assert "inconclusive, 0 of 3 held" in said
    assert "without a result: ABC-1, ABC-2, ABC-3" in said


def test_one_node_named_on_the_command_line_is_inconclusive(summary):
    said = summary(
        "pass", "test_one_node_named_on_the_command_line_is_inconclusive.py::TestIt::test_ABC_1"
    )
    assert "inconclusive, 1 of 3 held" in said


def test_a_failure_is_a_violation(summary):
    said = summary('test_ABC_1 = judged("ABC-1", "FAIL")')
    assert "violated: ABC-1" in said


def test_a_strict_failure_is_not_one_for_core(summary):
    assert "ABC-1" not in summary('test_ABC_4 = judged("ABC-4", "FAIL", "strict")')


def test_workers_report_to_their_controller(summary):
    assert "conformant, 3 of 3 held" in summary("pass", "-p", "xdist", "-n", "2")


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
