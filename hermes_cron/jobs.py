"""The job API that providers and hermes-agent's callers use (HOST.md, "The job API").

Every function looks the store and the clock up when it is called, and callers look the functions
up on this module when they call them, so that each of them can be patched here. The work is done in

    records.py      a record as a value
    changes.py      changing jobs for a user; editing.py: what is accepted
    due.py          what is due; upkeep.py: repairing and collapsing next times
    claims.py       at most one run per occurrence; claim_rules.py: the claim in the record
    runs.py         one execution: begun, completed; executions.py: the trace of it;
                    pending.py: what the store did not take
    heartbeat.py    the signals of a loop

Errors of the store (`hermes_cron.store.StoreError`, a `RuntimeError`) pass through everywhere:
nothing has happened then. `CRON_DIR`, `JOBS_FILE`, `OUTPUT_DIR`, `TICKER_HEARTBEAT_FILE` and
`TICKER_SUCCESS_FILE` are live attributes of this module (hermes_cron.paths).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hermes_cron import (
    changes,
    claim_rules,
    claims,
    clock,
    due,
    editing,
    executions,
    heartbeat,
    paths,
    pending,
    records,
    runs,
    schedule,
    store,
)
from hermes_cron.editing import AmbiguousJobReference
from hermes_cron.records import Job

__all__ = [
    "TICKER_INTERVAL_SECONDS",
    "AmbiguousJobReference",
    "advance_next_run",
    "claim_dispatch",
    "claim_due",
    "claim_job_for_fire",
    "compute_next_run",
    "create_job",
    "get_due_jobs",
    "get_job",
    "get_ticker_heartbeat_age",
    "get_ticker_success_age",
    "list_executions",
    "list_jobs",
    "load_jobs",
    "mark_job_run",
    "parse_duration",
    "parse_schedule",
    "pause_job",
    "record_ticker_heartbeat",
    "remove_job",
    "resolve_job_ref",
    "resume_job",
    "retry_pending",
    "save_job_output",
    "save_jobs",
    "trigger_job",
    "update_job",
]

paths.make_live(__name__)

TICKER_INTERVAL_SECONDS = 60
"""Seconds between ticks, unless the gateway is told otherwise."""

ONESHOT_GRACE_SECONDS = schedule.ONE_SHOT_GRACE_S


def _hermes_now() -> datetime:
    """The clock of the host, aware in the configured zone; the one that tests replace."""
    return clock.now()


_unpatched_now = _hermes_now


def parse_schedule(text: str) -> dict[str, Any]:
    """What a person wrote, as a schedule.

    Raises:
        hermes_cron.schedule.ScheduleError: (a `ValueError`) with what would be right.
    """
    return schedule.parse_schedule(text, now=_hermes_now())


def parse_duration(text: str) -> int:
    """`30m`, `2h`, `1d` in minutes; `ScheduleError` for anything else."""
    return schedule.parse_duration(text)


def compute_next_run(schedule: object, last_run_at: str | None = None) -> str | None:
    """The next time of a schedule, ISO 8601, without regard to a job's own grid.

    An interval comes its period after the last run (now, without one); cron at its next time after
    that; a one-shot at its `run_at`, as stored, while that is not more than 120 s past and it was
    not run. None when there is no such time or the schedule cannot be read.
    """
    return records.compute_next_run(schedule, last_run_at, _hermes_now())


def load_jobs() -> list[Job]:
    """The records of all usable jobs as they stand in the store, as copies. No field is added."""
    return [records.hand_out(job) for job in store.current_store().read().jobs]


def list_jobs(include_disabled: bool = False) -> list[Job]:
    """The jobs with defaults filled in; without `include_disabled`, those that are enabled."""
    found = map(records.normalise, store.current_store().read().jobs)
    return [job for job in found if include_disabled or job["enabled"]]


def get_job(job_id: str) -> Job | None:
    """The job of that id with defaults filled in, or None."""
    job = store.current_store().read().get(job_id)
    return None if job is None else records.normalise(job)


def resolve_job_ref(ref: str) -> Job | None:
    """The job of that id, else of that name without regard to case, or None.

    Raises:
        AmbiguousJobReference: several jobs have the name.
    """
    job = editing.find(store.current_store().read().jobs, ref)
    return None if job is None else records.normalise(job)


def save_jobs(jobs: list[Job]) -> None:
    """Make `jobs` all the jobs there are; broken records of the file stay.

    For hermes-agent's callers: what others changed since `jobs` was loaded is lost, which no other
    function does.
    """
    with store.current_store().edit() as edit:
        edit.replace_all(jobs)
    changes.tell_provider()


def create_job(  # noqa: D417, PLR0917 - hermes-agent's arguments, by place too
    prompt: str | None,
    schedule: str,
    name: str | None = None,
    repeat: int | None = None,
    deliver: str | None = None,
    origin: dict[str, Any] | None = None,
    skill: str | None = None,
    skills: list[str] | None = None,
    model: str | None = None,
    provider: str | None = None,
    base_url: str | None = None,
    script: str | None = None,
    context_from: str | list[str] | None = None,
    enabled_toolsets: list[str] | None = None,
    workdir: str | None = None,
    no_agent: bool = False,
    attach_to_session: bool | None = None,
) -> Job:
    """Store a new job, and tell the provider.

    Args:
        prompt: what the agent is asked; with `no_agent`, a name at most.
        schedule: see `parse_schedule`.
        name: for people; the beginning of the prompt without one.
        repeat: how often it runs at most; None or less than 1: for ever, a one-shot once.
        deliver: where its result goes; "local" (the default) keeps it in the output folder.
        origin: where it was asked for, for deliver="origin".
        script: what runs, with `no_agent`; else what runs before the agent.
        workdir: an existing folder to run in, absolute.
        no_agent: run the script and nothing else.
        skill, skills, model, provider, base_url, context_from, enabled_toolsets,
            attach_to_session: for the agent, kept as given.

    Returns:
        The record.

    Raises:
        ValueError: the schedule or an argument is refused, with what would be right.
    """
    given = dict(locals())
    parsed = parse_schedule(given.pop("schedule"))
    job = editing.new_job(parsed, given, _hermes_now())
    job["next_run_at"] = compute_next_run(parsed)
    return changes.create(job)


def update_job(job_id: str, updates: Mapping[str, Any]) -> Job | None:
    """Change fields of a job, plan it anew when its schedule changed, and tell the provider.

    Returns:
        The changed job; None when there is none of that id.

    Raises:
        ValueError: the id was to be changed, or a value is refused.
    """
    return changes.change(
        job_id,
        lambda job: editing.apply(job, updates, _hermes_now(), compute_next_run, parse_schedule),
    )


def pause_job(job_id: str, reason: str | None = None) -> Job | None:
    """Keep a job (by id or name) from running until it is resumed; None when there is none."""
    paused = {
        "enabled": False,
        "state": "paused",
        "paused_at": _hermes_now().isoformat(),
        "paused_reason": reason,
    }
    return changes.change(job_id, lambda job: job.update(paused), by_name=True)


def resume_job(job_id: str) -> Job | None:
    """Let a job (by id or name) run again, planned from now; None when there is none.

    Raises:
        ValueError: a one-shot whose time is more than 120 s past, or that was run.
    """
    return changes.change(
        job_id,
        lambda job: job.update(editing.resume(job, _hermes_now(), compute_next_run)),
        by_name=True,
    )


def trigger_job(job_id: str) -> Job | None:
    """Make a job (by id or name) due now, paused or not; None when there is none.

    The run is one more: the schedule goes on as planned.
    """
    return changes.change(job_id, lambda job: editing.trigger(job, _hermes_now()), by_name=True)


def remove_job(job_id: str) -> bool:
    """Remove a job (by id or name), and tell the provider; False when there is none."""
    return changes.remove(job_id)


def get_due_jobs() -> list[Job]:
    """The jobs to run now, as copies.

    A recurring job that is later than its grace is due for its latest occurrence; what came before
    is recorded as missed. A missing or wrong next time is repaired. Both are stored before this
    returns. A job that is paused, completed, disabled, claimed or running is not due.
    """
    return due.scan(_hermes_now, patched=_hermes_now is not _unpatched_now)


def claim_due(due_jobs: list[Job]) -> list[Job]:
    """Claim what `get_due_jobs` found, in one write; the jobs that this caller may run now.

    Each carries its `fire_claim`, its `next_run_at` has moved on, a one-shot's run counts already.
    """
    return claims.claim_due(due_jobs)


def claim_job_for_fire(job_id: str, *, claim_ttl_seconds: float = claim_rules.TTL_S) -> bool:
    """Claim a job for one run; True for one caller, whoever else asks.

    It takes up the reservation of a webhook when there is one. Else the first caller wins while the
    claim is younger than `claim_ttl_seconds` and not renewed by a run, and a recurring job's
    `next_run_at` moves, strictly after now and its old value. `mark_job_run` ends the claim.
    """
    retry_pending()
    return claims.claim(job_id, claim_ttl_seconds)


def advance_next_run(job_id: str) -> bool:
    """Move a recurring job that is due to its next occurrence after now, on its grid.

    Returns:
        Whether it moved. A one-shot does not.
    """
    return due.advance(job_id, _hermes_now())


def claim_dispatch(job_id: str) -> bool:
    """Count a run of a limited one-shot before it begins, for hermes-agent's callers.

    Returns:
        False when no run is left; the job is removed then. True for all other jobs.
    """
    return runs.count_dispatch(job_id)


def mark_job_run(
    job_id: str, success: bool, error: str | None = None, delivery_error: str | None = None
) -> None:
    """Store the result of a run, end its claim, and remove a job that has had its last run.

    A completion of `run_one_job` whose claim was taken over meanwhile changes nothing. A recurring
    job whose next time cannot be computed stays enabled, in state "error".
    """
    runs.complete(
        runs.Completion(job_id, success, error, delivery_error, _hermes_now(), compute_next_run)
    )


def retry_pending() -> None:
    """Store what this process could not store before; called on every occasion. Never raises."""
    pending.retry()


def save_job_output(job_id: str, text: str) -> str:
    """Keep the output of one run; the newest 50 of a job stay. Returns a path-like name."""
    stamp = _hermes_now().strftime("%Y-%m-%d_%H-%M-%S")
    return store.current_store().save_output(job_id, stamp, text)


def list_executions(job_id: str | None = None) -> list[dict[str, Any]]:
    """What became of each occurrence, oldest first; see `hermes_cron.executions.attempts`."""
    return executions.attempts(job_id)


def record_ticker_heartbeat(success: bool = False) -> None:
    """Say that the loop lives, and with `success` that its last tick was clean. Never raises."""
    heartbeat.beat(success=success)


def get_ticker_heartbeat_age() -> float | None:
    """Seconds since a loop gave its last sign of life; None for unknown."""
    return heartbeat.age_s(heartbeat.HEARTBEAT)


def get_ticker_success_age() -> float | None:
    """Seconds since a loop's last clean tick; None for unknown."""
    return heartbeat.age_s(heartbeat.SUCCESS)
