"""Writes that failed, made good at the next occasion.

A result that the store did not take (no space, a stuck lock) is remembered in the process and tried
again at each tick, fire and recovery, when this process ends the claim, and after a while without
any of these: until then the claim stands, and what comes to another gateway is skipped for it.
Lost with the process, it is not lost without a trace: the run is recorded as unknown then.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from hermes_cron import (
    changes,
    claim_rules,
    clock,
    executions,
    jobs,
    process,
    records,
    settling,
    store,
)
from hermes_cron.process import Execution

__all__ = ["Result", "later", "mark", "release", "result_of", "retry", "told_of"]

logger = logging.getLogger(__name__)

_SLOT = "hermes_cron.pending"

_AGAIN_S = 10.0  # until what waits is tried again; twice as long after each time, ...
_AGAIN_AT_MOST_S = 60.0  # ... up to this: a claim holds for five minutes

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
        self.execution.over = True


def result_of(claim: Mapping[str, Any]) -> Result | None:
    """What the run of a claim came to in this process, while the store has not taken it."""
    execution_id, state = str(claim.get("execution")), process.current()
    with state.lock:
        results = [write for write in state.pending if isinstance(write, Result)]
    return next((one for one in results if one.execution.id == execution_id), None)


def told_of(job: Mapping[str, Any], claim: Mapping[str, Any]) -> Result | None:
    """What the run of a claim came to by the execution records, whichever process made it.

    Its result was refused by the store, and told all the same, before that process was gone.
    """
    told = executions.end_of(str(claim.get("execution")))
    if told is None:
        return None
    execution = claim_rules.execution_of(job)
    execution.ended_at = records.instant(told.get("at"), clock.zone())
    success, error = told.get("state") == "completed", told.get("error")
    return Result(execution, success, error, told.get("delivery_error"))


def later(write: Callable[[], object]) -> None:
    """Try a write that failed again: at the next tick, fire or recovery, or after a while."""
    state = process.current()
    with state.lock:
        if write not in state.pending:
            state.pending.append(write)
        del state.pending[:-_MOST]
    _again(state).wind()


def retry() -> None:
    """Make good what failed before; what fails again waits further. Never raises."""
    state = process.current()
    if not state.pending:
        return
    again = _again(state)
    if not again.at_it.acquire(blocking=False):
        return  # what another thread tries now is not tried twice
    try:
        _retry_all(state)
    finally:
        again.at_it.release()
        again.wind()


def _retry_all(state: process.ProcessState) -> None:
    with state.lock:
        waiting = list(state.pending)
    failures = 0
    for write in waiting:
        try:
            write()
        except store.StoreError as error:
            logger.warning("%d writes still wait for the store: %s", len(state.pending), error)
            return
        except BaseException:
            logger.exception("a write that had failed before failed again, and waits")
            failures += 1
            _take_out(state, write, behind=True)
            if failures == _FAILURES_EACH:
                return
        else:
            _take_out(state, write)


def _take_out(
    state: process.ProcessState, write: Callable[[], object], *, behind: bool = False
) -> None:
    """Forget a write that was tried, or have it wait `behind` the others."""
    with state.lock:
        with suppress(ValueError):  # there were too many
            state.pending.remove(write)
        if behind:
            state.pending.append(write)


class _Again:
    """Tries what waits again after a while; no timer is there while nothing waits.

    Attributes:
        at_it: held by the thread that tries.
    """

    def __init__(self, state: process.ProcessState) -> None:
        self.at_it = threading.Lock()
        self._state = state
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._pause_s = _AGAIN_S

    def wind(self) -> None:
        """Start the timer if anything waits and none runs."""
        with self._lock:
            if not self._state.pending:
                self._pause_s = _AGAIN_S
            elif self._timer is None:
                timer = threading.Timer(self._pause_s, self._ring)
                timer.name, timer.daemon = "cron-pending", True
                with suppress(RuntimeError):  # no more threads: the next occasion tries
                    timer.start()
                    self._timer = timer
                self._pause_s = min(2 * self._pause_s, _AGAIN_AT_MOST_S)

    def _ring(self) -> None:
        with self._lock:
            self._timer = None
        if process.current() is not self._state:
            return
        waited = list(self._state.pending)
        retry()
        if not all(write in self._state.pending for write in waited):
            changes.tell_provider()  # at any other occasion it looks by itself


def _again(state: process.ProcessState) -> _Again:
    found: _Again = state.slots.get(_SLOT) or state.slots.setdefault(_SLOT, _Again(state))
    return found


def release(execution: Execution, reason: str) -> bool:
    """Give an occurrence back, now or as soon as the store takes it; whether it is due again now.

    Args:
        execution: the attempt that is not made; without a token there is nothing to give back.
        reason: why, for the record.
    """

    def write() -> bool:
        return settling.release(execution, reason)

    try:
        return execution.token is not None and write()
    except BaseException as error:
        logger.error(  # noqa: TRY400 - tried again
            "job '%s': the claim for %s could not be given back, tried again later: %s",
            execution.job_id,
            execution.occurrence,
            error,
            extra=execution.extra,
        )
        later(write)
        return False


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
