"""Fires on their way: each in a thread of its own, and the re-arming that ignored ones ask for."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from hermes_cron import claims, pending, promises, provider_calls, webhook
from hermes_cron.scheduler_provider import CronScheduler

__all__ = ["Fires"]

logger = logging.getLogger(__name__)

MAX_FIRES = 256  # at the same time; NAS is asked to try again with those beyond


class Fires:
    """The fires of one gateway.

    A thread for each, not a pool: a fire that hangs blocks no other (CONTRACT.md HOOK-5). Their
    number is bounded by refusing, which costs nothing: NAS delivers at least once.

    Args:
        provider: gives the provider in charge at the time of the call.
        fire: has that provider run a claimed job; True when it did.
        unready: says why its owner takes no fires now, or None.
    """

    def __init__(
        self,
        provider: Callable[[], CronScheduler],
        fire: Callable[[str], object],
        unready: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._provider = provider
        self._fire_due = fire
        self._unready = unready
        self._changed = threading.Condition()
        self._running: dict[int, str] = {}  # serial number: job id
        self._serial = 0
        self._closed = False
        self._rearming = False
        self._rearm_wanted = False

    def receive(self, authorization: str | None, body: bytes) -> webhook.Answer:
        """Answer one fire (WIRE.md); the run goes on in a thread of its own."""
        return webhook.receive_fire(
            authorization=authorization,
            body=body,
            dispatch=self.dispatch,
            rearm=self.rearm,
            unready=self._not_now,
        )

    def _not_now(self) -> str | None:
        """Why no fire can be taken now; NAS tries again."""
        return self._unready() or ("too many fires at once" if self.too_many() else None)

    def too_many(self) -> bool:
        """True when no more can be taken now."""
        return len(self._running) >= MAX_FIRES

    def dispatch(self, job_id: str, reserved: claims.Reservation) -> None:
        """Start the run of a job that is claimed by this reservation, and return.

        Raises:
            RuntimeError: no thread can be started; nothing was.
        """
        with self._changed:
            self._serial += 1
            serial = self._serial
            self._running[serial] = job_id
        try:
            threading.Thread(
                target=self._fire,
                args=(serial, job_id, reserved),
                name=f"cron-fire-{serial}",
                daemon=True,
            ).start()
        except BaseException:
            self._ended(serial)
            raise

    def rearm(self) -> None:
        """Have the provider converge its registry, in the background; many calls, few rounds."""
        with self._changed:
            self._rearm_wanted = True
            if self._rearming or self._closed:
                return  # the round that is on is followed by another
            self._rearming = True
        try:
            threading.Thread(target=self._rearm_rounds, name="cron-rearm", daemon=True).start()
        except BaseException:
            with self._changed:
                self._rearming = False
            raise

    def close(self, deadline: float) -> list[str]:
        """Start nothing more and wait for what runs, until `deadline` (time.monotonic).

        Returns:
            The ids of the jobs that are still running.
        """
        with self._changed:
            self._closed = True
            while self._running and (left_s := deadline - time.monotonic()) > 0:
                self._changed.wait(left_s)
            return sorted(set(self._running.values()))

    def _fire(self, serial: int, job_id: str, reserved: claims.Reservation) -> None:
        try:
            promise = reserved.execution
            extra = promise.extra if promise else {"job_id": job_id, "occurrence": None}
            try:
                # Not what the store holds by now: that may have been withdrawn, or be another's.
                with promises.promised(promise):
                    ran = self._fire_due(job_id)
                if ran:
                    return
                logger.info("cron fire of job '%s' ran nothing here", job_id, extra=extra)
            except BaseException:
                # SystemExit included: it would end this thread without a word in the log.
                logger.exception("cron fire of job '%s' raised", job_id, extra=extra)
            if promise is not None and pending.release(promise, "its fire did not take it up"):
                logger.error(
                    "cron fire of job '%s': the claim was not taken up; given back",
                    job_id,
                    extra=extra,
                )
                self.rearm()  # it is due again, and its arm has fired
        finally:
            self._ended(serial)

    def _ended(self, serial: int) -> None:
        with self._changed:
            self._running.pop(serial, None)
            self._changed.notify_all()

    def _rearm_rounds(self) -> None:
        while True:
            with self._changed:
                if self._closed or not self._rearm_wanted:
                    self._rearming = False
                    return
                self._rearm_wanted = False
            try:
                provider_calls.hook(self._provider(), "reconcile")()
            except BaseException:  # as above: later fires ask again
                logger.exception("the cron provider's reconcile raised")
