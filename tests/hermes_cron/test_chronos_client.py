"""The three calls to NAS: what counts as an answer, and what a failure says."""

import sys
from pathlib import Path

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from nas_bench import TOKEN, NasBench

from hermes_cron import auth
from hermes_cron.plugins.chronos._nas_client import NasCronClient, NasCronClientError
from simulator.nas_http import UnexpectedRequestError, mount_respx

ARM = {
    "job_id": "j",
    "fire_at": "2026-03-02T09:00:00+00:00",
    "agent_callback_url": "https://agent.test",
    "dedup_key": "j:2026-03-02T09:00:00+00:00",
}


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.setattr(auth, "resolve_nous_access_token", lambda: TOKEN)
    bench = NasBench()
    with mount_respx(bench.nas, sleep=bench.timer.advance):
        yield bench


@pytest.fixture
def client():
    return NasCronClient("https://portal.example.test/")


def test_the_calls_of_the_contract(bench, client):
    assert client.provision(**ARM) == {"schedule_id": "schedule-1"}
    assert client.list_armed() == [
        {"job_id": "j", "fire_at": ARM["fire_at"], "schedule_id": "schedule-1"}
    ]
    assert client.cancel(job_id="j") == {"ok": True}
    assert client.list_armed() == []
    assert client.cancel(job_id="j") == {"ok": True}


def test_one_http_client_is_kept_until_it_is_closed(bench, client):
    client.list_armed()
    kept = client._http
    client.list_armed()
    assert client._http is kept
    client.close()
    assert kept.is_closed
    assert client.list_armed() == []


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"status": 403}, "status-403"),
        ({"status": 500}, "status-500"),
        ({"status": 302}, "status-302"),
        ({"error": "ConnectError"}, "transport-ConnectError"),
        ({"error": "RemoteProtocolError"}, "transport-RemoteProtocolError"),
        ({"hang_us": 3_600_000_000}, "transport-ReadTimeout"),
        ({"body": "html"}, "answer"),
        ({"body": "shape"}, "answer"),
    ],
)
@pytest.mark.parametrize("call", ["provision", "list"])
def test_what_does_not_count_as_an_answer(bench, client, call, fault, reason):
    bench.goes_wrong(f"nas.{call}", **fault)
    with pytest.raises(NasCronClientError) as caught:
        client.provision(**ARM) if call == "provision" else client.list_armed()
    assert caught.value.reason == reason
    assert f"/api/agent-cron/{call}" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "not JSON"),
        (b"null", "a JSON NoneType"),
        (b"[]", "a JSON list"),
        (b"[" * 100_000, "not JSON"),
        (b"{}", "schedule_id"),
        (b'{"schedule_id": 5}', "schedule_id"),
        (b'{"schedule_id": ""}', "schedule_id"),
    ],
    ids=["empty", "null", "list", "deep", "object", "number", "blank"],
)
def test_the_shape_of_a_provision(client, monkeypatch, content, why):
    answers(client, monkeypatch, content)
    with pytest.raises(NasCronClientError, match=why):
        client.provision(**ARM)


@pytest.mark.parametrize(
    "armed",
    ["null", "{}", "[5]", "[{}]", '[{"job_id": "", "fire_at": "x"}]', '[{"job_id": "j"}]'],
)
def test_the_shape_of_a_list(client, monkeypatch, armed):
    answers(client, monkeypatch, b'{"armed": %s}' % armed.encode())
    with pytest.raises(NasCronClientError, match="not the contract's"):
        client.list_armed()


def test_the_shape_of_a_cancel(client, monkeypatch):
    answers(client, monkeypatch, b"{}")
    assert client.cancel(job_id="j") == {}
    answers(client, monkeypatch, b'{"ok": false}')
    with pytest.raises(NasCronClientError, match='"ok" is not true'):
        client.cancel(job_id="j")


def answers(client, monkeypatch, content):
    monkeypatch.setattr(auth, "resolve_nous_access_token", lambda: TOKEN)
    transport = httpx.MockTransport(lambda request: httpx.Response(200, content=content))
    client._http = httpx.Client(transport=transport)


def test_a_hanging_call_ends_by_its_own_time_out(bench):
    bench.goes_wrong("nas.list", hang_us=3_600_000_000)
    began = bench.timer.us
    with pytest.raises(NasCronClientError):
        NasCronClient("https://portal.example.test", timeout_seconds=4).list_armed()
    assert bench.timer.us - began == 4_000_000


@pytest.mark.parametrize("token", [None, ""])
def test_without_a_token_nothing_is_sent(bench, client, monkeypatch, token):
    monkeypatch.setattr(auth, "resolve_nous_access_token", lambda: token)
    with pytest.raises(NasCronClientError, match="log in to the portal") as caught:
        client.list_armed()
    assert caught.value.reason == "token"
    assert bench.calls() == []


def test_a_token_that_cannot_be_refreshed_fails_like_a_call(bench, client, monkeypatch):
    def resolve():
        raise OSError("network is down")

    monkeypatch.setattr(auth, "resolve_nous_access_token", resolve)
    with pytest.raises(NasCronClientError, match="network is down"):
        client.list_armed()


@pytest.mark.parametrize("url", ["", "portal", "ftp://portal", "https://", "http://[::1"])
def test_a_portal_that_is_no_url(bench, url):
    with pytest.raises(NasCronClientError) as caught:
        NasCronClient(url).list_armed()
    assert caught.value.reason == "url"


def test_nothing_but_nas_is_answered(bench):
    with pytest.raises(UnexpectedRequestError, match=r"GET https://elsewhere\.test/x"):
        httpx.get("https://elsewhere.test/x")
