"""A run that an operator asks for, now: claimed in one write, whatever the job's plan.

A paused job stays paused in that write, so that no crash can wake it; a job that somebody runs
already is left as it is, so that the refused run does not come later.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hermes_cron import (
    changes,
    claim_rules,
    claims,
    editing,
    executions,
    jobs,
    process,
    records,
    settling,
    store,
)
from hermes_cron.records import Job
from hermes_cron.store import Edit

__all__ = ["NotClaimed", "claim"]

_REST = ("enabled", "state", "paused_at", "paused_reason")


class NotClaimed(Exception):  # noqa: N818 - a decision, not an error
    """The job cannot be run now; the text says why, to be read after the job's name."""


def claim(job_id: str) -> Job:
    """Claim a job for `scheduler.run_one_job`, and tell the provider; the claimed job.

    Its schedule goes on as planned. A claim whose holder is known to be dead is settled first.

    Raises:
        NotClaimed: it is gone, or somebody runs it. It is as it was.
    """
    jobs.retry_pending()
    entries: list[dict[str, Any]] = []
    with store.current_store().edit() as edit:
        now = jobs._hermes_now()  # noqa: SLF001 - the host's clock, looked up where tests patch it
        job = edit.get(job_id)
        refusal = _refusal(edit, job, now, entries)
        if job is not None and refusal is None:
            _claim(job, now, entries)
    executions.append(entries)
    if job is None or refusal is not None:
        raise NotClaimed(refusal)
    changes.tell_provider()
    return records.normalise(job)


def _refusal(
    edit: Edit, job: Job | None, now: datetime, entries: list[dict[str, Any]]
) -> str | None:
    """Why the job cannot be claimed, or None; what a dead holder left is settled."""
    me = process.current()
    held = None if job is None else claim_rules.claim_of(job) or {}
    if job is None or held is None:
        return "was gone before it could be run"
    gone = me.is_gone(held.get("by"), held.get("boot"))
    if me.is_on(job["id"]) or (claim_rules.is_held(job, now) and not gone):
        return f"is being run by somebody else; 'hermes-cron show {job['id']}' says more"
    if not settling.settle(edit, job, now, entries):
        return "had its last run, which was interrupted, and is gone"
    return None


def _claim(job: Job, now: datetime, entries: list[dict[str, Any]]) -> None:
    rests = records.stay_reason(job) in claim_rules.RESTS
    rest = {name: job.get(name) for name in _REST} if rests else {}
    editing.trigger(job, now)
    taken = claims.take(job, now, "fire", claim_rules.TTL_S, entries)
    taken["by_hand"] = True
    job.update(rest)
