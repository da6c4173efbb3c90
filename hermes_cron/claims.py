"""At most one run per occurrence: taking claims in the store. `settling` ends what is left of them.

A claim is one compare-and-set in one write: the occurrence is still the job's, nobody holds the
job, it may run, and `next_run_at` moves on. Whatever is done twice finds the second time that the
occurrence is no longer the job's. See `hermes_cron.claim_rules` for what stands in the record.

All functions raise the store's errors; nothing has happened then.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from hermes_cron import (
    claim_rules,
    executions,
    jobs,
    process,
    promises,
    records,
    settling,
    store,
    upkeep,
)
from hermes_cron import schedule as schedules
from hermes_cron.process import Execution
from hermes_cron.records import Job
from hermes_cron.store import Edit

__all__ = [
    "EARLY_S",
    "Reservation",
    "claim",
    "claim_due",
    "reserve",
    "take",
]

logger = logging.getLogger(__name__)

EARLY_S = 30
"""How much too early, in seconds, a webhook's fire may come and still run (WIRE.md)."""

_LEAST_PERIOD = timedelta(minutes=1)
_MOMENT_S = 1e-6


@dataclass(frozen=True)
class Reservation:
    """What the store says to a fire for one occurrence.

    Attributes:
        outcome: "reserved": the occurrence is claimed for whoever calls `claim_job_for_fire` next;
            "ignored": a retry would not help; "gone": there is no such job.
        reason: why it was ignored: "duplicate", "running", "paused", "disabled", "completed",
            "stale" (not the job's occurrence, or not any more), "early" or "malformed".
        execution: the attempt that the claim is for; None unless it is reserved.
    """

    outcome: Literal["reserved", "ignored", "gone"]
    reason: str = ""
    execution: Execution | None = None


def reserve(job_id: str, fire_at: str | None) -> Reservation:
    """Claim (job, `fire_at`) for the `claim_job_for_fire` that will follow, on any thread.

    Without `fire_at` the claim is for no stated occurrence: it is won while nobody holds the job.
    An occurrence that comes while the job still runs is recorded as skipped.
    """
    jobs.retry_pending()
    settling.store_kept_result(job_id)
    entries: list[dict[str, Any]] = []
    with store.current_store().edit() as edit:
        now = _now()
        job = edit.get(job_id)
        if job is None:
            return Reservation("gone")
        if records.stay_reason(job) is None:
            entries += upkeep.mend(job, now)
        found = _reserve(edit, job, fire_at, now, entries)
        _tell_what_is_over(entries)
    executions.append(entries)
    extra = {"job_id": job_id, "occurrence": fire_at}
    said = f"{found.outcome} ({found.reason})" if found.reason else found.outcome
    logger.info("fire of job '%s' for %s: %s", job_id, fire_at or "now", said, extra=extra)
    return found


def _reserve(  # noqa: PLR0911 - the table of WIRE.md, a line each
    edit: Edit, job: Job, fire_at: str | None, now: datetime, entries: list[dict[str, Any]]
) -> Reservation:
    zone = records.zone_of(now)
    occurrence = records.instant(fire_at, zone)
    if fire_at is not None and occurrence is None:
        return Reservation("ignored", "malformed")
    stay = records.stay_reason(job)
    if stay is not None:
        return Reservation("ignored", stay)
    reason = None if occurrence is None else _not_its_occurrence(job, occurrence, now)
    if reason is not None:
        return Reservation("ignored", reason)
    if _is_busy(job, now):
        if occurrence is None:
            return Reservation("ignored", "duplicate")
        if records.kind_of(job) != "once":
            entries += executions.overtaken(job, occurrence, now)
            records.move_on(job, now)
        return Reservation("ignored", "running")
    if not settling.settle(edit, job, now, entries) or records.is_spent(job):
        return Reservation("ignored", "duplicate")
    if occurrence is not None:
        entries += _pass_over(job, occurrence, now)
    take(job, now, "webhook", claim_rules.TTL_S, entries)
    return Reservation("reserved", "", claim_rules.execution_of(job))


def _pass_over(job: Job, occurrence: datetime, now: datetime) -> list[dict[str, Any]]:
    """Plan what a fire is for, where an earlier one was given back just now; records of that.

    The fire may be early: it would take the earlier one, and its own would come right after it.
    """
    planned = records.instant(job.get("next_run_at"), records.zone_of(now))
    if planned is None or planned >= occurrence:
        return []
    missed = executions.missed(job, planned, occurrence, now)
    job["next_run_at"] = occurrence.isoformat()
    return missed


def _not_its_occurrence(job: Job, occurrence: datetime, now: datetime) -> str | None:
    """Why a fire for `occurrence` is not for what the job waits for."""
    zone = records.zone_of(now)
    planned, claimed = (
        records.instant(job.get(name), zone) for name in ("next_run_at", "last_occurrence")
    )
    # The plan first: an occurrence that was given back is planned again.
    if planned is None or not records.same_instant(planned, occurrence):
        taken = claimed is not None and records.same_instant(claimed, occurrence)
        return "duplicate" if taken else "stale"
    return "early" if occurrence > records.later(now, EARLY_S) else None


def claim(job_id: str, ttl_s: float) -> bool:
    """`jobs.claim_job_for_fire`."""
    settling.store_kept_result(job_id)
    entries: list[dict[str, Any]] = []
    won = False
    with store.current_store().edit() as edit:
        now = _now()
        job = edit.get(job_id)
        if job is not None and records.stay_reason(job) is None:
            won = _claim(edit, job, now, ttl_s, entries)
        _tell_what_is_over(entries)
    if job is not None and won:
        promises.note_won(claim_rules.execution_of(job))
    executions.append(entries)
    return won


def _claim(
    edit: Edit, job: Job, now: datetime, ttl_s: float, entries: list[dict[str, Any]]
) -> bool:
    held = claim_rules.claim_of(job)
    if promises.is_broken(job):
        return False
    if held is not None and held.get("reserved") and claim_rules.is_held(job, now):
        # The webhook's promise, taken up: by a new token, so that it is taken up once.
        job["fire_token"] = held["token"] = held["token"] + 1
        held["reserved"] = False
        held["by"], held["boot"] = process.current().holder, process.current().boot_id
        claim_rules.renew(job, now, ttl_s)
        return True
    if _is_busy(job, now, ttl_s):
        return False
    if not settling.settle(edit, job, now, entries) or records.is_spent(job):
        return False
    if promises.is_of(job["id"]) and job.get("next_run_at") != (held or {}).get("occurrence"):
        return False  # what was promised, and ran out, is no longer the job's next
    take(job, now, "fire", ttl_s, entries)
    return True


def claim_due(due: Sequence[Job]) -> list[Job]:
    """Claim what a tick found due: one write for all.

    A job that the store never held is handed through; one that another caller took, or that changed
    since the scan, is left out.

    Returns:
        The jobs to run, each with its `fire_claim`.
    """
    entries: list[dict[str, Any]] = []
    to_run: list[Job] = []
    with store.current_store().edit() as edit:
        now = _now()
        for job in due:
            record = edit.get(job["id"]) if isinstance(job.get("id"), str) else None
            if record is None:
                if not is_from_store(job):
                    to_run.append(job)
                continue
            if (
                records.stay_reason(record) is None
                and record.get("next_run_at") == job.get("next_run_at")
                and not _is_busy(record, now)
                and settling.settle(edit, record, now, entries)
                and not records.is_spent(record)
            ):
                take(record, now, "tick", claim_rules.TTL_S, entries)
                to_run.append(records.normalise(record))
        _tell_what_is_over(entries)
    executions.append(entries)
    return to_run


def _tell_what_is_over(entries: list[dict[str, Any]]) -> None:
    """Write down what is not run any more, before the claim makes everybody forget it (LIVE-6).

    The claims themselves stay in `entries`: none of them is told before it is in the store.
    """
    executions.append_first([one for one in entries if one["state"] != "claimed"])
    entries[:] = [one for one in entries if one["state"] == "claimed"]


def _now() -> datetime:
    """The host's clock, looked up where tests patch it; under the lock, which may be waited for.

    A claim that is dated before that wait is over before its run begins.
    """
    return jobs._hermes_now()  # noqa: SLF001 - see there


def is_from_store(job: Job) -> bool:
    """Whether a job dict was once taken from the store, rather than planted by a caller.

    A claimed one carries its token. `created_at` is written by `create_job` and filled in by every
    function that hands jobs out, and nobody plants it.
    """
    return "created_at" in job or "token" in (claim_rules.claim_of(job) or {})


def take(
    job: Job, now: datetime, source: str, ttl_s: float, entries: list[dict[str, Any]]
) -> dict[str, Any]:
    """Claim the job's next occurrence, and record what a late one jumps over."""
    planned = records.instant(job.get("next_run_at"), records.zone_of(now))
    if planned is not None and now - planned >= _LEAST_PERIOD:
        entries += _jumped(job, planned, now)
    claim = claim_rules.stamp(job, now, occurrence=planned, source=source, ttl_s=ttl_s)
    entries.append(
        executions.record(
            "claimed",
            job,
            now,
            occurrence=planned,
            execution_id=claim["execution"],
            source=source,
            token=claim["token"],
        )
    )
    return claim


def _jumped(job: Job, planned: datetime, now: datetime) -> list[dict[str, Any]]:
    """Records of the occurrences that came between a late one and now."""
    try:
        first = records.following(job, planned.astimezone(records.zone_of(now)))
        if first is None:
            return []
        # What comes in this very instant is passed over too.
        return executions.missed(job, first, records.later(now, _MOMENT_S), now)
    except schedules.ScheduleError:
        return []  # said by the plan that the claim makes


def _is_busy(job: Job, now: datetime, ttl_s: float = claim_rules.TTL_S) -> bool:
    """Whether a run of the job is on or promised; of this process, known without a clock."""
    return process.current().is_on(job["id"]) or claim_rules.is_held(job, now, ttl_s)
