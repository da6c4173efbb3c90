"""Chronos against the fake NAS: RECON, LIVE and FIRE of CONTRACT.md."""

import itertools
import threading

import pytest
from chronos_home import make_agent

from hermes_cron import auth, by_hand, claims, config, jobs, process, scheduler, store
from hermes_cron.plugins import chronos
from hermes_cron.plugins.chronos import ChronosCronScheduler, _wanted


@pytest.fixture
def agent(tmp_path, monkeypatch):
    yield from make_agent(tmp_path, monkeypatch)


def plant(agent, job="job", **fields):
    return agent.plant(job, **fields)


class TestAvailability:
    def test_with_all_it_needs(self, agent):
        assert agent.provider.is_available() is True

    @pytest.mark.parametrize("value", [None, "", "  ", 42, [], {}, "portal without a scheme"])
    def test_without_a_portal(self, agent, value):
        agent.configure(portal_url=value)
        assert agent.provider.is_available() is False

    @pytest.mark.parametrize("value", [None, "", "  ", 42])
    def test_without_a_callback(self, agent, value):
        agent.configure(callback_url=value)
        assert agent.provider.is_available() is False

    @pytest.mark.parametrize("state", [None, {}, {"access_token": ""}, {"access_token": 5}])
    def test_without_a_login(self, agent, state):
        agent.monkeypatch.setattr(auth, "get_provider_auth_state", lambda _: state)
        assert agent.provider.is_available() is False

    @pytest.mark.parametrize("cfg", [None, 5, {}, {"cron": None}, {"cron": {"chronos": "x"}}])
    def test_whatever_the_configuration_holds(self, agent, cfg):
        agent.monkeypatch.setattr(config, "load_config", lambda: cfg)
        assert agent.provider.is_available() is False

    def test_a_host_that_raises_is_not_available(self, agent):
        def boom(*_):
            raise ValueError

        agent.monkeypatch.setattr(auth, "get_provider_auth_state", boom)
        assert agent.provider.is_available() is False
        agent.monkeypatch.setattr(config, "load_config", boom)
        assert agent.provider.is_available() is False

    def test_it_makes_no_call(self, agent):
        agent.provider.is_available()
        assert agent.bench.calls() == []


class TestConverging:
    def test_every_enabled_job_is_armed_at_its_time(self, agent):
        """RECON-1, to the letter of WIRE.md."""
        plant(agent, "a", next_run_at="2026-03-02T09:00:00.654321+00:00")
        agent.provider.start(agent.stop_event)
        (armed,) = [data for kind, data in agent.bench.events if kind == "nas.armed"]
        armed.pop("schedule_id")
        assert armed == {
            "job_id": "a",
            "fire_at": "2026-03-02T09:00:00+00:00",
            "callback_url": "https://agent.test/base",
            "dedup_key": "a:2026-03-02T09:00:00+00:00",
        }

    @pytest.mark.parametrize(
        "fields",
        [
            {"state": "paused"},
            {"enabled": False},
            {"state": "completed"},
            {"repeat": {"times": 2, "completed": 2}},
        ],
    )
    def test_what_may_not_run_is_not_armed(self, agent, fields):
        assert not _wanted.is_wanted(plant(agent, **fields))
        agent.provider.start(agent.stop_event)
        assert agent.bench.calls() == [("list", None)]

    def test_a_record_that_is_none_stops_no_other(self, agent):
        """LIVE-7."""
        plant(agent, "good")
        plant(agent, "garbage", next_run_at="garbage", schedule=None)
        agent.monkeypatch.setattr(
            jobs, "load_jobs", lambda real=jobs.load_jobs: [None, 5, {"id": None}, {}, *real()]
        )
        agent.provider.start(agent.stop_event)
        assert agent.armed() == {"good": "09:00:00"}

    def test_what_is_armed_right_is_left_alone_and_a_changed_time_is_armed_anew(self, agent):
        plant(agent, "a")
        plant(agent, "b")
        agent.provider.start(agent.stop_event)
        agent.bench.calls()
        agent.home.change("a", next_run_at=agent.bench.iso(7200))
        agent.provider.on_jobs_changed()
        assert agent.bench.calls() == [("list", None), ("provision", "a")]
        assert agent.armed() == {"a": "10:00:00", "b": "09:00:00"}

    def test_the_same_instant_written_otherwise_is_the_same(self, agent):
        plant(agent, next_run_at="2026-03-02T10:00:00.5+01:00")
        agent.provider.start(agent.stop_event)
        agent.home.change(next_run_at="2026-03-02T09:00:00Z")
        agent.bench.calls()
        agent.provider.on_jobs_changed()
        assert agent.bench.calls() == [("list", None)]

    def test_a_naive_time_is_in_the_configured_zone(self, agent):
        agent.monkeypatch.setenv("HERMES_TIMEZONE", "Asia/Kolkata")
        assert _wanted.fire_at_of({"next_run_at": "2026-03-02T18:00:00"}) == (
            "2026-03-02T18:00:00+05:30"
        )

    def test_orphans_go_whether_the_list_or_memory_names_them(self, agent):
        """RECON-2."""
        agent.bench.arm("listed", 600)
        agent.provider._armed["remembered"] = agent.bench.iso(600)
        agent.provider.start(agent.stop_event)
        cancelled = [job for call, job in agent.bench.calls() if call == "cancel"]
        assert sorted(cancelled) == ["listed", "remembered"]
        assert agent.armed() == {}

    def test_what_others_planted_is_believed_what_it_recorded_is_checked(self, agent):
        plant(agent, "planted")
        plant(agent, "own")
        agent.provider._armed["planted"] = agent.bench.iso(3600)
        agent.provider.start(agent.stop_event)
        agent.bench.nas.forget_all()
        agent.bench.calls()
        agent.provider.on_jobs_changed()
        assert agent.bench.calls() == [("list", None), ("provision", "own")]

    def test_a_cold_process_converges_with_the_list_or_without(self, agent):
        """RECON-3."""
        plant(agent)
        agent.restart()
        assert agent.armed() == {"job": "09:00:00"}
        agent.bench.goes_wrong("nas.list", status=500)
        agent.bench.nas.forget_all()
        agent.restart()
        assert agent.armed() == {"job": "09:00:00"}

    @pytest.mark.parametrize(
        "fault",
        [
            {"status": 403},
            {"status": 500},
            {"error": "ConnectError"},
            {"error": "ReadTimeout"},
            {"hang_us": 3_600_000_000},
            {"body": "html"},
            {"body": "shape"},
            {"status": 502, "after": True},
            {"hang_us": 3_600_000_000, "after": True},
        ],
        ids=str,
    )
    def test_one_failing_call_stops_no_other_and_is_made_good(self, agent, fault):
        """RECON-4, RECON-10, LIVE-2, #97494."""
        for job in "abc":
            plant(agent, job)
        agent.bench.goes_wrong("nas.provision", **fault)
        agent.provider.start(agent.stop_event)
        assert {"b", "c"} <= set(agent.armed())
        assert agent.signal()["failures"]["a"]["call"] == "provision"
        assert agent.signal()["last_error"].startswith("provision a: ")
        agent.provider.on_jobs_changed()
        assert set(agent.armed()) == set("abc")
        assert agent.signal()["last_error"] is None

    def test_a_registry_that_is_down_never_raises(self, agent, caplog):
        plant(agent)
        for seam in ("nas.list", "nas.provision", "nas.cancel"):
            agent.bench.goes_wrong(seam, 100, error="ConnectError")
        agent.provider.start(agent.stop_event)
        agent.provider.on_jobs_changed()
        agent.provider.reconcile()
        assert agent.provider.fire_due("job") is True
        assert "tried again at the next occasion" in caplog.text
        agent.bench.faults.clear()
        agent.provider.on_jobs_changed()
        assert agent.armed() == {"job": "10:00:00"}

    def test_a_registry_that_hangs_does_not_keep_a_change_for_hours(self, agent, caplog):
        for n in range(40):
            plant(agent, f"job{n:02}")
        agent.bench.goes_wrong("nas.provision", 100, hang_us=3_600_000_000)
        began = agent.bench.timer.us
        agent.provider.start(agent.stop_event)
        assert (agent.bench.timer.us - began) / 1e6 <= 60 + 2 * 15
        assert "put off" in caplog.text
        agent.bench.faults.clear()
        agent.provider.on_jobs_changed()
        assert len(agent.armed()) == 40

    def test_a_store_that_cannot_be_read_is_said_and_raises_nothing(self, agent, caplog):
        plant(agent)

        def load_jobs():
            raise RuntimeError("unreadable")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(jobs, "load_jobs", load_jobs)
            agent.provider.start(agent.stop_event)
        assert "cannot compare store and registry: unreadable" in caplog.text
        agent.provider.on_jobs_changed()
        assert agent.armed() == {"job": "09:00:00"}

    def test_a_registry_that_lost_its_state_is_armed_at_the_next_occasion(self, agent):
        """RECON-7: on a warm process too, and a fire is an occasion."""
        plant(agent, "a")
        plant(agent, "b")
        agent.provider.start(agent.stop_event)
        agent.bench.nas.forget_all()
        agent.provider.fire_due("a")
        assert agent.armed() == {"a": "10:00:00", "b": "09:00:00"}

    @pytest.mark.parametrize("listing", [{}, {"error": "ConnectError"}])
    def test_a_cancel_that_failed_is_made_good(self, agent, listing):
        """RECON-8: by the list, and by memory when there is none."""
        plant(agent)
        agent.provider.start(agent.stop_event)
        agent.home.change(state="paused")
        agent.bench.goes_wrong("nas.cancel", status=500)
        agent.provider.on_jobs_changed()
        assert agent.armed() == {"job": "09:00:00"}
        if listing:
            agent.bench.goes_wrong("nas.list", **listing)
        agent.provider.on_jobs_changed()
        assert agent.armed() == {}

    def test_an_arm_in_doubt_is_cancelled_without_a_list(self, agent):
        """The answer was lost, the arm stands, the job is paused, and the list fails."""
        plant(agent)
        agent.bench.goes_wrong("nas.provision", status=500, after=True)
        agent.provider.start(agent.stop_event)
        agent.home.change(state="paused")
        agent.bench.goes_wrong("nas.list", error="ConnectError")
        agent.provider.on_jobs_changed()
        assert agent.armed() == {}

    def test_a_list_that_lies_is_made_good_later(self, agent):
        plant(agent)
        agent.provider.start(agent.stop_event)
        agent.bench.goes_wrong("nas.list", body="stale")
        agent.bench.nas.forget_all()
        agent.provider.on_jobs_changed()
        agent.provider.on_jobs_changed()
        assert agent.armed() == {"job": "09:00:00"}


class TestFires:
    def test_a_fire_runs_the_job_and_arms_the_next(self, agent):
        plant(agent)
        agent.provider.start(agent.stop_event)
        agent.wait(hours=1)
        assert agent.fired() == [("job", "09:00:00")]
        agent.bench.calls()
        assert agent.provider.fire_due("job", adapters="A", loop="L") is True
        assert agent.home.ran == ["job"]
        assert agent.armed() == {"job": "10:00:00"}
        assert agent.bench.calls() == [("provision", "job"), ("list", None)]
        assert agent.signal()["last_fire"] == {
            "job_id": "job",
            "ran": True,
            "at": agent.home.epoch(),
        }
        assert agent.signal()["armed"] == {"job": "2026-03-02T10:00:00+00:00"}

    @pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, ValueError])
    def test_whatever_the_body_raised_the_next_is_armed(self, agent, error):
        """FIRE-5."""
        plant(agent)

        def body(job):
            raise error

        agent.home.body = body
        agent.wait(hours=1)
        assert agent.provider.fire_due("job") is True
        assert agent.armed() == {"job": "10:00:00"}

    def test_a_lost_claim_arms_the_next(self, agent):
        """LIVE-4, #70479: a direct run was faster."""
        plant(agent)
        agent.provider.start(agent.stop_event)
        agent.wait(hours=1)
        scheduler.tick(verbose=False)
        agent.monkeypatch.setattr(jobs, "claim_job_for_fire", lambda job_id: False)
        assert agent.provider.fire_due("job") is False
        assert agent.home.ran == ["job"]
        assert agent.armed() == {"job": "10:00:00"}

    def test_a_claim_that_raises_still_arms(self, agent):
        plant(agent)

        def claim(job_id):
            raise OSError("no space left")

        agent.monkeypatch.setattr(jobs, "claim_job_for_fire", claim)
        with pytest.raises(OSError, match="no space"):
            agent.provider.fire_due("job")
        assert agent.armed() == {"job": "09:00:00"}

    def test_what_the_webhook_claimed_is_followed_by_an_arm_before_its_run(self, agent):
        """LIVE-9: a machine that dies in the run leaves no job silent while another lives."""
        plant(agent)
        agent.provider.start(agent.stop_event)
        agent.wait(hours=1)
        seen = []

        def body(job):
            seen.append(agent.armed())
            return True, "out", "text", None

        agent.home.body = body
        assert claims.reserve("job", "2026-03-02T09:00:00+00:00").outcome == "reserved"
        agent.bench.calls()
        assert agent.provider.fire_due("job") is True
        assert seen == [{"job": "10:00:00"}]
        assert agent.bench.calls() == [("provision", "job"), ("list", None)], "and not twice"

    def test_the_last_run_is_followed_by_no_arm(self, agent):
        """RECON-6, also while it is on."""
        plant(agent, repeat={"times": 2, "completed": 1})
        agent.provider.start(agent.stop_event)
        agent.wait(hours=1)
        assert claims.reserve("job", "2026-03-02T09:00:00+00:00").outcome == "reserved"
        agent.bench.calls()
        assert agent.provider.fire_due("job") is True
        assert ("provision", "job") not in agent.bench.calls()

    def test_a_round_for_another_job_does_not_arm_one_whose_last_run_is_on(self, agent):
        """RECON-6: also a run by hand, after whose end nobody tells the provider."""
        plant(agent, repeat={"times": 2, "completed": 1})
        agent.provider.start(agent.stop_event)
        assert agent.armed() == {"job": "09:00:00"}
        by_hand.claim("job")
        agent.provider.reconcile()
        assert agent.armed() == {}

    def test_a_last_run_that_never_began_is_armed_again(self, agent):
        """LIVE-9: what its holder left is no run."""
        plant(agent, repeat={"times": 1, "completed": 0})
        agent.provider.start(agent.stop_event)
        agent.wait(hours=1)
        assert claims.reserve("job", "2026-03-02T09:00:00+00:00").outcome == "reserved"
        agent.provider.reconcile()
        assert agent.armed() == {}
        agent.wait(seconds=301)
        agent.restart()
        assert agent.armed() == {"job": "09:00:00"}

    def test_an_arm_that_fails_before_the_run_is_made_after_it(self, agent):
        """LIVE-2: the end of the fire is an occasion too."""
        plant(agent)
        agent.provider.start(agent.stop_event)
        agent.wait(hours=1)
        assert claims.reserve("job", "2026-03-02T09:00:00+00:00").outcome == "reserved"
        arm, tries = agent.provider._arm_one_shot, []

        def fails_first(job):
            tries.append(list(agent.home.ran))
            if len(tries) == 1:
                raise TimeoutError
            arm(job)

        agent.provider._arm_one_shot = fails_first
        assert agent.provider.fire_due("job") is True
        assert tries == [[], ["job"]]
        assert agent.armed() == {"job": "10:00:00"}

    def test_an_arm_that_fails_before_the_run_is_told_before_it(self, agent):
        """STAT-11: a machine that dies in the run tells nobody, and another one may live."""
        plant(agent)
        agent.provider.start(agent.stop_event)
        agent.wait(hours=1)
        assert claims.reserve("job", "2026-03-02T09:00:00+00:00").outcome == "reserved"
        told = []

        def refuse(job):
            raise TimeoutError

        def body(job):
            told.append(agent.signal()["failures"]["job"]["call"])
            return True, "out", "text", None

        agent.home.body, agent.provider._arm_one_shot = body, refuse
        assert agent.provider.fire_due("job") is True
        assert told == ["provision"]

    def test_after_the_last_run_nothing_is_armed(self, agent):
        """RECON-6."""
        plant(agent, repeat={"times": 1, "completed": 0})
        agent.provider.start(agent.stop_event)
        agent.wait(hours=1)
        assert agent.provider.fire_due("job") is True
        assert agent.armed() == {}

    def test_a_fire_that_never_came_is_made_up_for_once_and_recorded(self, agent):
        """LIVE-1, LIVE-5, LIVE-6, #88563."""
        plant(agent)
        agent.provider.start(agent.stop_event)
        agent.bench.nas.forget_all()
        agent.wait(hours=5, minutes=10)
        agent.provider.on_jobs_changed()
        assert agent.bench.nas.snapshot() == {"job": "2026-03-02T13:00:00+00:00"}
        agent.bench.timer.advance(0)
        assert agent.fired() == [("job", "13:00:00")], "honoured at once"
        assert ("missed", "09:00") in agent.home.trace()
        assert agent.provider.fire_due("job") is True
        assert agent.armed() == {"job": "14:00:00"}

    def test_a_crash_between_claim_and_re_arm_is_mended_by_the_restart(self, agent):
        """LIVE-3."""
        plant(agent)
        agent.provider.start(agent.stop_event)
        agent.wait(hours=1)
        assert jobs.claim_job_for_fire("job")
        assert agent.armed() == {}
        agent.restart()
        assert agent.armed() == {"job": "10:00:00"}

    def test_after_the_stop_nothing_is_armed_or_run(self, agent):
        """RECON-5."""
        plant(agent)
        agent.provider.start(agent.stop_event)
        agent.wait(hours=1)
        agent.bench.calls()
        for end in (agent.provider.stop, agent.stop_event.set):
            agent.provider._stopped = False
            agent.stop_event.clear()
            end()
            assert agent.provider.fire_due("job") is False
            agent.provider.on_jobs_changed()
            agent.provider.reconcile()
            assert agent.bench.calls() == []
        assert agent.home.ran == []

    def test_a_stop_in_the_middle_of_a_round_ends_it(self, agent):
        for job in "abc":
            plant(agent, job)
        record = agent.bench.nas._record

        def stop_after_the_first(kind, /, **data):
            if kind == "nas.armed":
                agent.stop_event.set()
            return record(kind, **data)

        agent.bench.nas._record = stop_after_the_first
        agent.provider.start(agent.stop_event)
        assert list(agent.armed()) == ["a"]

    def test_a_stop_while_a_job_runs_lets_it_end_and_arms_nothing(self, agent):
        plant(agent)

        def body(job):
            agent.stop_event.set()
            return True, "out", "text", None

        agent.home.body = body
        agent.provider.start(agent.stop_event)
        agent.wait(hours=1)
        assert agent.provider.fire_due("job") is True
        assert agent.armed() == {}

    def test_it_starts_again_after_a_stop(self, agent):
        plant(agent)
        agent.provider.stop()
        agent.provider.start(agent.stop_event)
        assert agent.armed() == {"job": "09:00:00"}

    @pytest.mark.parametrize("error", [SystemExit, ValueError])
    def test_a_recovery_that_raises_keeps_no_job_from_being_armed(self, agent, error):
        """As the built-in: whatever the start-up recovery raises ends nothing."""
        plant(agent)

        def recover():
            raise error

        agent.monkeypatch.setattr(scheduler, "recover", recover)
        agent.provider.start(agent.stop_event)
        assert agent.armed() == {"job": "09:00:00"}

    def test_start_leaves_no_thread_behind(self, agent):
        plant(agent)
        before = threading.active_count()
        agent.provider.start(agent.stop_event)
        assert threading.active_count() == before


class TestAtTheSameTime:
    def test_changes_during_a_round_are_in_the_next_one(self, agent):
        """RECON-9: the last round begins after the last change."""
        plant(agent, "a")
        client = agent.provider._get_client()
        real, changed = client.list_armed, []

        def list_armed():
            answer = real()
            if not changed:
                changed.append(plant(agent, "b"))
                agent.provider.on_jobs_changed()
                agent.home.change("a", state="paused")
                agent.provider.on_jobs_changed()
            return answer

        client.list_armed = list_armed
        agent.provider.start(agent.stop_event)
        assert agent.armed() == {"b": "09:00:00"}

    def test_many_threads(self, agent):
        """At rest the armed set equals the store, whoever changed it when."""
        lock = threading.Lock()
        agent.bench.nas._lock = lock
        minutes = itertools.count(1)

        def change(worker):
            for n in range(5):
                job = f"{worker}-{n % 2}"
                plant(agent, job, next_run_at=agent.bench.iso(60 * next(minutes)))
                agent.provider.on_jobs_changed()
                if n % 3 == 2:
                    agent.home.change(job, state="paused")
                    agent.provider.on_jobs_changed()

        agent.provider.start(agent.stop_event)
        threads = [threading.Thread(target=change, args=(w,)) for w in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wanted = {
            job["id"]: job["next_run_at"]
            for job in jobs.load_jobs()
            if job.get("state") != "paused"
        }
        assert agent.bench.nas.snapshot() == wanted

    def test_a_slow_provision_keeps_no_fire_waiting(self, agent):
        plant(agent, "slow")
        plant(agent, "fires")
        client = agent.provider._get_client()
        real, entered, leave = client.provision, threading.Event(), threading.Event()

        def provision(**arguments):
            if arguments["job_id"] == "slow" and not entered.is_set():
                entered.set()
                assert leave.wait(10)
            return real(**arguments)

        client.provision = provision
        thread = threading.Thread(target=agent.provider.start, args=(agent.stop_event,))
        thread.start()
        assert entered.wait(10)
        assert agent.provider.fire_due("fires") is True, "it ran while the other call was on"
        leave.set()
        thread.join(10)
        assert set(agent.armed()) == {"slow", "fires"}
        assert agent.armed()["fires"] == "10:00:00", "the round that was on went round once more"

    @pytest.fixture
    def timers(self, monkeypatch):
        """The timers that are set and not taken back."""
        timers = []

        class Timer:
            def __init__(self, seconds, call):
                self.seconds, self.call, self.daemon = seconds, call, False
                timers.append(self)

            def start(self):
                pass

            def cancel(self):
                timers.remove(self)

        monkeypatch.setattr(threading, "Timer", Timer)
        return timers

    def test_the_job_that_comes_first_waits_for_no_other(self, agent, timers):
        """A registry whose clock is ahead: the pause of one job is not that of another."""
        plant(agent, "later", next_run_at=agent.bench.iso(3600))
        plant(agent, "soon", next_run_at=agent.bench.iso(300))
        for _ in range(30):
            agent.provider.reconcile()
            agent.bench.nas.forget_all()
        assert [timer.seconds for timer in timers] == [300]

    def test_a_registry_whose_clock_is_ahead_is_no_storm(self, agent, timers, caplog):
        """It fires at once, the host says "early", the fire is armed again, for ever."""
        plant(agent, next_run_at=agent.bench.iso(300))
        for _ in range(100):
            agent.provider.reconcile()
            agent.bench.nas.forget_all()
        provisions = [call for call, _ in agent.bench.calls() if call == "provision"]
        assert len(provisions) == 5
        assert "clocks of NAS and of this machine disagree" in caplog.text
        assert "clocks of NAS and of this machine disagree" in agent.signal()["last_error"]
        (timer,) = timers
        assert timer.seconds == 300
        agent.wait(minutes=5)
        timer.call()
        assert agent.bench.nas.snapshot() == {"job": "2026-03-02T08:05:00+00:00"}
        agent.provider.stop()


class TestMembersThatUsersTouch:
    def test_a_planted_client_is_used_whatever_it_answers(self, agent):
        class Client:
            def __init__(self):
                self.calls = []

            def provision(self, **arguments):
                self.calls.append(arguments)

            def cancel(self, *, job_id):
                self.calls.append(job_id)
                return {}

            def list_armed(self):
                raise RuntimeError("no list")

        provider = agent.provider
        provider._client = client = Client()
        provider._arm_one_shot({"id": "j", "next_run_at": "2030-01-01T00:00:00Z"})
        assert client.calls == [
            {
                "job_id": "j",
                "fire_at": "2030-01-01T00:00:00Z",
                "agent_callback_url": "https://agent.test/base",
                "dedup_key": "j:2030-01-01T00:00:00Z",
            }
        ]
        assert provider._armed == {"j": "2030-01-01T00:00:00Z"}
        assert provider._list_armed() == provider._armed
        provider._cancel("j")
        assert (client.calls[-1], provider._armed) == ("j", {})
        provider._arm_one_shot({"id": "j", "next_run_at": None})
        assert client.calls[-1] == "j"

    def test_a_fire_arms_what_get_job_gives(self, agent, monkeypatch):
        armed = []
        monkeypatch.setattr(jobs, "claim_job_for_fire", lambda job_id: True)
        monkeypatch.setattr(scheduler, "run_one_job", lambda job, **_: True)
        job = {"id": "j", "enabled": True, "next_run_at": "2030-01-01T00:00:00+00:00"}
        monkeypatch.setattr(jobs, "get_job", lambda job_id: dict(job))
        monkeypatch.setattr(agent.provider, "_arm_one_shot", armed.append)
        assert agent.provider.fire_due("j") is True
        assert job in armed

    def test_register_hands_over_a_chronos(self):
        class Ctx:
            def register_cron_scheduler(self, provider):
                self.provider = provider

        ctx = Ctx()
        chronos.register(ctx)
        assert (type(ctx.provider), ctx.provider.name) == (ChronosCronScheduler, "chronos")

    def test_cfg_never_raises(self, monkeypatch):
        def load_config():
            raise ValueError

        monkeypatch.setattr(config, "load_config", load_config)
        assert chronos._cfg("cron", "chronos", "portal_url") == ""
        assert chronos._cfg("cron", default=7) == 7

    def test_evidence_that_cannot_be_written_stops_nothing(self, agent, caplog):
        plant(agent)

        class Broken:
            def write_signal(self, name, text):
                raise OSError("no space")

        real = store.current_store()
        Broken.__getattr__ = lambda self, name: getattr(real, name)
        agent.monkeypatch.setattr(store, "current_store", Broken)
        agent.provider.start(agent.stop_event)
        assert agent.armed() == {"job": "09:00:00"}
        assert "its account cannot be written" in caplog.text


def test_the_provider_of_this_process_hears_of_changes(agent):
    """RECON-11, from the provider's side."""
    process.current().provider = agent.provider
    created = jobs.create_job("x", "every 1h", name="h")
    assert list(agent.armed()) == [created["id"]]
    jobs.pause_job(created["id"])
    assert agent.armed() == {}


def test_the_last_arm_and_fire_are_kept_by_other_processes(agent):
    """The gateway's fire is still known when a command has written the account after it."""
    job = agent.home.plant(next_run_at=agent.home.at.isoformat())
    agent.provider.start(agent.stop_event)
    assert agent.provider.fire_due(job["id"])
    fired, accepted = agent.signal()["last_fire"], agent.signal()["last_accepted"]
    assert fired["ran"]
    assert accepted["job_id"] == job["id"]
    agent.home.wait(seconds=5)
    agent.restart()
    assert (agent.signal()["last_fire"], agent.signal()["last_accepted"]) == (fired, accepted)
    store.current_store().write_signal("registry-chronos", '{"last_fire": {"at": 1e99}, "x": [')
    agent.provider.reconcile()
    assert agent.signal()["last_fire"] == fired
