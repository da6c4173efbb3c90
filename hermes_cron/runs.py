"""The life of one execution: held, looked at again, begun, completed or skipped."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from hermes_cron import (
    claim_rules,
    claims,
    executions,
    jobs,
    leases,
    pending,
    process,
    records,
    store,
)
from hermes_cron.combine import Combiner, Wish
from hermes_cron.process import Execution
from hermes_cron.records import Job
from hermes_cron.store import Edit

__all__ = [
    "Completion",
    "NotBegun",
    "begin",
    "complete",
    "complete_late",
    "count_dispatch",
    "drop",
    "hold",
    "skip",
]

logger = logging.getLogger(__name__)

_SLOT = "hermes_cron.runs"


class NotBegun(Exception):  # noqa: N818 - a decision, not an error
    """The body must not start; the text says why."""


def hold(job: Job) -> Execution:
    """Note in this process that the job is about to run, and keep its claim; see `drop`.

    The same claim held twice is one: a tick holds a job while it waits in the queue.
    """
    state = process.current()
    fresh = claim_rules.execution_of(job)
    with state.lock:
        known = state.running.get(fresh.job_id)
        if known is not None and fresh.token is not None and claim_rules.is_of(job, known):
            return known
        if known is None or known.over:
            state.running[fresh.job_id] = fresh
    leases.keeper().hold(fresh)
    return fresh


def drop(execution: Execution) -> None:
    """The end of `hold`."""
    state = process.current()
    leases.keeper().drop(execution)
    with state.lock:
        if state.running.get(execution.job_id) is execution:
            del state.running[execution.job_id]


def begin(job: Job, execution: Execution, now: datetime) -> None:
    """Look at the job again, and write down that its body begins now.

    Evidence of the start comes before the start: a crash from here on is a run that may have had
    its effect. A job that the store never held is none of the store's business.

    Raises:
        NotBegun: the body must not start.
    """
    if not claims.is_from_store(job):
        return
    try:
        current = _check(store.current_store().read().get(execution.job_id), execution)
        claim = claim_rules.claim_of(current) or {}
        if records.kind_of(current) == "once" and not (
            execution.token is not None and claim.get("counted")
        ):
            _note_start(execution)
        begun = executions.record(
            "running",
            job,
            now,
            occurrence=execution.occurrence,
            execution_id=execution.id,
            token=execution.token,
        )
        if not executions.append([begun]) and execution.token is not None:
            _note_start(execution)
        # To tell it may have taken minutes, on a disk that hangs or behind a lock.
        current = _check(store.current_store().read().get(execution.job_id), execution)
        _renew_if_late(current, execution)
    except store.StoreError as error:
        raise NotBegun(f"the store cannot be asked or told: {error}") from error


def _check(current: Job | None, execution: Execution) -> Job:
    """The job, which may run; raises when it may not (any more)."""
    if current is None:
        raise NotBegun("removed")
    claim = claim_rules.claim_of(current) or {}
    stay = records.stay_reason(current)
    if stay is not None and not (claim.get("by_hand") and stay in claim_rules.RESTS):
        raise NotBegun(stay)
    if execution.token is not None and not claim_rules.is_of(current, execution):
        raise NotBegun("another caller has taken its claim over")
    return current


def _renew_if_late(current: Job, execution: Execution) -> None:
    """Renew a claim that would be over before the keeper comes to it: its write took long."""
    now = jobs._hermes_now()  # noqa: SLF001 - the host's clock
    left_s = (claim_rules.ends_at(current, now) - now).total_seconds()
    if execution.token is None or left_s > leases.PERIOD_S:
        return
    with store.current_store().edit() as edit:
        job = _check(edit.get(execution.job_id), execution)
        claim_rules.renew(job, jobs._hermes_now())  # noqa: SLF001 - under the lock


def _note_start(execution: Execution) -> None:
    """Say in the job's record that the body begins; the run of a one-shot counts from here on."""
    with store.current_store().edit() as edit:
        job = _check(edit.get(execution.job_id), execution)
        claim = claim_rules.claim_of(job) if execution.token is not None else None
        if records.kind_of(job) == "once" and not (claim or {}).get("counted"):
            if records.is_spent(job):
                raise NotBegun("completed: no run is left of those it may have")
            records.count(job, +1)
            if claim is not None:
                claim["counted"] = True
        if claim is not None:
            claim["started"] = True


@dataclass(frozen=True)
class Completion:
    """The result of a run, as `jobs.mark_job_run` was told it.

    Attributes:
        execution: the attempt that this thread makes, when it makes one of this job.
        next_run: `jobs.compute_next_run`, or what was put in its place.
    """

    job_id: str
    success: bool
    error: str | None
    delivery_error: str | None
    now: datetime
    next_run: Callable[[object, str], str | None]
    execution: Execution | None = None


def complete(completion: Completion) -> None:
    """`jobs.mark_job_run`. A completion whose token is not the claim's any more changes nothing.

    Completions that come at the same time are one write.
    """
    execution = process.execution.get()
    if execution is not None and execution.job_id == completion.job_id:
        completion = replace(completion, execution=execution)
    slots = process.current().slots
    combiner = slots.get(_SLOT) or slots.setdefault(_SLOT, Combiner(_complete_all))
    combiner.run(completion)


def _complete_all(wishes: Sequence[Wish[Completion, None]]) -> None:
    with store.current_store().edit() as edit:
        for wish in wishes:
            job = edit.get(wish.wanted.job_id)
            before = None if job is None else records.hand_out(job)
            try:
                _complete(edit, job, wish.wanted)
            except Exception as error:
                # One record of a shape that nobody thought of is not the others' failure.
                wish.error = error
                if job is not None and before is not None:
                    job.clear()
                    job.update(before)


def _complete(edit: Edit, job: Job | None, completion: Completion) -> None:
    execution = completion.execution
    extra = {"job_id": completion.job_id} if execution is None else execution.extra
    if job is None:
        logger.warning("job '%s' is gone; its result is not stored", completion.job_id, extra=extra)
        return
    claim = claim_rules.claim_of(job) or {}
    claimed = execution is not None and execution.token is not None
    if execution is not None and claimed and not claim_rules.is_of(job, execution):
        if execution.settled:
            return
        execution.fenced = True
        logger.error(
            "job %s: the claim for %s had been lost; the result of that run is not stored",
            records.label(job),
            execution.occurrence,
            extra=extra,
        )
        return
    ended_at = execution.ended_at if execution is not None else None
    job["last_run_at"] = (ended_at or completion.now).isoformat()
    job["last_status"] = "ok" if completion.success else "error"
    job["last_error"] = None if completion.success else completion.error
    job["last_delivery_error"] = completion.delivery_error
    claim_rules.clear(job)
    if _count(job, claim):
        edit.delete(completion.job_id)
        return
    _plan_next(job, completion.now, completion.next_run, moved="token" in claim)


def complete_late(edit: Edit, job: Job, result: pending.Result, now: datetime) -> bool:
    """Store a result that could not be stored before, in the write that ends its claim.

    Returns:
        False when that was the job's last run, and it is removed.
    """
    result.execution.settled = True
    _complete(
        edit,
        job,
        Completion(
            job["id"],
            result.success,
            result.error,
            result.delivery_error,
            now,
            jobs.compute_next_run,
            result.execution,
        ),
    )
    return edit.get(job["id"]) is not None


def _count(job: Job, claim: Job) -> bool:
    """Count the run, unless that was done before it began; whether it was the last one."""
    times, done = records.limits(job)
    limited = isinstance(job.get("repeat"), dict) and bool(job["repeat"].get("times"))
    once = records.kind_of(job) == "once"
    if not claim.get("counted") and not (once and times is not None and done > 0):
        records.count(job, +1)
    return limited and records.is_spent(job)


def _plan_next(
    job: Job, now: datetime, next_run: Callable[[object, str], str | None], *, moved: bool
) -> None:
    """A claimed recurring job was moved on at the claim; what was not is moved on now."""
    if records.kind_of(job) == "once":
        if records.instant(job.get("next_run_at"), records.zone_of(now)) is None:
            job["enabled"] = False
            if job.get("state") != "paused":
                job["state"] = "completed"
        return
    extra = {"job_id": job.get("id"), "occurrence": job.get("next_run_at")}
    try:
        computable = next_run(job.get("schedule"), now.isoformat()) is not None
    except Exception as error:  # a schedule of any shape, computed by whatever is installed
        computable = False
        logger.debug("no next run of job %s: %s", records.label(job), error, extra=extra)
    if not computable:
        failed = job.get("last_error")
        records.plan(job, None)
        job["last_error"] = failed or job["last_error"]
        logger.error(
            "job %s: no next run could be computed; it stays enabled, in error",
            records.label(job),
            extra=extra,
        )
        return
    planned = records.instant(job.get("next_run_at"), records.zone_of(now))
    # What came while a claimed run was on is for the next scan: it is recorded there, and runs.
    if planned is None or (planned <= now and not moved and not job.get("grid_at")):
        records.move_on(job, now)
    if job.get("state") != "paused":
        job["state"] = "scheduled"


def skip(job: Job, execution: Execution, reason: NotBegun) -> None:
    """Record a run that does not take place; its claim, if it is still there, is given back."""
    execution.skipped = True
    logger.info(
        "job %s does not run for %s: %s",
        records.label(job),
        execution.occurrence or "now",
        reason,
        extra=execution.extra,
    )
    executions.append(
        [
            executions.record(
                "skipped",
                job,
                jobs._hermes_now(),  # noqa: SLF001 - the host's clock
                occurrence=execution.occurrence,
                execution_id=execution.id,
                token=execution.token,
                reason=str(reason),
            )
        ]
    )
    pending.release(execution, str(reason))


def count_dispatch(job_id: str) -> bool:
    """`jobs.claim_dispatch`."""
    with store.current_store().edit() as edit:
        job = edit.get(job_id)
        if job is None or records.kind_of(job) != "once" or not job.get("repeat"):
            return True
        if records.is_spent(job):
            edit.delete(job_id)
            return False
        records.count(job, +1)
        return True
