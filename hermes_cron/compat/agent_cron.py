"""hermes-agent's `hermes_cli.cron`: what its command prints, in the words of ours."""

import dataclasses
import sys
from typing import Any

import click

from hermes_cron import jobs, records, scheduler_provider, status, store
from hermes_cron.cli import job_commands as cli_jobs
from hermes_cron.cli import run_commands as cli_run

__all__ = ["cron_command", "cron_list", "cron_status", "cron_tick"]

_CREATE_SETTINGS = ("name", "repeat", "deliver", "script", "workdir", "no_agent", "skills")


def cron_status() -> None:
    """Print the status. Reads only and never raises."""
    if _active_cron_provider_name is _told_by_the_resolver:
        status.cron_status()
        return
    # A test says who is in charge.
    name = _active_cron_provider_name()
    evidence = dataclasses.replace(
        status.gather(),
        configured=name,
        provider=name,
        external=name != "builtin",
        fallback=None,
    )
    click.echo("\n".join(status.judge(evidence).lines))


def cron_list(show_all: bool = False) -> None:
    """Print the jobs; without `show_all`, the enabled ones."""
    cli_jobs.show_all(active=not show_all, as_json=False)


def cron_tick() -> None:
    """Run what is due and wait for it."""
    cli_run.tick(as_json=False)


def cron_command(args: Any) -> int:
    """Run the subcommand that hermes-agent's parser has read; the exit code.

    Raises:
        SystemExit: there is no such subcommand here.
    """
    try:
        _run(args)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (ValueError, LookupError, store.StoreError) as error:
        click.echo(f"Error: {error}", err=True)
        return 1
    return 0


def _run(args: Any) -> None:
    match getattr(args, "cron_command", None):
        case None | "list":
            cron_list(getattr(args, "all", False))
        case "status":
            cron_status()
        case "tick":
            cron_tick()
        case "create" | "add":
            settings = {name: getattr(args, name, None) for name in _CREATE_SETTINGS}
            settings["no_agent"] = bool(settings["no_agent"])
            prompt = getattr(args, "prompt", None) or ""
            cli_jobs.create(args.schedule, prompt, as_json=False, **settings)
        case "pause":
            cli_jobs.pause(args.job_id, None, as_json=False)
        case "resume":
            cli_jobs.resume(args.job_id, as_json=False)
        case "run":
            job = cli_jobs.find(args.job_id)
            jobs.trigger_job(job["id"])
            click.echo(f"Triggered job {records.label(job)}: it runs at the next tick")
        case "remove" | "rm" | "delete":
            cli_jobs.remove(args.job_id, as_json=False)
        case other:
            click.echo(f"Unknown cron command: {other}; see 'hermes-cron --help'", err=True)
            sys.exit(1)


def _active_cron_provider_name() -> str:
    """The provider that would run, 'builtin' when that cannot be told."""
    try:
        return scheduler_provider.resolve_cron_scheduler().name or "builtin"
    except Exception:  # a patched resolver may raise; ours does not
        return "builtin"


_told_by_the_resolver = _active_cron_provider_name
