"""A forecast for machines."""

from __future__ import annotations

from typing import Any

from simulator.forecast import Fire, Forecast, JobForecast
from simulator.forecast.notes import clock_changes, notes
from simulator.forecast.outage import Cost, costs, costs_before, doubled, say_cost

__all__ = ["to_json"]


def to_json(forecast: Forecast) -> dict[str, Any]:
    """The answer as JSON values; instants are ISO 8601 with the zone's offset, jobs in file order.

    `note` and `cost` entries carry the id and place (from 1) of their job: ids may be missing.
    """
    question = forecast.question
    places = {id(job): place for place, job in enumerate(forecast.jobs, start=1)}

    def entry(job: JobForecast, **more: Any) -> dict[str, Any]:
        return {"id": job.id, "place": places[id(job)], **more}

    start = question.wall(question.start)
    return {
        "provider": forecast.provider,
        "zone": question.zone.key,
        "from": start.isoformat(),
        "to": question.wall(question.end).isoformat(),
        "trouble": list(forecast.trouble),
        "jobs": [entry(job, **_job(job)) for job in forecast.jobs],
        "clock_changes": [
            {
                "at": change.at.isoformat(),
                "shift_minutes": round(change.shift.total_seconds() / 60),
                "jobs": [entry(job, note=said) for job, said in notes(forecast, change)],
            }
            for change in clock_changes(question)
        ],
        "overdue": [
            entry(cost.job, **_cost(cost), cost=say_cost(cost, start))
            for cost in costs_before(forecast)
        ],
        "outages": [
            {
                "from": question.wall(outage.start).isoformat(),
                "to": question.wall(outage.end).isoformat(),
                "jobs": [
                    entry(cost.job, **_cost(cost), cost=say_cost(cost, question.wall(outage.start)))
                    for cost in costs(forecast, outage)
                ],
            }
            for outage in question.outages
        ],
        "doubled": [
            entry(job, **_fire(fire), times=times) for job, fire, times in doubled(forecast)
        ],
    }


def _job(job: JobForecast) -> dict[str, Any]:
    return {
        "name": job.name,
        "schedule": job.schedule,
        "count": len(job.fires),
        "fires": [_fire(fire) for fire in job.fires],
        "not_run": [
            {
                "first": entry.first.isoformat(),
                "last": entry.last.isoformat(),
                "count": entry.count,
                "count_is_least": not entry.exact,
                "reason": "still running" if entry.busy else "missed",
            }
            for entry in job.not_run
        ],
        "never": job.never,
        "stops": job.stops,
    }


def _fire(fire: Fire) -> dict[str, Any]:
    occurrence = fire.occurrence.isoformat() if fire.occurrence is not None else None
    return {"at": fire.at.isoformat(), "occurrence": occurrence}


def _cost(cost: Cost) -> dict[str, Any]:
    return {
        "missed": cost.missed,
        "missed_is_least": not cost.exact,
        "first_missed": cost.first.isoformat() if cost.first is not None else None,
        "last_missed": cost.last.isoformat() if cost.last is not None else None,
        "late": [{**_fire(fire), "late_s": fire.late.total_seconds()} for fire in cost.late],
        "runs_again": _fire(cost.again) if cost.again is not None else None,
    }
