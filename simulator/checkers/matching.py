"""Occurrences against runs: each occurrence has at most one run, each run at most one occurrence.

A run belongs to the latest occurrence that was not after the instant it was taken at (the claim in
the store where there is one, else its beginning). What is left over on either side is told apart:
missed for a reason, missed for none, late, a second run of one occurrence, a run of none.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import islice, takewhile
from typing import Any

from simulator.checkers.cut import cut_short
from simulator.checkers.disturbance import disturbances
from simulator.checkers.dues import Due, Extra, JobMatch, dues_of, early_us, leeway_us
from simulator.checkers.facts import Facts
from simulator.checkers.happened import COMMAND, BodyRun
from simulator.checkers.many_dues import settled
from simulator.checkers.outcomes import after_us, decide, touching
from simulator.checkers.plan import plan_of
from simulator.checkers.struck import keeps_the_jobs, lasts_us, rule_of
from simulator.checkers.wanted import Plan, commits_by_job
from simulator.durations import SECOND_US
from simulator.event import Event
from simulator.fold import instant_us

__all__ = ["match_all"]


def match_all(facts: Facts) -> dict[str, JobMatch]:
    """The matching of every job of the scenario, computed once for a history."""

    def build() -> dict[str, JobMatch]:
        return {job.id: _match(facts, plan_of(facts, job)) for job in facts.scenario.jobs}

    return facts.history.derived("matching", build)


def _match(facts: Facts, plan: Plan) -> JobMatch:
    match = JobMatch(plan)
    if plan.unjudged is not None:
        return match
    runs = facts.runs.get(plan.job.id, ())
    match.cut = cut_short(facts, plan, runs)
    taken = _taken(facts, plan, runs)
    match.dues = dues_of(
        facts, plan, runs, [(event.n, _decided_us(facts, event)) for event in taken], match.cut
    )
    match.windows = disturbances(facts, plan, runs, after_us(facts))
    _assign(facts, match, runs, taken)
    for due in match.dues:
        decide(facts, match, due)
    match.dues = settled(match.dues, runs)
    return match


def _taken(facts: Facts, plan: Plan, runs: Sequence[BodyRun]) -> list[Event]:
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


def _decided_us(facts: Facts, taken: Event) -> int:
    """When it was settled which occurrence is taken: before the write, which a disk may hold up."""
    held_up = facts.history.derived("writes held up", lambda: _held_up(facts))
    return held_up.get(taken.n, taken.at_us)


def _held_up(facts: Facts) -> dict[int, int]:
    """Since when a machine hung in a write of the jobs, by the number of what was then stored."""
    stored, found = facts.history.of("store.commit"), dict[int, int]()
    for fault in facts.history.of("fault"):
        if fault.data.get("does") != "hang" or not keeps_the_jobs(fault):
            continue
        if (rule := rule_of(facts, fault)) is not None and rule.after:
            continue  # its write had been stored
        over_us = fault.at_us + lasts_us(facts, fault)
        first = bisect_left(stored, over_us, key=lambda event: event.at_us)
        last = bisect_right(stored, over_us, key=lambda event: event.at_us)
        then = (event for event in stored[first:last] if event.data["by"] == fault.machine)
        write = next(then, None)
        if write is not None:
            found[write.n] = fault.at_us
    return found


def _assign(facts: Facts, match: JobMatch, runs: Sequence[BodyRun], taken_by: list[Event]) -> None:
    """Give each run its occurrence; what is left over becomes an extra."""
    instants = [due.at_us for due in match.dues]
    by_hand = _assign_by_hand(match, runs)
    for run, taken in zip(runs, taken_by, strict=True):
        if run.begin.n in by_hand:
            continue
        segment = match.plan.segment_at(taken.n)
        decided_us = _decided_us(facts, taken) + early_us(facts, run.begin.machine)
        index = bisect_right(instants, decided_us) - 1
        while index > 0 and (
            _not_yet(match, match.dues[index], taken)
            or _is_later(match.dues[index], run, by_hand)
            or _was_taken_ahead(match, match.dues[index], taken)
        ):
            index -= 1
        due = match.dues[index] if index >= 0 else None
        if due is not None and (
            _passed_over(facts, match, due, taken)
            or (due.segment != segment and not _settling(match, due, taken, segment))
        ):
            # An occurrence of a schedule that is no longer the job's.
            due = _came_meanwhile(match, segment)
        if due is not None and due.run is not None and _free_beside(match.dues, index):
            due = match.dues[index - 1]  # asked for at the very instant of its schedule
        ahead = _next_known(facts, match, index, taken, run.begin.machine)
        near = (
            ahead is not None
            and ahead.segment == segment
            and ahead.run is None
            and ahead.at_us - taken.at_us <= leeway_us(facts, run.begin.machine)
        )
        named = near and ahead is not None and _names(facts, run, ahead)
        if due is not None and due.run is None and not named:
            due.run = run
        elif ahead is not None and near:
            ahead.run = run
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
    window = touching(match.windows, part.from_us, part.from_us + 1)
    return window is None or taken.at_us > window[1] + after_us(facts)


def _came_meanwhile(match: JobMatch, segment: int) -> Due | None:
    """The occurrence that came of a schedule while the operation that set it was held up."""
    at_us = match.plan.segments[segment].meanwhile_us if segment >= 0 else None
    place = bisect_left(match.dues, at_us or 0, key=lambda due: due.at_us)
    came = match.dues[place] if at_us is not None and place < len(match.dues) else None
    return came if came is not None and came.segment == segment and came.run is None else None


def _assign_by_hand(match: JobMatch, runs: Sequence[BodyRun]) -> set[int]:
    """Give commands their own runs, whoever else ran the job meanwhile; these by their numbers."""
    found = set()
    for run in runs:
        asked = _asked_by_hand(match, run) if run.begin.machine == COMMAND else None
        if asked is not None:
            asked.run = run
            found.add(run.begin.n)
    return found


def _is_later(due: Due, run: BodyRun, by_hand: set[int]) -> bool:
    """Whether an occurrence was asked for by a command, which ran it after this run began."""
    its = due.run
    return its is not None and its.begin.n in by_hand and its.begin.n > run.begin.n


def _asked_by_hand(match: JobMatch, run: BodyRun) -> Due | None:
    """The run that an operator asked for, and that comes while the command still goes on.

    Of two commands it is that of the one which has stored its claim by then.
    """
    asked = {
        op.begin.n
        for op in match.plan.ops
        if op.do == "run"
        and op.end is not None
        and op.begin.n < run.begin.n < op.end.n
        and min(op.end.data.get("stored") or (0,)) < run.begin.n
    }
    free = [d for d in match.dues if d.manual and d.run is None and d.asked_n in asked]
    return free[-1] if free else None


def _not_yet(match: JobMatch, due: Due, taken: Event) -> bool:
    """Whether an occurrence at this instant, or just ahead, was wanted only after the claim."""
    part = match.plan.segments[due.segment]
    return (part.from_n >= taken.n and due.at_us >= taken.at_us) or due.asked_n > taken.n


def _was_taken_ahead(match: JobMatch, due: Due, taken: Event) -> bool:
    """Whether only who took it early had this occurrence: its schedule was another's since."""
    part = match.plan.segments[due.segment]
    return due.at_us > part.settled_us and taken.n > part.settled_n


def _next_known(
    facts: Facts, match: JobMatch, index: int, taken: Event, machine: str
) -> Due | None:
    """The occurrence after this place; of those just ahead the first that was wanted then."""
    following = match.dues[index + 1] if index + 1 < len(match.dues) else None
    until_us = taken.at_us + leeway_us(facts, machine)
    near = takewhile(lambda due: due.at_us <= until_us, islice(match.dues, index + 1, None))
    wanted = (
        d for d in near if not (_not_yet(match, d, taken) or _was_taken_ahead(match, d, taken))
    )
    return next(wanted, following)


def _free_beside(dues: Sequence[Due], index: int) -> bool:
    """Whether the occurrence before this one is of the same instant, and nobody's yet."""
    before = dues[index - 1] if index > 0 else None
    return before is not None and before.run is None and before.at_us == dues[index].at_us


def _settling(match: JobMatch, due: Due, taken: Event, segment: int) -> bool:
    """Whether the change that ended an occurrence's schedule was still being made.

    Another zone calls off nothing that was due before; nor need the same schedule, given again.
    """
    part, given = match.plan.segments[due.segment], match.plan.segments[segment]
    kept = given.zoned or given.schedule == part.schedule
    if due.run is None and due.segment == segment - 1 and kept:
        return True
    return part.to_n <= taken.n <= part.settled_n


def _asked_for(facts: Facts, run: BodyRun) -> bool:
    """Whether the run came from a delivery that named no occurrence: it is then one of its own."""
    delivery = _delivery_before(facts, run)
    return delivery is not None and delivery.data.get("fire_at") is None


def _names(facts: Facts, run: BodyRun, due: Due) -> bool:
    """Whether the run came from a delivery of this very occurrence, a little early."""
    delivery = _delivery_before(facts, run) if run.begin.n in facts.fire_of_run else None
    named_us = instant_us(delivery.data.get("fire_at")) if delivery is not None else None
    return named_us is not None and abs(named_us - due.at_us) < SECOND_US


def _delivery_before(facts: Facts, run: BodyRun) -> Event | None:
    """The last delivery of the job before its run."""
    deliveries = facts.deliveries.get(run.job, [])
    index = bisect_left(deliveries, run.begin.n, key=lambda event: event.n) - 1
    return deliveries[index] if index >= 0 else None
