"""Which kit wrote a report: its version, a digest of what judges, and the proof of its teeth."""

import functools
import hashlib
import json
from collections.abc import Iterator
from importlib import metadata, resources
from importlib.resources.abc import Traversable
from typing import Any

from contract_tests import controls

__all__ = ["JUDGES", "digest", "files_of", "proven", "record_proof", "version"]

# Where the proof of the teeth is kept, beside what it was made with.
_PROOF = "self_test.json"
JUDGES = (("contract_tests", (".py", ".toml", ".yaml")), ("simulator", (".py",)))


def version() -> str:
    """The version of the distribution."""
    try:
        return metadata.version("hermes-cron")
    except metadata.PackageNotFoundError:
        return "not installed"


@functools.cache
def digest() -> str:
    """SHA-256 over all that judges: requirements, probes, scenarios, controls, the simulator."""
    whole = hashlib.sha256()
    for package, endings in JUDGES:
        for name, file in files_of(package, endings):
            whole.update(name.encode() + b"\0" + file.read_bytes() + b"\0")
    return whole.hexdigest()


def files_of(package: str, endings: tuple[str, ...]) -> Iterator[tuple[str, Traversable]]:
    """The files of a package with these endings, by name."""
    yield from _files(resources.files(package), package, endings)


def _files(
    folder: Traversable, path: str, endings: tuple[str, ...]
) -> Iterator[tuple[str, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        name = f"{path}/{entry.name}"
        if entry.is_dir():
            yield from _files(entry, name, endings)
        elif name.endswith(endings):
            yield name, entry


def proven() -> dict[str, Any] | None:
    """What the self-test of exactly this kit found, ``rejects`` and ``accepts`` of how many.

    None where it was not run since something that judges was changed, and where the record is not
    of all the controls that there are: it was not written by a whole self-test of this kit.
    """
    try:
        proof = json.loads((_home() / _PROOF).read_text(encoding="utf-8"))
        (rejected, broken), (accepted, odd) = proof["rejects"], proof["accepts"]
    except (OSError, ValueError, KeyError, TypeError):  # there is none, or it is none of ours
        return None
    there = (len(controls.broken()), len(controls.oddities()))
    if proof.get("digest") != digest() or (broken, odd) != there:
        return None
    if not (0 <= rejected <= broken and 0 <= accepted <= odd):
        return None
    return {"rejects": [rejected, broken], "accepts": [accepted, odd]}


def _home() -> Traversable:
    return resources.files("contract_tests")


def record_proof(*, rejects: tuple[int, int], accepts: tuple[int, int]) -> None:
    """Keep what a complete self-test found, for the reports of this kit.

    Args:
        rejects: broken implementations that were rejected as pinned, and how many there are.
        accepts: legal oddities that were accepted, and how many there are.

    Raises:
        OSError: the kit is installed where it cannot be written.
    """
    proof = {"digest": digest(), "rejects": list(rejects), "accepts": list(accepts)}
    with resources.as_file(_home()) as folder:
        (folder / _PROOF).write_text(json.dumps(proof, indent=2) + "\n", encoding="utf-8")
