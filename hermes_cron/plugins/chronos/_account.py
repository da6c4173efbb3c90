"""What Chronos knows about its registry, told to the status through the store.

The signal `registry-chronos` is JSON: `provider`, `pid`, `at` (epoch seconds), `wanted` and `armed`
(fire_at by job id), `listed` (whether NAS itself said what is armed), `last_accepted` (`job_id`,
`fire_at`, `at`), `last_fire` (`job_id`, `ran`, `at`), both or null, `failures` (by job id, "" for
what is about no single job: `call`, `reason`, `at`) and `last_error` (a sentence, or null).
"""

import json
import logging
import threading
from collections.abc import Mapping
from typing import Any

__all__ = ["Account"]

logger = logging.getLogger("cron.chronos")


class Account:
    """Keeps the account and writes it; writing never raises. Thread-safe.

    Several processes write it in turn, the gateway and each command that changes a job: what the
    last accepted arm and the last fire were is kept from whoever told it.
    """

    def __init__(self, provider: str) -> None:
        self._signal = f"registry-{provider}"
        self._lock = threading.Lock()
        self._facts: dict[str, Any] = {
            "provider": provider,
            "wanted": {},
            "armed": {},
            "listed": False,
            "last_accepted": None,
            "last_fire": None,
        }
        self._failures: dict[str, dict[str, Any]] = {}

    def accepted(self, job_id: str, fire_at: str) -> None:
        """Note that the registry took an arm."""
        self._note("last_accepted", {"job_id": job_id, "fire_at": fire_at})
        with self._lock:
            self._facts["armed"][job_id] = fire_at
        self.mended(job_id)

    def fired(self, job_id: str, *, ran: bool) -> None:
        """Note that a fire came here, and whether it ran the job."""
        self._note("last_fire", {"job_id": job_id, "ran": ran})

    def failed(self, job_id: str, call: str, error: Exception) -> None:
        """Note a call that failed; "" for one that is about no single job."""
        from hermes_cron import clock

        reason = getattr(error, "reason", None) or type(error).__name__
        with self._lock:
            self._failures[job_id] = {"call": call, "reason": str(reason), "at": clock.epoch()}

    def mended(self, job_id: str) -> None:
        """Forget a failure that a later call made good."""
        with self._lock:
            self._failures.pop(job_id, None)

    def misses(self, job_id: str) -> bool:
        """Whether a call for the job failed that nothing made good."""
        with self._lock:
            return job_id in self._failures

    def settled(self, wanted: Mapping[str, str], armed: Mapping[str, str], *, listed: bool) -> None:
        """Note how a round ended, and drop the failures of jobs that it left nothing to do for."""
        with self._lock:
            self._facts.update(wanted=dict(wanted), armed=dict(armed), listed=listed)
            for job_id in [job_id for job_id in self._failures if job_id]:
                if job_id not in wanted and job_id not in armed:
                    del self._failures[job_id]

    def write(self) -> None:
        """Leave the account in the store."""
        from hermes_cron import clock, process, store

        try:
            told = _read(store.current_store().read_signal(self._signal))
            with self._lock:
                for what in ("last_accepted", "last_fire"):
                    self._facts[what] = _newer(self._facts[what], told.get(what))
                text = json.dumps(
                    self._facts
                    | {"pid": process.current().pid, "at": clock.epoch()}
                    | {"failures": self._failures, "last_error": self._last_error()},
                    sort_keys=True,
                )
            store.current_store().write_signal(self._signal, text)
        except Exception as error:  # the status misses it; no job does
            logger.warning("Chronos: its account cannot be written: %s", error)

    def _note(self, what: str, facts: dict[str, Any]) -> None:
        from hermes_cron import clock

        with self._lock:
            self._facts[what] = facts | {"at": clock.epoch()}

    def _last_error(self) -> str | None:
        if not self._failures:
            return None
        job_id, failure = max(self._failures.items(), key=lambda item: float(item[1]["at"]))
        return f"{failure['call']} {job_id}".strip() + f": {failure['reason']}"


def _read(text: str | None) -> dict[str, Any]:
    """The account as it stands; empty when there is none that can be read."""
    try:
        told = json.loads(text or "null")
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _newer(ours: Any, theirs: Any) -> Any:
    """The later one of two notes; what is no note, or comes from the future, counts for nothing."""
    from hermes_cron import clock

    at = theirs.get("at") if isinstance(theirs, dict) else None
    if not isinstance(at, int | float) or not at <= clock.epoch():
        return ours
    return theirs if ours is None or at > ours["at"] else ours
