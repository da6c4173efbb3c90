"""What runs beside an edited copy: look at examples, judge a scenario, make one small.

A script for a process of its own, whose path the copy is first on; `teeth` starts it. It reads one
request from its arguments and prints one answer, both JSON.
"""

import gc
import json
import sys

from contract_tests.target import find_subject
from simulator.checkers import check
from simulator.explore import shrink
from simulator.explore.workers import CHUNK, Looker
from simulator.hosts import reference_host
from simulator.scenario_file import parse_scenario, to_yaml
from simulator.target import find_target
from simulator.world import simulate


def look(*, target, registry, requirements, indices, seed, days):
    """The first of these examples that violates one of the requirements."""
    looker = Looker.of(found(target, registry), None, seed, days)
    for nth, index in enumerate(indices):
        scenario = looker.scenario(index)
        if violated := violations(scenario, looker.target, requirements):
            return {"index": index, "violated": violated, "scenario": to_yaml(scenario)}
        if nth % CHUNK == 0:
            gc.collect()  # as explore does: a run leaves megabytes in cycles
    return {"index": None}


def judge(*, target, registry, requirements, scenario):
    """Which of the requirements it violates, and why."""
    return violations(parse_scenario(scenario), found(target, registry), requirements)


def make_small(*, target, registry, requirement, scenario):
    """The smallest scenario that still violates the requirement."""
    shrunk = shrink(parse_scenario(scenario), found(target, registry), requirement)
    small = shrunk.scenario
    return {
        "scenario": to_yaml(small),
        "faults": len(small.faults),
        "steps": len(small.steps),
        "replays": shrunk.replays,
        "reason": dict(shrunk.violations)[requirement],
    }


def found(target, registry):
    """The provider, with the fake of its registry where that is not NAS."""
    if registry is None:
        return find_target(target, reference_host())
    return find_subject(target).with_registry(registry).target


def violations(scenario, target, requirements):
    findings = check(simulate(scenario, target).history, scenario, requirements)
    return {one.id: one.reason for one in findings if one.verdict == "violated"}


if __name__ == "__main__":
    does = {"look": look, "judge": judge, "make_small": make_small}[sys.argv[1]]
    print(json.dumps(does(**json.loads(sys.argv[2]))))  # noqa: T201 - the answer
