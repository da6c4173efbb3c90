"""The one place that reads time.

The functions look `time.time` and its like up at the time of the call, so that a clock that was put
in their place is the one that is read.
"""

from __future__ import annotations

import logging
import os
import time
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from hermes_cron import config

__all__ = ["epoch", "monotonic", "now", "sleep", "zone"]

logger = logging.getLogger(__name__)


def epoch() -> float:
    """Seconds since 1970 by the wall clock, which may be stepped."""
    return time.time()


def monotonic() -> float:
    """Seconds since some start; never goes back. For durations only."""
    return time.monotonic()


def sleep(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)


def now() -> datetime:
    """The wall clock, aware, in the configured zone."""
    return datetime.fromtimestamp(time.time(), zone())


def zone() -> ZoneInfo:
    """The zone in which schedules are meant: `$HERMES_TIMEZONE`, `timezone:`, else the system's.

    A name that is no zone is logged once as an error and the system's zone is in effect.
    """
    name = os.environ.get("HERMES_TIMEZONE", "").strip()
    if not name:
        configured = config.load_config().get("timezone")
        name = str(configured).strip() if configured else ""
    return _named(name) if name else _system(os.environ.get("TZ", ""))


@lru_cache(maxsize=32)
def _named(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    # ZoneInfo raises KeyError, ValueError or OSError, according to what is wrong with the name.
    except (KeyError, ValueError, OSError) as error:
        logger.error(  # noqa: TRY400 - the reason is in the message, the traceback is zoneinfo's
            "timezone %r is no zone of the tz database (%s): wall times are taken in the system's"
            " zone until it is mended, for example 'Europe/Berlin'",
            name,
            error,
        )
        return _system(os.environ.get("TZ", ""))


@lru_cache(maxsize=8)
def _system(variable: str) -> ZoneInfo:
    """The system's zone: `$TZ`, else what /etc/localtime names, else UTC."""
    localtime = Path("/etc/localtime")
    _, _, linked = str(localtime.resolve()).partition("zoneinfo/")
    for name in (variable.removeprefix(":"), linked):
        try:
            if name:
                return ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            continue
    try:
        with localtime.open("rb") as file:
            return ZoneInfo.from_file(file, key="localtime")
    except (OSError, ValueError):
        return ZoneInfo("UTC")
