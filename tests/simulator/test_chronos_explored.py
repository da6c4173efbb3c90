"""Scenarios that a search found, in which Chronos or its judges were wrong: now none is violated."""

import pytest

from simulator.hosts import reference_host
from simulator.scenario import Scenario
from simulator.scenario_file import parse_scenario
from simulator.verdict import judge
from simulator.world import simulate

CHRONOS = reference_host().bundled()["chronos"]

REFUSED_AND_DEAD = """
name: the-machine-that-was-refused-an-arm-dies
for: [external]
start: 2026-10-25T00:30:00
lasts: 40m
machines: [a, b]
jobs: [{id: job-1, schedule: every 30m}]
faults:
  - {into: nas.provision, answer: 503, nth: 2}
  - {into: mark, crash: true, for: 2h, nth: 1}
"""
REFUSED_BESIDE = """
name: the-machine-that-runs-a-job-dies-and-its-next-arm-was-refused-to-another
for: [external]
start: 2026-03-08T01:30:00
lasts: 72m
machines: [a, b]
jobs: [{id: job-1, schedule: every 30m, runs_for: 40m, body: {crashes: true}}]
faults: [{into: nas.provision, answer: 403, nth: 3}]
"""
LAST_RUN_OF_THE_DEAD = """
name: a-machine-dies-with-the-claim-on-a-last-run
for: [external]
start: 2026-03-08T00:30:00
lasts: 4h
machines: [a, b]
jobs:
  - {id: job-1, schedule: every 20m}
  - {id: job-2, schedule: every 20m}
  - {id: job-3, schedule: every 20m, repeat: 1}
faults: [{into: store.execution, crash: true, for: 2h, nth: 3}]
"""
RUN_BY_HAND = """
name: a-run-by-hand-just-before-an-occurrence
for: [external]
start: 2026-06-10T07:45:00
lasts: 3h
machines: {b: {skew: 2s}}
jobs: [{id: job-3, schedule: every 30m}]
steps: [{at: 2h59m59s, do: run, job: job-3}]
"""
RESUMED = """
name: a-resume-just-before-an-occurrence-by-a-clock-that-is-ahead
for: [external]
start: 2026-10-25T00:30:00
lasts: 2h
machines: {b: {skew: 2s}}
jobs: [{id: job-3, schedule: '*/15 * * * *'}]
steps: [{at: 44m59s, do: resume, job: job-3}]
"""
HELD_UP = """
name: a-tick-by-hand-while-a-fire-hangs
for: [external]
start: 2026-12-31T19:00:17
lasts: 1h
machines: [a, b]
jobs: [{id: job-1, schedule: every 10m}]
steps: [{at: 25m30s, do: tick, machine: b}]
faults: [{into: claim, hang: 12m, at: 20m}]
"""
STOPPED = """
name: a-tick-by-hand-just-before-an-occurrence-beside-a-clock-that-is-ahead
for: [external]
start: 2026-03-08T00:30:00
lasts: 2h2m
machines: {a: {}, b: {skew: 2s}}
jobs: [{id: job-9, schedule: '*/15 * * * *'}]
steps:
  - {at: 10s, do: stop, machine: a, for: 2h}
  - {at: 1h59m59s, do: tick, machine: a}
faults: [{into: mark, crash: true, for: 2h, nth: 1}]
"""
FALLBACK = """
name: one-of-two-machines-goes-on-without-its-provider
for: [external]
start: 2026-10-25T00:30:00
lasts: 90m
machines: [a, b]
jobs: [{id: job-1, schedule: '*/15 * * * *'}]
steps: [{at: 30m10s, do: stop, machine: a, for: 30s}]
faults:
  - {into: start, raise: OSError, nth: 2}
  - {into: nas.provision, answer: 503, nth: 4}
"""
NEVER_ASKED = """
name: a-start-that-raises-is-no-occasion
for: [external]
start: 2026-03-08T00:30:00
lasts: 1m
machines: [a, b]
jobs: [{id: job-1, schedule: every 30m}, {id: job-2, schedule: every 30m}]
faults:
  - {into: start, raise: RuntimeError, nth: 2}
  - {into: nas.provision, answer: 503, nth: 2}
"""
LOCK_KEPT = """
name: a-lock-is-kept-until-the-end-of-what-a-stop-cut-off
for: [external]
start: 2026-10-04T00:30:00
lasts: 91m
jobs: [{id: job-1, schedule: every 30m, runs_for: 40m}]
steps:
  - {at: 30m10s, do: stop, machine: a, for: 20m}
  - {at: 39m, do: hold-lock, for: 2h}
"""
FOUND = [
    parse_scenario(text)
    for name, text in sorted(globals().items())
    if name.isupper() and isinstance(text, str)
]


@pytest.mark.parametrize("scenario", FOUND, ids=lambda scenario: scenario.name)
def test_what_was_found_is_mended(scenario: Scenario):
    judged = judge(simulate(scenario, CHRONOS).history, scenario)
    assert [finding for finding in judged.findings if finding.verdict == "violated"] == []
