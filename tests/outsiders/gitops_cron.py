"""A provider as somebody else would write it: jobs are fired by a loop that also tells a dashboard.

It lives in one plain file, knows only the interface, and does what such code does: names imported
one by one, a lock at module level, defaults bound when the file is read, its own HTTP client.
"""

import time
from datetime import datetime, timezone
from threading import Event, Lock

import httpx

from hermes_cron import CronScheduler
from hermes_cron import scheduler as host
from hermes_cron import jobs

_LOCK = Lock()
DASHBOARD = "https://portal.sim/api/agent-cron/list"


def pause(seconds, sleep=time.sleep):
    sleep(seconds)


class GitOpsCron(CronScheduler):
    def __init__(self, clock=datetime.now, stopwatch=time.monotonic, settle_s=0.25):
        self._clock = clock
        self._stopwatch = stopwatch
        self._settle_s = settle_s
        self._woken = Event()
        self._client = httpx.Client(
            timeout=5.0, headers={"Authorization": "Bearer sim-agent-token"}
        )
        self.seen = []

    @property
    def name(self):
        return "gitops"

    def start(self, stop_event, *, adapters=None, loop=None, interval=60):
        jobs.record_ticker_heartbeat()
        while not stop_event.is_set():
            began = self._stopwatch()
            clean = False
            try:
                with _LOCK:
                    pause(self._settle_s)
                    host.tick(verbose=False, adapters=adapters, loop=loop, sync=False)
                clean = True
            except BaseException:
                import logging

                logging.getLogger("gitops").exception("tick failed")
            jobs.record_ticker_heartbeat(success=clean)
            self.seen.append((self._clock(timezone.utc), self._stopwatch() - began))
            self._tell()
            self._woken.wait(0.5)
            stop_event.wait(interval - (self._stopwatch() - began))

    def _tell(self):
        try:
            self._client.get(DASHBOARD).raise_for_status()
        except httpx.HTTPError:
            pass
