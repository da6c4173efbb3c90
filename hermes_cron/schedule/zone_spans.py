"""What a zone's clock does, as spans of constant offset, in whole seconds.

A *span* is a stretch of UTC in which the zone keeps one offset. On its wall clock the next one
starts later (a gap), earlier (a repeated hour, half hour or day) or, at the seams of the cache,
evenly. Everything about clock changes is decided on spans; no other module asks a zone for its
offset.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple

__all__ = [
    "FIRST_YEAR",
    "LAST_YEAR",
    "MOST_OFFSET_S",
    "Span",
    "from_seconds",
    "span_after",
    "spans_back",
    "to_utc",
]

# Made at import: what is computed from it is a plain datetime, whatever a test puts in its place.
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_S = 86_400
_BLOCK_S = 400 * _DAY_S  # as much as is scanned and cached at a time
_STEP_S = 3 * _DAY_S  # in all of tzdata no two changes of offset are nearer than 6.9 days
MOST_OFFSET_S = _DAY_S
"""Offsets lie within a day to either side."""
FIRST_YEAR, LAST_YEAR = 10, 9989
"""Instants are taken from these years: sums of offsets and spans stay inside the calendar."""
_FIRST_BLOCK = (datetime(FIRST_YEAR - 2, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(seconds=_BLOCK_S)
_LAST_BLOCK = (datetime(LAST_YEAR + 2, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(seconds=_BLOCK_S)


class Span(NamedTuple):
    """UTC seconds ``start`` to ``end`` (exclusive) at ``offset`` seconds.

    ``fresh`` is the first wall second that no earlier span has shown: before ``start + offset``
    after a gap (the walls that were skipped come first), after it in a repeated hour.
    """

    start: int
    end: int
    offset: int
    fresh: int


def span_after(zone: tzinfo, at: int) -> Span | None:
    """The first span that ends after ``at``; None at the end of the calendar."""
    number = max(at // _BLOCK_S, _FIRST_BLOCK)
    if number > _LAST_BLOCK:
        return None
    return next(span for span in _block(zone, number) if span.end > at)


def spans_back(zone: tzinfo, at: int) -> Iterator[Span]:
    """The spans that start at or before ``at``, the latest first."""
    for block in range(min(at // _BLOCK_S, _LAST_BLOCK), _FIRST_BLOCK - 1, -1):
        for span in reversed(_block(zone, block)):
            if span.start <= at:
                yield span


def from_seconds(seconds: int, zone: tzinfo) -> datetime:
    """The instant, aware in ``zone``, with the fold that tells a repeated hour's passes apart."""
    return (_EPOCH + timedelta(seconds=seconds)).astimezone(zone)


def to_utc(at: datetime, zone: tzinfo) -> datetime:
    """The instant in UTC. A naive one is wall time in ``zone``.

    A wall time in a gap is the first instant after it; in a repeated hour it is the first of the
    two.

    Raises:
        ValueError: outside the years 10 to 9989.
    """
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise ValueError(f"{at} is outside the years {FIRST_YEAR} to {LAST_YEAR}")
    if at.utcoffset() is not None:
        return _EPOCH + (at - _EPOCH)
    wall = at.replace(tzinfo=UTC) - _EPOCH
    seconds, rest = wall // timedelta(seconds=1), wall % timedelta(seconds=1)
    after = seconds - MOST_OFFSET_S
    while (span := span_after(zone, after)) is not None:
        after = span.end
        if seconds < span.end + span.offset:
            if seconds < span.start + span.offset:
                return _EPOCH + timedelta(seconds=span.start)
            return _EPOCH + timedelta(seconds=seconds - span.offset) + rest
    raise AssertionError(f"no span of {zone} shows {at}")


@lru_cache(maxsize=1024)
def _block(zone: tzinfo, number: int) -> tuple[Span, ...]:
    start = number * _BLOCK_S
    spans: list[Span] = []
    reached: int | None = None  # the wall second up to which the zone's clock has been
    for begin, end, offset in _stretches(zone, start - 2 * MOST_OFFSET_S, start + _BLOCK_S):
        fresh = begin + offset if reached is None else reached
        spans.append(Span(begin, end, offset, fresh))
        reached = end + offset
    return tuple(_cut(span, start) for span in spans if span.end > start)


def _cut(span: Span, start: int) -> Span:
    """The part of the span that lies in its block; what came before it is no longer fresh."""
    if span.start >= start:
        return span
    return Span(start, span.end, span.offset, max(span.fresh, start + span.offset))


def _stretches(zone: tzinfo, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    begin, offset = start, _offset(zone, start)
    probe = start
    while probe < end:
        before, probe = probe, min(probe + _STEP_S, end)
        found = _offset(zone, probe)
        if found != offset:
            change = _change(zone, before, probe, offset)
            yield begin, change, offset
            begin, offset = change, found
    if begin < end:
        yield begin, end, offset


def _change(zone: tzinfo, before: int, after: int, offset: int) -> int:
    """The first second after ``before`` at which the offset is another."""
    while after - before > 1:
        middle = (before + after) // 2
        if _offset(zone, middle) == offset:
            before = middle
        else:
            after = middle
    return after


def _offset(zone: tzinfo, seconds: int) -> int:
    offset = from_seconds(seconds, zone).utcoffset()
    return 0 if offset is None else round(offset.total_seconds())
