"""``hermes-contract check``: judge a target and leave reports."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from contract_tests.verdicts import EXIT_CODES, PROFILES, Deviation, Profile, searches
from hermes_cron.cli import shell

# Loaded when a check runs: --help and wrong use answer at once.
if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

    from contract_tests.engine import Judge
    from contract_tests.report.model import Report
    from contract_tests.searched import Search
    from contract_tests.target import Subject

__all__ = ["check"]

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("target")
@click.option(
    "--registry",
    metavar="ATTRIBUTE",
    help="A fake of the registry that it talks to, where that is not NAS: my_pkg.testing:Fake.",
)
@click.option(
    "--profile",
    type=click.Choice(tuple(PROFILES)),
    default="core",
    show_default=True,
    help="What decides: core; strict, or ci, where both levels do; nightly, with a search besides.",
)
@click.option(
    "--seed", type=click.IntRange(0), help="What a nightly search draws from. Default: 0."
)
@click.option("--examples", type=click.IntRange(1), help="How many it draws. Default: 200.")
@click.option("--days", type=click.IntRange(1, 31), help="How long one lasts at most. Default: 1.")
@click.option(
    "--capabilities",
    metavar="LIST",
    help="What it declares: blocking, external, replicas, by commas. Default: what it shows.",
)
@click.option("--contract", metavar="VERSION", help="The contract to claim. Default: the newest.")
@click.option("--only", metavar="IDS", help="Judge these ids, by commas; the verdict stays open.")
@click.option("--timeline", is_flag=True, help="Show the simulated runs of --only.")
@click.option(
    "--known-deviations",
    "deviations_file",
    metavar="FILE",
    type=_FILE,
    help="A TOML file of what is known to be broken, each with id, reason, link and expires.",
)
@click.option("--json", "json_file", metavar="FILE", type=_FILE, help="Write the report as JSON.")
@click.option("--junit", "junit_file", metavar="FILE", type=_FILE, help="Write JUnit XML.")
@click.option(
    "--markdown", "markdown_file", metavar="FILE", type=_FILE, help="Write a pull-request comment."
)
@click.option(
    "--scenarios",
    "scenarios_folder",
    metavar="FOLDER",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write the smallest scenario of each failure, for hermes-sim run.",
)
@click.option("--quiet", is_flag=True, help="Print the verdict in one word.")
@click.pass_context
def check(
    context: click.Context,
    *,
    target: str,
    registry: str | None,
    profile: Profile,
    seed: int | None,
    examples: int | None,
    days: int | None,
    capabilities: str | None,
    contract: str | None,
    only: str | None,
    timeline: bool,
    deviations_file: Path | None,
    json_file: Path | None,
    junit_file: Path | None,
    markdown_file: Path | None,
    scenarios_folder: Path | None,
    quiet: bool,
) -> None:
    """Judge TARGET.

    TARGET is a provider that the host knows (builtin), module:attribute (my_pkg:MyProvider,
    imported with the current folder and PYTHONPATH in sight), or a plugin folder as it is dropped
    into $HERMES_HOME/plugins.
    """
    files = _places({"--json": json_file, "--junit": junit_file, "--markdown": markdown_file})
    ids = _ids(only)
    if timeline and ids is None:
        raise click.UsageError("--timeline goes with --only: name the ids whose runs you want")
    settings: dict[str, Any] = {
        "capabilities": _capabilities(capabilities),
        "contract": _version(contract),
        "deviations": _deviations(deviations_file),
        "profile": profile,
        "how": _search(profile, {"seed": seed, "examples": examples, "days": days}),
    }
    try:
        subject = _subject(target, registry)
        report = _judged(subject, ids, settings, timeline=timeline, folder=scenarios_folder)
        _print(report, quiet=quiet)
        _write(report, files)
    except (click.ClickException, shell.OutputError):
        raise
    except Exception as error:  # a kit that breaks has found nothing, and 1 would say that it had
        click.echo(f"the kit itself failed: {type(error).__name__}: {error}", err=True)
        context.exit(EXIT_CODES["inconclusive"])
    context.exit(EXIT_CODES[report.verdict])


def _judged(
    subject: Subject,
    ids: tuple[str, ...] | None,
    settings: dict[str, Any],
    *,
    timeline: bool,
    folder: Path | None,
) -> Report:
    from contract_tests.engine import Judge
    from contract_tests.report.model import report_of
    from contract_tests.report.smallest import write_smallest

    with Judge(subject, **settings) as judge:
        # Probes survive whatever is raised in them, Ctrl-C included.
        assessment = judge.run(lambda _: shell.end_if_asked(), only=ids)
        if timeline:
            _show_runs(judge, ids or ())
        report = report_of(assessment)
        if folder is None:
            return report
        return report.naming(write_smallest(judge, assessment.results, folder))


def _print(report: Report, *, quiet: bool) -> None:
    from contract_tests.report.terminal import print_report

    if quiet:
        click.echo(report.verdict)
    else:
        print_report(report, _console())


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False, emoji=False, soft_wrap=not sys.stdout.isatty())


def _places(files: dict[str, Path | None]) -> dict[str, Path]:
    """Where to write what is wanted, before a minute of work: a provider may change the folder."""
    places = {option: file.absolute() for option, file in files.items() if file is not None}
    for option, place in places.items():
        if not place.parent.is_dir():
            raise click.UsageError(f"{option} {place}: there is no folder to write it into")
    return places


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


def _ids(text: str | None) -> tuple[str, ...] | None:
    from contract_tests import catalogue

    if text is None:
        return None
    given = [word for word in text.split(",") if word.strip()]
    try:
        return tuple(catalogue.load().get(word).id for word in given)
    except catalogue.UnknownRequirementError as error:
        raise click.UsageError(f"--only: {error}") from error


def _search(profile: Profile, given: dict[str, int | None]) -> Search:
    from contract_tests.searched import Search, can_search

    said = {name: value for name, value in given.items() if value is not None}
    if said and not searches(profile):
        raise click.UsageError(f"--{next(iter(said))} goes with --profile nightly, which searches")
    if searches(profile) and not can_search():
        raise click.UsageError("a search needs Hypothesis: pip install 'hermes-cron[explore]'")
    return Search(**said)


def _version(text: str | None) -> str:
    from contract_tests import catalogue

    try:
        return catalogue.load().claimed(text)
    except ValueError as error:
        raise click.UsageError(f"--contract: {error}") from error


def _deviations(file: Path | None) -> tuple[Deviation, ...]:
    from contract_tests.deviations import DeviationError, read_deviations

    try:
        return () if file is None else read_deviations(file)
    except DeviationError as error:
        raise click.UsageError(f"--known-deviations: {error}") from error


def _subject(target: str, registry: str | None) -> Subject:
    from contract_tests.target import find_subject
    from simulator.target import TargetError

    try:
        subject = find_subject(target)
        return subject if registry is None else subject.with_registry(registry)
    except TargetError as error:
        raise click.UsageError(str(error)) from error


def _show_runs(judge: Judge, ids: Iterable[str]) -> None:
    """The timelines of the simulated runs that these ids were judged in, each once."""
    from contract_tests.probes.virtual import runs_of
    from simulator.timeline import show_timeline

    console = _console()
    names = dict.fromkeys(name for one in ids for name in judge.judge(one).scenarios)
    for run in (watched.run for name in names for watched in runs_of(judge.context, name)):
        console.print(f"[bold]{run.scenario.name}[/]: {run.scenario.story}")
        show_timeline(run.history, console)
        console.print()


def _write(report: Report, files: dict[str, Path]) -> None:
    from contract_tests.report.forms import write_report

    for option, file in files.items():
        try:
            write_report(report, option.removeprefix("--"), file)
        except OSError as error:
            raise click.UsageError(f"{option} {file} cannot be written: {error}") from error
