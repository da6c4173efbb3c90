"""A job's record: what may run, when it comes next, and how it is shown. Pure functions.

A record is the dict of one job in `jobs.json`, possibly written by hermes-agent or by hand, so
nothing in it is sure. Beyond hermes-agent's fields ours are `fire_token` (the last fencing token
given), `last_occurrence` (the latest instant that was claimed), `grid_at` (a slot of the grid,
where `next_run_at` is none) and `claimed_ahead` (what was run while the clock was ahead).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Any

from hermes_cron import schedule as schedules
from hermes_cron.schedule import zone_spans

__all__ = [
    "RECURRING",
    "Job",
    "compute_next_run",
    "count",
    "fixed",
    "following",
    "hand_out",
    "instant",
    "is_spent",
    "kind_of",
    "label",
    "later",
    "limits",
    "move_on",
    "normalise",
    "plan",
    "same_instant",
    "schedule_of",
    "skill_list",
    "stay_reason",
    "zone_of",
]

Job = dict[str, Any]

_PLAIN = frozenset({str, int, float, bool, type(None)})  # most values of a record, asked first

RECURRING = frozenset({"cron", "interval"})
"""The kinds of schedule that come again."""


def instant(value: object, zone: tzinfo) -> datetime | None:
    """A stored time, with the offset that `zone` has then; None when it is none.

    A naive one is meant in `zone`. The offset is fixed: two times that carry the same zone are
    compared by the wall, and in a repeated hour the wall says that the later one comes first.
    """
    return _instant(value, zone) if isinstance(value, str) else None


@lru_cache(maxsize=4096)  # the few times in a record are read a score of times for each run
def _instant(text: str, zone: tzinfo) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
        return fixed(zone_spans.to_utc(at, zone).astimezone(zone))
    except (ValueError, OverflowError):
        return None


def fixed(at: datetime) -> datetime:
    """The same instant with its present offset in the place of its zone."""
    offset = at.utcoffset()
    assert offset is not None, "instants are aware"
    return at.replace(tzinfo=timezone(offset), fold=0)


def later(now: datetime, seconds: float) -> datetime:
    """So much elapsed time after `now`, in its zone; adding to `now` itself would move the wall."""
    return (now.astimezone(UTC) + timedelta(seconds=seconds)).astimezone(now.tzinfo)


def same_instant(one: datetime, other: datetime) -> bool:
    """Whether two occurrences are the same: a registry keeps them to the second."""
    return int(one.timestamp()) == int(other.timestamp())


def zone_of(now: datetime) -> tzinfo:
    """The configured zone, which is that of the host's clock."""
    assert now.tzinfo is not None, "the host's clock is aware"
    return now.tzinfo


def schedule_of(job: Mapping[str, Any]) -> Mapping[str, Any]:
    """The job's schedule, empty when it is none."""
    schedule = job.get("schedule")
    return schedule if isinstance(schedule, dict) else {}


def kind_of(job: Mapping[str, Any]) -> str:
    """`once`, `interval`, `cron`, or the empty string."""
    schedule = job.get("schedule")
    kind = schedule.get("kind") if isinstance(schedule, dict) else None
    return kind if isinstance(kind, str) else ""


def stay_reason(job: Mapping[str, Any]) -> str | None:
    """Why the job may not run now ("paused", "disabled", "completed"), or None when it may.

    A paused state wins over `enabled: true` (CONTRACT.md FIRE-4). `enabled: null` says no more
    than its absence, which means enabled (HOST.md).
    """
    state = job.get("state")
    if state in ("paused", "completed"):
        return str(state)
    enabled = job.get("enabled")
    return None if enabled is None or enabled else "disabled"


def limits(job: Mapping[str, Any]) -> tuple[int | None, int]:
    """How often the job may run at most (None: for ever) and how many runs count already.

    A one-shot without a number runs once.
    """
    times, done = job.get("repeat"), 0
    if isinstance(times, dict):
        completed, times = times.get("completed"), times.get("times")
        done = completed if isinstance(completed, int) and completed > 0 else 0
    if isinstance(times, int) and times > 0:
        return times, done
    return (1 if kind_of(job) == "once" else None), done


def is_spent(job: Mapping[str, Any]) -> bool:
    """Whether no run is left of those that the job may have."""
    times, done = limits(job)
    return times is not None and done >= times


def count(job: Job, by: int) -> None:
    """Change how many runs count. A recurring job without `repeat` has none to count."""
    repeat = job.get("repeat")
    if repeat is None and kind_of(job) != "once":
        return
    if not isinstance(repeat, dict):
        repeat = {"times": repeat if isinstance(repeat, int) else None}
        job["repeat"] = repeat
    repeat["completed"] = max(0, limits(job)[1] + by)


def compute_next_run(schedule: object, last_run_at: object, now: datetime) -> str | None:
    """What `jobs.compute_next_run` says, at `now`."""
    zone = zone_of(now)
    if not isinstance(schedule, Mapping):
        return None
    if schedule.get("kind") == "once":
        run_at = instant(schedule.get("run_at"), zone)
        if last_run_at or run_at is None or run_at < later(now, -schedules.ONE_SHOT_GRACE_S):
            return None
        return str(schedule["run_at"])
    last = instant(last_run_at, zone)
    try:
        following_at = schedules.next_after(schedule, now if last is None else last, zone)
    except schedules.ScheduleError:
        return None
    return None if following_at is None else following_at.isoformat()


def following(job: Mapping[str, Any], now: datetime) -> datetime | None:
    """The job's first occurrence, on its own grid, after now and after all that were claimed.

    None for a one-shot.

    Raises:
        ScheduleError: the schedule cannot be read.
    """
    zone = zone_of(now)
    if kind_of(job) == "once":
        return None
    planned, claimed = (instant(job.get(name), zone) for name in ("next_run_at", "last_occurrence"))
    anchor = instant(job.get("grid_at"), zone) or planned or claimed
    if anchor is None:  # the grid was lost with next_run_at; what it began with is the next best
        runs = (instant(job.get(name), zone) for name in ("last_run_at", "created_at"))
        # One that lies ahead was written while the clock was (LIVE-11).
        anchor = next((at for at in runs if at is not None and at <= now), now)
    base = max(at for at in (planned, claimed, now) if at is not None)
    slot = instant(job.get("grid_at"), zone)
    if slot is not None and slot > base:
        at: datetime | None = slot  # a trigger came before it
    else:
        at = schedules.next_on_grid(schedule_of(job), anchor, base, zone)
    ahead = job.get("claimed_ahead")
    if isinstance(ahead, list):
        taken = [instant(text, zone) for text in ahead]
        while at is not None and any(one and same_instant(one, at) for one in taken):
            at = schedules.next_on_grid(schedule_of(job), anchor, at, zone)
    return at


def plan(job: Job, at: datetime | None, reason: str = "its schedule gives no further time") -> None:
    """Write the next time of a recurring job; without one it stays enabled, in error (LIVE-13)."""
    job["next_run_at"] = None if at is None else at.isoformat()
    if at is None:
        job["state"] = "error"
        job["last_error"] = f"no next run could be computed: {reason}; mend the schedule"
    elif job.get("state") == "error":
        job["state"] = "scheduled"


def move_on(job: Job, now: datetime) -> None:
    """Move `next_run_at` to what follows now and all that were claimed; nothing for a one-shot."""
    if kind_of(job) == "once":
        return
    try:
        plan(job, following(job, now))
    except schedules.ScheduleError as error:
        plan(job, None, str(error))
    ahead = job.get("claimed_ahead")
    if isinstance(ahead, list):  # what is past cannot come again
        taken = ((text, instant(text, zone_of(now))) for text in ahead)
        job["claimed_ahead"] = [text for text, at in taken if at is not None and at > now]


def hand_out(job: Mapping[str, Any]) -> Job:
    """A copy that a caller may change: what the store hands out is never changed."""
    copy = dict(job)
    for key, value in copy.items():
        if type(value) not in _PLAIN:
            copy[key] = _copied(value)
    return copy


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return hand_out(value)
    return [_copied(item) for item in value] if isinstance(value, list) else value


def label(job: Mapping[str, Any]) -> str:
    """How messages name a job: its name and id."""
    name, job_id = job.get("name"), job.get("id")
    if name and not str(name).isprintable():  # a terminal or a log would obey it
        name = "".join(one if one.isprintable() else " " for one in str(name))
    return f"'{name}' ({job_id})" if name and name != job_id else f"'{job_id}'"


def skill_list(skill: object, skills: object) -> list[str]:
    """The one skill of old records and the list of newer ones, as one list without repeats."""
    given: Sequence[Any]
    if isinstance(skills, str):
        given = [skills]
    elif isinstance(skills, Sequence):
        given = skills
    else:
        given = [skill] if skill else []
    texts = [str(item).strip() for item in given if item is not None]
    return list(dict.fromkeys(text for text in texts if text))


def normalise(job: Mapping[str, Any]) -> Job:
    """A copy in which every field that callers print or compare has a value."""
    full = hand_out(job)
    prompt = full.get("prompt")
    full["prompt"] = "" if prompt is None else str(prompt)
    full["skills"] = skill_list(full.get("skill"), full.get("skills"))
    full["skill"] = full["skills"][0] if full["skills"] else None
    full["name"] = _name(full)
    full["schedule_display"] = _display(full)
    if full.get("enabled") is None:
        full["enabled"] = True
    full.setdefault("created_at", None)
    if not full.get("state"):
        full["state"] = "scheduled" if full["enabled"] else "paused"
    return full


def _name(job: Mapping[str, Any]) -> str:
    skills = job.get("skills") or [""]
    for source in (job.get("name"), job.get("prompt"), skills[0], job.get("script"), job.get("id")):
        text = str(source or "").strip()[:50].strip()
        if text:
            return text
    return "cron job"


def _display(job: Mapping[str, Any]) -> str:
    schedule = job.get("schedule")
    fields = schedule if isinstance(schedule, dict) else {"display": schedule}
    for source in (job.get("schedule_display"), *map(fields.get, ("display", "expr", "run_at"))):
        text = str(source or "").strip()
        if text:
            return text
    minutes = fields.get("minutes")
    return f"every {minutes}m" if isinstance(minutes, int) else "?"
