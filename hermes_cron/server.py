"""`hermes-cron serve`: a gateway, and `POST /api/cron/fire` over HTTP in front of it.

The main thread only waits: for a signal, for the gateway's end, or for the server's. A body is read
within 10 s and up to 64 KiB; what is slower or larger is answered and dropped.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import queue
import signal
import socket
import threading
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hermes_cron import fires, gateway, scheduler_provider
from hermes_cron.gateway import Gateway
from hermes_cron.webhook import MAX_BODY_BYTES, Answer

__all__ = [
    "FIRE_PATH",
    "READ_TIMEOUT_S",
    "Receive",
    "create_app",
    "listen",
    "serve",
    "standalone_app",
]

logger = logging.getLogger(__name__)

FIRE_PATH = "/api/cron/fire"
READ_TIMEOUT_S = 10.0
MOST_CONNECTIONS = 1024  # more are answered 503: slow clients must not use up our files
_SERVER_STOP_S = 5.0

Receive = Callable[[str | None, bytes], Answer]


def create_app(receive: Receive, *, read_timeout_s: float = READ_TIMEOUT_S) -> Starlette:
    """The ASGI application.

    Args:
        receive: answers a fire, given its Authorization header and its body; blocks for as long as
            the claim takes (`Gateway.receive`).
        read_timeout_s: how long a client may take for its body.
    """

    async def fire(request: Request) -> Response:
        body = await _read(request, read_timeout_s)
        if isinstance(body, Answer):
            # What is left of the body is not waited for.
            return JSONResponse(body.body, body.status, headers={"connection": "close"})
        answer = await run_in_threadpool(receive, request.headers.get("authorization"), body)
        return JSONResponse(answer.body, answer.status)

    return Starlette(routes=[Route(FIRE_PATH, fire, methods=["POST"])])


def standalone_app() -> Starlette:
    """The application of a process without a gateway: fires go to the provider of this process.

    It is asked for at the first fire: the one that this process runs, else the configured one.
    """
    provider = functools.cache(scheduler_provider.provider_in_charge)
    handed_through = {"adapters": None, "loop": None}
    desk = fires.Fires(
        provider, lambda job_id: gateway.run_fire(provider(), job_id, handed_through)
    )
    return create_app(desk.receive)


async def _read(request: Request, timeout_s: float) -> bytes | Answer:
    """The whole body, or the answer to one that is too large, too slow or cut off."""
    too_large = Answer(413, {"error": f"the body is larger than {MAX_BODY_BYTES} bytes"})
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > MAX_BODY_BYTES:
        return too_large
    body = bytearray()
    try:
        async with asyncio.timeout(timeout_s):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    return too_large
    except TimeoutError:
        return Answer(400, {"error": f"the body did not come within {timeout_s:g} s"})
    except ClientDisconnect:
        return Answer(400, {"error": "the body was cut off"})
    return bytes(body)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    Raises:
        OSError: the address is in use, or not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=128)


def serve(served: Gateway, listener: socket.socket | None) -> bool:
    """Run until SIGTERM or SIGINT, then drain. To be called in the main thread.

    A second signal ends the process at once.

    Args:
        served: the gateway to run.
        listener: where fires are taken; None takes none.

    Returns:
        True when everything that was on came to its end.

    Raises:
        Exception: what ended the gateway, when it was not a signal.
    """
    stop_event = threading.Event()
    # A SimpleQueue may be written by a signal handler in the middle of anything; an Event may not.
    ends: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
    _on_signals(ends)

    def run_gateway() -> None:
        try:
            ends.put(("gateway", served.run(stop_event)))
        except BaseException as error:  # handed to the main thread, which raises it
            ends.put(("gateway", error))

    threading.Thread(target=run_gateway, name="cron-gateway", daemon=True).start()
    server = _Server(served.receive, listener, ends) if listener is not None else None
    what, result = ends.get()
    if what == "server":
        logger.error("the webhook's server ended (%s); the gateway leaves too", result)
    elif what == "signal":
        logger.info("%s: draining", signal.Signals(result).name)
    while what != "gateway":
        stop_event.set()
        what, result = ends.get()
    if server is not None:
        server.stop()
    if isinstance(result, BaseException):
        raise result
    return result is True


def _on_signals(ends: queue.SimpleQueue[tuple[str, Any]]) -> None:
    """Put the first signal on the queue; leave at the second."""
    seen: list[int] = []

    def handle(number: int, _frame: object) -> None:
        if seen:
            os._exit(128 + number)
        seen.append(number)
        ends.put(("signal", number))

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)


class _Server:
    """uvicorn in a thread, on a socket that already listens."""

    def __init__(
        self,
        receive: Receive,
        listener: socket.socket,
        ends: queue.SimpleQueue[tuple[str, Any]],
    ) -> None:
        import uvicorn  # 0.1 s: only who serves pays for it

        settings = uvicorn.Config(
            create_app(receive),
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            timeout_keep_alive=5,
            timeout_graceful_shutdown=int(_SERVER_STOP_S) - 1,
            server_header=False,
            limit_concurrency=MOST_CONNECTIONS,
        )
        self._server = uvicorn.Server(settings)
        self._ends = ends
        self._listener = listener
        self._thread = threading.Thread(target=self._run, name="cron-webhook", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._listener])
            self._ends.put(("server", "it returned"))
        except BaseException as error:  # SystemExit is how uvicorn says that it could not start
            self._ends.put(("server", f"{type(error).__name__}: {error}"))

    def stop(self) -> None:
        """Answer what is on its way and leave."""
        self._server.should_exit = True
        self._thread.join(_SERVER_STOP_S)
