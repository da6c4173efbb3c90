"""Figures and their table. Seconds are of CPU time, in turns, so that a busy machine slows all alike."""

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from itertools import pairwise

from rich.table import Table

__all__ = ["ROUNDS", "Figures", "alternately", "new_table"]

ROUNDS = 5


def alternately(*runs: Callable[[], object], rounds: int = ROUNDS) -> list[list[float]]:
    """CPU seconds of each, round by round; a first round warms up and does not count."""
    times: list[list[float]] = [[] for _ in runs]
    for nth in range(rounds + 1):
        for index, run in enumerate(runs):
            gc.collect()
            began = time.process_time()
            run()
            if nth:
                times[index].append(time.process_time() - began)
    return times


def new_table() -> Table:
    table = Table(
        box=None, title=f"medians of {ROUNDS}; seconds of CPU time where nothing else is said"
    )
    for title in ("what", "median", "from", "to", "at least", "aim"):
        table.add_column(title, justify="left" if title == "what" else "right")
    return table


class Figures:
    """Adds rows to a table."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def row(
        self, what: str, values: Sequence[float], form: str, least: str = "", aim: str = ""
    ) -> None:
        figures = (statistics.median(values), min(values), max(values))
        self.table.add_row(what, *(format(figure, form) for figure in figures), least, aim)

    def not_run(self, what: str, why: str) -> None:
        self.table.add_row(what, f"NOT_RUN: {why}")

    def growth(self, what: str, sizes: Sequence[int], times: Sequence[Sequence[float]]) -> None:
        """By how much the time grows from size to size, each twice the one before."""
        best = [min(values) for values in times]
        ratios = [later / before for before, later in pairwise(best)]
        said = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        self.table.add_row(
            f"{what} {', '.join(map(str, sizes))}: times, for twice as many", said, "", "", "", "2"
        )
