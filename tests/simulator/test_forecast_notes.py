"""What the forecast says about a change of the clock, sentence by sentence."""

from datetime import timedelta

import pytest
from forecast_files import ask, cron, every, note_at, once

from simulator.forecast import Fire
from simulator.forecast.notes import clock_changes, notes


@pytest.mark.parametrize(
    ("season", "expr", "said"),
    [
        ("spring", "30 2 * * *", "02:30 does not exist: fires once, at 03:00 CEST"),
        ("spring", "0,30 2 * * *", "02:00, 02:30 do not exist: fires once, at 03:00 CEST"),
        ("spring", "*/15 * * * *", "02:00, 02:15 … 02:45 do not exist: 92 fires on that day, not 96"),
        ("spring", "0 */2 * * *", "02:00 does not exist: 11 fires on that day, not 12"),
        ("spring", "0 9 * * *", None),  # one fire in the window: there is nothing to compare it to
        ("autumn", "30 2 * * *", "02:30 comes twice: fires once, at 02:30 CEST"),
        ("autumn", "0,30 2 * * *", "02:00, 02:30 come twice: fires once each, in the first pass (from 02:00 CEST)"),
        ("autumn", "*/15 * * * *", "02:00, 02:15 … 02:45 come twice: 4 fires in the first pass, 4 in the second"),
        ("autumn", "0 */2 * * *", "02:00 comes twice: 1 fire in the first pass, 1 in the second"),
        ("autumn", "0 9 * * MON", None),
    ],
)  # fmt: skip
def test_cron_around_a_change(season, expr, said):
    assert note_at(season, cron(expr)) == said


@pytest.mark.parametrize(
    ("season", "hours"), [("spring", "23h, not 24h"), ("autumn", "25h, not 24h")]
)
def test_a_fixed_time_away_from_the_change_stays_by_the_clock(season, hours):
    said = note_at(season, cron("0 13 * * *"))
    assert said == f"stays at 13:00 by the clock, after {hours}"


@pytest.mark.parametrize(
    ("season", "minutes", "first", "said"),
    [
        ("spring", 60, "2026-03-28T12:20:00+01:00", "keeps its 1h: 01:20 CET, then 03:20 CEST"),
        ("autumn", 60, "2026-10-24T12:20:00+02:00", "keeps its 1h: 02:20 CEST, then 02:20 CET"),
        ("spring", 1440, "2026-03-28T13:00:00+01:00", "keeps its 1d: 13:00 CET, then 14:00 CEST; 1h later by the clock"),
        ("autumn", 1440, "2026-10-24T13:00:00+02:00", "keeps its 1d: 13:00 CEST, then 12:00 CET; 1h earlier by the clock"),
        ("spring", 10080, "2026-03-28T13:00:00+01:00", None),
    ],
)  # fmt: skip
def test_an_interval_keeps_elapsed_time_and_its_wall_time_moves(season, minutes, first, said):
    assert note_at(season, every(minutes, first)) == said


@pytest.mark.parametrize(
    ("season", "run_at", "said"),
    [
        ("spring", "2026-03-29T02:00:00", "02:00 does not exist: fires at 03:00 CEST"),
        ("autumn", "2026-10-25T02:30:00", "02:30 comes twice: fires in the first pass (02:30 CEST)"),
        ("autumn", "2026-10-25T02:30:00+01:00", None),  # an instant, not a wall time
        ("autumn", "2026-10-25T04:30:00", None),
    ],
)  # fmt: skip
def test_a_one_shot_in_a_gap_or_a_repeated_hour(season, run_at, said):
    assert note_at(season, once(run_at)) == said


AUTUMN = ("Europe/Berlin", "2026-10-24T12:00")
SPRING = ("Europe/Berlin", "2026-03-28T12:00")


def moved(fire, by):
    at = (fire.at.astimezone(tz=None) + by).astimezone(fire.at.tzinfo)
    return Fire(at, at)


def with_fires(job, change, alter):
    """The notes that would be given if the fires were others than they are."""
    zone, start = change
    answer = ask(job, zone=zone, start=start, hours=36)
    (found,) = clock_changes(answer.question)
    answer.jobs[0].fires[:] = alter(answer.jobs[0].fires)
    return [said for _, said in notes(answer, found)]


def test_a_note_is_what_the_fires_show_and_not_what_the_schedule_promises():
    """An interval that is not kept, a fixed time that fires in both passes, a gap that is lost."""
    hourly = every(60, "2026-10-24T12:20:00+02:00")
    early = timedelta(minutes=59)
    odd = with_fires(hourly, AUTUMN, lambda seen: [*seen[:15], moved(seen[15], -early), *seen[16:]])
    assert odd == ["1h59m apart instead of 1h: 02:21 CEST, then 03:20 CET"]
    twice = with_fires(
        cron("30 2 * * *"), AUTUMN, lambda fires: [fires[0], moved(fires[0], timedelta(hours=1))]
    )
    assert twice == ["02:30 comes twice: 1 fire in the first pass, 1 in the second"]
    late = with_fires(
        cron("30 2 * * *"), SPRING, lambda fires: [moved(fires[0], timedelta(hours=1))]
    )
    assert late == []
    strays = with_fires(
        cron("0 13 * * *"), AUTUMN, lambda fires: [fires[0], moved(fires[1], timedelta(hours=1))]
    )
    assert strays == []
    lost = with_fires(cron("*/15 * * * *"), SPRING, lambda seen: seen[:-30])
    assert lost == ["02:00, 02:15 … 02:45 do not exist, so there is no fire for them"]


def test_fires_that_are_more_than_a_week_from_the_change_say_nothing_about_it():
    job = cron("0 9 1,20 * *")
    assert note_at("spring", job) is None
    answer = ask(job, zone="Europe/Berlin", start="2026-03-19T00:00", hours=24 * 15)
    assert len(answer.jobs[0].fires) == 2
    assert list(notes(answer, *clock_changes(answer.question))) == []
