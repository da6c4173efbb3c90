"""What comes by the hundred thousand, ticks and heartbeats, in some ten bytes each.

A year of one idle ticker has half a million ticks. As objects, two events and a tick each, they are
what judging such a run would mostly hold; here they are numbers and instants in arrays, beside the
few different things that they say. An event or a tick is made when one is looked at.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, overload

from simulator.checkers.evenly import Evenly
from simulator.checkers.happened import Tick
from simulator.event import Event
from simulator.history import History

__all__ = ["NO_END", "Ticks", "Track", "tracks_of"]

_BYTE = 256  # so many different things a byte tells apart

NO_END = -1
"""The number of an end that never came."""


class _Said:
    """What events say, each thing once."""

    __slots__ = ("_places", "all")

    def __init__(self) -> None:
        self.all: list[dict[str, Any]] = []
        self._places: dict[str, int] = {}

    def places(self, data: Sequence[dict[str, Any]]) -> list[int]:
        """Where each of these stands."""
        seen: dict[int, int] = {}  # by id, while `data` holds them: most are the very same one
        return [seen[id(one)] if id(one) in seen else self._place(one, seen) for one in data]

    def _place(self, one: dict[str, Any], seen: dict[int, int]) -> int:
        text = repr(one)  # tells True from 1
        place = self._places.setdefault(text, len(self.all))
        if place == len(self.all):
            self.all.append(one)
        seen[id(one)] = place
        return place


class Track(Sequence[Event]):
    """Events of one kind at one machine, in order.

    Attributes:
        ns: Their numbers.
        at_us: Their instants.
    """

    __slots__ = ("_said", "_which", "at_us", "kind", "machine", "ns")

    def __init__(self, machine: str, kind: str, said: _Said | None = None) -> None:
        """None yet. `said` takes what they say; tracks may share it."""
        self.machine, self.kind = machine, kind
        self.ns, self.at_us = array("i"), Evenly()
        self._said = _Said() if said is None else said
        self._which = array("B")

    def extend(
        self, ns: Sequence[int], at_us: Sequence[int], data: Sequence[dict[str, Any]]
    ) -> None:
        """Add events."""
        self.ns.extend(ns)
        self.at_us.extend(at_us)
        places = self._said.places(data)
        if len(self._said.all) > _BYTE and self._which.typecode == "B":
            self._which = array("i", self._which)
        self._which.extend(places)

    def flags(self, holds: Callable[[dict[str, Any]], bool]) -> bytes:
        """For each event 1 when it says something of which this holds, else 0."""
        said = [holds(data) for data in self._said.all]
        return bytes([said[which] for which in self._which]) if any(said) else bytes(len(self))

    def where(self, holds: Callable[[dict[str, Any]], bool]) -> list[int]:
        """The places of the events that say something of which this holds."""
        flags = self.flags(holds)
        return [place for place, flag in enumerate(flags) if flag] if 1 in flags else []

    def part(self, places: slice) -> Track:
        """Some of them."""
        part = Track(self.machine, self.kind, self._said)
        part.ns, part.at_us = self.ns[places], self.at_us[places]
        part._which = self._which[places]
        return part

    def pick(self, places: Iterable[int]) -> Track:
        """The events at these places; none, with the number -1, where a place is -1."""
        part = Track(self.machine, self.kind, self._said)
        part._which = array(self._which.typecode)
        at_us = array("q")
        for place in places:
            there = place != NO_END
            part.ns.append(self.ns[place] if there else NO_END)
            at_us.append(self.at_us[place] if there else 0)
            part._which.append(self._which[place] if there else 0)
        part.at_us.extend(at_us)
        return part

    def __len__(self) -> int:
        return len(self.ns)

    @overload
    def __getitem__(self, index: int) -> Event: ...
    @overload
    def __getitem__(self, index: slice) -> list[Event]: ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        n, at_us, which = self.ns[index], self.at_us[index], self._which[index]
        return Event(n, at_us, self.machine, self.kind, self._said.all[which])


class Ticks(Sequence[Tick]):
    """Ticks of one gateway, in order; made of what began and, place by place, how it ended.

    Attributes:
        begins: The event that began each.
        ends: The event that ended each; its number is -1 for one that never ended.
    """

    __slots__ = ("begins", "ends")

    def __init__(self, begins: Track, ends: Track) -> None:
        """As above."""
        self.begins, self.ends = begins, ends

    @classmethod
    def paired(cls, begins: Track, ends: Track) -> Ticks:
        """Each beginning with the first end that comes before the next beginning."""
        numbers, place, pairs = ends.ns, 0, array("i")
        for n, next_n in zip(begins.ns, chain(begins.ns[1:], (1 << 62,)), strict=True):
            while place < len(numbers) and numbers[place] < n:
                place += 1
            ended = place < len(numbers) and numbers[place] < next_n
            pairs.append(place if ended else NO_END)
        one_each = len(pairs) == len(ends) and NO_END not in pairs
        return cls(begins, ends if one_each else ends.pick(pairs))

    @classmethod
    def none(cls, machine: str) -> Ticks:
        """No ticks."""
        return cls(Track(machine, "tick.begin"), Track(machine, "tick.end"))

    def failed(self) -> bytes:
        """For each tick 1 when it ended with an error, else 0."""
        return self.ends.flags(lambda data: data.get("error") is not None)

    def endless(self) -> list[int]:
        """The places of those that never ended."""
        ends = self.ends.ns
        return [p for p, n in enumerate(ends) if n == NO_END] if NO_END in ends else []

    def unclean(self) -> list[int]:
        """The places of those that ended with an error."""
        ends, failed = self.ends.ns, self.failed()
        return [place for place, flag in enumerate(failed) if flag and ends[place] != NO_END]

    def ended_before(self, place: int, n: int) -> bool:
        """Whether that one ended before event `n`."""
        return NO_END < self.ends.ns[place] < n

    def begun_before(self, n: int) -> int:
        """How many began before event `n`: the place of the last of them, and one."""
        return bisect_left(self.begins.ns, n)

    def begun_until(self, n: int) -> int:
        """As `begun_before`, event `n` itself included."""
        return bisect_right(self.begins.ns, n)

    def __len__(self) -> int:
        return len(self.begins)

    @overload
    def __getitem__(self, index: int) -> Tick: ...
    @overload
    def __getitem__(self, index: slice) -> Ticks: ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            if index.indices(len(self)) == (0, len(self), 1):
                return self
            return Ticks(self.begins.part(index), self.ends.part(index))
        ended = self.ends.ns[index] != NO_END
        return Tick(self.begins[index], self.ends[index] if ended else None)


def tracks_of(history: History, kind: str) -> dict[str, Track]:
    """The events of one kind by machine, in the order in which these first come up."""

    def build() -> dict[str, Track]:
        found: dict[str, Track] = {}
        said = _Said()
        for columns in history.columns(kind):
            for machine, (ns, at_us, data) in _by_machine(*columns):
                track = found.setdefault(machine, Track(machine, kind, said))
                track.extend(ns, at_us, data)
        return found

    return history.derived(("tracks", kind), build)


def _by_machine(
    ns: Sequence[int], at_us: Sequence[int], machines: Sequence[str], data: Sequence[dict[str, Any]]
) -> Iterable[tuple[str, tuple[Sequence[int], Sequence[int], Sequence[dict[str, Any]]]]]:
    """The columns of each machine."""
    if machines.count(machines[0]) == len(machines):
        return [(machines[0], (ns, at_us, data))]
    places: dict[str, list[int]] = {}
    for place, machine in enumerate(machines):
        places.setdefault(machine, []).append(place)
    return [
        (machine, ([ns[p] for p in mine], [at_us[p] for p in mine], [data[p] for p in mine]))
        for machine, mine in places.items()
    ]
