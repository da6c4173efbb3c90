"""The timeline: a history for people, one lane for each machine, the registry and the store.

Wall time in the scenario's zone. What is routine (clean ticks, heartbeats, unchanged statuses) is
only counted, and long quiet stretches are folded into one line.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from simulator.durations import MINUTE_US, SECOND_US, format_duration
from simulator.history import Event, History

__all__ = ["Moment", "Quiet", "excerpt_of", "lanes", "moments", "show_timeline"]

_QUIET_US = 10 * MINUTE_US
_LAST_LANES = ("nas", "store", "operator")


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
        ticks = f", {self.ticks} ticks" if self.ticks else ""
        return f"{format_duration(whole_us)} quiet{ticks}"


def lanes(history: History) -> list[str]:
    """The lanes of a history: gateways by name, then registry, store and operator if seen."""
    seen = {event.machine for event in history}
    gateways = sorted(seen - {*_LAST_LANES, "world"})
    store = {"store"} if history.of("store.commit", "store.refused") else set[str]()
    return gateways + [lane for lane in _LAST_LANES if lane in seen | store]


def moments(history: History) -> Iterator[Moment | Quiet]:
    """What a timeline shows, in order."""
    say = _Teller(history)
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


def show_timeline(history: History, console: Console) -> None:
    """Print the timeline of a history."""
    columns = lanes(history)
    zone = ZoneInfo(history.header.get("zone", "UTC"))
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="bold")
    table.add_column(f"{zone.key}", style="cyan", no_wrap=True)
    for lane in columns:
        table.add_column(lane if lane in _LAST_LANES else f"machine {lane}", overflow="fold")
    day = None
    for moment in moments(history):
        if isinstance(moment, Quiet):
            table.add_row("  ...", f"[dim]{moment}[/]", *[""] * (len(columns) - 1))
            continue
        wall = datetime.fromtimestamp(moment.at_us // SECOND_US, zone)
        if wall.date() != day:
            day = wall.date()
            table.add_row(f"[bold]{day} {wall:%a}[/]", *[""] * len(columns))
        cells = ["\n".join(moment.cells.get(lane, ())) for lane in columns]
        table.add_row(f"{wall:%H:%M:%S}", *cells)
    console.print(table)


def excerpt_of(history: History, lines: Collection[int], around: int = 2) -> Iterator[str]:
    """The notable events around some lines, as plain text; what the lines name is marked by ``>``.

    Args:
        history: The record.
        lines: Numbers of events, in any order.
        around: How many notable events to give before and after each.
    """
    say, zone = _Teller(history), ZoneInfo(history.header.get("zone", "UTC"))
    wanted = set(lines)
    told: list[tuple[bool, str]] = []
    for event in history:
        words = say.tell(event)
        if words is None and event.n not in wanted:
            continue
        lane, text = words or (event.machine, event.kind)
        wall = datetime.fromtimestamp(event.at_us // SECOND_US, zone)
        plain = Text.from_markup(text).plain.replace("\n", ", ")
        told.append((event.n in wanted, f"{wall:%a %H:%M:%S} {lane:9}{plain}"))
    marked = [index for index, (named, _) in enumerate(told) if named]
    near = {n for index in marked for n in range(index - around, index + around + 1)}
    for index, (named, text) in enumerate(told):
        if index in near:
            yield f"{'>' if named else ' '} {text}"


class _Teller:
    """Says events in words; knows what was said before, so as not to repeat it."""

    def __init__(self, history: History) -> None:
        self._zone = ZoneInfo(history.header.get("zone", "UTC"))
        self._records: dict[str, dict[str, Any]] = {}
        self._status: object = None
        self._tellers: dict[str, Callable[[Event], str | None]] = {
            "boot": lambda _: "boot",
            "crash": lambda _: "[red bold]crash[/]",
            "stopped": lambda _: "stopped",
            "stop.requested": lambda _: "asked to stop",
            "provider.raised": lambda e: f"[red]start raised {_said(e, 'error')}[/]",
            "fallback": lambda _: "[yellow]fallback to the built-in[/]",
            "tick.end": self._tick_end,
            "heartbeat": lambda e: None if e.data.get("ok", True) else "[red]heartbeat failed[/]",
            "store.commit": self._commit,
            "store.refused": lambda e: f"[red]refused: {_said(e, 'step')} {_said(e, 'reason')}[/]",
            "run.begin": lambda e: f"[green]run {e.data.get('run')}[/] {_said(e, 'job')}",
            "run.end": self._run_end,
            "claim": lambda e: None if e.data.get("won") else f"claim of {_said(e, 'job')} lost",
            "nas.deliver": self._deliver,
            "fire.answer": self._answer,
            "nas.armed": lambda e: f"armed {_said(e, 'job_id')} {self._wall(e.data['fire_at'])}",
            "nas.cancelled": lambda e: f"cancelled {_said(e, 'job_id')}",
            "nas.forgot": lambda _: "[red bold]lost its state[/]",
            "nas.call": self._call,
            "op": self._op,
            "op.end": lambda e: f"[red]{_said(e, 'error')}[/]" if e.data.get("error") else None,
            "fault": lambda e: f"[red bold]{_said(e, 'does')} at {_said(e, 'seam')}[/]",
            "log": self._log,
            "status": self._status_said,
            "not_simulated": lambda e: f"[red]not simulated: {_said(e, 'what')}[/]",
        }

    def tell(self, event: Event) -> tuple[str, str] | None:
        """The lane and the words of a notable event; None for routine."""
        teller = self._tellers.get(event.kind)
        text = teller(event) if teller is not None else None
        if text is None:
            return None
        lane = "store" if event.kind.startswith("store.") else event.machine
        return ("operator" if lane == "world" else lane), text

    def _wall(self, instant: object) -> str:
        """An ISO instant as wall time; as it is when it is none."""
        try:
            return f"{datetime.fromisoformat(str(instant)).astimezone(self._zone):%a %H:%M:%S}"
        except ValueError:
            return escape(str(instant))

    @staticmethod
    def _tick_end(event: Event) -> str | None:
        error = event.data.get("error")
        return None if error is None else f"[red]tick raised {escape(str(error))}[/]"

    def _commit(self, event: Event) -> str | None:
        told = []
        for job_id, record in event.data["changes"]:
            before = self._records.get(str(job_id))
            if record is None:
                self._records.pop(str(job_id), None)
                told.append(f"{job_id} gone")
                continue
            self._records[str(job_id)] = record
            told += [f"{escape(str(job_id))} {change}" for change in self._changes(before, record)]
        return "\n".join(told) or None

    def _changes(self, before: dict[str, Any] | None, record: dict[str, Any]) -> Iterator[str]:
        """What is notable in a new record."""
        if before is None:
            yield f"created, next {self._wall(record.get('next_run_at'))}"
            return
        claim, claimed = record.get("fire_claim"), before.get("fire_claim")
        if claim and not claimed:
            yield "claimed"
        if record.get("last_run_at") != before.get("last_run_at"):
            yield f"marked {record.get('last_status')}"
        for key in ("state", "enabled", "schedule"):
            if record.get(key) != before.get(key):
                yield f"{key} {escape(str(record.get(key)))}"
        if record.get("next_run_at") != before.get("next_run_at"):
            yield f"next {self._wall(record.get('next_run_at'))}"

    @staticmethod
    def _run_end(event: Event) -> str:
        what = f"run {event.data.get('run')} {_said(event, 'job')}"
        if event.data.get("error"):
            return f"[red]{what} raised {_said(event, 'error')}[/]"
        return f"{what} done" if event.data.get("ok") else f"[red]{what} failed[/]"

    def _deliver(self, event: Event) -> str:
        again = "" if event.data.get("attempt", 1) == 1 and not event.data.get("copy") else " again"
        return f"[blue]fires{again}[/] {_said(event, 'job')} {self._wall(event.data['fire_at'])}"

    @staticmethod
    def _answer(event: Event) -> str:
        data = event.data
        words = [data.get("status"), data.get("body_status"), data.get("reason")]
        return f"answers {' '.join(str(word) for word in words if word is not None)}"

    @staticmethod
    def _call(event: Event) -> str | None:
        status, reason = event.data.get("status"), event.data.get("reason")
        if isinstance(status, int) and status < 300 and reason is None:  # noqa: PLR2004  HTTP
            return None
        said = " ".join(str(word) for word in (status, reason) if word is not None)
        about = f" of {_said(event, 'job_id')}" if event.data.get("job_id") else ""
        return f"[red]{_said(event, 'op')}{about}: {escape(said)}[/]"

    @staticmethod
    def _op(event: Event) -> str:
        about = event.data.get("job") or event.data.get("machine") or ""
        by = f" by {event.data['by']}" if event.data.get("by") else ""
        return f"[magenta]{_said(event, 'do')} {escape(f'{about}{by}')}[/]"

    @staticmethod
    def _log(event: Event) -> str | None:
        if event.data.get("level") != "ERROR":
            return None
        return f"[yellow]logged ERROR {_said(event, 'error')}[/]"

    def _status_said(self, event: Event) -> str | None:
        says = [event.data.get("verdict"), *event.data.get("says", ())]
        if says == self._status:
            return None
        self._status = says
        return f"[italic]status: {escape(', '.join(str(word) for word in says))}[/]"


def _said(event: Event, key: str) -> str:
    """A value of an event, safe to print as markup; nothing when it is not there."""
    value = event.data.get(key)
    return "" if value is None else escape(str(value))
