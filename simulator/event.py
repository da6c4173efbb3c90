"""One event of a history, and its canonical line."""

import json
from typing import Any, NamedTuple

__all__ = ["Event", "HistoryError", "encode"]

_RESERVED = frozenset({"n", "t", "m", "k"})

encode = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
).encode
"""Canonical JSON."""


class HistoryError(ValueError):
    """A history that cannot be written or read: says which event, and what is wrong with it."""


class Event(NamedTuple):
    """One observed thing.

    Attributes:
        n: Its number, from 0, without gaps.
        at_us: True virtual time, microseconds since the epoch (not what a skewed machine believes).
        machine: Where it was seen: a gateway ("a"), "nas", "store", "operator" or "world".
        kind: What it is, from the vocabulary.
        data: The rest, as JSON values. Never changed after it was appended.
    """

    n: int
    at_us: int
    machine: str
    kind: str
    data: dict[str, Any]

    def line(self) -> str:
        """The canonical JSON line of this event, without a line end.

        Raises:
            HistoryError: A value that JSON does not have, or a key that the line needs for itself.
        """
        if not _RESERVED.isdisjoint(self.data):
            taken = ", ".join(sorted(_RESERVED & self.data.keys()))
            raise HistoryError(
                f"event {self.n} ({self.kind}): data may not use the line's own keys: {taken}"
            )
        body = {"n": self.n, "t": self.at_us, "m": self.machine, "k": self.kind, **self.data}
        try:
            return encode(body)
        except (TypeError, ValueError) as error:
            raise HistoryError(
                f"event {self.n} ({self.kind}) holds what JSON does not have: {error}; "
                "record strings, integers, booleans, None, lists or dicts"
            ) from error
