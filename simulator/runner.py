"""Scenarios times providers: run each, judge it, keep what a report needs."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from simulator.hosts import Host
from simulator.kernel.tape import Tape
from simulator.scenario import Scenario
from simulator.scenario_file import ScenarioError, load_scenario, scenario_files
from simulator.summary import happened, injected
from simulator.target import Target
from simulator.verdict import Judged, judge
from simulator.world import Run, simulate

__all__ = [
    "EXIT_CODES",
    "Row",
    "incidents",
    "overall",
    "pairs",
    "replay_command",
    "run_all",
    "select",
]

EXIT_CODES = {"held": 0, "violated": 1, "unknown": 3}
"""What a command answers for a verdict; 2 is wrong use."""


@dataclass(frozen=True)
class Row:
    """One scenario with one provider.

    Attributes:
        source: The word that names the scenario on a command line.
        run: The run itself.
        judged: What was found in it.
        wall_s: Real seconds that it took, judging included.
    """

    source: str
    run: Run
    judged: Judged
    wall_s: float

    @property
    def simulated_s(self) -> float:
        """Virtual seconds from the start to the horizon."""
        return self.run.scenario.lasts / 1_000_000

    def to_json(self) -> dict[str, Any]:
        """The row as machines read it."""
        scenario, history = self.run.scenario, self.run.history
        return {
            "scenario": scenario.name,
            "origin": scenario.origin,
            "provider": self.run.target,
            "verdict": self.judged.verdict,
            "injected": injected(scenario, history),
            "happened": happened(history),
            "requirements": {
                finding.id: finding.verdict
                for finding in self.judged.findings
                if finding.id in scenario.expect.hold or finding.verdict == "violated"
            },
            "reasons": list(self.judged.reasons),
            "history_sha256": history.digest(),
            "simulated_s": self.simulated_s,
            "wall_s": round(self.wall_s, 4),
        }


def incidents() -> list[Scenario]:
    """The scenario library that comes with the simulator, by name."""
    with as_file(files("simulator") / "incidents") as folder:
        return [load_scenario(path) for path in scenario_files(folder)]


def select(wanted: Sequence[str]) -> list[tuple[str, Scenario]]:
    """The scenarios that `wanted` names, of the library or in files and folders of one's own.

    Each comes with the word that names it alone on a command line.

    Raises:
        ScenarioError: Nothing is called that; or a file cannot be used.
    """
    library = {scenario.name: scenario for scenario in incidents()}
    chosen: list[tuple[str, Scenario]] = []
    for name in wanted or library:
        path = Path(name)
        if name in library:
            chosen.append((name, library[name]))
        elif path.is_dir():
            files = scenario_files(path)
            if not files:
                raise ScenarioError(f"the folder {name} has no scenario: they are *.yaml")
            chosen += [(str(file), load_scenario(file)) for file in files]
        elif path.exists():
            chosen.append((name, load_scenario(path)))
        else:
            near = get_close_matches(name, library, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "see `hermes-sim list`, or give a file"
            raise ScenarioError(f"no scenario {name!r}; {hint}")
    return chosen


def run_all(
    scenarios: Iterable[tuple[str, Scenario]],
    targets: Sequence[Target],
    host: Host,
    *,
    tape: Tape | None = None,
    on_row: Callable[[Row], None] = lambda _row: None,
) -> list[Row]:
    """Run every scenario with every provider that it is for.

    Args:
        scenarios: What to run, as `select` gives it.
        targets: Providers, with the capabilities that they are run for.
        host: The code around them.
        tape: The choices, the same for all.
        on_row: Told of each row as soon as it is there.
    """
    rows = []
    for (source, scenario), target in pairs(scenarios, targets):
        began = time.perf_counter()
        run = simulate(scenario, target, host=host, tape=tape)
        judged = judge(run.history, scenario)
        row = Row(source, run, judged, time.perf_counter() - began)
        on_row(row)
        rows.append(row)
    return rows


def pairs(
    scenarios: Iterable[tuple[str, Scenario]], targets: Sequence[Target]
) -> Iterator[tuple[tuple[str, Scenario], Target]]:
    """Every scenario with every provider that it is for."""
    for chosen in scenarios:
        for target in targets:
            if target.capabilities & set(chosen[1].capabilities):
                yield chosen, target


def replay_command(scenario: str, provider: str, registry: str | None = None) -> str:
    """The one command that gives a run again, with its timeline.

    Args:
        scenario: The word that names the scenario: a file, or a name of the library.
        provider: The word that names the provider.
        registry: The word that names the fake of its registry, where that is not NAS.
    """
    more = [] if registry is None else ["--registry", registry]
    return shlex.join(["hermes-sim", "run", scenario, "--provider", provider, *more, "--verbose"])


def overall(verdicts: Iterable[str]) -> str:
    """One verdict for many: violated if any is; held only if all are and there is one."""
    seen = set(verdicts)
    if "violated" in seen:
        return "violated"
    return "held" if seen == {"held"} else "unknown"
