"""LIVE-12: many slow jobs do not starve the others."""

from simulator.checkers.dues import Outcome
from simulator.checkers.facts import facts_of
from simulator.checkers.finding import Finding, Judgement
from simulator.checkers.happened import MANY_RUNS
from simulator.checkers.live import say_due
from simulator.checkers.matching import match_all
from simulator.history import History
from simulator.scenario import Scenario

__all__ = ["live_12"]


def live_12(history: History, scenario: Scenario) -> Finding:
    """While many runs are on, other jobs begin in time all the same."""
    facts = facts_of(history, scenario)
    judgement = Judgement("LIVE-12", f"no job was due beside {MANY_RUNS} runs of others")
    for match in match_all(facts).values():
        for due in match.dues:
            wanted = due.run is not None or due.outcome is Outcome.MISSED
            at_us = due.run.begin.at_us if due.run is not None else due.deadline_us
            beside = facts.runs_on(at_us)
            if not wanted or beside - (due.run is not None) < MANY_RUNS:
                continue
            judgement.reached(due.run.begin if due.run is not None else None)
            if due.outcome in {Outcome.LATE, Outcome.MISSED}:
                judgement.violated(f"beside {beside} runs, {say_due(due)}")
    return judgement.finding()
