"""A forecast for people and for machines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table

from simulator.forecast import Fire, Forecast, JobForecast, Outage
from simulator.forecast_notes import clock_changes, notes

__all__ = ["show", "to_json"]

_LATE_S = 60.0
_SHOWN = 3


def show(forecast: Forecast, console: Console, *, every_fire: bool = False) -> None:
    """Print the answer: what fires, what the clock does to it, what an outage costs, what never fires."""
    question = forecast.question
    start = question.start.astimezone(question.zone)
    end = question.end.astimezone(question.zone)
    fires = sum(len(job.fires) for job in forecast.jobs)
    console.print(
        f"[bold]{len(forecast.jobs)} jobs, {fires} fires[/] from {_minute(start)} to {_minute(end)}, "
        f"wall time in {question.zone.key}, provider {forecast.provider}",
        highlight=False,
    )
    _jobs(forecast, console, every_fire=every_fire)
    for change in clock_changes(question):
        found = list(notes(forecast, change))
        _section(console, f"The clock changes on {change}", found or [(None, "changes no fire")])
    for outage in question.outages:
        begin = outage.start.astimezone(question.zone)
        hours = _span(outage.lasts)
        title = f"Down from {_minute(begin)} for {hours}"
        _section(console, title, list(_outage(forecast, outage)) or [(None, "costs nothing")])
    busy = [(job, line) for job in forecast.jobs for line in _skipped(job)]
    if busy:
        _section(console, "Not run", busy)
    never = [(job, job.problem or "?") for job in forecast.jobs if not job.fires]
    if never:
        _section(console, "Never fires in this time", never)


def _jobs(forecast: Forecast, console: Console, *, every_fire: bool) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for title in ("job", "schedule"):
        table.add_column(title, overflow="fold")
    table.add_column("fires", justify="right")
    table.add_column("when")
    for job in forecast.jobs:
        if job.fires:
            shown = job.fires if every_fire else job.fires[:_SHOWN]
            when = [_say_fire(fire) for fire in shown]
            if len(job.fires) > len(shown):
                when.append(f"... last {_say_fire(job.fires[-1])}")
            if job.problem:
                when.append(job.problem)
            table.add_row(job.name, job.schedule, str(len(job.fires)), "\n".join(when))
    console.print(table, highlight=False)


def _section(console: Console, title: str, rows: list[tuple[JobForecast | None, str]]) -> None:
    console.print(f"\n[bold]{title}[/]", highlight=False)
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(min_width=16, overflow="fold")
    table.add_column(overflow="fold")
    for job, said in rows:
        table.add_row(f"  {job.name if job is not None else ''}", said)
    console.print(table, highlight=False, markup=False)


def _outage(forecast: Forecast, outage: Outage) -> Iterator[tuple[JobForecast, str]]:
    """What the outage costs each job: missed, collapsed into one late run, doubled."""
    for job in forecast.jobs:
        missed = [
            at for at, reason in job.not_run if _within(at, outage) and "running" not in reason
        ]
        late = [
            fire
            for fire in job.fires
            if fire.occurrence is not None and _within(fire.occurrence, outage)
        ]
        doubled = [fire for fire in late if sum(_same(fire, other) for other in job.fires) > 1]
        if not (missed or late):
            continue
        parts = []
        if late:
            first = late[0]
            parts.append(f"runs {_minute(first.at)}, {_span(timedelta(seconds=first.late_s))} late")
        more = job.not_run_more if missed else 0
        if missed:
            parts.append(f"{len(missed) + more} missed, collapsed into that run" if late
                         else f"{len(missed) + more} missed: {_minute(missed[0])} and so on")  # fmt: skip
        parts.append(f"{len(doubled)} run twice" if doubled else "none run twice")
        yield job, "; ".join(parts)


def _skipped(job: JobForecast) -> Iterator[str]:
    busy = [at for at, reason in job.not_run if "running" in reason]
    if busy:
        yield f"{len(busy)} occurrences while the run before is still on, first {_minute(busy[0])}"


def _within(at: datetime, outage: Outage) -> bool:
    return outage.start.astimezone(UTC) <= at.astimezone(UTC) < outage.end


def _same(one: Fire, other: Fire) -> bool:
    return one.occurrence is not None and one.occurrence == other.occurrence


def _say_fire(fire: Fire) -> str:
    said = f"{fire.at:%a %Y-%m-%d %H:%M %Z}"
    if fire.late_s <= _LATE_S or fire.occurrence is None:
        return said
    return f"{said} (due {_minute(fire.occurrence)})"


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M %Z}"


def _span(span: timedelta) -> str:
    minutes = round(span.total_seconds() / 60)
    hours, rest = divmod(minutes, 60)
    return " ".join(f"{n} {unit}" for n, unit in ((hours, "h"), (rest, "min")) if n) or "0 min"


def to_json(forecast: Forecast) -> dict[str, Any]:
    """The answer as machines read it; instants are ISO 8601 in the zone."""
    question = forecast.question
    changes = clock_changes(question)
    return {
        "provider": forecast.provider,
        "zone": question.zone.key,
        "from": question.start.astimezone(question.zone).isoformat(),
        "to": question.end.astimezone(question.zone).isoformat(),
        "clock_changes": [
            {
                "at": change.at.isoformat(),
                "shift_minutes": round(change.shift.total_seconds() / 60),
                "jobs": {job.id: said for job, said in notes(forecast, change)},
            }
            for change in changes
        ],
        "outages": [
            {
                "from": outage.start.astimezone(question.zone).isoformat(),
                "to": outage.end.astimezone(question.zone).isoformat(),
                "jobs": {job.id: said for job, said in _outage(forecast, outage)},
            }
            for outage in question.outages
        ],
        "jobs": [_job_json(job) for job in forecast.jobs],
    }


def _job_json(job: JobForecast) -> dict[str, Any]:
    return {
        "id": job.id,
        "name": job.name,
        "schedule": job.schedule,
        "count": len(job.fires),
        "fires": [
            {
                "at": fire.at.isoformat(),
                "occurrence": fire.occurrence.isoformat() if fire.occurrence else None,
            }
            for fire in job.fires
        ],
        "not_run": [{"occurrence": at.isoformat(), "reason": why} for at, why in job.not_run],
        "not_run_more": job.not_run_more,
        "problem": job.problem,
    }
