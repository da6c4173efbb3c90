"""The execution records: what became of each occurrence.

A record is one state of one attempt; an attempt has one `id` and goes claimed, running, then
completed, failed or unknown. What was never attempted has one record: missed, or skipped with a
reason. They outlive the job, and nothing depends on them but the answers to "may that run have
begun?" and, where its result could not be stored, "how did it end?".
"""

from __future__ import annotations

import hashlib
import itertools
import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from hermes_cron import process, records, store
from hermes_cron import schedule as schedules
from hermes_cron.combine import Combiner, Wish
from hermes_cron.store.base import LOCK_TIMEOUT_S

__all__ = [
    "append",
    "append_first",
    "attempts",
    "end_of",
    "missed",
    "overtaken",
    "record",
    "states_of",
    "waiting",
]

logger = logging.getLogger(__name__)

_SLOT = "hermes_cron.executions"
_WAITING = "hermes_cron.executions.waiting"

SINGLY = 20
"""Up to this many missed occurrences get a record each; more get one record with a count."""

_MOST_COUNTED = 1000
_MOST_WAITING = 1000

_ENDS = frozenset({"completed", "failed", "unknown", "missed", "skipped"})
"""States after which nothing more is said of an attempt, so that they may be told late."""

_RAN = frozenset({"completed", "failed"})
"""Those of an attempt whose body came to its end."""

_MOMENT = timedelta(microseconds=1)


def record(
    state: str,
    job: Mapping[str, Any],
    now: datetime,
    *,
    occurrence: datetime | str | None = None,
    execution_id: object = None,
    **more: Any,
) -> dict[str, Any]:
    """One execution record; `more` is what else is to be said (reason, error, count, source).

    `occurrence` and `at` are ISO 8601; `by` is the machine and process that says it.
    """
    if isinstance(occurrence, datetime):
        occurrence = occurrence.isoformat()
    return {
        "id": str(execution_id or process.new_id()),
        "job_id": job.get("id"),
        "state": state,
        "occurrence": occurrence,
        "at": now.isoformat(),
        "by": process.current().holder,
        **{key: value for key, value in more.items() if value is not None},
    }


def append(entries: Sequence[Mapping[str, Any]]) -> bool:
    """Write records down.

    What the store could not take of how something ended is told at a later occasion. Nor is a write
    that hangs waited for without end: whoever tells something may hold the lock of the jobs.

    Returns:
        False when the store says that it could not; nothing else stops because of it.
    """
    if not entries:
        return True
    slots = process.current().slots
    combiner = slots.get(_SLOT) or slots.setdefault(_SLOT, Combiner(_append_all))
    try:
        if combiner.run(entries, timeout_s=LOCK_TIMEOUT_S) is True:
            return True
    except TimeoutError as error:
        logger.error("execution records could not be written: %s: %s", error, list(entries))  # noqa: TRY400 - the message says it all
    _put_off([entry for entry in entries if entry["state"] in _ENDS])
    return False


def _put_off(entries: Sequence[Mapping[str, Any]]) -> None:
    """Remember records for the next occasion, as `pending` does with results."""
    state = process.current()
    with state.lock:
        waiting = state.slots.setdefault(_WAITING, {})
        if entries and not waiting:
            state.pending.append(_tell_again)
        waiting.update({(entry["id"], entry["state"]): entry for entry in entries})
        for key in list(waiting)[:-_MOST_WAITING]:
            del waiting[key]


def waiting() -> set[str]:
    """The executions of which something is told at the next occasion: how they ended is known."""
    state = process.current()
    with state.lock:
        return {execution_id for execution_id, _ in state.slots.get(_WAITING, {})}


def _tell_again() -> None:
    state = process.current()
    with state.lock:
        waiting = state.slots.pop(_WAITING, {})
    append_first(list(waiting.values()))


def append_first(entries: Sequence[Mapping[str, Any]]) -> bool:
    """Write records down before the change is stored that makes everybody forget what they tell.

    Who is killed, or refused, between the two tells it again later, under the same id; what stands
    already is not written again.

    Returns:
        As `append`.
    """
    known = states_of({entry["id"] for entry in entries})
    return append([one for one in entries if one["state"] not in known.get(one["id"], ())])


def _append_all(wishes: Sequence[Wish[Sequence[Mapping[str, Any]], bool]]) -> None:
    entries = [entry for wish in wishes for entry in wish.wanted]
    kept = store.current_store().append_executions(entries)
    for wish in wishes:
        wish.got = kept


def states_of(ids: Collection[str]) -> dict[str, set[str]]:
    """The states that stand in the records of these executions, by id."""
    found: dict[str, set[str]] = {}
    if ids:
        for entry in store.current_store().executions(ids=ids):
            found.setdefault(str(entry["id"]), set()).add(str(entry.get("state")))
    return found


def end_of(execution_id: str) -> dict[str, Any] | None:
    """The record of how an attempt ended, as who ran it told it; None where nobody did."""
    told = store.current_store().executions(ids=[execution_id])
    ended = [entry for entry in told if entry.get("state") in _RAN and not entry.get("fenced")]
    return ended[-1] if ended else None


def attempts(job_id: str | None = None) -> list[dict[str, Any]]:
    """The attempts and what was missed, oldest first: the records of one id merged into one.

    `state` is the last one; `claimed_at`, `running_at` and so on say when each was reached.
    """
    merged: dict[str, dict[str, Any]] = {}
    for entry in store.current_store().executions(job_id):
        attempt = merged.setdefault(str(entry.get("id")), {})
        attempt.update(entry)
        attempt[f"{entry.get('state')}_at"] = entry.get("at")
    return list(merged.values())


def missed(
    job: Mapping[str, Any], first: datetime, before: datetime, now: datetime
) -> list[dict[str, Any]]:
    """Records for the occurrences from `first` until before `before` that were not run.

    Those that came while the last run was still on are "skipped", the others "missed". Many make
    one record with the first in `occurrence`, the last in `until` and their `count` (with
    `count_is_least` when it was not counted to the end).
    """
    zone = records.zone_of(now)
    schedule = records.schedule_of(job)
    first, before = records.fixed(first), records.fixed(before)
    if first >= before or not schedule:
        return []
    found = list(
        itertools.islice(
            schedules.occurrences_between(schedule, first, before - _MOMENT, zone), _MOST_COUNTED
        )
    )
    ran_until = records.instant(job.get("last_run_at"), zone)
    busy = [at for at in found if ran_until is not None and at <= ran_until]
    idle = found[len(busy) :]
    entries = _grouped("skipped", job, busy, now, reason="still running")
    if len(found) < _MOST_COUNTED:
        return entries + _grouped("missed", job, idle, now)
    until = schedules.latest_not_after(schedule, first, before - _MOMENT, zone)
    return entries + _grouped("missed", job, idle or found[-1:], now, until=until)


def overtaken(job: Mapping[str, Any], first: datetime, now: datetime) -> list[dict[str, Any]]:
    """Records for the occurrence `first` and those up to now that came while a run was on.

    Of a job whose schedule cannot be read, as one that was triggered, it is `first` alone.
    """
    first = records.fixed(first)
    try:
        later, until = _since(job, first, now)
    except schedules.ScheduleError:
        later, until = [], None
    return _grouped("skipped", job, [first, *later], now, until=until, reason="still running")


def _since(
    job: Mapping[str, Any], first: datetime, now: datetime
) -> tuple[list[datetime], datetime | None]:
    """The occurrences after `first` until now; when they are too many, the last of all, too."""
    zone, schedule = records.zone_of(now), records.schedule_of(job)
    start = records.following(job, first.astimezone(zone))
    if start is None or start > now:
        return [], None
    since = schedules.occurrences_between(schedule, start, records.fixed(now), zone)
    later = list(itertools.islice(since, _MOST_COUNTED - 1))
    many = len(later) >= _MOST_COUNTED - 1
    return later, schedules.latest_not_after(schedule, start, now, zone) if many else None


def _grouped(
    state: str,
    job: Mapping[str, Any],
    found: Sequence[datetime],
    now: datetime,
    *,
    until: datetime | None = None,
    reason: str | None = None,
) -> list[dict[str, Any]]:
    if not found:
        return []
    if len(found) <= SINGLY and until is None:
        return [
            record(state, job, now, occurrence=at, reason=reason, execution_id=_id(job, at, at))
            for at in found
        ]
    return [
        record(
            state,
            job,
            now,
            occurrence=found[0],
            execution_id=_id(job, found[0], until or found[-1]),
            until=(until or found[-1]).isoformat(),
            count=len(found),
            count_is_least=True if until is not None else None,
            reason=reason,
        )
    ]


def _id(job: Mapping[str, Any], first: datetime, last: datetime) -> str:
    """The id of what was never attempted: the same whenever and by whomever it is told."""
    text = f"{job.get('id')} {records.fixed(first).isoformat()} {records.fixed(last).isoformat()}"
    return hashlib.blake2s(text.encode(), digest_size=6).hexdigest()
