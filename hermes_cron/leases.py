"""Leases: the claims of runs that are on are renewed, so that a long run is not overlapped."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from hermes_cron import claim_rules, clock, jobs, process, store
from hermes_cron.process import Execution

__all__ = ["LeaseKeeper", "keeper"]

logger = logging.getLogger(__name__)

PERIOD_S = claim_rules.TTL_S / 3
"""Seconds between renewals: two may fail before a claim is lost."""

RETRY_S = 10.0
"""Seconds until a renewal that failed is tried again."""


class LeaseKeeper:
    """Renews what is held: one write for all of them, each `PERIOD_S`.

    Its thread is there only while something is held, so that an idle process does nothing.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, Execution] = {}
        self._stop: threading.Event | None = None

    def hold(self, execution: Execution) -> None:
        """Renew the claim of `execution` from now on; without a token there is none."""
        if execution.token is None:
            return
        with self._lock:
            self._held[execution.job_id] = execution
            if self._stop is not None:
                return
            self._stop = stop = threading.Event()
        try:
            threading.Thread(
                target=self._rounds, args=(stop,), name="cron-leases", daemon=True
            ).start()
        except RuntimeError as error:  # no more threads, or the interpreter is on its way out
            with self._lock:
                self._stop = None
            logger.error(  # noqa: TRY400 - the message is the whole story
                "no claim is renewed, a run of more than %d s may be repeated: %s",
                claim_rules.TTL_S,
                error,
                extra=execution.extra,
            )

    def drop(self, execution: Execution) -> None:
        """Stop renewing; with nothing left to renew the thread ends at once."""
        with self._lock:
            if self._held.get(execution.job_id) is execution:
                del self._held[execution.job_id]
            if not self._held and self._stop is not None:
                self._stop.set()
                self._stop = None

    def _rounds(self, stop: threading.Event) -> None:
        wait_s = PERIOD_S
        while not stop.wait(wait_s):
            with self._lock:
                held = list(self._held.values())
            begun_s = clock.monotonic()
            try:
                lost = _renew(held)
            except Exception as error:
                # Whatever it is, the runs go on; the claims hold until their time is over.
                logger.error(  # noqa: TRY400 - tried again soon, a traceback each time is noise
                    "the claims of %d running jobs could not be renewed, tried again in %d s: %s",
                    len(held),
                    RETRY_S,
                    error,
                )
                wait_s = RETRY_S
                continue
            for execution in lost:
                self.drop(execution)
            # Behind a disk that hung the claims are dated as long ago: they are renewed anew.
            wait_s = max(0.0, PERIOD_S - (clock.monotonic() - begun_s))


def _renew(held: Sequence[Execution]) -> list[Execution]:
    """Renew in one write.

    Returns:
        The executions whose claim is not theirs any more.
    """
    lost = []
    with store.current_store().edit() as edit:
        # Under the lock, which may be waited for. The host's clock, looked up where tests patch it.
        now = jobs._hermes_now()  # noqa: SLF001
        for execution in held:
            job = edit.get(execution.job_id)
            if job is not None and claim_rules.is_of(job, execution):
                claim_rules.renew(job, now)
            else:
                lost.append(execution)
    for execution in lost:
        logger.error(
            "job '%s': the claim for %s was lost while it runs; its result will not be stored",
            execution.job_id,
            execution.occurrence,
            extra=execution.extra,
        )
    return lost


def keeper() -> LeaseKeeper:
    """The keeper of this process."""
    state = process.current()
    with state.lock:
        if state.leases is None:
            state.leases = LeaseKeeper()
        return state.leases
