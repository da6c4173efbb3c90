"""The fake NAS behind HTTP: under any httpx client through respx, and as an ASGI app on a socket.

Both answer the calls of WIRE.md on any host, and `/.well-known/jwks.json` and `/jwks.json` with the
keys that its tokens are signed with.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

import httpx
import respx
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from simulator.fake_nas import Call, FakeNas
from simulator.nas_types import Reply

__all__ = ["PATHS", "UnexpectedRequestError", "asgi_app", "mount_respx"]

PATHS: Mapping[tuple[str, str], Call] = {
    ("POST", "/api/agent-cron/provision"): "provision",
    ("POST", "/api/agent-cron/cancel"): "cancel",
    ("GET", "/api/agent-cron/list"): "list",
}
KEY_PATHS = ("/.well-known/jwks.json", "/jwks.json")

_NO_TIMEOUT_S = 24 * 3600.0

_JSON = httpx.Headers({"content-type": "application/json"})


class UnexpectedRequestError(Exception):
    """A request to something that is not NAS; nothing here may reach the network."""


def _refuse(request: httpx.Request) -> NoReturn:
    raise UnexpectedRequestError(
        f"{request.method} {request.url}: only NAS's calls are simulated, no other is let through"
    )


class _NasRouter(respx.MockRouter):
    """A respx router with one answer to everything.

    It takes requests where respx hands them to its routers, before routes are matched and calls
    recorded: matching costs 50 us a call, a record 3.6 KiB.
    """

    def __init__(self, serve: Callable[[httpx.Request], httpx.Response]) -> None:
        super().__init__(assert_all_called=False, using="httpx")
        self._serve = serve

    def handler(self, request: httpx.Request) -> httpx.Response:
        """Answer a request of a plain client."""
        return self._serve(request)

    async def async_handler(self, request: httpx.Request) -> httpx.Response:
        """Answer a request of an async client."""
        return self._serve(request)


@contextmanager
def mount_respx(
    nas: FakeNas,
    *,
    sleep: Callable[[float], object] = time.sleep,
    keys: Callable[[], Mapping[str, Any]] | None = None,
    refuse: Callable[[httpx.Request], NoReturn] = _refuse,
) -> Iterator[None]:
    """Put the registry under every httpx client of this process.

    Args:
        nas: The registry.
        sleep: Lets seconds pass for the calling task; a call that hangs ends by the request's own
            time-out, as httpx would end it.
        keys: Gives the key set (JWKS) of its tokens.
        refuse: Raises for a request to anything else.
    """

    def serve(request: httpx.Request) -> httpx.Response:
        path = request.url.path
        call = PATHS.get((request.method, path))
        if call is None:
            if keys is not None and path in KEY_PATHS and request.method == "GET":
                return httpx.Response(200, json=dict(keys()))
            refuse(request)
        timeout_s = _read_timeout_s(request)

        def wait(us: int) -> bool:
            seconds = us / 1_000_000
            sleep(min(seconds, timeout_s))
            return seconds < timeout_s

        body = _decoded(request.read()) if call != "list" else None
        reply = nas.handle(call, request.headers.get("authorization"), body, wait=wait)
        return _to_httpx(reply, request)

    with _NasRouter(serve):
        yield


def asgi_app(nas: FakeNas, *, keys: Callable[[], Mapping[str, Any]] | None = None) -> Starlette:
    """Return the registry as an ASGI app. The registry needs a lock: each call has its thread.

    A call that gets no answer has its connection closed.
    """

    def endpoint(call: Call) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            body = _decoded(await request.body()) if call != "list" else None
            authorization = request.headers.get("authorization")
            reply = await run_in_threadpool(nas.handle, call, authorization, body, wait=_real_wait)
            return _to_starlette(reply)

        return answer

    async def key_set(_request: Request) -> Response:
        return JSONResponse(dict(keys()) if keys is not None else {"keys": []})

    routes = [
        Route(path, endpoint(call), methods=[method]) for (method, path), call in PATHS.items()
    ]
    return Starlette(routes=[*routes, *(Route(path, key_set) for path in KEY_PATHS)])


def _read_timeout_s(request: httpx.Request) -> float:
    timeout = request.extensions.get("timeout") or {}
    seconds = timeout.get("read")
    return _NO_TIMEOUT_S if seconds is None else float(seconds)


def _decoded(content: bytes) -> object:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _to_httpx(reply: Reply, request: httpx.Request) -> httpx.Response:
    if reply.error is not None:
        kind = getattr(httpx, reply.error)
        raise kind(f"{reply.error} (simulated)", request=request)
    assert reply.status is not None
    if reply.text is not None:
        return httpx.Response(reply.status, html=reply.text)
    # A ready stream: httpx's own way to encode JSON costs 20 us more.
    stream = httpx.ByteStream(json.dumps(reply.json).encode())
    return httpx.Response(reply.status, headers=_JSON, stream=stream)


def _to_starlette(reply: Reply) -> Response:
    if reply.error is not None:
        return _Hangup()
    assert reply.status is not None
    if reply.text is not None:
        return PlainTextResponse(reply.text, reply.status, media_type="text/html")
    return JSONResponse(reply.json, reply.status)


class _Hangup(Response):
    """Ends the connection in the middle of the answer: as near as a server comes to no answer."""

    def __init__(self) -> None:
        super().__init__(headers={"content-length": "1000000"})

    async def __call__(self, _scope: Any, _receive: Any, send: Any) -> None:
        """Promise a body and leave without it: the server then closes the connection."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})


def _real_wait(us: int) -> bool:
    time.sleep(us / 1_000_000)
    return True
