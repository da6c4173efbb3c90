"""The system's local zone of a run, set in the C library from the tzdata package."""

from __future__ import annotations

import importlib.resources
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

__all__ = ["local_zone"]


@cache
def _rule(zone: str) -> str:
    """What the C library is told: the wheel's file, not the machine's own zone database."""
    if zone == "UTC":
        return "UTC0"
    package, _, name = f"tzdata.zoneinfo/{zone}".replace("/", ".").rpartition(".")
    try:
        file = importlib.resources.files(package).joinpath(name)
    except ModuleNotFoundError:
        file = importlib.resources.files("tzdata.zoneinfo").joinpath(zone)
    if not file.is_file():
        raise ValueError(f"no zone is called {zone!r}; use an IANA name such as Europe/Berlin")
    return f":{file}"


@contextmanager
def local_zone(zone: str) -> Iterator[None]:
    """`localtime`, naive `timestamp()`, `astimezone()` and `fold` follow `zone`; `TZ` names it."""
    rule = _rule(zone)
    before = os.environ.get("TZ")
    os.environ["TZ"] = zone
    os.putenv("TZ", rule)
    time.tzset()
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("TZ", None)
        else:
            os.environ["TZ"] = before
        time.tzset()
