"""Where jobs are kept, and what is known about them.

    errors.py         what a store says when it cannot
    document.py       the jobs file as a value: parse, look, write; pure
    edit.py           one transaction as a value; pure
    base.py           the JobStore protocol and its rules. Start here.
    json_file.py      hermes-agent's jobs.json, the store in effect
    files.py, locks.py, execution_log.py    what json_file.py is made of

Host code asks `store.current_store()` at each call, so that tests and the simulator can put another
store in its place.
"""

from hermes_cron import config, paths, process
from hermes_cron.store.base import EXECUTIONS_KEPT, LOCK_TIMEOUT_S, OUTPUTS_KEPT, JobStore
from hermes_cron.store.document import BrokenRecord, Document, parse, safe_component, serialize
from hermes_cron.store.edit import Edit
from hermes_cron.store.errors import StoreBusy, StoreError, StoreUnreadable, StoreWriteFailed
from hermes_cron.store.json_file import JsonFileStore

__all__ = [
    "EXECUTIONS_KEPT",
    "LOCK_TIMEOUT_S",
    "OUTPUTS_KEPT",
    "BrokenRecord",
    "Document",
    "Edit",
    "JobStore",
    "JsonFileStore",
    "StoreBusy",
    "StoreError",
    "StoreUnreadable",
    "StoreWriteFailed",
    "current_store",
    "parse",
    "safe_component",
    "serialize",
]

_SLOT = "hermes_cron.store"


def current_store() -> JobStore:
    """The store of this process: the files of the home in effect at each call."""
    slots = process.current().slots
    found: JobStore | None = slots.get(_SLOT)
    if found is None:
        fresh: JobStore = JsonFileStore(
            lambda: paths.current(),  # noqa: PLW0108 as it is then
            outputs_kept=_outputs_kept,
        )
        # Of two threads that get here at once, both use the same locks.
        found = slots.setdefault(_SLOT, fresh)
    return found


def _outputs_kept() -> int:
    """`cron.output_retention`; the default where that is no whole number, 1 or more."""
    wanted = config.cfg_get(config.load_config(), "cron", "output_retention")
    usable = isinstance(wanted, int) and not isinstance(wanted, bool) and wanted > 0
    return wanted if usable else OUTPUTS_KEPT
