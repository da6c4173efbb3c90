"""ABC: hosts of later years, providers of earlier ones, and what an import alone does."""

import contextlib
import importlib.machinery
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from contract_tests.benches.between import later_host
from contract_tests.engine import Context, Outcome, held, probe, unknown, violated
from contract_tests.importing import import_apart
from contract_tests.probes.fallback import resolve_planted
from contract_tests.probes.virtual import NoRunError, Watched, watch
from simulator.target import Target

__all__: list[str] = []  # probes are found by their ids

# Optional hooks of later hosts (HOST.md), and one that no host has, with what each is called with.
LATER_HOOKS: dict[str, tuple[Any, ...]] = {
    "recover_interrupted": (),
    "register_job": ({"id": "a-job", "name": "a-job"},),
    "claim_fire": ("a-job",),
    "fire_claimed": ("a-job",),
    "on_calendar_reform": (),
}

# By these a provider that is written for hermes-agent finds its host.
HERMES_AGENT = ("cron.scheduler_provider", "plugins.cron_providers")
# A provider of the time before all of that: no interface to derive from, no adapters and no loop.
OLDER = '''\
"""A cron provider."""

class Older:
    name = "contract-older"

    def is_available(self):
        return True

    def start(self, stop_event, interval=60):
        return None


def register(ctx):
    ctx.register_cron_scheduler(Older())
'''


@probe("ABC-6")
def runs_under_a_later_host(context: Context) -> Outcome:
    """The same hour twice: as it is, and with the keywords and hooks of hosts to come."""
    interface = context.host.interface()
    try:
        now = watch(context, "interface-later")
        with _with_later_hooks(interface):
            later = watch(context, "interface-later", bend=later_host(interface, LATER_HOOKS))
    except NoRunError as error:
        return unknown(str(error))
    if trouble := now.trouble() or later.trouble():
        return trouble
    if not now.facts.runs:
        return unknown("it brings no job to run on a host of today either")
    what = ", ".join(sorted({strike.what for strike in later.strikes}))
    if problem := _raised_more(now, later) or _ran_less(now, later):
        return violated(f"under a host that knows more ({what or 'hooks'}), {problem}")
    if not what:
        return unknown("it takes no further keyword, and inherits no hook from the interface")
    return held(f"the same runs under a later host: {what}")


@contextlib.contextmanager
def _with_later_hooks(interface: type) -> Iterator[None]:
    """Put the hooks on the interface, each with a default that does nothing."""

    def default(_self: Any, *_: Any, **__: Any) -> None:
        return

    with contextlib.ExitStack() as undo:
        for hook in LATER_HOOKS:
            if not hasattr(interface, hook):
                undo.enter_context(mock.patch.object(interface, hook, default, create=True))
        yield


def _raised_more(now: Watched, later: Watched) -> str | None:
    """What came out of start, a fire or the gateway under the later host alone."""
    kinds = ("provider.raised", "fire.end", "task.raised")
    known = {event.data.get("error") for event in now.of(*kinds)}
    for event in later.of(*kinds):
        error = event.data.get("error")
        if error and error not in known:
            return f"{event.kind} {later.when(event)}: {error}: {later.history.text(event.n)}"
    return None if now.left_unasked() else later.left_unasked()


def _ran_less(now: Watched, later: Watched) -> str | None:
    for job, runs in sorted(now.facts.runs.items()):
        count = len(later.facts.runs.get(job, []))
        if count < len(runs):
            return f"{job} ran {count} times, not {len(runs)}"
    return None


@probe("ABC-7")
def older_providers_run(context: Context) -> Outcome:
    """One with a name, a start without adapters, and no hook at all: chosen, and run to the end."""
    resolved = resolve_planted(context, "contract-older", OLDER)
    if resolved.name != "contract-older":
        detail = resolved.warnings() or [str(resolved.answer)]
        return violated("the host does not take a provider with a name and a start alone", *detail)
    host = context.host

    class Older:
        """What hosts knew before there were hooks."""

        name = "contract-older"

        def start(self, stop_event: threading.Event, interval: int = 60) -> None:
            while not stop_event.is_set():
                host.beat()
                host.tick()
                stop_event.wait(interval)

    watched = watch(context, "interface-older", Target("contract-older", Older))
    if trouble := watched.trouble():
        return trouble
    if problem := _missed_by_the_host(watched):
        return violated(f"under an older provider, {problem}")
    count = len(watched.facts.runs["report"])
    return held(f"an older provider is chosen, and brought a job to {count} runs in half an hour")


def _missed_by_the_host(watched: Watched) -> str | None:
    """What the host wanted from a provider that has only a name and a start."""
    if left := watched.left_unasked():
        return left
    for event in watched.history.of("log"):
        if event.data["level"] in ("WARNING", "ERROR"):
            words = (watched.history.text(event.n) or "").strip().splitlines()
            return f"the host misses something: {words[0]}"
    for event in watched.history.of("task.raised", "op.end"):
        if event.data.get("error"):
            return f"{event.kind} {watched.when(event)}: {event.data['error']}"
    return None if watched.facts.runs.get("report") else "no job runs though it ticks"


@probe("ABC-8")
def importing_does_nothing(context: Context) -> Outcome:
    """A fresh interpreter imports it: no thread, no connection, no open socket, no file."""
    provider = context.target.make()
    spec = context.target.spec
    module = spec.partition(":")[0] if ":" in spec else type(provider).__module__
    seen = import_apart(
        "contract_subject" if module == "__main__" else module,
        context.folder / "imported",
        file=None if _is_importable(module) else _file_of(module),
        aliased=any(name in sys.modules for name in HERMES_AGENT),
    )
    effects = (*seen.threads, *seen.network, *seen.sockets, *seen.writes)
    if effects:
        return violated(f"importing {module} has effects: {effects[0]}", *effects[1:])
    if seen.error:
        return unknown(f"{module} could not be imported apart: {seen.error}")
    return held(f"importing {module}: no thread, no connection, no socket left open, no file")


def _is_importable(module: str) -> bool:
    """Whether another interpreter would find it; what is loaded here may have been put there."""
    top = module.partition(".")[0]
    return importlib.machinery.PathFinder.find_spec(top) is not None


def _file_of(module: str) -> Path | None:
    file = getattr(sys.modules.get(module), "__file__", None)
    return Path(file) if file else None
