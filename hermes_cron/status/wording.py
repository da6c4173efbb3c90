"""How findings, ages and counts are put into words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from hermes_cron import clock

__all__ = ["PHRASES", "Finding", "ago", "count", "wall"]

PHRASES = (
    "will fire automatically",
    "no tick has succeeded",
    "is not running",
    "will NOT fire",
    "managed scheduler",
)
"""What people and their scripts look for (HOST.md, "Status lines"): never broken over two lines."""


_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes:
        weight: "bad" makes the whole unhealthy, "unknown" makes it unknown, a "note" is only said.
        code: what was found, a word that does not change with the text.
        text: what was found, in a sentence.
        advice: what to do about it; empty when there is nothing to do.
    """

    weight: Literal["bad", "unknown", "note"]
    code: str
    text: str
    advice: str = ""


def ago(seconds: float) -> str:
    """A duration in its two largest units: '42 s', '15 h 31 min'."""
    left = int(seconds)
    parts = []
    for unit, size in _UNITS:
        number, left = divmod(left, size)
        if number:
            parts.append(f"{number} {unit}")
    return " ".join(parts[:2]) or "0 s"


def count(number: int, noun: str) -> str:
    """'1 job', '3 jobs'."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def wall(at: float) -> str:
    """An instant as the wall of the configured zone shows it: '2026-03-02 09:00:00'."""
    return datetime.fromtimestamp(at, clock.zone()).strftime("%Y-%m-%d %H:%M:%S")
