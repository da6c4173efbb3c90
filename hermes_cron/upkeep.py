"""Keeping a record's `next_run_at` right, whatever made it wrong. Works on one record; no I/O.

What can be wrong: it is missing or no time (edited by hand, written by an older version), the zone
was changed since it was computed, the clock was ahead when it was computed, or it is so late that
the occurrences in between collapse into one run now.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from hermes_cron import claim_rules, executions, records
from hermes_cron import schedule as schedules
from hermes_cron.records import Job

__all__ = ["collapse", "is_ahead", "is_late", "mend", "needs_mending", "pull_back"]

logger = logging.getLogger(__name__)

_MOMENT = timedelta(microseconds=1)
_LONGEST_GAP = timedelta(hours=1)


def needs_mending(job: Mapping[str, Any], now: datetime) -> bool:
    """Whether `mend` would try to change the record."""
    planned = records.instant(job.get("next_run_at"), records.zone_of(now))
    if planned is not None:
        return _zone_moved(job, now)
    if records.kind_of(job) == "once":
        # Claimed, spent or run: it has no next time and needs none.
        idle = claim_rules.claim_of(job) is None and not job.get("run_claim")
        return idle and not records.is_spent(job) and not job.get("last_run_at")
    return True


def mend(job: Job, now: datetime) -> list[dict[str, Any]]:
    """Give the record a right `next_run_at`.

    Returns:
        Execution records to write when the change is in the store.
    """
    if not needs_mending(job, now):
        return []
    extra = {"job_id": job.get("id"), "occurrence": job.get("next_run_at")}
    if records.kind_of(job) == "once":
        if records.instant(job.get("next_run_at"), records.zone_of(now)) is not None:
            job["next_run_at"] = records.schedule_of(job)["run_at"]
            return []
        return _mend_one_shot(job, now)
    planned = records.instant(job.get("next_run_at"), records.zone_of(now))
    if planned is not None:
        _move_to_zone(job, now)
        logger.info(
            "job %s: the zone was changed; by its wall time there it comes at %s",
            records.label(job),
            job.get("next_run_at"),
            extra=extra,
        )
        comes = records.instant(job.get("next_run_at"), records.zone_of(now))
        if planned > now or (comes is not None and comes <= now):
            return []
        # It came by the old zone while nobody looked, and does not come by the new one.
        said = "the zone was changed since it was planned"
        at = planned.isoformat()
        return [executions.record("missed", job, now, occurrence=at, reason=said)]
    before = dict(job)
    job["next_run_at"] = None
    records.move_on(job, now)
    if job != before:
        logger.warning(
            "job %s had no usable next_run_at (%r); now it is %s",
            records.label(job),
            before.get("next_run_at"),
            job["next_run_at"] or f"in error: {job.get('last_error')}",
            extra=extra,
        )
    return []


def _mend_one_shot(job: Job, now: datetime) -> list[dict[str, Any]]:
    run_at = records.schedule_of(job).get("run_at")
    job["next_run_at"] = records.compute_next_run(job.get("schedule"), None, now)
    if job["next_run_at"] is not None:
        return []
    # Left as it is, it would stand there as scheduled for ever (TIME-6).
    job["enabled"] = False
    job["state"] = "error"
    job["last_error"] = (
        f"its time {run_at!r} passed without a run, or is no time; resume it with another schedule"
    )
    logger.error(
        "job %s will not run: %s",
        records.label(job),
        job["last_error"],
        extra={"job_id": job.get("id"), "occurrence": run_at},
    )
    return [executions.record("missed", job, now, occurrence=run_at, reason="never planned")]


def _zone_moved(job: Mapping[str, Any], now: datetime) -> bool:
    """Whether a cron time was computed in another zone than the configured one (TIME-5)."""
    if records.kind_of(job) == "once":
        return _one_shot_moved(job, now)
    if records.kind_of(job) != "cron":
        return False
    zone = records.zone_of(now)
    planned = datetime.fromisoformat(job["next_run_at"])
    if planned.tzinfo is None or planned.utcoffset() == planned.astimezone(zone).utcoffset():
        return False
    schedule, since = records.schedule_of(job), planned - _MOMENT
    try:
        if not schedules.is_fixed(schedule):  # in another zone it may come sooner as well
            claimed = records.instant(job.get("last_occurrence"), zone)
            since = min(since, now if claimed is None else max(now, claimed))
        # The same instant in another notation is no other zone; a trigger is no occurrence.
        expected = schedules.next_after(schedule, since, zone)
    except schedules.ScheduleError:
        return False
    return expected is not None and not records.same_instant(expected, planned)


def _one_shot_moved(job: Mapping[str, Any], now: datetime) -> bool:
    """Whether a one-shot that is meant by the wall was planned by the wall of another zone."""
    run_at = records.schedule_of(job).get("run_at")
    meant = records.instant(run_at, records.zone_of(now))
    if meant is None or datetime.fromisoformat(str(run_at)).tzinfo is not None:
        return False
    planned = datetime.fromisoformat(job["next_run_at"])
    same_wall = planned.replace(tzinfo=None) == datetime.fromisoformat(str(run_at))
    return same_wall and planned.tzinfo is not None and not records.same_instant(planned, meant)


def _move_to_zone(job: Job, now: datetime) -> None:
    """Plan a cron job in the new zone: not earlier, not twice.

    A fixed schedule keeps the wall time of its next occurrence. One that follows elapsed time comes
    at its next time there after its last one, which may have passed since the zone was changed:
    the hours between the zones are no reason to leave any out.
    """
    zone, schedule = records.zone_of(now), records.schedule_of(job)
    planned = datetime.fromisoformat(job["next_run_at"])
    claimed = records.instant(job.get("last_occurrence"), zone)
    if schedules.is_fixed(schedule):
        wall = _meant(schedule, planned).replace(tzinfo=zone) - _MOMENT
        base = wall if claimed is None else max(wall, claimed)
    else:
        base = claimed or min(planned, now) - _MOMENT
    records.plan(job, schedules.next_after(schedule, base, zone))


def _meant(schedule: Mapping[str, Any], planned: datetime) -> datetime:
    """The wall time, naive, that a fixed schedule means by an instant of another zone.

    What fell into a gap there came at the gap's end, which the schedule does not name: the time
    that it names lies within the hour before.
    """
    wall = planned.replace(tzinfo=UTC)
    named = schedules.next_after(schedule, wall - _MOMENT, UTC)
    if named != wall:
        named = schedules.next_after(schedule, wall - _LONGEST_GAP, UTC)
    return (wall if named is None else min(named, wall)).replace(tzinfo=None)


def is_ahead(job: Mapping[str, Any], since: datetime) -> bool:
    """Whether the next time is so far off that only a clock that was ahead explains it (LIVE-11).

    An early claim skips to the occurrence after the next; nothing right goes further.

    Args:
        job: the record.
        since: the last look, by the clock as it goes now: as `pull_back` has it.
    """
    zone = records.zone_of(since)
    planned = records.instant(job.get("next_run_at"), zone)
    if planned is None or planned <= since or records.kind_of(job) == "once":
        return False
    try:
        at: datetime | None = since
        for _ in range(2):
            at = None if at is None else schedules.next_after(records.schedule_of(job), at, zone)
    except schedules.ScheduleError:
        return False
    return at is not None and planned > at


def pull_back(job: Job, since: datetime, claimed: list[str]) -> None:
    """Plan a job anew whose next time was computed while the clock was ahead.

    Args:
        job: the record.
        since: the last look, by the clock as it goes now. What comes between it and the present
            would be left out otherwise, where the clock was set to just before an occurrence.
        claimed: the occurrences that were claimed already. Those still to come are not run again,
            but no two in a row are left out: a clock that jumped back by hours must not silence a
            job for hours (LIVE-11).
    """
    zone = records.zone_of(since)
    found = {at for text in claimed if (at := records.instant(text, zone)) is not None}
    was = job.get("next_run_at")
    anchor = records.instant(was, zone)
    job["last_occurrence"] = None
    job["claimed_ahead"] = _no_two_in_a_row(job, sorted(at for at in found if at > since), zone)
    if records.kind_of(job) == "interval" and anchor is not None and not job.get("grid_at"):
        period = timedelta(minutes=records.schedule_of(job)["minutes"])
        job["grid_at"] = (anchor - period * ((anchor - since) // period + 1)).isoformat()
    job["next_run_at"] = None
    records.move_on(job, since)
    logger.warning(
        "job %s: its next time %s was computed while the clock was ahead; now it is %s",
        records.label(job),
        was,
        job["next_run_at"],
        extra={"job_id": job.get("id"), "occurrence": was},
    )


def _no_two_in_a_row(job: Job, ahead: Sequence[datetime], zone: tzinfo) -> list[str]:
    """Of the sorted occurrences in `ahead`, those that do not follow directly on a kept one."""
    kept: list[datetime] = []
    for at in ahead:
        following = kept and schedules.next_on_grid(
            records.schedule_of(job), kept[-1], kept[-1], zone
        )
        if not following or not records.same_instant(following, at):
            kept.append(at)
    return [at.isoformat() for at in kept]


def is_late(job: Mapping[str, Any], planned: datetime, now: datetime) -> bool:
    """Whether a due recurring job is past its grace, and a later occurrence has come since."""
    slot = _slot(job, planned, now)
    if records.kind_of(job) == "once" or slot > now:
        return False
    zone = records.zone_of(now)
    schedule = records.schedule_of(job)
    late_s = (now - planned).total_seconds()
    return schedules.is_past_grace(schedule, late_s, zone, planned) and not records.same_instant(
        schedules.latest_not_after(schedule, slot, now, zone), planned
    )


def collapse(job: Job, planned: datetime, now: datetime) -> list[dict[str, Any]]:
    """Make the latest occurrence that has come the one that is due.

    Returns:
        Execution records of those before it.
    """
    zone = records.zone_of(now)
    slot = _slot(job, planned, now)
    latest = records.fixed(schedules.latest_not_after(records.schedule_of(job), slot, now, zone))
    entries = executions.missed(job, slot, latest, now)
    job["next_run_at"] = latest.isoformat()
    logger.warning(
        "job %s was not run for %s and the occurrences after it; it runs once now, for %s",
        records.label(job),
        planned.isoformat(),
        job["next_run_at"],
        extra={"job_id": job.get("id"), "occurrence": job["next_run_at"]},
    )
    return entries


def _slot(job: Mapping[str, Any], planned: datetime, now: datetime) -> datetime:
    """The planned slot of the job's own grid: a trigger comes before it and is no part of it."""
    return max(planned, records.instant(job.get("grid_at"), records.zone_of(now)) or planned)
