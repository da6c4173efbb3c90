"""The status of a real home: what is gathered, from whom, and that gathering changes nothing."""

import json
import math
import shutil
import stat
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes_cron import (
    config,
    gateway,
    gateway_evidence,
    heartbeat,
    jobs,
    process,
    scheduler_provider,
    status,
    store,
)
from hermes_cron.status.evidence import Evidence

PROMISE = "will fire automatically"


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HERMES_HOME", str(tmp_path))
    process.current().slots.pop("hermes_cron.heartbeat", None)
    return tmp_path


@pytest.fixture
def running(home, monkeypatch):
    """A gateway is reported, its heartbeat is fresh, and no evidence lies beside."""
    monkeypatch.setattr(gateway, "find_gateway_pids", lambda: [4242])
    monkeypatch.setattr(jobs, "get_ticker_heartbeat_age", lambda: 10.0)
    monkeypatch.setattr(jobs, "get_ticker_success_age", lambda: 10.0)
    return home


def told(capsys):
    """What is printed, as it would stand on a line without end."""
    assert status.cron_status() is None
    return " ".join(capsys.readouterr().out.split())


def test_hermes_agents_patches_decide(running, monkeypatch, capsys):
    assert PROMISE in told(capsys)
    monkeypatch.setattr(jobs, "get_ticker_success_age", lambda: 900.0)
    assert "no tick has succeeded" in told(capsys)
    monkeypatch.setattr(jobs, "get_ticker_heartbeat_age", lambda: 900.0)
    assert "STALLED" in told(capsys)
    monkeypatch.setattr(gateway, "find_gateway_pids", list)
    assert "will NOT fire" in told(capsys)


def test_the_interval_that_was_patched_counts_when_no_loop_says_another(running, monkeypatch):
    monkeypatch.setattr(jobs, "TICKER_INTERVAL_SECONDS", 5)
    assert status.gather().stale_after_s == 35


def test_a_home_that_was_never_used_is_not_running_and_stays_unused(home, capsys):
    assert "is not running" in told(capsys)
    assert list(home.iterdir()) == []


def test_a_heartbeat_recorded_by_this_very_process_is_believed(home, monkeypatch, capsys):
    monkeypatch.setattr(gateway, "find_gateway_pids", lambda: [4242])
    jobs.record_ticker_heartbeat(success=True)
    assert PROMISE in told(capsys)


def test_a_heartbeat_of_another_process_promises_nothing(home, monkeypatch, capsys):
    me = process.current()
    other = process.ProcessState(pid=me.pid + 1, boot_id="other", host=me.host)
    with monkeypatch.context() as there:
        there.setattr(process, "current", lambda: other)
        other.slots.update(me.slots)
        heartbeat.loop_began(60)
        jobs.record_ticker_heartbeat(success=True)
    monkeypatch.setattr(gateway, "find_gateway_pids", lambda: [4242])
    text = told(capsys)
    assert PROMISE not in text
    assert f"the loop of pid {other.pid}" in text


def test_a_running_loop_is_judged_by_its_own_interval_and_error(home, monkeypatch):
    me = process.current()
    monkeypatch.setattr(gateway, "find_gateway_pids", lambda: [me.pid])
    heartbeat.loop_began(600)
    heartbeat.tick_failed(PermissionError(13, "jobs.json"))
    jobs.record_ticker_heartbeat(success=False)
    report = status.report()
    assert report.verdict == "unhealthy"
    assert report.evidence.interval_s == 600
    assert "PermissionError" in report.headline
    jobs.record_ticker_heartbeat(success=True)
    assert status.report().verdict == "healthy"


def test_a_run_whose_process_is_dead_is_said(home, monkeypatch):
    job = jobs.create_job("x", "every 1h")
    assert jobs.claim_job_for_fire(job["id"])
    assert not status.gather().interrupted
    monkeypatch.setattr(type(process.current()), "is_gone", lambda *_: True)
    assert status.gather().interrupted == [job["id"]]


def test_the_loop_of_an_earlier_process_with_the_same_pid_is_not_believed(home, monkeypatch):
    me = process.current()
    heartbeat.loop_began(60)
    jobs.record_ticker_heartbeat(success=True)
    evidence = gateway_evidence.GatewayEvidence()
    evidence.begin(interval_s=60)
    evidence.tell(boot_id="a later boot", started_at=time.time())
    monkeypatch.setattr(gateway, "find_gateway_pids", lambda: [me.pid])
    assert status.gather().loops == []


def test_a_provider_of_ones_own_is_named_and_needs_evidence(running, monkeypatch, capsys):
    class Managed(scheduler_provider.CronScheduler):
        name = "mine"

        def start(self, stop_event, *, adapters=None, loop=None, interval=60):
            return

    monkeypatch.setattr(scheduler_provider, "resolve_cron_scheduler", Managed)
    monkeypatch.setattr(config, "load_config", lambda: {"cron": {"provider": "mine"}})
    text = told(capsys)
    assert "'mine'" in text
    assert "managed scheduler" in text
    assert PROMISE not in text
    store.current_store().write_signal(
        "registry-mine", json.dumps({"armed": {}, "listed": True, "at": time.time()})
    )
    assert PROMISE in told(capsys)


@pytest.mark.parametrize(("value", "name"), [("5", "5"), ("[a]", "['a']"), ("true", "True")])
def test_a_configured_provider_that_is_no_name_is_named(home, caplog, capsys, value, name):
    (home / "config.yaml").write_text(f"cron: {{provider: {value}}}")
    jobs.create_job("x", "1d")
    assert "did not take the news" not in caplog.text
    assert f"cron provider '{name}' is configured but does not run" in told(capsys)


def test_a_configured_provider_that_is_not_there_is_named(running, capsys):
    (running / "config.yaml").write_text("cron: {provider: nowhere}")
    text = told(capsys)
    assert "cron provider 'nowhere' is configured but does not run" in text
    assert PROMISE in text


@pytest.mark.parametrize("failure", [OSError("io"), SystemExit(3), ValueError("x"), KeyError("k")])
@pytest.mark.parametrize(
    "place",
    [
        (gateway, "find_gateway_pids"),
        (jobs, "get_ticker_heartbeat_age"),
        (jobs, "get_ticker_success_age"),
        (jobs, "list_jobs"),
        (store, "current_store"),
        (config, "load_config"),
        (gateway_evidence, "read_all"),
    ],
)
def test_whatever_raises_it_is_no_promise_and_no_traceback(running, monkeypatch, place, failure):
    def broken(*_args, **_kwargs):
        raise failure

    monkeypatch.setattr(*place, broken)
    report = status.report()
    assert PROMISE not in status.as_text(report)
    assert report.exit_code in {1, 3}
    json.loads(status.as_json(report))


@pytest.mark.parametrize("value", [math.nan, math.inf, -5.0, "soon", True, [], None])
def test_ages_that_are_no_ages_promise_nothing(running, monkeypatch, capsys, value):
    monkeypatch.setattr(jobs, "get_ticker_heartbeat_age", lambda: value)
    assert status.report().verdict == "unknown"
    assert json.loads(status.as_json(status.report()))["ages"]["heartbeat_s"] is None


@pytest.mark.parametrize(
    "text", ["", "garbage", "nan", "inf", "-1e9", "1e400", "99999999999", "\x00"]
)
@pytest.mark.parametrize("name", ["ticker_heartbeat", "ticker_last_success"])
def test_signals_that_are_no_times_promise_nothing(home, monkeypatch, capsys, name, text):
    monkeypatch.setattr(gateway, "find_gateway_pids", lambda: [4242])
    for signal in ("ticker_heartbeat", "ticker_last_success"):
        store.current_store().write_signal(signal, repr(time.time()))
    assert PROMISE in told(capsys)
    store.current_store().write_signal(name, text)
    assert PROMISE not in told(capsys)


def test_an_unreadable_store_is_said(running, capsys):
    jobs.create_job("p", "every 1h", script="x.sh", no_agent=True)
    jobs.JOBS_FILE.write_text('{"jobs": [')
    text = told(capsys)
    assert PROMISE not in text
    assert "jobs cannot be read" in text
    assert jobs.JOBS_FILE.read_text() == '{"jobs": ['


def test_a_broken_record_is_named(running, capsys):
    job = jobs.create_job("p", "every 1h", script="x.sh", no_agent=True)
    jobs.JOBS_FILE.write_text(json.dumps({"jobs": [job, {"name": "no id"}, None]}))
    text = told(capsys)
    assert "record 2 ('no id')" in text
    assert "record 3" in text
    assert PROMISE not in text


def files(home):
    return {
        str(path): (
            path.stat().st_mtime_ns,
            stat.S_IMODE(path.stat().st_mode),
            path.is_file() and path.read_bytes(),
        )
        for path in sorted(home.rglob("*"))
    }


def test_it_reads_only_and_waits_for_no_lock(running, capsys):
    jobs.create_job("p", "every 1h", script="x.sh", no_agent=True)
    jobs.record_ticker_heartbeat(success=True)
    release, held = threading.Event(), threading.Event()

    def hold():
        with store.current_store().edit(), store.current_store().lock("gateway", timeout_s=1):
            held.set()
            release.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(60)
    before = files(running)
    assert PROMISE in told(capsys)
    assert holder.is_alive(), "the locks were not waited for"
    assert files(running) == before
    release.set()
    holder.join()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=8,
)


def facts(*names):
    return st.fixed_dictionaries({}, optional=dict.fromkeys(names, json_values))


@settings(deadline=None, max_examples=100)
@given(
    loops=st.lists(
        facts("pid", "heartbeat_at", "success_at", "started_at", "tick_since", "error"), max_size=2
    ),
    gateways=st.lists(facts("pid", "started_at", "state", "provider"), max_size=2),
    jobs=st.lists(
        facts(
            "id", "name", "enabled", "state", "next_run_at", "fire_claim", "last_status", "schedule"
        ),
        max_size=2,
    ),
    registry=st.none() | facts("armed", "listed", "at", "last_error", "last_fire", "last_accepted"),
    fallback=st.none() | facts("configured", "reason"),
    external=st.booleans(),
)
def test_no_evidence_is_too_strange(**strange):
    evidence = Evidence(
        now=1e9, provider="p", pids=[1], heartbeat_age_s=1.0, success_age_s=1.0, **strange
    )
    report = status.judge(evidence)
    assert (PROMISE in status.as_text(report)) == (report.verdict == "healthy")
    json.loads(status.as_json(report), parse_constant=pytest.fail)


@pytest.mark.parametrize("pid", ["[1]", '"x"', "{}", "null"])
def test_a_signal_of_nobody_is_left_out(running, pid):
    before = status.report().verdict
    store.current_store().write_signal("ticker-1", f'{{"pid": {pid}, "heartbeat_at": 1}}')
    report = status.report()
    assert (report.verdict, report.evidence.foreign_loops) == (before, [])


def test_a_looping_provider_of_ones_own_is_judged_as_a_loop_when_no_gateway_runs(
    home, monkeypatch, capsys
):
    """STAT-4: what arms nothing outside has no managed scheduler to count on."""

    class Loop(scheduler_provider.CronScheduler):
        name = "loop"

        def start(self, stop_event, *, adapters=None, loop=None, interval=60):
            stop_event.wait()

    monkeypatch.setattr(config, "load_config", lambda: {"cron": {"provider": "loop"}})
    monkeypatch.setattr(scheduler_provider, "resolve_cron_scheduler", Loop)
    report = status.report()
    assert (report.verdict, report.reasons) == ("unhealthy", ["no-gateway"])
    assert "will NOT fire" in report.headline
    assert "managed" not in status.as_text(report)


def test_an_unreadable_store_is_said_once(running):
    jobs.JOBS_FILE.parent.mkdir(parents=True, exist_ok=True)
    jobs.JOBS_FILE.write_text("{ not json")
    assert status.as_text(status.report()).count("is not valid JSON") == 1


def test_a_configuration_that_cannot_be_read_is_named(home):
    """STAT-10: what it names does not run, and nobody can say what that is."""
    config.config_path().parent.mkdir(parents=True, exist_ok=True)
    config.config_path().write_text("cron: [")
    report = status.report()
    assert [finding.code for finding in report.findings] == ["no-gateway", "config-unreadable"]
    assert "is not valid YAML" in status.as_text(report)


def test_a_gateway_that_began_on_a_full_disk_is_seen_when_there_is_room(home, monkeypatch, capsys):
    """A gateway whose evidence was never written would count as not running for as long as it lives."""
    evidence = gateway_evidence.GatewayEvidence()
    real = store.current_store()

    class Full:
        def write_signal(self, name, text):
            raise OSError(28, "no space left on device")

    with monkeypatch.context() as full:
        full.setattr(store, "current_store", Full)
        evidence.begin(interval_s=60)
        evidence.tell(state="running")
        heartbeat.loop_began(60)
        jobs.record_ticker_heartbeat(success=True)
    assert gateway.find_gateway_pids() == []
    assert "will NOT fire" in told(capsys)
    assert store.current_store() is real
    jobs.record_ticker_heartbeat(success=True)
    assert gateway.find_gateway_pids() == [process.current().pid]
    assert PROMISE in told(capsys)
    evidence.end()
    jobs.record_ticker_heartbeat(success=True)
    assert gateway.find_gateway_pids() == []


@pytest.mark.parametrize("fell_back", [1, 2])
def test_of_two_gateways_the_one_that_fell_back_is_named(running, monkeypatch, capsys, fell_back):
    """STAT-10: also when the other one speaks first, or second."""
    monkeypatch.setattr(gateway, "find_gateway_pids", lambda: [1, 2])
    reason = {"configured": "chronos", "reason": "OSError: no"}
    for pid in (1, 2):
        facts = {"pid": pid, "provider": "mine", "external": True, "state": "running"}
        facts["fallback"] = reason if pid == fell_back else None
        store.current_store().write_signal(f"gateway-{pid}", json.dumps(facts))
    assert "cron provider 'chronos' is configured but does not run (OSError: no)" in told(capsys)


def test_what_could_not_be_written_is_not_written_after_the_end(home, monkeypatch):
    evidence = gateway_evidence.GatewayEvidence()
    evidence.begin(interval_s=60)
    with monkeypatch.context() as full:
        full.setattr(store.current_store(), "write_signal", lambda *_: 1 / 0)
        evidence.tell(state="draining")
    evidence.end()
    gateway_evidence.make_good()
    assert gateway_evidence.read_all() == {}


def test_who_lost_its_evidence_with_the_folder_tells_again(home):
    """A gateway whose `cron/` was deleted lives on, and is not to be started a second time."""
    evidence = gateway_evidence.GatewayEvidence()
    evidence.begin(interval_s=60)
    evidence.tell(state="running")
    before = gateway_evidence.read_all()
    heartbeat.loop_began(60)
    heartbeat.tick_failed(OSError("the jobs are missing"))
    for success in (False, True):
        shutil.rmtree(jobs.CRON_DIR)
        jobs.record_ticker_heartbeat(success=success)
        assert gateway_evidence.read_all() == before
    evidence.end()
    heartbeat.tick_failed(OSError("again"))
    jobs.record_ticker_heartbeat()
    assert gateway_evidence.read_all() == {}
