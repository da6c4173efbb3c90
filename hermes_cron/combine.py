"""Many small writes as few: what several threads want written at the same time is written at once.

Whoever comes while a write is on waits for it, and the first of those who waited writes for all of
them. A thread alone writes at once, as if this were not here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Generic, TypeVar

__all__ = ["Combiner", "Wish"]

Wanted = TypeVar("Wanted")
Got = TypeVar("Got")


class Wish(Generic[Wanted, Got]):
    """What one thread wants written, and what became of it.

    Attributes:
        wanted: what is to be written.
        got: what the writer answers; set `error` instead when this wish alone failed.
    """

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.got: Got | None = None
        self.error: BaseException | None = None
        self.done = False


class Combiner(Generic[Wanted, Got]):
    """Hands the wishes of several threads to one of them.

    Args:
        write: writes all that it is given and sets `got` or `error` of each; what it raises is
            raised in every thread whose wish it was given.
    """

    def __init__(self, write: Callable[[Sequence[Wish[Wanted, Got]]], None]) -> None:
        self._write = write
        self._writing = Lock()
        self._guard = Lock()
        self._wishes: list[Wish[Wanted, Got]] = []

    def run(self, wanted: Wanted, *, timeout_s: float = -1.0) -> Got | None:
        """Write `wanted`, alone or with others; returns when it is written.

        Args:
            wanted: what is to be written.
            timeout_s: how long the write of another is waited for; to its end when negative.

        Raises:
            TimeoutError: that write hangs. It may be writing this, too.
        """
        wish: Wish[Wanted, Got] = Wish(wanted)
        with self._guard:
            self._wishes.append(wish)
        if self._writing.acquire(timeout=timeout_s):
            try:
                if not wish.done:
                    with self._guard:
                        batch, self._wishes = self._wishes, []
                    self._write_all(batch)
            finally:
                self._writing.release()
        elif not wish.done:
            self._withdraw(wish)
            raise TimeoutError(f"the write before it has been on for more than {timeout_s:g} s")
        error, wish.error = wish.error, None
        if error is not None:
            try:
                raise error
            finally:  # or its traceback and this frame would hold each other
                del error
        return wish.got

    def _withdraw(self, wish: Wish[Wanted, Got]) -> None:
        with self._guard:
            if wish in self._wishes:
                self._wishes.remove(wish)

    def _write_all(self, batch: Sequence[Wish[Wanted, Got]]) -> None:
        try:
            self._write(batch)
        except BaseException as error:
            for wish in batch:
                wish.error = error
        finally:
            for wish in batch:
                wish.done = True
