"""`make mutants`: is there a test for each thing that claims, store and providers decide?

Each mutant is one small edit; the tests that reach it run against it. One that survives needs a new
test, or an argument in survivors.toml why it changes nothing that anybody was promised.

With paths as arguments only those modules are broken. With `--again` what died in the last run is
left alone, unless its function was changed since; for a full answer leave it out.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from .survivors import Key, Mutant, Row, arguments, judge
from .workshop import CONFIG, WORKSHOP, prepare, results, run

ARGUMENTS = Path(__file__).with_name("survivors.toml")


def main(wanted: Sequence[str]) -> int:
    paths = [one for one in wanted if one != "--again"]
    known = [module for group in CONFIG["group"] for module in group["modules"]]
    unknown = sorted(set(paths) - set(known))
    if unknown:
        return refused(f"not in mutants.toml: {', '.join(unknown)}")
    argued = arguments(ARGUMENTS.read_text(encoding="utf-8"))
    begun_s = time.monotonic()
    found: list[Mutant] = []
    for group in CONFIG["group"]:
        modules = [module for module in group["modules"] if module in (paths or known)]
        if not modules:
            continue
        prepare(modules, group["tests"], again="--again" in wanted)
        if run():
            return refused(f"mutmut did not get through; its files are in {WORKSHOP}")
        found += results(modules)
    rows, stale = judge(paths or known, found, argued)
    report(rows, stale, time.monotonic() - begun_s)
    return int(bool(stale) or any(row.open or row.unjudged for row in rows))


def refused(why: str) -> int:
    """Say why nothing was judged."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(why, markup=False)
    return 2


def report(rows: Sequence[Row], stale: Sequence[Key], took_s: float) -> None:
    """The table, then what is to be done."""
    console = Console(highlight=False, soft_wrap=True, width=110)
    table = Table("module", box=None)
    for column in ("mutants", "killed", "wording", "argued", "survived", "not judged"):
        table.add_column(column, justify="right")
    figures = [
        (row.mutants, row.killed, row.wording, row.argued, len(row.open), len(row.unjudged))
        for row in rows
    ]
    for row, counts in zip(rows, figures, strict=True):
        table.add_row(row.module, *map(str, counts))
    table.add_row("together", *(str(sum(counts)) for counts in zip(*figures, strict=True)))
    console.print(table)
    console.print(f"{took_s / 60:.1f} minutes")
    for mutant in (mutant for row in rows for mutant in row.open):
        console.print(
            f"\nSURVIVED without an argument: {mutant.module} {mutant.function}", markup=False
        )
        console.print(f"  was    {mutant.was}\n  became {mutant.became}", markup=False)
    for module, function, was, became in stale:
        console.print(f"\nSTALE argument, nothing survives: {module} {function}", markup=False)
        console.print(f"  was    {was}\n  became {became}", markup=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
