"""The run behind a forecast: a world with the owner's file, and a history of what it needs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from simulator.history import History
from simulator.hosts import Host
from simulator.kernel.tape import Tape
from simulator.scenario import Scenario
from simulator.target import Target
from simulator.world import World

if TYPE_CHECKING:
    from simulator.forecast import Question

__all__ = ["run_file", "trouble"]

_MACHINE = "a"
_TROUBLE = ("provider.raised", "task.raised", "not_simulated", "world.stuck", "task.leaked")
_KEPT = frozenset({"run.begin", "execution", "store.commit", *_TROUBLE})


class _Brief(History):
    """A history of what a forecast reads; a year of ticks and heartbeats would take a gigabyte."""

    __slots__ = ()

    def append(self, kind: str, machine: str, /, *, text: str | None = None, **data: Any) -> int:
        """See `History.append`; other kinds are forgotten."""
        if kind not in _KEPT:
            return len(self)
        return super().append(kind, machine, text=text, **data)


def run_file(question: Question, until: datetime, target: Target, host: Host) -> History:
    """What happens to the file from the question's start until just before `until`.

    Raises:
        pydantic.ValidationError: The zone is not in the database.
    """
    wall = question.wall(question.start)
    scenario = Scenario.model_validate(
        {
            "name": "forecast",
            "zone": question.zone.key,
            "start": wall.replace(tzinfo=None),
            "lasts": _span(until - question.start - timedelta(microseconds=1)),
            "machines": [_MACHINE],
            "steps": [
                {
                    "at": _span(outage.start - question.start),
                    "do": "crash",
                    "machine": _MACHINE,
                    "for": _span(outage.lasts),
                }
                for outage in question.outages
            ],
        }
    )
    world = World(scenario, target, host, Tape(), question.jobs_file)
    world.history = _Brief(world.history.header, world.history.now_us)
    return world.run().history


def _span(span: timedelta) -> str:
    return f"{span // timedelta(microseconds=1)}us"


def trouble(history: History) -> tuple[str, ...]:
    """What went wrong in the run itself, so that the answer is not what the provider would do."""
    said = []
    for event in history.of(*_TROUBLE):
        data, text = event.data, history.text(event.n)
        what = f"{data.get('error')}: {text}" if text else f"{data.get('error')}"
        match event.kind:
            case "provider.raised":
                said.append(f"the provider's start raised {what}; the built-in ticker took over")
            case "task.raised":
                said.append(f"{data.get('task')} ended by {what}")
            case "not_simulated":
                said.append(f"{data.get('what')} was refused: a forecast does nothing outside")
            case "world.stuck":
                said.append(f"the run got stuck ({data.get('reason')}): {text}")
            case _:
                said.append(f"{data.get('task')} did not leave when asked: {text}")
    return tuple(dict.fromkeys(said))
