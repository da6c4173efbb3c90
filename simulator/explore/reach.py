"""What an exploration really tried, and whether that is enough to say "nothing found"."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from simulator.checkers import CHECKERS
from simulator.explore.looking import Seen, Struck
from simulator.verdict import applies

__all__ = ["FLOORS", "Floor", "Reach", "reach_of"]


@dataclass(frozen=True, slots=True)
class Floor:
    """A figure that an exploration must reach before its silence means something.

    Attributes:
        what: Which figure.
        seen: What it was.
        least: What it must be.
    """

    what: str
    seen: float
    least: float

    @property
    def reached(self) -> bool:
        """Whether it is enough."""
        return self.seen >= self.least


@dataclass(frozen=True, slots=True)
class Reach:
    """What was tried.

    Attributes:
        examples: How many were run.
        struck: How often each (fault, seam, phase) really struck, in examples.
        reached: In how many examples the case of each requirement came up.
        never: Requirements that speak of such a provider and whose case never came up.
        went_wrong: Examples in which anything went wrong.
        while_due: Examples in which it did while a job was due or running.
        choices: Choices of tapes that were reached and differ from first-in-first-out.
        clean: Examples that ran to their horizon, saw occurrences decided after the last fault,
            and violated nothing.
        ended: How the others ended that did not reach their horizon.
    """

    examples: int
    struck: dict[Struck, int]
    reached: dict[str, int]
    never: tuple[str, ...]
    went_wrong: int
    while_due: int
    choices: int
    clean: int
    ended: dict[str, int]

    def floors(self) -> tuple[Floor, ...]:
        """Each figure against what it must be."""
        share = self.while_due / self.examples if self.examples else 0.0
        figures = {
            "clean runs": self.clean,
            "distinct (fault, seam, phase)": len(self.struck),
            "requirements whose case came up": len(self.reached),
            "share of examples with a fault while a job was due or running": share,
            "choices other than first-in-first-out": self.choices,
        }
        return tuple(Floor(what, figures[what], least) for what, least in FLOORS.items())


FLOORS = {
    "clean runs": 60,
    "distinct (fault, seam, phase)": 40,
    "requirements whose case came up": 25,
    "share of examples with a fault while a job was due or running": 0.35,
    "choices other than first-in-first-out": 25,
}
"""What an exploration must have tried: below any of them, nothing found means nothing.

Sixty clean runs leave, at 95 in 100, less than one violation in twenty such runs (three by the
number of runs); the others are half to two thirds of what a hundred examples give with the
reference providers.
"""


def reach_of(seen: Iterable[Seen], capabilities: Collection[str]) -> Reach:
    """Add up what examples of a provider with these capabilities showed."""
    kinds = {kind: kind in capabilities for kind in ("blocking", "external")}
    all_seen = list(seen)
    struck = Counter(one for each in all_seen for one in each.struck)
    reached = Counter(one for each in all_seen for one in each.reached)
    ended = Counter(each.ended for each in all_seen if each.ended != "horizon")
    return Reach(
        examples=len(all_seen),
        struck=dict(sorted(struck.items())),
        reached={name: reached[name] for name in CHECKERS if name in reached},
        never=tuple(name for name in CHECKERS if name not in reached and applies(name, **kinds)),
        went_wrong=sum(each.went_wrong for each in all_seen),
        while_due=sum(each.while_due for each in all_seen),
        choices=sum(each.choices for each in all_seen),
        clean=sum(each.clean for each in all_seen),
        ended=dict(sorted(ended.items())),
    )
