"""What the forecast makes of the records of a file: fires, why not, why no longer, what was missed."""

import json
from datetime import timedelta

import pytest
from forecast_files import HOST, ask, cost_of, cron, every, fires, once, overdue

from simulator.forecast import ForecastError, Question, forecast
from simulator.forecast.outage import doubled

JUNE = "2026-06-01T00:00"


@pytest.mark.parametrize("provider", ["builtin", "chronos"])
def test_every_kind_of_schedule_fires_in_wall_time(provider):
    answer = ask(
        cron("0 9 * * *", id="c"),
        every(600, "2026-06-01T01:30:00+02:00", id="i"),
        once("2026-06-01T18:00:00", id="o"),
        zone="Europe/Berlin",
        provider=provider,
    )
    assert fires(answer, 0) == ["01 09:00 CEST"]
    assert fires(answer, 1) == ["01 01:30 CEST", "01 11:30 CEST", "01 21:30 CEST"]
    assert fires(answer, 2) == ["01 18:00 CEST"]
    assert [job.stops for job in answer.jobs] == [None, None, None]


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (cron("0 9 * * *", state="paused", paused_reason="back in\nMay", paused_at="2026-05-02T10:00:00"), "paused since 2026-05-02: back in May"),
        (cron("0 9 * * *", state="paused", enabled=True), "paused, without a reason given"),
        (cron("0 9 * * *", enabled=False, state="scheduled"), 'disabled: "enabled" is false in the file'),
        (cron("0 9 * * *", enabled=False, state="completed"), "completed"),
        (once("2026-05-01T10:00:00", enabled=False, state="completed", last_run_at="2026-05-01T10:00:02+00:00"), "completed: it ran on Fri 1 May 2026 10:00"),
        (cron("0 9 * * *", repeat={"times": 3, "completed": 3}), "its 3 runs used up"),
        (cron("0 0 1 1 *"), "later: next on Fri 1 Jan 2027 00:00"),
        (once("2026-07-01T10:00:00"), "later: next on Wed 1 Jul 2026 10:00"),
        (once("2026-05-01T10:00:00"), "its time is over: Fri 1 May 2026 10:00 is before the forecast begins"),
        (cron("0 0 30 2 *"), "error: cron expression '0 0 30 2 *' never comes: no month that it names has such a day"),
        (cron("often"), "error: "),
        (cron(None), "error: "),
        (once("tomorrow"), "error: its time 'tomorrow' passed without a run, or is no time"),
        (every(0, None), "error: "),
        ({"id": "job", "schedule": None}, "error: "),
        ({"id": "job", "schedule": {"kind": "moon"}}, "error: "),
        ({"id": "job"}, "error: "),
        ({"id": "job", "schedule": "0 9 * * *"}, "error: "),
        ({"schedule": {"kind": "cron", "expr": "0 9 * * *"}}, "broken record: it has no id; mend or remove it"),
        (cron("0 9 * * *", id=7), "broken record: its id is a number, not a string"),
        (cron("0 9 * * *", id="../up"), "broken record: its id '../up' is not one safe path component"),
        ("a string", "broken record: it is a string, not an object"),
        (None, "broken record: it is null, not an object"),
    ],
)  # fmt: skip
def test_what_never_fires_says_why_and_the_others_are_forecast(record, why):
    answer = ask(record, cron("0 12 * * *", id="other"), start=JUNE)
    assert fires(answer, 0) == []
    assert answer.jobs[0].never.startswith(why)
    assert fires(answer, 1) == ["01 12:00 UTC"]
    assert answer.jobs[1].never is None


def test_a_record_whose_id_is_taken_is_told_apart():
    answer = ask(cron("0 9 * * *", id="one"), cron("0 10 * * *", id="one"))
    assert fires(answer, 0) == ["01 09:00 UTC"]
    assert answer.jobs[1].never.startswith(
        "broken record: its id 'one' is already that of record 1"
    )


def test_a_broken_record_is_named_by_its_place_or_by_what_stands_for_its_id():
    answer = ask([], cron("0 9 * * *", id=" "), cron("0 9 * * *", id="a/b", name="x"))
    assert [(job.id, job.name) for job in answer.jobs] == [
        ("record 1", "record 1"),
        ("record 2", "record 2"),
        ("a/b", "x"),
    ]


@pytest.mark.parametrize(
    ("repeat", "count", "stops"),
    [
        ({"times": 5, "completed": 2}, 3, "limit of 5 runs reached"),
        ({"times": 1, "completed": 0}, 1, "limit of 1 run reached"),
        ({"times": 30, "completed": 0}, 24, None),
        ({"times": None, "completed": 7}, 24, None),
        (None, 24, None),
        ({"times": "many", "completed": None}, 24, None),
    ],
)
def test_a_limited_job_stops_half_way(repeat, count, stops):
    answer = ask(cron("30 * * * *", repeat=repeat))
    assert len(answer.jobs[0].fires) == count
    assert answer.jobs[0].stops == stops


@pytest.mark.parametrize(
    "fields",
    [
        {"next_run_at": None},
        {"next_run_at": "when it suits"},
        {"next_run_at": 12},
        {"next_run_at": "2026-06-01T09:00:00"},
        {"next_run_at": "2026-06-01T09:00:00+02:00"},
        {"next_run_at": "2026-05-01T09:00:00-04:00", "last_run_at": None},  # another zone's
        {"state": None, "enabled": True, "x_label": {"tier": 2}, "fire_claim": None},
        {"fire_claim": "garbage", "repeat": 0, "name": None, "prompt": 5},
        {"state": "", "schedule_display": None, "deliver": []},
        {"state": ["odd"], "last_run_at": 3, "created_at": "never"},
    ],
)
def test_whatever_else_stands_in_a_record_it_fires(fields):
    answer = ask(cron("0 9 * * *", **fields), zone="Europe/Berlin")
    assert fires(answer)[-1:] == ["01 09:00 CEST"]


@pytest.mark.parametrize(
    "wrap", [lambda jobs: jobs, lambda jobs: {"jobs": jobs, "x": 1, "updated_at": None}]
)
def test_a_bare_list_is_a_file_too(wrap):
    answer = ask_bytes(json.dumps(wrap([cron("0 9 * * *")])).encode("utf-8-sig"))
    assert fires(answer) == ["01 09:00 UTC"]


def ask_bytes(data):
    like = ask(start=JUNE).question
    question = Question(data, like.zone, like.start, like.end, name="my/jobs.json")
    return forecast(question, HOST.bundled()["builtin"], HOST)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[1, 2", b"3", b'{"jobs": {}}', b"{}", b"\xff\xfe\x00"]
)
def test_a_broken_file_is_one_error_that_names_it(data):
    with pytest.raises(ForecastError, match=r"^my/jobs\.json ") as caught:
        ask_bytes(data)
    assert "\n" not in str(caught.value)


def test_an_empty_file_of_jobs_is_no_error():
    assert ask().jobs == ()


def test_the_zone_keeps_wall_time_when_next_times_were_computed_elsewhere():
    record = cron("0 9 * * *", next_run_at="2026-06-01T09:00:00+02:00")
    assert fires(ask(record, zone="America/New_York", start="2026-05-31T22:00")) == ["01 09:00 EDT"]


# -- overdue when the forecast begins


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (cron("0 9 * * *", next_run_at="2026-05-31T09:00:00+00:00"), "the one of Sun 31 May 09:00 runs at 00:00, 15h late"),
        (cron("0 * * * *", next_run_at="2026-05-31T20:00:00+00:00"), "4 missed, Sun 31 May 20:00 … 23:00; runs again at 00:00, on time"),
        (every(60, "2026-05-31T20:20:00+00:00"), "3 missed, Sun 31 May 20:20 … 22:20; the one of Sun 31 May 23:20 runs at 00:00, 40m late"),
        (once("2026-05-31T23:59:00"), "the one of Sun 31 May 23:59 runs at 00:00, 1m late"),
        (every(5, "2026-01-01T00:00:00+00:00"), "at least 1000 missed, Thu 1 Jan 00:00 … Sun 31 May 23:55; runs again at 00:00, on time"),
    ],
)  # fmt: skip
def test_what_is_overdue_at_the_start_fires_at_once(record, said):
    answer = ask(record, start=JUNE)
    assert fires(answer)[0] == "01 00:00 UTC"
    assert overdue(answer) == {"job": said}


def test_what_is_not_overdue_is_not_listed():
    assert overdue(ask(cron("0 * * * *", next_run_at="2026-06-01T00:00:00+00:00"))) == {}


def test_what_a_dead_gateway_held_and_gives_back_is_late_and_not_missed():
    held = {
        "at": "2026-05-31T09:00:00+00:00", "by": "gone:1", "boot": "x", "source": "webhook",
        "occurrence": "2026-05-31T09:00:00+00:00", "token": 3, "reserved": True, "execution": "e",
    }  # fmt: skip
    record = cron("0 9 * * *", next_run_at="2026-06-01T09:00:00+00:00", fire_claim=held)
    assert overdue(ask(record)) == {"job": "the one of Sun 31 May 09:00 runs at 00:00, 15h late"}


# -- outages


def test_an_outage_misses_collapses_and_delays_each_job_in_its_own_way():
    answer = ask(
        cron("30 2 * * *", id="daily"),
        cron("*/15 * * * *", id="quarters"),
        every(60, "2026-06-01T00:20:00+00:00", id="hourly"),
        once("2026-06-01T03:00:00", id="once"),
        cron("0 6 1 * *", id="limited", repeat={"times": 1, "completed": 0}),
        cron("0 12 * * *", id="later"),
        downs=[("2026-06-01T02:00", 6)],
    )
    assert cost_of(answer) == {
        "daily": "the one of 02:30 runs at 08:00, 5h30m late",
        "quarters": "24 missed, 02:00 … 07:45; runs again at 08:00, on time",
        "hourly": "5 missed, 02:20 … 06:20; the one of 07:20 runs at 08:00, 40m late",
        "once": "the one of 03:00 runs at 08:00, 5h late",
        "limited": "the one of 06:00 runs at 08:00, 2h late",
    }
    assert list(doubled(answer)) == []


def test_a_missed_occurrence_alone_and_an_outage_over_midnight():
    answer = ask(cron("0 * * * *"), start="2026-06-01T12:00", downs=[("2026-06-01T22:30", 2)])
    assert cost_of(answer) == {"job": "1 missed, 23:00; the one of Tue 2 Jun 00:00 runs at Tue 2 Jun 00:30, 30m late"}  # fmt: skip


def test_outages_that_touch_are_one_and_a_restart_costs_nothing():
    answer = ask(cron("0 * * * *"), downs=[("2026-06-01T03:30", 1), ("2026-06-01T02:30", 1)])
    assert cost_of(answer) == {"job": "1 missed, 03:00; the one of 04:00 runs at 04:30, 30m late"}
    assert cost_of(ask(cron("0 * * * *"), downs=[("2026-06-01T02:30", 0.01)])) == {}


def test_an_outage_that_outlasts_the_forecast_is_followed_to_its_end():
    answer = ask(cron("0 * * * *"), hours=6, downs=[("2026-06-01T04:30", 6)])
    assert len(answer.jobs[0].fires) == 4
    assert cost_of(answer) == {"job": "5 missed, 05:00 … 09:00; the one of 10:00 runs at 10:30, 30m late"}  # fmt: skip


def test_an_outage_in_a_repeated_hour_is_counted_in_elapsed_time():
    answer = ask(
        every(30, "2026-10-25T00:10:00+02:00"),
        zone="Europe/Berlin",
        start="2026-10-25T00:00",
        hours=6,
        downs=[("2026-10-25T02:00", 2)],
    )
    assert cost_of(answer) == {
        "job": "3 missed, 02:10 CEST … 02:10 CET; the one of 02:40 CET runs at 03:00, 20m late"
    }


def test_an_outage_has_to_begin_within_the_forecast():
    with pytest.raises(
        ForecastError, match=r"does not begin within the forecast, 2026-06-01 00:00"
    ):
        ask(cron("0 9 * * *"), downs=[("2026-07-01T00:00", 1)])


# -- starts and ends


def test_the_end_does_not_belong_to_the_forecast():
    assert fires(ask(cron("0 0 * * *"), start="2026-05-31T12:00", hours=12)) == []
    assert fires(ask(cron("0 0 * * *"), start="2026-05-31T12:00", hours=12.1)) == ["01 00:00 UTC"]


def test_a_start_in_the_second_pass_of_a_repeated_hour_is_there_and_not_an_hour_early():
    answer = ask(
        every(60, "2026-10-25T02:30:00+01:00"), zone="Europe/Berlin",
        start="2026-10-25T02:20:00+01:00", hours=2,
    )  # fmt: skip
    assert fires(answer) == ["25 02:30 CET", "25 03:30 CET"]
    assert answer.question.end - answer.question.start == timedelta(hours=2)


def test_a_gateway_with_nothing_armed_any_more_is_no_trouble():
    answer = ask(once("2026-06-01T01:00:00"), provider="chronos")
    assert fires(answer) == ["01 01:00 UTC"]
    assert answer.trouble == ()


def test_the_status_of_a_thousand_jobs_is_not_read_for_nobody(monkeypatch):
    read = []
    monkeypatch.setattr(type(HOST), "status", lambda _host: read.append("status"))
    assert fires(ask(cron("0 9 * * *"))) == ["01 09:00 UTC"]
    assert read == []
