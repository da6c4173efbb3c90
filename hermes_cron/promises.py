"""What a fire was promised: the reservation that the webhook made for it, known while it is on.

A fire that starts long after its reservation ran out must not take the job's next occurrence for
the one that it came for.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

__all__ = ["is_broken", "promised"]

_promise: ContextVar[tuple[str, int] | None] = ContextVar("promise", default=None)


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
