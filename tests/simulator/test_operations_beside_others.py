"""What an operation stored is told from what others stored meanwhile, of the same job too."""

from itertools import permutations

import pytest
from histories import Build

from simulator.hosts import reference_host
from simulator.scenario_file import parse_scenario
from simulator.verdict import judge
from simulator.world import simulate

PROVIDERS = reference_host().bundled()
OPERATIONS = {
    "pause": "do: pause",
    "resume": "do: resume",
    "remove": "do: remove",
    "trigger": "do: trigger",
    "run": "do: run",
    "switch-off": "do: update, set: {enabled: false}",
    "reschedule": "do: update, set: {schedule: '*/20 * * * *'}",
    "limit": "do: update, set: {repeat: 9}",
}
TWO_AT_A_TIME = """
name: two-at-a-time
start: 2026-12-31T19:00:17
lasts: 1h31m
jobs: [{{id: j, schedule: '*/15 * * * *', runs_for: 20s}}]
steps:
  - {{at: 50m1s, job: j, {first}}}
  - {{at: 50m1s, job: j, {second}}}
faults:
  - {{into: store.replace, raise: {{OSError: EMFILE}}, nth: 2, from: 50m1s, until: 65m, times: 1}}
"""


@pytest.mark.parametrize("provider", PROVIDERS)
def test_of_two_operations_at_a_time_one_may_be_refused(provider):
    """The plan of the job is that of the other."""
    for first, second in permutations(OPERATIONS, 2):
        said = {"first": OPERATIONS[first], "second": OPERATIONS[second]}
        scenario = parse_scenario(TWO_AT_A_TIME.format(**said))
        judged = judge(simulate(scenario, PROVIDERS[provider]).history, scenario)
        assert not [one for one in judged.findings if one.verdict == "violated"], (first, second)


@pytest.mark.parametrize(("own", "verdict"), [(True, "violated"), (False, "unknown")])
def test_a_refused_pause_counts_by_its_own_writes(own, verdict):
    """Something was stored while it was under way; the run an hour later is wrong after its own."""
    build = Build("steps: [{at: 30m, do: pause, job: j}]\n").up().loop()
    build.store(0, "j", enabled=True, state="scheduled").add(
        "30m", "op", "operator", do="pause", job="j"
    )
    build.store(1801, "j", enabled=True, state="scheduled").runs("j", "1h")
    write_n = [event.n for event in build.history().of("store.commit")][-1]
    build.add(
        1802, "op.end", "operator", do="pause", job="j", error="StoreWriteFailed",
        stored=[write_n] if own else [],
    )  # fmt: skip
    assert build.judge("FIRE-4").verdict == verdict
