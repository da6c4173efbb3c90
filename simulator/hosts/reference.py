"""The host of this distribution under simulation: `hermes_cron`, unmodified.

It is reached as any test would reach it: by replacing functions on its modules, which it looks up
at the time of use (`reference_seams`). These two are the one place of the simulator that knows its
modules and providers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from hermes_cron import (
    by_hand,
    gateway,
    jobs,
    process,
    scheduler,
    scheduler_provider,
    status,
)
from hermes_cron.plugins import chronos, loading, vetting
from simulator.hosts import Reading, Stage
from simulator.hosts.by_name import held_by_name
from simulator.hosts.reference_seams import listening, named, replacements
from simulator.target import Target, TargetError

__all__ = ["ReferenceHost"]


class ReferenceHost:
    """See `simulator.hosts.Host`."""

    name = "reference"

    def __init__(self) -> None:
        """A host that is not in a run yet."""
        self._stage: Stage | None = None

    def bundled(self) -> Mapping[str, Target]:
        """See `Host`."""
        return {
            "builtin": Target(
                "builtin", scheduler_provider.InProcessCronScheduler, frozenset({"blocking"})
            ),
            "chronos": Target("chronos", chronos.ChronosCronScheduler, frozenset({"external"})),
        }

    def load_folder(self, folder: Path) -> Any:
        """See `Host`."""
        source = loading.Source(folder.name, folder=folder)
        loading.forget(source)
        try:
            return loading.load(source)
        except vetting.ProviderRefusedError as error:
            raise TargetError(f"the plugin folder {folder.name}: {error}") from error

    def entry_point(self, name: str) -> str | None:
        """See `Host`."""
        source = loading.find(name)
        return None if source is None or source.entry_point is None else source.entry_point.value

    @contextmanager
    def installed(self, stage: Stage) -> Iterator[None]:
        """See `Host`."""
        self._stage = stage
        with ExitStack() as undo:
            for module, name, replacement in held_by_name(list(replacements(stage))):
                undo.enter_context(mock.patch.object(module, name, replacement))
            undo.enter_context(listening(stage))
            try:
                yield
            finally:
                self._stage = None

    def new_process(self, *, pid: int, machine: str, boot_id: str) -> Any:
        """See `Host`."""
        stage = self._stage
        assert stage is not None, "processes are made inside a run"
        return process.ProcessState(
            pid=pid,
            boot_id=boot_id,
            host=machine,
            pid_is_alive=stage.lives,
            # No pid comes twice in a run, and /proc tells of the processes of the real machine.
            identity_of=lambda _: None,
        )

    def run_gateway(self, provider: Any, stop_event: Any, *, interval_s: int) -> Any:
        """See `Host`."""
        served = gateway.Gateway(provider, interval=interval_s)
        process.current().slots["simulated gateway"] = served
        return served.run(stop_event)

    def receive(
        self, process: Any, authorization: str, body: bytes
    ) -> tuple[int, Mapping[str, Any]]:
        """See `Host`."""
        served = process.slots.get("simulated gateway")
        if served is None:
            return 503, {"error": "the gateway is starting"}
        answer = served.receive(authorization, body)
        return answer.status, answer.body

    def operate(self, do: str, job_id: str, arguments: Mapping[str, Any]) -> Any:
        """See `Host`."""
        if do == "create":
            token = named.set(job_id)  # a task's own: it ends with a task that is killed here
            try:
                return jobs.create_job(f"run {job_id}", name=job_id, **arguments)
            finally:
                named.reset(token)
        if do == "update":
            return jobs.update_job(job_id, dict(arguments))
        if do == "run":
            return _run_by_hand(job_id)
        if do == "tick":
            return scheduler.tick(verbose=False, sync=True)
        operations: dict[str, Callable[[str], Any]] = {
            "pause": jobs.pause_job,
            "resume": jobs.resume_job,
            "remove": jobs.remove_job,
            "trigger": jobs.trigger_job,
        }
        return operations[do](job_id)

    def status(self) -> Reading:
        """See `Host`."""
        report = status.judge(status.gather())
        return Reading(report.verdict, report.exit_code, "\n".join(report.lines))


def _run_by_hand(job_id: str) -> bool:
    """What a command does that runs one job at once, in its own process."""
    return scheduler.run_one_job(by_hand.claim(job_id))
