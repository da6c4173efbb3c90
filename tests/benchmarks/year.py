"""A simulated year in a process of its own: how much memory it takes, and judging it.

python -m tests.benchmarks.year idle|hourly
"""

import json
import resource
import sys
import time

from simulator.hosts import reference_host
from simulator.scenario import Scenario
from simulator.verdict import judge
from simulator.world import simulate

JOBS = {
    "idle": [{"id": f"job-{n}", "schedule": "0 0 1 7 *"} for n in range(100)],
    "hourly": [
        {"id": f"job-{n}", "schedule": f"{7 * n} * * * *", "runs_for": "20s"} for n in range(5)
    ],
}


def most_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1024 if sys.platform != "darwin" else 2**20
    )


def main(kind: str) -> dict[str, float]:
    scenario = Scenario.model_validate(
        {"name": "a-year", "start": "2026-03-02T08:00:00", "lasts": "365d", "jobs": JOBS[kind]}
    )
    builtin = reference_host().bundled()["builtin"]
    before, began = most_mib(), time.process_time()
    history = simulate(scenario, builtin).history
    seconds, most = time.process_time() - began, most_mib()
    began = time.process_time()
    judge(history, scenario)
    return {
        "before_mib": before,
        "most_mib": most,
        "judged_mib": most_mib(),
        "events": len(history),
        "seconds": seconds,
        "judge_seconds": time.process_time() - began,
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))  # noqa: T201
