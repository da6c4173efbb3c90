"""LIVE-12: many slow jobs do not starve the others."""

from bisect import bisect_left, bisect_right

from simulator.checkers.dues import Outcome
from simulator.checkers.facts import facts_of
from simulator.checkers.finding import Finding, Judgement
from simulator.checkers.live import say_due
from simulator.checkers.matching import match_all
from simulator.history import History
from simulator.scenario import Scenario

__all__ = ["live_12"]

_MANY = 3  # runs at a time from which a bounded pool may be full


def live_12(history: History, scenario: Scenario) -> Finding:
    """While many runs are on, other jobs begin in time all the same."""
    facts = facts_of(history, scenario)
    judgement = Judgement("LIVE-12", f"no job was due beside {_MANY} runs of others")
    begun = [run.begin.at_us for run in facts.all_runs]
    ended = sorted(run.end_us for run in facts.all_runs)
    for match in match_all(facts).values():
        for due in match.dues:
            wanted = due.run is not None or due.outcome is Outcome.MISSED
            at_us = due.run.begin.at_us if due.run is not None else due.deadline_us
            beside = bisect_right(begun, at_us) - bisect_left(ended, at_us)
            if not wanted or beside - (due.run is not None) < _MANY:
                continue
            judgement.reached(due.run.begin if due.run is not None else None)
            if due.outcome in {Outcome.LATE, Outcome.MISSED}:
                judgement.violated(f"beside {beside} runs, {say_due(due)}")
    return judgement.finding()
