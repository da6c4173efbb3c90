"""Chronos: the provider for a managed registry, so that the agent can sleep at zero between fires.

For each enabled job one one-shot is armed at NAS, at the job's next occurrence. NAS calls the
agent's webhook at that instant; the host claims the occurrence and calls `fire_due`, which arms the
next one and runs the job. Nothing here wakes periodically: were the next one armed after the run
only, a machine that dies in it would leave the job silent until somebody boots.

The store says what should be armed, NAS says what is. Every occasion (start, a change of a job, a
fire, whether it ran or not) compares the two and makes up for what failed before; fires that follow
each other within a second share one comparison. When NAS cannot be asked, what Chronos remembers
having armed stands in for its list.

WIRE.md has the calls. `_nas_client` makes them, `verify` checks the token of a fire, `_wanted` says
what should be armed, `_rounds` when to look, `_account` tells the status.
"""

import logging
import math
import threading
from collections.abc import Callable
from typing import Any

from hermes_cron import auth, clock, config, jobs
from hermes_cron.plugins.chronos import _wanted
from hermes_cron.plugins.chronos._account import Account
from hermes_cron.plugins.chronos._rounds import Rounds
from hermes_cron.scheduler_provider import CronScheduler

__all__ = ["ChronosCronScheduler", "register"]

logger = logging.getLogger("cron.chronos")

# Calls that time out cost their full time-out each. After this much of it a round leaves the rest
# to the next occasion, so that whoever changed a job is not kept for hours.
_PATIENCE_S = 60.0

# Rounds that fires ask for are at least so far apart.
_APART_S = 1.0


def _cfg(*keys: str, default: Any = "") -> Any:
    """Return a configured value; the default when there is none, or no configuration."""
    try:
        return config.cfg_get(config.load_config(), *keys, default=default)
    except Exception:  # said in the log by the configuration; here it only counts as absent
        return default


def register(ctx: Any) -> None:
    """Hand a Chronos to the plugin loader."""
    ctx.register_cron_scheduler(ChronosCronScheduler())


class ChronosCronScheduler(CronScheduler):
    """Arms one one-shot per job at NAS and runs what NAS fires. Thread-safe.

    Comparing goes in rounds, one at a time, the last one after the last change (`_rounds`), so that
    at rest the armed set equals the store. No lock is held over a call to NAS.
    """

    def __init__(self) -> None:
        self._client: Any = None
        # What NAS is believed to hold, fire_at by job id. An entry that is not in `_own` was
        # planted by somebody else and is believed; our own are checked against NAS's list.
        self._armed: dict[str, str] = {}
        self._own: dict[str, str] = {}
        # Jobs for which a call failed, which may or may not have had its effect.
        self._doubtful: set[str] = set()
        self._listed = False
        self._lock = threading.Lock()
        self._stop_event: threading.Event | None = None
        self._stopped = False
        self._rounds = Rounds(self._round, ended=self._ended, failed=self._round_failed)
        self._asked_s = -math.inf  # monotonic; when a fire asked for a round
        self._pace = _wanted.Pace()
        self._account = Account(self.name)

    @property
    def name(self) -> str:
        """Always 'chronos'."""
        return "chronos"

    def is_available(self) -> bool:
        """Whether portal URL, callback URL and a stored Nous login are there. No network."""
        portal_url = _cfg("cron", "chronos", "portal_url")
        callback_url = _cfg("cron", "chronos", "callback_url")
        return (
            isinstance(portal_url, str)
            and portal_url.strip().startswith(("http://", "https://"))
            and isinstance(callback_url, str)
            and bool(callback_url.strip())
            and self._have_nous_token()
        )

    def start(
        self,
        stop_event: threading.Event,
        *,
        adapters: Any = None,  # noqa: ARG002 - the host hands them to each fire again
        loop: Any = None,  # noqa: ARG002 - as above
        interval: int = 60,  # noqa: ARG002 - nothing here is periodic
    ) -> None:
        """Arm every job and return. A NAS that is down is left to a later occasion."""
        self._stop_event = stop_event
        self._stopped = False
        if stop_event.is_set():
            return
        try:
            self.recover_interrupted()
        except BaseException:  # what the last process left may not keep this one from arming
            logger.exception("Chronos: start-up recovery failed")
        self.reconcile()

    def stop(self) -> None:
        """Arm and run nothing from here on."""
        self._stopped = True
        self._rounds.drop_timer()

    def on_jobs_changed(self) -> None:
        """Bring the registry in line with the changed store."""
        self.reconcile()

    def fire_due(self, job_id: str, *, adapters: Any = None, loop: Any = None) -> bool:
        """Run the job if this fire wins it; its next time is armed, whatever becomes of it."""
        if self._ended():
            extra = {"job_id": job_id, "occurrence": None}
            said = "Chronos has stopped: the fire of job %s is left to the next start"
            logger.info(said, job_id, extra=extra)
            return False
        with self._lock:  # whatever was armed for the job is what has just fired
            self._forget(job_id)
        self._arm_ahead(job_id)
        ran = False
        try:
            ran = super().fire_due(job_id, adapters=adapters, loop=loop)
        finally:
            self._account.fired(job_id, ran=ran)
            self._after_fire(job_id)
        return ran

    def reconcile(self) -> None:
        """Bring the registry in line with the store. Never raises what NAS or the store caused."""
        self._rounds.ask()

    def _after_fire(self, job_id: str) -> None:
        """Compare; or arm this job alone and compare in a moment, when a fire just had that done.

        A round asks for all that is armed: hundreds of jobs that come in the same second are worth
        a few rounds, not hundreds.
        """
        now_s = clock.monotonic()
        if now_s - self._asked_s >= _APART_S:
            self._asked_s = now_s
            self._rounds.ask(job_id)
            return
        try:
            self._arm_after_fires([job_id])
            self._account.write()  # until the round the status goes by it
            self._rounds.ask_in(_APART_S)
        except Exception:  # whatever it is, the round finds it too, and tells the account
            self._rounds.ask(job_id)

    # -- rounds ---------------------------------------------------------------------------------

    def _round(self, fires: list[str], first: bool) -> None:
        """Compare store and registry once, and make the calls that are needed."""
        if first:
            self._upkeep()
        self._arm_after_fires(fires)
        # The list first: it may hang, and what is armed meanwhile is not to be armed back.
        observed = self._list_armed()
        desired = _wanted.wanted(jobs.load_jobs())
        spent_s = 0.0
        for job_id, job in desired.items():
            if self._is_armed(job, observed):
                self._account.mended(job_id)  # a call whose answer was lost had its effect
            else:
                spent_s += self._try_to_arm(job, spent_s)
        for job_id in observed:
            if job_id not in desired:
                spent_s += self._attempt("cancel", job_id, self._cancel, job_id, spent_s)
        self._pace.forget_others(desired)
        times = {job_id: _wanted.fire_at_of(job) for job_id, job in desired.items()}
        with self._lock:
            believed = dict(self._armed)
        self._account.settled(times, believed, listed=self._listed)
        self._account.write()

    def _is_armed(self, job: dict[str, Any], observed: dict[str, str]) -> bool:
        """Whether the job is armed at its next time, since the list was answered or before."""
        fire_at = _wanted.fire_at_of(job)
        with self._lock:
            believed = self._armed.get(job["id"])
        return _wanted.is_same_fire(observed.get(job["id"]), fire_at) or (
            _wanted.is_same_fire(believed, fire_at)
        )

    def _round_failed(self, error: Exception) -> None:
        """Say that the store could not be read; the next occasion tries again."""
        logger.warning("Chronos cannot compare store and registry: %s", error)
        self._account.failed("", "compare", error)
        self._account.write()

    def _upkeep(self) -> None:
        """Have the host put its records right first: times that are none, fires that never came.

        `get_due_jobs` persists what it repairs and records what was missed. A job that it finds due
        keeps its time in the past, which NAS honours at once.
        """
        try:
            jobs.get_due_jobs()
        except Exception as error:  # whether the store can be read at all shows right after this
            logger.warning("Chronos: the host's upkeep failed: %s", error)

    def _arm_after_fires(self, fires: list[str]) -> None:
        """Arm the next occurrence of jobs that just fired, before anything slower."""
        for job_id in fires:
            job = jobs.get_job(job_id)
            if job is None or not _wanted.is_wanted(job):
                continue
            with self._lock:
                believed = self._armed.get(job_id)
            if not _wanted.is_same_fire(believed, _wanted.fire_at_of(job)):
                self._try_to_arm(job)

    def _arm_ahead(self, job_id: str) -> None:
        """Arm what follows the occurrence that the webhook has claimed, before its run.

        Without the webhook's claim the job has not moved on yet: that is armed after the run.
        """
        try:
            job = jobs.get_job(job_id)
        except Exception as error:  # the fire finds out itself, and asks for a round
            extra = {"job_id": job_id, "occurrence": None}
            logger.warning(
                "Chronos: job %s cannot be armed before its run: %s", job_id, error, extra=extra
            )
            return
        if job is not None and _wanted.is_promised(job) and _wanted.is_wanted(job):
            self._try_to_arm(job)
            if self._account.misses(job_id):  # a machine that dies in the run tells no more
                self._account.write()

    def _try_to_arm(self, job: dict[str, Any], spent_s: float = 0.0) -> float:
        return self._attempt("provision", job["id"], self._arm, job, spent_s)

    def _attempt(
        self, call: str, job_id: str, function: Callable[[Any], None], of: Any, spent_s: float
    ) -> float:
        """Make one call; return the seconds that it cost when it failed."""
        begun_s = clock.monotonic()
        try:
            if not self._ended():
                _be_patient(spent_s)
                function(of)
        except Exception as error:  # one call that fails stops no other job
            logger.warning(
                "Chronos: %s of job %s failed; tried again at the next occasion: %s",
                *(call, job_id, error),
                extra={
                    "job_id": job_id,
                    "occurrence": of.get("next_run_at") if isinstance(of, dict) else None,
                },
            )
            self._account.failed(job_id, call, error)
            return clock.monotonic() - begun_s
        return 0.0

    def _ended(self) -> bool:
        return self._stopped or (self._stop_event is not None and self._stop_event.is_set())

    # -- calls ----------------------------------------------------------------------------------

    def _have_nous_token(self) -> bool:
        """Whether a Nous login is stored, good or expired. No network."""
        try:
            token = (auth.get_provider_auth_state("nous") or {}).get("access_token")
        except Exception:  # a login that cannot be read is none
            return False
        return isinstance(token, str) and bool(token.strip())

    def _get_client(self) -> Any:
        if self._client is None:
            from hermes_cron.plugins.chronos._nas_client import NasCronClient

            self._client = NasCronClient(str(_cfg("cron", "chronos", "portal_url")).strip())
        return self._client

    def _callback_url(self) -> str:
        return str(_cfg("cron", "chronos", "callback_url") or "")

    def _arm(self, job: dict[str, Any]) -> None:
        """Arm the job unless that was done so often of late that it is better left for a while."""
        job_id, fire_at = job["id"], _wanted.fire_at_of(job)
        pause_s = self._pace.pause_s(job_id, fire_at, clock.monotonic(), clock.epoch())
        if pause_s:
            self._rounds.ask_in(pause_s)
            raise _wanted.TooOften(fire_at, pause_s)
        self._arm_one_shot(job)
        self._pace.accepted(job_id, fire_at, clock.monotonic())

    def _arm_one_shot(self, job: dict[str, Any]) -> None:
        """Have NAS arm the job at its next time; nothing without one.

        Raises:
            NasCronClientError: It is not known to be armed.
        """
        job_id, fire_at = job["id"], _wanted.fire_at_of(job)
        if not fire_at:
            return
        try:
            self._get_client().provision(
                job_id=job_id,
                fire_at=fire_at,
                agent_callback_url=self._callback_url(),
                dedup_key=f"{job_id}:{fire_at}",
            )
        except BaseException:
            with self._lock:  # it may have had its effect all the same
                self._doubtful.add(job_id)
                self._forget(job_id)
            raise
        with self._lock:
            self._doubtful.discard(job_id)
            self._armed[job_id] = self._own[job_id] = fire_at
        self._account.accepted(job_id, fire_at)

    def _cancel(self, job_id: str) -> None:
        """Have NAS drop the job's arm. It stays in memory until NAS said that it did.

        Raises:
            NasCronClientError: It may still be armed.
        """
        self._get_client().cancel(job_id=job_id)
        with self._lock:
            self._doubtful.discard(job_id)
            self._forget(job_id)

    def _forget(self, job_id: str) -> None:
        """Believe the job armed no more. The caller holds the lock."""
        self._armed.pop(job_id, None)
        self._own.pop(job_id, None)

    def _list_armed(self) -> dict[str, str]:
        """Return what is armed, fire_at by job id: by NAS's word, or by our memory without it."""
        try:
            listed = {
                str(item["job_id"]): str(item.get("fire_at") or "")
                for item in self._get_client().list_armed()
                if item.get("job_id")
            }
        except Exception as error:  # whatever fails here, the memory serves
            logger.warning("Chronos: NAS does not say what is armed; going by memory: %s", error)
            self._account.failed("", "list", error)
            self._listed = False
            with self._lock:
                return {**dict.fromkeys(sorted(self._doubtful), ""), **self._armed}
        self._account.listed()
        self._listed = True
        with self._lock:
            planted = {k: at for k, at in self._armed.items() if self._own.get(k) != at}
            self._own = {k: at for k, at in listed.items() if k not in planted}
            self._armed.clear()
            self._armed.update(listed | planted)
            self._doubtful.clear()
            return dict(self._armed)


def _be_patient(spent_s: float) -> None:
    """Raise when failing calls have taken so long that the rest is better put off."""
    if spent_s > _PATIENCE_S:
        raise TimeoutError(f"put off, because earlier calls failed for {spent_s:.0f} s")
