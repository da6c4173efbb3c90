"""The commands that run jobs: `run`, `tick`, `serve`."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

import click

from hermes_cron import by_hand, changes, gateway_evidence, jobs, records, scheduler, store
from hermes_cron.cli import shell
from hermes_cron.cli.job_commands import find
from hermes_cron.cli.output import print_json

__all__ = ["run", "serve", "tick"]

DEFAULT_PORT = 8787


def run(reference: str, *, as_json: bool) -> int:
    """Run one job now and wait for it; the exit code.

    The job is claimed and run as a fire would be, so that a gateway that sees it due at the same
    time and this command do not both run it; its schedule keeps its grid, and what rests rests.
    """
    job = find(reference)
    label = records.label(job)
    kept_before = set(store.current_store().outputs(job["id"]))
    try:
        claimed = by_hand.claim(job["id"])
    except by_hand.NotClaimed as refused:
        raise click.ClickException(f"job {label} {refused}") from refused
    with shell.ending_in_order():
        scheduler.run_one_job(claimed)
    entry = _last_execution(job["id"])
    succeeded = entry.get("state") == "completed"
    outputs = store.current_store().outputs(job["id"])
    newest = outputs[-1] if outputs and outputs[-1] not in kept_before else None
    gone = jobs.get_job(job["id"]) is None
    if gone:
        changes.tell_provider()  # of what a registry holds for it
    if as_json:
        print_json(
            {
                "job_id": job["id"],
                "succeeded": succeeded,
                "execution": entry,
                "output": newest,
                "gone": gone,
            }
        )
    elif succeeded:
        where = f"is in {newest}" if newest else f"was not kept: {entry.get('delivery_error')}"
        click.echo(f"Ran job {label}; its output {where}")
    else:
        why = entry.get("error") or entry.get("reason") or "no reason was recorded"
        click.echo(f"Error: job {label} failed: {why}", err=True)
    if gone and not as_json:
        click.echo(f"That was its last run; 'hermes-cron show {job['id']}' still tells of it.")
    return 0 if succeeded else 1


def tick(*, as_json: bool) -> int:
    """Run what is due and wait for it; the exit code.

    Where ticks are commands no gateway ever starts, so that each settles what was killed before.
    """
    scheduler.recover()
    ran = scheduler.tick(verbose=not as_json)
    if as_json:
        print_json({"ran": ran})
    else:
        click.echo(f"{ran} run" if ran == 1 else f"{ran} runs")
    return 0


def serve(*, host: str, port: int | None, interval: int, drain_s: float, verbose: bool) -> None:
    """Run a gateway until it is stopped."""
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
    )
    if not verbose:
        for chatty in ("httpx", "httpcore", "uvicorn", "asyncio", "filelock"):
            logging.getLogger(chatty).setLevel(logging.WARNING)
    from hermes_cron import server
    from hermes_cron.gateway import Gateway

    listener = _listen(server, host, port)
    gateway = Gateway(interval=interval, drain_s=drain_s)
    try:
        clean = server.serve(gateway, listener)
    except BaseException:
        if listener is not None:
            listener.close()
        raise
    _leave(clean=clean)


def _listen(server: Any, host: str, port: int | None) -> Any:
    """The listening socket; None when nobody asked for fires and the usual port is taken."""
    try:
        listener = server.listen(host, DEFAULT_PORT if port is None else port)
    except OSError as error:
        what = (
            f"cannot listen on {host}:{DEFAULT_PORT if port is None else port} ({error.strerror})"
        )
        if port is not None or gateway_evidence.configured_name():
            raise click.ClickException(f"{what}; name another with --port") from error
        # The built-in needs no fires: a port in use is no reason to run no jobs.
        logging.getLogger(__name__).warning("%s; fires of a registry are not taken", what)
        return None
    address, number = listener.getsockname()[:2]
    click.echo(f"taking fires at http://{address}:{number}{server.FIRE_PATH}", err=True)
    return listener


def _leave(*, clean: bool) -> None:
    """End the process, also when a run is still on."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    if not clean:
        # A thread pool would wait for its run for ever; the next gateway's recovery closes it.
        os._exit(1)


def _last_execution(job_id: str) -> dict[str, Any]:
    """The newest attempt of the job, empty without one."""
    attempts: list[dict[str, Any]] = jobs.list_executions(job_id)
    return attempts[-1] if attempts else {}
