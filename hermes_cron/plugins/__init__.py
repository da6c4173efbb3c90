"""Finding and loading cron providers other than the built-in.

Three sources, the first that has the name wins: bundled ones (the folders beside this file),
`$HERMES_HOME/plugins/<name>/`, and the entry-point group `hermes_cron.providers`. The built-in is
not among them: it is core, so that it can neither be removed nor replaced.

`loading` imports and builds, `vetting` says what may pass for a provider.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from hermes_cron.plugins import loading, vetting

if TYPE_CHECKING:
    from hermes_cron.scheduler_provider import CronScheduler

__all__ = ["discover_cron_schedulers", "find_provider_dir", "load_cron_scheduler"]


def discover_cron_schedulers() -> list[tuple[str, str, bool]]:
    """List every provider that could be configured: (name, description, is available).

    Each one is loaded and asked; one that cannot be is listed as not available. Never raises.
    """
    found: list[tuple[str, str, bool]] = []
    for source in loading.sources():
        try:
            provider = loading.load(source)
            vetting.vet(provider)
            vetting.require_available(provider)
            available = True
        except vetting.ProviderRefusedError:
            available = False
        found.append((source.name, loading.description(source), available))
    return found


def find_provider_dir(name: str) -> Path | None:
    """Return the folder of the bundled or installed provider of that name, if there is one."""
    source = loading.find(name)
    return source.folder if source is not None else None


def load_cron_scheduler(name: str) -> "CronScheduler | None":
    """Return a new instance of the provider of that name; None when there is none to be had.

    Why there is none is a warning in the log, and kept for `why_not_loaded`.
    """
    from hermes_cron import process

    reasons = process.current().slots.setdefault("plugins.refused", {})
    try:
        provider: CronScheduler = loading.load(loading.need(name))
    except vetting.ProviderRefusedError as error:
        reasons[name] = str(error)
        loading.logger.warning("Cron provider %r cannot be loaded: %s", name, error)
        return None
    reasons.pop(name, None)
    return provider


def why_not_loaded(name: str) -> str:
    """Say why the last `load_cron_scheduler(name)` of this process gave None."""
    from hermes_cron import process

    reason = process.current().slots.get("plugins.refused", {}).get(name)
    return reason if isinstance(reason, str) else "not found"
