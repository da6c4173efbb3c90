"""``hermes-contract list`` and ``explain``: the contract, what judges it, and what breaks it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from simulator.scenario import Scenario

__all__ = ["explain", "list_"]


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="An array, for machines.")
@click.option("--coverage", is_flag=True, help="Only what has no test or no control; 1 if any.")
@click.pass_context
def list_(context: click.Context, *, as_json: bool, coverage: bool) -> None:
    """List the requirements, with which of them this kit judges and which have a control."""
    rows = _rows()
    if coverage:
        rows = [row for row in rows if not (row["tested"] and row["controls"])]
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        _print(rows)
    if coverage:
        if not as_json:
            click.echo(_summary(rows))
        context.exit(1 if rows else 0)


def _print(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    if not rows:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("id", "level", "for", "tested", "controls", "sentence"):
        table.add_column(column, no_wrap=column != "sentence")
    for row in rows:
        table.add_row(
            row["id"],
            row["level"],
            "host" if row["host"] else row["capability"] or "all",
            "yes" if row["tested"] else "no",
            str(len(row["controls"])),
            row["sentence"],
        )
    Console(highlight=False, emoji=False).print(table)


def _summary(lacking: list[dict[str, Any]]) -> str:
    from contract_tests import catalogue

    total = len(catalogue.load().requirements)
    tested = total - sum(not row["tested"] for row in lacking)
    controlled = total - sum(not row["controls"] for row in lacking)
    return f"{tested} of {total} requirements have a test, {controlled} a control that breaks them"


def _rows() -> list[dict[str, Any]]:
    from contract_tests import catalogue, controls, engine

    tested = set(engine.probed_ids())
    return [
        {
            "id": row.id,
            "level": row.level,
            "host": row.host,
            "capability": row.capability,
            "since": row.since,
            "sentence": row.sentence,
            "origin": list(row.origin),
            "tested": row.id in tested,
            "controls": [
                control.name for control in controls.broken() if row.id in control.rejects
            ],
        }
        for row in catalogue.load().requirements
    ]


@click.command()
@click.argument("requirement_id", metavar="ID")
def explain(requirement_id: str) -> None:
    """Explain one requirement: what it says, where it comes from, what breaks it."""
    from contract_tests import catalogue, controls, engine

    try:
        wanted = catalogue.load().get(requirement_id)
    except catalogue.UnknownRequirementError as error:
        raise click.UsageError(str(error)) from error
    judged = "the host" if wanted.host else "the provider"
    if wanted.group == "NAS":
        judged = "the registry of the run"
    applies = f"{wanted.capability} providers" if wanted.capability else "every provider"
    click.echo(f"{wanted.id} ({wanted.level}, since contract {wanted.since})")
    _say(wanted.sentence)
    click.echo(f"  judges {judged}, for {applies}")
    click.echo(f"  comes from: {', '.join(map(_told, wanted.origin)) or 'the design itself'}")
    for scenario in _incidents(wanted.id):
        click.echo(f"  incident: hermes-sim run {scenario.name} -v")
        _say(scenario.story, "    ")
    if wanted.id not in engine.probed_ids():
        click.echo("  this kit has no test for it yet")
    # Those that break it and nothing else say the most about it.
    breaking = sorted(
        (control for control in controls.broken() if wanted.id in control.rejects),
        key=lambda control: (control.rejects[0] != wanted.id, len(control.rejects)),
    )
    if not breaking:
        click.echo("  no broken implementation proves the test yet")
    for control in breaking[:1]:
        unbroken = f"hermes-contract check {control.check} --only {wanted.id} --timeline"
        click.echo(f"  see it hold: {unbroken}")
    for control in breaking:
        words = " ".join(control.arguments)
        click.echo(f"\nbroken by {control.name}, judged by hermes-contract {words}:")
        _say(control.story)
        for line in control.diff():
            click.echo(f"  {line}".rstrip())
        if others := [key for key in control.rejects if key != wanted.id]:
            _say(f"breaks {', '.join(others)} as well")
        click.echo(f"  see it fail: hermes-contract self-test --only {control.name}")


def _say(text: str, before: str = "  ") -> None:
    click.echo(click.wrap_text(text, 100, initial_indent=before, subsequent_indent=before))


def _told(origin: str) -> str:
    """Where an origin is to be looked up: an issue, a release, a commit."""
    if re.fullmatch(r"#\d+|[\d.]+", origin):
        return f"hermes-agent {origin}"
    return f"hermes-agent commit {origin}" if re.fullmatch(r"[0-9a-f]{7,}", origin) else origin


def _incidents(requirement_id: str) -> list[Scenario]:
    """The scenarios of the library that expect this requirement to hold."""
    from simulator.runner import incidents

    return [one for one in incidents() if requirement_id in one.expect.hold]
