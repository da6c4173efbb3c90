"""Faults as data: one rule says where something goes wrong, which time, and what.

Where a rule would mean nothing it is refused, with what would: `SEAMS` says what each seam knows.
When a rule fires is `simulator.faults`' affair, what it does there the seam's own.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, Self

import httpx
from pydantic import Field, model_validator

from simulator.raising import Raise, RaiseField, build_exception
from simulator.scenario_base import Duration, Model, known_word

__all__ = ["EFFECTS", "PHASES", "SEAMS", "Fault", "Place"]

EFFECTS = (
    "raise", "answer", "hang", "crash", "drop", "delay", "early", "duplicate", "damage", "stale",
    "shutdown",
)  # fmt: skip
"""What a fault can do; each fault does exactly one."""

PHASES = ("due", "advance", "claim", "mark", "create", "update", "remove", "recover")
"""What the caller of a store seam is doing; `on` narrows a fault to it."""


@dataclass(frozen=True)
class Place:
    """What a seam knows, so that a rule that cannot mean anything there is refused.

    Attributes:
        effects: What can go wrong there.
        job: Whether it knows whose passage it is.
        machine: Whether it is a machine that passes.
        phases: Whether it knows what the caller is doing (`on`).
        after: The effects that can also come after the passage had its own effect.
    """

    effects: frozenset[str] = frozenset({"raise", "hang", "crash"})
    job: bool = False
    machine: bool = True
    phases: bool = False
    after: frozenset[str] = frozenset()


_CALL = frozenset({"raise", "hang", "crash"})
_NAS = _CALL | {"answer"}
_HOST = Place(after=_CALL)
_METHOD = Place(after=frozenset({"crash"}))
_OF_JOB = Place(job=True, after=_CALL)
_TIMER = Place(frozenset({"delay", "early"}), job=True, machine=False)
_DISK = Place(phases=True)
_DISK_OF_JOB = Place(phases=True, job=True)

SEAMS: Mapping[str, Place] = {
    "tick": _HOST,
    "heartbeat": _HOST,
    "recover": _HOST,
    "start": _METHOD,
    "dispatch": Place(frozenset({"raise", "crash"}), after=frozenset({"crash"})),
    "wait": Place(),
    "submit": Place(frozenset({"shutdown", "crash"}), after=frozenset({"crash"})),
    "fire": Place(job=True, after=frozenset({"crash"})),
    "claim": _OF_JOB,
    "mark": _OF_JOB,
    "body": _OF_JOB,
    "store.read": Place(_CALL | {"stale"}, phases=True),
    "store.lock": _DISK,
    "store.write": _DISK_OF_JOB,
    "store.sync": _DISK_OF_JOB,
    "store.replace": Place(
        _CALL | {"damage"}, phases=True, job=True, after=frozenset({"hang", "crash", "damage"})
    ),
    "store.signal": _DISK,
    "store.execution": _DISK_OF_JOB,
    "store.output": _DISK_OF_JOB,
    "nas.provision": Place(_NAS, job=True, after=_NAS),
    "nas.cancel": Place(_NAS, job=True, after=_NAS),
    "nas.list": Place(_NAS, after=_NAS),
    "nas.arm": _TIMER,
    "nas.deliver": Place(frozenset({"drop", "delay", "duplicate"}), job=True, machine=False),
}
"""Where a fault can be put, and what it can be there.

"recover" is the look at what an earlier process left, at boot; "dispatch" is the host's leave to
start what is due, asked before a tick; "wait" is a provider's wait on its stop event; "claim" is
that of a fire, or of all that is due in a tick. "start" and "fire" are the provider's own methods;
"submit" is that of any thread pool; "nas.arm" is the timer that NAS sets for what was provisioned.
"""


class Fault(Model):
    """One thing that goes wrong at a seam: where, which time, what.

    Attributes:
        into: The seam.
        raises: (`raise`) It raises this instead of doing anything. A disk raises OSError, a call to
            NAS one of httpx's.
        answer: NAS answers this HTTP status; "html" or "shape": 200 with what is no answer; or
            "stale": the list as it was given the time before.
        hang: It takes this long (a caller with a time-out gives up before).
        crash: The machine dies there; comes back after `for` when that is given.
        drop: The delivery is lost.
        delay: The delivery comes this much later; or the timer is late by it.
        early: The timer is ahead of its time by this.
        duplicate: The delivery comes again, this long after the first.
        damage: The write is done and told to be, and then the disk has lost or torn it.
        stale: The reader gets the state before the last write; what is read under the lock is new.
        shutdown: The pool is shut down just before the work is given to it, and refuses it.
        after: The effect takes place, and only then it fails (`raise`, `answer`, `hang`, `crash`).
        nth: The nth passage that the other conditions let through, from 1; else the first.
        at: The first passage at or after this instant.
        since: (`from`) Passages at or after this instant.
        until: Passages before this instant.
        job: Passages for this job.
        machine: Passages on this machine.
        on: What the caller of a store seam is doing (`PHASES`).
        times: How many passages in a row, or "always".
    """

    into: Annotated[str, known_word(SEAMS, "seam")]
    raises: RaiseField = Field(default=None, alias="raise")
    answer: Annotated[int, Field(ge=100, le=599)] | Literal["html", "shape", "stale"] | None = None
    hang: Duration | None = None
    crash: bool = False
    lasts: Duration | None = Field(default=None, alias="for")
    drop: bool = False
    delay: Duration | None = None
    early: Duration | None = None
    duplicate: tuple[Duration, ...] = ()
    damage: Literal["torn", "lost"] | None = None
    stale: bool = False
    shutdown: bool = False
    after: bool = False
    nth: Annotated[int, Field(ge=1)] | None = None
    at: Duration | None = None
    since: Duration | None = Field(default=None, alias="from")
    until: Duration | None = None
    job: str | None = None
    machine: str | None = None
    on: Annotated[str, known_word(PHASES, "phase")] | None = None
    times: Annotated[int, Field(ge=1)] | Literal["always"] | None = None

    @property
    def limit(self) -> int | None:
        """How often it fires at most; None for always. A window without `times` means always."""
        if self.times == "always":
            return None
        if self.times is None:
            return None if self.since is not None or self.until is not None else 1
        return self.times

    @property
    def effect(self) -> str:
        """The one thing that it does, by its key in a file."""
        said = self.plain()
        return next(name for name in EFFECTS if name in said)

    @property
    def first_at(self) -> int:
        """Microseconds since the start before which it cannot strike."""
        return max(self.at or 0, self.since or 0)

    @model_validator(mode="after")
    def _means_something(self) -> Self:
        said = [name for name in EFFECTS if name in self.plain()]
        if len(said) != 1:
            found = " and ".join(said) or "nothing"
            raise ValueError(f"a fault does exactly one of {', '.join(EFFECTS)}; this: {found}")
        for wrong in self._wrong(said[0], SEAMS[self.into]):
            raise ValueError(wrong)
        return self

    def _wrong(self, effect: str, place: Place) -> Iterator[str]:
        """Why it could never strike, or would mean nothing where it strikes."""
        if effect not in place.effects:
            fit = ", ".join(name for name, other in SEAMS.items() if effect in other.effects)
            can = ", ".join(name for name in EFFECTS if name in place.effects)
            yield f"{effect!r} cannot happen at {self.into}, only {can} can; it can at {fit}"
        if self.answer == "stale" and self.into != "nas.list":
            yield "only nas.list answers 'stale'; for a store that is behind write stale: true"
        if self.lasts is not None and effect != "crash":
            yield "'for' says how long a crashed machine stays down: it needs crash: true"
        if self.after and effect not in place.after:
            yield f"'after' means nothing for {effect!r} at {self.into}: leave it out"
        if self.job is not None and not place.job:
            yield f"{self.into} knows no job: leave 'job' out"
        if self.machine is not None and not place.machine:
            yield f"{self.into} is no machine's: leave 'machine' out"
        if self.on is not None and not place.phases:
            yield f"'on' narrows a step of the store: into must be store.*, not {self.into}"
        if self.until is not None and self.first_at >= self.until:
            yield "it can never strike: 'until' is not after 'from' and 'at'"
        if self.raises is not None:
            yield from _wrong_kind(self.into, self.raises)


def _wrong_kind(seam: str, spec: Raise) -> Iterator[str]:
    """What a disk or a connection does not raise."""
    error = build_exception(spec)
    if seam.startswith("store.") and not isinstance(error, OSError):
        yield f"a disk raises OSError, not {spec.type}: write {{OSError: ENOSPC}} or crash: true"
    if seam.startswith("nas.") and not isinstance(error, httpx.TransportError):
        yield f"a call to NAS raises what httpx does, not {spec.type}: write httpx.ConnectError"
