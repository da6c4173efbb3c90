"""How old things are for whoever reads of them: by the reader's own clock.

Who asks on the only machine has its clock, which somebody may have set since. With several machines
there is none that all of them share.
"""

from simulator.checkers.facts import Facts
from simulator.event import Event
from simulator.steps import Step

__all__ = ["age_us", "clocks_differ", "read_at_us"]


def age_us(facts: Facts, status: Event, past: Event) -> int:
    """How long before a status something was; less than 0 where the clock was set back since."""
    set_us = 0
    if len(facts.scenario.machines) == 1:
        set_us = sum(step.by or 0 for op, step in _settings(facts, status) if _is_after(op, past))
    return status.at_us - past.at_us + set_us


def _is_after(later: Event, past: Event) -> bool:
    return later.n > past.n and later.at_us >= past.at_us


def read_at_us(facts: Facts, status: Event) -> int:
    """When a status was asked for, by the reader's own clock: the only machine's, where one is."""
    if len(facts.scenario.machines) != 1:
        return status.at_us
    return status.at_us + sum(step.by or 0 for _, step in _settings(facts, status))


def clocks_differ(facts: Facts, status: Event) -> bool:
    """Whether somebody had set one of several clocks, so that its readers have another."""
    if len(facts.scenario.machines) == 1:
        return False
    by_machine: dict[str | None, int] = {}
    for _, step in _settings(facts, status):
        by_machine[step.machine] = by_machine.get(step.machine, 0) + (step.by or 0)
    return any(by_machine.values())


def _settings(facts: Facts, status: Event) -> list[tuple[Event, Step]]:
    """Each time that a clock was set before a status."""
    return [
        (op.begin, op.step)
        for op in facts.ops
        if op.do == "set-clock" and op.step is not None and op.begin.n < status.n
    ]
