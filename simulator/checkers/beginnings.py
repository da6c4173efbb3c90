"""How a job's plan begins: by its definition, and by what somebody wrote into its record."""

from typing import Any

from simulator import oracle
from simulator.checkers.effects import as_counted
from simulator.checkers.facts import Facts
from simulator.checkers.happened import EARLY_LEEWAY_US, FOREVER, Op
from simulator.checkers.struck import zone_at
from simulator.checkers.wanted import Plan, Segment, commits_by_job
from simulator.durations import DAY_US, SECOND_US

__all__ = ["begin", "counts_from", "next_look_us", "on_stated_grid", "read_schedule"]

_LATE_CREATION_US = 120 * SECOND_US
_ABSENT = object()


def begin(facts: Facts, plan: Plan, at_us: int, n: int, *, made_by: Op | None = None) -> None:
    """The job is made at `at_us`, after event `n`, and its record then as the scenario says."""
    record = plan.job.record
    if "schedule" in record:
        plan.unjudged = "its record was made by hand"
        return
    left = _runs_left(plan.job.repeat, record.get("repeat"))
    off = record.get("enabled") is False or record.get("state") in {"paused", "completed"}
    if off or left == 0:
        return
    schedule = read_schedule(facts, plan, plan.job.schedule, at_us)
    if schedule is None:
        return
    if made_by is not None:
        schedule = as_counted(facts, made_by, plan.job.schedule, schedule)
    if isinstance(schedule, oracle.Once) and left is None:
        left = 1  # and it stays so when it gets another schedule
    ran = sum(run.begin.n < n for run in facts.runs.get(plan.job.id, ()))
    plan.repeat = None if left is None else ran + left
    part = Segment(schedule, counts_from(schedule, at_us), n)
    if "next_run_at" in record:
        _as_stated(facts, plan, part, at_us)
    plan.segments.append(part)


def _runs_left(times: int | None, repeat: object) -> int | None:
    """How often it may still run; None for ever. A record that makes no sense limits nothing."""
    allowed = repeat.get("times") if isinstance(repeat, dict) else None
    if not isinstance(allowed, int) or allowed < 1:
        return times
    done = repeat.get("completed") if isinstance(repeat, dict) else None
    return max(0, allowed - done) if isinstance(done, int) else allowed


def _as_stated(facts: Facts, plan: Plan, part: Segment, at_us: int) -> None:
    """Begin with the `next_run_at` that was written by hand: its grid, and what is overdue by it.

    What lies in the past is a missed stretch, for which the job runs once.
    """
    n, schedule = _written_by_hand(facts, plan, part.from_n), part.schedule
    stated = _instant_us(facts, plan.job.record["next_run_at"])
    if stated is None or stated > at_us:
        if stated is None:
            part.unclear_us = next_look_us(facts, n)
        if isinstance(schedule, oracle.Every):
            part.schedule = on_stated_grid(facts, plan, schedule, at_us, n - 1)
            first_us = part.schedule.first_us - schedule.period_us
            part.unclear_us = max(part.unclear_us, first_us)
        return
    if isinstance(schedule, oracle.Once):
        plan.unjudged = "its one time was moved by hand"
        return
    if isinstance(schedule, oracle.Every):
        part.schedule = schedule = oracle.Every(stated, schedule.period_us)
    part.overdue_us = _latest(schedule, stated, at_us)


def next_look_us(facts: Facts, n: int) -> int:
    """When somebody next looks at what was set by hand with event `n`: nobody is told of it."""
    if not facts.blocking:
        return next((end.at_us for begin, end in facts.occasions if begin.n > n), FOREVER)
    later = (ticks[ticks.begun_until(n) :] for ticks in facts.ticks.values())
    looked = (next((tick.end for tick in ticks if tick.clean), None) for ticks in later)
    return min((end.at_us for end in looked if end is not None), default=FOREVER)


def _written_by_hand(facts: Facts, plan: Plan, n: int) -> int:
    """The event after `n` that stored the record as the scenario says; `n` + 1 without one."""
    wanted: dict[str, Any] = plan.job.record
    for event, record in commits_by_job(facts).get(plan.job.id, ()):
        if event.n <= n or record is None:
            continue
        if all(record.get(key, _ABSENT) == value for key, value in wanted.items()):
            return event.n
    return n + 1


def _instant_us(facts: Facts, value: object) -> int | None:
    """The instant that a record states; a naive one is wall time in the zone (TIME-4)."""
    try:
        return facts.scenario.instant_us(value) if isinstance(value, str) else None
    except (ValueError, OverflowError):
        return None


def _latest(schedule: oracle.Schedule, first_us: int, until_us: int) -> int:
    """The last occurrence of `first_us` and those after it that is not after `until_us`."""
    days = 1
    while True:
        after_us = max(until_us - days * DAY_US, first_us)
        found = list(oracle.occurrences(schedule, after_us, until_us))
        if found or after_us == first_us:
            return found[-1] if found else first_us
        days *= 8


def counts_from(schedule: oracle.Schedule, at_us: int) -> int:
    """A one-shot may be created up to 120 s late; all else counts after its creation."""
    if isinstance(schedule, oracle.Once) and at_us - _LATE_CREATION_US <= schedule.at_us <= at_us:
        return schedule.at_us - 1
    return at_us


def read_schedule(facts: Facts, plan: Plan, text: object, at_us: int) -> oracle.Schedule | None:
    """What a text means that is given at `at_us`; the plan is unjudged when nobody can tell."""
    try:
        return oracle.read(str(text), at_us, zone_at(facts, at_us))
    except oracle.OracleError as error:
        plan.unjudged = f"its schedule cannot be read: {error}"
        return None


def on_stated_grid(
    facts: Facts,
    plan: Plan,
    schedule: oracle.Every,
    at_us: int,
    n: int,
    *,
    until_n: int = 0,
    before: oracle.Every | None = None,
) -> oracle.Every:
    """The interval on the grid that the store stated first after event `n`, if that is legal.

    While an operation goes on, until `until_n`, others may store the job with its old grid: then
    what it says at the end counts. `before` is what held until `n`.
    """
    grid: oracle.Every | None = None
    for event, record in commits_by_job(facts).get(plan.job.id, ()):
        if event.n <= n or record is None:
            continue
        if grid is not None and event.n > until_n:
            break
        stated = _instant_us(facts, record.get("next_run_at"))
        latest_us = event.at_us + schedule.period_us + facts.skew_us
        early_us = EARLY_LEEWAY_US if facts.external else 0
        if stated is None or not at_us < stated <= latest_us + early_us:
            continue
        if before is not None and (stated - before.first_us) % before.period_us == 0:
            grid = before  # also where what comes now was taken a little early
        # What is to come at once states no grid; by a clock that is ahead it lies ahead.
        elif at_us + facts.skew_us < stated <= latest_us:
            grid = oracle.Every(stated, schedule.period_us)
    return grid or schedule
