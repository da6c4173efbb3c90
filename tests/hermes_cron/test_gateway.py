"""The gateway: it watches its provider, runs fires beside each other, and leaves in time."""

import json
import logging
import threading
import time
from itertools import pairwise
from types import SimpleNamespace

import pytest

from hermes_cron import (
    claims,
    gateway,
    gateway_evidence,
    jobs,
    liveness,
    pending,
    process,
    recovery,
    scheduler,
    scheduler_provider,
    store,
    webhook,
)
from hermes_cron.plugins.chronos import verify
from hermes_cron.scheduler_provider import CronScheduler, InProcessCronScheduler

SOON_S = 60.0  # after so long it hangs, however busy the machine is


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HERMES_HOME", str(tmp_path))
    monkeypatch.setattr(verify, "get_fire_verifier", lambda: lambda **_: {"ok": 1})
    yield tmp_path
    process.current().provider = None
    process.current().slots.pop("hermes_cron.heartbeat", None)


@pytest.fixture
def ticks(monkeypatch):
    """Ticks do nothing but count."""
    seen = threading.Semaphore(0)
    monkeypatch.setattr(scheduler, "tick", lambda **_: seen.release() or 0)
    return seen


@pytest.fixture
def run(home):
    """Run a gateway in a thread; stopped and joined at the end."""
    begun = []

    def run(provider, **settings):
        served = gateway.Gateway(
            provider, **{"interval": 1, "drain_s": SOON_S, "lock_wait_s": SOON_S, **settings}
        )
        stop, ended = threading.Event(), SimpleNamespace(clean=None)
        thread = threading.Thread(
            target=lambda: setattr(ended, "clean", served.run(stop)), daemon=True
        )
        thread.start()
        begun.append((stop, thread))
        wait_for(lambda: served.state == "running")
        return SimpleNamespace(gateway=served, stop=stop, thread=thread, ended=ended)

    yield run
    for stop, thread in begun:
        stop.set()
        thread.join(SOON_S)


def wait_for(condition):
    deadline = time.monotonic() + SOON_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)


def ended(name):
    """Wait for the end of the threads of this name: what they have not done they never do."""
    for thread in threading.enumerate():
        if thread.name == name:
            thread.join(SOON_S)
            assert not thread.is_alive()


def told():
    """What the gateway of this process says about itself; None when it says nothing."""
    text = store.current_store().read_signal(f"gateway-{process.current().pid}")
    return None if text is None else json.loads(text)


class External(CronScheduler):
    """Arms outside: returns from start, and takes part in fires."""

    name = "external"

    def __init__(self):
        self.calls = []
        self.fired = threading.Semaphore(0)

    def start(self, stop_event, *, adapters=None, loop=None, interval=60):
        self.calls.append("start")

    def stop(self):
        self.calls.append("stop")

    def reconcile(self):
        self.calls.append("reconcile")

    def fire_due(self, job_id, *, adapters=None, loop=None):
        self.calls.append(f"fire {job_id}")
        won = jobs.claim_job_for_fire(job_id)
        self.fired.release()
        return won


def due():
    job = jobs.create_job("p", "every 1h", script="x.sh", no_agent=True)
    at = jobs._hermes_now().isoformat()
    with store.current_store().edit() as edit:
        edit.get(job["id"])["next_run_at"] = at
    return {"job_id": job["id"], "fire_at": at}


def post(running, fire):
    return running.gateway.receive("Bearer x", json.dumps(fire).encode())


# -- the provider's life ------------------------------------------------------------------------


def test_a_start_that_raises_what_cannot_be_said_gives_way_all_the_same(run, ticks):
    class UnsayableError(RuntimeError):
        def __str__(self):
            raise RuntimeError

    class Broken(External):
        def start(self, stop_event, *, adapters=None, loop=None, interval=60):
            raise UnsayableError

    run(Broken())
    assert ticks.acquire(timeout=SOON_S)


def test_a_provider_that_is_false_is_there_all_the_same(run):
    class Empty(External):
        def __len__(self):
            return 0

    provider = Empty()
    running = run(provider)
    assert process.current().provider is provider
    assert scheduler_provider.provider_in_charge() is provider
    assert post(running, due()).status == 202
    assert provider.fired.acquire(timeout=SOON_S)


def test_the_provider_is_started_with_what_its_signature_takes(run):
    seen = {}

    class Narrow(External):
        def start(self, stop_event, *, interval):
            seen.update(interval=interval)

    class Wide(External):
        def start(self, stop_event, **offered):
            seen.update(offered)

    narrow = run(Narrow(), interval=7)
    wait_for(lambda: seen == {"interval": 7})
    narrow.stop.set()
    narrow.thread.join(SOON_S)
    run(Wide(), adapters="A", loop="L", interval=7)
    wait_for(lambda: seen == {"interval": 7, "adapters": "A", "loop": "L"})


def test_the_evidence_is_written_at_boot_and_removed_at_the_end(run):
    running = run(External())
    wait_for(lambda: told()["started"])
    facts = told()
    assert (facts["provider"], facts["external"], facts["state"]) == ("external", True, "running")
    assert (facts["interval_s"], facts["fallback"]) == (1, None)
    assert facts["identity"] == liveness.identity(facts["pid"]) is not None
    assert gateway.find_gateway_pids() == [facts["pid"]]
    assert gateway.find_gateway_pids(exclude_pids={facts["pid"]}) == []
    running.stop.set()
    running.thread.join(SOON_S)
    assert told() is None
    assert gateway.find_gateway_pids() == []


@pytest.mark.parametrize(
    "error", [RuntimeError, SystemExit, KeyboardInterrupt, GeneratorExit, MemoryError]
)
def test_a_start_that_raises_is_said_and_replaced_by_the_built_in(run, ticks, caplog, error):
    class Raises(External):
        name = "raises"

        def start(self, stop_event, *, adapters=None, loop=None, interval=60):
            raise error("no such queue")

    running = run(Raises())
    assert ticks.acquire(timeout=SOON_S)
    assert process.current().provider.name == "builtin"
    fallback = {"configured": "raises", "reason": f"start raised {error.__name__}: no such queue"}
    assert running.gateway.fallback == fallback
    assert (told()["provider"], told()["fallback"]) == ("builtin", fallback)
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert any("'raises'" in text and "using built-in ticker" in text for text in errors)
    assert "no such queue" in caplog.text


def test_a_loop_that_ends_by_itself_is_replaced(run, ticks):
    class Dies(CronScheduler):
        name = "dies"

        def start(self, stop_event, *, adapters=None, loop=None, interval=60):
            jobs.record_ticker_heartbeat(success=True)

    run(Dies())
    assert ticks.acquire(timeout=SOON_S)
    assert "loop ended" in told()["fallback"]["reason"]


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, ValueError])
def test_a_thread_that_start_waits_for_is_noticed_when_it_dies(run, ticks, error, monkeypatch):
    """Nobody hears of a SystemExit on a thread, but `start` comes back."""
    monkeypatch.setattr(threading, "excepthook", lambda _: None)

    class Threaded(CronScheduler):
        name = "threaded"

        def start(self, stop_event, *, adapters=None, loop=None, interval=60):
            thread = threading.Thread(target=self.work)
            thread.start()
            thread.join()

        def work(self):
            raise error

    run(Threaded())
    assert ticks.acquire(timeout=SOON_S)
    assert told()["fallback"]["configured"] == "threaded"


def test_a_resolver_that_raises_leaves_the_built_in(run, ticks, monkeypatch):
    def resolve():
        raise SystemExit(3)

    monkeypatch.setattr(scheduler_provider, "resolve_cron_scheduler", resolve)
    run(None)
    assert ticks.acquire(timeout=SOON_S)
    assert "not resolved: SystemExit" in told()["fallback"]["reason"]


def test_a_provider_older_than_the_hooks_gets_the_interfaces_defaults(run, caplog):
    """Only a name and a start: mutations, fires, re-arms and the stop find something to call."""

    class Older:
        name = "older"

        def start(self, stop_event, interval=60):
            stop_event.wait()

    fire = due()
    running = run(Older())
    assert post(running, fire).status == 202
    wait_for(lambda: not running.gateway._fires._running)
    assert jobs.get_job(fire["job_id"])["last_status"] is not None
    assert post(running, fire).body["status"] == "ignored"
    jobs.pause_job(fire["job_id"])
    running.stop.set()
    running.thread.join(SOON_S)
    assert running.ended.clean is True
    assert "AttributeError" not in caplog.text


def test_a_loop_with_hooks_that_ends_is_told_from_an_external_one_by_its_heartbeat(run, ticks):
    class Dies(External):
        def start(self, stop_event, *, adapters=None, loop=None, interval=60):
            jobs.record_ticker_heartbeat(success=True)

    run(Dies())
    assert ticks.acquire(timeout=SOON_S)


def test_a_built_in_that_ends_is_started_again(run, monkeypatch):
    starts = threading.Semaphore(0)
    began = []

    def start(self, stop_event, *, adapters=None, loop=None, interval=60):
        began.append(time.monotonic())
        starts.release()

    monkeypatch.setattr(InProcessCronScheduler, "start", start)
    run(InProcessCronScheduler())
    for _ in range(3):
        assert starts.acquire(timeout=SOON_S)
    # The first of them takes over at once; after it, none comes before its interval is over.
    assert all(later - earlier > 0.9 for earlier, later in pairwise(began[1:3])), began


def test_an_external_provider_that_returned_is_left_alone(run, ticks, caplog):
    running = run(External())
    wait_for(lambda: told()["started"])
    ended("cron-provider")
    assert not ticks.acquire(blocking=False)
    assert running.gateway.fallback is None
    assert "using built-in" not in caplog.text


def test_what_leaves_start_after_the_stop_is_no_fall_back(run, ticks):
    class Leaves(External):
        def start(self, stop_event, *, adapters=None, loop=None, interval=60):
            stop_event.wait()
            raise RuntimeError("torn down")

    running = run(Leaves())
    running.stop.set()
    running.thread.join(SOON_S)
    assert running.ended.clean is True
    assert running.gateway.fallback is None
    assert not ticks.acquire(blocking=False)


def test_the_resolver_is_asked_and_its_fall_back_told(home, run, ticks):
    (home / "config.yaml").write_text("cron: {provider: nowhere}")
    run(None)
    assert ticks.acquire(timeout=SOON_S)
    assert told()["provider"] == "builtin"
    assert told()["fallback"]["configured"] == "nowhere"


@pytest.mark.parametrize("error", [OSError("torn"), SystemExit(1)], ids=["OSError", "SystemExit"])
def test_a_recovery_that_fails_stops_nothing(error, run, ticks, monkeypatch):
    def broken():
        raise error

    monkeypatch.setattr(scheduler, "recover", broken)
    run(InProcessCronScheduler())
    assert ticks.acquire(timeout=SOON_S)


def test_a_recovery_that_failed_is_tried_again(run, monkeypatch):
    monkeypatch.setattr(scheduler, "recover", lambda: 1 / 0)
    tried = threading.Event()
    monkeypatch.setattr(recovery, "recover", tried.set)
    run(External())
    jobs.retry_pending()
    assert tried.wait(SOON_S)


def test_one_gateway_for_each_home(run, home):
    first = run(External())
    with pytest.raises(gateway.GatewayBusy, match=f"pid {process.current().pid}"):
        gateway.Gateway(External(), lock_wait_s=0.05).run(threading.Event())
    wait_for(lambda: told()["state"] == "running")
    first.stop.set()
    first.thread.join(SOON_S)
    run(External())


def test_several_when_replicas_are_meant(run, home):
    (home / "config.yaml").write_text("cron: {replicas: true}")
    run(External())
    run(External())


def test_evidence_of_the_dead_is_swept_at_boot(run):
    home = store.current_store()
    me = process.current()
    home.write_signal(
        "gateway-999999", json.dumps({"pid": 999999, "host": me.host, "boot_id": "x"})
    )
    home.write_signal("gateway-12", json.dumps({"pid": 12, "host": "another host", "boot_id": "x"}))
    home.write_signal("gateway-13", "garbage")
    alive = {"pid": 1, "host": me.host, "boot_id": "x", "identity": liveness.identity(1)}
    home.write_signal("gateway-1", json.dumps(alive))
    run(External())
    names = [name for name in home.signals() if name.startswith("gateway-")]
    assert sorted(names) == sorted(["gateway-1", "gateway-12", "gateway-13", f"gateway-{me.pid}"])


def test_evidence_that_cannot_be_written_stops_nothing(run, ticks, monkeypatch, caplog):
    real = store.current_store()

    def refuse(name, text):
        if name.startswith("gateway-"):
            raise store.StoreWriteFailed("no space", reason="no_space")
        type(real).write_signal(real, name, text)

    monkeypatch.setattr(real, "write_signal", refuse)
    run(InProcessCronScheduler())
    assert ticks.acquire(timeout=SOON_S)
    assert "gateway evidence could not be written" in caplog.text


# -- fires --------------------------------------------------------------------------------------


def test_a_fire_is_answered_before_it_runs_and_runs_beside_a_hung_one(run):
    hang = threading.Event()

    class Hangs(External):
        def fire_due(self, job_id, *, adapters=None, loop=None):
            if job_id == first["job_id"]:
                hang.wait(SOON_S)
            return super().fire_due(job_id)

    first, second = due(), due()
    provider = Hangs()
    running = run(provider)
    assert [post(running, first).status, post(running, second).status] == [202, 202]
    assert provider.fired.acquire(timeout=SOON_S)
    assert f"fire {first['job_id']}" not in provider.calls
    hang.set()
    assert provider.fired.acquire(timeout=SOON_S)


def test_an_ignored_fire_re_arms_in_the_background_few_times_for_many(run):
    release = threading.Event()

    class Slow(External):
        def reconcile(self):
            super().reconcile()
            release.wait(SOON_S)

    fire, provider = due(), Slow()
    running = run(provider)
    post(running, fire)
    answers = {post(running, fire).body["status"] for _ in range(50)}
    assert answers == {"ignored"}
    wait_for(lambda: provider.calls.count("reconcile") == 1)
    release.set()
    ended("cron-rearm")
    assert provider.calls.count("reconcile") == 2


@pytest.mark.parametrize("how", ["raises", "leaves", "returns False"])
def test_an_occurrence_that_the_provider_does_not_take_up_is_due_again(run, how, caplog):
    class Loses(External):
        def fire_due(self, job_id, *, adapters=None, loop=None):
            if how == "returns False":
                return False
            raise SystemExit(1) if how == "leaves" else ValueError("lost")

    fire, provider = due(), Loses()
    running = run(provider)
    assert post(running, fire).status == 202
    wait_for(lambda: not running.gateway._fires._running)
    wait_for(lambda: provider.calls.count("reconcile") == 1)  # its arm has fired
    assert jobs.get_job(fire["job_id"])["next_run_at"] == fire["fire_at"]
    assert fire["job_id"] in caplog.text


def test_a_fire_takes_nothing_when_its_promise_was_withdrawn_before_it_began(run, monkeypatch):
    """An update while the fire is on its way: the next occurrence is not its to run early."""
    settle = webhook._settle

    def updated_before(job_id, *rest):
        jobs.update_job(job_id, {"schedule": "every 2h"})
        return settle(job_id, *rest)

    monkeypatch.setattr(webhook, "_settle", updated_before)
    fire, provider = due(), External()
    running = run(provider)
    assert post(running, fire).status == 202
    wait_for(lambda: not running.gateway._fires._running)
    assert provider.calls.count(f"fire {fire['job_id']}") == 1
    job = jobs.get_job(fire["job_id"])
    assert (job["fire_claim"], job["last_run_at"]) == (None, None)
    assert jobs.claim_job_for_fire(fire["job_id"]), "a claim of nobody's fire keeps its meaning"


def test_a_fire_that_failed_after_its_claim_is_not_given_back(run):
    class Fails(External):
        def fire_due(self, job_id, *, adapters=None, loop=None):
            super().fire_due(job_id)
            raise ValueError("after the claim")

    fire, provider = due(), Fails()
    running = run(provider)
    post(running, fire)
    assert provider.fired.acquire(timeout=SOON_S)
    wait_for(lambda: not running.gateway._fires._running)
    assert jobs.get_job(fire["job_id"])["next_run_at"] > fire["fire_at"]


def test_the_narrow_fire_due_of_an_older_provider_is_called(run):
    class Narrow(External):
        def fire_due(self, job_id):
            return super().fire_due(job_id)

    provider = Narrow()
    running = run(provider)
    assert post(running, due()).status == 202
    assert provider.fired.acquire(timeout=SOON_S)


def test_too_many_at_once_are_503_and_not_claimed(run, monkeypatch):
    running = run(External())
    monkeypatch.setattr(running.gateway._fires, "too_many", lambda: True)
    fire = due()
    assert post(running, fire).status == 503
    assert claims.reserve(fire["job_id"], fire["fire_at"]).outcome == "reserved"


def test_before_and_after_its_life_a_gateway_takes_no_fires(home):
    served = gateway.Gateway(External())
    answer = served.receive("Bearer x", json.dumps(due()).encode())
    assert answer == webhook.Answer(
        503, {"error": "the gateway is starting", "job_id": answer.body["job_id"]}
    )


# -- the end ------------------------------------------------------------------------------------


def test_it_waits_for_what_runs_and_takes_nothing_new(run):
    hang = threading.Event()

    class Hangs(External):
        def fire_due(self, job_id, *, adapters=None, loop=None):
            hang.wait(SOON_S)
            return super().fire_due(job_id)

    provider = Hangs()
    running = run(provider)
    post(running, due())
    running.stop.set()
    wait_for(lambda: (told() or {}).get("state") == "draining")
    assert post(running, due()).body["error"] == "the gateway is draining"
    hang.set()
    running.thread.join(SOON_S)
    assert running.ended.clean is True
    assert provider.calls[0] == "start"
    assert "stop" in provider.calls


@pytest.mark.parametrize("where", ["fire_due", "start", "stop"])
def test_what_hangs_is_left_behind_after_the_bounded_drain(run, caplog, where):
    hang, started = threading.Event(), threading.Event()

    class Hangs(External):
        def start(self, stop_event, *, adapters=None, loop=None, interval=60):
            started.set()
            if where == "start":
                hang.wait(SOON_S)

        def stop(self):
            if where == "stop":
                hang.wait(SOON_S)

        def fire_due(self, job_id, *, adapters=None, loop=None):
            if where == "fire_due":
                hang.wait(SOON_S)

    running = run(Hangs(), drain_s=0.1)
    assert started.wait(SOON_S)
    if where == "fire_due":
        post(running, due())
    running.stop.set()
    running.thread.join(SOON_S)
    assert not running.thread.is_alive()
    assert running.ended.clean is False
    assert told() is None
    hang.set()


@pytest.mark.parametrize("hangs", [False, True])
def test_a_write_that_waits_is_tried_once_more_before_it_leaves(run, hangs):
    """It may hang; the drain is bounded all the same."""
    tried, hang = [], threading.Event()

    def write():
        tried.append(True)
        hang.wait(SOON_S if hangs else 0)

    running = run(External(), drain_s=0.1 if hangs else SOON_S)
    pending.later(write)
    running.stop.set()
    running.thread.join(SOON_S)
    assert (running.ended.clean, tried) == (True, [True])
    hang.set()
    wait_for(lambda: not process.current().pending)


def test_a_stop_that_raises_is_said_and_the_gateway_leaves(run, caplog):
    class Raises(External):
        def stop(self):
            raise SystemExit(2)

    running = run(Raises())
    running.stop.set()
    running.thread.join(SOON_S)
    assert running.ended.clean is True
    assert "stop raised" in caplog.text


# -- whose evidence -----------------------------------------------------------------------------


def test_a_reused_pid_is_not_believed(home):
    me = process.current()
    parent = 1
    facts = {"pid": parent, "host": me.host, "boot_id": "x", "identity": liveness.identity(parent)}
    assert gateway_evidence.is_live(facts)
    assert not gateway_evidence.is_live({**facts, "identity": f"{facts['identity']}0"})
    assert gateway_evidence.is_live({**facts, "identity": None})
    assert not gateway_evidence.is_live({**facts, "host": "another"})
    assert not gateway_evidence.is_live({**facts, "pid": me.pid})
    assert gateway_evidence.is_live({**facts, "pid": me.pid, "boot_id": me.boot_id})


@pytest.mark.parametrize("pid", [0, -1, 999999, 2**70, None, "1"])
def test_no_process_is_no_gateway(home, pid):
    me = process.current()
    assert not gateway_evidence.is_live({"pid": pid, "host": me.host, "identity": None})
