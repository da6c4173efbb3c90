"""The things that happened in a history, as judges speak of them."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from simulator.durations import SECOND_US
from simulator.event import Event
from simulator.steps import Step

__all__ = [
    "CLAIM_TTL_US",
    "COMMAND",
    "EARLY_LEEWAY_US",
    "FOREVER",
    "MANY_RUNS",
    "NAS_BACKOFF_US",
    "SLACK_US",
    "BodyRun",
    "Fire",
    "Life",
    "Op",
    "Tick",
    "Window",
    "merge",
]

FOREVER = 1 << 62
SLACK_US = 5 * SECOND_US
"""What dispatch, locks and rounding may take on top of what a requirement allows."""
COMMAND = "operator"
"""The machine that is no gateway: a process of its own for each command."""
CLAIM_TTL_US = 300 * SECOND_US
"""A claim whose holder died may keep others out this long (HOST.md)."""
EARLY_LEEWAY_US = 30 * SECOND_US
"""A delivery this early is taken for its occurrence (WIRE.md)."""
NAS_BACKOFF_US = 60 * SECOND_US
"""NAS tries again at least this often (WIRE.md)."""
MANY_RUNS = 3
"""Runs at a time from which a bounded pool may be full."""

Window = tuple[int, int]
"""A span of time, [first, last] in microseconds."""


@dataclass(slots=True)
class Life:
    """One process of a gateway, from boot to its end."""

    machine: str
    boot: Event
    up: Event | None = None
    started: Event | None = None
    last_started: Event | None = None
    start_left: Event | None = None
    stop_requested: Event | None = None
    end: Event | None = None

    @property
    def up_us(self) -> int:
        """From when it serves; FOREVER when it never came up."""
        return self.up.at_us if self.up is not None else FOREVER

    @property
    def end_us(self) -> int:
        """When it ended; FOREVER when it lives."""
        return self.end.at_us if self.end is not None else FOREVER

    @property
    def end_n(self) -> int:
        """The number of the event that ended it."""
        return self.end.n if self.end is not None else FOREVER

    @property
    def serves_until_us(self) -> int:
        """When it was asked to leave, or ended."""
        asked = self.stop_requested
        return self.end_us if asked is None else min(asked.at_us, self.end_us)


@dataclass(slots=True)
class Tick:
    """One call of the host's tick."""

    begin: Event
    end: Event | None = None

    @property
    def clean(self) -> bool:
        """Whether it came to an end without an error."""
        return self.end is not None and self.end.data.get("error") is None


@dataclass(slots=True)
class BodyRun:
    """One time that a job's body ran."""

    job: str
    begin: Event
    end: Event | None = None
    died: Event | None = None

    @property
    def end_us(self) -> int:
        """When the body ended or its machine died; FOREVER when it still runs."""
        last = self.end or self.died
        return FOREVER if last is None else last.at_us

    @property
    def end_n(self) -> int:
        """The number of the event that ended it."""
        last = self.end or self.died
        return FOREVER if last is None else last.n


@dataclass(slots=True)
class Fire:
    """One call of a provider's `fire_due`, with the runs and lost claims inside it.

    Attributes:
        struck: A fault raised in its place, so that the provider was never asked.
    """

    job: str
    begin: Event
    end: Event | None = None
    runs: list[BodyRun] = field(default_factory=list)
    lost: list[Event] = field(default_factory=list)
    won: list[Event] = field(default_factory=list)
    struck: bool = False


@dataclass(slots=True)
class Op:
    """Something that the operator did to a job or to the world."""

    begin: Event
    step: Step | None
    end: Event | None = None

    @property
    def do(self) -> str:
        """What, as in `scenario.OPERATIONS`."""
        return str(self.begin.data.get("do"))

    @property
    def job(self) -> str | None:
        """The job it was about."""
        job = self.begin.data.get("job")
        return None if job is None else str(job)

    @property
    def tells_writes(self) -> bool:
        """Whether its end says which writes of the store were its own, as in every run."""
        return self.end is not None and "stored" in self.end.data

    def stored(self, write: Event) -> bool:
        """Whether its end says that a write was its own."""
        return self.tells_writes and self.may_have_stored(write)

    def may_have_stored(self, write: Event) -> bool:
        """Whether a write may be its own, by the end of it and not by when that was."""
        return self.end is None or write.n in self.end.data.get("stored", (write.n,))

    @property
    def failed(self) -> bool:
        """Whether it ended with an error."""
        return self.end is not None and self.end.data.get("error") is not None


def merge(windows: Iterable[Window], gap_us: int = 0) -> list[Window]:
    """Sorted, and joined where they are no more than `gap_us` apart."""
    merged: list[Window] = []
    for start, end in sorted(windows):
        if merged and start <= merged[-1][1] + gap_us:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged
