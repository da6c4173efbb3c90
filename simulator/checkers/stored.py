"""What the store was told of one job: few commits as they are, many folded to some bytes each.

A job that comes each hour is stored 26,000 times in a year, each time as a record of 25 fields. All
of them at once would be what judging such a run mostly holds. Of neighbours nearly all fields are
the same: some dozen at a time are kept field by field, and made again when they are looked at.
"""

from __future__ import annotations

import marshal
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Any, overload

from simulator.event import Event

__all__ = ["CHUNK", "Record", "Stored"]

CHUNK = 64
"""So many commits are folded at a time."""

Record = dict[str, Any] | None
"""A job as it was stored; None where it was deleted."""

_FAST = 1  # zlib

_new = tuple.__new__


class Stored(Sequence[tuple[Event, Record]]):
    """The commits of one job in order, each with the record that it stored.

    Of the data of an event that was folded, who wrote it is left ("by").

    Attributes:
        ns: The numbers of the events.
        at_us: Their instants.
    """

    __slots__ = ("_chunks", "_held", "_plain", "_said", "_which", "at_us", "ns")

    def __init__(self) -> None:
        """None yet."""
        self.ns, self.at_us = array("q"), array("q")
        self._plain: list[tuple[Event, Record]] = []  # behind the chunks
        self._chunks: list[bytes | list[Record]] = []
        self._said: list[tuple[str, str, dict[str, Any]]] = []  # machine, kind, data; few
        self._which = array("i")
        self._held: tuple[int, list[Record]] = (-1, [])

    def append(self, event: Event, record: Record) -> None:
        """Take in the next commit."""
        self.ns.append(event.n)
        self.at_us.append(event.at_us)
        self._plain.append((event, record))

    def fold(self) -> None:
        """Fold all but the last few."""
        plain, done = self._plain, 0
        while len(plain) - done >= CHUNK:
            some = plain[done : done + CHUNK]
            self._which.extend(self._place(event) for event, _ in some)
            self._chunks.append(_folded([record for _, record in some]))
            done += CHUNK
        del plain[:done]

    def _place(self, event: Event) -> int:
        """Where what is left of an event beside its number and instant stands."""
        data = {"by": event.data["by"]} if "by" in event.data else {}
        said = (event.machine, event.kind, data)
        if said not in self._said:
            self._said.append(said)
        return self._said.index(said)

    def before(self, n: int) -> int:
        """How many come before event `n`."""
        return bisect_left(self.ns, n)

    def until(self, n: int) -> int:
        """How many come before event `n` or with it."""
        return bisect_right(self.ns, n)

    def since(self, place: int) -> Iterator[tuple[Event, Record]]:
        """Those from this place on."""
        return map(self.__getitem__, range(place, len(self)))

    def between(self, first_n: int, last_n: int) -> Iterator[tuple[Event, Record]]:
        """Those after event `first_n` and before event `last_n`."""
        return map(self.__getitem__, range(self.until(first_n), self.before(last_n)))

    def __len__(self) -> int:
        return len(self.ns)

    def __iter__(self) -> Iterator[tuple[Event, Record]]:
        return self._all() if self._chunks else iter(self._plain)

    def _all(self) -> Iterator[tuple[Event, Record]]:
        for number, chunk in enumerate(self._chunks):
            events = map(self._event, range(number * CHUNK, (number + 1) * CHUNK))
            yield from zip(events, _unfolded(chunk), strict=True)
        yield from self._plain

    def _event(self, place: int) -> Event:
        row = (self.ns[place], self.at_us[place], *self._said[self._which[place]])
        return _new(Event, row)

    @overload
    def __getitem__(self, index: int) -> tuple[Event, Record]: ...
    @overload
    def __getitem__(self, index: slice) -> list[tuple[Event, Record]]: ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        number, within = divmod(place, CHUNK)
        if number >= len(self._chunks):
            return self._plain[place - len(self._chunks) * CHUNK]
        if self._held[0] != number:
            self._held = (number, _unfolded(self._chunks[number]))
        return self._event(place), self._held[1][within]


def _folded(records: list[Record]) -> bytes | list[Record]:
    """Records, field by field: what all of them say is kept once."""
    shapes: dict[tuple[str, ...] | None, list[int]] = {}
    for place, record in enumerate(records):
        shapes.setdefault(None if record is None else tuple(record), []).append(place)
    parts = [
        (keys, places, [_column([records[place][key] for place in places]) for key in keys or ()])  # type: ignore[index]
        for keys, places in shapes.items()
    ]
    try:
        return zlib.compress(marshal.dumps(parts), _FAST)
    except ValueError:  # no JSON value: it stays as it is
        return records


def _column(values: list[Any]) -> tuple[bool, Any]:
    """Whether all values are the same, and that one; else all of them."""
    first = values[0]
    if values.count(first) < len(values):
        return False, values
    # 1 and True are equal, text and null to nothing else.
    same = first is None or type(first) is str or len(set(map(repr, values))) == 1
    return (True, first) if same else (False, values)


def _unfolded(folded: bytes | list[Record]) -> list[Record]:
    if isinstance(folded, list):
        return folded
    records: list[Record] = [None] * CHUNK
    for keys, places, columns in marshal.loads(zlib.decompress(folded)):  # noqa: S302 - our own bytes
        if keys is not None:
            rows = zip(*(repeat(v) if same else v for same, v in columns), strict=False)
            for place, row in zip(places, rows, strict=False):
                records[place] = dict(zip(keys, row, strict=True))
    return records
