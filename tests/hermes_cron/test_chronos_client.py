"""The three calls to NAS: what counts as an answer, and what a failure says."""

import json
import sys
from pathlib import Path
from unittest import mock

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from nas_bench import TOKEN, NasBench

from hermes_cron import auth
from hermes_cron.plugins.chronos import _nas_client
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
    with pytest.raises(NasCronClientError) as caught:
        client.list_armed()
    assert str(caught.value) == "no Nous access token: OSError: network is down"
    assert caught.value.reason == "token"


@pytest.mark.parametrize("url", ["", "portal", "ftp://portal", "https://", "http://[::1"])
def test_a_portal_that_is_no_url(bench, url):
    with pytest.raises(NasCronClientError) as caught:
        NasCronClient(url).list_armed()
    assert caught.value.reason == "url"


@pytest.fixture
def sent(monkeypatch):
    """The requests of clients made by `captured`."""
    monkeypatch.setattr(auth, "resolve_nous_access_token", lambda: TOKEN)
    return []


def captured(sent, *, response=None, portal="https://portal.example.test/X//", **options):
    """A client whose requests are noted, and answered as told."""

    def answer(request):
        request.read()
        sent.append(request)
        return response or httpx.Response(200, json={"schedule_id": "s", "armed": []})

    client = NasCronClient(portal, **options)
    client._http = httpx.Client(transport=httpx.MockTransport(answer))
    return client


COMMON = {
    b"Host": b"portal.example.test",
    b"Authorization": f"Bearer {TOKEN}".encode(),
    b"Accept": b"application/json",
    b"Accept-Encoding": b"identity",
    b"User-Agent": b"hermes-cron",
}


def test_a_request_to_the_letter(sent):
    client = captured(sent)
    client.provision(**ARM)
    client.cancel(job_id="j")
    client.list_armed()
    assert client.portal_url == "https://portal.example.test/X"
    posted = {b"Content-Type": b"application/json"}
    for request, method, call, body in zip(
        sent,
        ["POST", "POST", "GET"],
        ["provision", "cancel", "list"],
        [ARM, {"job_id": "j"}, None],
        strict=True,
    ):
        content = b"" if body is None else json.dumps(body).encode()
        more = {} if body is None else posted | {b"Content-Length": b"%d" % len(content)}
        assert (request.method, request.content) == (method, content)
        assert str(request.url) == f"https://portal.example.test/X/api/agent-cron/{call}"
        assert dict(request.headers.raw) == COMMON | more


def test_a_portal_may_be_near_and_plain(sent):
    captured(sent, portal="http://localhost:8080").list_armed()
    assert str(sent[0].url) == "http://localhost:8080/api/agent-cron/list"
    assert sent[0].headers["host"] == "localhost:8080"


@pytest.mark.parametrize(
    ("options", "connect_s", "rest_s"),
    [({}, 5, 15), ({"timeout_seconds": 4}, 4, 4), ({"timeout_seconds": 6}, 5, 6)],
)
def test_what_is_waited_for(sent, options, connect_s, rest_s):
    client = captured(sent, **options)
    assert client.timeout_seconds == rest_s
    client.list_armed()
    waits = {"connect": connect_s, "read": rest_s, "write": rest_s, "pool": rest_s}
    assert sent[0].extensions["timeout"] == waits


def test_what_a_request_is_made_of_is_kept_while_the_token_stands(sent, monkeypatch):
    client = captured(sent)
    client.list_armed()
    with mock.patch("httpx.URL", side_effect=AssertionError):
        kept = client._headers
        client.list_armed()
        assert client._headers is kept
    monkeypatch.setattr(auth, "resolve_nous_access_token", lambda: "another")
    client.list_armed()
    assert [request.headers["authorization"] for request in sent] == [
        f"Bearer {TOKEN}",
        f"Bearer {TOKEN}",
        "Bearer another",
    ]


def test_an_answer_leads_nowhere_else_and_leaves_nothing_behind(bench, client):
    client.list_armed()
    http = client._http
    assert (http.follow_redirects, dict(http.cookies)) == (False, {})
    with pytest.raises(AttributeError, match="without cookies, not with 5"):
        http.cookies = 5


def test_the_certificates_are_loaded_once(sent):
    client = NasCronClient("https://portal.example.test")
    with mock.patch.object(_nas_client, "_Client") as made:
        client._client()
    made.assert_called_once_with(verify=_nas_client.tls(), follow_redirects=False)
    assert _nas_client.tls() is _nas_client.tls()


LIST = "/api/agent-cron/list"
WRONG = f"{LIST}: the answer is not the contract's"


@pytest.mark.parametrize(
    ("response", "said"),
    [
        (
            httpx.Response(403, text="n" * 300),
            f"GET {LIST} was answered 403: {'n' * 200}",
        ),
        (
            httpx.Response(200, text="<" * 100),
            f"{WRONG}: not JSON: {b'<' * 80!r}",
        ),
        (
            httpx.Response(200, json=[]),
            f"{WRONG}: a JSON list, not an object",
        ),
        (
            httpx.Response(200, json={}),
            WRONG + ': "armed" is not a list of {job_id, fire_at}',
        ),
    ],
    ids=["status", "html", "list", "shape"],
)
def test_what_is_said_of_an_answer(sent, response, said):
    with pytest.raises(NasCronClientError) as caught:
        captured(sent, response=response).list_armed()
    assert str(caught.value) == said


def test_what_is_said_of_the_other_two(sent):
    client = captured(sent, response=httpx.Response(200, json={"ok": 1}))
    wrong = "/api/agent-cron/{}: the answer is not the contract's: {}"
    with pytest.raises(NasCronClientError) as caught:
        client.provision(**ARM)
    assert str(caught.value) == wrong.format("provision", 'no "schedule_id"')
    with pytest.raises(NasCronClientError) as caught:
        client.cancel(job_id="j")
    assert str(caught.value) == wrong.format("cancel", '"ok" is not true')
    assert caught.value.reason == "answer"
    client = captured(sent, response=httpx.Response(500, text="no"))
    with pytest.raises(
        NasCronClientError, match=r"^POST /api/agent-cron/provision was answered 500"
    ):
        client.provision(**ARM)
    with pytest.raises(NasCronClientError, match=r"^POST /api/agent-cron/cancel was answered 500"):
        client.cancel(job_id="j")


def test_what_is_said_without_an_answer(bench, client, monkeypatch):
    bench.goes_wrong("nas.list", error="ConnectError")
    with pytest.raises(NasCronClientError, match=f"^GET {LIST} failed: ConnectError: ") as caught:
        client.list_armed()
    assert isinstance(caught.value.__cause__, httpx.ConnectError)
    with pytest.raises(NasCronClientError) as caught:
        NasCronClient("ftp://portal").list_armed()
    assert str(caught.value) == (
        f"GET {LIST}: the portal URL 'ftp://portal' is not a URL: "
        "http:// or https:// and a host are needed"
    )


def test_an_error_without_more_has_a_reason_too():
    assert NasCronClientError("said").reason == "unknown"


def test_a_client_that_made_no_call_has_nothing_to_close(client):
    client.close()


def test_nothing_but_nas_is_answered(bench):
    with pytest.raises(UnexpectedRequestError, match=r"GET https://elsewhere\.test/x"):
        httpx.get("https://elsewhere.test/x")
