"""Old events of a long history, folded: what repeats is kept once, and nothing is lost.

An idle ticker says the same seven things each minute, a year of it 3.8 million. Plain, an event
takes 430 bytes; in a block of some thousand, kind by kind and compressed, it takes 10. A reader
gets the same events as ever and never sees a block: the lines of a history do not change by it.
"""

import marshal
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain, repeat
from operator import itemgetter, sub
from typing import Any, overload

from simulator.event import Event
from simulator.told_times import restored, shortened

__all__ = ["BLOCK", "ROOM", "Block", "Columns", "Picked", "Row", "Shelf", "columns_of"]

BLOCK = 4096
"""How many events one block holds."""

ROOM = 4 * 2**20
"""How many bytes, by estimate, the events that are held unfolded take at most."""

Row = tuple[int, str, str, dict[str, Any]]
"""An event without its number: when, where, its kind, its data."""

Columns = tuple[Sequence[int], Sequence[int], Sequence[str], Sequence[dict[str, Any]]]
"""The numbers, instants, machines and data of events, place by place."""

Kinds = tuple[str, ...] | None
"""The kinds of events that are asked for; None for all."""

_FAST = 1  # zlib: a better level saves a tenth and takes twice as long
_EACH, _TIMES = 150, 6  # bytes of an event unfolded: so many, and so often its plain form

_TEXT = "content"  # of an evidence file, by its signal
_TEXTS = (str, type(None))

_new = tuple.__new__
_number = itemgetter(0)


class Block:
    """Events that follow each other, and the texts beside them."""

    __slots__ = ("_groups", "_texts")

    def __init__(self, rows: Sequence[Row | Event], first: int, texts: dict[int, str]) -> None:
        """Fold `rows`, of which the first has the number `first`.

        `texts` are those of them that have one, by number.
        """
        groups: dict[str, list[int]] = {}
        for place, row in enumerate(rows):
            groups.setdefault(row[-2], []).append(place)
        self._groups = {
            kind: _folded(places, [rows[place] for place in places], first)
            for kind, places in groups.items()
        }
        self._texts = zlib.compress(marshal.dumps(texts), _FAST) if texts else b""

    def count(self, kinds: Sequence[str]) -> int:
        """How many events of these kinds there are."""
        return sum(self._groups[kind][0] for kind in kinds if kind in self._groups)

    def weight(self, kinds: Kinds = None) -> int:
        """About how many bytes the events of these kinds, of all without any, take unfolded."""
        wanted = self._groups if kinds is None else kinds
        return sum(self._groups[kind][2] for kind in wanted if kind in self._groups)

    def events(self, kinds: Kinds = None) -> list[Event]:
        """The events of these kinds, of all without any, in order."""
        found = [
            _unfolded(kind, self._groups[kind][1])
            for kind in (self._groups if kinds is None else kinds)
            if kind in self._groups
        ]
        return found[0] if len(found) == 1 else sorted(chain(*found), key=_number)

    def columns(self, kind: str) -> Iterator[Columns]:
        """The events of one kind as columns; nothing where there is none."""
        if kind in self._groups:
            folded = self._groups[kind][1]
            if isinstance(folded, list):
                ns, at_us, machines, _, data = zip(*folded, strict=True)
                yield ns, at_us, machines, data
            else:
                yield _columns(folded)

    def text(self, n: int) -> str | None:
        """The text beside event `n`, or None."""
        texts: dict[int, str] = marshal.loads(zlib.decompress(self._texts)) if self._texts else {}  # noqa: S302 - our own bytes
        return texts.get(n)


def _folded(
    places: list[int], rows: list[Row | Event], first: int
) -> tuple[int, bytes | list[Event], int]:
    """How many events of one kind, all of them in few bytes, and what they take unfolded."""
    at_us, machines, data = columns_of(rows)
    ns = [first + place for place in places]
    rest, texts = _apart(at_us, data)
    try:
        plain = marshal.dumps((_steps(ns), _steps(at_us), machines, rest, texts))
    except (
        ValueError,
        OverflowError,
    ):  # no JSON value: `Event.line` says which
        events = [_new(Event, (n, *row[-4:])) for n, row in zip(ns, rows, strict=True)]
        return len(ns), events, _EACH * len(ns)
    size = len(plain) + (sum(len(one[_TEXT] or "") for one in data) if texts else 0)
    return len(ns), zlib.compress(plain, _FAST), _EACH * len(ns) + _TIMES * size


def _apart(
    at_us: list[int], data: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[str | None] | None]:
    """What events say, and apart from it the texts of the evidence files that they are about."""
    if not all(next(reversed(one), None) == _TEXT for one in data):  # put back, it is the last
        return data, None
    texts = [one[_TEXT] for one in data]
    short = shortened(at_us, texts) if all(type(one) in _TEXTS for one in texts) else None
    if short is None:
        return data, None
    same: dict[str, dict[str, Any]] = {}
    rest = [{key: one[key] for key in one if key != _TEXT} for one in data]
    return [same.setdefault(repr(one), one) for one in rest], short


def columns_of(
    rows: Sequence[Row | Event],
) -> tuple[list[int], list[str], list[dict[str, Any]]]:
    """The instants, machines and data of rows. A `zip` of them would make an object for each."""
    return [row[-4] for row in rows], [row[-3] for row in rows], [row[-1] for row in rows]


def _unfolded(kind: str, folded: bytes | list[Event]) -> list[Event]:
    if isinstance(folded, list):
        return folded
    ns, at_us, machines, data = _columns(folded)
    rows = zip(ns, at_us, machines, repeat(kind), data, strict=False)
    return [_new(Event, row) for row in rows]


def _columns(folded: bytes) -> Columns:
    ns, steps, machines, rest, texts = marshal.loads(zlib.decompress(folded))  # noqa: S302 - our own bytes
    at_us = [*_sums(steps)]
    if texts is not None:
        pairs = zip(rest, restored(at_us, texts), strict=True)
        rest = [{**one, _TEXT: text} for one, text in pairs]
    return [*_sums(ns)], at_us, machines, rest


def _steps(numbers: Sequence[int]) -> bytes:
    """Integers as what each adds to the one before: of a ticker, the same again and again."""
    return array("q", [numbers[0], *map(sub, numbers[1:], numbers)]).tobytes()


def _sums(steps: bytes) -> Iterator[int]:
    """The integers again."""
    return accumulate(array("q", steps))


class Shelf:
    """What was unfolded last, up to `ROOM` bytes: who looks here and there unfolds it once."""

    def __init__(self) -> None:
        """An empty one."""
        self._held: dict[tuple[Block, Kinds], list[Event]] = {}
        self._size = 0

    def events(self, block: Block, kinds: Kinds) -> list[Event]:
        """As `Block.events`."""
        found = self._held.pop((block, kinds), None)
        if found is None:
            found = block.events(kinds)
            self._size += block.weight(kinds)
            while self._size > ROOM and self._held:
                oldest = next(iter(self._held))
                del self._held[oldest]
                self._size -= oldest[0].weight(oldest[1])
        self._held[block, kinds] = found
        return found


class Picked(Sequence[Event]):
    """Events of some kinds (all, without any) of a history that has blocks, looked up when asked.

    Going through many of them holds one block at a time.
    """

    def __init__(
        self, blocks: Sequence[Block], tail: Sequence[Event], kinds: Kinds, shelf: Shelf
    ) -> None:
        """Of `blocks` and then of `tail`, which holds events of the kinds only."""
        self._kinds, self._tail, self._shelf = kinds, tail, shelf
        self._blocks: list[Block] = []
        self._starts: list[int] = []
        self._size = 0
        for block in blocks:
            count = BLOCK if kinds is None else block.count(kinds)
            if count:
                self._blocks.append(block)
                self._starts.append(self._size)
                self._size += count
        self._starts.append(self._size)

    def __len__(self) -> int:
        return self._size + len(self._tail)

    def __iter__(self) -> Iterator[Event]:
        few = sum(block.weight(self._kinds) for block in self._blocks) <= ROOM // 2
        for block in self._blocks:
            kinds = self._kinds
            yield from self._shelf.events(block, kinds) if few else block.events(kinds)
        yield from self._tail

    @overload
    def __getitem__(self, index: int) -> Event: ...
    @overload
    def __getitem__(self, index: slice) -> list[Event]: ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self._at(place) for place in range(*index.indices(len(self)))]
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexError(f"event {index} of {len(self)}")
        return self._at(place)

    def _at(self, place: int) -> Event:
        if place >= self._size:
            return self._tail[place - self._size]
        at = bisect_right(self._starts, place) - 1
        return self._shelf.events(self._blocks[at], self._kinds)[place - self._starts[at]]
