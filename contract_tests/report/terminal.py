"""One screen: what failed and why, how to see it again, and the verdict last."""

from collections import Counter
from collections.abc import Iterable

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from contract_tests.catalogue import Level
from contract_tests.report.model import Report, Row
from contract_tests.verdicts import KINDS, demanded

__all__ = ["print_report"]

_COLOURS = {
    "PASS": "green",
    "FAIL": "bold red",
    "KNOWN_DEVIATION": "red",
    "KIT_ERROR": "bold magenta",
    "NOT_RUN": "yellow",
    "NOT_SUPPORTED": "dim",
}
_OVERALL = {
    "conformant": "bold green",
    "violated": "bold red",
    "inconclusive": "bold yellow",
    "deviating": "bold yellow",
}
_MOST_EVIDENCE = 4
_MOST_EXCERPT = 8
_MOST_OPEN = 6


def print_report(report: Report, console: Console) -> None:
    """Print a line for each group, each failure with its story, and the verdict."""
    declared = ", ".join(report.capabilities.declared) or "no capability"
    console.print(
        f"[bold]{escape(report.target)}[/] ({escape(report.provider)}): {declared}, "
        f"contract {report.contract}, profile {report.profile}"
    )
    console.print()
    console.print(_groups(report.requirements))
    console.print()
    for row in report.requirements:
        if row.verdict in ("FAIL", "KNOWN_DEVIATION", "KIT_ERROR"):
            _print_row(row, console)
    _print_open(report, console)
    if not KINDS & set(report.capabilities.declared):
        console.print(
            "[yellow]note[/]: neither blocking nor external: neither a loop nor a registry was "
            "judged; say what it is by --capabilities"
        )
    for note in report.notes:
        console.print(f"[yellow]note[/]: {escape(note)}")
    _print_verdict(report, console)


def _groups(rows: Iterable[Row]) -> Table:
    rows = tuple(rows)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("group", "core", "strict"):
        table.add_column(column)
    for group in dict.fromkeys(_group(row) for row in rows):
        inside = [row for row in rows if _group(row) == group]
        table.add_row(group, _tally(inside, "core"), _tally(inside, "strict"))
    return table


def _group(row: Row) -> str:
    return row.id.rsplit("-", 1)[0]


def _tally(rows: Iterable[Row], level: str) -> str:
    counts: Counter[str] = Counter(row.verdict for row in rows if row.level == level)
    return ", ".join(
        f"[{colour}]{counts[verdict]} {verdict}[/]"
        for verdict, colour in _COLOURS.items()
        if counts[verdict]
    )


def _print_row(row: Row, console: Console) -> None:
    colour = _COLOURS[row.verdict]
    later = "" if row.scored else ", not scored for this contract"
    console.print(
        f"[{colour}]{row.verdict}[/] [bold]{row.id}[/] ({row.level}{later}) {escape(row.sentence)}"
    )
    _print_some(row.evidence, _MOST_EVIDENCE, "", console)
    _print_some(row.excerpt, _MOST_EXCERPT, "| ", console)
    if row.replay:
        console.print(f"    again: [cyan]{escape(row.replay)}[/]")
    if row.smallest:
        console.print(f"    smallest: [cyan]{escape(row.smallest)}[/]")


def _print_some(lines: tuple[str, ...], most: int, before: str, console: Console) -> None:
    for line in lines[:most]:
        console.print(f"    {before}{escape(line)}")
    if len(lines) > most:
        console.print(f"    {before}and {len(lines) - most} more, see --json")


def _print_open(report: Report, console: Console) -> None:
    """What has no result, whether it counts or not: each by itself, unless they are too many."""
    rows = [row for row in report.requirements if row.verdict == "NOT_RUN"]
    if len(rows) > _MOST_OPEN:
        reasons = Counter(row.evidence[0] if row.evidence else "no reason" for row in rows)
        for reason, count in reasons.most_common(_MOST_OPEN):
            console.print(f"[yellow]NOT_RUN[/] {count} requirements: {escape(reason)}")
        return
    for row in rows:
        _print_row(row, console)


def _print_verdict(report: Report, console: Console) -> None:
    levels: tuple[Level, ...] = ("core", "strict")
    for level in levels:
        verdict = report.verdicts[level]
        rows = [row for row in report.requirements if row.level == level]
        counts = Counter(row.verdict for row in rows)
        judged = len(rows) - counts["NOT_SUPPORTED"]
        said = f"[{_OVERALL[verdict]}]{level}: {verdict}[/], {counts['PASS']} of {judged} hold"
        if away := counts["NOT_SUPPORTED"]:
            said += f", {away} do not apply"
        if not demanded(report.profile, level):
            said += " (reported only; --profile strict counts it)"
        console.print(said)
    if report.search is not None:
        console.print(escape(report.search.sentence))
    proof = report.self_test
    console.print(
        "teeth of this kit: not proven since it was changed; run hermes-contract self-test"
        if proof is None
        else f"teeth of this kit: rejects {proof.rejects[0]} of {proof.rejects[1]} broken "
        f"implementations, accepts {proof.accepts[0]} of {proof.accepts[1]} legal oddities"
    )
    console.print(f"[{_OVERALL[report.verdict]}]{report.verdict}[/]")
