"""Many jobs of Chronos in the same second: each runs and is armed again, and few rounds are made."""

import pytest

from simulator.fold import final_registry, final_store
from simulator.hosts import reference_host
from simulator.scenario import Scenario
from simulator.verdict import judge
from simulator.world import simulate

CHRONOS = reference_host().bundled()["chronos"]
JOBS = 30


def scenario(**more: object) -> Scenario:
    return Scenario.model_validate(
        {
            "name": "burst",
            "start": "2026-03-02T08:30:00",
            "lasts": "1h",
            "for": ["external"],
            "jobs": [{"id": f"job-{n}", "schedule": "0 * * * *"} for n in range(JOBS)],
            **more,
        }
    )


def test_jobs_of_one_second_share_the_comparisons():
    history = simulate(scenario(), CHRONOS).history
    assert len(history.of("run.begin")) == JOBS
    calls = [event.data["op"] for event in history.of("nas.call")]
    assert calls.count("provision") == 2 * JOBS
    assert calls.count("list") == 3, "at the start, after the first run, and when all is over"
    last = history.of("nas.call")[-1]
    ended = history.of("fire.end")[-1]
    assert (last.data["op"], last.at_us - ended.at_us) == ("list", 1_000_000)
    planned = {job: record["next_run_at"] for job, record in final_store(history).records.items()}
    armed = final_registry(history).armed
    assert {job: arm.fire_at for job, arm in armed.items()} == planned
    assert judge(history, scenario()).verdict == "held"


@pytest.mark.parametrize("nth", [45, 2 * JOBS - 1])
def test_an_arm_that_was_lost_among_them_is_made_a_second_later(nth):
    fault = {"into": "nas.provision", "answer": 503, "nth": nth}
    history = simulate(scenario(faults=[fault]), CHRONOS).history
    (refused,) = [e for e in history.of("nas.call") if e.data["status"] == 503]
    later = [e for e in history.of("nas.armed") if e.n > refused.n]
    assert len(final_registry(history).armed) == JOBS
    assert later[-1].at_us - refused.at_us <= 2_000_000


def test_more_fires_than_the_host_takes_at_once_come_when_others_are_over():
    """503 to those beyond its bound, and NAS tries again: each runs, once."""
    many = [{"id": f"job-{n}", "schedule": "0 * * * *", "runs_for": "30s"} for n in range(260)]
    crowd = scenario(jobs=many)
    history = simulate(crowd, CHRONOS).history
    answers = [event.data["status"] for event in history.of("fire.answer")]
    assert (answers.count(202), set(answers)) == (260, {202, 503})
    assert len(history.of("run.begin")) == 260
    judged = judge(history, crowd)
    assert [finding.id for finding in judged.findings if finding.verdict == "violated"] == []
