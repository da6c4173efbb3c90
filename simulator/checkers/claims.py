"""ONCE-1, ONCE-7, ONCE-11: who holds a job, by the claims that stand in the store."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from simulator.checkers.commands import runs_at_once
from simulator.checkers.facts import Facts, facts_of
from simulator.checkers.finding import Finding, Judgement
from simulator.checkers.happened import CLAIM_TTL_US, SLACK_US, BodyRun, Life
from simulator.checkers.matching import match_all
from simulator.checkers.struck import rule_of, set_by_us
from simulator.checkers.wanted import commits_by_job, commits_of
from simulator.event import Event
from simulator.fold import instant_us
from simulator.history import History
from simulator.scenario import Scenario

__all__ = ["once_1", "once_7", "once_11"]

Record = dict[str, Any]
# What a completion says in a job's record; the count of `repeat` stands beside them.
_RESULT = ("fire_claim", "last_run_at", "last_status", "last_error", "repeat", "enabled", "state")


@dataclass(slots=True)
class _Held:
    """A claim as it stands in a record.

    Attributes:
        key: Tells it from every other claim of the job, also after it was renewed.
        by: The process that holds it, `machine:pid`.
        at_us: When it was taken or last renewed, by its holder's clock.
        promised: It waits for whoever takes it up.
        stored_us: When that was stored, in true time.
    """

    key: object
    by: str
    at_us: int
    promised: bool
    stored_us: int = 0

    @property
    def machine(self) -> str:
        """Where its holder is."""
        return self.by.rpartition(":")[0]


def _held(record: Record | None) -> _Held | None:
    """The claim in a record; None when nobody holds the job."""
    claim = (record or {}).get("fire_claim")
    at_us = instant_us(claim.get("at")) if isinstance(claim, dict) else None
    if not isinstance(claim, dict) or at_us is None:
        return None
    by = str(claim.get("by"))
    token = claim.get("token")
    key = token if token is not None else (by, claim.get("at"))
    return _Held(key, by, at_us, bool(claim.get("reserved")))


def _takeovers(facts: Facts, job: str) -> Iterator[tuple[Event, _Held | None, _Held]]:
    """Each commit that puts a claim into the job's record, with the claim that it replaces."""
    before: _Held | None = None
    for event, record in commits_by_job(facts).get(job, ()):
        after = _held(record)
        if after is not None:
            same = before if before is not None and before.key == after.key else None
            kept = same is not None and same.at_us == after.at_us
            after.stored_us = same.stored_us if same and kept else event.at_us
            if same is None:
                yield event, before, after
        before = after


def _life_of(facts: Facts, by: str) -> Life | None:
    """The process that signs its claims like this."""
    machine, _, pid = by.rpartition(":")
    for life in facts.lives.get(machine, ()):
        if str(life.boot.data.get("pid")) == pid:
            return life
    return None


def once_1(history: History, scenario: Scenario) -> Finding:
    """Of simultaneous claims one wins: nobody takes a fresh claim from a holder that lives."""
    facts = facts_of(history, scenario)
    judgement = Judgement("ONCE-1", "no job was claimed by two at the same time")
    for event in history.of("claim"):
        if event.data.get("won") is False and event.data.get("error") is None:
            judgement.reached(event)
    for job in commits_by_job(facts):
        for event, before, after in _takeovers(facts, job):
            if _others_look(facts, event):
                judgement.reached(event)
            if before is None or before.promised or _is_over(facts, before, after, event):
                continue
            if _was_lost(facts, job, before, event):
                continue  # whoever took it could not see it
            holder = _life_of(facts, before.by)
            if holder is not None and (holder.end is None or holder.end.n > event.n):
                judgement.violated(
                    f"job {job}: {after.by} took it while {before.by} held a fresh claim", event
                )
    runs_at_once(facts, judgement)
    return judgement.finding()


def _is_over(facts: Facts, held: _Held, taken: _Held, taking: Event) -> bool:
    """Whether a claim had held for its time: in true time, or by the clock of whoever takes it.

    That may be ahead of true time, and have been set.
    """
    now_us = taking.at_us + facts.skew_us
    set_us = set_by_us(facts, taken.machine, taking.n)
    return max(now_us - held.stored_us, now_us + set_us - held.at_us) >= CLAIM_TTL_US


def _was_lost(facts: Facts, job: str, held: _Held, taking: Event) -> bool:
    """Whether the disk lost the write of the claim that another replaces."""
    stored = next(event for event, record in commits_by_job(facts)[job] if _key(record) == held.key)
    return any(
        (rule := rule_of(facts, struck)) is not None and rule.damage == "lost"
        for struck in facts.history.of("fault")
        if struck.at_us == stored.at_us and struck.n < taking.n
    )


def _key(record: Record | None) -> object:
    """What tells the claim in a record from others; None without one."""
    held = _held(record)
    return None if held is None else held.key


def _others_look(facts: Facts, event: Event) -> bool:
    """Whether another gateway's tick was under way when this was stored."""
    for machine, ticks in facts.ticks.items():
        index = ticks.begun_before(event.n) - 1
        if machine != event.data.get("by") and index >= 0:
            end = ticks[index].end
            if end is None or end.n > event.n:
                return True
    return False


def once_7(history: History, scenario: Scenario) -> Finding:
    """The completion of an owner that lost its lease changes nothing."""
    facts = facts_of(history, scenario)
    judgement = Judgement("ONCE-7", "no run ended after another had taken its job over")
    for job, runs in facts.runs.items():
        taken = list(_takeovers(facts, job))
        for run in runs:
            if run.end is None or not _lost_before_its_end(run, taken):
                continue
            judgement.reached(run.end)
            for event in _changed_by_the_end(facts, run):
                judgement.violated(
                    f"job {job}: the run on {run.begin.machine} had lost its claim, and its end "
                    "changed the record",
                    run.end,
                    event,
                )
    return judgement.finding()


def _lost_before_its_end(run: BodyRun, taken: list[tuple[Event, _Held | None, _Held]]) -> bool:
    """Whether another process claimed the job while the run was on."""
    index = bisect_left(taken, run.begin.n, key=lambda item: item[0].n)
    if index == 0 or taken[index - 1][2].machine != run.begin.machine:
        return False  # it was not claimed here
    mine = taken[index - 1][2]
    return any(
        after.by != mine.by for event, _, after in taken[index : index + 2] if event.n < run.end_n
    )


def _changed_by_the_end(facts: Facts, run: BodyRun) -> Iterator[Event]:
    """What the run's machine stored about its result, from the end of the body to its mark."""
    stored = commits_of(facts, run.job)
    told = _told_by(facts, run)
    first = stored.before(run.end_n)
    before = stored[first - 1][1] if first else None
    for event, record in stored.since(first):
        if told is None or event.n > told.n:
            break
        if event.data.get("by") == run.begin.machine and _differ(before, record):
            yield event
        before = record


def _told_by(facts: Facts, run: BodyRun) -> Event | None:
    """The event that says that the run's result was handed to the store."""
    marks = facts.history.of("mark")
    first = bisect_left(marks, run.end_n, key=lambda mark: mark.n)
    for event in map(marks.__getitem__, range(first, len(marks))):
        if event.data.get("job") == run.job and event.machine == run.begin.machine:
            return event
        if event.at_us > run.end_us + SLACK_US:
            break
    return None


def _differ(one: Record | None, other: Record | None) -> bool:
    """Whether two states of a record tell different results."""
    if one is None or other is None:
        return one is not other
    return any(one.get(name) != other.get(name) for name in _RESULT)


def once_11(history: History, scenario: Scenario) -> Finding:
    """Duplicate records of one id do not make a job run more often."""
    facts = facts_of(history, scenario)
    judgement = Judgement("ONCE-11", "no two records had the same id")
    for job in scenario.jobs:
        twins = [other for other in scenario.jobs if other.record.get("id") == job.id]
        if not twins:
            continue
        runs = facts.runs.get(job.id, [])
        for run in runs:
            judgement.reached(run.begin)
        claims = [event for event, _, _ in _takeovers(facts, job.id)]
        if len(runs) > len(claims):
            judgement.violated(
                f"job {job.id} stands in {len(twins) + 1} records, was claimed {len(claims)} times "
                f"and ran {len(runs)} times",
                runs[-1].begin,
            )
        _once_an_occurrence(facts, job.id, judgement)
    return judgement.finding()


def _once_an_occurrence(facts: Facts, job: str, judgement: Judgement) -> None:
    for extra in match_all(facts)[job].extras:
        first = extra.first.begin if extra.first is not None else None
        judgement.violated(
            f"job {job}: a duplicate of its record made it run again", first, extra.run.begin
        )
