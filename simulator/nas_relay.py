"""NAS's way to the agent: a fire is delivered until it is answered 2xx, for at most a day.

Attempts follow one another after 2, 4, 8, ... and at most 60 s; an attempt that gets no answer
within 30 s has failed. Copies of a delivery, as a network or a relay makes them, are nobody's
attempt: nobody waits for their answer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from simulator.nas_types import Arm, Delivery, Handle, Record, Seam, Timer

__all__ = ["ANSWER_WITHIN_US", "GIVE_UP_AFTER_US", "TOKEN_LIFE_S", "NasRelay"]

ANSWER_WITHIN_US = 30_000_000
GIVE_UP_AFTER_US = 24 * 3600 * 1_000_000
TOKEN_LIFE_S = 90

_LONGEST_PAUSE_S = 60
_SECOND_US = 1_000_000


@dataclass(slots=True)
class _Firing:
    """An arm whose time has come and that has not been answered 2xx yet."""

    arm: Arm
    since_us: int
    attempt: int = 0
    awaits: int | None = None
    handle: Handle | None = None


class NasRelay:
    """Delivers fires. See `simulator.fake_nas.FakeNas` for the arguments."""

    def __init__(
        self,
        timer: Timer,
        *,
        deliver: Callable[[Delivery], object],
        mint: Callable[[dict[str, Any]], str],
        issuer: str,
        seam: Seam,
        record: Record,
    ) -> None:
        self._timer = timer
        self._deliver = deliver
        self._mint = mint
        self._issuer = issuer
        self._seam = seam
        self._record = record
        self._firing: dict[tuple[str, str], _Firing] = {}
        self._serial = 0

    def keys(self) -> list[tuple[str, str]]:
        """Return what is being delivered."""
        return list(self._firing)

    def fire(self, arm: Arm) -> None:
        """Deliver an arm whose time has come."""
        self._record("nas.fired", job_id=arm.job_id, fire_at=arm.fire_at)
        firing = self._firing[arm.key] = _Firing(arm, self._timer.now_us())
        self._attempt(firing)

    def drop(self, key: tuple[str, str]) -> bool:
        """Try no more; what is on its way arrives all the same."""
        firing = self._firing.pop(key, None)
        if firing is not None and firing.handle is not None:
            firing.handle.cancel()
        return firing is not None

    def answered(self, delivery: Delivery, status: int | None) -> None:
        """Learn what the agent said; None: nothing."""
        self._record(
            "nas.answer",
            job=delivery.job_id,
            fire_at=delivery.fire_at,
            id=delivery.id,
            status=status,
        )
        firing = self._firing.get((delivery.agent, delivery.job_id))
        if firing is None or firing.awaits != delivery.id:
            return  # a copy, one that was given up, or one whose arm was replaced
        if status is not None and 200 <= status < 300:  # noqa: PLR2004 - HTTP's success
            self.drop(firing.arm.key)
        else:
            self._try_later(firing)

    def copy(self, arm: Arm, fire_at: str, *, attempt: int = 1) -> None:
        """Deliver once more, beside all that is going on."""
        self._hand_over(arm, fire_at, self._next(), attempt, copy=True)

    def _next(self) -> int:
        self._serial += 1
        return self._serial

    def _attempt(self, firing: _Firing) -> None:
        arm = firing.arm
        firing.attempt += 1
        attempt, number = firing.attempt, self._next()
        firing.awaits, firing.handle = number, None
        action = self._seam("nas.deliver", job=arm.job_id, fire_at=arm.fire_at, attempt=attempt)
        if action is None:
            self._send(firing, number)
            return
        sent_us = self._timer.now_us() + max(0, action.delay_us)
        for after_us in action.duplicate_us:
            self._timer.call_at(
                sent_us + after_us, lambda: self.copy(arm, arm.fire_at, attempt=attempt)
            )
        if action.drop:
            self._record("nas.lost", job=arm.job_id, fire_at=arm.fire_at, id=number)
            self._try_later(firing)
        elif action.delay_us > 0:
            self._timer.call_at(sent_us, lambda: self._send(firing, number))
        else:
            self._send(firing, number)

    def _send(self, firing: _Firing, number: int) -> None:
        if firing.awaits == number and self._firing.get(firing.arm.key) is firing:
            until_us = self._timer.now_us() + ANSWER_WITHIN_US
            firing.handle = self._timer.call_at(until_us, lambda: self._no_answer(firing, number))
        self._hand_over(firing.arm, firing.arm.fire_at, number, firing.attempt, copy=False)

    def _hand_over(self, arm: Arm, fire_at: str, number: int, attempt: int, *, copy: bool) -> None:
        now_s = self._timer.now_us() // _SECOND_US
        claims = {
            "iss": self._issuer,
            "aud": f"agent:{arm.agent}",
            "purpose": "cron_fire",
            "job_id": arm.job_id,
            "iat": now_s,
            "nbf": now_s,
            "exp": now_s + TOKEN_LIFE_S,
        }
        self._record(
            "nas.deliver", job=arm.job_id, fire_at=fire_at, attempt=attempt, id=number, copy=copy
        )
        self._deliver(
            Delivery(
                id=number,
                agent=arm.agent,
                job_id=arm.job_id,
                fire_at=fire_at,
                callback_url=arm.callback_url,
                attempt=attempt,
                token=self._mint(claims),
                copy=copy,
            )
        )

    def _no_answer(self, firing: _Firing, number: int) -> None:
        if firing.awaits == number:
            self._try_later(firing)

    def _try_later(self, firing: _Firing) -> None:
        firing.awaits = None
        if self._firing.get(firing.arm.key) is not firing:
            return
        if firing.handle is not None:
            firing.handle.cancel()
        pause_s = min(_LONGEST_PAUSE_S, 2 ** min(firing.attempt, 6))
        at_us = self._timer.now_us() + pause_s * _SECOND_US
        if at_us - firing.since_us > GIVE_UP_AFTER_US:
            del self._firing[firing.arm.key]
            self._record("nas.gave_up", job_id=firing.arm.job_id, fire_at=firing.arm.fire_at)
            return
        firing.handle = self._timer.call_at(at_us, lambda: self._attempt(firing))
