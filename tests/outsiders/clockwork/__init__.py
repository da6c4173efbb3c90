"""A plugin folder for hermes-agent: its import paths, and a relative import of its own."""

import logging

from cron.scheduler_provider import CronScheduler

from .face import NAME

logger = logging.getLogger(__name__)


class Clockwork(CronScheduler):
    @property
    def name(self):
        return NAME

    def start(self, stop_event, *, adapters=None, loop=None, interval=60):
        from cron.scheduler import tick

        self.beat(success=False)
        while not stop_event.is_set():
            try:
                tick(verbose=False, adapters=adapters, loop=loop, sync=False)
                clean = True
            except BaseException as error:
                logger.error("tick failed: %s", error, exc_info=True)
                clean = False
            self.beat(success=clean)
            stop_event.wait(interval)

    def beat(self, success):
        from cron.jobs import record_ticker_heartbeat

        try:
            record_ticker_heartbeat(success=success)
        except OSError as error:
            logger.warning("no heartbeat: %s", error)


def register(ctx):
    ctx.register_cron_scheduler(Clockwork())
