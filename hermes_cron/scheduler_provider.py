"""What a cron provider is, the built-in one, and how the configured one is chosen.

A `CronScheduler` decides *when* a due job fires. What firing means (claim, run, deliver, record) is
the host's, in `hermes_cron.jobs` and `hermes_cron.scheduler`, and is the same for every provider.
Providers look host functions up on those modules at call time, so that a patched one is seen.

The interface grows only by optional methods with a default: never a changed `start`, never a new
abstract method.
"""

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from hermes_cron.raised import in_a_line

__all__ = [
    "CronScheduler",
    "InProcessCronScheduler",
    "provider_in_charge",
    "resolve_cron_scheduler",
]

logger = logging.getLogger("cron.scheduler_provider")

# What `cron.provider` may say to mean the built-in. No other provider may call itself so.
BUILTIN_NAMES = frozenset({"", "builtin", "in-process", "inprocess"})

_LIFE_SIGN_EVERY_TICKS = 5


class CronScheduler(ABC):
    """Decides when a due job fires. Required: `name` and `start`; all else has a default."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Short identifier, the same on every instance. 'builtin' is the built-in's alone."""

    def is_available(self) -> bool:
        """Whether this provider could run here, told from local facts: no network, no writing.

        False makes the resolver fall back to the built-in.
        """
        return True

    @abstractmethod
    def start(
        self,
        stop_event: threading.Event,
        *,
        adapters: Any = None,
        loop: Any = None,
        interval: int = 60,
    ) -> None:
        """Make due jobs fire until `stop_event` is set.

        A blocking provider loops here, on a thread of its own. An external one arms what is needed
        and returns; after `stop_event` it arms and runs nothing more.

        Args:
            stop_event: The host sets it to end this provider's life.
            adapters: Handed through to the run, for delivery. Not looked into.
            loop: The host's event loop, handed through to the run.
            interval: Seconds between two ticks of a loop.
        """

    def stop(self) -> None:
        """Let go of resources at once. `stop_event` is the primary signal; this is extra."""
        return

    def on_jobs_changed(self) -> None:
        """Hear that the store was changed. Must not raise into whoever changed it."""
        return

    def recover_interrupted(self) -> int:
        """Settle what an earlier process of this machine left half done.

        Returns:
            How many executions were settled.
        """
        from hermes_cron import scheduler

        return scheduler.recover()

    def fire_due(self, job_id: str, *, adapters: Any = None, loop: Any = None) -> bool:
        """Run one job whose time has come, if this caller is the one to run it.

        Returns:
            True when the job was claimed and run here, whatever became of it; False when the claim
            was lost, before the run or at its very beginning, or the job is gone or no longer to be
            run.
        """
        from hermes_cron import claim_rules, jobs, pending, promises, records, runs, scheduler

        with promises.winning() as won:
            try:
                if not jobs.claim_job_for_fire(job_id):
                    return False
            except BaseException:  # also after its write: it would stand until its time is over
                if job_id in won:
                    pending.release(won[job_id], "its claim failed")
                raise
        job = jobs.get_job(job_id)
        if job is None:
            extra = {"job_id": job_id, "occurrence": None}
            logger.info("Job %s is gone: its fire runs nothing", job_id, extra=extra)
            return False
        stay = records.stay_reason(job)
        taken = won.get(job_id) or claim_rules.execution_of(job)
        if stay is None and job_id in won and not claim_rules.is_of(job, taken):
            # Whoever claims was held up until it was over, or the store is read from behind.
            stay = "not to be seen as claimed here"
        if stay is not None:
            logger.info("Job %s is %s: its fire runs nothing", job_id, stay, extra=taken.extra)
            pending.release(taken, stay)
            return False
        execution = runs.hold(job)
        try:
            scheduler.run_one_job(job, adapters=adapters, loop=loop)
        except BaseException as error:  # the shared path records failures; what it lets out is ours
            _say_error(f"Job {job_id}: the run raised past its own record", error)
        finally:
            runs.drop(execution)
        return not execution.skipped

    def reconcile(self) -> None:
        """Move an outside registry toward the store. Nothing to do without one."""
        return


class InProcessCronScheduler(CronScheduler):
    """The built-in: a loop that asks the host for a tick every interval.

    It outlives whatever a tick, a heartbeat, the recovery, the dispatch gate or a wait raises,
    `SystemExit` and its kin included: it runs on a thread of a long-lived process, whose end is
    announced by `stop_event` and by nothing else.

    The ticks keep to a grid: time spent in a tick is taken off the next wait, slots that passed
    meanwhile (a long tick, a suspended machine) are left out, not made up for.
    """

    @property
    def name(self) -> str:
        """Always 'builtin'."""
        return "builtin"

    def start(
        self,
        stop_event: threading.Event,
        *,
        adapters: Any = None,
        loop: Any = None,
        interval: int = 60,
        can_dispatch: Callable[[], bool] | None = None,
    ) -> None:
        """Tick until `stop_event` is set; blocks.

        Args:
            stop_event: Ends the loop, also in the middle of a wait.
            adapters: Handed to each tick.
            loop: Handed to each tick.
            interval: Seconds; 0 ticks back to back.
            can_dispatch: Asked before each tick; while it says no (or raises), no tick is made and
                nothing counts as a success.
        """
        from hermes_cron import cadence, clock, heartbeat, jobs, scheduler

        logger.info("In-process cron scheduler started (interval=%ss)", interval)
        self._beat(jobs, success=False)
        self._recover()
        ticks = 0
        due_s = clock.monotonic()
        while not stop_event.is_set():
            begun_s = clock.monotonic()
            if abs(begun_s - due_s) >= interval:
                due_s = begun_s  # overslept, or the clock was replaced: a new grid, no burst
            clean = False
            try:
                if can_dispatch is None or can_dispatch():
                    scheduler.tick(verbose=False, adapters=adapters, loop=loop, sync=False)
                    clean = True
            except BaseException as error:  # also SystemExit: see the class
                _say_error("Cron tick error", error)
                heartbeat.tick_failed(error)
            self._beat(jobs, success=clean)
            ticks += 1
            if ticks % _LIFE_SIGN_EVERY_TICKS == 0:
                logger.info("Cron ticker alive: %d ticks, the last one %s", ticks, _word(clean))
            due_s, pause_s = cadence.next_slot(due_s, clock.monotonic(), interval)
            try:
                stop_event.wait(pause_s)
            except BaseException as error:
                _say_error("Cron ticker wait failed", error)
                cadence.wait_without_event(stop_event, pause_s)

    def _beat(self, jobs: Any, *, success: bool) -> None:
        """Leave the sign of life. One that cannot be left is no reason to die."""
        try:
            jobs.record_ticker_heartbeat(success=success)
        except BaseException as error:
            _say_error("Cron ticker heartbeat could not be written", error, level=logging.WARNING)

    def _recover(self) -> None:
        try:
            settled = self.recover_interrupted()
            if settled:
                logger.warning("Settled %d cron execution(s) that a restart interrupted", settled)
        except BaseException as error:
            _say_error("Cron start-up recovery failed", error)


def provider_in_charge() -> CronScheduler:
    """The provider that the gateway of this process runs, else the configured one. Never raises."""
    from hermes_cron import process

    running = process.current().provider
    # Not `or`: a provider that has a length, of what it has armed, is false while that is nothing.
    return resolve_cron_scheduler() if running is None else running


def resolve_cron_scheduler() -> CronScheduler:
    """Return the provider that `cron.provider` names, or the built-in. Never raises.

    Whatever goes wrong on the way (no such provider, one that cannot be imported or built, one that
    is not a provider, is not available or does not answer) gives the built-in, a warning that names
    what was configured, and a note in the process state for the status to tell.
    """
    from hermes_cron import process
    from hermes_cron.plugins import vetting

    configured: object = None
    try:
        configured = _configured_provider()
        if isinstance(configured, str) and configured in BUILTIN_NAMES:
            process.current().fallback = None
            return InProcessCronScheduler()
        provider, name = _named_provider(configured)
        logger.info("Using cron scheduler provider: %s", name)
    except vetting.ProviderRefusedError as error:
        return _fall_back(configured, str(error))
    except BaseException as error:  # a SystemExit from an import must not take cron down
        return _fall_back(configured, in_a_line(error))
    process.current().fallback = None
    return provider


def _configured_provider() -> object:
    """Return what the configuration says, stripped when it is text; "" when it says nothing."""
    from hermes_cron import config

    try:
        value = config.cfg_get(config.load_config(), "cron", "provider")
    except BaseException as error:
        raise RuntimeError(f"the configuration could not be read: {in_a_line(error)}") from error
    if value is None:
        return ""
    return value.strip() if isinstance(value, str) else value


def _named_provider(configured: object) -> tuple[CronScheduler, str]:
    """Return the provider, and what it calls itself."""
    from hermes_cron import plugins
    from hermes_cron.plugins import vetting

    name = vetting.provider_name(configured)
    provider = plugins.load_cron_scheduler(name)
    if provider is None:
        raise vetting.ProviderRefusedError(plugins.why_not_loaded(name))
    own_name = vetting.vet(provider)
    vetting.require_available(provider)
    return provider, own_name


def _fall_back(configured: object, reason: str) -> CronScheduler:
    from hermes_cron import process

    logger.warning("cron.provider '%s': %s; using built-in ticker", configured, reason)
    process.current().fallback = {"configured": str(configured), "reason": reason}
    return InProcessCronScheduler()


def _word(clean: bool) -> str:
    return "clean" if clean else "not clean"


def _say_error(what: str, error: BaseException, *, level: int = logging.ERROR) -> None:
    """Log with traceback; a log handler that raises is the last thing that may end the loop."""
    try:
        logger.log(level, "%s: %s", what, in_a_line(error), exc_info=error)
    except BaseException:
        return
