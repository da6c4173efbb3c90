"""What grids of faults, seams and times found around what a search had found: now all is well."""

import pytest

from simulator.hosts import reference_host
from simulator.scenario_file import parse_scenario
from simulator.verdict import judge
from simulator.world import simulate

PROVIDERS = reference_host().bundled()

CHRONOS = {
    "a-result-is-refused-and-the-next-fire-comes-to-another-gateway": """
start: 2026-03-29T00:30:00
lasts: 3h
machines: [a, b]
jobs:
  - {id: job-1, schedule: '*/5 * * * *', runs_for: 3m}
  - {id: job-3, schedule: '*/5 * * * *'}
  - {id: job-5, schedule: '*/5 * * * *'}
faults: [{into: mark, raise: SystemExit, at: 2h10m30s}]
""",
    "a-result-is-refused-twice-before-the-next-fire-comes-to-another-gateway": """
start: 2026-03-29T00:30:00
lasts: 3h
machines: [a, b]
jobs:
  - {id: job-1, schedule: '*/5 * * * *', runs_for: 3m}
  - {id: job-3, schedule: '*/5 * * * *'}
  - {id: job-5, schedule: '*/5 * * * *'}
faults: [{into: mark, raise: OSError, from: 2h12m59s, until: 2h13m15s}]
""",
    "a-job-is-due-again-while-the-record-of-its-last-run-hangs": """
start: 2026-03-02T08:00:00
lasts: 1h
jobs: [{id: job-1, schedule: '*/5 * * * *', runs_for: 3m}, {id: job-2, schedule: every 7m}]
faults: [{into: store.execution, hang: 4m, at: 20m1s}]
""",
    "a-one-shot-is-claimed-by-somebody-unknown-long-before-its-time": """
start: 2026-03-08T00:30:00
lasts: 2h
jobs:
  - id: j
    schedule: "2026-03-08T02:10:00"
    record: {fire_claim: {at: "2026-03-08T00:29:00+00:00", by: "gone:4711"}}
""",
}
BUILTIN = {
    "a-job-comes-due-while-the-record-of-its-last-run-hangs": """
start: 2026-03-02T08:00:00
lasts: 1h
jobs: [{id: job-1, schedule: '*/5 * * * *', runs_for: 3m}, {id: job-2, schedule: every 7m}]
faults: [{into: store.execution, hang: 4m, at: 20m1s, times: 3}]
""",
}
FOUND = [
    *(("chronos", name, text) for name, text in CHRONOS.items()),
    *(("builtin", name, text) for name, text in BUILTIN.items()),
]


@pytest.mark.parametrize(("provider", "name", "text"), FOUND, ids=[name for _, name, _ in FOUND])
def test_what_was_found_is_mended(provider, name, text):
    scenario = parse_scenario(f"name: {name}{text}")
    judged = judge(simulate(scenario, PROVIDERS[provider]).history, scenario)
    assert [finding for finding in judged.findings if finding.verdict == "violated"] == []
