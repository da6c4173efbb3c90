"""Sequences that make their elements when these are looked at: `many_runs` and `many_dues`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar, overload

__all__ = ["FEW", "Made", "Part"]

FEW = 2048
"""So many are kept as objects, which is faster to judge."""

T = TypeVar("T")


class Made(Sequence[T]):
    """A sequence that keeps no element: each look makes another one, equal to the last."""

    __slots__ = ()

    @abstractmethod
    def make(self, place: int) -> T:
        """The element at a place, counted from the beginning."""

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [*map(self.make, range(*index.indices(len(self))))]
        return self.make(index if index >= 0 else range(len(self))[index])

    def __iter__(self) -> Iterator[T]:
        return map(self.make, range(len(self)))


class Part(Made[T]):
    """Some elements of such a sequence."""

    __slots__ = ("_places", "_whole")

    def __init__(self, whole: Made[T], places: Sequence[int]) -> None:
        """Those at `places` of `whole`."""
        self._whole, self._places = whole, places

    def make(self, place: int) -> T:
        """See `Made`."""
        return self._whole.make(self._places[place])

    def __iter__(self) -> Iterator[T]:
        return map(self._whole.make, self._places)

    def __len__(self) -> int:
        return len(self._places)
