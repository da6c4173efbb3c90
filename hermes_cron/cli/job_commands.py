"""The commands that create, show and change jobs."""

from __future__ import annotations

from typing import Any

import click

from hermes_cron import claim_rules, clock, jobs, process, records, status, store
from hermes_cron.cli.output import print_json, print_pairs, print_table, relative, when
from hermes_cron.status.evidence import broken_records, instant_of
from hermes_cron.store.document import safe_component

__all__ = ["create", "find", "pause", "remove", "resume", "show", "show_all"]

_SHOWN_RUNS = 5
_TRIGGER_TROUBLE = frozenset({"no-gateway", "stalled", "failing", "draining", "not-armed"})


def find(reference: str) -> dict[str, Any]:
    """The job of that id or name.

    Raises:
        click.ClickException: there is none (exit code 1).
        hermes_cron.jobs.AmbiguousJobReference: several have that name.
    """
    job: dict[str, Any] | None = jobs.resolve_job_ref(reference)
    if job is None:
        raise click.ClickException(
            f"there is no job '{reference}'; 'hermes-cron list' shows the jobs and their ids"
        )
    return job


def create(schedule: str, prompt: str, *, as_json: bool, **settings: Any) -> None:
    """Create a job and say when it comes."""
    job = jobs.create_job(prompt, schedule, **settings)
    _say("Created", job, as_json=as_json)
    _warn_unless_it_will_fire()


def pause(reference: str, reason: str | None, *, as_json: bool) -> None:
    """Pause a job."""
    _say("Paused", jobs.pause_job(find(reference)["id"], reason), as_json=as_json)


def resume(reference: str, *, as_json: bool) -> None:
    """Resume a job."""
    _say("Resumed", jobs.resume_job(find(reference)["id"]), as_json=as_json)
    _warn_unless_it_will_fire()


def remove(reference: str, *, as_json: bool) -> None:
    """Remove a job."""
    job = find(reference)
    if not jobs.remove_job(job["id"]):
        raise click.ClickException(f"job {records.label(job)} was gone before it could be removed")
    _say("Removed", {**job, "next_run_at": None}, as_json=as_json)


def show_all(*, active: bool, as_json: bool) -> None:
    """List the jobs, the next one first, those without a next time last."""
    found = sorted(
        jobs.list_jobs(include_disabled=not active),
        key=lambda job: (instant_of(_next(job)) or float("inf"), str(job.get("name"))),
    )
    if as_json:
        print_json(found)
        return
    for broken in broken_records():
        click.echo(f"Warning: broken and never run: {broken}", err=True)
    if not found:
        click.echo("No jobs yet. Create one, for example:")
        click.echo('  hermes-cron create "every 1h" --script backup.sh --name backup')
        return
    print_table(
        ("ID", "NAME", "SCHEDULE", "NEXT", "STATE", "LAST"),
        [
            (
                str(job["id"]),
                "" if job.get("name") in (None, job["id"]) else str(job["name"]),
                _schedule(job),
                when(_next(job)) or "-",
                _state(job),
                str(job.get("last_status") or "-"),
            )
            for job in found
        ],
        give=1,
        most=16,
    )
    click.echo(f"Times are in {clock.zone()}.")


def show(reference: str, *, as_json: bool) -> None:
    """Show one job with its trace; of one that is gone, what is left of it."""
    try:
        job = find(reference)
    except click.ClickException:
        if not jobs.list_executions(reference):
            raise
        _show_gone(reference, as_json=as_json)
        return
    runs = jobs.list_executions(job["id"])[-_SHOWN_RUNS:]
    outputs = store.current_store().outputs(job["id"])
    if as_json:
        print_json({**job, "executions": runs, "outputs": outputs})
        return
    click.echo(f"Job {records.label(job)}")
    repeat = job.get("repeat") if isinstance(job.get("repeat"), dict) else {}
    times = (repeat or {}).get("times")
    next_at = _next(job)
    print_pairs(
        [
            ("schedule", _schedule(job)),
            (
                "next run",
                f"{when(next_at, seconds=True)} ({relative(next_at)})" if next_at else "-",
            ),
            ("state", _state(job)),
            ("paused because", job.get("paused_reason")),
            ("prompt", job.get("prompt")),
            ("script", job.get("script")),
            ("workdir", job.get("workdir")),
            ("deliver", job.get("deliver")),
            ("runs", f"{(repeat or {}).get('completed') or 0} of {times}" if times else None),
            ("last run", _last_run(job)),
            ("last error", job.get("last_error")),
            ("not delivered", job.get("last_delivery_error")),
            ("newest output", outputs[-1] if outputs else None),
        ]
    )
    if runs:
        _print_runs(runs)


def _show_gone(job_id: str, *, as_json: bool) -> None:
    """Show what outlives a job: its executions and its outputs."""
    runs = jobs.list_executions(job_id)[-_SHOWN_RUNS:]
    outputs = store.current_store().outputs(job_id) if safe_component(job_id) else []
    if as_json:
        print_json({"id": job_id, "state": "gone", "executions": runs, "outputs": outputs})
        return
    click.echo(f"Job '{job_id}' is gone: removed, or done with its last run")
    print_pairs([("newest output", outputs[-1] if outputs else None)])
    _print_runs(runs)


def _print_runs(runs: list[dict[str, Any]]) -> None:
    click.echo("Last executions")
    print_table(
        ("AT", "OCCURRENCE", "STATE", "WHY"),
        [
            (
                when(entry.get("at"), seconds=True),
                when(entry.get("occurrence"), seconds=True) or "-",
                str(entry.get("state") or ""),
                str(entry.get("reason") or entry.get("error") or ""),
            )
            for entry in runs
        ],
        give=3,
    )


def _warn_unless_it_will_fire() -> None:
    """Say what keeps a job that was just made from firing: it is stored, and no more than that."""
    for finding in status.report().findings:
        if finding.code in _TRIGGER_TROUBLE:
            click.echo(f"Warning: {finding.text}; {finding.advice}", err=True)


def _say(done: str, job: dict[str, Any] | None, *, as_json: bool) -> None:
    if job is None:
        raise click.ClickException("the job was gone before it could be changed")
    if as_json:
        print_json(job)
        return
    next_at = _next(job)
    comes = f", next run {when(next_at, seconds=True)} ({relative(next_at)})" if next_at else ""
    click.echo(f"{done} job {records.label(job)}{comes}")


def _schedule(job: dict[str, Any]) -> str:
    display = job.get("schedule_display") or records.schedule_of(job).get("display")
    return str(display or "?")


def _next(job: dict[str, Any]) -> object:
    """The job's next time; none for a job that rests."""
    return job.get("next_run_at") if records.stay_reason(job) is None else None


def _state(job: dict[str, Any]) -> str:
    stay = records.stay_reason(job)
    if stay is not None:
        return stay
    if not claim_rules.is_held(job, clock.now()):
        return str(job.get("state") or "scheduled")
    claim = claim_rules.claim_of(job) or {}
    gone = process.current().is_gone(claim.get("by"), claim.get("boot"))
    return "interrupted" if gone else "running"


def _last_run(job: dict[str, Any]) -> str | None:
    if not job.get("last_run_at"):
        return None
    return f"{when(job['last_run_at'], seconds=True)}, {job.get('last_status') or 'unknown'}"
