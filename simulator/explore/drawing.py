"""Example `index` of `seed`: a scenario that depends on nothing else, whoever draws it.

Each example is a search of Hypothesis of its own, without its database, deadline and profiles, and
without its mutations, which would make every second example all but a copy of one before it.

In the last of every twenty something rare happens: that is the share of a search that goes to what
the other nineteen would hardly ever come to.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded

from simulator.hosts import Host
from simulator.kernel.tape import Tape
from simulator.scenario import Scenario
from simulator.strategies import scenarios
from simulator.target import Target
from simulator.world import simulate

__all__ = ["RARE_EVERY", "draw_scenario", "learn_tasks"]

RARE_EVERY = 20
"""How many examples there are for each in which something rare happens: the last of so many."""

_ONE_EXAMPLE = settings(
    max_examples=2,  # the first that Hypothesis draws is always the simplest of all
    phases=(Phase.generate,),
    database=None,
    deadline=None,
    derandomize=False,
    suppress_health_check=tuple(HealthCheck),
)

_LIVELY = Scenario.model_validate(
    {
        "name": "who-is-there",
        "start": "2026-03-02T08:00:00",
        "lasts": "4h",
        "machines": ["a", "b"],
        "jobs": [
            {"id": f"job-{nth}", "schedule": "every 30m", "runs_for": "20s"} for nth in range(1, 4)
        ],
        "steps": [
            {"at": "1h10m", "do": "update", "job": "job-1", "set": {"schedule": "every 20m"}},
            {"at": "2h5m", "do": "crash", "machine": "a", "for": "3m"},
            {"at": "2h40m", "do": "pause", "job": "job-2"},
        ],
    }
)


def draw_scenario(
    seed: int,
    index: int,
    *,
    capabilities: Collection[str],
    days: int = 1,
    tasks: Sequence[str] = (),
) -> Scenario:
    """The scenario of one example.

    Args:
        seed: Of the exploration.
        index: Of the example, from 0.
        capabilities: What the provider declares.
        days: How long a scenario lasts at most.
        tasks: Names of tasks that the tape may hold back; see `learn_tasks`.
    """
    drawn: list[Scenario] = []

    @seeded(f"{seed}/{index}")
    @_ONE_EXAMPLE
    @given(
        scenarios(
            name=f"example-{index}-of-seed-{seed}",
            capabilities=capabilities,
            days=days,
            tasks=tasks,
            rare=index % RARE_EVERY == RARE_EVERY - 1,
        )
    )
    def keep(scenario: Scenario) -> None:
        drawn.append(scenario)

    keep()
    return drawn[-1]


def learn_tasks(target: Target, host: Host) -> list[str]:
    """The names of the tasks of machines in a lively run of a few hours, in order of birth.

    They come from the code under test (its threads) and from the host, so no list could know them.
    """
    heard: dict[str, None] = {}

    class Listening(Tape):
        """An empty tape, which is asked about every task when that starts."""

        def of(self, task: str) -> None:
            heard[task] = None

    simulate(_LIVELY, target, host=host, tape=Listening())
    machines = {machine.id for machine in _LIVELY.machines}
    return [name for name in heard if name.partition("#")[0] in machines]
