"""Each injectable fault of a call to NAS, produced for real on loopback: the same error and arms.

The client is the one of Chronos. On one side its calls meet the fault as the simulator injects it,
on the other a server that really resets, hangs, cuts its answer short or is not there.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Literal, get_args, get_origin

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))
from loopback_nas import LoopbackNas, answer, plainly
from nas_bench import TOKEN, NasBench

from hermes_cron import auth
from hermes_cron.plugins.chronos._nas_client import NasCronClient, NasCronClientError
from simulator.drawn_faults import _NET_ERRORS
from simulator.fault_rule import SEAMS, Fault
from simulator.nas_http import mount_respx

PATIENCE_S = 0.25
LONG_US = 3_600_000_000
CALLS = {
    "provision": lambda client, bench: client.provision(**arm(bench, "new")),
    "cancel": lambda client, _bench: client.cancel(job_id="armed"),
    "list": lambda client, _bench: client.list_armed(),
}
CUT = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{"


def both(how):
    """Before the effect and after it."""
    return {False: how, True: lambda exchange: (exchange.effect(), how(exchange))}


def said(data):
    return lambda exchange: exchange.send(data)


def cut_and_closed(exchange):
    exchange.send(CUT)
    exchange.connection.close()


def cut_and_reset(exchange):
    exchange.send(CUT)
    exchange.reset()


# By name: what is injected, and what the server does before (False) or after (True) the effect.
ON_A_CONNECTION = {
    "reset": ({"error": "ReadError"}, both(lambda exchange: exchange.reset())),
    "closed without an answer": (
        {"error": "RemoteProtocolError"},
        both(lambda exchange: exchange.connection.close()),
    ),
    "body cut short": ({"error": "RemoteProtocolError"}, both(cut_and_closed)),
    "reset in the body": ({"error": "ReadError"}, both(cut_and_reset)),
    "no HTTP": ({"error": "RemoteProtocolError"}, both(said(b"220 mail.example.test\r\n\r\n"))),
    "200 with a page": (
        {"body": "html"},
        both(said(answer(200, "<html>log in</html>", "text/html"))),
    ),
    "200 of another shape": ({"body": "shape"}, both(said(answer(200, '{"unexpected": []}')))),
    **{
        f"answered {status}": ({"status": status}, both(said(answer(status, '{"error": "no"}'))))
        for status in (302, 401, 403, 404, 429, 500, 502, 503)
    },
}


def arm(bench, job):
    fire_at = bench.iso(3600)
    return {
        "job_id": job,
        "fire_at": fire_at,
        "agent_callback_url": "https://agent.test",
        "dedup_key": f"{job}:{fire_at}",
    }


class Side:
    """A registry with one job armed, and a client of it."""

    def __init__(self, url, patience_s=60.0):
        self.bench = NasBench()
        self.bench.nas.provision("me", *arm(self.bench, "armed").values())
        self.client = NasCronClient(url, timeout_seconds=patience_s)

    def facts(self, call):
        """What the call came to, what is armed then, and what a later look gives."""
        return {
            "call": self.attempt(CALLS[call]),
            "armed": self.bench.nas.snapshot(),
        }

    def attempt(self, call):
        try:
            value = call(self.client, self.bench)
        except NasCronClientError as error:
            cause = error.__cause__
            return type(error).__name__, error.reason, cause and type(cause).__name__
        return "value", value


def injected(call, action, *, sleep=lambda _s: None):
    side = Side("https://portal.example.test", PATIENCE_S)
    side.bench.goes_wrong(f"nas.{call}", **action)
    with mount_respx(side.bench.nas, sleep=sleep):
        return {**side.facts(call), "later": side.attempt(CALLS["list"])}


@pytest.fixture
def loopback(monkeypatch):
    monkeypatch.setattr(auth, "resolve_nous_access_token", lambda: TOKEN)
    with ExitStack() as stack:

        def serve():
            side = Side("unknown")
            server = LoopbackNas(side.bench.nas)
            side.client.portal_url = server.url
            stack.callback(server.close)
            stack.callback(side.client.close)
            return side, server

        yield serve


def really(side, server, call, behave):
    CALLS["list"](side.client, side.bench)  # a connection is kept from before
    server.behave = behave
    facts = side.facts(call)
    server.behave = plainly
    return {**facts, "later": side.attempt(CALLS["list"])}


def tell(figure, name, call, real, simulated):
    same = "the same" if real["call"] == simulated["call"] else "DIFFERS"
    state = "the same" if real["armed"] == simulated["armed"] else "DIFFERS"
    came = real["call"][1] if real["call"][0] != "value" else "taken for an answer"
    figure(f"{call} | {name} | {came} | exception {same}, armed {state}")


@pytest.mark.parametrize("late", [False, True], ids=["before the effect", "after the effect"])
@pytest.mark.parametrize("name", ON_A_CONNECTION)
@pytest.mark.parametrize("call", CALLS)
def test_an_answer_that_goes_wrong(call, name, late, loopback, figure):
    action, behaviours = ON_A_CONNECTION[name]
    simulated = injected(call, {**action, "after": late})
    real = really(*loopback(), call, behaviours[late])
    tell(figure, f"{name}, {'after' if late else 'before'} the effect", call, real, simulated)
    assert real == simulated
    assert ("new" in real["armed"]) is (call == "provision" and late)
    assert ("armed" not in real["armed"]) is (call == "cancel" and late)


@pytest.mark.parametrize("late", [False, True], ids=["before the effect", "after the effect"])
@pytest.mark.parametrize("call", CALLS)
def test_an_answer_that_never_comes(call, late, loopback, figure):
    simulated = injected(call, {"hang_us": LONG_US, "after": late})
    assert simulated == injected(call, {"error": "ReadTimeout", "after": late})
    side, server = loopback()
    CALLS["list"](side.client, side.bench)  # a connection is kept from before
    server.behave = both(server.hang)[late]
    # Only the call that hangs waits for so short a time: any other comes to its answer at last.
    patient, side.client._timeout = side.client._timeout, httpx.Timeout(PATIENCE_S).as_dict()
    came = side.attempt(CALLS[call])
    side.client._timeout = patient
    assert server.hung.wait(60), "it gets its turn, if after the caller has given up"
    server.behave = plainly
    armed = side.bench.nas.snapshot()
    real = {"call": came, "armed": armed, "later": side.attempt(CALLS["list"])}
    tell(figure, f"time-out, {'after' if late else 'before'} the effect", call, real, simulated)
    assert real == simulated
    assert real["call"][1] == "transport-ReadTimeout"


def nobody_listens(stack):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    return f"http://127.0.0.1:{port}"


def nobody_accepts(stack):
    """As many connections wait as the kernel lets; it answers no more."""
    full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
    for _ in range(4):
        waiting = stack.enter_context(socket.socket())
        waiting.setblocking(False)
        waiting.connect_ex(full.getsockname())
    return f"http://127.0.0.1:{full.getsockname()[1]}"


def speaks_no_tls(stack):
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

    def answer_at_once():
        connection, _ = listener.accept()
        with connection:
            connection.sendall(answer(400, "this is plain HTTP", "text/plain"))
            connection.recv(65536)

    thread = threading.Thread(target=answer_at_once, daemon=True)
    thread.start()
    stack.callback(thread.join, 5)
    return f"https://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize(
    ("name", "error", "where"),
    [
        ("refused", "ConnectError", nobody_listens),
        ("connecting takes too long", "ConnectTimeout", nobody_accepts),
        ("no TLS there", "ConnectError", speaks_no_tls),
    ],
)
@pytest.mark.parametrize("call", CALLS)
def test_no_connection(call, name, error, where, loopback, figure):  # noqa: PLR0917
    simulated = injected(call, {"error": error})
    side, _server = loopback()
    there = side.client.portal_url
    patience_s = PATIENCE_S if error == "ConnectTimeout" else 60.0
    with ExitStack() as stack:
        side.client = NasCronClient(where(stack), timeout_seconds=patience_s)
        stack.callback(side.client.close)
        real = side.facts(call)
    side.client = NasCronClient(there)
    real["later"] = side.attempt(CALLS["list"])
    side.client.close()
    tell(figure, name, call, real, simulated)
    assert real == simulated
    assert list(real["armed"]) == ["armed"]


def test_a_token_that_nas_does_not_know(loopback, monkeypatch):
    """401 by the registry itself, on both sides."""
    monkeypatch.setattr(auth, "resolve_nous_access_token", lambda: "revoked")
    for call in CALLS:
        simulated = injected(call, {})
        side, _server = loopback()
        assert {**side.facts(call), "later": side.attempt(CALLS["list"])} == simulated
        assert simulated["call"] == ("NasCronClientError", "status-401", None)


def test_a_kept_connection_that_was_closed_meanwhile_is_opened_again(loopback):
    """No fault at all: servers close idle connections, and no call may fail by it.

    Idle: a call that meets the closing itself is one that was closed without an answer, and fails.
    """
    side, server = loopback()
    closed = threading.Semaphore(0)

    def then_close(exchange):
        plainly(exchange)
        exchange.connection.close()
        closed.release()

    server.behave = then_close
    for _ in range(3):
        assert side.attempt(CALLS["list"])[0] == "value"
        assert closed.acquire(timeout=10)


CALLER = """
import sys
from hermes_cron import auth
from hermes_cron.plugins.chronos._nas_client import NasCronClient
auth.resolve_nous_access_token = lambda: sys.argv[2]
client = NasCronClient(sys.argv[1])
if sys.argv[3] == "cancel":
    client.cancel(job_id="armed")
else:
    client.provision(
        job_id="new",
        fire_at=sys.argv[4],
        agent_callback_url="https://agent.test",
        dedup_key=f"new:{sys.argv[4]}",
    )
"""


class KilledError(BaseException):
    """The caller's process ends here."""


@pytest.mark.parametrize("late", [False, True], ids=["before the effect", "after the effect"])
@pytest.mark.parametrize("call", ["provision", "cancel"])
def test_the_caller_is_killed_in_the_call(call, late, loopback, figure):
    def die():
        raise KilledError

    simulated = Side("https://portal.example.test")
    simulated.bench.goes_wrong(f"nas.{call}", crash=die, after=late)
    with mount_respx(simulated.bench.nas), pytest.raises(KilledError):
        CALLS[call](simulated.client, simulated.bench)
    side, server = loopback()
    words = [server.url, TOKEN, call, side.bench.iso(3600)]
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", CALLER, *words], env={**os.environ, "PYTHONPATH": str(root)}
    ) as caller:
        server.behave = both(lambda _exchange: caller.kill())[late]
        assert caller.wait(30) == -signal.SIGKILL
    assert side.bench.nas.snapshot() == simulated.bench.nas.snapshot()
    figure(
        f"{call} | SIGKILL of the caller, {'after' if late else 'before'} the effect | armed the same"
    )


def test_a_list_out_of_a_cache(loopback, figure):
    """Somebody in between answers with what it kept: the list of the time before."""

    def list_then_arm(side):
        before = side.attempt(CALLS["list"])
        side.attempt(CALLS["provision"])
        return before

    simulated = Side("https://portal.example.test")
    with mount_respx(simulated.bench.nas):
        first = list_then_arm(simulated)
        simulated.bench.goes_wrong("nas.list", body="stale")
        stale, fresh = (simulated.attempt(CALLS["list"]) for _ in range(2))
    side, server = loopback()
    kept = []
    server.behave = lambda exchange: kept.append(exchange.effect()) or exchange.send(kept[-1])
    first_for_real = list_then_arm(side)
    server.behave = lambda exchange: exchange.send(kept[0])
    stale_for_real = side.attempt(CALLS["list"])
    server.behave = plainly
    assert (first_for_real, stale_for_real) == (first, stale)
    assert side.attempt(CALLS["list"]) == fresh != stale == first
    figure("list | out of a cache | exception the same, armed the same")


def test_what_can_go_wrong_in_a_call_is_all_here():
    """An effect or an answer that is new has to be produced here too."""
    for call in CALLS:
        place = SEAMS[f"nas.{call}"]
        assert place.effects == place.after == {"raise", "answer", "hang", "crash"}
    bodies = {action["body"] for action, _ in ON_A_CONNECTION.values() if "body" in action}
    words = next(
        kind
        for kind in get_args(Fault.model_fields["answer"].annotation)
        if get_origin(kind) is Literal
    )
    assert bodies | {"stale"} == set(get_args(words))
    raised = {action["error"] for action, _ in ON_A_CONNECTION.values() if "error" in action}
    assert raised | {"ConnectError", "ConnectTimeout", "ReadTimeout"} >= {
        name.removeprefix("httpx.") for name in _NET_ERRORS
    }
