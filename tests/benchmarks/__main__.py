"""`make bench`: the budget table, side by side in one run.

python -m tests.benchmarks [ticker machines apscheduler peers chronos growth year forecast
                            shrink agent]
"""

import sys
from collections.abc import Callable

from rich.console import Console

from tests.benchmarks.beside_agent import tick_rows
from tests.benchmarks.measure import Figures, new_table
from tests.benchmarks.tickers import apscheduler_rows, machine_rows, peer_rows, ticker_rows
from tests.benchmarks.worlds import (
    chronos_rows,
    forecast_rows,
    growth_rows,
    shrink_rows,
    year_rows,
)

ROWS: dict[str, Callable[[Figures], None]] = {
    "ticker": ticker_rows,
    "machines": machine_rows,
    "apscheduler": apscheduler_rows,
    "peers": peer_rows,
    "chronos": chronos_rows,
    "growth": growth_rows,
    "year": year_rows,
    "forecast": forecast_rows,
    "shrink": shrink_rows,
    "agent": lambda figures: tick_rows(figures.table),
}


def main(names: list[str]) -> None:
    unknown = sorted(set(names) - set(ROWS))
    if unknown:
        raise SystemExit(f"no rows {', '.join(unknown)}; there are {', '.join(ROWS)}")
    figures = Figures(new_table())
    for name in names or ROWS:
        ROWS[name](figures)
    Console(width=140).print(figures.table)


if __name__ == "__main__":
    main(sys.argv[1:])
