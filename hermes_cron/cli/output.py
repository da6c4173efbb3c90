"""How the commands print: tables that fit 80 columns, times in the configured zone, JSON."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click

from hermes_cron import clock
from hermes_cron.status.evidence import instant_of
from hermes_cron.status.json_text import json_text
from hermes_cron.status.wording import ago

__all__ = ["print_json", "print_pairs", "print_table", "relative", "when"]

WIDTH = 80


def print_json(value: Any) -> None:
    """Print one JSON document; what JSON does not know is printed as its text."""
    click.echo(json_text(value))


def print_table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], *, give: int, most: int = 19
) -> None:
    """Print a table of at most 80 columns.

    Args:
        headings: of the columns.
        rows: the cells, as plain text.
        give: the number of the column that gives way when space is short.
        most: how wide each of the others may be; 19 columns hold a time to the second.
    """
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # Text, not str: a job's name is data, and square brackets in it are no markup.
    cells = [[Text(_plain(cell)) for cell in row] for row in rows]
    widths = [
        max(cell_len(heading), *(row[number].cell_len for row in cells), 0)
        for number, heading in enumerate(headings)
    ]
    others = sum(min(width, most) + 2 for n, width in enumerate(widths) if n != give)
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    for number, heading in enumerate(headings):
        width = WIDTH - others if number == give else most
        table.add_column(
            heading, no_wrap=True, overflow="ellipsis", width=min(widths[number], max(width, 1))
        )
    for row in cells:
        table.add_row(*row)
    console = Console(file=sys.stdout, width=WIDTH, highlight=False, emoji=False)
    with console.capture() as printed:
        console.print(table)
    # By click, not by rich, which would leave with 1 when the reader has seen enough.
    click.echo("\n".join(line.rstrip() for line in printed.get().splitlines()))


def print_pairs(pairs: Sequence[tuple[str, object]]) -> None:
    """Print names and values below each other, aligned; empty values are left out."""
    width = max((len(name) for name, _ in pairs), default=0)
    for name, value in pairs:
        if value not in (None, "", [], {}):
            click.echo(f"  {name.ljust(width)}  {_plain(str(value), keep_lines=True)}")


def when(text: object, *, seconds: bool = False) -> str:
    """A stored time as wall time in the configured zone; what is no time as it stands."""
    at = instant_of(text)
    if at is None:
        return "" if text in (None, "") else str(text)
    local = datetime.fromtimestamp(at, clock.zone())
    return local.strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")


def relative(text: object) -> str:
    """'in 5 min', '2 h ago', or nothing for what is no time."""
    at = instant_of(text)
    if at is None:
        return ""
    left_s = at - clock.epoch()
    return f"in {ago(left_s)}" if left_s >= 0 else f"{ago(-left_s)} ago"


def _plain(text: str, *, keep_lines: bool = False) -> str:
    """Text without control characters: a job's name may hold any, and a terminal obeys them."""
    return "".join(
        character if character.isprintable() or (keep_lines and character in "\n\t") else " "
        for character in text
    )
