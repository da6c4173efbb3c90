"""`hermes-sim explore`: progress, what was found, what was really tried, one verdict."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from simulator.cli.running import resolve
from simulator.hosts import reference_host
from simulator.runner import EXIT_CODES, replay_command

if TYPE_CHECKING:
    from simulator.explore import Exploration

__all__ = ["explore_command"]


def explore_command(
    provider: str, registry: str | None, out: Path, examples: int, **how: Any
) -> int:
    """Search, print, write what was found; the exit code. The rest goes to `explore`."""
    if importlib.util.find_spec("hypothesis") is None:
        raise click.ClickException("exploring needs Hypothesis: pip install 'hermes-cron[explore]'")
    from simulator.explore import ExploreError, explore

    resolve(provider, reference_host(), registry)
    console = Console(soft_wrap=True, highlight=False, emoji=False)
    began = time.perf_counter()
    with _progress(console, examples) as on_progress:
        try:
            done = explore(
                provider, registry=registry, examples=examples, on_progress=on_progress, **how
            )
        except ExploreError as error:
            raise click.ClickException(str(error)) from error
    _print_found(console, done, provider, registry, out)
    _print_reach(console, done, time.perf_counter() - began)
    return EXIT_CODES[done.verdict]


@contextmanager
def _progress(console: Console, examples: int) -> Iterator[Callable[[int], None]]:
    """A bar; where standard output is no terminal, a line for each tenth, on standard error."""
    if not console.is_terminal:
        yield _by_tenths(examples)
        return
    with Progress(
        TextColumn("exploring"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=console, transient=True,
    ) as progress:  # fmt: skip
        task = progress.add_task("", total=examples)
        yield lambda count: progress.update(task, completed=count)


def _by_tenths(examples: int) -> Callable[[int], None]:
    told = 0

    def tell(count: int) -> None:
        nonlocal told
        if count * 10 // examples > told:
            told = count * 10 // examples
            click.echo(f"explored {count} of {examples} examples", err=True)

    return tell


def _print_found(
    console: Console, done: Exploration, provider: str, registry: str | None, out: Path
) -> None:
    if not done.findings:
        return
    from simulator.explore import write_findings

    try:
        files = write_findings(done, provider, out, registry)
    except OSError as error:
        ids = ", ".join(found.requirement for found in done.findings)
        raise click.ClickException(
            f"violated: {ids}, and cannot be written ({error}); the same seed finds it again"
        ) from error
    for found, (file, test) in zip(done.findings, files, strict=True):
        small = found.shrunk.scenario
        beside = f" (and {', '.join(found.beside)})" if found.beside else ""
        console.print(
            f"[red bold]violated[/] [bold]{found.requirement}[/]{beside}: {escape(found.reason)}"
        )
        console.print(
            f"         example {found.index}, shrunk in {found.shrunk.replays} replays to "
            f"{_count(len(small.faults), 'fault')}, {_count(len(small.steps), 'step')}, "
            f"{_count(len(small.jobs), 'job')}, {_count(len(small.machines), 'machine')}, "
            f"{_count(len(small.tape.entries), 'choice')}"
        )
        console.print(f"         replay: {escape(replay_command(str(file), provider, registry))}")
        console.print(f"         test:   {test}")


def _print_reach(console: Console, done: Exploration, wall_s: float) -> None:
    reach = done.reach
    console.print(
        f"\n[bold]{done.verdict}[/]: {escape(done.target)}, seed {done.seed}, {reach.examples} of "
        f"{done.wanted} examples in {wall_s:.1f} s"
    )
    for floor in done.floors:
        seen, least = (_figure(value) for value in (floor.seen, floor.least))
        sign = "[green]enough[/]" if floor.reached else f"[yellow]below {least}[/]"
        console.print(f"  {seen:>6}  {floor.what}: {sign}")
    for ended, count in reach.ended.items():
        console.print(f"  {count:>6}  examples did not reach their horizon: {escape(ended)}")
    if reach.never:
        console.print(f"  never came up: {', '.join(reach.never)}")
    if done.verdict == "unknown":
        console.print("nothing was found, and too little was tried to say more: give --examples")
    elif not done.findings:
        console.print(
            f"nothing was found in {reach.clean} clean runs; at 95 in 100, less than one such run "
            f"in {max(1, reach.clean // 3)} shows a violation"
        )


def _figure(value: float) -> str:
    return f"{value:.0%}" if isinstance(value, float) else str(value)


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
