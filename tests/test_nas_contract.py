"""One contract of NAS, over respx and over real HTTP on loopback.

The same sequence of calls, faults, answers and time is put to a fake under httpx and to one behind
a real server, in lockstep. After each step what the client returned or raised and what stands in
the registry must be the same in both, and what is armed must be what WIRE.md says.
"""

import asyncio
import json
import sys
import threading
import time
from pathlib import Path

import jwt
import pytest
import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

sys.path.insert(0, str(Path(__file__).parent))
from nas_bench import TOKEN, NasBench

from hermes_cron import auth, process
from hermes_cron.plugins.chronos._nas_client import NasCronClient, NasCronClientError
from hermes_cron.plugins.chronos.verify import verify_nas_fire_token
from simulator.nas_http import asgi_app, mount_respx

JOBS = st.sampled_from(["a", "b", "c"])
SECONDS = st.sampled_from([-60, 0, 1, 30, 90, 3600])
CALLS = st.sampled_from(["provision", "cancel", "list"])
FAULTS = st.sampled_from(
    [
        {"status": 403},
        {"status": 503, "after": True},
        {"body": "html"},
        {"body": "shape", "after": True},
        {"error": "ConnectError"},
        {"error": "ReadError", "after": True},
    ]
)
KEY = ec.generate_private_key(ec.SECP256R1())


class Server:
    """uvicorn on a free port of loopback; serves whatever app is put into it."""

    def __init__(self):
        self.app = None
        config = uvicorn.Config(self._dispatch, port=0, interface="asgi3", log_level="critical")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        until = time.monotonic() + 10
        while not self._server.started and time.monotonic() < until:
            time.sleep(0.005)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"

    def _run(self):
        asyncio.run(self._server.serve())

    async def _dispatch(self, scope, receive, send):
        await self.app(scope, receive, send)

    def close(self):
        self._server.should_exit = True
        self._thread.join(10)


class Side:
    """One of the two: a registry, a way to it, a client."""

    def __init__(self, url, server=None):
        self.bench = NasBench(lock=threading.RLock(), portal_url=url)
        if server is not None:
            server.app = asgi_app(self.bench.nas)
        self.mounted = server is None
        self.client = NasCronClient(url, timeout_seconds=10)

    def call(self, function):
        """What a call came to: its value, or the error's type and reason."""
        try:
            if not self.mounted:
                return function(self)
            with mount_respx(self.bench.nas, sleep=lambda seconds: None):
                return function(self)
        except NasCronClientError as error:
            transport = error.reason.startswith("transport-")
            return type(error).__name__, "transport" if transport else error.reason

    def state(self):
        events = [
            (kind, {**data, "reason": data.get("reason") is not None})
            for kind, data in self.bench.events
        ]
        self.bench.events.clear()
        return self.bench.nas.snapshot(), self.bench.deliveries, events


@pytest.fixture(scope="module")
def server():
    server = Server()
    yield server
    server.close()


class Contract(RuleBasedStateMachine):
    server: Server

    def __init__(self):
        super().__init__()
        self.sides = [Side("https://portal.example.test"), Side(self.server.url, self.server)]
        self.armed = {}
        self.token = TOKEN
        auth.resolve_nous_access_token = lambda: self.token

    @property
    def bench(self):
        return self.sides[0].bench

    def both(self, function):
        first, second = (side.call(function) for side in self.sides)
        assert first == second
        return first

    @rule(job=JOBS, in_s=SECONDS)
    def provision(self, job, in_s):
        fault = (self.bench.faults.get("nas.provision") or [None])[0]
        fire_at = self.bench.iso(in_s)
        value = self.both(
            lambda side: side.client.provision(
                job_id=job,
                fire_at=fire_at,
                agent_callback_url="https://agent.test",
                dedup_key=f"{job}:{fire_at}",
            )
        )
        assert isinstance(value, dict) is (fault is None and self.token == TOKEN)
        if self.token == TOKEN and (fault is None or fault.after):
            self.armed[job] = fire_at

    @rule(job=JOBS)
    def cancel(self, job):
        fault = (self.bench.faults.get("nas.cancel") or [None])[0]
        self.both(lambda side: side.client.cancel(job_id=job))
        if self.token == TOKEN and (fault is None or fault.after):
            self.armed.pop(job, None)

    @rule()
    def list_armed(self):
        fault = (self.bench.faults.get("nas.list") or [None])[0]
        value = self.both(lambda side: side.client.list_armed())
        if fault is None and self.token == TOKEN:
            assert {item["job_id"]: item["fire_at"] for item in value} == self.armed

    @rule(job=st.sampled_from(["", "a"]), fire_at=st.sampled_from(["", "x", "2026-03-02T08:00:00"]))
    def provision_wrongly(self, job, fire_at):
        value = self.both(
            lambda side: side.client.provision(
                job_id=job, fire_at=fire_at, agent_callback_url="x", dedup_key="y"
            )
        )
        assert value[0] == "NasCronClientError"

    @rule(token=st.sampled_from([TOKEN, "forged", None]))
    def use_token(self, token):
        self.token = token

    @rule(call=CALLS, fault=FAULTS)
    def go_wrong_next(self, call, fault):
        for side in self.sides:
            side.bench.goes_wrong(f"nas.{call}", **fault)

    @rule(fault=st.sampled_from([{"drop": True}, {"delay_us": 7_000_000}, {"duplicate_us": (3,)}]))
    def deliver_wrongly_next(self, fault):
        for side in self.sides:
            side.bench.goes_wrong("nas.deliver", **fault)

    @rule(seconds=st.sampled_from([0, 1, 10, 100, 4000]))
    def advance(self, seconds):
        for side in self.sides:
            side.bench.timer.advance(seconds)
        now = self.bench.iso(0)
        self.armed = {job: at for job, at in self.armed.items() if at > now}

    @precondition(lambda self: self.bench.deliveries)
    @rule(status=st.sampled_from([202, 200, 401, 503, None]), last=st.booleans())
    def answer(self, status, last):
        for side in self.sides:
            side.bench.nas.answer(side.bench.deliveries[-1 if last else 0], status)

    @rule()
    def forget(self):
        for side in self.sides:
            side.bench.nas.forget_all()
        self.armed = {}

    @invariant()
    def the_same_state_on_both_sides(self):
        (armed, deliveries, events), other = (side.state() for side in self.sides)
        assert (armed, deliveries, events) == other
        waiting = {job: at for job, at in self.armed.items() if at > self.bench.iso(0)}
        assert {job: at for job, at in armed.items() if at > self.bench.iso(0)} == waiting

    def teardown(self):
        for side in self.sides:
            side.client.close()


def test_one_contract_over_respx_and_over_http(server, monkeypatch):
    monkeypatch.setattr(auth, "resolve_nous_access_token", lambda: TOKEN)
    Contract.server = server
    run_state_machine_as_test(
        Contract,
        settings=settings(
            max_examples=40,
            stateful_step_count=20,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_a_call_that_hangs_ends_by_its_time_out_on_both(server, monkeypatch):
    monkeypatch.setattr(auth, "resolve_nous_access_token", lambda: TOKEN)
    sides = [Side("https://portal.example.test"), Side(server.url, server)]
    for side in sides:
        side.client = NasCronClient(side.client.portal_url, timeout_seconds=0.1)
        side.bench.goes_wrong("nas.list", hang_us=300_000)
        assert side.call(lambda side: side.client.list_armed()) == (
            "NasCronClientError",
            "transport",
        )


def test_real_tokens_with_keys_over_http(server, monkeypatch):
    """Minted by the registry, checked by the agent with the key set that the registry serves."""
    state = process.ProcessState(pid=1, boot_id="b", host="h")
    monkeypatch.setattr(process, "current", lambda: state)
    bench = NasBench(portal_url=server.url)
    bench.timer.us = int(time.time() * 1e6)
    bench.mint = lambda claims: jwt.encode(claims, KEY, "ES256", headers={"kid": "one"})
    public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(KEY.public_key())) | {"kid": "one"}
    server.app = asgi_app(bench.nas, keys=lambda: {"keys": [public]})
    bench.arm("j", 0)
    bench.timer.advance(0)
    (delivery,) = bench.deliveries
    for path in ("/jwks.json", "/.well-known/jwks.json"):
        claims = verify_nas_fire_token(
            token=delivery.token,
            expected_audience="agent:me",
            jwks_or_key=server.url + path,
            issuer=server.url,
        )
        assert claims is not None
        assert claims["job_id"] == "j"
    with mount_respx(bench.nas, keys=lambda: {"keys": []}):
        assert (
            verify_nas_fire_token(
                token=delivery.token,
                expected_audience="agent:me",
                jwks_or_key="https://portal.example.test/jwks.json",
            )
            is None
        )
