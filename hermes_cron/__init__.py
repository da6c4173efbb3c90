"""Reference cron providers for Hermes Agent and the host that they run in.

A *provider* decides when a due job fires; everything else is the host's. The map:

- `scheduler_provider`: the interface `CronScheduler`, the built-in ticker, the resolver.
- `plugins`: finding other providers; `plugins.chronos`: the one for a managed registry (NAS).
- `jobs`, `scheduler`: the job API, the tick, the one path from a claimed job to its result.
- `schedule`, `clock`: which instant comes next; the one place that reads the time.
- `store`: where jobs are kept, and the rules for keeping them.
- `gateway`, `webhook`, `status`, `cli`: the process around it all.

Start with `scheduler_provider`. The four names below are resolved lazily, so that
`import hermes_cron` costs nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hermes_cron.plugins.chronos import ChronosCronScheduler
    from hermes_cron.scheduler_provider import (
        CronScheduler,
        InProcessCronScheduler,
        resolve_cron_scheduler,
    )

__version__ = "0.1.0"

__all__ = [
    "ChronosCronScheduler",
    "CronScheduler",
    "InProcessCronScheduler",
    "resolve_cron_scheduler",
]

_HOMES = {
    "ChronosCronScheduler": "hermes_cron.plugins.chronos",
    "CronScheduler": "hermes_cron.scheduler_provider",
    "InProcessCronScheduler": "hermes_cron.scheduler_provider",
    "resolve_cron_scheduler": "hermes_cron.scheduler_provider",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its home at first use; it is not cached, so patches show."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
