"""TIME: the right instant, where clocks or the zone change, and on the grid of an interval."""

from bisect import bisect_right
from collections.abc import Collection, Iterator
from datetime import datetime
from itertools import groupby, pairwise

from simulator import oracle
from simulator.checkers.dues import Due, JobMatch, Outcome
from simulator.checkers.effects import stored_n
from simulator.checkers.extras import judged_extras
from simulator.checkers.facts import Facts, facts_of
from simulator.checkers.finding import Finding, Judgement
from simulator.checkers.live import say_due, when
from simulator.checkers.matching import match_all
from simulator.checkers.stored import Stored
from simulator.checkers.struck import zone_at
from simulator.checkers.wanted import commits_of
from simulator.durations import DAY_US, HOUR_US
from simulator.event import Event
from simulator.fold import instant_us
from simulator.history import History
from simulator.scenario import Scenario

__all__ = ["time_1", "time_2", "time_3", "time_4", "time_5"]


def time_1(history: History, scenario: Scenario) -> Finding:
    """From run to run of a recurring job, the next time in the store moves strictly forward."""
    facts = facts_of(history, scenario)
    judgement = Judgement("TIME-1", "no recurring job ran twice")
    for match in match_all(facts).values():
        stored = commits_of(facts, match.plan.job.id)
        asked = {stored_n(facts, op) for op in match.plan.manual if op.do == "trigger"}
        for _, begun in groupby(_recurring(match), lambda pair: pair[0]):
            comes = ((event, _comes_us(stored, asked, event)) for _, event in begun)
            for (first, before), (second, after) in pairwise(comes):
                if before is None or after is None:
                    continue
                judgement.reached(second)
                if after <= before:
                    judgement.violated(
                        f"job {match.plan.job.id}: it ran twice, and its next time went from "
                        f"{when(before)} to {when(after)}",
                        first,
                        second,
                    )
    return judgement.finding()


def _recurring(match: JobMatch) -> list[tuple[int, Event]]:
    """The runs of recurring schedules: the part of the plan, the beginning; by their beginning."""
    ran = [
        (due.segment, due.run.begin)
        for due in match.dues
        if due.run is not None
        and not due.manual
        and not isinstance(match.plan.segments[due.segment].schedule, oracle.Once)
    ]
    return sorted(ran, key=lambda pair: pair[1].n)


def _comes_us(stored: Stored, asked: Collection[int], event: Event) -> int | None:
    """The next time of a job by its schedule, as the store had it when something happened.

    What was asked for by hand, between the claim of a run and its beginning, is none.
    """
    index = stored.until(event.n) - 1
    while index > 0 and stored.ns[index] in asked:
        index -= 1
    record = stored[index][1] if index >= 0 else None
    return instant_us((record or {}).get("next_run_at"))


def time_2(history: History, scenario: Scenario) -> Finding:
    """A cron time is wall time in the configured zone, also where the clocks change."""
    facts = facts_of(history, scenario)
    judgement = Judgement("TIME-2", "no cron job was due after a change of the clocks")
    change_us = _first_change(scenario)
    for match in match_all(facts).values():
        crons = {
            index
            for index, part in enumerate(match.plan.segments)
            if isinstance(part.schedule, oracle.CronTimes)
        }
        if not crons:
            continue
        for due in match.dues:
            if due.segment in crons and change_us is not None and due.at_us >= change_us:
                if due.outcome is Outcome.RAN and due.run is not None:
                    judgement.reached(due.run.begin)
                elif due.outcome in {Outcome.LATE, Outcome.MISSED}:
                    judgement.violated(f"after the clocks changed, {say_due(due)}")
        if change_us is not None:
            _off_time(facts, judgement, match, change_us)
    return judgement.finding()


def _first_change(scenario: Scenario) -> int | None:
    """About when the zone's offset first changes in the run; None when it does not."""
    before = oracle.offset_minutes(scenario.zone, scenario.start_us)
    for at_us in range(scenario.start_us, scenario.end_us + 1, HOUR_US):
        if oracle.offset_minutes(scenario.zone, at_us) != before:
            return at_us - HOUR_US
    return None


def _off_time(facts: Facts, judgement: Judgement, match: JobMatch, change_us: int) -> None:
    """Runs at no occurrence from the day of the change on: an hour early, or twice."""
    for judged in judged_extras(facts):
        run = judged.extra.run
        if run.job == match.plan.job.id and run.begin.at_us >= change_us - DAY_US:
            judgement.violated(f"about a change of the clocks: {judged.reason}", run.begin)


def time_3(history: History, scenario: Scenario) -> Finding:
    """An interval is elapsed time on its own grid: a slow run or a late tick does not shift it."""
    facts = facts_of(history, scenario)
    judgement = Judgement("TIME-3", "no interval job came twice")
    for match in match_all(facts).values():
        ran = 0
        stored = commits_of(facts, match.plan.job.id)
        for due in match.dues:
            part = match.plan.segments[due.segment]
            if not isinstance(part.schedule, oracle.Every):
                continue
            if due.outcome in {Outcome.LATE, Outcome.MISSED}:
                if not _on_grid(part.schedule, stored, due):
                    judgement.violated(say_due(due), due.run.begin if due.run else None)
            elif due.run is not None:
                ran += 1
                if ran > 1:
                    judgement.reached(due.run.begin)
    return judgement.finding()


def _on_grid(every: oracle.Every, stored: Stored, due: Due) -> bool:
    """Whether the store had its next time on the grid all the same: late for another reason."""
    until_us = due.run.begin.at_us if due.run is not None else due.deadline_us
    index = bisect_right(stored.at_us, until_us) - 1
    record = stored[index][1] if index >= 0 else None
    comes_us = instant_us((record or {}).get("next_run_at"))
    return comes_us is not None and (comes_us - every.first_us) % every.period_us == 0


def time_4(history: History, scenario: Scenario) -> Finding:
    """A one-shot that is written without an offset comes at that wall time of the zone."""
    facts = facts_of(history, scenario)
    judgement = Judgement("TIME-4", "no job had a timestamp without an offset, away from UTC")
    for match in match_all(facts).values():
        if not _is_naive(match.plan.job.schedule) or len(match.plan.segments) != 1:
            continue
        for due in match.dues:
            if due.manual or not oracle.offset_minutes(zone_at(facts, due.at_us), due.at_us):
                continue
            if due.outcome is Outcome.RAN and due.run is not None:
                judgement.reached(due.run.begin)
            elif due.outcome in {Outcome.LATE, Outcome.MISSED}:
                judgement.violated(f"its timestamp has no offset: {say_due(due)}")
        for extra in match.extras:
            if extra.due is not None:
                continue  # its own occurrence again, which ONCE judges
            judgement.violated(
                f"job {match.plan.job.id}: its timestamp without an offset was taken for another",
                extra.run.begin,
            )
    return judgement.finding()


def _is_naive(schedule: str) -> bool:
    try:
        return datetime.fromisoformat(schedule).tzinfo is None
    except ValueError:
        return False


def time_5(history: History, scenario: Scenario) -> Finding:
    """After a change of the zone a cron job comes at its wall time there: not early, not twice."""
    facts = facts_of(history, scenario)
    judgement = Judgement("TIME-5", "no cron job came after a change of the zone")
    for change in (op.begin for op in facts.ops if op.do == "set-zone"):
        for match in match_all(facts).values():
            for event, reason in _after_change(match, change):
                if reason is None:
                    judgement.reached(event)
                else:
                    judgement.violated(f"after the zone was changed, {reason}", change, event)
    return judgement.finding()


def _after_change(match: JobMatch, change: Event) -> Iterator[tuple[Event | None, str | None]]:
    """What a cron job did after an event: (its run, what is wrong with it or None)."""
    crons = {
        index
        for index, part in enumerate(match.plan.segments)
        if isinstance(part.schedule, oracle.CronTimes)
    }
    for due in match.dues:
        if due.segment in crons and due.at_us > change.at_us:
            if due.outcome in {Outcome.LATE, Outcome.MISSED}:
                yield None, say_due(due)
            elif due.run is not None:
                yield due.run.begin, None
    for extra in match.extras if crons else ():
        if extra.run.begin.n > change.n:
            what = "early" if extra.due is None else "twice"
            yield extra.run.begin, f"job {match.plan.job.id} ran {what}"
