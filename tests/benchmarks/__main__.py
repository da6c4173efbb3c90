"""`make bench`: the first rows of the budget table, side by side in one run."""

import gc
import statistics
import time
from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from hermes_cron import CronScheduler, jobs, scheduler
from simulator.hosts import reference_host
from simulator.kernel import here
from simulator.scenario import Scenario
from simulator.target import Target, from_class
from simulator.verdict import judge
from simulator.world import simulate
from tests.benchmarks.beside_agent import tick_rows

DAYS = 7
TICKS = DAYS * 24 * 60
ROUNDS = 5

QUIET_WEEK = Scenario.model_validate(
    {
        "name": "a-quiet-week",
        "start": "2026-03-02T08:00:00",
        "lasts": f"{DAYS}d",
        "jobs": [{"id": f"job-{n}", "schedule": "0 0 1 7 *"} for n in range(100)],
    }
)


class BareLoop(CronScheduler):
    """The body of the built-in's tick in a `for`, with the clock pushed on by hand: no kernel."""

    @property
    def name(self) -> str:
        return "bare"

    def start(self, stop_event, *, adapters=None, loop=None, interval=60) -> None:
        kernel = here()
        step_us = interval * 1_000_000
        jobs.record_ticker_heartbeat(success=False)
        for _ in range(TICKS):
            scheduler.tick(verbose=False, adapters=adapters, loop=loop, sync=False)
            jobs.record_ticker_heartbeat(success=True)
            kernel.now_us += step_us


def week_of(target: Target) -> Callable[[], None]:
    def run() -> None:
        history = simulate(QUIET_WEEK, target).history
        assert len(history.of("tick.end")) >= TICKS
        judge(history, QUIET_WEEK)

    return run


def alternately(first: Callable[[], None], second: Callable[[], None]) -> list[list[float]]:
    """Seconds of each, in turn, so that a machine that slows down slows both."""
    times: list[list[float]] = [[], []]
    for nth in range(ROUNDS + 1):
        for index, run in enumerate((first, second)):
            gc.collect()
            began = time.perf_counter()
            run()
            if nth:  # the first round warms up
                times[index].append(time.perf_counter() - began)
    return times


def main() -> None:
    builtin = reference_host().bundled()["builtin"]
    simulated, bare = alternately(week_of(builtin), week_of(from_class(BareLoop, "bare")))
    speeds = [DAYS * 86_400 / seconds for seconds in simulated]
    ratios = [one / other for one, other in zip(simulated, bare, strict=True)]
    table = Table(box=None, title=f"medians of {ROUNDS}, one run, this machine as busy as it was")
    for title in ("what", "median", "from", "to", "at least", "aim"):
        table.add_column(title, justify="left" if title == "what" else "right")

    def row(what: str, values: list[float], form: str, least: str, aim: str) -> None:
        figures = (statistics.median(values), min(values), max(values))
        table.add_row(what, *(format(figure, form) for figure in figures), least, aim)

    row(
        "built-in, one 60 s ticker, 100 jobs, none due: simulated s per wall s",
        *(speeds, ",.0f", "2,000,000", "10,000,000"),
    )
    row("the same against a bare loop over the tick body: times", ratios, ".2f", "3.0", "1.3")
    tick_rows(table)
    Console(width=130).print(table)


if __name__ == "__main__":
    main()
