"""Providers with one mistake each, as plain as they can be, for exploration to find."""

import logging
import time

from hermes_cron import jobs, scheduler
from hermes_cron.plugins.chronos import ChronosCronScheduler
from hermes_cron.scheduler_provider import CronScheduler

logger = logging.getLogger(__name__)


class CatchesExceptions(CronScheduler):
    """A loop as most people write it: SystemExit ends it."""

    @property
    def name(self):
        return "catches-exceptions"

    def start(self, stop_event, *, adapters=None, loop=None, interval=60):
        while not stop_event.is_set():
            jobs.record_ticker_heartbeat(success=False)
            try:
                scheduler.tick(verbose=False, adapters=adapters, loop=loop, sync=False)
                jobs.record_ticker_heartbeat(success=True)
            except Exception:
                logger.exception("tick")
            stop_event.wait(interval)


class RunsWhateverComes(ChronosCronScheduler):
    """Fires what is delivered without a claim."""

    @property
    def name(self):
        return "runs-whatever-comes"

    def fire_due(self, job_id, *, adapters=None, loop=None):
        job = jobs.get_job(job_id)
        if job is None or not job.get("enabled", True):
            return False
        scheduler.run_one_job(job, adapters=adapters, loop=loop)
        self.on_jobs_changed()
        return True


class DiesAtTheSecond(CatchesExceptions):
    """Survives one SystemExit, and not two."""

    @property
    def name(self):
        return "dies-at-the-second"

    def start(self, stop_event, *, adapters=None, loop=None, interval=60):
        try:
            super().start(stop_event, adapters=adapters, loop=loop, interval=interval)
        except SystemExit:
            logger.exception("once more")
            super().start(stop_event, adapters=adapters, loop=loop, interval=interval)


class LeavesWhenHeld(CatchesExceptions):
    """A loop with a race: when something else goes first at the wrong place, it stops ticking."""

    @property
    def name(self):
        return "leaves-when-held"

    def start(self, stop_event, *, adapters=None, loop=None, interval=60):
        while not stop_event.is_set():
            jobs.record_ticker_heartbeat(success=False)
            scheduler.tick(verbose=False, adapters=adapters, loop=loop, sync=False)
            jobs.record_ticker_heartbeat(success=True)
            before = time.monotonic()
            time.sleep(0)
            stop_event.wait(interval if time.monotonic() - before < 5 else None)


class LeavesAtOnce(CatchesExceptions):
    """No loop at all."""

    @property
    def name(self):
        return "leaves-at-once"

    def start(self, stop_event, *, adapters=None, loop=None, interval=60):
        return
