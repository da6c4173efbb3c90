"""hermes-agent's `gateway.run`: the old way to run the built-in, which its callers still use."""

import threading
from typing import Any

from hermes_cron import scheduler_provider

__all__: list[str] = []


def _start_cron_ticker(
    stop_event: threading.Event, adapters: Any = None, loop: Any = None, interval: int = 60
) -> None:
    """Tick until `stop_event` is set, whatever provider is configured; blocks."""
    builtin = scheduler_provider.InProcessCronScheduler()
    builtin.start(stop_event, adapters=adapters, loop=loop, interval=interval)
