"""Schedules against a brute force over UTC minutes, and against a second library (TIME-1, 2, 3)."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise, takewhile
from zoneinfo import ZoneInfo

import cron_drawn as drawn
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from hermes_cron import schedule
from hermes_cron.schedule import ScheduleError

WINDOW = timedelta(days=2)
MICROSECOND = timedelta(microseconds=1)
quick = settings(deadline=None, max_examples=100)


def utc(at):
    return at.astimezone(UTC)


def coming(expr, after, zone):
    """All that comes after ``after``; fails when one is not strictly later than the one before."""
    at = after
    while (following := schedule.next_after(expr.schedule, at, zone)) is not None:
        assert utc(following) > utc(at), f"{expr.text}: {following} after {at}"
        assert following.tzinfo is zone
        yield following
        at = following


def can_come(expr):
    try:
        schedule.next_after(expr.schedule, datetime(2024, 1, 1, tzinfo=UTC), UTC)
    except ScheduleError as error:
        if "never comes" not in str(error):
            raise
        return False
    return True


def compare(tally, expr, zone, after, end):
    """Strictly forward, none lost and none doubled: the same as the brute force has."""
    found = [utc(at) for at in takewhile(lambda at: utc(at) <= end, coming(expr, after, zone))]
    assert found == drawn.brute(expr, zone, after + MICROSECOND, end), f"{expr.text} in {zone}"
    tally.saw(expr, zone, after, end, found)


def test_the_occurrences_are_those_of_the_brute_force(figure):
    """All five fields, all zones, 2024 to 2030, at clock changes most of all."""
    tally = drawn.Tally()

    @quick
    @given(st.data(), drawn.zones(), drawn.expressions())
    def check(data, zone, expr):
        assume(can_come(expr))
        after = data.draw(drawn.instants(zone))
        compare(tally, expr, zone, after, after + WINDOW)

    check()
    figure(f"drawn: {tally}")


@pytest.mark.parametrize("name", drawn.ZONES)
def test_every_clock_change_of_seven_years(name, figure):
    """None lost and none doubled at any change of 2024 to 2030; without one, at a new year."""
    zone, tally = ZoneInfo(name), drawn.Tally()
    for change in drawn.changes(zone) or [datetime(2028, 1, 1, tzinfo=UTC)]:
        for expr in drawn.AROUND:
            compare(tally, expr, zone, change - timedelta(hours=6), change + timedelta(hours=30))
    assert {at for _, at in tally.changes} == set(drawn.changes(zone))
    figure(str(tally))


@quick
@given(st.data(), drawn.zones(), drawn.expressions())
def test_the_latest_is_that_of_the_brute_force(data, zone, expr):
    assume(can_come(expr))
    begin = data.draw(drawn.instants(zone))
    now = begin + timedelta(minutes=data.draw(st.integers(1, 2880)))
    expected = drawn.brute(expr, zone, begin, now)
    previous = data.draw(st.sampled_from(expected or [begin])).astimezone(zone)
    latest = schedule.latest_not_after(expr.schedule, previous, now.astimezone(zone), zone)
    assert utc(latest) == (expected or [begin])[-1]
    assert latest.tzinfo is zone
    between = schedule.occurrences_between(expr.schedule, previous, now, zone)
    assert [utc(at) for at in between] == [at for at in expected if at >= utc(previous)]


@quick
@given(drawn.days(), drawn.fields(1, 12, drawn.MONTHS), drawn.weekdays())
def test_the_days_of_seven_years_are_those_of_the_calendar(day, month, weekday):
    """Leap years, short months, the last day and the rule for two day fields."""
    noon = drawn.Field("0", frozenset({0})), drawn.Field("12", frozenset({12}))
    expr = drawn.Drawn(*noon, day, month, weekday)
    first = date(2024, 1, 1)
    expected = [at for n in range(2557) if expr.on(at := first + timedelta(days=n))]
    if not can_come(expr):
        assert expected == []
        return
    start, end = datetime(2024, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
    found = [at.date() for at in takewhile(lambda at: at < end, coming(expr, start, UTC))]
    assert found == expected


@quick
@given(drawn.days(), drawn.fields(1, 12, drawn.MONTHS, star=0), drawn.weekdays())
@example(
    drawn.Field("31", frozenset({31})),
    drawn.Field("4,6", frozenset({4, 6})),
    drawn.Field("*", frozenset(range(7))),
)
def test_what_is_refused_as_never_coming_never_comes(day, month, weekday):
    """Both ways: what is let in comes within the longest wait there is, across 2100."""
    noon = drawn.Field("0", frozenset({0})), drawn.Field("12", frozenset({12}))
    expr = drawn.Drawn(*noon, day, month, weekday)
    ordinals = range(date(2080, 3, 1).toordinal(), date(2121, 3, 1).toordinal())
    comes = any(expr.on(date.fromordinal(ordinal)) for ordinal in ordinals)
    assert can_come(expr) == comes
    if comes:
        at = schedule.next_after(expr.schedule, datetime(2080, 3, 1, tzinfo=UTC), UTC)
        assert at.date() <= date(2121, 3, 1)


@quick
@given(st.data(), drawn.zones(), st.integers(1, 3000))
def test_an_interval_keeps_its_grid_over_clock_changes(data, zone, minutes):
    """Elapsed time, whatever was late: the steps between occurrences are whole periods (TIME-3)."""
    every = {"kind": "interval", "minutes": minutes}
    period = timedelta(minutes=minutes)
    previous = data.draw(drawn.instants(zone)).astimezone(zone)
    late = previous.astimezone(UTC) + timedelta(seconds=data.draw(st.integers(-7200, 400_000)))
    following = schedule.next_on_grid(every, previous, late.astimezone(zone), zone)
    steps, rest = divmod(utc(following) - utc(previous), period)
    assert (steps >= 1, rest) == (True, timedelta(0))
    assert utc(following) > late
    assert steps == 1 or utc(following) - period <= late
    if late >= utc(previous):
        latest = schedule.latest_not_after(every, previous, late, zone)
        assert utc(latest) == utc(following) - period
        run = list(schedule.occurrences_between(every, previous, latest, zone))
        assert len(run) == steps
        assert all(utc(b) - utc(a) == period for a, b in pairwise(run))


@quick
@given(st.data(), drawn.zones())
def test_a_naive_time_is_the_first_instant_that_shows_it_or_is_past_it(data, zone):
    wall = data.draw(drawn.instants(zone)).astimezone(zone).replace(tzinfo=None, fold=0, second=0)
    wall += timedelta(minutes=data.draw(st.integers(-90, 90)))
    parsed = schedule.parse_schedule(wall.isoformat(), now=datetime(2024, 1, 1, tzinfo=zone))
    begin = wall.replace(tzinfo=UTC) - timedelta(hours=16)
    minutes = (begin + n * drawn.MINUTE for n in range(32 * 60))
    shown = [(at, at.astimezone(zone).replace(tzinfo=None)) for at in minutes]
    expected = next(
        (at for at, showing in shown if showing == wall),
        next(at for at, showing in shown if showing > wall),
    )
    assert utc(datetime.fromisoformat(parsed["run_at"])) == expected


def test_the_zones_of_the_brute_force_do_change_their_clocks():
    """The properties above would be idle over zones without changes."""
    with_changes = {name for name in drawn.ZONES if drawn.changes(ZoneInfo(name))}
    assert len(with_changes) >= 6
