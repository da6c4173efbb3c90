"""The occurrences of a job: when each was due, whether it had to run, what may become of it."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise

from simulator import oracle
from simulator.checkers.effects import effect_us, stored_n, took_effect_n
from simulator.checkers.facts import Facts
from simulator.checkers.happened import (
    CLAIM_TTL_US,
    COMMAND,
    EARLY_LEEWAY_US,
    FOREVER,
    BodyRun,
    Op,
    Window,
)
from simulator.checkers.struck import lasts_us
from simulator.checkers.wanted import Plan, Segment
from simulator.durations import SECOND_US

__all__ = [
    "Due",
    "Extra",
    "JobMatch",
    "Outcome",
    "allowance_us",
    "dues_of",
    "early_us",
    "leeway_us",
]


class Outcome(Enum):
    """What became of an occurrence."""

    RAN = "ran in time"
    LATE = "ran later than anything excuses"
    EXCUSED = "missed for a reason"
    MISSED = "missed for no reason"
    OPEN = "the history ends, or the job is changed, before it had to run"


@dataclass(slots=True)
class Due:
    """One occurrence.

    Attributes:
        job: Whose.
        at_us: When it was due.
        segment: Which part of the plan it belongs to.
        deadline_us: Until when it had to begin.
        next_us: The occurrence after it, or the end of its part of the plan.
        optional: It need not run: it was asked for or called off at about this time.
        again: It is optional since its wall time was shown before the zone was changed; no later.
        manual: The operator asked for it; it is no occurrence of the schedule.
        asked_n: The event by which it was asked for; what was taken before is not for it.
        run: The run that is its.
        outcome: What became of it.
    """

    job: str
    at_us: int
    segment: int
    deadline_us: int = FOREVER
    next_us: int = FOREVER
    optional: bool = False
    again: bool = False
    manual: bool = False
    asked_n: int = 0
    run: BodyRun | None = None
    outcome: Outcome = Outcome.OPEN


@dataclass(slots=True)
class Extra:
    """A run that no occurrence is left for.

    Attributes:
        run: The run.
        due: The occurrence that it runs again; None when there is none at all.
        first: The run that had it.
    """

    run: BodyRun
    due: Due | None
    first: BodyRun | None


@dataclass(slots=True)
class JobMatch:
    """Everything about one job: plan, occurrences in order, left-over runs, what disturbed it."""

    plan: Plan
    dues: Sequence[Due] = ()
    extras: list[Extra] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    cut: list[Window] = field(default_factory=list)

    def due_after(self, at_us: int) -> Due | None:
        """The first occurrence of the schedule strictly after an instant."""
        index = bisect_right(self.dues, at_us, key=lambda due: due.at_us)
        while index < len(self.dues) and self.dues[index].manual:
            index += 1
        return self.dues[index] if index < len(self.dues) else None


def allowance_us(facts: Facts) -> int:
    """How long after its instant an undisturbed occurrence may begin: one wake."""
    wake_us = facts.interval_us if facts.blocking else 0
    return wake_us + facts.slack_us + facts.skew_us


def _taken_before(facts: Facts, part: Segment, due: Due, runs: Sequence[BodyRun]) -> bool:
    """Whether the time of a one-shot had its run before the operation that began this part."""
    return isinstance(part.schedule, oracle.Once) and any(
        run.begin.n < part.from_n and run.begin.at_us >= due.at_us - leeway_us(facts)
        for run in runs
    )


def early_us(facts: Facts, machine: str | None = None) -> int:
    """How much earlier than its instant an occurrence is taken by a clock that is ahead.

    That of a machine where it is known which; a command has a clock of its own, which is right.
    """
    return _ahead_us(facts, machine) + SECOND_US // 2


def leeway_us(facts: Facts, machine: str | None = None) -> int:
    """How early an occurrence may be taken, a fire's by the clock of who takes it (WIRE.md)."""
    if facts.external:
        return EARLY_LEEWAY_US + _ahead_us(facts, machine)
    return early_us(facts, machine)


def _ahead_us(facts: Facts, machine: str | None) -> int:
    ahead = {one.id: max(0, one.skew) for one in facts.scenario.machines}
    return facts.skew_us if machine is None else ahead.get(machine, 0)


def dues_of(
    facts: Facts,
    plan: Plan,
    runs: Sequence[BodyRun],
    taken: list[tuple[int, int]],
    cut: list[Window],
) -> list[Due]:
    """Every occurrence, to the end of the history or until it had run as often as it may.

    Args:
        facts: Of the run.
        plan: What was wanted of the job.
        runs: Its runs, in order.
        taken: By which event, by its number, and when the occurrence of each of them was taken.
        cut: Occurrences that were taken and came to no run: (when due, when taken).
    """
    dues = [*_planned(facts, plan, runs, taken), *_asked_for(facts, plan)]
    dues.sort(key=lambda due: due.at_us)
    near_us = allowance_us(facts)
    for due, following in pairwise(dues):
        due.next_us = following.at_us
        due.optional = due.optional or (due.manual and following.at_us - due.at_us <= near_us)
    _done_by_hand(plan, dues)
    used = sorted(at_us for _, at_us in (*taken, *cut))
    return _within_its_limit(facts, plan, dues, runs, used)


def _planned(
    facts: Facts, plan: Plan, runs: Sequence[BodyRun], taken: list[tuple[int, int]]
) -> Iterator[Due]:
    """What came by the plan, part by part; see `dues_of`."""
    job = plan.job.id
    # A run by hand takes what was asked for, and nothing that is still to come.
    woken = zip(runs, taken, strict=True)
    woken_by = sorted(one for run, one in woken if run.begin.machine != COMMAND)
    # A fire that is early, or a clock that is ahead, takes at the end what comes just after it.
    over_us = facts.end_us + leeway_us(facts)
    # A tick that was on then may take what comes until it is over.
    last_us = max([over_us, *(run.begin.at_us for run in runs[-1:])])
    for index, part in enumerate(plan.segments):
        for at_us in _instants(facts, plan, index, last_us, woken_by):
            due = Due(job, at_us, index)
            due.optional = (
                _is_unclear(facts, part, at_us)
                or at_us > over_us
                or _taken_before(facts, part, due, runs)
            )
            due.again = at_us <= part.again_us and not due.optional
            due.optional = due.optional or due.again
            yield due
        if part.overdue_us is not None:
            yield Due(job, part.overdue_us, index, optional=part.zoned)
        if part.meanwhile_us is not None and part.meanwhile_us <= part.from_us:
            yield Due(job, part.meanwhile_us, index, optional=True)


def _is_unclear(facts: Facts, part: Segment, at_us: int) -> bool:
    """Whether an occurrence fell on a change of the job, so that it may count or not."""
    return (
        # Which of the two came first is a matter of microseconds.
        (part.to_n != FOREVER and at_us + allowance_us(facts) >= part.to_us)
        or (part.zoned and at_us == part.from_us + 1)
        or at_us <= part.unclear_us
        # By a clock that is ahead it was past when the job was changed.
        or (part.from_n >= 0 and at_us <= part.from_us + facts.skew_us)
    )


def _asked_for(facts: Facts, plan: Plan) -> Iterator[Due]:
    """What somebody asked for by hand."""
    for op in plan.manual:
        index = _part_of(facts, plan, op)
        at_us = effect_us(facts, op) if op.do == "trigger" else op.begin.at_us
        due = Due(plan.job.id, at_us, index, manual=True, optional=_lapsed(facts, op))
        due.asked_n = stored_n(facts, op) if op.do == "trigger" else op.begin.n
        yield due


def _within_its_limit(
    facts: Facts, plan: Plan, dues: list[Due], runs: Sequence[BodyRun], used: Sequence[int]
) -> list[Due]:
    """What came until the job had run as often as it may; `used` is when what was taken was due."""
    limit = plan.repeat if plan.repeat is not None else (None if plan.recurring else 1)
    if limit is not None and len(runs) >= limit:
        last = runs[limit - 1].begin.at_us
        dues = [due for due in dues if due.at_us <= last + leeway_us(facts)]
    if limit is not None and len(used) >= limit:
        # What was taken and cut off may count as one of the runs that the job has (ONCE-9); and the
        # last run may be one by hand, just before an occurrence, or begin as another is asked for.
        for due in dues:
            since_us = due.at_us - used[limit - 1]
            due.optional = due.optional or since_us > 0 or (due.manual and since_us == 0)
    return dues


def _instants(
    facts: Facts, plan: Plan, index: int, last_us: int, taken: list[tuple[int, int]]
) -> list[int]:
    """When it was due by one part of its plan. What was taken ahead comes no more by the next."""
    part = plan.segments[index]
    came = oracle.occurrences(part.schedule, part.from_us, min(part.settled_us, last_us))
    before = _taken_ahead(facts, plan.segments[index - 1], taken) if index else []
    ahead = _taken_ahead(facts, part, taken)
    return [at for at in came if at not in before and at not in ahead] + ahead


def _taken_ahead(facts: Facts, part: Segment, taken: list[tuple[int, int]]) -> list[int]:
    """What comes after a part began to end, and was taken a little early before it."""
    over_us, early = part.to_us, leeway_us(facts)
    place = bisect_left(taken, (part.to_n, 0))
    if over_us == FOREVER or not place or taken[place - 1][1] < over_us - early:
        return []
    until_us = taken[place - 1][1] + early
    return list(oracle.occurrences(part.schedule, max(over_us, part.from_us), until_us))


def _part_of(facts: Facts, plan: Plan, op: Op) -> int:
    """The part of a plan that a run belongs to which was asked for: it began with the operation.

    One that went on while others were stored may have to wait for them.
    """
    index = plan.segment_at(op.begin.n + 1)
    if index >= 0 and plan.segments[index].from_n == op.begin.n:
        return index
    return plan.segment_at(max(op.begin.n + 1, took_effect_n(facts, op)))


def _done_by_hand(plan: Plan, dues: list[Due]) -> None:
    """A run by hand may be the one that a job has which became a one-shot."""
    asked: set[int] = set()
    for due in dues:
        if due.manual:
            asked.add(due.segment)
        elif due.segment in asked and isinstance(plan.segments[due.segment].schedule, oracle.Once):
            due.optional = True


def _lapsed(facts: Facts, op: Op) -> bool:
    """Whether who runs a job by hand hung so long before the run that its claim was over."""
    return op.end is not None and any(
        op.begin.n < event.n < op.end.n
        and event.machine == op.begin.machine
        and lasts_us(facts, event) >= CLAIM_TTL_US
        for event in facts.history.of("fault")
    )
