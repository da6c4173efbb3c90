"""What time without a gateway costs each job: missed, collapsed into one late run, doubled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from simulator.forecast import Fire, Forecast, JobForecast, NotRun
from simulator.forecast.times import Outage, say_at, say_clock, say_span, utc

__all__ = ["Cost", "costs", "costs_before", "doubled", "say_cost"]


@dataclass(frozen=True)
class Cost:
    """What it costs one job.

    Attributes:
        job: The job.
        missed: How many occurrences never run.
        exact: Whether that is all of them; else it is the least.
        first: The first of them, in the zone.
        last: The last of them.
        late: The occurrences of that time that run when the gateway is back, in order.
        again: Its first run after that time, late or not.
    """

    job: JobForecast
    missed: int
    exact: bool
    first: datetime | None
    last: datetime | None
    late: tuple[Fire, ...]
    again: Fire | None


def costs(forecast: Forecast, outage: Outage) -> Iterator[Cost]:
    """What an outage costs, for each job that it costs anything."""
    yield from _costs(forecast, outage.covers, outage.end)


def costs_before(forecast: Forecast) -> Iterator[Cost]:
    """The same for the time before the forecast: what is overdue when it begins."""
    start = forecast.question.start
    yield from _costs(forecast, lambda at: utc(at) < start, start)


def doubled(forecast: Forecast) -> Iterator[tuple[JobForecast, Fire, int]]:
    """Occurrences that run more than once: the job, the first of these runs, how many they are."""
    for job in forecast.jobs:
        counts = Counter(utc(fire.occurrence) for fire in job.fires if fire.occurrence is not None)
        for fire in job.fires:
            times = counts.pop(fire.due, 0) if fire.occurrence is not None else 0
            if times > 1:
                yield job, fire, times


def _costs(forecast: Forecast, covers: Callable[[datetime], bool], end: datetime) -> Iterator[Cost]:
    for job in forecast.jobs:
        fires = [*job.fires, *job.after]
        if not fires:
            continue  # said where it is said why
        lost = [entry for entry in job.not_run if not entry.busy and covers(entry.first)]
        late = tuple(
            fire
            for fire in fires
            if fire.occurrence is not None and covers(fire.occurrence) and utc(fire.at) >= end
        )
        if lost or late:
            again = next((fire for fire in fires if utc(fire.at) >= end), None)
            yield _cost(job, lost, late, again)


def _cost(job: JobForecast, lost: list[NotRun], late: tuple[Fire, ...], again: Fire | None) -> Cost:
    return Cost(
        job,
        missed=sum(entry.count for entry in lost),
        exact=all(entry.exact for entry in lost),
        first=min((entry.first for entry in lost), key=utc, default=None),
        last=max((entry.last for entry in lost), key=utc, default=None),
        late=late,
        again=again,
    )


def say_cost(cost: Cost, since: datetime) -> str:
    """The cost as a sentence; times of the day of `since` go without their date."""
    parts = []
    if cost.missed:
        parts.append(_say_missed(cost, since))
    if cost.late:
        fire = cost.late[0]
        due, at = _near(fire.occurrence or fire.at, since), _near(fire.at, since)
        parts.append(f"the one of {due} runs at {at}, {say_span(fire.late)} late")
        parts += [f"and {len(cost.late) - 1} more late"] if len(cost.late) > 1 else []
    elif cost.again is None:
        parts.append("does not run again in this time")
    else:
        late = f"{say_span(cost.again.late)} late" if cost.again.late else "on time"
        parts.append(f"runs again at {_near(cost.again.at, since)}, {late}")
    return "; ".join(parts)


def _say_missed(cost: Cost, since: datetime) -> str:
    assert cost.first is not None
    assert cost.last is not None
    least = "" if cost.exact else "at least "
    if cost.missed == 1:
        return f"{least}1 missed, {_near(cost.first, since)}"
    last = _near(cost.last, cost.first if cost.first.date() == cost.last.date() else since)
    return f"{least}{cost.missed} missed, {_near(cost.first, since)} … {last}"


def _near(at: datetime, since: datetime) -> str:
    return say_clock(at) if at.date() == since.date() else say_at(at, since.year)
