"""A forecast for people: one screen, in the width that there is."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from rich.console import Console
from rich.text import Text

from simulator.forecast import Fire, Forecast, JobForecast
from simulator.forecast.notes import clock_changes, notes
from simulator.forecast.outage import costs, costs_before, doubled, say_cost
from simulator.forecast.times import say_at, say_clock, say_span

__all__ = ["show"]

_LATE = timedelta(minutes=1)
_GAP = "  "
_MOST_SHOWN, _LEAST_SHOWN = 3, 1
_LONGEST_NAME, _LONGEST_SCHEDULE = 24, 20
_PIPED_WIDTH = 100
_LEAST_WIDTH = 60


def show(forecast: Forecast, console: Console, *, every_fire: bool = False) -> None:
    """Print what fires, what the clock and outages do to it, and what never fires and why."""
    width = console.width if console.is_terminal else max(console.width, _PIPED_WIDTH)
    for line in _lines(forecast, max(width, _LEAST_WIDTH), every_fire=every_fire):
        console.print(line, soft_wrap=True, highlight=False)


def _lines(forecast: Forecast, width: int, *, every_fire: bool) -> Iterator[Text]:
    question = forecast.question
    start = question.wall(question.start)
    yield from _head(forecast)
    for said in forecast.trouble:
        yield from _hanging([(f"Trouble{_GAP}", "bold red")], said, width)
    firing = [job for job in forecast.jobs if job.fires]
    if firing:
        yield Text()
        yield from _table(firing, width, start.year, every_fire=every_fire)
    overdue = [(cost.job, say_cost(cost, start)) for cost in costs_before(forecast)]
    if overdue:
        yield from _section("Overdue when the forecast begins", overdue, width)
    for change in clock_changes(question):
        found = list(notes(forecast, change))
        yield from _section(f"Clock change {change}", found, width, none="changes no fire")
    for outage in question.outages:
        begin, end = question.wall(outage.start), question.wall(outage.end)
        back = say_clock(end) if begin.date() == end.date() else say_at(end, start.year)
        title = f"Down {say_at(begin, start.year)} to {back} ({say_span(outage.lasts)})"
        rows = [(cost.job, say_cost(cost, begin)) for cost in costs(forecast, outage)]
        yield from _section(title, rows, width, none="costs nothing")
    more = [(job, f"{_at(fire)} runs {times} times") for job, fire, times in doubled(forecast)]
    if more:
        yield from _section("Run more than once", more, width)
    elif question.outages:
        yield Text("  No occurrence runs twice.", "dim")
    busy = [(job, said) for job in forecast.jobs for said in _skipped(job)]
    if busy:
        yield from _section("Skipped because the run before is still on", busy, width)
    never = [(job, job.never or "?") for job in forecast.jobs if not job.fires]
    if never:
        yield from _section("Does not fire", never, width, style="yellow")


def _head(forecast: Forecast) -> Iterator[Text]:
    question = forecast.question
    start, end = question.wall(question.start), question.wall(question.end)
    fires = sum(len(job.fires) for job in forecast.jobs)
    firing = sum(bool(job.fires) for job in forecast.jobs)
    days = _say_days(start.replace(tzinfo=None), end.replace(tzinfo=None))
    said = f"{_count(len(forecast.jobs), 'job')}, {firing} of them fire: {_count(fires, 'fire')}"
    yield Text.assemble((f"{said} in {days}", "bold"), (f"  (provider {forecast.provider})", "dim"))
    yield Text(
        f"{start:%a %Y-%m-%d %H:%M} to {end:%a %Y-%m-%d %H:%M}, wall time in {question.zone.key}",
        "dim",
    )


def _say_days(start: datetime, end: datetime) -> str:
    """The span between two wall times: whole days as such, a day of 25 hours too."""
    span = end - start
    return _count(span.days, "day") if not span % timedelta(days=1) else say_span(span)


def _count(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _table(
    jobs: Sequence[JobForecast], width: int, year: int, *, every_fire: bool
) -> Iterator[Text]:
    names = _cut((job.name for job in jobs), _LONGEST_NAME)
    schedules = _cut((job.schedule for job in jobs), _LONGEST_SCHEDULE)
    counts = [str(len(job.fires)) for job in jobs]
    sizes = [
        max(map(len, [title, *cells]))
        for title, cells in (("Job", names), ("Schedule", schedules), ("Fires", counts))
    ]
    room = width - sum(sizes) - len(_GAP) * len(sizes)
    shown = _fit(room)
    yield Text(
        _GAP.join(["Job".ljust(sizes[0]), "Schedule".ljust(sizes[1]), "Fires", "When"]), "bold"
    )
    for job, name, schedule, count in zip(jobs, names, schedules, counts, strict=True):
        lead = [
            (name.ljust(sizes[0]) + _GAP, "cyan"),
            (schedule.ljust(sizes[1]) + _GAP, ""),
            (count.rjust(sizes[2]) + _GAP, ""),
        ]
        said = _when(job, len(job.fires) if every_fire else shown, year)
        said += f" ({job.stops})" if job.stops else ""
        yield from _hanging(lead, said, width)


def _fit(room: int) -> int:
    """How many fires go on one line beside the last one."""
    one = len("Tue 20 Oct 09:00, ")
    return min(max((room - one) // one, _LEAST_SHOWN), _MOST_SHOWN)


def _when(job: JobForecast, shown: int, year: int) -> str:
    """The first fires, and the last; a date that was just said is not said again."""
    if len(job.fires) <= shown + 1:
        return ", ".join(_fires(job.fires, year))
    first = ", ".join(_fires(job.fires[:shown], year))
    return f"{first} … {_say_fire(job.fires[-1], None, year)}"


def _fires(fires: Iterable[Fire], year: int) -> Iterator[str]:
    before: Fire | None = None
    for fire in fires:
        yield _say_fire(fire, before, year)
        before = fire


def _say_fire(fire: Fire, before: Fire | None, year: int) -> str:
    same_day = before is not None and before.at.date() == fire.at.date()
    said = say_clock(fire.at) if same_day else say_at(fire.at, year, day_width=2)
    if fire.late < _LATE or fire.occurrence is None:
        return said
    today = fire.occurrence.date() == fire.at.date()
    return f"{said} (due {say_clock(fire.occurrence)})" if today else f"{said} (late)"


def _section(
    title: str,
    rows: Sequence[tuple[JobForecast, str]],
    width: int,
    *,
    none: str = "",
    style: str = "",
) -> Iterator[Text]:
    yield Text()
    yield Text(title, f"bold {style}".strip())
    if not rows:
        yield Text(f"  {none}")
    names = _cut((job.name for job, _ in rows), _LONGEST_NAME)
    size = max(map(len, names), default=0)
    for name, (_, said) in zip(names, rows, strict=True):
        yield from _hanging([(f"  {name.ljust(size)}{_GAP}", "cyan")], said, width)


def _hanging(lead: Sequence[tuple[str, str]], said: str, width: int) -> Iterator[Text]:
    """The lead, then the words beside it: as many lines as they need."""
    taken = sum(len(text) for text, _ in lead)
    lines = textwrap.wrap(said, max(width - taken, 20), break_on_hyphens=False) or [""]
    yield Text.assemble(*lead, lines[0])
    for line in lines[1:]:
        yield Text(" " * taken + line)


def _cut(texts: Iterable[str], most: int) -> list[str]:
    return [text if len(text) <= most else f"{text[: most - 1]}…" for text in texts]


def _skipped(job: JobForecast) -> Iterator[str]:
    busy = [entry for entry in job.not_run if entry.busy]
    if busy:
        count = sum(entry.count for entry in busy)
        yield f"{_count(count, 'occurrence')}, the first {say_at(busy[0].first)}"


def _at(fire: Fire) -> str:
    return say_at(fire.occurrence or fire.at)
