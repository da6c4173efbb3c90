"""Small jobs files and the questions about them, for the tests of the forecast."""

import io
import json
from datetime import timedelta
from zoneinfo import ZoneInfo

from rich.console import Console

from simulator.forecast import Question, forecast
from simulator.forecast.notes import clock_changes, notes
from simulator.forecast.outage import costs, costs_before, say_cost
from simulator.forecast.times import Outage, instant
from simulator.forecast.view import show
from simulator.hosts import reference_host

HOST = reference_host()
CHANGES = {
    "spring": ("Europe/Berlin", "2026-03-28T12:00"),
    "autumn": ("Europe/Berlin", "2026-10-24T12:00"),
}


def cron(expr, **more):
    return {"id": more.pop("id", "job"), "schedule": {"kind": "cron", "expr": expr}, **more}


def every(minutes, next_run_at, **more):
    schedule = {"kind": "interval", "minutes": minutes}
    return {"id": "job", "schedule": schedule, "next_run_at": next_run_at, **more}


def once(run_at, **more):
    return {"id": "job", "schedule": {"kind": "once", "run_at": run_at}, **more}


def ask(*jobs, start="2026-06-01T00:00", hours=24, zone="UTC", downs=(), provider="builtin"):
    """The forecast of these records. `downs` are (wall time, hours)."""
    tz = ZoneInfo(zone)
    begin = instant(start, tz)
    end = begin.astimezone(ZoneInfo("UTC")) + timedelta(hours=hours)
    outages = tuple(Outage(instant(at, tz), timedelta(hours=lasts)) for at, lasts in downs)
    data = json.dumps({"jobs": list(jobs)}).encode()
    question = Question(data, tz, begin, end, outages)
    return forecast(question, HOST.bundled()[provider], HOST)


def fires(answer, place=0):
    return [f"{fire.at:%d %H:%M %Z}" for fire in answer.jobs[place].fires]


def note_at(season, job, *, hours=36, **more):
    """What the clock change of a season does to the job; None when nothing is said."""
    zone, start = CHANGES[season]
    answer = ask(job, zone=zone, start=start, hours=hours, **more)
    (change,) = clock_changes(answer.question)
    said = [text for _, text in notes(answer, change)]
    assert len(said) <= 1
    return said[0] if said else None


def cost_of(answer):
    """What the only outage of the question costs its jobs, by id."""
    (outage,) = answer.question.outages
    begin = answer.question.wall(outage.start)
    return {cost.job.id: say_cost(cost, begin) for cost in costs(answer, outage)}


def overdue(answer):
    begin = answer.question.wall(answer.question.start)
    return {cost.job.id: say_cost(cost, begin) for cost in costs_before(answer)}


def printed(answer, width=100, *, terminal=True, every_fire=False):
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=terminal, color_system=None)
    show(answer, console, every_fire=every_fire)
    return out.getvalue()
