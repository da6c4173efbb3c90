"""What became of an occurrence: it ran in time, late, was missed for a reason, or for none.

An occurrence has a deadline: one wake after it, or after the last disturbance that touches this
time. A disturbance is what may legitimately keep a job from running: no gateway up, a fault that
really fired, the job's own earlier run, an arm that could not be made (until the next occasion).
Where many come at once a loop may begin them one after another: storms are not wanted (LIVE-5).
"""

from bisect import bisect_left, bisect_right

from simulator import oracle
from simulator.checkers.dues import Due, JobMatch, Outcome, allowance_us
from simulator.checkers.facts import Facts
from simulator.checkers.happened import (
    CLAIM_TTL_US,
    COMMAND,
    FOREVER,
    MANY_RUNS,
    NAS_BACKOFF_US,
    BodyRun,
    Window,
)
from simulator.checkers.left_claims import LeftClaim, left_claims, settled_us
from simulator.checkers.struck import lasts_us
from simulator.checkers.wanted import last_commit
from simulator.durations import SECOND_US
from simulator.event import Event
from simulator.fold import instant_us

__all__ = ["after_us", "decide", "touching"]

_ONE_SHOT_GRACE_US = 120 * SECOND_US
_PLACE_US = 30 * SECOND_US
"""How long a job may wait for a place of a bounded pool, beside runs that do not end."""


def after_us(facts: Facts) -> int:
    """How long after a disturbance a job may still take to begin."""
    return max(allowance_us(facts), NAS_BACKOFF_US + facts.slack_us if facts.external else 0)


def decide(facts: Facts, match: JobMatch, due: Due) -> None:
    """Set the deadline and say what became of one occurrence."""
    allowed_us = allowance_us(facts)
    busy_us = _busy_until(facts, match, due)
    disturbed = busy_us is not None
    deadline_us = max(due.at_us, facts.scenario.start_us, busy_us or 0) + allowed_us
    window = touching(match.windows, due.at_us, deadline_us)
    if window is not None:
        disturbed = True
        deadline_us = max(deadline_us, window[1] + after_us(facts))
    elif (over := touching(match.windows, due.at_us - after_us(facts), due.at_us)) is not None:
        deadline_us = max(deadline_us, over[1] + after_us(facts))  # what it held up comes now
    held_up = _held_up_into(match, due, deadline_us) if disturbed else None
    if held_up is not None:  # that run is on when this one is to begin
        deadline_us = max(deadline_us, held_up.end_us + allowed_us)
        window = touching(match.windows, due.at_us, deadline_us)  # and then something else is wrong
        deadline_us = max(deadline_us, window[1] + after_us(facts) if window is not None else 0)
    begun = due.run is not None and due.run.begin.at_us <= deadline_us
    if facts.blocking and not begun and facts.runs_on(deadline_us) >= MANY_RUNS:
        deadline_us += _PLACE_US
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
            or ((busy_us is not None or held_up is not None) and not facts.blocking)
        )
    ) or _cut_short(match, due):
        due.outcome = Outcome.EXCUSED
    elif due.optional or deadline_us >= facts.end_us or deadline_us >= due.next_us:
        # The last case: it comes more often than anything wakes, so that two fall on one wake.
        due.outcome = Outcome.OPEN
    else:
        due.outcome = Outcome.MISSED


def _held_up_into(match: JobMatch, due: Due, deadline_us: int) -> BodyRun | None:
    """The run for an occurrence before that was held up, and began when this one was to."""
    index = bisect_left(match.dues, due.at_us, key=lambda other: other.at_us) - 1
    while index >= 0 and match.dues[index].run is None:
        index -= 1
    run = match.dues[index].run if index >= 0 else None
    return run if run is not None and due.at_us < run.begin.at_us <= deadline_us else None


def _cut_short(match: JobMatch, due: Due) -> bool:
    """Whether it was taken, cut off before its body, and told of: it may not run again.

    A late delivery that names an earlier one takes the latest.
    """
    return any(
        at_us - SECOND_US <= due.at_us <= max(at_us + SECOND_US, taken_us)
        and taken_us < due.next_us
        for at_us, taken_us in match.cut
    )


def touching(windows: list[Window], start_us: int, end_us: int) -> Window | None:
    """The (merged) window that a span overlaps; the last one, when there are several."""
    index = bisect_right(windows, (end_us, FOREVER)) - 1
    if index >= 0 and windows[index][1] >= start_us:
        return windows[index]
    return None


def _busy_until(facts: Facts, match: JobMatch, due: Due) -> int | None:
    """Until when another run of the same job was on, if it was on at this occurrence.

    That is by every clock: to one that is ahead the occurrence came before. To whoever is woken it
    is on, too, while a claim of a machine that died stands: whether a run is behind it nobody sees.
    """
    runs_us = _runs_until(facts, due)
    until = [] if runs_us is None else [runs_us]
    if not facts.blocking:
        until += [one.until_us for one in left_claims(facts, due.job) if _stood_at(one, due)]
        until += [at_us for at_us in _claimed_from_start(match) if due.at_us < at_us]
    return max(until, default=None)


def _claimed_from_start(match: JobMatch) -> list[int]:
    """Until when a claim that stood at the start holds: its time from when it was first met."""
    claim = match.plan.job.record.get("fire_claim")
    stated_us = instant_us(claim.get("at")) if isinstance(claim, dict) else None
    return [] if stated_us is None else [min(stated_us, match.dues[0].at_us) + CLAIM_TTL_US]


def _stood_at(left: LeftClaim, due: Due) -> bool:
    """Whether a claim that a dead machine left stood at an occurrence, and was not taken for it."""
    if not left.taken.at_us < due.at_us < left.until_us:
        return False
    its_run = due.run is not None and left.taken.n < due.run.begin.n < left.crash.n
    return not its_run and (left.for_us is None or abs(left.for_us - due.at_us) >= SECOND_US)


def _runs_until(facts: Facts, due: Due) -> int | None:
    """Until when another run of the same job was on, if one was."""
    runs = facts.runs.get(due.job, ())
    index = bisect_right(facts.begun_us(due.job), due.at_us) - 1
    if due.manual:  # asked for in the instant in which another began, or was taken
        begun = bisect_left(runs, due.asked_n, key=lambda run: run.begin.n)
        taken = begun < len(runs) and _was_taken(facts, due, runs[begun])
        index = max(index, begun if taken else begun - 1)
    its_n = due.run.begin.n if due.run is not None else None
    while index >= 0 and runs[index].begin.n == its_n:
        index -= 1
    if index < 0:
        return None
    last = runs[index]
    until_us = max(last.end_us, _held_up_us(facts, last))
    if last.died is not None and not facts.blocking:  # to whoever is woken it is still on
        until_us = max(until_us, settled_us(facts, last.died))
    return until_us if until_us > due.at_us - facts.skew_us else None


def _was_taken(facts: Facts, due: Due, run: BodyRun) -> bool:
    """Whether the claim under which a run began stood already when another was asked for."""
    claims = [
        (last_commit(facts, due.job, n + 1)[1] or {}).get("fire_claim")
        for n in (due.asked_n, run.begin.n)
    ]
    tokens = [claim.get("token") if isinstance(claim, dict) else None for claim in claims]
    return tokens[0] is not None and tokens[0] == tokens[1]


def _held_up_us(facts: Facts, run: BodyRun) -> int:
    """When the fire or command of a run was over whose end a fault made to hang; 0 for others."""
    fire = facts.fire_of_run.get(run.begin.n)
    end = fire.end if fire is not None else _end_of_command(facts, run)
    if end is None or end.at_us <= run.end_us:
        return 0
    for struck in facts.history.of("fault"):
        if struck.n > end.n:
            break
        hung = struck.machine == run.begin.machine and struck.data.get("does") == "hang"
        if hung and struck.at_us + lasts_us(facts, struck) >= run.end_us:
            return end.at_us
    return 0


def _end_of_command(facts: Facts, run: BodyRun) -> Event | None:
    """The end of the command that ran a job by hand; None for every other run."""
    if run.begin.machine != COMMAND:
        return None
    mine = (op for op in facts.ops if op.do == "run" and op.job == run.job and op.end is not None)
    return next((op.end for op in mine if op.end and op.begin.n < run.begin.n < op.end.n), None)
