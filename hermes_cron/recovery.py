"""What an earlier process left behind, settled when the next one starts."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from hermes_cron import claim_rules, executions, jobs, process, records, settling, store, upkeep

__all__ = ["recover"]

_OPEN = {"claimed", "running"}

logger = logging.getLogger(__name__)


def recover() -> int:
    """Settle the claims of dead processes of this host, and repair wrong next times.

    A run that may have begun is recorded as unknown and not repeated; a claim whose run never began
    is given back, so that its occurrence is due. Claims of other hosts end by their time. A run
    without a claim (its job was removed meanwhile, or a disk lost the write) has its records closed
    all the same.

    Returns:
        How many claims and such runs were settled.
    """
    now = jobs._hermes_now()  # noqa: SLF001 - the host's clock, looked up where tests patch it
    me = process.current()
    entries: list[dict[str, Any]] = []
    settled = 0
    with store.current_store().edit() as edit:
        for record in edit.document.jobs:
            claim = claim_rules.claim_of(record)
            dead = claim is not None and me.is_gone(claim.get("by"), claim.get("boot"))
            may_run = records.stay_reason(record) is None
            if not dead and (claim is not None or not may_run):
                continue
            try:
                if not dead and not upkeep.needs_mending(record, now):
                    continue
                job = edit.get(record["id"])
                if job is None:
                    continue
                if dead:
                    settled += 1
                if (not dead or settling.settle(edit, job, now, entries)) and may_run:
                    entries += upkeep.mend(job, now)
            except Exception:
                logger.exception(
                    "job %s cannot be recovered; the others go on",
                    records.label(record),
                    extra={"job_id": record["id"], "occurrence": None},
                )
        orphans = list(_without_claims(edit.document.jobs, now))
        executions.append_first(entries + orphans)
    return settled + len(orphans)


def _without_claims(known: Iterable[Mapping[str, Any]], now: datetime) -> Iterator[dict[str, Any]]:
    """Closing records for runs that died with their process and that no claim in the store names.

    Args:
        known: the jobs' records, with the claims that are settled now.
        now: the present.
    """
    me = process.current()
    claims_by_job = {record["id"]: claim_rules.claim_of(record) or {} for record in known}
    told_later = executions.waiting()
    for attempt in executions.attempts():
        job_id, execution_id = str(attempt.get("job_id")), attempt.get("id")
        if attempt.get("state") not in _OPEN or job_id in me.running or execution_id in told_later:
            continue
        if claims_by_job.get(job_id, {}).get("execution") == execution_id:
            continue
        if me.is_gone(attempt.get("by"), ""):  # of this process' own, what runs is known
            lost = "its claim was lost" if job_id in claims_by_job else "the job was removed"
            yield executions.record(
                "unknown",
                {"id": attempt.get("job_id")},
                now,
                occurrence=attempt.get("occurrence"),
                execution_id=execution_id,
                error=f"the process died, and {lost} meanwhile",
            )
