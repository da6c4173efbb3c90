"""What a jobs file will do: the real tick, driven through virtual time over the owner's own file.

Nothing here knows when a job is due. The file is put into a simulated store, a gateway with the
provider runs over it, and what is told is what was seen: runs, records of what was missed, and the
state in which each job was left. Bodies take no time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from hermes_cron.store import StoreUnreadable, parse
from simulator.fold import final_store
from simulator.history import History
from simulator.hosts import Host
from simulator.scenario import Scenario
from simulator.target import Target
from simulator.world import simulate

__all__ = ["Fire", "Forecast", "ForecastError", "JobForecast", "Outage", "Question", "forecast"]

MACHINE = "a"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ForecastError(ValueError):
    """The question cannot be answered: the file, the zone or an instant is not usable."""


@dataclass(frozen=True)
class Outage:
    """The gateway is down from `start` for `lasts`; both are about true time."""

    start: datetime
    lasts: timedelta

    @property
    def end(self) -> datetime:
        """When it is back."""
        return self.start.astimezone(UTC) + self.lasts


@dataclass(frozen=True)
class Question:
    """What is asked.

    Attributes:
        jobs_file: The bytes of a `jobs.json`.
        zone: The configured zone.
        start: The first instant, aware.
        days: How many times 24 hours are looked at.
        outages: When the gateway is down.
    """

    jobs_file: bytes
    zone: ZoneInfo
    start: datetime
    days: int
    outages: tuple[Outage, ...] = ()

    @property
    def end(self) -> datetime:
        """The last instant that is looked at."""
        return self.start.astimezone(UTC) + timedelta(days=self.days)


@dataclass(frozen=True)
class Fire:
    """One run: the occurrence that it is for, and when it starts; both aware, in the zone."""

    occurrence: datetime | None
    at: datetime

    @property
    def late_s(self) -> float:
        """Seconds between the two."""
        if self.occurrence is None:
            return 0.0
        return (self.at.astimezone(UTC) - self.occurrence.astimezone(UTC)).total_seconds()


@dataclass
class JobForecast:
    """What one job does.

    Attributes:
        id: Its id; for a broken record whatever stands there, or its place in the file.
        name: For people.
        schedule: For people.
        record: As it stands in the file; None when it is no object.
        fires: Its runs, in order.
        not_run: Occurrences that are due and not run, each with the reason: down, or still running.
        not_run_more: Further ones that were only counted.
        problem: Why it never fires at all, or why it stops; None when there is nothing to say.
    """

    id: str
    name: str
    schedule: str
    record: Mapping[str, Any] | None
    fires: list[Fire] = field(default_factory=list)
    not_run: list[tuple[datetime, str]] = field(default_factory=list)
    not_run_more: int = 0
    problem: str | None = None


@dataclass(frozen=True)
class Forecast:
    """The answer: every record of the file, in its order."""

    question: Question
    provider: str
    jobs: tuple[JobForecast, ...]


def forecast(question: Question, target: Target, host: Host) -> Forecast:
    """Run the file forward.

    Raises:
        ForecastError: The file as a whole is not readable as a jobs file.
    """
    try:
        document = parse(question.jobs_file)
    except StoreUnreadable as error:
        raise ForecastError(str(error)) from error
    jobs = [_job(place, entry.value, entry.problem) for place, entry in enumerate(document.entries)]
    run = simulate(_scenario(question), target, host=host, jobs_file=question.jobs_file)
    usable = [
        job
        for place, (job, entry) in enumerate(zip(jobs, document.entries, strict=True))
        if document.places.get(entry.job_id or "") == place
    ]
    _collect(run.history, {job.id: job for job in usable}, question)
    left = final_store(run.history).records
    for job in usable:
        job.problem = job.problem or _why_it_stops(job, left.get(job.id), question)
    return Forecast(question, target.label, tuple(jobs))


def read_file(path: Path) -> bytes:
    """The bytes of a jobs file.

    Raises:
        ForecastError: It cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ForecastError(f"{path} cannot be read: {error.strerror or error}") from error


def _scenario(question: Question) -> Scenario:
    wall = question.start.astimezone(question.zone)
    return Scenario.model_validate(
        {
            "name": "forecast",
            "zone": question.zone.key,
            "start": wall.replace(tzinfo=None),
            "lasts": f"{question.days}d",
            "machines": [MACHINE],
            "steps": [
                {
                    "at": _microseconds(outage.start - question.start),
                    "do": "crash",
                    "machine": MACHINE,
                    "for": _microseconds(outage.lasts),
                }
                for outage in question.outages
            ],
        }
    )


def _microseconds(span: timedelta) -> str:
    return f"{span // timedelta(microseconds=1)}us"


def _job(place: int, value: Any, problem: str | None) -> JobForecast:
    record = value if isinstance(value, dict) else None
    given = record.get("id") if record is not None else None
    label = str(given) if given not in (None, "") else f"record {place + 1}"
    name = str((record or {}).get("name") or label)
    said = f"broken record: {problem}; mend or remove it" if problem else None
    return JobForecast(label, name, _say_schedule(record), record, problem=said)


def _say_schedule(record: Mapping[str, Any] | None) -> str:
    schedule = (record or {}).get("schedule")
    for holder, key in ((record, "schedule_display"), (schedule, "display"), (schedule, "expr")):
        if isinstance(holder, Mapping) and isinstance(holder.get(key), str) and holder[key]:
            return str(holder[key])
    if isinstance(schedule, Mapping) and schedule.get("kind") == "interval":
        return f"every {schedule.get('minutes')}m"
    if isinstance(schedule, Mapping) and schedule.get("kind") == "once":
        return f"once at {schedule.get('run_at')}"
    return "?" if schedule is None else json.dumps(schedule)[:40]


def _collect(history: History, jobs: Mapping[str, JobForecast], question: Question) -> None:
    """Runs as the bodies saw them, each with the occurrence that was claimed for it."""
    claimed: dict[str, str | None] = {}
    for event in history.of("execution", "run.begin"):
        if event.kind == "run.begin":
            job = jobs.get(event.data["job"])
            if job is not None:
                at = (_EPOCH + timedelta(microseconds=event.at_us)).astimezone(question.zone)
                job.fires.append(Fire(_instant(claimed.get(job.id), question.zone), at))
            continue
        for record in event.data["records"]:
            job = jobs.get(str(record.get("job_id")))
            if job is None:
                continue
            if record.get("state") in {"claimed", "running"}:
                claimed[job.id] = record.get("occurrence")
            elif record.get("state") in {"missed", "skipped"}:
                _note_not_run(job, record, question)


def _note_not_run(job: JobForecast, record: Mapping[str, Any], question: Question) -> None:
    at = _instant(record.get("occurrence"), question.zone)
    if at is not None:
        reason = str(record.get("reason") or "the gateway was down")
        job.not_run.append((at, reason))
        job.not_run_more += int(record.get("count") or 1) - 1


def _instant(text: object, zone: ZoneInfo) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment.astimezone(zone) if moment.tzinfo is not None else moment.replace(tzinfo=zone)


def _why_it_stops(
    job: JobForecast, left: Mapping[str, Any] | None, question: Question
) -> str | None:
    """Why a job does not fire, from the state that the real host left it in."""
    record = job.record or {}
    if left is None:
        return "it is removed after its last run" if job.fires else "it is removed without a run"
    state = left.get("state")
    if record.get("state") == "paused" or record.get("enabled") is False:
        why = record.get("paused_reason")
        said = "paused" if record.get("state") in ("paused", "scheduled", None) else record["state"]
        return f"{said}: {why}" if why else f"{said}; resume it to let it fire"
    if state == "error":
        return f"error: {left.get('last_error') or 'its next time cannot be computed'}"
    if job.fires:
        return None
    upcoming = _instant(left.get("next_run_at"), question.zone)
    if state == "completed":
        return f"completed: {left.get('last_error') or 'it has had all its runs'}"
    if upcoming is None:
        return f"it has no next time: {left.get('last_error') or 'nothing says why'}"
    if upcoming > question.end:
        return f"not in these {question.days} days: next on {upcoming:%a %Y-%m-%d %H:%M %Z}"
    return f"due at {upcoming:%Y-%m-%d %H:%M %Z} and did not fire: {left.get('last_error') or '?'}"
