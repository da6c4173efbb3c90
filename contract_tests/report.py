"""Show a assessment: one screen for people, JSON for machines."""

import json
from collections import Counter
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from contract_tests import catalogue
from contract_tests.verdicts import KINDS, TESTED_GROUPS, Assessment, Result, Ruling

__all__ = ["as_data", "print_assessment", "write_json"]

FORMAT = 1
_COLOURS = {
    Ruling.PASS: "green",
    Ruling.FAIL: "bold red",
    Ruling.KNOWN_DEVIATION: "red",
    Ruling.KIT_ERROR: "bold magenta",
    Ruling.NOT_RUN: "yellow",
    Ruling.NOT_SUPPORTED: "dim",
}
_OVERALL = {"conformant": "bold green", "violated": "bold red", "inconclusive": "bold yellow"}
_MOST_EVIDENCE = 4


def as_data(assessment: Assessment) -> dict[str, Any]:
    """The assessment as JSON values; keys are stable."""
    return {
        "report": FORMAT,
        "kit": _version(),
        "contract": assessment.contract,
        "target": assessment.target,
        "provider": assessment.provider,
        "profile": assessment.profile,
        "verdict": assessment.verdict,
        "capabilities": {
            "declared": sorted(assessment.declared),
            "shown": sorted(assessment.shown),
        },
        "counts": assessment.counts(),
        "notes": list(assessment.notes),
        "requirements": [_row(result) for result in assessment.results],
    }


def _row(result: Result) -> dict[str, Any]:
    requirement = result.requirement
    return {
        "id": requirement.id,
        "level": requirement.level,
        "verdict": result.verdict.value,
        "evidence": list(result.evidence),
        "reached": result.reached,
        "host": requirement.host,
        "capability": requirement.capability,
        "sentence": requirement.sentence,
    }


def write_json(assessment: Assessment, path: Path) -> None:
    """Write the JSON report, whole or not at all.

    Raises:
        OSError: it cannot be written there.
    """
    text = json.dumps(as_data(assessment), indent=2, ensure_ascii=False) + "\n"
    beside = path.with_name(f".{path.name}.part")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def print_assessment(assessment: Assessment, console: Console) -> None:
    """Print the verdict, what failed and why, and a line for each group."""
    declared = ", ".join(sorted(assessment.declared)) or "no capability"
    console.print(
        f"[bold]{escape(assessment.target)}[/] ({escape(assessment.provider)}): {declared}, "
        f"contract {assessment.contract}, profile {assessment.profile}"
    )
    console.print()
    console.print(_groups(assessment.results))
    console.print()
    for result in assessment.results:
        if _is_worth_a_word(assessment, result):
            _print_result(result, console)
    if not assessment.declared & KINDS:
        console.print(
            "[yellow]note[/]: neither blocking nor external: neither a loop nor a registry was "
            "judged; say what it is by --capabilities"
        )
    for note in assessment.notes:
        console.print(f"[yellow]note[/]: {escape(note)}")
    _print_verdict(assessment, console)


def _is_worth_a_word(assessment: Assessment, result: Result) -> bool:
    if result.verdict in (Ruling.FAIL, Ruling.KIT_ERROR, Ruling.KNOWN_DEVIATION):
        return True
    # What no kit of this release could have judged is in the table; a line for each would drown it.
    tested = result.requirement.group in TESTED_GROUPS
    return tested and result.verdict is not Ruling.PASS and result in assessment.expected()


def _print_result(result: Result, console: Console) -> None:
    requirement = result.requirement
    colour = _COLOURS[result.verdict]
    console.print(
        f"[{colour}]{result.verdict.value}[/] [bold]{requirement.id}[/] ({requirement.level}) "
        f"{escape(requirement.sentence)}"
    )
    for line in result.evidence[:_MOST_EVIDENCE]:
        console.print(f"    {escape(line)}")
    if len(result.evidence) > _MOST_EVIDENCE:
        console.print(f"    and {len(result.evidence) - _MOST_EVIDENCE} more lines, see --json")


def _groups(results: Iterable[Result]) -> Table:
    rows = tuple(results)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("group", "core", "strict"):
        table.add_column(column)
    for group in catalogue.load().groups():
        cells = [
            _tally(r for r in rows if r.requirement.group == group and r.requirement.level == level)
            for level in ("core", "strict")
        ]
        table.add_row(group, *cells)
    return table


def _tally(results: Iterable[Result]) -> str:
    counts = Counter(result.verdict for result in results)
    parts = [
        f"[{_COLOURS[verdict]}]{counts[verdict]} {verdict.value}[/]"
        for verdict in Ruling
        if counts[verdict]
    ]
    return ", ".join(parts)


def _print_verdict(assessment: Assessment, console: Console) -> None:
    verdict, expected = assessment.verdict, assessment.expected()
    passed = sum(1 for row in expected if row.verdict is Ruling.PASS)
    # What no kit of this release judges must not be taken for good by anybody.
    open_rows = {level: assessment.not_judged(level) for level in ("core", "strict")}
    scope = "that this kit judges" if open_rows["core"] else "that apply to it"
    console.print(
        f"[{_OVERALL[verdict]}]{verdict}[/]: of the {len(expected)} requirements of the "
        f"{assessment.profile} profile {scope}, {passed} hold"
    )
    for level, rows in open_rows.items():
        if rows:
            groups = Counter(row.requirement.group for row in rows)
            said = ", ".join(f"{group} {count}" for group, count in groups.items())
            console.print(
                f"[yellow]not judged[/]: {len(rows)} more {level} requirements that apply to it "
                f"({said}); nothing is said about them"
            )


def _version() -> str:
    try:
        return metadata.version("hermes-cron")
    except metadata.PackageNotFoundError:
        return "not installed"
