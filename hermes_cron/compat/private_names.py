"""The private names of hermes-agent's that its own tests touch, where they mean something here.

They are put on our modules when these are first imported by hermes-agent's paths, and taken back
by `uninstall`. Nothing of ours uses them.
"""

import os
import sys
import time
from collections.abc import Iterator, MutableSet
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

from hermes_cron import clock, paths, process
from hermes_cron.process import Execution
from hermes_cron.store.document import safe_component
from hermes_cron.store.files import make_private_folder

__all__ = ["offer", "withdraw"]

_SHUTDOWN_WAIT_S = 30.0


def offer(module: ModuleType) -> None:
    """Give a module of ours the names that hermes-agent's has besides."""
    for name, value in _NAMES.get(module.__name__, {}).items():
        vars(module).setdefault(name, value)


def withdraw() -> None:
    """Take back what `offer` gave."""
    for home, names in _NAMES.items():
        module = sys.modules.get(home)
        for name, value in names.items():
            if module is not None and vars(module).get(name) is value:
                delattr(module, name)


def _jobs_lock_file() -> Path:
    return paths.current().lock_file("jobs")


def _ensure_aware(dt: datetime) -> datetime:
    """In the configured zone, which is also the one that a naive time is meant in."""
    from hermes_cron import jobs

    zone = jobs._hermes_now().tzinfo  # noqa: SLF001 - hermes-agent's name for the host's clock
    return dt.replace(tzinfo=zone) if dt.tzinfo is None else dt.astimezone(zone)


def _ensure_dirs() -> None:
    make_private_folder(str(paths.current().cron_dir))
    make_private_folder(str(paths.current().output_dir))


def _secure_file(path: Path) -> None:
    with suppress(OSError):
        os.chmod(path, 0o600)  # noqa: PTH101 - the call that hermes-agent's tests watch


def _job_output_dir(job_id: str) -> Path:
    if not safe_component(job_id):
        raise ValueError(f"Invalid cron job id for output path: {job_id!r}")
    return paths.current().output_dir / job_id


class _RunningJobs(MutableSet[str]):
    """The jobs that this process runs; what is added counts as running until it is discarded."""

    def __contains__(self, job_id: object) -> bool:
        return job_id in process.current().running

    def __iter__(self) -> Iterator[str]:
        return iter(list(process.current().running))

    def __len__(self) -> int:
        return len(process.current().running)

    def __repr__(self) -> str:
        return repr(set(self))

    def add(self, value: str) -> None:
        state = process.current()
        with state.lock:
            state.running.setdefault(value, Execution(value, process.new_id()))

    def discard(self, value: str) -> None:
        state = process.current()
        with state.lock:
            state.running.pop(value, None)


def _shutdown_parallel_pool() -> None:
    """Wait for what runs, within reason, and let go of the threads."""
    state = process.current()
    deadline_s = time.monotonic() + _SHUTDOWN_WAIT_S
    while state.running and time.monotonic() < deadline_s:
        clock.sleep(0.01)
    if state.dispatcher is not None:
        state.dispatcher.close()


_NAMES: dict[str, dict[str, Any]] = {
    "hermes_cron.clock": {
        "reset_cache": lambda: None,  # nothing is remembered that could be stale
    },
    "hermes_cron.jobs": {
        "HAS_CRONITER": True,
        "_ensure_aware": _ensure_aware,
        "_job_output_dir": _job_output_dir,
        "_jobs_lock_file": _jobs_lock_file,
        "_secure_file": _secure_file,
        "ensure_dirs": _ensure_dirs,
    },
    "hermes_cron.scheduler": {
        "_running_job_ids": _RunningJobs(),
        "_shutdown_parallel_pool": _shutdown_parallel_pool,
    },
}
