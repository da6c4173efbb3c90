"""FIRE: the path from a signal to a run, by what went in and out of `fire_due`."""

from bisect import bisect_left

from simulator import oracle
from simulator.checkers.disturbance import hurt_store
from simulator.checkers.dues import JobMatch
from simulator.checkers.facts import Facts, facts_of
from simulator.checkers.finding import Finding, Judgement
from simulator.checkers.happened import BodyRun, Fire
from simulator.checkers.matching import match_all
from simulator.checkers.stored import Stored
from simulator.checkers.struck import lasts_us
from simulator.checkers.wanted import commits_of, last_commit
from simulator.history import History
from simulator.scenario import Scenario

__all__ = ["fire_1", "fire_2", "fire_3", "fire_4", "fire_5"]


def fire_1(history: History, scenario: Scenario) -> Finding:
    """`fire_due` claims, then runs; True means claimed and run, whatever the job's outcome."""
    facts = facts_of(history, scenario)
    judgement = Judgement("FIRE-1", "no fire came to a run")
    for fire in facts.fires:
        if fire.end is None:
            continue
        value, where = fire.end.data.get("value"), f"job {fire.job}"
        if fire.runs:
            judgement.reached(fire.runs[0].begin)
            if not fire.won:
                judgement.violated(f"{where}: it ran without a claim", fire.runs[0].begin)
            if value is not True:
                judgement.violated(
                    f"{where}: it ran, and fire_due gave {value!r}", fire.runs[0].begin, fire.end
                )
        elif value is True:
            judgement.violated(f"{where}: fire_due gave True and ran nothing", fire.end)
    return judgement.finding()


def fire_2(history: History, scenario: Scenario) -> Finding:
    """A lost claim returns False and runs nothing."""
    facts = facts_of(history, scenario)
    judgement = Judgement("FIRE-2", "no fire lost its claim")
    for fire in facts.fires:
        if fire.end is None or fire.won or not fire.lost:
            continue
        if fire.lost[0].data.get("error") is not None:
            continue  # the claim could not even be tried
        judgement.reached(fire.lost[0])
        if fire.runs:
            judgement.violated(
                f"job {fire.job}: it ran on a lost claim", fire.lost[0], fire.runs[0].begin
            )
        if fire.end.data.get("value") is not False:
            value = fire.end.data.get("value")
            judgement.violated(
                f"job {fire.job}: a lost claim, and fire_due gave {value!r}", fire.lost[0], fire.end
            )
    return judgement.finding()


def fire_3(history: History, scenario: Scenario) -> Finding:
    """A job that is gone returns False and runs nothing."""
    facts = facts_of(history, scenario)
    judgement = Judgement("FIRE-3", "no fire came for a job that was gone")
    for fire in facts.fires:
        if fire.end is None:
            continue
        stored = commits_of(facts, fire.job)
        index = stored.until(fire.begin.n) - 1
        back = index + 1 < len(stored) and stored.ns[index + 1] < fire.end.n
        if (index >= 0 and stored[index][1] is not None) or back:
            _removed_within(facts, fire, stored, judgement)
            continue
        judgement.reached(fire.begin)
        if fire.runs:
            judgement.violated(f"job {fire.job}: it ran though it was gone", fire.runs[0].begin)
        _gave_nothing(facts, fire, judgement)
    return judgement.finding()


def _removed_within(facts: Facts, fire: Fire, stored: Stored, judgement: Judgement) -> None:
    """Judge a fire within which the job was removed for good, before it ran anything."""
    assert fire.end is not None
    within = len(stored) > 0 and fire.begin.n < stored.ns[-1] < fire.end.n
    if fire.runs or not within or stored[len(stored) - 1][1] is not None:
        return
    judgement.reached(fire.end)
    _gave_nothing(facts, fire, judgement)


def _gave_nothing(facts: Facts, fire: Fire, judgement: Judgement) -> None:
    """Judge what came out of a fire of a job that was gone: False, or what a fault in it raised.

    One that only held it up raises nothing.
    """
    assert fire.end is not None
    value, machine = fire.end.data.get("value"), fire.begin.machine
    first, last = (
        bisect_left(facts.faults, n, key=lambda event: event.n) for n in (fire.begin.n, fire.end.n)
    )
    failed = any(
        machine in {one.machine, one.data.get("by")} and one.data.get("does") != "hang"
        for one in facts.faults[first:last]
    )
    if value is not False and not (value is None and failed):
        judgement.violated(f"job {fire.job}: gone, and fire_due gave {value!r}", fire.end)


def fire_4(history: History, scenario: Scenario) -> Finding:
    """A paused, disabled or removed job never runs, also when that happened after the signal."""
    facts = facts_of(history, scenario)
    judgement = Judgement("FIRE-4", "no job was due while it was paused, disabled or removed")
    for job, match in match_all(facts).items():
        if match.plan.unjudged is not None:
            continue
        for event in facts.deliveries.get(job, ()):
            if match.plan.off_at(event.n):
                judgement.reached(event)
        for op in match.plan.ops:
            if op.end is not None and _due_while_off(facts, match, op.end.n, op.end.at_us):
                judgement.reached(op.end)
        for run in facts.runs.get(job, ()):
            if match.plan.off_at(run.begin.n):
                judgement.violated(
                    f"job {job}: it ran though it was paused, disabled or removed", run.begin
                )
    return judgement.finding()


def _due_while_off(facts: Facts, match: JobMatch, n: int, at_us: int) -> bool:
    """Whether an occurrence of its last schedule came while the job was off, from event `n`."""
    if not match.plan.off_at(n + 1) or not match.plan.segments:
        return False
    parts = match.plan.segments
    until_us = min([part.from_us for part in parts if part.from_n > n] + [facts.end_us - 1])
    before = [part for part in parts if part.settled_n <= n]
    if not before:
        return False
    return next(oracle.occurrences(before[-1].schedule, at_us, until_us), None) is not None


def fire_5(history: History, scenario: Scenario) -> Finding:
    """Whatever the body raises becomes a recorded failure, and nothing escapes into the caller."""
    facts = facts_of(history, scenario)
    judgement = Judgement("FIRE-5", "no body of a fired job raised")
    for fire in facts.fires:
        for run in fire.runs:
            if run.end is None or run.end.data.get("error") is None or fire.end is None:
                continue
            judgement.reached(run.end)
            if fire.end.data.get("error") is not None:
                judgement.violated(
                    f"job {fire.job}: what its body raised came out of fire_due", run.end, fire.end
                )
            elif not _failure_recorded(facts, run):
                judgement.violated(f"job {fire.job}: its failure is not recorded", run.end)
    return judgement.finding()


def _failure_recorded(facts: Facts, run: BodyRun) -> bool:
    """Whether the store says soon after that the run failed; True when the history ends before.

    Of a job that was removed meanwhile it says nothing any more.
    """
    assert run.end is not None
    removed, record = last_commit(facts, run.job, run.end.n)
    if removed is not None and record is None:
        return True
    limit_us = run.end.at_us + facts.slack_us
    windows = [(event.at_us, event.at_us + lasts_us(facts, event)) for event in facts.faults]
    windows += hurt_store(facts)
    if any(start <= limit_us and run.end.at_us <= last for start, last in windows):
        return True  # what could not be written is another requirement's affair
    stored = commits_of(facts, run.job)
    for event, record in stored.since(stored.before(run.end.n)):
        if event.at_us > limit_us:
            return False
        if record is None or record.get("last_status") not in {None, "ok"}:
            return True
    return limit_us >= facts.end_us
