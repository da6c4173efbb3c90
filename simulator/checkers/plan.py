"""What the operator wanted: for each job, when it was to run, by the scenario and the steps alone.

`next_run_at` is the host's opinion and is not asked, with one exception: where the definitions
leave the grid of an interval open (after a resume, a trigger, a record without a usable time), the
first `next_run_at` that was stored afterwards anchors it, if it lies within one period.
"""

from collections.abc import Mapping
from typing import Any

from simulator import oracle
from simulator.checkers.beginnings import (
    begin,
    counts_from,
    next_look_us,
    on_stated_grid,
    read_schedule,
)
from simulator.checkers.effects import (
    as_counted,
    came_meanwhile_us,
    effect_us,
    stored_n,
    took_effect_n,
)
from simulator.checkers.facts import Facts
from simulator.checkers.happened import FOREVER, Op, Window
from simulator.checkers.struck import rule_of, zone_at
from simulator.checkers.wanted import Plan, Segment, commits_by_job, commits_of, last_commit
from simulator.durations import DAY_US, MINUTE_US
from simulator.scenario import Job

__all__ = ["plan_of"]

_AT_ONCE = {"trigger", "run"}
_SETTLES = {"create", "update", "pause", "resume", "remove", "trigger", "run"}


def plan_of(facts: Facts, job: Job) -> Plan:
    """What was wanted of `job` in this history."""
    plan = Plan(job, repeat=job.repeat)
    if "id" in job.record:
        plan.unjudged = "its record has no id of its own"
        return plan
    if any(op.do == "set-clock" for op in facts.ops):
        plan.unjudged = "a clock was set, and its occurrences are those of that clock"
        return plan
    ops = [
        op
        for op in facts.ops
        if (op.job == job.id and op.do in _SETTLES) or op.do in {"set-zone", "damage"}
    ]
    if _made_at_start(facts, job):
        begin(facts, plan, facts.scenario.start_us, -1)
    if any((rule := rule_of(facts, event)) and rule.damage == "lost" for event in facts.faults):
        plan.unjudged = "a write of the store was lost"
    for op in sorted(ops, key=lambda op: took_effect_n(facts, op)):
        if op.job is None:
            _from_outside(facts, plan, op)
            continue
        if op.end is None:
            plan.unjudged = f"{op.do} at event {op.begin.n} never came to an end"
            break
        if (op.failed and not _stored_between(facts, op)) or _was_gone(facts, op):
            continue
        plan.ops.append(op)
        parts = len(plan.segments)
        _apply(facts, plan, op)
        if len(plan.segments) > parts and op.do not in _AT_ONCE:
            plan.segments[-1].meanwhile_us = came_meanwhile_us(facts, op)
    return plan


def _from_outside(facts: Facts, plan: Plan, op: Op) -> None:
    """Take in what concerns every job: another zone, a write that the disk lost."""
    if op.do == "damage":
        if op.step is not None and op.step.what == "lost":
            plan.unjudged = "a write of the store was lost"
        return
    part = plan.segments[-1] if plan.segments else None
    if part is None or part.to_n != FOREVER or not isinstance(part.schedule, oracle.CronTimes):
        return
    part.to_us = part.settled_us = op.begin.at_us
    part.to_n = part.settled_n = op.begin.n
    moved = oracle.CronTimes(part.schedule.cron, zone_at(facts, op.begin.at_us))
    part = Segment(moved, op.begin.at_us - 1, op.begin.n, zoned=True)
    part.unclear_us = next_look_us(facts, op.begin.n)
    _hands_moved(part, op.begin.at_us, plan.segments[-1])
    plan.segments.append(part)


def _hands_moved(part: Segment, at_us: int, last: Segment) -> None:
    """What becomes of the hands of the clock that were moved with the zone.

    What they passed over may come at once, as after a gap: for a fixed schedule the wall times
    between, for any other what the new zone had since the last occurrence. What they show again of
    a fixed schedule need not come again.
    """
    moved, before = part.schedule, last.schedule
    assert isinstance(moved, oracle.CronTimes)
    assert isinstance(before, oracle.CronTimes)
    if moved.cron.fixed:
        shown_us = oracle.latest_wall_us(before.zone, at_us)
        if last.zoned:  # and the clock may not have come so far again
            shown_us = max(shown_us, oracle.wall_us(before.zone, last.again_us))
        part.again_us = shown_us - oracle.offset_minutes(moved.zone, at_us) * MINUTE_US
        since_us = part.again_us - 1
    else:
        first_us = max(last.from_us, at_us - DAY_US)
        came = list(oracle.occurrences(before, first_us, at_us))
        since_us = came[-1] if came else first_us
    passed = list(oracle.occurrences(moved, since_us, at_us - 1))
    part.overdue_us = passed[-1] if passed else None


def _made_at_start(facts: Facts, job: Job) -> bool:
    """Whether the job stood when the world began, and was not refused by the host."""
    first = next((op.begin.n for op in facts.ops if op.do == "create" and op.job == job.id), None)
    before = FOREVER if first is None else first
    for event in facts.history.of("op.end"):
        if event.n < before and event.data.get("do") == "create" and event.data["job"] == job.id:
            return event.data.get("error") is None
    stored = commits_by_job(facts).get(job.id, ())
    return job.created == "at start" and (first is None or any(e.n < first for e, _ in stored))


def _stored_between(facts: Facts, op: Op) -> bool:
    """Whether a failed operation took effect all the same.

    Where its writes are not told from others': of a new schedule, where another than before stands.
    """
    assert op.end is not None
    within = commits_of(facts, str(op.job)).between(op.begin.n, op.end.n)
    stored = [(event, record) for event, record in within if op.may_have_stored(event)]
    if op.tells_writes or op.step is None or "schedule" not in (op.step.set or {}):
        return bool(stored)
    _, before = last_commit(facts, str(op.job), op.begin.n)
    old = (before or {}).get("schedule")
    return any((record or {}).get("schedule") != old for _, record in stored)


def _was_gone(facts: Facts, op: Op) -> bool:
    """Whether there was no such job: the store did not have it, not yet or not any more.

    A change of a job that is not there is answered, not refused.
    """
    assert op.end is not None
    if op.do in {"create", "remove"}:
        return False
    event, record = last_commit(facts, str(op.job), op.end.n)
    if event is None:
        return str(op.job) in commits_by_job(facts)  # it was stored later
    # Somebody may remove it while the operation goes on; only a run by hand can be its last.
    return record is None and (event.n < op.begin.n or op.do != "run")


def _apply(facts: Facts, plan: Plan, op: Op) -> None:
    """Take in one operation that took effect."""
    wanted = (op.step.set if op.step is not None else None) or {}
    if op.do == "create":
        _end_of_life(facts, plan, op)
        begin(facts, plan, effect_us(facts, op), op.begin.n, made_by=op)
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
            _close(facts, plan, op)
        return
    if op.do in {"pause", "remove"}:
        _close(facts, plan, op)
        return
    was_on = bool(plan.segments) and plan.segments[-1].to_n == FOREVER
    if was_on and op.do == "trigger" and _was_due_by_then(facts, plan.segments[-1], op):
        return
    _reopen(facts, plan, op)
    if op.do in _AT_ONCE:
        _at_once(facts, plan, op, was_on=was_on)


def _was_due_by_then(facts: Facts, part: Segment, op: Op) -> bool:
    """Whether a trigger was held up until the job was due anyway, and so had nothing to store.

    By its schedule, or by another trigger that waited beside it.
    """
    assert op.end is not None
    if op.end.at_us == op.begin.at_us or effect_us(facts, op) != op.begin.at_us:
        return False
    came = oracle.occurrences(part.schedule, op.begin.at_us, op.end.at_us)
    return next(came, None) is not None or any(
        op.begin.n < stored_n(facts, other) < op.end.n
        for other in facts.ops
        if other is not op and (other.do, other.job) == ("trigger", op.job)
    )


def _at_once(facts: Facts, plan: Plan, op: Op, *, was_on: bool) -> None:
    """The operator wants a run now. Of a one-shot that ran it is one more."""
    plan.manual.append(op)
    if op.do == "run" and not was_on and plan.segments:
        _for_that_run(plan.segments[-1], op)
    ran = sum(run.begin.n < op.begin.n for run in facts.runs.get(plan.job.id, ()))
    once = bool(plan.segments) and isinstance(plan.segments[-1].schedule, oracle.Once)
    if once and plan.repeat is not None:
        plan.repeat = max(plan.repeat, ran + 1)


def _for_that_run(part: Segment, op: Op) -> None:
    """A job that rests is run by hand, and rests on."""
    assert op.end is not None
    part.from_us = part.to_us = part.settled_us = op.end.at_us
    part.to_n = part.settled_n = op.end.n


def _end_of_life(facts: Facts, plan: Plan, op: Op) -> None:
    """The job is made anew: what went before ends now, or with the last run allowed."""
    runs = [run for run in facts.runs.get(plan.job.id, ()) if run.begin.n < op.begin.n]
    if _close(facts, plan, op) and plan.repeat is not None and len(runs) >= plan.repeat > 0:
        last, part = runs[plan.repeat - 1].begin, plan.segments[-1]
        part.to_us, part.to_n, part.settled_us, part.settled_n = (last.at_us, last.n) * 2


def _reschedule(facts: Facts, plan: Plan, op: Op, wanted: Mapping[str, Any]) -> None:
    """A new schedule counts from now. An interval that is the old one may keep its grid."""
    begin_us = effect_us(facts, op)
    old = plan.segments[-1] if plan.segments and plan.segments[-1].to_n == FOREVER else None
    was_on = _close(facts, plan, op)
    schedule = read_schedule(facts, plan, wanted["schedule"], begin_us)
    if schedule is None or not was_on or wanted.get("enabled") is False:
        plan.given = schedule
        return
    same = (
        old is not None
        and isinstance(schedule, oracle.Every)
        and isinstance(old.schedule, oracle.Every)
        and schedule.period_us == old.schedule.period_us
    )
    if same and old is not None and not _next_changed(facts, op):
        schedule = old.schedule
    else:
        schedule = as_counted(facts, op, str(wanted["schedule"]), schedule)
    plan.segments.append(Segment(schedule, counts_from(schedule, begin_us), _since_n(plan, op)))


def _next_changed(facts: Facts, op: Op) -> bool:
    """Whether an operation stored another `next_run_at` for its job."""
    assert op.end is not None
    before: object = None
    for event, record in commits_by_job(facts).get(str(op.job), ()):
        stated = (record or {}).get("next_run_at")
        inside = op.begin.n < event.n < op.end.n and op.may_have_stored(event)
        if inside and stated != before:
            return True
        before = stated
        if event.n > op.end.n:
            break
    return False


def _close(facts: Facts, plan: Plan, op: Op) -> bool:
    """End the open segment; False when there is none."""
    if not plan.segments or plan.segments[-1].to_n != FOREVER:
        return False
    last = plan.segments[-1]
    assert op.end is not None
    at_us, n = _taken_in(facts, plan, op)
    last.to_us, last.to_n = max(at_us, last.from_us), max(n, last.from_n)
    last.settled_us, last.settled_n = op.end.at_us, op.end.n
    return True


def _taken_in(facts: Facts, plan: Plan, op: Op) -> Window:
    """When, and after which event, an operation changes the plan: as it begins.

    It is as it writes where it waits beside another that was taken in before it; and where it asks
    for a run, which calls nothing off, and the job is stored by others meanwhile.
    """
    write_n = took_effect_n(facts, op)
    waits = bool(plan.segments) and op.begin.n < plan.segments[-1].from_n
    if op.do in _AT_ONCE:
        stored = commits_of(facts, str(op.job)).between(op.begin.n, write_n)
        waits = waits or not all(op.may_have_stored(event) for event, _ in stored)
    if waits and write_n > op.begin.n:
        return effect_us(facts, op), write_n - 1
    return op.begin.at_us, op.begin.n


def _since_n(plan: Plan, op: Op) -> int:
    """The event that an operation counts from: its beginning, or that of one stored before it."""
    last = plan.segments[-1] if plan.segments else None
    if last is None:
        return op.begin.n
    return max(op.begin.n, last.from_n if last.to_n == FOREVER else last.to_n)


def _reopen(facts: Facts, plan: Plan, op: Op) -> None:
    """Resume or trigger: the schedule goes on from now; an interval by the grid then stored."""
    begin_us = effect_us(facts, op)
    assert op.end is not None
    text = next(
        (
            past.step.set["schedule"]
            for past in reversed(plan.ops)
            if past.step is not None and past.step.set and "schedule" in past.step.set
        ),
        plan.job.schedule,
    )
    was_on = _close(facts, plan, op)
    _, since_n = _taken_in(facts, plan, op)
    if plan.segments and since_n < plan.segments[-1].to_n:  # it rests, and runs by hand
        plan.segments[-1].to_n = plan.segments[-1].settled_n = since_n
    given, plan.given = plan.given, None
    if given is not None:
        previous = given
    elif plan.segments:
        previous = plan.segments[-1].schedule
    else:
        found = read_schedule(facts, plan, text, facts.scenario.start_us)
        if found is None:
            return
        previous = found
    schedule: oracle.Schedule = previous
    if isinstance(previous, oracle.Every):
        anchored = oracle.Every(begin_us + previous.period_us, previous.period_us)
        schedule = on_stated_grid(
            facts, plan, anchored, begin_us, op.begin.n, until_n=op.end.n, before=previous
        )
    from_us = counts_from(schedule, begin_us)
    if isinstance(schedule, oracle.Once) and (was_on or op.do in _AT_ONCE):
        from_us = begin_us  # what was due before belongs to the part before, or is what was asked
    plan.segments.append(Segment(schedule, from_us, _since_n(plan, op)))
