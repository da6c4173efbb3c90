"""What a gateway says about itself, for the status of another process: signal `gateway-<pid>`.

Its fields: `pid`, `host`, `boot_id`, `identity` (hermes_cron.liveness), `started_at` (epoch
seconds), `interval_s`, `configured` (the name in the configuration), `provider` (the name of what
runs), `external`, `started` (an external provider's start has returned), `fallback` (None, or
`configured` and `reason`) and `state` (starting, running, draining).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Container, Mapping
from typing import Any

from hermes_cron import clock, config, process, store

__all__ = [
    "PREFIX",
    "GatewayEvidence",
    "configured_name",
    "is_live",
    "live_pids",
    "make_good",
    "read_all",
    "resolver_fallback",
    "sweep",
]

logger = logging.getLogger(__name__)

PREFIX = "gateway-"
_SLOT = "hermes_cron.gateway_evidence"
_PID_LIMIT = 2**31  # beyond it the system does not even look


class GatewayEvidence:
    """The signal of this process's gateway; writing it never raises.

    Evidence that cannot be written is missed by the status, and by nobody else.
    """

    def __init__(self) -> None:
        self._facts: dict[str, Any] = {}
        self._missed = False  # the last version could not be written

    def begin(self, *, interval_s: float) -> None:
        """Write the first version."""
        me = process.current()
        self._facts = {
            "pid": me.pid,
            "host": me.host,
            "boot_id": me.boot_id,
            "identity": me.identity_of(me.pid),
            "started_at": clock.epoch(),
            "interval_s": interval_s,
            "configured": configured_name(),
            "provider": None,
            "external": None,
            "started": False,
            "fallback": None,
            "state": "starting",
        }
        me.slots[_SLOT] = self
        self.tell()

    def make_good(self, *, hurt: bool) -> None:
        """Write again what could not be written, or, where the home is hurt, what is lost."""
        if self._missed or (hurt and self._is_lost()):
            self.tell()

    def _is_lost(self) -> bool:
        """Whether somebody removed it, as with the folder that it is in."""
        try:
            return store.current_store().read_signal(self._name) is None
        except Exception:  # what cannot be read stands there
            return False

    def tell(self, **facts: Any) -> None:
        """Write what changed."""
        self._facts |= facts
        self._missed = False
        try:
            text = json.dumps(self._facts, sort_keys=True)
            store.current_store().write_signal(self._name, text)
        except Exception as error:  # a full disk is no reason not to run jobs
            self._missed = True
            logger.warning(
                "gateway evidence could not be written: %s: %s", type(error).__name__, error
            )

    def end(self) -> None:
        """Remove it: the gateway has left by itself."""
        process.current().slots.pop(_SLOT, None)
        try:
            store.current_store().remove_signal(self._name)
        except Exception as error:  # as above; the status sees that the pid is gone
            logger.warning(
                "gateway evidence could not be removed: %s: %s", type(error).__name__, error
            )

    @property
    def _name(self) -> str:
        return f"{PREFIX}{self._facts['pid']}"


def make_good(*, hurt: bool = False) -> None:
    """Write what this process's gateway could not write before, if there is such. Never raises.

    Called whenever a signal or a fire shows that the home takes writes again: a gateway that began
    on a full disk would count as not running for as long as it lives.

    Args:
        hurt: the home is not well, or was not a moment ago: what was written may be lost, too.
    """
    mine: GatewayEvidence | None = process.current().slots.get(_SLOT)
    if mine is not None:
        mine.make_good(hurt=hurt)


def read_all(but: Container[str] = ()) -> dict[str, dict[str, Any]]:
    """What every gateway of this home last said, by signal name; unreadable ones are left out.

    Args:
        but: names that need not be read.

    Raises:
        OSError: the evidence as a whole cannot be looked at.
    """
    found: dict[str, dict[str, Any]] = {}
    home = store.current_store()
    for name in home.signals():
        if name.startswith(PREFIX) and name not in but:
            try:
                facts = json.loads(home.read_signal(name) or "")
            except (OSError, ValueError):
                continue
            if isinstance(facts, dict) and isinstance(facts.get("pid"), int):
                found[name] = facts
    return found


def live_pids() -> list[int]:
    """The gateways of this host whose process still runs, smallest pid first."""
    return sorted({facts["pid"] for facts in read_all().values() if is_live(facts)})


def is_live(facts: Mapping[str, Any]) -> bool:
    """Whether the process that left these facts still runs on this host."""
    me = process.current()
    pid = facts.get("pid")
    if facts.get("host") != me.host or not isinstance(pid, int):
        return False
    if not 0 < pid < _PID_LIMIT:
        return False
    if pid == me.pid:  # ours, or that of an earlier process that had our pid
        return facts.get("boot_id") == me.boot_id
    return me.lives_on(pid, facts.get("identity"))


def sweep(alive: set[int]) -> None:
    """Remove what gateways of this host left that are not `alive`. Never raises."""
    here = process.current().host
    try:
        for name, facts in read_all({f"{PREFIX}{pid}" for pid in alive}).items():
            if facts.get("host") == here and facts["pid"] not in alive:
                store.current_store().remove_signal(name)
    except Exception as error:  # left-overs mislead nobody: their process is not there
        logger.warning(
            "evidence of dead gateways was not swept: %s: %s", type(error).__name__, error
        )


def configured_name() -> str:
    """The provider that the configuration names, '' for the built-in."""
    name = config.cfg_get(config.load_config(), "cron", "provider")
    return "" if name is None else str(name).strip()


def resolver_fallback() -> dict[str, str] | None:
    """What the resolver of this process noted when it last had to take the built-in."""
    noted = process.current().fallback
    if noted is None:
        return None
    if isinstance(noted, Mapping):
        return {key: str(noted.get(key)) for key in ("configured", "reason")}
    return {"configured": configured_name(), "reason": str(noted)}
