"""Store, registry and statuses, rebuilt from a history alone.

Each fold reads only events of its own kinds and needs no world: what it gives at the end equals
what the run had at the end, and what it gives before an event is what stood then.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from simulator.event import Event
from simulator.history import History
from simulator.oracle import to_us

__all__ = [
    "Arm",
    "Registry",
    "Store",
    "final_registry",
    "final_store",
    "instant_us",
    "statuses",
]

STORE_KINDS = ("store.commit", "signal", "execution", "output")
REGISTRY_KINDS = ("nas.armed", "nas.cancelled", "nas.fired", "nas.forgot")


def instant_us(text: object) -> int | None:
    """Microseconds of an ISO instant with an offset; None for anything else."""
    return _instant_us(text) if isinstance(text, str) else None


@lru_cache(maxsize=4096)
def _instant_us(text: str) -> int | None:
    """A dozen judges read the same records, one after another."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if moment.tzinfo is None else to_us(moment)


@dataclass(slots=True)
class Store:
    """The job store as its commits tell.

    Attributes:
        records: Usable records by id.
        signals: Small evidence files by name.
        signalled_us: When each was last written.
        executions: Execution records, oldest first.
        outputs: Stamps of saved outputs by job id.
    """

    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    signals: dict[str, str] = field(default_factory=dict)
    signalled_us: dict[str, int] = field(default_factory=dict)
    executions: list[dict[str, Any]] = field(default_factory=list)
    outputs: dict[str, list[str]] = field(default_factory=dict)

    def apply(self, event: Event) -> None:
        """Take in one event; kinds that are not the store's change nothing."""
        data = event.data
        if event.kind == "store.commit":
            for job_id, record in data["changes"]:
                key = job_id if isinstance(job_id, str) else json.dumps(job_id)
                if record is None:
                    self.records.pop(key, None)
                else:
                    self.records[key] = record
        elif event.kind == "signal":
            name, text = data["name"], data.get("content")
            if text is None:
                self.signals.pop(name, None)
                self.signalled_us.pop(name, None)
            else:
                self.signals[name] = text
                self.signalled_us[name] = event.at_us
        elif event.kind == "execution":
            self.executions.extend(data["records"])
        elif event.kind == "output":
            self.outputs.setdefault(data["job"], []).append(data["stamp"])


@dataclass(frozen=True, slots=True)
class Arm:
    """One armed one-shot at the registry."""

    job: str
    fire_at: str
    at_us: int | None
    event: Event

    @property
    def dedup_key(self) -> object:
        """As the agent sent it."""
        return self.event.data.get("dedup_key")


@dataclass(slots=True)
class Registry:
    """What is armed at NAS, by job."""

    armed: dict[str, Arm] = field(default_factory=dict)

    def apply(self, event: Event) -> None:
        """Take in one event; kinds that are not the registry's change nothing."""
        data = event.data
        if event.kind == "nas.armed":
            job, fire_at = data["job_id"], data["fire_at"]
            self.armed[job] = Arm(job, fire_at, instant_us(fire_at), event)
        elif event.kind == "nas.cancelled":
            self.armed.pop(data["job_id"], None)
        elif event.kind == "nas.fired":
            arm = self.armed.get(data["job_id"])
            of = data.get("armed", data.get("fire_at"))
            if arm is not None and of in {None, arm.fire_at}:
                del self.armed[data["job_id"]]
        elif event.kind == "nas.forgot":
            self.armed.clear()


def _upto(events: Iterable[Event], before: int | None) -> Iterator[Event]:
    for event in events:
        if before is not None and event.n >= before:
            return
        yield event


def final_store(history: History, *, before: int | None = None) -> Store:
    """The store at the end, or just before event `before`."""
    store = Store()
    for event in _upto(history.of(*STORE_KINDS), before):
        store.apply(event)
    return store


def final_registry(history: History, *, before: int | None = None) -> Registry:
    """The registry at the end, or just before event `before`."""
    registry = Registry()
    for event in _upto(history.of(*REGISTRY_KINDS), before):
        registry.apply(event)
    return registry


def statuses(history: History) -> list[dict[str, Any]]:
    """Every status that was asked for, in order: what it said, as data."""
    return [{"at_us": event.at_us, "n": event.n, **event.data} for event in history.of("status")]
