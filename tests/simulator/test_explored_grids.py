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
    "an-occurrence-comes-by-a-clock-that-is-ahead-just-before-a-run-ends": """
start: 2026-06-10T07:45:00
lasts: 3h
machines:
  a: {}
  b: {skew: 2s}
jobs:
  - {id: job-1, schedule: every 20m}
  - {id: job-2, schedule: every 20m, runs_for: 40m}
  - {id: job-3, schedule: every 10m, runs_for: 40m}
steps:
  - {at: 1h59m59s, do: hold-lock, for: 20m}
faults:
  - into: nas.deliver
    duplicate: [1h30m]
    nth: 1
    job: job-1
""",
    "a-job-is-removed-before-its-pause-is-over": """
start: 2026-03-08T00:30:00
lasts: 11h31m
jobs:
  - {id: job-1, schedule: every 30m}
steps:
  - {at: 11h30m, do: pause, job: job-1}
  - {at: 11h30m1s, do: remove, job: job-1}
faults:
  - {into: nas.list, hang: 4s, from: 11h29m59s, until: 11h30m59s}
""",
    "a-run-is-refused-while-another-change-calls-the-registry": """
start: 2026-10-04T00:30:00
lasts: 3h
jobs:
  - id: job-1
    schedule: every 20m
    body: {crashes: true, restarts_after: 2h, nth: 1}
steps:
  - {at: 1h19m59s, do: restart, machine: a}
  - {at: 2h59m59s, do: run, job: job-1}
  - {at: 2h59m59s, do: trigger, job: job-1}
  - {at: 2h59m59s, do: run, job: job-1}
faults:
  - {into: nas.list, answer: stale, nth: 8}
""",
    "an-arm-is-refused-and-then-the-last-run-is-promised-and-not-taken-up": """
start: 2026-03-02T08:00:00
lasts: 25m
jobs: [{id: job-1, schedule: 20m}]
steps: [{at: 19m50s, do: stop, machine: a, for: 3m}]
faults:
  - {into: nas.provision, raise: httpx.ConnectError, at: 20m}
  - {into: store.write, raise: {OSError: EMFILE}, at: 20m5s, on: claim}
""",
    "the-status-is-asked-for-in-the-instant-in-which-the-provider-fails-to-start": """
start: 2026-03-02T08:00:00
lasts: 23m
jobs: [{id: job-2, schedule: 20m}]
faults:
  - {into: store.signal, crash: true, for: 30s, at: 20m, times: 3}
  - {into: start, raise: SystemExit, from: 19m30s, until: 26m10s}
""",
    "a-machine-dies-with-the-claim-on-what-it-took-a-little-early": """
start: 2026-03-02T08:00:00
lasts: 2h35m
machines: [a, b]
jobs: [{id: job-1, schedule: every 30m}, {id: job-2, schedule: every 30m}]
faults:
  - {into: nas.arm, early: 20s, from: 59m, until: 61m}
  - {into: store.execution, crash: true, for: 10m, from: 89m, times: 1, job: job-1}
""",
    "what-a-dead-machine-claimed-is-claimed-again-at-the-next-occurrence-and-cut-off": """
start: 2026-03-02T08:00:00
lasts: 95m
machines: [a, b]
jobs: [{id: job-1, schedule: '*/5 * * * *'}]
steps: [{at: 20m, do: tick, machine: b}]
faults: [{into: claim, crash: true, for: 20m, after: true, at: 20m, times: 2}]
""",
    "a-run-that-was-held-up-begins-as-the-next-comes": """
start: 2026-03-02T08:00:00
lasts: 95m
machines: [b]
jobs:
  - {id: job-1, schedule: every 30m}
  - {id: job-2, schedule: every 7m}
faults: [{into: store.lock, hang: 6m, from: 29m59s, until: 36m39s}]
""",
    "a-loop-in-the-place-of-its-provider-runs-what-a-fire-hangs-with": """
start: 2026-03-02T08:00:00
lasts: 37m
jobs: [{id: job-2, schedule: '*/10 * * * *'}]
steps: [{at: 23m20s, do: restart, machine: a}]
faults:
  - {into: start, raise: SystemExit, at: 20m}
  - {into: fire, hang: 6m, at: 21m1s}
""",
    "a-run-fails-while-the-lock-is-kept": """
start: 2026-03-02T08:00:00
lasts: 34m
jobs: [{id: job-1, schedule: '*/10 * * * *', runs_for: 3m, body: {raises: ValueError}}]
steps: [{at: 30m5s, do: hold-lock, for: 20m}]
""",
    "a-machine-dies-in-the-round-in-which-an-arm-is-refused": """
start: 2026-03-02T08:00:00
lasts: 61m
jobs:
  - {id: job-1, schedule: every 10m}
  - {id: job-3, schedule: every 10m}
faults:
  - {into: nas.provision, hang: 6m, at: 20m, job: job-1, times: 3}
  - {into: nas.provision, crash: true, for: 1s, at: 20m, times: 3}
""",
    "an-elapsed-schedule-comes-sooner-in-another-zone-and-again-then": """
zone: Europe/Berlin
start: 2026-03-29T00:30:00
lasts: 3h
jobs:
  - {id: job-1, schedule: every 7m}
  - {id: job-2, schedule: 25 */2 * * *}
steps: [{at: 8m1s, do: set-zone, to: UTC}]
""",
    "a-job-has-run-since-it-became-a-one-shot-whose-arm-was-refused": """
start: 2026-10-04T00:30:00
lasts: 1h57m
jobs: [{id: job-1, schedule: '*/15 * * * *'}]
steps: [{at: 15m30s, do: update, job: job-1, set: {schedule: 100m}}]
faults: [{into: nas.provision, answer: 409, after: true, nth: 3}]
""",
    "a-job-is-removed-while-it-runs-and-fails": """
start: 2026-03-02T08:00:00
lasts: 33m
jobs: [{id: job-1, schedule: 20m, runs_for: 12m, body: {raises: ValueError}}]
steps: [{at: 20m2s, do: remove, job: job-1}]
""",
    "a-pause-hangs-when-it-is-stored": """
start: 2026-03-02T08:00:00
lasts: 61m
jobs: [{id: job-2, schedule: '*/5 * * * *'}]
steps: [{at: 10m, do: pause, job: job-2}]
faults: [{into: store.signal, hang: 6m, from: 9m59s, until: 10m2s}]
""",
    "a-machine-sleeps-that-was-to-resume-a-job-whose-time-has-passed": """
start: 2026-03-02T08:00:00
lasts: 2h
jobs: [{id: job-1, schedule: every 30m}]
steps:
  - {at: 29m43s, do: pause, job: job-1}
  - {at: 30m1s, do: suspend, machine: a, for: 1h}
  - {at: 30m1s, do: resume, job: job-1}
""",
    "a-claim-raises-after-it-was-written": """
start: 2026-03-02T08:00:00
lasts: 61m
jobs:
  - {id: job-1, schedule: every 10m, body: {crashes: true, restarts_after: 3m, nth: 2}}
  - {id: job-2, schedule: every 7m}
faults: [{into: claim, raise: KeyboardInterrupt, after: true, at: 20m1s}]
""",
    "a-promise-runs-out-whose-occurrence-a-resume-moved": """
start: 2026-03-02T08:00:00
lasts: 33m
jobs: [{id: job-2, schedule: every 10m}]
steps: [{at: 23m20s, do: resume, job: job-2}]
faults: [{into: fire, hang: 12m, at: 20m}]
""",
    "a-fire-arms-its-job-while-a-comparison-hangs-at-another": """
start: 2026-03-02T08:00:00
lasts: 12m
jobs: [{id: job-2, schedule: every 10m}, {id: job-3, schedule: every 10m}]
faults:
  - {into: nas.provision, hang: 2s, from: 10m, until: 10m3s}
  - {into: fire, raise: RuntimeError, at: 10m}
""",
    "the-result-of-a-run-is-still-refused-as-the-next-fire-is-taken": """
start: 2026-03-02T08:00:00
lasts: 1h1m
jobs: [{id: job-1, schedule: '*/5 * * * *', runs_for: 8m}]
faults: [{into: store.read, hang: 6m, from: 20m, until: 20m1s}]
""",
    "a-result-waits-behind-a-lock-as-the-next-fire-does": """
start: 2026-03-02T08:00:00
lasts: 1h
jobs: [{id: job-1, schedule: '*/5 * * * *', runs_for: 3m}, {id: job-2, schedule: every 7m}]
steps: [{at: 1385s, do: hold-lock, for: 3m}]
faults: [{into: mark, raise: SystemExit, from: 1379s, until: 1395s}]
""",
    "a-new-schedule-waits-for-the-disk-past-its-first-time-and-one-of-the-old": """
start: 2026-03-02T08:00:00
lasts: 24m
machines: [b]
jobs: [{id: job-1, schedule: every 7m}]
steps: [{at: 10m5s, do: update, job: job-1, set: {schedule: '*/15 * * * *'}}]
faults: [{into: store.sync, hang: 12m, at: 10m1s}]
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
