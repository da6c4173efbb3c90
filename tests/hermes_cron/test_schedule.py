"""What people write for a schedule, what is refused with which words, and what the records hold."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter

from hermes_cron import clock, schedule
from hermes_cron.schedule import ScheduleError

NEW_YORK = ZoneInfo("America/New_York")
NOW = datetime(2026, 3, 7, 12, tzinfo=NEW_YORK)  # a day before the clocks go forward

STORED = [
    ("30m", {"kind": "once", "run_at": "2026-03-07T12:30:00-05:00", "display": "once in 30m"}),
    ("2 Hours", {"kind": "once", "run_at": "2026-03-07T14:00:00-05:00", "display": "once in 2 Hours"}),
    ("1d", {"kind": "once", "run_at": "2026-03-08T13:00:00-04:00", "display": "once in 1d"}),
    ("every 30m", {"kind": "interval", "minutes": 30, "display": "every 30m"}),
    (" Every 2 hours ", {"kind": "interval", "minutes": 120, "display": "every 120m"}),
    ("0 9 * * *", {"kind": "cron", "expr": "0 9 * * *", "display": "0 9 * * *"}),
    ("0  9 *\t* mon-FRI", {"kind": "cron", "expr": "0 9 * * mon-FRI", "display": "0  9 *\t* mon-FRI"}),
    ("0 9 * JAN MON", {"kind": "cron", "expr": "0 9 * JAN MON", "display": "0 9 * JAN MON"}),
    ("*/60 */24 */31 */12 */7", {"kind": "cron", "expr": "*/60 */24 */31 */12 */7", "display": "*/60 */24 */31 */12 */7"}),
    ("@daily", {"kind": "cron", "expr": "0 0 * * *", "display": "@daily"}),
    ("@Weekly", {"kind": "cron", "expr": "0 0 * * 0", "display": "@Weekly"}),
    ("47-47 2 * * *", {"kind": "cron", "expr": "47 2 * * *", "display": "47-47 2 * * *"}),
    ("0 9 ? * 2", {"kind": "cron", "expr": "0 9 * * 2", "display": "0 9 ? * 2"}),
    ("2026-05-01T14:00", {"kind": "once", "run_at": "2026-05-01T14:00:00-04:00", "display": "once at 2026-05-01 14:00"}),
    ("2026-05-01 14:00:30", {"kind": "once", "run_at": "2026-05-01T14:00:30-04:00", "display": "once at 2026-05-01 14:00"}),
    ("2026-05-01", {"kind": "once", "run_at": "2026-05-01T00:00:00-04:00", "display": "once at 2026-05-01 00:00"}),
    ("2026-05-01T14:00Z", {"kind": "once", "run_at": "2026-05-01T14:00:00+00:00", "display": "once at 2026-05-01 10:00"}),
    ("2026-03-08T02:30", {"kind": "once", "run_at": "2026-03-08T03:00:00-04:00", "display": "once at 2026-03-08 03:00"}),
    ("2026-11-01T02:00", {"kind": "once", "run_at": "2026-11-01T02:00:00-05:00", "display": "once at 2026-11-01 02:00"}),
    ("2026-11-01T01:30", {"kind": "once", "run_at": "2026-11-01T01:30:00-04:00", "display": "once at 2026-11-01 01:30"}),
]  # fmt: skip

REFUSED = [
    (None, "no schedule; write '30m'"),
    (30, "no schedule; write '30m'"),
    ("", "no schedule; write '30m'"),
    ("  ", "no schedule; write '30m'"),
    ("tomorrow", "cannot be read; write '30m'"),
    ("-5m", "cannot be read; write '30m'"),
    ("0m", "no time at all; the shortest is '1m'"),
    ("30", "write '30m' for minutes"),
    ("90s", "write '1m', the shortest"),
    ("2h30m", "write '150m'"),
    ("1.5h", "write '90m'"),
    ("1w", "write '7d'"),
    ("9am", "write '30m', '2h' or '1d'"),
    ("9" * 5000 + "d", "too long; the longest is '3650d'"),
    ("3651d", "too long; the longest is '3650d'"),
    ("٣0m", "cannot be read|no duration"),
    ("every", "'every 30m', 'every 2h'"),
    ("every 0m", "shortest is 'every 1m'"),
    ("every -5m", "'every 30m', 'every 2h'"),
    ("every 1h30m", "write 'every 90m'"),
    ("every day", "write 'every 1d'"),
    ("every monday", "such as '0 9 [*] [*] MON'"),
    ("every 99999999999999999999d", "too long; the longest is 'every 3650d'"),
    ("2026-13-01", "timestamp '2026-13-01' cannot be read"),
    ("2026-02-30T09:00", "write it like '2026-02-03T14:00'"),
    ("0001-01-01T00:00", "outside the years"),
    ("9999-12-31T23:59-05:00", "outside the years"),
    ("* *", "has 2 fields and should have five"),
    ("0 9 * *", "has 4 fields and should have five"),
    ("0 0 9 * * *", "has 6 fields .* seconds and years are not supported"),
    ("0 9 * * * * 2026", "has 7 fields .* seconds and years are not supported"),
    ("60 * * * *", "'60' is no minute; it is 0-59"),
    ("0 24 * * *", "'24' is no hour; it is 0-23"),
    ("0 0 0 * *", "'0' is no day of month; it is 1-31"),
    ("0 0 * 13 *", "'13' is no month; it is 1-12 or JAN-DEC"),
    ("0 0 * * 8", "'8' is no day of week; it is 0-7 or SUN-SAT"),
    ("0 0 * * XYZ", "'XYZ' is no day of week"),
    ("0 0 * * monday", "'monday' is nothing for the day of week"),
    ("*/0 * * * *", "the smallest step is 1"),
    ("*/90 * * * *", "names 0 only; write '0' or 'every 90m'"),
    ("0 */36 * * *", "names 0 only; write '0' or 'every 36h'"),
    ("1,,2 * * * *", "'' is nothing for the minute"),
    ("*-5 * * * *", "'[*]-5' is nothing for the minute"),
    ("5- * * * *", "'5-' is nothing for the minute"),
    ("R * * * *", "random times are not supported"),
    ("0 R * * *", "random times are not supported"),
    ("H 9 * * *", "hashed times are not supported"),
    ("0 9 15W * *", "nearest weekday is not supported"),
    ("0 9 LW * *", "nearest weekday is not supported"),
    ("0 9 L-3 * *", "write L alone"),
    ("0 9 * * 5L", "L5 in the day of week for the last Friday"),
    ("0 9 * * 1#6", "write FRI#2"),
    ("0 9 * * 1,5#2", "make two jobs of it"),
    ("0 ? * * *", "a day field only"),
    ("0 0 31 2 *", "never comes"),
    ("0 0 30 FEB *", "never comes"),
    ("0 0 31 4,6,9,11 *", "never comes"),
    ("0 0 31 2 */1", "never comes"),
    ("@reboot", "no alias for times"),
    ("0 ٩ * * *", "plain letters, digits"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "stored"), STORED, ids=[repr(row[0]) for row in STORED])
def test_what_is_written_is_stored_in_the_known_form(text, stored):
    assert schedule.parse_schedule(text, now=NOW) == stored


@pytest.mark.parametrize(("text", "says"), REFUSED, ids=lambda v: repr(v)[:30])
def test_a_bad_schedule_is_refused_with_what_would_be_right(text, says):
    """TIME-7: at creation, as a ScheduleError, which is a ValueError."""
    with pytest.raises(ScheduleError, match=says) as caught:
        schedule.parse_schedule(text, now=NOW)
    assert isinstance(caught.value, ValueError)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("text", [row[0] for row in STORED if row[1]["kind"] == "cron"])
def test_what_is_stored_as_cron_is_understood_by_croniter(text):
    """hermes-agent hands the stored expression to croniter as it is."""
    assert croniter.is_valid(schedule.parse_schedule(text, now=NOW)["expr"])


def test_from_now_asks_the_configured_clock(monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: NOW)
    assert schedule.parse_schedule("30m")["run_at"] == "2026-03-07T12:30:00-05:00"
    assert schedule.parse_schedule("2026-05-01T14:00")["run_at"] == "2026-05-01T14:00:00-04:00"


def test_from_now_is_rounded_up_to_the_second():
    """A fire is armed to the second; one rounded down would come early."""
    now = NOW.replace(microsecond=1)
    assert schedule.parse_schedule("30m", now=now)["run_at"] == "2026-03-07T12:30:01-05:00"


@pytest.mark.parametrize(("text", "minutes"), [("30m", 30), (" 2h ", 120), ("1D", 1440), ("90 minutes", 90), ("007 hrs", 420), ("3650d", 5_256_000)])  # fmt: skip
def test_durations_are_minutes(text, minutes):
    assert schedule.parse_duration(text) == minutes


@pytest.mark.parametrize("text", [None, 5, "", "every 5m", "5", "5x", "m", "1h 1m", "0d"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ScheduleError, match=r"write '|shortest"):
        schedule.parse_duration(text)


BROKEN = [
    (None, "no kind that is known"),
    ({}, "no kind that is known"),
    ([], "no kind that is known"),
    ({"kind": "weekly"}, "no kind that is known"),
    ({"kind": ["cron"]}, "no kind that is known"),
    ({"kind": "cron"}, "'expr' is None"),
    ({"kind": "cron", "expr": 7}, "'expr' is 7"),
    ({"kind": "cron", "expr": "nonsense"}, "has 1 fields"),
    ({"kind": "cron", "expr": "0 0 31 2 *"}, "never comes"),
    ({"kind": "interval"}, "'minutes' is None"),
    ({"kind": "interval", "minutes": 0}, "'minutes' is 0"),
    ({"kind": "interval", "minutes": -3}, "'minutes' is -3"),
    ({"kind": "interval", "minutes": True}, "'minutes' is True"),
    ({"kind": "interval", "minutes": "30"}, "'minutes' is '30'"),
    ({"kind": "interval", "minutes": float("nan")}, "'minutes' is nan"),
    ({"kind": "interval", "minutes": 10**30}, "longer than the calendar"),
    ({"kind": "once"}, "'run_at' is None"),
    ({"kind": "once", "run_at": "soon"}, "'run_at' is 'soon'"),
    ({"kind": "once", "run_at": 1}, "'run_at' is 1"),
    ({"kind": "once", "run_at": "9999-12-31T23:59:59+00:00"}, "'run_at' is '9999"),
]


@pytest.mark.parametrize(("record", "says"), BROKEN, ids=lambda value: repr(value)[:40])
def test_a_broken_record_is_a_schedule_error_in_every_question(record, says):
    """LIVE-7 stands on this: whatever a file holds, one exception type comes out."""
    questions = (
        lambda: schedule.next_after(record, NOW, NEW_YORK),
        lambda: schedule.next_on_grid(record, NOW, NOW, NEW_YORK),
        lambda: list(schedule.occurrences_between(record, NOW, NOW, NEW_YORK)),
        lambda: schedule.ensure_not_past(record, NOW, NEW_YORK),
    )
    for question in questions[: 4 if "once" in repr(record) else 3]:
        with pytest.raises(ScheduleError, match=says):
            question()


def test_a_one_shot_comes_once():
    once = {"kind": "once", "run_at": "2026-03-08T02:30:00"}
    at = schedule.next_after(once, NOW, NEW_YORK)
    assert at.isoformat() == "2026-03-08T03:00:00-04:00"
    assert schedule.next_after(once, at, NEW_YORK) is None
    assert schedule.next_on_grid(once, at, NOW, NEW_YORK) is None
    assert list(schedule.occurrences_between(once, NOW, at, NEW_YORK)) == [at]
    assert schedule.latest_not_after(once, at, at + timedelta(days=1), NEW_YORK) == at


@pytest.mark.parametrize(("late_s", "refused"), [(-5, False), (119, False), (120, False), (121, True), (7 * 86_400, True)])  # fmt: skip
def test_a_one_shot_more_than_two_minutes_past_is_refused(late_s, refused):
    """TIME-6."""
    once = {"kind": "once", "run_at": (NOW - timedelta(seconds=late_s)).isoformat()}
    if not refused:
        schedule.ensure_not_past(once, NOW, NEW_YORK)
        return
    with pytest.raises(ScheduleError, match=r"past .* would never come; give a later one"):
        schedule.ensure_not_past(once, NOW, NEW_YORK)


def test_what_recurs_is_never_past():
    for text in ("every 5m", "0 9 * * *"):
        schedule.ensure_not_past(schedule.parse_schedule(text, now=NOW), NOW, NEW_YORK)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("every 1m", 120),
        ("every 10m", 300),
        ("every 1d", 7200),
        ("*/30 * * * *", 900),
        ("0 9 * * *", 7200),
        ("0 9,10 * * *", 1800),
        ("30m", 120),
    ],
)
def test_the_grace_is_half_the_period_within_bounds(text, seconds):
    at = datetime(2026, 3, 10, 9, tzinfo=UTC)
    parsed = schedule.parse_schedule(text, now=at)
    assert schedule.grace_s(parsed, UTC, at) == seconds
    assert not schedule.is_past_grace(parsed, seconds, UTC, at)
    assert schedule.is_past_grace(parsed, seconds + 1e-6, UTC, at)


@pytest.mark.parametrize("late_s", [0, 119, 9000])
@pytest.mark.parametrize(
    "unreadable",
    [{}, {"kind": "cron", "expr": "61 * * * *"}, {"kind": "interval", "minutes": 0}],
)
def test_nothing_is_late_nor_in_time_by_a_schedule_that_cannot_be_read(unreadable, late_s):
    with pytest.raises(ScheduleError):
        schedule.is_past_grace(unreadable, late_s, UTC, datetime(2026, 3, 10, 9, tzinfo=UTC))


def test_the_grace_is_that_of_the_occurrence_in_question(monkeypatch):
    """09:00 has an hour until 10:00; 10:00 has until tomorrow. Without one, the present decides."""
    twice = {"kind": "cron", "expr": "0 9,10 * * *"}
    at = datetime(2026, 3, 10, 10, tzinfo=UTC)
    assert schedule.grace_s(twice, UTC, at) == 7200
    monkeypatch.setattr(clock, "now", lambda: at - timedelta(minutes=90))
    assert schedule.grace_s(twice, UTC) == 1800


def test_a_clock_that_was_stepped_back_repeats_nothing():
    """TIME-1: the next one is after the old one, too."""
    previous, stepped = NOW, NOW - timedelta(days=3)
    for text in ("every 2h", "0 * * * *"):
        parsed = schedule.parse_schedule(text, now=NOW)
        assert schedule.next_on_grid(parsed, previous, stepped, NEW_YORK) > previous
        assert schedule.latest_not_after(parsed, previous, stepped, NEW_YORK) == previous
