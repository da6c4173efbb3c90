"""hermes-agent and us: jobs.json goes both ways and loses nothing, and what we test holds there.

`agent_files/jobs-*.json` was written by hermes-agent itself, by `agent_files/write_jobs.py`.
"""

import contextlib
import json
import shutil
import subprocess
import time
from datetime import datetime
from pathlib import Path

import pytest

from hermes_cron import jobs, scheduler, store
from hermes_cron.status.evidence import broken_records

FILES = Path(__file__).parent / "agent_files"
OUTSIDERS = Path(__file__).parent / "outsiders"
AGENT_PYTHON = Path(__file__).parents[1] / ".venv-agent" / "bin" / "python"
VERSIONS = ("0.17.0", "0.19.0")

# What a change of ours may write; everything else in a record is not ours to touch.
OURS = frozenset(
    {
        *("enabled", "state", "paused_at", "paused_reason", "next_run_at", "fire_claim"),
        *("fire_token", "grid_at", "last_run_at", "last_status", "last_error", "repeat"),
        *("last_delivery_error", "zone"),
    }
)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HERMES_HOME", str(tmp_path))
    monkeypatch.setenv("HERMES_TIMEZONE", "Europe/Berlin")
    (tmp_path / "cron").mkdir()
    return tmp_path


@pytest.fixture(params=VERSIONS)
def theirs(request, home, monkeypatch):
    """The records of a file of theirs, which is in the home; it is a minute later."""
    text = (FILES / f"jobs-{request.param}.json").read_text(encoding="utf-8")
    (home / "cron" / "jobs.json").write_text(text, encoding="utf-8")
    document = json.loads(text)
    written_at = datetime.fromisoformat(document["updated_at"]).timestamp()
    monkeypatch.setattr(time, "time", lambda: written_at + 60)
    return {job["name"]: job for job in document["jobs"]}


def stored(home):
    document = json.loads((home / "cron" / "jobs.json").read_text(encoding="utf-8"))
    return {job["id"]: job for job in document["jobs"]}


def test_their_file_loads_with_every_field(theirs):
    assert jobs.load_jobs() == list(theirs.values())
    assert len(jobs.list_jobs(include_disabled=True)) == len(theirs) == 9
    assert broken_records() == []


def pause_and_resume(job):
    jobs.pause_job(job["id"])
    with contextlib.suppress(ValueError):  # a one-shot that they have dispatched is over
        jobs.resume_job(job["id"])


CHANGES = {
    "rename": lambda job: jobs.update_job(job["id"], {"prompt": job["prompt"]}),
    "pause": lambda job: jobs.pause_job(job["id"], "why not"),
    "pause and resume": pause_and_resume,
    "trigger": lambda job: jobs.trigger_job(job["id"]),
    "claim and mark": lambda job: (
        jobs.claim_job_for_fire(job["id"]),
        jobs.mark_job_run(job["id"], True),
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_field_of_theirs_survives_every_change_of_ours(theirs, home, change):
    for job in theirs.values():
        CHANGES[change](job)
    after = stored(home)
    for name, before in theirs.items():
        if before["id"] not in after:  # a one-shot that was marked is done
            assert (change, before["schedule"]["kind"]) == ("claim and mark", "once"), name
            continue
        now = after[before["id"]]
        assert {key: now.get(key, "lost") for key in before.keys() - OURS} == {
            key: value for key, value in before.items() if key not in OURS
        }, name


def test_a_change_of_one_job_leaves_the_others_as_they_were(theirs, home):
    jobs.update_job(theirs["news"]["id"], {"name": "newer"})
    jobs.remove_job(theirs["resting"]["id"])
    created = jobs.create_job("mine", "every 1h")
    after = stored(home)
    del after[created["id"]]
    expected = {job["id"]: job for job in theirs.values() if job["name"] != "resting"}
    expected[theirs["news"]["id"]] |= {"name": "newer"}
    assert after == expected


def test_what_they_say_is_due_is_due_and_what_they_run_is_theirs(theirs, monkeypatch):
    ran = []
    monkeypatch.setattr(
        scheduler, "run_job", lambda job: ran.append(job["name"]) or (True, "o", "t", None)
    )
    scheduler.tick(verbose=False)
    # 0.17 leaves no mark on a one-shot that it runs; later ones do, and that is believed.
    held = "run_claim" in theirs["just now"]
    assert sorted(ran) == sorted(["wanted now"] if held else ["just now", "wanted now"])
    assert not jobs.claim_job_for_fire(theirs["chained"]["id"]), "their claim is fresh"
    assert not jobs.claim_job_for_fire(theirs["resting"]["id"]), "they paused it"


def test_an_old_claim_of_theirs_is_taken_over(theirs, monkeypatch):
    later_s = time.time() + 400
    monkeypatch.setattr(time, "time", lambda: later_s)
    assert jobs.claim_job_for_fire(theirs["chained"]["id"])


def need_hermes_agent():
    if not AGENT_PYTHON.exists():
        pytest.skip("NOT_RUN: no .venv-agent; `make bench` makes it")


def test_hermes_agent_itself_reads_our_file_and_keeps_our_fields(home):
    """With the real thing, in an environment of its own that `make bench` makes."""
    need_hermes_agent()
    ids = {
        name: jobs.create_job(f"do {name}", when, name=name, **more)["id"]
        for name, when, more in (
            ("hourly", "every 1h", {"repeat": 5}),
            ("claimed", "0 9 * * 1-5", {"deliver": "telegram:1"}),
            ("paused", "every 1d", {}),
            ("once", "3h", {}),
            ("due", "every 30m", {}),
        )
    }
    jobs.claim_job_for_fire(ids["claimed"])
    jobs.pause_job(ids["paused"], "on holiday")
    jobs.mark_job_run(ids["hourly"], False, "ValueError: no")
    jobs.trigger_job(ids["due"])
    with store.current_store().edit() as edit:
        edit.get(ids["once"])["of_a_later_version"] = {"kept": [1, None]}
    before = stored(home)

    done = subprocess.run(
        [AGENT_PYTHON, FILES / "read_jobs.py", home], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["loaded"] == list(before.values())
    assert sorted(seen["listed"]) == sorted(ids)
    assert seen["due"] == ["due"]
    assert seen["won"] == {"claimed": False, "hourly": True}

    after = stored(home)
    assert after.keys() == before.keys()
    assert after[ids["hourly"]]["name"] == "renamed"
    for job_id, record in before.items():
        assert record.keys() <= after[job_id].keys()
    assert after[ids["once"]] == before[ids["once"]]
    assert after[ids["claimed"]] == before[ids["claimed"]]
    assert jobs.load_jobs() == list(after.values())
    assert broken_records() == []


def test_the_suites_in_its_style_hold_for_hermes_agent_itself(home):
    """What tests/hermes_cron/test_compat.py runs on ours means there what it means here."""
    need_hermes_agent()
    for name in ("jobs", "chronos"):
        shutil.copy(OUTSIDERS / f"agent_style_{name}.py", home / f"test_{name}.py")
    done = subprocess.run(
        [AGENT_PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", home],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert "skipped" not in done.stdout
