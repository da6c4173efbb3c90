"""What starts due jobs: does its loop live, do its ticks go well, is what must be armed armed?

Findings for `status.verdict`; pure. A loop is judged by the two ages that anybody may have
written, and beside them by what the reported processes' own loops say: that can take a promise
away and never give one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hermes_cron import records
from hermes_cron.status.evidence import Evidence, number, stale_after_s
from hermes_cron.status.job_health import missing_arms, wanted_arms
from hermes_cron.status.wording import Finding, ago, count

__all__ = ["trigger_findings"]

UNDER_WAY_INTERVALS = 10  # a tick that says that it is under way is given this long (STAT-2)
DOUBT_S = 1  # signals of some versions have whole seconds
MOST_NAMED = 5
RESTART = "stop the gateway and start it again: 'hermes-cron serve'"
LOOK_AGAIN = "look again in a minute; if it stays so, " + RESTART
JUST_STARTED = Finding(
    "unknown",
    "just-started",
    "Gateway has just started and not finished its first tick",
    "look again in a minute",
)


def trigger_findings(evidence: Evidence) -> Iterator[Finding]:
    """Is there something that will start a due job?"""
    if evidence.external is None:
        yield Finding(
            "unknown",
            "provider-unknown",
            f"It is not known which cron provider runs ('{evidence.configured}' is configured)",
            "look at the gateway's log; 'cron.provider' in config.yaml names it",
        )
    elif evidence.external:
        yield from _registry_findings(evidence)
    elif evidence.pids is None:
        yield Finding("unknown", "processes-unknown", "It is not known whether a gateway runs")
    elif not evidence.pids:
        there_was_one = evidence.heartbeat_age_s is not None
        yield Finding(
            "bad",
            "no-gateway",
            "Gateway is not running: cron jobs will NOT fire",
            "start it: 'hermes-cron serve'"
            + ("; the end of its log says why the last one left" if there_was_one else ""),
        )
    else:
        of_loops = [one for facts in evidence.loops for one in _loop_findings(facts, evidence)]
        for finding in _age_findings(evidence):
            if finding.code != "no-success" or JUST_STARTED not in of_loops:
                yield finding
        yield from of_loops
        yield from _ownership_findings(evidence)


def _age_findings(evidence: Evidence) -> Iterator[Finding]:
    """What the two ages say, whoever wrote them."""
    beat_s, clean_s, stale_s = (
        evidence.heartbeat_age_s,
        evidence.success_age_s,
        evidence.stale_after_s,
    )
    if beat_s is None:
        yield Finding(
            "unknown",
            "no-heartbeat",
            "Gateway is running, but no heartbeat of a cron loop is known",
            LOOK_AGAIN,
        )
    elif beat_s > stale_s:
        ages_s = [_tick_age(facts, evidence) for facts in evidence.loops]
        under_way = [age_s for age_s in ages_s if age_s is not None]
        if under_way:
            yield _under_way(max(under_way))
        else:
            yield _stalled(beat_s, evidence.interval_s)
    elif clean_s is None:
        yield Finding(
            "unknown",
            "no-success",
            "Gateway is running, but it is not known that a tick has ever gone well",
            "look again in a minute; if it stays so, look for 'Cron tick error' in its log",
        )
    elif clean_s > stale_s:
        yield _failing(f"no tick has succeeded for {ago(clean_s)}", _first_error(evidence))


def _loop_findings(facts: Mapping[str, Any], evidence: Evidence) -> Iterator[Finding]:
    """What a reported process's own loop says; it can take a promise away, never give one."""
    beat_s, clean_s = (evidence.age_of(facts.get(key)) for key in ("heartbeat_at", "success_at"))
    interval_s = _interval(facts, evidence)
    stale_s = stale_after_s(interval_s)
    tick_s = _tick_age(facts, evidence)
    if facts.get("heartbeat_at") is not None and beat_s is None:
        text = f"Gateway is running, but the heartbeat of {_who(facts)} is no time that has passed"
        yield Finding("unknown", "heartbeat-garbage", text, LOOK_AGAIN)
    elif beat_s is not None and beat_s > stale_s:
        yield _under_way(tick_s) if tick_s is not None else _stalled(beat_s, interval_s)
    elif clean_s is not None:
        if clean_s > stale_s:
            yield _failing(f"no tick has succeeded for {ago(clean_s)}", facts.get("error"))
        elif facts.get("error"):
            yield Finding("note", "tick-failed", f"the last tick failed: {facts['error']}")
    else:
        began_s = evidence.age_of(facts.get("started_at"))
        since_long = began_s is not None and began_s > stale_s
        if facts.get("error") or (since_long and tick_s is None):
            yield _failing("no tick has succeeded since the loop started", facts.get("error"))
        else:
            yield JUST_STARTED


def _ownership_findings(evidence: Evidence) -> Iterator[Finding]:
    """Is the heartbeat that of a process that is reported (STAT-7, STAT-8)?"""
    started = [at for facts in evidence.gateways if (at := number(facts.get("started_at")))]
    if evidence.loops:
        return  # judged by what their own loops say
    if started and len(started) == len(evidence.pids or ()):
        up_s = evidence.now - min(started)
        if evidence.heartbeat_age_s is not None and evidence.heartbeat_age_s > up_s + DOUBT_S:
            text = "Gateway is running, but the last heartbeat is older than the gateway itself"
            yield Finding("unknown", "heartbeat-older", text, LOOK_AGAIN)
            return
        if evidence.success_age_s is not None and evidence.success_age_s > up_s + DOUBT_S:
            if up_s <= evidence.stale_after_s:  # else the age alone says that ticks fail
                yield JUST_STARTED
            return
    for facts in evidence.foreign_loops:
        beat_s = evidence.age_of(facts.get("heartbeat_at"))
        if beat_s is not None and beat_s <= evidence.stale_after_s:
            text = f"Gateway is running, but the heartbeat is that of {_who(facts)}, not its own"
            yield Finding("unknown", "heartbeat-foreign", text, LOOK_AGAIN)
            return


def _registry_findings(evidence: Evidence) -> Iterator[Finding]:
    """An external provider is green by what is armed, never by a process or a heartbeat."""
    line = f"Cron provider '{evidence.provider}' fires jobs through the managed scheduler"
    told = evidence.registry
    armed = told.get("armed") if told is not None else None
    if told is None or not isinstance(armed, Mapping):
        text = f"{line}, but nothing is known about what is armed there"
        advice = "run 'hermes-cron serve': it arms every job and says so"
        yield Finding("unknown", "no-registry-evidence", text, advice)
        return
    wanted = wanted_arms(evidence)
    missing = missing_arms(evidence, wanted)
    why = told.get("last_error")
    if missing:
        named = ", ".join(_labels(missing[:MOST_NAMED], evidence))
        named += ", ..." if len(missing) > MOST_NAMED else ""
        yield Finding(
            "bad",
            "not-armed",
            f"Cron provider '{evidence.provider}': only {len(wanted) - len(missing)} of "
            f"{count(len(wanted), 'job')} armed at the next time with the managed scheduler "
            f"(not: {named})" + (f"; {why}" if why else ""),
            "mend the reason, then restart the gateway: that arms every job again, as does any "
            "change of a job",
        )
    elif told.get("listed") is not True:
        text = f"{line}, but it did not answer what is armed" + (f" ({why})" if why else "")
        yield Finding("unknown", "not-listed", text, LOOK_AGAIN)
    elif why:
        yield Finding("note", "registry-error", f"a call to the managed scheduler failed: {why}")
    if evidence.pids is not None and not evidence.pids:
        text = "no gateway runs on this machine: a fire has to wake one at the callback URL"
        yield Finding("note", "no-gateway-here", text)


def _labels(job_ids: Sequence[str], evidence: Evidence) -> list[str]:
    known = {str(job.get("id")): records.label(job) for job in evidence.jobs or ()}
    return [known.get(job_id, job_id) for job_id in job_ids]


def _stalled(beat_s: float, interval_s: float) -> Finding:
    return Finding(
        "bad",
        "stalled",
        f"Gateway is running but the cron ticker looks STALLED: no heartbeat for {ago(beat_s)} "
        f"(expected every {ago(interval_s)}); cron jobs may not fire",
        f"if its log says 'could not be written', make room on the disk; else {RESTART}",
    )


def _failing(what: str, error: object) -> Finding:
    return Finding(
        "bad",
        "failing",
        f"Gateway is running and its loop lives, but {what}" + (f": {error}" if error else ""),
        "look for 'Cron tick error' in the gateway's log; it has the reason with its traceback",
    )


def _first_error(evidence: Evidence) -> object:
    """The reason that a reported loop gives for its last failure."""
    return next((facts["error"] for facts in evidence.loops if facts.get("error")), None)


def _under_way(tick_s: float) -> Finding:
    return Finding(
        "unknown",
        "tick-under-way",
        f"Gateway is running; a tick has been under way for {ago(tick_s)}",
        "look again in a minute",
    )


def _interval(facts: Mapping[str, Any], evidence: Evidence) -> float:
    """What this loop says that it waits between ticks (STAT-9)."""
    return number(facts.get("interval_s")) or evidence.interval_s


def _tick_age(facts: Mapping[str, Any], evidence: Evidence) -> float | None:
    """How long the loop's tick has been under way; None between ticks, and for one that is lost."""
    age_s = evidence.age_of(facts.get("tick_since"))
    within = UNDER_WAY_INTERVALS * _interval(facts, evidence)
    return age_s if age_s is not None and age_s <= within else None


def _who(facts: Mapping[str, Any]) -> str:
    return f"the loop of pid {facts.get('pid')}"
