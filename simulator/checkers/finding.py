"""What a checker gives: held, violated or unknown, with the lines that prove it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from simulator.event import Event
from simulator.history import History
from simulator.scenario import Scenario

__all__ = ["Checker", "Finding", "Judgement", "Verdict"]

Verdict = Literal["held", "violated", "unknown"]
_MOST_LINES = 12
_MANY = 1000  # more events than that are not kept, only counted


@dataclass(frozen=True, slots=True)
class Finding:
    """The verdict on one requirement for one history.

    Attributes:
        id: The requirement, such as "TICK-2".
        verdict: Held, violated, or unknown (its case never came up, or cannot be told).
        reason: One sentence: which job, which occurrence, what was expected and what was seen.
        lines: Numbers of the events that prove it.
        reached: Whether the case that the requirement speaks of came up at all.
    """

    id: str
    verdict: Verdict
    reason: str
    lines: tuple[int, ...] = ()
    reached: bool = False


Checker = Callable[[History, Scenario], Finding]
"""Pure: the same history and scenario give the same finding, and nothing else happens."""


class Judgement:
    """Collects what speaks about one requirement while a checker reads a history.

    A violation counts whether or not the requirement's case was marked as reached; "held" needs the
    case to have been reached at least once.
    """

    def __init__(self, requirement: str, never: str) -> None:
        """Judge `requirement`; `never` says what did not come up when nothing is reached."""
        self._id = requirement
        self._never = never
        self._times = 0
        self._reached: list[int] = []  # the first of them at least
        self._reasons: list[str] = []
        self._lines: list[int] = []

    def reached(self, *events: Event | None) -> None:
        """Its case came up, as these events show."""
        self.reached_at(next((event.n for event in events if event is not None), 0))

    def reached_at(self, n: int) -> None:
        """As `reached`, by the number of the event."""
        self._times += 1
        self._reached.append(n)
        if len(self._reached) > _MANY:
            self._reached = sorted(set(self._reached))[:_MOST_LINES]

    def violated(self, reason: str, *events: Event | None) -> None:
        """It does not hold, as these events show."""
        self._reasons.append(reason)
        self._lines.extend(event.n for event in events if event is not None)

    def finding(self) -> Finding:
        """The verdict over everything that was collected."""
        if self._reasons:
            more = f" (and {len(self._reasons) - 1} more)" if len(self._reasons) > 1 else ""
            lines = tuple(sorted(set(self._lines))[:_MOST_LINES])
            return Finding(self._id, "violated", self._reasons[0] + more, lines, reached=True)
        if not self._reached:
            return Finding(self._id, "unknown", self._never)
        times = "once" if self._times == 1 else f"{self._times} times"
        lines = tuple(sorted(set(self._reached))[:_MOST_LINES])
        return Finding(self._id, "held", f"its case came up {times}", lines, reached=True)
