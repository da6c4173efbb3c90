"""The exported class, subclassed by an outsider in five lines."""

import subprocess
import sys
from pathlib import Path

import pytest

from contract_tests import catalogue
from contract_tests.suites import CronSchedulerContract, ProviderHarness

FIVE_LINES = """
import pytest
from contract_tests.suites import CronSchedulerContract, ProviderHarness
{imports}
class TestMine(CronSchedulerContract):
    @pytest.fixture
    def {fixture}
"""


def outside(folder, fixture, imports="", *arguments):
    """Run pytest in a folder of its own, in a process of its own."""
    (folder / "test_mine.py").write_text(FIVE_LINES.format(fixture=fixture, imports=imports))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_five_lines_are_enough(tmp_path):
    done = outside(tmp_path, 'harness(self): return ProviderHarness("builtin")')
    assert done.returncode == 0, done.stdout
    assert "test_mine.TestMine: conformant" in done.stdout


def test_a_broken_provider_fails_with_the_sentence_and_the_evidence(tmp_path):
    imports = (
        "from hermes_cron import InProcessCronScheduler\n"
        "class Mine(InProcessCronScheduler):\n"
        "    name = ''\n"
    )
    done = outside(tmp_path, "provider(self): return Mine", imports, "-k", "ABC_4 or ABC_3")
    assert done.returncode == 1
    assert "FAIL ABC-4 (core)" in done.stdout
    assert "not a text that says something" in done.stdout
    assert "hermes-contract explain ABC-4" in done.stdout
    assert "test_mine.TestMine: violated" in done.stdout


def test_no_fixture_is_a_failure_and_no_skip(tmp_path):
    done = outside(tmp_path, "something_else(self): return 1", "", "-k", "ABC_1")
    assert done.returncode == 1
    assert "TestMine has no provider: override the fixture provider" in done.stdout


def test_there_is_a_plain_method_for_each_requirement():
    methods = {name for name in vars(CronSchedulerContract) if name.startswith("test_")}
    ids = [row.id for row in catalogue.load().requirements]
    of_the_search = {"test_search_tried_enough"}
    assert methods - of_the_search == {f"test_{key.replace('-', '_')}" for key in ids}
    assert CronSchedulerContract.test_TICK_2.__doc__.startswith("No exception of a tick")


def test_each_parameter_of_a_provider_is_judged_by_itself(tmp_path):
    imports = (
        "from hermes_cron import InProcessCronScheduler\n"
        "class Mine(InProcessCronScheduler):\n"
        "    name = 'mine'\n"
        "class Nameless(Mine):\n"
        "    name = ''\n"
    )
    (tmp_path / "conftest.py").write_text(
        f"import pytest\n{imports}"
        "@pytest.fixture(params=[Mine, Nameless])\n"
        "def one(request): return request.param\n"
    )
    done = outside(tmp_path, "provider(self, one): return one", "", "-k", "ABC_4")
    assert done.returncode == 1
    assert "test_mine.TestMine[Mine]: inconclusive, 1 of" in done.stdout
    assert "test_mine.TestMine[Nameless]: violated, 0 of" in done.stdout


def test_a_strict_failure_is_reported_and_fails_core_tests_not(tmp_path, monkeypatch, request):
    monkeypatch.chdir(tmp_path)
    request.node.user_properties.clear()

    class Writes(CronSchedulerContract):
        profile = "core"

    from hermes_cron import InProcessCronScheduler

    class Provider(InProcessCronScheduler):
        name = "writes"

        def is_available(self):
            return Path("trace").write_text("x") == 1

    Writes().test_AVAIL_3(ProviderHarness(Provider), request)
    told = dict(request.node.user_properties)["hermes_contract"]["row"]
    assert told["verdict"] == "FAIL"
    Writes.profile = "strict"
    with pytest.raises(pytest.fail.Exception, match="FAIL AVAIL-3"):
        Writes().test_AVAIL_3(ProviderHarness(Provider), request)
    request.node.user_properties.clear()  # this run is no contract check


def test_known_deviations_are_read_beside_the_tests(tmp_path):
    imports = (
        "from hermes_cron import InProcessCronScheduler\n"
        "class Mine(InProcessCronScheduler):\n"
        "    name = ''\n"
        "CronSchedulerContract.known_deviations = 'dev.toml'\n"
    )
    (tmp_path / "dev.toml").write_text(
        "[[deviation]]\nid = 'ABC-4'\nreason = 'named by its plugin'\n"
        "link = 'https://example.test/4'\nexpires = 2999-01-01\n"
    )
    done = outside(tmp_path, "provider(self): return Mine", imports, "-k", "ABC_4", "-rx")
    assert done.returncode == 0, done.stdout
    assert "1 xfailed" in done.stdout
    assert "KNOWN_DEVIATION: ABC-4" in done.stdout
    assert "TestMine: conformant" not in done.stdout
