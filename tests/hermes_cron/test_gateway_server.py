"""POST /api/cron/fire over HTTP: bounded bodies, bounded time, the answer of the gateway."""

import asyncio
import json
import threading

import httpx
import pytest

from hermes_cron import jobs, scheduler, server, webhook
from hermes_cron.plugins.chronos import verify


def app(seen, **settings):
    def receive(authorization, body):
        seen.append((authorization, body))
        return webhook.Answer(202, {"status": "accepted", "job_id": "a"})

    return server.create_app(receive, **settings)


def ask(application, method="POST", path=server.FIRE_PATH, **request):
    async def call():
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://agent") as client:
            return await client.request(method, path, **request)

    return asyncio.run(call())


def test_a_fire_reaches_the_gateway_and_its_answer_the_caller():
    seen = []
    answer = ask(app(seen), content=b'{"job_id": "a"}', headers={"Authorization": "Bearer x"})
    assert (answer.status_code, answer.json()) == (202, {"status": "accepted", "job_id": "a"})
    assert seen == [("Bearer x", b'{"job_id": "a"}')]


def test_without_a_header_the_gateway_is_told_so():
    seen = []
    ask(app(seen), content=b"{}")
    assert seen == [(None, b"{}")]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", server.FIRE_PATH, 405), ("POST", "/", 404), ("GET", "/docs", 404)],
)
def test_nothing_else_is_served(method, path, status):
    seen = []
    assert ask(app(seen), method, path).status_code == status
    assert seen == []


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large_is_413_and_not_kept(chunked):
    async def chunks():
        for _ in range(80):
            yield b"x" * 1024

    seen = []
    content = chunks() if chunked else b"x" * (webhook.MAX_BODY_BYTES + 1)
    answer = ask(app(seen), content=content)
    assert (answer.status_code, seen) == (413, [])
    assert answer.headers["connection"] == "close"


def test_the_largest_body_is_read():
    seen = []
    assert ask(app(seen), content=b"x" * webhook.MAX_BODY_BYTES).status_code == 202


def test_without_a_gateway_fires_go_to_the_provider_of_the_process(tmp_path, monkeypatch):
    monkeypatch.setenv("HERMES_HOME", str(tmp_path))
    monkeypatch.setattr(verify, "get_fire_verifier", lambda: lambda **_: {"ok": 1})
    ran = threading.Semaphore(0)
    monkeypatch.setattr(scheduler, "run_one_job", lambda job, **_: ran.release() or True)
    job = jobs.create_job("p", "every 1h", script="x.sh", no_agent=True)
    fire = {"job_id": job["id"]}
    answer = ask(server.standalone_app(), json=fire, headers={"Authorization": "Bearer x"})
    assert (answer.status_code, answer.json()) == (202, {"status": "accepted", **fire})
    assert ran.acquire(timeout=5)


def deliver(application, messages):
    """Call the application with a body that comes as `messages` say; an empty one never comes."""
    sent = []

    async def receive():
        if not messages:
            await asyncio.sleep(3600)
        return messages.pop(0)

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": server.FIRE_PATH,
        "raw_path": server.FIRE_PATH.encode(),
        "query_string": b"",
        "headers": [],
        "scheme": "http",
        "server": ("agent", 80),
        "client": ("nas", 1),
        "root_path": "",
    }
    asyncio.run(asyncio.wait_for(application(scope, receive, send), 5))
    return sent[0]["status"], json.loads(sent[1]["body"])


def test_a_body_that_does_not_come_is_400_within_the_time():
    seen = []
    part = {"type": "http.request", "body": b'{"job', "more_body": True}
    status, body = deliver(app(seen, read_timeout_s=0.05), [part])
    assert (status, seen) == (400, [])
    assert "0.05 s" in body["error"]


def test_a_body_that_is_cut_off_is_not_acted_on():
    seen = []
    part = {"type": "http.request", "body": b'{"job', "more_body": True}
    status, _ = deliver(app(seen), [part, {"type": "http.disconnect"}])
    assert (status, seen) == (400, [])


def test_a_port_in_use_is_an_error_with_its_reason():
    with server.listen("127.0.0.1", 0) as taken, pytest.raises(OSError, match="in use"):
        server.listen("127.0.0.1", taken.getsockname()[1])
