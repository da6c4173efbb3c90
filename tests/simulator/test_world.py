"""What a scenario says happens, happens: faults, steps, machines; and what proves nothing says so."""

import gc
from pathlib import Path

import pytest

from simulator.history import History
from simulator.hosts import reference_host
from simulator.scenario import Scenario
from simulator.scenario_file import parse_scenario
from simulator.target import from_attribute, from_class
from simulator.verdict import judge
from simulator.world import World, simulate

HOURLY = {"id": "report", "schedule": "every 1h", "runs_for": "2s"}
TARGETS = reference_host().bundled()


def run(provider="builtin", **fields):
    """A run of a few hours with one hourly job, and the verdict on it."""
    base = {"name": "x", "start": "2026-03-02T08:00:00", "lasts": "3h10m", "jobs": [HOURLY]}
    scenario = Scenario.model_validate(base | fields)
    history = simulate(scenario, TARGETS[provider]).history
    return history, judge(history, scenario)


def minutes(history, *kinds, machine=None):
    """When events were seen, whole minutes since the start."""
    start_us = history[0].at_us
    return [
        (event.at_us - start_us) // 60_000_000
        for event in history.of(*kinds)
        if machine in (None, event.machine)
    ]


class TestMachines:
    def test_a_stop_that_takes_longer_than_its_for_ends_in_a_boot(self):
        history, _ = run(
            jobs=[{**HOURLY, "runs_for": "20m"}],
            steps=[{"at": "1h2m", "do": "stop", "machine": "a", "for": "10s"}],
        )
        stopped = history.of("stopped")[0]
        assert [event.at_us - stopped.at_us for event in history.of("boot")[1:]] == [1]

    @pytest.mark.parametrize("do", ["crash", "stop"])
    def test_the_last_word_says_when_a_machine_comes_back(self, do):
        steps = [
            {"at": "1h", "do": "crash", "machine": "a", "for": "10m"},
            {"at": "65m", "do": do, "machine": "a", "for": "30m"},
        ]
        assert minutes(run(steps=steps)[0], "boot") == [0, 95]
        del steps[1]["for"]
        assert minutes(run(steps=steps)[0], "boot") == [0]

    def test_a_command_can_die_too(self):
        history, _ = run(
            jobs=[HOURLY, {"id": "late", "schedule": "every 1h", "created": "by a step"}],
            steps=[
                {"at": "10m", "do": "stop", "machine": "a", "for": "10m"},
                {"at": "12m", "do": "create", "job": "late"},
                {"at": "14m", "do": "create", "job": "late"},
            ],
            faults=[{"into": "store.replace", "crash": True, "on": "create"}],
        )
        assert minutes(history, "crash", machine="operator") == [12]
        assert [event.data["error"] for event in history.of("op.end")] == [None, None]
        assert minutes(history, "op.end") == [0, 14]

    def test_a_command_that_dies_leaves_nothing_behind(self):
        """Killed while it named its job, it would name everything after it, in the next run too."""
        calm = {"jobs": [HOURLY]}
        before = run(**calm)[0].digest()
        dying, _ = run(
            jobs=[HOURLY, {"id": "late", "schedule": "every 1h", "created": "by a step"}],
            steps=[
                {"at": "10m", "do": "stop", "machine": "a", "for": "10m"},
                {"at": "12m", "do": "create", "job": "late"},
                {"at": "14m", "do": "create", "job": "late"},
            ],
            faults=[{"into": "store.replace", "crash": True, "on": "create"}],
        )
        ids = [record["id"] for event in dying.of("execution") for record in event.data["records"]]
        assert ids
        assert "late" not in ids
        assert run(**calm)[0].digest() == before

    def test_a_registry_provider_may_sleep_to_the_horizon(self):
        history, judged = run("chronos", jobs=[{"id": "once", "schedule": "30m"}])
        assert history.of("world.end")[0].data["reason"] == "horizon"
        assert judged.verdict == "held", judged.reasons


class TestFaults:
    def test_a_crash_after_the_replacement_leaves_the_new_state(self):
        fault = {"into": "store.replace", "on": "claim", "crash": True, "for": "1s"}
        before, _ = run(faults=[fault])
        after, _ = run(faults=[fault | {"after": True}])

        def commits_of_that_minute(history):
            struck = history.of("fault")[0]
            assert struck.data["seam"] == "store.replace"
            return [e for e in history.of("store.commit") if e.at_us == struck.at_us]

        assert commits_of_that_minute(before) == []
        assert len(commits_of_that_minute(after)) == 1

    def test_a_crash_after_an_accepted_call_leaves_the_arm(self):
        fault = {"into": "nas.provision", "crash": True, "for": "1m", "at": "30m"}
        for after in (False, True):
            history, judged = run("chronos", faults=[{**fault, "after": after}])
            crash = history.of("crash")[0]
            armed = [event for event in history.of("nas.armed") if event.at_us == crash.at_us]
            assert len(armed) == int(after)
            assert judged.verdict == "held", judged.reasons

    @pytest.mark.parametrize("seam", ["recover", "dispatch", "claim"])
    def test_every_seam_of_a_loop_is_passed(self, seam):
        when = {} if seam == "recover" else {"at": "30m"}
        history, judged = run(faults=[{"into": seam, "raise": "RuntimeError", **when}])
        assert [event.data["seam"] for event in history.of("fault")] == [seam]
        assert judged.verdict == "held", judged.reasons

    def test_a_step_of_recovery_can_be_struck(self):
        history, judged = run(
            jobs=[{**HOURLY, "runs_for": "5m"}],
            steps=[{"at": "62m", "do": "crash", "machine": "a", "for": "1m"}],
            faults=[{"into": "store.replace", "raise": {"OSError": "EIO"}, "on": "recover"}],
        )
        assert minutes(history, "fault") == [63]
        assert judged.verdict == "held", judged.reasons

    def test_an_execution_record_knows_its_job(self):
        fault = {"into": "store.execution", "raise": {"OSError": "EIO"}, "job": "report"}
        history, _ = run(faults=[fault])
        assert [event.data["job"] for event in history.of("fault")] == ["report"]

    def test_a_refused_connection_is_the_clients_own_exception(self):
        fault = {"into": "nas.list", "raise": {"httpx.ConnectError": "refused"}}
        history, judged = run("chronos", faults=[fault])
        assert [e.data["reason"] for e in history.of("nas.call") if e.data["reason"]] == [
            "ConnectError"
        ]
        assert not [e for e in history.of("log") if e.data["error"] == "AttributeError"]
        assert judged.verdict == "held", judged.reasons


class TestUnknown:
    def test_what_is_no_provider_is_not_judged_by_the_hosts_own(self):
        scenario = Scenario.model_validate(
            {"name": "x", "start": "2026-03-02T08:00:00", "lasts": "3h", "jobs": [HOURLY]}
        )
        history = simulate(scenario, from_class(lambda: "a text", "text")).history
        assert history.of("run.end")  # the fallback runs what is due
        judged = judge(history, scenario)
        assert judged.verdict == "violated"
        assert judged.reasons[0].startswith("TICK-1: machine a: start raised AttributeError (")
        assert "'str' object has no attribute 'start'" in judged.reasons[0]

    def test_what_hangs_goes_wrong_until_its_end(self):
        _, judged = run(faults=[{"into": "tick", "hang": "9h", "at": "30m"}])
        assert judged.reasons == ("no occurrence was due after the last fault",)

    def test_a_job_that_could_not_be_made(self):
        _, judged = run(jobs=[HOURLY, {"id": "bad", "schedule": "every blue moon"}])
        assert judged.verdict == "unknown"
        assert judged.reasons[0].startswith("job bad was never made (ScheduleError: ")

    def test_a_delivery_of_nothing(self):
        _, judged = run(steps=[{"at": "1h", "do": "deliver", "job": "report", "times": 3}])
        assert judged.reasons == ("nothing was armed for job report, so nothing was delivered",)

    def test_a_gateway_that_ended_by_itself(self):
        fault = {"into": "store.lock", "raise": {"OSError": "EIO"}, "times": "always"}
        _, judged = run(faults=[fault])
        assert "gateway a ended by StoreWriteFailed" in " ".join(judged.reasons)


def test_a_record_can_be_broken_that_a_step_made():
    late = {"id": "late", "schedule": "every 1h", "created": "by a step"}
    history, _ = run(
        jobs=[HOURLY, {**late, "record": {"next_run_at": "garbage"}}],
        steps=[{"at": "10m", "do": "create", "job": "late"}],
    )
    stored = [
        record["next_run_at"]
        for event in history.of("store.commit")
        for job, record in event.data["changes"]
        if job == "late"
    ]
    assert stored[1] == "garbage"


def test_a_wall_time_to_deliver_is_in_the_zone():
    history, _ = run(
        "chronos",
        zone="Europe/Berlin",
        steps=[{"at": "1h", "do": "deliver", "job": "report", "fire_at": "2026-03-02T10:00:00"}],
    )
    copies = [event.data["fire_at"] for event in history.of("nas.deliver") if event.data["copy"]]
    assert copies == ["2026-03-02T09:00:00+00:00"]


def alive(kind, counts=lambda _thing: True):
    gc.collect()
    return sum(type(thing) is kind and bool(counts(thing)) for thing in gc.get_objects())


@pytest.mark.parametrize("provider", TARGETS)
class TestNothingStays:
    def test_of_a_run_without_a_crash(self, provider):
        run(provider)
        before = alive(World)
        run(provider)
        run(provider, steps=[{"at": "1h", "do": "stop", "machine": "a", "for": "1m"}])
        assert alive(World) == before

    def test_of_the_history_after_a_crash(self, provider):
        steps = [{"at": "1h", "do": "crash", "machine": "a", "for": "1m"}]
        before, full = alive(World), alive(History, len)
        assert len(run(provider, steps=steps)[0]) > 50
        assert alive(World) > before  # tasks of the dead machine are kept on purpose
        assert alive(History, len) == full

    def test_of_a_run_that_an_exception_ended(self, provider, monkeypatch):
        before = run(provider)[0].to_bytes()

        def broken(*_args, **_kwargs):
            raise ZeroDivisionError

        with monkeypatch.context() as patched:
            patched.setattr(World, "_tear_down", broken)
            with pytest.raises(ZeroDivisionError):
                run(provider)
        assert run(provider)[0].to_bytes() == before


def test_an_agent_that_arms_the_past_again_and_again_does_not_stop_time(tmp_path, monkeypatch):
    """Each such fire takes a moment, so the run comes to its horizon and can be judged."""
    (tmp_path / "stubborn.py").write_text(
        "import httpx\n"
        "from hermes_cron import CronScheduler\n"
        "class Stubborn(CronScheduler):\n"
        "    name = 'stubborn'\n"
        "    def start(self, stop_event, *, adapters=None, loop=None, interval=60):\n"
        "        self.client = httpx.Client(headers={'Authorization': 'Bearer sim-agent-token'})\n"
        "        self.reconcile()\n"
        "    def reconcile(self):\n"
        "        at = '2026-01-01T00:00:00+00:00'\n"
        "        self.client.post('https://portal.sim/api/agent-cron/provision', json={'job_id': 'report',"
        " 'fire_at': at, 'agent_callback_url': 'https://agent.sim', 'dedup_key': 'report:' + at})\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    scenario = parse_scenario(
        "name: x\nstart: 2026-03-02T08:00:00\nlasts: 30m\njobs: [{id: report, schedule: every 1h}]\n"
    )
    run = simulate(scenario, from_attribute("stubborn:Stubborn"))
    assert run.history.of("world.end")[0].data["reason"] == "horizon"
    assert 100 < len(run.history.of("nas.deliver")) <= 1860


def test_the_processes_of_the_real_machine_are_none_of_the_run_s(monkeypatch):
    """A history once told the start of a real process that had the pid of a simulated one."""
    crash = {"do": "crash", "at": "1h5m", "machine": "a", "for": "5m"}
    alone, _ = run(steps=[crash])
    monkeypatch.setattr("pathlib.Path.read_text", _as_if_each_pid_lived(Path.read_text))
    assert run(steps=[crash])[0].to_bytes() == alone.to_bytes()


def _as_if_each_pid_lived(read_text):
    """`Path.read_text` on a machine on which somebody has each pid."""

    def read(path, *arguments, **options):
        if path.parts[:2] == ("/", "proc") and path.name == "stat":
            return f"{path.parts[2]} (sh) S " + " ".join(["1"] * 40)
        return read_text(path, *arguments, **options)

    return read


def test_what_is_logged_is_heard_by_a_python_that_takes_the_lock_of_each_handler(monkeypatch):
    """As 3.13 does; under it every loop once ended at its first line in the log."""
    plain, _ = run()

    def handle(handler, record):
        with handler.lock:
            handler.emit(record)
        return True

    monkeypatch.setattr("logging.Handler.handle", handle)
    assert run()[0].to_bytes() == plain.to_bytes()
