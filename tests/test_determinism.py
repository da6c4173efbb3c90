"""The same scenario twice is byte-equal: across processes, hash seeds and repetitions in one process.

Equality means something only where something happens: the runs here crash, restart, fail writes and
deviate from first-in-first-out. And it has a limit that is tested too: another tape or another seed
gives another history.
"""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from simulator.hosts import reference_host
from simulator.kernel.tape import Choice, Tape
from simulator.runner import incidents
from simulator.scenario_file import parse_scenario
from simulator.world import simulate

ROUGH = """
name: a-rough-day
zone: Europe/Berlin
start: 2026-03-28T20:00:00
lasts: 12h
machines: {a: {}, b: {skew: 2s}}
jobs:
  - {id: hourly, schedule: every 1h, runs_for: 3m}
  - {id: night, schedule: 30 2 * * *, runs_for: 2s}
  - {id: quick, schedule: "*/10 * * * *", runs_for: 20s, body: {raises: SystemExit, nth: 3}}
steps:
  - {at: 90m, do: crash, machine: a, for: 40m}
  - {at: 3h, do: pause, job: quick}
  - {at: 4h, do: resume, job: quick}
  - {at: 5h, do: update, job: hourly, set: {schedule: every 30m}}
  - {at: 6h, do: crash, machine: b, for: 1s}
faults:
  - {into: store.replace, raise: {OSError: ENOSPC}, nth: 9}
  - {into: nas.provision, hang: 4s, nth: 5}
  - {into: nas.deliver, duplicate: [3s, 9m], nth: 4}
"""

TAPE = Tape(
    (
        Choice("a#1/gateway", 2, 1_000_000),
        Choice("b#1/gateway", 5, 0),
        Choice("a#2/cron-provider", 3, 30_000_000),
        Choice("b#1/cron-provider", 4, 30_000_000),
    ),
    seed=7,
)

PROGRAM = """
import sys
sys.path.insert(0, {tests!r})
from test_determinism import digests
print("\\n".join(digests()))
"""


def digest(provider: str, tape: Tape = TAPE) -> str:
    target = reference_host().bundled()[provider]
    return simulate(parse_scenario(ROUGH), target, tape=tape).history.digest()


def digests() -> list[str]:
    """What every process must agree on: the rough day, and all incidents, with both providers."""
    found = [digest(provider) for provider in sorted(reference_host().bundled())]
    for scenario in incidents():
        for name, target in sorted(reference_host().bundled().items()):
            if target.capabilities & set(scenario.capabilities):
                found.append(
                    f"{scenario.name} {name} {simulate(scenario, target).history.digest()}"
                )
    return found


def test_two_processes_with_different_hash_seeds_agree_to_the_byte() -> None:
    program = PROGRAM.format(tests=str(Path(__file__).parent))
    running = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed, zone in (("1", "UTC"), ("4711", "Asia/Kathmandu"))
    ]
    first, second = (process.communicate(timeout=300)[0] for process in running)
    assert [process.returncode for process in running] == [0, 0]
    assert len(first.splitlines()) >= 20
    assert first == second


@pytest.mark.parametrize("provider", sorted(reference_host().bundled()))
def test_a_process_agrees_with_itself(provider: str) -> None:
    assert digest(provider) == digest(provider)


@pytest.mark.parametrize("provider", sorted(reference_host().bundled()))
def test_the_rough_day_is_rough(provider: str) -> None:
    run = simulate(parse_scenario(ROUGH), reference_host().bundled()[provider], tape=TAPE)
    history = run.history
    assert len(history.of("crash")) == 2
    assert history.of("fault")
    assert history.of("run.begin")
    assert run.choices >= 2, "the tape must have held somebody back"


@pytest.mark.parametrize("provider", sorted(reference_host().bundled()))
def test_other_choices_give_another_history(provider: str) -> None:
    """Else the comparisons above would compare nothing."""
    same = digest(provider)
    assert digest(provider, Tape()) != same
    assert digest(provider, replace(TAPE, seed=8)) != same
