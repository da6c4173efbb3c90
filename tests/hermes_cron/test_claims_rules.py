"""What stands in a record after each step of a claim, field by field. No store, no I/O."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from hermes_cron import claim_rules, clock, process

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
HOURLY = {"kind": "interval", "minutes": 60}
ONCE = {"kind": "once", "run_at": NOW.isoformat()}


@pytest.fixture(autouse=True)
def me(monkeypatch):
    state = process.ProcessState(pid=7, boot_id="boot7", host="h")
    monkeypatch.setattr(process, "current", lambda: state)
    monkeypatch.setattr(process, "new_id", lambda: "attempt")
    return state


def at(**late):
    return (NOW + timedelta(**late)).isoformat()


def claimed(schedule=HOURLY, **fields):
    """A record whose 08:00 was claimed by another process."""
    claim = {"at": at(), "by": "b:1", "token": 4, "occurrence": at(), **fields.pop("claim", {})}
    return {"id": "job", "schedule": schedule, "fire_token": 4, "fire_claim": claim, **fields}


@pytest.mark.parametrize(
    ("dated", "ahead"),
    [
        (at(seconds=60), False),
        (at(seconds=60.001), True),
        ("2026-03-02T09:00:30", False),
        ("2026-03-02T09:01:30", True),
        (None, False),
    ],
)
def test_a_claim_lies_ahead_by_more_than_clocks_are_apart(dated, ahead):
    """A time without a zone is meant in the host's."""
    assert claim_rules.lies_ahead(claimed(claim={"at": dated}), NOW.astimezone(BERLIN)) is ahead


class TestStamp:
    def test_a_ticks_claim_of_a_recurring_job(self):
        job = {"id": "job", "schedule": HOURLY, "next_run_at": at(), "fire_token": 4}
        claim = claim_rules.stamp(job, NOW, occurrence=NOW, source="tick")
        assert job == {
            "id": "job",
            "schedule": HOURLY,
            "next_run_at": at(hours=1),
            "fire_token": 5,
            "last_occurrence": at(),
            "fire_claim": claim,
        }
        assert claim == {
            "at": at(),
            "by": "h:7",
            "boot": "boot7",
            "occurrence": at(),
            "token": 5,
            "expires_at": at(seconds=300),
            "source": "tick",
            "leased": True,
            "reserved": False,
            "counted": False,
            "execution": "attempt",
        }

    def test_a_webhooks_claim_of_a_one_shot(self):
        job = {"id": "job", "schedule": ONCE, "next_run_at": at()}
        claim = claim_rules.stamp(job, NOW, occurrence=NOW, source="webhook", ttl_s=40)
        assert job == {
            "id": "job",
            "schedule": ONCE,
            "next_run_at": None,
            "fire_token": 1,
            "last_occurrence": at(),
            "fire_claim": claim,
            "run_claim": {"at": at(), "by": "h:7"},
        }
        assert (claim["leased"], claim["reserved"], claim["counted"]) == (False, True, False)
        assert claim["expires_at"] == at(seconds=40)

    def test_a_ticks_claim_of_a_one_shot_counts_at_once(self):
        job = {"id": "job", "schedule": ONCE, "next_run_at": at(), "repeat": {"times": 3}}
        claim = claim_rules.stamp(job, NOW, occurrence=NOW, source="tick")
        assert (claim["counted"], job["repeat"]) == (True, {"times": 3, "completed": 1})

    def test_the_place_on_the_grid_is_kept_in_the_claim(self):
        job = {"id": "job", "schedule": HOURLY, "next_run_at": at(), "grid_at": at(minutes=20)}
        claim = claim_rules.stamp(job, NOW, occurrence=NOW, source="fire")
        assert (claim["grid_at"], "grid_at" in job) == (at(minutes=20), False)
        assert job["next_run_at"] == at(minutes=20)

    def test_without_an_occurrence_none_is_noted(self):
        job = {"id": "job", "schedule": HOURLY, "last_occurrence": "before"}
        claim = claim_rules.stamp(job, NOW, occurrence=None, source="fire")
        assert (claim["occurrence"], job["last_occurrence"]) == (None, "before")

    @pytest.mark.parametrize(("last", "given"), [(1, 2), (0, 1), (-3, 1), ("9", 1), (None, 1)])
    def test_a_token_that_is_none_starts_again(self, last, given):
        job = {"id": "job", "schedule": HOURLY, "fire_token": last}
        assert claim_rules.stamp(job, NOW, occurrence=NOW, source="fire")["token"] == given


class TestRenew:
    def test_it_moves_both_times_and_marks_a_run_behind_it(self):
        job = claimed(next_run_at=at(hours=1))
        claim_rules.renew(job, NOW + timedelta(seconds=100))
        assert job == claimed(
            next_run_at=at(hours=1),
            claim={"at": at(seconds=100), "expires_at": at(seconds=400), "leased": True},
        )

    def test_the_time_is_the_callers(self):
        job = claimed()
        claim_rules.renew(job, NOW, 40)
        assert job["fire_claim"]["expires_at"] == at(seconds=40)

    def test_what_hermes_agent_sees_of_a_one_shot_moves_with_it(self):
        job = claimed(ONCE, run_claim={"at": at(), "by": "b:1"})
        claim_rules.renew(job, NOW + timedelta(seconds=100))
        assert job["run_claim"] == {"at": at(seconds=100), "by": "b:1"}


class TestClear:
    @pytest.mark.parametrize("run_claim", [{"at": at(), "by": "b:1"}, "broken"])
    def test_both_claims_go(self, run_claim):
        job = claimed(ONCE, run_claim=run_claim)
        claim_rules.clear(job)
        assert (job["fire_claim"], job["run_claim"]) == (None, None)

    def test_a_record_without_a_run_claim_is_given_none(self):
        job = claimed()
        claim_rules.clear(job)
        assert "run_claim" not in job


class TestNeverBegan:
    @pytest.mark.parametrize(
        ("claim", "states", "expected"),
        [
            ({"source": "tick"}, {"claimed"}, True),
            ({"source": "tick"}, {"claimed", "running"}, False),
            ({"source": "tick"}, set(), False),
            ({"source": "fire"}, {"claimed"}, False),
            ({"source": "tick", "started": True}, {"claimed"}, False),
            ({"source": "webhook", "reserved": True}, set(), True),
            ({"source": "webhook", "reserved": True, "started": True}, set(), False),
            ({"source": "webhook", "reserved": False}, {"claimed"}, False),
        ],
    )
    def test_of_a_recurring_job(self, claim, states, expected):
        assert claim_rules.never_began(claimed(claim=claim), states) is expected

    def test_a_claim_without_a_token_is_hermes_agents_and_says_too_little(self):
        job = claimed(claim={"source": "tick", "reserved": True})
        del job["fire_claim"]["token"]
        assert claim_rules.never_began(job, {"claimed"}) is False

    def test_without_a_claim_nothing_is_certain(self):
        assert claim_rules.never_began({"id": "job", "schedule": ONCE}, {"claimed"}) is False

    @pytest.mark.parametrize(("counted", "expected"), [(True, False), (False, True)])
    def test_a_one_shot_that_counts_may_have_begun(self, counted, expected):
        job = claimed(ONCE, claim={"source": "fire", "counted": counted})
        assert claim_rules.never_began(job, set()) is expected


class TestGiveBack:
    def test_a_recurring_job_is_due_again_where_it_was(self):
        job = claimed(next_run_at=at(hours=1), claim={"grid_at": at(minutes=20)})
        claim_rules.give_back(job, NOW)
        assert job == {
            "id": "job",
            "schedule": HOURLY,
            "fire_token": 4,
            "fire_claim": None,
            "next_run_at": at(),
            "grid_at": at(minutes=20),
        }

    def test_a_one_shot_is_planned_and_uncounted(self):
        job = claimed(
            ONCE,
            next_run_at=None,
            repeat={"times": 5, "completed": 4},
            run_claim={"at": at(), "by": "b:1"},
            claim={"counted": True},
        )
        claim_rules.give_back(job, NOW)
        assert job == {
            "id": "job",
            "schedule": ONCE,
            "fire_token": 4,
            "fire_claim": None,
            "run_claim": None,
            "next_run_at": at(),
            "repeat": {"times": 5, "completed": 3},
        }

    def test_what_did_not_count_is_not_uncounted(self):
        job = claimed(ONCE, repeat={"times": 5, "completed": 4})
        claim_rules.give_back(job, NOW)
        assert job["repeat"] == {"times": 5, "completed": 4}

    def test_an_earlier_plan_stays(self):
        job = claimed(next_run_at=at(minutes=-5))
        claim_rules.give_back(job, NOW)
        assert job["next_run_at"] == at(minutes=-5)

    def test_a_plan_for_the_same_instant_stays_as_it_is_written(self):
        job = claimed(next_run_at="2026-03-02T09:00:00+01:00")
        claim_rules.give_back(job, NOW)
        assert job["next_run_at"] == "2026-03-02T09:00:00+01:00"

    def test_without_an_occurrence_the_plan_stays(self):
        job = claimed(next_run_at=at(hours=1), claim={"occurrence": None})
        claim_rules.give_back(job, NOW)
        assert job["next_run_at"] == at(hours=1)

    def test_times_without_an_offset_are_meant_in_the_hosts_zone(self):
        """08:30 in Berlin is 07:30 UTC: earlier than 08:00 UTC, later by the letters."""
        job = claimed(next_run_at="2026-03-02T08:30:00")
        claim_rules.give_back(job, NOW.astimezone(BERLIN))
        assert job["next_run_at"] == "2026-03-02T08:30:00"
        job = claimed(next_run_at=at(), claim={"occurrence": "2026-03-02T08:30:00"})
        claim_rules.give_back(job, NOW.astimezone(BERLIN))
        assert job["next_run_at"] == "2026-03-02T08:30:00"


class TestClose:
    def test_a_recurring_run_counts_as_interrupted(self):
        job = claimed(next_run_at=at(hours=1), repeat={"times": 9, "completed": 3})
        claim_rules.close(job, NOW)
        assert job == {
            "id": "job",
            "schedule": HOURLY,
            "fire_token": 4,
            "fire_claim": None,
            "next_run_at": at(hours=1),
            "repeat": {"times": 9, "completed": 4},
            "last_status": "error",
            "last_error": f"the run for {at()} was interrupted: b:1 was gone before it said how"
            " the run ended; whether it had an effect is unknown",
        }

    def test_what_counted_already_counts_once(self):
        job = claimed(ONCE, repeat={"times": 2, "completed": 1}, claim={"counted": True})
        claim_rules.close(job, NOW)
        assert job["repeat"] == {"times": 2, "completed": 1}

    def test_a_one_shot_that_may_run_more_often_is_due_again(self):
        job = claimed(ONCE, next_run_at=None, repeat={"times": 2, "completed": 0})
        claim_rules.close(job, NOW + timedelta(hours=2))
        assert job["next_run_at"] == at()

    def test_one_that_was_claimed_for_no_occurrence_is_due_now(self):
        job = claimed(ONCE, next_run_at=None, repeat={"times": 2}, claim={"occurrence": None})
        claim_rules.close(job, NOW + timedelta(hours=2))
        assert job["next_run_at"] == at(hours=2)
        assert job["last_error"].startswith("the run for no stated occurrence was interrupted")

    def test_a_one_shot_whose_last_run_that_was_has_no_next_time(self):
        job = claimed(ONCE, next_run_at=None, repeat={"times": 1})
        claim_rules.close(job, NOW)
        assert (job["next_run_at"], job["repeat"]["completed"]) == (None, 1)

    def test_a_claim_without_a_token_ends_and_says_nothing(self):
        job = claimed(ONCE, next_run_at=None, repeat={"times": 2})
        del job["fire_claim"]["token"]
        claim_rules.close(job, NOW)
        assert job == {
            "id": "job",
            "schedule": ONCE,
            "fire_token": 4,
            "fire_claim": None,
            "next_run_at": None,
            "repeat": {"times": 2},
        }


class TestHold:
    @pytest.fixture
    def ticking(self, monkeypatch):
        elapsed = [50.0]
        monkeypatch.setattr(clock, "monotonic", lambda: elapsed[0])
        return elapsed

    @pytest.mark.parametrize(
        ("claim", "late_s", "ttl_s", "held"),
        [
            ({}, 299, 300, True),
            ({}, 300, 300, False),
            ({}, 39, 40, True),
            ({}, 40, 40, False),
            ({}, -60, 30, True),
            ({"at": None}, 0, 300, False),
            ({"at": "soon"}, 0, 300, False),
            # A lease says itself until when; it may outlast the caller's time, not undercut it.
            ({"leased": True, "expires_at": at(seconds=500)}, 499, 300, True),
            ({"leased": True, "expires_at": at(seconds=500)}, 500, 300, False),
            ({"leased": True, "expires_at": at(seconds=100)}, 200, 300, True),
            ({"leased": True, "expires_at": "soon"}, 299, 300, True),
            ({"leased": True, "expires_at": "soon"}, 300, 300, False),
            ({"leased": False, "expires_at": at(seconds=500)}, 300, 300, False),
        ],
    )
    def test_until_when_a_claim_holds(self, claim, late_s, ttl_s, held):
        job = claimed(claim=claim)
        assert claim_rules.is_held(job, NOW + timedelta(seconds=late_s), ttl_s) is held

    def test_without_a_claim_nobody_holds(self):
        assert not claim_rules.is_held({"id": "job", "schedule": HOURLY}, NOW)

    def test_a_hold_is_measured_in_the_hosts_zone(self):
        job = claimed(claim={"at": "2026-03-02T08:59:00"})
        assert claim_rules.is_held(job, NOW.astimezone(BERLIN))
        assert claim_rules.ends_at(job, NOW.astimezone(BERLIN)) == NOW + timedelta(seconds=240)
        lease = {"leased": True, "expires_at": "2026-03-02T09:10:00"}
        job = claimed(claim={"at": "2026-03-02T08:59:00", **lease})
        assert claim_rules.ends_at(job, NOW.astimezone(BERLIN)) == NOW + timedelta(minutes=10)

    def test_what_ends_now_ends_in_a_second(self):
        """A waiter that is told of the past would spin."""
        assert claim_rules.ends_at(claimed(), NOW + timedelta(days=1)) == NOW + timedelta(
            days=1, seconds=1
        )

    @pytest.mark.parametrize(("late_s", "held"), [(1799, True), (1800, False)])
    def test_hermes_agents_run_of_a_one_shot_holds_for_its_time(self, late_s, held):
        job = {"id": "job", "schedule": ONCE, "run_claim": {"at": at(), "by": "agent:1"}}
        assert claim_rules.is_held(job, NOW + timedelta(seconds=late_s)) is held

    def test_its_run_claim_on_a_recurring_job_means_nothing(self):
        job = {"id": "job", "schedule": HOURLY, "run_claim": {"at": at(), "by": "agent:1"}}
        assert not claim_rules.is_held(job, NOW)

    def test_our_own_run_claim_beside_our_claim_does_not_outlast_it(self):
        job = claimed(ONCE, run_claim={"at": at(), "by": "b:1"})
        assert not claim_rules.is_held(job, NOW + timedelta(seconds=300))
        job["run_claim"]["by"] = "agent:1"
        assert claim_rules.is_held(job, NOW + timedelta(seconds=300))

    def test_a_claim_ahead_holds_from_when_it_was_seen(self, ticking):
        job = claimed(claim={"at": at(seconds=61)})
        assert claim_rules.is_held(job, NOW)
        ticking[0] += 299
        assert claim_rules.is_held(job, NOW)
        ticking[0] += 1
        assert not claim_rules.is_held(job, NOW)

    @pytest.mark.parametrize("renewed", [{"at": at(seconds=62)}, {"by": "b:2"}])
    def test_one_that_was_renewed_or_taken_over_is_seen_anew(self, ticking, renewed):
        job = claimed(claim={"at": at(seconds=61)})
        assert claim_rules.is_held(job, NOW)
        ticking[0] += 300
        job["fire_claim"].update(renewed)
        assert claim_rules.is_held(job, NOW)

    def test_a_minute_ahead_is_still_the_skew_of_clocks(self, ticking):
        job = claimed(claim={"at": at(seconds=60)})
        assert claim_rules.ends_at(job, NOW) == NOW + timedelta(seconds=360)

    def test_hermes_agents_run_ahead_holds_from_when_it_was_seen(self, ticking):
        job = {"id": "job", "schedule": ONCE, "run_claim": {"at": at(days=1), "by": "agent:1"}}
        assert claim_rules.is_held(job, NOW)
        ticking[0] += 1799
        assert claim_rules.is_held(job, NOW)
        ticking[0] += 1
        assert not claim_rules.is_held(job, NOW)

    def test_each_job_is_seen_for_itself(self, ticking):
        one = claimed(claim={"at": at(seconds=61)})
        other = {**claimed(claim={"at": at(seconds=61)}), "id": "other"}
        assert claim_rules.is_held(one, NOW)
        ticking[0] += 300
        assert claim_rules.is_held(other, NOW)
        assert not claim_rules.is_held(one, NOW)
