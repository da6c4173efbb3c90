"""Which jobs are due now: the scan behind `jobs.get_due_jobs`.

The scan looks at every record once and remembers until when nothing can be due (`agenda`); until
then an idle tick costs a comparison. What it has to repair or collapse it has written before it
answers (`repairs`).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Final

from hermes_cron import (
    claim_rules,
    clock,
    heartbeat,
    process,
    records,
    repairs,
    store,
    upkeep,
)
from hermes_cron.agenda import Agenda
from hermes_cron.records import Job
from hermes_cron.schedule import ScheduleError
from hermes_cron.store import Document

__all__ = ["advance", "scan"]

logger = logging.getLogger(__name__)

_SLOT = "hermes_cron.due"
_AGENDA_SLOT = "hermes_cron.due.agenda"
_LOOKED_SLOT = "hermes_cron.due.looked"
_STEPPED_SLOT = "hermes_cron.due.stepped"
_LOOK_AGAIN_S = 3600.0  # at what could not be repaired
_NEXT_TICK_S = 1.0  # at what was repaired in vain, and at what is just coming to its end
_ZONE_AGAIN_S = 300.0  # at whether the zone was changed, which may make a job due earlier
_DUE: Final = -1.0
_MEND: Final = -2.0


@dataclass(frozen=True, slots=True)
class _Quiet:
    """Nothing is due in `document` while the clock is between `since` and `until`.

    Nor until `planned`, as long as the zone is `zone`.
    """

    document: Document
    since: float
    until: float
    planned: float
    zone: tzinfo | None = None


def scan(clock_now: Callable[[], datetime], *, patched: bool) -> list[Job]:
    """The due jobs, in file order, as copies with all fields filled in.

    Args:
        clock_now: the host's clock.
        patched: whether somebody replaced that clock, so that it has to be asked.

    Raises:
        StoreError: the store could not be read, or what had to be repaired not be written.
    """
    document = store.current_store().read()
    slots = process.current().slots
    quiet: _Quiet | None = slots.get(_SLOT)
    at = clock_now().timestamp() if patched else clock.epoch()
    looked_s = clock.monotonic()
    due: list[Job] = []
    if quiet is None or quiet.document is not document or not quiet.since <= at < quiet.until:
        due = _look_again(document, quiet, at, clock_now(), looked_s)
    slots[_LOOKED_SLOT] = looked_s
    return due


def _look_again(
    document: Document, quiet: _Quiet | None, at: float, now: datetime, looked_s: float
) -> list[Job]:
    """What `scan` finds where something may be due: the document, the zone or the time is new."""
    slots = process.current().slots
    zone = records.zone_of(now)
    if (
        quiet is not None
        and quiet.document is document
        and quiet.since <= at < quiet.planned
        and quiet.zone == zone
    ):
        slots[_SLOT] = _Quiet(document, at, _soon(at, quiet.planned), quiet.planned, zone)
        return []
    heartbeat.tick_works()
    agenda: Agenda = slots.setdefault(_AGENDA_SLOT, Agenda())
    # By the present clock the last look was so long ago as has really passed since.
    last_look = records.later(now, slots.get(_LOOKED_SLOT, looked_s) - looked_s)
    # What was on then may have been claimed rightly since: its next time is seen from now.
    stepped = repairs.Stepped(last_look, now, slots.get(_STEPPED_SLOT, ()))
    if quiet is None or at < quiet.since:
        # The clock may have been ahead.
        stepped = repairs.Stepped(last_look, last_look, document.places)
        agenda = slots[_AGENDA_SLOT] = Agenda()
    verdicts = _look_at_all(agenda, document, now, stepped)
    if _MEND in verdicts.values():
        to_mend = [job_id for job_id, verdict in verdicts.items() if verdict == _MEND]
        mended = repairs.mend_all(to_mend, now, stepped)
        document = store.current_store().read()
        verdicts = _look_at_all(agenda, document, now)
        for job_id in [one for one, verdict in verdicts.items() if verdict == _MEND]:
            # What was mended and stands as before was put back: by a disk, or an older program.
            verdicts[job_id] = at + (_NEXT_TICK_S if job_id in mended else _LOOK_AGAIN_S)
    slots[_STEPPED_SLOT] = {one for one in stepped.job_ids if _is_on(document.get(one), now)}
    due = [job_id for job_id, verdict in verdicts.items() if verdict == _DUE]
    if not due:
        until = min(agenda.next_at(), *verdicts.values(), math.inf)
        slots[_SLOT] = _Quiet(document, at, _soon(at, until), until, zone)
    elif quiet is None or quiet.document is not document:
        slots[_SLOT] = _Quiet(document, at, at, at)
    return [records.normalise(document.get(job_id) or {}) for job_id in due]


def _soon(at: float, planned: float) -> float:
    """Until when nothing needs to be asked: the zone is asked for now and then."""
    return min(planned, at + _ZONE_AGAIN_S)


def advance(job_id: str, now: datetime) -> bool:
    """`jobs.advance_next_run`."""
    with store.current_store().edit() as edit:
        job = edit.get(job_id)
        if job is None or records.kind_of(job) not in records.RECURRING:
            return False
        before = job.get("next_run_at")
        planned = records.instant(before, records.zone_of(now))
        if planned is not None and planned > now:
            return False
        records.move_on(job, now)
        return bool(job["next_run_at"] != before)


def _look_at_all(
    agenda: Agenda, document: Document, now: datetime, stepped: repairs.Stepped | None = None
) -> dict[str, float]:
    """For each job that has to be looked at: due, to be mended, or the epoch until when neither.

    Next times that are too far off are looked for in what is `stepped`.
    """
    if document.broken:
        _report_broken(document)
    verdicts: dict[str, float] = {}
    at, zone = now.timestamp(), records.zone_of(now)
    running = {one for one, run in list(process.current().running.items()) if not run.over}
    for job_id in agenda.to_look_at(document, at, zone, running):
        job = document.get(job_id) or {}
        try:
            verdict = _look(job, now, stepped, job_id in running)
        except Exception:
            # One record of a shape that nobody thought of must not stop the others (LIVE-7).
            logger.exception(
                "job %s cannot be planned; its record has to be mended",
                records.label(job),
                extra={"job_id": job_id, "occurrence": None},
            )
            verdict = at + _LOOK_AGAIN_S
        verdicts[job_id] = verdict
        if verdict > at and job_id not in running:
            agenda.settle(job_id, verdict)
    return verdicts


def _look(  # noqa: PLR0911 - one line for each state that a job can be in
    job: Mapping[str, Any], now: datetime, stepped: repairs.Stepped | None, running: bool
) -> float:
    if records.stay_reason(job) is not None:
        return math.inf
    if running:
        # Its end is a write, after which everything is looked at anew; without a claim it had that.
        again_s = 60 if job.get("fire_claim") else _NEXT_TICK_S
        return max(now.timestamp() + again_s, claim_rules.ends_at(job, now).timestamp())
    if claim_rules.is_held(job, now):
        return claim_rules.ends_at(job, now).timestamp()
    if job.get("fire_claim"):
        return _MEND
    if upkeep.needs_mending(job, now) and not _is_hopeless(job, now):
        return _MEND
    planned = records.instant(job.get("next_run_at"), records.zone_of(now))
    if planned is None:
        return math.inf if records.kind_of(job) == "once" else now.timestamp() + _LOOK_AGAIN_S
    if records.is_spent(job):
        return _MEND
    if planned > now:
        return _MEND if stepped and stepped.is_ahead(job) else planned.timestamp()
    try:
        return _MEND if upkeep.is_late(job, planned, now) else _DUE
    except ScheduleError:
        return _MEND


def _is_on(job: Mapping[str, Any] | None, now: datetime) -> bool:
    """Whether a run of the job is on, here or elsewhere, and so nobody looks when it comes next."""
    return job is not None and (process.current().is_on(job["id"]) or claim_rules.is_held(job, now))


def _is_hopeless(job: Mapping[str, Any], now: datetime) -> bool:
    """Whether mending the record was tried in vain, so that it needs no further write."""
    if job.get("state") != "error" or job.get("next_run_at") is not None:
        return False
    return records.compute_next_run(job.get("schedule"), None, now) is None


def _report_broken(document: Document) -> None:
    """Say which records are no jobs: once for each set of them."""
    slots = process.current().slots
    said = tuple((broken.index, broken.reason) for broken in document.broken)
    if slots.get("hermes_cron.broken") != said:
        slots["hermes_cron.broken"] = said
        for index, reason in said:
            logger.error(
                "record %d of the jobs file is no job and is left alone: %s; mend or remove it",
                index + 1,
                reason,
                extra={"job_id": None, "occurrence": None},
            )
