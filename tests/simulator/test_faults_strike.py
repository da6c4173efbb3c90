"""Every fault that can be written really strikes, and does what the real one does."""

from __future__ import annotations

import pytest

from simulator.fault_rule import PHASES
from simulator.faults import CATALOGUE
from simulator.hosts import reference_host
from simulator.raising import say_raise
from simulator.scenario import Scenario
from simulator.scenario_file import parse_scenario
from simulator.verdict import judge
from simulator.world import Run, simulate

HEAD = """
name: struck
start: 2026-03-02T08:00:00
lasts: 5h10m
jobs:
- {id: report, schedule: every 1h, runs_for: 2s}
- {id: other, schedule: 15 * * * *, runs_for: 3s}
"""
EXTERNAL = {"fire", "nas.provision", "nas.list", "nas.cancel", "nas.arm", "nas.deliver"}
VALUES = {
    "raise": "SystemExit",
    "answer": "html",
    "hang": "20m",
    "crash": "true, for: 10m",
    "drop": "true",
    "delay": "20m",
    "early": "5m",
    "duplicate": "[5s, 20m]",
    "damage": "torn",
    "stale": "true",
    "shutdown": "true",
}


def ran(more: str, provider: str = "builtin") -> tuple[Scenario, Run]:
    """The scenario with `more`, and its run."""
    scenario = parse_scenario(HEAD + more)
    return scenario, simulate(scenario, reference_host().bundled()[provider])


def rule(seam: str, effect: str, *, after: bool) -> str:
    """A rule of this kind that strikes the second passage."""
    value = VALUES[effect]
    if effect == "raise":
        kinds = {"store": "{OSError: ENOSPC}", "nas": "httpx.ConnectError"}
        value = kinds.get(seam.partition(".")[0], value)
    nth = 1 if seam in {"start", "recover", "nas.cancel"} else 2
    more = ", after: true" if after else ""
    return f"{{into: {seam}, {effect}: {value}, nth: {nth}{more}}}"


KINDS = [
    (seam, effect, after)
    for seam, place in CATALOGUE.items()
    for effect in sorted(place.effects)
    for after in ((False, True) if effect in place.after else (False,))
]


@pytest.mark.parametrize(("seam", "effect", "after"), KINDS)
def test_each_kind_strikes_and_the_references_stand_it(seam, effect, after):
    """What is in the catalogue fires, and no judge blames right code for it."""
    steps = "steps: [{at: 2h30m, do: remove, job: other}]\n" if seam == "nas.cancel" else ""
    more = f"{steps}faults: [{rule(seam, effect, after=after)}]"
    scenario, run = ran(more, "chronos" if seam in EXTERNAL else "builtin")
    struck = run.history.of("fault")
    assert [event.data["does"] for event in struck] == [effect], "it never fired"
    assert run.never_fired == ()
    judged = judge(run.history, scenario)
    assert judged.verdict != "violated", judged.reasons


def test_a_fault_that_never_fires_is_said():
    """A judgement with an idle fault is no judgement."""
    scenario, run = ran("faults: [{into: nas.list, answer: 500}]")
    judged = judge(run.history, scenario)
    assert judged.verdict == "unknown"
    assert "fault 0 (answer at nas.list) never fired" in judged.reasons


@pytest.mark.parametrize("phase", PHASES)
def test_every_phase_of_the_store_is_passed(phase):
    """A fault that is narrowed to what the store is used for can strike."""
    steps = (
        "- {at: 90m, do: create, job: late}\n- {at: 95m, do: update, job: report, set: {name: n}}\n"
        "- {at: 3h, do: remove, job: late}\n- {at: 200m, do: crash, machine: a, for: 1s}\n"
    )
    more = "- {id: late, schedule: every 30m, created: by a step}\nsteps:\n" + steps
    _, run = ran(f"{more}faults: [{{into: store.read, on: {phase}, raise: {{OSError: EIO}}}}]")
    if phase == "advance":
        assert run.never_fired == (0,)  # this host moves a job on with its claim
    else:
        assert run.never_fired == ()


def kinds_of(run: Run, kind: str, **wanted: object) -> list[int]:
    """When an event came, in seconds since the start."""
    return [
        (event.at_us - run.scenario.start_us) // 1_000_000
        for event in run.history.of(kind)
        if all(event.data.get(key) == value for key, value in wanted.items())
    ]


def test_a_provider_that_raises_at_its_start_is_replaced():
    """The host says what was raised, and the built-in loop runs in its place."""
    _, run = ran("faults: [{into: start, raise: SystemExit}]", "chronos")
    assert run.history.of("provider.raised")[0].data["error"] == "SystemExit"
    assert kinds_of(run, "tick.begin")[:2] == [0, 60]


def test_a_pool_that_is_shut_down_refuses_the_work():
    """As the real one: the occurrence is given back and runs at the next tick."""
    _, run = ran("faults: [{into: submit, shutdown: true, nth: 2}]")
    (struck,) = kinds_of(run, "fault")
    texts = " ".join(run.history.text(event.n) or "" for event in run.history.of("log"))
    assert "cannot schedule new futures after shutdown" in texts
    assert kinds_of(run, "run.begin", job="report")[0] == struck + 60


def test_a_torn_write_is_met_by_the_next_reader_and_never_overwritten():
    """The file is what a write that was not atomic leaves."""
    _, run = ran("faults: [{into: store.replace, damage: torn, on: mark, nth: 2}]")
    (struck,) = kinds_of(run, "fault")
    assert {event.data["reason"] for event in run.history.of("store.refused")} == {"corrupt"}
    assert max(kinds_of(run, "store.commit")) <= struck


def test_a_lost_write_was_told_to_be_done():
    """The mark of the first run came back as done; when its claim is over it still stands there.

    Only then, by the execution records, the host stores the same result again.
    """
    _, run = ran("faults: [{into: store.replace, damage: lost, on: mark, job: report, nth: 1}]")
    marked, after = [
        (event, dict(event.data["changes"])["report"])
        for event in run.history.of("store.commit")
        if "report" in dict(event.data["changes"]) and event.at_us > run.scenario.start_us
    ][1:3]
    assert marked[0].n < run.history.of("fault")[0].n
    assert marked[1]["last_run_at"] is not None
    assert after[1]["last_run_at"] == marked[1]["last_run_at"]
    assert (after[0].at_us - run.scenario.start_us) // 1_000_000 == 3600 + 300


def test_a_stale_reader_sees_what_was_before_and_writes_nothing_by_it():
    """It is about readers only: who writes has the lock, and sees the present."""
    scenario, run = ran("faults: [{into: store.read, stale: true, from: 58m, until: 70m}]")
    assert len(run.history.of("fault")) > 10
    assert kinds_of(run, "run.begin", job="report").count(3600) <= 1
    assert judge(run.history, scenario).verdict == "held"


def test_a_timer_that_goes_off_early_runs_nothing_early():
    """Five minutes ahead of its time NAS delivers, and again when it is due."""
    _, run = ran("faults: [{into: nas.arm, early: 5m, job: report, nth: 2}]", "chronos")
    assert 7200 - 300 in kinds_of(run, "nas.deliver", job="report")
    assert kinds_of(run, "fire.answer", job="report", reason="early") == [7200 - 300]
    assert 7200 in kinds_of(run, "run.begin", job="report")


def test_a_stale_list_is_the_one_before():
    """What was armed since is not in it."""
    _, run = ran("faults: [{into: nas.list, answer: stale, nth: 2}]", "chronos")
    assert [event.data["reason"] for event in run.history.of("nas.call")].count("stale") == 1


@pytest.mark.parametrize("name", ["KeyboardInterrupt", "asyncio.CancelledError", "MemoryError"])
@pytest.mark.parametrize("seam", ["tick", "body", "heartbeat", "recover", "fire"])
def test_whatever_is_raised_leaves_the_references_running(seam, name):
    """Any exception, from anywhere that a loop or a fire passes."""
    provider = "chronos" if seam == "fire" else "builtin"
    scenario, run = ran(f"faults: [{{into: {seam}, raise: {name}}}]", provider)
    assert run.history.of("fault")
    judged = judge(run.history, scenario)
    assert judged.verdict == "held", (say_raise(scenario.faults[0].raises), judged.reasons)
