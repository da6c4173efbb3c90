"""`hermes-sim run` and `hermes-sim list`: progress, a line a run, one verdict."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from simulator.departure import find_departure
from simulator.detect import with_capabilities
from simulator.durations import format_duration
from simulator.hosts import Host, reference_host
from simulator.runner import (
    EXIT_CODES,
    Row,
    incidents,
    overall,
    pairs,
    replay_command,
    run_all,
    select,
)
from simulator.scenario_file import ScenarioError
from simulator.summary import happened, injected
from simulator.target import Target, TargetError, find_target
from simulator.timeline import show_timeline

__all__ = ["list_library", "resolve", "run_command"]

_SIGNS = {
    "held": "[green]held[/]    ",
    "violated": "[red bold]violated[/]",
    "unknown": "[yellow]unknown[/] ",
}


def resolve(name: str, host: Host, registry: str | None = None) -> Target:
    """The provider that a user means, with its capabilities and the fake of its registry.

    Raises:
        click.UsageError: There is none; says which there are.
    """
    try:
        return with_capabilities(find_target(name, host, registry), host)
    except TargetError as error:
        raise click.UsageError(str(error)) from error


def run_command(
    names: Sequence[str],
    providers: Sequence[str],
    json_file: Path | None,
    history_dir: Path | None,
    *,
    registry: str | None,
    verbose: bool,
) -> int:
    """Run, print, write; the exit code."""
    host = reference_host()
    try:
        scenarios = select(names)
    except ScenarioError as error:
        raise click.UsageError(str(error)) from error
    _can_write(json_file, history_dir)
    words = providers or list(host.bundled())
    targets = [resolve(word, host, registry) for word in words]
    said = dict(zip((target.label for target in targets), words, strict=True))
    console = Console(soft_wrap=True, highlight=False, emoji=False)
    todo = len(list(pairs(scenarios, targets)))
    with Progress(
        TextColumn("running"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"),
        console=console, transient=True, disable=not console.is_terminal,
    ) as progress:  # fmt: skip
        task = progress.add_task("", total=todo)

        def on_row(row: Row) -> None:
            _print_row(progress.console, row)
            if verbose:
                target = next(one for one in targets if one.label == row.run.target)
                violated = row.judged.verdict == "violated"
                departure = find_departure(row.run, target, host) if violated else None
                show_timeline(row.run.history, progress.console, departure=departure)
            if todo > 1:
                _print_replay(progress.console, row, said, registry, verbose=verbose)
            progress.update(task, advance=1, description=row.run.scenario.name)

        rows = run_all(scenarios, targets, host, on_row=on_row)
    verdict = overall(row.judged.verdict for row in rows)
    _print_verdict(console, rows, verdict)
    if registry is None:
        _print_unseen(console, rows, targets)
    if len(rows) == 1:  # the last line, where it is seen first
        _print_replay(console, rows[0], said, registry, verbose=verbose)
    try:
        if history_dir is not None:
            _write_histories(history_dir, rows)
        if json_file is not None:
            _write_json(json_file, rows, verdict)
    except OSError as error:
        raise click.ClickException(f"{verdict}, and cannot be written: {error}") from error
    return EXIT_CODES[verdict]


def _can_write(json_file: Path | None, history_dir: Path | None) -> None:
    """Find out before the runs, not after them."""
    try:
        if history_dir is not None:
            history_dir.mkdir(parents=True, exist_ok=True)
        if json_file is not None:
            json_file.touch()
    except OSError as error:
        raise click.UsageError(f"cannot write {error.filename}: {error.strerror}") from error


def _print_row(console: Console, row: Row) -> None:
    scenario, history = row.run.scenario, row.run.history
    told = {one.id: one.verdict for one in row.judged.findings if one.id in scenario.expect.hold}
    told |= {one.id: one.verdict for one in row.judged.findings if one.verdict == "violated"}
    groups = [
        f"{' '.join(name for name, said in told.items() if said == verdict)} {verdict}"
        for verdict in dict.fromkeys(told.values())
    ]
    if not groups:  # the scenario names none that it is about
        held = sum(one.verdict == "held" for one in row.judged.findings)
        groups = [f"{held} requirements held"]
    title = f"{scenario.name} ({scenario.origin or 'found here'})"
    console.print(
        f"{_SIGNS[row.judged.verdict]} [bold]{escape(title)}[/] {escape(row.run.target)}: "
        f"{escape(injected(scenario, history))} -> {escape(happened(history))}; "
        f"{', '.join(groups)}; [dim]{format_duration(scenario.lasts)} in {row.wall_s:.2f} s[/]"
    )
    for reason in row.judged.reasons:
        console.print(f"         {escape(reason)}")


def _print_replay(
    console: Console, row: Row, said: Mapping[str, str], registry: str | None, *, verbose: bool
) -> None:
    """The one command that gives this run again, of any that is worth a second look."""
    if verbose or row.judged.verdict != "held":
        command = replay_command(row.source, said[row.run.target], registry)
        console.print(f"         replay: {escape(command)}")


def _print_verdict(console: Console, rows: Sequence[Row], verdict: str) -> None:
    if not rows:
        console.print("unknown: no scenario is for a provider of this kind, so nothing was run")
        return
    counts = {key: sum(row.judged.verdict == key for row in rows) for key in _SIGNS}
    simulated_d = sum(row.simulated_s for row in rows) / 86_400
    wall_s = sum(row.wall_s for row in rows)
    said = ", ".join(f"{count} {key}" for key, count in counts.items() if count)
    console.print(
        f"\n[bold]{verdict}[/]: {len(rows)} runs, {said}; "
        f"{simulated_d:.1f} simulated days in {wall_s:.2f} s"
    )


def _print_unseen(console: Console, rows: Sequence[Row], targets: Sequence[Target]) -> None:
    """Say it of a provider that is woken from outside, and called nobody who could do that."""
    for target in targets:
        runs = [row.run for row in rows if row.run.target == target.label]
        called = any(run.history.of("nas.call") for run in runs)
        if "external" in target.capabilities and runs and not called:
            console.print(
                f"         {escape(target.label)} never called NAS: if it calls another registry, "
                "give --registry my_pkg.testing:FakeRegistry"
            )


def _write_histories(folder: Path, rows: Sequence[Row]) -> None:
    for row in rows:
        label = "".join(c if c.isalnum() or c in "-_." else "-" for c in row.run.target)
        name = f"{row.run.scenario.name}.{label}.jsonl"
        (folder / name).write_bytes(row.run.history.to_bytes())


def _write_json(file: Path, rows: Sequence[Row], verdict: str) -> None:
    report: dict[str, Any] = {
        "verdict": verdict,
        "exit_code": EXIT_CODES[verdict],
        "rows": [row.to_json() for row in rows],
    }
    file.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def list_library(*, as_json: bool) -> None:
    """Print the library."""
    library = incidents()
    if as_json:
        click.echo(json.dumps([scenario.plain() for scenario in library], indent=2))
        return
    for scenario in library:
        click.echo(f"{scenario.name}  ({scenario.origin or 'found here'})")
        story = " ".join(scenario.story.split())
        click.echo(textwrap.fill(story, 80, initial_indent="    ", subsequent_indent="    "))
