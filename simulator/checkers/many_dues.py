"""Occurrences and what became of them, in some forty bytes each."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from simulator.checkers.dues import Due, Outcome
from simulator.checkers.happened import BodyRun
from simulator.checkers.many import FEW, Made

__all__ = ["Dues", "settled"]

_OUTCOMES = tuple(Outcome)
_AGAIN, _MANUAL, _OPTIONAL = 16, 32, 64  # above the place of the outcome
_OUTCOME = _AGAIN - 1
_NONE = -1


def settled(dues: Sequence[Due], runs: Sequence[BodyRun]) -> Sequence[Due]:
    """The occurrences of a job, of which nothing will change any more, and its runs."""
    return dues if len(dues) <= FEW else Dues(dues, runs)


class Dues(Made[Due]):
    """Occurrences of one job. What is changed in one is lost."""

    __slots__ = ("_asked", "_at_us", "_deadlines", "_flags", "_job", "_next", "_ran", "_runs",
                 "_segments")  # fmt: skip

    def __init__(self, dues: Sequence[Due], runs: Sequence[BodyRun]) -> None:
        """Some at least, of which `runs` are the job's."""
        place = {run.begin.n: place for place, run in enumerate(runs)}
        self._job, self._runs = dues[0].job, runs
        self._at_us = array("q", (due.at_us for due in dues))
        self._deadlines = array("q", (due.deadline_us for due in dues))
        self._next = array("q", (due.next_us for due in dues))
        self._segments = array("i", (due.segment for due in dues))
        self._asked = array("q", (due.asked_n for due in dues))
        self._ran = array(
            "i", (_NONE if due.run is None else place[due.run.begin.n] for due in dues)
        )
        self._flags = bytes(map(_flags, dues))

    def make(self, place: int) -> Due:
        """See `Made`."""
        flags, ran = self._flags[place], self._ran[place]
        return Due(
            self._job,
            self._at_us[place],
            self._segments[place],
            self._deadlines[place],
            self._next[place],
            flags & _OPTIONAL != 0,
            flags & _AGAIN != 0,
            flags & _MANUAL != 0,
            self._asked[place],
            None if ran == _NONE else self._runs[ran],
            _OUTCOMES[flags & _OUTCOME],
        )

    def __len__(self) -> int:
        return len(self._at_us)


def _flags(due: Due) -> int:
    flags = _OPTIONAL * due.optional | _AGAIN * due.again | _MANUAL * due.manual
    return flags | _OUTCOMES.index(due.outcome)
