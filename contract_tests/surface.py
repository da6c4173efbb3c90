"""The outside of a host: what a probe asks of it without running it.

Two hosts exist: the reference in ``hermes_cron`` and hermes-agent itself. Probes talk to this
protocol only; nothing in them knows a class or a private attribute of either. How a host is driven
over virtual time is `simulator.hosts`' affair.
"""

import functools
import importlib
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, cast, get_args
from unittest import mock

import yaml

__all__ = [
    "BUILTIN_NAMES",
    "CHANGES",
    "OUTCOMES",
    "BodyOutcome",
    "FireBench",
    "HostSurface",
    "JobChange",
    "ReferenceSurface",
    "reference_surface",
]

# What a user may write to get the built-in (HOST.md, Resolver); the first is its own name.
BUILTIN_NAMES = ("builtin", "in-process", "inprocess")
_LONG_AGO = "2001-01-01T00:00:00+00:00"


JobChange = Literal["paused", "shown paused", "disabled", "completed", "removed"]
CHANGES: tuple[JobChange, ...] = get_args(JobChange)
BodyOutcome = Literal["succeeds", "fails", "raises"]
OUTCOMES: tuple[BodyOutcome, ...] = get_args(BodyOutcome)


@dataclass
class FireBench:
    """A job store on disk with the kit at the body of every job.

    Attributes:
        outcome: how the bodies end.
        runs: the job of each run that reached the body, in order.
        claims: each claim that was asked for (job, won).
        shared: each run on the shared path (job, adapters, loop).
        after_claim: called once, when a claim has been won.
        at_shared_path: called once, when the shared path is entered.
    """

    add_job: Callable[[], str]
    change: Callable[[str, JobChange], None]
    claim: Callable[[str], bool]
    outcome: BodyOutcome = "succeeds"
    runs: list[str] = field(default_factory=list)
    claims: list[tuple[str, bool]] = field(default_factory=list)
    shared: list[tuple[str, Any, Any]] = field(default_factory=list)
    after_claim: Callable[[], None] | None = None
    at_shared_path: Callable[[], None] | None = None

    def happen(self, moment: str) -> None:
        """Call what was planned for a moment, and never again."""
        planned: Callable[[], None] | None = getattr(self, moment)
        setattr(self, moment, None)
        if planned is not None:
            planned()


class HostSurface(Protocol):
    """What the kit asks of a host. Each call reads ``HERMES_HOME`` live."""

    label: str

    def interface(self) -> type:
        """The abstract class that providers implement."""

    def resolve(self) -> Any:
        """The provider that the host would start with the configuration in the current home."""

    def load(self, name: str) -> Any | None:
        """The provider of this name, as discovery finds it; None when there is none."""

    def names(self) -> tuple[str, ...]:
        """The providers that can be named in the configuration."""

    def furnish(self, home: Path, provider: str, *, stale_login: bool = False) -> None:
        """Write what a user with a working set-up has: configuration of the provider, a login.

        Args:
            home: the folder to write into.
            provider: the name to configure.
            stale_login: the stored login has run out and would have to be renewed.
        """

    def alias(self) -> None:
        """Make hermes-agent's import paths resolve to this host, where they do not."""

    def fire_bench(self) -> AbstractContextManager[FireBench]:
        """Put the kit at the claim, the shared path and the body, on the store in this home."""

    def beat(self) -> None:
        """Write one heartbeat into the store in this home, as a loop does."""


class ReferenceSurface:
    """`hermes_cron`, through its public functions."""

    label = "hermes_cron"

    def interface(self) -> type:
        """See `HostSurface`."""
        return cast("type", importlib.import_module("hermes_cron.scheduler_provider").CronScheduler)

    def resolve(self) -> Any:
        """See `HostSurface`."""
        return importlib.import_module("hermes_cron.scheduler_provider").resolve_cron_scheduler()

    def load(self, name: str) -> Any | None:
        """See `HostSurface`."""
        if name in BUILTIN_NAMES:
            return self.resolve() if name == BUILTIN_NAMES[0] else None
        return importlib.import_module("hermes_cron.plugins").load_cron_scheduler(name)

    def names(self) -> tuple[str, ...]:
        """See `HostSurface`."""
        found = importlib.import_module("hermes_cron.plugins").discover_cron_schedulers()
        return (BUILTIN_NAMES[0], *sorted(str(row[0]) for row in found))

    def furnish(self, home: Path, provider: str, *, stale_login: bool = False) -> None:
        """See `HostSurface`. Keys as WIRE.md has them, under the provider's own name."""
        home.mkdir(parents=True, exist_ok=True)
        settings = {
            "portal_url": "https://portal.example.test",
            "callback_url": "https://agent.example.test",
            "expected_audience": "agent:contract",
            "nas_jwks_url": "https://portal.example.test/jwks.json",
        }
        config = {"cron": {"provider": provider, provider: settings}}
        state = {"access_token": "contract-kit-token"}
        if stale_login:
            state |= {"refresh_token": "contract-kit-refresh", "expires_at": _LONG_AGO}
        login = {"providers": {"nous": state}}
        (home / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        (home / "auth.json").write_text(json.dumps(login), encoding="utf-8")

    def alias(self) -> None:
        """See `HostSurface`."""
        try:
            install: Callable[[], None] = importlib.import_module("hermes_cron.compat").install
        except ModuleNotFoundError:
            return
        install()

    @contextmanager
    def fire_bench(self) -> Iterator[FireBench]:
        """See `HostSurface`. By the names that HOST.md promises to look up at call time."""
        jobs = importlib.import_module("hermes_cron.jobs")
        scheduler = importlib.import_module("hermes_cron.scheduler")
        claim, run_one_job = jobs.claim_job_for_fire, scheduler.run_one_job
        bench = FireBench(
            add_job=lambda: str(jobs.create_job("say hello", "every 1h")["id"]),
            change=functools.partial(_change_job, jobs),
            claim=claim,
        )

        def watched_claim(job_id: str, **keywords: Any) -> bool:
            won = bool(claim(job_id, **keywords))
            bench.claims.append((job_id, won))
            if won:
                bench.happen("after_claim")
            return won

        def watched_path(job: Any, **keywords: Any) -> bool:
            bench.shared.append((job["id"], keywords.get("adapters"), keywords.get("loop")))
            bench.happen("at_shared_path")
            return bool(run_one_job(job, **keywords))

        def body(job: Any) -> tuple[bool, str, str, str | None]:
            bench.runs.append(job["id"])
            if bench.outcome == "raises":
                raise ValueError("the body raises")
            if bench.outcome == "succeeds":
                return True, "hello", "hello", None
            return False, "", "", "the body failed"

        with (
            mock.patch.object(jobs, "claim_job_for_fire", watched_claim),
            mock.patch.object(scheduler, "run_one_job", watched_path),
            mock.patch.object(scheduler, "run_job", body),
        ):
            yield bench

    def beat(self) -> None:
        """See `HostSurface`."""
        importlib.import_module("hermes_cron.jobs").record_ticker_heartbeat(success=True)


def _change_job(jobs: Any, job_id: str, change: JobChange) -> None:
    """What somebody else does to a job meanwhile."""
    if change == "removed":
        jobs.remove_job(job_id)
    elif change == "paused":
        jobs.pause_job(job_id)
    elif change == "shown paused":
        jobs.update_job(job_id, {"state": "paused"})
    elif change == "disabled":
        jobs.update_job(job_id, {"enabled": False})
    else:
        jobs.update_job(job_id, {"enabled": False, "state": "completed", "next_run_at": None})


@functools.cache
def reference_surface() -> ReferenceSurface:
    """The host of this distribution."""
    return ReferenceSurface()
