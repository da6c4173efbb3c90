"""The `hermes-cron` command. What a command needs is imported when it runs: `--help` is instant.

Exit codes: 0 done (status: healthy), 1 failed (status: not healthy), 2 wrong use, 3 unknown.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from hermes_cron import __version__
from hermes_cron.cli import shell

__all__ = ["cli", "main"]

F = TypeVar("F", bound=Callable[..., Any])

SCHEDULES = """\b
Schedules:
  30m, 2h, 1d              once, that long from now
  every 30m                again and again, by elapsed time
  0 9 * * 1-5              cron: minute hour day month weekday
  2026-12-24T18:00         once, at that time in the configured zone
"""

EXAMPLES = """\b
Examples:
  hermes-cron create "every 1h" --script backup.sh --name backup
  hermes-cron create "0 9 * * 1-5" "Summarise my inbox" --deliver telegram
  hermes-cron list
  hermes-cron run backup            run it now and wait for it
  hermes-cron serve                 run what is due, until stopped
  hermes-cron status                will my jobs fire?

\b
Jobs are named by their id or their name. The home is $HERMES_HOME, else
~/.hermes. Exit codes: 0 done, 1 failed, 2 wrong use, 3 unknown.
Tab completion for bash (or zsh, fish): eval "$(hermes-cron completion bash)"
"""


class _InOrder(click.Group):
    """A group that lists its commands as they were defined: in the order one needs them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(self.commands)


@click.group(
    cls=_InOrder, epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, prog_name="hermes-cron")
def cli() -> None:
    """Scheduled jobs: create them, see them, run them.

    A job runs a script, or hands a prompt to an agent, at the times that its schedule names. Jobs
    fire while 'hermes-cron serve' runs; 'hermes-cron status' says whether they will.
    """


def _names(ctx: click.Context, parameter: click.Parameter, typed: str) -> list[Any]:
    """The jobs' names and ids, for tab completion; none when they cannot be read."""
    del ctx, parameter
    from click.shell_completion import CompletionItem

    from hermes_cron import jobs

    try:
        found = jobs.list_jobs(include_disabled=True)
    except Exception:  # completion is no place for errors
        return []
    words = [(job.get("name"), job.get("id")) for job in found]
    words += [(job_id, name) for name, job_id in words]
    return [
        CompletionItem(word, help=str(help_text))
        for word, help_text in words
        if isinstance(word, str) and word.startswith(typed)
    ]


def _job_argument(function: F) -> F:
    return click.argument("job", shell_complete=_names)(function)


def _json_option(function: F) -> F:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


@cli.command(epilog=SCHEDULES)
@click.argument("schedule")
@click.argument("prompt", required=False)
@click.option(
    "--script", help="A script under $HERMES_HOME/scripts: .sh by bash, others by Python."
)
@click.option("--name", help="How to call the job; else it is called by its id.")
@click.option("--repeat", type=click.IntRange(min=1), help="Run this often, then be done.")
@click.option("--deliver", help="Where the output goes, as hermes-agent has it.")
@click.option("--workdir", type=click.Path(), help="The folder that the job runs in.")
@click.option("--no-agent", is_flag=True, help="Only run the script (so without a PROMPT).")
@_json_option
def create(
    *,
    schedule: str,
    prompt: str | None,
    script: str | None,
    name: str | None,
    repeat: int | None,
    deliver: str | None,
    workdir: str | None,
    no_agent: bool,
    as_json: bool,
) -> None:
    """Create a job that runs PROMPT or a script at SCHEDULE."""
    if not prompt and not script:
        raise click.UsageError("a job needs something to run: a PROMPT, or --script FILE")
    if no_agent and not script:
        raise click.UsageError("--no-agent runs a script alone: name it with --script FILE")
    from hermes_cron.cli import job_commands as cli_jobs

    cli_jobs.create(
        schedule,
        prompt or "",
        script=script,
        name=name,
        repeat=repeat,
        deliver=deliver,
        workdir=workdir,
        # Without a prompt there is nothing to tell an agent.
        no_agent=no_agent or not prompt,
        as_json=as_json,
    )


@cli.command("list")
@click.option("--active", is_flag=True, help="Leave out paused and finished jobs.")
@_json_option
def list_(active: bool, as_json: bool) -> None:
    """List the jobs, the next one first."""
    from hermes_cron.cli import job_commands as cli_jobs

    cli_jobs.show_all(active=active, as_json=as_json)


@cli.command()
@_job_argument
@_json_option
def show(job: str, as_json: bool) -> None:
    """Show one job, what became of its last runs, and its newest output."""
    from hermes_cron.cli import job_commands as cli_jobs

    cli_jobs.show(job, as_json=as_json)


@cli.command()
@_job_argument
@click.option("--reason", help="Why; 'show' says it.")
@_json_option
def pause(job: str, reason: str | None, as_json: bool) -> None:
    """Let a job rest until 'resume'."""
    from hermes_cron.cli import job_commands as cli_jobs

    cli_jobs.pause(job, reason, as_json=as_json)


@cli.command()
@_job_argument
@_json_option
def resume(job: str, as_json: bool) -> None:
    """Let a paused job fire again, from its next time on."""
    from hermes_cron.cli import job_commands as cli_jobs

    cli_jobs.resume(job, as_json=as_json)


@cli.command()
@_job_argument
@_json_option
def remove(job: str, as_json: bool) -> None:
    """Remove a job. Its outputs and execution records stay."""
    from hermes_cron.cli import job_commands as cli_jobs

    cli_jobs.remove(job, as_json=as_json)


@cli.command()
@_job_argument
@_json_option
def run(job: str, as_json: bool) -> None:
    """Run a job now, here, and wait for it.

    Its schedule goes on as planned, and a paused job stays paused. The run counts: a job that was
    to run once, or has no run left of its --repeat, is done then.

    Exit code 0 when the job succeeded, 1 when it failed or somebody else runs it.
    """
    from hermes_cron.cli import run_commands as cli_run

    sys.exit(cli_run.run(job, as_json=as_json))


@cli.command()
@_json_option
def tick(as_json: bool) -> None:
    """Look once for due jobs, run them here, and wait for them.

    For a system's own cron or timer, in place of 'serve'.
    """
    from hermes_cron.cli import run_commands as cli_run

    sys.exit(cli_run.tick(as_json=as_json))


@cli.command()
@_json_option
def status(as_json: bool) -> None:
    """Say whether jobs will fire, and what to do if not.

    The verdict first, then the evidence with its ages. Exit code 0 healthy, 1 not healthy, 3
    unknown.
    """
    from hermes_cron import status as service

    report = service.report()
    click.echo(service.as_json(report) if as_json else service.as_text(report))
    sys.exit(report.exit_code)


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Where fires are taken.")
@click.option("--port", type=click.IntRange(0, 65535), help="0: a free one.  [default: 8787]")
@click.option(
    "--interval",
    type=click.IntRange(min=1),
    default=60,
    show_default=True,
    help="Seconds between two ticks.",
)
@click.option(
    "--drain",
    type=click.FloatRange(min=0),
    default=30.0,
    show_default=True,
    help="Seconds that running jobs are given after SIGTERM.",
)
@click.option("-v", "--verbose", is_flag=True, help="Log more.")
def serve(host: str, port: int | None, interval: int, drain: float, verbose: bool) -> None:
    """Run what is due, until stopped by SIGTERM or Ctrl-C.

    Runs the configured provider ('cron.provider' in config.yaml; the built-in without one), and
    takes its fires at POST /api/cron/fire. One gateway runs for each home.
    """
    from hermes_cron.cli import run_commands as cli_run

    cli_run.serve(host=host, port=port, interval=interval, drain_s=drain, verbose=verbose)


cli.add_command(shell.completion_command("hermes-cron"))


def main(arguments: list[str] | None = None) -> None:
    """Run the command and leave the process: one line for what went wrong, no traceback."""
    shell.drop_what_nobody_reads()
    try:
        cli.main(arguments, prog_name="hermes-cron", standalone_mode=False)
    except click.exceptions.Exit as leaving:
        sys.exit(leaving.exit_code)
    except click.ClickException as error:  # wrong use: click's own wording, with a hint at --help
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        sys.exit(130)
    except Exception as error:  # the last place where an error can be said in one line
        code = _explain(error)
        if code is None:
            raise
        if isinstance(error, OSError):
            shell.drop_what_cannot_be_written()
        sys.exit(code)
    sys.exit(0)


def _explain(error: Exception) -> int | None:
    """Print what went wrong; its exit code, or None for a defect, which needs a traceback."""
    from hermes_cron import gateway, jobs, store

    if isinstance(error, jobs.AmbiguousJobReference):
        code = 2
    elif isinstance(error, store.StoreError | gateway.GatewayBusy | OSError):
        code = 1
    elif isinstance(error, ValueError):  # what the job API says about its arguments
        code = 2
    else:
        return None
    click.echo(f"Error: {error}", err=True)
    return code
