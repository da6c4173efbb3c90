"""What a provider can do, found by running it for ten quiet minutes."""

from __future__ import annotations

from dataclasses import replace

from simulator.history import History
from simulator.hosts import Host
from simulator.scenario import Scenario
from simulator.target import Target, TargetError
from simulator.world import Run, simulate

__all__ = ["quiet_run", "shown_in", "with_capabilities"]

_QUIET = {
    "name": "ten-quiet-minutes",
    "start": "2026-01-01T00:00:00",
    "lasts": "10m",
    "jobs": [{"id": "far-off", "schedule": "0 0 1 7 *"}],
}


def with_capabilities(target: Target, host: Host) -> Target:
    """The target, with its capabilities: what it declares, else what it shows.

    A provider whose host ticks while nothing is due has a loop ("blocking"), wherever it runs it;
    not so when it failed at reaching out of the run, and it is the host that ticks in its place.
    One that arms a job at the registry is woken from outside ("external"), and so must be any that
    has no loop. Redefined hooks alone show nothing: a loop may want to hear of changes too.

    Raises:
        TargetError: It cannot be made.
    """
    if target.capabilities:
        return target
    history = quiet_run(target, host).history
    ends = [event for event in history.of("task.raised") if event.data.get("task") == "gateway"]
    if ends and not history.of("up"):
        error, text = ends[0].data.get("error"), history.text(ends[0].n)
        said = text if error == TargetError.__name__ else f"{error}: {text}"
        raise TargetError(f"{target.label} gives no provider: {said}")
    return replace(target, capabilities=shown_in(history))


def quiet_run(target: Target, host: Host, most_events: int | None = None) -> Run:
    """Ten minutes in which nothing is due."""
    return simulate(Scenario.model_validate(_QUIET), target, host=host, most_events=most_events)


def shown_in(history: History) -> frozenset[str]:
    """The capabilities that a quiet run shows; see `with_capabilities`."""
    shown = {"blocking"} if _ticks(history) else {"external"}
    if history.of("nas.armed"):
        shown.add("external")
    return frozenset(shown)


def _ticks(history: History) -> bool:
    """Whether ticks were seen that are the provider's own doing."""
    ticks, raised = history.of("tick.begin"), history.of("provider.raised")
    refused = history.of("not_simulated")
    in_its_place = raised and ticks and raised[0].n < ticks[0].n
    return bool(ticks) and not (in_its_place and refused and refused[0].n < raised[0].n)
