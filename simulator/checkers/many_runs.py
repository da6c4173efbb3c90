"""Runs of jobs' bodies, in some forty bytes each.

A run is half a kilobyte as an object, with the two events that it is made of, and a job that comes
each hour runs 8,760 times a year.
"""

from __future__ import annotations

from array import array
from typing import Any

from simulator.checkers.happened import BodyRun
from simulator.checkers.many import Made
from simulator.event import Event

__all__ = ["Runs"]

_new = tuple.__new__


class Runs(Made[BodyRun]):
    """Runs, by their beginning; of their events all but the number of the run is kept.

    Attributes:
        died: How the machines of those ended that came to no end, by place.
    """

    __slots__ = ("_begins", "_ends", "died")

    def __init__(self) -> None:
        """None yet."""
        self._begins, self._ends = _Seen(), _Seen()
        self.died: dict[int, Event] = {}

    def begun(self, event: Event) -> int:
        """Take in the next run; its place."""
        self._ends.leave()
        place = self._begins.leave()
        self._begins.put(place, event)
        return place

    def ended(self, place: int, event: Event) -> None:
        """A run came to its end."""
        self._ends.put(place, event)

    def make(self, place: int) -> BodyRun:
        """See `Made`."""
        begin = self._begins.event(place)
        end = self._ends.event(place) if self._ends.ns[place] >= 0 else None
        return BodyRun(begin.data["job"], begin, end, self.died.get(place))

    def __len__(self) -> int:
        return len(self._begins.ns)


class _Seen:
    """Events, place by place, and what they say once; -1 is the number where there is none."""

    __slots__ = ("_at_us", "_places", "_said", "_which", "ns")

    def __init__(self) -> None:
        self.ns, self._at_us, self._which = array("i"), array("q"), array("i")
        self._said: list[tuple[str, str, dict[str, Any]]] = []
        self._places: dict[str, int] = {}

    def leave(self) -> int:
        """One more place, and nothing there yet."""
        for column in (self.ns, self._at_us, self._which):
            column.append(-1)
        return len(self.ns) - 1

    def put(self, place: int, event: Event) -> None:
        """The event at a place."""
        data = {key: value for key, value in event.data.items() if key != "run"}
        text = repr((event.machine, data))  # tells True from 1
        which = self._places.setdefault(text, len(self._said))
        if which == len(self._said):
            self._said.append((event.machine, event.kind, data))
        self.ns[place], self._at_us[place], self._which[place] = event.n, event.at_us, which

    def event(self, place: int) -> Event:
        """The event at a place again."""
        machine, kind, data = self._said[self._which[place]]
        return _new(Event, (self.ns[place], self._at_us[place], machine, kind, data))
