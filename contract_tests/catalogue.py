"""The contract as data: each requirement with its id, level, capability and origin.

Version 1 is ``requirements.toml``, and frozen. An id is for ever: a later version is a file of its
own, ``requirements-2.toml``, which adds rows with its own ``since`` and changes none.
"""

import difflib
import functools
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal

__all__ = [
    "CAPABILITIES",
    "Catalogue",
    "CatalogueError",
    "Level",
    "Requirement",
    "UnknownRequirementError",
    "load",
]

Level = Literal["core", "strict"]
CAPABILITIES = frozenset({"blocking", "external", "replicas"})
_LATER = re.compile(r"requirements-(\d+)\.toml")
_FIELDS = frozenset({"id", "level", "host", "capability", "since", "sentence", "origin"})


class CatalogueError(Exception):
    """The requirements file itself is wrong: a defect of the kit, not of a provider."""


class UnknownRequirementError(KeyError):
    """Somebody asked for an id that the contract does not have."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True, slots=True)
class Requirement:
    """One sentence of the contract.

    Attributes:
        id: group and number, ``TICK-2``.
        level: ``core`` or ``strict``.
        host: the row judges the host rather than the provider.
        capability: who it applies to; ``None`` means every provider.
        since: the contract version that brought it.
        sentence: what is demanded.
        origin: the incidents behind it, oldest first; may be empty.
    """

    id: str
    level: Level
    host: bool
    capability: str | None
    since: str
    sentence: str
    origin: tuple[str, ...]

    @property
    def group(self) -> str:
        """The part of the id before the number."""
        return self.id.rsplit("-", 1)[0]

    def applies_to(self, capabilities: frozenset[str]) -> bool:
        """Whether a provider with these capabilities is judged by this row."""
        return self.capability is None or self.capability in capabilities


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All requirements of one contract version, in the contract's order."""

    contract: str
    requirements: tuple[Requirement, ...]

    def get(self, requirement_id: str) -> Requirement:
        """The row with this id, in any case of letters.

        Raises:
            UnknownRequirementError: there is none; the message names the nearest ones.
        """
        wanted = requirement_id.strip().upper()
        for requirement in self.requirements:
            if requirement.id == wanted:
                return requirement
        near = difflib.get_close_matches(wanted, [row.id for row in self.requirements], n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "`hermes-contract list` has all"
        raise UnknownRequirementError(f"the contract has no requirement {requirement_id!r}: {hint}")

    def claimed(self, version: str | None) -> str:
        """The version of the contract that somebody claims; None is the newest.

        Raises:
            ValueError: this kit has no such version.
        """
        if version is None:
            return self.contract
        versions = sorted({row.since for row in self.requirements} | {self.contract}, key=int)
        if version not in versions:
            raise ValueError(f"this kit has no contract {version!r}: {', '.join(versions)}")
        return version

    def groups(self) -> tuple[str, ...]:
        """The groups in the contract's order."""
        return tuple(dict.fromkeys(row.group for row in self.requirements))


@functools.cache
def load() -> Catalogue:
    """Read the requirements that ship with this kit.

    Raises:
        CatalogueError: the file is damaged; says which row and what is wrong.
    """
    folder = resources.files("contract_tests")
    later = sorted(file.name for file in folder.iterdir() if _LATER.fullmatch(file.name))
    names = ["requirements.toml", *sorted(later, key=lambda name: int(_LATER.sub(r"\1", name)))]
    return merge([parse((folder / name).read_text(encoding="utf-8")) for name in names])


def merge(versions: Sequence[Catalogue]) -> Catalogue:
    """One catalogue of all versions, oldest first; a group's later rows stand behind its older.

    Raises:
        CatalogueError: a version has rows of another, or an id that was there before.
    """
    rows: list[Requirement] = []
    for version in versions:
        for row in version.requirements:
            if row.since != version.contract:
                raise CatalogueError(
                    f"{row.id} is since {row.since}, in contract {version.contract}"
                )
            if any(row.id == other.id for other in rows):
                raise CatalogueError(f"{row.id} of contract {version.contract} was there before")
            place = max(
                (n for n, one in enumerate(rows, 1) if one.group == row.group), default=None
            )
            rows.insert(len(rows) if place is None else place, row)
    return Catalogue(versions[-1].contract, tuple(rows))


def parse(text: str) -> Catalogue:
    """Make a catalogue of TOML text; see `load`."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CatalogueError(f"requirements.toml is not TOML: {error}") from error
    rows = tuple(_requirement(row) for row in document.get("requirement", ()))
    twice = [row.id for row in rows if sum(other.id == row.id for other in rows) > 1]
    if twice:
        raise CatalogueError(f"requirements.toml has {twice[0]} more than once")
    return Catalogue(contract=str(document.get("contract", "")), requirements=rows)


def _requirement(row: Mapping[str, Any]) -> Requirement:
    label = row.get("id", "a row without id")
    if row.keys() != _FIELDS:
        odd = sorted(row.keys() ^ _FIELDS)
        raise CatalogueError(f"requirements.toml: {label}: missing or unknown fields {odd}")
    if row["level"] not in ("core", "strict"):
        raise CatalogueError(f"requirements.toml: {label}: level {row['level']!r}")
    capability = None if row["capability"] == "none" else row["capability"]
    if capability is not None and capability not in CAPABILITIES:
        raise CatalogueError(f"requirements.toml: {label}: capability {capability!r}")
    return Requirement(
        id=row["id"],
        level=row["level"],
        host=row["host"],
        capability=capability,
        since=row["since"],
        sentence=row["sentence"],
        origin=tuple(row["origin"]),
    )
