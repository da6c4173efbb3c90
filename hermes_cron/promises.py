"""What a fire was promised and what it won, known while it is on.

A fire that starts long after its reservation ran out must not take the job's next occurrence for
the one that it came for; nor may one that was held up after its claim run on a claim that is over.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

__all__ = ["is_broken", "is_of", "note_won", "promised", "winning"]

_promise: ContextVar[tuple[str, int] | None] = ContextVar("promise", default=None)
_won: ContextVar[dict[str, int] | None] = ContextVar("won", default=None)


@contextmanager
def promised(job_id: str, token: int | None) -> Iterator[None]:
    """What is claimed here for `job_id` is the reservation with this fencing token; None: any."""
    before = _promise.set(None if token is None else (job_id, token))
    try:
        yield
    finally:
        _promise.reset(before)


def is_broken(job_id: str, held: Mapping[str, Any] | None) -> bool:
    """Whether this is a fire of the job, and `held`, its claim, is no longer what was promised."""
    promise = _promise.get()
    if promise is None or promise[0] != job_id:
        return False
    return held is None or not held.get("reserved") or held.get("token") != promise[1]


def is_of(job_id: str) -> bool:
    """Whether this is a fire that was promised one occurrence of the job."""
    promise = _promise.get()
    return promise is not None and promise[0] == job_id


@contextmanager
def winning() -> Iterator[dict[str, int]]:
    """The fencing tokens of the claims that are won here, by job id; none by a patched claim."""
    won: dict[str, int] = {}
    before = _won.set(won)
    try:
        yield won
    finally:
        _won.reset(before)


def note_won(job_id: str, token: int) -> None:
    """Tell whoever claims here which token its claim has."""
    won = _won.get()
    if won is not None:
        won[job_id] = token
