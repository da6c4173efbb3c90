"""Registries other than NAS: what the fake of one offers to a run.

The author of a provider brings a fake of the registry that it talks to; `simulator.registry_run`
puts it in the place of NAS. The smallest one has five short methods; whatever else its original
does is declared, so that judges know what they may ask for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Literal, Protocol

from simulator.fault_rule import Fault

__all__ = [
    "CALLS",
    "Answer",
    "Asks",
    "FakeRegistry",
    "RegistryError",
    "cannot_strike",
    "declared",
]

Answer = Literal["", "fail", "nonsense"]
"""How a call is to go wrong; "" for not at all."""

CALLS: Mapping[str, str] = {
    "arm": "provision",
    "cancel": "cancel",
    "list": "list",
    "renew": "renew",
}
"""What a fake calls what is asked of it, and the name of the same thing at NAS."""

Asks = Callable[..., Answer]
"""`asks(call, job_id=None, *, after=False)`: how this call is to fail, "" for not at all.

`call` is a key of `CALLS`. What is not "" is true, so that most fakes need no more than an `if`.
"""


class RegistryError(RuntimeError):
    """The fake does not keep to the protocol; says what it did."""


class FakeRegistry(Protocol):
    """The fake of a registry, in memory or behind a server on loopback.

    It is made without arguments, anew for each run; it outlives the gateways of the run. Its time
    is `time.time()` and `datetime.now()`, which are virtual in a run (but not in threads that it
    started before, a server's above all).

    What real registries do besides is declared by attributes, each absent or 0 for "no such thing":

    - `granularity_s`: what is armed is later than what was asked for by less than so many seconds;
    - `horizon_s`: nothing can be armed further ahead;
    - `list_lag_s`: the list is behind by up to this;
    - `recurring`: True: what has fired is armed again by the registry itself;
    - `lock_s`: an arm is gone unless it is renewed in this time.

    How calls can go wrong, besides failing before they have had any effect, is declared by `fails`,
    a set of these words, each absent for "not played":

    - "after": the call asks once more when it has had its effect, `asks(call, job_id, after=True)`,
      and fails then, too, when that is true;
    - "nonsense": on the answer "nonsense" the caller gets an answer that is none of this registry,
      and what it asked for has not been done.

    `address`, a (host, port) on loopback, lets the provider connect there in a run; all other
    connections are refused. `close()` is called at the end, where there is one.
    """

    def attach(self, provider: Any) -> object:
        """Have this provider, that of a gateway that boots, talk to this fake."""

    def armed(self) -> Mapping[str, datetime]:
        """What is armed in truth: the next instant, with its offset, by job id."""

    def deliver_due(self, now: datetime) -> Iterable[tuple[str, datetime]]:
        """Let go what is due, and return it: (job id, the instant that the provider asked for).

        That instant is what the host is told to be due. What is returned is no longer armed, or
        (recurring) armed for later.
        """

    def forget_all(self) -> object:
        """Lose everything."""

    def fail_next(self, asks: Asks) -> object:
        """Keep `asks`, and from now on ask it at each call: when its answer is true, it fails.

        A call asks before it has any effect and before it takes a lock, fails in the way of this
        registry, and then has none: `if self.asks("arm", job_id): raise ConnectionError`.
        """


def cannot_strike(fault: Fault, fake: FakeRegistry) -> bool:
    """Whether the protocol of a fake has no word for a fault of NAS, so that it never strikes."""
    if fault.into not in {"nas.provision", "nas.cancel", "nas.list"}:
        return False
    fails = getattr(fake, "fails", ())
    behind_a_server = getattr(fake, "address", None) is not None  # its threads are real ones
    waits = fault.hang is not None or fault.crash
    return (
        (waits and behind_a_server)
        or (fault.after and "after" not in fails)
        or (isinstance(fault.answer, str) and "nonsense" not in fails)
        or fault.answer == "stale"
    )


def declared(fake: FakeRegistry) -> dict[str, Any]:
    """What a fake says of itself, as it stands in the header of a history."""
    found: dict[str, Any] = {"label": type(fake).__qualname__}
    for name in ("granularity_s", "horizon_s", "list_lag_s", "recurring", "lock_s"):
        value = getattr(fake, name, 0)
        if value:
            found[name] = value
    return found
