"""Fires that a machine refused for now because it had many under way: 503, and NAS tries again.

A host may bound what it does at once (WIRE.md: what a retry can help is 503). No fire is lost by
that; it comes as soon as others are over and NAS has tried again.
"""

from simulator.checkers.facts import Facts
from simulator.checkers.happened import NAS_BACKOFF_US, Window
from simulator.event import Event

__all__ = ["crowded_out", "full_answers"]

_ACCEPTED, _AGAIN = 202, 503
_MANY = 64
"""A bound that is lower than this would refuse what any host can do at once."""


def full_answers(facts: Facts) -> dict[int, Event]:
    """The answers, by number, that asked for a retry while many accepted fires were under way."""
    return facts.history.derived("full answers", lambda: _full_answers(facts))


def crowded_out(facts: Facts, job: str) -> list[Window]:
    """From each fire of a job that was refused so until NAS must have tried again."""

    def build() -> dict[object, list[Window]]:
        found: dict[object, list[Window]] = {}
        for answer in full_answers(facts).values():
            window = (answer.at_us, answer.at_us + NAS_BACKOFF_US)
            found.setdefault(answer.data.get("job"), []).append(window)
        return found

    return facts.history.derived("crowded out", build).get(job, [])


def _full_answers(facts: Facts) -> dict[int, Event]:
    under_way: dict[str, int] = {}
    found = {}
    for event in facts.history.of("boot", "fire.answer", "fire.end"):
        now = under_way.get(event.machine, 0)
        if event.kind == "boot":
            now = 0
        elif event.kind == "fire.end":
            now -= 1
        elif event.data.get("status") == _ACCEPTED:
            now += 1
        elif event.data.get("status") == _AGAIN and now >= _MANY:
            found[event.n] = event
        under_way[event.machine] = now
    return found
