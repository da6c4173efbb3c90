"""`make explore-teeth`: does exploration find the broken providers of the kit?

Against each control that a history can show, examples are drawn until one violates what the control
is pinned to, and that one is made small. Exit code 1 when one is not found, or stays big. Results
are added to a file as they come; what is found there is not looked for again, and what was not is
looked for from where it ended. `--afresh` forgets them: do so when what is drawn has changed.

`found.jsonl`, beside this file, is the record of a search that was made: for each control the
example, what it violates, and the scenario that it shrank to. It does not say what a search on
today's code finds, unless it was made on it: how much of it was is printed first. What it shows is
cheap to look at again, in minutes: `--replay` judges each recorded scenario, with the broken
provider and with the reference, and fails where it shows nothing any more. `--record` adds what is
found to it.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from contract_tests.controls import Control, broken

from . import teeth

RESULTS = Path(__file__).parents[2] / "build" / "explore-teeth.jsonl"
RECORD = Path(__file__).with_name("found.jsonl")
MOST_FAULTS = 3


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.explored", description=__doc__)
    parser.add_argument("controls", nargs="*", help="names of controls; all when none is given")
    parser.add_argument("--examples", type=int, default=2000, help="how many at most")
    parser.add_argument("--at", type=int, nargs="+", help="look at these examples only")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--days", type=int, default=1)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--afresh", action="store_true")
    parser.add_argument("--replay", action="store_true", help="judge what is recorded, and no more")
    parser.add_argument("--record", action="store_true", help="add what is found to the record")
    said = parser.parse_args(arguments)
    wanted = [control for control in broken() if control.name in said.controls or not said.controls]
    if unknown := set(said.controls) - {control.name for control in wanted}:
        parser.error(f"no control {', '.join(sorted(unknown))}")
    if said.afresh:
        said.results.unlink(missing_ok=True)
    console = Console(highlight=False, soft_wrap=True)
    recorded = teeth.read(RECORD)
    console.print(known(recorded), markup=False)
    if said.replay:
        return replay(console, recorded, wanted)
    good = True
    for control in wanted:
        if reason := teeth.why_not(control):
            console.print(f"cannot show  {control.name}: {reason}", markup=False)
            continue
        bite = result(control, said)
        small = bite.index is not None and bite.faults <= MOST_FAULTS
        good = good and small
        word = "found" if small else "MISSED" if bite.index is None else "TOO BIG"
        console.print(f"{word:11}  {bite.line}", markup=False)
        if said.record and small and recorded.get(control.name) != bite:
            teeth.keep(bite, RECORD)
    return int(not good)


def known(recorded: Mapping[str, teeth.Bite]) -> str:
    """What the record says, and of which code."""
    there = [control.name for control in broken() if teeth.why_not(control) is None]
    found = [recorded[name] for name in there if name in recorded]
    today = sum(bite.made_on == teeth.digest() for bite in found)
    last = max((bite.index or 0 for bite in found), default=0)
    return (
        f"recorded: {len(found)} of {len(there)} found, the last at example {last}, with "
        f"{max((bite.faults for bite in found), default=0)} faults at most; {today} of them on "
        "exactly this code"
    )


def replay(console: Console, recorded: Mapping[str, teeth.Bite], wanted: Sequence[Control]) -> int:
    """Judge the recorded scenarios again; 1 when one shows nothing, or is missing."""
    good = True
    for control in wanted:
        if teeth.why_not(control):
            continue
        bite = recorded.get(control.name)
        shows = bite is not None and teeth.replayed(bite, control)
        good = good and shows
        word = "shows" if shows else "NOTHING" if bite else "NO RECORD"
        console.print(f"{word:11}  {bite.line if bite else control.name}", markup=False)
    return int(not good)


def result(control: Control, said: argparse.Namespace) -> teeth.Bite:
    """What is known, or what looking further comes to."""
    known = teeth.read(said.results).get(control.name)
    if known is not None and (known.index is not None or known.looked >= said.examples):
        return known
    bite = teeth.explore_control(
        control,
        indices=said.at or range(known.looked if known else 0, said.examples),
        seed=said.seed, days=said.days,
    )  # fmt: skip
    if bite.index is not None or not said.at:
        teeth.keep(bite, said.results)
    return bite


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
