"""Texts that tell the time of their own event, as the evidence files do that a ticker writes.

Each tick writes three, which differ in nothing but the seconds of this tick and of the one before.
These digits would be half of all that a year of ticks takes in memory.
"""

from collections.abc import Iterator, Sequence

__all__ = ["restored", "shortened"]

_NOW, _BEFORE = "\0", "\1"

Texts = Sequence[str | None]


def shortened(at_us: Sequence[int], texts: Texts) -> list[str | None] | None:
    """The texts without the seconds that their instants tell; None when that could not be undone.

    Args:
        at_us: When each was written, in order; microseconds since the epoch.
        texts: As many; None where there is none.
    """
    if any(text is not None and (_NOW in text or _BEFORE in text) for text in texts):
        return None
    same: dict[str, str] = {}  # equal texts are one, which takes least room
    found: list[str | None] = []
    for text, (now, before) in zip(texts, _seconds(at_us), strict=True):
        short = None if text is None else text.replace(now, _NOW).replace(before, _BEFORE)
        found.append(None if short is None else same.setdefault(short, short))
    return found


def restored(at_us: Sequence[int], texts: Texts) -> Iterator[str | None]:
    """The texts again that were shortened."""
    for text, (now, before) in zip(texts, _seconds(at_us), strict=True):
        yield None if text is None else text.replace(_BEFORE, before).replace(_NOW, now)


def _seconds(at_us: Sequence[int]) -> Iterator[tuple[str, str]]:
    """Each instant, and the one before it that was another, in seconds as floats are written."""
    last_us = at_us[0]
    now = before = repr(last_us / 1_000_000)
    for us in at_us:
        if us != last_us:
            last_us, now, before = us, repr(us / 1_000_000), now
        yield now, before
