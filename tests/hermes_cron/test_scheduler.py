"""Ticks, and the one path from a claimed job to its recorded result."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from datetime import timedelta
from unittest import mock

import pytest
from jobs_home import Home, make_home

from hermes_cron import (
    claims,
    delivery,
    dispatch,
    executions,
    heartbeat,
    jobs,
    process,
    recovery,
    scheduler,
    scheduler_provider,
    store,
)


@pytest.fixture
def home(tmp_path, monkeypatch):
    yield from make_home(tmp_path, monkeypatch)


def at(home: Home, **later: float) -> str:
    return (home.at + timedelta(**later)).isoformat()


def full(*_args, **_kw):
    raise OSError(28, "No space left on device")


def disk_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every write of the jobs file fails, as it does without space."""
    monkeypatch.setattr("os.replace", full)
    monkeypatch.setattr("pathlib.Path.replace", full)


class TestTick:
    def test_it_runs_what_is_due_and_says_how_much(self, home):
        home.plant(id="a")
        home.plant(id="b")
        home.plant(id="later", next_run_at=at(home, hours=1))
        assert scheduler.tick() == 2
        assert sorted(home.ran) == ["a", "b"]
        assert scheduler.tick() == 0

    def test_one_write_starts_any_number_of_due_jobs(self, home, monkeypatch):
        """STORE-9: completions are counted apart."""
        for number in range(30):
            home.plant(id=f"job{number}")
        edits = []
        edit = store.current_store().edit
        monkeypatch.setattr(store.current_store(), "edit", lambda: edits.append(1) or edit())
        monkeypatch.setattr(scheduler, "run_one_job", lambda job, **_: True)
        assert scheduler.tick() == 30
        assert len(edits) == 1

    def test_the_host_functions_are_looked_up_where_tests_patch_them(self, home, monkeypatch):
        planted = {"id": "planted", "name": "n", "prompt": "p", "schedule": {}}
        with (
            mock.patch.object(jobs, "get_due_jobs", return_value=[planted]),
            mock.patch.object(jobs, "mark_job_run") as mark,
            mock.patch.object(jobs, "save_job_output", return_value="x") as save,
            mock.patch.object(scheduler, "_deliver_result", return_value="down") as deliver,
            mock.patch.object(
                scheduler, "run_job", return_value=(True, "doc", "hello", None)
            ) as run,
        ):
            assert scheduler.tick(adapters={"a": 1}, loop="loop") == 1
        run.assert_called_once_with(planted)
        save.assert_called_once_with("planted", "doc")
        deliver.assert_called_once_with(planted, "hello", adapters={"a": 1}, loop="loop")
        mark.assert_called_once_with("planted", True, None, delivery_error="down")

    def test_without_sync_it_waits_for_nobody(self, home):
        """TICK-6, #27485."""
        home.plant(id="slow")
        go = threading.Event()
        home.body = lambda job: (go.wait(10), "out", "text", None)
        assert scheduler.tick(sync=False) == 1
        home.wait(minutes=61)
        home.plant(id="other", next_run_at=at(home))
        home.body = lambda job: (True, "out", "text", None)
        assert scheduler.tick() == 1
        assert home.ran == ["slow", "other"]
        go.set()
        finish()

    def test_a_job_that_still_runs_is_not_started_again(self, home):
        """ONCE-10, #51329."""
        home.plant()
        go = threading.Event()
        home.body = lambda job: (go.wait(10), "out", "text", None)
        scheduler.tick(sync=False)
        home.wait(hours=1)
        assert scheduler.tick(sync=False) == 0
        go.set()
        finish()
        assert home.ran == ["job"]

    def test_slow_jobs_do_not_starve_the_others(self, home, monkeypatch):
        """LIVE-12: more slow jobs than places."""
        monkeypatch.setenv("HERMES_CRON_MAX_PARALLEL", "2")
        since = [0.0]
        monkeypatch.setattr(dispatch.clock, "monotonic", lambda: since[0])
        go = threading.Event()
        home.body = lambda job: (job["id"] == "quick" or go.wait(10), "out", "text", None)
        for name in ("slow1", "slow2", "slow3", "quick"):
            home.plant(id=name)
        scheduler.tick(sync=False)
        wait_until(lambda: len(home.ran) == 2)
        assert "quick" not in home.ran
        since[0] = 24
        scheduler.tick(sync=False)
        assert len(home.ran) == 2
        since[0] = 26
        scheduler.tick(sync=False)
        wait_until(lambda: len(home.ran) == 4)
        go.set()
        finish()

    def test_no_more_at_once_than_configured(self, home, monkeypatch):
        monkeypatch.setenv("HERMES_CRON_MAX_PARALLEL", "3")
        now, most, lock = [0], [0], threading.Lock()
        three = threading.Barrier(3)

        def body(job):
            with lock:
                now[0] += 1
                most[0] = max(most[0], now[0])
            three.wait(30)
            with lock:
                now[0] -= 1
            return True, "out", "text", None

        home.body = body
        for number in range(12):
            home.plant(id=f"job{number}")
        assert scheduler.tick() == 12
        assert most[0] == 3

    def test_what_the_executor_refuses_stays_due(self, home, monkeypatch):
        """LIVE-8, #58720: it is shut down inside the tick."""
        home.plant(id="a")
        home.plant(id="b", schedule={"kind": "once", "run_at": at(home)}, repeat={"times": 1})
        before = [job["next_run_at"] for job in jobs.load_jobs()]

        def refuse(*_args, **_kw):
            raise RuntimeError("cannot schedule new futures after shutdown")

        with monkeypatch.context() as broken:
            broken.setattr("concurrent.futures.ThreadPoolExecutor.submit", refuse)
            assert scheduler.tick() == 0
        assert [job["next_run_at"] for job in jobs.load_jobs()] == before
        assert home.state.running == {}
        assert [reason for _, reason in home.trace()] == ["08:00", "08:00"]
        assert scheduler.tick() == 2

    def test_a_claim_that_cannot_be_written_runs_nothing_and_is_no_success(self, home, monkeypatch):
        """LIVE-8, TICK-7."""
        home.plant()
        with monkeypatch.context() as broken:
            disk_full(broken)
            with pytest.raises(store.StoreWriteFailed):
                scheduler.tick()
        assert home.ran == []
        assert scheduler.tick() == 1

    def test_the_gate_keeps_due_jobs_due(self, home):
        home.plant()
        assert scheduler.tick(can_dispatch=lambda: False) == 0
        assert scheduler.tick(can_dispatch=lambda: True) == 1


class TestRunOneJob:
    def claimed(self) -> dict:
        [job] = jobs.claim_due(jobs.get_due_jobs())
        return job

    def test_a_result_is_saved_delivered_and_marked(self, home):
        home.plant()
        assert scheduler.run_one_job(self.claimed()) is True
        job = home.job()
        assert (job["last_status"], job["fire_claim"]) == ("ok", None)
        assert len(store.current_store().outputs("job")) == 1
        assert home.trace() == [("completed", "08:00")]

    @pytest.mark.parametrize(
        "raised",
        [
            ValueError("bad"),
            SystemExit(3),
            KeyboardInterrupt(),
            asyncio.CancelledError(),
            GeneratorExit(),
            MemoryError(),
        ],
        ids=lambda error: type(error).__name__,
    )
    def test_whatever_the_body_raises_is_a_recorded_failure(self, home, raised):
        """FIRE-5, #37179."""

        def body(_job):
            raise raised

        home.plant()
        home.body = body
        assert scheduler.run_one_job(self.claimed()) is False
        job = home.job()
        assert job["last_status"] == "error"
        assert type(raised).__name__ in job["last_error"]
        assert (job["fire_claim"], job["next_run_at"]) == (None, at(home, hours=1))
        assert home.trace() == [("failed", "08:00")]

    @pytest.mark.parametrize("blank", ["", "  \n"])
    def test_a_blank_answer_is_a_failure_and_not_delivered(self, home, blank):
        home.plant()
        home.body = lambda job: (True, "doc", blank, None)
        with mock.patch.object(scheduler, "_deliver_result") as deliver:
            assert scheduler.run_one_job(self.claimed()) is True
        assert home.job()["last_status"] == "error"
        assert "blank" in home.job()["last_error"]
        deliver.assert_not_called()

    def test_silence_is_kept_and_not_delivered(self, home):
        home.plant()
        home.body = lambda job: (True, "doc", "[SILENT]", None)
        with mock.patch.object(scheduler, "_deliver_result") as deliver:
            scheduler.run_one_job(self.claimed())
        assert home.job()["last_status"] == "ok"
        assert len(store.current_store().outputs("job")) == 1
        deliver.assert_not_called()

    def test_a_failure_is_delivered(self, home):
        home.plant()
        home.body = lambda job: (False, "doc", "", "the disk is on fire")
        with mock.patch.object(scheduler, "_deliver_result", return_value=None) as deliver:
            scheduler.run_one_job(self.claimed())
        assert "the disk is on fire" in deliver.call_args.args[1]

    def test_a_delivery_that_raises_is_no_failure_of_the_run(self, home):
        home.plant()
        with mock.patch.object(scheduler, "_deliver_result", side_effect=SystemExit("gone")):
            assert scheduler.run_one_job(self.claimed()) is True
        assert home.job()["last_status"] == "ok"
        assert "gone" in home.job()["last_delivery_error"]

    def test_an_output_that_cannot_be_kept_is_said(self, home):
        home.plant()
        with mock.patch.object(jobs, "save_job_output", side_effect=OSError("no room")):
            assert scheduler.run_one_job(self.claimed()) is True
        assert "no room" in home.job()["last_delivery_error"]

    @pytest.mark.parametrize(
        ("meanwhile", "reason"),
        [
            (lambda: jobs.pause_job("job"), "paused"),
            (lambda: jobs.update_job("job", {"enabled": False}), "disabled"),
            (lambda: jobs.update_job("job", {"state": "completed"}), "completed"),
            (lambda: jobs.remove_job("job"), "removed"),
        ],
    )
    @pytest.mark.parametrize("once", [False, True])
    @pytest.mark.parametrize("slow", [False, True])
    def test_what_changed_after_the_claim_does_not_run(
        self, home, monkeypatch, *, meanwhile, reason, once, slow
    ):
        """FIRE-4, #82650; also what changed while the beginning was being written down."""
        schedule = (
            {"kind": "once", "run_at": at(home)} if once else {"kind": "interval", "minutes": 9}
        )
        home.plant(schedule=schedule)
        claimed = self.claimed()
        if slow:
            real = store.current_store().append_executions

            def append(entries):
                monkeypatch.setattr(store.current_store(), "append_executions", real)
                meanwhile()
                return real(entries)

            monkeypatch.setattr(store.current_store(), "append_executions", append)
        else:
            meanwhile()
        assert scheduler.run_one_job(claimed) is True
        assert home.ran == []
        assert home.trace()[-1][0] == "skipped"
        assert reason in jobs.list_executions("job")[-1]["reason"]

    def test_paused_and_resumed_it_runs_again(self, home):
        home.plant()
        claimed = self.claimed()
        jobs.pause_job("job")
        scheduler.run_one_job(claimed)
        jobs.resume_job("job")
        home.wait(hours=1)
        assert scheduler.tick() == 1

    def test_an_unclaimed_job_of_the_store_is_looked_at_too(self, home):
        home.plant()
        job = jobs.get_job("job")
        jobs.remove_job("job")
        scheduler.run_one_job(job)
        assert home.ran == []

    def test_a_job_that_the_store_never_held_runs_untouched(self, home):
        planted = {"id": "planted", "name": "n", "state": "paused"}
        assert scheduler.run_one_job(dict(planted)) is True
        assert home.ran == ["planted"]
        assert home.gone("planted")

    def test_a_claim_that_was_taken_over_runs_nothing(self, home):
        home.plant()
        claimed = self.claimed()
        home.change(fire_claim={**home.job()["fire_claim"], "token": 9}, fire_token=9)
        scheduler.run_one_job(claimed)
        assert home.ran == []
        assert home.job()["fire_claim"]["token"] == 9, "the other's claim stays"

    def test_a_mark_that_fails_is_made_good_at_the_next_tick(self, home, monkeypatch):
        """LIVE-8: no space left at the mark."""
        home.plant()

        def body(job):
            disk_full(monkeypatch)
            return True, "out", "text", None

        home.body = body
        with monkeypatch.context() as monkeypatch_inside:
            monkeypatch = monkeypatch_inside
            assert scheduler.tick() == 1
            ended_at = home.at
            home.wait(minutes=1)
            assert len(home.state.pending) == 1
        assert home.job()["fire_claim"] is not None
        scheduler.tick()
        job = home.job()
        assert (job["last_status"], job["fire_claim"]) == ("ok", None)
        assert job["last_run_at"] == ended_at.isoformat(), "when it ended, not when it was stored"
        assert home.state.pending == []

    def test_a_recovery_that_failed_is_made_good_by_a_tick(self, home, monkeypatch):
        """LIVE-6: what an earlier process left is told as soon as the store can be read."""
        with monkeypatch.context() as broken:
            broken.setattr(recovery, "recover", mock.Mock(side_effect=store.StoreError("torn")))
            with pytest.raises(store.StoreError, match="torn"):
                scheduler.recover()
            again = recovery.recover
            assert scheduler.recover() == 0
            assert again.call_count == 2, "a lock that is kept is waited for once at an occasion"
            assert home.state.pending == [again]
            again.side_effect = None
            scheduler.tick()
        assert again.call_count == 3
        assert home.state.pending == []

    def test_a_mark_that_never_succeeds_is_recoverable(self, home, monkeypatch):
        home.plant()
        with mock.patch.object(jobs, "mark_job_run", side_effect=OSError("broken")):
            scheduler.tick()
        home.restart()
        scheduler.recover()
        home.wait(hours=1)
        assert scheduler.tick() == 1

    def test_a_result_that_is_kept_is_stored_when_its_claim_is_over(self, home, caplog):
        """LIVE-6: a run of this very process, which knows its result, is not "interrupted"."""
        home.plant()
        with mock.patch.object(jobs, "mark_job_run", side_effect=OSError("broken")):
            scheduler.tick()
            home.wait(minutes=6)
            scheduler.tick()
        job = home.job()
        assert (job["last_status"], job["last_error"], job["fire_claim"]) == ("ok", None, None)
        assert job["last_run_at"] == "2026-03-02T08:00:00+00:00"
        caplog.clear()
        scheduler.tick()
        assert home.state.pending == []
        assert not caplog.records, "nothing was lost"
        assert home.trace() == [("completed", "08:00")]

    def test_a_last_result_that_is_kept_removes_its_job_when_its_claim_is_over(self, home):
        home.plant(repeat={"times": 1, "completed": 0})
        with mock.patch.object(jobs, "mark_job_run", side_effect=OSError("broken")):
            scheduler.tick()
            home.wait(minutes=6)
            scheduler.tick()
        assert home.gone()
        assert home.trace("job") == [("completed", "08:00")]

    def test_a_claim_that_another_took_meanwhile_keeps_no_result(self, home, caplog):
        """ONCE-7: what this process settled is its own result; what another settled is not."""
        home.plant()
        with (
            mock.patch.object(jobs, "mark_job_run", side_effect=OSError("broken")),
            mock.patch.object(executions, "append"),  # nor is it told
        ):
            scheduler.tick()
        mine = home.state
        home.restart()
        home.wait(minutes=6)
        scheduler.recover()
        home.state = mine
        scheduler.tick()
        assert home.job()["last_status"] == "error"
        assert "the claim for 2026-03-02T08:00:00+00:00 had been lost" in caplog.text

    def test_without_evidence_of_the_start_nothing_starts(self, home, monkeypatch):
        home.plant(schedule={"kind": "once", "run_at": at(home)}, repeat={"times": 1})
        assert jobs.claim_job_for_fire("job")
        claimed = jobs.get_job("job")
        with monkeypatch.context() as broken:
            disk_full(broken)
            scheduler.run_one_job(claimed)
        assert home.ran == []
        assert scheduler.tick() == 1, "given back as soon as the store takes it"
        assert home.ran == ["job"]

    def test_a_webhooks_run_is_the_same_path(self, home):
        """FIRE-1."""
        home.plant()
        claims.reserve("job", at(home))
        assert scheduler_provider.InProcessCronScheduler().fire_due("job") is True
        assert home.trace() == [("completed", "08:00")]
        assert scheduler_provider.InProcessCronScheduler().fire_due("nobody") is False


class TestNotify:
    class Provider:
        name = "mine"

        def __init__(self, error=None):
            self.heard = 0
            self.error = error

        def on_jobs_changed(self):
            self.heard += 1
            if self.error:
                raise self.error

    def test_the_provider_of_this_process_hears_of_each_change_once(self, home):
        """RECON-11."""
        provider = home.state.provider = self.Provider()
        job = jobs.create_job("x", "every 1h")
        jobs.pause_job(job["id"])
        jobs.resume_job(job["id"])
        jobs.trigger_job(job["id"])
        jobs.update_job(job["id"], {"name": "y"})
        jobs.remove_job(job["id"])
        assert provider.heard == 6

    @pytest.mark.parametrize("error", [ValueError("x"), SystemExit(1)])
    def test_a_provider_that_raises_stops_no_change(self, home, error):
        home.state.provider = self.Provider(error)
        jobs.create_job("x", "every 1h")
        assert len(jobs.load_jobs()) == 1

    def test_without_a_gateway_only_an_external_one_is_asked_for(self, home):
        provider = self.Provider()
        with mock.patch.object(
            scheduler_provider, "resolve_cron_scheduler", return_value=provider
        ) as resolve:
            scheduler._notify_provider_jobs_changed()
            resolve.assert_not_called()
            (home.path / "config.yaml").write_text("cron: {provider: mine}")
            scheduler._notify_provider_jobs_changed()
        assert provider.heard == 1


@pytest.mark.parametrize(
    ("text", "silent"),
    [
        ("[SILENT]", True),
        (" no_reply \n", True),
        ("[silent] nothing new", True),
        ("all quiet\n\n[SILENT]", True),
        ("I stay [SILENT] about this", False),
        ("Silent retry worked", False),
        ("", False),
    ],
)
def test_what_counts_as_silence(text, silent):
    assert delivery.is_silence(text) is silent


class TestDelivery:
    def test_local_is_delivered_by_being_kept(self):
        assert scheduler._deliver_result({"deliver": "local"}, "x") is None
        assert scheduler._deliver_result({}, "x") is None
        assert scheduler._deliver_result({"deliver": "origin"}, "x") is None

    def test_what_nobody_delivers_to_is_a_recorded_error(self, home):
        home.plant(deliver="pigeon:7")
        scheduler.tick()
        assert "pigeon" in home.job()["last_delivery_error"]
        assert home.job()["last_status"] == "ok"

    def test_deliverers_are_plugged_in(self, monkeypatch):
        class Point:
            name = "pigeon"
            value = "x"

            def load(self):
                return lambda job, text, *, target, adapters, loop: f"{target} is ill: {text}"

        monkeypatch.setattr(delivery, "entry_points", lambda **_: [Point()])
        said = delivery.deliver({"deliver": "local,pigeon:7"}, "coo")
        assert said == "delivery to 'pigeon:7' failed: pigeon:7 is ill: coo"


def wait_until(true, timeout_s=5.0):
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.005)


def finish():
    """Wait until nothing runs in this process."""
    wait_until(lambda: not process.current().running)


def test_a_tick_of_a_loop_says_that_it_is_under_way_and_how_it_failed(home, monkeypatch):
    seen = []

    def look():
        seen.append(
            json.loads(store.current_store().read_signal(f"ticker-{process.current().pid}"))
        )
        raise RuntimeError("no look")

    heartbeat.loop_began(60)
    jobs.record_ticker_heartbeat()
    monkeypatch.setattr(jobs, "get_due_jobs", look)
    with pytest.raises(RuntimeError, match="no look"):
        scheduler.tick(verbose=False)
    assert seen[0]["tick_since"] is not None
    jobs.record_ticker_heartbeat()
    told = json.loads(store.current_store().read_signal(f"ticker-{process.current().pid}"))
    assert told["tick_since"] is None
    assert told["error"] == "RuntimeError: no look"


def test_a_tick_that_finds_nothing_to_do_is_not_written_down(home, monkeypatch):
    """An idle loop writes three small files a tick, not four."""
    written = []
    write = type(store.current_store()).write_signal

    def count(self, name, text):
        written.append((name, 'tick_since": null' in text))
        write(self, name, text)

    monkeypatch.setattr(type(store.current_store()), "write_signal", count)
    home.plant(next_run_at=at(home, minutes=1))
    heartbeat.loop_began(60)
    scheduler.tick(verbose=False)
    written.clear()
    scheduler.tick(verbose=False)
    assert written == []
    jobs.record_ticker_heartbeat(success=True)
    assert len(written) == 3
    written.clear()
    home.wait(minutes=1)
    scheduler.tick(verbose=False)
    name = f"ticker-{process.current().pid}"
    assert written == [(name, False)], "said once, however much there is to do"


def test_a_single_tick_of_a_command_leaves_no_evidence_of_a_loop(home):
    scheduler.tick(verbose=False)
    assert not [name for name in store.current_store().signals() if name.startswith("ticker-")]


def test_a_corrupt_jobs_file_is_kept_aside_by_a_tick(home):
    jobs.create_job("x", "every 1h")
    jobs.JOBS_FILE.write_text("{ not json", encoding="utf-8")
    with pytest.raises(store.StoreUnreadable):
        scheduler.tick(verbose=False)
    kept = list(jobs.JOBS_FILE.parent.glob("jobs.json.corrupt-*"))
    assert [one.read_text(encoding="utf-8") for one in kept] == ["{ not json"]
