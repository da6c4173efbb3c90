"""What the jobs themselves show: overdue ones, those in error, a store that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from hermes_cron import claim_rules, records
from hermes_cron.status.evidence import Evidence, instant_of
from hermes_cron.status.wording import Finding, ago, wall

__all__ = ["job_findings", "missing_arms", "next_job", "wanted_arms"]


def job_findings(evidence: Evidence) -> Iterator[Finding]:
    """The findings about the store and each job that is to run (CONTRACT.md STAT-12)."""
    if evidence.store_error is not None:
        yield Finding(
            "bad",
            "store-unreadable",
            f"The jobs cannot be read: {evidence.store_error}",
            "mend the file; nothing is written over it until then",
        )
    for record in evidence.broken:
        yield Finding(
            "bad",
            "broken-record",
            f"The jobs file holds a broken job: {record}; it never runs",
            "mend or remove it in jobs.json; the other jobs are not affected",
        )
    for job in evidence.jobs or ():
        if records.stay_reason(job) is None:
            yield from _findings_of(job, evidence)
    for job in evidence.given_up:
        yield from _findings_of(job, evidence)


def next_job(evidence: Evidence) -> tuple[str, float] | None:
    """The label and the time of the job that comes next; None without one."""
    coming = [
        (at, records.label(job))
        for job in evidence.jobs or ()
        if records.stay_reason(job) is None
        and (at := instant_of(job.get("next_run_at"))) is not None
    ]
    if not coming:
        return None
    at, label = min(coming)
    return label, at


def wanted_arms(evidence: Evidence) -> dict[str, float]:
    """When each job has to be armed, by id: at its next time, unless it is running just now.

    Who runs it arms it when that is over, if need be; where this was refused already, it is missed.
    """
    refused = _refused_arms(evidence)
    return {
        str(job.get("id")): at
        for job in evidence.jobs or ()
        if records.stay_reason(job) is None
        and (at := instant_of(job.get("next_run_at"))) is not None
        and (job.get("id") in refused or not _is_running(job, evidence))
    }


def missing_arms(evidence: Evidence, wanted: Mapping[str, float]) -> list[str]:
    """The jobs of `wanted_arms`, by id, that are not armed so, as far as the provider knows."""
    armed = (evidence.registry or {}).get("armed")
    believed = armed if isinstance(armed, Mapping) else {}
    refused = _refused_arms(evidence)
    return [
        job_id
        for job_id, at in wanted.items()
        if job_id in refused or instant_of(believed.get(job_id)) != at
    ]


def _refused_arms(evidence: Evidence) -> set[str]:
    """The jobs, by id, whose last arm failed, as the provider says."""
    failures = (evidence.registry or {}).get("failures")
    return {
        job_id
        for job_id, failure in (failures.items() if isinstance(failures, Mapping) else ())
        if isinstance(failure, Mapping) and failure.get("call") == "provision"
    }


def _findings_of(job: Mapping[str, Any], evidence: Evidence) -> Iterator[Finding]:
    label = records.label(job)
    if job.get("state") == "error":
        yield Finding(
            "bad",
            "job-in-error",
            f"Job {label} is in error and has no next run: {job.get('last_error') or 'no reason'}",
            f"'hermes-cron show {job.get('id')}' has its schedule: create it anew with one that "
            "comes, and remove this one",
        )
        return
    due_at = instant_of(job.get("next_run_at"))
    if due_at is not None and _is_overdue(job, due_at, evidence):
        yield Finding(
            "bad",
            "overdue",
            f"Job {label} is overdue by {ago(evidence.now - due_at)} "
            f"(it was due at {wall(due_at)})",
            f"look for '{job.get('id')}' in the gateway's log; 'hermes-cron run {job.get('id')}' "
            "runs it now",
        )
    if job.get("id") in evidence.interrupted:
        waits = evidence.external and due_at is None
        yield Finding(
            "unknown" if waits else "note",
            "interrupted",
            f"a run of job {label} was interrupted: the process that ran it is gone",
            "start the gateway: it settles what became of it",
        )
    if job.get("last_status") == "error":
        yield Finding(
            "note",
            "last-run-failed",
            f"the last run of job {label} failed: {_first_line(job.get('last_error'))}",
        )


def _is_overdue(job: Mapping[str, Any], due_at: float, evidence: Evidence) -> bool:
    """Whether it waits for longer than a loop may take: since its time, or its last run's end."""
    ended_at = instant_of(job.get("last_run_at"))
    if ended_at is None or ended_at > evidence.now:
        ended_at = due_at
    waits_s = evidence.now - max(due_at, ended_at)
    return waits_s > evidence.stale_after_s and not _is_running(job, evidence)


def _is_running(job: Mapping[str, Any], evidence: Evidence) -> bool:
    """A claimed job is not overdue: its occurrence is taken care of, unless its holder is dead."""
    if job.get("id") in evidence.interrupted:
        return False
    return claim_rules.is_held(job, datetime.fromtimestamp(evidence.now, UTC))


def _first_line(text: object) -> str:
    lines = str(text or "no reason was recorded").strip().splitlines()
    return lines[0][:200] if lines else "no reason was recorded"
