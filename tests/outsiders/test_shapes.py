"""Providers as others write them, through the command and the suite that others use.

Each shape gets one whole verdict, by the front that its author would take.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

HERE = Path(__file__).parent
REMINDLY = "contract_tests.examples.remindly"
COMMAND = "import sys; from contract_tests.cli import main; sys.exit(main())"

SUITE = """
import pytest
from contract_tests.suites import CronSchedulerContract, ProviderHarness

class TestOurs(CronSchedulerContract):
    contract = "1"
    capabilities = {capabilities}
    profile = "strict"

    @pytest.fixture
    def harness(self):
        return ProviderHarness({harness})
"""


def checked(folder, target, *options):
    """The report of `hermes-contract check`, run in a process of its own as a user would."""
    file = folder / "report.json"
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, "check", target, "--json", str(file), *options],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert file.exists(), done.stderr
    return done.returncode, file.read_bytes()


def suited(pytester, monkeypatch, capabilities, harness, *options):
    """The report of the class, subclassed as in its documentation, in a process of its own."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    pytester.makepyfile(SUITE.format(capabilities=capabilities, harness=harness))
    plugin = ("-p", "contract_tests.plugin", "-p", "no:cacheprovider")
    done = pytester.runpytest_subprocess(*plugin, "--contract-json", "report.json", *options)
    return done, (pytester.path / "report.json").read_bytes()


def said(report, *verdicts):
    """The ids with these verdicts."""
    rows = json.loads(report)["requirements"]
    return {row["id"]: row["evidence"][0] for row in rows if row["verdict"] in verdicts}


@pytest.mark.parametrize(
    "target",
    [
        pytest.param("chatty:ChattyCron", id="the built-in with an old start"),
        pytest.param("audited:AuditedChronos", id="chronos with a fire_due of its own"),
        pytest.param("on_asyncio:AsyncioCron", id="a loop on asyncio"),
    ],
)
def test_it_keeps_the_whole_contract(tmp_path, target):
    code, report = checked(tmp_path, target, "--profile", "strict")
    assert said(report, "FAIL", "NOT_RUN", "KIT_ERROR") == {}
    assert (code, json.loads(report)["verdict"]) == (0, "conformant")


def test_a_loop_on_its_own_thread_by_both_fronts(tmp_path, pytester, monkeypatch):
    target = "own_thread:OwnThreadCron"
    code, report = checked(tmp_path, target, "--profile", "strict", "--capabilities", "blocking")
    assert (code, json.loads(report)["verdict"]) == (0, "conformant")
    harness = repr(target)
    _, of_suite = suited(pytester, monkeypatch, {"blocking"}, harness, "-p", "xdist", "-n", "2")
    assert of_suite == report


def test_a_registry_of_its_own_by_both_fronts(tmp_path, pytester, monkeypatch):
    target, registry = f"{REMINDLY}:RemindlyCron", f"{REMINDLY}:FakeRemindly"
    options = ("--registry", registry, "--profile", "strict", "--capabilities", "external")
    code, report = checked(tmp_path, target, *options)
    assert said(report, "FAIL", "NOT_RUN", "KIT_ERROR") == {}
    assert (code, json.loads(report)["verdict"]) == (0, "conformant")
    harness = f"{target!r}, registry={registry!r}"
    done, of_suite = suited(pytester, monkeypatch, {"external"}, harness)
    assert of_suite == report
    done.assert_outcomes(passed=len(json.loads(report)["requirements"]))


def test_incidents_are_replayed_with_its_registry_too():
    command = "import sys; from simulator.cli import main; sys.exit(main())"
    words = ["run", "rearm-refused-once", "-p", f"{REMINDLY}:RemindlyCron"]
    codes = []
    for more in (["--registry", f"{REMINDLY}:FakeRemindly"], [], ["--registry", "os:sep"]):
        done = subprocess.run(
            [sys.executable, "-c", command, *words, *more],
            cwd=HERE,
            capture_output=True,
            text=True,
            check=False,
        )
        codes.append(done.returncode)
    assert codes == [0, 1, 2], done.stderr
    assert "give a class or a function" in done.stderr


def test_timers_over_real_loopback_http(tmp_path):
    code, report = checked(
        tmp_path, "over_http:HttpTimersCron", "--registry", "over_http:FakeTimers"
    )
    assert said(report, "FAIL", "KIT_ERROR") == {}
    assert (code, json.loads(report)["verdict"]) == (0, "conformant")
    # A server's threads are real ones, and can't be made to wait in virtual time.
    assert said(report, "NOT_RUN").keys() == {"RECON-9"}


def test_without_its_registry_nothing_is_held_against_it(tmp_path):
    ids = "RECON-1,RECON-5,LIVE-1,ONCE-2,NAS-1,FIRE-1"
    code, report = checked(tmp_path, f"{REMINDLY}:RemindlyCron", "--only", ids)
    not_run = said(report, "NOT_RUN")
    for row in ("RECON-1", "RECON-5", "LIVE-1", "ONCE-2", "NAS-1"):
        assert "give --registry" in not_run[row], row
    assert said(report, "PASS").keys() == {"FIRE-1"}
    assert (code, json.loads(report)["verdict"]) == (3, "inconclusive")


def test_an_installed_entry_point_is_named_by_its_name(tmp_path, monkeypatch):
    site = tmp_path / "site"
    (site / "chatty_cron-2.1.dist-info").mkdir(parents=True)
    shutil.copy(HERE / "own_thread.py", site / "own_thread_of_theirs.py")
    (site / "chatty_cron-2.1.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: chatty-cron\nVersion: 2.1\n"
    )
    (site / "chatty_cron-2.1.dist-info" / "entry_points.txt").write_text(
        "[hermes_cron.providers]\nown-thread = own_thread_of_theirs:OwnThreadCron\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(site))
    code, report = checked(tmp_path, "own-thread", "--only", "ABC-4,TICK-1,TICK-3,LIVE-1")
    assert said(report, "PASS").keys() == {"ABC-4", "TICK-1", "TICK-3", "LIVE-1"}
    assert json.loads(report)["provider"] == "OwnThreadCron"
    assert code == 3, "a part of the contract is not the contract"


def test_a_plugin_folder_is_taken_as_it_is_dropped(tmp_path):
    _, report = checked(tmp_path, "./clockwork", "--only", "ABC-4,TICK-1,TICK-2,ONCE-9,LIVE-1")
    assert said(report, "PASS").keys() == {"ABC-4", "TICK-1", "TICK-2", "ONCE-9", "LIVE-1"}


def test_nobodys_hypothesis_is_touched():
    """Neither loaded nor given another profile by the plugin, the suite or a judgement."""
    script = """if True:
        import sys
        import contract_tests.plugin, contract_tests.suites
        from contract_tests.engine import Judge
        from contract_tests.target import find_subject
        with Judge(find_subject("own_thread:OwnThreadCron")) as judge:
            assert judge.judge("TICK-1").verdict.value == "PASS"
        assert "hypothesis" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", script], cwd=HERE, check=True)
