"""Times of files: what is written in a run has virtual ones, by the clock of who wrote it.

The system stamps files with the real time. So when code of the run asks for the status of a file
that changed since the run began, its times are those at which it was opened for writing or touched
last; where nobody saw that (a folder, a file that was open all along), those of the first look.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from simulator.kernel import Kernel, here
from simulator.kernel.clock import wall_us

__all__ = ["FILE_FUNCTIONS", "virtual_file_times"]

_File = tuple[int, int]  # device and inode
_open, _os_open, _utime = io.open, os.open, os.utime
_stat, _lstat, _fstat = os.stat, os.lstat, os.fstat
_COARSE_NS = 20_000_000  # the clock of file systems lags behind by this much at most
_FIELDS = tuple(name for name in dir(os.stat_result) if name.startswith("st_"))


class _Times:
    """What is known of the files of one run.

    Attributes:
        began_ns: Real time; what is older was there before.
        written: When each file was opened for writing or touched, virtual us.
        told: The real time of the last change of each and its size, with what was told for it.
    """

    def __init__(self) -> None:
        self.began_ns = time.time_ns() - _COARSE_NS
        self.written: dict[_File, int] = {}
        self.told: dict[_File, tuple[tuple[int, int], int]] = {}

    def virtual_us(self, kernel: Kernel, status: os.stat_result) -> int | None:
        """When it changed last; None when that was before the run."""
        file = status.st_dev, status.st_ino
        real = status.st_mtime_ns, status.st_size
        us = self.written.pop(file, None)
        if us is None:
            told = self.told.get(file)
            if told is not None and told[0] == real:
                return told[1]
            if real[0] < self.began_ns:
                return None
            us = wall_us(kernel)
        self.told[file] = real, us
        return us


_times: list[_Times] = []  # of the run that is on


@contextmanager
def virtual_file_times() -> Iterator[None]:
    """Keep them for a run."""
    _times.append(_Times())
    try:
        yield
    finally:
        _times.pop()


def _kernel_in_task() -> Kernel | None:
    kernel = here()
    return kernel if _times and kernel is not None and kernel.current is not None else None


def _wrote(kernel: Kernel, file: Any) -> None:
    status = _stat(file)
    _times[-1].written[status.st_dev, status.st_ino] = wall_us(kernel)


def _translated(genuine: Callable[..., os.stat_result]) -> Callable[..., os.stat_result]:
    def fake(*words: Any, **more: Any) -> os.stat_result:
        status = genuine(*words, **more)
        kernel = _kernel_in_task()
        us = None if kernel is None else _times[-1].virtual_us(kernel, status)
        if us is None:
            return status
        fields = {name: getattr(status, name) for name in _FIELDS}
        for which in ("st_atime", "st_mtime", "st_ctime"):
            fields[which], fields[f"{which}_ns"] = us / 1_000_000, us * 1000
        return os.stat_result((*status[:7], *[us // 1_000_000] * 3), fields)

    fake.__name__ = fake.__qualname__ = genuine.__name__
    return fake


def fake_open(file: Any, mode: str = "r", *words: Any, **more: Any) -> Any:
    """`open`."""
    opened = _open(file, mode, *words, **more)
    kernel = _kernel_in_task()
    if kernel is not None and not {"w", "a", "x", "+"}.isdisjoint(mode):
        _wrote(kernel, opened.fileno())
    return opened


def fake_os_open(path: Any, flags: int, *words: Any, **more: Any) -> int:
    """`os.open`."""
    opened = _os_open(path, flags, *words, **more)
    kernel = _kernel_in_task()
    if kernel is not None and flags & (os.O_WRONLY | os.O_RDWR):
        _wrote(kernel, opened)
    return opened


def fake_utime(path: Any, times: Any = None, **more: Any) -> None:
    """`os.utime`: a time that is given is kept, "now" is virtual."""
    _utime(path, times, **more)
    kernel = _kernel_in_task()
    if kernel is None:
        return
    if times is None and more.get("ns") is None:
        _wrote(kernel, path)
    else:
        status, known = _stat(path), _times[-1]
        file, real_ns = (status.st_dev, status.st_ino), status.st_mtime_ns
        known.written.pop(file, None)
        known.told[file] = (real_ns, status.st_size), real_ns // 1000


FILE_FUNCTIONS: list[tuple[Callable[..., Any], Callable[..., Any]]] = [
    (_open, fake_open),
    (_os_open, fake_os_open),
    (_utime, fake_utime),
    *((genuine, _translated(genuine)) for genuine in (_stat, _lstat, _fstat)),
]
for _can in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
    _can |= {fake for genuine, fake in FILE_FUNCTIONS if genuine in _can}
