"""Named locks between the threads of a process and between processes, with a bounded wait."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import filelock

from hermes_cron import clock
from hermes_cron.store.errors import StoreBusy
from hermes_cron.store.files import PRIVATE_FILE, make_private_file, write_failed

__all__ = ["LockTable"]

_POLL_S = 0.01


class _Named:
    """One lock file as this process sees it: a turn among its threads, then the file's lock."""

    def __init__(self, path: str) -> None:
        self.turn = threading.Lock()
        self.holder: int | None = None
        # One object for all threads: only the one whose turn it is touches it.
        self.file = filelock.FileLock(path, mode=PRIVATE_FILE)


class LockTable:
    """The locks of one store object, by path of their file.

    The file's lock is `flock`, which hermes-agent takes too; it goes when its holder dies.
    """

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        self._pid = os.getpid()
        self._guard = threading.Lock()
        self._locks: dict[str, _Named] = {}

    @contextmanager
    def hold(self, path: str, *, timeout_s: float) -> Iterator[None]:
        """Hold the lock of `path`.

        Raises:
            StoreBusy: it could not be had within `timeout_s`, or this thread holds it already.
            StoreWriteFailed: the lock file cannot be opened.
        """
        if self._pid != os.getpid():
            # A forked child holds none of its parent's locks, and must not wait for its threads.
            self._start()
        with self._guard:
            named = self._locks.get(path)
            if named is None:
                named = self._locks[path] = _Named(path)
        here = threading.get_ident()
        if named.holder == here:
            raise StoreBusy(f"this thread holds {path} already; an edit inside an edit cannot work")
        deadline = clock.monotonic() + timeout_s
        if not named.turn.acquire(timeout=max(0.0, timeout_s)):
            raise _busy(path, timeout_s, "another thread of this process")
        try:
            left_s = max(0.0, deadline - clock.monotonic())
            _lock_file(named.file, path, left_s, timeout_s)
            named.holder = here
            try:
                yield
            finally:
                named.holder = None
                named.file.release()
        finally:
            named.turn.release()


def _lock_file(lock: filelock.BaseFileLock, path: str, left_s: float, timeout_s: float) -> None:
    try:
        make_private_file(path)
        lock.acquire(timeout=left_s, poll_interval=_POLL_S)
    except filelock.Timeout:
        raise _busy(path, timeout_s, "another process") from None
    except OSError as error:
        raise write_failed("open the lock", path, error, step="lock") from error


def _busy(path: str, timeout_s: float, who: str) -> StoreBusy:
    return StoreBusy(
        f"{who} has held {path} for more than {timeout_s:g} s, so nothing was done; "
        "end the one that is stuck, then try again"
    )
