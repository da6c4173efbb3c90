"""At most one run per occurrence (CONTRACT.md ONCE, FIRE, LIVE-9)."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from unittest import mock

import pytest
from jobs_home import Home, make_home

from hermes_cron import (
    claim_rules,
    claims,
    clock,
    executions,
    jobs,
    leases,
    pending,
    process,
    promises,
    recovery,
    scheduler,
    settling,
    store,
)


@pytest.fixture
def home(tmp_path, monkeypatch):
    yield from make_home(tmp_path, monkeypatch)


@pytest.fixture
def hourly(home: Home):
    home.plant()
    return "job"


def iso(home: Home, **late: float) -> str:
    return (home.at + timedelta(**late)).isoformat()


class TestReserve:
    def test_the_jobs_occurrence_is_claimed_once_and_the_next_one_planned(self, home, hourly):
        fire_at = iso(home)
        found = claims.reserve("job", fire_at)
        assert (found.outcome, found.execution.occurrence, found.execution.token) == (
            "reserved",
            fire_at,
            1,
        )
        assert home.job()["next_run_at"] == iso(home, hours=1)
        assert claims.reserve("job", fire_at).reason == "duplicate"

    @pytest.mark.parametrize("late_s", [5, 60, 299, 301, 400, 3500, 7300, 864000])
    def test_a_redelivery_after_completion_however_late_wins_nothing(self, home, hourly, late_s):
        """ONCE-3."""
        fire_at = iso(home)
        assert claims.reserve("job", fire_at).outcome == "reserved"
        assert jobs.claim_job_for_fire("job")
        assert scheduler.run_one_job(jobs.get_job("job"))
        home.wait(seconds=late_s)
        found = claims.reserve("job", fire_at)
        assert (found.outcome, home.ran) == ("ignored", ["job"])

    def test_the_same_instant_in_another_notation_is_the_same_occurrence(self, home, hourly):
        assert claims.reserve("job", "2026-03-02T09:00:00+01:00").outcome == "reserved"
        assert claims.reserve("job", "2026-03-02T08:00:00Z").reason == "duplicate"

    def test_a_fire_for_what_is_not_the_jobs_occurrence_is_stale(self, home, hourly):
        """ONCE-4: armed for 09:00, then moved to 18:00."""
        home.plant(next_run_at=iso(home, hours=10))
        assert claims.reserve("job", iso(home)).reason == "stale"
        assert home.job()["next_run_at"] == iso(home, hours=10)

    def test_too_early_by_more_than_30_s_is_not_lost(self, home):
        """ONCE-5."""
        home.plant(next_run_at=iso(home, seconds=31))
        assert claims.reserve("job", iso(home, seconds=31)).reason == "early"
        home.wait(seconds=1)
        assert claims.reserve("job", iso(home, seconds=30)).outcome == "reserved"

    @pytest.mark.parametrize(
        ("fields", "reason"),
        [
            ({"state": "paused"}, "paused"),
            ({"enabled": False}, "disabled"),
            ({"state": "completed"}, "completed"),
        ],
    )
    def test_what_may_not_run_is_not_claimed(self, home, fields, reason):
        """FIRE-4; a paused state wins over enabled."""
        home.plant(**fields)
        assert claims.reserve("job", iso(home)).reason == reason
        assert not jobs.claim_job_for_fire("job")

    def test_an_unknown_job_is_gone(self, home):
        assert claims.reserve("nobody", iso(home)).outcome == "gone"

    def test_garbage_for_an_instant_is_refused(self, home, hourly):
        assert claims.reserve("job", "soon").reason == "malformed"

    def test_an_occurrence_that_comes_while_the_job_runs_is_recorded_as_skipped(self, home, hourly):
        """LIVE-6."""
        assert claims.reserve("job", iso(home)).outcome == "reserved"
        assert jobs.claim_job_for_fire("job")
        running = scheduler.runs.hold(jobs.get_job("job"))
        home.wait(hours=1)
        leases._renew([running])
        found = claims.reserve("job", iso(home))
        assert (found.outcome, found.reason) == ("ignored", "running")
        assert home.job()["next_run_at"] == iso(home, hours=1)
        assert ("skipped", "09:00") in home.trace("job")
        scheduler.runs.drop(running)

    def test_a_late_fire_into_a_run_records_all_that_came_since(self, home, hourly):
        """LIVE-6: the job moves on past now, so nothing else would tell of them."""
        assert claims.reserve("job", iso(home)).outcome == "reserved"
        assert jobs.claim_job_for_fire("job")
        running = scheduler.runs.hold(jobs.get_job("job"))
        first = iso(home, hours=1)
        home.wait(hours=3, minutes=20)
        leases._renew([running])
        assert claims.reserve("job", first).reason == "running"
        skipped = [at for state, at in home.trace("job") if state == "skipped"]
        assert skipped == ["09:00", "10:00", "11:00"]
        assert home.job()["next_run_at"] == "2026-03-02T12:00:00+00:00"
        scheduler.runs.drop(running)

    def test_a_fire_into_a_run_of_a_broken_schedule_is_ignored(self, home):
        """It was triggered; that nothing can be computed is no reason for NAS to try for ever."""
        home.plant(schedule={"kind": "cron", "expr": "61 * * * *", "display": "61 * * * *"})
        assert claims.reserve("job", iso(home)).outcome == "reserved"
        assert jobs.claim_job_for_fire("job")
        running = scheduler.runs.hold(jobs.get_job("job"))
        home.wait(minutes=2)
        assert jobs.trigger_job("job")
        assert claims.reserve("job", home.job()["next_run_at"]).reason == "running"
        assert home.trace("job")[-1] == ("skipped", "08:02")
        scheduler.runs.drop(running)

    @pytest.mark.parametrize("on", [False, True], ids=["late", "while a run is on"])
    def test_what_comes_after_a_trigger_is_told_by_the_grid_of_the_job(self, home, on):
        """It is asked for at 08:20, and comes each hour at 40."""
        home.wait(minutes=-20)
        home.plant(schedule={"kind": "interval", "minutes": 60})
        home.wait(minutes=20)
        assert claims.reserve("job", home.job()["next_run_at"]).outcome == "reserved"
        assert jobs.claim_job_for_fire("job")
        running = scheduler.runs.hold(jobs.get_job("job"))
        if not on:
            jobs.mark_job_run("job", success=True)
            scheduler.runs.drop(running)
        home.wait(minutes=20)
        assert jobs.trigger_job("job")
        fire_at = home.job()["next_run_at"]
        home.wait(hours=2)
        before = len(home.trace())
        assert claims.reserve("job", fire_at).outcome == ("ignored" if on else "reserved")
        assert home.trace()[before:] == (
            [("skipped", "08:20"), ("skipped", "08:40"), ("skipped", "09:40")]
            if on
            else [("missed", "08:40"), ("missed", "09:40"), ("claimed", "08:20")]
        )
        scheduler.runs.drop(running)

    def test_a_late_fire_records_what_it_jumps_over(self, home, hourly):
        fire_at = iso(home)
        home.wait(hours=3, minutes=20)
        assert claims.reserve("job", fire_at).outcome == "reserved"
        assert home.trace() == [
            ("missed", "09:00"),
            ("missed", "10:00"),
            ("missed", "11:00"),
            ("claimed", "08:00"),
        ]
        assert home.job()["next_run_at"] == "2026-03-02T12:00:00+00:00"

    def test_what_comes_in_the_instant_of_a_late_fire_is_jumped_over_too(self, home, hourly):
        fire_at = iso(home)
        home.wait(hours=1)
        assert claims.reserve("job", fire_at).outcome == "reserved"
        assert home.trace() == [("missed", "09:00"), ("claimed", "08:00")]
        assert home.job()["next_run_at"] == "2026-03-02T10:00:00+00:00"

    def test_what_is_jumped_over_in_a_repeated_hour_is_recorded(self, tmp_path, monkeypatch):
        """The wall says 02:10 for the second time: 02:30 and 02:00 were before it."""
        for home in make_home(tmp_path, monkeypatch, "Europe/Berlin"):
            home.at = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)
            home.plant(schedule={"kind": "interval", "minutes": 30})
            home.wait(minutes=70)
            assert claims.reserve("job", None).outcome == "reserved"
            trace = [(entry["state"], entry["occurrence"]) for entry in executions.attempts("job")]
            assert trace == [
                ("missed", "2026-10-25T02:30:00+02:00"),
                ("missed", "2026-10-25T02:00:00+01:00"),
                ("claimed", "2026-10-25T02:00:00+02:00"),
            ]

    def test_without_fire_at_the_first_caller_wins(self, home, hourly):
        assert claims.reserve("job", None).outcome == "reserved"
        assert claims.reserve("job", None).reason == "duplicate"

    def test_a_promise_that_nobody_takes_up_ends_and_the_occurrence_is_due_again(
        self, home, hourly
    ):
        """The gateway dies after its 202: LIVE-3, LIVE-9."""
        fire_at = iso(home)
        claims.reserve("job", fire_at)
        home.restart()
        home.wait(seconds=301)
        assert [job["id"] for job in jobs.get_due_jobs()] == ["job"]
        assert home.job()["next_run_at"] == fire_at

    def test_a_changed_zone_withdraws_the_old_instant(self, home, monkeypatch):
        """TIME-5 through a webhook: 21:00+10:00 was armed, the zone is now +02:00."""
        home.plant(
            schedule={"kind": "cron", "expr": "0 21 * * *"}, next_run_at="2026-03-02T21:00:00+10:00"
        )
        home.wait(hours=3)  # 11:00 UTC, the instant that was armed
        assert claims.reserve("job", "2026-03-02T21:00:00+10:00").reason == "stale"
        assert home.job()["next_run_at"] == "2026-03-02T21:00:00+00:00"


class TestPlainClaim:
    """hermes-agent's meaning: no occurrence, the first caller wins while the claim is fresh."""

    def test_one_of_two_wins(self, home, hourly):
        assert jobs.claim_job_for_fire("job")
        assert not jobs.claim_job_for_fire("job")

    def test_of_sixteen_threads_one_wins(self, home, hourly):
        """ONCE-1."""
        won = []
        threads = [
            threading.Thread(target=lambda: won.append(jobs.claim_job_for_fire("job")))
            for _ in range(16)
        ]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        assert sorted(won) == [False] * 15 + [True]

    def test_it_moves_the_next_time_also_when_the_job_was_not_due(self, home):
        home.plant(next_run_at=iso(home, minutes=30))
        assert jobs.claim_job_for_fire("job")
        assert home.job()["next_run_at"] == iso(home, minutes=90)

    def test_a_stale_claim_is_taken_over(self, home, hourly):
        assert jobs.claim_job_for_fire("job")
        home.wait(seconds=300)
        assert jobs.claim_job_for_fire("job")

    def test_hermes_agents_bare_claim_counts_for_its_time(self, home, hourly):
        home.change(fire_claim={"at": iso(home, seconds=-299), "by": "elsewhere:1"})
        assert not jobs.claim_job_for_fire("job")
        home.wait(seconds=1)
        assert jobs.claim_job_for_fire("job")

    @pytest.mark.parametrize("ahead_s", [90, 3600, 10**9])
    def test_a_claim_dated_in_the_future_is_taken_over_after_its_time(
        self, home, hourly, ahead_s, monkeypatch
    ):
        """LIVE-9, #60703, beside ONCE-6: a holder whose clock is ahead may live, and renews."""
        now = [0.0]
        monkeypatch.setattr(clock, "monotonic", lambda: now[0])
        home.change(fire_claim={"at": iso(home, seconds=ahead_s), "by": "elsewhere:1"})
        assert not jobs.claim_job_for_fire("job")
        now[0] = 299
        home.change(fire_claim={"at": iso(home, seconds=ahead_s + 299), "by": "elsewhere:1"})
        assert not jobs.claim_job_for_fire("job"), "it was renewed"
        now[0] = 598
        assert jobs.get_due_jobs() == []
        now[0] = 599
        assert jobs.claim_job_for_fire("job")

    def test_a_claim_a_little_ahead_is_another_machines_clock(self, home, hourly):
        home.change(fire_claim={"at": iso(home, seconds=2), "by": "elsewhere:1"})
        assert not jobs.claim_job_for_fire("job")
        home.wait(seconds=302)
        assert jobs.claim_job_for_fire("job")

    @pytest.mark.parametrize("broken", ["yes", 1, {"at": 5}, {"at": "soon", "by": None}, []])
    def test_a_claim_that_is_none_holds_nothing(self, home, hourly, broken):
        home.change(fire_claim=broken)
        assert jobs.claim_job_for_fire("job")

    def test_it_takes_up_a_reservation_once(self, home, hourly):
        claims.reserve("job", iso(home))
        assert jobs.claim_job_for_fire("job")
        assert not jobs.claim_job_for_fire("job")
        assert home.job()["next_run_at"] == iso(home, hours=1), "moved once"

    def test_a_reservation_is_signed_by_who_takes_it_up(self, home, hourly):
        claims.reserve("job", iso(home))
        promised = home.job()["fire_claim"]
        home.restart()
        home.wait(seconds=5)
        assert claims.claim("job", 40)
        assert home.job()["fire_token"] == 2
        assert home.job()["fire_claim"] == promised | {
            "token": 2,
            "reserved": False,
            "leased": True,
            "by": home.state.holder,
            "boot": home.state.boot_id,
            "at": iso(home),
            "expires_at": iso(home, seconds=40),
        }

    def test_its_claim_ends_when_the_caller_says(self, home, hourly):
        assert claims.claim("job", 40)
        assert home.job()["fire_claim"]["expires_at"] == iso(home, seconds=40)

    def test_it_answers_yes_or_no(self, home, hourly):
        won = [claims.claim(name, 300) for name in ("job", "job", "nobody")]
        assert won == [True, False, False]

    def test_a_reservation_that_was_taken_up_is_nobodys_to_give_back(self, home, hourly):
        promised = claims.reserve("job", iso(home)).execution
        assert jobs.claim_job_for_fire("job")
        assert not settling.release(promised)

    def test_completion_makes_the_job_claimable_again(self, home, hourly):
        assert jobs.claim_job_for_fire("job")
        jobs.mark_job_run("job", True)
        assert jobs.claim_job_for_fire("job")

    def test_a_ttl_of_the_callers_own(self, home, hourly):
        assert jobs.claim_job_for_fire("job")
        home.wait(seconds=11)
        assert jobs.claim_job_for_fire("job", claim_ttl_seconds=10)

    def test_a_one_shot_that_died_before_its_body_can_be_taken_over(self, home):
        home.plant(schedule={"kind": "once", "run_at": iso(home)}, repeat={"times": 1})
        assert jobs.claim_job_for_fire("job")
        home.wait(seconds=301)
        assert jobs.claim_job_for_fire("job")
        assert scheduler.run_one_job(jobs.get_job("job"))
        assert home.ran == ["job"]
        assert home.gone()


class TestLease:
    def test_a_run_longer_than_the_time_to_live_is_not_overlapped(self, home, hourly):
        """ONCE-6: renewed, seen by another process."""
        [claimed] = jobs.claim_due(jobs.get_due_jobs())
        running = scheduler.runs.hold(claimed)
        home.wait(seconds=250)
        assert leases._renew([running]) == []
        mine = home.state
        home.restart()
        home.wait(seconds=250)
        assert not jobs.claim_job_for_fire("job")
        home.state = mine
        scheduler.runs.drop(running)

    def test_a_run_of_this_process_is_known_without_a_clock(self, home, hourly):
        """LIVE-11 beside ONCE-6: a clock stepped ahead makes the lease look old."""
        [claimed] = jobs.claim_due(jobs.get_due_jobs())
        running = scheduler.runs.hold(claimed)
        home.wait(days=1)
        assert not jobs.claim_job_for_fire("job")
        assert jobs.get_due_jobs() == []
        scheduler.runs.drop(running)

    def test_a_renewed_lease_holds_against_a_caller_with_a_short_time_of_its_own(
        self, home, hourly
    ):
        assert jobs.claim_job_for_fire("job")
        running = scheduler.runs.hold(jobs.get_job("job"))
        leases._renew([running])
        scheduler.runs.drop(running)
        home.wait(seconds=50)
        assert not jobs.claim_job_for_fire("job", claim_ttl_seconds=10)

    def test_a_lease_counts_from_when_its_lock_was_had(self, home, hourly, monkeypatch):
        [claimed] = jobs.claim_due(jobs.get_due_jobs())
        running = scheduler.runs.hold(claimed)
        here = store.current_store()

        @contextmanager
        def hangs_before_it():
            home.wait(seconds=200)
            with here.edit() as edit:
                yield edit

        with monkeypatch.context() as patched:
            slow = SimpleNamespace(edit=hangs_before_it)
            patched.setattr(store, "current_store", lambda: slow)
            leases._renew([running])
        assert home.job()["fire_claim"]["at"] == iso(home)
        scheduler.runs.drop(running)

    def test_a_lost_claim_is_not_renewed(self, home, hourly):
        [claimed] = jobs.claim_due(jobs.get_due_jobs())
        running = scheduler.runs.hold(claimed)
        home.change(fire_token=9, fire_claim={"at": iso(home), "by": "b:1", "token": 9})
        assert leases._renew([running]) == [running]
        assert home.job()["fire_claim"]["by"] == "b:1"
        scheduler.runs.drop(running)

    def test_a_claim_of_the_same_token_that_is_anothers(self, home, hourly):
        """A disk lost the claim, and the next one got its token again: ONCE-7 all the same."""
        [claimed] = jobs.claim_due(jobs.get_due_jobs())
        running = scheduler.runs.hold(claimed)
        theirs = {**claimed["fire_claim"], "by": "b:1", "execution": "theirs"}
        home.change(fire_claim=theirs)
        with pytest.raises(scheduler.runs.NotBegun, match="another caller"):
            scheduler.runs.begin(claimed, running, home.now())
        assert leases._renew([running]) == [running]
        pending.release(running, "it is another's")
        pending.Result(running, success=True, error=None, delivery_error=None)()
        assert home.job()["fire_claim"] == theirs
        assert running.fenced
        scheduler.runs.drop(running)

    def test_the_claim_of_a_job_that_is_gone_is_lost(self, home, hourly):
        [claimed] = jobs.claim_due(jobs.get_due_jobs())
        running = scheduler.runs.hold(claimed)
        jobs.remove_job("job")
        assert leases._renew([running]) == [running]
        scheduler.runs.drop(running)

    def test_the_keepers_thread_is_there_only_while_something_runs(self, home, hourly):
        others = set(threading.enumerate())

        def keepers():
            found = set(threading.enumerate()) - others
            return [thread for thread in found if thread.name == "cron-leases"]

        [claimed] = jobs.claim_due(jobs.get_due_jobs())
        running = scheduler.runs.hold(claimed)
        assert len(keepers()) == 1
        scheduler.runs.drop(running)
        for thread in keepers():
            thread.join(5)
        assert keepers() == []


class TestFencing:
    def test_the_completion_of_an_owner_that_lost_its_lease_changes_nothing(self, home, hourly):
        """ONCE-7."""
        taken = {
            "at": iso(home, hours=2),
            "by": "b:1",
            "token": 7,
            "expires_at": iso(home, hours=3),
        }

        def overtaken(job):
            home.change(fire_token=7, fire_claim=taken)
            return True, "out", "text", None

        home.body = overtaken
        assert scheduler.tick() == 1
        job = home.job()
        assert (job["fire_claim"], job.get("last_run_at")) == (taken, None)
        [attempt] = executions.attempts("job")
        assert (attempt["state"], attempt["fenced"]) == ("completed", True)

    def test_a_completion_without_a_token_applies(self, home, hourly):
        jobs.claim_due(jobs.get_due_jobs())
        jobs.mark_job_run("job", False, "why")
        assert (home.job()["last_error"], home.job()["fire_claim"]) == ("why", None)

    def test_tokens_only_grow(self, home, hourly):
        tokens = []
        for _ in range(3):
            assert jobs.claim_job_for_fire("job")
            tokens.append(home.job()["fire_claim"]["token"])
            jobs.mark_job_run("job", True)
        assert tokens == [1, 2, 3]


class TestCrash:
    def test_an_interrupted_recurring_run_is_unknown_and_not_repeated(self, home, hourly):
        """ONCE-9, LIVE-6."""
        [claimed] = jobs.claim_due(jobs.get_due_jobs())
        scheduler.runs.begin(claimed, scheduler.runs.hold(claimed), home.at)
        home.restart()
        assert scheduler.recover() == 1
        assert home.trace() == [("unknown", "08:00")]
        assert jobs.get_due_jobs() == []
        assert home.job()["last_status"] == "error"
        home.wait(hours=1)
        assert scheduler.tick() == 1

    def test_an_interrupted_run_is_told_of_when_the_schedule_was_changed_since(self, home, hourly):
        """LIVE-6: the record names the occurrence that was run, whatever the job's times are now."""
        [claimed] = jobs.claim_due(jobs.get_due_jobs())
        scheduler.runs.begin(claimed, scheduler.runs.hold(claimed), home.at)
        home.restart()
        jobs.update_job("job", {"schedule": "every 3h"})
        assert scheduler.recover() == 1
        assert home.trace() == [("unknown", "08:00")]

    def test_an_interrupted_run_is_told_of_when_the_job_was_removed_since(self, home, hourly):
        """LIVE-6: the record outlives the job, and closes; once, and not while the run is on."""
        [claimed] = jobs.claim_due(jobs.get_due_jobs())
        scheduler.runs.begin(claimed, scheduler.runs.hold(claimed), home.at)
        jobs.remove_job("job")
        assert scheduler.recover() == 0, "it runs"
        home.restart()
        assert scheduler.recover() == 1
        assert home.trace("job") == [("unknown", "08:00")]
        assert scheduler.recover() == 0

    def test_an_interrupted_run_is_told_of_when_its_claim_was_lost(self, home, hourly):
        """LIVE-6: the disk forgot the claim, and another gateway ran the occurrence."""
        [claimed] = jobs.claim_due(jobs.get_due_jobs())
        scheduler.runs.begin(claimed, scheduler.runs.hold(claimed), home.at)
        home.change(fire_claim=None)
        assert scheduler.recover() == 0, "it runs"
        home.restart()
        jobs.claim_due(jobs.get_due_jobs())
        assert scheduler.recover() == 1
        assert home.trace() == [("unknown", "08:00")]
        assert scheduler.recover() == 0

    def test_what_ended_and_is_told_later_is_not_taken_for_interrupted(self, home, monkeypatch):
        home.plant()
        keep = store.current_store().append_executions

        def refuse_ends(entries):
            return entries[0]["state"] != "completed" and keep(entries)

        with monkeypatch.context() as broken:
            broken.setattr(store.current_store(), "append_executions", refuse_ends)
            scheduler.tick()
        assert home.trace() == [("running", "08:00")]
        jobs.remove_job("job")
        assert recovery.recover() == 0
        scheduler.tick()
        assert home.trace("job") == [("completed", "08:00")]

    @pytest.mark.parametrize(("ok", "said"), [(True, ("ok", None)), (False, ("error", "why"))])
    def test_what_was_told_and_not_stored_is_stored_by_who_comes_next(self, home, ok, said):
        """ONCE-9: the records say how it ended; it is not run again, and not called unknown."""
        home.plant(
            schedule={"kind": "once", "run_at": iso(home)}, repeat={"times": 3, "completed": 0}
        )
        home.body = lambda _job: (ok, "out", "text", None if ok else "why")
        with mock.patch.object(jobs, "mark_job_run", side_effect=OSError("broken")):
            scheduler.tick()
        home.restart()
        assert scheduler.recover() == 1
        assert (home.job()["last_status"], home.job()["last_error"]) == said
        assert home.job()["fire_claim"] is None
        assert scheduler.tick() == 0
        assert home.trace() == [("completed" if ok else "failed", "08:00")]

    @pytest.mark.parametrize("begun", [True, False])
    def test_a_one_shot_that_was_moved_since_comes_at_its_new_time(self, home, begun):
        """ONCE-4: the old time is not the job's any more, whatever became of its run."""
        home.plant(schedule={"kind": "once", "run_at": iso(home)})
        [claimed] = jobs.claim_due(jobs.get_due_jobs())
        if begun:
            scheduler.runs.begin(claimed, scheduler.runs.hold(claimed), home.at)
        home.restart()
        jobs.update_job("job", {"schedule": "2026-03-02T12:00:00+00:00"})
        scheduler.recover()
        assert home.job()["next_run_at"] == "2026-03-02T12:00:00+00:00"
        assert jobs.get_due_jobs() == []

    def test_what_was_claimed_and_never_began_is_given_back(self, home, hourly):
        jobs.claim_due(jobs.get_due_jobs())
        home.restart()
        assert scheduler.recover() == 1
        assert [job["next_run_at"] for job in jobs.get_due_jobs()] == [iso(home)]
        assert scheduler.tick() == 1

    @pytest.mark.parametrize("repeat", [{"times": 1}, {"times": None}, None, 1])
    def test_a_one_shot_runs_at_most_as_often_as_it_may(self, home, repeat):
        """ONCE-9, #38758: five restarts, one side effect."""
        home.plant(schedule={"kind": "once", "run_at": iso(home)}, repeat=repeat)
        for _ in range(5):
            for claimed in jobs.claim_due(jobs.get_due_jobs()):
                scheduler.runs.begin(claimed, scheduler.runs.hold(claimed), home.at)
                home.ran.append("job")
            home.restart()
            scheduler.recover()
            home.wait(minutes=10)
        assert home.ran == ["job"]
        assert home.gone()
        assert home.trace("job") == [("unknown", "08:00")]

    def test_a_one_shot_that_may_run_twice_does(self, home):
        home.plant(schedule={"kind": "once", "run_at": iso(home)}, repeat={"times": 2})
        for _ in range(5):
            for claimed in jobs.claim_due(jobs.get_due_jobs()):
                scheduler.runs.begin(claimed, scheduler.runs.hold(claimed), home.at)
                home.ran.append("job")
            home.restart()
            scheduler.recover()
        assert home.ran == ["job", "job"]

    def test_claims_of_other_hosts_end_by_their_time(self, home, hourly):
        home.change(fire_claim={"at": iso(home), "by": "elsewhere:1", "boot": "x", "token": 3})
        assert scheduler.recover() == 0
        assert jobs.get_due_jobs() == []
        home.wait(seconds=301)
        assert len(jobs.get_due_jobs()) == 1

    def test_a_pid_that_was_given_out_again_is_told_by_the_boot(self, home, hourly):
        home.change(fire_claim={"at": iso(home), "by": "host:100", "boot": "earlier", "token": 3})
        assert scheduler.recover() == 1


class TestClaimDue:
    def test_one_write_for_all(self, home, monkeypatch):
        """STORE-9."""
        for number in range(50):
            home.plant(id=f"job{number}")
        due = jobs.get_due_jobs()
        before = store.current_store().read().version
        edits = []
        edit = store.current_store().edit
        monkeypatch.setattr(store.current_store(), "edit", lambda: edits.append(1) or edit())
        assert len(jobs.claim_due(due)) == 50
        assert (len(edits), before != store.current_store().read().version) == (1, True)

    def test_two_schedulers_that_saw_the_same_due_jobs_run_each_once(self, home, hourly):
        """ONCE-10."""
        first, second = jobs.get_due_jobs(), jobs.get_due_jobs()
        assert len(jobs.claim_due(first)) == 1
        assert jobs.claim_due(second) == []

    def test_what_was_run_to_its_end_since_the_scan_is_not_run_again(self, home, hourly):
        late = jobs.get_due_jobs()
        assert scheduler.tick() == 1
        assert jobs.claim_due(late) == []

    def test_a_one_shots_run_counts_in_the_same_write(self, home, monkeypatch):
        home.plant(schedule={"kind": "once", "run_at": iso(home)}, repeat={"times": 3})
        edits = []
        edit = store.current_store().edit
        monkeypatch.setattr(store.current_store(), "edit", lambda: edits.append(1) or edit())
        assert scheduler.tick() == 1
        assert len(edits) == 2, "the claim and the completion"

    def test_what_a_tick_took_no_webhook_runs_again(self, home, hourly):
        """ONCE-8."""
        fire_at = iso(home)
        assert scheduler.tick() == 1
        assert claims.reserve("job", fire_at).reason == "duplicate"

    def test_what_a_webhook_took_no_tick_runs_again(self, home, hourly):
        claims.reserve("job", iso(home))
        assert scheduler.tick() == 0

    def test_a_planted_job_is_handed_through_untouched(self, home):
        planted = {"id": "stranger", "name": "x"}
        assert jobs.claim_due([planted]) == [planted]

    @pytest.mark.parametrize("planted", [{"name": "x"}, {"id": [1]}, {"id": None}])
    def test_one_without_a_usable_id_is_handed_through_and_stops_no_other(
        self, home, hourly, planted
    ):
        found = jobs.claim_due([planted, *jobs.get_due_jobs()])
        assert [job.get("id") for job in found] == [planted.get("id"), "job"]

    def test_what_hermes_agent_claimed_since_the_scan_is_left_to_it(self, home, hourly):
        """Its claim moves no next time on."""
        due = jobs.get_due_jobs()
        home.change(fire_claim={"at": iso(home), "by": "agent:1"})
        assert jobs.claim_due(due) == []

    def test_a_claim_that_is_over_is_settled_before_the_next(self, home, hourly):
        due = jobs.get_due_jobs()
        stale = {"at": iso(home, hours=-2), "by": "b:1", "token": 7, "execution": "lost"}
        home.change(fire_claim=stale, fire_token=7)
        [claimed] = jobs.claim_due(due)
        assert claimed["fire_claim"]["token"] == 8
        told = [(one["id"], one["state"], one["at"]) for one in written()]
        assert told[0] == ("lost", "unknown", iso(home))

    def test_a_one_shot_whose_last_run_is_found_lost_is_removed(self, home):
        home.plant(schedule={"kind": "once", "run_at": iso(home)}, repeat={"times": 1})
        due = jobs.get_due_jobs()
        stale = {"at": iso(home, hours=-2), "by": "b:1", "token": 7, "counted": True}
        home.change(fire_claim=stale, repeat={"times": 1, "completed": 1})
        assert jobs.claim_due(due) == []
        assert home.gone()

    @pytest.mark.parametrize(
        ("fields", "expected"),
        [
            ({}, False),
            ({"created_at": None}, True),
            ({"fire_claim": {"at": "x", "token": 1}}, True),
            ({"fire_claim": {"at": "x"}}, False),
            ({"fire_claim": None}, False),
        ],
    )
    def test_what_tells_a_job_of_the_store_from_a_planted_one(self, fields, expected):
        assert claims.is_from_store({"id": "x", **fields}) is expected

    def test_a_job_that_was_removed_since_the_scan_is_left_out(self, home, hourly):
        due = jobs.get_due_jobs()
        jobs.remove_job("job")
        assert jobs.claim_due(due) == []

    def test_a_one_shot_has_no_next_time_while_it_runs(self, home):
        """RECON-6: nothing is armed for it."""
        home.plant(schedule={"kind": "once", "run_at": iso(home)})
        jobs.claim_due(jobs.get_due_jobs())
        assert home.job()["next_run_at"] is None
        jobs.update_job("job", {"name": "renamed"})
        assert home.job()["next_run_at"] is None, "a change of something else plans no second run"


def written(job_id="job"):
    """The execution records as they stand in the store."""
    return list(store.current_store().executions(job_id))


class TestAnswers:
    """Each answer whole: what is not said is not said."""

    @pytest.mark.parametrize(
        ("fields", "fire_at", "expected"),
        [
            ({}, "soon", claims.Reservation("ignored", "malformed")),
            ({"state": "paused"}, None, claims.Reservation("ignored", "paused")),
            ({"next_run_at": None}, "2026-03-02T07:00:00Z", claims.Reservation("ignored", "stale")),
            ({}, "2026-03-02T07:00:00Z", claims.Reservation("ignored", "stale")),
        ],
    )
    def test_what_is_ignored_says_why_and_nothing_else(self, home, fields, fire_at, expected):
        home.plant(**fields)
        assert claims.reserve("job", fire_at) == expected

    def test_what_is_reserved_says_token_and_occurrence(self, home, hourly):
        found = claims.reserve("job", iso(home))
        mine = claim_rules.execution_of(home.job())
        assert found == claims.Reservation("reserved", "", mine)
        assert (mine.token, mine.occurrence) == (1, iso(home))
        assert claims.reserve("job", None) == claims.Reservation("ignored", "duplicate")
        assert claims.reserve("nobody", None) == claims.Reservation("gone")

    def test_an_instant_without_an_offset_is_meant_in_the_hosts_zone(self, tmp_path, monkeypatch):
        for home in make_home(tmp_path, monkeypatch, "Europe/Berlin"):
            home.plant(next_run_at="2026-03-02T08:00:00")
            found = claims.reserve("job", "2026-03-02T08:00:00")
            assert (found.outcome, found.execution.occurrence) == (
                "reserved",
                "2026-03-02T08:00:00+01:00",
            )
            assert claims.reserve("job", "2026-03-02T08:00:00").reason == "duplicate"
            home.change(last_occurrence="2026-03-02T08:00:00")
            assert claims.reserve("job", "2026-03-02T08:00:00").reason == "duplicate"

    def test_a_run_that_may_not_come_again_is_not_reserved(self, home):
        home.plant(repeat={"times": 2, "completed": 2})
        assert claims.reserve("job", iso(home)) == claims.Reservation("ignored", "duplicate")
        assert not jobs.claim_job_for_fire("job")
        assert jobs.claim_due([home.job()]) == []

    def test_a_one_shot_that_is_planned_anew_while_it_runs_waits(self, home):
        """Nothing is skipped: it is not moved on, and due when the run is over."""
        home.plant(schedule={"kind": "once", "run_at": iso(home)}, repeat={"times": 2})
        [claimed] = jobs.claim_due(jobs.get_due_jobs())
        running = scheduler.runs.hold(claimed)
        home.change(next_run_at=iso(home))
        assert claims.reserve("job", iso(home)) == claims.Reservation("ignored", "running")
        assert [entry["state"] for entry in written()] == ["claimed"]
        assert home.job()["next_run_at"] == iso(home)
        scheduler.runs.drop(running)


class TestWritten:
    """The execution records, field by field."""

    def by_me(self, home, state, occurrence, **more):
        said = {"at": iso(home), "by": home.state.holder, "occurrence": occurrence}
        return {"job_id": "job", "state": state, **said, **more}

    @pytest.mark.parametrize(
        ("source", "take"),
        [
            ("tick", lambda at: jobs.claim_due(jobs.get_due_jobs())),
            ("webhook", lambda at: claims.reserve("job", at)),
            ("fire", lambda at: jobs.claim_job_for_fire("job")),
        ],
    )
    def test_a_claim_says_who_took_what(self, home, hourly, source, take):
        take(iso(home))
        claim = home.job()["fire_claim"]
        more = {"id": claim["execution"], "source": source, "token": 1}
        assert written() == [self.by_me(home, "claimed", iso(home), **more)]

    @pytest.mark.parametrize(
        "take",
        [
            lambda: claims.reserve("job", None),
            lambda: jobs.claim_job_for_fire("job"),
            lambda: jobs.claim_due(jobs.get_due_jobs()),
        ],
    )
    def test_what_never_began_is_said_to_be_given_back(self, home, hourly, take):
        occurrence = iso(home)
        claims.reserve("job", occurrence)
        first = home.job()["fire_claim"]["execution"]
        home.restart()
        home.wait(seconds=301)
        take()
        given_back = self.by_me(
            home, "skipped", occurrence, id=first, reason="given back: it never began"
        )
        assert given_back in written()
        again = home.job()["fire_claim"]
        assert (again["token"], again["occurrence"]) == (2, occurrence)

    @pytest.mark.parametrize(
        "take",
        [
            lambda at: claims.reserve("job", at),
            lambda at: jobs.claim_job_for_fire("job"),
            lambda at: jobs.claim_due(jobs.get_due_jobs()),
        ],
    )
    def test_what_may_have_begun_is_said_to_be_unknown(self, home, hourly, take):
        occurrence = iso(home)
        [claimed] = jobs.claim_due(jobs.get_due_jobs())
        scheduler.runs.begin(claimed, scheduler.runs.hold(claimed), home.at)
        home.restart()
        home.wait(hours=1)
        take(iso(home))
        told = [entry for entry in written() if entry["state"] == "unknown"]
        error = home.job()["last_error"]
        first = claimed["fire_claim"]["execution"]
        assert told == [self.by_me(home, "unknown", occurrence, id=first, error=error)]
        assert home.job()["fire_claim"]["occurrence"] == iso(home)

    @pytest.mark.parametrize(
        "take",
        [
            lambda: claims.reserve("job", None) == claims.Reservation("ignored", "duplicate"),
            lambda: not jobs.claim_job_for_fire("job"),
        ],
    )
    def test_a_last_run_that_may_have_begun_removes_its_job(self, home, take):
        home.plant(schedule={"kind": "once", "run_at": iso(home)}, repeat={"times": 1})
        occurrence = iso(home)
        [claimed] = jobs.claim_due(jobs.get_due_jobs())
        scheduler.runs.begin(claimed, scheduler.runs.hold(claimed), home.at)
        home.restart()
        home.wait(seconds=301)
        assert take()
        assert home.gone()
        [told] = [entry for entry in written() if entry["state"] == "unknown"]
        assert (told["occurrence"], told["at"]) == (occurrence, iso(home))

    def test_the_log_tells_it_of_the_same_job_and_occurrence(self, home, caplog):
        home.plant(schedule={"kind": "once", "run_at": iso(home)}, repeat={"times": 1})
        occurrence = iso(home)
        claims.reserve("job", occurrence)
        home.restart()
        scheduler.recover()
        [claimed] = jobs.claim_due(jobs.get_due_jobs())
        scheduler.runs.begin(claimed, scheduler.runs.hold(claimed), home.at)
        home.restart()
        scheduler.recover()
        told = [one for one in caplog.records if one.name == "hermes_cron.claims"]
        assert [one.levelname for one in told] == ["WARNING", "ERROR", "ERROR"]
        assert {(one.job_id, one.occurrence) for one in told} == {("job", occurrence)}

    def test_a_release_says_what_was_given_back_and_why(self, home, hourly):
        found = claims.reserve("job", iso(home))
        execution_id = home.job()["fire_claim"]["execution"]
        assert settling.release(found.execution)
        why = "given back: it could not be started"
        assert written()[1:] == [
            self.by_me(home, "skipped", iso(home), id=execution_id, reason=why)
        ]

    def test_a_late_daily_job_in_its_zone_records_each_day(self, tmp_path, monkeypatch):
        for home in make_home(tmp_path, monkeypatch, "Europe/Berlin"):
            home.at = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
            home.plant(
                schedule={"kind": "cron", "expr": "0 9 * * *"},
                next_run_at="2026-03-02T09:00:00+01:00",
            )
            home.wait(days=2, seconds=-1)
            assert claims.reserve("job", "2026-03-02T09:00:00+01:00").outcome == "reserved"
            missed = [entry["occurrence"] for entry in written() if entry["state"] == "missed"]
            assert missed == ["2026-03-03T09:00:00+01:00"]

    def test_less_than_a_minute_late_jumps_over_nothing(self, home, monkeypatch):
        """No schedule is finer, so nothing is looked for: a tick claims many at once."""
        home.plant(schedule={"kind": "interval", "minutes": 1})
        home.wait(seconds=59)
        looked = []
        monkeypatch.setattr(executions, "missed", lambda *args: looked.append(args) or [])
        assert claims.reserve("job", None).outcome == "reserved"
        assert looked == []

    def test_a_minute_late_is_looked_at(self, home):
        home.plant(schedule={"kind": "interval", "minutes": 1})
        home.wait(seconds=121)
        assert claims.reserve("job", None).outcome == "reserved"
        assert home.trace() == [("missed", "08:01"), ("missed", "08:02"), ("claimed", "08:00")]

    @pytest.mark.parametrize(
        "take",
        [
            lambda: claims.reserve("job", None),
            lambda: jobs.claim_job_for_fire("job"),
            lambda: jobs.claim_due(jobs.get_due_jobs()),
        ],
    )
    def test_what_it_jumps_over_is_told_before_the_claim_is_stored(self, home, monkeypatch, take):
        """LIVE-6: who is killed between the two must not be the only one who knew."""
        home.plant(schedule={"kind": "interval", "minutes": 1})
        home.wait(seconds=61)
        told = []
        keep = store.current_store().append_executions

        def append(entries):
            moved = home.job()["next_run_at"] != iso(home, seconds=-61)
            told.extend((entry["state"], moved) for entry in entries)
            return keep(entries)

        monkeypatch.setattr(store.current_store(), "append_executions", append)
        assert take()
        assert told == [("missed", False), ("claimed", True)]


@pytest.mark.parametrize("job_id", ["job", "nobody"])
def test_a_claim_that_is_not_there_cannot_be_released(home, hourly, job_id):
    before = home.job()
    assert not settling.release(process.Execution(job_id, "attempt", token=1))
    assert not settling.release(process.Execution(job_id, "attempt"))
    assert (home.job(), written()) == (before, [])


@pytest.mark.parametrize(("times", "stays"), [(1, False), (2, True)])
def test_settling_says_whether_the_job_is_still_there(home, times, stays):
    home.plant(schedule={"kind": "once", "run_at": iso(home)}, repeat={"times": times})
    home.change(fire_claim={"at": iso(home), "by": "b:1", "token": 7, "started": True})
    home.wait(minutes=10)
    with store.current_store().edit() as edit:
        assert settling.settle(edit, edit.get("job"), home.now(), []) is stays
    assert home.gone() is not stays
    if stays:
        assert home.job()["next_run_at"] == iso(home), "claimed for no occurrence, it is due now"


def test_what_holds_nothing_is_swept_away_by_the_next_claim(home, hourly):
    home.change(fire_claim="broken")
    with store.current_store().edit() as edit:
        assert settling.settle(edit, edit.get("job"), home.now(), [])
    assert home.job()["fire_claim"] is None


def test_release_gives_an_occurrence_back(home, hourly):
    found = claims.reserve("job", iso(home))
    assert settling.release(found.execution)
    assert not settling.release(found.execution)
    assert home.job()["next_run_at"] == iso(home)
    assert claims.reserve("job", iso(home)).outcome == "reserved"


def test_a_promise_that_the_disk_lost_has_no_part_in_the_next_claim_of_its_token(home, hourly):
    kept = jobs.JOBS_FILE.read_text()
    lost = claims.reserve("job", iso(home)).execution
    jobs.JOBS_FILE.write_text(kept)
    [job] = jobs.claim_due(jobs.get_due_jobs())
    assert job["fire_claim"]["token"] == lost.token
    assert not settling.release(lost), "another's run is on"
    jobs.JOBS_FILE.write_text(kept)
    assert claims.reserve("job", iso(home)).execution.token == lost.token
    with promises.promised(lost):
        assert not jobs.claim_job_for_fire("job"), "it was promised to another fire"


def test_a_claim_that_cannot_be_written_is_not_won(home, hourly, monkeypatch):
    """LIVE-8: the occurrence stays."""
    before = home.job()

    def full(*_args):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr("os.replace", full)
        broken.setattr("pathlib.Path.replace", full)
        with pytest.raises(store.StoreError):
            claims.reserve("job", iso(home))
    assert home.job() == before
    assert claims.reserve("job", iso(home)).outcome == "reserved"


def test_who_holds_what_is_decided_by_host_pid_and_boot():
    me = process.ProcessState(5, "now", "h", pid_is_alive=lambda pid: pid == 6)
    assert me.is_gone("h:5", "before")
    assert not me.is_gone("h:5", "now")
    assert not me.is_gone("h:6", "x")
    assert me.is_gone("h:7", "x")
    assert not me.is_gone("other:7", "x")
    assert not me.is_gone("h:7", None), "hermes-agent's claims say too little"


@pytest.mark.parametrize("reserved", [True, False], ids=["promised", "taken up"])
def test_what_was_claimed_before_a_resume_is_not_given_back_to_the_new_grid(home, hourly, reserved):
    claims.reserve("job", iso(home))
    if not reserved:
        assert jobs.claim_job_for_fire("job")
    taken = claim_rules.execution_of(home.job())
    home.wait(seconds=900)
    jobs.resume_job("job")
    assert settling.release(taken)
    assert home.job()["next_run_at"] == iso(home, seconds=3600)


def test_a_fire_that_is_late_takes_nothing_but_what_it_was_promised(home, hourly):
    """Its reservation ran out while it hung: the next occurrence is not its to run early."""
    found = claims.reserve("job", iso(home))
    home.wait(seconds=900)
    settling.release(found.execution)
    again = claims.reserve("job", iso(home, seconds=-900))
    with promises.promised(again.execution):
        assert jobs.claim_job_for_fire("job")
    assert scheduler.run_one_job(jobs.get_job("job"))
    with promises.promised(found.execution):
        assert not jobs.claim_job_for_fire("job")
        assert home.job()["next_run_at"] == iso(home, seconds=2700)
    assert jobs.claim_job_for_fire("job"), "a claim of nobody's fire keeps its meaning"


@pytest.mark.parametrize(
    "change",
    [
        lambda: jobs.resume_job("job"),
        lambda: jobs.update_job("job", {"schedule": "0,30 * * * *"}),
        lambda: jobs.trigger_job("job") and jobs.claim_due(jobs.get_due_jobs()),
    ],
    ids=["resumed", "with another schedule", "triggered"],
)
@pytest.mark.parametrize("given_back", [False, True], ids=["taken", "given back"])
def test_what_was_taken_early_is_not_planned_again(home, change, given_back):
    nine = iso(home, hours=1)
    home.plant(schedule={"kind": "cron", "expr": "0 * * * *"}, next_run_at=nine)
    home.wait(minutes=59, seconds=55)
    promise = claims.reserve("job", nine).execution
    if given_back:
        assert settling.release(promise)
    else:
        assert jobs.claim_job_for_fire("job")
        assert scheduler.run_one_job(jobs.get_job("job"))
    home.wait(seconds=1)
    change()
    assert (home.job()["next_run_at"] == nine) is given_back


@pytest.mark.parametrize("early_s", [0, 5])
def test_a_fire_takes_what_it_names_and_not_what_was_given_back_before_it(home, hourly, early_s):
    assert claims.reserve("job", iso(home)).outcome == "reserved"
    nine = home.job()["next_run_at"]
    home.wait(seconds=3600 - early_s)
    assert claims.reserve("job", nine).execution.occurrence == nine
    assert home.job()["next_run_at"] == iso(home, seconds=3600 + early_s)
    assert ("missed", "08:00") in home.trace("job")


@pytest.mark.parametrize(
    "take",
    [
        lambda home: jobs.claim_job_for_fire("job"),
        lambda home: claims.reserve("job", home.job()["next_run_at"]).outcome == "reserved",
    ],
    ids=["claim", "reserve"],
)
def test_a_result_that_waits_is_stored_before_the_next_claim(home, monkeypatch, take):
    """Its own retry waits as well: another thread is at it. The run is over all the same."""
    home.plant(schedule={"kind": "interval", "minutes": 2})
    assert jobs.claim_job_for_fire("job")

    def refuse(*_args, **_more):
        raise store.StoreBusy("held")

    with monkeypatch.context() as refused:
        refused.setattr(jobs, "mark_job_run", refuse)
        assert scheduler.run_one_job(jobs.get_job("job"))
    monkeypatch.setattr(pending, "retry", lambda: None)
    home.wait(minutes=2)
    assert take(home)
    assert home.job()["last_status"] == "ok"
