"""`make mutants`: is there a test for each thing that claims, store and providers decide?

Each mutant is one small edit; the tests that reach it run against it. One that survives needs a new
test, or an argument in survivors.toml why it changes nothing that anybody was promised.

With paths as arguments only those modules are broken. With `--again` what died in the last run is
left alone, unless its function was changed since: a run that was cut off goes on. For a full answer
leave it out.

Exit code: 0 every mutant was judged, and what survived has its argument; 1 not so, as the table
says; 2 nothing or not all was judged: the run was cut off.
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
    left = [module for module in known if module in (paths or known)]
    begun_s = time.monotonic()
    done: list[str] = []
    found: list[Mutant] = []
    for number, group in enumerate(CONFIG["group"], 1):
        modules = [module for module in group["modules"] if module in left]
        folder = WORKSHOP / str(number)
        if modules:
            prepare(folder, modules, group["tests"], again="--again" in wanted)
            if not run(folder):
                break
            found += results(folder, modules)
            done += modules
    rows, stale = judge(done, found, argued)
    report(rows, stale, time.monotonic() - begun_s)
    if len(done) < len(left):
        missing = ", ".join(module for module in left if module not in done)
        return refused(f"CUT OFF before {missing} was judged; --again goes on from there")
    return int(bool(stale) or any(row.open or row.unjudged for row in rows))


def refused(why: str) -> int:
    """Say why not all was judged."""
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
    for row in rows:
        if row.unjudged:
            console.print(f"\nNOT JUDGED: {len(row.unjudged)} of {row.module}", markup=False)
    for module, function, was, became in stale:
        console.print(f"\nSTALE argument, nothing survives: {module} {function}", markup=False)
        console.print(f"  was    {was}\n  became {became}", markup=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
