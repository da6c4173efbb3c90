"""A run with another registry in the place of NAS.

To the judges it looks like NAS: after every call to the fake, what it holds is compared with what
it held before, and the difference goes into the history as what was armed, cancelled or fired. What
it lets go when its time has come is delivered to the host's webhook, again and again until a 2xx.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from simulator.durations import SECOND_US
from simulator.history import History
from simulator.kernel import here
from simulator.nas_relay import NasRelay
from simulator.nas_types import Action, Arm, Delivery, Handle, Record, Seam, Timer
from simulator.registry import CALLS, Answer, FakeRegistry, RegistryError

__all__ = ["OtherRegistry", "WatchfulHistory"]


class WatchfulHistory(History):
    """A history in whose order the changes of a fake stand before what is seen next."""

    __slots__ = ("look",)

    def __init__(self, header: Mapping[str, Any], now_us: Callable[[], int]) -> None:
        """See `History`."""
        super().__init__(header, now_us)
        self.look: Callable[[], object] | None = None

    def append(self, kind: str, machine: str, /, *, text: str | None = None, **data: Any) -> int:
        """See `History`."""
        self._look_first()
        return super().append(kind, machine, text=text, **data)

    def put(self, at_us: int, machine: str, kind: str, data: dict[str, Any]) -> None:
        """See `History`."""
        self._look_first()
        super().put(at_us, machine, kind, data)

    def _look_first(self) -> None:
        look, self.look = self.look, None  # what it finds is appended, too
        if look is not None:
            look()
            self.look = look


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
            timer, deliver=deliver, mint=mint, issuer=portal_url, seam=seam, record=self._told
        )
        self._known: dict[str, Arm] = {}
        self._last_fired: dict[str, Arm] = {}
        self._call: tuple[str, str | None, Answer] | None = None
        self._later: dict[tuple[str, str | None], Action] = {}
        self._released: str | None = None
        self._is_releasing = False
        self._serial = 0
        fake.fail_next(self._asked)
        self._lock_us = round(getattr(fake, "lock_s", 0) * SECOND_US)
        if self._lock_us:
            timer.call_at(timer.now_us() + self._lock_us, self._look_for_lost_locks)

    # -- what a world needs of its registry

    def attach(self, provider: Any) -> None:
        """Connect the provider of a gateway that boots."""
        _as_imported_by(provider, self._fake).attach(provider)

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

    def _asked(self, call: str, job_id: str | None = None, *, after: bool = False) -> Answer:
        """See `simulator.registry.Asks`."""
        if call not in CALLS:
            raise RegistryError(f"{call!r} is no call of a registry: {', '.join(CALLS)} are")
        self.look()
        action = self._later.pop((call, job_id), None)
        if after:
            return "" if action is None else self._suffer(call, job_id, action)
        action = self._seam(f"nas.{CALLS[call]}", job=job_id) or Action()
        if action.after:
            self._later[call, job_id] = action
            return ""
        return self._suffer(call, job_id, action)

    def _suffer(self, call: str, job_id: str | None, action: Action) -> Answer:
        """Let happen what goes wrong, as far as it is not the fake's own part."""
        if action.crash is not None:
            action.crash()
        kernel = here()
        if action.hang_us and kernel is not None:
            kernel.sleep_us(action.hang_us)
        failed = action.status is not None or action.error is not None
        answer: Answer = "nonsense" if action.body else "fail" if failed else ""
        self._call = (call, job_id, answer)
        self._timer.call_at(self._timer.now_us(), self.look)
        return answer

    def look(self, *, its_own: bool = False) -> None:
        """Find out what the last call changed, and record it.

        Args:
            its_own: It was the registry itself that changed something: a delivery goes on.
        """
        if self._is_releasing:
            return
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
            name, about, answer = call
            self._record(
                "nas.call",
                op=CALLS[name],
                job_id=about,
                status=None if answer == "fail" else 200,
                reason=answer or None,
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
        released = list(self._fake.deliver_due(now))
        self._is_releasing = True  # what was armed is fired before it is found to be gone
        for job, instant in released:
            self._release(job, instant)
        self._is_releasing = False
        if self._known.get(arm.job_id) is arm and self._fake.armed().get(arm.job_id) is not None:
            raise RegistryError(
                f"job {arm.job_id!r} was armed at {arm.fire_at}, and deliver_due({now}) did not "
                "return it: return what is due, and arm it no longer"
            )
        self.look(its_own=True)

    def _release(self, job: str, instant: datetime) -> None:
        armed = self._known.pop(job, None)
        self._released = armed.fire_at if armed is not None else None
        _cancel(armed.handle if armed is not None else None)
        fired = self._last_fired[job] = self._arm(job, instant)
        self._relay.fire(fired)

    def _told(self, kind: str, /, **data: Any) -> None:
        """What the relay records; where times are rounded, an arm's is not that of its fire."""
        if kind == "nas.fired" and self._released not in {None, data["fire_at"]}:
            data["armed"] = self._released
        self._record(kind, **data)

    def _look_for_lost_locks(self) -> None:
        self.look()
        self._timer.call_at(self._timer.now_us() + self._lock_us, self._look_for_lost_locks)


class _Plain:
    """All that an object of it holds is in its `__dict__`."""


def _as_imported_by(provider: Any, fake: Any) -> Any:
    """The fake, of the classes of the modules that the provider was imported with at this boot.

    Both may share a package, which is imported anew at each boot: an error that the fake raises
    must be of the class that the provider catches, on each machine of its own. What the fake holds
    is one and the same for all of them.
    """
    cls = type(fake)
    shares_file = cls.__module__ == type(provider).__module__
    module = sys.modules.get(cls.__module__)
    start = getattr(type(provider), "start", None)
    space = getattr(start, "__globals__", {}) if shares_file else vars(module) if module else {}
    again = space.get(cls.__name__)
    if not isinstance(again, type) or again is cls or again.__module__ != cls.__module__:
        return fake
    if cls.__basicsize__ > _Plain.__basicsize__:  # what it holds elsewhere has one owner only
        fake.__class__ = again
        return fake
    same: Any = object.__new__(again)
    same.__dict__ = fake.__dict__
    return same


def _cancel(handle: Handle | None) -> None:
    if handle is not None:
        handle.cancel()


def _us(instant: datetime) -> int:
    return round(instant.timestamp() * SECOND_US)
