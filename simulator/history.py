"""The history: every observable thing of one simulated run, in order, as data.

One event is one line of canonical JSON: sorted keys, compact, ASCII. The lines are what is compared
byte for byte between runs, so they hold only what is the same on every Python and every hash seed:
strings, integers, booleans, null, lists and objects. Instants are microseconds since the epoch (`t`
on the line, `..._us` in data) or ISO 8601 in UTC. Texts that differ from version to version
(messages, tracebacks, what a status said in full) are kept beside their line and never enter the
bytes.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Self, TypeVar, cast

from simulator.event import Event, HistoryError, encode
from simulator.packing import BLOCK, Block, Columns, Picked, Row, Shelf, columns_of

__all__ = ["FORMAT", "PLAIN", "PLAIN_IF_SHORT", "History"]

FORMAT = 1
"""The version of the line format; stands in the first line of every history."""

PLAIN = 4 * BLOCK
"""So many events are kept as they are; a longer history is folded block by block behind them."""

PLAIN_IF_SHORT = 20 * BLOCK
"""As `PLAIN`, of a run that its header says to end within `SHORT_US`: some 35 MiB, which a run of
months has no room for, in place of the time that folding and unfolding take."""

SHORT_US = 14 * 86_400 * 1_000_000

_AT_ONCE = 2  # blocks that are folded when another one is full: little by little, but fewer stay

_new = tuple.__new__  # past the generated constructor: twice as fast, and worlds append millions

T = TypeVar("T")


class History:
    """An append-only record of events, with texts beside it.

    Appending costs under half a microsecond: nothing is checked, encoded or even made an `Event`
    until somebody looks. What is old in a long one is folded (`simulator.packing`).
    """

    __slots__ = (
        "_blocks", "_derived", "_first", "_indexed", "_picked", "_places", "_room", "_rows",
        "_shelf", "_texts", "header", "now_us",
    )  # fmt: skip

    def __init__(
        self, header: Mapping[str, Any] | None = None, now_us: Callable[[], int] = lambda: 0
    ) -> None:
        """Start an empty history.

        Args:
            header: What the run was: scenario, zone, start, horizon_us, tzdata version, provider
                label, capabilities, interval_s. It is the first line; complete it before that.
            now_us: Gives the instant that an event is stamped with.
        """
        self.header: dict[str, Any] = dict(header or {})
        self.now_us = now_us
        self._blocks: list[Block] = []
        self._rows: list[Row | Event] = []  # behind the blocks; events as far as somebody looked
        self._first = 0  # the number of the first of them
        horizon_us = self.header.get("horizon_us")
        short = isinstance(horizon_us, int) and horizon_us <= SHORT_US
        self._room = PLAIN_IF_SHORT if short else PLAIN
        self._shelf = Shelf()
        self._picked: dict[tuple[str, ...], tuple[int, Picked]] = {}
        self._texts: dict[int, str] = {}
        self._places: dict[str, list[int]] = {}  # where the rows of a kind are
        self._indexed = 0
        self._derived: dict[object, tuple[int, Any]] = {}

    def append(self, kind: str, machine: str, /, *, text: str | None = None, **data: Any) -> int:
        """Record one event at the present instant and return its number.

        Args:
            kind: From the vocabulary.
            machine: Where it was seen.
            text: What people want to read and machines must not compare.
            **data: JSON values; the caller hands over what it will not change later.
        """
        rows = self._rows
        n = self._first + len(rows)
        if text is not None:
            self._texts[n] = text
        rows.append((self.now_us(), machine, kind, data))
        if len(rows) > self._room:
            self._fold()
        return n

    def put(self, at_us: int, machine: str, kind: str, data: dict[str, Any]) -> None:
        """Record one event at the present instant, which the caller knows: what comes at each tick.

        Args:
            at_us: The present instant.
            machine: Where it was seen.
            kind: From the vocabulary.
            data: JSON values; never changed later, so that one may serve for many events.
        """
        rows = self._rows
        rows.append((at_us, machine, kind, data))
        if len(rows) > self._room:
            self._fold()

    def _take(self, event: Event) -> None:
        """Go on with an event that has its number and instant already."""
        self._rows.append(event)
        if len(self._rows) > self._room:
            self._fold()

    def _events(self, places: Iterable[int]) -> list[Event]:
        """The events of these rows."""
        rows, first, found = self._rows, self._first, []
        for place in places:
            row = rows[place]
            if type(row) is not Event:
                rows[place] = row = _new(Event, (first + place, *row))
            found.append(row)
        return found

    def _fold(self) -> None:
        """Fold what is old; the last block's worth stays as it is, for those who look back."""
        rows, done = self._rows, 0
        while len(rows) - done >= 2 * BLOCK and done < _AT_ONCE * BLOCK:
            first = self._first
            texts = {n: self._texts.pop(n) for n in range(first, first + BLOCK) if n in self._texts}
            self._blocks.append(Block(rows[done : done + BLOCK], first, texts))
            done += BLOCK
            self._first += BLOCK
        del rows[:done]
        self._room = len(rows) + BLOCK if len(rows) >= 2 * BLOCK else 2 * BLOCK
        self._places, self._indexed = {}, 0

    def __len__(self) -> int:
        return self._first + len(self._rows)

    def __iter__(self) -> Iterator[Event]:
        for block in self._blocks:
            yield from block.events()
        yield from self._events(range(len(self._rows)))

    def __getitem__(self, n: int) -> Event:
        place = (n if n >= 0 else len(self) + n) - self._first
        if 0 <= place < len(self._rows):
            return self._events((place,))[0]
        return self._pick(())[n]

    def of(self, *kinds: str) -> Sequence[Event]:
        """The events of these kinds, in order. The index grows with the history."""
        if self._blocks:
            return self._pick(kinds)
        return list(self.derived(("of", kinds), lambda: self._plain(kinds)))

    def _pick(self, kinds: tuple[str, ...]) -> Picked:
        """Events of these kinds (all, without any) of the blocks too."""
        kept = self._picked.get(kinds)
        if kept is None or kept[0] != len(self):
            some = tuple(dict.fromkeys(kinds)) or None
            tail = self._plain(some) if some else self._events(range(len(self._rows)))
            kept = (len(self), Picked(self._blocks, tail, some, self._shelf))
            self._picked[kinds] = kept
        return kept[1]

    def _plain(self, kinds: tuple[str, ...]) -> list[Event]:
        wanted = [self._index().get(kind, ()) for kind in dict.fromkeys(kinds)]
        found = wanted[0] if len(wanted) == 1 else sorted(chain(*wanted))
        return self._events(found)

    def _index(self) -> Mapping[str, Sequence[int]]:
        """Where the rows of each kind are."""
        places = self._places
        for place in range(self._indexed, len(self._rows)):
            places.setdefault(self._rows[place][-2], []).append(place)
        self._indexed = len(self._rows)
        return places

    def columns(self, kind: str) -> Iterator[Columns]:
        """The events of one kind, in order, some at a time, as columns; no event is made of them.

        For who looks at very many of them.
        """
        for block in self._blocks:
            yield from block.columns(kind)
        places = self._index().get(kind, ())
        if places:
            rows, first = [self._rows[place] for place in places], self._first
            at_us, machines, data = columns_of(rows)
            yield [first + place for place in places], at_us, machines, data

    def text(self, n: int) -> str | None:
        """The text kept beside event `n`, or None."""
        if n >= self._first or n < 0:
            return self._texts.get(n)
        return self._blocks[n // BLOCK].text(n)

    def derived(self, key: object, build: Callable[[], T]) -> T:
        """What `build` gives, kept until the history grows. So judges share what they compute."""
        kept = self._derived.get(key)
        if kept is None or kept[0] != len(self):
            kept = (len(self), build())
            self._derived[key] = kept
        return cast("T", kept[1])

    def lines(self) -> Iterator[str]:
        """The canonical lines: the header first, then one line an event, without line ends."""
        try:
            yield encode({"history": FORMAT, **self.header})
        except (TypeError, ValueError) as error:
            raise HistoryError(f"the header holds what JSON does not have: {error}") from error
        for event in self:
            yield event.line()

    def to_bytes(self) -> bytes:
        """All lines, each with a line feed: what two equal runs have equal."""
        return "".join(f"{line}\n" for line in self.lines()).encode("ascii")

    def digest(self) -> str:
        """SHA-256 of the bytes, in hexadecimal, without building them at once."""
        total = hashlib.sha256()
        for line in self.lines():
            total.update(line.encode("ascii") + b"\n")
        return total.hexdigest()

    @classmethod
    def from_lines(cls, lines: Iterable[str]) -> Self:
        """Read a history back from its lines. Texts are not in lines, so they are gone.

        Raises:
            HistoryError: Not a history, another format, or a gap in the numbers; names the line.
        """
        history: Self | None = None
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            body = _object(line, number)
            if history is None:
                history = cls(_header(body))
            else:
                history._take(_event(body, len(history), number))
        if history is None:
            raise HistoryError("an empty history: not even a header line")
        return history


def _object(line: str, number: int) -> dict[str, Any]:
    """One line as a JSON object."""
    try:
        body = json.loads(line)
    except json.JSONDecodeError as error:
        raise HistoryError(f"line {number}: not JSON ({error.msg}); was it cut off?") from error
    if not isinstance(body, dict):
        raise HistoryError(f"line {number}: not a JSON object")
    return body


def _header(body: dict[str, Any]) -> dict[str, Any]:
    """The header from the first line."""
    found = body.pop("history", None)
    if found != FORMAT:
        raise HistoryError(f"line 1: format {found!r}, this version reads {FORMAT}")
    return body


def _event(body: dict[str, Any], expected: int, number: int) -> Event:
    """One event from its line."""
    try:
        n, at_us, machine, kind = (body.pop(key) for key in ("n", "t", "m", "k"))
    except KeyError as error:
        raise HistoryError(f"line {number}: no {error.args[0]!r}, so this is no event") from error
    if n != expected:
        raise HistoryError(f"line {number}: event {n} where {expected} was due; a line is missing")
    return Event(n, at_us, machine, kind, body)
