"""Integers that mostly grow by the same step, such as the instants of ticks: as ranges of them."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, overload

__all__ = ["Evenly"]


class Evenly(Sequence[int]):
    """Integers in some parts: a part with one step takes no room, another eight bytes a number."""

    __slots__ = ("_parts", "_until")

    def __init__(self, numbers: Sequence[int] = ()) -> None:
        """One part, or none."""
        self._parts: list[Sequence[int]] = []
        self._until: list[int] = []  # how many there are up to the end of each part
        self.extend(numbers)

    def extend(self, numbers: Sequence[int]) -> None:
        """Add a part."""
        if numbers:
            self._parts.append(_range_of(numbers) or array("q", numbers))
            self._until.append(len(self) + len(numbers))

    def __len__(self) -> int:
        return self._until[-1] if self._until else 0

    def __iter__(self) -> Iterator[int]:
        return chain.from_iterable(self._parts)

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> Evenly: ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self._some(*index.indices(len(self)))
        place = range(len(self))[index]
        at = bisect_right(self._until, place)
        return self._parts[at][place - self._until[at]]  # from the end of that part

    def _some(self, start: int, stop: int, step: int) -> Evenly:
        """Every `step`th of them, part by part."""
        assert step == 1, "judges take spans"
        some = Evenly()
        for part, until in zip(self._parts, self._until, strict=True):
            first = until - len(part)
            some.extend(part[max(start - first, 0) : max(stop - first, 0)])
        return some


def _range_of(numbers: Sequence[int]) -> range | None:
    """The range that they are, if they are one."""
    if isinstance(numbers, range):
        return numbers
    first, last = numbers[0], numbers[-1]
    step = numbers[1] - first if len(numbers) > 1 else 1
    found = range(first, last + 1, step) if step > 0 else range(0)
    return found if len(found) == len(numbers) and list(found) == list(numbers) else None
