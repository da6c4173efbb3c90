"""One transaction on the jobs, as a value: what would be written. Pure, no I/O."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from hermes_cron.records import hand_out
from hermes_cron.store.document import Document, Entry, safe_component

__all__ = ["Change", "Edit"]

Change = tuple[str | None, Any]
"""The id of a record that a write changed, and its new value; None for a removed one."""

_DELETED: Final = object()


class Edit:
    """What one read-modify-write does. Only between `__enter__` and `__exit__` of `edit()`.

    The job dicts that `get` hands out and `put` takes belong to the edit until it ends: what is
    changed in them by then is what is written. Records that no call touched are neither copied nor
    looked at.

    Attributes:
        document: the state that the edit started from.
    """

    def __init__(self, document: Document) -> None:
        self.document = document
        self._base = document
        self._touched: dict[str, Any] = {}
        self._open = True

    def get(self, job_id: str) -> dict[str, Any] | None:
        """A private copy of the job, the same one each time; None when there is none."""
        self._check_open(job_id)
        touched = self._touched.get(job_id)
        if touched is None:
            place = self._base.places.get(job_id)
            if place is None:
                return None
            touched = self._touched[job_id] = hand_out(self._base.entries[place].value)
        if touched is _DELETED:
            return None
        job: dict[str, Any] = touched
        return job

    def put(self, job: dict[str, Any]) -> None:
        """Write `job` in the place of the job with its id, or at the end.

        Raises:
            ValueError: its id is not one safe path component.
            TypeError: it holds what JSON cannot.
        """
        job_id = job.get("id")
        self._check_open(job_id)
        if not isinstance(job_id, str) or not safe_component(job_id):
            raise ValueError(
                f"job id {job_id!r} is not one safe path component; nothing was stored"
            )
        _text(job, job_id)
        self._touched[job_id] = job

    def delete(self, job_id: str) -> bool:
        """Remove the job and every duplicate of its id; False when there is none."""
        if self.get(job_id) is None:
            return False
        self._touched[job_id] = _DELETED
        return True

    def replace_all(self, jobs: Sequence[Any]) -> None:
        """Make `jobs` all the jobs there are, in that order.

        Broken records of the file stay, near their place, unless `jobs` contains them; a duplicate
        goes with the job whose id it has.
        """
        self._check_open("all jobs")
        texts = [_text(job, job.get("id") if isinstance(job, dict) else job) for job in jobs]
        old = {entry.text: entry for entry in self.document.entries}
        entries = [old.get(text) or Entry(json.loads(text), text) for text in texts]
        ids = {entry.job_id for entry in entries}
        given = Counter(texts)
        for broken in self.document.broken:
            entry = self.document.entries[broken.index]
            if given[entry.text] > 0:
                given[entry.text] -= 1
            elif entry.problem or entry.job_id in ids:
                entries.insert(min(broken.index, len(entries)), entry)
        self._base = self.document.with_entries(entries)
        self._touched = {}

    def finish(self) -> tuple[Document, list[Change]] | None:
        """End the edit. For stores only.

        Returns:
            The new document and what changed in it, or None when nothing did.

        Raises:
            ValueError: the `id` of a job was changed.
            TypeError: a job holds what JSON cannot.
        """
        self._open = False
        places = self._base.places
        fresh = self._fresh()
        deleted = {job_id for job_id, job in self._touched.items() if job is _DELETED}
        if self._base is self.document and not deleted and fresh.keys() <= places.keys():
            return self._replaced(fresh)
        entries = list(self._base.entries)
        for job_id, entry in fresh.items():
            if job_id in places:
                entries[places[job_id]] = entry
            else:
                entries.append(entry)
        entries = [entry for entry in entries if entry.job_id not in deleted]
        changes = _differences(self.document, entries)
        if not changes and self._same_order(entries):
            return None
        if self.document.broken:  # of two records with one id the other may count now
            return self.document.with_entries(entries), changes
        changed = [job_id for job_id, _ in changes if job_id is not None]
        return self.document.with_entries(entries, changed=changed), changes

    def _fresh(self) -> dict[str, Entry]:
        """The records that were touched and say something else now."""
        fresh: dict[str, Entry] = {}
        for job_id, job in self._touched.items():
            if job is _DELETED:
                continue
            if job.get("id") != job_id:
                raise ValueError(
                    f"job {job_id!r}: its id became {job.get('id')!r}, but an id cannot change"
                )
            text = _text(job, job_id)
            place = self._base.places.get(job_id)
            old = None if place is None else self._base.entries[place]
            if old is not None and old.text == text:
                continue
            entry = Entry(json.loads(text.decode("ascii")), text)
            # Values that differ say it at once; equal ones may still be 1 and true.
            if old is None or old.value != entry.value or not _same(old, text):
                fresh[job_id] = entry
        return fresh

    def _replaced(self, fresh: dict[str, Entry]) -> tuple[Document, list[Change]] | None:
        """The common edit: some jobs say something else, each in its place."""
        if not fresh:
            return None
        entries = list(self.document.entries)
        for job_id, entry in fresh.items():
            entries[self.document.places[job_id]] = entry
        in_order = sorted(fresh, key=self.document.places.__getitem__)
        changes: list[Change] = [(job_id, fresh[job_id].value) for job_id in in_order]
        after = self.document.with_entries(entries, changed=in_order, same_places=True)
        return after, changes

    def _same_order(self, entries: Sequence[Entry]) -> bool:
        old = self.document.entries
        return len(old) == len(entries) and all(map(_equal, old, entries))

    def _check_open(self, about: object) -> None:
        if not self._open:
            raise RuntimeError(f"the edit is over: {about!r} was not touched")


def _text(job: Any, job_id: object) -> bytes:
    try:
        return json.dumps(job).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"job {job_id!r} cannot be stored as JSON: {error}") from error


def _same(old: Entry, text: bytes) -> bool:
    """Whether `text` says what `old` does; the order of an object's keys says nothing."""
    return old.text == text or _canonical(old.text) == _canonical(text)


def _equal(one: Entry, other: Entry) -> bool:
    return one is other or _same(one, other.text)


def _canonical(text: bytes) -> str:
    return json.dumps(json.loads(text), sort_keys=True)


def _differences(before: Document, entries: Sequence[Entry]) -> list[Change]:
    """What an observer of single records sees: new values in file order, then removals."""
    old_entries = before.entries
    untouched = {id(entry) for entry in old_entries}
    changes: list[Change] = []
    for entry in entries:
        if id(entry) in untouched:
            continue
        place = None if entry.job_id is None else before.places.get(entry.job_id)
        if place is None or not _same(old_entries[place], entry.text):
            changes.append((entry.job_id, entry.value))
    kept = {entry.job_id for entry in entries}
    changes += [(job_id, None) for job_id in before.places if job_id not in kept]
    return changes
