"""The jobs file as a value: parse bytes, look at the records, write bytes. Pure, no I/O.

The format is hermes-agent's, `{"jobs": [...], "updated_at": ...}`, with one record a line. Fields
that we do not know survive, in records and beside them. A record that cannot be a job stays where
it is and is reported in `Document.broken`; it stops no other record.

A document is never changed: an edit makes a new one that shares every untouched record with the
old, with its text, so that touching 1 of 1000 jobs costs one record.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hermes_cron.store.errors import StoreUnreadable

__all__ = ["BrokenRecord", "Document", "Entry", "parse", "safe_component", "serialize"]

_LONGEST_NAME: Final = 200
_LONGEST_JOURNAL: Final = 10_000  # ids of changed jobs; a new one costs one look at all of them


@dataclass(frozen=True, slots=True)
class BrokenRecord:
    """A record that is no usable job: its place in the file from 0, its value as found, and why."""

    index: int
    value: Any
    reason: str


def safe_component(name: object) -> bool:
    """Whether `name` is one harmless path component: no separator, no control character."""
    return (
        isinstance(name, str)
        and bool(name.strip())
        and name not in {".", ".."}
        and name.isprintable()
        and "/" not in name
        and "\\" not in name
        and len(name.encode()) <= _LONGEST_NAME
    )


class Entry:
    """One record of the file. `value` is never changed; its text is found out once."""

    __slots__ = ("_text", "job_id", "problem", "value")

    def __init__(self, value: Any, text: bytes | None = None) -> None:
        self.value = value
        self.job_id, self.problem = _identify(value)
        self._text = text

    @property
    def text(self) -> bytes:
        """The record as one line of JSON, which is ASCII."""
        if self._text is None:
            self._text = json.dumps(self.value).encode("ascii")
        return self._text


class Document:
    """The jobs at one moment. Immutable by convention: never change what it hands out.

    Attributes:
        entries: all records in file order.
        extra: the top-level fields beside `jobs` and `updated_at`.
        version: equal for equal states of one store; nothing else is promised about it.
        updated_at: what the file says about its last write, or None.
    """

    def __init__(
        self,
        entries: Iterable[Entry] = (),
        *,
        extra: Mapping[str, Any] | None = None,
        version: int | str = 0,
        updated_at: Any = None,
    ) -> None:
        self.entries = tuple(entries)
        self.extra: dict[str, Any] = dict(extra or {})
        self.version = version
        self.updated_at = updated_at
        self._places: dict[str, int] | None = None
        self._jobs: tuple[dict[str, Any], ...] | None = None
        self._broken: tuple[BrokenRecord, ...] | None = None
        self._journal: list[str] = []
        self._written = 0

    @property
    def places(self) -> Mapping[str, int]:
        """The place in `entries` of each usable job: the first with its id."""
        if self._places is None:
            places: dict[str, int] = {}
            for place, entry in enumerate(self.entries):
                if entry.job_id is not None:
                    places.setdefault(entry.job_id, place)
            self._places = places
        return self._places

    @property
    def records(self) -> tuple[Any, ...]:
        """All records as they stand in the file, broken ones too."""
        return tuple(entry.value for entry in self.entries)

    @property
    def jobs(self) -> tuple[dict[str, Any], ...]:
        """The usable jobs in file order: objects with a safe id, the first of each id."""
        if self._jobs is None:
            self._jobs = tuple(self.entries[place].value for place in self.places.values())
        return self._jobs

    @property
    def broken(self) -> tuple[BrokenRecord, ...]:
        """The records that are no usable jobs, with the reason."""
        if self._broken is None:
            self._broken = tuple(self._find_broken())
        return self._broken

    def get(self, job_id: str) -> dict[str, Any] | None:
        """The usable job of that id, or None. Not a copy."""
        place = self.places.get(job_id)
        if place is None:
            return None
        job: dict[str, Any] = self.entries[place].value
        return job

    def with_entries(
        self,
        entries: Iterable[Entry],
        *,
        changed: Sequence[str] | None = None,
        same_places: bool = False,
    ) -> "Document":
        """A document of other records; what stands beside them stays.

        Args:
            entries: all of them, in file order.
            changed: the ids of the jobs that are others than here, new or gone; None for unknown.
            same_places: every id is where it is here, so that nothing is looked for again.
        """
        other = Document(entries, extra=self.extra, updated_at=self.updated_at)
        if same_places:
            other._places = self._places
        if changed is not None:
            # Documents of one line share one journal; who goes on from an older one has his own.
            if len(self._journal) == self._written < _LONGEST_JOURNAL:
                other._journal = self._journal
            other._journal += changed
            other._written = len(other._journal)
        return other

    def changed_since(self, older: "Document") -> Sequence[str] | None:
        """The ids of the jobs that may differ from those of `older`, some of them gone.

        None when there is no telling.
        """
        journal, written = older._journal, older._written  # noqa: SLF001 - of its own class
        if journal is not self._journal or written > self._written:
            return None
        return journal[written : self._written]

    def _find_broken(self) -> Iterable[BrokenRecord]:
        places = self.places
        if len(places) == len(self.entries):
            return
        for index, entry in enumerate(self.entries):
            if entry.problem:
                yield BrokenRecord(index, entry.value, entry.problem)
            elif entry.job_id is not None and places[entry.job_id] != index:
                number = places[entry.job_id] + 1  # people count from 1
                reason = f"its id {entry.job_id!r} is already that of record {number}"
                yield BrokenRecord(index, entry.value, reason)


def parse(data: bytes, *, name: str = "jobs.json", version: int | str = 0) -> Document:
    """Read the bytes of a jobs file.

    A byte order mark, raw control characters in strings and a bare list of jobs are accepted, as
    hermes-agent accepts them.

    Raises:
        StoreUnreadable: "corrupt" when it is not JSON, "shape" when it is JSON of another shape.
    """
    advice = "Nothing was changed. Repair the file or put a good copy in its place."
    if not data.strip(b"\0 \t\r\n"):
        raise StoreUnreadable(f"{name} is empty ({len(data)} bytes). {advice}", reason="corrupt")
    try:
        content = json.loads(data.decode("utf-8-sig"), strict=False)
    except (ValueError, RecursionError) as error:
        raise StoreUnreadable(
            f"{name} is not valid JSON: {error}. {advice}", reason="corrupt"
        ) from error
    if isinstance(content, list):
        return Document(map(Entry, content), version=version)
    if not isinstance(content, dict):
        raise StoreUnreadable(
            f'{name} holds {_kind(content)} where {{"jobs": [...]}} is expected. {advice}',
            reason="shape",
        )
    records = content.get("jobs")
    if not isinstance(records, list):
        found = f'"jobs" is {_kind(records)}' if "jobs" in content else 'it has no "jobs"'
        raise StoreUnreadable(f'{name} is not {{"jobs": [...]}}: {found}. {advice}', reason="shape")
    extra = {key: value for key, value in content.items() if key not in {"jobs", "updated_at"}}
    return Document(
        map(Entry, records), extra=extra, version=version, updated_at=content.get("updated_at")
    )


def serialize(document: Document, *, updated_at: str) -> bytes:
    """The bytes of a jobs file that holds `document`, written at `updated_at` (ISO 8601)."""
    fields = [f'"updated_at": {json.dumps(updated_at)}']
    fields += [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in document.extra.items()]
    head, tail = b'{"jobs": [\n', f"\n],\n{', '.join(fields)}}}\n".encode("ascii")
    lines = [entry.text for entry in document.entries] or [b""]
    lines[0] = head + lines[0]
    lines[-1] += tail
    return b",\n".join(lines)


def _identify(value: Any) -> tuple[str | None, str | None]:
    """The job id of a record, or why it is no usable job."""
    if not isinstance(value, dict):
        return None, f"it is {_kind(value)}, not an object"
    if "id" not in value:
        return None, "it has no id"
    job_id = value["id"]
    if not isinstance(job_id, str):
        return None, f"its id is {_kind(job_id)}, not a string"
    if not safe_component(job_id):
        return None, f"its id {job_id!r} is not one safe path component"
    return job_id, None


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    names: dict[type, str] = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "a string",
        list: "a list",
        dict: "an object",
    }
    return names.get(type(value), type(value).__name__)
