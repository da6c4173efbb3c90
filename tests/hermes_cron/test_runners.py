"""What a run does: scripts, agents."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from hermes_cron import runners, scheduler


@pytest.fixture
def scripts(tmp_path, monkeypatch):
    monkeypatch.setenv("HERMES_HOME", str(tmp_path))
    folder = tmp_path / "scripts"
    folder.mkdir()
    return folder


def job(**fields):
    return {"id": "job", "name": "Watch", "no_agent": True, "script": "s.sh", **fields}


def test_what_a_script_prints_is_the_answer(scripts):
    (scripts / "s.sh").write_text("echo hello; echo noise >&2")
    success, document, text, error = scheduler.run_job(job())
    assert (success, text, error) == (True, "hello", None)
    assert "hello" in document


def test_what_is_no_shell_script_runs_with_this_python(scripts):
    (scripts / "s.py").write_text("import sys; print(sys.version_info[:2])")
    assert scheduler.run_job(job(script="s.py"))[2].startswith("(3,")


def test_an_exit_code_is_a_failure_with_what_it_said(scripts):
    (scripts / "s.sh").write_text("echo out; echo why >&2; exit 3")
    success, _document, text, error = scheduler.run_job(job())
    assert success is False
    assert error == "the script exited with 3\nwhy\nout"
    assert "why" in text


@pytest.mark.parametrize("body", ["true", "echo work; echo '{\"wakeAgent\": false}'"])
def test_nothing_to_say_is_silent(scripts, body):
    (scripts / "s.sh").write_text(body)
    success, _document, text, _error = scheduler.run_job(job())
    assert (success, text) == (True, "[SILENT]")


def test_a_folder_to_run_in(scripts, tmp_path):
    (scripts / "s.sh").write_text("pwd")
    assert scheduler.run_job(job())[2] == str(scripts.resolve())
    assert scheduler.run_job(job(workdir=str(tmp_path)))[2] == str(tmp_path.resolve())


@pytest.mark.parametrize("script", ["../outside.sh", "/bin/true", "link.sh"])
def test_only_what_lies_in_the_scripts_folder_is_run(scripts, script):
    (scripts.parent / "outside.sh").write_text("echo out")
    (scripts / "link.sh").symlink_to(scripts.parent / "outside.sh")
    success, _document, _text, error = scheduler.run_job(job(script=script))
    assert success is False
    assert "is not below" in error


def test_an_absolute_path_below_the_scripts_folder_is_run(scripts):
    (scripts / "s.sh").write_text("echo hello")
    assert scheduler.run_job(job(script=str(scripts / "s.sh")))[0] is True


@pytest.mark.parametrize("script", ["", None, "nothing-there.sh"])
def test_no_script_is_a_clear_failure(scripts, script):
    success, _document, _text, error = scheduler.run_job(job(script=script))
    assert success is False
    assert "script" in error


def test_what_a_script_leaves_in_the_background_is_not_waited_for(scripts):
    (scripts / "s.sh").write_text("sleep 300 & echo $!")
    success, text = runners.run_script("s.sh", timeout_s=60)
    os.kill(int(text), 9)  # it was still there
    assert success is True


def test_a_script_that_hangs_is_killed_with_its_children(scripts, monkeypatch):
    (scripts / "s.sh").write_text("sleep 600 & echo $! > new; mv new child; wait")
    child = scripts / "child"
    # Its time is up when its child lives, however long that takes here.
    monkeypatch.setattr(runners, "time", SimpleNamespace(monotonic=lambda: 99 * child.exists()))
    ok, said = runners.run_script("s.sh", timeout_s=98.5)
    assert ok is False
    assert "98.5 s" in said
    pid = int(child.read_text())
    for _ in range(6000):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().split()[2]
        except FileNotFoundError:
            return
        if state == "Z":
            return
        time.sleep(0.01)
    os.kill(pid, 9)
    pytest.fail("the child lives")


def test_without_an_agent_the_error_says_what_to_do(scripts):
    success, _document, text, error = scheduler.run_job(job(no_agent=False, script=None))
    assert (success, text) == (False, "")
    assert "hermes_cron.runners" in error


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("hi", (True, "hi", None)),
        ((False, "doc", "", "no"), (False, "", "no")),
    ],
)
def test_an_agent_is_plugged_in(scripts, monkeypatch, answer, expected):
    seen = []

    class Point:
        name = "agent"

        def load(self):
            return lambda job, *, script_output: seen.append(script_output) or answer

    monkeypatch.setattr(runners, "entry_points", lambda **_: [Point()])
    (scripts / "s.sh").write_text("echo data")
    success, _document, text, error = scheduler.run_job(job(no_agent=False))
    assert ((success, text, error), seen) == (expected, ["data"])
