"""What a plan is made of: the parts of one, and what the store was told of its job."""

from dataclasses import dataclass, field

from simulator import oracle
from simulator.checkers.facts import Facts
from simulator.checkers.happened import FOREVER, Op
from simulator.checkers.stored import Record, Stored
from simulator.event import Event
from simulator.scenario import Job

__all__ = ["Commits", "Plan", "Segment", "commits_by_job", "commits_of", "last_commit"]

Commits = dict[str, Stored]

_FEW = 1024  # commits of all jobs together


@dataclass(slots=True)
class Segment:
    """A time in which a job was to run by one schedule.

    Attributes:
        schedule: When.
        from_us: Occurrences count strictly after it.
        unclear_us: Until then nobody could know its times: record or zone were changed by hand.
        zoned: It began with another zone, so that its very first instant may be passed over.
        again_us: Until then its clock, set back with the zone, shows what it had shown before.
        overdue_us: One before it that stands unrun all the same, or None.
        meanwhile_us: One that came while the operation that began it was held up: it may run.
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
    unclear_us: int = 0
    zoned: bool = False
    again_us: int = 0
    overdue_us: int | None = None
    meanwhile_us: int | None = None


@dataclass(slots=True)
class Plan:
    """All that was wanted of one job.

    Attributes:
        job: Its definition.
        segments: When it was to run, in order, without overlap.
        manual: The operations by which runs were asked for at once.
        repeat: How often it may run; None for ever.
        unjudged: Why nothing is expected of it, or None.
        ops: The operations on it that took effect.
        given: The schedule that it was given while it was off, until it is on again.
    """

    job: Job
    segments: list[Segment] = field(default_factory=list)
    manual: list[Op] = field(default_factory=list)
    repeat: int | None = None
    unjudged: str | None = None
    ops: list[Op] = field(default_factory=list)
    given: oracle.Schedule | None = None

    @property
    def recurring(self) -> bool:
        """Whether it comes more than once."""
        return any(not isinstance(part.schedule, oracle.Once) for part in self.segments)

    def is_once_at(self, n: int) -> bool:
        """Whether what it was last given before event `n` is a one-shot's schedule."""
        given = [part.schedule for part in self.segments if part.from_n < n]
        return bool(given) and isinstance(given[-1], oracle.Once)

    def off_at(self, n: int) -> bool:
        """Whether the job was surely not to run at event `n`; while it is being changed: False."""
        return not any(part.from_n < n <= part.settled_n for part in self.segments)

    def rests_at(self, n: int) -> bool:
        """Whether nothing was to come of the job's schedule at event `n`; it may be run by hand."""
        return not any(
            part.from_n < n <= part.settled_n and part.from_us < part.to_us
            for part in self.segments
        )

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
        commits = facts.history.of("store.commit")
        for place, event in enumerate(commits, start=1):
            for job_id, record in event.data["changes"]:
                if isinstance(job_id, str):
                    found.setdefault(job_id, Stored()).append(event, record)
            if len(commits) > _FEW and (place % _FEW == 0 or place == len(commits)):
                for stored in found.values():
                    stored.fold()
        return found

    return facts.history.derived("commits_by_job", build)


def commits_of(facts: Facts, job_id: str) -> Stored:
    """What was stored of one job; none of one that never was."""
    return commits_by_job(facts).get(job_id) or Stored()


def last_commit(facts: Facts, job_id: str, n: int) -> tuple[Event, Record] | tuple[None, None]:
    """The last commit of a job before event `n` and the record that it stored; None for neither."""
    stored = commits_of(facts, job_id)
    index = stored.before(n) - 1
    return stored[index] if index >= 0 else (None, None)
