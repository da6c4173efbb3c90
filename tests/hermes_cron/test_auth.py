"""The stored Nous login: looked at without network, refreshed when needed, kept owner-only."""

import json
import os
import stat

import httpx
import pytest
import respx

from hermes_cron import auth, clock

NOW = 1_780_000_000.0
LATER = "2099-01-01T00:00:00+00:00"
PAST = "2020-01-01T00:00:00Z"


@pytest.fixture
def login(tmp_path, monkeypatch):
    monkeypatch.setenv("HERMES_HOME", str(tmp_path))
    monkeypatch.delenv("HERMES_PORTAL_BASE_URL", raising=False)
    monkeypatch.setattr(clock, "epoch", lambda: NOW)
    path = tmp_path / "auth.json"

    def write(**state):
        path.write_text(
            json.dumps({"version": 1, "other": 5, "providers": {"nous": state, "x": {}}})
        )
        return path

    return write


@respx.mock  # refuses every request: none of these may use the network
@pytest.mark.parametrize(
    "content", ["", "[", "[]", "{}", '{"providers": 1}', '{"providers": {"nous": 3}}']
)
def test_no_usable_login_is_none(tmp_path, monkeypatch, content):
    monkeypatch.setenv("HERMES_HOME", str(tmp_path))
    if content:
        (tmp_path / "auth.json").write_text(content)
    assert auth.get_provider_auth_state("nous") is None
    assert auth.resolve_nous_access_token() is None


@respx.mock
@pytest.mark.parametrize("expires_at", [LATER, None, "soon"])
def test_a_good_token_is_handed_out_as_it_is(login, expires_at):
    login(access_token="t1", expires_at=expires_at)
    assert auth.get_provider_auth_state("nous")["access_token"] == "t1"
    assert auth.resolve_nous_access_token() == "t1"


def test_an_expired_token_is_refreshed_and_the_new_pair_stored(login):
    path = login(
        access_token="t1", refresh_token="r1", expires_at=PAST, portal_base_url="https://portal/"
    )
    with respx.mock:
        route = respx.post("https://portal/api/oauth/token").respond(
            json={"access_token": "t2", "refresh_token": "r2", "expires_in": 900}
        )
        assert auth.resolve_nous_access_token() == "t2"
        assert auth.resolve_nous_access_token() == "t2"
    assert route.call_count == 1
    assert route.calls[0].request.headers["x-nous-refresh-token"] == "r1"
    stored = json.loads(path.read_text())
    assert stored["other"] == 5
    assert stored["providers"]["nous"]["refresh_token"] == "r2"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(one.name for one in path.parent.iterdir()) == ["auth.json", "auth.lock"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_roots_refresh_leaves_the_login_to_the_owner_of_the_home(login):
    """The gateway's user would not be logged in any more, and could not take the lock."""
    path = login(
        access_token="t1", refresh_token="r1", expires_at=PAST, portal_base_url="https://p"
    )
    for one in (path.parent, path):
        os.chown(one, 65534, 65533)
    with respx.mock:
        respx.post("https://p/api/oauth/token").respond(json={"access_token": "t2"})
        assert auth.resolve_nous_access_token() == "t2"
    owners = {(one.stat().st_uid, one.stat().st_gid) for one in path.parent.iterdir()}
    assert owners == {(65534, 65533)}


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(400, json={"error": "invalid_grant"}),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json={"access_token": ""}),
        httpx.ConnectError("down"),
    ],
)
def test_a_failed_refresh_is_said_and_keeps_the_stored_pair(login, caplog, answer):
    path = login(
        access_token="t1", refresh_token="r1", expires_at=PAST, portal_base_url="https://portal"
    )
    before = path.read_bytes()
    with respx.mock:
        respx.post("https://portal/api/oauth/token").mock(side_effect=[answer])
        assert auth.resolve_nous_access_token() is None
    assert "log in again" in caplog.text
    assert path.read_bytes() == before


def test_an_expired_token_without_a_way_to_refresh_is_none(login, caplog):
    login(access_token="t1", expires_at=PAST)
    assert auth.resolve_nous_access_token() is None
    assert "no refresh token" in caplog.text
