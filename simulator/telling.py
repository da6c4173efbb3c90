"""An event in a few words, for people: in which lane it stands, and what it says there.

What is routine (clean ticks, heartbeats, unchanged statuses) is not told.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.markup import escape

from simulator.durations import SECOND_US
from simulator.event import Event
from simulator.history import History

__all__ = ["Teller", "lane_name", "wall_time"]

_WEEK = 7  # days in which a weekday's name is enough


def wall_time(at_us: int, zone: ZoneInfo) -> datetime:
    """An instant as wall time, to the second."""
    return datetime.fromtimestamp(at_us // SECOND_US, zone)


def lane_name(event: Event) -> str:
    """The lane that an event stands in; what concerns the whole run stands with the operator."""
    lane = "store" if event.kind.startswith("store.") else event.machine
    return "operator" if lane == "world" else lane


class Teller:
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
            "nas.armed": lambda e: f"armed {_said(e, 'job_id')} {self._wall(e.data['fire_at'], e)}",
            "nas.cancelled": lambda e: f"cancelled {_said(e, 'job_id')}",
            "nas.forgot": lambda _: "[red bold]lost its state[/]",
            "nas.call": self._call,
            "op": self._op,
            "op.end": lambda e: f"[red]{_said(e, 'error')}[/]" if e.data.get("error") else None,
            "fault": lambda e: f"[red bold]{_said(e, 'does')} at {_said(e, 'seam')}[/]",
            "log": self._log,
            "status": self._status_said,
            "task.leaked": lambda e: f"[red]{_said(e, 'task')} never ends[/]",
            "not_simulated": lambda e: f"[red]not simulated: {_said(e, 'what')}[/]",
        }

    def tell(self, event: Event) -> tuple[str, str] | None:
        """The lane and the words of a notable event; None for routine."""
        teller = self._tellers.get(event.kind)
        text = teller(event) if teller is not None else None
        if text is None:
            return None
        return lane_name(event), text

    def _wall(self, instant: object, seen: Event) -> str:
        """An ISO instant as wall time, no longer than needed beside `seen`; garbage as it is."""
        try:
            moment = datetime.fromisoformat(str(instant))
        except ValueError:
            return escape(str(instant))
        if moment.tzinfo is None:
            return escape(str(instant))
        moment, now = moment.astimezone(self._zone), wall_time(seen.at_us, self._zone)
        days = (moment.date() - now.date()).days
        day = "" if not days else "%a " if abs(days) < _WEEK else "%Y-%m-%d "
        return f"{moment:{day}%H:%M{':%S' if moment.second else ''}}"

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
            changes = self._changes(before, record, event)
            told += [f"{escape(str(job_id))} {change}" for change in changes]
        return "\n".join(told) or None

    def _changes(
        self, before: dict[str, Any] | None, record: dict[str, Any], event: Event
    ) -> Iterator[str]:
        """What is notable in a new record."""
        if before is None:
            yield f"created, {self._next(record, event)}"
            return
        claim, claimed = record.get("fire_claim"), before.get("fire_claim")
        if claim and not claimed:
            yield "claimed"
        if record.get("last_run_at") != before.get("last_run_at"):
            yield f"marked {record.get('last_status')}"
        for key in ("state", "enabled", "schedule"):
            value = record.get(key)
            if value != before.get(key):
                said = value.get("display", value) if isinstance(value, dict) else value
                yield f"{key} {escape(str(said))}"
        if record.get("next_run_at") != before.get("next_run_at"):
            yield self._next(record, event)

    def _next(self, record: dict[str, Any], event: Event) -> str:
        next_at = record.get("next_run_at")
        return "no next time" if next_at is None else f"next {self._wall(next_at, event)}"

    @staticmethod
    def _run_end(event: Event) -> str:
        what = f"run {event.data.get('run')} {_said(event, 'job')}"
        if event.data.get("error"):
            return f"[red]{what} raised {_said(event, 'error')}[/]"
        return f"{what} done" if event.data.get("ok") else f"[red]{what} failed[/]"

    def _deliver(self, event: Event) -> str:
        again = "" if event.data.get("attempt", 1) == 1 and not event.data.get("copy") else " again"
        fire_at = self._wall(event.data["fire_at"], event)
        return f"[blue]fires{again}[/] {_said(event, 'job')} {fire_at}"

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
