"""A history says everything: the store, the registry and every status are rebuilt from its lines alone.

Only `History.from_lines` of the bytes of a run is used, never the run's own objects; what is rebuilt
is held against what the run had at its end, and every status is asked again of a host that finds
nothing but the rebuilt store.
"""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from test_determinism import ROUGH, TAPE

from simulator.fake_store import FakeStore
from simulator.fold import final_registry, final_store
from simulator.history import History
from simulator.hosts import Surroundings, reference_host
from simulator.kernel import Kernel, patches
from simulator.operator import PHRASES
from simulator.runner import incidents
from simulator.scenario_file import parse_scenario
from simulator.volume import Volume
from simulator.world import World

PROVIDERS = sorted(reference_host().bundled())


def run(scenario: Any, provider: str, tape: Any = None) -> tuple[World, History]:
    host = reference_host()
    world = World(scenario, host.bundled()[provider], host, tape or type(TAPE)())
    lines = world.run().history.to_bytes().decode("ascii").splitlines()
    return world, History.from_lines(lines)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_store_and_registry_at_the_end(provider: str) -> None:
    world, told = run(parse_scenario(ROUGH), provider, TAPE)
    store = final_store(told)
    assert store.records == {job["id"]: job for job in world.volume.document.jobs}
    assert store.signals == world.volume.signals
    assert store.executions == world.volume.records
    assert final_registry(told).armed.keys() == world.deliveries.nas.snapshot().keys()
    assert {job: arm.fire_at for job, arm in final_registry(told).armed.items()} == (
        world.deliveries.nas.snapshot()
    )
    assert store.records
    assert store.executions


def said_then(told: History, event: Any, provider: str) -> tuple[str, int, list[str]]:
    """What the status says to whoever finds the store as the lines before `event` leave it."""
    before = final_store(told, before=event.n)
    volume = Volume(list(before.records.values()))
    volume.signals.update(before.signals)
    volume.append(before.executions)
    up: dict[str, int] = {}
    for one in told:
        if one.n >= event.n:
            break
        if one.kind == "boot":
            up[one.machine] = one.data["pid"]
        elif one.kind in {"crash", "stopped"}:
            up.pop(one.machine, None)
    kernel = Kernel(start_us=event.at_us)
    host = reference_host()
    stage = SimpleNamespace(
        surroundings=Surroundings(
            zone=told.header["zone"],
            provider=told.header["configured"],
            replicas=told.header["replicas"],
        ),
        pids=lambda: list(up.values()),
        lives=lambda pid: pid in up.values(),
        store=lambda: FakeStore(volume),
        process=lambda: stage.state,
        record=lambda *_args, **_kwargs: None,
        note=lambda _kind, _data: None,
        around=lambda _seam, call, **_about: call(),
        in_phase=lambda _name, real: real,
        is_struck=lambda _seam: False,
    )
    readings = []

    def read() -> None:
        stage.state = host.new_process(pid=999, machine="operator", boot_id="0")
        readings.append(host.status())

    with patches.install(kernel), host.installed(stage):
        kernel.spawn(read, name="status")
        kernel.run(event.at_us)
    reading = readings[0]
    says = [phrase for phrase in PHRASES if phrase in reading.text]
    return reading.verdict, reading.exit_code, says


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_status(provider: str) -> None:
    scenarios = [*incidents(), parse_scenario(ROUGH)]
    target = reference_host().bundled()[provider]
    verdicts = set()
    for scenario in scenarios:
        if not target.capabilities & set(scenario.capabilities):
            continue
        if any(step.do == "damage" for step in scenario.steps):
            continue  # what is wrong with the bytes of a disk is not in the lines
        _, told = run(scenario, provider, TAPE if scenario.name == "a-rough-day" else None)
        for event in told.of("status"):
            verdicts.add(event.data["verdict"])
            said = event.data["verdict"], event.data["exit_code"], event.data["says"]
            assert said_then(told, event, provider) == said, f"{scenario.name}, line {event.n}"
    assert len(verdicts) > 1, "runs in which the status never changes show little"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_line_that_is_missing_is_missed(provider: str) -> None:
    """The comparison above can fail: without the commits of the second half the store differs."""
    world, told = run(parse_scenario(ROUGH), provider, TAPE)
    half = told.of("store.commit")[len(told.of("store.commit")) // 2]
    assert final_store(told, before=half.n).records != {
        job["id"]: job for job in world.volume.document.jobs
    }
