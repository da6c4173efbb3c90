"""What should be armed, and how soon again. Pure functions and one counter."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from hermes_cron import clock, jobs
from hermes_cron.plugins.chronos import _wanted

AT = "2026-03-02T09:00:00+00:00"
EPOCH = datetime(2026, 3, 2, 9, 0, tzinfo=UTC).timestamp()
HOURLY = {"kind": "interval", "minutes": 60}


def job(**fields):
    return {"id": "job", "schedule": HOURLY, "next_run_at": AT, **fields}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, True),
        ({"id": ""}, False),
        ({"state": "paused"}, False),
        ({"enabled": False}, False),
        ({"repeat": {"times": 2, "completed": 1}}, True),
        ({"repeat": {"times": 2, "completed": 2}}, False),
        ({"next_run_at": None}, False),
        ({"next_run_at": ""}, False),
        ({"next_run_at": "soon"}, True),
    ],
)
def test_what_may_run_and_has_a_time_is_wanted(fields, expected):
    assert _wanted.is_wanted(job(**fields)) is expected


@pytest.mark.parametrize(
    ("completed", "claim", "late_s", "expected"),
    [
        (1, {}, 0, False),  # its last run is on
        (1, {}, 300, True),  # or was: the claim is over
        (1, {}, -10, False),
        (1, {}, -86_400, True),  # who dated it so? nobody is woken to take it over later
        (0, {}, 0, True),
        (1, {"counted": True}, 0, True),
        (1, {"token": None}, 0, True),  # not of our making: what it is for, nobody says
    ],
)
def test_while_the_last_run_is_on_no_other_is_wanted(
    monkeypatch, completed, claim, late_s, expected
):
    now = datetime.fromtimestamp(EPOCH + late_s, UTC)
    monkeypatch.setattr(jobs, "_hermes_now", lambda: now)
    held = {"at": AT, "by": "b:1", "token": 1, **claim}
    one = job(fire_claim=held, repeat={"times": 2, "completed": completed})
    assert _wanted.is_wanted(one) is expected


def test_the_first_of_each_id_is_wanted_in_the_stores_order():
    first, second, again = job(id="b"), job(id="a"), job(id="b", name="again")
    found = _wanted.wanted([None, "x", {"next_run_at": AT}, {"id": 5}, first, second, again])
    assert list(found.items()) == [("b", first), ("a", second)]


@pytest.mark.parametrize(
    ("claim", "expected"), [({"reserved": True}, True), ({"reserved": False}, False), ({}, False)]
)
def test_a_promise_that_no_run_has_taken_up(claim, expected):
    assert _wanted.is_promised(job(fire_claim=claim)) is expected


@pytest.mark.parametrize(
    ("stored", "sent"),
    [
        (AT, AT),
        ("2026-03-02T09:00:00Z", "2026-03-02T09:00:00Z"),
        ("2026-03-02T09:00:00.250000+00:00", AT),
        ("2026-03-02T09:00:00", "2026-03-02T09:00:00+01:00"),
        ("2026-03-02T09:00:00.250000", "2026-03-02T09:00:00+01:00"),
        (" soon ", "soon"),
        (None, ""),
        (5, ""),
    ],
)
def test_how_a_stored_time_is_sent(monkeypatch, stored, sent):
    monkeypatch.setattr(clock, "zone", lambda: ZoneInfo("Europe/Berlin"))
    assert _wanted.fire_at_of(job(next_run_at=stored)) == sent


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (None, AT, False),
        (AT, AT, True),
        ("soon", "soon", True),
        ("soon", AT, False),
        (AT, "soon", False),
        ("2026-03-02T10:00:00.900000+01:00", AT, True),
        ("2026-03-02T09:00:01+00:00", AT, False),
    ],
)
def test_two_fires_are_the_same_to_the_second(one, other, same):
    assert _wanted.is_same_fire(one, other) is same


class TestPace:
    def counted(self, times, at_s=100.0, fire_at=AT):
        pace = _wanted.Pace()
        for _ in range(times):
            pace.accepted("job", fire_at, at_s)
        return pace

    def test_the_fifth_arm_within_a_minute_is_followed_by_a_pause(self):
        assert self.counted(4).pause_s("job", AT, 100.0, EPOCH) == 0
        assert self.counted(5).pause_s("job", AT, 100.0, EPOCH) == 60

    def test_it_ends_with_the_minute(self):
        pace = self.counted(5)
        assert pace.pause_s("job", AT, 159.9, EPOCH) == 60
        assert pace.pause_s("job", AT, 160.0, EPOCH) == 0

    @pytest.mark.parametrize(
        ("away_s", "pause_s"), [(-5, 60), (61, 61), (899, 899), (901, 900), (59, 60)]
    )
    def test_it_lasts_until_the_fire_within_bounds(self, away_s, pause_s):
        assert self.counted(5).pause_s("job", AT, 100.0, EPOCH - away_s) == pause_s

    def test_of_what_is_no_time_it_lasts_a_minute(self):
        pace = self.counted(5, fire_at="soon")
        assert pace.pause_s("job", "soon", 100.0, EPOCH) == 60

    def test_another_fire_or_job_is_counted_for_itself(self):
        pace = self.counted(5)
        assert pace.pause_s("job", "2026-03-02T10:00:00+00:00", 100.0, EPOCH) == 0
        assert pace.pause_s("other", AT, 100.0, EPOCH) == 0
        pace.accepted("job", "2026-03-02T10:00:00+00:00", 100.0)
        assert pace.pause_s("job", "2026-03-02T10:00:00+00:00", 100.0, EPOCH) == 0

    def test_what_is_armed_between_does_not_hide_it(self):
        pace = _wanted.Pace()
        for _ in range(5):
            pace.accepted("job", AT, 100.0)
            pace.accepted("job", "2026-03-02T10:00:00+00:00", 100.0)
        assert pace.pause_s("job", AT, 100.0, EPOCH) == 60

    def test_a_minute_begins_with_its_first_arm(self):
        pace = self.counted(4)
        pace.accepted("job", AT, 159.0)
        assert pace.pause_s("job", AT, 159.5, EPOCH) == 60
        assert pace.pause_s("job", AT, 160.5, EPOCH) == 0
        pace.accepted("job", AT, 160.0)
        for _ in range(3):
            pace.accepted("job", AT, 170.0)
        assert pace.pause_s("job", AT, 170.0, EPOCH) == 0
        pace.accepted("job", AT, 170.0)
        assert pace.pause_s("job", AT, 170.0, EPOCH) == 60

    def test_what_is_no_job_any_more_is_forgotten(self):
        pace = self.counted(5)
        pace.forget_others(iter(["job", "other"]))
        assert pace.pause_s("job", AT, 100.0, EPOCH) == 60
        pace.forget_others(["other"])
        assert pace.pause_s("job", AT, 100.0, EPOCH) == 0
