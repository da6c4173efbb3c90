"""How a record of a jobs file is named, and why its job never fires or does not go on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from simulator.forecast.times import instant, say_at, utc

__all__ = ["say_name", "say_schedule", "why_it_stops", "why_never"]

Record = Mapping[str, Any]
_WRAPPER = ("no next run could be computed: ", "; mend the schedule")


def say_name(record: Record | None, label: str) -> str:
    """The name of a job; its id where it has none."""
    name = (record or {}).get("name")
    return plain(name) if isinstance(name, str) and name.strip() else label


def say_schedule(record: Record | None) -> str:
    """The schedule as its owner knows it."""
    schedule = (record or {}).get("schedule")
    parts: Record = schedule if isinstance(schedule, dict) else {}
    if parts.get("kind") == "once":
        return "once"
    if parts.get("kind") == "interval" and isinstance(parts.get("minutes"), int):
        return f"every {say_minutes(parts['minutes'])}"
    for holder, key in ((parts, "expr"), (record or {}, "schedule_display"), (parts, "display")):
        if isinstance(holder.get(key), str) and holder[key].strip():
            return plain(holder[key])
    return "none" if schedule is None else plain(json.dumps(schedule))


def say_minutes(minutes: int) -> str:
    """`90m`, `2h`, `3d`: as the owner would type it."""
    for size, unit in ((1440, "d"), (60, "h")):
        if minutes and minutes % size == 0:
            return f"{minutes // size}{unit}"
    return f"{minutes}m"


def plain(text: str) -> str:
    """One line without control characters, whatever the file holds."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))


def why_it_stops(record: Record, left: Record | None, fires: int) -> str | None:
    """Why a job that fired does not go on, or None.

    Args:
        record: As it stands in the file.
        left: As it is at the end of the run; None when it is gone.
        fires: How often it ran.
    """
    times, done = _limits(record)
    if left is None and times is not None and done + fires >= times:
        return None if _is_once(record) else f"limit of {_runs(times)} reached"
    if left is None:
        return None if _is_once(record) else "then it is removed"
    if left.get("state") == "error":
        return f"then error: {_host_says(left)}"
    return None


def why_never(
    record: Record, left: Record | None, zone: ZoneInfo, start: datetime, end: datetime
) -> str:
    """Why a job does not fire from `start` to `end`, from what the host made of it.

    Args:
        record: As it stands in the file.
        left: As it is at the end of the run; None when it is gone.
        zone: The configured zone.
        start: The beginning of the forecast.
        end: Its end.
    """
    standing = _standing(record, zone)
    if standing is not None:
        return standing
    if left is None:
        times, done = _limits(record)
        used_up = times is not None and done >= times
        return f"its {_runs(times)} used up" if used_up else "removed without a run"
    if left.get("state") == "error":
        return _one_shot_over(record, zone, start) or f"error: {_host_says(left)}"
    if left.get("state") == "completed":
        return f"completed: {_host_says(left)}"
    return _no_fire(left, zone, end)


def _no_fire(left: Record, zone: ZoneInfo, end: datetime) -> str:
    """Why a job that may fire does not."""
    upcoming = instant(left.get("next_run_at"), zone)
    if upcoming is None:
        return f"it has no next time: {_host_says(left)}"
    if utc(upcoming) >= utc(end):
        return f"later: next on {say_at(upcoming)}"
    return f"due on {say_at(upcoming)} and did not fire: {_host_says(left)}"


def _standing(record: Record, zone: ZoneInfo) -> str | None:
    """What the file itself says: the owner wanted no fires, or there are none left."""
    state, reason = record.get("state"), record.get("paused_reason")
    if state == "paused" or (record.get("enabled") is False and reason):
        since = instant(record.get("paused_at"), zone)
        said = "paused" if since is None else f"paused since {since:%Y-%m-%d}"
        return f"{said}: {plain(str(reason))}" if reason else f"{said}, without a reason given"
    if state == "completed":
        ran = instant(record.get("last_run_at"), zone)
        return "completed" if ran is None else f"completed: it ran on {say_at(ran)}"
    if not record.get("enabled", True) and record["enabled"] is not None:  # null says nothing
        return 'disabled: "enabled" is false in the file'
    return None


def _one_shot_over(record: Record, zone: ZoneInfo, start: datetime) -> str | None:
    schedule = record.get("schedule")
    if not isinstance(schedule, dict) or schedule.get("kind") != "once":
        return None
    at = instant(schedule.get("run_at"), zone)
    if at is None or utc(at) >= utc(start):
        return None
    return f"its time is over: {say_at(at)} is before the forecast begins"


def _host_says(left: Record) -> str:
    said = plain(str(left.get("last_error") or "the host does not say why"))
    return said.removeprefix(_WRAPPER[0]).removesuffix(_WRAPPER[1])


def _is_once(record: Record) -> bool:
    schedule = record.get("schedule")
    return isinstance(schedule, dict) and schedule.get("kind") == "once"


def _limits(record: Record) -> tuple[int | None, int]:
    """How often it may run (None: for ever), and how often it did."""
    repeat = record.get("repeat")
    times, done = (
        (repeat.get("times"), repeat.get("completed")) if isinstance(repeat, dict) else (repeat, 0)
    )
    limit = times if isinstance(times, int) and not isinstance(times, bool) and times > 0 else None
    return limit, done if isinstance(done, int) and done > 0 else 0


def _runs(times: int | None) -> str:
    return "1 run" if times == 1 else f"{times} runs"
