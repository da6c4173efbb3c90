"""The claim in a job's record: who holds it, until when, and what ends it. No I/O.

`fire_claim` is hermes-agent's `{"at", "by"}` with what at-most-once needs besides:

| field | meaning |
|---|---|
| `at`, `by` | when it was taken or last renewed, and by which `host:pid` |
| `boot` | the boot id of that process: a pid alone is given out again |
| `occurrence` | the scheduled instant that it is for; the key of at-most-once |
| `token` | the fencing token, from the record's ever growing `fire_token` |
| `expires_at` | the end of the lease, unless it is renewed |
| `source` | "tick", "webhook" or "fire": who took it |
| `leased` | a run is behind it and renews it |
| `reserved` | promised to a webhook, and not yet taken up by a run |
| `by_hand` | an operator asked for this run: a job that rests runs too, and goes on resting |
| `counted` | its run counts in `repeat.completed` already (one-shots) |
| `started` | a body may have begun, said here when the execution record could not be written |
| `withdrawn` | the job has another schedule since: the occurrence is not to be run again |
| `execution` | the id of the execution records |
| `grid_at` | the record's `grid_at` before the claim, for giving the occurrence back |

A claim is made together with moving `next_run_at` on, in one write. That, not the claim, is what an
old `fire_at` can never win against.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hermes_cron import clock, process, records
from hermes_cron.records import Job

__all__ = [
    "RESTS",
    "SKEW_S",
    "TTL_S",
    "claim_of",
    "clear",
    "close",
    "ends_at",
    "execution_of",
    "give_back",
    "is_held",
    "is_of",
    "lies_ahead",
    "never_began",
    "renew",
    "stamp",
]

TTL_S = 300
"""How long, in seconds, a claim holds without being renewed."""

SKEW_S = 60
"""How far, in seconds, a claim may lie in the future: clocks of replicas differ a little.

One that lies further ahead holds for its time from when it was first seen.
"""

RESTS = frozenset({"paused", "disabled"})
"""The reasons to stay (`records.stay_reason`) that an operator's own run goes past."""

_AHEAD_SLOT = "hermes_cron.claim_rules.ahead"
_RUN_CLAIM_TTL_S = 1800  # hermes-agent's, for the one-shots that its tick runs


def claim_of(job: Mapping[str, Any]) -> dict[str, Any] | None:
    """The job's claim, fresh or not; None without one or when it is no claim."""
    claim = job.get("fire_claim")
    return claim if isinstance(claim, dict) and claim else None


def execution_of(job: Mapping[str, Any]) -> process.Execution:
    """The attempt that the job's claim is for; one without a token when nothing claims it."""
    claim = claim_of(job) or {}
    token = claim.get("token")
    return process.Execution(
        str(job.get("id")),
        str(claim.get("execution") or process.new_id()),
        token=token if isinstance(token, int) else None,
        occurrence=claim.get("occurrence"),
    )


def is_of(job: Mapping[str, Any], execution: process.Execution) -> bool:
    """Whether the job's claim is still that of an execution.

    By its token and its id: after a claim that a disk has lost, the next one gets the same token.
    """
    claim = claim_of(job) or {}
    return claim.get("token") == execution.token and (
        claim.get("execution", execution.id) == execution.id
    )


def is_held(job: Mapping[str, Any], now: datetime, ttl_s: float = TTL_S) -> bool:
    """Whether somebody holds the job: by our claim, or as a one-shot that hermes-agent runs."""
    return _hold_s(job, now, ttl_s) > 0


def lies_ahead(job: Mapping[str, Any], now: datetime) -> bool:
    """Whether the job's claim is dated further ahead than clocks may be apart."""
    at = records.instant((claim_of(job) or {}).get("at"), records.zone_of(now))
    return at is not None and (at - now).total_seconds() > SKEW_S


def ends_at(job: Mapping[str, Any], now: datetime) -> datetime:
    """When the hold on a held job ends if nobody renews it."""
    return records.later(now, max(1.0, _hold_s(job, now, TTL_S)))


def _hold_s(job: Mapping[str, Any], now: datetime, ttl_s: float) -> float:
    """How many seconds the job is still held if nobody renews; 0 or less when nobody holds it."""
    claim = claim_of(job)
    foreign = _foreign_run(job, claim)
    return max(
        0.0 if claim is None else _left_s(job, claim, now, ttl_s),
        0.0 if foreign is None else _left_s(job, foreign, now, _RUN_CLAIM_TTL_S),
    )


def _foreign_run(job: Mapping[str, Any], claim: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """hermes-agent's claim on a one-shot that it runs; ours stamps one too, for it to see."""
    run = job.get("run_claim")
    if not isinstance(run, dict) or records.kind_of(job) != "once":
        return None
    return None if claim is not None and run.get("by") == claim.get("by") else run


def _left_s(job: Mapping[str, Any], claim: Mapping[str, Any], now: datetime, ttl_s: float) -> float:
    """How many seconds a claim of the job still holds."""
    zone = records.zone_of(now)
    at = records.instant(claim.get("at"), zone)
    if at is None:
        return 0.0
    age_s = (now - at).total_seconds()
    if age_s < -SKEW_S:
        return ttl_s - _seen_for_s(job, claim)
    expires_at = records.instant(claim.get("expires_at"), zone)
    if claim.get("leased") is not True or expires_at is None:
        return ttl_s - age_s
    return max(ttl_s - age_s, (expires_at - now).total_seconds())


def _seen_for_s(job: Mapping[str, Any], claim: Mapping[str, Any]) -> float:
    """For how many seconds this process has known a claim that lies ahead, unrenewed.

    Its date says nothing: the clock of its holder is ahead, or was. A holder that lives renews it.
    """
    seen = process.current().slots.setdefault(_AHEAD_SLOT, {})
    told = (str(claim.get("at")), str(claim.get("by")))
    known = seen.get(job.get("id"))
    if known is None or known[0] != told:
        known = seen[job.get("id")] = (told, clock.monotonic())
    return float(clock.monotonic() - known[1])


def stamp(
    job: Job,
    now: datetime,
    *,
    occurrence: datetime | None,
    source: str,
    ttl_s: float = TTL_S,
) -> dict[str, Any]:
    """Claim the job and move `next_run_at` past the occurrence: in one write, or not at all.

    A one-shot has no next time while it is claimed. The run of one that a tick claims counts at
    once, so that a crash cannot repeat it; with other claims it counts when the body begins.
    """
    me = process.current()
    job["fire_token"] = _last_token(job) + 1
    once = records.kind_of(job) == "once"
    leased = source == "tick"
    claim = {
        "at": now.isoformat(),
        "by": me.holder,
        "boot": me.boot_id,
        "occurrence": None if occurrence is None else occurrence.isoformat(),
        "token": job["fire_token"],
        "expires_at": records.later(now, ttl_s).isoformat(),
        "source": source,
        "leased": leased,
        "reserved": source == "webhook",
        "counted": once and leased,
        "execution": process.new_id(),
    }
    if claim["counted"]:
        records.count(job, +1)
    if occurrence is not None:
        last = records.instant(job.get("last_occurrence"), records.zone_of(now))
        if last is None or last < occurrence:  # one that was taken early, before a trigger, stays
            job["last_occurrence"] = claim["occurrence"]
    if once:
        job["next_run_at"] = None
        job["run_claim"] = {"at": claim["at"], "by": claim["by"]}
    else:
        records.move_on(job, now)
        if job.get("grid_at"):
            claim["grid_at"] = job.pop("grid_at")
    job["fire_claim"] = claim
    return claim


def _last_token(job: Mapping[str, Any]) -> int:
    token = job.get("fire_token")
    return token if isinstance(token, int) and token > 0 else 0


def renew(job: Job, now: datetime, ttl_s: float = TTL_S) -> None:
    """Renew the lease. `at` moves too: it is what hermes-agent judges by."""
    claim = job["fire_claim"]
    claim["at"] = now.isoformat()
    claim["expires_at"] = records.later(now, ttl_s).isoformat()
    claim["leased"] = True
    if isinstance(job.get("run_claim"), dict):
        job["run_claim"] = {"at": claim["at"], "by": claim.get("by")}


def clear(job: Job) -> None:
    """Remove the claim."""
    job["fire_claim"] = None
    if job.get("run_claim") is not None:
        job["run_claim"] = None


def never_began(job: Mapping[str, Any], states: set[str]) -> bool:
    """Whether it is certain that no body began under the job's claim.

    Args:
        job: the record, with its claim.
        states: the states that the execution records give for the claim's execution.
    """
    claim = claim_of(job) or {}
    if claim.get("started") or "token" not in claim:
        return False
    if claim.get("reserved"):
        return True  # taking it up is a write
    if records.kind_of(job) == "once" and not claim.get("counted"):
        return True  # counting it is a write, before the body
    # A tick's claim is run by our own run_one_job, which records the start before the body.
    return claim.get("source") == "tick" and states == {"claimed"}


def give_back(job: Job, now: datetime) -> None:
    """End a claim whose run never began, as if it had not been: the occurrence is due again.

    Unless the job got another schedule meanwhile: the occurrence is not the job's any more.
    """
    claim = claim_of(job) or {}
    clear(job)
    zone = records.zone_of(now)
    occurrence = records.instant(claim.get("occurrence"), zone)
    if claim.get("counted"):
        records.count(job, -1)
    if claim.get("withdrawn"):
        return
    if claim.get("grid_at"):
        job["grid_at"] = claim["grid_at"]
    planned = records.instant(job.get("next_run_at"), zone)
    if occurrence is not None and (planned is None or occurrence < planned):
        job["next_run_at"] = claim["occurrence"]
        if job.get("last_occurrence") == claim["occurrence"]:
            job["last_occurrence"] = None  # a resume may plan it again


def close(job: Job, now: datetime) -> None:
    """End a claim whose run may have begun and whose holder is gone: it counts, as interrupted.

    A one-shot that may run more often is due again; a recurring job goes on with its next time.
    """
    claim = claim_of(job) or {}
    clear(job)
    if "token" not in claim:
        return  # hermes-agent's: it counts and plans in its own way
    if not claim.get("counted"):
        records.count(job, +1)
    occurrence = claim.get("occurrence")
    job["last_status"] = "error"
    job["last_error"] = (
        f"the run for {occurrence or 'no stated occurrence'} was interrupted: {claim.get('by')} was"
        " gone before it said how the run ended; whether it had an effect is unknown"
    )
    withdrawn = claim.get("withdrawn")  # then the new schedule has planned it
    if records.kind_of(job) == "once" and not records.is_spent(job) and not withdrawn:
        job["next_run_at"] = occurrence or now.isoformat()
