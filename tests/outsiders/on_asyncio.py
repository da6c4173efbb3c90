"""A loop on asyncio: ticks on a worker thread, rests that end when somebody sets the event."""

import asyncio
import logging

from hermes_cron import CronScheduler, jobs, scheduler

log = logging.getLogger("on_asyncio")


class AsyncioCron(CronScheduler):
    @property
    def name(self):
        return "asyncio-cron"

    def start(self, stop_event, *, adapters=None, loop=None, interval=60):
        asyncio.run(self._main(stop_event, adapters, loop, interval))

    async def _main(self, stop_event, adapters, loop, interval):
        await self._quietly(self.recover_interrupted)
        await self._quietly(jobs.record_ticker_heartbeat)
        clock = asyncio.get_running_loop().time
        while not stop_event.is_set():
            next_look = clock() + interval
            clean = await self._quietly(
                scheduler.tick, verbose=False, adapters=adapters, loop=loop, sync=False
            )
            await self._quietly(jobs.record_ticker_heartbeat, success=clean)
            await self._quietly(stop_event.wait, timeout=max(0.0, next_look - clock()))

    async def _quietly(self, function, **kwargs):
        """On a worker: what it raises is logged and kept away from the event loop."""

        def call():
            try:
                function(**kwargs)
            except BaseException:
                log.exception("%s failed", function.__name__)
                return False
            return True

        return await asyncio.to_thread(call)
