"""What is done from outside during a run: the operations, and a step as data."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from simulator.scenario_base import Duration, Model, Offset, hint, known_word, known_zone
from simulator.volume import DAMAGES

__all__ = ["OPERATIONS", "Step"]

OPERATIONS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "crash": (frozenset({"machine"}), frozenset({"for"})),
    "stop": (frozenset({"machine"}), frozenset({"for"})),
    "restart": (frozenset({"machine"}), frozenset()),
    "create": (frozenset({"job"}), frozenset()),
    "update": (frozenset({"job", "set"}), frozenset()),
    "pause": (frozenset({"job"}), frozenset()),
    "resume": (frozenset({"job"}), frozenset()),
    "remove": (frozenset({"job"}), frozenset()),
    "trigger": (frozenset({"job"}), frozenset()),
    "run": (frozenset({"job"}), frozenset()),
    "tick": (frozenset({"machine"}), frozenset()),
    "suspend": (frozenset({"machine", "for"}), frozenset()),
    "set-clock": (frozenset({"machine", "by"}), frozenset()),
    "set-zone": (frozenset({"to"}), frozenset()),
    "hold-lock": (frozenset(), frozenset({"lock", "for"})),
    "damage": (frozenset({"what"}), frozenset({"for"})),
    "status": (frozenset(), frozenset()),
    "deliver": (frozenset({"job"}), frozenset({"fire_at", "times"})),
    "forget": (frozenset(), frozenset()),
    "heal": (frozenset(), frozenset()),
}
"""What a step can do: the fields it must have and those it may have, besides `at` and `do`."""


class Step(Model):
    """Something done from outside at an instant. `OPERATIONS` says which fields go together.

    Attributes:
        by: (set-clock) How far the machine's wall clock jumps, ahead or (negative) back.
        to: (set-zone) The zone that is configured from then on.
        lock: (hold-lock) Which lock of the store somebody holds who is no gateway; the jobs' own
            when not given.
        what: (damage) What happens to the disk (`simulator.volume.DAMAGES`); undone after `for`.
    """

    at: Duration
    do: Annotated[str, known_word(OPERATIONS, "step")]
    machine: str | None = None
    job: str | None = None
    lasts: Duration | None = Field(default=None, alias="for")
    set: dict[str, Any] | None = None
    fire_at: str | None = None
    times: Annotated[int, Field(ge=1)] = 1
    by: Offset | None = None
    to: str | None = None
    lock: str | None = None
    what: Annotated[str, known_word(DAMAGES, "damage")] | None = None

    @field_validator("to")
    @classmethod
    def _zone_exists(cls, value: str | None) -> str | None:
        return value if value is None else known_zone(value)

    @model_validator(mode="after")
    def _fields_go_together(self) -> Self:
        must, may = OPERATIONS[self.do]
        given = set(self.plain()) - {"at", "do"}
        for missing in sorted(must - given):
            raise ValueError(f"step {self.do!r} needs {missing!r}")
        for extra in sorted(given - must - may):
            raise ValueError(f"step {self.do!r} takes no {extra!r}{hint(extra, must | may)}")
        if self.fire_at not in (None, "last"):
            try:
                datetime.fromisoformat(self.fire_at)
            except ValueError as error:
                raise ValueError(
                    f"fire_at {self.fire_at!r} is no instant: write last, "
                    "or one like 2026-03-02T09:00:00"
                ) from error
        return self
