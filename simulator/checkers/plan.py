"""What the operator wanted: for each job, when it was to run, by the scenario and the steps alone.

`next_run_at` is the host's opinion and is not asked, with one exception: where the definitions
leave the grid of an interval open (after a resume, a trigger, a record without a usable time), the
first `next_run_at` that was stored afterwards anchors it, if it lies within one period.
"""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from simulator import oracle
from simulator.checkers.facts import Facts
from simulator.checkers.happened import FOREVER, Op
from simulator.durations import SECOND_US
from simulator.fold import instant_us
from simulator.history import Event
from simulator.scenario import Job

__all__ = ["Plan", "Segment", "commits_by_job", "plan_of"]

_LATE_CREATION_US = 120 * SECOND_US
_SETTLES = {"create", "update", "pause", "resume", "remove", "trigger"}

Commits = dict[str, list[tuple[Event, dict[str, Any] | None]]]


@dataclass(slots=True)
class Segment:
    """A time in which a job was to run by one schedule.

    Attributes:
        schedule: When.
        from_us: Occurrences count strictly after it.
        from_n: The event that made it so.
        to_us: Occurrences count until it.
        to_n: The event that ended it; FOREVER when none did.
        settled_us: When the operation that ended it was done (it began at `to_us`).
        settled_n: The event that says so.
    """

    schedule: oracle.Schedule
    from_us: int
    from_n: int
    to_us: int = FOREVER
    to_n: int = FOREVER
    settled_us: int = FOREVER
    settled_n: int = FOREVER


@dataclass(slots=True)
class Plan:
    """All that was wanted of one job.

    Attributes:
        job: Its definition.
        segments: When it was to run, in order, without overlap.
        manual: Runs that the operator asked for at once: (when, event).
        repeat: How often it may run; None for ever.
        unjudged: Why nothing is expected of it, or None.
        ops: The operations on it that took effect.
    """

    job: Job
    segments: list[Segment] = field(default_factory=list)
    manual: list[Event] = field(default_factory=list)
    repeat: int | None = None
    unjudged: str | None = None
    ops: list[Op] = field(default_factory=list)

    @property
    def recurring(self) -> bool:
        """Whether it comes more than once."""
        return any(not isinstance(part.schedule, oracle.Once) for part in self.segments)

    def off_at(self, n: int) -> bool:
        """Whether the job was surely not to run at event `n`; while it is being changed: False."""
        return not any(part.from_n < n <= part.settled_n for part in self.segments)

    def segment_at(self, n: int) -> int:
        """The index of the segment that event `n` lies in; -1 when the job was not to run then."""
        for index in range(len(self.segments) - 1, -1, -1):
            part = self.segments[index]
            if part.from_n < n:
                return index if n <= part.to_n else -1
        return -1


def commits_by_job(facts: Facts) -> Commits:
    """Every record that was stored, by job, with its event; None where it was deleted."""

    def build() -> Commits:
        found: Commits = {}
        for event in facts.history.of("store.commit"):
            for job_id, record in event.data["changes"]:
                if isinstance(job_id, str):
                    found.setdefault(job_id, []).append((event, record))
        return found

    return facts.history.derived("commits_by_job", build)


def plan_of(facts: Facts, job: Job) -> Plan:
    """What was wanted of `job` in this history."""
    plan = Plan(job, repeat=job.repeat)
    if "id" in job.record:
        plan.unjudged = "its record has no id of its own"
        return plan
    ops = [op for op in facts.ops if op.job == job.id and op.do in _SETTLES]
    if _refused_at_start(facts, job):
        return plan
    if job.created == "at start" and not any(op.do == "create" for op in ops):
        _create(facts, plan, facts.scenario.start_us, -1)
    for op in ops:
        if op.end is None:
            plan.unjudged = f"{op.do} at event {op.begin.n} never came to an end"
            break
        if (op.failed and not _stored_between(facts, op)) or _was_gone(facts, op):
            continue
        plan.ops.append(op)
        _apply(facts, plan, op)
    return plan


def _refused_at_start(facts: Facts, job: Job) -> bool:
    """Whether the host did not take the job when the world was made."""
    starts = (op.begin.n for op in facts.ops if op.do == "create" and op.job == job.id)
    first = next(starts, FOREVER)
    return any(
        event.n < first
        and event.data.get("do") == "create"
        and event.data.get("job") == job.id
        and event.data.get("error") is not None
        for event in facts.history.of("op.end")
    )


def _stored_between(facts: Facts, op: Op) -> bool:
    """Whether a failed operation took effect all the same."""
    assert op.end is not None
    return any(
        op.begin.n < event.n < op.end.n for event, _ in commits_by_job(facts).get(str(op.job), ())
    )


def _was_gone(facts: Facts, op: Op) -> bool:
    """Whether there was no such job any more: the store had let go of it, and did not get it back.

    A change of a job that is not there is answered, not refused.
    """
    assert op.end is not None
    stored = commits_by_job(facts).get(str(op.job), [])
    index = bisect_left(stored, op.end.n, key=lambda pair: pair[0].n) - 1
    if op.do in {"create", "remove"} or index < 0:
        return False
    event, record = stored[index]
    return record is None and event.n < op.begin.n


def _create(facts: Facts, plan: Plan, at_us: int, n: int) -> None:
    record = plan.job.record
    if "schedule" in record:
        plan.unjudged = "its record was made by hand"
        return
    if record.get("enabled") is False or record.get("state") in {"paused", "completed"}:
        return
    schedule = _read(facts, plan, plan.job.schedule, at_us)
    if schedule is None:
        return
    if isinstance(schedule, oracle.Once) and plan.repeat is None:
        plan.repeat = 1  # and it stays so when it gets another schedule
    if "next_run_at" in record and isinstance(schedule, oracle.Every):
        schedule = _floating(facts, plan, schedule, at_us, n)
    plan.segments.append(Segment(schedule, _from(schedule, at_us), n))


def _from(schedule: oracle.Schedule, at_us: int) -> int:
    """A one-shot may be created up to 120 s late; all else counts after its creation."""
    if isinstance(schedule, oracle.Once) and at_us - _LATE_CREATION_US <= schedule.at_us <= at_us:
        return schedule.at_us - 1
    return at_us


def _read(facts: Facts, plan: Plan, text: object, at_us: int) -> oracle.Schedule | None:
    try:
        return oracle.read(str(text), at_us, facts.scenario.zone)
    except oracle.OracleError as error:
        plan.unjudged = f"its schedule cannot be read: {error}"
        return None


def _floating(facts: Facts, plan: Plan, schedule: oracle.Every, at_us: int, n: int) -> oracle.Every:
    """The interval on the grid that the store stated first after event `n`, if that is legal."""
    for event, record in commits_by_job(facts).get(plan.job.id, ()):
        if event.n <= n or record is None:
            continue
        stated = instant_us(record.get("next_run_at"))
        if stated is not None and at_us < stated <= event.at_us + schedule.period_us:
            return oracle.Every(stated, schedule.period_us)
    return schedule


def _apply(facts: Facts, plan: Plan, op: Op) -> None:
    """Take in one operation that took effect."""
    begin_us, begin_n = op.begin.at_us, op.begin.n
    assert op.end is not None
    wanted = (op.step.set if op.step is not None else None) or {}
    if op.do == "create":
        _create(facts, plan, begin_us, begin_n)
        return
    if op.do == "update":
        if "repeat" in wanted:
            plan.repeat = wanted["repeat"]
        if "schedule" in wanted:
            _reschedule(facts, plan, op, wanted)
            return
        if wanted.get("enabled") is True or wanted.get("state") == "scheduled":
            _reopen(facts, plan, op)
        elif wanted.get("enabled") is False or wanted.get("state") in {"paused", "completed"}:
            _close(plan, op)
        return
    if op.do in {"pause", "remove"}:
        _close(plan, op)
        return
    _reopen(facts, plan, op)
    if op.do == "trigger":
        plan.manual.append(op.begin)


def _reschedule(facts: Facts, plan: Plan, op: Op, wanted: Mapping[str, Any]) -> None:
    """A new schedule counts from now. An interval that is the old one may keep its grid."""
    begin_us, begin_n = op.begin.at_us, op.begin.n
    old = plan.segments[-1] if plan.segments and plan.segments[-1].to_n == FOREVER else None
    was_on = _close(plan, op)
    schedule = _read(facts, plan, wanted["schedule"], begin_us)
    if schedule is None or not was_on or wanted.get("enabled") is False:
        return
    same = (
        old is not None
        and isinstance(schedule, oracle.Every)
        and isinstance(old.schedule, oracle.Every)
        and schedule.period_us == old.schedule.period_us
    )
    if same and old is not None and not _next_changed(facts, op):
        schedule = old.schedule
    plan.segments.append(Segment(schedule, _from(schedule, begin_us), begin_n))


def _next_changed(facts: Facts, op: Op) -> bool:
    """Whether an operation stored another `next_run_at` for its job."""
    assert op.end is not None
    before: object = None
    for event, record in commits_by_job(facts).get(str(op.job), ()):
        stated = (record or {}).get("next_run_at")
        if op.begin.n < event.n < op.end.n and stated != before:
            return True
        before = stated
        if event.n > op.end.n:
            break
    return False


def _close(plan: Plan, op: Op) -> bool:
    """End the open segment; False when there is none."""
    if not plan.segments or plan.segments[-1].to_n != FOREVER:
        return False
    last = plan.segments[-1]
    assert op.end is not None
    last.to_us, last.to_n = op.begin.at_us, op.begin.n
    last.settled_us, last.settled_n = op.end.at_us, op.end.n
    return True


def _reopen(facts: Facts, plan: Plan, op: Op) -> None:
    """Resume or trigger: the schedule goes on from now; an interval by the grid then stored."""
    begin_us, begin_n = op.begin.at_us, op.begin.n
    text = next(
        (
            past.step.set["schedule"]
            for past in reversed(plan.ops)
            if past.step is not None and past.step.set and "schedule" in past.step.set
        ),
        plan.job.schedule,
    )
    if _close(plan, op) or plan.segments:
        previous = plan.segments[-1].schedule
    else:
        found = _read(facts, plan, text, facts.scenario.start_us)
        if found is None:
            return
        previous = found
    schedule: oracle.Schedule = previous
    if isinstance(previous, oracle.Every):
        anchored = oracle.Every(begin_us + previous.period_us, previous.period_us)
        schedule = _floating(facts, plan, anchored, begin_us, begin_n)
    plan.segments.append(Segment(schedule, _from(schedule, begin_us), begin_n))
