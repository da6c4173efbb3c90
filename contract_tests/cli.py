"""``hermes-contract``: check a provider, list the requirements, explain one.

Exit codes: 0 conformant, 1 violated, 2 wrong use, 3 inconclusive.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import click

from contract_tests import shadow
from contract_tests.verdicts import EXIT_CODES, Assessment, Profile, Ruling

__all__ = ["cli", "main"]

_HASH_SEED = "PYTHONHASHSEED"


def main() -> None:
    """The command, under a pinned hash seed: a provider that iterates a set gets one verdict."""
    # As its sister's, and not taken from there: a folder that hides the simulator is to be named
    # before anything of the simulator is imported.
    if _HASH_SEED not in os.environ:
        os.environ[_HASH_SEED] = "0"
        again = [sys.executable, *sys.orig_argv[1:]]
        os.execv(sys.executable, again)  # noqa: S606 - ourselves
    cli()


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hermes-cron")
def cli() -> None:
    """Judge a cron provider by the contract.

    \b
    hermes-contract check builtin               a provider that the host knows
    hermes-contract check my_pkg:MyProvider     one of yours, from the current folder
    hermes-contract check path/to/plugin        a folder as it goes into $HERMES_HOME/plugins
    hermes-contract explain TICK-2              what it says, where it comes from, what breaks it

    Exit codes: 0 conformant, 1 violated, 2 wrong use, 3 inconclusive.
    """  # noqa: D301 - \b keeps click from wrapping the examples
    for sentence in shadow.shadowed():
        click.echo(f"warning: {sentence}", err=True)


@cli.command()
@click.argument("target")
@click.option("--profile", type=click.Choice(["core", "strict"]), default="core", show_default=True)
@click.option(
    "--capabilities",
    metavar="LIST",
    help="What it declares: blocking, external, replicas, by commas. Default: what it shows.",
)
@click.option(
    "--json", "json_file", metavar="FILE", type=click.Path(dir_okay=False), help="Write a report."
)
@click.option("--quiet", is_flag=True, help="Print the verdict in one word.")
@click.pass_context
def check(
    context: click.Context,
    *,
    target: str,
    profile: Profile,
    capabilities: str | None,
    json_file: str | None,
    quiet: bool,
) -> None:
    """Judge TARGET.

    TARGET is a provider that the host knows (builtin), module:attribute (my_pkg:MyProvider,
    imported with the current folder and PYTHONPATH in sight), or a plugin folder as it is dropped
    into $HERMES_HOME/plugins.
    """
    from rich.console import Console

    from contract_tests import report

    declared = _capabilities(capabilities)
    if json_file and not Path(json_file).resolve().parent.is_dir():
        raise click.UsageError(f"--json {json_file}: there is no folder to write it into")
    try:
        assessment = _judged(target, declared, profile)
    except click.ClickException:
        raise
    except Exception as error:  # a kit that breaks has found nothing, and 1 would say that it had
        click.echo(f"the kit itself failed: {type(error).__name__}: {error}", err=True)
        context.exit(EXIT_CODES["inconclusive"])
    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    if quiet:
        click.echo(assessment.verdict)
    else:
        report.print_assessment(assessment, console)
    if json_file:
        try:
            report.write_json(assessment, Path(json_file))
        except OSError as error:
            raise click.UsageError(f"--json {json_file} cannot be written: {error}") from error
    context.exit(EXIT_CODES[assessment.verdict])


def _judged(target: str, declared: frozenset[str] | None, profile: Profile) -> Assessment:
    from contract_tests.engine import Judge
    from contract_tests.target import find_subject
    from simulator.target import TargetError

    try:
        subject = find_subject(target)
    except TargetError as error:
        raise click.UsageError(str(error)) from error
    with Judge(subject, capabilities=declared, profile=profile) as judge:
        return judge.run()


def _capabilities(text: str | None) -> frozenset[str] | None:
    from contract_tests.catalogue import CAPABILITIES

    if text is None:
        return None
    given = frozenset(word.strip() for word in text.split(",") if word.strip())
    strange = sorted(given - CAPABILITIES)
    if strange or not given:
        raise click.UsageError(
            f"--capabilities {text!r}: {', '.join(strange) or 'nothing'} is no capability; there "
            f"are {', '.join(sorted(CAPABILITIES))}"
        )
    return given


@cli.command("list")
@click.option("--json", "as_json", is_flag=True, help="An array, for machines.")
def list_(as_json: bool) -> None:
    """List the requirements, with which of them this kit judges and which have a control."""
    rows = _rows()
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table

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
    Console(highlight=False).print(table)


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


@cli.command()
@click.argument("requirement_id", metavar="ID")
def explain(requirement_id: str) -> None:
    """Explain one requirement: what it says, where it comes from, what breaks it."""
    from contract_tests import catalogue, controls

    try:
        wanted = catalogue.load().get(requirement_id)
    except catalogue.UnknownRequirementError as error:
        raise click.UsageError(str(error)) from error
    row = next(row for row in _rows() if row["id"] == wanted.id)
    judged = "the host" if wanted.host else "the provider"
    applies = f"{wanted.capability} providers" if wanted.capability else "every provider"
    click.echo(f"{wanted.id} ({wanted.level}, since contract {wanted.since})")
    click.echo(f"  {wanted.sentence}")
    click.echo(f"  judges {judged}, for {applies}")
    click.echo(f"  comes from: {', '.join(wanted.origin) or 'the design itself'}")
    if not row["tested"]:
        click.echo("  this kit has no test for it yet")
    breaking = [control for control in controls.broken() if wanted.id in control.rejects]
    if not breaking:
        click.echo("  no broken implementation proves the test yet")
    for control in breaking:
        click.echo(f"\nbroken by {control.name} (hermes-contract {' '.join(control.arguments)}):")
        click.echo(f"  {control.story}")
        for line in control.diff():
            click.echo(f"  {line}")


@cli.command("self-test")
@click.option("--jobs", default=2, show_default=True, help="How many at a time.")
@click.pass_context
def self_test(context: click.Context, *, jobs: int) -> None:
    """Prove the teeth: judge every broken implementation, and every legal oddity."""
    from concurrent.futures import ThreadPoolExecutor

    from contract_tests import controls
    from contract_tests.controls.bench import try_control

    wrong, odd = controls.broken(), controls.oddities()
    good = {"broken": 0, "odd": 0}
    with ThreadPoolExecutor(max(jobs, 1)) as pool:
        for trial in pool.map(try_control, (*wrong, *odd)):
            right = trial.verdict is Ruling.PASS
            good["broken" if trial.control.rejects else "odd"] += right
            click.echo(f"{'ok ' if right else 'BAD'} {trial.control.name}: {trial.reason}")
    click.echo(f"rejects {good['broken']} of {len(wrong)}, accepts {good['odd']} of {len(odd)}")
    context.exit(0 if sum(good.values()) == len(wrong) + len(odd) else 1)


if __name__ == "__main__":
    main()
