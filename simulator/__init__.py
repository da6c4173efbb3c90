"""Deterministic simulation of cron providers: real code, virtual time, injected faults.

    from simulator import CronSim

    sim = CronSim(MyProvider)
    sim.job("report", "every 1h", runtime="2s")
    sim.fault(SystemExit, into="tick", at="1h")
    sim.run("1d")
    sim.check()
    assert sim.runs("report") == 24

and below that

    from simulator import Scenario, judge, reference_host, simulate

    target = reference_host().bundled()["builtin"]
    run = simulate(Scenario.model_validate({...}), target)
    judge(run.history, run.scenario).verdict        # "held", "violated" or "unknown"

A map, in the order in which data flows:

- `scenario`, `scenario_file`, `fault_rule`: the frozen input, as data and as YAML
- `target`: the provider, made anew at each boot; `hosts`: the code around it
- `kernel`, `core`, `tasks`, `tape`: tasks and virtual time under one total order
- `patches`, `standins`, `captured`, `locks`, `primitives`, `clock`: what puts the kernel under code
  that knows nothing of it; `refusals`: what is not simulated, by name
- `world`, `machine`, `stage`, `operator`, `deliveries`: one run, wired; where faults strike
- `fake_store`, `volume`, `fake_nas`, `nas_http`: the outside world
- `history`, `fold`: the record, and what can be rebuilt from it
- `oracle`, `checkers`, `verdict`: when something is due, found the slow way; who judges
- `strategies`, `explore`: scenarios drawn by Hypothesis, and what is violated made small
- `cron_sim`, `script`, `handed`, `stateful`: all of it from a test of one's own
- `timeline`, `telling`, `departure`, `summary`, `forecast`, `runner`, `cli`: for people

Start with `world`. This face is lazy: importing it costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulator.cron_sim import CronSim
    from simulator.history import History
    from simulator.hosts import reference_host
    from simulator.kernel.tape import Choice, Tape
    from simulator.scenario import Scenario
    from simulator.scenario_file import load_scenario, parse_scenario
    from simulator.target import Target, find_target
    from simulator.verdict import Judged, judge
    from simulator.world import Run, simulate

__all__ = [
    "Choice",
    "CronSim",
    "History",
    "Judged",
    "Run",
    "Scenario",
    "Tape",
    "Target",
    "find_target",
    "judge",
    "load_scenario",
    "parse_scenario",
    "reference_host",
    "simulate",
]

_HOMES = {
    "Choice": "simulator.kernel.tape",
    "CronSim": "simulator.cron_sim",
    "History": "simulator.history",
    "Judged": "simulator.verdict",
    "Run": "simulator.world",
    "Scenario": "simulator.scenario",
    "Tape": "simulator.kernel.tape",
    "Target": "simulator.target",
    "find_target": "simulator.target",
    "judge": "simulator.verdict",
    "load_scenario": "simulator.scenario_file",
    "parse_scenario": "simulator.scenario_file",
    "reference_host": "simulator.hosts",
    "simulate": "simulator.world",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, when it is asked for."""
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
