"""RECON-5: a provider comes back from its start, and arms nothing once it was asked to leave."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from operator import attrgetter
from typing import TypeVar

from simulator.checkers.facts import Facts, facts_of
from simulator.checkers.finding import Finding, Judgement
from simulator.checkers.happened import FOREVER, Life, Window, merge
from simulator.checkers.outcomes import touching
from simulator.checkers.struck import deadline_us, lasts_us
from simulator.durations import MINUTE_US
from simulator.event import Event
from simulator.history import History
from simulator.scenario import Scenario

__all__ = ["recon_5"]

T = TypeVar("T")


def recon_5(history: History, scenario: Scenario) -> Finding:
    """`start` returns; after a stop nothing more is armed or run."""
    facts = facts_of(history, scenario)
    judgement = Judgement("RECON-5", "no external provider was started")
    if not facts.external:
        return judgement.finding()
    arms = list(history.of("nas.armed"))
    for life in facts.all_lives:
        if life.started is None:
            continue
        limit_us = deadline_us(facts, life.machine, life.started.at_us, MINUTE_US)
        left_us = life.start_left.at_us if life.start_left is not None else facts.last_us
        if left_us > limit_us and life.serves_until_us > limit_us:
            judgement.violated(f"machine {life.machine}: start does not return", life.started)
        elif life.start_left is not None:
            judgement.reached(life.start_left)
        _nothing_after_stop(facts, judgement, life, arms)
    return judgement.finding()


def _nothing_after_stop(facts: Facts, judgement: Judgement, life: Life, arms: list[Event]) -> None:
    """Once the last gateway was asked to leave, nothing is armed or fired until one boots."""
    over = life.stop_requested or life.end
    if over is None or over.kind == "crash" or _others_stay(facts, over):
        return
    back_n = next((other.boot.n for other in facts.all_lives if other.boot.n > over.n), FOREVER)
    for event in _between(arms, "n", over.n, back_n):
        if not (
            _by_command(facts, event)
            or _under_way(facts, event, over)
            or _held_back(facts, event, over)
        ):
            judgement.violated(f"job {event.data['job_id']}: armed after the stop", over, event)
    for fire in _between(facts.fires, "begin.n", over.n, back_n):
        for run in fire.runs:
            judgement.violated(f"job {fire.job}: fired and run after the stop", over, run.begin)


def _between(found: Sequence[T], number: str, after_n: int, before_n: int) -> Sequence[T]:
    """Those whose `number`, which rises from one to the next, lies between two."""
    key = attrgetter(number)
    return found[bisect_right(found, after_n, key=key) : bisect_left(found, before_n, key=key)]


def _by_command(facts: Facts, armed: Event) -> bool:
    """Whether somebody's command was on then, which may have armed it."""

    def build() -> list[Window]:
        return merge((op.begin.n, op.end.n) for op in facts.ops if op.end is not None)

    commands = facts.history.derived("numbers of commands", build)
    return touching(commands, armed.n, armed.n) is not None


def _others_stay(facts: Facts, over: Event) -> bool:
    """Whether another gateway is there then, or boots, that was not asked to leave."""
    return any(
        life.boot.n < over.n < life.end_n
        and (life.stop_requested is None or life.stop_requested.n > over.n)
        for life in facts.all_lives
    )


def _under_way(facts: Facts, armed: Event, over: Event) -> bool:
    """Whether the call that armed it had left before, and hung on its way."""
    return any(
        fault.data.get("seam") == "nas.provision"
        and fault.data.get("job") in {None, armed.data.get("job_id")}
        and fault.n < over.n
        and armed.at_us <= fault.at_us + lasts_us(facts, fault)
        for fault in facts.faults
    )


def _held_back(facts: Facts, armed: Event, over: Event) -> bool:
    """Whether the tape may have held back the fire that armed it, just before its call."""
    return 0 < armed.at_us - over.at_us <= facts.held_us and any(
        fire.job == armed.data.get("job_id")
        and fire.begin.n < over.n
        and (fire.end is None or armed.n < fire.end.n)
        for fire in facts.fires
    )
