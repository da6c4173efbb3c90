"""Files that only their owner may read, replaced whole or not at all."""

# One system call each, on names and on descriptors alike:
# ruff: noqa: PTH101, PTH102, PTH105, PTH108, PTH112, PTH116, PTH118, PTH120

import errno
import logging
import os
import stat
import zlib
from collections.abc import Mapping
from contextlib import suppress
from itertools import count
from typing import Final

from hermes_cron import clock, process
from hermes_cron.store.errors import StoreWriteFailed, write_reason

__all__ = [
    "PRIVATE_FILE",
    "make_private_file",
    "make_private_folder",
    "replace_file",
    "sweep",
    "sync_folder",
    "write_all",
    "write_failed",
]

logger = logging.getLogger(__name__)

PRIVATE_FILE: Final = 0o600
PRIVATE_FOLDER: Final = 0o700
# A writer needs its temporary file for milliseconds; another machine's is left alone this long.
_FOREIGN_LEFT_OVER_S: Final = 3600.0
_WRITE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
_HINTS: Final = {
    "no_space": "free some space",
    "permission": "make it writable for the user that runs this",
    "too_many_files": "this process has too many files open",
    "io": "look at the disk",
}
_HINTS_BY_NUMBER: Final[Mapping[int | None, str]] = {
    errno.EBUSY: "it is a mount point of its own: mount its folder instead",
    errno.ENOTDIR: "move away what is in the way",
}
_serial = count()


def make_private_folder(folder: str) -> None:
    """Make `folder` and what is missing above it, for the owner only.

    Raises:
        StoreWriteFailed: it cannot be made, or is something else.
    """
    try:
        try:
            mode = os.stat(folder).st_mode
        except FileNotFoundError:
            _make_folder(folder, os.path.dirname(folder) or ".")
            mode = os.stat(folder).st_mode
        if not stat.S_ISDIR(mode):
            raise NotADirectoryError(errno.ENOTDIR, "a folder is needed there")
        if mode & 0o077:
            _quietly_chmod(folder)
    except StoreWriteFailed:
        raise  # about the folder above, which is the one to look at
    except OSError as error:
        raise write_failed("make the folder", folder, error, step="write") from error


def make_private_file(path: str) -> None:
    """Make an empty file where none is, for the owner of its folder only.

    Raises:
        OSError: it cannot be made.
    """
    try:
        descriptor = os.open(path, _WRITE, PRIVATE_FILE)
    except FileExistsError:
        return
    try:
        _leave_to(os.stat(os.path.dirname(path)), descriptor)
    finally:
        os.close(descriptor)


def replace_file(
    target: str, data: bytes, *, prefix: str = ".", sync: bool = True, newer_than_ns: int = 0
) -> os.stat_result:
    """Put `data` in the place of `target` in one step; a reader sees the old or the new.

    Args:
        target: the file. A symbolic link stays one; the file that it names is replaced.
        data: all of the new content.
        prefix: what the name of the temporary file starts with.
        sync: whether the content is on the disk before the old one goes.
        newer_than_ns: the modification time will be later than this, so that two states of equal
            size that reuse an inode within one tick of the disk's clock can be told apart.

    Returns:
        The status of the new file.

    Raises:
        StoreWriteFailed: the old content stands and the temporary file is gone.
    """
    target = os.path.realpath(target)
    folder, name = os.path.split(target)
    temporary = os.path.join(
        folder, f"{prefix}{name}.{_HOST:08x}.{os.getpid()}.{next(_serial)}.tmp"
    )
    step = "write"
    try:
        descriptor = os.open(temporary, _WRITE, PRIVATE_FILE)
    except OSError as error:
        raise write_failed("write", target, error, step=step) from error
    try:
        try:
            write_all(descriptor, data)
            _keep_owner(descriptor, target, folder)
            status = os.fstat(descriptor)
            if status.st_mtime_ns <= newer_than_ns:
                os.utime(descriptor, ns=(status.st_atime_ns, newer_than_ns + 1))
                status = os.fstat(descriptor)
            step = "sync"
            if sync:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        step = "replace"
        os.replace(temporary, target)
    except BaseException as error:
        _quietly_remove(temporary)
        if isinstance(error, OSError):
            raise write_failed("write", target, error, step=step) from error
        raise
    if sync:
        sync_folder(folder)
    return status


def sync_folder(folder: str) -> None:
    """Put a replacement on the disk. A failure is logged: the new state is already in force."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        # EINVAL: this file system syncs no folders, which is no news.
        level = logging.DEBUG if error.errno == errno.EINVAL else logging.WARNING
        logger.log(level, "%s was written, but its folder could not be synced: %s", folder, error)


def sweep(folder: str, *, locked_prefix: str | None = None) -> None:
    """Remove temporary files of writers that are gone.

    Args:
        folder: where to look, not below it.
        locked_prefix: the start of the names that are only written under a lock that the caller
            holds: whoever wrote them is gone.
    """
    try:
        with os.scandir(folder) as found:
            names = [entry.name for entry in found if entry.name.endswith(".tmp")]
    except OSError:
        return
    for name in names:
        path = os.path.join(folder, name)
        under_our_lock = locked_prefix is not None and name.startswith(locked_prefix)
        if name.startswith(".") and (under_our_lock or _left_over(path, name)):
            _quietly_remove(path)


def write_failed(what: str, path: str, error: OSError, *, step: str) -> StoreWriteFailed:
    """The store's error for a system call that failed."""
    reason = write_reason(error)
    hint = _HINTS_BY_NUMBER.get(error.errno, _HINTS[reason])
    return StoreWriteFailed(
        f"could not {what} {path} ({step}: {error.strerror or error}); "
        f"the old state stands; {hint}, then try again",
        reason=reason,
        step=step,
        number=error.errno,
    )


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data`, however little the system takes at a time."""
    rest = memoryview(data)
    while rest:
        written = os.write(descriptor, rest)
        if written == 0:
            raise OSError(errno.EIO, "the disk took nothing")
        rest = rest[written:]


def _left_over(path: str, name: str) -> bool:
    """Whether the writer of a temporary file is gone: dead here, or silent for long elsewhere."""
    parts = name.removesuffix(".tmp").rsplit(".", 3)
    here = f"{_HOST:08x}"
    if len(parts) == 4 and parts[1] == here and parts[2].isdecimal():  # noqa: PLR2004 the name's parts
        return not process.current().pid_is_alive(int(parts[2]))
    try:
        return clock.epoch() - os.stat(path).st_mtime > _FOREIGN_LEFT_OVER_S
    except OSError:
        return False


def _quietly_remove(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)


def _make_folder(folder: str, above: str) -> None:
    if not os.path.isdir(above):
        make_private_folder(above)
    with suppress(FileExistsError):  # somebody else was faster
        os.mkdir(folder, PRIVATE_FOLDER)
        _leave_to(os.stat(above), folder)


def _quietly_chmod(folder: str) -> None:
    try:
        os.chmod(folder, PRIVATE_FOLDER)
    except OSError as error:
        logger.warning("%s is open to others and stays so: %s", folder, error)


def _keep_owner(descriptor: int, target: str, folder: str) -> None:
    try:
        owner = os.stat(target)
    except OSError:
        owner = os.stat(folder)
    _leave_to(owner, descriptor)


def _leave_to(owner: os.stat_result, made: str | int) -> None:
    """Leave what was made to this owner: root's command must not lock the gateway's user out."""
    if os.geteuid() == 0 and os.stat(made).st_uid != owner.st_uid:
        os.chown(made, owner.st_uid, owner.st_gid)


# Process ids mean something on one machine only; containers that share a disk have other names.
_HOST: Final = zlib.crc32(os.uname().nodename.encode())
