"""The status for people: verdict first, then the evidence with its ages, then what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from hermes_cron import clock
from hermes_cron.status.evidence import Evidence, instant_of, number
from hermes_cron.status.job_health import next_job, wanted_arms
from hermes_cron.status.wording import Finding, ago, count

__all__ = ["lines_of"]


def lines_of(headline: str, findings: Sequence[Finding], evidence: Evidence) -> list[str]:
    """All lines, the headline first."""
    lines = [headline, ""]
    lines += [f"  {name:<14}{value}" for name, value in _facts(evidence)]
    said = [finding.text for finding in findings if finding.text != headline]
    if said:
        lines += ["", "Also:", *(f"  - {sentence}" for sentence in dict.fromkeys(said))]
    advice = [finding.advice for finding in findings if finding.advice]
    if advice:
        lines += ["", "What to do:", *(f"  - {sentence}" for sentence in dict.fromkeys(advice))]
    return lines


def _facts(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """What was found, as names and values."""
    name = evidence.provider or "not known"
    if evidence.external:
        yield "provider", name
        yield from _registry_facts(evidence)
    else:
        yield "provider", f"{name}, a tick every {ago(evidence.interval_s)}"
        stale = f"stale after {ago(evidence.stale_after_s)}"
        yield "heartbeat", f"{_age(evidence.heartbeat_age_s)} ({stale})"
        yield "clean tick", _age(evidence.success_age_s)
    yield "gateway", _processes(evidence)
    active = "not known" if evidence.jobs is None else f"{count(len(evidence.jobs), 'job')} active"
    yield "jobs", active
    coming = next_job(evidence)
    if coming is not None:
        label, at = coming
        left_s = at - evidence.now
        yield "next", f"{label} at {_wall(at)}, " + (f"in {ago(left_s)}" if left_s >= 0 else "due")


def _registry_facts(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """What the provider says of its registry: how much is armed, the last arm, the last fire."""
    told = evidence.registry or {}
    armed, wanted = told.get("armed"), wanted_arms(evidence)
    if isinstance(armed, Mapping):
        right = sum(instant_of(armed.get(job_id)) == at for job_id, at in wanted.items())
        yield "armed", f"{right} of {len(wanted)}, as of {_ago(told.get('at'), evidence)}"
    for name, key in (("last arm", "last_accepted"), ("last fire", "last_fire")):
        event = told.get(key)
        if isinstance(event, Mapping):
            yield name, f"{_ago(event.get('at'), evidence)}, job '{event.get('job_id')}'"
        else:
            yield name, "not known"


def _processes(evidence: Evidence) -> str:
    if evidence.pids is None:
        return "not known"
    if not evidence.pids:
        return "none runs"
    words = []
    for pid in evidence.pids:
        told = next((facts for facts in evidence.gateways if facts.get("pid") == pid), {})
        began_at = number(told.get("started_at"))
        up = "" if began_at is None else f", up {ago(max(0.0, evidence.now - began_at))}"
        words.append(f"pid {pid}{up}")
    return "; ".join(words)


def _ago(instant: object, evidence: Evidence) -> str:
    at = number(instant)
    return _age(None if at is None else number(evidence.now - at))


def _age(seconds: float | None) -> str:
    return "not known" if seconds is None else f"{ago(seconds)} ago"


def _wall(at: float) -> str:
    return datetime.fromtimestamp(at, clock.zone()).strftime("%Y-%m-%d %H:%M:%S")
