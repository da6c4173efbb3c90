"""What Chronos knows about its registry, told to the status through the store.

The signal `registry-chronos` is JSON: `provider`, `pid`, `at` (epoch seconds), `wanted` and `armed`
(fire_at by job id), `listed` (whether NAS itself said what is armed), `last_accepted` (`job_id`,
`fire_at`, `at`), `last_fire` (`job_id`, `ran`, `at`), both or null, `failures` (by job id, "" for
what is about no single job: `call`, `reason`, `at`) and `last_error` (a sentence, or null).
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from typing import Any

from hermes_cron import clock, process, store

__all__ = ["Account"]

logger = logging.getLogger("cron.chronos")

Failures = dict[str, dict[str, Any]]


class Account:
    """Keeps the account and writes it; writing never raises. Thread-safe.

    Several processes write it in turn, the gateways and each command that changes a job. Each adds
    what it learned since it last wrote to what stands there: who told of an arm, a fire or a call
    that failed may be dead, and what this process knew before may be over.
    """

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._signal = f"registry-{provider}"
        self._lock = threading.Lock()
        self._notes: dict[str, Any] = {"last_accepted": None, "last_fire": None}
        self._news = _News()
        self._failing = False  # a call failed since the last round, and was told of

    def accepted(self, job_id: str, fire_at: str) -> None:
        """Note that the registry took an arm."""
        self._note("last_accepted", {"job_id": job_id, "fire_at": fire_at})
        with self._lock:
            self._news.armed[job_id] = fire_at
        self.mended(job_id)

    def fired(self, job_id: str, *, ran: bool) -> None:
        """Note that a fire came here, and whether it ran the job."""
        self._note("last_fire", {"job_id": job_id, "ran": ran})

    def failed(self, job_id: str, call: str, error: Exception) -> None:
        """Note a call that failed; "" for one that is about no single job.

        The first one is written down at once: a machine that dies in the round tells no more.
        """
        reason = getattr(error, "reason", None) or type(error).__name__
        failure = {"call": call, "reason": str(reason), "at": clock.epoch()}
        with self._lock:
            self._news.failures[job_id] = failure
            known, self._failing = self._failing, True
        if not known:
            self.write()

    def mended(self, job_id: str) -> None:
        """Forget a failure that a later call made good."""
        with self._lock:
            self._news.failures[job_id] = None

    def listed(self) -> None:
        """Note that the registry says what is armed: what failed before is tried again by that."""
        with self._lock:
            self._news.listed = True
            self._news.failures.clear()

    def misses(self, job_id: str) -> bool:
        """Whether a call for the job failed that nothing made good, and nobody wrote so yet."""
        with self._lock:
            return self._news.failures.get(job_id) is not None

    def settled(self, wanted: Mapping[str, str], armed: Mapping[str, str], *, listed: bool) -> None:
        """Note how a round ended, and drop the failures of jobs that it left nothing to do for."""
        left = {"", *wanted, *armed}
        with self._lock:
            news = self._news
            self._failing = False
            news.round = {"wanted": dict(wanted), "armed": dict(armed), "listed": listed}
            news.armed.clear()
            news.failures = {job_id: one for job_id, one in news.failures.items() if job_id in left}

    def write(self) -> None:
        """Leave the account in the store."""
        with self._lock:
            news, self._news = self._news, _News()
        try:
            told = _read(store.current_store().read_signal(self._signal))
            account = news.added_to(told)
            with self._lock:
                for what in self._notes:
                    account[what] = self._notes[what] = _newer(self._notes[what], told.get(what))
            of_us = {"provider": self._provider, "pid": process.current().pid, "at": clock.epoch()}
            text = json.dumps(account | of_us, sort_keys=True)
            store.current_store().write_signal(self._signal, text)
        except Exception as error:  # the status misses it; no job does
            logger.warning("Chronos: its account cannot be written: %s", error)
            with self._lock:
                self._news = news.before(self._news)

    def _note(self, what: str, facts: dict[str, Any]) -> None:
        with self._lock:
            self._notes[what] = facts | {"at": clock.epoch()}


class _News:
    """What this process learned since it last wrote the account; the later word counts.

    Attributes:
        round: `wanted`, `armed` and `listed`, as the last round left them; empty without one.
        armed: What was accepted since then, fire_at by job id.
        failures: By job id; None for one that was made good.
        listed: Whether what failed before all these counts no more.
    """

    def __init__(self) -> None:
        self.round: dict[str, Any] = {}
        self.armed: dict[str, str] = {}
        self.failures: dict[str, dict[str, Any] | None] = {}
        self.listed = False

    def before(self, later: _News) -> _News:
        """These and what came after them."""
        both = _News()
        both.round = later.round or self.round
        both.armed = later.armed if later.round else self.armed | later.armed
        both.failures = later.failures if later.listed else self.failures | later.failures
        both.listed = self.listed or later.listed
        return both

    def added_to(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """The account as it stands, with these."""
        account = {"listed": told.get("listed") is True} | self.round
        wanted = _texts(account.get("wanted", told.get("wanted")))
        armed = _texts(account.get("armed", told.get("armed"))) | self.armed
        before = {} if self.listed else _failures(told.get("failures"))
        if self.round:
            left = {"", *wanted, *armed}
            before = {job_id: one for job_id, one in before.items() if job_id in left}
        failures = {job_id: one for job_id, one in (before | self.failures).items() if one}
        account |= {"wanted": wanted, "armed": armed}
        return account | {"failures": failures, "last_error": _last_error(failures)}


def _texts(told: object) -> dict[str, str]:
    items = told.items() if isinstance(told, dict) else ()
    return {job_id: text for job_id, text in items if isinstance(text, str)}


def _failures(told: object) -> Failures:
    items = told.items() if isinstance(told, dict) else ()
    return {
        job_id: failure
        for job_id, failure in items
        if isinstance(failure, dict) and isinstance(failure.get("at"), int | float)
    }


def _last_error(failures: Failures) -> str | None:
    if not failures:
        return None
    job_id, failure = max(failures.items(), key=lambda item: float(item[1]["at"]))
    return f"{failure.get('call')} {job_id}".strip() + f": {failure.get('reason')}"


def _read(text: str | None) -> dict[str, Any]:
    """The account as it stands; empty when there is none that can be read."""
    try:
        told = json.loads(text or "null")
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _newer(ours: Any, theirs: Any) -> Any:
    """The later one of two notes; what is no note, or comes from the future, counts for nothing."""
    at = theirs.get("at") if isinstance(theirs, dict) else None
    if not isinstance(at, int | float) or not at <= clock.epoch():
        return ours
    return theirs if ours is None or at > ours["at"] else ours
