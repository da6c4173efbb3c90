"""What is known about cron on this home at one moment, gathered without changing anything.

The two ages, the processes and the jobs are asked for by the functions of HOST.md ("Status
lines"), looked up on their modules at the time of the call. What lies beside them (the signals of
each gateway and of each loop, the provider's account of its registry) is gathered as it is found:
what is missing or damaged is left out, never guessed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from hermes_cron import (
    claim_rules,
    clock,
    config,
    gateway,
    gateway_evidence,
    heartbeat,
    jobs,
    process,
    provider_calls,
    records,
    scheduler_provider,
    store,
)
from hermes_cron.raised import in_a_line

__all__ = ["Evidence", "broken_records", "gather", "instant_of", "number", "stale_after_s"]

T = TypeVar("T")

REGISTRY_PREFIX = "registry-"
DEFAULT_INTERVAL_S = 60.0
# Between these every zone can show a time; beyond them the zone in effect has to be asked.
_FIRST_S = datetime(1, 1, 3, tzinfo=UTC).timestamp()
_LAST_S = datetime(9999, 12, 29, tzinfo=UTC).timestamp()


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What was found. None is unknown, everywhere; ages in seconds, instants as epoch seconds.

    Attributes:
        now: when it was gathered.
        configured: the provider that the configuration names, '' for the built-in.
        provider: the one that runs, or would; None when that cannot be told.
        external: whether it arms its jobs outside; None when that cannot be told.
        fallback: `configured` and `reason` when the configured provider is not the one that runs.
        pids: the gateways that run.
        heartbeat_age_s: since the last heartbeat of any loop on this home.
        success_age_s: since the last clean tick of any loop on this home.
        interval_s: the longest interval that a reported loop says it uses, else the default.
        gateways: what the reported gateways say about themselves.
        loops: what the loops of the reported gateways say about themselves (hermes_cron.heartbeat).
        foreign_loops: what loops of other processes say; those of this very process left out.
        registry: what the external provider says is armed.
        jobs: the enabled jobs.
        given_up: the one-shots that the host itself switched off, as their time had passed.
        broken: records of the jobs file that are no usable jobs: id or place, and what is wrong.
        store_error: why the jobs cannot be read.
        unlearned: what could not be found out, a sentence each.
        config_problems: what is wrong with the configuration, a sentence each.
        interrupted: the enabled jobs, by id, that a process holds which is known to be dead.
    """

    now: float
    configured: str = ""
    provider: str | None = None
    external: bool | None = None
    fallback: Mapping[str, str] | None = None
    pids: Sequence[int] | None = None
    heartbeat_age_s: float | None = None
    success_age_s: float | None = None
    interval_s: float = DEFAULT_INTERVAL_S
    gateways: Sequence[Mapping[str, Any]] = ()
    loops: Sequence[Mapping[str, Any]] = ()
    foreign_loops: Sequence[Mapping[str, Any]] = ()
    registry: Mapping[str, Any] | None = None
    jobs: Sequence[Mapping[str, Any]] | None = None
    given_up: Sequence[Mapping[str, Any]] = ()
    broken: Sequence[str] = ()
    store_error: str | None = None
    unlearned: Sequence[str] = field(default=())
    config_problems: Sequence[str] = ()
    interrupted: Sequence[str] = ()

    @property
    def stale_after_s(self) -> float:
        """Older than this is stale, where no loop says another interval."""
        return stale_after_s(self.interval_s)

    def age_of(self, instant: object) -> float | None:
        """How long ago an instant was; None when it is none, or lies ahead."""
        at = number(instant)
        if at is None or at - self.now > heartbeat.FUTURE_S:
            return None
        return max(0.0, self.now - at)


def stale_after_s(interval_s: float) -> float:
    """A signal older than this is stale (HOST.md): three intervals and 20 s."""
    return 3 * interval_s + 20


def gather() -> Evidence:
    """Look at everything. Reads only, takes no lock, never raises."""
    unlearned: list[str] = []

    def ask(what: str, question: Callable[[], T]) -> T | None:
        try:
            return question()
        except (Exception, SystemExit) as error:  # what cannot be asked is unknown, and said
            unlearned.append(f"{what}: {in_a_line(error)}")
            return None

    now = ask("the clock", clock.epoch) or 0.0
    pids = ask("the gateway processes", lambda: [int(pid) for pid in gateway.find_gateway_pids()])
    told = ask("the gateways' evidence", gateway_evidence.read_all) or {}
    gateways = [facts for facts in told.values() if facts["pid"] in (pids or ())]
    loops, foreign = _assign(ask("the loops' evidence", heartbeat.told) or [], pids or [], gateways)
    found_jobs, given_up, store_error = _jobs()
    provider, external, fallback = _provider(gateways, pids, ask)
    return Evidence(
        now=now,
        configured=ask("the configuration", gateway_evidence.configured_name) or "",
        provider=provider,
        external=external,
        fallback=fallback,
        pids=pids,
        heartbeat_age_s=number(ask("the heartbeat", jobs.get_ticker_heartbeat_age)),
        success_age_s=number(ask("the last clean tick", jobs.get_ticker_success_age)),
        interval_s=_interval([*loops, *gateways]),
        gateways=gateways,
        loops=loops,
        foreign_loops=foreign,
        registry=ask("the registry's evidence", lambda: _registry(provider)) if external else None,
        jobs=found_jobs,
        given_up=given_up,
        broken=(ask("broken records", broken_records) or []) if store_error is None else [],
        store_error=store_error,
        unlearned=unlearned,
        config_problems=ask("what is wrong with the configuration", config.problems) or (),
        interrupted=ask("who runs the jobs", lambda: _interrupted(found_jobs or ())) or (),
    )


def number(value: object) -> float | None:
    """An age or an instant that can be believed: finite and not negative; else None.

    A negative age is a signal from the future: the clock was stepped, or the file is garbage.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and value >= 0 else None


def _interval(told: Sequence[Mapping[str, Any]]) -> float:
    """The interval that the reported loops use; a patched default counts when they say nothing."""
    said = [value for facts in told if (value := number(facts.get("interval_s")))]
    return max(said) if said else number(jobs.TICKER_INTERVAL_SECONDS) or DEFAULT_INTERVAL_S


def _assign(
    told: Sequence[dict[str, Any]], pids: Sequence[int], gateways: Sequence[Mapping[str, Any]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Which loops are those of the reported gateways, and which of others.

    A pid is given out again: the boot tells, where the gateway's own evidence names it.
    """
    me = process.current()
    boots = {facts["pid"]: facts.get("boot_id") for facts in gateways}
    reported, foreign = [], []
    for facts in told:
        pid, boot = facts.get("pid"), facts.get("boot_id")
        here = boots.get(pid) == boot if pid in boots else facts.get("host") == me.host
        if here and pid in pids:
            reported.append(facts)
        elif (pid, boot) != (me.pid, me.boot_id):
            foreign.append(facts)
    return reported, foreign


def _provider(
    gateways: Sequence[Mapping[str, Any]],
    pids: Sequence[int] | None,
    ask: Callable[[str, Callable[[], Any]], Any],
) -> tuple[str | None, bool | None, Mapping[str, str] | None]:
    """Who decides when jobs fire: as a running gateway says, else as this process would resolve.

    Of several gateways one may have fallen back, whichever speaks first.
    """
    speaking = [facts for facts in gateways if isinstance(facts.get("provider"), str)]
    if speaking:
        fallbacks = (facts.get("fallback") for facts in speaking)
        fallback = next((told for told in fallbacks if isinstance(told, dict)), None)
        return speaking[0]["provider"], speaking[0].get("external") is True, fallback
    wanted = ask("the configuration", gateway_evidence.configured_name)
    if not wanted or wanted in scheduler_provider.BUILTIN_NAMES:
        return "builtin", False, None
    resolved = ask("the provider", _resolved)
    if resolved is None:
        return None, None, None
    name, is_builtin, arms_outside = resolved
    if is_builtin:
        return name, False, gateway_evidence.resolver_fallback()
    # What arms nothing outside needs a process; while one runs that says no more, who knows.
    return name, arms_outside or pids is None or bool(pids), None


def _resolved() -> tuple[str, bool, bool]:
    provider = scheduler_provider.resolve_cron_scheduler()
    is_builtin = isinstance(provider, scheduler_provider.InProcessCronScheduler)
    return str(provider.name), is_builtin, provider_calls.is_external(provider)


def _registry(provider: str | None) -> dict[str, Any] | None:
    found = json.loads(store.current_store().read_signal(f"{REGISTRY_PREFIX}{provider}") or "null")
    return found if isinstance(found, dict) else None


def _jobs() -> tuple[list[dict[str, Any]] | None, list[dict[str, Any]], str | None]:
    """The enabled jobs and those that were given up, or why they cannot be read."""
    try:
        found = [job for job in jobs.list_jobs(include_disabled=True) if isinstance(job, dict)]
    except (Exception, SystemExit) as error:  # nothing can be promised for jobs nobody can read
        return None, [], in_a_line(error)
    enabled = [job for job in found if job.get("enabled")]
    off = [job for job in found if not job.get("enabled")]
    return enabled, [job for job in off if _was_given_up(job)], None


def _was_given_up(job: Mapping[str, Any]) -> bool:
    """Whether a job that is off is a one-shot that came to nothing: nobody switched it off."""
    return job.get("state") == "error" and records.kind_of(job) == "once"


def _interrupted(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """The jobs whose run nobody ends: their claim stands until its time is over."""
    me = process.current()
    claims = [(str(job.get("id")), claim_rules.claim_of(job)) for job in found]
    return [
        job_id
        for job_id, claim in claims
        if claim is not None and me.is_gone(claim.get("by"), claim.get("boot"))
    ]


def broken_records() -> list[str]:
    """The records of the jobs file that are no usable jobs, and what is wrong with each.

    Raises:
        hermes_cron.store.StoreUnreadable: there is no telling.
    """
    document = store.current_store().read()
    return [
        f"record {broken.index + 1}{_id_of(broken.value)}: {broken.reason}"
        for broken in document.broken
    ]


def _id_of(value: object) -> str:
    name = value.get("id") or value.get("name") if isinstance(value, dict) else None
    return f" ('{name}')" if isinstance(name, str) else ""


def instant_of(text: object) -> float | None:
    """A stored time as whole epoch seconds, None when it is none; naive: in the zone in effect."""
    if not isinstance(text, str):
        return None
    try:
        at = datetime.fromisoformat(text)
        at = at if at.tzinfo else at.replace(tzinfo=clock.zone())
        whole_s = float(int(at.timestamp()))
        if not _FIRST_S < whole_s < _LAST_S:
            datetime.fromtimestamp(whole_s, clock.zone())  # what no calendar here shows is no time
    except (ValueError, OverflowError):
        return None
    return whole_s
