"""NAS as the agent knows it, in memory: the registry of one-shots and what it does at their time.

A pure state machine. Time, faults, the record, the way to the agent and the tokens are injected, so
it serves a simulated world and a real loopback server alike; `simulator.nas_http` puts it behind
HTTP. WIRE.md is the contract; what it leaves open is decided here:

- An arm is listed until its time comes. From then on it is a delivery, which is tried until a 2xx
  answer, with growing pauses, for at most a day.
- Arming the same fire again while it is armed changes nothing. Once it has fired it is armed anew
  (the agent's way to say "that was too early"), and what is in the past fires at once.
- Another fire, or a cancel, also ends the retries of the one before.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import Any, Literal

from simulator.nas_relay import NasRelay
from simulator.nas_types import Action, Arm, Delivery, Record, Reply, Seam, Timer

__all__ = ["FakeNas"]

Call = Literal["provision", "cancel", "list"]

_SECOND_US = 1_000_000


class _GaveUpError(Exception):
    """The caller's own time-out ended the call."""


_NOTHING = Action()
_HTML = "<!doctype html><title>Sign in</title><p>Please sign in to continue."


class FakeNas:
    """The registry.

    Args:
        timer: Time, and calls at an instant.
        deliver: Sends a fire; must not block. What became of it is told by `answer`.
        mint: Makes a token of claims.
        agents: The agent that a Bearer token belongs to, by token.
        portal_url: The issuer in its tokens.
        seam: Asked at "nas.provision", "nas.cancel", "nas.list", "nas.arm" and "nas.deliver", with
            `job` and more by keyword, for what goes wrong there.
        record: Told what happens: `record(kind, **data)`.
        lock: Held while the state changes, when several threads call. Timers must hold it too.
    """

    def __init__(
        self,
        timer: Timer,
        *,
        deliver: Callable[[Delivery], object],
        mint: Callable[[dict[str, Any]], str],
        agents: Mapping[str, str],
        portal_url: str = "https://portal.example.test",
        seam: Seam = lambda _name, /, **_about: None,
        record: Record = lambda _kind, /, **_data: None,
        lock: AbstractContextManager[Any] | None = None,
    ) -> None:
        self._timer = timer
        self._agents = agents
        self._seam = seam
        self._record = record
        self._lock = lock if lock is not None else nullcontext()
        self._relay = NasRelay(
            timer, deliver=deliver, mint=mint, issuer=portal_url, seam=seam, record=record
        )
        self._arms: dict[tuple[str, str], Arm] = {}
        self._last_fired: dict[str, Arm] = {}
        self._last_list: dict[str, list[dict[str, str]]] = {}
        self._serial = 0

    # -- the calls of the agent -----------------------------------------------------------------

    def handle(
        self,
        call: Call,
        authorization: str | None,
        body: object,
        *,
        wait: Callable[[int], bool] = lambda _us: True,
    ) -> Reply:
        """Answer one call.

        Args:
            call: Which one.
            authorization: The header of that name.
            body: The decoded JSON of the request; None when it is none.
            wait: Lets microseconds pass on the caller's side; False when the caller gave up first.
        """
        job = body.get("job_id") if isinstance(body, Mapping) else None
        job = job if isinstance(job, str) else None
        with self._lock:
            action = self._seam(f"nas.{call}", job=job) or _NOTHING
        try:
            reply = self._reply(call, authorization, body, action, wait)
        except _GaveUpError:
            reply = Reply(None, error="ReadTimeout", reason="ReadTimeout")
        with self._lock:
            self._record("nas.call", op=call, job_id=job, status=reply.status, reason=reply.reason)
        return reply

    def provision(
        self, agent: str, job_id: str, fire_at: str, callback_url: str, dedup_key: str
    ) -> str:
        """Arm a one-shot and return its schedule id (WIRE.md)."""
        key = (agent, job_id)
        arm = self._arms.get(key)
        if arm is not None and (arm.dedup_key, arm.callback_url) == (dedup_key, callback_url):
            return arm.schedule_id
        self._drop(key)
        self._serial += 1
        arm = self._arms[key] = Arm(
            agent=agent,
            job_id=job_id,
            fire_at=fire_at,
            fire_us=int(datetime.fromisoformat(fire_at).timestamp()) * _SECOND_US,
            callback_url=callback_url,
            dedup_key=dedup_key,
            schedule_id=f"schedule-{self._serial}",
        )
        self._record(
            "nas.armed",
            job_id=job_id,
            fire_at=fire_at,
            callback_url=callback_url,
            dedup_key=dedup_key,
            schedule_id=arm.schedule_id,
        )
        self._plan(arm)
        return arm.schedule_id

    def cancel(self, agent: str, job_id: str) -> None:
        """Drop what is armed or being delivered for the job; nothing is fine too."""
        if self._drop((agent, job_id)):
            self._record("nas.cancelled", job_id=job_id)

    def list_armed(self, agent: str) -> list[dict[str, str]]:
        """Return what is armed, by job id."""
        return [
            {"job_id": arm.job_id, "fire_at": arm.fire_at, "schedule_id": arm.schedule_id}
            for (owner, _), arm in sorted(self._arms.items())
            if owner == agent
        ]

    # -- what the world does to it --------------------------------------------------------------

    def forget_all(self) -> None:
        """Lose everything."""
        with self._lock:
            for key in [*self._arms, *self._relay.keys()]:
                self._drop(key)
            self._record("nas.forgot")

    def answer(self, delivery: Delivery, status: int | None) -> None:
        """Learn what the agent said to a delivery; None: nothing."""
        with self._lock:
            self._relay.answered(delivery, status)

    def redeliver(self, job_id: str, fire_at: str | None = None) -> bool:
        """Deliver the job's last fire, or another occurrence of it, once more, at once.

        An occurrence that is named needs no arm here: an agent that now has a loop of its own may
        have left one behind when it had another provider.

        Returns:
            False when nothing was ever armed for the job, and no occurrence is named.
        """
        with self._lock:
            arm = self._last_fired.get(job_id) or next(
                (arm for arm in self._arms.values() if arm.job_id == job_id), None
            )
            if arm is None and fire_at is not None:
                arm = self._left_behind(job_id, fire_at)
            if arm is None:
                return False
            self._relay.copy(arm, fire_at or arm.fire_at)
            return True

    def snapshot(self) -> dict[str, str]:
        """Return what is armed, fire_at by job id, for all agents."""
        with self._lock:
            return {arm.job_id: arm.fire_at for _, arm in sorted(self._arms.items())}

    # -- a call, step by step -------------------------------------------------------------------

    def _reply(
        self,
        call: Call,
        authorization: str | None,
        body: object,
        action: Action,
        wait: Callable[[int], bool],
    ) -> Reply:
        good: Reply | None = None
        if action.after:
            with self._lock:
                good = self._effect(call, authorization, body, action)
        if action.crash is not None:
            action.crash()
        if action.hang_us and not wait(action.hang_us):
            raise _GaveUpError
        if action.error is not None:
            return Reply(None, error=action.error, reason=action.error)
        if action.status is not None:
            return Reply(action.status, {"error": "injected"}, reason="injected")
        if action.body == "html":
            return Reply(200, text=_HTML, reason="html")
        if action.body == "shape":
            return Reply(200, {"unexpected": []}, reason="shape")
        if good is not None:
            return good
        with self._lock:
            return self._effect(call, authorization, body, action)

    def _effect(self, call: Call, authorization: str | None, body: object, action: Action) -> Reply:
        scheme, _, token = (authorization or "").partition(" ")
        agent = self._agents.get(token.strip()) if scheme.lower() == "bearer" else None
        if agent is None:
            return Reply(401, {"error": "unauthorized"}, reason="unauthorized")
        if call == "list":
            return self._listed(agent, action)
        wrong = _what_is_wrong(call, body)
        if wrong is not None:
            return Reply(400, {"error": wrong}, reason=f"bad {wrong}")
        assert isinstance(body, Mapping)
        if call == "cancel":
            self.cancel(agent, body["job_id"])
            return Reply(200, {"ok": True})
        callback_url, dedup_key = body["agent_callback_url"], body["dedup_key"]
        schedule_id = self.provision(
            agent, body["job_id"], body["fire_at"], callback_url, dedup_key
        )
        return Reply(200, {"schedule_id": schedule_id})

    def _listed(self, agent: str, action: Action) -> Reply:
        if action.body == "stale":
            return Reply(200, {"armed": self._last_list.get(agent, [])}, reason="stale")
        self._last_list[agent] = armed = self.list_armed(agent)
        return Reply(200, {"armed": armed})

    # -- from armed to fired --------------------------------------------------------------------

    def _left_behind(self, job_id: str, fire_at: str) -> Arm:
        fire_us = int(datetime.fromisoformat(fire_at).timestamp()) * _SECOND_US
        agent = next(iter(self._agents.values()))
        key, callback_url = f"{job_id}:{fire_at}", ""
        return Arm(agent, job_id, fire_at, fire_us, callback_url, key, "left-behind")

    def _plan(self, arm: Arm) -> None:
        action = self._seam("nas.arm", job=arm.job_id) or _NOTHING
        at_us = arm.fire_us + action.delay_us
        arm.handle = self._timer.call_at(at_us, lambda: self._fire(arm))

    def _fire(self, arm: Arm) -> None:
        if self._arms.get(arm.key) is arm:
            del self._arms[arm.key]
            self._last_fired[arm.job_id] = arm
            self._relay.fire(arm)

    def _drop(self, key: tuple[str, str]) -> bool:
        arm = self._arms.pop(key, None)
        if arm is not None and arm.handle is not None:
            arm.handle.cancel()
        was_firing = self._relay.drop(key)
        return arm is not None or was_firing


def _what_is_wrong(call: Call, body: object) -> str | None:
    """Return the first field of a body that is not as WIRE.md has it."""
    if not isinstance(body, Mapping):
        return "body"
    job_id, fire_at = body.get("job_id"), body.get("fire_at")
    if not isinstance(job_id, str) or not job_id:
        return "job_id"
    if call == "cancel":
        return None
    if not isinstance(fire_at, str) or not _is_instant(fire_at):
        return "fire_at"
    callback_url = body.get("agent_callback_url")
    if not isinstance(callback_url, str) or not callback_url.startswith(("http://", "https://")):
        return "agent_callback_url"
    return None if body.get("dedup_key") == f"{job_id}:{fire_at}" else "dedup_key"


def _is_instant(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
