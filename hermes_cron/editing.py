"""Making and changing job records on a user's behalf: what is accepted, and what follows from it.

Pure but for `workdir`, which is looked up on disk. What cannot be accepted raises `ValueError` with
what would be right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from hermes_cron import claim_rules, process, records
from hermes_cron import schedule as schedules
from hermes_cron.records import Job

__all__ = ["AmbiguousJobReference", "apply", "find", "new_job", "resume", "trigger"]

NextRun = Callable[[object], str | None]
Parse = Callable[[str], dict[str, Any]]

_FIXED = frozenset({"id"})
_ENABLED = {"enabled": True, "state": "scheduled", "paused_at": None, "paused_reason": None}


class AmbiguousJobReference(LookupError):  # noqa: N818 - hermes-agent's name
    """A name that several jobs have.

    Attributes:
        ref: the name.
        matches: the jobs that have it.
    """

    def __init__(self, ref: str, matches: list[Job]) -> None:
        self.ref = ref
        self.matches = matches
        ids = ", ".join(str(job["id"]) for job in matches)
        super().__init__(f"{len(matches)} jobs are named '{ref}': say which by its id: {ids}")


def find(jobs: tuple[Job, ...], ref: str) -> Job | None:
    """The job of that id, else of that name without regard to case.

    Raises:
        AmbiguousJobReference: several jobs have the name.
    """
    if not ref:
        return None
    for job in jobs:
        if job["id"] == ref:
            return job
    named = [job for job in jobs if str(job.get("name") or "").lower() == str(ref).lower()]
    if len(named) > 1:
        raise AmbiguousJobReference(ref, [records.normalise(job) for job in named])
    return named[0] if named else None


def new_job(schedule: dict[str, Any], given: Mapping[str, Any], now: datetime) -> Job:
    """The record of a new job.

    Args:
        schedule: as `parse_schedule` gives it.
        given: the other arguments of `jobs.create_job`.
        now: the present.
    """
    schedules.ensure_not_past(schedule, now, records.zone_of(now))
    script = _text(given["script"])
    if given["no_agent"] and not script:
        raise ValueError("no_agent=True needs a script: without an agent the script is the job")
    skills = records.skill_list(given["skill"], given["skills"])
    prompt = "" if given["prompt"] is None else str(given["prompt"])
    name = given["name"] or (prompt or (skills or [script or "cron job"])[0])[:50].strip()
    context = given["context_from"]
    job: Job = {
        "id": process.new_id(),
        "name": name,
        "prompt": prompt,
        "skills": skills,
        "skill": skills[0] if skills else None,
        "model": _text(given["model"]),
        "provider": _text(given["provider"]),
        "base_url": (_text(given["base_url"]) or "").rstrip("/") or None,
        "script": script,
        "no_agent": bool(given["no_agent"]),
        "context_from": records.skill_list(None, context) or None,
        "schedule": schedule,
        "schedule_display": schedule["display"],
        "repeat": _repeat(given["repeat"], schedule),
        "enabled": True,
        "state": "scheduled",
        "paused_at": None,
        "paused_reason": None,
        "created_at": now.isoformat(),
        "next_run_at": None,
        "last_run_at": None,
        "last_status": None,
        "last_error": None,
        "last_delivery_error": None,
        "deliver": given["deliver"] or ("origin" if given["origin"] else "local"),
        "origin": given["origin"],
        "enabled_toolsets": records.skill_list(None, given["enabled_toolsets"]) or None,
        "workdir": workdir(given["workdir"]),
        "fire_claim": None,
    }
    if isinstance(given["attach_to_session"], bool):
        job["attach_to_session"] = given["attach_to_session"]
    return job


def _text(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _repeat(times: object, schedule: Mapping[str, Any]) -> dict[str, int | None]:
    wanted = times if isinstance(times, int) and times > 0 else None
    return {
        "times": 1 if wanted is None and schedule["kind"] == "once" else wanted,
        "completed": 0,
    }


def workdir(value: object) -> str | None:
    """An existing folder, absolute; None for none.

    Raises:
        ValueError: it is relative, or no folder.
    """
    if not value or not str(value).strip():
        return None
    folder = Path(str(value).strip()).expanduser()
    if not folder.is_absolute():
        raise ValueError(
            f"workdir {str(value)!r} is relative; a job has no current folder: give"
            " an absolute path"
        )
    if not folder.is_dir():
        raise ValueError(f"workdir {str(folder)!r} is no folder; make it first")
    return str(folder.resolve())


def apply(
    job: Job, updates: Mapping[str, Any], now: datetime, next_run: NextRun, parse: Parse
) -> None:
    """Change a record as `jobs.update_job` does.

    A new schedule plans the job anew; a promise that was made for an occurrence of the old one is
    withdrawn, a run that is on goes on.

    Raises:
        ValueError: what was asked is refused; the record may be half changed then.
    """
    fixed = _FIXED.intersection(updates)
    if fixed:
        raise ValueError(f"job '{job['id']}': {', '.join(sorted(fixed))} cannot be changed")
    changes = dict(updates)
    if "workdir" in changes:
        changes["workdir"] = workdir(changes["workdir"])
    if "repeat" in changes and not isinstance(changes["repeat"], dict):
        done = records.limits(job)[1]
        changes["repeat"] = {**_repeat(changes["repeat"], job["schedule"]), "completed": done}
    if "schedule" in changes:
        changes["schedule"] = _checked(changes["schedule"], parse)
        changes.setdefault("schedule_display", changes["schedule"].get("display"))
    replanned = "schedule" in changes and _differs(changes["schedule"], job.get("schedule"))
    job.update(changes)
    if "skills" in changes or "skill" in changes:
        single = changes.get("skill") if "skills" not in changes else None
        job["skills"] = records.skill_list(single, changes.get("skills"))
        job["skill"] = job["skills"][0] if job["skills"] else None
    if replanned:
        _withdraw(job)
    if job.get("state") == "paused":
        return
    on = records.stay_reason(job) != "disabled"
    wanted = on and not job.get("next_run_at") and not _is_over(job)
    if wanted or (replanned and "next_run_at" not in changes):
        job["next_run_at"] = _planned(job, now, next_run)


def _checked(schedule: object, parse: Parse) -> dict[str, Any]:
    """A schedule given as text or as it is stored, refused when it is neither (TIME-7)."""
    if not isinstance(schedule, Mapping):
        return parse(schedule if isinstance(schedule, str) else "")
    stored = dict(schedule)
    text = {
        "cron": stored.get("expr"),
        "interval": f"every {stored.get('minutes')}m",
        "once": stored.get("run_at"),
    }.get(str(stored.get("kind")))
    parsed = parse(text if isinstance(text, str) else repr(schedule))
    return {**parsed, **stored, "display": stored.get("display") or parsed["display"]}


def _differs(one: Mapping[str, Any], other: object) -> bool:
    if not isinstance(other, Mapping):
        return True
    return any(one.get(key) != other.get(key) for key in ("kind", "expr", "minutes", "run_at"))


def _withdraw(job: Job) -> None:
    """Forget what belongs to the occurrences of the old schedule."""
    for name in ("grid_at", "claimed_ahead"):
        job.pop(name, None)
    claim = claim_rules.claim_of(job)
    if claim is not None and claim.get("reserved"):
        claim_rules.clear(job)
    elif claim is not None:
        claim["withdrawn"] = True  # its occurrence is not to be given back, and still told of
    if records.kind_of(job) == "once":
        times, done = records.limits(job)
        if times is not None and done >= times:  # a new time is another run, whatever ran before
            records.count(job, times - 1 - done)
        if claim is not None:
            claim["counted"] = True  # a run that is on is not that one
    if job.get("state") == "completed":
        job.update(_ENABLED)


def _is_over(job: Mapping[str, Any]) -> bool:
    """Whether a one-shot without a next time has none because it is claimed, or was run."""
    return records.kind_of(job) == "once" and bool(
        claim_rules.claim_of(job) or job.get("last_run_at") or records.is_spent(job)
    )


def _planned(job: Job, now: datetime, next_run: NextRun) -> str | None:
    schedules.ensure_not_past(records.schedule_of(job), now, records.zone_of(now))
    planned = _not_again(job, next_run(job.get("schedule")), now)
    if planned is not None and job.get("state") == "error":
        job["state"] = "scheduled"
    return planned


def resume(job: Job, now: datetime, next_run: NextRun) -> dict[str, Any]:
    """The changes that resume a job: enabled, planned from now.

    An interval begins a new grid with it: what was claimed on the old one is not given back to it.
    The time of a one-shot that is being run is taken, and stays so.

    Raises:
        ValueError: a one-shot whose time is over, or that was run; a schedule that never comes.
    """
    if _is_over(job) and not claim_rules.claim_of(job):
        raise ValueError(
            f"job {records.label(job)} was to run once and has; trigger it to run it again,"
            " or give it a new schedule"
        )
    schedules.ensure_not_past(records.schedule_of(job), now, records.zone_of(now))
    if records.kind_of(job) in records.RECURRING:
        schedules.next_after(records.schedule_of(job), now, records.zone_of(now))  # or says why not
    claim = claim_rules.claim_of(job)
    next_at = _not_again(job, next_run(job.get("schedule")), now)
    if records.kind_of(job) == "interval":
        job.pop("grid_at", None)
        if claim is not None:
            claim["withdrawn"] = True
    elif records.kind_of(job) == "once" and claim is not None and _was_taken(job, next_at, now):
        next_at = job.get("next_run_at")
    return {**_ENABLED, "next_run_at": next_at}


def _not_again(job: Job, planned: str | None, now: datetime) -> str | None:
    """What is planned from now; what follows it where it was taken already, a little early."""
    at = records.instant(planned, records.zone_of(now))
    if at is None or records.kind_of(job) == "once" or not _was_taken(job, planned, now):
        return planned
    following = schedules.next_after(records.schedule_of(job), at, records.zone_of(now))
    return None if following is None else following.isoformat()


def _was_taken(job: Job, occurrence: str | None, now: datetime) -> bool:
    """Whether that occurrence is the last that was claimed, and was not given back."""
    zone = records.zone_of(now)
    at, taken = (records.instant(text, zone) for text in (occurrence, job.get("last_occurrence")))
    return at is not None and taken is not None and records.same_instant(at, taken)


def trigger(job: Job, now: datetime) -> None:
    """Make the job due now, without moving the grid of its schedule."""
    job.update(_ENABLED)
    planned = records.instant(job.get("next_run_at"), records.zone_of(now))
    if planned is not None and planned <= now:
        return  # due already
    if records.kind_of(job) == "interval" and planned is not None:
        job.setdefault("grid_at", job["next_run_at"])
    if records.kind_of(job) == "once" and records.is_spent(job):
        records.count(job, -1)  # an operator's word is one more run
    job["next_run_at"] = now.isoformat()
