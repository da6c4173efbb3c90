"""Which calls Chronos makes, what it remembers of them, and what it tells the status."""

import logging
import threading
from unittest import mock

import pytest
from chronos_home import make_agent

from hermes_cron import claims, jobs, scheduler, store
from hermes_cron.plugins import chronos

NINE = "2026-03-02T09:00:00+00:00"
LOGGER = "cron.chronos"


@pytest.fixture
def agent(tmp_path, monkeypatch):
    yield from make_agent(tmp_path, monkeypatch)


class Client:
    """Takes and answers what the test says, and notes each call."""

    def __init__(self, agent):
        self.agent = agent
        self.calls = []
        self.sent = []
        self.armed = []
        self.raises = {}
        self.takes_s = 0
        agent.provider._client = self

    def answer(self, call, job_id):
        self.calls.append((call, job_id))
        error = self.raises.get((call, job_id)) or self.raises.get(call)
        if error is not None:
            self.agent.wait(seconds=self.takes_s)
            raise error

    def provision(self, **sent):
        self.sent.append(sent)
        self.answer("provision", sent["job_id"])

    def cancel(self, *, job_id):
        self.answer("cancel", job_id)

    def list_armed(self):
        self.answer("list", None)
        return self.armed

    def made(self):
        """Take the calls since this was asked last."""
        made, self.calls = self.calls, []
        return made


@pytest.fixture
def client(agent):
    return Client(agent)


def failure(call, reason, agent):
    return {"call": call, "reason": reason, "at": agent.home.epoch()}


class TestConfiguration:
    @pytest.mark.parametrize("portal", ["http://nas.test", " https://nas.test "])
    def test_a_portal_has_a_scheme(self, agent, portal):
        agent.configure(portal_url=portal)
        assert agent.provider.is_available() is True

    def test_what_is_not_configured_is_the_default(self, agent):
        agent.configure()
        assert chronos._cfg("cron", "chronos", "colour", default="red") == "red"

    @pytest.mark.parametrize("url", [None, ""])
    def test_without_a_callback_none_is_sent(self, agent, client, url):
        agent.configure(callback_url=url)
        agent.plant()
        agent.start()
        assert [sent["agent_callback_url"] for sent in client.sent] == [""]


class TestPatience:
    """After 60 s of failing calls a round leaves the rest to the next occasion."""

    @pytest.fixture(autouse=True)
    def slow(self, client):
        client.takes_s = 20

    def test_for_arms(self, agent, client):
        client.raises = {"provision": TimeoutError()}
        for job in "abcdefg":
            agent.plant(job)
        agent.start()
        assert client.made() == [("list", None), *(("provision", job) for job in "abcd")]
        told = agent.signal()["failures"]["g"]
        assert told == failure("provision", "TimeoutError", agent)

    def test_for_cancels(self, agent, client):
        client.raises = {"cancel": TimeoutError()}
        client.armed = [{"job_id": job, "fire_at": NINE} for job in "abcdefg"]
        agent.start()
        assert client.made() == [("list", None), *(("cancel", job) for job in "abcd")]

    def test_for_both_together(self, agent, client):
        client.raises = {"provision": TimeoutError(), "cancel": TimeoutError()}
        for job in "ab":
            agent.plant(job)
        client.armed = [{"job_id": job, "fire_at": NINE} for job in "vwxyz"]
        agent.start()
        made = [("provision", "a"), ("provision", "b"), ("cancel", "v"), ("cancel", "w")]
        assert client.made() == [("list", None), *made]

    def test_what_succeeds_costs_none_of_it(self, agent, client):
        client.raises = {("provision", job): TimeoutError() for job in "abc"}
        for job in "abcdef":
            agent.plant(job)
        agent.start()
        assert client.made() == [("list", None), *(("provision", job) for job in "abcdef")]


class TestMemory:
    """What stands in for NAS's list while that fails."""

    def test_what_fired_is_armed_no_more(self, agent, client):
        """Also when the fire came to nothing: its time is armed anew."""
        agent.plant()
        agent.start()
        client.raises = {"list": TimeoutError()}
        agent.monkeypatch.setattr(jobs, "claim_job_for_fire", lambda _: False)
        client.made()
        assert agent.provider.fire_due("job") is False
        assert client.made() == [("provision", "job"), ("list", None)]

    def test_what_others_plant_after_a_fire_is_believed(self, agent, client):
        agent.plant()
        agent.start()
        agent.monkeypatch.setattr(jobs, "claim_job_for_fire", lambda _: False)
        client.raises = {"provision": TimeoutError(), "list": TimeoutError()}
        agent.provider.fire_due("job")
        agent.provider._armed["job"] = NINE
        client.raises = {}
        client.made()
        agent.provider.reconcile()
        assert client.made() == [("list", None)]

    def test_a_time_that_an_arm_in_doubt_may_have_replaced_is_armed_again(self, agent, client):
        agent.plant()
        agent.start()
        client.raises = {"provision": TimeoutError(), "list": TimeoutError()}
        agent.home.change(next_run_at=agent.bench.iso(7200))
        agent.provider.on_jobs_changed()
        del client.raises["provision"]
        agent.home.change(next_run_at=agent.bench.iso(3600))
        client.made()
        agent.provider.on_jobs_changed()
        assert client.made() == [("list", None), ("provision", "job")]

    def test_a_first_arm_that_fails_tells_the_reason_of_the_registry(self, agent, client):
        agent.plant()
        client.raises = {"provision": TimeoutError()}
        agent.start()
        assert agent.signal()["failures"] == {"job": failure("provision", "TimeoutError", agent)}
        assert agent.signal()["last_error"] == "provision job: TimeoutError"

    @pytest.mark.parametrize("mended_by", ["an arm", "a cancel"])
    def test_what_was_in_doubt_is_cancelled_once_at_most(self, agent, client, mended_by):
        agent.plant()
        client.raises = {"provision": TimeoutError(), "list": TimeoutError()}
        agent.start()
        del client.raises["provision"]
        if mended_by == "an arm":
            agent.provider.reconcile()
        agent.home.change(state="paused")
        agent.provider.reconcile()
        assert client.made()[-1] == ("cancel", "job")
        agent.provider.reconcile()
        assert client.made() == [("list", None)]
        assert agent.signal()["failures"] == {"": failure("list", "TimeoutError", agent)}

    def test_an_arm_that_was_made_good_and_fired_is_cancelled_by_nobody(self, agent, client):
        agent.plant(repeat={"times": 1, "completed": 0})
        client.raises = {"provision": TimeoutError(), "list": TimeoutError()}
        agent.start()
        del client.raises["provision"]
        agent.provider.reconcile()
        agent.wait(hours=1)
        client.made()
        assert agent.provider.fire_due("job") is True
        assert client.made() == [("list", None)]

    def test_what_an_earlier_process_armed_is_not_believed_for_ever(self, agent):
        """NAS lists it, then NAS forgets it."""
        agent.plant()
        agent.start()
        agent.restart()
        agent.bench.nas.forget_all()
        agent.provider.on_jobs_changed()
        assert agent.armed() == {"job": "09:00:00"}


class TestFires:
    def test_the_run_is_given_what_the_host_handed_over(self, agent):
        agent.plant(next_run_at=agent.home.at.isoformat())
        given = []
        agent.monkeypatch.setattr(scheduler, "run_one_job", lambda _job, **more: given.append(more))
        agent.provider.fire_due("job", adapters="A", loop="L")
        assert given == [{"adapters": "A", "loop": "L"}]

    def test_a_fire_that_raised_did_not_run_the_job(self, agent):
        agent.plant()

        def claim(_job_id):
            raise OSError("no space left")

        agent.monkeypatch.setattr(jobs, "claim_job_for_fire", claim)
        with pytest.raises(OSError, match="no space"):
            agent.provider.fire_due("job")
        fire = {"job_id": "job", "ran": False, "at": agent.home.epoch()}
        assert agent.signal()["last_fire"] == fire

    def test_a_fire_after_the_end_is_said(self, agent, caplog):
        caplog.set_level(logging.INFO, LOGGER)
        agent.provider.stop()
        assert agent.provider.fire_due("job") is False
        [said] = caplog.records
        assert said.getMessage() == (
            "Chronos has stopped: the fire of job job is left to the next start"
        )
        assert (said.job_id, said.occurrence) == ("job", None)

    def test_of_fires_that_ended_together_each_is_armed_before_the_list_is_asked(
        self, agent, client
    ):
        """One of a job that is gone keeps none of the others waiting."""
        agent.start()
        listed = client.list_armed

        def list_armed():
            if not client.calls:
                agent.plant("a")
                agent.plant("b")
                for job in ("a", "gone", "b"):
                    agent.provider._rounds.ask(job)
            return listed()

        client.list_armed = list_armed
        client.made()
        agent.provider.reconcile()
        armed = [("provision", "a"), ("provision", "b")]
        assert client.made()[1:3] == armed
        assert agent.signal()["last_error"] is None

    def test_fires_of_one_second_share_one_comparison(self, agent, client, monkeypatch):
        """Each job is armed at once; what else there is to do comes a second after."""
        timer = mock.Mock()
        monkeypatch.setattr(threading, "Timer", timer)
        agent.start()
        for job in "abc":
            agent.plant(job, next_run_at=agent.home.at.isoformat())
        client.made()
        assert agent.provider.fire_due("a")
        assert client.made()[:2] == [("provision", "a"), ("list", None)]
        assert not timer.called
        agent.bench.timer.advance(0.5)
        assert agent.provider.fire_due("b")
        assert client.made() == [("provision", "b")]
        told = agent.signal()  # the status goes by it until then
        assert told["last_accepted"]["job_id"] == "b"
        assert told["armed"]["b"] == told["last_accepted"]["fire_at"]
        assert timer.call_args.args[0] == 1.0
        agent.bench.timer.advance(0.5)
        assert agent.provider.fire_due("c")
        assert ("list", None) in client.made()

    def test_an_arm_that_failed_before_the_run_is_told_during_it_and_mended_after(
        self, agent, client, caplog
    ):
        agent.plant()
        agent.start()
        agent.wait(hours=1)
        assert claims.reserve("job", NINE).outcome == "reserved"
        client.raises = {"provision": TimeoutError("slow")}
        seen = []

        def body(_job):
            seen.append(agent.signal()["last_error"])
            client.raises = {}
            return True, "out", "text", None

        agent.home.body = body
        assert agent.provider.fire_due("job") is True
        assert seen == ["provision job: TimeoutError"]
        assert "provision of job job failed" in caplog.text
        assert agent.signal()["last_error"] is None

    def test_a_job_that_cannot_be_read_before_its_run_is_said(self, agent, caplog):
        agent.plant()
        real = jobs.get_job

        def get_job(job_id):
            agent.monkeypatch.setattr(jobs, "get_job", real)
            raise store.StoreUnreadable("torn")

        agent.monkeypatch.setattr(jobs, "get_job", get_job)
        agent.provider.fire_due("job")
        [said] = [one for one in caplog.records if "before its run" in one.getMessage()]
        assert said.getMessage() == "Chronos: job job cannot be armed before its run: torn"
        assert (said.job_id, said.occurrence) == ("job", None)


class TestAccount:
    """What the status hears: RECON-4, and what was made good is told no more."""

    def test_a_good_round(self, agent):
        agent.plant()
        agent.start()
        told = agent.signal()
        assert (told["listed"], told["failures"], told["last_error"]) == (True, {}, None)
        at = agent.home.epoch()
        assert told["last_accepted"] == {"job_id": "job", "fire_at": NINE, "at": at}

    def test_a_list_that_failed(self, agent, client):
        client.raises = {"list": TimeoutError()}
        agent.start()
        told = agent.signal()
        assert (told["listed"], told["last_error"]) == (False, "list: TimeoutError")
        assert told["failures"] == {"": failure("list", "TimeoutError", agent)}
        client.raises = {}
        agent.provider.reconcile()
        told = agent.signal()
        assert (told["listed"], told["last_error"], told["failures"]) == (True, None, {})

    def test_a_store_that_cannot_be_read(self, agent):
        def load_jobs():
            raise store.StoreUnreadable("torn", reason="corrupt")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(jobs, "load_jobs", load_jobs)
            agent.start()
        assert agent.signal()["failures"] == {"": failure("compare", "corrupt", agent)}
        assert agent.signal()["last_error"] == "compare: corrupt"
        agent.provider.reconcile()
        assert agent.signal()["last_error"] is None

    def test_a_cancel_that_failed_and_was_made_good(self, agent, client):
        client.armed = [{"job_id": "stranger"}]
        client.raises = {"cancel": TimeoutError()}
        agent.start()
        told = agent.signal()
        assert told["failures"] == {"stranger": failure("cancel", "TimeoutError", agent)}
        assert told["armed"] == {"stranger": ""}
        client.raises = {}
        agent.provider.reconcile()
        told = agent.signal()
        assert (told["failures"], told["armed"]) == ({}, {})

    def test_a_fire_that_is_left_for_a_while_is_named(self, agent, client, monkeypatch):
        monkeypatch.setattr(threading, "Timer", mock.Mock())
        agent.plant()
        for _ in range(6):
            agent.provider.reconcile()
        assert len([one for one in client.made() if one[0] == "provision"]) == 5
        assert agent.signal()["last_error"].startswith(f"provision job: {NINE} is armed and fired")
