"""The words between the fake NAS and the world around it: time, faults, answers, deliveries."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

__all__ = ["Action", "Arm", "Delivery", "Handle", "Record", "Reply", "Seam", "Timer"]


class Handle(Protocol):
    """A call that is planned."""

    def cancel(self) -> Any:
        """Drop it."""


class Timer(Protocol):
    """Where time comes from."""

    def now_us(self) -> int:
        """Return microseconds since the epoch."""

    def call_at(self, us: int, call: Callable[[], object], /) -> Handle:
        """Plan a call at an instant; one in the past comes at once, but not before this returns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What goes wrong at one passage of a seam. Without any of it, nothing does.

    Attributes:
        status: The call is answered with this status.
        body: The call is answered 200 with a page of HTML, with JSON of another shape, or (list
            only) with the list as it was given the time before.
        error: The call gets no answer; the name of httpx's exception, such as "ConnectError".
        hang_us: The call takes this long; a caller with a shorter time-out gives up.
        crash: Kills the caller's machine; called in the caller's task, and need not return.
        after: All of the above only after the call had its effect.
        drop: The delivery is lost on its way; NAS sees no answer.
        delay_us: The delivery, or at "nas.arm" the timer, is late by this; early when negative.
        duplicate_us: Copies of the delivery come this long after it.
    """

    status: int | None = None
    body: Literal["html", "shape", "stale"] | None = None
    error: str | None = None
    hang_us: int = 0
    crash: Callable[[], object] | None = None
    after: bool = False
    drop: bool = False
    delay_us: int = 0
    duplicate_us: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """What a call gets: a status with a JSON object or a text, or the name of an httpx exception.

    `reason` says in one word why it is not the contract's answer; None when it is.
    """

    status: int | None
    json: dict[str, Any] | None = None
    text: str | None = None
    error: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One fire on its way to the agent: POST {callback_url}/api/cron/fire.

    Attributes:
        id: Its number; each attempt and each copy has its own.
        agent: Whose job it is.
        job_id: The job.
        fire_at: The occurrence, as it was armed.
        callback_url: As it was armed.
        attempt: From 1.
        token: The JWT that it carries.
        copy: True for one that NAS does not wait for an answer to.
    """

    id: int
    agent: str
    job_id: str
    fire_at: str
    callback_url: str
    attempt: int
    token: str
    copy: bool = False


@dataclass(slots=True)
class Arm:
    """One one-shot, armed or fired."""

    agent: str
    job_id: str
    fire_at: str
    fire_us: int
    callback_url: str
    dedup_key: str
    schedule_id: str
    handle: Handle | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What NAS knows it by."""
        return (self.agent, self.job_id)


Seam = Callable[..., Action | None]
"""`seam(name, *, job, **about)`: asked at each passage what goes wrong there; None for nothing."""

Record = Callable[..., object]
"""`record(kind, **data)`: told what happens."""
