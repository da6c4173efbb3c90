"""The record of executions: JSON lines, appended, bounded, and never in anybody's way."""

import json
import logging
import os
import zlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from hermes_cron.store.base import EXECUTIONS_KEPT
from hermes_cron.store.files import replace_file, write_all

__all__ = ["ExecutionLog"]

logger = logging.getLogger(__name__)

# Rewriting for each record past the bound would make every append a rewrite.
_SLACK: Final = EXECUTIONS_KEPT // 10

_FEW: Final = 20  # so many words are looked for in each line; with more, parsing all is cheaper


class ExecutionLog:
    """The executions file of one home. The caller holds its lock for `append`.

    It remembers how far it has read, so that an append looks only at what others added since.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._file = Path(path)
        self._start_over(None)

    def _start_over(self, inode: int | None) -> None:
        self._inode = inode
        self._size = self._lines = 0

    def append(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Add records; keeps a broken file aside and shortens a long one.

        Raises:
            OSError: the records could not be written.
            TypeError: a record holds what JSON cannot.
        """
        data = "".join(json.dumps(record) + "\n" for record in records).encode()
        if not self._catch_up():
            self._rebuild()
        descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND)
        try:
            size = os.fstat(descriptor).st_size
            # A killed writer may have left half a line: it must not swallow ours.
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                data = b"\n" + data
            self._write(descriptor, data, size)
            status = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        self._inode, self._size = status.st_ino, status.st_size
        self._lines += data.count(b"\n")
        if self._lines > EXECUTIONS_KEPT + _SLACK:
            self._rebuild()

    def read(
        self, job_id: str | None = None, ids: Collection[str] | None = None
    ) -> list[dict[str, Any]]:
        """The newest records, of one job or of all, of some executions or of all, oldest first.

        What is broken or cannot be read is left out.
        """
        try:
            data = self._file.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            logger.warning("the execution records in %s cannot be read: %s", self.path, error)
            return []
        # Parsing is what costs: only lines that name what is wanted are worth it.
        lines = data.splitlines()[-EXECUTIONS_KEPT:]
        if job_id is not None:
            lines = _naming([job_id], lines)
        if ids is not None and len(ids) <= _FEW:
            lines = _naming(ids, lines)
        return [
            record
            for record in _parse(lines)[0]
            if (job_id is None or record.get("job_id") == job_id)
            and (ids is None or str(record.get("id")) in ids)
        ]

    def _write(self, descriptor: int, data: bytes, size: int) -> None:
        try:
            write_all(descriptor, data)
        except OSError:
            # Half a batch helps nobody, and half a line would be a broken one.
            os.ftruncate(descriptor, size)
            raise

    def _catch_up(self) -> bool:
        """Count the lines that others appended; False when the file has to be written anew."""
        try:
            with self._file.open("rb") as file:
                status = os.fstat(file.fileno())
                if status.st_ino != self._inode or status.st_size < self._size:
                    self._start_over(status.st_ino)
                file.seek(self._size)
                added = file.read()
        except OSError:
            return False
        self._size += len(added)
        self._lines += added.count(b"\n")
        return not _parse(added.splitlines())[1]

    def _rebuild(self) -> None:
        """Write the newest good records anew, the broken file being kept aside first."""
        data = b""
        if self._file.is_file():
            data = self._file.read_bytes()
        elif self._file.exists():
            self._file.replace(f"{self.path}.corrupt-{self._file.stat().st_ino:x}")
        records, broken = _parse(data.splitlines())
        if broken:
            replace_file(f"{self.path}.corrupt-{zlib.crc32(data):08x}", data)
            logger.error("%d broken lines in %s: a copy is kept aside", broken, self.path)
        kept = records[-EXECUTIONS_KEPT:]
        status = replace_file(
            self.path, "".join(json.dumps(record) + "\n" for record in kept).encode()
        )
        self._inode, self._size, self._lines = status.st_ino, status.st_size, len(kept)


def _naming(words: Collection[str], lines: Sequence[bytes]) -> list[bytes]:
    """The lines in which one of these words stands as a text of JSON."""
    named = [json.dumps(word).encode() for word in words]
    return [line for line in lines if any(name in line for name in named)]


def _parse(lines: Sequence[bytes]) -> tuple[list[dict[str, Any]], int]:
    """The records in `lines` and how many lines are none."""
    filled = [line for line in lines if line.strip()]
    records = [record for record in map(_loads, filled) if isinstance(record, dict)]
    return records, len(filled) - len(records)


def _loads(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
