"""Ground that a real fault can stand on: a small disk, a disk that dies, another user.

Each is made in a process of its own with mounts that nobody else sees; they go with the process.
What a machine does not allow raises `NotHere`, which says why.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest import mock

NOBODY = 65534
_NEW_MOUNTS, _NEW_USERS = 0x20000, 0x10000000
_PRIVATE = (1 << 18) | 16384  # MS_PRIVATE | MS_REC
_READ_ONLY, _AGAIN, _BIND = 1, 32, 4096
_EXT4_SHUTDOWN, _WITHOUT_FLUSHING = 0x8004587D, struct.pack("I", 2)
_libc = ctypes.CDLL(None, use_errno=True)


class NotHere(Exception):  # noqa: N818 - reads as what it says
    """This machine does not let us produce it."""


def _call(name: str, *words: Any) -> None:
    if getattr(_libc, name)(*words) != 0:
        number = ctypes.get_errno()
        raise NotHere(f"{name} is not allowed here: {os.strerror(number)}")


def own_mounts() -> None:
    """Let this process mount what nobody else sees; without root, as root of its own users."""
    if os.geteuid() == 0:
        _call("unshare", _NEW_MOUNTS)
    else:
        user, group = os.getuid(), os.getgid()
        _call("unshare", _NEW_MOUNTS | _NEW_USERS)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    _call("mount", b"none", b"/", None, _PRIVATE, None)


class Disk:
    """A folder on a file system of the kind that a fault needs.

    Attributes:
        folder: where the store is to be.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o755, exist_ok=True)

    def settle(self) -> None:
        """What was written so far will not be lost."""

    def heal(self) -> None:
        """The fault is over."""


class SmallDisk(Disk):
    """A tmpfs that can be filled, or be made read-only."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        own_mounts()
        self.mount(b"size=512k,mode=755")
        self._filler = folder / "filler"

    def mount(self, how: bytes, *, flags: int = 0) -> None:
        _call("mount", b"tmpfs", os.fsencode(self.folder), b"tmpfs", flags, how)

    def fill(self) -> None:
        """Not one block is left."""
        with self._filler.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(b"\0" * 4096)

    def close(self) -> None:
        """Nothing can be written."""
        _call("mount", b"tmpfs", os.fsencode(self.folder), None, _AGAIN | _READ_ONLY, None)

    def bind(self, file: Path) -> None:
        """The file is a mount point of its own, as when a container is given one file."""
        _call("mount", os.fsencode(file), os.fsencode(file), None, _BIND, None)
        self._bound = file

    def heal(self) -> None:
        _call("mount", b"tmpfs", os.fsencode(self.folder), None, _AGAIN, None)
        self._filler.unlink(missing_ok=True)
        if hasattr(self, "_bound"):
            _call("umount", os.fsencode(self._bound))


class DyingDisk(Disk):
    """An ext4 on a loop device that is shut down at once: I/O errors, and after that a power cut."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        if os.geteuid() != 0:
            raise NotHere("a loop device needs root")
        own_mounts()
        self._image = folder.with_suffix(".img")
        with self._image.open("wb") as file:
            file.truncate(8 << 20)
        self._run("mkfs.ext4", "-q", "-F", str(self._image))
        self._mount()

    def settle(self) -> None:
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            _call("syncfs", folder)
        finally:
            os.close(folder)

    def die(self) -> None:
        """Every call on it fails with EIO, and what was not synced will not be there later."""
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, _EXT4_SHUTDOWN, _WITHOUT_FLUSHING)
        finally:
            os.close(folder)

    def heal(self) -> None:
        self._run("umount", str(self.folder))
        self._mount()

    def _mount(self) -> None:
        self._run("mount", "-o", "loop", str(self._image), str(self.folder))

    @staticmethod
    def _run(*words: str) -> None:
        try:
            subprocess.run(words, check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            said = getattr(error, "stderr", "") or str(error)
            raise NotHere(f"{words[0]} is not possible here: {said.strip()}") from None


class UserDisk(Disk):
    """A folder of a user who is not root; this process is that user."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.was_root = os.geteuid() == 0
        if self.was_root:
            try:
                os.chown(folder, NOBODY, NOBODY)
                os.setgroups([])
                os.setresgid(NOBODY, NOBODY, 0)
                os.setresuid(NOBODY, NOBODY, 0)
            except PermissionError as error:
                raise NotHere(f"this root may be nobody else: {error}") from None

    @contextmanager
    def as_root(self) -> Iterator[None]:
        """What somebody else does meanwhile."""
        if not self.was_root:
            raise NotHere("only root can give a file to another user")
        os.seteuid(0)
        try:
            yield
        finally:
            os.seteuid(NOBODY)

    def close(self) -> None:
        """Nothing can be made or replaced in any folder of the store."""
        for folder, _, _ in os.walk(self.folder):
            Path(folder).chmod(0o500)

    def heal(self) -> None:
        for folder, _, _ in os.walk(self.folder):
            Path(folder).chmod(0o700)


class Descriptors:
    """All that this process may have open is open."""

    def __init__(self) -> None:
        self._open: list[int] = []

    def use_up(self) -> None:
        with suppress(OSError):
            while True:
                self._open.append(os.open(os.devnull, os.O_RDONLY))

    def give_back(self) -> None:
        while self._open:
            os.close(self._open.pop())


@contextmanager
def just_before(call: str, fits: Callable[..., bool], do: Callable[[], object]) -> Iterator[None]:
    """Do something right before the first system call that fits, which is then really made."""
    genuine, done = getattr(os, call), []

    def then(*words: Any, **more: Any) -> Any:
        if not done and fits(*words):
            done.append(True)
            do()
        return genuine(*words, **more)

    with mock.patch.object(os, call, then):
        yield
    if not done:
        raise AssertionError(f"no {call} came by: the fault was never produced")


@contextmanager
def just_after(call: str, do: Callable[[], object]) -> Iterator[None]:
    """Do something right after the first such system call."""
    genuine, done = getattr(os, call), []

    def then(*words: Any, **more: Any) -> Any:
        value = genuine(*words, **more)
        if not done:
            done.append(True)
            do()
        return value

    with mock.patch.object(os, call, then):
        yield
    if not done:
        raise AssertionError(f"no {call} came by: the fault was never produced")
