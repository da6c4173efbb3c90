"""Changing the stored jobs for a user: one edit each; the provider is told once it is stored."""

from __future__ import annotations

from collections.abc import Callable

from hermes_cron import editing, records, store
from hermes_cron.records import Job

__all__ = ["change", "create", "remove", "tell_provider"]


def create(job: Job) -> Job:
    """Store a new job; the record with defaults filled in."""
    with store.current_store().edit() as edit:
        edit.put(job)
    tell_provider()
    return records.normalise(job)


def change(ref: str, apply: Callable[[Job], object], *, by_name: bool = False) -> Job | None:
    """Apply a change to one record; what it raises discards the edit.

    Args:
        ref: the id of a job.
        apply: changes the record that it is given.
        by_name: take a name too.

    Returns:
        The changed record with defaults filled in; None when there is no such job.
    """
    with store.current_store().edit() as edit:
        found = editing.find(edit.document.jobs, ref) if by_name else None
        job = edit.get(ref if found is None else found["id"])
        if job is None:
            return None
        apply(job)
    tell_provider()
    return records.normalise(job)


def remove(ref: str) -> bool:
    """Remove the job of that id or name; False when there is none."""
    with store.current_store().edit() as edit:
        job = editing.find(edit.document.jobs, ref)
        removed = job is not None and edit.delete(job["id"])
    if removed:
        tell_provider()
    return removed


def tell_provider() -> None:
    """Once per mutation that is stored, outside the store's lock; never raises."""
    from hermes_cron import scheduler

    scheduler._notify_provider_jobs_changed()  # noqa: SLF001 - hermes-agent's name for it
