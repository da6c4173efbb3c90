"""The claims that machines left behind when they died: to others their runs are still on.

Whether a run had begun under one, or was over and not told of, cannot be seen from outside.
"""

from bisect import bisect_left
from dataclasses import dataclass
from typing import Any

from simulator.checkers.facts import Facts
from simulator.checkers.happened import CLAIM_TTL_US, FOREVER
from simulator.checkers.wanted import commits_of
from simulator.event import Event
from simulator.fold import instant_us

__all__ = ["LeftClaim", "left_claims", "settled_us", "woken_since_us"]


@dataclass(frozen=True, slots=True)
class LeftClaim:
    """A claim of one job that stood in the store when its machine died.

    Attributes:
        taken: The commit by which it was taken.
        for_us: The occurrence that it states, or None.
        crash: The death of its machine.
        until_us: Until when it may keep the job.
    """

    taken: Event
    for_us: int | None
    crash: Event
    until_us: int


def left_claims(facts: Facts, job: str) -> list[LeftClaim]:
    """The claims on a job whose machines died with them, in order."""

    def build() -> list[LeftClaim]:
        found = (_left_by(facts, job, crash) for crash in facts.history.of("crash"))
        return [left for left in found if left is not None]

    return facts.history.derived(("left claims", job), build)


def _left_by(facts: Facts, job: str, crash: Event) -> LeftClaim | None:
    """The claim that a machine had on the job when it died, or None."""
    stored = commits_of(facts, job)
    index = stored.before(crash.n) - 1
    claim = _claim_in(stored[index][1]) if index >= 0 else {}
    if str(claim.get("by")).rpartition(":")[0] != crash.machine:
        return None
    while index and _claim_in(stored[index - 1][1]).get("by") == claim["by"]:
        index -= 1
    for_us = instant_us(claim.get("occurrence"))
    return LeftClaim(stored[index][0], for_us, crash, settled_us(facts, crash))


def _claim_in(record: dict[str, Any] | None) -> dict[str, Any]:
    claim = (record or {}).get("fire_claim")
    return claim if isinstance(claim, dict) else {}


def settled_us(facts: Facts, died: Event) -> int:
    """Until when the claim of a machine that died may keep its job: its time (HOST.md), or less.

    Whoever is woken after its time can see it; so can the next process of the machine itself.
    """
    until_us = died.at_us + CLAIM_TTL_US + facts.skew_us
    if facts.blocking:
        return until_us
    back = (
        life.start_left.at_us
        for life in facts.lives.get(died.machine, ())
        if life.boot.n > died.n and life.start_left is not None
    )
    return min(woken_since_us(facts, until_us), next(back, FOREVER))


def woken_since_us(facts: Facts, at_us: int) -> int:
    """When the first occasion after an instant was over; FOREVER without one."""
    index = bisect_left(facts.occasions, at_us, key=lambda occasion: occasion[0].at_us)
    return facts.occasions[index][1].at_us if index < len(facts.occasions) else FOREVER
