"""Controls: the proof that the suite has teeth.

A broken implementation is a plausible edit of a reference, such as a tired colleague could have
written, kept as data (``broken/``, a file for each group of the contract): the file, the old text,
the new text. It is applied to a copy of the package, the copy goes first on PYTHONPATH, and the
user's own command judges it. Pinned beside it are the ids that must reject it, all of them and no
others; the edits themselves name no id. A legal oddity (``oddities.toml``) is the same, and nothing
may reject it.
"""

import difflib
import functools
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from itertools import islice
from typing import Any

from contract_tests import catalogue
from contract_tests.verdicts import Profile

__all__ = ["Control", "Edit", "broken", "oddities"]


@dataclass(frozen=True, slots=True)
class Edit:
    """One replacement in one file of a package.

    Attributes:
        file: the path inside the package, with slashes.
        old: what stands there once, and only once.
        new: what stands there in the edited copy.
        package: the package; the registry that the kit brings is in ``simulator``, the example of
            a provider with another registry in ``contract_tests``.
    """

    file: str
    old: str
    new: str
    package: str = "hermes_cron"


@dataclass(frozen=True, slots=True)
class Control:
    """An edited reference, and what the suite must say to it.

    Attributes:
        name: in kebab case.
        story: what the colleague who made the edit had in mind.
        check: the TARGET to judge.
        registry: the fake of its registry, where that is not NAS.
        rejects: the ids that must fail, and no others; empty for an oddity.
        message: words that must stand in the evidence of the first of them.
        edits: what is changed.
    """

    name: str
    story: str
    check: str
    rejects: tuple[str, ...]
    message: str
    edits: tuple[Edit, ...]
    registry: str | None = None

    @property
    def profile(self) -> Profile:
        """The profile to judge it by: strict where only strict rows can reject it."""
        levels = {catalogue.load().get(one).level for one in self.rejects}
        return "strict" if levels == {"strict"} else "core"

    @property
    def arguments(self) -> tuple[str, ...]:
        """What stands behind `hermes-contract` to judge it."""
        more = ("--profile", self.profile) if self.profile != "core" else ()
        registry = ("--registry", self.registry) if self.registry else ()
        return ("check", self.check, *registry, *more)

    def diff(self) -> Iterator[str]:
        """The edits as a person reads them, without the surroundings."""
        for edit in self.edits:
            yield f"{edit.package}/{edit.file}"
            old, new = edit.old.splitlines(), edit.new.splitlines()
            lines = difflib.unified_diff(old, new, n=len(old) + len(new), lineterm="")
            # Behind the names of the files and the numbers of the lines.
            yield from (f"{line[:1]} {line[1:]}".rstrip() for line in islice(lines, 3, None))


@functools.cache
def broken() -> tuple[Control, ...]:
    """The broken implementations, in the contract's order of groups."""
    files = resources.files("contract_tests.controls") / "broken"
    groups = dict.fromkeys(row.group for row in catalogue.load().requirements)
    there = [files / f"{group.lower()}.toml" for group in groups]
    return tuple(control for file in there if file.is_file() for control in _read(file))


@functools.cache
def oddities() -> tuple[Control, ...]:
    """The legal oddities, in the order of the file."""
    return tuple(_read(resources.files("contract_tests.controls") / "oddities.toml"))


def _read(file: Traversable) -> Iterator[Control]:
    for row in tomllib.loads(file.read_text(encoding="utf-8")).get("control", ()):
        yield _control(row)


def _control(row: Mapping[str, Any]) -> Control:
    return Control(
        name=row["name"],
        story=row["story"],
        check=row["check"],
        rejects=tuple(row.get("rejects", ())),
        message=row.get("message", ""),
        edits=tuple(Edit(**edit) for edit in row["edit"]),
        registry=row.get("registry"),
    )
