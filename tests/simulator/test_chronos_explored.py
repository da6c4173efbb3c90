"""Scenarios that a search found, in which Chronos or its judges were wrong: now none is violated."""

import pytest

from simulator.durations import HOUR_US, MINUTE_US
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
HELD_UP_ROUND = """
name: the-round-that-was-to-try-again-hangs
for: [external]
start: 2026-10-25T00:30:00
lasts: 40m
machines: [a, b]
jobs:
  - {id: job-1, schedule: every 10m}
  - {id: job-2, schedule: every 10m}
  - {id: job-3, schedule: every 10m}
faults:
  - {into: nas.list, hang: 12m, nth: 3}
  - {into: nas.provision, answer: 500, nth: 7}
  - {into: nas.provision, answer: 503, nth: 2, times: 2}
  - {into: store.execution, crash: true, for: 30s, nth: 5}
"""
LOST = """
name: the-claim-of-a-job-is-lost-and-its-arm-refused
for: [external]
start: 2026-03-29T00:30:00
lasts: 8m
machines: [b]
jobs:
  - {id: job-1, schedule: every 7m}
  - {id: job-2, schedule: every 7m}
  - {id: job-3, schedule: every 7m, runs_for: 0s}
faults:
  - {into: store.replace, damage: lost, nth: 1, job: job-1, times: 2}
  - {into: nas.provision, answer: 500, nth: 4, times: 2}
tape: {seed: 66, choices: [['b#1/webhook-2', 9, 0s]]}
"""
CLAIM_RAISES = """
name: a-claim-raises-in-a-fire-whose-arm-is-refused
for: [external]
start: 2026-10-25T00:30:00
lasts: 47m
machines: [a, b]
jobs: [{id: job-1, schedule: '*/15 * * * *'}]
faults:
  - {into: claim, raise: RuntimeError, nth: 2, machine: b}
  - {into: nas.provision, answer: 503, nth: 6}
  - {into: nas.provision, crash: true, for: 30s, nth: 4}
"""
REFUSED_JOB = """
name: a-job-is-refused-beside-a-change-whose-arm-is
for: [external]
start: 2026-03-29T00:30:00
lasts: 8h52m
machines: [b]
jobs:
  - {id: job-1, schedule: every 10m}
  - {id: job-2, schedule: '2026-03-29T02:20:00', created: by a step}
steps:
  - {at: 8h50m1s, do: resume, job: job-1}
  - {at: 8h50m1s, do: create, job: job-2}
faults:
  - {into: nas.arm, early: 1h30m, nth: 2}
  - {into: nas.provision, answer: 503, nth: 3, times: 2}
  - {into: nas.provision, answer: 503, nth: 5}
"""
CUT_LATE = """
name: a-late-delivery-is-cut-off-before-its-run
for: [external]
start: 2026-10-25T00:30:00
lasts: 4h
machines: [b]
jobs: [{id: job-1, schedule: every 30m}]
faults:
  - {into: nas.deliver, delay: 1h30m, nth: 2}
  - {into: nas.deliver, drop: true, at: 1s}
  - {into: store.execution, crash: true, for: 20m, nth: 3}
"""
NOT_MARKED = """
name: a-machine-dies-between-run-and-result-just-when-the-job-is-due-again
for: [external]
start: 2026-12-31T19:00:17
lasts: 3h
machines: [a, b]
jobs:
  - {id: job-10, schedule: every 20m, runs_for: 40m}
  - {id: job-11, schedule: every 20m, runs_for: 40m}
faults: [{into: mark, crash: true, for: 3m, nth: 1}]
"""
ONE_SHOT_BY_HAND = """
name: what-became-a-one-shot-is-run-by-hand
for: [external]
start: 2026-03-08T00:30:00
lasts: 3h
machines: [b]
jobs:
  - {id: job-1, schedule: every 20m}
  - {id: job-2, schedule: every 20m}
steps:
  - {at: 2h20m, do: update, job: job-2, set: {schedule: 40m}}
  - {at: 2h20m1s, do: run, job: job-2}
"""
SAME_AGAIN = """
name: a-schedule-is-given-again-while-an-occurrence-waits
for: [external]
start: 2026-03-08T00:30:00
lasts: 2h6m
machines: [b]
jobs: [{id: job-1, schedule: '*/5 * * * *'}]
steps: [{at: 2h4m40s, do: update, job: job-1, set: {schedule: '*/5 * * * *'}}]
faults:
  - {into: nas.provision, answer: 503, nth: 4, times: 2}
  - {into: nas.provision, answer: 403, nth: 7}
  - {into: nas.provision, crash: true, for: 3m, nth: 5}
"""
SLOW_MARK = """
name: the-result-of-a-failure-waits-behind-reads-that-hang
for: [external]
start: 2026-10-04T00:30:00
lasts: 2h8m
machines: [b]
jobs:
  - {id: job-1, schedule: every 20m, runs_for: 8m, body: {raises: GeneratorExit, nth: 3}}
  - {id: job-3, schedule: '*/5 * * * *'}
faults: [{into: store.read, hang: 12m, from: 1h4m, until: 3h4m, 'on': mark}]
"""
HAD_ITS_RUNS = """
name: a-job-whose-arm-was-refused-has-had-its-runs
for: [external]
start: 2026-10-25T00:30:00
lasts: 3h
machines: [b]
jobs:
  - {id: job-1, schedule: '*/15 * * * *', repeat: 2}
  - {id: job-2, schedule: '*/15 * * * *'}
  - {id: job-3, schedule: '*/15 * * * *'}
faults:
  - {into: nas.provision, answer: 500, nth: 6, times: 5}
  - {into: body, crash: true, for: 20m, nth: 2}
"""
NOT_TOLD = """
name: another-machine-is-refused-an-arm-and-the-list-fails
for: [external]
start: 2026-10-25T00:30:00
lasts: 3m
machines: [a, b]
jobs:
  - {id: job-1, schedule: '*/5 * * * *'}
  - {id: job-2, schedule: '* * * * *'}
faults:
  - {into: nas.arm, early: 1h30m, nth: 1}
  - {into: nas.list, answer: shape, nth: 4}
  - {into: nas.provision, answer: 403, nth: 4}
  - {into: nas.provision, answer: 500, nth: 2}
"""
PAUSED_FOR_A_RUN = """
name: a-pause-waits-beside-a-run-by-hand
for: [external]
start: 2026-06-10T07:45:00
lasts: 51m
machines: [b]
jobs: [{id: job-1, schedule: every 7m}]
steps:
  - {at: 48m59s, do: hold-lock, for: 10s}
  - {at: 49m, do: pause, job: job-1}
  - {at: 49m2s, do: run, job: job-1}
faults:
  - {into: nas.provision, answer: 403, nth: 5}
  - {into: nas.provision, crash: true, for: 20m, nth: 4}
"""
PAUSE_CUT = """
name: a-machine-dies-in-a-pause-of-what-was-refused
for: [external]
start: 2026-06-10T07:45:00
lasts: 63m
machines: [a, b]
jobs:
  - {id: job-1, schedule: every 30m}
  - {id: job-2, schedule: every 30m}
  - {id: job-3, schedule: every 30m}
steps: [{at: 30m2s, do: pause, job: job-1}]
faults:
  - {into: nas.provision, answer: 403, nth: 2, times: 5}
  - {into: nas.provision, answer: 503, nth: 3, times: 2}
  - {into: nas.list, crash: true, for: 3m, nth: 4}
"""
GARBAGE = """
name: the-store-is-garbage-when-an-arm-is-to-be-tried-again
for: [external]
start: 2026-12-31T19:00:17
lasts: 22m
machines: [b]
jobs: [{id: job-3, schedule: every 20m}]
steps: [{at: 20m30s, do: damage, for: 2h, what: garbage}]
faults:
  - {into: nas.provision, answer: 503, nth: 2}
  - {into: claim, crash: true, for: 30s, nth: 1}
"""
REFUSED_SCHEDULE = """
name: a-schedule-is-refused-just-when-its-job-is-due
for: [external]
start: 2026-06-10T07:45:00
lasts: 3h
machines: [b]
jobs: [{id: job-2, schedule: '*/5 * * * *', runs_for: 40m}]
steps: [{at: 90m, do: update, job: job-2, set: {schedule: 0 0 31 2 *}}]
"""
TWO_UPDATES = """
name: two-changes-of-one-job-go-on-at-once
for: [external]
start: 2026-03-08T00:30:00
lasts: 40m
jobs: [{id: job-1, schedule: '*/5 * * * *'}]
steps:
  - {at: 1s, do: update, job: job-1, set: {schedule: '*/15 * * * *'}}
  - {at: 1s, do: update, job: job-1, set: {schedule: at noon}}
"""
WITHDRAWN = """
name: an-update-takes-back-what-a-fire-was-promised
for: [external]
start: 2026-10-25T00:30:00
lasts: 62m
jobs: [{id: job-1, schedule: every 10m}]
steps:
  - {at: 59m59s, do: hold-lock, for: 10s}
  - {at: 1h2s, do: update, job: job-1, set: {schedule: '* * * * *'}}
"""
PAUSED_AND_RESUMED = """
name: a-pause-is-kept-waiting-until-it-is-taken-back
for: [external]
start: 2026-03-29T00:30:00
lasts: 42m
jobs: [{id: job-1, schedule: every 20m}]
steps:
  - {at: 40m1s, do: pause, job: job-1}
  - {at: 40m1s, do: update, job: job-1, set: {schedule: every 20m}}
  - {at: 40m2s, do: resume, job: job-1}
faults: [{into: nas.cancel, hang: 2s, from: 39m59s, until: 40m59s}]
"""
RESUMED_OVER_A_PROMISE = """
name: a-job-is-resumed-over-the-promise-of-a-machine-that-is-dead
for: [external]
start: 2026-10-25T00:30:00
lasts: 10h17m
jobs: [{id: job-1, schedule: every 7m}]
steps: [{at: 9h17m, do: resume, job: job-1}]
faults: [{into: store.replace, crash: true, for: 2h, nth: 5, times: 5}]
"""
HUNG_CLAIM = """
name: a-machine-dies-in-a-run-whose-claim-hung-past-the-next-occurrence
for: [external]
start: 2026-06-10T07:45:00
lasts: 7h49m
machines: [a, b]
jobs:
  - {id: job-3, schedule: every 30m}
  - id: job-4
    schedule: every 7m
    body: {crashes: true, restarts_after: 2h, nth: 1}
    created: by a step
steps: [{at: 4h29m40s, do: create, job: job-4}]
faults: [{into: store.sync, hang: 12m, nth: 2, job: job-4, machine: b}]
"""
LEFT_BEFORE_ANOTHER = """
name: a-fire-arms-while-its-gateway-leaves-after-another
for: [external]
start: 2026-03-29T00:30:00
lasts: 3h
machines: [a, b]
jobs: [{id: job-1, schedule: every 10m}]
tape: {seed: 68, choices: [[b#1/cron-fire-9, 5, 4s]]}
"""
ASKED_TWICE = """
name: a-call-hangs-while-another-arms-what-it-asks-for
for: [external]
start: 2026-10-25T00:30:00
lasts: 182m
machines: [a, b]
jobs:
  - {id: job-1, schedule: every 30m}
  - {id: job-3, schedule: every 30m}
  - {id: job-4, schedule: every 30m, repeat: 1}
steps: [{at: 3h, do: update, job: job-1, set: {schedule: every 10m}}]
faults: [{into: nas.provision, hang: 4s, from: 2h59m59s, until: 3h59s}]
"""
TICKED_MEANWHILE = """
name: a-tick-by-hand-runs-what-a-timer-is-late-for
for: [external]
start: 2026-03-29T00:30:00
lasts: 42m
jobs: [{id: job-1, schedule: every 10m}]
steps: [{at: 40m1s, do: tick, machine: a}]
faults: [{into: nas.arm, delay: 59s, nth: 4}]
"""
TAKEN_BY_A_CLOCK_THAT_WAS_SET = """
name: a-claim-is-taken-whose-time-is-over-by-a-clock-that-was-set
for: [external]
start: 2026-06-10T07:45:00
lasts: 2h1m
machines: [a, b]
jobs:
  - {id: job-6, schedule: '*/15 * * * *'}
  - {id: job-7, schedule: '*/15 * * * *'}
  - {id: job-8, schedule: '*/15 * * * *', runs_for: 40m}
steps: [{at: 1h54m, do: set-clock, machine: b, by: 10m}]
"""
NOT_TAKEN_UP = """
name: a-locked-store-lets-nobody-take-up-the-promise-of-a-last-run
for: [external]
start: 2026-06-10T07:45:00
lasts: 32m
jobs:
  - {id: job-2, schedule: every 30m}
  - {id: job-3, schedule: every 30m, repeat: 1}
  - {id: job-4, schedule: every 30m}
faults: [{into: store.write, hang: 90s, nth: 4}]
"""
ALWAYS_BEHIND = """
name: a-store-that-is-always-behind-has-each-fire-given-back
for: [external]
start: 2026-03-29T00:30:00
lasts: 3h
jobs:
  - {id: job-3, schedule: '*/15 * * * *'}
  - {id: job-4, schedule: '*/15 * * * *'}
faults: [{into: store.read, stale: true, from: 2h40m2s, until: 4h40m2s}]
"""
NEVER_CLAIMED = """
name: each-claim-raises-and-its-fire-is-given-back
for: [external]
start: 2026-03-02T08:00:00
lasts: 1h
jobs: [{id: job-2, schedule: every 7m}]
faults: [{into: claim, raise: SystemExit, from: 20m, until: 26m}]
"""
ONE_SHOT_CUT_OFF = """
name: a-one-shot-that-may-run-again-ends-and-its-machine-dies-as-it-marks-it
for: [external]
start: 2026-03-02T08:00:00
lasts: 25m
machines: [b]
jobs: [{id: job-1, schedule: 20m, repeat: 3}]
faults: [{into: store.lock, crash: true, for: 3m, at: 9m30s, on: mark}]
"""
LATE_AFTER_A_TRIGGER = """
name: the-fire-of-a-trigger-hangs-past-occurrences-of-the-grid
for: [external]
start: 2026-03-02T08:00:00
lasts: 71m
jobs: [{id: job-1, schedule: every 7m}]
steps: [{at: 20m, do: trigger, job: job-1}]
faults: [{into: fire, hang: 12m, from: 19m30s, until: 21m}]
"""
LIST_HANGS = """
name: a-job-fires-while-the-list-hangs-that-another-change-asked-for
for: [external]
start: 2026-10-25T00:30:00
lasts: 2h32m
machines: [a, b]
jobs:
  - {id: job-1, schedule: '*/15 * * * *'}
  - {id: job-2, schedule: '*/15 * * * *'}
  - {id: job-3, schedule: every 20m}
  - {id: job-4, schedule: every 20m}
steps:
  - {at: 1h29m59s, do: pause, job: job-2}
  - {at: 2h30m, do: pause, job: job-3}
faults:
  - {into: nas.cancel, hang: 4s, from: 2h29m59s, until: 2h30m59s}
  - {into: nas.list, hang: 2s, from: 2h29m59s, until: 2h30m59s}
"""
NEVER_FIRED = """
name: a-fire-that-never-comes-to-its-provider-is-no-occasion
for: [external]
start: 2026-03-02T08:00:00
lasts: 21m
jobs:
  - {id: job-2, schedule: '*/10 * * * *'}
  - {id: job-3, schedule: '*/10 * * * *'}
faults:
  - {into: fire, raise: SystemExit, from: 20m, until: 26m40s}
  - {into: nas.provision, answer: 403, at: 20m}
"""
STRUCK_AND_GONE = """
name: a-fire-is-struck-whose-job-was-removed-just-before
for: [external]
start: 2026-03-02T08:00:00
lasts: 11m
jobs: [{id: job-1, schedule: '*/10 * * * *'}]
steps:
  - {at: 9m59s, do: hold-lock, for: 1s}
  - {at: 9m59s, do: remove, job: job-1}
faults: [{into: fire, raise: OSError, at: 10m}]
"""
EARLY_BY_A_CLOCK_AHEAD = """
name: a-delivery-is-just-early-enough-by-a-clock-that-is-ahead
for: [external]
start: 2026-03-02T08:00:00
lasts: 2h
machines: {b: {skew: 2s}}
jobs:
  - {id: job-1, schedule: every 30m, repeat: 2}
  - {id: job-2, schedule: every 30m}
faults: [{into: nas.arm, early: 31s, from: 29m, until: 2h}]
"""
EARLY_AT_THE_END = """
name: a-delivery-is-a-little-early-and-the-history-ends-before-its-time
for: [external]
start: 2026-03-02T08:00:00
lasts: 59m45s
jobs: [{id: job-1, schedule: every 30m}]
faults: [{into: nas.arm, early: 20s, from: 30m, until: 2h}]
"""
TAKEN_WHILE_REMOVED = """
name: an-occurrence-is-taken-at-its-very-instant-while-a-remove-waits
for: [external]
start: 2026-03-02T08:00:00
lasts: 29m
machines: [a, b]
jobs: [{id: job-1, schedule: every 7m}]
steps:
  - {at: 27m40s, do: remove, job: job-1}
  - {at: 27m40s, do: suspend, machine: a, for: 30s}
"""
FIRES_TOGETHER = """
name: fires-that-come-together-share-the-comparison-that-tries-again
for: [external]
start: 2026-12-31T19:00:17
lasts: 16m
jobs:
  - {id: job-1, schedule: '*/15 * * * *'}
  - {id: job-2, schedule: '*/15 * * * *', runs_for: 0s}
  - {id: job-3, schedule: '*/15 * * * *', runs_for: 0s}
faults: [{into: nas.provision, raise: httpx.RemoteProtocolError, nth: 3, times: 5}]
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


def test_a_claim_that_fails_for_half_a_minute_makes_no_storm_of_arms():
    """What follows is armed ahead of each attempt, so the same fire is never armed twice running."""
    scenario = parse_scenario("""
name: a-claim-that-fails-for-half-a-minute
start: 2026-03-02T08:00:00
lasts: 30m
jobs: [{id: job-1, schedule: every 10m}]
faults: [{into: claim, raise: SystemExit, from: 10m, until: 10m30s}]
""")
    history = simulate(scenario, CHRONOS).history
    assert 0 < len(history.of("fault")) < 10
    first_us = history.of("run.begin")[0].at_us - scenario.start_us
    assert first_us <= 11.5 * 60 * 1_000_000
    assert [one for one in judge(history, scenario).findings if one.verdict == "violated"] == []


def test_what_nobody_could_take_up_is_given_back_and_armed_at_once():
    """NAS was told that all is well, and nothing else wakes the agent for four hours."""
    scenario = parse_scenario(NOT_TAKEN_UP.replace("30m", "4h").replace("32m", "5h"))
    begun = simulate(scenario, CHRONOS).history.of("run.begin")
    due_us = scenario.start_us + 4 * HOUR_US
    assert {event.data["job"] for event in begun} == {"job-2", "job-3", "job-4"}
    assert all(due_us <= event.at_us <= due_us + 3 * MINUTE_US for event in begun)
