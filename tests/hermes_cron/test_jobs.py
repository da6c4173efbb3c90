"""The job API: making, changing and completing jobs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from jobs_home import Home, make_home

from hermes_cron import claim_rules, claims, jobs, process, scheduler, settling, store


@pytest.fixture
def home(tmp_path, monkeypatch):
    yield from make_home(tmp_path, monkeypatch)


@pytest.fixture
def told(home, monkeypatch):
    """How often the provider was told of a change, and whether the store was free then."""
    calls = []

    def notify():
        with store.current_store().edit():
            calls.append("free")

    monkeypatch.setattr(scheduler, "_notify_provider_jobs_changed", notify)
    return calls


def at(home: Home, **later: float) -> str:
    return (home.at + timedelta(**later)).isoformat()


class TestCreate:
    def test_a_recurring_job_is_planned(self, home, told):
        job = jobs.create_job("Say hello to everybody", "every 2h", deliver="telegram")
        assert job["name"] == "Say hello to everybody"
        assert job["next_run_at"] == at(home, hours=2)
        assert job["repeat"] == {"times": None, "completed": 0}
        assert (job["state"], job["enabled"], job["deliver"]) == ("scheduled", True, "telegram")
        assert jobs.get_job(job["id"]) == job
        assert len(job["id"]) == 12
        assert told == ["free"]

    def test_a_one_shot_runs_once(self, home):
        job = jobs.create_job("x", "30m")
        assert job["repeat"] == {"times": 1, "completed": 0}
        assert job["next_run_at"] == at(home, minutes=30)

    @pytest.mark.parametrize("repeat", [0, -1, None])
    def test_no_number_means_for_ever(self, home, repeat):
        assert jobs.create_job("x", "every 1h", repeat=repeat)["repeat"]["times"] is None

    def test_a_time_long_past_is_refused(self, home, told):
        """TIME-6, #59395."""
        with pytest.raises(ValueError, match="past"):
            jobs.create_job("x", at(home, seconds=-121))
        assert jobs.load_jobs() == []
        assert told == []

    def test_a_time_just_past_is_due_at_once(self, home):
        jobs.create_job("x", at(home, seconds=-119))
        assert len(jobs.get_due_jobs()) == 1

    @pytest.mark.parametrize("schedule", ["", "every", "0 0 31 2 *", "61 * * * *", "tomorrow"])
    def test_a_bad_schedule_is_refused(self, home, schedule):
        """TIME-7."""
        with pytest.raises(ValueError):
            jobs.create_job("x", schedule)

    def test_a_script_job_needs_a_script(self, home):
        with pytest.raises(ValueError, match="needs a script"):
            jobs.create_job("x", "every 1h", no_agent=True)

    @pytest.mark.parametrize("workdir", ["relative", "/no/such/folder/at/all"])
    def test_a_workdir_has_to_be_there(self, home, workdir):
        with pytest.raises(ValueError, match="workdir"):
            jobs.create_job("x", "every 1h", workdir=workdir)

    def test_ids_come_from_one_place(self, home, monkeypatch):
        monkeypatch.setattr(process, "new_id", lambda: "fromthere")
        assert jobs.create_job("x", "every 1h")["id"] == "fromthere"

    def test_the_agents_fields_are_kept(self, home):
        job = jobs.create_job("x", "every 1h", skill=" a ", context_from="other", model=" m ")
        assert (job["skills"], job["skill"]) == (["a"], "a")
        assert (job["context_from"], job["model"]) == (["other"], "m")


class TestRead:
    def test_load_adds_nothing_and_list_fills_in(self, home):
        home.plant(prompt=None, unknown={"kept": [1]})
        [loaded] = jobs.load_jobs()
        assert set(loaded) == {"id", "name", "prompt", "schedule", "next_run_at", "unknown"}
        [listed] = jobs.list_jobs()
        assert (listed["prompt"], listed["state"], listed["enabled"]) == ("", "scheduled", True)
        assert listed["schedule_display"] == "every 60m"
        assert listed["unknown"] == {"kept": [1]}

    def test_what_is_handed_out_is_a_copy(self, home):
        home.plant(repeat={"times": 3})
        for handed in (jobs.load_jobs()[0], jobs.list_jobs()[0], jobs.get_job("job")):
            handed["repeat"]["times"] = 99
        assert home.job()["repeat"] == {"times": 3}

    def test_disabled_jobs_are_listed_on_request(self, home):
        home.plant(enabled=False)
        assert jobs.list_jobs() == []
        assert len(jobs.list_jobs(include_disabled=True)) == 1

    def test_a_job_is_found_by_id_before_name(self, home):
        home.plant(id="a", name="b")
        home.plant(id="b", name="Nightly")
        assert jobs.resolve_job_ref("b")["id"] == "b"
        assert jobs.resolve_job_ref("nightly")["id"] == "b"
        assert jobs.resolve_job_ref("nobody") is None
        assert jobs.resolve_job_ref("") is None

    def test_a_name_of_several_is_ambiguous(self, home):
        home.plant(id="a", name="same")
        home.plant(id="b", name="Same")
        with pytest.raises(jobs.AmbiguousJobReference, match="a, b") as caught:
            jobs.resolve_job_ref("same")
        assert [job["id"] for job in caught.value.matches] == ["a", "b"]

    def test_save_replaces_all_and_the_provider_is_told(self, home, told):
        """RECON-11: once it is stored, outside the lock; not of what is refused."""
        home.plant()
        jobs.save_jobs([{"id": "new"}])
        assert jobs.load_jobs() == [{"id": "new"}]
        assert told == ["free"]
        with pytest.raises(TypeError):
            jobs.save_jobs([{"id": "new", "prompt": object()}])
        assert told == ["free"]


class TestChange:
    def test_update_plans_anew_when_the_schedule_changes(self, home, told):
        home.plant()
        changed = jobs.update_job("job", {"schedule": "every 2h", "name": "other"})
        assert (changed["next_run_at"], changed["name"]) == (at(home, hours=2), "other")
        assert changed["schedule_display"] == "every 120m"
        assert told == ["free"]

    def test_update_of_something_else_moves_nothing(self, home):
        home.plant(next_run_at=at(home, minutes=7))
        jobs.update_job("job", {"prompt": "new", "schedule": home.job()["schedule"]})
        assert home.job()["next_run_at"] == at(home, minutes=7)

    def test_the_id_cannot_change(self, home, told):
        home.plant()
        with pytest.raises(ValueError, match="id cannot be changed"):
            jobs.update_job("job", {"id": "../escape"})
        assert told == []

    @pytest.mark.parametrize(
        "schedule",
        [
            "0 0 31 2 *",
            {"kind": "cron", "expr": "0 0 31 2 *"},
            {"kind": "interval", "minutes": 0},
            5,
        ],
    )
    def test_update_refuses_a_bad_schedule(self, home, schedule):
        """TIME-7."""
        planted = home.plant()
        with pytest.raises(ValueError):
            jobs.update_job("job", {"schedule": schedule})
        assert home.job() == planted

    def test_update_refuses_a_past_time(self, home):
        """TIME-6."""
        home.plant()
        with pytest.raises(ValueError, match="past"):
            jobs.update_job("job", {"schedule": at(home, hours=-1)})

    def test_a_new_schedule_withdraws_a_promise_for_the_old_one(self, home):
        """ONCE-4."""
        home.plant()
        claims.reserve("job", at(home))
        jobs.update_job("job", {"schedule": "0 18 * * *"})
        assert not home.job()["fire_claim"]
        assert home.job()["next_run_at"] == "2026-03-02T18:00:00+00:00"

    @pytest.mark.parametrize("is_on", [False, True])
    def test_a_recurring_job_that_becomes_a_one_shot_runs_once_more(self, home, is_on):
        """Whatever ran before, and a run that is on, are not the run that was asked for."""
        home.plant(repeat={"times": None, "completed": 3})
        if is_on:
            assert jobs.claim_job_for_fire("job")
        jobs.update_job("job", {"schedule": "40m"})
        if is_on:
            jobs.mark_job_run("job", success=True)
        assert jobs.get_due_jobs() == []
        assert home.job()["next_run_at"] == at(home, minutes=40)
        home.wait(minutes=40)
        assert [job["id"] for job in jobs.get_due_jobs()] == ["job"]
        assert jobs.claim_job_for_fire("job")
        jobs.mark_job_run("job", success=True)
        assert home.gone() or not home.job()["enabled"]

    def test_a_number_for_repeat_keeps_what_was_counted(self, home):
        home.plant(repeat={"times": 5, "completed": 2})
        assert jobs.update_job("job", {"repeat": 9})["repeat"] == {"times": 9, "completed": 2}

    def test_what_is_not_there_is_not_changed(self, home, told):
        for change in (
            lambda: jobs.update_job("nobody", {"name": "x"}),
            lambda: jobs.pause_job("nobody"),
            lambda: jobs.resume_job("nobody"),
            lambda: jobs.trigger_job("nobody"),
        ):
            assert change() is None
        assert jobs.remove_job("nobody") is False
        assert told == []

    def test_pause_and_resume(self, home, told):
        home.plant(name="Nightly")
        paused = jobs.pause_job("nightly", reason="holiday")
        assert (paused["state"], paused["enabled"]) == ("paused", False)
        assert (paused["paused_at"], paused["paused_reason"]) == (at(home), "holiday")
        assert jobs.get_due_jobs() == []
        home.wait(hours=5)
        resumed = jobs.resume_job("job")
        assert (resumed["state"], resumed["enabled"]) == ("scheduled", True)
        assert (resumed["paused_at"], resumed["next_run_at"]) == (None, at(home, hours=1))
        assert told == ["free", "free"]

    def test_a_one_shot_whose_time_passed_is_not_resumed(self, home):
        """TIME-6, the second door."""
        home.plant(schedule={"kind": "once", "run_at": at(home)}, state="paused", enabled=False)
        home.wait(seconds=121)
        with pytest.raises(ValueError, match="past"):
            jobs.resume_job("job")

    def test_a_one_shot_that_is_being_run_is_not_resumed_into_a_second_run(self, home):
        at = home.at.isoformat()
        once = {"kind": "once", "run_at": at, "display": "once"}
        home.plant(schedule=once, repeat={"times": 3, "completed": 0}, next_run_at=at)
        [claimed] = jobs.claim_due(jobs.get_due_jobs())
        home.wait(seconds=30)
        assert jobs.resume_job("job")["next_run_at"] is None
        settling.release(claim_rules.execution_of(claimed))
        assert home.job()["next_run_at"] == at

    def test_a_one_shot_that_was_run_is_not_resumed_into_a_second_run(self, home):
        home.plant(
            schedule={"kind": "once", "run_at": at(home)}, last_run_at=at(home), next_run_at=None
        )
        with pytest.raises(ValueError, match="run once and has"):
            jobs.resume_job("job")

    def test_trigger_makes_due_and_leaves_the_grid(self, home):
        """TIME-3."""
        home.plant(next_run_at=at(home, minutes=20), state="paused", enabled=False)
        jobs.trigger_job("job")
        slot = at(home, minutes=20)
        assert scheduler.tick() == 1
        assert home.job()["next_run_at"] == slot
        assert "grid_at" not in home.job()

    def test_trigger_twice_leaves_the_grid_too(self, home):
        home.plant(next_run_at=at(home, minutes=20))
        slot = at(home, minutes=20)
        jobs.trigger_job("job")
        home.wait(seconds=5)
        jobs.trigger_job("job")
        assert scheduler.tick() == 1
        assert home.job()["next_run_at"] == slot

    def test_a_cron_job_that_is_triggered_keeps_its_time(self, home):
        home.plant(
            schedule={"kind": "cron", "expr": "0 9 * * *"}, next_run_at="2026-03-02T09:00:00+00:00"
        )
        jobs.trigger_job("job")
        assert scheduler.tick() == 1
        assert home.job()["next_run_at"] == "2026-03-02T09:00:00+00:00"

    def test_remove(self, home, told):
        home.plant(name="Nightly")
        assert jobs.remove_job("NIGHTLY") is True
        assert jobs.load_jobs() == []
        assert told == ["free"]


class TestComputeNextRun:
    def test_an_interval_is_the_last_run_plus_its_period(self, home):
        every = {"kind": "interval", "minutes": 30}
        assert jobs.compute_next_run(every) == at(home, minutes=30)
        assert jobs.compute_next_run(every, at(home, minutes=-7)) == at(home, minutes=23)
        assert jobs.compute_next_run(every, "garbage") == at(home, minutes=30)

    def test_a_one_shot_is_its_time_as_stored(self, home):
        for late_s, expected in ((3600, True), (-120, True), (-121, False)):
            once = {"kind": "once", "run_at": at(home, seconds=late_s)}
            assert jobs.compute_next_run(once) == (once["run_at"] if expected else None)
        assert jobs.compute_next_run({"kind": "once", "run_at": at(home)}, at(home)) is None

    @pytest.mark.parametrize(
        "schedule", [None, "x", {}, {"kind": "cron", "expr": "x"}, {"kind": 1}]
    )
    def test_what_is_no_schedule_has_no_time(self, home, schedule):
        assert jobs.compute_next_run(schedule) is None

    def test_the_clock_is_the_one_that_tests_replace(self, home, monkeypatch):
        monkeypatch.setattr(jobs, "_hermes_now", lambda: home.at + timedelta(days=1))
        assert jobs.compute_next_run({"kind": "interval", "minutes": 1}) == at(
            home, days=1, minutes=1
        )


class TestMark:
    def test_the_result_is_stored(self, home):
        home.plant()
        jobs.mark_job_run("job", False, "broken", delivery_error="nobody there")
        job = home.job()
        assert (job["last_status"], job["last_error"]) == ("error", "broken")
        assert (job["last_run_at"], job["last_delivery_error"]) == (at(home), "nobody there")
        jobs.mark_job_run("job", True, "ignored")
        assert (home.job()["last_status"], home.job()["last_error"]) == ("ok", None)

    def test_an_unclaimed_run_moves_the_job_on_along_its_grid(self, home):
        """TIME-3."""
        home.plant()
        home.wait(minutes=25)
        jobs.mark_job_run("job", True)
        assert home.job()["next_run_at"] == "2026-03-02T09:00:00+00:00"

    def test_the_last_run_of_a_limited_job_removes_it(self, home):
        home.plant(repeat={"times": 2, "completed": 0})
        jobs.mark_job_run("job", True)
        assert home.job()["repeat"]["completed"] == 1
        jobs.mark_job_run("job", True)
        assert home.gone()

    def test_a_one_shot_without_a_number_is_completed(self, home):
        home.plant(schedule={"kind": "once", "run_at": at(home)})
        assert scheduler.tick() == 1
        assert (home.job()["state"], home.job()["enabled"]) == ("completed", False)
        home.wait(days=1)
        assert scheduler.tick() == 0

    def test_a_dispatch_that_was_counted_is_not_counted_again(self, home):
        home.plant(schedule={"kind": "once", "run_at": at(home)}, repeat={"times": 2})
        assert jobs.claim_dispatch("job")
        jobs.mark_job_run("job", True)
        assert home.job()["repeat"]["completed"] == 1

    def test_a_recurring_job_without_a_next_time_stays_enabled_in_error(self, home, monkeypatch):
        """LIVE-13, #16265."""
        home.plant()
        monkeypatch.setattr(jobs, "compute_next_run", lambda *_: None)
        jobs.mark_job_run("job", True)
        job = home.job()
        assert (job.get("enabled", True), job["state"], job["next_run_at"]) == (True, "error", None)
        assert "next run" in job["last_error"]

    def test_and_is_planned_again_when_it_can_be(self, home, monkeypatch):
        home.plant()
        with monkeypatch.context() as broken:
            broken.setattr(jobs, "compute_next_run", lambda *_: None)
            jobs.mark_job_run("job", True)
        jobs.get_due_jobs()
        assert (home.job()["state"], home.job()["next_run_at"]) == ("scheduled", at(home, hours=1))

    def test_a_pause_during_the_run_stays(self, home):
        """STORE-3, e5b4cf7be."""
        home.plant()
        home.body = lambda job: jobs.pause_job("job") and (True, "out", "text", None)
        assert scheduler.tick() == 1
        assert (home.job()["state"], home.job()["last_status"]) == ("paused", "ok")

    def test_a_job_that_is_gone_is_no_error(self, home):
        jobs.mark_job_run("nobody", True)

    def test_a_trigger_during_the_run_is_not_lost(self, home):
        home.plant()
        home.body = lambda job: jobs.trigger_job("job") and (True, "out", "text", None)
        scheduler.tick()
        home.body = lambda job: (True, "out", "text", None)
        assert scheduler.tick() == 1


def test_advance_moves_a_due_job_strictly_forward_on_its_grid(home):
    home.plant(next_run_at=at(home, minutes=-90))
    assert jobs.advance_next_run("job")
    assert home.job()["next_run_at"] == at(home, minutes=30)
    assert not jobs.advance_next_run("job")
    home.plant(id="once", schedule={"kind": "once", "run_at": at(home)})
    assert not jobs.advance_next_run("once")
    assert not jobs.advance_next_run("nobody")


def test_a_one_shot_whose_runs_are_used_up_is_not_dispatched(home):
    home.plant(schedule={"kind": "once", "run_at": at(home)}, repeat={"times": 1})
    assert jobs.claim_dispatch("job")
    assert not jobs.claim_dispatch("job")
    assert home.gone()
    assert jobs.claim_dispatch("stranger")


def test_output_is_kept_by_time(home):
    first = jobs.save_job_output("job", "one")
    assert str(first).endswith("job/2026-03-02_08-00-00.md")
    assert store.current_store().outputs("job") == [first]


def test_unknown_fields_survive_every_change(home):
    """STORE-6."""
    home.plant(theirs={"a": [1, None]})
    jobs.update_job("job", {"name": "x"})
    jobs.pause_job("job")
    jobs.trigger_job("job")
    scheduler.tick()
    assert home.job()["theirs"] == {"a": [1, None]}


def test_the_newest_output_stays_in_a_repeated_hour(tmp_path, monkeypatch):
    """The wall goes back from 03:00 to 02:00; what is written then is not the oldest."""
    for home in make_home(tmp_path, monkeypatch, "Europe/Berlin"):
        home.at = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)
        for number in range(70):
            newest = Path(jobs.save_job_output("job", str(number)))
            assert newest.exists(), number
            home.wait(minutes=1)
        kept = sorted(int(Path(path).read_text()) for path in store.current_store().outputs("job"))
        assert kept == list(range(20, 70))
