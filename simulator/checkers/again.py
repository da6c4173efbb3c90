"""A provision that changed nothing (RECON-2): who made it, and could that one know?"""

from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate

from simulator.checkers.facts import Facts
from simulator.checkers.finding import Judgement
from simulator.checkers.happened import FOREVER
from simulator.checkers.struck import lasts_us
from simulator.event import Event
from simulator.fold import Arm

__all__ = ["judge_provisioned_again"]


def judge_provisioned_again(facts: Facts, judgement: Judgement, arm: Arm, call: Event) -> None:
    """Judge a provision that changed nothing: fine within a fire, which arms the next unasked.

    Nor can who goes by a list that is behind know what was armed a moment ago.
    """
    within = _fires(facts).get(arm.job, _NONE).on(call, call)
    known = call.at_us - arm.event.at_us > facts.terms.list_lag_us
    unknown = _on_at_both(facts, arm.event, call) or _hung_since_before(facts, arm, call)
    if known and not within and not unknown:
        judgement.violated(
            f"job {arm.job}: armed at {arm.fire_at} and provisioned there again", arm.event, call
        )


_Moment = tuple[int, int]
"""An instant, and the number of an event in it: what happens at one instant has an order."""


class _Spans:
    """What began and ended."""

    def __init__(self, spans: Iterable[tuple[_Moment, _Moment]]) -> None:
        """Of any order."""
        ordered = sorted(spans)
        self._begun = [begin for begin, _ in ordered]
        self._last = list(accumulate((end for _, end in ordered), max))

    def on(self, first: Event, last: Event) -> bool:
        """Whether one began before an event, and went on at another that is not before it."""
        place = bisect_left(self._begun, _moment(first))
        return place > 0 and self._last[place - 1] > _moment(last)


_NONE = _Spans(())
_NEVER = (FOREVER, FOREVER)


def _moment(event: Event) -> _Moment:
    return event.at_us, event.n


def _fires(facts: Facts) -> dict[str, _Spans]:
    """The fires of each job."""

    def build() -> dict[str, _Spans]:
        found: dict[str, list[tuple[_Moment, _Moment]]] = {}
        for fire in facts.fires:
            over = _NEVER if fire.end is None else _moment(fire.end)
            found.setdefault(fire.job, []).append((_moment(fire.begin), over))
        return {job: _Spans(spans) for job, spans in found.items()}

    return facts.history.derived("fires of jobs", build)


def _on_at_both(facts: Facts, arm: Event, call: Event) -> bool:
    """Whether two replicas were at it when one armed, and still when the other provisioned.

    The one that began before the arm was made cannot have known of it.
    """
    begun = [spans for spans in _at_it(facts).values() if spans.on(arm, arm)]
    return len(begun) > 1 and any(spans.on(arm, call) for spans in begun)


def _at_it(facts: Facts) -> dict[str, _Spans]:
    """When each machine was at work on the registry: an occasion, or calls that hung in a row.

    A comparison that no occasion tells of, as after a fire that was a duplicate, shows by these.
    """

    def build() -> dict[str, _Spans]:
        found = _hung(facts)
        for begin, end in facts.occasions:
            found.setdefault(begin.machine, []).append((_moment(begin), _moment(end)))
        return {machine: _Spans(spans) for machine, spans in found.items()}

    return facts.history.derived("at work on the registry", build)


def _hung(facts: Facts) -> dict[str, list[tuple[_Moment, _Moment]]]:
    """When calls of each machine to NAS hung, those as one that followed each other at once."""
    found: dict[str, list[tuple[_Moment, _Moment]]] = {}
    for event in facts.faults:
        if event.data.get("does") == "hang" and str(event.data.get("seam")).startswith("nas."):
            begin, over = _moment(event), (event.at_us + lasts_us(facts, event), FOREVER)
            spans = found.setdefault(event.machine, [])
            if spans and event.at_us <= spans[-1][1][0]:
                begin, before = spans.pop()
                over = max(over, before)
            spans.append((begin, over))
    return found


def _hung_since_before(facts: Facts, arm: Arm, call: Event) -> bool:
    """Whether a provision was asked for before the arm was made, and hung until it was answered."""

    def build() -> dict[tuple[object, int], list[int]]:
        found: dict[tuple[object, int], list[int]] = {}
        for event in facts.faults:
            if (event.data.get("seam"), event.data.get("does")) == ("nas.provision", "hang"):
                over_us = event.at_us + lasts_us(facts, event)
                found.setdefault((event.data.get("job"), over_us), []).append(event.n)
        return found

    hung = facts.history.derived("provisions that hung", build).get((arm.job, call.at_us), [])
    return any(n < arm.event.n for n in hung)
