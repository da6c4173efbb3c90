"""What a jobs file will do: the real tick, driven through virtual time over the owner's own file.

Nothing here knows when a job is due. The file is put into a simulated store, a gateway with the
provider runs over it, and what is told is what was seen: runs, records of what was missed, and the
state in which each job was left. Bodies take no time.

    run       the world behind it, and what is kept of its history
    parts     the same by several processes
    why       why a job never fires, or stops
    notes     what a change of the clock does to each job
    outage    what an outage costs each job
    view      for people; json: for machines

Instants are compared in UTC only: Python compares two times of one zone by their wall clocks, which
in a repeated hour puts the second pass into the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from hermes_cron.store import Document, StoreUnreadable, parse
from simulator.event import Event
from simulator.forecast import why as why
from simulator.forecast.run import Brief, run_file, trouble
from simulator.forecast.times import Outage, instant, merged, utc
from simulator.history import History
from simulator.hosts import Host
from simulator.target import Target

__all__ = ["Fire", "Forecast", "ForecastError", "JobForecast", "NotRun", "Question", "forecast"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SETTLE = timedelta(minutes=10)  # what a gateway gets after an outage that outlasts the forecast


class ForecastError(ValueError):
    """The question cannot be answered: the file, the zone or an instant is not usable."""


@dataclass(frozen=True)
class Question:
    """What is asked.

    Attributes:
        jobs_file: The bytes of a `jobs.json`.
        zone: The configured zone.
        start: The first instant, aware.
        end: The first instant that is not looked at any more, aware.
        outages: When the gateway is down; merged where they touch.
        name: The file, in messages.
    """

    jobs_file: bytes
    zone: ZoneInfo
    start: datetime
    end: datetime
    outages: tuple[Outage, ...] = ()
    name: str = "jobs.json"

    def __post_init__(self) -> None:
        """Put the instants into UTC, and what cannot be asked right."""
        object.__setattr__(self, "start", utc(self.start))
        object.__setattr__(self, "end", utc(self.end))
        object.__setattr__(self, "outages", merged(self.outages))
        if self.end <= self.start:
            raise ForecastError(f"the forecast ends at {self.end}, before it starts")
        for outage in self.outages:
            if not self.start <= outage.start < self.end:
                raise ForecastError(
                    f"the outage from {self.wall(outage.start):%Y-%m-%d %H:%M %Z} does not begin "
                    f"within the forecast, {self.wall(self.start):%Y-%m-%d %H:%M %Z} to "
                    f"{self.wall(self.end):%Y-%m-%d %H:%M %Z}; move it or --from"
                )

    def wall(self, at: datetime) -> datetime:
        """The instant in the zone."""
        return at.astimezone(self.zone)


@dataclass(frozen=True)
class Fire:
    """One run: the occurrence that it is for (None: not stated) and its start, in the zone."""

    occurrence: datetime | None
    at: datetime

    @property
    def due(self) -> datetime:
        """The occurrence, else the start, in UTC."""
        return utc(self.occurrence or self.at)

    @property
    def late(self) -> timedelta:
        """How long after its occurrence it starts; never negative."""
        return max(utc(self.at) - self.due, timedelta(0))


@dataclass(frozen=True)
class NotRun:
    """Occurrences that came and were not run.

    Attributes:
        first: The first of them, in the zone.
        last: The last of them.
        count: How many they are.
        exact: Whether `count` is all of them; else it is the least.
        busy: They came while the run before was on; else nothing ran the jobs.
    """

    first: datetime
    last: datetime
    count: int
    exact: bool = True
    busy: bool = False


@dataclass
class JobForecast:
    """What one job does.

    Attributes:
        id: Its id; for a broken record whatever stands there, or its place in the file.
        name: For people.
        schedule: For people.
        record: As it stands in the file; None when it is no object.
        fires: Its runs within the forecast, in order.
        after: Runs after it, when an outage outlasts it.
        not_run: Occurrences that came and were not run.
        never: Why it does not fire within the forecast; None when it does.
        stops: Why it does not go on after its last fire; None when it does.
    """

    id: str
    name: str
    schedule: str
    record: Mapping[str, Any] | None
    fires: list[Fire] = field(default_factory=list)
    after: list[Fire] = field(default_factory=list)
    not_run: list[NotRun] = field(default_factory=list)
    never: str | None = None
    stops: str | None = None


@dataclass(frozen=True)
class Forecast:
    """The answer: every record of the file, in its order; and what went wrong in the run itself."""

    question: Question
    provider: str
    jobs: tuple[JobForecast, ...]
    trouble: tuple[str, ...] = ()


def forecast(question: Question, target: Target, host: Host) -> Forecast:
    """Run the file forward.

    Raises:
        ForecastError: The file as a whole is not readable as a jobs file, or the zone is no zone.
    """
    document = read_question(question)
    jobs = jobs_of(document)
    usable = {job_id: jobs[place] for job_id, place in document.places.items()}
    until = max([question.end, *(outage.end + _SETTLE for outage in question.outages)])
    try:
        history = run_file(question, until, target, host)
    except ValidationError as error:
        raise ForecastError(str(error.errors()[0]["msg"])) from error
    _collect(history, usable, question)
    _explain(usable, document, history, question)
    return Forecast(question, target.label, tuple(jobs), trouble(history))


def read_question(question: Question) -> Document:
    """The jobs file that is asked about.

    Raises:
        ForecastError: It is not readable as one.
    """
    try:
        return parse(question.jobs_file, name=question.name)
    except StoreUnreadable as error:
        raise ForecastError(str(error)) from error


def jobs_of(document: Document) -> list[JobForecast]:
    """One of every record, before anything ran; of broken ones that is all there is to say."""
    jobs = [_job(place, value) for place, value in enumerate(document.records)]
    for broken in document.broken:
        jobs[broken.index].never = f"broken record: {broken.reason}; mend or remove it"
    return jobs


def read_file(path: Path) -> bytes:
    """The bytes of a jobs file.

    Raises:
        ForecastError: It cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ForecastError(f"{path} cannot be read: {error.strerror or error}") from error


def _job(place: int, value: Any) -> JobForecast:
    record = value if isinstance(value, dict) else None
    given = (record or {}).get("id")
    label = given if isinstance(given, str) and given.strip() else f"record {place + 1}"
    return JobForecast(label, why.say_name(record, label), why.say_schedule(record), record)


def _collect(history: History, jobs: Mapping[str, JobForecast], question: Question) -> None:
    """Runs as the bodies saw them, each with the occurrence that was claimed for it."""
    claimed: dict[str, str | None] = {}
    for event in history.of("execution", "run.begin"):
        if event.kind == "run.begin":
            job = jobs.get(event.data["job"])
            if job is not None:
                _fired(job, event, claimed.pop(job.id, None), question)
            continue
        for entry in event.data["records"]:
            job = jobs.get(str(entry.get("job_id")))
            if job is None:
                continue
            if entry.get("state") in {"claimed", "running"}:
                claimed[job.id] = entry.get("occurrence")
            elif entry.get("state") in {"missed", "skipped"}:
                _note_not_run(job, entry, question)


def _fired(job: JobForecast, event: Event, occurrence: str | None, question: Question) -> None:
    at = _EPOCH + timedelta(microseconds=event.at_us)
    fire = Fire(instant(occurrence, question.zone), question.wall(at))
    (job.fires if at < question.end else job.after).append(fire)


def _note_not_run(job: JobForecast, entry: Mapping[str, Any], question: Question) -> None:
    first = instant(entry.get("occurrence"), question.zone)
    reason = str(entry.get("reason") or "")
    if first is None or reason.startswith("given back"):
        return  # what is given back is due again
    last = instant(entry.get("until"), question.zone) or first
    count = int(entry.get("count") or 1)
    exact = not entry.get("count_is_least")
    job.not_run.append(NotRun(first, last, count, exact, busy="running" in reason))


def _explain(
    jobs: Mapping[str, JobForecast], document: Document, history: Brief, question: Question
) -> None:
    """Say of each job why it does not fire, or does not go on, from the state it was left in."""
    left = history.left.records
    for job_id, job in jobs.items():
        record, now = document.get(job_id) or {}, left.get(job_id)
        if job.fires:
            job.stops = why.why_it_stops(record, now, len(job.fires) + len(job.after))
        else:
            job.never = why.why_never(record, now, question.zone, question.start, question.end)
