"""`hermes-sim`: run scenarios, list them, explore, forecast a jobs file, serve a fake NAS.

Exit codes: 0 held, 1 violated, 2 wrong use, 3 inconclusive.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from hermes_cron.cli import shell

__all__ = ["cli", "main"]

_HASH_SEED = "PYTHONHASHSEED"
_FILE = click.Path(dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)
_registry = click.option(
    "--registry",
    metavar="ATTRIBUTE",
    help="A fake of the registry that it talks to, where that is not NAS.",
)


def main() -> None:
    """The command, under a pinned hash seed: a provider that iterates a set must replay too."""
    if _HASH_SEED not in os.environ:
        os.environ[_HASH_SEED] = "0"
        again = [sys.executable, *sys.orig_argv[1:]]
        os.execv(sys.executable, again)  # noqa: S606 - ourselves
    shell.drop_what_nobody_reads()
    with shell.judging():
        cli()


@click.group(cls=shell.Judging, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hermes-cron")
def cli() -> None:
    """Drive cron providers through virtual time, against a fake NAS and a fake store.

    \b
    hermes-sim run                              all incidents, both reference providers
    hermes-sim run NAME --verbose               one of them, with its timeline
    hermes-sim run --provider my_pkg:MyProvider your own provider
    hermes-sim explore --provider P             search for what breaks it
    hermes-sim forecast jobs.json --days 30     what a jobs file will do
    hermes-sim nas                              a fake NAS for an agent that really runs

    Exit codes: 0 held, 1 violated, 2 wrong use, 3 inconclusive.
    """  # noqa: D301 - \b keeps click from wrapping the examples


@cli.command()
@click.argument("scenarios", nargs=-1, metavar="[NAME|FILE]...")
@click.option("--provider", "-p", "providers", multiple=True, metavar="P",
              help="A bundled name, module:attribute or folder; may be given again.")  # fmt: skip
@_registry
@click.option("--json", "json_file", type=_FILE, metavar="FILE",
              help="Write the results there, for machines.")  # fmt: skip
@click.option("--history", "history_dir", type=_FOLDER, metavar="DIR",
              help="Write one JSONL history for each scenario and provider there.")  # fmt: skip
@click.option("--verbose", "-v", is_flag=True, help="Show the timeline of each run.")
def run(
    *,
    scenarios: tuple[str, ...],
    providers: tuple[str, ...],
    registry: str | None,
    json_file: Path | None,
    history_dir: Path | None,
    verbose: bool,
) -> None:
    """Run scenarios (all incidents when none is named) and judge them."""
    from simulator.cli.running import run_command

    sys.exit(
        run_command(
            scenarios, providers, json_file, history_dir, registry=registry, verbose=verbose
        )
    )


@cli.command("list")
@click.option("--json", "as_json", is_flag=True, help="An array of scenarios, for machines.")
def list_command(as_json: bool) -> None:
    """List the scenario library."""
    from simulator.cli.running import list_library

    list_library(as_json=as_json)


@cli.command()
@click.option("--provider", "-p", default="builtin", show_default=True, metavar="P",
              help="A bundled name, module:attribute or a plugin's folder.")  # fmt: skip
@_registry
@click.option("--examples", "-n", default=200, show_default=True, type=click.IntRange(1),
              help="How many scenarios to try.")  # fmt: skip
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0),
              help="What they are drawn from; the same seed gives the same.")  # fmt: skip
@click.option("--days", default=1, show_default=True, type=click.IntRange(1, 31),
              help="How long a scenario lasts at most.")  # fmt: skip
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 256),
              help="Processes to use; they change nothing but the time it takes.")  # fmt: skip
@click.option("--out", type=_FOLDER, default="explored", show_default=True, metavar="DIR",
              help="Where what is found is written.")  # fmt: skip
@click.option("--keep-going", is_flag=True, help="Go on after a violation, to find others.")
def explore(**options: Any) -> None:
    """Search for a scenario in which the provider violates a requirement.

    Jobs, steps, faults and the order of tasks are drawn; what is violated is made small and
    written as a scenario file, which `hermes-sim run` replays, and as a test to paste. Exits 3
    when nothing was found and too little was tried to mean anything.
    """
    from simulator.cli.exploring import explore_command

    sys.exit(explore_command(**options))


@cli.command()
@click.argument("jobs_json", type=click.Path(path_type=Path), metavar="JOBS_JSON")
@click.option("--days", default=30, show_default=True, type=click.IntRange(1, 3660),
              help="How many calendar days to look ahead.")  # fmt: skip
@click.option(
    "--tz", metavar="ZONE", help="The configured zone, like Europe/Berlin. Default: the host's own."
)
@click.option("--from", "start", metavar="INSTANT",
              help="Where to start, ISO 8601; naive means in the zone. Default: now.")  # fmt: skip
@click.option("--down", "downs", multiple=True, metavar="INSTANT/DURATION",
              help="An outage, like 2026-11-01T02:00/6h; may be given again.")  # fmt: skip
@click.option(
    "--provider",
    "-p",
    metavar="P",
    help="A bundled name or module:attribute. Default: the first bundled.",
)
@click.option("--all", "every_fire", is_flag=True, help="List every fire, not the first few.")
@click.option("--json", "json_file", type=_FILE, metavar="FILE",
              help="Write the answer there, for machines.")  # fmt: skip
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 256),
              help="Processes; for a provider that treats each job by itself.")  # fmt: skip
def forecast(**options: Any) -> None:
    """Tell what a jobs.json will do: what fires when, what clock changes and outages do to it."""
    from simulator.cli.forecasting import forecast_command

    sys.exit(forecast_command(**options))


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Loopback only.")
@click.option("--port", default=8788, show_default=True, type=click.IntRange(0, 65535),
              help="0 takes a free one.")  # fmt: skip
@click.option("--clock", "clock", default="real", show_default=True,
              type=click.Choice(["real", "manual"]),
              help="manual: time stands until POST /advance.")  # fmt: skip
@click.option("--duplicates", default=0, show_default=True, type=click.IntRange(0, 100_000),
              help="Deliver each fire this often more.")  # fmt: skip
@click.option("--delay", "delay_s", default=0.0, show_default=True, metavar="S",
              type=click.FloatRange(0, 86_400),
              help="Deliver each fire this late, in seconds.")  # fmt: skip
@click.option("--agent", "agents", multiple=True, metavar="TOKEN=AGENT", default=["dev-token=me"],
              show_default=True, help="Whose token is whose; may be given again.")  # fmt: skip
def nas(*, clock: str, **options: Any) -> None:
    """Serve a fake NAS on loopback, with real tokens, until SIGTERM.

    The first line is its URL: the portal_url of an agent's config.yaml. Its keys are at
    /jwks.json, what stands at /state. Fires go to the callback URL that the agent armed.
    """
    from simulator.nas_server import nas_command

    sys.exit(nas_command(manual=clock == "manual", **options))


cli.add_command(shell.completion_command("hermes-sim"))
