"""Tracebacks as text, each way that an exception comes written once.

A loop that fails says the same traceback at every tick, and writing one costs a millisecond: the
source is read and parsed to mark the place in each line.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from types import CodeType, TracebackType
from typing import Any

from simulator.words import text_of

__all__ = ["Tracebacks"]

# Of these more than the type, the words and the lines decides what is written.
_SAY_MORE = (BaseExceptionGroup, SyntaxError, NameError, AttributeError, ImportError)


class Tracebacks(logging.Formatter):
    """Writes what `logging.Formatter` writes; what it wrote before is not made again."""

    def __init__(self) -> None:
        """Nothing was written yet."""
        super().__init__()
        self._written: dict[object, str] = {}

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the name that it has there
        """The traceback of an exception and of those that it came from."""
        way = _way(ei[1])
        if way is None:
            return super().formatException(ei)
        if way not in self._written:
            self._written[way] = super().formatException(ei)
        return self._written[way]


def _way(error: BaseException | None) -> object | None:
    """What decides how an exception reads, those that it came from included; None: it says more."""
    parts: list[object] = []
    left, seen = [error], set[int]()
    while left:
        one = left.pop()
        if one is None or id(one) in seen:
            parts.append(None)
        elif isinstance(one, _SAY_MORE) or getattr(one, "__notes__", None):
            return None
        else:
            seen.add(id(one))
            lines = tuple(_lines(one.__traceback__))
            parts.append((type(one), text_of(one), one.__suppress_context__, lines))
            left += [one.__context__, one.__cause__]
    return tuple(parts)


def _lines(traceback: TracebackType | None) -> Iterator[tuple[CodeType, int]]:
    while traceback is not None:
        yield traceback.tb_frame.f_code, traceback.tb_lasti
        traceback = traceback.tb_next
