"""Chronos for real: `hermes-sim nas` and `hermes-cron serve` as processes on loopback."""

import json
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from e2e_processes import AGENT, TOKEN, World, until

from hermes_cron import jobs, process

DUPLICATES = 1000


@pytest.fixture
def world(tmp_path, monkeypatch):
    world = World(tmp_path / "home")
    # `jobs.trigger_job` is called here, as by a tool that is no gateway.
    monkeypatch.setenv("HERMES_HOME", str(world.home))
    monkeypatch.setattr(process.current(), "provider", None)
    yield world
    world.close()


def is_at(fire_at, next_run_at):
    """Armed to the second."""
    one, other = datetime.fromisoformat(fire_at), datetime.fromisoformat(next_run_at)
    return int(one.timestamp()) == int(other.timestamp())


def is_armed_next(world, job_id):
    """Whether NAS holds what the store says comes next, and that is still to come."""
    fire_at, planned = world.armed().get(job_id), world.job(job_id).get("next_run_at")
    ahead = planned and datetime.fromisoformat(planned) > datetime.now(UTC)
    return bool(fire_at and ahead and is_at(fire_at, planned))


def ran_once_more(world, count):
    return len(world.lines("began")) == count and world.states()[-1:] == ["completed"]


def test_created_armed_fired_ran_and_armed_again(world):
    """A one-shot by commands alone, NAS's time moved by hand; then a job that comes again."""
    world.start("--clock", "manual", "--delay", "4")
    at = datetime.fromisoformat(world.nas()["now"]) + timedelta(seconds=25)
    once = world.command("create", at.isoformat(timespec="seconds"), "--script", "quick.sh")
    assert is_at(world.armed()[once["id"]], once["next_run_at"])

    assert world.nas("/advance", {"seconds": 10})["deliveries"]["answers"] == {}
    assert world.lines("began") == []
    late = world.nas("/advance", {"seconds": 20})
    assert late["deliveries"]["answers"] == {"202 accepted": 1}
    assert late["armed"] == {}
    until(lambda: ran_once_more(world, 1), "the one-shot ran")
    assert world.states() == ["claimed", "running", "completed"]
    until(lambda: not world.job(once["id"]), "a one-shot that ran is gone")

    steady = world.command("create", "every 5m", "--script", "quick.sh", "--name", "steady")
    assert is_at(world.armed()[steady["id"]], steady["next_run_at"])
    jobs.trigger_job(steady["id"])
    world.nas("/advance", {"seconds": 60})
    until(lambda: ran_once_more(world, 2), "the recurring job ran")
    until(lambda: is_armed_next(world, steady["id"]), "armed again")
    assert world.job(steady["id"])["next_run_at"] == steady["next_run_at"], "on its own grid"
    assert world.nas()["deliveries"]["answers"] == {"202 accepted": 2}
    assert world.command("status")["verdict"] == "healthy"


def test_a_gateway_killed_in_the_middle_of_a_run(world):
    """No second run, whatever is delivered again; the next occurrence is armed."""
    gateway = world.start()
    job = world.command("create", "every 5m", "--script", "hold.sh")
    jobs.trigger_job(job["id"])
    until(lambda: world.lines("began"), "the run began")
    until(lambda: world.answers() == {"202 accepted": 1}, "the fire is answered before it ends")
    world.kill(gateway)
    world.end_scripts()  # the machine went down
    assert world.nas("/redeliver", {"job_id": job["id"], "times": 2})
    until(lambda: world.answers().get("no answer: ConnectError") == 2, "nobody is there")

    world.start_gateway()
    until(lambda: is_armed_next(world, job["id"]), "the next occurrence is armed")
    world.nas("/redeliver", {"job_id": job["id"], "times": 20})
    told = until(lambda: sum(world.answers().values()) == 23 and world.answers(), "all answered")
    assert told["202 accepted"] == 1
    assert told["200 ignored duplicate"] == 20
    assert world.states() == ["claimed", "running", "unknown"]
    assert len(world.lines("began")) == 1
    assert world.lines("ended") == []
    stored = world.job(job["id"])
    assert stored["fire_claim"] is None
    assert "interrupted" in stored["last_error"]


def test_a_nas_killed_and_started_again_empty(world):
    """The next occasion arms everything again, and the fires of its new key are believed."""
    world.start()
    first = world.command("create", "every 5m", "--script", "quick.sh")
    jobs.trigger_job(first["id"])
    until(lambda: ran_once_more(world, 1), "a fire with the first key")
    until(lambda: is_armed_next(world, first["id"]), "armed before the kill")
    world.kill(world.nas_process)
    meanwhile = world.command("create", "every 2h", "--script", "quick.sh")

    world.start_nas()
    assert world.armed() == {}
    third = world.command("create", "every 3h", "--script", "quick.sh")
    for job in (first, meanwhile, third):
        assert is_armed_next(world, job["id"])
    assert len(world.armed()) == 3
    jobs.trigger_job(first["id"])
    until(lambda: ran_once_more(world, 2), "a fire with the new key")
    until(lambda: len(world.armed()) == 3 and is_armed_next(world, first["id"]), "at rest again")
    assert world.answers() == {"202 accepted": 1}


def test_a_thousand_deliveries_of_one_fire(world, figure):
    """Eight clients at once; one run, one acceptance, and the next occurrence armed."""
    world.start("--duplicates", str(DUPLICATES - 1))
    job = world.command("create", "every 5m", "--script", "quick.sh")
    began_s = time.monotonic()
    jobs.trigger_job(job["id"])
    answers = until(
        lambda: sum(world.answers().values()) >= DUPLICATES and world.answers(), "all delivered"
    )
    took_s = time.monotonic() - began_s
    until(lambda: is_armed_next(world, job["id"]), "armed again")
    answered = ", ".join(f"{count} {answer}" for answer, count in sorted(answers.items()))
    figure(
        f"{DUPLICATES} deliveries of one fire by 8 clients in {took_s:.1f} s: {answered}; "
        f"{len(world.lines('began'))} run"
    )
    assert sum(answers.values()) == DUPLICATES
    assert answers.pop("202 accepted") == 1
    assert all(answer.startswith("200 ignored ") for answer in answers)
    assert len(world.lines("began")) == 1
    assert world.states() == ["claimed", "running", "completed"]


def test_a_nas_says_what_is_wrong(world):
    """Its operator's calls, and a callback that is not on this machine."""
    world.start_nas("--clock", "manual")
    headers = {"authorization": f"Bearer {TOKEN}"}
    fire_at = datetime.now(UTC).isoformat(timespec="seconds")
    arm = {"job_id": "j", "fire_at": fire_at, "dedup_key": f"j:{fire_at}"}
    with httpx.Client(base_url=world.url, trust_env=False) as nas:
        for body in (b"", b"[]", b'{"seconds": -1}', b'{"seconds": "1"}', b'{"seconds": true}'):
            assert nas.post("/advance", content=body).status_code == 400
        for body in (b"", b'{"job_id": 1}', b'{"job_id": "j", "times": 0}'):
            assert nas.post("/redeliver", content=body).status_code == 400
        assert nas.post("/redeliver", content=b'{"job_id": "j"}').status_code == 404
        provision = "/api/agent-cron/provision"
        abroad = {**arm, "agent_callback_url": "http://192.0.2.1"}
        assert nas.post(provision, json=abroad).status_code == 401
        assert nas.post(provision, json=abroad, headers=headers).status_code == 200
        told = nas.post("/advance", content=json.dumps({"seconds": 1})).json()
    assert told["deliveries"]["answers"] == {"not sent: the callback URL is not on loopback": 1}
    assert AGENT not in world.nas()["armed"]
