"""Writes that failed, made good at the next occasion.

A result that the store did not take (no space, a stuck lock) is remembered in the process and tried
again at each tick, fire and recovery, and when this process ends the claim, as its time is over.
Lost with the process, it is not lost without a trace: the run is recorded as unknown then.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from hermes_cron import claims, jobs, process, store
from hermes_cron.process import Execution

__all__ = ["Result", "later", "mark", "release", "result_of", "retry"]

logger = logging.getLogger(__name__)

_MOST = 1000  # of writes that can never succeed there would be one more with each run
_FAILURES_EACH = 10  # at one occasion; what failed waits behind the others, so all get their turn


@dataclass(frozen=True, eq=False, slots=True)
class Result:
    """What a run came to, for the store."""

    execution: Execution
    success: bool
    error: str | None
    delivery_error: str | None

    def __call__(self) -> None:
        """Store it."""
        token = process.execution.set(self.execution)
        try:
            jobs.mark_job_run(
                self.execution.job_id,
                self.success,
                self.error,
                delivery_error=self.delivery_error,
            )
        finally:
            process.execution.reset(token)


def result_of(execution_id: str) -> Result | None:
    """What that run of this process came to, while the store has not taken it."""
    state = process.current()
    with state.lock:
        results = [write for write in state.pending if isinstance(write, Result)]
    return next((one for one in results if one.execution.id == execution_id), None)


def later(write: Callable[[], object]) -> None:
    """Try a write that failed again, once, at the next occasion: a tick, a fire, a recovery."""
    state = process.current()
    with state.lock:
        if write not in state.pending:
            state.pending.append(write)
        del state.pending[:-_MOST]


def retry() -> None:
    """Make good what failed before; what fails again waits further. Never raises."""
    state = process.current()
    if not state.pending:
        return
    with state.lock:
        waiting, state.pending[:] = list(state.pending), []
    failed: list[Callable[[], object]] = []
    while waiting and len(failed) < _FAILURES_EACH:
        write = waiting[0]
        try:
            write()
        except store.StoreError as error:
            logger.warning("%d writes still wait for the store: %s", len(waiting), error)
            break
        except BaseException:
            failed.append(write)
            logger.exception("a write that had failed before failed again, and waits")
        del waiting[0]
    with state.lock:
        state.pending[:0] = waiting + failed


def release(execution: Execution, reason: str) -> None:
    """Give an occurrence back, now or as soon as the store takes it."""

    def write() -> None:
        claims.release(execution.job_id, execution.token, reason)

    if execution.token is not None:
        try:
            write()
        except BaseException as error:
            logger.error(  # noqa: TRY400 - tried again
                "job '%s': the claim for %s could not be given back, tried again later: %s",
                execution.job_id,
                execution.occurrence,
                error,
                extra=execution.extra,
            )
            later(write)


def mark(
    execution: Execution, success: bool, error: str | None, delivery_error: str | None
) -> str | None:
    """Store a result, now or as soon as the store takes it.

    Returns:
        Why it is not stored yet, or None.
    """
    execution.ended_at = jobs._hermes_now()  # noqa: SLF001 - the host's clock
    write = Result(execution, success, error, delivery_error)
    try:
        write()
    except BaseException as failure:
        # Also what a patched or interrupted write raises: the run is over, its result must not be.
        logger.error(  # noqa: TRY400 - the store's error says where and why
            "job '%s': the result of %s could not be stored, tried again at the next occasion: %s",
            execution.job_id,
            execution.occurrence or "its run",
            failure,
            extra=execution.extra,
        )
        later(write)
        return f"{type(failure).__name__}: {failure}"
    return None
