"""TIME-2 and 3: the right instant, across clock changes and on an interval's grid."""

from simulator import oracle
from simulator.checkers.extras import judged_extras
from simulator.checkers.facts import Facts, facts_of
from simulator.checkers.finding import Finding, Judgement
from simulator.checkers.live import say_due
from simulator.checkers.matching import JobMatch, Outcome, match_all
from simulator.durations import DAY_US, HOUR_US
from simulator.history import History
from simulator.scenario import Scenario

__all__ = ["time_2", "time_3"]


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
        for due in match.dues:
            part = match.plan.segments[due.segment]
            if not isinstance(part.schedule, oracle.Every):
                continue
            if due.outcome is Outcome.LATE and due.run is not None:
                judgement.violated(say_due(due), due.run.begin)
            elif due.outcome is Outcome.MISSED:
                judgement.violated(say_due(due))
            elif due.run is not None:
                ran += 1
                if ran > 1:
                    judgement.reached(due.run.begin)
    return judgement.finding()
