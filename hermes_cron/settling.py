"""Ending claims that their runs did not end: given back, closed with what is known, or as unknown.

All functions raise the store's errors; nothing has happened then.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from hermes_cron import (
    claim_rules,
    executions,
    jobs,
    pending,
    process,
    records,
    runs,
    store,
)
from hermes_cron.process import Execution
from hermes_cron.records import Job
from hermes_cron.store import Edit

__all__ = ["release", "settle", "store_kept_result"]

logger = logging.getLogger("hermes_cron.claims")  # what becomes of a claim is told under one name


def settle(edit: Edit, job: Job, now: datetime, entries: list[dict[str, Any]]) -> bool:
    """End a claim whose holder is gone or whose time is over, before the job is looked at further.

    What never began is given back; what may have begun is closed as unknown, or with its result
    where this process still has that or the records tell it, and a job whose last run that was is
    removed.

    Returns:
        False when the job is gone by it.
    """
    claim = claim_rules.claim_of(job)
    if claim is None:
        if job.get("fire_claim"):
            job["fire_claim"] = None  # what is no claim holds nothing
        return True
    extra = {"job_id": job["id"], "occurrence": claim.get("occurrence")}
    result = pending.result_of(claim) or pending.told_of(job, claim)
    if result is not None:
        return runs.complete_late(edit, job, result, now)
    execution_id = str(claim.get("execution"))
    states = executions.states_of([execution_id]).get(execution_id, set())
    details = {"occurrence": claim.get("occurrence"), "execution_id": claim.get("execution")}
    if claim_rules.never_began(job, states):
        claim_rules.give_back(job, now)
        entries.append(
            executions.record("skipped", job, now, **details, reason="given back: it never began")
        )
        logger.warning(
            "job %s: %s claimed %s and never began it; it is due again",
            records.label(job),
            claim.get("by"),
            claim.get("occurrence"),
            extra=extra,
        )
        return True
    claim_rules.close(job, now)
    entries.append(executions.record("unknown", job, now, **details, error=job.get("last_error")))
    logger.error(
        "job %s: the run for %s was interrupted; %s did not say how it ended",
        records.label(job),
        claim.get("occurrence"),
        claim.get("by"),
        extra=extra,
    )
    if "token" in claim and records.is_spent(job):
        edit.delete(job["id"])
        logger.error("job %s had no further run and is removed", records.label(job), extra=extra)
        return False
    return True


def store_kept_result(job_id: str) -> None:
    """End the job's claim with the result that still waits here for the store, if one does.

    The run is over: what comes now may begin, and is not to be skipped for it.
    """
    if not process.current().pending:
        return
    with store.current_store().edit() as edit:
        job = edit.get(job_id)
        claim = None if job is None else claim_rules.claim_of(job)
        result = None if claim is None else pending.result_of(claim)
        if job is not None and result is not None:
            runs.complete_late(edit, job, result, _now())


def release(execution: Execution, reason: str = "it could not be started") -> bool:
    """Give an occurrence back that was claimed and will not be run, so that it is due again.

    Returns:
        False when the claim is not that of this execution any more.
    """
    with store.current_store().edit() as edit:
        now = _now()
        job = edit.get(execution.job_id)
        claim = None if job is None else claim_rules.claim_of(job)
        if job is None or claim is None or not claim_rules.is_of(job, execution):
            return False
        claim_rules.give_back(job, now)
    executions.append(
        [
            executions.record(
                "skipped",
                job,
                now,
                occurrence=claim.get("occurrence"),
                execution_id=claim.get("execution"),
                reason=f"given back: {reason}",
            )
        ]
    )
    return True


def _now() -> datetime:
    return jobs._hermes_now()  # noqa: SLF001 - the host's clock, looked up where tests patch it
