"""STORE-3, 4, 5 and 9: what the commits of a run show about the store.

A commit is what the store took, whoever wrote it. What a single write does to the disk (STORE-1, 2,
6 to 8) no history shows; the kit judges that on real files.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from simulator.checkers.commands import changes_at_once
from simulator.checkers.dues import allowance_us
from simulator.checkers.facts import Facts, facts_of
from simulator.checkers.finding import Finding, Judgement
from simulator.checkers.happened import FOREVER, Op, Tick
from simulator.checkers.matching import match_all
from simulator.checkers.misread import lost_commits, lost_writes
from simulator.checkers.stored import Record, Stored
from simulator.checkers.struck import hangs_of, rule_of, set_by_us
from simulator.checkers.wanted import commits_of, last_commit
from simulator.event import Event
from simulator.fold import instant_us
from simulator.history import History
from simulator.scenario import Scenario

__all__ = ["store_3", "store_4", "store_5", "store_9"]

# What only an operator changes to and fro; a host has no reason of its own to put it back.
_WISHES = ("schedule", "schedule_display", "prompt", "name", "enabled", "state")
_CHANGES = {"update", "pause", "resume"}
_UNREADABLE = frozenset({"garbage", "unreadable", "failing"})
_DAMAGED = frozenset({"torn", "deleted"})
_REPLACES = frozenset({"torn", "garbage", "deleted", "lost"})


def store_3(history: History, scenario: Scenario) -> Finding:
    """What an operator changed is not put back by somebody who had read before."""
    facts = facts_of(history, scenario)
    judgement = Judgement("STORE-3", "nobody wrote a job again that an operator had changed")
    for op in facts.ops:
        if op.do not in _CHANGES or op.job is None or op.end is None or op.failed:
            continue
        stored = commits_of(facts, op.job)
        lost = [event.n for event, jobs in lost_writes(facts) if op.job in jobs]
        for wish, (before, after) in _changed(stored, op).items():
            for event, record in _until_next(facts, op, stored):
                if record is None or any(op.begin.n < n < event.n for n in lost):
                    break
                if record.get("state") == "completed":
                    break  # a one-shot that ran is off by that
                judgement.reached(op.begin, event)
                if record.get(wish) == before:
                    judgement.violated(
                        f"job {op.job}: its {wish} was changed to {after!r} by {op.do} and put "
                        f"back to {before!r} by a later write",
                        op.begin,
                        event,
                    )
                    break
    changes_at_once(facts, judgement)
    return judgement.finding()


def _changed(stored: Stored, op: Op) -> dict[str, tuple[Any, Any]]:
    """The wishes that the store took during an operation: (before, after)."""
    assert op.end is not None
    before: Record = None
    changed: dict[str, tuple[Any, Any]] = {}
    for event, record in stored.since(max(0, stored.before(op.begin.n) - 1)):
        if event.n > op.end.n:
            break
        if event.n > op.begin.n and before is not None and record is not None:
            for wish in _WISHES:
                if record.get(wish) != before.get(wish):
                    changed[wish] = (before.get(wish), record.get(wish))
        before = record
    return changed


def _until_next(facts: Facts, op: Op, stored: Stored) -> Iterator[tuple[Event, Record]]:
    """What was stored of a job between the end of an operation on it and the next one's begin."""
    assert op.end is not None
    others = [other for other in facts.ops if other.job == op.job and other is not op]
    if any(o.begin.n < op.end.n and (o.end is None or o.end.n > op.end.n) for o in others):
        return iter(())  # of changes that went on at the same time each may be the last
    later = (other.begin.n for other in others)
    end = min((n for n in later if n > op.begin.n), default=FOREVER)
    return stored.between(op.end.n, end)


def store_4(history: History, scenario: Scenario) -> Finding:
    """A store that cannot be read is said and never written over; or repaired, never emptied."""
    facts = facts_of(history, scenario)
    judgement = _hurt("STORE-4", _UNREADABLE, facts)
    _repaired(judgement, facts)
    return judgement.finding()


def store_5(history: History, scenario: Scenario) -> Finding:
    """A store that was cut short, or is gone, is said and never taken for empty."""
    return _hurt("STORE-5", _DAMAGED, facts_of(history, scenario)).finding()


def _repaired(judgement: Judgement, facts: Facts) -> None:
    """What can still be read goes on, or it is said that it cannot."""
    for what, begin, until_us in _damages(facts):
        if what != "control-character":
            continue
        after = [due for match in match_all(facts).values() for due in match.dues]
        last_us = facts.end_us - allowance_us(facts)
        after = [due for due in after if begin.at_us < due.at_us < last_us]
        ran = next((due.run for due in after if due.run is not None), None)
        if ran is not None or _said(facts, begin, until_us):
            judgement.reached(begin)
        elif any(due.run is None and _could_run(facts, due.at_us) for due in after):
            judgement.violated("what still could be read was taken for no jobs", begin)


def _could_run(facts: Facts, at_us: int) -> bool:
    """Whether a gateway was up from then on, and awake, as long as a run may take to begin."""
    until_us = at_us + allowance_us(facts)
    return any(
        life.up_us <= at_us
        and until_us <= life.serves_until_us
        and not any(
            first <= until_us and at_us <= last for first, last in hangs_of(facts, life.machine)
        )
        for life in facts.all_lives
    )


def _hurt(requirement: str, kinds: frozenset[str], facts: Facts) -> Judgement:
    history = facts.history
    judgement = Judgement(requirement, "the jobs were never hurt in this way and looked at then")
    stored = history.of("store.commit")
    for what, begin, until_us in _damages(facts):
        if what not in kinds or not stored or stored[0].n > begin.n:
            continue
        commits = [event for event in stored if begin.n < event.n and event.at_us < until_us]
        if commits:
            judgement.violated(f"the jobs were {what}, and were written over", begin, commits[0])
            continue
        looked = _looked(facts, begin, until_us)
        if looked:
            judgement.reached(begin)
        if looked and not _said(facts, begin, until_us):
            judgement.violated(
                f"the jobs were {what}, were looked at, and nothing was said", begin, looked[0]
            )
    return judgement


def _damages(facts: Facts) -> Iterator[tuple[str, Event, int]]:
    """What was done to the disk, when, and until when it stood: the next may put another file."""
    found = sorted(_struck(facts), key=lambda one: one[1].n)
    others = [begin.at_us for what, begin, _ in found if what in _REPLACES]
    for what, begin, until_us in found:
        place = bisect_right(others, begin.at_us) if what in _REPLACES else len(others)
        yield what, begin, min([until_us, *others[place : place + 1]])


def _struck(facts: Facts) -> Iterator[tuple[str, Event, int]]:
    """What was done to the disk, when, and until when it was to stand."""
    for op in facts.ops:
        if op.do == "damage" and op.step is not None:
            lasts = op.step.lasts
            until_us = FOREVER if lasts is None else op.begin.at_us + lasts
            yield str(op.step.what), op.begin, until_us
    for event in facts.faults:
        rule = rule_of(facts, event)
        if rule is not None and rule.damage is not None:
            yield rule.damage, event, FOREVER


def _looked(facts: Facts, begin: Event, until_us: int) -> list[Event]:
    """The ticks and operations on jobs that began and ended while the damage stood."""
    ticks = [(tick.begin, tick.end) for ticks in facts.ticks.values() for tick in ticks]
    ops = [(op.begin, op.end) for op in facts.ops if op.do in {*_CHANGES, "create"}]
    return [
        first
        for first, last in sorted([*ticks, *ops], key=lambda pair: pair[0].n)
        if last is not None and begin.n < first.n and last.at_us < until_us
    ]


def _said(facts: Facts, begin: Event, until_us: int) -> bool:
    """Whether an error came of it anywhere: out of a tick, at the operator, in the log."""
    for event in facts.history.of("tick.end", "op.end", "log", "status"):
        if begin.n < event.n and event.at_us < until_us:
            if event.kind == "log" and event.data.get("level") in {"WARNING", "ERROR", "CRITICAL"}:
                return True
            if event.kind == "status" and event.data.get("verdict") != "healthy":
                return True
            if event.data.get("error") is not None:
                return True
    return False


def store_9(history: History, scenario: Scenario) -> Finding:
    """Starting what is due costs one write of the jobs, however many jobs are due."""
    facts = facts_of(history, scenario)
    judgement = Judgement("STORE-9", "no tick started two jobs")
    by_hand = {n for op in facts.ops if op.end is not None for n in op.end.data.get("stored", ())}
    stored = history.of("store.commit")
    numbers = array("q", (event.n for event in stored))  # a year of whole events is half a gigabyte
    for machine, ticks in facts.ticks.items():
        for place, _ in groupby(ticks.begun_before(n) - 1 for n in numbers):
            if place < 0:
                continue
            tick = ticks[place]
            written = [stored[at] for at in _within(numbers, tick) if numbers[at] not in by_hand]
            if sum(len(event.data["changes"]) for event in written) < 2:  # noqa: PLR2004
                continue
            taking = [
                (event, taken)
                for event in written
                if event.data.get("by") == machine and (taken := _taken(facts, event))
            ]
            jobs = {job for _, taken in taking for job in taken}
            if len(jobs) > 1:
                judgement.reached(tick.begin)
                if len(taking) > 1:
                    judgement.violated(
                        f"starting {len(jobs)} jobs cost {len(taking)} writes in one tick",
                        *(event for event, _ in taking),
                    )
    return judgement.finding()


def _within(numbers: Sequence[int], tick: Tick) -> range:
    """The places of those events that were seen during a tick, by the numbers of all."""
    if tick.end is None:
        return range(0)
    return range(bisect_left(numbers, tick.begin.n), bisect_left(numbers, tick.end.n))


def _taken(facts: Facts, event: Event) -> list[str]:
    """The jobs that a write took to run them: due before it, claimed or moved on by it."""
    # By a clock that is ahead, or was set.
    now_us = event.at_us + facts.skew_us + set_by_us(facts, str(event.data["by"]), event.n)
    taken = []
    for job_id, record in event.data["changes"]:
        if not isinstance(job_id, str) or record is None:
            continue
        written, before = last_commit(facts, job_id, event.n)
        if written is None or before is None or written.n in lost_commits(facts):
            continue  # made, or what stood there is not known
        if before.get("last_run_at") != record.get("last_run_at"):
            continue  # completed
        if before.get("schedule") != record.get("schedule") or before.get("state") == "paused":
            continue  # changed by an operator, or resumed
        was, comes = (instant_us(one.get("next_run_at")) for one in (before, record))
        schedule = record.get("schedule")
        once = isinstance(schedule, dict) and schedule.get("kind") == "once"
        due = was is not None and was <= now_us
        moved = once if comes is None else comes > now_us
        claimed = bool(record.get("fire_claim"))
        if due and moved and (claimed or not _left_out(facts, event, job_id, was)):
            taken.append(job_id)  # a recurring job without a next time is in error, not taken
    return taken


def _left_out(facts: Facts, event: Event, job_id: str, was_us: int | None) -> bool:
    """Whether an occurrence was told of as missed before a write moved its job on.

    That is no start of it: a change of the zone leaves it out.
    """

    def build() -> dict[tuple[str, int | None], int]:
        return {
            (str(record.get("job_id")), instant_us(record.get("occurrence"))): told.n
            for told in reversed(facts.history.of("execution"))
            for record in told.data["records"]
            if record.get("state") == "missed"
        }

    missed = facts.history.derived("told as missed", build)
    return missed.get((job_id, was_us), FOREVER) < event.n
