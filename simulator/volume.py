"""The disk that simulated gateways share: jobs, evidence, outputs, locks, and what goes wrong."""

import errno
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

from hermes_cron.store import (
    EXECUTIONS_KEPT,
    OUTPUTS_KEPT,
    Document,
    StoreUnreadable,
    parse,
    serialize,
)

__all__ = ["DAMAGES", "Volume"]

DAMAGES: Final = {
    "torn": "only the first half of the jobs file is there",
    "garbage": "the jobs file holds what nobody wrote",
    "control-character": "a prompt in the jobs file holds a raw control character",
    "deleted": "the jobs file is gone",
    "lost": "the jobs file is as it was before the last write",
    "unreadable": "the jobs file is another user's, and closed",
    "read-only": "nothing can be written, for want of permission",
    "full": "nothing can be written, for want of space",
    "failing": "reading and writing give I/O errors",
    "forgotten-runs": "the record of executions cannot be read any more",
}
"""What `Volume.damage` can do, and what a reader or writer then meets."""

_FORBIDS: Final = {
    "unreadable": (("read", errno.EACCES),),
    "read-only": (("write", errno.EACCES),),
    "full": (("write", errno.ENOSPC),),
    "failing": (("lock", errno.EIO), ("read", errno.EIO), ("write", errno.EIO)),
}


@dataclass(eq=False)
class _Layer:
    """Damage that was done to the jobs: what it was done to, and what came of that."""

    before: Document | bytes | None
    hurt: Document | bytes | None = None


class Volume:
    """What outlives a gateway. Each gateway has a `FakeStore` on it.

    The helpers at the end damage it as faults do; none of them calls a seam or records anything.

    Args:
        records: the jobs that are there at first, broken ones as they are; None for no jobs file.

    Attributes:
        document: the jobs as a reader gets them; None when there is something in the way.
        signals: the evidence files, by name.
        records: the execution records, oldest first.
        outputs: the outputs of each job, by name, the oldest first.
        aside: corrupt contents of the jobs file of which a copy was kept.
        forbidden: the error number of each of "read", "write" and "lock" that fails; see `forbid`.
        temporaries: temporary files of the jobs file that a killed writer left.
        present: whether there was ever a write here, so that a missing file is noticed.
        locks: who holds each lock that is held: the store and the task, or a name.
        on_release: called with the name of a lock when it becomes free.
    """

    def __init__(self, records: Sequence[Any] | None = None) -> None:
        self.document: Document | None = None
        self.signals: dict[str, str] = {}
        self.records: list[dict[str, Any]] = []
        # The records of each execution, numbered as they came.
        self._of_id: dict[str, list[tuple[int, dict[str, Any]]]] = {}
        self._appended = 0
        self.outputs: dict[str, dict[str, str]] = {}
        self.aside: list[bytes] = []
        self.temporaries = 0
        self.present = False
        self.locks: dict[str, tuple[object, object]] = {}
        self.on_release: list[Callable[[str], None]] = []
        self._jobs: Document | bytes | None = None
        self._before: Document | bytes | None = None
        self._flaws: dict[bytes, StoreUnreadable] = {}  # why what is damaged cannot be parsed
        self.forbidden: dict[str, int] = {}
        self._layers: list[_Layer] = []
        self._lasting: list[str] = []  # damage that forbids something and is not undone yet
        self._writes = 0
        if records is not None:
            self.corrupt(json.dumps({"jobs": list(records)}).encode())

    @property
    def document_before(self) -> Document | None:
        """The jobs as they were before the last write; None when they were not readable then."""
        return self._before if isinstance(self._before, Document) else None

    # What a store does.

    def replace(self, document: Document) -> None:
        """Put new jobs in the place of the old."""
        self._writes += 1
        document.version = self._writes
        self._before, self._jobs = self._jobs, document
        self.present = True
        self._look()

    def check(self, what: str) -> None:
        """Refuse what is forbidden.

        Raises:
            OSError: with the number that `forbid` was given.
        """
        number = self.forbidden.get(what)
        if number is not None:
            raise OSError(number, f"{what} is forbidden")

    def load(self) -> Document | None:
        """The jobs, read with care; None when there is no file.

        Raises:
            OSError: reading is forbidden.
            StoreUnreadable: the file is damaged.
        """
        self.check("read")
        if not isinstance(self._jobs, bytes):
            return self._jobs
        flaw = self._flaws[self._jobs]
        raise StoreUnreadable(str(flaw), reason=flaw.reason) from flaw.__cause__

    def keep_aside(self, name: str) -> str | None:
        """Copy a damaged jobs file, once for each content; the name of the copy."""
        if not isinstance(self._jobs, bytes) or self.forbidden:
            return None
        if self._jobs not in self.aside:
            self.aside.append(self._jobs)
        return f"{name}.corrupt-{self.aside.index(self._jobs) + 1}"

    def append(self, records: Sequence[dict[str, Any]]) -> None:
        """Add execution records; the newest stay."""
        for one in records:
            self._appended += 1
            self._of_id.setdefault(str(one.get("id")), []).append((self._appended, one))
        self.records += records
        for oldest in self.records[:-EXECUTIONS_KEPT]:
            left = self._of_id.pop(str(oldest.get("id")))[1:]
            if left:
                self._of_id[str(oldest.get("id"))] = left
        del self.records[:-EXECUTIONS_KEPT]

    def records_of(self, ids: Collection[str]) -> list[dict[str, Any]]:
        """The execution records with one of these ids, oldest first."""
        found = [one for name in set(ids) for one in self._of_id.get(name, ())]
        return [record for _, record in sorted(found, key=itemgetter(0))]

    def keep_output(self, job_id: str, stamp: str, text: str) -> str:
        """Keep one output and drop the oldest ones; its name without folders."""
        kept = self.outputs.setdefault(job_id, {})
        name, number = f"{stamp}.md", 1
        while name in kept:
            number += 1
            name = f"{stamp}_{number:03d}.md"
        kept[name] = text
        for oldest in list(kept)[:-OUTPUTS_KEPT]:
            del kept[oldest]
        return name

    def free(self, name: str) -> None:
        """Give a lock back."""
        if self.locks.pop(name, None) is not None:
            for tell in tuple(self.on_release):
                tell(name)

    # What goes wrong.

    def damage(self, what: str) -> Callable[[], None]:
        """Hurt the disk in one of the ways of `DAMAGES`; the function that it gives undoes that."""
        if what in _FORBIDS:
            self._lasting.append(what)
            self._forbid_all()
            return lambda: self._permit(what)
        layer = _Layer(self._jobs)
        match what:
            case "torn":
                self.tear()
            case "garbage":
                self.corrupt(b"\x00\xff not the jobs")
            case "control-character":
                self.corrupt(self._bytes().replace(b'"prompt": "', b'"prompt": "\x07', 1))
            case "deleted":
                self.delete_jobs_file()
            case "lost":
                self.lose_last_write()
            case "forgotten-runs":
                self.break_executions()
            case _:
                raise ValueError(f"no damage {what!r}; known are {', '.join(DAMAGES)}")
        layer.hurt = self._jobs
        self._layers.append(layer)
        return lambda: self._put_back(layer)

    def _permit(self, what: str) -> None:
        self._lasting.remove(what)
        for kind, _ in _FORBIDS[what]:
            self.allow(kind)
        self._forbid_all()  # what else is wrong stays so

    def _forbid_all(self) -> None:
        for what in self._lasting:
            for kind, number in _FORBIDS[what]:
                self.forbid(kind, number)

    def _put_back(self, layer: _Layer) -> None:
        place = self._layers.index(layer)
        del self._layers[place]
        if place < len(self._layers):  # other damage was done to it, and stays
            above = self._layers[place]
            above.before = layer.before if above.before is layer.hurt else above.before
        elif self._jobs is layer.hurt:  # what a store has written since stays
            self._jobs = layer.before
            self._look()

    def corrupt(self, data: bytes) -> None:
        """Somebody else writes the jobs file: any bytes at all, good ones too."""
        self._jobs = data
        try:
            document = parse(data)
        except StoreUnreadable as error:
            self._flaws[data] = error
            self._look()
            return
        self._writes += 1
        document.version = self._writes
        self._jobs = document
        self._look()

    def tear(self, share: float = 0.5) -> None:
        """Only the first part of the jobs file is there, as after a write that was not atomic."""
        data = self._bytes()
        self.corrupt(data[: int(len(data) * share)])

    def delete_jobs_file(self) -> None:
        """The jobs file is gone."""
        self._jobs = None
        self._look()

    def lose_last_write(self) -> None:
        """The disk goes back by one write, as after a power cut that came before the sync."""
        self._jobs = self._before
        self._look()

    def forbid(self, what: str, number: int = errno.EACCES) -> None:
        """Every "read" of the jobs, "write" of anything or "lock" fails with that error number."""
        self.forbidden[what] = number
        self._look()

    def allow(self, what: str) -> None:
        """Undo `forbid`."""
        self.forbidden.pop(what, None)
        self._look()

    def break_executions(self) -> None:
        """The record of executions becomes garbage, of which nothing can be read."""
        self.records.clear()
        self._of_id.clear()

    def hold_lock(self, name: str, by: str = "somebody") -> None:
        """Somebody who is no simulated gateway holds the lock until `free`."""
        self.locks[name] = (by, by)

    def _bytes(self) -> bytes:
        if isinstance(self._jobs, Document):
            return serialize(self._jobs, updated_at=str(self._jobs.updated_at or ""))
        return self._jobs or b""

    def _look(self) -> None:
        readable = isinstance(self._jobs, Document) and "read" not in self.forbidden
        self.document = self._jobs if isinstance(self._jobs, Document) and readable else None
