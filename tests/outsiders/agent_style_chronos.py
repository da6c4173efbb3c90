"""Chronos as hermes-agent's own tests use it: a double for the client, keys of the test's own.

Run by tests/hermes_cron/test_compat.py under `pytest -p hermes_cron.compat`. It also holds, as it
stands, against hermes-agent 0.17 and 0.19 themselves.
"""

import importlib
import threading
import time
from datetime import datetime
from unittest.mock import MagicMock, patch

import pytest

try:
    chronos = importlib.import_module("plugins.cron_providers.chronos")
except ImportError:  # before 0.18
    chronos = importlib.import_module("plugins.cron.chronos")
client_module = importlib.import_module(f"{chronos.__name__}._nas_client")
verify = importlib.import_module(f"{chronos.__name__}.verify")

AT = "2030-06-01T12:00:00+00:00"
SETTINGS = {
    "portal_url": "https://portal.test",
    "callback_url": "https://agent.test",
    "expected_audience": "agent:me",
}


@pytest.fixture(autouse=True)
def configured(tmp_path, monkeypatch):
    monkeypatch.setenv("HERMES_HOME", str(tmp_path))
    monkeypatch.setattr(chronos, "_cfg", lambda *keys, default="": SETTINGS.get(keys[-1], default))


@pytest.fixture
def provider():
    made = chronos.ChronosCronScheduler()
    made._client = MagicMock()
    made._client.list_armed.return_value = []
    return made


def job(**more):
    return {
        "id": "j1",
        "name": "j1",
        "enabled": True,
        "state": "scheduled",
        "schedule": {"kind": "interval", "minutes": 60},
        "next_run_at": AT,
    } | more


def stored(*found):
    """The store holds these jobs."""
    return patch.multiple(
        "cron.jobs",
        load_jobs=MagicMock(return_value=list(found)),
        list_jobs=MagicMock(return_value=list(found)),
        get_job=MagicMock(side_effect=lambda key: {one["id"]: one for one in found}.get(key)),
    )


class TestAvailability:
    @pytest.mark.parametrize("missing", ["portal_url", "callback_url"])
    def test_each_setting_is_needed(self, provider, monkeypatch, missing):
        values = SETTINGS | {missing: ""}
        monkeypatch.setattr(
            chronos, "_cfg", lambda *keys, default="": values.get(keys[-1], default)
        )
        monkeypatch.setattr(provider, "_have_nous_token", lambda: True)
        assert provider.is_available() is False

    @pytest.mark.parametrize("logged_in", [True, False])
    def test_and_a_login(self, provider, monkeypatch, logged_in):
        monkeypatch.setattr(provider, "_have_nous_token", lambda: logged_in)
        assert provider.is_available() is logged_in

    def test_its_names(self, provider):
        assert provider.name == "chronos"
        assert provider._callback_url() == "https://agent.test"
        assert provider._get_client() is provider._client

    def test_it_registers_itself(self):
        context = MagicMock()
        chronos.register(context)
        (registered,) = context.register_cron_scheduler.call_args.args
        assert isinstance(registered, chronos.ChronosCronScheduler)


class TestArming:
    def test_what_is_sent(self, provider):
        provider._arm_one_shot(job())
        sent = provider._client.provision.call_args.kwargs
        assert sent.keys() == {"job_id", "fire_at", "agent_callback_url", "dedup_key"}
        assert (sent["job_id"], sent["agent_callback_url"]) == ("j1", "https://agent.test")
        assert datetime.fromisoformat(sent["fire_at"]) == datetime.fromisoformat(AT)
        assert sent["dedup_key"] == f"j1:{sent['fire_at']}"

    def test_without_a_next_time_nothing_is_sent(self, provider):
        provider._arm_one_shot(job(next_run_at=None))
        provider._client.provision.assert_not_called()

    def test_cancelling(self, provider):
        provider._armed = {"j1": AT}
        provider._cancel("j1")
        provider._client.cancel.assert_called_once_with(job_id="j1")
        assert "j1" not in provider._armed


class TestReconcile:
    def test_what_is_missing_is_armed_and_orphans_go(self, provider):
        provider._client.list_armed.return_value = [
            {"job_id": "orphan", "fire_at": AT, "schedule_id": "s"}
        ]
        with stored(job()):
            provider.reconcile()
        assert provider._client.provision.call_args.kwargs["job_id"] == "j1"
        provider._client.cancel.assert_called_once_with(job_id="orphan")

    def test_what_is_armed_at_its_time_is_left(self, provider):
        provider._client.list_armed.return_value = [
            {"job_id": "j1", "fire_at": AT, "schedule_id": "s"}
        ]
        with stored(job()):
            provider.reconcile()
        provider._client.provision.assert_not_called()
        provider._client.cancel.assert_not_called()

    @pytest.mark.parametrize("change", [{"enabled": False, "state": "paused"}])
    def test_what_rests_is_not_armed(self, provider, change):
        with stored(job(**change)):
            provider.reconcile()
        provider._client.provision.assert_not_called()

    def test_one_failing_job_stops_no_other(self, provider):
        provider._client.provision.side_effect = [client_module.NasCronClientError("no"), {}]
        with stored(job(), job(id="j2")):
            provider.reconcile()
        assert provider._client.provision.call_count == 2

    def test_a_change_reconciles(self, provider):
        with stored(job()):
            provider.on_jobs_changed()
        provider._client.provision.assert_called_once()

    def test_start_returns(self, provider):
        stop = threading.Event()
        with stored(job()):
            thread = threading.Thread(target=provider.start, args=(stop,), daemon=True)
            thread.start()
            thread.join(10)
        assert not thread.is_alive()
        provider._client.provision.assert_called_once()
        provider.stop()


class TestFiring:
    def fire(self, provider, won):
        with (
            stored(job()),
            patch("cron.jobs.claim_job_for_fire", return_value=won),
            patch("cron.scheduler.run_one_job", return_value=True) as run,
        ):
            return provider.fire_due("j1"), run.call_count

    def test_a_fire_that_won_runs_and_arms_the_next(self, provider):
        assert self.fire(provider, won=True) == (True, 1)
        assert provider._client.provision.call_args.kwargs["job_id"] == "j1"

    def test_a_fire_that_lost_runs_nothing(self, provider):
        assert self.fire(provider, won=False) == (False, 0)


class TestToken:
    @pytest.fixture(scope="class")
    def keys(self):
        from cryptography.hazmat.primitives.asymmetric import rsa
        from cryptography.hazmat.primitives.serialization import (
            Encoding,
            NoEncryption,
            PrivateFormat,
            PublicFormat,
        )

        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return private.decode(), public.decode()

    def verified(self, keys, key=None, algorithm="RS256", expected="agent:me", **claims):
        import jwt

        at = int(time.time())
        good = {
            "aud": "agent:me",
            "iss": "https://portal.test",
            "purpose": "cron_fire",
            "job_id": "j1",
            "exp": at + 60,
        }
        token = jwt.encode(good | claims, key or keys[0], algorithm=algorithm)
        return verify.get_fire_verifier()(
            token=token,
            expected_audience=expected,
            jwks_or_key=keys[1],
            issuer="https://portal.test",
        )

    def test_a_good_one_gives_its_claims(self, keys):
        assert self.verified(keys)["job_id"] == "j1"

    @pytest.mark.parametrize(
        "claims",
        [
            {"aud": "agent:other"},
            {"iss": "https://other.test"},
            {"purpose": "login"},
            {"purpose": None},
            {"exp": 1},
        ],
    )
    def test_a_wrong_one_gives_nothing(self, keys, claims):
        assert self.verified(keys, **claims) is None

    def test_a_secret_is_no_key(self, keys):
        assert (
            self.verified(keys, key="a-secret-that-is-long-enough-for-it", algorithm="HS256")
            is None
        )

    @pytest.mark.parametrize("token", ["", "x", "a.b.c"])
    def test_rubbish_gives_nothing_and_raises_nothing(self, keys, token):
        assert (
            verify.verify_nas_fire_token(
                token=token, expected_audience="agent:me", jwks_or_key=keys[1]
            )
            is None
        )

    def test_without_a_key_nothing_is_believed(self, keys):
        assert self.verified((keys[0], None)) is None
