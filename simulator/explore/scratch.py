"""A temporary folder that goes with its maker; one that was left by a kill goes with the next."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

__all__ = ["scratch"]

_LOCK = ".lock"


@contextmanager
def scratch(prefix: str) -> Iterator[str]:
    """Make a folder whose name begins with `prefix`, locked for as long as it is used."""
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*/{_LOCK}"):
        _remove_if_left(folder.parent)
    with tempfile.TemporaryDirectory(prefix=prefix) as name, FileLock(Path(name, _LOCK)):
        yield name


def _remove_if_left(folder: Path) -> None:
    """Remove a folder of ours that nobody holds; one without a lock may just be being made."""
    try:
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            return
        with FileLock(folder / _LOCK, timeout=0):
            shutil.rmtree(folder)
    except (OSError, Timeout):
        return  # somebody uses it, or was faster
