"""The job store that hermes-agent has: one `jobs.json`, and small files beside it."""

import logging
import os
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NoReturn

from hermes_cron import clock
from hermes_cron.paths import Paths
from hermes_cron.store.base import LOCK_TIMEOUT_S, OUTPUTS_KEPT
from hermes_cron.store.document import Document, parse, safe_component, serialize
from hermes_cron.store.edit import Edit
from hermes_cron.store.errors import StoreError, StoreUnreadable
from hermes_cron.store.execution_log import ExecutionLog
from hermes_cron.store.files import make_private_folder, replace_file, sweep
from hermes_cron.store.locks import LockTable

__all__ = ["JsonFileStore"]

logger = logging.getLogger(__name__)

_JOBS_PREFIX: Final = ".jobs_"
_EPOCH_SIGNALS: Final = ("ticker_heartbeat", "ticker_last_success")
_Signature = tuple[str, int, int, int]


class JsonFileStore:
    """A `JobStore` in files. One object may serve all threads of a process.

    Args:
        paths: where the files are, asked at each call, so that a changed home is followed.
        lock_timeout_s: how long an edit waits for the lock.
        outputs_kept: how many outputs of a job stay, asked at each one.
    """

    def __init__(
        self,
        paths: Callable[[], Paths],
        *,
        lock_timeout_s: float = LOCK_TIMEOUT_S,
        outputs_kept: Callable[[], int] = lambda: OUTPUTS_KEPT,
    ) -> None:
        self.lock_timeout_s = lock_timeout_s
        self._outputs_kept = outputs_kept
        self._paths = paths
        self._locks = LockTable()
        self._cached: tuple[_Signature, Document] | None = None
        self._seen: set[str] = set()
        self._swept: set[str] = set()
        self._log: ExecutionLog | None = None

    def read(self) -> Document:
        """See `JobStore.read`. Unchanged is judged by inode, size and modification time."""
        return self._load(self._paths())

    @contextmanager
    def edit(self) -> Iterator[Edit]:
        """See `JobStore.edit`."""
        paths = self._paths()
        with self._lock(paths, "jobs", self.lock_timeout_s):
            try:
                document = self._load(paths)
            except StoreUnreadable:
                self._keep_aside(paths)
                raise
            edit = Edit(document)
            yield edit
            done = edit.finish()
            if done is not None:
                self._commit(paths, done[0])

    def keep_aside(self) -> str | None:
        """See `JobStore.keep_aside`."""
        return self._keep_aside(self._paths())

    def write_signal(self, name: str, text: str) -> None:
        """See `JobStore.write_signal`."""
        path = self._paths().signal_file(_component(name, "signal"))
        folder = str(path.parent)
        if folder not in self._swept:
            make_private_folder(folder)
            sweep(folder)
            self._swept.add(folder)
        try:
            replace_file(str(path), text.encode(), sync=False)
        except StoreError:
            self._swept.discard(folder)  # it may be gone: the next one makes it
            raise

    def read_signal(self, name: str) -> str | None:
        """See `JobStore.read_signal`."""
        try:
            path = self._paths().signal_file(_component(name, "signal"))
            return path.read_bytes().decode(errors="replace")
        except FileNotFoundError:
            return None

    def signals(self) -> list[str]:
        """See `JobStore.signals`."""
        paths = self._paths()
        names = [name for name in _EPOCH_SIGNALS if paths.signal_file(name).exists()]
        with suppress(FileNotFoundError):
            names += [path.name for path in paths.signals_dir.iterdir() if path.name[0] != "."]
        return sorted(names)

    def remove_signal(self, name: str) -> None:
        """See `JobStore.remove_signal`."""
        self._paths().signal_file(_component(name, "signal")).unlink(missing_ok=True)

    def append_executions(self, records: Sequence[Mapping[str, Any]]) -> bool:
        """See `JobStore.append_executions`."""
        if not records:
            return True
        paths = self._paths()
        try:
            with self._lock(paths, "executions", self.lock_timeout_s):
                self._execution_log(paths).append(records)
        except (OSError, StoreError, TypeError) as error:
            # A trace may be lost, aloud; the work that it is a trace of may not stop.
            logger.error("execution records could not be written: %s: %s", error, list(records))  # noqa: TRY400 the message says it all
            return False
        return True

    def executions(
        self, job_id: str | None = None, *, ids: Collection[str] | None = None
    ) -> list[dict[str, Any]]:
        """See `JobStore.executions`."""
        return self._execution_log(self._paths()).read(job_id, ids)

    def save_output(self, job_id: str, stamp: str, text: str) -> str:
        """See `JobStore.save_output`."""
        folder = self._paths().output_dir / _component(job_id, "job id")
        name = f"{_component(stamp, 'stamp')}.md"
        make_private_folder(str(folder))
        kept = _outputs(folder)
        taken = {path.name for path in kept}
        number = 1
        while name in taken:
            number += 1
            name = f"{stamp}_{number:03d}.md"
        replace_file(
            str(folder / name),
            text.encode(errors="replace"),
            newer_than_ns=_changed_ns(kept[-1]) if kept else 0,
        )
        sweep(str(folder))
        for path in [*kept, folder / name][: -self._outputs_kept()]:
            try:
                path.unlink()
            except OSError as error:
                said, extra = "job %s: the old output %s stays: %s", {"job_id": job_id}
                logger.warning(said, job_id, path.name, error, extra=extra | {"occurrence": None})
        return str(folder / name)

    def outputs(self, job_id: str) -> list[str]:
        """See `JobStore.outputs`."""
        folder = self._paths().output_dir / _component(job_id, "job id")
        return [str(path) for path in _outputs(folder)]

    @contextmanager
    def lock(self, name: str, *, timeout_s: float) -> Iterator[None]:
        """See `JobStore.lock`."""
        with self._lock(self._paths(), _component(name, "lock"), timeout_s):
            yield

    @contextmanager
    def _lock(self, paths: Paths, name: str, timeout_s: float) -> Iterator[None]:
        path = paths.lock_file(name)
        make_private_folder(str(path.parent))
        with self._locks.hold(str(path), timeout_s=timeout_s):
            yield

    def _load(self, paths: Paths) -> Document:
        name = str(paths.jobs_file)
        try:
            status = paths.jobs_file.stat()
            cached = self._cached
            if cached is not None and cached[0] == _signature(name, status):
                return cached[1]
            with paths.jobs_file.open("rb") as file:
                signature = _signature(name, os.fstat(file.fileno()))
                data = file.read()
        except FileNotFoundError:
            return self._absent(paths, name)
        except OSError as error:
            _refuse(name, error)
        document = parse(data, name=name, version="-".join(map(str, signature[1:])))
        self._seen.add(name)
        self._cached = (signature, document)
        return document

    def _absent(self, paths: Paths, name: str) -> Document:
        if name in self._seen or paths.marker_file.exists():
            raise StoreUnreadable(
                f"{name} is missing, but there was one before. Nothing was written. Put a copy "
                'of it back, or write {"jobs": []} into it to start with none.',
                reason="missing",
            )
        signature = (name, 0, 0, 0)
        if self._cached is None or self._cached[0] != signature:
            self._cached = (signature, Document(version="none"))
        return self._cached[1]

    def _commit(self, paths: Paths, document: Document) -> None:
        name = str(paths.jobs_file)
        make_private_folder(str(paths.jobs_file.parent))
        sweep(str(paths.jobs_file.resolve().parent), locked_prefix=_JOBS_PREFIX)
        written_at = datetime.fromtimestamp(clock.epoch(), UTC).isoformat()
        status = replace_file(
            name,
            serialize(document, updated_at=written_at),
            prefix=_JOBS_PREFIX,
            newer_than_ns=_changed_ns(paths.jobs_file),
        )
        signature = _signature(name, status)
        document.updated_at = written_at
        document.version = "-".join(map(str, signature[1:]))
        self._cached = (signature, document)
        if name not in self._swept:
            self._mark(paths)
            self._swept.add(name)
        self._seen.add(name)

    def _mark(self, paths: Paths) -> None:
        """Leave word that there was a jobs file, for processes that have not seen it."""
        try:
            if not paths.marker_file.exists():
                replace_file(str(paths.marker_file), b"jobs.json was written here\n")
        except StoreError as error:
            logger.warning("a missing jobs file will not be noticed after a restart: %s", error)

    def _keep_aside(self, paths: Paths) -> str | None:
        name = str(paths.jobs_file)
        try:
            with paths.jobs_file.open("rb") as file:
                data = file.read()
                changed_at = os.fstat(file.fileno()).st_mtime
            parse(data, name=name)
        except StoreUnreadable:
            pass
        except OSError:
            return None
        else:
            return None
        # Named by its content too: the same damage is copied once, whoever finds it.
        digest = f"{zlib.crc32(data):08x}"
        copies = sorted(paths.jobs_file.parent.glob(f"{paths.jobs_file.name}.corrupt-*-{digest}"))
        if copies:
            return str(copies[0])
        stamp = datetime.fromtimestamp(changed_at, UTC).strftime("%Y%m%dT%H%M%SZ")
        copy = f"{name}.corrupt-{stamp}-{digest}"
        try:
            replace_file(copy, data)
        except StoreError as error:
            logger.error("%s is corrupt and no copy could be kept: %s", name, error)  # noqa: TRY400
            return None
        logger.error("%s is corrupt; a copy is kept as %s", name, copy)
        return copy

    def _execution_log(self, paths: Paths) -> ExecutionLog:
        path = str(paths.executions_file)
        if self._log is None or self._log.path != path:
            self._log = ExecutionLog(path)
        return self._log


def _signature(name: str, status: os.stat_result) -> _Signature:
    return (name, status.st_ino, status.st_size, status.st_mtime_ns)


def _changed_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _refuse(name: str, error: OSError) -> NoReturn:
    denied = isinstance(error, PermissionError)
    advice = "make it readable for the user that runs this" if denied else "look at it"
    raise StoreUnreadable(
        f"{name} cannot be read: {error.strerror or error}. Nothing was changed; {advice}.",
        reason="permission" if denied else "io",
    ) from error


def _component(name: str, what: str) -> str:
    if not safe_component(name) or (what == "signal" and name.startswith(".")):
        raise ValueError(f"{what} {name!r} is not one safe path component")
    return name


def _outputs(folder: Path) -> list[Path]:
    """The outputs in a job's folder, oldest first.

    By age, not by name: in a repeated hour the names of the newest come before older ones.
    """
    try:
        found = [path for path in folder.iterdir() if path.suffix == ".md"]
        return sorted(found, key=lambda path: (_changed_ns(path), path.name))
    except FileNotFoundError:
        return []
