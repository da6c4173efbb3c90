"""Registries other than NAS: what the fake of one offers, and a run with it in place of NAS.

The author of a provider brings a fake of the registry that it talks to. To the judges it looks like
NAS: after every call to it, what it holds is compared with what it held before, and the difference
goes into the history as what was armed, cancelled or fired. What it lets go when its time has come
is delivered to the host's webhook, again and again until a 2xx.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from simulator.durations import SECOND_US
from simulator.fault_rule import Fault
from simulator.history import History
from simulator.kernel import here
from simulator.nas_relay import NasRelay
from simulator.nas_types import Action, Arm, Delivery, Handle, Record, Seam, Timer

__all__ = [
    "CALLS",
    "Asks",
    "FakeRegistry",
    "OtherRegistry",
    "RegistryError",
    "WatchfulHistory",
    "cannot_strike",
    "declared",
]

CALLS: Mapping[str, str] = {
    "arm": "provision",
    "cancel": "cancel",
    "list": "list",
    "renew": "renew",
}
"""What a fake calls what is asked of it, and the name of the same thing at NAS."""

Asks = Callable[..., bool]
"""`asks(call, job_id=None)`: whether this call is to fail; `call` is a key of `CALLS`."""


class RegistryError(RuntimeError):
    """The fake does not keep to the protocol; says what it did."""


class FakeRegistry(Protocol):
    """The fake of a registry, in memory or behind a server on loopback.

    It is made without arguments, anew for each run; it outlives the gateways of the run. Its time
    is `time.time()` and `datetime.now()`, which are virtual in a run (but not in threads that it
    started before, a server's above all).

    What real registries do besides is declared by attributes, each absent or 0 for "no such thing":

    - `granularity_s`: arms are rounded up to a multiple of so many seconds;
    - `horizon_s`: nothing can be armed further ahead;
    - `list_lag_s`: the list is behind by up to this;
    - `recurring`: True: what has fired is armed again by the registry itself;
    - `lock_s`: an arm is gone unless it is renewed in this time.

    `address`, a (host, port) on loopback, lets the provider connect there in a run; all other
    connections are refused. `close()` is called at the end, where there is one.
    """

    def attach(self, provider: Any) -> object:
        """Have this provider, that of a gateway that boots, talk to this fake."""

    def armed(self) -> Mapping[str, datetime]:
        """What is armed in truth: the next instant, with its offset, by job id."""

    def deliver_due(self, now: datetime) -> Iterable[tuple[str, datetime]]:
        """Let go what is due, and return it: (job id, the instant it was armed for).

        What is returned is no longer armed, or (recurring) armed for later.
        """

    def forget_all(self) -> object:
        """Lose everything."""

    def fail_next(self, asks: Asks) -> object:
        """Keep `asks`, and from now on ask it at each call: when it says True, the call fails.

        A call asks before it has any effect and before it takes a lock, fails in the way of this
        registry, and then has none: `if self.asks("arm", job_id): raise ConnectionError`.
        """


class WatchfulHistory(History):
    """A history in whose order the changes of a fake stand before what is seen next."""

    __slots__ = ("look",)

    def __init__(self, header: Mapping[str, Any], now_us: Callable[[], int]) -> None:
        """See `History`."""
        super().__init__(header, now_us)
        self.look: Callable[[], object] | None = None

    def append(self, kind: str, machine: str, /, *, text: str | None = None, **data: Any) -> int:
        """See `History`."""
        look, self.look = self.look, None  # what it finds is appended, too
        if look is not None:
            look()
            self.look = look
        return super().append(kind, machine, text=text, **data)


class OtherRegistry:
    """A fake in the place of `simulator.fake_nas.FakeNas`: what a world needs of its registry.

    Args:
        fake: The fake.
        timer: Time, and calls at an instant.
        deliver: Sends a fire; what became of it is told by `answer`.
        mint: Makes a token of claims.
        agent: Whom the tokens are for.
        portal_url: Their issuer.
        seam: Asked at "nas.provision", "nas.cancel", "nas.list", "nas.arm" and "nas.deliver".
        record: Told what happens.
    """

    def __init__(
        self,
        fake: FakeRegistry,
        timer: Timer,
        *,
        deliver: Callable[[Delivery], object],
        mint: Callable[[dict[str, Any]], str],
        agent: str,
        portal_url: str,
        seam: Seam,
        record: Record,
    ) -> None:
        self._fake, self._timer, self._agent = fake, timer, agent
        self._seam, self._record = seam, record
        self._relay = NasRelay(
            timer, deliver=deliver, mint=mint, issuer=portal_url, seam=seam, record=record
        )
        self._known: dict[str, Arm] = {}
        self._last_fired: dict[str, Arm] = {}
        self._call: tuple[str, str | None, bool] | None = None
        self._serial = 0
        fake.fail_next(self._asked)
        self._lock_us = round(getattr(fake, "lock_s", 0) * SECOND_US)
        if self._lock_us:
            timer.call_at(timer.now_us() + self._lock_us, self._look_for_lost_locks)

    # -- what a world needs of its registry

    def attach(self, provider: Any) -> None:
        """Connect the provider of a gateway that boots."""
        _renew(self._fake, provider)
        self._fake.attach(provider)

    def answer(self, delivery: Delivery, status: int | None) -> None:
        """Learn what the agent said to a delivery; None: nothing."""
        self._relay.answered(delivery, status)

    def redeliver(self, job_id: str, fire_at: str | None = None) -> bool:
        """Deliver the job's last fire, or another occurrence of it, once more, at once."""
        arm = self._last_fired.get(job_id) or self._known.get(job_id)
        if arm is None and fire_at is not None:
            arm = self._arm(job_id, datetime.fromisoformat(fire_at))
        if arm is None:
            return False
        self._relay.copy(arm, fire_at or arm.fire_at)
        return True

    def forget_all(self) -> None:
        """Lose everything."""
        self.look()
        self._fake.forget_all()
        for arm in self._known.values():
            _cancel(arm.handle)
        self._known.clear()
        for key in self._relay.keys():  # noqa: SIM118 - no mapping
            self._relay.drop(key)
        self._record("nas.forgot")
        self.look()

    def close(self) -> None:
        """The run is over."""
        close = getattr(self._fake, "close", None)
        if close is not None:
            close()

    # -- calls

    def _asked(self, call: str, job_id: str | None = None) -> bool:
        """See `Asks`."""
        if call not in CALLS:
            raise RegistryError(f"{call!r} is no call of a registry: {', '.join(CALLS)} are")
        self.look()
        action = self._seam(f"nas.{CALLS[call]}", job=job_id) or Action()
        if action.crash is not None:
            action.crash()
        kernel = here()
        if action.hang_us and kernel is not None:
            kernel.sleep_us(action.hang_us)
        fails = action.status is not None or action.error is not None
        self._call = (call, job_id, fails)
        self._timer.call_at(self._timer.now_us(), self.look)
        return fails

    def look(self, *, its_own: bool = False) -> None:
        """Find out what the last call changed, and record it.

        Args:
            its_own: It was the registry itself that changed something: a delivery goes on.
        """
        call, self._call = self._call, None
        armed = self._fake.armed()
        gone = [job for job in self._known if job not in armed]
        for job in gone:
            self._forget(job)
            self._record("nas.cancelled", job_id=job)
        for job, instant in armed.items():
            before = self._known.get(job)
            if before is None or before.fire_us != _us(instant):
                if not its_own:
                    self._forget(job)
                self._armed(job, instant)
        if call is not None:
            name, about, fails = call
            self._record(
                "nas.call",
                op=CALLS[name],
                job_id=about,
                status=None if fails else 200,
                reason="injected" if fails else None,
            )

    def _armed(self, job: str, instant: datetime) -> None:
        arm = self._known[job] = self._arm(job, instant)
        self._record("nas.armed", job_id=job, fire_at=arm.fire_at)
        action = self._seam("nas.arm", job=job) or Action()
        arm.handle = self._timer.call_at(arm.fire_us + action.delay_us, lambda: self._is_due(arm))

    def _forget(self, job: str) -> None:
        """Nothing of this job is armed or on its way any more."""
        arm = self._known.pop(job, None)
        if arm is not None:
            _cancel(arm.handle)
        self._relay.drop((self._agent, job))

    def _arm(self, job: str, instant: datetime) -> Arm:
        if instant.tzinfo is None:
            raise RegistryError(f"job {job!r} is armed at {instant}, which has no offset: give one")
        fire_at = instant.astimezone(UTC).isoformat()
        self._serial += 1
        return Arm(self._agent, job, fire_at, _us(instant), "", "", f"other-{self._serial}")

    # -- from armed to fired

    def _is_due(self, arm: Arm) -> None:
        self.look()
        if self._known.get(arm.job_id) is not arm:
            return
        now_us = max(self._timer.now_us(), arm.fire_us)  # a timer may be ahead of its time
        now = datetime.fromtimestamp(now_us / SECOND_US, UTC)
        for job, instant in list(self._fake.deliver_due(now)):
            fired = self._known.pop(job, None) or self._arm(job, instant)
            _cancel(fired.handle)
            self._last_fired[job] = fired
            self._relay.fire(fired)
        if self._known.get(arm.job_id) is arm and self._fake.armed().get(arm.job_id) is not None:
            raise RegistryError(
                f"job {arm.job_id!r} was armed at {arm.fire_at}, and deliver_due({now}) did not "
                "return it: return what is due, and arm it no longer"
            )
        self.look(its_own=True)

    def _look_for_lost_locks(self) -> None:
        self.look()
        self._timer.call_at(self._timer.now_us() + self._lock_us, self._look_for_lost_locks)


def cannot_strike(fault: Fault, fake: FakeRegistry) -> bool:
    """Whether the protocol of a fake has no word for a fault of NAS, so that it never strikes."""
    if fault.into not in {"nas.provision", "nas.cancel", "nas.list"}:
        return False
    behind_a_server = getattr(fake, "address", None) is not None  # its threads are real ones
    waits = fault.hang is not None or fault.crash
    return fault.after or isinstance(fault.answer, str) or (waits and behind_a_server)


def declared(fake: FakeRegistry) -> dict[str, Any]:
    """What a fake says of itself, as it stands in the header of a history."""
    found: dict[str, Any] = {"label": type(fake).__qualname__}
    for name in ("granularity_s", "horizon_s", "list_lag_s", "recurring", "lock_s"):
        value = getattr(fake, name, 0)
        if value:
            found[name] = value
    return found


def _renew(fake: Any, provider: Any) -> None:
    """Give the fake the classes of the modules that the provider was imported with at this boot.

    Both may share a package, which is imported anew at each boot: an error that the fake raises
    must be of the class that the provider catches. What the fake holds stays.
    """
    cls = type(fake)
    shares_file = cls.__module__ == type(provider).__module__
    module = sys.modules.get(cls.__module__)
    start = getattr(type(provider), "start", None)
    space = getattr(start, "__globals__", {}) if shares_file else vars(module) if module else {}
    again = space.get(cls.__name__)
    if isinstance(again, type) and again is not cls and again.__module__ == cls.__module__:
        fake.__class__ = again


def _cancel(handle: Handle | None) -> None:
    if handle is not None:
        handle.cancel()


def _us(instant: datetime) -> int:
    return round(instant.timestamp() * SECOND_US)
