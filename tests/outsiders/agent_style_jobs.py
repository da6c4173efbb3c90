"""The job API as hermes-agent's own tests use it: its paths, its patches, what it gives back.

Run by tests/hermes_cron/test_compat.py under `pytest -p hermes_cron.compat`. It also holds, as it
stands, against hermes-agent 0.17 and 0.19 themselves; what only the later one has is in `LATER`.
"""

import json
from datetime import datetime, timedelta, timezone
from unittest.mock import MagicMock, patch

import pytest

import cron.jobs as jobs
import cron.scheduler as scheduler

LATER = pytest.mark.skipif(not hasattr(jobs, "claim_dispatch"), reason="since 0.18")


@pytest.fixture(autouse=True)
def tmp_cron_dir(tmp_path, monkeypatch):
    home = tmp_path / ".hermes"
    monkeypatch.setenv("HERMES_HOME", str(home))
    monkeypatch.setattr("cron.jobs.CRON_DIR", home / "cron")
    monkeypatch.setattr("cron.jobs.JOBS_FILE", home / "cron" / "jobs.json")
    monkeypatch.setattr("cron.jobs.OUTPUT_DIR", home / "cron" / "output")
    for name in ("HEARTBEAT", "SUCCESS"):
        file = home / "cron" / f"ticker_{name.lower()}"
        monkeypatch.setattr(f"cron.jobs.TICKER_{name}_FILE", file, raising=False)
    (home / "cron" / "output").mkdir(parents=True)
    return home


def instant(text):
    return datetime.fromisoformat(text)


def now():
    return datetime.now(timezone.utc)


def make_due(job, seconds=30):
    return jobs.update_job(
        job["id"], {"next_run_at": (now() - timedelta(seconds=seconds)).isoformat()}
    )


class TestSchedules:
    @pytest.mark.parametrize(("text", "minutes"), [("30m", 30), ("2h", 120), ("1d", 1440)])
    def test_durations_are_minutes(self, text, minutes):
        assert jobs.parse_duration(text) == minutes

    @pytest.mark.parametrize("text", ["", "abc", "30x", "m30"])
    def test_what_is_no_duration(self, text):
        with pytest.raises(ValueError):
            jobs.parse_duration(text)

    def test_kinds(self):
        assert jobs.parse_schedule("every 30m")["kind"] == "interval"
        assert jobs.parse_schedule("every 2h")["minutes"] == 120
        cron = jobs.parse_schedule("0 9 * * *")
        assert (cron["kind"], cron["expr"]) == ("cron", "0 9 * * *")
        once = jobs.parse_schedule("30m")
        assert once["kind"] == "once"
        assert timedelta(minutes=29) < instant(once["run_at"]) - now() < timedelta(minutes=31)
        at = jobs.parse_schedule("2030-01-15T14:00:00")
        assert at["kind"] == "once"
        assert "2030-01-15" in at["run_at"]
        assert all(
            jobs.parse_schedule(text)["display"] for text in ("30m", "every 1d", "0 9 * * *")
        )

    @pytest.mark.parametrize("text", ["", "tomorrow-ish", "every", "99 9 * * *"])
    def test_what_is_no_schedule(self, text):
        with pytest.raises(ValueError):
            jobs.parse_schedule(text)

    def test_next_run_of_an_interval_counts_from_the_last(self):
        last = now() - timedelta(minutes=10)
        following = jobs.compute_next_run({"kind": "interval", "minutes": 30}, last.isoformat())
        assert instant(following) == last + timedelta(minutes=30)

    def test_next_run_of_a_one_shot_is_as_stored_within_the_grace(self):
        soon = (now() - timedelta(seconds=60)).isoformat()
        late = (now() - timedelta(hours=1)).isoformat()
        assert jobs.compute_next_run({"kind": "once", "run_at": soon}) == soon
        assert jobs.compute_next_run({"kind": "once", "run_at": late}) is None
        assert jobs.compute_next_run({"kind": "once", "run_at": soon}, last_run_at=soon) is None

    def test_next_run_of_a_cron_lies_ahead(self):
        assert instant(jobs.compute_next_run({"kind": "cron", "expr": "* * * * *"})) > now()


class TestChanging:
    def test_create_and_get(self):
        job = jobs.create_job(prompt="Check the server", schedule="every 1h", name="check")
        stored = jobs.get_job(job["id"])
        assert (stored["name"], stored["prompt"]) == ("check", "Check the server")
        assert (stored["enabled"], stored["state"]) == (True, "scheduled")
        assert stored["repeat"] == {"times": None, "completed": 0}
        assert instant(stored["next_run_at"]) > now()
        assert jobs.get_job("nothing") is None

    def test_a_one_shot_is_limited_to_one_run(self):
        assert jobs.create_job(prompt="x", schedule="30m")["repeat"]["times"] == 1
        assert jobs.create_job(prompt="x", schedule="every 1h", repeat=3)["repeat"]["times"] == 3

    def test_listing(self):
        kept = jobs.create_job(prompt="kept", schedule="every 1h")
        rests = jobs.create_job(prompt="rests", schedule="every 1h")
        jobs.pause_job(rests["id"])
        assert [job["id"] for job in jobs.list_jobs()] == [kept["id"]]
        assert len(jobs.list_jobs(include_disabled=True)) == 2

    def test_updating(self):
        job = jobs.create_job(prompt="x", schedule="every 1h")
        assert jobs.update_job(job["id"], {"name": "new"})["name"] == "new"
        slower = jobs.update_job(job["id"], {"schedule": "every 2h"})
        assert slower["schedule"]["minutes"] == 120
        assert instant(slower["next_run_at"]) > instant(job["next_run_at"])
        assert jobs.update_job("nothing", {"name": "x"}) is None

    def test_pausing_and_resuming(self):
        job = jobs.create_job(prompt="x", schedule="every 1h")
        paused = jobs.pause_job(job["id"], reason="holiday")
        assert (paused["enabled"], paused["state"]) == (False, "paused")
        assert (paused["paused_reason"], bool(paused["paused_at"])) == ("holiday", True)
        resumed = jobs.resume_job(job["id"])
        assert (resumed["enabled"], resumed["state"]) == (True, "scheduled")
        assert (resumed["paused_at"], resumed["paused_reason"]) == (None, None)
        assert jobs.pause_job("nothing") is None

    def test_triggering_makes_it_due(self):
        job = jobs.create_job(prompt="x", schedule="every 1h")
        jobs.trigger_job(job["id"])
        assert [one["id"] for one in jobs.get_due_jobs()] == [job["id"]]

    def test_removing(self):
        job = jobs.create_job(prompt="x", schedule="every 1h")
        assert jobs.remove_job(job["id"]) is True
        assert jobs.remove_job(job["id"]) is False
        assert jobs.list_jobs() == []

    def test_references(self):
        job = jobs.create_job(prompt="x", schedule="every 1h", name="Mine")
        assert jobs.resolve_job_ref(job["id"])["id"] == job["id"]
        assert jobs.resolve_job_ref("mine")["id"] == job["id"]
        assert jobs.resolve_job_ref("nobody") is None
        jobs.create_job(prompt="y", schedule="every 1h", name="mine")
        with pytest.raises(jobs.AmbiguousJobReference):
            jobs.resolve_job_ref("mine")

    def test_fields_of_later_versions_stay(self):
        job = jobs.create_job(prompt="x", schedule="every 1h")
        document = json.loads(jobs.JOBS_FILE.read_text())
        document["jobs"][0]["of_tomorrow"] = {"a": [1]}
        jobs.JOBS_FILE.write_text(json.dumps(document))
        jobs.update_job(job["id"], {"name": "new"})
        jobs.mark_job_run(job["id"], True)
        assert json.loads(jobs.JOBS_FILE.read_text())["jobs"][0]["of_tomorrow"] == {"a": [1]}

    def test_load_adds_nothing(self):
        jobs.save_jobs([{"id": "bare", "schedule": {"kind": "interval", "minutes": 5}}])
        assert jobs.load_jobs() == [{"id": "bare", "schedule": {"kind": "interval", "minutes": 5}}]
        assert [job["id"] for job in jobs.list_jobs()] == ["bare"]


class TestRunning:
    def test_due_jobs(self):
        due = make_due(jobs.create_job(prompt="due", schedule="every 1h"))
        jobs.create_job(prompt="later", schedule="every 1h")
        rests = make_due(jobs.create_job(prompt="rests", schedule="every 1h"))
        jobs.pause_job(rests["id"])
        assert [job["id"] for job in jobs.get_due_jobs()] == [due["id"]]

    def test_advancing(self):
        job = make_due(jobs.create_job(prompt="x", schedule="every 1h"))
        assert jobs.advance_next_run(job["id"]) is True
        assert instant(jobs.get_job(job["id"])["next_run_at"]) > now()
        once = jobs.create_job(prompt="x", schedule="30m")
        assert jobs.advance_next_run(once["id"]) is False
        assert jobs.advance_next_run("nothing") is False

    def test_first_claim_wins_and_moves_the_next_run(self):
        job = make_due(jobs.create_job(prompt="x", schedule="every 1h"))
        assert jobs.claim_job_for_fire(job["id"]) is True
        claimed = jobs.get_job(job["id"])
        assert {"at", "by"} <= claimed["fire_claim"].keys()
        assert instant(claimed["next_run_at"]) > now()
        assert jobs.claim_job_for_fire(job["id"]) is False

    def test_an_old_claim_is_taken_over(self):
        job = jobs.create_job(prompt="x", schedule="every 1h")
        old = (now() - timedelta(seconds=400)).isoformat()
        jobs.update_job(job["id"], {"fire_claim": {"at": old, "by": "another:1"}})
        assert jobs.claim_job_for_fire(job["id"], claim_ttl_seconds=500) is False
        assert jobs.claim_job_for_fire(job["id"]) is True

    def test_what_cannot_be_claimed(self):
        paused = jobs.create_job(prompt="x", schedule="every 1h")
        jobs.pause_job(paused["id"])
        assert jobs.claim_job_for_fire(paused["id"]) is False
        assert jobs.claim_job_for_fire("nothing") is False

    def test_completion_clears_the_claim(self):
        job = jobs.create_job(prompt="x", schedule="every 1h")
        jobs.claim_job_for_fire(job["id"])
        jobs.mark_job_run(job["id"], True)
        assert not jobs.get_job(job["id"]).get("fire_claim")
        assert jobs.claim_job_for_fire(job["id"]) is True

    @LATER
    def test_dispatches_of_a_one_shot_are_counted_before_it_runs(self):
        once = jobs.create_job(prompt="x", schedule="30m")
        assert jobs.claim_dispatch(once["id"]) is True
        assert jobs.claim_dispatch(once["id"]) is False
        recurring = jobs.create_job(prompt="x", schedule="every 1h")
        assert all(jobs.claim_dispatch(recurring["id"]) for _ in range(3))

    def test_marking(self):
        job = jobs.create_job(prompt="x", schedule="every 1h")
        jobs.mark_job_run(job["id"], True)
        marked = jobs.get_job(job["id"])
        assert (marked["last_status"], marked["last_error"]) == ("ok", None)
        assert marked["repeat"]["completed"] == 1
        assert instant(marked["last_run_at"]) <= now()
        jobs.mark_job_run(job["id"], False, "no network")
        assert jobs.get_job(job["id"])["last_status"] == "error"
        assert jobs.get_job(job["id"])["last_error"] == "no network"
        jobs.mark_job_run(job["id"], True, None, delivery_error="no chat")
        marked = jobs.get_job(job["id"])
        assert (marked["last_status"], marked["last_delivery_error"]) == ("ok", "no chat")

    def test_the_last_of_its_runs_removes_a_job(self):
        job = jobs.create_job(prompt="x", schedule="every 1h", repeat=2)
        jobs.mark_job_run(job["id"], True)
        assert jobs.get_job(job["id"]) is not None
        jobs.mark_job_run(job["id"], True)
        assert jobs.get_job(job["id"]) is None

    def test_a_recurring_job_whose_next_run_is_unknown_stays_enabled(self):
        job = jobs.create_job(prompt="x", schedule="0 9 * * *")
        with patch("cron.jobs.compute_next_run", return_value=None):
            jobs.mark_job_run(job["id"], True)
        marked = jobs.get_job(job["id"])
        assert (marked["enabled"], marked["state"]) == (True, "error")
        assert marked["last_error"]

    def test_outputs_are_files_of_the_job(self):
        job = jobs.create_job(prompt="x", schedule="every 1h")
        jobs.save_job_output(job["id"], "# result")
        (written,) = (jobs.OUTPUT_DIR / job["id"]).glob("*.md")
        assert written.read_text() == "# result"
        assert written.stat().st_mode & 0o777 == 0o600
        for bad in ("../x", "a/b", ""):
            with pytest.raises(ValueError):
                jobs.save_job_output(bad, "x")

    @LATER
    def test_heartbeats(self):
        assert jobs.get_ticker_heartbeat_age() is None
        assert jobs.get_ticker_success_age() is None
        jobs.record_ticker_heartbeat()
        assert 0 <= jobs.get_ticker_heartbeat_age() < 5
        assert jobs.get_ticker_success_age() is None
        jobs.record_ticker_heartbeat(success=True)
        assert 0 <= jobs.get_ticker_success_age() < 5


class TestRunOneJob:
    LOOSE = {"id": "loose", "name": "loose", "prompt": "x"}

    def run(self, outcome, monkeypatch):
        """What `run_one_job` gave, how it marked the job, and what it delivered."""

        def run_job(job, **_):
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        delivered, mark = [], MagicMock()
        monkeypatch.setattr(scheduler, "run_job", run_job)
        for module in (jobs, scheduler):  # hermes-agent's scheduler has them by name
            for name, double in (("mark_job_run", mark), ("save_job_output", MagicMock())):
                if hasattr(module, name):
                    monkeypatch.setattr(module, name, double)
        monkeypatch.setattr(
            scheduler,
            "_deliver_result",
            lambda job, content, **_: delivered.append(content),
        )
        value = scheduler.run_one_job(dict(self.LOOSE))
        return value, mark.call_args.args[:2], delivered

    def test_success_is_delivered_and_marked(self, monkeypatch):
        outcome = (True, "output", "the answer", None)
        assert self.run(outcome, monkeypatch) == (True, ("loose", True), ["the answer"])

    def test_silence_is_not_delivered(self, monkeypatch):
        outcome = (True, "output", "[SILENT]", None)
        assert self.run(outcome, monkeypatch) == (True, ("loose", True), [])

    def test_nothing_said_is_a_failure(self, monkeypatch):
        value, marked, _ = self.run((True, "output", "  ", None), monkeypatch)
        assert (value, marked) == (True, ("loose", False))

    def test_a_failure_is_a_run(self, monkeypatch):
        value, marked, _ = self.run((False, "output", "", "no"), monkeypatch)
        assert (value, marked) == (True, ("loose", False))

    def test_what_is_raised_is_marked_and_false(self, monkeypatch):
        value, marked, _ = self.run(ValueError("no"), monkeypatch)
        assert (value, marked) == (False, ("loose", False))
