"""What is hard to see in a history: for each broken provider a scenario that shows it."""

import pytest

from contract_tests.controls import broken
from contract_tests.controls.bench import apply
from simulator.checkers import check
from simulator.hosts import reference_host
from simulator.scenario_file import parse_scenario
from simulator.target import find_target
from simulator.world import simulate

from . import teeth

CONTROLS = {control.name: control for control in broken()}
HEAD = "name: shown\nstart: 2026-03-02T08:00:00\nlasts: 2h30m\n"
TWO = "jobs: [{id: j1, schedule: every 30m}, {id: j2, schedule: every 7h}]\n"
SLOW = "jobs: [{id: j1, schedule: every 1h, runs_for: 20s}, {id: j2, schedule: every 20m}]\n"
LATE = (
    "jobs: [{id: j1, schedule: every 30m},"
    ' {id: j2, schedule: "2026-03-02T08:59:00", created: by a step}]\n'
)
CROWD = f"jobs: [{', '.join(f'{{id: j{n}, schedule: every 20m}}' for n in range(12))}]\n"
LONG = "jobs: [{id: j1, schedule: every 10m, runs_for: 40m}]\n"
ONE_SHOT = "jobs: [{id: j1, schedule: 40m}]\n"
BACK = TWO + "steps: [{at: 70m, do: set-clock, machine: a, by: -1h}]"
ARMED = TWO.replace("7h", "20m")
OUTLIVED = (
    TWO + "faults: [{into: claim, hang: 6m, at: 1h, job: j1}]\n"
    "steps: [{at: 1h5m30s, do: tick, machine: a}]"
)


def held(*steps):
    return TWO + f"steps: [{{at: 1h, do: hold-lock, for: 10s}}, {', '.join(steps)}]"


SHOWN = {
    "reads-before-the-lock": held(
        "{at: 1h1s, do: update, job: j1, set: {schedule: every 20m}}",
        "{at: 1h2s, do: pause, job: j1}",
    ),
    "looks-under-the-lock": held("{at: 1h1s, do: status}"),
    "no-mark-no-matter": TWO + "faults: [{into: store.signal, raise: {OSError: ENOSPC}, nth: 8}]\n"
    "steps: [{at: 30s, do: status}]",
    "past-is-past": LATE + "steps: [{at: 1h20s, do: create, job: j2}]",
    "machines-are-bigger-now": CROWD + "steps: [{at: 1h1m, do: crash, machine: a, for: 50m}]",
    "not-run-is-missed": LONG,
    "a-refused-result-is-logged": SLOW
    + "faults: [{into: store.write, raise: {OSError: ENOSPC}, on: mark, at: 1h, job: j1}]",
    "what-was-claimed-is-there": TWO
    + "faults: [{into: claim, hang: 20s, after: true, at: 1h, job: j1}]\n"
    "steps: [{at: 1h2s, do: remove, job: j1}]",
    "leaves-the-claim-to-the-provider": TWO
    + "faults: [{into: nas.deliver, duplicate: [1m], nth: 1}]",
    "the-winner-arms": OUTLIVED,
    "claims-and-runs-anyway": OUTLIVED,
    "nothing-to-compare-with": TWO + "faults: [{into: nas.list, answer: 503, nth: 1}]",
    "cancels-once": ARMED + "faults: [{into: nas.cancel, answer: 503, from: 1h, until: 1h20s}]\n"
    "steps: [{at: 1h2s, do: pause, job: j1}]",
    "the-scan-has-looked": "machines: [a, b]\n"
    + TWO
    + "faults: [{into: claim, hang: 2s, machine: a, at: 59m59s}]",
    "looks-at-the-clock-at-its-start": BACK,
    "ran-is-ran": BACK,
    "resume-plans-what-it-can": ONE_SHOT
    + "steps: [{at: 30m, do: pause, job: j1}, {at: 45m, do: resume, job: j1}]",
    "three-intervals-for-a-tick": TWO
    + "faults: [{into: claim, hang: 6m, at: 1h}]\nsteps: [{at: 65m, do: status}]",
    "an-earlier-boot-will-do": TWO + "faults: [{into: tick, hang: 20s, from: 59m30s, until: 61m}]\n"
    "steps: [{at: 59m40s, do: restart, machine: a}, {at: 59m50s, do: status}]",
    "arms-to-the-end": TWO + "faults: [{into: body, hang: 20s, at: 1h}]\n"
    "steps: [{at: 1h10s, do: stop, machine: a, for: 20m}]",
    "two-hundred-is-yes": ARMED.replace("{id: j2", "{id: j2, created: by a step")
    + "faults: [{into: nas.provision, answer: shape, job: j2, until: 1h5m},"
    " {into: nas.list, answer: 503, from: 1h}]\n"
    "steps: [{at: 1h1m, do: create, job: j2}]",
}


@pytest.mark.parametrize("name", SHOWN)
def test_a_scenario_shows_it_and_the_reference_does_not(name, tmp_path):
    control, text = CONTROLS[name], HEAD + SHOWN[name]
    ids = list(control.rejects)
    target = teeth.target_of(control)
    scenario = parse_scenario(text)
    run = simulate(scenario, find_target(target, reference_host()))
    found = check(run.history, scenario, ids)
    assert [one.verdict for one in found] == ["held"] * len(ids), found
    apply(control, tmp_path)
    said = teeth.ask(
        tmp_path, "judge",
        target=target, registry=control.registry, requirements=ids, scenario=text,
    )  # fmt: skip
    assert set(said) == set(ids)
