"""The built-in, saying hello on the way: written against the first release of the interface."""

import logging

from cron.scheduler_provider import InProcessCronScheduler

log = logging.getLogger("chatty")


class ChattyCron(InProcessCronScheduler):
    @property
    def name(self):
        return "chatty"

    # Before can_dispatch and whatever else later hosts hand over.
    def start(self, stop_event, *, adapters=None, loop=None, interval=60):
        log.info("cron is up, looking every %s s", interval)
        super().start(stop_event, adapters=adapters, loop=loop, interval=interval)
        log.info("cron is down")
