"""HOOK: what the webhook answers stands for what is durable."""

from bisect import bisect_right

from simulator.checkers.crowded import full_answers
from simulator.checkers.facts import Facts, facts_of
from simulator.checkers.finding import Finding, Judgement
from simulator.checkers.wanted import commits_of
from simulator.event import Event
from simulator.history import History
from simulator.scenario import Scenario

__all__ = ["hook_4"]

_ACCEPTED, _DONE, _AGAIN = 202, 200, 503


def hook_4(history: History, scenario: Scenario) -> Finding:
    """202 only after a durable claim; what cannot help is not asked for again (WIRE.md)."""
    facts = facts_of(history, scenario)
    judgement = Judgement("HOOK-4", "every fire could be claimed at once")
    delivered = {event.data.get("id"): event for event in history.of("nas.deliver")}
    for answer in history.of("fire.answer"):
        came, status = delivered.get(answer.data.get("id")), answer.data.get("status")
        job = str(answer.data.get("job"))
        if status != _ACCEPTED or _cut_off(came):
            judgement.reached(answer)
        if status == _ACCEPTED and came is not None and not _claimed(facts, job, came, answer):
            judgement.violated(f"job {job}: accepted, and no claim was stored", came, answer)
        elif status not in {_ACCEPTED, _DONE} and not _refused(facts, came, answer):
            judgement.violated(f"job {job}: {status}, and a retry could not help", came, answer)
    return judgement.finding()


def _claimed(facts: Facts, job: str, came: Event, answer: Event) -> bool:
    """Whether the store took a claim on the job between a delivery and its answer.

    One that was given back before anybody used it is none.
    """
    claimed_n, stored = 0, commits_of(facts, job)
    for place in range(stored.until(came.n), stored.before(answer.n)):
        event, record = stored[place]
        if record is None:
            continue
        if isinstance(record.get("fire_claim"), dict):
            claimed_n = claimed_n or event.n
        elif claimed_n and not _used(facts, job, claimed_n, event.n):
            claimed_n = 0
    return claimed_n > 0


def _used(facts: Facts, job: str, first_n: int, last_n: int) -> bool:
    """Whether somebody asked for a claim on the job, or ran or changed it, between two events."""
    used = (
        event.data.get("job") == job and first_n < event.n < last_n
        for event in facts.history.of("claim", "run.begin", "mark")
    )
    changed = (
        op.job == job and op.begin.n < last_n and (op.end is None or op.end.n > first_n)
        for op in facts.ops
    )
    return any(used) or any(changed)


def _cut_off(came: Event | None) -> bool:
    """Whether an earlier delivery of the same fire was never answered: its machine died."""
    return came is not None and came.data.get("attempt", 1) > 1


def _refused(facts: Facts, came: Event | None, answer: Event) -> bool:
    """Whether a retry could help: 503 asks for one.

    The store could not be used in between, or the machine had not started, or was full.
    """
    if answer.data.get("status") != _AGAIN or came is None:
        return False
    refused = facts.history.of("store.refused")
    index = bisect_right(refused, came.n, key=lambda event: event.n)
    unusable = index < len(refused) and refused[index].n < answer.n
    return unusable or not _had_started(facts, answer) or answer.n in full_answers(facts)


def _had_started(facts: Facts, answer: Event) -> bool:
    """Whether the provider of the machine that answered had come back from its start."""
    life = facts.life_at(answer)
    left = life.start_left if life is not None else None
    return left is not None and left.n < answer.n
