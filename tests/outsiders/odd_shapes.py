"""Loops as people write them: timers, schedulers, queues, coroutines, select. None is our own."""

import asyncio
import queue
import sched
import select
import threading
import time
from datetime import datetime, timedelta, timezone
from time import monotonic

import httpx

from hermes_cron import CronScheduler, jobs
from hermes_cron import scheduler as host


class Stamp(datetime):
    pass


class Loop(CronScheduler):
    def __init__(self):
        self.seen = []

    @property
    def name(self):
        return "odd-" + type(self).__name__.lower()

    def tick(self, adapters=None, loop=None):
        self.seen.append(Stamp.now(timezone.utc))
        clean = False
        try:
            host.tick(verbose=False, adapters=adapters, loop=loop, sync=False)
            clean = True
        finally:
            jobs.record_ticker_heartbeat(success=clean)

    def start(self, stop_event, *, adapters=None, loop=None, interval=60):
        jobs.record_ticker_heartbeat()
        self.go(stop_event, interval, lambda: self.tick(adapters, loop))


class Coroutines(Loop):
    def go(self, stop_event, interval, tick):
        async def main():
            due, loop = asyncio.Queue(), asyncio.get_running_loop()

            def again():
                due.put_nowait(None)
                loop.call_later(interval, again)

            again()
            while not stop_event.is_set():
                try:
                    async with asyncio.timeout(1):
                        await due.get()
                except TimeoutError:
                    continue
                await asyncio.to_thread(tick)

        asyncio.run(main())


class AsyncClient(Loop):
    def go(self, stop_event, interval, tick):
        async def main():
            headers = {"Authorization": "Bearer sim-agent-token"}
            async with httpx.AsyncClient(headers=headers) as client:
                while not stop_event.is_set():
                    answer = await client.get("https://portal.sim/api/agent-cron/list")
                    answer.raise_for_status()
                    await asyncio.to_thread(tick)
                    await asyncio.to_thread(stop_event.wait, interval)

        asyncio.run(main())


class Timers(Loop):
    def go(self, stop_event, interval, tick):
        def once():
            tick()
            if not stop_event.is_set():
                timer = threading.Timer(interval, once)
                timer.daemon = True
                timer.start()

        once()
        stop_event.wait()


class Sched(Loop):
    def go(self, stop_event, interval, tick):
        agenda = sched.scheduler(time.monotonic, stop_event.wait)

        def once():
            if not stop_event.is_set():
                tick()
                agenda.enter(interval, 1, once)

        once()
        while not stop_event.is_set():
            agenda.run(blocking=False)
            stop_event.wait(1)


class Worker(Loop):
    def go(self, stop_event, interval, tick):
        work = queue.PriorityQueue()

        def serve():
            while work.get()[0] >= 0:
                tick()
                work.task_done()

        thread = threading.Thread(target=serve)
        thread.start()
        nth = 0
        while not stop_event.wait(interval if nth else 0):
            nth += 1
            work.put((nth, Stamp.now(timezone.utc)))
        work.put((-1, None))
        thread.join()


class LoopThread(Loop):
    def go(self, stop_event, interval, tick):
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()

        async def once():
            await loop.run_in_executor(None, tick)

        while not stop_event.is_set():
            asyncio.run_coroutine_threadsafe(once(), loop).result(30)
            stop_event.wait(interval)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class Select(Loop):
    def go(self, stop_event, interval, tick):
        while not stop_event.is_set():
            tick()
            until = monotonic() + interval
            while monotonic() < until and not stop_event.is_set():
                select.select([], [], [], 1)


class Naive(Loop):
    def go(self, stop_event, interval, tick):
        due = datetime.now()
        while not stop_event.is_set():
            left = (due - datetime.now()).total_seconds()
            if left <= 0:
                tick()
                due = datetime.now() + timedelta(seconds=interval)
            else:
                stop_event.wait(min(left, 5))


class Notified(Loop):
    def go(self, stop_event, interval, tick):
        changed, wanted = threading.Condition(), []

        def serve():
            while True:
                with changed:
                    changed.wait_for(lambda: wanted)
                    wanted.clear()
                tick()

        threading.Thread(target=serve, daemon=True).start()
        while not stop_event.is_set():
            with changed:
                wanted.append(None)
                changed.notify()
            stop_event.wait(interval)
