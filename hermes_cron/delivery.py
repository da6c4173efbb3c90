"""Bringing a result to somebody.

Deliverers are pluggable: the entry-point group `hermes_cron.deliverers` names callables
`deliver(job, text, *, target, adapters, loop) -> str | None` (what went wrong, or None), found by
the first part of the job's `deliver` (`telegram` of `telegram:12345`). What is "local" is kept in
the output folder, and that is all.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any

from hermes_cron.raised import describe

__all__ = ["GROUP", "deliver", "is_silence"]

logger = logging.getLogger(__name__)

GROUP = "hermes_cron.deliverers"
_SILENT = frozenset({"[SILENT]", "SILENT", "NO_REPLY", "NO REPLY"})


def is_silence(text: str) -> bool:
    """Whether an answer asks not to be delivered.

    It does when it is a mark of silence, begins with `[SILENT]`, or has a mark alone on its first
    or last line. A mark inside a sentence is text.
    """
    lines = [" ".join(line.upper().split()) for line in text.splitlines() if line.strip()]
    if not lines:
        return False
    return lines[0] in _SILENT or lines[-1] in _SILENT or lines[0].startswith("[SILENT]")


def deliver(
    job: Mapping[str, Any], text: str, *, adapters: Any = None, loop: Any = None
) -> str | None:
    """Deliver to each target of the job, separated by commas.

    Returns:
        What went wrong with which target, or None.
    """
    wanted = job.get("deliver")
    targets = wanted.split(",") if isinstance(wanted, str) else list(wanted or ["local"])
    errors = [
        error
        for target in (str(target).strip() for target in targets)
        if target and target != "local"
        if (error := _to_target(job, text, target, adapters, loop)) is not None
    ]
    return "; ".join(errors) or None


def _to_target(
    job: Mapping[str, Any], text: str, target: str, adapters: Any, loop: Any
) -> str | None:
    if target == "origin" and not job.get("origin"):
        return None  # made from the command line: where it was asked for is here
    name = target.partition(":")[0]
    try:
        points = sorted(entry_points(group=GROUP, name=name), key=lambda point: point.value)
        if not points:
            return (
                f"nothing delivers to '{target}': install a package that offers '{name}' in the"
                f" entry-point group '{GROUP}', or use deliver=local"
            )
        said = points[0].load()(job, text, target=target, adapters=adapters, loop=loop)
    except Exception as error:  # a messenger that is down is no failure of the run
        logger.exception(
            "delivery of job '%s' to '%s' failed",
            job.get("id"),
            target,
            extra={"job_id": job.get("id"), "occurrence": None},
        )
        return f"delivery to '{target}' failed: {describe(error)}"
    return None if said is None else f"delivery to '{target}' failed: {said}"
