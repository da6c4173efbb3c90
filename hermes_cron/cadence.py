"""When a loop ticks next: on a grid, without drift and without bursts."""

import logging
import threading

from hermes_cron import clock

__all__ = ["next_slot", "wait_without_event"]

logger = logging.getLogger("cron.scheduler_provider")

# Lateness that is not worth a correction: the plain `wait(interval)` is the contract, and a tick of
# a few milliseconds must not turn it into 59.997 s. What adds up beyond this is taken off one wait.
_TOLERANCE_S = 0.05

# How often a loop looks at a stop event whose `wait` is broken.
_BROKEN_WAIT_STEP_S = 0.5


def next_slot(due_s: float, now_s: float, interval: float) -> tuple[float, float]:
    """Return when the next tick is due (monotonic seconds) and how long to wait for it.

    `due_s` is when the tick that just ended had been due.
    """
    if interval <= 0:
        return now_s, interval
    next_s = due_s + interval
    if next_s <= now_s:  # the tick took longer than its slot
        next_s += ((now_s - next_s) // interval + 1) * interval
    pause_s = next_s - now_s
    # Longer than the interval when the clock went back or stands still.
    return next_s, interval if interval - pause_s < _TOLERANCE_S else pause_s


def wait_without_event(stop_event: threading.Event, pause_s: float) -> None:
    """Wait as long as the broken `wait` should have, never so briefly that the loop spins."""
    left_s = max(pause_s, _BROKEN_WAIT_STEP_S)
    while left_s > 0 and not stop_event.is_set():
        step_s = min(left_s, _BROKEN_WAIT_STEP_S)
        try:
            clock.sleep(step_s)
        except BaseException:  # a pause that fails too is left to the next round of the loop
            logger.exception("Cron ticker pause failed")
            return
        left_s -= step_s
