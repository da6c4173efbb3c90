"""What a job store is: the rules that every store keeps, whatever it is made of."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from hermes_cron.store.document import Document
from hermes_cron.store.edit import Edit

__all__ = ["EXECUTIONS_KEPT", "LOCK_TIMEOUT_S", "OUTPUTS_KEPT", "JobStore"]

EXECUTIONS_KEPT = 5000
"""How many execution records a store keeps: the newest."""

OUTPUTS_KEPT = 50
"""How many outputs of each job a store keeps: the newest."""

LOCK_TIMEOUT_S = 10.0
"""How long an edit waits for the lock, unless the store is told otherwise."""


class JobStore(Protocol):
    """Jobs, the evidence about them, and the locks between those who share them.

    **Old or new.** A reader sees the jobs as they were before a write or after it, whatever step
    the writer is killed at. A write that fails raises `StoreWriteFailed`, leaves the old state and
    no temporary file; what a killed writer left is swept by a later one.

    **No lost update.** `edit` is the one way to change jobs: an exclusive read-modify-write between
    threads and processes. Its wait is bounded by `lock_timeout_s`, then it raises `StoreBusy`.
    Nothing is ever written without the lock.

    **Nothing is emptied.** Jobs that cannot be read raise `StoreUnreadable`, in `read` and in
    `edit`, and are never written over. A missing jobs file is an empty document only where there
    never was one. A broken record is reported in `Document.broken` and stays where it is.

    **One component.** Names of signals, locks, outputs and job ids are single safe path components;
    others raise `ValueError`.
    """

    lock_timeout_s: float

    def read(self) -> Document:
        """The jobs now. The same object as before when nothing changed, without reading again.

        It changes nothing, takes no lock and is safe while others write.

        Raises:
            StoreUnreadable: there is no telling what the jobs are.
        """
        ...

    def edit(self) -> AbstractContextManager[Edit]:
        """Change jobs: one write when the block ends and something changed, none otherwise.

        An exception that leaves the block discards the edit. An edit inside an edit of the same
        thread raises `StoreBusy` at once.

        Raises:
            StoreBusy: somebody else holds the lock for longer than `lock_timeout_s`.
            StoreUnreadable: see `read`; a copy of what is there is kept aside.
            StoreWriteFailed: the write failed and the old state stands.
        """
        ...

    def keep_aside(self) -> str | None:
        """Copy a corrupt jobs file beside itself, once for each content.

        Returns:
            The name of the copy, or None when the jobs file is readable, absent or not copyable.
        """
        ...

    def write_signal(self, name: str, text: str) -> None:
        """Replace a small piece of evidence atomically. Not synced: evidence of the living.

        Raises:
            StoreWriteFailed: (an `OSError`) the old text stands and no temporary file is left.
        """
        ...

    def read_signal(self, name: str) -> str | None:
        """The text of a signal, None when there is none.

        Raises:
            OSError: it is there and cannot be read.
        """
        ...

    def signals(self) -> list[str]:
        """The names of the signals that are there, sorted."""
        ...

    def remove_signal(self, name: str) -> None:
        """Remove a signal; one that is not there is fine."""
        ...

    def append_executions(self, records: Sequence[Mapping[str, Any]]) -> bool:
        """Add execution records, the newest `EXECUTIONS_KEPT` of which are kept.

        They are a trace and nothing may stop because of it: a broken file is kept aside and a new
        one started, a write that fails is logged at ERROR with the records.

        Returns:
            Whether they were added: all of them or none.
        """
        ...

    def executions(
        self, job_id: str | None = None, *, ids: Collection[str] | None = None
    ) -> list[dict[str, Any]]:
        """The execution records, oldest first, of one job (`job_id` in the record) or of all.

        With `ids` only those of these executions (`id` in the record). What cannot be read is left
        out and logged.
        """
        ...

    def save_output(self, job_id: str, stamp: str, text: str) -> str:
        """Keep the output of one run; the newest `OUTPUTS_KEPT` of each job stay.

        Args:
            job_id: the job.
            stamp: a time that sorts as text, `2026-03-02_09-00-00`. A second output of the same
                stamp gets a name that sorts after it.
            text: the output.

        Returns:
            A path-like name that ends in `<job id>/<name>.md`.

        Raises:
            StoreWriteFailed: nothing was kept.
        """
        ...

    def outputs(self, job_id: str) -> list[str]:
        """The names that `save_output` gave for the outputs that are still there, oldest first."""
        ...

    def lock(self, name: str, *, timeout_s: float) -> AbstractContextManager[None]:
        """Hold a named lock, between threads and processes. Gone when its holder dies.

        Raises:
            StoreBusy: it could not be had within `timeout_s`, or this thread holds it already.
        """
        ...
