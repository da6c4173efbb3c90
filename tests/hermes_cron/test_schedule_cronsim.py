"""A second opinion: cronsim agrees with our schedules but for the classes that are listed here.

In each class our answer is the one that the rule of `hermes_cron.schedule` and the brute force of
test_schedule_properties give.
"""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import cron_drawn as drawn
import pytest
from cronsim import CronSim, CronSimError
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes_cron import schedule
from hermes_cron.schedule import ScheduleError

SIX = 6

CLASSES = {
    "a shift that is not a whole hour": "cronsim steps whole hours over Lord Howe's 30 minutes",
    "midnight in a gap": "cronsim counts a day's hours from a midnight that does not exist",
    "a start in the second pass": "cronsim goes back to the first pass of a repeated hour",
}
DIFFERENT_TIMES = [
    # class, expression, zone, after, what cronsim says, what is right
    (
        "a shift that is not a whole hour",
        "*/2 4 * * *",
        "Australia/Lord_Howe",
        "2026-04-04T14:29+11:00",
        "2026-04-05T04:30+10:30",
        "2026-04-05T04:00+10:30",
    ),
    (
        "midnight in a gap",
        "* 0 6 9 *",
        "America/Santiago",
        "2026-09-05T12:00-04:00",
        "2026-09-06T01:00-03:00",
        "2027-09-06T00:00-03:00",
    ),
    (
        "a start in the second pass",
        "15 1 * * *",
        "Europe/London",
        "2026-10-25T01:14+00:00",
        "2026-10-25T01:15+01:00",
        "2026-10-26T01:15+00:00",
    ),
]


def class_of(expr, zone, after, last):
    """The class of difference that may show up to ``last``, or None where both must agree."""
    if expr.fixed:
        return "a start in the second pass" if after.fold else None
    near = timedelta(days=1)
    changed = last.year > drawn.LAST_YEAR or any(
        after <= change + near and change - near <= last for change in drawn.changes(zone)
    )
    names = {
        "Australia/Lord_Howe": "a shift that is not a whole hour",
        "America/Santiago": "midnight in a gap",
    }
    return names.get(zone.key) if changed else None


def cronsim(text, after, count):
    """The next times in UTC. cronsim writes 5L for our L5, and names an instant after a gap twice."""
    *first, weekday = text.split()
    weekday = f"{weekday[1:]}L" if weekday.startswith("L") else weekday
    found = CronSim(" ".join([*first, weekday]), after)
    return list(dict.fromkeys(at.astimezone(UTC) for at in islice(found, 3 * count)))[:count]


def ours(text, after, count):
    zone, at, found = after.tzinfo, after, []
    while len(found) < count and at is not None:
        at = schedule.next_after({"kind": "cron", "expr": text}, at, zone)
        found.append(at.astimezone(UTC))
    return found


def test_cronsim_agrees_outside_the_listed_classes(figure):
    tally = drawn.Tally()

    @settings(deadline=None, max_examples=150)
    @given(st.data(), drawn.zones(), drawn.expressions(portable=True))
    def check(data, zone, expr):
        after = data.draw(drawn.instants(zone)).replace(second=0).astimezone(zone)
        agree(tally, expr, zone, after)

    check()
    figure(f"drawn, {said(tally)}")


def said(tally):
    differences = ", ".join(f"{tally.differences[name]} {name}" for name in CLASSES)
    return f"agreeing with cronsim: {tally}; differing: {differences}"


def test_cronsim_agrees_at_every_clock_change_outside_the_listed_classes(figure):
    """Started before each change of 2024 to 2030, right after it, and half an hour after it."""
    tally = drawn.Tally()
    for zone in map(ZoneInfo, drawn.ZONES):
        for change in drawn.changes(zone):
            for minutes in (-90, 61, 90):
                after = (change + minutes * drawn.MINUTE).astimezone(zone)
                for expr in drawn.AROUND:
                    agree(tally, expr, zone, after)
    assert len(tally.changes) >= 90
    figure(said(tally))


def agree(tally, expr, zone, after):
    """The next times are those of cronsim, but where a class of differences may show up."""
    try:
        expected = cronsim(expr.text, after, SIX)
    except CronSimError:
        with pytest.raises(ScheduleError, match="never comes"):
            ours(expr.text, after, 1)
        return
    found = ours(expr.text, after, len(expected))
    last = max(found[-1], expected[-1])
    name = class_of(expr, zone, after, last)
    assert found == expected or name is not None, f"{expr.text} after {after} in {zone}"
    if found == expected:
        tally.saw(expr, zone, after, last, found)
    else:
        tally.differences[name] += 1


@pytest.mark.parametrize("row", DIFFERENT_TIMES, ids=[row[0] for row in DIFFERENT_TIMES])
def test_each_class_of_different_times_is_real(row):
    """A class that no longer differs must be struck from the list."""
    _, expr, zone, after, theirs, right = row
    start = datetime.fromisoformat(after).astimezone(ZoneInfo(zone))
    assert cronsim(expr, start, 1) == [datetime.fromisoformat(theirs)]
    assert ours(expr, start, 1) == [datetime.fromisoformat(right)]


def test_every_class_has_its_example():
    assert {row[0] for row in DIFFERENT_TIMES} == set(CLASSES)


@pytest.mark.parametrize(
    ("name", "text", "same"),
    [
        ("a range that wraps around", "0 22-2 * * *", "0 0,1,2,22,23 * * *"),
        ("a range of one with a step is that one", "10-10/20 * * * *", "10 * * * *"),
        ("a question mark is a star", "0 9 ? * 1", "0 9 * * 1"),
        ("the last Friday is L5", "0 9 * * L5", "0 9 * * 5L"),
    ],
)
def test_notations_that_cronsim_reads_otherwise(name, text, same):
    """Ours means what cronsim says of ``same``; cronsim refuses ``text`` or takes it for another."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    expected = list(islice(CronSim(same, start), SIX))
    assert ours(text, start, SIX) == expected
    with suppress(CronSimError):
        assert list(islice(CronSim(text, start), SIX)) != expected


@pytest.mark.parametrize("text", ["0 0 9 * * *", "0 9 LW * *", "0 9 * * 5L", "0 9 * * 1,5#2"])
def test_notations_that_cronsim_reads_and_we_refuse(text):
    """Seconds, the last weekday of a month, Friday or Thursday, two meanings in one field."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert next(CronSim(text, start)) > start - timedelta(1)
    with pytest.raises(ScheduleError):
        ours(text, start, 1)
