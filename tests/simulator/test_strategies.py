"""What is drawn: all of the catalogue, always valid, anchored to events more often than to instants."""

from collections import Counter
from datetime import datetime
from itertools import pairwise
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import (
    drawn_faults,
    drawn_ground,
    drawn_rarely,
    drawn_together,
    fault_rule,
    strategies,
)
from simulator.durations import MINUTE_US, parse_duration
from simulator.explore import drawing
from simulator.explore.drawing import draw_scenario
from simulator.fault_rule import EFFECTS, SEAMS
from simulator.scenario_file import parse_scenario, to_yaml
from simulator.steps import OPERATIONS

BOTH = ("blocking", "external")
TASKS = ["a#1/gateway", "a#2/gateway", "b#1/gateway"]


def drawn(count, capabilities=BOTH, seed=11, tasks=TASKS):
    return [
        draw_scenario(seed, index, capabilities=capabilities, tasks=tasks) for index in range(count)
    ]


@pytest.fixture(scope="module")
def many():
    return drawn(400)


def test_the_whole_catalogue_is_drawn(many):
    faults = [fault for scenario in many for fault in scenario.faults]
    assert {fault.into for fault in faults} == set(SEAMS)
    assert {fault.effect for fault in faults} == set(EFFECTS)
    done = {step.do for scenario in many for step in scenario.steps}
    assert done == set(OPERATIONS)


def test_a_new_seam_is_drawn_as_soon_as_it_is_in_the_catalogue(monkeypatch):
    more = MappingProxyType({**SEAMS, "a.new.one": fault_rule.Place(frozenset({"crash"}))})
    monkeypatch.setattr(drawn_faults, "SEAMS", more)
    tried, valid = [], fault_rule.Fault.model_validate({"into": "tick", "crash": True})
    monkeypatch.setattr(
        drawn_faults.Fault, "model_validate", lambda said: tried.append(said["into"]) or valid
    )
    drawn(150)
    assert "a.new.one" in tried


def test_a_scenario_is_a_file_and_back(many):
    for scenario in many[:60]:
        assert parse_scenario(to_yaml(scenario)) == scenario


def test_faults_are_anchored_to_events_more_often_than_to_instants(many):
    faults = [fault for scenario in many for fault in scenario.faults]
    instants = sum(fault.at is not None or fault.since is not None for fault in faults)
    assert instants
    assert 2 * (len(faults) - instants) > 3 * instants, "what meets is at an instant"


def test_faults_of_one_scenario_share_their_events(many):
    """A duplicate and a crash within seconds of each other: the same passage of the same job."""
    shared = 0
    for scenario in many:
        events = Counter((fault.job, fault.nth) for fault in scenario.faults if fault.job)
        shared += any(count > 1 for (_job, nth), count in events.items() if nth)
    assert shared > len(many) // 20


def test_steps_of_one_scenario_share_their_instants(many):
    """An update and a crash within two minutes of each other; by chance it would be one in nine."""
    several = [scenario for scenario in many if len(scenario.steps) > 1]
    near = sum(
        any(later.at - step.at <= 2 * MINUTE_US for step, later in pairwise(scenario.steps))
        for scenario in several
    )
    assert near > len(several) // 3


def test_most_scenarios_have_something_due_often_and_a_crowd_has_it_at_once(many):
    many = [one for nth, one in enumerate(many, 1) if nth % drawing.RARE_EVERY]
    often = [any(job.schedule in drawn_ground.FREQUENT for job in one.jobs) for one in many]
    assert all(often)
    crowds = [scenario for scenario in many if len(scenario.jobs) > 8]
    assert len(many) // 20 < len(crowds) < len(many) // 5
    for scenario in crowds:
        assert len({job.schedule for job in scenario.jobs if job.created == "at start"}) == 1


def test_what_must_be_refused_is_drawn(many):
    given = [step.set.get("schedule") for one in many for step in one.steps if step.set]
    made = [job.schedule for scenario in many for job in scenario.jobs]
    assert {*given, *made} >= set(strategies._NO_SCHEDULES)
    past = [
        job
        for scenario in many
        for job in scenario.jobs
        if job.schedule.startswith("20") and datetime.fromisoformat(job.schedule) < scenario.start
    ]
    assert past
    assert all(job.created == "by a step" for job in past), "at the start none could be made"


@pytest.mark.parametrize(
    ("capabilities", "never"),
    [(("blocking",), ("nas.", "deliver", "forget")), (("external",), ("tick", "heartbeat"))],
)
def test_what_a_provider_never_passes_is_not_drawn(capabilities, never):
    for scenario in drawn(80, capabilities):
        assert scenario.capabilities == capabilities
        for fault in scenario.faults:
            assert not fault.into.startswith(never)
        if "external" not in capabilities:
            assert {step.do for step in scenario.steps}.isdisjoint(never)


def test_a_tape_holds_back_only_who_is_there(many):
    choices = [(s, choice) for s in many for choice in s.tape.entries]
    assert choices
    for scenario, choice in choices:
        assert choice.task in TASKS
        assert choice.task[0] in {machine.id for machine in scenario.machines}
    assert not any(scenario.tape.entries for scenario in drawn(20, tasks=[]))


def test_no_two_are_alike(many):
    """Hypothesis' own mutations would make every second one a copy of one before it."""
    assert len({scenario.model_copy(update={"name": "x"}).canonical() for scenario in many}) > 380


@pytest.mark.parametrize("capabilities", [("blocking",), ("external",)])
def test_what_meets_is_near_one_instant(capabilities):
    """Each meeting comes up; all of its faults can strike, and its steps are close to them."""
    moments, seen = [30 * MINUTE_US], set()
    met = drawn_together.meetings(
        job_ids=["one", "two"], machines=["a"], lasts_us=180 * MINUTE_US,
        capabilities=capabilities, moments=moments, sets=[{"schedule": "every 1h"}],
    )  # fmt: skip

    @settings(max_examples=200, database=None, derandomize=True)
    @given(met)
    def look(meeting):
        some_faults, some_steps = meeting
        seen.add((tuple(f.into for f in some_faults), tuple(s.do for s in some_steps)))
        begins = [step.at for step in some_steps] + [fault.first_at for fault in some_faults]
        assert all(any(abs(at - m) <= 125 * MINUTE_US for m in (0, *moments)) for at in begins)

    look()
    into = {name for some, _ in seen for name in some}
    done = {name for _, some in seen for name in some}
    assert done >= {"pause", "resume", "hold-lock", "stop", "status", "run", "remove"}
    if "blocking" in capabilities:
        assert {"body", "tick", "store.signal"} <= into
    else:
        assert {"body", "claim", "nas.provision", "nas.cancel", "nas.list", "nas.deliver"} <= into


def test_the_last_of_twenty_is_a_rare_one(monkeypatch):
    monkeypatch.setattr(drawing, "scenarios", lambda *, rare, **_known: st.just(rare))
    assert [nth for nth, rare in enumerate(drawn(41)) if rare] == [19, 39]


RARE = {
    "blocking": {
        (("tick",), ("crash", "status")), (("tick",), ("restart", "status")),
        (("store.write",), ("status",)), (("claim",), ("status", "status")),
        (("store.lock",), ()), (("claim",), ()),
    },
    "external": {
        (("body",), ("stop",)), (("nas.list",), ("stop",)), (("nas.cancel",), ("pause",)),
        (("nas.cancel",), ("remove",)), (("nas.list", "nas.provision"), ("forget",)),
        (("nas.cancel",), ("pause", "resume")), (("nas.provision",), ("update", "pause")),
    },
}  # fmt: skip


@pytest.mark.parametrize("capability", RARE)
def test_each_rare_situation_comes_up_and_fits_the_scenario_that_it_is_drawn_for(capability):
    scenario = parse_scenario(
        f"name: there\nfor: [{capability}]\nstart: 2026-03-02T08:00:17\nlasts: 3h\n"
        "jobs: [{id: one, schedule: '*/15 * * * *'}, {id: two, schedule: 30 2 * * *}]"
    )
    seen = set()

    @settings(max_examples=400, database=None, derandomize=True)
    @given(drawn_rarely.situations(scenario))
    def look(found):
        seen.add((tuple(f["into"] for f in found.faults), tuple(s["do"] for s in found.steps)))
        assert len(found.machines) <= 2
        for step in found.steps:
            assert step.get("job") in {None, "two"}
        for fault in found.faults:
            at = parse_duration(fault.get("at") or fault["from"]) + 17_000_000
            off = (at + 2 * MINUTE_US) % (15 * MINUTE_US)  # from two minutes before it is due
            assert off <= 2 * MINUTE_US, "the first job is due there"

    look()
    clocks = {
        ((), ("set-clock",)),
        ((), ("set-clock",) * 2),
        ((), ("crash", "set-clock", "status")),
    }
    assert seen >= RARE[capability] | clocks | {((), ("pause", "resume"))}


def test_a_rare_scenario_has_room_for_what_happens_in_it():
    """A machine that is needed is there, a job stands in the place of another, little else is left."""
    some = [
        draw_scenario(11, index, capabilities=BOTH, tasks=TASKS) for index in range(19, 1200, 20)
    ]
    assert any(len(one.machines) > 1 for one in some)
    assert {one.jobs[-1].schedule for one in some} >= {"40m", "100m", "every 7h"}
    assert max(one.lasts for one in some) == 24 * 60 * MINUTE_US
    assert all(len(one.faults) <= 5 and len(one.steps) <= 8 for one in some)
    for scenario in some[:10]:
        assert parse_scenario(to_yaml(scenario)) == scenario
