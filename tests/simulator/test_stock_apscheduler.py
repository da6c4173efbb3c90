"""Proof on code that is not ours: APScheduler 3.11 with its thread scheduler and its pool, unmodified."""

import time
from datetime import UTC, datetime

from apscheduler.schedulers.background import BackgroundScheduler

from simulator.kernel import Kernel
from simulator.kernel.patches import install

START = 1_772_000_000_000_000


def test_a_job_of_60_seconds_fires_60_times_in_an_hour():
    fires = []

    def main():
        scheduler = BackgroundScheduler(timezone="UTC")
        scheduler.add_job(lambda: fires.append(datetime.now(UTC)), "interval", seconds=60)
        scheduler.start()
        time.sleep(3600.5)
        scheduler.shutdown()

    kernel = Kernel(start_us=START)
    with install(kernel, adopt=[main]):
        kernel.spawn(main, name="main", machine=kernel.boot("a"))
        assert kernel.run(START + 7_200_000_000) == "idle"
    assert [(at.timestamp() - START / 1e6) for at in fires] == [60 * n for n in range(1, 61)]
    assert kernel.tasks == {}
