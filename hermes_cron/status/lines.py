"""The status for people: verdict first, then the evidence with its ages, then what to do."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence

from hermes_cron import records
from hermes_cron.status.evidence import Evidence, number
from hermes_cron.status.job_health import missing_arms, next_job, wanted_arms
from hermes_cron.status.wording import PHRASES, Finding, ago, count, wall

__all__ = ["lines_of"]

WIDTH = 80
_VERDICT, _NAME = 11, 14  # columns; the verdict's word and the names of facts stand in their own
_TIED = "\x1f"  # stands for the spaces of a fixed phrase while lines are broken


def lines_of(
    verdict: str, headline: str, findings: Sequence[Finding], evidence: Evidence
) -> list[str]:
    """All lines, the verdict and the headline first; none is longer than a terminal is wide."""
    lines = [*_wrapped(f"{verdict.upper():<{_VERDICT}}", headline), ""]
    for name, value in _facts(evidence):
        lines += _wrapped(f"  {name:<{_NAME - 2}}", value)
    said = [finding.text for finding in findings if finding.text != headline]
    advice = [finding.advice for finding in findings if finding.advice]
    for title, sentences in (("Also:", said), ("What to do:", advice)):
        if sentences:
            lines += ["", title]
            for sentence in dict.fromkeys(sentences):
                lines += _wrapped("  - ", sentence)
    return lines


def _wrapped(start: str, text: str) -> list[str]:
    """A text behind its start, broken into lines; phrases that people grep for stay whole."""
    text = " ".join(text.split())
    if text and len(start) + len(text) <= WIDTH:
        return [start + text]
    for phrase in PHRASES:
        text = text.replace(phrase, phrase.replace(" ", _TIED))
    lines = textwrap.wrap(
        text,
        WIDTH,
        initial_indent=start,
        subsequent_indent=" " * len(start),
        break_long_words=False,  # a path is there to be copied
        break_on_hyphens=False,
    )
    return [line.replace(_TIED, " ") for line in lines] or [start.rstrip()]


def _facts(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """What was found, as names and values."""
    name = evidence.provider or "not known"
    if evidence.external:
        yield "provider", f"{name}, through the managed scheduler"
        yield from _registry_facts(evidence)
    else:
        runs = evidence.pids is None or bool(evidence.pids)
        yield "provider", name + (f", a tick every {ago(evidence.interval_s)}" if runs else "")
        stale = f" (stale after {ago(evidence.stale_after_s)})" if runs else ""
        yield "heartbeat", _age(evidence.heartbeat_age_s) + stale
        yield "clean tick", _age(evidence.success_age_s)
    yield "gateway", _processes(evidence)
    active = "not known" if evidence.jobs is None else f"{count(len(evidence.jobs), 'job')} active"
    yield "jobs", active
    coming = next_job(evidence)
    if coming is not None:
        label, at = coming
        left_s = at - evidence.now
        when = f"in {ago(left_s)}" if left_s >= 0 else f"due {ago(-left_s)} ago"
        yield "next", f"{label} at {wall(at)}, {when}"


def _registry_facts(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """What the provider says of its registry: how much is armed, the last arm, the last fire.

    It is not asked between fires and changes, so that the age of all this belongs to it.
    """
    told = evidence.registry
    if told is None or not isinstance(told.get("armed"), Mapping):
        yield "armed", "not known"
        return
    wanted = wanted_arms(evidence)
    right = len(wanted) - len(missing_arms(evidence, wanted))
    contact = _age(evidence.age_of(told.get("at")))
    yield "armed", f"{right} of {len(wanted)}, by the last contact {contact}"
    for name, key in (("last arm", "last_accepted"), ("last fire", "last_fire")):
        event = told.get(key)
        if isinstance(event, Mapping):
            label = _label(event.get("job_id"), evidence)
            yield name, f"{_age(evidence.age_of(event.get('at')))}, job {label}"
        else:
            yield name, "none yet" if key in told else "not known"


def _label(job_id: object, evidence: Evidence) -> str:
    named = (records.label(job) for job in evidence.jobs or () if job.get("id") == job_id)
    return next(named, f"'{job_id}'")


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


def _age(seconds: float | None) -> str:
    return "not known" if seconds is None else f"{ago(seconds)} ago"
