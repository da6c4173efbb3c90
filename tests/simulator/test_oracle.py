"""The oracle: its reading of schedules, and the zone rule, against words and a second library."""

import ast
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim, CronSimError
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import cron_text, oracle
from simulator.cron_text import CronError, read_cron
from simulator.durations import HOUR_US, MINUTE_US, SECOND_US


def _wall(text: str, zone: str, start: str, end: str) -> list[str]:
    """The due wall times of a schedule between two local midnights."""
    tz = ZoneInfo(zone)
    first, last = (oracle.to_us(datetime.fromisoformat(t).replace(tzinfo=tz)) for t in (start, end))
    due = oracle.occurrences(oracle.read(text, first, zone), first, last)
    return [datetime.fromtimestamp(at / SECOND_US, tz).strftime("%dT%H:%M%z") for at in due]


@pytest.mark.parametrize("module", [oracle, cron_text])
def test_it_shares_no_code_with_the_host(module):
    tree = ast.parse(Path(module.__file__).read_text())
    names = {
        alias.name if isinstance(node, ast.Import) else str(node.module)
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert not {
        name for name in names if name.split(".")[0] in {"hermes_cron", "croniter", "cronsim"}
    }


@pytest.mark.parametrize(
    ("text", "zone", "start", "end", "due"),
    [
        # A fixed time in a gap is due once, at the first instant after it.
        ("30 2 * * *", "Europe/Berlin", "2026-03-28", "2026-03-31", ["28T02:30+0100", "29T03:00+0200", "30T02:30+0200"]),
        # All that the gap swallows is due together, once, also with what is due there anyway.
        ("0,30 2,3 * * *", "Europe/Berlin", "2026-03-29", "2026-03-30", ["29T03:00+0200", "29T03:30+0200"]),
        # A fixed time that comes twice is due at its first pass.
        ("30 2 * * *", "Europe/Berlin", "2026-10-24", "2026-10-27", ["24T02:30+0200", "25T02:30+0200", "26T02:30+0100"]),
        # What is not fixed follows elapsed time through both.
        ("0 * * * *", "Europe/Berlin", "2026-03-29", "2026-03-29T04:30", ["29T01:00+0100", "29T03:00+0200", "29T04:00+0200"]),
        ("*/30 1-2 * * *", "America/New_York", "2026-11-01", "2026-11-01T02:10", ["01T01:00-0400", "01T01:30-0400", "01T01:00-0500", "01T01:30-0500", "01T02:00-0500"]),
        # The two figures that croniter gets wrong.
        ("0 9 * * *", "America/New_York", "2026-03-07", "2026-03-10", ["07T09:00-0500", "08T09:00-0400", "09T09:00-0400"]),
        ("0 9 * * *", "America/New_York", "2026-10-31", "2026-11-03", ["31T09:00-0400", "01T09:00-0500", "02T09:00-0500"]),
        # Shifts of half an hour, and a gap at midnight.
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03", "2026-10-06", ["03T02:15+1030", "04T02:30+1100", "05T02:15+1100"]),
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-04", "2026-04-07", ["04T01:45+1100", "05T01:45+1100", "06T01:45+1030"]),
        ("0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00", "2018-11-06", ["04T01:00-0200", "05T00:00-0200", "06T00:00-0200"]),
    ],
)  # fmt: skip
def test_the_zone_rule(text, zone, start, end, due):
    assert _wall(text, zone, start, end) == due


ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kathmandu", "Africa/Casablanca"]  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    day=st.dates(date(2015, 1, 1), date(2030, 1, 1)),
    minute=st.integers(0, 59),
    hour=st.integers(0, 23),
    fixed=st.booleans(),
)
def test_it_agrees_with_fold_in_the_zone_database(zone, day, minute, hour, fixed):
    """A plainer rule for what comes once or twice: `fold`, straight from the zone database."""
    text = f"{minute} {hour} * * *" if fixed else f"{minute} */{max(hour, 1)} * * *"
    cron, tz = read_cron(text), ZoneInfo(zone)
    number = (day - date(1970, 1, 1)).days
    due = set(oracle.due_minutes(cron, zone, number))
    for each in range(number * 1440, number * 1440 + 1440):
        local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=each)).astimezone(tz)
        shows = local.minute in cron.minutes and local.hour in cron.hours
        if shows and not (fixed and local.fold):
            assert each in due
        elif each in due:  # only right after a gap that swallowed a fixed time
            before = (local.astimezone(UTC) - timedelta(minutes=1)).astimezone(tz)
            assert fixed
            assert local.utcoffset() > before.utcoffset()


FIELDS = st.tuples(
    st.sampled_from(["*", "0", "5,35", "*/7", "10-20", "50-59/3"]),
    st.sampled_from(["*", "0", "9", "8-17", "*/5", "22,23"]),
    st.sampled_from(["*", "1", "31", "1,15", "10-20", "L"]),
    st.sampled_from(["*", "2", "JAN,JUL", "3-6"]),
    st.sampled_from(["*", "0", "7", "MON-FRI", "5#2", "sun"]),
)


@settings(max_examples=80, deadline=None)
@given(fields=FIELDS, day=st.dates(date(2020, 1, 1), date(2030, 1, 1)))
def test_it_agrees_with_cronsim_where_no_clock_changes(fields, day):
    text = " ".join(fields)
    start = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    try:
        other = next(CronSim(text, start))
    except (StopIteration, CronSimError):  # never comes
        return
    assert oracle.next_after(
        oracle.CronTimes(read_cron(text), "UTC"), oracle.to_us(start)
    ) == oracle.to_us(other)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("22-2", {22, 23, 0, 1, 2}),
        ("22-2/2", {22, 0, 2}),
        ("5/9", {5, 14, 23}),
        ("*/11", {0, 11, 22}),
        ("1,2,1", {1, 2}),
    ],
)
def test_hours(text, values):
    assert read_cron(f"0 {text} * * *").hours == values


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("0 0 13 * FRI", {2, 9, 13, 16, 23, 30}),  # either, as both are restricted
        ("0 0 */2 * FRI", {9, 23}),  # both: one begins with *
        ("0 0 L * *", {31}),
        ("0 0 * * FRI#2", {9}),
        ("0 0 * * L5", {30}),
        ("0 0 ? * SAT-MON", {3, 4, 5, 10, 11, 12, 17, 18, 19, 24, 25, 26, 31}),
        ("0 0 * * 7", {4, 11, 18, 25}),
        ("0 0 * FEB *", set()),
    ],
)
def test_days(text, days):
    cron = read_cron(text)
    assert {day for day in range(1, 32) if cron.names_day(date(2026, 1, day))} == days


@pytest.mark.parametrize(
    "text",
    ["", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8",
     "*/0 * * * *", "*-5 * * * *", "x * * * *", "1- * * * *", "R * * * *", "@reboot", "* * * * FRI#6"],
)  # fmt: skip
def test_what_is_no_expression_is_refused(text):
    with pytest.raises(CronError):
        read_cron(text)


def test_the_other_kinds():
    assert oracle.read("every 90m", 5, "UTC") == oracle.Every(5 + 90 * MINUTE_US, 90 * MINUTE_US)
    assert oracle.read("2h", 5, "UTC") == oracle.Once(2 * HOUR_US + SECOND_US)  # up to the second
    assert oracle.read("1970-01-01T02:00", 0, "Europe/Berlin") == oracle.Once(HOUR_US)
    assert oracle.read("1970-01-01T02:00+02:00", 0, "UTC") == oracle.Once(0)
    # In a gap: the first instant after it.
    assert oracle.read("2026-03-29T02:30", 0, "Europe/Berlin") == oracle.read(
        "2026-03-29T01:00Z", 0, "UTC"
    )
    for wrong in ("soon", "every 0m", "every x", "2026-13-01"):
        with pytest.raises(oracle.OracleError):
            oracle.read(wrong, 0, "UTC")


def test_stored_schedules():
    assert oracle.read_stored({"kind": "interval", "minutes": 5}, 7, "UTC") == oracle.Every(
        7, 5 * MINUTE_US
    )
    assert oracle.read_stored(
        {"kind": "once", "run_at": "1970-01-01T01:00:00+01:00"}, 0, "UTC"
    ) == oracle.Once(0)
    cron = oracle.read_stored({"kind": "cron", "expr": "0 9 * * *"}, 0, "Europe/Berlin")
    assert cron == oracle.read("0 9 * * *", 0, "Europe/Berlin")
    for wrong in (
        {},
        {"kind": "cron"},
        {"kind": "interval", "minutes": "x"},
        {"kind": "once", "run_at": None},
    ):
        with pytest.raises(oracle.OracleError):
            oracle.read_stored(wrong, 0, "UTC")


def test_an_interval_is_a_grid():
    grid = oracle.Every(100, 50)
    assert list(oracle.occurrences(grid, 0, 260)) == [100, 150, 200, 250]
    assert list(oracle.occurrences(grid, 150, 200)) == [200]
    assert list(oracle.occurrences(oracle.Once(7), 7, 9)) == []
    assert list(oracle.occurrences(oracle.Once(7), 6, 7)) == [7]


def test_grace_is_half_the_period_between_two_minutes_and_two_hours():
    assert oracle.grace_us(oracle.Every(0, 60 * SECOND_US), 0) == 120 * SECOND_US
    assert oracle.grace_us(oracle.Every(0, HOUR_US), 0) == 30 * MINUTE_US
    assert oracle.grace_us(oracle.read("0 9 * * *", 0, "UTC"), 9 * HOUR_US) == 2 * HOUR_US
    assert oracle.grace_us(oracle.Once(0), 0) == 120 * SECOND_US


def test_what_never_comes_again_has_no_next():
    assert oracle.next_after(oracle.Once(5), 5) is None
