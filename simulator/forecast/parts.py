"""A forecast by several processes: each runs some of the jobs, over all of the time.

The answer is that of one process wherever a job does beside others what it does alone. In a
forecast nothing of the host keeps two jobs apart: bodies take no time, so that no run waits for a
place in the pool or overlaps a tick, and an outage begins before the ticks of its instant, so that
it cuts off no tick that some jobs had passed. What is left is the provider: one that treats each
job by itself, as the bundled ones do, is forecast exactly; one that paces its jobs, or passes over
them all when one fails, has to be asked in one process.
"""

from __future__ import annotations

from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from itertools import chain, repeat

from hermes_cron.store import Document, serialize
from simulator.forecast import (
    Forecast,
    ForecastError,
    Question,
    forecast,
    jobs_of,
    read_question,
)
from simulator.hosts import reference_host
from simulator.processes import processes
from simulator.target import find_target

__all__ = ["forecast_in_parts"]


def forecast_in_parts(question: Question, provider: str, workers: int) -> Forecast:
    """As `forecast`, by so many processes.

    Args:
        question: What is asked.
        provider: As on a command line; other processes find it by that.
        workers: How many; each takes every so many-th job.

    Raises:
        ForecastError: As `forecast`; or a process died.
    """
    document = read_question(question)
    jobs = jobs_of(document)
    parts = _parts(document, workers)
    if len(parts) <= 1:
        return forecast(question, find_target(provider, reference_host()), reference_host())
    asked = [replace(question, jobs_file=_file(document, part)) for part in parts]
    with processes(len(parts)) as pool:
        try:
            answers = list(pool.map(_ask, asked, repeat(provider)))
        except BrokenProcessPool as error:
            raise ForecastError("a process died; ask with one worker to see why") from error
    usable = set(document.places.values())
    for part, answer in zip(parts, answers, strict=True):
        for place, job in zip(part, answer.jobs, strict=True):
            if place in usable:
                jobs[place] = job
    told = dict.fromkeys(chain.from_iterable(answer.trouble for answer in answers))
    return Forecast(question, answers[0].provider, tuple(jobs), tuple(told))


def _parts(document: Document, workers: int) -> list[list[int]]:
    """The places of the records of each part: its jobs, and every record that is none."""
    share = {job_id: nth % workers for nth, job_id in enumerate(document.places)}
    parts: list[list[int]] = [[] for _ in range(min(workers, len(share)))]
    for place, entry in enumerate(document.entries):
        of = parts if entry.job_id is None else [parts[share[entry.job_id]]]
        for part in of:
            part.append(place)
    return parts


def _file(document: Document, places: list[int]) -> bytes:
    """A jobs file of some of the records."""
    some = document.with_entries(document.entries[place] for place in places)
    return serialize(some, updated_at=str(document.updated_at or ""))


def _ask(question: Question, provider: str) -> Forecast:
    host = reference_host()
    return forecast(question, find_target(provider, host), host)
