"""The job store in memory: the same promises as the real one, and a fault at every step.

It shares with the real store what is a pure value (the document and the edit), and nothing that
locks, writes or keeps. `tests/test_store_contract.py` holds the two against each other.
"""

import errno
import json
import logging
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, Final

from hermes_cron.store import (
    LOCK_TIMEOUT_S,
    Document,
    Edit,
    JobStore,
    StoreBusy,
    StoreError,
    StoreUnreadable,
    StoreWriteFailed,
    safe_component,
)
from simulator.volume import Volume

__all__ = ["FakeStore", "Record", "Seam", "Wait"]

logger = logging.getLogger(__name__)

_JOBS: Final = "jobs.json"
_PLAIN: Final = frozenset({str, int, bool, type(None)})
_REASONS: Final = {
    errno.ENOSPC: "no_space",
    errno.EDQUOT: "no_space",
    errno.EFBIG: "no_space",
    errno.EACCES: "permission",
    errno.EPERM: "permission",
    errno.EROFS: "permission",
    errno.EMFILE: "too_many_files",
    errno.ENFILE: "too_many_files",
}


Seam = Callable[..., object]
"""Called as `seam(name, **context)` before each step that can go wrong: "store.read",
"store.lock" {lock}, "store.write", "store.sync", "store.replace" and "store.committed" {changes},
"store.signal" {signal}, "store.execution" {records}, "store.output" {job}.

An `OSError` that it raises is that step's failure, and the store says what the real one would say.
A `BaseException` that is no `Exception` is a crash at that step: nothing after it happens. At
"store.replace" the old state stands, at "store.committed" the new one. What it returns counts at
"store.read" only: "stale" gives a reader who holds no lock the state before the last write.
"""

Record = Callable[..., object]
"""Called as `record(kind, **data)` with what happened: "store.commit" {changes, by},
"store.refused" {step, reason, by}, "signal" {name, content: None when removed}, "execution"
{records}, "output" {job, stamp}. The records in them are never changed afterwards.
"""

Wait = Callable[[Callable[[], bool], float], bool]
"""Called as `wait(take, timeout_s)` to wait for a lock: calls `take` now and then until it returns
True (the lock is then had), for at most `timeout_s`. Returns whether it did.
"""


class FakeStore:
    """One gateway's handle on a `Volume`. A `hermes_cron.store.JobStore`.

    Args:
        volume: the disk; gateways that share one share their jobs.
        name: who this is, in the history.
        seam: see `Seam`.
        record: see `Record`.
        told: called as `told(name, content)` in the place of `record` for a "signal": three of
            them come at each tick.
        clock: epoch seconds, for `updated_at`.
        wait: see `Wait`; without one a held lock is `StoreBusy` at once.
        task: who is asking, to tell a lock that the asker holds itself; the thread by default.
        lock_timeout_s: how long an edit waits for the lock.
    """

    def __init__(
        self,
        volume: Volume | None = None,
        *,
        name: str = "store",
        seam: Seam | None = None,
        record: Record | None = None,
        told: Callable[[str, str | None], object] | None = None,
        clock: Callable[[], float] = lambda: 0.0,
        wait: Wait | None = None,
        task: Callable[[], object] | None = None,
        lock_timeout_s: float = LOCK_TIMEOUT_S,
    ) -> None:
        self.volume = Volume() if volume is None else volume
        self.name = name
        self.lock_timeout_s = lock_timeout_s
        self.dead = False
        self._seam = seam or _passed
        self._record = record
        self._told = told or self._tell
        self._clock = clock
        self._wait = wait
        self._task = task
        self._seen = False
        self._empty = Document(version="none")

    def die(self) -> None:
        """The process is gone: its locks are free, and who still uses this handle is refused."""
        self.dead = True
        for name, (holder, _) in list(self.volume.locks.items()):
            if holder is self:
                self.volume.free(name)

    def read(self) -> Document:
        """See `JobStore.read`."""
        return self._read(fresh=False)

    def _read(self, *, fresh: bool) -> Document:
        try:
            stale = self._seam("store.read") == "stale"
        except OSError as error:
            raise self._cannot_read(error) from error
        document = self.volume.document
        if stale and not fresh and self.volume.document_before is not None:
            document = self.volume.document_before
        if document is None or self.dead:
            return self._read_with_care()
        self._seen = True
        return document

    def edit(self) -> AbstractContextManager[Edit]:
        """See `JobStore.edit`."""
        return _Editing(self)

    def read_to_edit(self) -> Document:
        """The jobs for an edit, which holds the lock."""
        try:
            return self._read(fresh=True)
        except StoreUnreadable:
            self.keep_aside()
            raise

    def keep_aside(self) -> str | None:
        """See `JobStore.keep_aside`."""
        return self.volume.keep_aside(_JOBS)

    def write_signal(self, name: str, text: str) -> None:
        """See `JobStore.write_signal`."""
        volume = self.volume
        if name not in volume.signals:  # what is there has a name that was looked at
            _component(name, "signal")
        if self.dead:
            self._alive()
        try:
            self._seam("store.signal", signal=name)
            if volume.forbidden:
                volume.check("write")
        except OSError as error:
            raise self._cannot_write(error, "write", name) from error
        volume.signals[name] = text
        self._told(name, text)

    def read_signal(self, name: str) -> str | None:
        """See `JobStore.read_signal`."""
        return self.volume.signals.get(_component(name, "signal"))

    def signals(self) -> list[str]:
        """See `JobStore.signals`."""
        return sorted(self.volume.signals)

    def remove_signal(self, name: str) -> None:
        """See `JobStore.remove_signal`."""
        gone = self.volume.signals.pop(_component(name, "signal"), None)
        if gone is not None:
            self._told(name, None)

    def _tell(self, name: str, content: str | None) -> None:
        if self._record is not None:
            self._record("signal", name=name, content=content)

    def append_executions(self, records: Sequence[Mapping[str, Any]]) -> bool:
        """See `JobStore.append_executions`."""
        if not records:
            return True
        try:
            stored = [_as_json(record) for record in records]
            with _Held(self, "executions", self.lock_timeout_s):
                self._writable("store.execution", "executions", records=stored)
                self.volume.append(stored)
        except (StoreError, TypeError) as error:
            logger.error("execution records could not be written: %s: %s", error, list(records))  # noqa: TRY400 the message says it all
            return False
        if self._record is not None:
            self._record("execution", records=stored)
        return True

    def executions(
        self, job_id: str | None = None, *, ids: Collection[str] | None = None
    ) -> list[dict[str, Any]]:
        """See `JobStore.executions`."""
        found = self.volume.records if ids is None else self.volume.records_of(ids)
        return [dict(one) for one in found if job_id is None or one.get("job_id") == job_id]

    def save_output(self, job_id: str, stamp: str, text: str) -> str:
        """See `JobStore.save_output`."""
        _component(stamp, "stamp")
        self._writable("store.output", _component(job_id, "job id"), job=job_id)
        name = self.volume.keep_output(job_id, stamp, text)
        if self._record is not None:
            self._record("output", job=job_id, stamp=stamp)
        return f"output/{job_id}/{name}"

    def outputs(self, job_id: str) -> list[str]:
        """See `JobStore.outputs`."""
        kept = self.volume.outputs.get(_component(job_id, "job id"), {})
        return [f"output/{job_id}/{name}" for name in kept]

    def lock(self, name: str, *, timeout_s: float) -> AbstractContextManager[None]:
        """See `JobStore.lock`."""
        return _Held(self, _component(name, "lock"), timeout_s)

    def take(self, name: str, timeout_s: float) -> object:
        """Get the lock, waiting for it; what stands for the hold in `Volume.locks`."""
        self._alive()
        try:
            self._seam("store.lock", lock=name)
            self.volume.check("lock")
        except OSError as error:
            raise self._cannot_write(error, "lock", name) from error
        locks = self.volume.locks
        mine = (self, self._task() if self._task is not None else threading.get_ident())

        def take() -> bool:
            return locks.setdefault(name, mine) is mine

        if locks.get(name) == mine:
            busy = f"this task holds the lock {name!r} already"
            raise self._refused(StoreBusy(busy), "lock")
        if not take() and (self._wait is None or not self._wait(take, timeout_s)):
            holder = getattr(locks[name][0], "name", locks[name][0])
            message = f"{holder} has held the lock {name!r} for more than {timeout_s:g} s"
            raise self._refused(StoreBusy(f"{message}, so nothing was done"), "lock")
        return mine

    def commit(self, document: Document, changes: Sequence[tuple[str | None, Any]]) -> None:
        """Write what an edit came to; it holds the lock."""
        self._alive()
        listed = [list(change) for change in changes]
        step = "write"
        # What killed writers left is swept first, then there is a temporary file of ours.
        self.volume.temporaries = 1
        try:
            self._seam("store.write", changes=listed)
            self.volume.check("write")
            step = "sync"
            self._seam("store.sync", changes=listed)
            step = "replace"
            self._seam("store.replace", changes=listed)
        except OSError as error:
            self.volume.temporaries = 0
            raise self._cannot_write(error, step, _JOBS) from error
        self.volume.temporaries = 0
        document.updated_at = datetime.fromtimestamp(self._clock(), UTC).isoformat()
        self.volume.replace(document)
        self._seen = True
        if self._record is not None:
            self._record("store.commit", changes=listed, by=self.name)
        self._seam("store.committed", changes=listed)

    def _read_with_care(self) -> Document:
        self._alive()
        try:
            document = self.volume.load()
        except OSError as error:
            raise self._cannot_read(error) from error
        except StoreUnreadable as error:
            self._refused(error, "read")
            raise
        if document is None:
            if self._seen or self.volume.present:
                message = f"{_JOBS} is missing, but there was one before; nothing was written"
                raise self._refused(StoreUnreadable(message, reason="missing"), "read")
            return self._empty
        return document

    def _writable(self, seam: str, what: str, **context: Any) -> None:
        """Let a write of evidence through, or say that it failed."""
        self._alive()
        try:
            self._seam(seam, **context)
            self.volume.check("write")
        except OSError as error:
            raise self._cannot_write(error, "write", what) from error

    def _alive(self) -> None:
        if self.dead:
            raise RuntimeError(f"{self.name} is dead: its store cannot be used any more")

    # What is to be raised is returned: a frame that held its own error would be kept by that, until
    # the garbage collector comes.

    def _cannot_read(self, error: OSError) -> StoreError:
        reason = "permission" if error.errno in {errno.EACCES, errno.EPERM} else "io"
        message = f"{_JOBS} cannot be read: {error.strerror or error}; nothing was changed"
        return self._refused(StoreUnreadable(message, reason=reason), "read")

    def _cannot_write(self, error: OSError, step: str, what: str) -> StoreError:
        reason = _REASONS.get(error.errno or 0, "io")
        message = f"{what} could not be written ({step}: {error.strerror or error})"
        failure = StoreWriteFailed(
            f"{message}; the old state stands", reason=reason, step=step, number=error.errno
        )
        return self._refused(failure, step)

    def _refused(self, error: StoreError, step: str) -> StoreError:
        if self._record is not None:
            self._record("store.refused", step=step, reason=error.reason, by=self.name)
        return error


class _Held:
    """A lock of the volume while a `with` lasts; a generator would cost twice the calls."""

    def __init__(self, store: FakeStore, name: str, timeout_s: float) -> None:
        self._store, self._name, self._timeout_s = store, name, timeout_s

    def __enter__(self) -> None:
        self._mine = self._store.take(self._name, self._timeout_s)

    def __exit__(self, _kind: type[BaseException] | None = None, *_: object) -> None:
        volume = self._store.volume
        if volume.locks.get(self._name) is self._mine:
            volume.free(self._name)


class _Editing(_Held):
    """One read-modify-write under the lock; what it came to is written unless something raised."""

    def __init__(self, store: FakeStore) -> None:
        super().__init__(store, "jobs", store.lock_timeout_s)

    def __enter__(self) -> Edit:  # type: ignore[override]
        super().__enter__()
        try:
            self._edit = Edit(self._store.read_to_edit())
        except BaseException:
            super().__exit__()
            raise
        return self._edit

    def __exit__(self, kind: type[BaseException] | None = None, *_: object) -> None:
        try:
            done = self._edit.finish() if kind is None else None
            if done is not None:
                self._store.commit(*done)
        finally:
            super().__exit__()


def _passed(_name: str, **_context: object) -> None:
    """The seam of a store in which nothing goes wrong."""


def _conforms(fake: FakeStore) -> JobStore:
    """For the type checker: the fake is a store."""
    return fake


def _as_json(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record as it is read back; most hold nothing that JSON changes."""
    if {str}.issuperset(map(type, record)) and _PLAIN.issuperset(map(type, record.values())):
        return dict(record)
    as_read: dict[str, Any] = json.loads(json.dumps(record))
    return as_read


def _component(name: str, what: str) -> str:
    if not safe_component(name) or (what == "signal" and name.startswith(".")):
        raise ValueError(f"{what} {name!r} is not one safe path component")
    return name
