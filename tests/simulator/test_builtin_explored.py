"""What a search found with the built-in provider, as small as it became; nothing of it is left."""

import pytest

from simulator import find_target, judge, parse_scenario, reference_host, simulate

SCENARIOS = {
    "more-slow-jobs-than-places": """
start: 2026-10-04T00:30:00
lasts: 24m
jobs:
  - {id: job-1, schedule: every 10m, runs_for: 8m}
  - {id: job-2, schedule: every 10m, runs_for: 8m}
  - {id: job-3, schedule: every 10m, runs_for: 8m}
  - {id: job-4, schedule: every 10m, runs_for: 8m}
  - {id: job-7, schedule: every 10m, runs_for: 8m}
  - {id: job-8, schedule: every 10m, runs_for: 8m}
  - {id: job-9, schedule: every 10m, runs_for: 8m}
  - {id: job-10, schedule: every 10m, runs_for: 8m}
  - {id: job-11, schedule: every 10m}
faults:
  - {into: dispatch, raise: asyncio.CancelledError, nth: 3, times: 20}
""",
    "due-while-its-run-comes-to-its-end": """
start: 2026-03-29T00:30:00
lasts: 2h32m
interval: 20
jobs:
  - {id: job-1, schedule: every 30m, runs_for: 40m}
  - {id: job-2, schedule: 100m}
tape: {seed: 60, choices: [["a#1/cron-job_1", 93, 1ms]]}
""",
    "a-store-that-is-readable-again-after-a-restart": """
start: 2026-03-08T00:30:00
lasts: 2h51m
jobs: [{id: job-2, schedule: every 10m, runs_for: 40m}]
steps:
  - {at: 2h40m, do: damage, for: 3m, what: garbage}
  - {at: 2h40m10s, do: restart, machine: a}
faults:
  - {into: dispatch, raise: asyncio.CancelledError, from: 2h44m, until: 4h44m}
""",
    "records-that-wait-for-their-lock": """
start: 2026-03-02T08:00:00
lasts: 4h
machines: {a: {}, b: {skew: 2s}}
jobs:
  - {id: k, schedule: "*/5 * * * *", runs_for: 8m}
  - {id: m, schedule: "*/5 * * * *", repeat: 30}
faults:
  - {into: store.execution, hang: 12m, from: 2h20m, until: 2h24m, machine: a}
""",
    "a-result-that-is-refused-twice": """
start: 2026-03-02T08:00:00
lasts: 4h
jobs: [{id: o, schedule: "2026-03-02T10:20:00", runs_for: 3m}]
faults:
  - {into: mark, raise: {OSError: EIO}, from: 2h20m, until: 2h24m, times: always}
""",
    "a-one-shot-in-a-gap-that-is-tried-again": """
zone: America/New_York
start: 2026-03-08T00:30:00
lasts: 1h32m
jobs:
  - id: job-6
    schedule: every 30m
    body: {crashes: true, restarts_after: 30s, nth: 3}
  - {id: job-12, schedule: "2026-03-08T02:50:00", repeat: 4}
""",
    "a-lock-that-is-taken-behind-one-held-back": """
start: 2026-06-10T07:45:00
lasts: 2m
machines: [a, b]
jobs: [{id: job-2, schedule: every 20m}]
steps:
  - {at: 1s, do: hold-lock, for: 10s}
  - {at: 1s, do: trigger, job: job-2}
tape: {seed: 46, choices: [["b#1/gateway", 4, 4s]]}
""",
    "asked-for-as-its-run-begins": """
start: 2026-03-29T00:30:00
lasts: 17m
interval: 20
jobs:
  - {id: job-2, schedule: "*/15 * * * *"}
  - {id: job-3, schedule: "*/15 * * * *", runs_for: 20s}
steps:
  - {at: 15m1s, do: trigger, job: job-3}
tape: {seed: 2, choices: [["a#1/cron-job_1", 1, 4s]]}
""",
    "two-changes-that-wait-for-a-lock": """
start: 2026-03-08T00:30:00
lasts: 1h27m
jobs: [{id: job-4, schedule: "*/5 * * * *"}]
steps:
  - {at: 1h24m59s, do: update, job: job-4, set: {schedule: "30 2 * * *"}}
  - {at: 1h24m59s, do: hold-lock, for: 10s}
  - {at: 1h25m2s, do: update, job: job-4, set: {schedule: "*/5 * * * *"}}
""",
    "a-clock-set-back-to-just-before-an-occurrence": """
start: 2026-03-29T00:30:00
lasts: 1h40m
jobs: [{id: job-2, schedule: "*/5 * * * *"}]
steps:
  - {at: 59m59s, do: set-clock, machine: a, by: -1h}
""",
    "a-clock-set-back-by-two-occurrences-to-just-before-one": """
start: 2026-03-29T00:30:00
lasts: 1h40m
jobs:
  - {id: job-2, schedule: "*/5 * * * *"}
  - {id: job-3, schedule: every 5m}
steps:
  - {at: 59m59s, do: set-clock, machine: a, by: -10m}
""",
    "a-claim-that-the-disk-lost-and-a-run-that-died": """
start: 2026-10-04T00:30:00
lasts: 3h
machines: [a, b]
jobs:
  - id: job-1
    schedule: every 20m
    body: {crashes: true, restarts_after: 2h, nth: 2}
faults:
  - {into: store.replace, damage: lost, nth: 2, on: claim}
""",
    "a-tick-by-hand-while-the-start-hangs": """
start: 2026-03-29T00:30:00
lasts: 23m
jobs: [{id: job-2, schedule: every 20m}]
steps:
  - {at: 19m40s, do: restart, machine: a}
  - {at: 19m59s, do: tick, machine: a}
faults:
  - {into: start, hang: 6m, from: 19m40s, until: 19m41s}
""",
    "asked-for-as-its-run-was-taken": """
start: 2026-03-29T00:30:00
lasts: 45m
jobs: [{id: job-1, schedule: every 10m, runs_for: 3m}]
steps:
  - {at: 30m30s, do: trigger, job: job-1}
faults:
  - {into: tick, crash: true, for: 30s, nth: 5}
""",
    "asked-for-as-its-last-run-begins": """
start: 2026-12-31T19:00:17
lasts: 2h
jobs: [{id: job-1, schedule: every 20m, repeat: 2}]
steps:
  - {at: 40m, do: trigger, job: job-1}
""",
    "a-recovery-that-a-tick-tries-again-in-vain": """
start: 2026-03-08T00:30:00
lasts: 2m
jobs: [{id: job-4, schedule: every 20m}]
faults:
  - {into: store.lock, raise: {OSError: EACCES}, nth: 2, times: 5}
""",
    "a-start-that-raises-after-a-recovery-that-did": """
start: 2026-10-04T00:30:00
lasts: 5m
jobs: [{id: job-4, schedule: every 7m}]
faults:
  - {into: recover, raise: OSError}
  - {into: start, raise: MemoryError}
""",
    "due-while-the-claim-before-it-hangs-whose-run-is-a-long-one": """
start: 2026-03-08T00:30:00
lasts: 3h
jobs: [{id: job-3, schedule: every 10m, runs_for: 40m}]
faults:
  - {into: recover, hang: 6m, nth: 1}
  - {into: claim, hang: 6m, after: true, nth: 2}
  - {into: dispatch, crash: true, for: 20m, nth: 1}
""",
    "another-looks-while-a-renewal-waits-for-its-lock": """
start: 2026-03-02T08:00:00
lasts: 80m
machines: [a, b]
jobs: [{id: j, schedule: "*/10 * * * *", runs_for: 25m}]
faults:
  - {into: store.lock, hang: 6m, at: 11m, machine: a}
""",
    "another-looks-as-a-renewal-comes-through": """
start: 2026-03-02T08:00:00
lasts: 80m
machines: [a, b]
jobs: [{id: j, schedule: "*/10 * * * *", runs_for: 25m}]
faults:
  - {into: store.sync, hang: 6m, at: 12m30s, machine: a}
""",
    "a-result-that-hangs-on-its-way-and-at-its-end": """
start: 2026-03-08T00:30:00
lasts: 30m
jobs: [{id: job-1, schedule: "*/5 * * * *"}]
faults:
  - {into: store.replace, hang: 12m, nth: 3, on: mark}
  - {into: mark, hang: 1m30s, after: true, nth: 3}
""",
    "asked-to-leave-while-what-was-left-open-is-waited-for": """
start: 2026-06-10T07:45:00
lasts: 2h
jobs: [{id: job-3, schedule: every 30m}]
steps:
  - {at: 1h, do: crash, machine: a, for: 10s}
  - {at: 1h, do: hold-lock, for: 60s}
  - {at: 1h11s, do: stop, machine: a, for: 10m}
""",
    "asked-to-leave-while-its-provider-waits-before-the-first-tick": """
start: 2026-06-10T07:45:00
lasts: 2h
jobs: [{id: job-3, schedule: every 30m}]
steps:
  - {at: 1h, do: crash, machine: a, for: 10s}
  - {at: 1h, do: hold-lock, for: 60s}
  - {at: 1h21s, do: stop, machine: a, for: 10m}
""",
    "a-status-at-the-moment-at-which-a-tick-finds-something-again": """
start: 2026-03-02T08:00:00
lasts: 3h
jobs: [{id: job-1, schedule: every 20m}]
steps:
  - {at: 1h39m40s, do: damage, for: 20m, what: failing}
  - {at: 2h, do: status}
faults:
  - {into: claim, hang: 2s, at: 1h39m40s}
""",
    "a-status-after-a-tick-that-was-held-back": """
start: 2026-03-02T08:00:00
lasts: 2h
jobs: [{id: job-1, schedule: every 4m}]
steps:
  - {at: 1h20m, do: status}
  - {at: 1h20m30s, do: status}
faults:
  - {into: tick, hang: 20m, at: 1h}
  - {into: claim, hang: 90s, at: 1h20m}
""",
    "signs-of-life-that-hang-at-their-write": """
start: 2026-10-04T00:30:00
lasts: 1h10m
jobs: [{id: job-9, schedule: "*/15 * * * *"}]
faults:
  - {into: store.signal, hang: 6m, nth: 7, times: always}
""",
    "a-sign-of-life-behind-one-that-hung": """
start: 2026-10-04T00:30:00
lasts: 1h10m
jobs: [{id: job-9, schedule: "*/15 * * * *"}]
faults:
  - {into: heartbeat, hang: 6m, after: true, at: 15m}
  - {into: store.signal, hang: 2m, at: 15m}
""",
    "a-claim-dated-ahead-that-nobody-comes-across-while-its-job-is-paused": """
start: 2026-03-08T00:30:00
lasts: 2h33m
jobs:
  - id: job-2
    schedule: "*/15 * * * *"
    record: {fire_claim: {at: "2031-01-01T00:00:00+00:00", by: "gone:4711"}}
steps:
  - {at: 17m, do: pause, job: job-2}
  - {at: 18m, do: crash, machine: a, for: 20m}
  - {at: 80m, do: resume, job: job-2}
""",
    "a-jobs-file-that-is-hurt-while-nobody-is-up": """
start: 2026-03-02T08:00:00
lasts: 2h
jobs: [{id: job-1, schedule: every 10m}]
steps:
  - {at: 59m30s, do: crash, machine: a, for: 90m}
  - {at: 1h, do: damage, for: 30s, what: control-character}
""",
    "due-while-the-claim-before-it-hangs-after-nobody-was-up": """
start: 2026-06-10T07:45:00
lasts: 1h56m
jobs: [{id: job-1, schedule: "*/15 * * * *", runs_for: 3m}]
steps:
  - {at: 1h19m40s, do: crash, machine: a, for: 20m}
faults:
  - {into: claim, hang: 12m, after: true, nth: 6}
""",
    "a-claim-that-the-disk-lost-and-two-who-hold-the-same-token": """
start: 2026-03-02T08:00:00
lasts: 30m
machines: [a, b]
jobs: [{id: job-2, schedule: every 7m}]
faults:
  - {into: body, hang: 12m, nth: 1, machine: b}
  - {into: store.replace, damage: lost, nth: 1}
""",
    "two-ticks-of-which-one-tells-nothing": """
start: 2026-03-02T08:00:00
lasts: 3m
interval: 20
machines: [a, b]
jobs: [{id: job-4, schedule: "*/5 * * * *"}]
faults:
  - {into: tick, hang: 12m, after: true, nth: 2, times: 3}
""",
    "a-tick-by-hand-that-is-refused-while-the-loop-is-in-one": """
start: 2026-03-29T00:30:00
lasts: 1h31m
jobs: [{id: job-1, schedule: every 30m}]
steps:
  - {at: 46m, do: resume, job: job-1}
  - {at: 1h20m1s, do: tick, machine: a}
faults: [{into: store.sync, hang: 6m, from: 31m1s, until: 2h31m1s}]
""",
    "a-resume-that-waited-for-a-lock-with-a-tick-that-starts-another": """
start: 2026-03-08T00:30:00
lasts: 2h32m
jobs:
  - {id: job-1, schedule: every 30m}
  - {id: job-7, schedule: every 30m, body: {crashes: true, restarts_after: 1s, nth: 1}}
steps:
  - {at: 2h29m59s, do: hold-lock, for: 10s}
  - {at: 2h30m, do: resume, job: job-1}
""",
    "a-lock-that-is-wanted-while-writes-hang-one-after-another": """
start: 2026-03-29T00:30:00
lasts: 1h13m
jobs: [{id: job-1, schedule: "*/15 * * * *", runs_for: 8m}]
steps:
  - {at: 1h10m2s, do: hold-lock, for: 20m}
faults:
  - {into: store.write, hang: 1m30s, nth: 3, times: always}
""",
    "taken-by-a-tick-that-is-on-at-the-end": """
start: 2026-06-10T07:45:00
lasts: 1h
jobs: [{id: job-1, schedule: every 30m}]
steps:
  - {at: 1s, do: resume, job: job-1}
faults:
  - {into: store.read, hang: 5s, from: 59m59s}
""",
    "due-before-anybody-came-across-its-broken-record": """
start: 2026-06-10T07:45:00
lasts: 1h
jobs: [{id: job-10, schedule: "*/5 * * * *", record: {next_run_at: garbage}}]
faults:
  - {into: store.signal, hang: 6m, nth: 1}
""",
    "a-last-run-that-is-held-up-until-just-before-the-next": """
start: 2026-03-29T00:30:00
lasts: 1h30m
interval: 20
machines: {a: {}, b: {skew: 2s}}
jobs: [{id: job-9, schedule: every 20m, repeat: 2}]
steps:
  - {at: 9m51s, do: restart, machine: a}
  - {at: 39m59s, do: hold-lock, for: 20m}
""",
    "a-one-shot-that-is-given-up-before-anybody-could-mend-it": """
start: 2026-06-10T07:45:00
lasts: 1h
jobs: [{id: k, schedule: 30m, record: {next_run_at: garbage}}]
faults:
  - {into: store.replace, crash: true, for: 11m, times: 3}
""",
    "made-just-before-its-first-time-while-somebody-keeps-the-lock": """
start: 2026-06-10T07:45:00
lasts: 2h37m
jobs: [{id: job-3, schedule: '*/5 * * * *', created: by a step}]
steps:
  - {at: 2h34m59s, do: create, job: job-3}
  - {at: 2h34m59s, do: hold-lock, for: 10s}
""",
    "given-back-and-taken-by-another-who-hangs": """
start: 2026-10-25T00:30:00
lasts: 1h40m
machines: [a, b]
jobs:
  - {id: job-4, schedule: every 30m}
  - {id: job-5, schedule: every 30m}
  - {id: job-6, schedule: every 30m}
  - {id: job-7, schedule: every 30m}
  - {id: job-8, schedule: every 30m}
  - {id: job-9, schedule: every 30m}
  - {id: job-10, schedule: every 30m}
faults:
  - {into: submit, shutdown: true, nth: 2}
  - {into: store.execution, hang: 12m, nth: 3}
""",
    "a-disk-that-loses-every-renewal-of-one-of-two-gateways": """
start: 2026-03-08T00:30:00
lasts: 3h45m
machines: [a, b]
jobs: [{id: job-2, schedule: '*/5 * * * *', runs_for: 40m}]
faults:
  - {into: store.replace, damage: lost, from: 3h39m59s, until: 3h59m59s, machine: a}
""",
    "an-output-that-hangs-over-two-occurrences": """
start: 2026-03-02T08:00:00
lasts: 1h35m
jobs: [{id: job-1, schedule: "*/5 * * * *"}]
faults:
  - {into: store.output, hang: 12m, at: 30m}
""",
    "a-claim-that-hangs-after-its-write-while-its-gateway-leaves": """
start: 2026-03-02T08:00:00
lasts: 1h1m
jobs: [{id: job-2, schedule: every 10m}]
steps:
  - {at: 20m2s, do: stop, machine: a, for: 1s}
faults:
  - {into: store.replace, hang: 6m, after: true, at: 20m}
""",
    "a-claim-that-fails-after-its-write-while-nothing-can-be-told": """
start: 2026-03-02T08:00:00
lasts: 1h35m
machines: [a, b]
jobs: [{id: job-1, schedule: every 10m}]
faults:
  - {into: claim, raise: OSError, after: true, at: 30m, machine: b}
  - {into: store.execution, hang: 12m, at: 30m}
""",
    "a-clock-set-ahead-while-a-tick-is-at-work": """
start: 2026-03-02T08:00:00
lasts: 1h
jobs: [{id: job-1, schedule: every 10m}]
steps:
  - {at: 30m30s, do: set-clock, machine: a, by: 10m}
  - {at: 34m, do: status}
faults:
  - {into: claim, hang: 12m, at: 30m}
""",
    "a-clock-set-back-while-a-tick-is-held-back": """
start: 2026-03-02T08:00:00
lasts: 1h
jobs: [{id: job-1, schedule: every 10m}]
steps:
  - {at: 23m20s, do: set-clock, machine: a, by: -10m}
  - {at: 25m, do: status}
faults:
  - {into: tick, hang: 12m, at: 20m}
""",
    "a-last-run-that-is-taken-and-hangs-over-the-next-occurrence": """
start: 2026-03-02T08:00:00
lasts: 1h35m
jobs: [{id: job-1, schedule: "*/10 * * * *", repeat: 2}]
faults:
  - {into: store.lock, hang: 12m, at: 20m5s}
  - {into: store.sync, hang: 20s, at: 20m}
""",
    "a-clock-set-ahead-as-a-tick-starts-two-jobs": """
start: 2026-03-02T08:00:00
lasts: 31m
jobs:
  - {id: job-1, schedule: "*/10 * * * *"}
  - {id: job-2, schedule: every 30m}
steps:
  - {at: 30m, do: set-clock, machine: a, by: 10m}
""",
    "the-last-run-it-has-is-claimed-by-a-write-that-hangs": """
start: 2026-03-02T08:00:00
lasts: 1h35m
jobs: [{id: job-1, schedule: every 10m, repeat: 2}]
faults:
  - {into: store.replace, hang: 12m, at: 19m59s}
""",
    "a-one-shot-that-may-run-again-is-cut-off-by-a-stop": """
start: 2026-03-02T08:00:00
lasts: 22m
jobs: [{id: job-2, schedule: 20m, repeat: 3, runs_for: 8m}]
steps:
  - {at: 20m5s, do: stop, machine: a, for: 1s}
""",
    "a-one-shot-that-is-resumed-while-it-runs": """
start: 2026-03-02T08:00:00
lasts: 40m
jobs: [{id: job-2, schedule: 20m, repeat: 3, runs_for: 8m}]
steps:
  - {at: 20m1s, do: resume, job: job-2}
""",
    "a-one-shot-that-is-paused-and-resumed-while-it-runs": """
start: 2026-03-02T08:00:00
lasts: 40m
jobs: [{id: job-2, schedule: 20m, runs_for: 3m}, {id: job-3, schedule: 20m, repeat: 2, runs_for: 3m}]
steps:
  - {at: 20m1s, do: pause, job: job-2}
  - {at: 20m1s, do: pause, job: job-3}
  - {at: 20m21s, do: resume, job: job-2}
  - {at: 20m21s, do: resume, job: job-3}
""",
    "a-one-shot-that-is-resumed-after-the-crash-that-cut-it-off": """
start: 2026-03-02T08:00:00
lasts: 40m
jobs: [{id: job-2, schedule: 20m, repeat: 2, runs_for: 3m}]
steps:
  - {at: 20m1s, do: crash, machine: a, for: 3m}
  - {at: 20m21s, do: resume, job: job-2}
""",
    "a-result-that-is-told-and-not-stored-before-its-gateway-leaves": """
start: 2026-03-02T08:00:00
lasts: 23m
jobs: [{id: job-1, schedule: 20m, repeat: 3}]
steps:
  - {at: 21m1s, do: stop, machine: a, for: 1s}
faults:
  - {into: mark, raise: RuntimeError, at: 20m, times: 5}
""",
    "a-tick-by-hand-while-the-loops-own-hangs": """
start: 2026-03-02T08:00:00
lasts: 17m
jobs: [{id: job-1, schedule: 20m}]
steps:
  - {at: 10m2s, do: run, job: job-1}
  - {at: 10m30s, do: tick, machine: a}
faults:
  - {into: tick, hang: 12m, at: 10m}
""",
    "a-start-that-raises-again-and-again-after-a-recovery-that-did": """
start: 2026-03-02T08:00:00
lasts: 40m
jobs: [{id: job-3, schedule: "*/5 * * * *"}]
steps:
  - {at: 21m1s, do: stop, machine: a, for: 1s}
faults:
  - {into: start, raise: KeyboardInterrupt, at: 20m, times: 3}
  - {into: recover, raise: KeyboardInterrupt, at: 20m}
""",
    "a-start-that-raises-again-and-again-after-a-signal-that-hung": """
start: 2026-03-02T08:00:00
lasts: 31m
machines: [b]
jobs: [{id: job-2, schedule: every 10m}]
steps:
  - {at: 20m, do: crash, machine: b, for: 30s}
faults:
  - {into: store.signal, hang: 1m30s, from: 20m2s, until: 20m32s}
  - {into: start, raise: RuntimeError, at: 20m, times: 3}
""",
    "a-zone-that-is-changed-just-before-the-gateway-dies": """
start: 2026-03-08T00:30:00
lasts: 3h
jobs: [{id: job-3, schedule: 25 */2 * * *}]
steps: [{at: 1s, do: set-zone, to: Asia/Kolkata}]
faults: [{into: tick, crash: true, for: 2h, from: 1s, until: 3m1s}]
""",
    "a-claim-after-a-repair-that-hung-when-it-was-stored": """
start: 2026-03-02T08:00:00
lasts: 1h15m
jobs: [{id: job-2, schedule: every 10m}]
steps:
  - {at: 20m1s, do: hold-lock, for: 20m}
faults:
  - {into: store.replace, hang: 12m, after: true, at: 20m2s, on: due}
""",
    "a-run-by-hand-that-waits-as-a-tick-does": """
start: 2026-03-02T08:00:00
lasts: 38m
jobs: [{id: job-1, schedule: every 30m}]
steps:
  - {at: 30m2s, do: run, job: job-1}
faults:
  - {into: store.lock, hang: 6m, from: 29m59s, until: 30m29s}
""",
    "a-claim-that-cannot-be-renewed-during-a-tick": """
start: 2026-03-02T08:00:00
lasts: 28m
jobs: [{id: job-3, schedule: every 10m, runs_for: 8m}]
steps:
  - {at: 20m30s, do: hold-lock, for: 20m}
faults:
  - {into: tick, hang: 20s, from: 20m, until: 26m40s}
""",
    "a-recovery-that-fails-twice-where-the-job-is-paused": """
start: 2026-03-02T08:00:00
lasts: 31m
jobs: [{id: job-1, schedule: 20m}]
steps:
  - {at: 20m5s, do: pause, job: job-1}
faults:
  - {into: recover, raise: OSError, at: 20m, times: 3}
  - {into: body, crash: true, for: 3m, at: 20m}
""",
    "a-command-that-is-over-while-its-write-hangs": """
start: 2026-03-02T08:00:00
lasts: 18m
jobs: [{id: job-2, schedule: 20m}]
steps:
  - {at: 9m50s, do: run, job: job-2}
faults:
  - {into: store.write, hang: 12m, at: 10m5s}
  - {into: store.lock, hang: 6m, from: 9m30s, until: 11m, on: mark}
""",
    "a-claim-that-is-over-when-its-write-comes-through": """
start: 2026-03-02T08:00:00
lasts: 62m
machines: [a, b]
jobs: [{id: job-1, schedule: every 30m, runs_for: 40m}]
steps:
  - {at: 19m59s, do: crash, machine: b, for: 3m}
faults:
  - {into: store.sync, hang: 6m, at: 20m}
""",
    "taken-after-a-write-that-was-lost": """
start: 2026-03-02T08:00:00
lasts: 36m
jobs:
  - {id: job-1, schedule: "*/10 * * * *"}
  - {id: job-2, schedule: every 30m}
faults:
  - {into: submit, shutdown: true, from: 30m, until: 36m40s}
  - {into: store.replace, damage: lost, at: 30m, job: job-2}
""",
    "a-status-while-a-dead-claim-keeps-its-job": """
start: 2026-03-02T08:00:00
lasts: 1h35m
machines: [a, b]
jobs: [{id: job-3, schedule: every 30m, runs_for: 40m}]
steps:
  - {at: 1h13m30s, do: status}
faults:
  - {into: mark, crash: true, for: 20m, at: 31m1s}
""",
    "a-job-that-cannot-be-given-back-while-the-lock-is-kept": """
start: 2026-03-02T08:00:00
lasts: 50m
jobs: [{id: job-3, schedule: every 10m}]
steps:
  - {at: 21m1s, do: hold-lock, for: 20m}
faults:
  - {into: submit, shutdown: true, at: 20m}
  - {into: store.execution, hang: 1m30s, at: 20m}
""",
    "two-triggers-that-wait-for-one-lock": """
start: 2026-03-08T00:30:00
lasts: 2m
jobs: [{id: job-2, schedule: every 30m}]
steps:
  - {at: 1s, do: hold-lock, for: 10s}
  - {at: 1s, do: trigger, job: job-2}
  - {at: 1s, do: trigger, job: job-2}
""",
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_is_violated(name):
    scenario = parse_scenario(f"name: {name}\n{SCENARIOS[name]}")
    run = simulate(scenario, find_target("builtin", reference_host()))
    judged = judge(run.history, scenario)
    assert not [one for one in judged.findings if one.verdict == "violated"], judged.reasons
