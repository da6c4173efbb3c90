"""What a fire was promised and what it won, known while it is on.

A fire that starts long after its reservation ran out must not take the job's next occurrence for
the one that it came for; nor may one that was held up after its claim run on a claim that is over.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from hermes_cron import claim_rules
from hermes_cron.process import Execution
from hermes_cron.records import Job

__all__ = ["is_broken", "is_of", "note_won", "promised", "winning"]

_promise: ContextVar[Execution | None] = ContextVar("promise", default=None)
_won: ContextVar[dict[str, Execution] | None] = ContextVar("won", default=None)


@contextmanager
def promised(execution: Execution | None) -> Iterator[None]:
    """What is claimed here for its job is the reservation for this execution; None: any."""
    before = _promise.set(execution)
    try:
        yield
    finally:
        _promise.reset(before)


def is_broken(job: Job) -> bool:
    """Whether this is a fire of the job, and its claim is no longer what was promised."""
    promise = _promise.get()
    if promise is None or promise.job_id != job["id"]:
        return False
    held = claim_rules.claim_of(job)
    return held is None or not held.get("reserved") or not claim_rules.is_of(job, promise)


def is_of(job_id: str) -> bool:
    """Whether this is a fire that was promised one occurrence of the job."""
    promise = _promise.get()
    return promise is not None and promise.job_id == job_id


@contextmanager
def winning() -> Iterator[dict[str, Execution]]:
    """The executions whose claims are won here, by job id; none by a patched claim."""
    won: dict[str, Execution] = {}
    before = _won.set(won)
    try:
        yield won
    finally:
        _won.reset(before)


def note_won(execution: Execution) -> None:
    """Tell whoever claims here what its claim is for."""
    won = _won.get()
    if won is not None:
        won[execution.job_id] = execution
