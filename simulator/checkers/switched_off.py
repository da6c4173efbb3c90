"""LIVE-13: a recurring job is switched off by its operator, and by nobody else."""

from typing import Any

from simulator.checkers.facts import facts_of
from simulator.checkers.finding import Finding, Judgement
from simulator.checkers.matching import match_all
from simulator.checkers.wanted import Plan, commits_by_job
from simulator.event import Event
from simulator.history import History
from simulator.scenario import Scenario

__all__ = ["live_13"]


def _recurs(record: dict[str, Any]) -> bool:
    """Whether a record that was written by hand is that of a recurring job."""
    schedule = record.get("schedule")
    return isinstance(schedule, dict) and schedule.get("kind") in {"cron", "interval"}


def _asked_to_rest(plan: Plan, stored: Event) -> bool:
    """Whether the last change before may have switched the job off; a run by hand does not.

    Of changes that went on at the same time each may be the last.
    """
    changes = [op for op in plan.ops if op.begin.n <= stored.n and op.do != "run"]
    return any(
        op.do in {"pause", "remove", "update"}
        for op in changes
        if op.end is None or op.end.n > changes[-1].begin.n
    )


def live_13(history: History, scenario: Scenario) -> Finding:
    """A recurring job is never disabled because its next time could not be computed."""
    facts = facts_of(history, scenario)
    judgement = Judgement("LIVE-13", "no recurring job stood without a next time")
    for job, match in match_all(facts).items():
        plan = match.plan
        by_hand = set(plan.job.record)
        if plan.unjudged is not None and "schedule" not in by_hand:
            continue
        recurring = plan.recurring or (plan.unjudged is not None and _recurs(plan.job.record))
        if not recurring or plan.repeat is not None:
            continue
        was_off = False
        for event, record in commits_by_job(facts).get(job, ()):
            if record is None or by_hand & {"enabled", "state"}:
                continue
            if record.get("next_run_at") is None:
                judgement.reached(event)
            off = record.get("enabled") is False or record.get("state") == "completed"
            switched, was_off = off and not was_off, off
            if not switched or _asked_to_rest(plan, event) or plan.is_once_at(event.n):
                continue
            if not any(op.job == job and op.do == "pause" and op.stored(event) for op in facts.ops):
                judgement.violated(f"job {job}: recurring, and nobody switched it off", event)
    return judgement.finding()
