"""What the scan found to be in need of it is put right in the store: one write for all of it.

A claim whose time is over is ended, a record is repaired, what is too late is collapsed, and what
was planned while a clock was ahead comes nearer. `upkeep` says what becomes of one record.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hermes_cron import claim_rules, executions, records, settling, store, upkeep
from hermes_cron.records import Job
from hermes_cron.schedule import ScheduleError
from hermes_cron.store import Edit

__all__ = ["Stepped", "mend_all"]

logger = logging.getLogger("hermes_cron.due")  # to whoever reads it this is part of the scan


@dataclass(frozen=True, slots=True)
class Stepped:
    """Since the clock may have been set back, these jobs could not be looked at, or not yet.

    A next time of theirs that is too far off, seen from `base`, was computed while it was ahead.
    Where it was set to comes after `since`, the last look.
    """

    since: datetime
    base: datetime
    job_ids: Collection[str]

    def is_ahead(self, job: Mapping[str, Any]) -> bool:
        """Whether it is one of the jobs, with such a next time."""
        return job.get("id") in self.job_ids and upkeep.is_ahead(job, self.base)


def mend_all(job_ids: list[str], now: datetime, stepped: Stepped) -> set[str]:
    """Repair and collapse, in one write; the records of what was missed go before it.

    Returns:
        The ids of the jobs whose records were changed.
    """
    entries: list[dict[str, Any]] = []
    changed: set[str] = set()
    with store.current_store().edit() as edit:
        for job_id in job_ids:
            job = edit.get(job_id)
            if job is None:
                continue
            before = records.hand_out(job)
            written = len(entries)
            try:
                _mend(edit, job, now, stepped, entries)
            except Exception:
                job.clear()
                job.update(before)
                del entries[written:]
                logger.exception(
                    "job %s cannot be repaired; the others go on",
                    records.label(before),
                    extra={"job_id": job_id, "occurrence": before.get("next_run_at")},
                )
            if job != before or edit.get(job_id) is None:
                changed.add(job_id)
        executions.append_first(entries)
    return changed


def _mend(
    edit: Edit, job: Job, now: datetime, stepped: Stepped, entries: list[dict[str, Any]]
) -> None:
    if records.stay_reason(job) is not None or claim_rules.is_held(job, now):
        return  # changed since the look
    if not settling.settle(edit, job, now, entries):
        return
    if records.is_spent(job):
        # Its runs are used up by one that never said how it ended (hermes-agent's, by its count).
        entries.append(executions.record("unknown", job, now, reason="no run is left"))
        edit.delete(job["id"])
        return
    entries += upkeep.mend(job, now)
    if stepped.is_ahead(job):
        claimed = [
            str(entry.get("occurrence"))
            for entry in store.current_store().executions(job["id"])
            if entry.get("state") == "claimed"
        ]
        upkeep.pull_back(job, stepped.since, claimed)
    planned = records.instant(job.get("next_run_at"), records.zone_of(now))
    if planned is None or planned > now:
        return
    try:
        if upkeep.is_late(job, planned, now):
            entries += upkeep.collapse(job, planned, now)
    except ScheduleError as error:
        # Whether this time is one of the schedule's cannot be told: the record says so (LIVE-13).
        records.plan(job, None, str(error))
        logger.error(  # noqa: TRY400 - the message is the whole story
            "job %s does not run for %s and stays enabled, in error: %s",
            records.label(job),
            planned.isoformat(),
            error,
            extra={"job_id": job["id"], "occurrence": planned.isoformat()},
        )
