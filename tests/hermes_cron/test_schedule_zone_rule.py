"""Cron times at clock changes, example by example (TIME-1, TIME-2, TIME-4)."""

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from hermes_cron import schedule

NEW_YORK, BERLIN = "America/New_York", "Europe/Berlin"
LORD_HOWE, APIA, SANTIAGO = "Australia/Lord_Howe", "Pacific/Apia", "America/Santiago"


def cron(expr):
    return {"kind": "cron", "expr": expr}


def following(expr, zone, after, count):
    at = datetime.fromisoformat(after).replace(tzinfo=ZoneInfo(zone))
    found = []
    for _ in range(count):
        at = schedule.next_after(cron(expr), at, ZoneInfo(zone))
        found.append(at.isoformat(timespec="minutes"))
    return found


RULE = [
    ("fixed, in the gap: once, at its end", "30 2 * * *", NEW_YORK, "2026-03-07T12:00",
     ["2026-03-08T03:00-04:00", "2026-03-09T02:30-04:00"]),
    ("fixed, several in the gap: one occurrence", "0,20,40 2 * * *", BERLIN, "2026-03-28T12:00",
     ["2026-03-29T03:00+02:00", "2026-03-30T02:00+02:00"]),
    ("fixed, in the gap and at its end: one occurrence", "0 2,3 * * *", BERLIN, "2026-03-28T12:00",
     ["2026-03-29T03:00+02:00", "2026-03-30T02:00+02:00"]),
    ("fixed, repeated: once, at the first", "30 1 * * *", NEW_YORK, "2026-10-31T12:00",
     ["2026-11-01T01:30-04:00", "2026-11-02T01:30-05:00"]),
    ("fixed by its text, though it names all hours", "0 0-23 * * *", BERLIN, "2026-10-25T01:30",
     ["2026-10-25T02:00+02:00", "2026-10-25T03:00+01:00"]),
    ("fixed, untouched", "0 9 * * *", NEW_YORK, "2026-03-07T12:00",
     ["2026-03-08T09:00-04:00", "2026-03-09T09:00-04:00"]),
    ("fixed, untouched in autumn", "0 9 * * *", NEW_YORK, "2026-10-31T12:00",
     ["2026-11-01T09:00-05:00", "2026-11-02T09:00-05:00"]),
    ("elapsed, over the gap", "*/30 * * * *", NEW_YORK, "2026-03-08T01:15",
     ["2026-03-08T01:30-05:00", "2026-03-08T03:00-04:00", "2026-03-08T03:30-04:00"]),
    ("elapsed, in both passes", "30 * * * *", NEW_YORK, "2026-11-01T00:45",
     ["2026-11-01T01:30-04:00", "2026-11-01T01:30-05:00", "2026-11-01T02:30-05:00"]),
    ("elapsed, every second hour: the hour that is left out does not come", "0 */2 * * *", BERLIN,
     "2026-03-28T23:00", ["2026-03-29T00:00+01:00", "2026-03-29T04:00+02:00"]),
    ("elapsed, in the gap only: not on that day", "*/20 2 * * *", BERLIN, "2026-03-28T02:30",
     ["2026-03-28T02:40+01:00", "2026-03-30T02:00+02:00"]),
    ("elapsed, on one day of the year, in both passes", "*/30 2 25 10 *", BERLIN, "2026-10-25T02:45",
     ["2026-10-25T02:00+01:00", "2026-10-25T02:30+01:00", "2027-10-25T02:00+02:00"]),
    ("fixed, once a year, on the day before a gap", "0 12 7 3 *", NEW_YORK, "2025-03-08T12:00",
     ["2026-03-07T12:00-05:00", "2027-03-07T12:00-05:00"]),
    ("fixed, repeated at a seam of our cache (400 days)", "30 23 * * *", "Atlantic/Azores",
     "1942-08-15T12:00", ["1942-08-15T23:30+00:00", "1942-08-16T23:30-01:00"]),
    ("fixed, a gap of 30 minutes", "15 2 * * *", LORD_HOWE, "2026-10-03T12:00",
     ["2026-10-04T02:30+11:00", "2026-10-05T02:15+11:00"]),
    ("fixed, 30 minutes repeated", "45 1 * * *", LORD_HOWE, "2026-04-04T12:00",
     ["2026-04-05T01:45+11:00", "2026-04-06T01:45+10:30"]),
    ("elapsed, 30 minutes repeated", "*/15 * * * *", LORD_HOWE, "2026-04-05T01:40",
     ["2026-04-05T01:45+11:00", "2026-04-05T01:30+10:30", "2026-04-05T01:45+10:30"]),
    ("fixed, midnight left out", "0 0 * * *", SANTIAGO, "2026-09-05T12:00",
     ["2026-09-06T01:00-03:00", "2026-09-07T00:00-03:00"]),
    ("fixed, a day left out: at its end, then in its own right", "0 9 * * *", APIA,
     "2011-12-29T10:00", ["2011-12-31T00:00+14:00", "2011-12-31T09:00+14:00"]),
    ("elapsed, a day left out", "0 */12 * * *", APIA, "2011-12-29T06:00",
     ["2011-12-29T12:00-10:00", "2011-12-31T00:00+14:00", "2011-12-31T12:00+14:00"]),
    ("fixed, a day repeated (Kwajalein, 1969)", "0 9 * * *", "Pacific/Kwajalein",
     "1969-09-29T12:00", ["1969-09-30T09:00+11:00", "1969-10-01T09:00-12:00"]),
    ("offsets with seconds (Monrovia until 1972)", "0 9 * * *", "Africa/Monrovia",
     "1971-12-31T12:00", ["1972-01-01T09:00-00:44:30", "1972-01-02T09:00-00:44:30"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "expr", "zone", "after", "expected"), RULE, ids=[r[0] for r in RULE]
)
def test_the_zone_rule(name, expr, zone, after, expected):
    """TIME-2: fixed schedules keep wall time, the others follow elapsed time."""
    assert following(expr, zone, after, len(expected)) == expected


DAYS = [
    ("1 March is not skipped", "0 9 1,16,31 * *", "2026-02-16T12:00", ["2026-03-01", "2026-03-16"]),
    ("either day field when both are restricted", "0 0 13 * FRI", "2026-02-01T12:00",
     ["2026-02-06", "2026-02-13", "2026-02-20", "2026-02-27", "2026-03-06", "2026-03-13"]),
    ("both when one begins with a star", "0 0 */2 * MON", "2026-03-01T12:00",
     ["2026-03-09", "2026-03-23", "2026-04-13"]),
    ("31 comes in long months", "0 0 31 * *", "2026-01-31T12:00", ["2026-03-31", "2026-05-31"]),
    ("29 February waits for a leap year", "0 0 29 2 *", "2096-03-01T12:00", ["2104-02-29"]),
    ("2400 is a leap year", "0 0 29 2 *", "2396-03-01T12:00", ["2400-02-29", "2404-02-29"]),
    ("29 February on a Sunday waits longest over 2100", "0 0 29 2 */7", "2088-03-01T12:00", ["2128-02-29"]),
    ("0 and 7 are Sunday", "0 0 * * 7", "2026-03-01T12:00", ["2026-03-08", "2026-03-15"]),
    ("a range ends on Sunday", "0 0 * * 6-7", "2026-03-01T12:00", ["2026-03-07", "2026-03-08"]),
    ("a range around Sunday", "0 0 * * SAT-MON", "2026-03-02T12:00", ["2026-03-07", "2026-03-08", "2026-03-09"]),
    ("every second day around Sunday", "0 0 * * 6-2/2", "2026-03-02T12:00", ["2026-03-07", "2026-03-09"]),
    ("the last day", "0 0 L * *", "2028-02-01T12:00", ["2028-02-29", "2028-03-31"]),
    ("the second Friday", "0 0 * * FRI#2", "2026-03-01T12:00", ["2026-03-13", "2026-04-10"]),
    ("the first Sunday, written with 7", "0 0 * * 7#1", "2026-03-01T12:00", ["2026-04-05", "2026-05-03"]),
    ("a fifth Monday comes not in each month", "0 0 * * 1#5", "2026-02-01T12:00", ["2026-03-30", "2026-06-29"]),
    ("the last Friday", "0 0 * * L5", "2026-03-01T12:00", ["2026-03-27", "2026-04-24"]),
    ("months by name", "0 0 1 jan,Jul *", "2026-03-01T12:00", ["2026-07-01", "2027-01-01"]),
    ("months around new year", "0 0 1 NOV-FEB/2 *", "2026-03-01T12:00", ["2026-11-01", "2027-01-01"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "expr", "after", "expected"), DAYS, ids=[row[0] for row in DAYS])
def test_the_days_of_an_expression(name, expr, after, expected):
    assert [at[:10] for at in following(expr, "UTC", after, len(expected))] == expected


@pytest.mark.parametrize(
    ("expr", "minutes"),
    [
        ("47-47 2 * * *", [47]),
        ("47-47/5 2 * * *", [47]),
        ("59/15 2 * * *", [59]),
        ("5/25 2 * * *", [5, 30, 55]),
        ("55-5/5 2 * * *", [0, 5, 55]),
        ("*/40 2 * * *", [0, 40]),
        ("*,7 2 1 1 *", list(range(60))),
    ],
)
def test_the_minutes_of_an_expression(expr, minutes):
    """What the versions of croniter read differently or wrongly is read rightly."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    day = schedule.occurrences_between(cron(expr), at, at + timedelta(hours=23), UTC)
    assert [found.minute for found in day] == minutes


@pytest.mark.parametrize(
    ("expr", "zone", "now", "latest"),
    [
        ("30 9,17 * * *", NEW_YORK, "2026-03-03T17:10:00-05:00", "2026-03-03T09:30:00-05:00"),
        ("30 9 * * *", NEW_YORK, "2026-03-03T09:29:59-05:00", "2026-03-02T09:30:00-05:00"),
        ("0 9 * * MON", NEW_YORK, "2026-04-05T12:00:00-04:00", "2026-03-30T09:00:00-04:00"),
        ("30 2 * * *", NEW_YORK, "2026-03-08T03:10:00-04:00", "2026-03-08T03:00:00-04:00"),
        ("30 2 * * *", NEW_YORK, "2026-03-08T01:59:00-05:00", "2026-03-07T02:30:00-05:00"),
        ("30 1 * * *", NEW_YORK, "2026-11-01T01:45:00-05:00", "2026-11-01T01:30:00-04:00"),
        ("30 * * * *", NEW_YORK, "2026-11-01T01:45:00-05:00", "2026-11-01T01:30:00-05:00"),
        ("30 * * * *", NEW_YORK, "2026-11-01T01:15:00-05:00", "2026-11-01T01:30:00-04:00"),
        ("15 2 * * *", LORD_HOWE, "2026-10-04T02:30:00+11:00", "2026-10-04T02:30:00+11:00"),
    ],
)
def test_the_latest_occurrence_at_clock_changes(expr, zone, now, latest):
    """After downtime one run, for the latest occurrence: it must be one that really was."""
    zone, now = ZoneInfo(zone), datetime.fromisoformat(now)
    previous = schedule.next_after(cron(expr), datetime(2026, 3, 1, tzinfo=zone), zone)
    assert schedule.latest_not_after(cron(expr), previous, now, zone).isoformat() == latest


def test_the_answer_tells_the_passes_of_a_repeated_hour_apart():
    zone = ZoneInfo(NEW_YORK)
    at = datetime(2026, 11, 1, 1, 30, tzinfo=zone)
    second = schedule.next_after(cron("*/30 * * * *"), at.replace(minute=45), zone)
    assert (second.hour, second.minute, second.fold) == (1, 0, 1)
    third = schedule.next_after(cron("30 1 * * *"), at.replace(fold=1, minute=10), zone)
    assert third.isoformat() == "2026-11-02T01:30:00-05:00"


def test_the_instant_asked_from_may_be_in_any_zone_or_naive():
    berlin = ZoneInfo(BERLIN)
    expected = datetime(2026, 3, 2, 9, tzinfo=berlin)
    for after in (
        datetime(2026, 3, 2, 7, 59, 59, 999999, tzinfo=UTC),
        datetime(2026, 3, 2, 2, tzinfo=ZoneInfo(NEW_YORK)),
        datetime(2026, 3, 2, 8),  # noqa: DTZ001 - naive is the point
    ):
        assert schedule.next_after(cron("0 9 * * *"), after, berlin) == expected
    assert schedule.next_after(cron("0 9 * * *"), expected, berlin) > expected


def test_at_the_seams_of_the_cache_nothing_is_lost_or_doubled():
    """Zones are scanned in blocks of 400 days; a block's edge is no clock change."""
    edge = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=400 * 51)
    for zone in (ZoneInfo(NEW_YORK), ZoneInfo(LORD_HOWE)):
        for expr in ("*/10 * * * *", "0,10,20,30,40,50 0-23 * * *"):
            last = edge + timedelta(hours=3)
            found = list(
                schedule.occurrences_between(cron(expr), edge - timedelta(hours=3), last, zone)
            )
            steps = {b.astimezone(UTC) - a.astimezone(UTC) for a, b in itertools.pairwise(found)}
            assert steps == {timedelta(minutes=10)}
            assert schedule.latest_not_after(cron(expr), found[0], edge, zone) == edge


def test_the_calendar_ends():
    late = datetime(9986, 1, 1, tzinfo=UTC)
    run = itertools.islice(
        schedule.occurrences_between(
            cron("0 0 1 1 *"), late, late.replace(year=9989, month=12), UTC
        ),
        9,
    )
    assert len(list(run)) == 3
    with pytest.raises(ValueError, match="outside the years"):
        schedule.next_after(cron("* * * * *"), datetime.max.replace(tzinfo=UTC), UTC)
