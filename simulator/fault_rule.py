"""Faults as data: one rule says where something goes wrong, which time, and what.

What a seam and an effect do is `simulator.faults`' affair; here they only have names.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PlainSerializer, model_validator

from simulator.scenario_base import Duration, Model, known_word

__all__ = ["EFFECTS", "PHASES", "SEAMS", "Fault", "Raise", "RaiseField"]

SEAMS = (
    "tick",
    "heartbeat",
    "recover",
    "claim",
    "mark",
    "dispatch",
    "body",
    "store.read",
    "store.lock",
    "store.write",
    "store.sync",
    "store.replace",
    "store.signal",
    "store.execution",
    "store.output",
    "nas.provision",
    "nas.cancel",
    "nas.list",
    "nas.deliver",
)
"""Where a fault can be put. `simulator.faults` gives each its meaning."""

PHASES = ("due", "advance", "claim", "mark", "create", "update", "remove", "recover")
"""What the caller of a store seam is doing; `on` narrows a fault to it."""

EFFECTS = ("raise", "answer", "hang", "crash", "drop", "delay", "duplicate")
"""What a fault can do; each fault does exactly one."""


class Raise(Model):
    """An exception to raise: `SystemExit`, `{OSError: ENOSPC}` or `{ValueError: some text}`."""

    type: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.]*$")
    detail: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, data: Any) -> Any:
        if isinstance(data, str):
            return {"type": data}
        if isinstance(data, Mapping) and len(data) == 1 and "type" not in data:
            ((name, detail),) = data.items()
            return {"type": name, "detail": detail}
        return data


def say_raise(value: Raise | None) -> Any:
    if value is None:
        return None
    return value.type if value.detail is None else {value.type: value.detail}


RaiseField = Annotated[Raise | None, PlainSerializer(say_raise)]


class Fault(Model):
    """One thing that goes wrong at a seam: where, which time, what.

    Attributes:
        into: The seam.
        raises: (`raise`) It raises this instead of doing anything.
        answer: NAS answers this HTTP status, or "html" or "shape": 200 with what is no answer.
        hang: It takes this long (a caller with a time-out gives up before).
        crash: The machine dies there; comes back after `for` when that is given.
        drop: The delivery is lost.
        delay: The delivery comes this much later.
        duplicate: The delivery comes again, this long after the first.
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
    answer: int | Literal["html", "shape"] | None = None
    hang: Duration | None = None
    crash: bool = False
    lasts: Duration | None = Field(default=None, alias="for")
    drop: bool = False
    delay: Duration | None = None
    duplicate: tuple[Duration, ...] = ()
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

    @model_validator(mode="after")
    def _one_effect(self) -> Self:
        said = [name for name in EFFECTS if name in self.plain()]
        if len(said) != 1:
            found = " and ".join(said) or "nothing"
            raise ValueError(f"a fault does exactly one of {', '.join(EFFECTS)}; this: {found}")
        effect = said[0]
        if effect in {"drop", "delay", "duplicate"} and self.into != "nas.deliver":
            raise ValueError(f"{effect!r} is for deliveries: into must be nas.deliver")
        if effect == "answer" and not self.into.startswith("nas."):
            raise ValueError(
                "'answer' is NAS's: into must be nas.provision, nas.cancel or nas.list"
            )
        if self.lasts is not None and effect != "crash":
            raise ValueError(
                "'for' says how long a crashed machine stays down: it needs crash: true"
            )
        return self
