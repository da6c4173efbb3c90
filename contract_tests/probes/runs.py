"""Runs and deliveries by occurrence, in the words of the probes for ONCE and LIVE.

Their scenarios are in UTC and their jobs are for parts of the hour, so that division tells the
occurrence that an instant belongs to, and nobody has to be asked for it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from contract_tests.probes.virtual import SLACK_US, Watched
from simulator.checkers.happened import EARLY_LEEWAY_US, BodyRun
from simulator.durations import SECOND_US, parse_duration
from simulator.event import Event
from simulator.fold import instant_us

__all__ = [
    "HOUR_US",
    "WAKE_US",
    "Delivery",
    "Redelivery",
    "between",
    "delivered",
    "redelivered",
    "runs_by_slot",
]

HOUR_US = 3600 * SECOND_US
WAKE_US = 60 * SECOND_US + SLACK_US
"""The interval of the loops here, which is also the longest pause between two tries of NAS."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A fire that an agent decided on, and the occurrence that it names, in epoch microseconds."""

    event: Event
    fire_us: int


@dataclass(frozen=True, slots=True)
class Redelivery:
    """A fire that came when a run of its occurrence had begun, and all runs of that occurrence."""

    event: Event
    job: str
    runs: tuple[BodyRun, ...]

    @property
    def first(self) -> BodyRun:
        """The run that is the occurrence's."""
        return self.runs[0]

    def brought(self) -> BodyRun | None:
        """A further run that it brought: at once, within a wake, or when the first run was over."""
        over_us = self.first.end_us if self.event.n < self.first.end_n else self.event.at_us
        return next(
            (
                run
                for run in self.runs[1:]
                if self.event.n < run.begin.n
                and (run.begin.n < self.first.end_n or run.begin.at_us <= over_us + WAKE_US)
            ),
            None,
        )


def delivered(watched: Watched, job: str) -> list[Delivery]:
    """The fires of a job that an agent decided on: neither refused nor put off (WIRE.md)."""
    decided = {
        event.data.get("id")
        for event in watched.history.of("fire.answer")
        if event.data["status"] not in (401, 503)
    }
    return [
        Delivery(event, fire_us)
        for event in watched.facts.deliveries.get(job, [])
        if event.data.get("id") in decided
        and (fire_us := instant_us(event.data.get("fire_at"))) is not None
    ]


def runs_by_slot(watched: Watched, job: str, period_us: int = HOUR_US) -> dict[int, list[BodyRun]]:
    """A job's runs by the period of its clock that they began in, or up to 30 s before it."""
    found: dict[int, list[BodyRun]] = {}
    for run in watched.facts.runs.get(job, []):
        found.setdefault((run.begin.at_us + EARLY_LEEWAY_US) // period_us, []).append(run)
    return found


def redelivered(watched: Watched, job: str) -> Iterator[Redelivery]:
    """The fires of an hourly job that came after its run for their occurrence had begun."""
    runs = runs_by_slot(watched, job)
    for delivery in delivered(watched, job):
        found = runs.get(delivery.fire_us // HOUR_US)
        if found and found[0].begin.n < delivery.event.n:
            yield Redelivery(delivery.event, job, tuple(found))


def between(watched: Watched, job: str, first: str, last: str) -> list[BodyRun]:
    """A job's runs that began in a span of time; both ends are durations after the start."""
    from_us, until_us = parse_duration(first), parse_duration(last)
    return [
        run
        for run in watched.facts.runs.get(job, [])
        if from_us <= watched.since(run.begin) < until_us
    ]
