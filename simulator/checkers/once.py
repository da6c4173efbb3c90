"""ONCE: at most one run per occurrence, by runs at the job body and what brought them."""

from bisect import bisect_left, bisect_right
from itertools import pairwise

from simulator.checkers.dues import Outcome
from simulator.checkers.extras import deliveries_of, extras_under
from simulator.checkers.facts import Facts, facts_of
from simulator.checkers.finding import Finding, Judgement
from simulator.checkers.happened import CLAIM_TTL_US, SLACK_US, BodyRun
from simulator.checkers.matching import match_all
from simulator.checkers.misread import lost_commits
from simulator.checkers.struck import renewing_held_up, set_by_us
from simulator.checkers.wanted import commits_by_job
from simulator.event import Event
from simulator.history import History
from simulator.scenario import Scenario

__all__ = ["once_2", "once_3", "once_4", "once_5", "once_6", "once_8", "once_9", "once_10"]

_RENEWED_WITHIN_US = CLAIM_TTL_US // 2
"""Who renews a claim at all does so before half of its time is over."""


def once_2(history: History, scenario: Scenario) -> Finding:
    """A redelivery while the run is on runs nothing."""
    facts = facts_of(history, scenario)
    judgement = Judgement("ONCE-2", "nothing was delivered again while its run was on")
    for match in match_all(facts).values():
        for delivery in deliveries_of(facts, match):
            run = delivery.due.run if delivery.due is not None and delivery.arrived else None
            if run is not None and run.begin.n < delivery.event.n < run.end_n:
                judgement.reached(delivery.event)
    extras_under(facts, "ONCE-2", judgement)
    return judgement.finding()


def once_3(history: History, scenario: Scenario) -> Finding:
    """A redelivery after completion, however late, runs nothing."""
    facts = facts_of(history, scenario)
    judgement = Judgement("ONCE-3", "nothing was delivered again after its run")
    for match in match_all(facts).values():
        for delivery in deliveries_of(facts, match):
            run = delivery.due.run if delivery.due is not None and delivery.arrived else None
            if run is not None and run.end is not None and run.end.n < delivery.event.n:
                judgement.reached(delivery.event)
    extras_under(facts, "ONCE-3", judgement)
    return judgement.finding()


def once_4(history: History, scenario: Scenario) -> Finding:
    """A delivery for an occurrence that is no longer the job's runs nothing."""
    facts = facts_of(history, scenario)
    judgement = Judgement("ONCE-4", "every delivery was for an occurrence of its job")
    for match in match_all(facts).values():
        if match.plan.unjudged is None:
            for delivery in deliveries_of(facts, match):
                if delivery.stale and delivery.arrived:
                    judgement.reached(delivery.event)
    extras_under(facts, "ONCE-4", judgement)
    return judgement.finding()


def once_5(history: History, scenario: Scenario) -> Finding:
    """An early delivery does not run early, and is not lost."""
    facts = facts_of(history, scenario)
    judgement = Judgement("ONCE-5", "nothing was delivered early")
    for match in match_all(facts).values():
        for delivery in deliveries_of(facts, match):
            if not delivery.early or delivery.due is None or not delivery.arrived:
                continue
            came = delivery.due.outcome
            if came is not Outcome.OPEN:
                judgement.reached(delivery.event)
            if came in {Outcome.LATE, Outcome.MISSED}:
                judgement.violated(
                    f"job {delivery.due.job}: delivered early, and then {came.value}",
                    delivery.event,
                )
    extras_under(facts, "ONCE-5", judgement)
    return judgement.finding()


def once_6(history: History, scenario: Scenario) -> Finding:
    """A run longer than the claim's time to live is not overlapped."""
    facts = facts_of(history, scenario)
    judgement = Judgement("ONCE-6", "no run was longer than a claim lives with its job due again")
    for job, match in match_all(facts).items():
        runs = facts.runs.get(job, [])
        instants = [due.at_us for due in match.dues]
        deliveries = [event.at_us for event in facts.deliveries.get(job, ())]
        for run in runs:
            first_us, last_us = run.begin.at_us + CLAIM_TTL_US, min(run.end_us, facts.end_us)
            if last_us > first_us and (
                _any_within(instants, run.begin.at_us, last_us)
                or _any_within(deliveries, first_us, last_us)
            ):
                judgement.reached(run.begin)
        for first, second in pairwise(runs):
            long_us = second.begin.at_us - first.begin.at_us
            if second.begin.n < first.end_n and long_us >= CLAIM_TTL_US - SLACK_US:
                if _could_not_renew(facts, first, second):
                    continue
                judgement.violated(
                    f"job {job}: a run began while an earlier one was on", first.begin, second.begin
                )
    return judgement.finding()


def _could_not_renew(facts: Facts, first: BodyRun, second: BodyRun) -> bool:
    """Whether the first run's machine could not renew its claim for as long as it lives.

    It was refused, held up, or the disk lost what it wrote. Or the claim was over by the clock of
    the second's machine, which somebody had set.

    Its lease was renewed last so long ago, and was to be since: another is then right to take over.
    """
    machine = first.begin.machine
    renewed = _renewed_last(facts, first, second)
    if _over_by_another_clock(facts, first, renewed):
        return True
    held_up = renewing_held_up(facts, machine)
    # A write that hung says when its claim was renewed: before it hung.
    dated_us = next((start for start, end in held_up if end == renewed.at_us), renewed.at_us)
    until_us = _lost_us(facts, first, second, renewed)
    if until_us - dated_us < CLAIM_TTL_US - facts.skew_us:
        return False
    refused = any(
        event.data.get("by") == machine and renewed.at_us < event.at_us <= until_us
        for event in facts.history.of("store.refused")
    )
    lost = any(renewed.n < n < second.begin.n for n in lost_commits(facts))
    held = machine != second.begin.machine and any(
        dated_us <= start <= dated_us + _RENEWED_WITHIN_US and until_us <= end + SLACK_US
        for start, end in held_up
    )
    return refused or lost or held


def _renewed_last(facts: Facts, first: BodyRun, second: BodyRun) -> Event:
    """The write that renewed the first run's claim last, before the second one; else its begin.

    What the disk lost renewed nothing.
    """
    renewed, dated, lost = first.begin, None, lost_commits(facts)
    for event, record in commits_by_job(facts).get(first.job, ()):
        if event.n > second.begin.n:
            break
        claim = (record or {}).get("fire_claim")
        at = claim.get("at") if isinstance(claim, dict) else None
        own = event.data.get("by") == first.begin.machine and event.n not in lost
        if own and at not in {None, dated}:
            renewed = event
        dated = at
    return renewed


def _lost_us(facts: Facts, first: BodyRun, second: BodyRun, renewed: Event) -> int:
    """When the first run's claim was ended by a machine other than its own, at the latest now."""
    for event, record in commits_by_job(facts).get(first.job, ()):
        if event.n >= second.begin.n:
            break
        by = event.data.get("by")
        if (
            event.n > renewed.n
            and by != first.begin.machine
            and not (record or {}).get("fire_claim")
        ):
            return event.at_us
    return second.begin.at_us


def _over_by_another_clock(facts: Facts, first: BodyRun, renewed: Event) -> bool:
    """Whether the first to write the job's record since was a machine whose clock was set ahead."""
    mine = first.begin.machine
    for event, _ in commits_by_job(facts).get(first.job, ()):
        by = event.data.get("by")
        if event.n > renewed.n and isinstance(by, str) and by != mine:
            apart_us = set_by_us(facts, by, event.n) - set_by_us(facts, mine, event.n)
            since_us = event.at_us - renewed.at_us
            return since_us < CLAIM_TTL_US <= since_us + apart_us
    return False


def _any_within(instants: list[int], after_us: int, until_us: int) -> bool:
    """Whether one of the sorted instants lies in the span."""
    index = bisect_right(instants, after_us)
    return index < len(instants) and instants[index] <= until_us


def once_8(history: History, scenario: Scenario) -> Finding:
    """An occurrence taken by a tick is not run again by a webhook, nor the other way round."""
    facts = facts_of(history, scenario)
    judgement = Judgement("ONCE-8", "no occurrence was offered to both a tick and a webhook")
    ticks = facts.history.of("tick.begin") if facts.fires else ()
    for match in match_all(facts).values():
        for delivery in deliveries_of(facts, match):
            run = delivery.due.run if delivery.due is not None and delivery.arrived else None
            if run is None or delivery.due is None:
                continue
            fire = facts.fire_of_run.get(run.begin.n)
            if fire is None and run.begin.n < delivery.event.n:
                judgement.reached(delivery.event)
            elif fire is not None:
                index = bisect_left(ticks, fire.begin.n, key=lambda event: event.n)
                if index < len(ticks) and ticks[index].at_us < delivery.due.next_us:
                    judgement.reached(ticks[index])
    extras_under(facts, "ONCE-8", judgement)
    return judgement.finding()


def once_9(history: History, scenario: Scenario) -> Finding:
    """A crash between claim and completion never runs a recurring occurrence twice.

    A one-shot runs at most `repeat.times` times.
    """
    facts = facts_of(history, scenario)
    judgement = Judgement("ONCE-9", "no machine died between a claim and its completion")
    for run in facts.all_runs:
        if run.died is not None and any(life.up_us > run.died.at_us for life in facts.all_lives):
            judgement.reached(run.died)
    extras_under(facts, "ONCE-9", judgement)
    return judgement.finding()


def once_10(history: History, scenario: Scenario) -> Finding:
    """Two schedulers on one home run each occurrence once; no run without an occurrence."""
    facts = facts_of(history, scenario)
    judgement = Judgement("ONCE-10", "no occurrence came while two gateways were up")
    if len(facts.lives) > 1:
        for match in match_all(facts).values():
            for due in match.dues:
                if due.run is not None and len(facts.serving(due.run.begin.n)) > 1:
                    judgement.reached(due.run.begin)
    extras_under(facts, "ONCE-10", judgement)
    return judgement.finding()
