"""Known deviations: what an author knows to be broken, each with a reason and an end.

    [[deviation]]
    id = "RECON-8"
    reason = "the registry has no cancel yet"
    link = "https://example.test/our-tracker/12"
    expires = 2026-12-31

A listed FAIL becomes KNOWN_DEVIATION, which is still not conformant. An entry that has gone stale
fails: its day is over, the requirement holds again, or it does not apply to this provider at all.
"""

import datetime as dt
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from contract_tests import catalogue
from contract_tests.verdicts import Deviation, Result, Ruling

__all__ = ["DeviationError", "in_the_light_of", "read_deviations"]

_FIELDS = ("id", "reason", "link", "expires")


class DeviationError(Exception):
    """The file of deviations cannot be used; says which entry and what is wrong."""


def read_deviations(path: Path) -> tuple[Deviation, ...]:
    """The entries of a TOML file.

    Raises:
        DeviationError: it cannot be read, or an entry is incomplete or names no requirement.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DeviationError(f"{path}: {error}") from error
    if strange := sorted(document.keys() - {"deviation"}):
        raise DeviationError(f"{path}: {strange[0]!r} is unknown; entries are [[deviation]] tables")
    rows = document.get("deviation", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DeviationError(f"{path}: entries are [[deviation]] tables, in double brackets")
    found = [_entry(row, f"{path}, entry {n}") for n, row in enumerate(rows, 1)]
    ids = [one.id for one in found]
    if twice := [one for one in ids if ids.count(one) > 1]:
        raise DeviationError(f"{path}: {twice[0]} is listed twice")
    return tuple(found)


def _entry(row: Mapping[str, Any], where: str) -> Deviation:
    for key in _FIELDS:
        if not str(row.get(key, "")).strip():
            raise DeviationError(f"{where}: {key} is missing; each has {', '.join(_FIELDS)}")
    if strange := sorted(row.keys() - set(_FIELDS)):
        raise DeviationError(f"{where}: {strange[0]!r} is unknown; each has {', '.join(_FIELDS)}")
    try:
        requirement = catalogue.load().get(str(row["id"]))
        expires = dt.date.fromisoformat(str(row["expires"])[:10])
    except catalogue.UnknownRequirementError as error:
        raise DeviationError(f"{where}: {error}") from error
    except ValueError as error:
        raise DeviationError(f"{where}: expires is a day, such as 2026-12-31: {error}") from error
    return Deviation(requirement.id, str(row["reason"]), str(row["link"]), expires.isoformat())


def in_the_light_of(result: Result, deviations: Mapping[str, Deviation], today: dt.date) -> Result:
    """The result, seen as known or as stale where its requirement is listed.

    Args:
        result: what was found.
        deviations: what is listed, by id.
        today: the day to hold the ends against.
    """
    deviation = deviations.get(result.requirement.id)
    if deviation is None:
        return result
    if result.verdict is Ruling.FAIL:
        if dt.date.fromisoformat(deviation.expires) >= today:
            known = f"known: {deviation.reason} ({deviation.link}, until {deviation.expires})"
            return _with(result, Ruling.KNOWN_DEVIATION, deviation, after=known)
        late = f"it was known until {deviation.expires} and is not mended: {deviation.link}"
        return _with(result, Ruling.FAIL, deviation, after=late)
    if result.verdict in (Ruling.PASS, Ruling.NOT_SUPPORTED):
        stale = "holds" if result.verdict is Ruling.PASS else "does not apply to this provider"
        said = f"it is listed as a known deviation and {stale}: take the entry out"
        return _with(result, Ruling.FAIL, deviation, before=said)
    return replace(result, deviation=deviation)


def _with(
    result: Result, verdict: Ruling, deviation: Deviation, *, before: str = "", after: str = ""
) -> Result:
    evidence = tuple(filter(None, (before, *result.evidence, after)))
    return replace(result, verdict=verdict, evidence=evidence, deviation=deviation)
