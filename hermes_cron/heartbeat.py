"""The signals of a scheduler loop: that it lives, that it works, and what it is doing.

`ticker_heartbeat` and `ticker_last_success` are hermes-agent's: epoch seconds as text. They do not
say whose they are, so each looping process writes `ticker-<pid>` beside them, one JSON object:

| key | meaning |
|---|---|
| `pid`, `boot_id`, `host` | whose it is |
| `interval_s` | what the loop really waits between ticks; null when it did not say |
| `started_at` | when the loop began, epoch seconds |
| `heartbeat_at`, `success_at` | the last heartbeat, the last clean tick; null when there was none |
| `tick_since` | since when a tick is under way; null between ticks |
| `failing_since`, `error` | since when no tick was clean, and why; null when fine |

A loop calls `loop_began` and, through the job API, `record_ticker_heartbeat`; a tick is put in
`tick_under_way`, and calls `tick_works` when it finds something to do: a tick that finds nothing is
over before anybody could read of it, and need not be written down. The heartbeat tells that the
loop's own tick is over; a tick by hand, in another thread, tells that itself. None of these raises.

What a loop told stays behind it until another has told of itself: whose the last heartbeat was has
to be known of a gateway that has not come to its own yet.
"""

from __future__ import annotations

import json
import logging
import math
import threading
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Any

from hermes_cron import clock, gateway_evidence, process, store

__all__ = [
    "EVIDENCE_PREFIX",
    "FUTURE_S",
    "HEARTBEAT",
    "SUCCESS",
    "age_s",
    "beat",
    "has_beaten",
    "loop_began",
    "loop_ended",
    "tick_failed",
    "tick_under_way",
    "tick_works",
    "told",
]

logger = logging.getLogger(__name__)

HEARTBEAT = "ticker_heartbeat"
SUCCESS = "ticker_last_success"
EVIDENCE_PREFIX = "ticker-"

_SLOT = "hermes_cron.heartbeat"
FUTURE_S = 2.0
"""Two readings of a clock may differ by this much; what lies further ahead is no past instant."""

_LONGEST_ERROR = 500
_FINE = '"failing_since": null, "error": null'


@dataclass
class _Loop:
    """What this process knows of its loop. The texts of what seldom changes are kept."""

    name: str
    head: str
    heartbeat_at: str = "null"
    success_at: str = "null"
    tick_since: float | None = None
    tick_told: bool = False
    thread: int | None = None  # the one that beats
    failing: str = _FINE
    complained: bool = False
    alone: bool = False  # what loops of dead processes told is removed

    def text(self) -> str:
        tick_since = "null" if self.tick_since is None else repr(self.tick_since)
        return (
            f'{self.head}, "heartbeat_at": {self.heartbeat_at}, "success_at": {self.success_at}, '
            f'"tick_since": {tick_since}, {self.failing}}}'
        )


def loop_began(interval_s: float | None = None) -> None:
    """A loop of this process starts; the next signal replaces what an earlier one left."""
    me = process.current()
    head = {
        "pid": me.pid,
        "boot_id": me.boot_id,
        "host": me.host,
        "interval_s": interval_s,
        "started_at": clock.epoch(),
    }
    me.slots[_SLOT] = _Loop(f"{EVIDENCE_PREFIX}{me.pid}", json.dumps(head)[:-1])


def loop_ended() -> None:
    """The loop of this process ends in order: what is told from now on is another's."""
    process.current().slots.pop(_SLOT, None)


def has_beaten() -> bool:
    """Whether the loop of this process has told that it lives, since it began."""
    loop: _Loop | None = process.current().slots.get(_SLOT)
    return loop is not None and loop.heartbeat_at != "null"


class _Tick(AbstractContextManager[None]):
    """One tick; a class, because a generator takes longer than the rest of a tick's evidence."""

    __slots__ = ("_before", "_loop", "_since")

    def __enter__(self) -> None:
        self._loop: _Loop | None = process.current().slots.get(_SLOT)
        if self._loop is not None:
            self._before, self._since = self._loop.tick_since, clock.epoch()
            self._loop.tick_since, self._loop.tick_told = self._since, False

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        loop = self._loop
        if loop is None:
            return
        try:
            if error is not None:
                tick_failed(error)
        finally:
            if loop.tick_since is self._since:  # no other began since, and no heartbeat came
                loop.tick_since = self._before
                if loop.tick_told and loop.thread != threading.get_ident():
                    _write(loop, loop.name, loop.text())


def tick_under_way() -> AbstractContextManager[None]:
    """A tick of this process' loop, if it has one: a command that ticks once leaves no evidence."""
    return _Tick()


def tick_works() -> None:
    """The tick under way, if there is one, may take long from here on, and is no dead loop."""
    loop: _Loop | None = process.current().slots.get(_SLOT)
    if loop is not None and loop.tick_since is not None and not loop.tick_told:
        loop.tick_told = True
        if _write(loop, loop.name, loop.text()):
            gateway_evidence.make_good()


def tick_failed(error: BaseException) -> None:
    """The tick raised. Written with the next heartbeat."""
    loop = _loop()
    reason = type(error).__name__
    with suppress(BaseException):  # an error may not even be able to say what it is
        reason = f"{reason}: {error}"[:_LONGEST_ERROR]
    since = repr(clock.epoch())
    if '"failing_since": null' not in loop.failing:
        since = loop.failing.partition('"failing_since": ')[2].partition(",")[0]
    loop.failing = f'"failing_since": {since}, "error": {json.dumps(reason)}'


def beat(*, success: bool) -> None:
    """`jobs.record_ticker_heartbeat`."""
    loop: _Loop = process.current().slots.get(_SLOT) or _loop()
    at = repr(clock.epoch())
    loop.heartbeat_at = at
    loop.thread = threading.get_ident()
    loop.tick_since = None
    hurt = loop.failing is not _FINE
    written = _write(loop, HEARTBEAT, at)
    if success:
        loop.success_at = at
        loop.failing = _FINE
        written = _write(loop, SUCCESS, at) or written
    if _write(loop, loop.name, loop.text()):
        written = True
        if not loop.alone:
            loop.alone = True
            _sweep()
    if written:
        gateway_evidence.make_good(hurt=hurt)


def age_s(signal: str) -> float | None:
    """Seconds since the epoch signal; None for unknown: absent, unreadable, no time, or future."""
    try:
        text = store.current_store().read_signal(signal)
        age = clock.epoch() - float(text) if text else math.nan
    except Exception:  # a status never fails because of evidence that is broken in some new way
        return None
    if not math.isfinite(age) or age < -FUTURE_S or age > clock.epoch():
        return None
    return max(0.0, age)


def told() -> list[dict[str, Any]]:
    """What each loop on this home says about itself; what cannot be read is left out.

    Raises:
        OSError: the evidence as a whole cannot be looked at.
    """
    home = store.current_store()
    found = []
    for name in home.signals():
        if name.startswith(EVIDENCE_PREFIX):
            try:
                facts = json.loads(home.read_signal(name) or "")
            except (OSError, ValueError):
                continue
            if isinstance(facts, dict) and isinstance(facts.get("pid"), int):
                found.append(facts)
    return found


def _sweep() -> None:
    """Remove what loops of this host told whose process is dead: this one's has told of itself."""
    me, home = process.current(), store.current_store()
    try:
        for pid in (facts["pid"] for facts in told() if facts.get("host") == me.host):
            if pid != me.pid and not me.pid_is_alive(pid):
                home.remove_signal(f"{EVIDENCE_PREFIX}{pid}")
    except Exception as error:  # left-overs mislead nobody: a status looks at what is alive
        logger.debug("what dead loops told was not swept: %s", error)


def _loop() -> _Loop:
    """What is known of the loop; one that never said that it began is known from here on."""
    slots = process.current().slots
    if _SLOT not in slots:
        loop_began()
    loop: _Loop = slots[_SLOT]
    return loop


def _write(loop: _Loop, name: str, text: str) -> bool:
    """Write a signal. One that cannot be written is missed by the status; the loop goes on."""
    try:
        store.current_store().write_signal(name, text)
    except Exception as error:
        if not loop.complained:
            logger.warning("Cron ticker heartbeat '%s' could not be written: %s", name, error)
        loop.complained = True
        return False
    loop.complained = False
    return True
