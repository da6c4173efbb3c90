"""``hermes-contract verify-report``, ``badge``, ``schema``: what is done with a written report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from contract_tests.report.model import Report

__all__ = ["badge", "schema", "verify_report"]

_REPORT = click.Path(path_type=Path)


@click.command("verify-report")
@click.argument("report_file", metavar="REPORT", type=_REPORT)
@click.pass_context
def verify_report(context: click.Context, *, report_file: Path) -> None:
    """Check that a JSON report adds up and was written by this kit; 1 if not."""
    from contract_tests.report.verify import objections

    report = _read(report_file)
    found = list(objections(report))
    for sentence in found:
        click.echo(sentence)
    state = "does not stand" if found else "stands"
    click.echo(f"{report_file} {state}: {report.target} is {report.verdict} by {report.profile}")
    context.exit(1 if found else 0)


@click.command()
@click.argument("report_file", metavar="REPORT", type=_REPORT)
def badge(*, report_file: Path) -> None:
    """Print an SVG badge, made of a JSON report that stands."""
    from contract_tests.report.badge import as_badge
    from contract_tests.report.verify import objections

    report = _read(report_file)
    for sentence in objections(report):
        raise click.UsageError(f"{report_file} does not stand, and gets no badge: {sentence}")
    click.echo(as_badge(report), nl=False)


@click.command()
def schema() -> None:
    """Print the JSON schema of a report."""
    from contract_tests.report.model import published_schema

    click.echo(json.dumps(published_schema(), indent=2))


def _read(report_file: Path) -> Report:
    from contract_tests.report.verify import ReportError, read_report

    try:
        return read_report(report_file)
    except ReportError as error:
        raise click.UsageError(str(error)) from error
