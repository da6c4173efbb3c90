"""A forecast by several processes says what one process says."""

import json
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from forecast_files import HOST, cron, every, once

from simulator.forecast import ForecastError, Question, forecast
from simulator.forecast.json import to_json
from simulator.forecast.parts import _file, _parts, forecast_in_parts, read_question
from simulator.forecast.times import Outage, instant

ZONE = ZoneInfo("Europe/Berlin")
RECORDS = [
    cron("*/20 * * * *", id="often"),
    "no record at all",
    {**every(25, "2026-10-24T20:00:00+00:00"), "id": "each"},
    {**once("2026-10-25T02:30:00"), "id": "once"},
    cron("0 9 * * *", id="often"),  # the id is taken
    cron("30 2 * * *", id="night"),
    cron("0 0 31 2 *", id="never"),
    {"schedule": {"kind": "cron", "expr": "0 0 * * *"}},
    {**every(60, "2026-10-24T09:00:00+00:00"), "id": "overdue", "name": "an overdue one"},
    {**cron("0 * * * *", id="twice"), "repeat": {"times": 2, "completed": 0}},
]


def question(records=RECORDS, *, downs=(("2026-10-25T00:00", 5),)):
    begin = instant("2026-10-24T12:00", ZONE)
    outages = tuple(Outage(instant(at, ZONE), timedelta(hours=lasts)) for at, lasts in downs)
    data = json.dumps({"jobs": records, "kept": {"x": 1}}).encode()
    return Question(data, ZONE, begin, begin + timedelta(hours=30), outages)


@pytest.mark.parametrize("provider", ["builtin", "chronos"])
def test_several_processes_give_the_answer_of_one(provider):
    asked = question()
    whole = forecast(asked, HOST.bundled()[provider], HOST)
    parts = forecast_in_parts(asked, provider, 3)
    assert to_json(parts) == to_json(whole)
    assert sum(len(job.fires) for job in parts.jobs) > 60
    assert [job.id for job in parts.jobs if job.fires][:2] == ["often", "each"]


def test_each_job_is_in_one_part_and_each_broken_record_in_all():
    document = read_question(question())
    parts = _parts(document, 3)
    assert [[document.records[place] for place in part].count(RECORDS[1]) for part in parts] == [
        1,
        1,
        1,
    ]
    shared = [place for part in parts for place in part if place not in {1, 7}]
    assert sorted(shared) == [0, 2, 3, 4, 5, 6, 8, 9]
    together = next(part for part in parts if 0 in part)
    assert 4 in together, "a second record of an id stays behind the first"


def test_what_stands_beside_the_jobs_is_in_every_part():
    document = read_question(question())
    for part in _parts(document, 2):
        assert json.loads(_file(document, part))["kept"] == {"x": 1}


def test_one_job_needs_no_other_process():
    asked = question([cron("0 9 * * *")], downs=())
    answer = forecast_in_parts(asked, "builtin", 8)
    assert [len(job.fires) for job in answer.jobs] == [1]


def test_a_file_that_cannot_be_read_is_refused_before_any_process():
    asked = Question(b"{", ZONE, instant("2026-01-01", ZONE), instant("2026-01-02", ZONE))
    with pytest.raises(ForecastError, match="not valid JSON"):
        forecast_in_parts(asked, "builtin", 2)
