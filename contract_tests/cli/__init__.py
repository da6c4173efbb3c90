"""``hermes-contract``: check a provider, list the requirements, explain one, prove the teeth.

Exit codes: 0 conformant, 1 violated, 2 wrong use, 3 inconclusive, 4 nothing wrong beyond known
deviations.
"""

import os
import sys

import click

from contract_tests import shadow
from contract_tests.cli.checking import check
from contract_tests.cli.proving import self_test
from contract_tests.cli.reading import badge, schema, verify_report
from contract_tests.cli.telling import explain, list_
from hermes_cron.cli import shell

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
    shell.drop_what_nobody_reads()
    with shell.judging():
        cli()


@click.group(cls=shell.Judging, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hermes-cron")
def cli() -> None:
    """Judge a cron provider by the contract.

    \b
    hermes-contract check builtin               a provider that the host knows
    hermes-contract check my_pkg:MyProvider     one of yours, from the current folder
    hermes-contract check path/to/plugin        a folder as it goes into $HERMES_HOME/plugins
    hermes-contract explain TICK-2              what it says, where it comes from, what breaks it

    Exit codes: 0 conformant, 1 violated, 2 wrong use, 3 inconclusive, 4 nothing wrong beyond known
    deviations.
    """  # noqa: D301 - \b keeps click from wrapping the examples
    for sentence in shadow.shadowed():
        click.echo(f"warning: {sentence}", err=True)


for _command in (check, list_, explain, self_test, verify_report, badge, schema):
    cli.add_command(_command)
cli.add_command(shell.completion_command("hermes-contract"))


if __name__ == "__main__":
    main()
