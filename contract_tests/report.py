"""Show a judgement: one screen for people, JSON for machines."""

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
from contract_tests.verdicts import TESTED_GROUPS, Judgement, Result, Verdict

__all__ = ["as_data", "print_judgement", "write_json"]

FORMAT = 1
_COLOURS = {
    Verdict.PASS: "green",
    Verdict.FAIL: "bold red",
    Verdict.KNOWN_DEVIATION: "red",
    Verdict.KIT_ERROR: "bold magenta",
    Verdict.NOT_RUN: "yellow",
    Verdict.NOT_SUPPORTED: "dim",
}
_OVERALL = {"conformant": "bold green", "violated": "bold red", "inconclusive": "bold yellow"}
_MOST_EVIDENCE = 4


def as_data(judgement: Judgement) -> dict[str, Any]:
    """The judgement as JSON values; keys are stable."""
    return {
        "report": FORMAT,
        "kit": _version(),
        "contract": judgement.contract,
        "target": judgement.target,
        "provider": judgement.provider,
        "profile": judgement.profile,
        "verdict": judgement.verdict,
        "capabilities": {
            "declared": sorted(judgement.declared),
            "shown": sorted(judgement.shown),
        },
        "counts": judgement.counts(),
        "notes": list(judgement.notes),
        "requirements": [_row(result) for result in judgement.results],
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


def write_json(judgement: Judgement, path: Path) -> None:
    """Write the JSON report, whole or not at all.

    Raises:
        OSError: it cannot be written there.
    """
    text = json.dumps(as_data(judgement), indent=2, ensure_ascii=False) + "\n"
    beside = path.with_name(f".{path.name}.part")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def print_judgement(judgement: Judgement, console: Console) -> None:
    """Print the verdict, what failed and why, and a line for each group."""
    declared = ", ".join(sorted(judgement.declared)) or "no capability"
    console.print(
        f"[bold]{escape(judgement.target)}[/] ({escape(judgement.provider)}): {declared}, contract "
        f"{judgement.contract}, profile {judgement.profile}"
    )
    console.print()
    console.print(_groups(judgement.results))
    console.print()
    for result in judgement.results:
        if _is_worth_a_word(judgement, result):
            _print_result(result, console)
    for note in judgement.notes:
        console.print(f"[yellow]note[/]: {escape(note)}")
    _print_verdict(judgement, console)


def _is_worth_a_word(judgement: Judgement, result: Result) -> bool:
    if result.verdict in (Verdict.FAIL, Verdict.KIT_ERROR, Verdict.KNOWN_DEVIATION):
        return True
    return (
        result in judgement.expected()
        and result.verdict is not Verdict.PASS
        and bool(result.requirement.group in TESTED_GROUPS)
    )


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
        for verdict in Verdict
        if counts[verdict]
    ]
    return ", ".join(parts)


def _print_verdict(judgement: Judgement, console: Console) -> None:
    counts = judgement.counts()
    verdict = judgement.verdict
    passed = sum(1 for row in judgement.expected() if row.verdict is Verdict.PASS)
    console.print(
        f"[{_OVERALL[verdict]}]{verdict}[/]: {passed} of {counts['expected']} requirements of the "
        f"{judgement.profile} profile hold; {counts['executed']} of {counts['total']} in the "
        f"contract were judged, {counts[Verdict.NOT_RUN.value]} were not run and count for nothing"
    )


def _version() -> str:
    try:
        return metadata.version("hermes-cron")
    except metadata.PackageNotFoundError:
        return "not installed"
