"""LIVE-10, LIVE-11: a lock that is kept, and a clock that jumps."""

from bisect import bisect_right
from collections.abc import Sequence

from simulator import oracle
from simulator.checkers.disturbance import general_disturbances
from simulator.checkers.dues import allowance_us
from simulator.checkers.facts import Facts, facts_of
from simulator.checkers.finding import Finding, Judgement
from simulator.checkers.happened import COMMAND, FOREVER, SLACK_US, Tick, Window
from simulator.checkers.live import when
from simulator.checkers.struck import deadline_us, held_locks, keeps_the_jobs
from simulator.durations import SECOND_US, format_duration
from simulator.event import Event
from simulator.history import History
from simulator.scenario import Job, Scenario

__all__ = ["LOCK_BOUND_US", "kept_locks", "live_10", "live_11", "refused_before"]

LOCK_BOUND_US = 60 * SECOND_US
"""How long an operation may wait for a lock: one tick."""


def live_10(history: History, scenario: Scenario) -> Finding:
    """A stuck lock is waited for a bounded time, then it is said; nothing is written without it."""
    facts = facts_of(history, scenario)
    judgement = Judgement("LIVE-10", "nobody wanted a lock that another process kept")
    refused = [e for e in history.of("store.refused") if e.data.get("step") == "lock"]
    for stuck, (since_us, until_us) in kept_locks(facts):
        for event in history.of("store.commit"):
            other = event.data.get("by") != stuck.machine
            if stuck.n < event.n and since_us <= event.at_us < until_us and other:
                judgement.violated(f"{event.data['by']} wrote without the lock", stuck, event)
        for machine, ticks in facts.ticks.items():
            for tick in ticks if machine != stuck.machine else ():
                if since_us <= tick.begin.at_us < until_us - LOCK_BOUND_US:
                    _judge_tick(facts, judgement, tick, refused, stuck)
    return judgement.finding()


def _judge_tick(
    facts: Facts, judgement: Judgement, tick: Tick, refused: Sequence[Event], stuck: Event
) -> None:
    """One tick of another gateway that began while the lock was kept."""
    machine, end = tick.begin.machine, tick.end
    life = facts.life_at(tick.begin)
    died_us = facts.last_us if life is None else min(life.end_us, facts.last_us)
    over_us = died_us if end is None else end.at_us
    if over_us > deadline_us(facts, machine, tick.begin.at_us, LOCK_BOUND_US):
        judgement.violated(
            f"a tick of {machine} waited for the lock without a bound", stuck, tick.begin
        )
        return
    if end is None:
        return  # its process died before the time was over
    first = bisect_right(refused, tick.begin.n, key=lambda event: event.n)
    last = bisect_right(refused, end.n, key=lambda event: event.n)
    mine = [event for event in refused[first:last] if event.data.get("by") == machine]
    if mine:
        judgement.reached(tick.begin)
        said = (_kept_for_later(facts, one, tick) or _of_a_run(facts, one, machine) for one in mine)
        if tick.clean and not all(said):
            judgement.violated(f"a tick of {machine} did not get the lock, and said nothing", end)


def _kept_for_later(facts: Facts, refused: Event, tick: Tick) -> bool:
    """Whether what was refused is kept for later, and that is said.

    That is the result of a run, or what had been refused before the tick already. The tick itself
    looked: for that it needs no lock.
    """
    assert tick.end is not None
    marks, logs = facts.history.of("mark"), facts.history.of("log")
    after = bisect_right(marks, refused.n, key=lambda event: event.n)
    told = next((one for one in marks[after:] if one.machine == tick.begin.machine), None)
    if told is None or told.n > tick.end.n or told.data.get("error") is None:
        if not refused_before(facts, tick, "lock"):
            return False
        told = refused
    first = bisect_right(logs, told.n, key=lambda event: event.n)
    return any(
        log.machine == tick.begin.machine and log.data.get("level") in {"WARNING", "ERROR"}
        for log in logs[first:]
        if log.n < tick.end.n
    )


def _of_a_run(facts: Facts, refused: Event, machine: str) -> bool:
    """Whether it may be the claim of a run there that was to be renewed, and that is said at once.

    The tick needs nothing of that.
    """
    runs, logs = facts.all_runs, facts.history.of("log")
    if not any(
        run.begin.machine == machine and run.begin.n < refused.n < run.end_n for run in runs
    ):
        return False
    after = bisect_right(logs, refused.n, key=lambda event: event.n)
    said = logs[after] if after < len(logs) else None
    return (
        said is not None
        and (said.machine, said.at_us) == (machine, refused.at_us)
        and said.data.get("level") == "ERROR"
    )


def refused_before(facts: Facts, tick: Tick, *steps: str) -> bool:
    """Whether its process had been refused one of these before a tick, and so may try again."""
    life, refused = facts.life_at(tick.begin), facts.history.of("store.refused")
    if life is None:
        return False
    since = bisect_right(refused, life.boot.n, key=lambda event: event.n)
    until = bisect_right(refused, tick.begin.n, key=lambda event: event.n)
    return any(
        event.data.get("by") == life.machine and event.data.get("step") in steps
        for event in refused[since:until]
    )


def kept_locks(facts: Facts) -> list[tuple[Event, Window]]:
    """Who kept the lock of the jobs, and when: a write that hangs, or no gateway at all."""
    found = [(event, window) for event, lock, window in held_locks(facts) if lock == "jobs"]
    for event in facts.history.of("fault"):
        if event.data.get("does") == "hang" and keeps_the_jobs(event):
            fault = facts.scenario.faults[event.data["index"]]
            if not fault.after:  # who dies has no lock any more
                until_us = min(event.at_us + (fault.hang or 0), _gone_us(facts, event))
                found.append((event, (event.at_us, until_us)))
    return found


def _gone_us(facts: Facts, event: Event) -> int:
    """When the process of an event was gone: a gateway's, or that of a command that was under way.

    Of several commands nobody knows whose it was: the last of them.
    """
    life = facts.life_at(event)
    if life is not None:
        return life.end_us
    open_ops = [
        FOREVER if op.end is None else op.end.at_us
        for op in facts.ops
        if op.do in {"run", "tick"}
        and op.begin.n < event.n
        and (op.end is None or event.n < op.end.n)
    ]
    return max(open_ops) if event.machine == COMMAND and open_ops else FOREVER


def live_11(history: History, scenario: Scenario) -> Finding:
    """A clock that jumps silences no job for longer than its period.

    By the clock as it stands after the jump, the job runs at its next time; where that occurrence
    was run before the jump, at the one after it.
    """
    facts = facts_of(history, scenario)
    judgement = Judgement("LIVE-11", "no clock was set while a job was to come")
    jumps = [op.begin for op in facts.ops if op.do == "set-clock"]
    if not jumps or not facts.blocking or len(scenario.machines) > 1:
        return judgement.finding()
    touched = {op.job for op in facts.ops if op.job is not None and op.do != "create"}
    for job in scenario.jobs:
        if job.record or job.repeat is not None or job.id in touched:
            continue
        schedule = _recurring(job, scenario)
        if schedule is not None:
            _judge_job(facts, judgement, job, schedule, jumps)
    return judgement.finding()


def _recurring(job: Job, scenario: Scenario) -> oracle.Schedule | None:
    try:
        schedule = oracle.read(job.schedule, scenario.start_us, scenario.zone)
    except oracle.OracleError:
        return None
    return None if isinstance(schedule, oracle.Once) else schedule


def _judge_job(
    facts: Facts, judgement: Judgement, job: Job, schedule: oracle.Schedule, jumps: list[Event]
) -> None:
    """After each jump, and after each run since the first, the next run comes in time."""
    runs = facts.runs.get(job.id, [])
    begun = [run.begin.at_us for run in runs]
    windows = general_disturbances(facts)
    made_us = _made_us(facts, job)
    if made_us is None:
        return
    waits = [(max(jump.at_us, made_us), jump) for jump in jumps]
    waits += [(run.end_us, run.begin) for run in runs if run.begin.n > jumps[0].n]
    for since_us, event in waits:
        until_us = _deadline_us(facts, schedule, since_us, _offset_us(facts, since_us))
        jumped = any(since_us < jump.at_us <= until_us for jump in jumps)
        if until_us > facts.end_us or jumped or _touched(windows, since_us, until_us):
            continue
        index = bisect_right(begun, since_us)
        if index and runs[index - 1].end_us > since_us:
            continue  # it runs, and is judged from its end
        if index < len(begun) and begun[index] <= until_us:
            judgement.reached(event)
        else:
            silent = format_duration(until_us - since_us)
            judgement.violated(
                f"job {job.id}: silent for more than {silent} after {when(since_us)}", event
            )


def _made_us(facts: Facts, job: Job) -> int | None:
    """Since when there is a job; None when it was not made, or made anew."""
    made = [op for op in facts.ops if op.do == "create" and op.job == job.id]
    if not made and job.created == "at start":
        return facts.scenario.start_us
    return made[0].begin.at_us if len(made) == 1 and not made[0].failed else None


def _offset_us(facts: Facts, at_us: int) -> int:
    """How far the machine's clock is ahead of true time."""
    steps = (op.step.by or 0 for op in facts.ops if op.step is not None and op.begin.at_us <= at_us)
    return facts.scenario.machines[0].skew + sum(steps)


def _deadline_us(facts: Facts, schedule: oracle.Schedule, since_us: int, offset_us: int) -> int:
    """The true time until which the run after the next must have begun."""
    if isinstance(schedule, oracle.Every):  # its grid may begin anew
        return since_us + 2 * schedule.period_us + allowance_us(facts)
    first = oracle.next_after(schedule, since_us + offset_us)
    second = None if first is None else oracle.next_after(schedule, first)
    if second is None:
        return facts.end_us + 1
    return second - offset_us + allowance_us(facts)


def _touched(windows: list[Window], start_us: int, end_us: int) -> bool:
    """Whether something that concerns every job fell into this time."""
    return any(first < end_us and last > start_us - SLACK_US for first, last in windows)
