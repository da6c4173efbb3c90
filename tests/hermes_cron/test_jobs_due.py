"""What is due: late, running, repaired, moved to another zone, planned while the clock was ahead."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from jobs_home import Home, make_home

from hermes_cron import due as due_module
from hermes_cron import jobs, process, records, scheduler, store, upkeep


@pytest.fixture
def home(tmp_path, monkeypatch):
    yield from make_home(tmp_path, monkeypatch)


def at(home: Home, **later: float) -> str:
    return (home.at + timedelta(**later)).isoformat()


def due() -> list[str]:
    return [job["id"] for job in jobs.get_due_jobs()]


def test_due_at_its_time_and_not_before(home):
    home.plant(next_run_at=at(home, seconds=1))
    assert due() == []
    home.wait(seconds=1)
    assert due() == ["job"]
    assert due() == ["job"], "asking takes nothing"


@pytest.mark.parametrize(
    "fields", [{"enabled": False}, {"state": "paused"}, {"state": "completed"}]
)
def test_what_may_not_run_is_not_due(home, fields):
    """FIRE-4, #81590."""
    home.plant(**fields)
    assert due() == []


def test_an_enabled_of_null_says_as_much_as_none(home):
    """HOST.md: absent means enabled."""
    home.plant(enabled=None)
    assert due() == ["job"]
    assert [job["enabled"] for job in jobs.list_jobs()] == [True]


def test_a_naive_time_is_in_the_configured_zone(tmp_path, monkeypatch):
    """TIME-4, #51021."""
    world = make_home(tmp_path, monkeypatch, "Asia/Kolkata")
    home = next(world)
    home.plant(
        schedule={"kind": "once", "run_at": "2026-03-02T08:30:00"},
        next_run_at="2026-03-02T08:30:00",
    )
    home.wait(minutes=29)
    assert due() == []
    home.wait(minutes=1)
    assert due() == ["job"]


class TestLate:
    def test_within_the_grace_it_runs_for_its_own_occurrence(self, home):
        planned = home.plant()
        home.wait(minutes=29)
        assert jobs.get_due_jobs()[0]["next_run_at"] == planned["next_run_at"]

    def test_the_grace_is_two_minutes_at_least(self, home):
        planned = home.plant(schedule={"kind": "interval", "minutes": 1})
        home.wait(seconds=119)
        assert jobs.get_due_jobs()[0]["next_run_at"] == planned["next_run_at"]
        home.wait(seconds=2)
        assert jobs.get_due_jobs()[0]["next_run_at"] == "2026-03-02T08:02:00+00:00"

    def test_past_the_grace_it_runs_once_for_the_latest(self, home):
        """LIVE-5, LIVE-6."""
        home.plant()
        home.wait(hours=27, minutes=10)
        assert scheduler.tick() == 1
        assert scheduler.tick() == 0
        states = [state for state, _ in home.trace("job")]
        assert states == ["missed", "completed"]
        [missed, ran] = jobs.list_executions("job")
        assert (missed["count"], missed["occurrence"][:16]) == (27, "2026-03-02T08:00")
        assert ran["occurrence"] == "2026-03-03T11:00:00+00:00"
        assert home.job()["next_run_at"] == "2026-03-03T12:00:00+00:00"

    def test_a_year_late_is_still_one_record_and_quick(self, home):
        home.plant(schedule={"kind": "interval", "minutes": 1})
        home.wait(days=365)
        assert scheduler.tick() == 1
        [missed, _ran] = jobs.list_executions("job")
        assert (missed["count"], missed["count_is_least"]) == (1000, True)
        assert missed["until"] == at(home, minutes=-1)

    def test_a_late_one_shot_runs(self, home):
        home.plant(schedule={"kind": "once", "run_at": at(home)}, repeat={"times": 1})
        home.wait(hours=27)
        assert scheduler.tick() == 1

    def test_a_run_longer_than_the_period_goes_back_to_back(self, home):
        """#33315: every 5 min, 12 min long."""
        home.plant(schedule={"kind": "interval", "minutes": 5})
        starts = []

        def body(job):
            starts.append(home.at)
            home.wait(minutes=12)
            return True, "out", "text", None

        home.body = body
        for _ in range(3):
            assert scheduler.tick() == 1
        assert [start.minute for start in starts] == [0, 12, 24]
        assert home.trace("job")[:4] == [
            ("completed", "08:00"),
            ("skipped", "08:05"),
            ("completed", "08:10"),
            ("skipped", "08:15"),
        ]

    def test_a_late_trigger_falls_into_the_slot_that_came_meanwhile(self, home):
        home.plant(next_run_at=at(home, minutes=20))
        jobs.trigger_job("job")
        home.wait(hours=5)
        assert scheduler.tick() == 1
        assert home.job()["next_run_at"] == "2026-03-02T13:20:00+00:00"
        assert home.trace("job")[0] == ("missed", "08:20")
        assert home.trace("job")[-1] == ("completed", "12:20")


class TestRepair:
    @pytest.mark.parametrize("broken", [None, "garbage", 17, [], "2026-13-01T00:00:00"])
    def test_a_next_time_that_is_none(self, home, broken):
        """#18722, #61581."""
        home.plant(next_run_at=broken, created_at=at(home, minutes=-10))
        assert due() == []
        assert home.job()["next_run_at"] == at(home, minutes=50)
        home.wait(minutes=50)
        assert due() == ["job"]

    @pytest.mark.parametrize(
        "broken",
        [
            {"schedule": None},
            {"schedule": "every 5m"},
            {"schedule": {"kind": "cron", "expr": "99 * * * *"}},
            {"schedule": {"kind": "interval", "minutes": "many"}},
            {"schedule": {"kind": ["cron"]}},
            {"schedule": {"kind": "interval", "minutes": 10**30}},
            {"state": {"of": "mind"}},
            {"repeat": "often"},
            {"fire_claim": [1]},
            {"last_run_at": 3, "last_occurrence": {}, "grid_at": "x", "claimed_ahead": 1},
            {"id": None},
            {"name": ["x"]},
        ],
    )
    @pytest.mark.parametrize("next_run_at", [None, "garbage", "2026-03-02T08:00:00+00:00"])
    def test_one_broken_record_stops_no_other(self, home, broken, next_run_at):
        """LIVE-7, #61382, #61525."""
        record = {"id": "bad", "schedule": {"kind": "interval", "minutes": 60}}
        home.plant(id="good")
        jobs_file = [{**record, "next_run_at": next_run_at, **broken}, *jobs.load_jobs(), 42]
        jobs.save_jobs(jobs_file)
        scheduler.tick()
        assert "good" in home.ran
        home.wait(hours=1)
        scheduler.tick()
        assert home.ran.count("good") == 2
        assert len(store.current_store().read().records) == 3, "nothing is dropped from the file"

    def test_a_schedule_that_cannot_be_read_is_in_error_and_enabled(self, home):
        """LIVE-13."""
        home.plant(schedule={"kind": "cron", "expr": "99 * * * *"}, next_run_at=None)
        assert due() == []
        job = home.job()
        assert (job["state"], job.get("enabled", True)) == ("error", True)
        assert "99" in job["last_error"]

    def test_in_vain_is_tried_without_writing_each_time(self, home):
        home.plant(schedule={"kind": "cron", "expr": "99 * * * *"}, next_run_at=None)
        jobs.get_due_jobs()
        before = store.current_store().read()
        home.wait(hours=30)
        jobs.get_due_jobs()
        assert store.current_store().read() is before

    def test_a_one_shot_that_was_never_planned_and_is_over_is_said(self, home):
        """#59383: no ghost."""
        home.plant(schedule={"kind": "once", "run_at": at(home, hours=-1)}, next_run_at=None)
        assert due() == []
        assert (home.job()["state"], home.job()["enabled"]) == ("error", False)
        assert home.trace() == [("missed", "07:00")]

    def test_broken_records_are_said_once(self, home, caplog):
        home.plant()
        jobs.save_jobs([*jobs.load_jobs(), "no job"])
        for _ in range(3):
            jobs.get_due_jobs()
            home.change(name="changed")
        assert len([r for r in caplog.records if "is no job" in r.getMessage()]) == 1

    def test_runs_that_were_used_up_by_somebody_who_died(self, home):
        """hermes-agent counts a one-shot before it runs it."""
        home.plant(
            schedule={"kind": "once", "run_at": at(home)}, repeat={"times": 1, "completed": 1}
        )
        assert due() == []
        assert home.gone()
        assert home.trace() == [("unknown", None)]

    def test_a_one_shot_that_hermes_agent_runs_is_left_alone(self, home):
        """ONCE-10, #59229."""
        home.plant(
            schedule={"kind": "once", "run_at": at(home)},
            run_claim={"at": at(home), "by": "desktop:7"},
        )
        home.wait(seconds=28)
        assert due() == []
        home.wait(minutes=30)
        assert due() == ["job"]


class TestZone:
    def test_a_changed_zone_keeps_the_wall_time(self, tmp_path, monkeypatch):
        """TIME-5, #28934: 21:00+10 moved to +02 runs at 21:00+02 only."""
        world = make_home(tmp_path, monkeypatch, "Africa/Maputo")
        home = next(world)
        home.plant(
            schedule={"kind": "cron", "expr": "0 21 * * *"}, next_run_at="2026-03-02T21:00:00+10:00"
        )
        ran = []
        for _ in range(24 * 6):
            if scheduler.tick():
                ran.append(home.at.isoformat()[:16])
            home.wait(minutes=10)
        assert ran == ["2026-03-02T21:00"]

    def test_a_zone_that_is_changed_while_nothing_is_due_makes_no_job_late(
        self, tmp_path, monkeypatch
    ):
        world = make_home(tmp_path, monkeypatch, "America/New_York")
        home = next(world)
        home.at = home.at.replace(hour=1)
        home.plant(
            schedule={"kind": "cron", "expr": "0 9 * * *"}, next_run_at="2026-03-02T09:00:00-05:00"
        )
        assert due() == []
        home.zone = ZoneInfo("Europe/Berlin")
        home.wait(minutes=5)
        assert due() == []
        assert home.job()["next_run_at"] == "2026-03-02T09:00:00+01:00"

    def test_a_schedule_of_elapsed_time_leaves_out_no_hours_between_two_zones(
        self, tmp_path, monkeypatch
    ):
        """Every hour, in a zone of half hours, moved eight and a half hours to the west."""
        world = make_home(tmp_path, monkeypatch, "Europe/Berlin")
        home = next(world)
        home.plant(
            schedule={"kind": "cron", "expr": "0 * * * *"}, next_run_at="2026-03-02T20:00:00+10:30"
        )
        home.at = datetime(2026, 3, 2, 9, 4, tzinfo=UTC)
        assert due() == []
        assert home.job()["next_run_at"] == "2026-03-02T11:00:00+01:00"

    def test_a_time_of_the_old_zone_that_passed_unseen_is_on_record(self, tmp_path, monkeypatch):
        """LIVE-6: it does not come by the new zone, and nobody looked when it came by the old."""
        world = make_home(tmp_path, monkeypatch, "Asia/Kolkata")
        home = next(world)
        home.plant(
            schedule={"kind": "cron", "expr": "25 */2 * * *"},
            next_run_at="2026-03-02T08:25:00+00:00",
        )
        home.at = datetime(2026, 3, 2, 8, 31, tzinfo=UTC)
        assert due() == []
        assert home.job()["next_run_at"] == "2026-03-02T14:25:00+05:30"
        (told,) = jobs.list_executions("job")
        assert (told["state"], told["occurrence"]) == ("missed", "2026-03-02T13:55:00+05:30")

    def test_what_fell_into_a_gap_keeps_the_wall_time_that_it_was_meant_for(
        self, tmp_path, monkeypatch
    ):
        """02:30 does not exist in Berlin on 29 March, and was planned for 03:00; here it does."""
        world = make_home(tmp_path, monkeypatch, "America/New_York")
        home = next(world)
        home.plant(
            schedule={"kind": "cron", "expr": "30 2 * * *"}, next_run_at="2026-03-29T03:00:00+02:00"
        )
        home.at = datetime(2026, 3, 28, 22, 4, tzinfo=UTC)
        assert due() == []
        assert home.job()["next_run_at"] == "2026-03-29T02:30:00-04:00"

    def test_another_notation_of_the_same_instant_is_no_other_zone(self, tmp_path, monkeypatch):
        world = make_home(tmp_path, monkeypatch, "Europe/Berlin")
        home = next(world)
        home.plant(
            schedule={"kind": "cron", "expr": "0 9 * * *"}, next_run_at="2026-03-02T08:00:00+00:00"
        )
        due()
        assert home.job()["next_run_at"] == "2026-03-02T08:00:00+00:00"

    def test_wall_time_over_a_clock_change(self, tmp_path, monkeypatch):
        """TIME-2, #66436."""
        world = make_home(tmp_path, monkeypatch, "Europe/Berlin")
        home = next(world)
        home.at = home.at.replace(month=3, day=27)
        home.plant(
            schedule={"kind": "cron", "expr": "0 9 * * *"}, next_run_at="2026-03-27T09:00:00+01:00"
        )
        ran = []
        for _ in range(24 * 4):
            if scheduler.tick():
                ran.append(home.at.isoformat())
            home.wait(hours=1)
        assert ran == [
            "2026-03-27T09:00:00+01:00",
            "2026-03-28T09:00:00+01:00",
            "2026-03-29T09:00:00+02:00",
            "2026-03-30T09:00:00+02:00",
        ]


class TestClockSteps:
    """LIVE-11."""

    def test_ahead_for_a_day_and_back(self, home):
        home.plant()
        assert scheduler.tick() == 1
        home.wait(days=1)
        assert scheduler.tick() == 1
        home.wait(days=-1, minutes=1)
        scheduler.tick()
        assert home.job()["next_run_at"] == "2026-03-02T09:00:00+00:00"
        home.wait(minutes=59)
        assert scheduler.tick() == 1

    def test_what_ran_while_the_clock_was_ahead_does_not_run_again(self, home):
        home.plant()
        home.wait(hours=5)
        assert scheduler.tick() == 1, "for 13:00"
        home.wait(hours=-5, minutes=1)
        ran = []
        for _ in range(8 * 60):
            if scheduler.tick():
                ran.append(home.at.hour)
            home.wait(minutes=1)
        assert ran == [9, 10, 11, 12, 14, 15, 16]

    def test_a_restart_sees_it_too(self, home):
        home.plant(next_run_at=at(home, days=400))
        home.restart()
        due()
        assert home.job()["next_run_at"] == at(home, hours=1)[:11] + "09:00:00+00:00"

    def test_a_step_back_is_seen_without_a_change_of_the_file(self, home):
        home.wait(days=1)
        home.plant(next_run_at=at(home, hours=1))
        assert due() == []
        home.wait(days=-1, minutes=1)
        due()
        assert home.job()["next_run_at"] == "2026-03-02T09:00:00+00:00"

    def test_back_by_hours_repeats_nothing(self, home):
        home.plant(next_run_at=at(home))
        assert scheduler.tick() == 1
        home.wait(hours=-1, minutes=1)
        assert scheduler.tick() == 0
        home.wait(minutes=89)
        assert scheduler.tick() == 0

    def test_ahead_and_back_with_a_time_by_the_wall(self, home):
        home.plant(
            schedule={"kind": "cron", "expr": "30 * * * *"}, next_run_at="2026-03-02T08:30:00+00:00"
        )
        home.wait(days=2)
        assert scheduler.tick() == 1, "for 07:30 two days on"
        home.wait(days=-2, minutes=10)
        due()
        assert home.job()["next_run_at"] == "2026-03-02T08:30:00+00:00"

    @pytest.mark.parametrize(
        "schedule",
        [{"kind": "interval", "minutes": 60}, {"kind": "cron", "expr": "0 * * * *"}],
        ids=["interval", "cron"],
    )
    def test_back_by_many_periods_leaves_no_two_out_in_a_row(self, home, schedule):
        home.plant(schedule=schedule, next_run_at=at(home))
        for _ in range(6):  # 8 to 13
            assert scheduler.tick() == 1
            home.wait(hours=1)
        home.wait(hours=-5, minutes=-30)  # 08:30; 9 to 13 were run
        ran = []
        for _ in range(8):
            if scheduler.tick():
                ran.append(home.at.hour)
            home.wait(minutes=30 if home.at.minute else 60)
        assert ran == [10, 12, 14, 15]
        assert home.job()["claimed_ahead"] == []

    def test_a_claim_that_skips_ahead_rightly_is_left_alone(self, home):
        home.plant(next_run_at=at(home, minutes=30))
        assert jobs.claim_job_for_fire("job")
        jobs.mark_job_run("job", True)
        home.restart()
        due()
        assert home.job()["next_run_at"] == at(home, minutes=90)


class TestIdle:
    def test_nothing_is_looked_at_while_nothing_can_be_due(self, home, monkeypatch):
        for number in range(20):
            home.plant(id=f"job{number}", next_run_at=at(home, hours=1))
        jobs.get_due_jobs()
        monkeypatch.setattr("hermes_cron.due._look", lambda *_: pytest.fail("looked"))
        home.wait(minutes=59)
        assert jobs.get_due_jobs() == []

    def test_a_patched_clock_is_asked(self, home, monkeypatch):
        home.plant(next_run_at=at(home, hours=1))
        assert due() == []
        monkeypatch.setattr(jobs, "_hermes_now", lambda: home.at + timedelta(hours=1))
        assert due() == ["job"]

    def test_a_change_by_somebody_else_is_seen(self, home):
        home.plant(next_run_at=at(home, hours=1))
        assert due() == []
        home.change(next_run_at=at(home))
        assert due() == ["job"]


def test_an_unreadable_store_raises(home):
    """TICK-7, STORE-4."""
    home.plant()
    (home.path / "cron" / "jobs.json").write_text("{ torn")
    with pytest.raises(store.StoreUnreadable):
        scheduler.tick()


def test_log_records_carry_job_and_occurrence(home, caplog):
    caplog.set_level(logging.INFO)
    home.plant()
    home.wait(hours=9)
    home.body = lambda job: (_ for _ in ()).throw(ValueError("x"))
    scheduler.tick()
    about = [record for record in caplog.records if "'job'" in record.getMessage()]
    assert about
    assert all(record.job_id == "job" and record.occurrence for record in about)


def test_what_is_due_while_its_run_is_just_coming_to_its_end_is_seen_by_the_next_tick(home):
    """LIVE-1: the result is stored, and the run is let go of without another write."""
    home.plant()
    process.current().running["job"] = process.Execution("job", "attempt")
    assert due() == []
    del process.current().running["job"]
    home.wait(seconds=20)
    assert due() == ["job"]


def test_a_copy_is_handed_out(home):
    home.plant(repeat={"times": 4})
    jobs.get_due_jobs()[0]["repeat"]["times"] = 99
    assert home.job()["repeat"] == {"times": 4}
    assert process.current().running == {}


@pytest.mark.parametrize(
    "schedule", [{"kind": "interval", "minutes": "x"}, {"kind": "odd"}, "text"]
)
def test_a_due_job_whose_schedule_cannot_be_read_is_in_error_and_not_silent(home, schedule):
    """LIVE-7, LIVE-13: it stays enabled, and its record says what to mend."""
    home.plant(schedule=schedule)
    home.plant(id="other")
    assert scheduler.tick() == 1
    job = home.job()
    assert (job.get("enabled", True), job["state"], job["next_run_at"]) == (True, "error", None)
    assert "mend the schedule" in job["last_error"]
    before = store.current_store().read().version
    scheduler.tick()
    assert store.current_store().read().version == before, "one write is enough"
    jobs.update_job("job", {"schedule": "every 30m"})
    assert home.job()["state"] == "scheduled"


def test_an_interval_without_a_display_is_shown_all_the_same(home):
    home.plant(schedule={"kind": "interval", "minutes": 90})
    assert jobs.list_jobs()[0]["schedule_display"] == "every 90m"


def test_broken_records_are_counted_from_one_in_the_log_too(home, caplog):
    home.plant()
    jobs.save_jobs([*jobs.load_jobs(), None])
    jobs.get_due_jobs()
    assert "record 2 of the jobs file is no job" in caplog.text


@pytest.mark.parametrize(
    ("zone", "run_at", "planned", "due"),
    [
        # In a gap it is the first instant after it, whoever reads it.
        ("Europe/Berlin", "2026-03-29T02:01:00", "2026-03-29T02:01:00", "2026-03-29T01:00:00+00:00"),
        # Planned by the wall of another zone: it keeps its wall time (TIME-5).
        ("America/New_York", "2026-11-03T14:30:00", "2026-11-03T14:30:00+01:00", "2026-11-03T19:30:00+00:00"),
        # An instant with an offset is that instant in every zone.
        ("America/New_York", "2026-11-03T14:30:00+01:00", "2026-11-03T14:30:00+01:00", "2026-11-03T13:30:00+00:00"),
    ],
)  # fmt: skip
def test_a_one_shot_is_due_at_the_instant_that_its_text_means(zone, run_at, planned, due):
    job = {
        "id": "x",
        "schedule": {"kind": "once", "run_at": run_at},
        "next_run_at": planned,
        "repeat": {"times": 1, "completed": 0},
    }
    now = datetime(2026, 3, 1, tzinfo=ZoneInfo(zone))
    upkeep.mend(job, now)
    found = records.instant(job["next_run_at"], ZoneInfo(zone))
    assert found == datetime.fromisoformat(due)
    assert not upkeep.needs_mending(job, now)


def test_a_change_of_one_job_costs_no_look_at_the_others(home, monkeypatch):
    for nth in range(50):
        home.plant(id=f"job-{nth}", next_run_at=at(home, minutes=nth + 10))
    assert due() == []
    looks = []
    real = due_module._look
    monkeypatch.setattr(
        due_module, "_look", lambda job, *rest: looks.append(job["id"]) or real(job, *rest)
    )
    with store.current_store().edit() as edit:
        edit.get("job-7")["prompt"] = "changed"
    assert due() == []
    assert looks == ["job-7"]
    home.wait(minutes=10)
    assert due() == ["job-0"]


def test_what_was_repaired_and_is_put_back_is_repaired_at_the_next_tick(home, monkeypatch):
    """LIVE-1: a disk that loses a write, or a program without our lock, silences nobody for long."""
    claim = {"at": at(home, minutes=-10), "by": "gone:4711"}
    home.plant(next_run_at=at(home, minutes=-1), fire_claim=claim)
    real = store.current_store().edit

    @contextmanager
    def lost():
        stood = home.job()
        with real() as edit:
            yield edit
        monkeypatch.setattr(store.current_store(), "edit", real)
        home.plant(**stood)

    monkeypatch.setattr(store.current_store(), "edit", lost)
    assert due() == []
    home.wait(minutes=1)
    assert due() == ["job"]
