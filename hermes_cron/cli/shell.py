"""What the three commands do alike for a shell: completion, signals, a reader that leaves early."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from typing import Any

import click

__all__ = [
    "NO_VERDICT",
    "Judging",
    "OutputError",
    "completion_command",
    "drop_what_cannot_be_written",
    "drop_what_nobody_reads",
    "end_if_asked",
    "ending_in_order",
    "exiting_where_output_is_lost",
    "judging",
]

NO_VERDICT = 3
"""The exit code of a command that could not come to its verdict."""

_SHELLS = ("bash", "zsh", "fish")
_HELP = """Print tab completion for SHELL, to be evaluated by it.

\b
~/.bashrc                   eval "$({program} completion bash)"
~/.zshrc                    eval "$({program} completion zsh)"
~/.config/fish/config.fish  {program} completion fish | source
"""


def completion_command(program: str) -> click.Command:
    """The subcommand ``completion`` of a program.

    Click, which parses the commands, also completes them, jobs' names included: another library
    would have to be told anew what click knows.
    """

    @click.command("completion", help=_HELP.format(program=program))
    @click.argument("shell", type=click.Choice(_SHELLS))
    def completion(shell: str) -> None:
        from click.shell_completion import get_completion_class

        of_shell = get_completion_class(shell)
        assert of_shell is not None, "click knows each of the choices"
        variable = f"_{program.replace('-', '_').upper()}_COMPLETE"
        command = click.get_current_context().find_root().command
        click.echo(of_shell(command, {}, program, variable).source())

    return completion


def drop_what_nobody_reads() -> None:
    """Let standard output lose what is written after its reader has left, as `head` does.

    The command then ends as it would have: its exit code is its verdict, and not that of a pipe.
    What the terminal's encoding does not know is written as its escape, and ends nothing either.
    """
    stdout = sys.stdout
    # Not in the place of one that a test has put there.
    if stdout is sys.__stdout__ and isinstance(stdout, io.TextIOWrapper):
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(_Unread(stdout.fileno(), "w", closefd=False)),
            encoding=stdout.encoding,
            errors="backslashreplace",
            line_buffering=stdout.line_buffering,
        )


def drop_what_cannot_be_written() -> None:
    """Let go of what is left to print: at its end the interpreter would fail at it once more."""
    if sys.stdout is not None:
        with contextlib.suppress(OSError, ValueError):  # ValueError: it is closed, or no file
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)


@contextlib.contextmanager
def ending_in_order() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end what is run here as Ctrl-C does: killed with all that it started.

    Without it this process would be gone at once, and its script would run on unseen. What is
    ignored stays ignored: `nohup` is meant.
    """
    before = {
        number: signal.signal(number, _end)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
        if signal.getsignal(number) in {signal.SIG_DFL, signal.default_int_handler}
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _ends.clear()


_ends: list[int] = []  # the signals that asked for it


def _end(number: int, _frame: object) -> None:
    _ends.append(number)
    raise KeyboardInterrupt


def end_if_asked() -> None:
    """Raise again what a signal raised, where code under test has swallowed it.

    Raises:
        KeyboardInterrupt: A signal came since `ending_in_order` began.
    """
    if _ends:
        raise KeyboardInterrupt


class OutputError(OSError):
    """Standard output cannot be written: a full disk, above all."""

    def __str__(self) -> str:
        return f"standard output cannot be written: {self.strerror}"


@contextlib.contextmanager
def exiting_where_output_is_lost(code: int) -> Iterator[None]:
    """Let a command whose output is lost say so in one line, and exit with `code`.

    What it prints is its answer: an exit code that stands for another would be taken for one.
    """
    try:
        try:
            yield
        finally:
            if sys.stdout is not None and not sys.stdout.closed:
                sys.stdout.flush()
    except OutputError as error:
        drop_what_cannot_be_written()
        click.echo(f"Error: {error}", err=True)
        sys.exit(code)


@contextlib.contextmanager
def judging() -> Iterator[None]:
    """Around a command whose exit code is its verdict: what cuts it off is never taken for one."""
    with ending_in_order(), exiting_where_output_is_lost(NO_VERDICT):
        try:
            yield
        except OutputError:
            raise
        except Exception:  # a defect of ours: the interpreter would exit with 1
            traceback.print_exc()
            sys.exit(NO_VERDICT)


class Judging(click.Group):
    """Commands whose exit codes are verdicts: click's own for Ctrl-C and errors says "violated"."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            if error.exit_code != click.ClickException.exit_code:
                raise
            error.show()
            ctx.exit(NO_VERDICT)
        except KeyboardInterrupt:
            click.echo("\nstopped before there was a verdict", err=True)
            ctx.exit(NO_VERDICT)


class _Unread(io.FileIO):
    """A file whose reader may have left."""

    def write(self, data: object, /) -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]
        except BrokenPipeError:
            return memoryview(data).nbytes  # type: ignore[arg-type]
        except OSError as error:
            raise OutputError(error.errno, error.strerror) from error
