"""What is wrong with the arm of one job at rest, against what should be armed then."""

from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import accumulate

from simulator import oracle
from simulator.checkers.disturbance import failed_claims, until_next_occasion
from simulator.checkers.dues import JobMatch
from simulator.checkers.facts import Facts
from simulator.checkers.happened import CLAIM_TTL_US, COMMAND, EARLY_LEEWAY_US, BodyRun
from simulator.checkers.left_claims import left_claims
from simulator.checkers.stored import Record
from simulator.checkers.wanted import Segment, commits_of, last_commit
from simulator.durations import SECOND_US
from simulator.event import Event
from simulator.fold import Arm, instant_us
from simulator.hosts import Surroundings
from simulator.registry_terms import Terms

__all__ = ["Wrong", "compare", "malformed", "promised"]

_CALLBACK = Surroundings.callback_url


@dataclass(frozen=True, slots=True)
class Wrong:
    """One job whose arm is not as it should be.

    Attributes:
        job: Which.
        reason: What is wrong.
        arm: What is armed.
        orphan: Whether nothing should be armed.
        finished: Whether it is an orphan because the job had its last run.
    """

    job: str
    reason: str
    arm: Arm | None
    orphan: bool = False
    finished: bool = False


def compare(facts: Facts, match: JobMatch, arm: Arm | None, at_us: int) -> Wrong | None:
    """What is wrong with one job's arm at an instant of rest, or None."""
    job = match.plan.job.id
    limit = match.plan.repeat or (None if match.plan.recurring else 1)
    ran = [
        run
        for run in (facts.runs.get(job, ()) if limit is not None else ())
        if run.begin.at_us <= at_us
    ]
    finished = limit is not None and len(ran) >= limit
    part = next(
        (part for part in match.plan.segments if part.from_us <= at_us < part.to_us),
        None,
    )
    if part is not None and at_us <= part.unclear_us:
        return None
    # What ran ahead of its time, within the leeway, is not waited for any more.
    after_us = max(at_us, _done_us(facts, match, at_us))
    wanted = None if part is None or finished else oracle.next_after(part.schedule, after_us)
    if wanted is None:
        overdue = any(
            due.at_us <= at_us and (due.run is None or due.run.begin.at_us > at_us)
            for due in match.dues
        )
        waits = overdue and part is not None and not finished
        if arm is None or waits or (finished and _ended_by_a_command(facts, ran[-1], at_us)):
            return None
        why = "after its last run" if finished else "though it is not to run"
        return Wrong(
            job, f"it is armed at {arm.fire_at} {why}", arm, orphan=True, finished=finished
        )
    if arm is None:
        # What was cut off before its body, and told of as unknown, may have been its last run; so
        # may what is claimed and has not begun.
        begun = len(ran) + len(match.cut) + _held(facts, job, ran, at_us)
        spent = limit is not None and begun >= limit
        if spent or _ran_by_hand(match, part) or facts.terms.beyond(wanted, at_us):
            return None
        return Wrong(job, "it is to run again, and nothing is armed", None)
    assert part is not None, "what is wanted is of a part of the plan"
    later = _passed_over(facts, job, part, at_us)
    also = (oracle.next_after(part.schedule, us) for us in later if us > after_us)
    reason = _flaw(facts.terms, match, arm, [wanted, *filter(None, also)], at_us)
    return None if reason is None else Wrong(job, reason, arm)


def _passed_over(facts: Facts, job: str, part: Segment, at_us: int) -> list[int]:
    """Instants up to which a job need not come at an instant of rest.

    What a clock that was set back with the zone shows again; and what somebody took ahead of its
    time, within the leeway, and died with, until that can be seen.
    """
    dead = [last_commit(facts, job, crash.n)[1] or {} for crash in _died(facts, job, at_us)]
    taken = [instant_us(record["fire_claim"].get("at")) for record in dead]
    return [part.again_us, *(us + EARLY_LEEWAY_US for us in taken if us is not None)]


def _ran_by_hand(match: JobMatch, part: Segment | None) -> bool:
    """Whether a job that is a one-shot now was run by hand since: that may be its one run."""
    by_hand = {op.begin.n for op in match.plan.manual}
    return part is not None and isinstance(part.schedule, oracle.Once) and part.from_n in by_hand


def _held(facts: Facts, job: str, ran: Sequence[BodyRun], at_us: int) -> int:
    """How many runs may come, or have begun, under claims that stand, as far as is known.

    Those of who died with the job's claim, until that can be seen; else that of a promise, which is
    to be given back first.
    """
    dead = len(_died(facts, job, at_us))
    stored = commits_of(facts, job)
    index = bisect_right(stored.at_us, at_us)
    return dead or int(promised(facts, job, stored[index - 1][1] if index else None, ran, at_us))


def _died(facts: Facts, job: str, at_us: int) -> list[Event]:
    """Who died with the job's claim before an instant, when that could not be seen yet."""
    return [
        left.crash for left in left_claims(facts, job) if left.crash.at_us <= at_us <= left.until_us
    ]


def promised(facts: Facts, job: str, record: Record, ran: Sequence[BodyRun], at_us: int) -> bool:
    """Whether a job's record has a claim, within its time, that the store let nobody take up."""
    claim = (record or {}).get("fire_claim")
    held_us = instant_us(claim.get("at")) if isinstance(claim, dict) else None
    if held_us is None or not at_us < held_us + CLAIM_TTL_US:
        return False
    failed = any(
        event.data.get("job") == job and held_us <= event.at_us <= at_us
        for event in failed_claims(facts)
    )
    return failed and not any(run.end_us >= held_us for run in ran)


def _done_us(facts: Facts, match: JobMatch, at_us: int) -> int:
    """The latest occurrence of those whose run had begun at an instant; 0 for none."""

    def build() -> tuple[list[int], list[int]]:
        begun = sorted((due.run.begin.at_us, due.at_us) for due in match.dues if due.run)
        return [us for us, _ in begun], list(accumulate((us for _, us in begun), max))

    begun_us, latest_us = facts.history.derived(("done", match.plan.job.id), build)
    index = bisect_right(begun_us, at_us)
    return latest_us[index - 1] if index else 0


def _ended_by_a_command(facts: Facts, last: BodyRun, at_us: int) -> bool:
    """Whether the last run was a command's own, and no provider was woken since its end.

    The process of a command has no provider in a simulated world, and no gateway hears of it.
    """
    end = last.end if last.begin.machine == COMMAND else None
    return end is not None and until_next_occasion(facts, end)[1] > at_us


def _flaw(
    terms: Terms, match: JobMatch, arm: Arm, wanted_us: Collection[int], now_us: int
) -> str | None:
    """What is wrong with an arm of a job that is wanted next at one of `wanted_us`, or None."""
    if arm.at_us is None or arm.at_us % SECOND_US:
        return f"it is armed at {arm.fire_at!r}, no instant to the second"
    overdue = arm.at_us <= now_us and any(
        (due.run is None or due.run.begin.at_us > now_us) and abs(due.at_us - arm.at_us) < SECOND_US
        for due in match.dues
    )
    fits = any(terms.fits(arm.at_us, at_us, arm.event.at_us) for at_us in wanted_us)
    if not fits and not overdue:
        return f"it is armed at {arm.fire_at}, not at its next time"
    return None


def malformed(terms: Terms, arm: Arm) -> str | None:
    """What is wrong with an arm whatever its time, or None."""
    if arm.dedup_key is not None and arm.dedup_key != f"{arm.job}:{arm.fire_at}":
        return f"its dedup_key is {arm.dedup_key!r}, not job_id:fire_at"
    callback = arm.event.data.get("callback_url")
    if not terms.other and callback != _CALLBACK:
        return f"it is armed with the callback URL {callback!r}, and {_CALLBACK!r} was configured"
    return None
