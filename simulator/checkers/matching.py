"""Occurrences against runs: each occurrence has at most one run, each run at most one occurrence.

A run belongs to the latest occurrence that was not after the instant it was taken at (the claim in
the store where there is one, else its beginning). What is left over on either side is told apart:
missed for a reason, missed for none, late, a second run of one occurrence, a run of none.

An occurrence has a deadline: one wake after it, or after the last disturbance that touches this
time. A disturbance is what may legitimately keep a job from running: no gateway up, a fault that
really fired, the job's own earlier run, an arm that could not be made (until the next occasion).
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise
from typing import Any

from simulator import oracle
from simulator.checkers.disturbance import cut_short, disturbances, settled_us
from simulator.checkers.facts import Facts
from simulator.checkers.happened import (
    CLAIM_TTL_US,
    EARLY_LEEWAY_US,
    FOREVER,
    NAS_BACKOFF_US,
    BodyRun,
    Window,
)
from simulator.checkers.plan import plan_of
from simulator.checkers.struck import lasts_us
from simulator.checkers.wanted import Plan, commits_by_job
from simulator.durations import SECOND_US
from simulator.event import Event

__all__ = ["Due", "Extra", "JobMatch", "Outcome", "allowance_us", "match_all"]

_ONE_SHOT_GRACE_US = 120 * SECOND_US


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
    dues: list[Due] = field(default_factory=list)
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


def match_all(facts: Facts) -> dict[str, JobMatch]:
    """The matching of every job of the scenario, computed once for a history."""

    def build() -> dict[str, JobMatch]:
        return {job.id: _match(facts, plan_of(facts, job)) for job in facts.scenario.jobs}

    return facts.history.derived("matching", build)


def _match(facts: Facts, plan: Plan) -> JobMatch:
    match = JobMatch(plan)
    if plan.unjudged is not None:
        return match
    runs = facts.runs.get(plan.job.id, [])
    match.cut = cut_short(facts, plan, runs)
    match.dues = _dues(facts, plan, runs, match.cut)
    match.windows = disturbances(facts, plan, runs, _after_us(facts))
    _assign(facts, match, runs)
    for due in match.dues:
        _decide(facts, match, due)
    return match


def _after_us(facts: Facts) -> int:
    """How long after a disturbance a job may still take to begin."""
    return max(allowance_us(facts), NAS_BACKOFF_US + facts.slack_us if facts.external else 0)


def _dues(facts: Facts, plan: Plan, runs: list[BodyRun], cut: list[Window]) -> list[Due]:
    """Every occurrence, to the end of the history or until it had run as often as it may."""
    job, dues = plan.job.id, []
    near_us = allowance_us(facts)
    for index, part in enumerate(plan.segments):
        # A clock that is ahead takes at the end what comes just after it.
        until_us = min(part.settled_us, facts.end_us + _early_us(facts))
        for at_us in oracle.occurrences(part.schedule, part.from_us, until_us):
            due = Due(job, at_us, index)
            # The job was being changed: whether this one counts is a matter of microseconds.
            due.optional = part.to_n != FOREVER and at_us + near_us >= part.to_us
            due.optional = due.optional or (part.zoned and at_us == part.from_us + 1)
            due.again = at_us <= part.again_us and not due.optional
            due.optional = due.optional or due.again
            dues.append(due)
        if part.overdue_us is not None:
            dues.append(Due(job, part.overdue_us, index, optional=part.zoned))
    for event in plan.manual:
        index = plan.segment_at(event.n + 1)
        lapsed = _lapsed(facts, plan, event)
        dues.append(Due(job, event.at_us, index, manual=True, optional=lapsed))
    dues.sort(key=lambda due: due.at_us)
    for due, following in pairwise(dues):
        due.next_us = following.at_us
        due.optional = due.optional or (due.manual and following.at_us - due.at_us <= near_us)
    limit = plan.repeat if plan.repeat is not None else (None if plan.recurring else 1)
    if limit is not None and len(runs) >= limit:
        last = runs[limit - 1].begin.at_us
        dues = [due for due in dues if due.at_us <= last + EARLY_LEEWAY_US]
    used = sorted([*(run.begin.at_us for run in runs), *(taken_us for _, taken_us in cut)])
    if limit is not None and len(used) >= limit:
        # What was taken and cut off may count as one of the runs that the job has (ONCE-9).
        for due in dues:
            due.optional = due.optional or due.at_us > used[limit - 1] + EARLY_LEEWAY_US
    return dues


def _lapsed(facts: Facts, plan: Plan, asked: Event) -> bool:
    """Whether who runs a job by hand hung so long before the run that its claim was over."""
    op = next(op for op in plan.ops if op.begin is asked)
    return op.end is not None and any(
        op.begin.n < event.n < op.end.n
        and event.machine == asked.machine
        and lasts_us(facts, event) >= CLAIM_TTL_US
        for event in facts.history.of("fault")
    )


def _taken(facts: Facts, plan: Plan, runs: list[BodyRun]) -> list[Event]:
    """For each run, the event that took its occurrence: its claim in the store, or its start."""
    claims: list[Event] = []
    last: object = None
    before: dict[str, Any] = {}
    for event, record in commits_by_job(facts).get(plan.job.id, ()):
        claim = (record or {}).get("fire_claim")
        if isinstance(claim, dict):
            key = claim.get("token") or (claim.get("at"), claim.get("by"))
            if key != last and not _taken_up(before, record or {}):
                claims.append(event)
            last = key
        before = record or {}
    numbers = [event.n for event in claims]
    taken: list[Event] = []
    used = -1
    for run in runs:
        index = bisect_left(numbers, run.begin.n) - 1
        if index > used:
            taken.append(claims[index])
            used = index
        else:
            taken.append(run.begin)
    return taken


def _taken_up(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether a promise was only taken up: the job was claimed, and its next time stays."""
    promise, claim = before.get("fire_claim"), after["fire_claim"]
    return (
        isinstance(promise, dict)
        and bool(promise.get("reserved"))
        and not claim.get("reserved")
        and before.get("next_run_at") == after.get("next_run_at")
    )


def _assign(facts: Facts, match: JobMatch, runs: list[BodyRun]) -> None:
    """Give each run its occurrence; what is left over becomes an extra."""
    instants = [due.at_us for due in match.dues]
    early_us = _early_us(facts)
    leeway_us = EARLY_LEEWAY_US if facts.external else early_us
    for run, taken in zip(runs, _taken(facts, match.plan, runs), strict=True):
        segment = match.plan.segment_at(taken.n)
        index = bisect_right(instants, taken.at_us + early_us) - 1
        while index > 0 and _not_yet(match.dues[index], taken, segment):
            index -= 1
        due = match.dues[index] if index >= 0 else None
        if due is not None and (
            _passed_over(facts, match, due, taken)
            or (due.segment != segment and not _settling(match, due, taken, segment))
        ):
            due = None  # an occurrence of a schedule that is no longer the job's
        if due is not None and due.run is not None and _free_beside(match.dues, index):
            due = match.dues[index - 1]  # asked for at the very instant of its schedule
        if due is not None and due.run is None:
            due.run = run
            continue
        ahead = match.dues[index + 1] if index + 1 < len(match.dues) else None
        if (
            ahead is not None
            and ahead.segment == segment
            and ahead.run is None
            and ahead.at_us - taken.at_us <= leeway_us
        ):
            ahead.run = run
        elif (asked := _asked_by_hand(match, run)) is not None:
            asked.run = run
        elif _asked_for(facts, run):
            if ahead is not None:
                ahead.optional = True  # a claim without an occurrence moves the job's next time on
        else:
            match.extras.append(Extra(run, due, due.run if due is not None else None))


def _passed_over(facts: Facts, match: JobMatch, due: Due, taken: Event) -> bool:
    """Whether a change of the zone passed over it, and that was seen too long ago to make it up."""
    part = match.plan.segments[due.segment]
    if not part.zoned or due.manual or due.at_us > part.from_us:
        return False
    window = _touching(match.windows, part.from_us, part.from_us + 1)
    return window is None or taken.at_us > window[1] + _after_us(facts)


def _early_us(facts: Facts) -> int:
    """How much earlier than its instant an occurrence is taken by a clock that is ahead."""
    return facts.skew_us + SECOND_US // 2


def _asked_by_hand(match: JobMatch, run: BodyRun) -> Due | None:
    """The run that an operator asked for, and that comes while the command still goes on."""
    asked = {
        op.begin.at_us
        for op in match.plan.ops
        if op.do == "run" and op.end is not None and op.begin.n < run.begin.n < op.end.n
    }
    here = run.begin.machine == "operator"
    free = (d for d in match.dues if d.manual and d.run is None and d.at_us in asked)
    return next(free, None) if here else None


def _not_yet(due: Due, taken: Event, segment: int) -> bool:
    """Whether an occurrence at this instant, or just ahead, is of a plan made after the claim."""
    return due.segment > segment and due.at_us >= taken.at_us


def _free_beside(dues: list[Due], index: int) -> bool:
    """Whether the occurrence before this one is of the same instant, and nobody's yet."""
    before = dues[index - 1] if index > 0 else None
    return before is not None and before.run is None and before.at_us == dues[index].at_us


def _settling(match: JobMatch, due: Due, taken: Event, segment: int) -> bool:
    """Whether the change that ended an occurrence's schedule was still being made.

    Another zone calls off nothing that was due before.
    """
    part = match.plan.segments[due.segment]
    if due.run is None and due.segment == segment - 1 and match.plan.segments[segment].zoned:
        return True
    return part.to_n <= taken.n <= part.settled_n


def _asked_for(facts: Facts, run: BodyRun) -> bool:
    """Whether the run came from a delivery that named no occurrence: it is then one of its own."""
    deliveries = facts.deliveries.get(run.job, [])
    index = bisect_left(deliveries, run.begin.n, key=lambda event: event.n) - 1
    return index >= 0 and deliveries[index].data.get("fire_at") is None


def _decide(facts: Facts, match: JobMatch, due: Due) -> None:
    """Set the deadline and say what became of one occurrence."""
    allowed_us = allowance_us(facts)
    busy_us = _busy_until(facts, due)
    disturbed = busy_us is not None
    deadline_us = max(due.at_us, facts.scenario.start_us, busy_us or 0) + allowed_us
    window = _touching(match.windows, due.at_us, deadline_us)
    if window is not None:
        disturbed = True
        deadline_us = max(deadline_us, window[1] + _after_us(facts))
    due.deadline_us = deadline_us
    once = isinstance(match.plan.segments[due.segment].schedule, oracle.Once)
    if due.run is not None:
        in_time = due.run.begin.at_us <= deadline_us or (due.optional and not due.again) or once
        due.outcome = Outcome.RAN if in_time else Outcome.LATE
    elif deadline_us >= match.plan.segments[due.segment].to_us:
        due.outcome = Outcome.OPEN  # called off before it had to run
    elif (
        disturbed
        and (
            deadline_us >= due.next_us
            or (once and deadline_us > due.at_us + _ONE_SHOT_GRACE_US)
            # Nothing wakes an external provider when a run is over.
            or (busy_us is not None and not facts.blocking)
        )
    ) or _cut_short(match, due):
        due.outcome = Outcome.EXCUSED
    elif due.optional or deadline_us >= facts.end_us or deadline_us >= due.next_us:
        # The last case: it comes more often than anything wakes, so that two fall on one wake.
        due.outcome = Outcome.OPEN
    else:
        due.outcome = Outcome.MISSED


def _cut_short(match: JobMatch, due: Due) -> bool:
    """Whether it was taken, cut off before its body, and told of: it may not run again."""
    return any(
        abs(at_us - due.at_us) <= SECOND_US and taken_us < due.next_us
        for at_us, taken_us in match.cut
    )


def _touching(windows: list[Window], start_us: int, end_us: int) -> Window | None:
    """The (merged) window that a span overlaps; the last one, when there are several."""
    index = bisect_right(windows, (end_us, FOREVER)) - 1
    if index >= 0 and windows[index][1] >= start_us:
        return windows[index]
    return None


def _busy_until(facts: Facts, due: Due) -> int | None:
    """Until when an earlier run of the same job was on, if it was on at this occurrence."""
    runs = facts.runs.get(due.job, [])
    index = bisect_left(runs, due.at_us, key=lambda run: run.begin.at_us) - 1
    while index >= 0 and runs[index] is due.run:
        index -= 1
    if index < 0:
        return None
    until_us = max(runs[index].end_us, _held_up_us(facts, runs[index]))
    died = runs[index].died
    if died is not None and not facts.blocking:  # to whoever is woken it is still on
        until_us = max(until_us, settled_us(facts, died))
    return until_us if until_us > due.at_us else None


def _held_up_us(facts: Facts, run: BodyRun) -> int:
    """When the fire of a run was over whose end a fault made to hang; 0 for every other run."""
    fire = facts.fire_of_run.get(run.begin.n)
    if fire is None or fire.end is None or fire.end.at_us <= run.end_us:
        return 0
    faults = facts.history.of("fault")
    index = bisect_left(faults, run.end_n, key=lambda event: event.n)
    for struck in faults[index:]:
        if struck.n > fire.end.n:
            break
        if struck.machine == run.begin.machine and struck.data.get("does") == "hang":
            return fire.end.at_us
    return 0
