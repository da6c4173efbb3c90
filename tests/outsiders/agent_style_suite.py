"""A test file as hermes-agent's have it: its import paths, its places to patch, a real thread.

Run by tests/hermes_cron/test_compat.py, under `pytest -p hermes_cron.compat`.
"""

import argparse
import json
import shutil
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from unittest.mock import MagicMock, patch

import pytest

PLUGIN = Path(__file__).parent / "clockwork"


@pytest.fixture(autouse=True)
def hermes_home(tmp_path, monkeypatch):
    home = tmp_path / ".hermes"
    home.mkdir()
    monkeypatch.setenv("HERMES_HOME", str(home))
    monkeypatch.setenv("HERMES_TIMEZONE", "UTC")
    return home


def run_until(start, done, **kwargs):
    """Run a loop in a thread until `done`, then stop it."""
    stop = threading.Event()
    thread = threading.Thread(target=start, args=(stop,), kwargs=kwargs, daemon=True)
    thread.start()
    deadline = time.time() + 5
    while not done() and time.time() < deadline:
        time.sleep(0.001)
    stop.set()
    thread.join(timeout=5)
    assert not thread.is_alive()
    assert done()


def due_job(**kwargs):
    from cron.jobs import create_job, update_job

    job = create_job(prompt="say hello", schedule="every 1h", name="hello", **kwargs)
    past = (datetime.now(timezone.utc) - timedelta(seconds=30)).isoformat()
    return update_job(job["id"], {"next_run_at": past})


class TestInProcessLoop:
    def test_ticks_back_to_back_and_beats(self):
        from cron.scheduler_provider import InProcessCronScheduler

        with (
            patch("cron.scheduler.tick") as tick,
            patch("cron.jobs.record_ticker_heartbeat") as beat,
        ):
            run_until(InProcessCronScheduler().start, lambda: tick.call_count >= 3, interval=0)
        assert tick.call_args.kwargs == dict(verbose=False, adapters=None, loop=None, sync=False)
        assert beat.call_args_list[0].kwargs == {"success": False}
        assert beat.call_args_list[1].kwargs == {"success": True}

    @pytest.mark.parametrize("error", [RuntimeError, SystemExit, KeyboardInterrupt])
    def test_survives_what_a_tick_raises(self, error, caplog):
        from cron.scheduler_provider import InProcessCronScheduler

        with (
            patch("cron.scheduler.tick", side_effect=error("boom")) as tick,
            patch("cron.jobs.record_ticker_heartbeat") as beat,
        ):
            run_until(InProcessCronScheduler().start, lambda: tick.call_count >= 3, interval=0)
        assert not any(call.kwargs["success"] for call in beat.call_args_list)
        assert "Cron tick error" in caplog.text

    def test_old_entry_points(self):
        from gateway.run import _start_cron_ticker
        from hermes_cli.web_server import _start_desktop_cron_ticker

        for start in (_start_cron_ticker, _start_desktop_cron_ticker):
            with patch("cron.scheduler.tick") as tick:
                run_until(start, lambda: tick.call_count >= 2, interval=0)

    def test_runs_a_due_job(self, monkeypatch):
        import cron.jobs as jobs
        import cron.scheduler as sched

        ran = []
        monkeypatch.setattr(
            sched, "run_job", lambda job: ran.append(job["id"]) or (True, "o", "t", None)
        )
        job = due_job()
        assert sched.tick(verbose=False) == 1
        assert ran == [job["id"]]
        assert jobs.get_job(job["id"])["last_status"] == "ok"


class TestFireDue:
    def fire(self, won):
        from plugins.cron.chronos import ChronosCronScheduler

        job = due_job()
        provider = ChronosCronScheduler()
        provider._client = MagicMock()
        with (
            patch("cron.jobs.claim_job_for_fire", return_value=won) as claim,
            patch("cron.scheduler.run_one_job", return_value=True) as run,
        ):
            fired = provider.fire_due(job["id"], adapters={"a": 1})
        claim.assert_called_once_with(job["id"])
        return fired, run

    def test_lost_claim_runs_nothing(self):
        fired, run = self.fire(won=False)
        assert fired is False
        run.assert_not_called()

    def test_won_claim_runs_on_the_shared_path(self):
        fired, run = self.fire(won=True)
        assert fired is True
        assert run.call_args.kwargs["adapters"] == {"a": 1}


class TestStorePaths:
    def test_patched_cron_dir_wins(self, tmp_path, hermes_home, monkeypatch):
        monkeypatch.setattr("cron.jobs.CRON_DIR", tmp_path / "elsewhere")
        monkeypatch.setattr("cron.jobs.JOBS_FILE", tmp_path / "elsewhere" / "jobs.json")
        monkeypatch.setattr("cron.jobs.OUTPUT_DIR", tmp_path / "elsewhere" / "output")
        import cron.jobs as jobs

        job = jobs.create_job(prompt="x", schedule="30m")
        jobs.save_job_output(job["id"], "text")
        jobs.record_ticker_heartbeat()
        stored = json.loads((tmp_path / "elsewhere" / "jobs.json").read_text())
        assert stored["jobs"][0]["id"] == job["id"]
        assert (tmp_path / "elsewhere" / "ticker_heartbeat").exists()
        assert jobs._jobs_lock_file() == tmp_path / "elsewhere" / ".jobs.lock"
        assert list(jobs._job_output_dir(job["id"]).glob("*.md"))
        assert not (hermes_home / "cron").exists()

    def test_patched_home_and_clock(self, tmp_path):
        at = datetime(2026, 3, 2, 9, 0, tzinfo=timezone.utc)
        with (
            patch("hermes_constants.get_hermes_home", return_value=tmp_path / "other"),
            patch("hermes_time.now", return_value=at),
        ):
            import cron.jobs as jobs

            assert jobs.CRON_DIR == tmp_path / "other" / "cron"
            assert (
                jobs.compute_next_run({"kind": "interval", "minutes": 5})
                == "2026-03-02T09:05:00+00:00"
            )
        from hermes_constants import get_hermes_home

        assert get_hermes_home() == tmp_path / ".hermes"


class TestResolver:
    def resolve(self, provider):
        from cron.scheduler_provider import resolve_cron_scheduler

        with patch("hermes_cli.config.load_config", return_value={"cron": {"provider": provider}}):
            return resolve_cron_scheduler()

    def test_default_is_builtin(self):
        from hermes_cli.config import DEFAULT_CONFIG, cfg_get

        assert cfg_get(DEFAULT_CONFIG, "cron", "provider", default="x") == ""
        assert self.resolve("").name == "builtin"

    @pytest.mark.parametrize("package", ["plugins.cron", "plugins.cron_providers"])
    def test_named_provider_is_loaded(self, package):
        from cron.scheduler_provider import InProcessCronScheduler

        class Named(InProcessCronScheduler):
            name = "named"

        named = Named()
        with patch(f"{package}.load_cron_scheduler", return_value=named) as load:
            assert self.resolve("named") is named
        load.assert_called_once_with("named")

    def test_unknown_provider_falls_back(self, caplog):
        assert self.resolve("nope").name == "builtin"
        assert "nope" in caplog.text and "using built-in ticker" in caplog.text

    def test_unreadable_config_falls_back(self):
        from cron.scheduler_provider import resolve_cron_scheduler

        with patch("hermes_cli.config.load_config", side_effect=OSError("gone")):
            assert resolve_cron_scheduler().name == "builtin"

    def test_folder_plugin(self, hermes_home):
        from cron.scheduler_provider import CronScheduler
        from plugins.cron import discover_cron_schedulers, find_provider_dir

        folder = Path(shutil.copytree(PLUGIN, hermes_home / "plugins" / "clockwork"))
        assert "clockwork" in [row[0] for row in discover_cron_schedulers()]
        assert find_provider_dir("clockwork") == folder
        provider = self.resolve("clockwork")
        assert isinstance(provider, CronScheduler) and provider.name == "clockwork"
        with (
            patch("cron.scheduler.tick") as tick,
            patch("cron.jobs.record_ticker_heartbeat") as beat,
        ):
            run_until(provider.start, lambda: beat.call_count >= 2, interval=0)
        assert tick.called


class TestChronos:
    def test_configuration_is_read_through_cfg(self, monkeypatch):
        import plugins.cron_providers.chronos as chronos

        values = {"portal_url": "https://portal.test", "callback_url": "https://agent.test"}
        monkeypatch.setattr(
            chronos, "_cfg", lambda *keys, default="": values.get(keys[-1], default)
        )
        provider = chronos.ChronosCronScheduler()
        assert provider.is_available() is False
        with patch("hermes_cli.auth.get_provider_auth_state", return_value={"access_token": "t"}):
            assert provider.is_available() is True

    def test_reconcile_arms_what_is_missing(self):
        from plugins.cron.chronos import ChronosCronScheduler
        from plugins.cron.chronos._nas_client import NasCronClientError

        job = due_job()
        provider = ChronosCronScheduler()
        provider._client = MagicMock()
        provider._client.list_armed.side_effect = NasCronClientError("down")
        provider._armed = {"orphan": "2026-01-01T00:00:00+00:00"}
        provider.reconcile()
        assert provider._client.provision.call_args.kwargs["job_id"] == job["id"]
        provider._client.cancel.assert_called_once_with(job_id="orphan")


class TestStatus:
    def status(self, capsys, pids, beat=1.0, success=1.0):
        from hermes_cli.cron import cron_status

        with (
            patch("hermes_cli.gateway.find_gateway_pids", return_value=pids),
            patch("cron.jobs.get_ticker_heartbeat_age", return_value=beat),
            patch("cron.jobs.get_ticker_success_age", return_value=success),
        ):
            cron_status()
        return capsys.readouterr().out

    def test_healthy(self, capsys):
        assert "will fire automatically" in self.status(capsys, [4242])

    def test_no_gateway(self, capsys):
        out = self.status(capsys, [])
        assert "is not running" in out and "will NOT fire" in out

    def test_stalled(self, capsys):
        assert "STALLED" in self.status(capsys, [4242], beat=900.0)

    def test_failing(self, capsys):
        assert "no tick has succeeded" in self.status(capsys, [4242], success=900.0)

    def test_external_is_never_stalled(self, capsys, monkeypatch):
        monkeypatch.setattr("hermes_cli.cron._active_cron_provider_name", lambda: "chronos")
        out = self.status(capsys, [], beat=900.0)
        assert "managed scheduler" in out and "STALLED" not in out

    def test_commands(self, capsys):
        import cron.jobs as jobs
        from hermes_cli.cron import cron_command

        def run(**args):
            return cron_command(argparse.Namespace(**args))

        assert run(cron_command="create", schedule="every 2h", prompt="look", name="looker") == 0
        (job,) = jobs.list_jobs()
        assert run(cron_command="pause", job_id=job["id"]) == 0
        assert jobs.list_jobs() == []
        assert run(cron_command="resume", job_id=job["id"]) == 0
        assert run(cron_command="list", all=False) == 0
        assert "looker" in capsys.readouterr().out
        assert run(cron_command="remove", job_id=job["id"]) == 0
        assert run(cron_command="remove", job_id=job["id"]) == 1
        assert run(cron_command=None) == 0
        with pytest.raises(SystemExit):
            run(cron_command="fly")


class TestWebhook:
    @pytest.fixture
    def client(self):
        from starlette.testclient import TestClient

        from hermes_cli.web_server import app

        return TestClient(app)

    @pytest.fixture
    def trusted(self):
        with patch(
            "plugins.cron.chronos.verify.get_fire_verifier",
            return_value=lambda **kw: {"sub": "nas"},
        ):
            yield {"headers": {"Authorization": "Bearer good"}}

    def test_bad_token(self, client):
        assert client.post("/api/cron/fire", json={"job_id": "x"}).status_code == 401

    def test_missing_and_gone(self, client, trusted):
        assert client.post("/api/cron/fire", json={}, **trusted).status_code == 400
        answer = client.post("/api/cron/fire", json={"job_id": "gone"}, **trusted)
        assert (answer.status_code, answer.json()["status"]) == (200, "gone")

    def test_accepted_and_dispatched(self, client, trusted):
        job = due_job()
        fired = threading.Event()
        seen = []

        def fire(profile, job_id):
            seen.append(job_id)
            fired.set()
            return True

        with patch("hermes_cli.web_server._fire_cron_job_for_profile", fire):
            answer = client.post("/api/cron/fire", json={"job_id": job["id"]}, **trusted)
            assert fired.wait(5)
        assert answer.status_code == 202
        assert seen == [job["id"]]

    def test_accepted_and_run(self, client, trusted, monkeypatch):
        import cron.jobs as jobs

        monkeypatch.setattr("cron.scheduler.run_job", lambda job: (True, "o", "t", None))
        job = due_job()
        assert (
            client.post("/api/cron/fire", json={"job_id": job["id"]}, **trusted).status_code == 202
        )
        deadline = time.time() + 5
        while jobs.get_job(job["id"])["last_status"] != "ok" and time.time() < deadline:
            time.sleep(0.01)
        assert jobs.get_job(job["id"])["last_status"] == "ok"


class TestPrivateNames:
    def test_a_running_job_is_not_due(self):
        import cron.scheduler as sched

        job = due_job()
        sched._running_job_ids.add(job["id"])
        try:
            assert job["id"] in sched._running_job_ids
            assert sched.tick(verbose=False) == 0
        finally:
            sched._running_job_ids.clear()
        assert sched._running_job_ids == set()

    def test_pool_shutdown_waits(self, monkeypatch):
        import cron.jobs as jobs
        import cron.scheduler as sched

        def slow(job):
            time.sleep(0.05)
            return True, "o", "t", None

        monkeypatch.setattr(sched, "run_job", slow)
        job = due_job()
        assert sched.tick(verbose=False, sync=False) == 1
        sched._shutdown_parallel_pool()
        assert jobs.get_job(job["id"])["last_status"] == "ok"

    def test_delivery_seam(self, monkeypatch):
        import cron.scheduler as sched

        deliver = MagicMock(return_value="no route")
        monkeypatch.setattr(sched, "_deliver_result", deliver)
        monkeypatch.setattr(sched, "run_job", lambda job: (True, "o", "hello", None))
        assert sched.run_one_job({"id": "loose", "name": "loose", "prompt": "x"})
        assert deliver.call_args.args[1] == "hello"

    def test_files_are_private(self, hermes_home):
        import cron.jobs as jobs
        import hermes_time

        hermes_time.reset_cache()
        jobs.ensure_dirs()
        assert jobs.OUTPUT_DIR.stat().st_mode & 0o777 == 0o700
        path = hermes_home / "f"
        path.touch(0o644)
        jobs._secure_file(path)
        assert path.stat().st_mode & 0o777 == 0o600
        for bad in ("../x", "", "a/b"):
            with pytest.raises(ValueError):
                jobs._job_output_dir(bad)
        assert jobs._ensure_aware(datetime(2026, 1, 1)).isoformat() == "2026-01-01T00:00:00+00:00"
        assert jobs.HAS_CRONITER

    def test_cron_package(self):
        import cron

        assert cron.create_job(prompt="x", schedule="1h")["id"]
        assert cron.tick(verbose=False) == 0
        assert isinstance(cron.JOBS_FILE, Path)
