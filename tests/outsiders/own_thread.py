"""A loop on a thread of its own, which whoever is bored can nudge; start waits for it."""

import logging
import queue
import threading
import time

from hermes_cron import CronScheduler
from hermes_cron.jobs import record_ticker_heartbeat
from hermes_cron import scheduler

log = logging.getLogger("own_thread")


class OwnThreadCron(CronScheduler):
    name = "own-thread"

    def __init__(self):
        self._nudges = queue.Queue()
        self._thread = None

    def start(self, stop_event, *, adapters=None, loop=None, interval=60):
        self._recover()
        self._thread = threading.Thread(
            target=self._work, args=(stop_event, adapters, loop, interval), name="own-cron"
        )
        self._thread.start()
        while self._thread.is_alive():
            try:
                if stop_event.wait(1.0 if self._thread.is_alive() else 0):
                    break
            except BaseException:
                log.exception("the wait failed")
        self._nudges.put("leave")
        self._thread.join(timeout=10)

    def _recover(self):
        try:
            self.recover_interrupted()
        except BaseException:
            log.exception("recovery failed; going on")

    def on_jobs_changed(self):
        self._nudges.put("changed")

    def _work(self, stop_event, adapters, loop, interval):
        self._beat(False)
        while not stop_event.is_set():
            next_look = time.monotonic() + interval
            clean = False
            try:
                scheduler.tick(verbose=False, adapters=adapters, loop=loop, sync=False)
                clean = True
            except BaseException:
                log.exception("tick failed")
            self._beat(clean)
            self._rest(next_look - time.monotonic())

    def _rest(self, seconds):
        try:
            self._nudges.get(timeout=max(0.0, seconds))
        except queue.Empty:
            pass

    def _beat(self, success):
        try:
            record_ticker_heartbeat(success=success)
        except BaseException:
            log.warning("no heartbeat", exc_info=True)
