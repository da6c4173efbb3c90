"""The forecast, which drives the real tick, against brute force that knows no host.

The windows lie around changes of the clock, where the two would differ if they did anywhere.
"""

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from simulator import oracle
from simulator.forecast import Question, forecast
from simulator.hosts import reference_host

HOST = reference_host()
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CHANGES = [  # zone, the first instant with the new offset
    ("Europe/Berlin", "2026-03-29T01:00"),
    ("Europe/Berlin", "2026-10-25T01:00"),
    ("America/New_York", "2026-03-08T07:00"),
    ("America/New_York", "2026-11-01T06:00"),
    ("Australia/Lord_Howe", "2026-04-04T15:00"),  # half an hour
    ("Australia/Lord_Howe", "2026-10-03T15:30"),
    ("America/Havana", "2026-03-08T05:00"),  # at midnight
    ("America/Havana", "2026-11-01T05:00"),
    ("UTC", "2026-06-01T00:00"),  # none
]
MINUTES = ["0", "30", "15,45", "*/20", "5-50/15", "59", "0-10/5", "*/30", "0,59", "7/29"]
HOURS = ["*", "2", "1-3", "*/2", "0", "23,0,1", "2,3", "0-4/2", "*/3", "1"]
DAYS = ["* * *", "* * *", "* * SUN", "* * SAT,SUN", "*/2 * *", "1 * MON", "* 3,10,11 *", "L * *"]


@st.composite
def windows(draw):
    """A zone, and a few hours around a change of its clock."""
    zone, change = draw(st.sampled_from(CHANGES))
    at = datetime.fromisoformat(change).replace(tzinfo=UTC)
    start = at - timedelta(minutes=draw(st.integers(0, 300)))
    return ZoneInfo(zone), start, at + timedelta(minutes=draw(st.integers(30, 240)))


def iso(at_us, zone):
    return (EPOCH + timedelta(microseconds=at_us)).astimezone(zone).isoformat()


@st.composite
def schedules(draw, zone, start, end):
    """A schedule, and the first instant of it that is not before `start` (None: none is known)."""
    start_us, span_s = oracle.to_us(start), (end - start) // timedelta(seconds=1)
    kind = draw(st.sampled_from(["cron", "cron", "cron", "interval", "once", "naive once"]))
    if kind == "cron":
        fields = [draw(st.sampled_from(choice)) for choice in (MINUTES, HOURS, DAYS)]
        schedule = {"kind": "cron", "expr": " ".join(fields)}
        read = oracle.read_stored(schedule, 0, zone.key)
        return schedule, oracle.next_after(read, start_us - 1)
    if kind == "interval":
        minutes = draw(st.sampled_from([7, 20, 30, 45, 60, 90, 120, 1440]))
        first_us = start_us + draw(st.integers(0, min(minutes * 60, span_s))) * 1_000_000
        return {"kind": "interval", "minutes": minutes}, first_us
    at = start + timedelta(seconds=draw(st.integers(0, span_s)))
    if kind == "once":
        return {"kind": "once", "run_at": at.astimezone(zone).isoformat()}, oracle.to_us(at)
    wall = start.astimezone(zone).replace(tzinfo=None, fold=0, microsecond=0)
    schedule = {"kind": "once", "run_at": (wall + draw(st.integers(0, 300)) * MINUTE).isoformat()}
    read = oracle.read_stored(schedule, 0, zone.key)
    if read.at_us < start_us:  # the first pass, and the window begins in the second
        return {"kind": "once", "run_at": start.astimezone(zone).isoformat()}, start_us
    return schedule, read.at_us


@st.composite
def jobs(draw, zone, start, end, number):
    """A record as a host or a person writes it, and how often it may still run (None: for ever)."""
    schedule, first_us = draw(schedules(zone, start, end))
    once = schedule["kind"] == "once"
    record = {"id": f"job{number}", "schedule": schedule}
    if first_us is not None and (schedule["kind"] == "interval" or draw(st.booleans())):
        record["next_run_at"] = iso(first_us, zone)
    elif draw(st.booleans()):
        record["next_run_at"] = draw(st.sampled_from([None, "soon", 12, ""]))
    left = 1 if once else draw(st.none() | st.integers(1, 5))
    record["repeat"] = {"times": left, "completed": 0}
    if not once and left is not None and draw(st.booleans()):
        record["repeat"] = {"times": left + 2, "completed": 2}
    standing = draw(st.sampled_from([{}, {}, {}, {"enabled": True, "state": "scheduled"}, "off"]))
    if standing == "off":
        left = 0
        standing = draw(
            st.sampled_from(
                [{"enabled": False}, {"state": "paused"}, {"enabled": False, "state": "completed"}]
            )
        )
    record |= standing
    record |= draw(st.sampled_from([{}, {"x_unknown": [1, {"a": None}]}, {"name": None}]))
    return record, first_us, left


@st.composite
def files(draw):
    zone, start, end = draw(windows())
    count = draw(st.integers(1, 3))
    return zone, start, end, [draw(jobs(zone, start, end, number)) for number in range(count)]


def expected(record, first_us, left, zone, window, *, exact):
    """The fires, by brute force: each at the first tick not before it, or when `exact`, at it."""
    if left == 0 or first_us is None:
        return []
    start_us, end_us = map(oracle.to_us, window)
    schedule = oracle.read_stored(record["schedule"], first_us, zone.key)
    planned = isinstance(record.get("next_run_at"), str) and len(record["next_run_at"]) > len(
        "soon"
    )
    # Without a next time a recurring job is planned for what comes after now.
    after_us = first_us - 1 if planned or record["schedule"]["kind"] == "once" else start_us
    due = list(oracle.occurrences(schedule, after_us, end_us))[:left]
    period = 60_000_000
    ticks = [at if exact else start_us - (start_us - at) // period * period for at in due]
    return [(at, tick) for at, tick in zip(due, ticks, strict=True) if tick < end_us]


@pytest.mark.parametrize(
    ("provider", "count", "exact"), [("builtin", 500, False), ("chronos", 100, True)]
)
def test_the_forecast_is_what_brute_force_says(provider, count, exact):
    seen = {"files": 0, "fires": 0}

    @settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(files())
    def check(drawn):
        zone, start, end, drawn_jobs = drawn
        data = json.dumps({"jobs": [record for record, _, _ in drawn_jobs]}).encode()
        question = Question(data, zone, start, end)
        answer = forecast(question, HOST.bundled()[provider], HOST)
        seen["files"] += 1
        assert answer.trouble == ()
        for job, (record, first_us, left) in zip(answer.jobs, drawn_jobs, strict=True):
            note(f"{zone.key} {start.isoformat()} {record}")
            found = [(oracle.to_us(fire.occurrence), oracle.to_us(fire.at)) for fire in job.fires]
            wanted = expected(record, first_us, left, zone, (start, end), exact=exact)
            assert say(found, zone) == say(wanted, zone)
            assert bool(job.never) is not bool(job.fires)
            seen["fires"] += len(found)

    check()
    assert seen["files"] >= count
    assert seen["fires"] > 3 * count


def say(fires, zone):
    return [f"{iso(occurrence, zone)} at {iso(at, zone)}" for occurrence, at in fires]
