"""Where a failing run departs from the nearest run that passes.

The nearest is the same scenario with a provider of the host's own of the same kind, when that holds
it: the first difference is then the provider's own doing. Where there is none (the provider is that
one) it is the same scenario without its faults. Two runs are compared as they are told: second by
second, what was seen in each lane. Routine (ticks, heartbeats, claims that were won) counts only
when the runs are told alike, and what a provider logs is its own affair.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

from rich.text import Text

from simulator.durations import SECOND_US
from simulator.history import History
from simulator.hosts import Host
from simulator.target import Target
from simulator.telling import Teller, lane_name
from simulator.verdict import judge
from simulator.world import Run, simulate

__all__ = ["Departure", "departure_of", "find_departure"]

Seen = tuple[str, str]
"""A lane, and what was seen in it."""

_NOT_COMPARED = frozenset({"log", "fault"})  # a run without faults lacks them by intention
_ROUTINE = frozenset({"tick.begin", "heartbeat", "claim", "mark", "fire.begin", "fire.end"})


@dataclass(frozen=True, slots=True)
class Departure:
    """The first second that two runs do not have in common.

    Attributes:
        at_us: Its beginning, microseconds since the epoch.
        passing: What the passing run was.
        there: What only the passing run has in it.
        here: What only the failing run has in it.
    """

    at_us: int
    passing: str
    there: tuple[Seen, ...]
    here: tuple[Seen, ...]

    def __str__(self) -> str:
        return f"departs from {self.passing}. There {_say(self.there)}. Here {_say(self.here)}."


def find_departure(run: Run, target: Target, host: Host) -> Departure | None:
    """Where `run` departs from the nearest one that passes; None when there is none, or nowhere.

    Args:
        run: A run that is violated.
        target: Its provider, with the capabilities that it was run for.
        host: The code around it.
    """
    scenario = run.scenario
    for other in host.bundled().values():
        if other.capabilities & target.capabilities and other.label != run.target:
            passing = simulate(scenario, other, host=host)
            if judge(passing.history, scenario).verdict == "held":
                return departure_of(run.history, passing.history, f"the run of {other.label}")
    if not scenario.faults:
        return None
    bare = scenario.model_copy(update={"faults": ()})
    passing = simulate(bare, target, host=host)
    if judge(passing.history, bare).verdict == "violated":
        return None
    return departure_of(run.history, passing.history, "the run without its faults")


def departure_of(failing: History, passing: History, what: str) -> Departure | None:
    """The first second in which the two histories, as they are told, are not the same."""
    for routine in (False, True):
        here, there = (_seconds(one, routine=routine) for one in (failing, passing))
        for second in sorted(here.keys() | there.keys()):
            seen, wanted = (one.get(second, Counter[Seen]()) for one in (here, there))
            if seen != wanted:
                only = tuple(wanted - seen), tuple(seen - wanted)
                return Departure(second * SECOND_US, what, *only)
    return None


def _seconds(history: History, *, routine: bool) -> dict[int, Counter[Seen]]:
    """What was seen in each second in which anything was."""
    say, seconds = Teller(history), defaultdict[int, Counter[Seen]](Counter)
    for event in history:
        told = say.tell(event)
        if told is None and routine and event.kind in _ROUTINE:
            told = lane_name(event), f"{event.kind} {event.data.get('job', '')}".rstrip()
        if told is None or event.kind in _NOT_COMPARED:
            continue
        lane, text = told
        seen = seconds[event.at_us // SECOND_US]
        seen.update((lane, line) for line in Text.from_markup(text).plain.splitlines())
    return seconds


def _say(seen: tuple[Seen, ...]) -> str:
    lanes: dict[str, list[str]] = {}
    for lane, text in seen:
        lanes.setdefault(lane, []).append(text)
    return "; ".join(f"{lane}: {', '.join(texts)}" for lane, texts in lanes.items()) or "nothing"
