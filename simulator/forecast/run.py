"""The run behind a forecast: a world with the owner's file, and a history of what it needs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from simulator.event import Event
from simulator.fold import Store
from simulator.history import History
from simulator.hosts import Host
from simulator.kernel.tape import Tape
from simulator.scenario import Scenario
from simulator.target import Target
from simulator.world import World

if TYPE_CHECKING:
    from simulator.forecast import Question

__all__ = ["Brief", "run_file", "trouble"]

_MACHINE = "a"
_TROUBLE = ("provider.raised", "task.raised", "not_simulated", "world.stuck", "task.leaked")
_TOLD = frozenset({"claimed", "running", "missed", "skipped"})


class Brief(History):
    """A history of what a forecast reads; a year of ticks and heartbeats would take a gigabyte.

    Attributes:
        left: the store as its writes left it, which are forgotten one by one.
    """

    __slots__ = ("left",)

    def __init__(self, of: History) -> None:
        """A brief one in the place of `of`."""
        super().__init__(of.header, of.now_us)
        self.left = Store()

    def append(self, kind: str, machine: str, /, *, text: str | None = None, **data: Any) -> int:
        """See `History.append`; what a forecast does not read is forgotten."""
        if kind in _TROUBLE:
            return super().append(kind, machine, text=text, **data)
        self.put(self.now_us(), machine, kind, data)
        return len(self)

    def put(self, at_us: int, machine: str, kind: str, data: dict[str, Any]) -> None:
        """See `History.put`."""
        if kind == "store.commit":
            self.left.apply(Event(len(self), at_us, machine, kind, data))
        elif kind == "execution":
            told = [one for one in data["records"] if one.get("state") in _TOLD]
            if told:
                super().put(at_us, machine, kind, {"records": told})
        elif kind == "run.begin" or kind in _TROUBLE:
            super().put(at_us, machine, kind, data)


def run_file(question: Question, until: datetime, target: Target, host: Host) -> Brief:
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
    world.history = brief = Brief(world.history)
    world.operator.reads_status = False  # nobody asks what it said
    world.run()
    return brief


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
