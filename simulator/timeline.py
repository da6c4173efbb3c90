"""The timeline: a history for people, one lane for each machine, the registry and the store.

Wall time in the scenario's zone. What is routine (clean ticks, heartbeats, unchanged statuses) is
only counted, and long quiet stretches are folded into one line. Where a failing run departs from a
passing one, `SIGN` stands beside the time, with what the passing one has there.
"""

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from simulator.departure import Departure
from simulator.durations import MINUTE_US, SECOND_US, format_duration
from simulator.history import History
from simulator.telling import Teller, lane_name, wall_time

__all__ = [
    "SIGN",
    "Moment",
    "Quiet",
    "excerpt_of",
    "lanes",
    "moments",
    "say_departure",
    "show_timeline",
]

SIGN = "≠"
_QUIET_US = 10 * MINUTE_US
_LAST_LANES = ("nas", "store", "operator")
_LONGEST_WORD = 14  # "automatically," of the status: a narrower lane would break it


@dataclass(slots=True)
class Moment:
    """One second in which something notable was seen: what, by lane. The texts are rich markup."""

    at_us: int
    cells: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Quiet:
    """A folded stretch: how long, and how many ticks it had."""

    lasts_us: int
    ticks: int

    def __str__(self) -> str:
        whole_us = self.lasts_us // SECOND_US * SECOND_US
        return f"{format_duration(whole_us)} quiet"


def lanes(history: History) -> list[str]:
    """The lanes of a history: gateways by name, then registry, store and operator if seen."""
    seen = {event.machine for event in history}
    gateways = sorted(seen - {*_LAST_LANES, "world"})
    store = {"store"} if history.of("store.commit", "store.refused") else set[str]()
    return gateways + [lane for lane in _LAST_LANES if lane in seen | store]


def moments(history: History) -> Iterator[Moment | Quiet]:
    """What a timeline shows, in order."""
    say = Teller(history)
    ticks = 0
    last: Moment | None = None
    for event in history:
        ticks += event.kind == "tick.begin"
        told = say.tell(event)
        if told is None:
            continue
        lane, text = told
        if last is not None and last.at_us // SECOND_US == event.at_us // SECOND_US:
            last.cells.setdefault(lane, []).append(text)
            continue
        if last is not None:
            yield last
            if event.at_us - last.at_us >= _QUIET_US:
                yield Quiet(event.at_us - last.at_us, ticks)
        last, ticks = Moment(event.at_us, {lane: [text]}), 0
    if last is not None:
        yield last


def show_timeline(
    history: History, console: Console, *, departure: Departure | None = None
) -> None:
    """Print the timeline of a history.

    Args:
        history: The record.
        console: Where to; its width is kept.
        departure: Where it departs from a passing run (`simulator.departure.find_departure`).
    """
    rows = _Rows(history, departure)
    for moment in moments(history):
        rows.add(moment)
    rows.end()
    console.print(rows.table)
    if departure is not None:
        console.print(escape(say_departure(history, departure)), style="red")


def say_departure(history: History, departure: Departure) -> str:
    """Where a history departs from a passing one, in a sentence."""
    wall = wall_time(departure.at_us, ZoneInfo(history.header.get("zone", "UTC")))
    return f"{SIGN} {wall:%a %H:%M:%S}: {departure}"


class _Rows:
    """The table under construction: days, moments, folded quiet, and the departure in its place."""

    def __init__(self, history: History, departure: Departure | None) -> None:
        self._zone = ZoneInfo(history.header.get("zone", "UTC"))
        self._departure = departure
        self._day: date | None = None
        there = {lane for lane, _ in departure.there} if departure is not None else set[str]()
        self._lanes = lanes(history)
        self._lanes += sorted(there - set(self._lanes))
        self.table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="bold")
        self.table.add_column(self._zone.key, style="cyan", no_wrap=True)
        for lane in self._lanes:
            least = _LONGEST_WORD if lane == "operator" else None
            self.table.add_column(_heading(lane), overflow="fold", min_width=least)

    def add(self, moment: Moment | Quiet) -> None:
        """A row, and the departure before it when that comes first."""
        if isinstance(moment, Quiet):
            ticks = f"[dim]{moment.ticks} ticks[/]" if moment.ticks else ""
            self._row(f"[dim]… {moment}[/]", [ticks])
            return
        ahead_us = self._departs_us - moment.at_us // SECOND_US * SECOND_US
        if ahead_us < 0:
            self.end()
        if ahead_us == 0:
            self.end(moment.cells)
        else:
            self._timed(moment.at_us, moment.cells)

    @property
    def _departs_us(self) -> float:
        """When the departure is still to be shown; never when it is not."""
        return self._departure.at_us if self._departure is not None else math.inf

    def end(self, here: Mapping[str, list[str]] | None = None) -> None:
        """The departure, unless it was shown; `here` is what its second has in this run."""
        departure, self._departure = self._departure, None
        if departure is None:
            return
        cells = {lane: list(texts) for lane, texts in (here or {}).items()}
        for lane, text in departure.there:
            cells.setdefault(lane, []).append(f"[reverse]there:[/] {escape(text)}")
        self._timed(departure.at_us, cells, sign=f"[red bold]{SIGN}[/] ")

    def _timed(self, at_us: int, cells: Mapping[str, list[str]], sign: str = "") -> None:
        wall = wall_time(at_us, self._zone)
        if wall.date() != self._day:
            self._day = wall.date()
            self._row(f"[bold]{self._day} {wall:%a}[/]", [])
        self._row(
            f"{sign}{wall:%H:%M:%S}", ["\n".join(cells.get(lane, ())) for lane in self._lanes]
        )

    def _row(self, first: str, cells: list[str]) -> None:
        self.table.add_row(first, *cells, *[""] * (len(self._lanes) - len(cells)))


def _heading(lane: str) -> str:
    return lane if lane in _LAST_LANES else f"machine {lane}"


def excerpt_of(history: History, lines: Collection[int], around: int = 2) -> Iterator[str]:
    """The notable events around some lines, as plain text; what the lines name is marked by ``>``.

    Args:
        history: The record.
        lines: Numbers of events, in any order.
        around: How many notable events to give before and after each.
    """
    say, zone = Teller(history), ZoneInfo(history.header.get("zone", "UTC"))
    wanted = set(lines)
    told: list[tuple[bool, str]] = []
    for event in history:
        words = say.tell(event)
        if words is None and event.n not in wanted:
            continue
        lane, text = words or (lane_name(event), event.kind)
        plain = Text.from_markup(text).plain.replace("\n", ", ")
        wall = wall_time(event.at_us, zone)
        told.append((event.n in wanted, f"{wall:%a %H:%M:%S} {lane:9}{plain}"))
    marked = [index for index, (named, _) in enumerate(told) if named]
    near = {n for index in marked for n in range(index - around, index + around + 1)}
    for index, (named, text) in enumerate(told):
        if index in near:
            yield f"{'>' if named else ' '} {text}"
