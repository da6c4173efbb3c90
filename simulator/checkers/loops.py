"""The loops of blocking providers, as judges see them: whose ticks, and when a loop came round."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from simulator.checkers.facts import Facts
from simulator.checkers.happened import Life
from simulator.checkers.struck import deadline_us
from simulator.checkers.ticks import Ticks
from simulator.event import Event

__all__ = ["Turns", "goes_on_after", "lives_with_ticks", "turns_of"]


class Turns(NamedTuple):
    """When a loop came round: the numbers and instants of the events that show it."""

    ns: Sequence[int]
    at_us: Sequence[int]


def lives_with_ticks(facts: Facts) -> list[tuple[Life, Ticks]]:
    """Each process that started a provider's loop, with its ticks."""

    def build() -> list[tuple[Life, Ticks]]:
        found = []
        for machine, lives in facts.lives.items():
            ticks = facts.ticks_at(machine)
            for life in lives:
                if life.started is not None:
                    last = len(ticks) if life.end is None else ticks.begun_before(life.end.n)
                    found.append((life, ticks[ticks.begun_before(life.started.n) : last]))
        return found

    return facts.history.derived("lives with ticks", build) if facts.blocking else []


def goes_on_after(facts: Facts, life: Life, ticks: Ticks, event: Event) -> bool | None:
    """Whether a tick begins within one interval after `event`; None when that cannot be told."""
    allowed_us = facts.interval_us + facts.slack_us
    limit_us = deadline_us(facts, life.machine, event.at_us, allowed_us)
    turns = turns_of(facts, life, ticks)
    index = bisect_right(turns.ns, event.n)
    if index < len(turns.ns) and turns.at_us[index] <= limit_us:
        return True
    return None if limit_us > min(life.serves_until_us, facts.end_us) else False


def turns_of(facts: Facts, life: Life, ticks: Ticks) -> Turns:
    """When the loop came round: its ticks, and those that the host was made to refuse."""

    def build() -> Turns:
        refused = [
            event
            for event in facts.history.of("fault")
            if event.data.get("seam") == "dispatch" and facts.life_at(event) is life
        ]
        begins = ticks.begins
        if not refused:
            return Turns(begins.ns, begins.at_us)
        begun = zip(begins.ns, begins.at_us, strict=True)
        turns = sorted([*((event.n, event.at_us) for event in refused), *begun])
        return Turns([n for n, _ in turns], [at_us for _, at_us in turns])

    return facts.history.derived(("turns", life.boot.n), build)
