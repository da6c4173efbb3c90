"""The changes bench: every way in which a user of a host can change a job."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

__all__ = ["ChangesBench", "reference_changes_bench"]


@dataclass(frozen=True, slots=True)
class ChangesBench:
    """The jobs in the current home, and who can change them.

    Attributes:
        add_job: makes a job and gives its id.
        ways: each way by its name; it is given the id of a job that it may change. They go together
            in their order, on the same job: the last one of a sort removes it.
    """

    add_job: Callable[[], str]
    ways: tuple[Mapping[str, Callable[[str], object]], ...]


@contextmanager
def reference_changes_bench(in_charge: Any | None) -> Iterator[ChangesBench]:
    """The reference host: the job API, which its tools use, in a gateway; commands without one.

    Args:
        in_charge: what the gateway of this process runs; None in a process without one.
    """
    jobs = importlib.import_module("hermes_cron.jobs")
    state = importlib.import_module("hermes_cron.process").current()
    bench = ChangesBench(
        lambda: str(jobs.create_job("say hello", "every 1h")["id"]),
        (_by_command(), _by_agents_command()) if in_charge is None else (_by_api(jobs),),
    )
    with mock.patch.object(state, "provider", in_charge):
        yield bench


def _by_api(jobs: Any) -> dict[str, Callable[[str], object]]:
    return {
        "create_job": lambda _: jobs.create_job("say hello", "every 2h"),
        "update_job": lambda job: jobs.update_job(job, {"schedule": "every 3h"}),
        "pause_job": jobs.pause_job,
        "resume_job": jobs.resume_job,
        "trigger_job": jobs.trigger_job,
        "remove_job": jobs.remove_job,
    }


def _by_command() -> dict[str, Callable[[str], object]]:
    cli = importlib.import_module("hermes_cron.cli").cli

    def run(*arguments: str) -> None:
        with _quiet(), contextlib.suppress(SystemExit):
            cli.main([*arguments], prog_name="hermes-cron", standalone_mode=False)

    return {
        "hermes-cron create": lambda _: run("create", "every 2h", "say hello"),
        "hermes-cron pause": lambda job: run("pause", job),
        "hermes-cron resume": lambda job: run("resume", job),
        "hermes-cron run": lambda job: run("run", job),
        "hermes-cron remove": lambda job: run("remove", job),
    }


def _by_agents_command() -> dict[str, Callable[[str], object]]:
    command = importlib.import_module("hermes_cron.compat.agent_cron").cron_command

    def run(name: str, **arguments: Any) -> None:
        with _quiet():
            command(argparse.Namespace(cron_command=name, **arguments))

    return {
        "cron_command create": lambda _: run("create", schedule="every 2h", prompt="say hello"),
        "cron_command pause": lambda job: run("pause", job_id=job),
        "cron_command resume": lambda job: run("resume", job_id=job),
        "cron_command run": lambda job: run("run", job_id=job),
        "cron_command remove": lambda job: run("remove", job_id=job),
    }


@contextmanager
def _quiet() -> Iterator[None]:
    sink = io.StringIO()
    with contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink):
        yield
