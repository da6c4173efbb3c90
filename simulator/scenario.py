"""A scenario: frozen data that says what stands, what is done, what goes wrong and what must hold.

Files are YAML (`simulator.scenario_file` reads and writes them); this module is their meaning. A
scenario names no provider and no code: jobs, the operator's steps, faults at named seams, a
horizon. Instants are durations since `start`, in microseconds; `start` is wall time in `zone`.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, PlainSerializer, field_validator, model_validator

from simulator.durations import SECOND_US, format_duration
from simulator.fault_rule import Fault
from simulator.kernel.tape import Tape
from simulator.raising import RaiseField
from simulator.scenario_base import Duration, Model, Offset, hint, known_zone
from simulator.steps import Step
from simulator.tape_field import TapeField

__all__ = [
    "Body",
    "Expect",
    "Job",
    "Machine",
    "RunCount",
    "Scenario",
]

Capability = Literal["blocking", "external"]


class Body(Model):
    """What a job does when it runs, besides taking `runs_for`.

    Attributes:
        raises: It raises this at its end.
        fails: It reports failure with this text.
        crashes: It kills its machine at its end, before anything is recorded.
        restarts_after: How long a machine killed by it stays down; for ever when not given.
        nth: Only the nth run of this job misbehaves (from 1); every run when not given.
    """

    raises: RaiseField = None
    fails: str | None = None
    crashes: bool = False
    restarts_after: Duration | None = None
    nth: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, data: Any) -> Any:
        if isinstance(data, str):
            forms: dict[str, dict[str, Any]] = {"ok": {}, "crashes": {"crashes": True}}
            if data not in forms:
                raise ValueError(f"unknown body {data!r}: write ok, crashes or {{raises: ...}}")
            return forms[data]
        return data


class Job(Model):
    """A job of the scenario.

    Attributes:
        id: Its id and its name.
        schedule: As a user would type it.
        repeat: How often it runs at most; None for ever (a one-shot: once).
        runs_for: How long its body takes.
        body: What else the body does.
        record: Merged over the stored record as it stands, to make broken ones.
        created: At the start, or by a `create` step.
    """

    id: str = Field(min_length=1)
    schedule: str
    repeat: Annotated[int, Field(ge=1)] | None = None
    runs_for: Duration = SECOND_US
    body: Body = Body()
    record: dict[str, Any] = Field(default_factory=dict)
    created: Literal["at start", "by a step"] = "at start"


class Machine(Model):
    """A gateway. `skew` is how far its wall clock is ahead of true time."""

    id: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    skew: Offset = 0

    @field_validator("id")
    @classmethod
    def _not_a_lane(cls, value: str) -> str:
        if value in {"nas", "store", "operator", "world"}:
            raise ValueError(f"{value!r} is not a gateway: histories use that name; take another")
        return value


def _machine_forms(data: Any) -> Any:
    """`[a, b]` or `{a: {}, b: {skew: 2s}}` as a list of machines."""
    if isinstance(data, Mapping):
        return [{"id": name, **(value or {})} for name, value in data.items()]
    if isinstance(data, list | tuple):
        return [{"id": value} if isinstance(value, str) else value for value in data]
    return data


def _say_machines(value: tuple[Machine, ...]) -> Any:
    if any(machine.skew for machine in value):
        return {m.id: ({"skew": format_duration(m.skew)} if m.skew else {}) for m in value}
    return [machine.id for machine in value]


class RunCount(Model):
    """How often a job must have run: `6`, or `{min: 5, max: 7}`."""

    min: Annotated[int, Field(ge=0)] = 0
    max: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _exact(cls, data: Any) -> Any:
        if isinstance(data, int) and not isinstance(data, bool):
            return {"min": data, "max": data}
        return data

    def allows(self, count: int) -> bool:
        """Whether `count` runs are what was expected."""
        return self.min <= count and (self.max is None or count <= self.max)

    def __str__(self) -> str:
        if self.min == self.max:
            return str(self.min)
        return f"{self.min} or more" if self.max is None else f"{self.min} to {self.max}"


def _say_counts(value: dict[str, RunCount]) -> Any:
    return {
        job: count.min if count.min == count.max else count.plain() for job, count in value.items()
    }


class Expect(Model):
    """What must hold: requirement ids and run counts, nothing else."""

    hold: tuple[Annotated[str, Field(pattern=r"^[A-Z]+-[0-9]+$")], ...] = ()
    runs: Annotated[dict[str, RunCount], PlainSerializer(_say_counts)] = Field(default_factory=dict)


class Scenario(Model):
    """The whole frozen input of one run.

    Attributes:
        tape: The choices of tasks that deviate from first-in-first-out, and the seed of the run.
    """

    name: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    origin: str = ""
    story: str = ""
    capabilities: tuple[Capability, ...] = Field(default=("blocking", "external"), alias="for")
    zone: str = "UTC"
    start: datetime
    lasts: Duration
    interval: Annotated[int, Field(ge=0)] = 60
    machines: Annotated[
        tuple[Machine, ...],
        BeforeValidator(_machine_forms),
        PlainSerializer(_say_machines),
        Field(min_length=1),
    ] = (Machine(id="a"),)
    jobs: tuple[Job, ...] = ()
    steps: tuple[Step, ...] = ()
    faults: tuple[Fault, ...] = ()
    tape: TapeField = Tape()
    expect: Expect = Expect()

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        return known_zone(value)

    @field_validator("lasts")
    @classmethod
    def _takes_time(cls, value: int) -> int:
        if not value:
            raise ValueError("a run of no time shows nothing: lasts must be more than 0s")
        return value

    @field_validator("start")
    @classmethod
    def _start_is_wall_time(cls, value: datetime) -> datetime:
        if value.tzinfo is not None:
            raise ValueError("start is wall time in zone: write it without an offset")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for wrong in (*self._wrong_names(), *self._never()):
            raise ValueError(wrong)
        return self

    def _wrong_names(self) -> Iterator[str]:
        """Names that stand for nothing, or for two things."""
        jobs = [job.id for job in self.jobs]
        for name in dict.fromkeys(name for name in jobs if jobs.count(name) > 1):
            yield f"two jobs are named {name!r}"
        machines = [machine.id for machine in self.machines]
        parts: list[tuple[str, Step | Fault]] = [
            *((f"steps[{i}]", step) for i, step in enumerate(self.steps)),
            *((f"faults[{i}]", fault) for i, fault in enumerate(self.faults)),
        ]
        for place, part in parts:
            if part.job is not None and part.job not in jobs:
                yield f"{place}: no job {part.job!r}{hint(part.job, jobs)}"
            if part.machine is not None and part.machine not in machines:
                yield f"{place}: no machine {part.machine!r}{hint(part.machine, machines)}"
        for name in self.expect.runs:
            if name not in jobs:
                yield f"expect.runs: no job {name!r}{hint(name, jobs)}"

    def _never(self) -> Iterator[str]:
        """What could not happen in this run."""
        for i, step in enumerate(self.steps):
            if step.at > self.lasts:
                when = format_duration(step.at)
                yield f"steps[{i}]: step {step.do!r} at {when} is not in the run"
        for i, fault in enumerate(self.faults):
            if fault.first_at > self.lasts:
                when = format_duration(fault.first_at)
                yield f"faults[{i}]: {when} is not in the run, so it can never strike"
        made = {step.job for step in self.steps if step.do == "create"}
        for i, job in enumerate(self.jobs):
            if job.created == "by a step" and job.id not in made:
                yield f"jobs[{i}]: no step creates {job.id!r}"

    @property
    def tz(self) -> ZoneInfo:
        """The configured zone."""
        return ZoneInfo(self.zone)

    @property
    def start_us(self) -> int:
        """The start, microseconds since the epoch."""
        return self.instant_us(self.start)

    @property
    def end_us(self) -> int:
        """The horizon, microseconds since the epoch."""
        return self.start_us + self.lasts

    def instant_us(self, instant: datetime | str) -> int:
        """Microseconds since the epoch of an instant; a naive one is wall time in the zone."""
        moment = datetime.fromisoformat(instant) if isinstance(instant, str) else instant
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=self.tz)
        since = moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
        return (since.days * 86_400 + since.seconds) * SECOND_US + since.microseconds
