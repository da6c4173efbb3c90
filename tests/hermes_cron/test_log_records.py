"""Each log record about a job carries the job's id and the occurrence as attributes."""

import ast
import importlib.util
import logging
import re
from pathlib import Path

import pytest

from hermes_cron import claims, jobs, scheduler

PACKAGE = Path(importlib.util.find_spec("hermes_cron").origin).parent
LEVELS = {"debug", "info", "warning", "error", "exception", "log"}
# "job %s", "job '%s'", "output of job %s": a sentence about one job, not "%d cron job(s) due".
ABOUT_A_JOB = re.compile(r"\b[Jj]ob '?%s")


def log_calls():
    """Every call of a logger in the package: where, its text, the node of its `extra`."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in LEVELS
                and ast.unparse(node.func.value).endswith("logger")
            ):
                texts = [one.value for one in node.args if isinstance(one, ast.Constant)]
                text = " ".join(one for one in texts if isinstance(one, str))
                extra = next((one.value for one in node.keywords if one.arg == "extra"), None)
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}", text, extra


def test_the_look_at_the_source_finds_what_it_looks_for():
    found = [text for _, text, _ in log_calls()]
    assert len(found) > 80
    assert sum(bool(ABOUT_A_JOB.search(text)) for text in found) > 20


def test_whatever_is_logged_about_a_job_carries_its_id_and_occurrence():
    without = []
    for place, text, extra in log_calls():
        if not ABOUT_A_JOB.search(text):
            continue
        if extra is None:
            without.append(f"{place}: {text!r} has no extra")
        elif isinstance(extra, ast.Dict):
            keys = {one.value for one in extra.keys if isinstance(one, ast.Constant)}
            if not {"job_id", "occurrence"} <= keys:
                without.append(f"{place}: {text!r} has only {sorted(keys)}")
    assert without == []


@pytest.fixture
def job(tmp_path, monkeypatch):
    monkeypatch.setenv("HERMES_HOME", str(tmp_path))
    made = jobs.create_job("p", "every 1h", name="report")
    return jobs.trigger_job(made["id"])


def test_a_tick_says_of_which_occurrence_it_speaks(job, caplog, monkeypatch):
    def run_job(_job):
        raise ValueError("no")

    monkeypatch.setattr(scheduler, "run_job", run_job)
    caplog.set_level(logging.DEBUG)
    scheduler.tick(verbose=False)
    told = [one for one in caplog.records if job["id"] in one.getMessage()]
    assert told
    assert {getattr(one, "job_id", None) for one in told} == {job["id"]}
    occurrences = {
        getattr(one, "occurrence", "missing") for one in caplog.records if hasattr(one, "job_id")
    }
    assert occurrences == {job["next_run_at"]}


def test_a_fire_says_of_which_occurrence_it_speaks(job, caplog):
    caplog.set_level(logging.DEBUG)
    claims.reserve(job["id"], job["next_run_at"])
    claims.reserve(job["id"], job["next_run_at"])
    (first, second) = [one for one in caplog.records if hasattr(one, "job_id")]
    assert first.job_id == second.job_id == job["id"]
    assert first.occurrence == second.occurrence == job["next_run_at"]
