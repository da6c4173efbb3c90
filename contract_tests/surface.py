"""The outside of a host: what a probe asks of it without running it.

Two hosts exist: the reference in ``hermes_cron`` and hermes-agent itself. Probes talk to this
protocol only; nothing in them knows a class or a private attribute of either. How a host is driven
over virtual time is `simulator.hosts`' affair.
"""

import functools
import importlib
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol, cast
from unittest import mock

import yaml

from contract_tests.benches.changes import ChangesBench, reference_changes_bench
from contract_tests.benches.claims import ClaimBench, reference_claim_bench
from contract_tests.benches.fire import FireBench, reference_fire_bench
from contract_tests.benches.instants import InstantsBench, reference_instants_bench
from contract_tests.benches.issuer import Issuer
from contract_tests.benches.status import StatusBench, reference_status_bench
from contract_tests.benches.store import StoreBench, reference_store_bench
from contract_tests.benches.webhook import WebhookBench, reference_webhook_bench

__all__ = [
    "BUILTIN_NAMES",
    "HostSurface",
    "ReferenceSurface",
    "reference_surface",
]

# What a user may write to get the built-in (HOST.md, Resolver); the first is its own name.
BUILTIN_NAMES = ("builtin", "in-process", "inprocess")
_LONG_AGO = "2001-01-01T00:00:00+00:00"


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

    def ready(self) -> None:
        """Import what providers use, so that what the host imports is not taken for theirs."""

    def alias(self) -> None:
        """Make hermes-agent's import paths resolve to this host, where they do not."""

    def fire_bench(self) -> AbstractContextManager[FireBench]:
        """Put the kit at the claim, the shared path and the body, on the store in this home."""

    def claim_bench(self) -> AbstractContextManager[ClaimBench]:
        """Take the jobs in this home and settle them, with the kit at their bodies."""

    def store_bench(self) -> AbstractContextManager[StoreBench]:
        """Change and read the jobs in this home as the host's callers do."""

    def webhook_bench(self, home: Path, issuer: Issuer) -> AbstractContextManager[WebhookBench]:
        """Serve the host's webhook on the store in this home, trusting this issuer."""

    def status_bench(self) -> AbstractContextManager[StatusBench]:
        """Furnish this home as gateways leave it, and ask for the status there."""

    def instants_bench(self) -> AbstractContextManager[InstantsBench]:
        """Set the host's clock and zone, on the jobs in this home."""

    def beat(self) -> None:
        """Write one heartbeat into the store in this home, as a loop does."""

    def tick(self) -> None:
        """Run what is due, as a loop asks for it."""

    def impatient(self) -> AbstractContextManager[None]:
        """Have the host wait for what a plugin answers a fraction of a second, not seconds."""

    def sources(self) -> tuple[Path, ...]:
        """The files of the host that run on the agent's side."""

    def changes_bench(self, in_charge: Any | None) -> AbstractContextManager[ChangesBench]:
        """Every way of changing a job; in a gateway with this provider, or in a command."""


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

    def ready(self) -> None:
        """See `HostSurface`."""
        for name in ("scheduler_provider", "scheduler", "jobs", "config", "auth"):
            importlib.import_module(f"hermes_cron.{name}")

    def alias(self) -> None:
        """See `HostSurface`."""
        try:
            install: Callable[[], None] = importlib.import_module("hermes_cron.compat").install
        except ModuleNotFoundError:
            return
        install()

    def fire_bench(self) -> AbstractContextManager[FireBench]:
        """See `HostSurface`."""
        return reference_fire_bench()

    def claim_bench(self) -> AbstractContextManager[ClaimBench]:
        """See `HostSurface`."""
        return reference_claim_bench()

    def store_bench(self) -> AbstractContextManager[StoreBench]:
        """See `HostSurface`."""
        return reference_store_bench()

    def webhook_bench(self, home: Path, issuer: Issuer) -> AbstractContextManager[WebhookBench]:
        """See `HostSurface`."""
        return reference_webhook_bench(home, issuer)

    def status_bench(self) -> AbstractContextManager[StatusBench]:
        """See `HostSurface`."""
        return reference_status_bench()

    def instants_bench(self) -> AbstractContextManager[InstantsBench]:
        """See `HostSurface`."""
        return reference_instants_bench()

    def beat(self) -> None:
        """See `HostSurface`."""
        importlib.import_module("hermes_cron.jobs").record_ticker_heartbeat(success=True)

    def tick(self) -> None:
        """See `HostSurface`."""
        importlib.import_module("hermes_cron.scheduler").tick(verbose=False, sync=False)

    def impatient(self) -> AbstractContextManager[None]:
        """See `HostSurface`."""
        vetting = importlib.import_module("hermes_cron.plugins.vetting")
        return mock.patch.multiple(vetting, ANSWER_LIMIT_S=0.2, BUILD_LIMIT_S=0.2)

    def sources(self) -> tuple[Path, ...]:
        """See `HostSurface`."""
        package = Path(str(importlib.import_module("hermes_cron").__file__)).parent
        files = (file for file in package.rglob("*") if file.suffix in {".py", ".yaml", ".toml"})
        return tuple(sorted(files))

    def changes_bench(self, in_charge: Any | None) -> AbstractContextManager[ChangesBench]:
        """See `HostSurface`."""
        return reference_changes_bench(in_charge)


@functools.cache
def reference_surface() -> ReferenceSurface:
    """The host of this distribution."""
    return ReferenceSurface()
