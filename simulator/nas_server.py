"""`hermes-sim nas`: the fake NAS as a process, for an agent that really runs.

On loopback only. Its tokens are real, signed ES256 with a key made at the start; the key set is
where `simulator.nas_http` has it. Like NAS's own, its memory is its process: a new start is empty
and signs with another key. Besides the calls of WIRE.md it takes, from whoever operates it:

- `GET /state`: the time, what is armed, what became of the deliveries;
- `POST /advance` `{"seconds": 60}`: moves a manual clock, from one planned call to the next;
- `POST /redeliver` `{"job_id", "times": 1}`: delivers the job's last fire again, `times` times.

An agent has its own clock, and a fire more than 30 s before its time is answered "early" and armed
again: a manual clock is for holding fires back, and for letting them come up to 30 s sooner.
"""

from __future__ import annotations

import functools
import json
import logging
import queue
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeGuard

import click
import jwt
import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from simulator.fake_nas import FakeNas
from simulator.nas_clock import ServerTimer
from simulator.nas_http import asgi_app
from simulator.nas_sender import NasSender, is_loopback
from simulator.nas_types import Action, Delivery

__all__ = ["NasServer", "nas_command"]

logger = logging.getLogger("nas")

_MOST_COPIES = 100_000
_LONGEST_ADVANCE_S = 10 * 366 * 86_400
_ADVANCE_WITHIN_S = 60.0
_SETTLE_WITHIN_S = 5.0
_STOP_WITHIN_S = 3.0
_TOLD = {
    "nas.armed": "armed {job_id} for {fire_at}",
    "nas.cancelled": "cancelled {job_id}",
    "nas.gave_up": "gave up {job_id} for {fire_at}",
}


class NasServer:
    """The registry with a clock, a key and a way to its agents.

    Args:
        url: Where it is served; the issuer of its tokens.
        agents: The agent that each Bearer token belongs to.
        manual: Its clock stands until it is moved.
        duplicates: Each fire is delivered this often more.
        delay_s: Each fire is late by this.
    """

    def __init__(
        self,
        url: str,
        agents: Mapping[str, str],
        *,
        manual: bool = False,
        duplicates: int = 0,
        delay_s: float = 0.0,
    ) -> None:
        self._timer = ServerTimer(manual=manual)
        self._sender = NasSender(self._answered)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._key_id = secrets.token_hex(8)
        wrong = Action(duplicate_us=(0,) * duplicates, delay_us=round(delay_s * 1_000_000))
        self._goes_wrong = wrong if duplicates or delay_s else None
        self._nas = FakeNas(
            self._timer,
            deliver=self._sender.send,
            mint=self._mint,
            agents=agents,
            portal_url=url,
            seam=self._seam,
            record=_tell,
            lock=self._timer.lock,
        )

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/state", self._state),
                Route("/advance", self._advance, methods=["POST"]),
                Route("/redeliver", self._redeliver, methods=["POST"]),
                Mount("/", asgi_app(self._nas, keys=self._keys)),
            ]
        )

    def close(self) -> None:
        """End its threads; what is armed is gone."""
        self._timer.close()
        self._sender.close()

    # -- the world of the registry --------------------------------------------------------------

    def _answered(self, delivery: Delivery, status: int | None) -> None:
        self._nas.answer(delivery, status)

    def _seam(self, name: str, /, *, attempt: int = 0, **_about: Any) -> Action | None:
        """Delays and copies are of a fire's first attempt: its retries are plain."""
        return self._goes_wrong if name == "nas.deliver" and attempt == 1 else None

    def _mint(self, claims: dict[str, Any]) -> str:
        # Whoever checks the token does so by the machine's clock, however ours was moved.
        ahead_s = claims["iat"] - int(time.time())
        times = {name: claims[name] - ahead_s for name in ("iat", "nbf", "exp")}
        return jwt.encode(claims | times, self._key, "ES256", headers={"kid": self._key_id})

    def _keys(self) -> dict[str, Any]:
        public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self._key.public_key()))
        return {"keys": [public | {"kid": self._key_id, "use": "sig", "alg": "ES256"}]}

    # -- its operator ---------------------------------------------------------------------------

    async def _state(self, _request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(self._what_stands))

    def _what_stands(self) -> dict[str, Any]:
        return {
            "now": datetime.fromtimestamp(self._timer.now_us() / 1_000_000, UTC).isoformat(),
            "clock": "manual" if self._timer.is_manual else "real",
            "armed": self._nas.snapshot(),
            "deliveries": self._sender.account(),
        }

    async def _advance(self, request: Request) -> Response:
        seconds = (await _json_object(request)).get("seconds")
        if not self._timer.is_manual:
            return _wrong(409, "this clock is the machine's; start with --clock manual")
        if not _is_number(seconds) or not 0 <= seconds <= _LONGEST_ADVANCE_S:
            return _wrong(400, 'say how far, like {"seconds": 60}; time can\'t go backwards')
        move = functools.partial(
            self._timer.advance,
            settle=lambda: self._sender.settle(_SETTLE_WITHIN_S),
            within_s=_ADVANCE_WITHIN_S,
        )
        reached = await run_in_threadpool(move, seconds)
        return JSONResponse(self._what_stands(), 200 if reached else 503)

    async def _redeliver(self, request: Request) -> Response:
        body = await _json_object(request)
        job_id, times = body.get("job_id"), body.get("times", 1)
        if not isinstance(job_id, str) or type(times) is not int or not 0 < times <= _MOST_COPIES:
            return _wrong(400, 'say what and how often, like {"job_id": "ab12", "times": 1}')
        for _ in range(times):
            if not await run_in_threadpool(self._nas.redeliver, job_id):
                return _wrong(404, f"nothing was armed for {job_id!r} since this NAS started")
        return JSONResponse(self._what_stands())


def nas_command(
    *, host: str, port: int, manual: bool, duplicates: int, delay_s: float, agents: tuple[str, ...]
) -> int:
    """Serve until SIGTERM or SIGINT; the exit code.

    Raises:
        click.UsageError: The host is not on loopback, or an agent is not TOKEN=AGENT.
        click.ClickException: The port cannot be had.
    """
    if not is_loopback(host):
        raise click.UsageError(f"{host} is not on loopback; this NAS is for one machine only")
    known = _known_agents(agents)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    logger.setLevel(logging.INFO)
    listener = _listen(host, port)
    number = listener.getsockname()[1]
    url = f"http://[{host}]:{number}" if ":" in host else f"http://{host}:{number}"
    nas = NasServer(url, known, manual=manual, duplicates=duplicates, delay_s=delay_s)
    # A SimpleQueue may be written by a signal handler in the middle of anything.
    ends: queue.SimpleQueue[int] = queue.SimpleQueue()
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda _number, _frame: ends.put(0))
    server = _uvicorn(nas)

    def run() -> None:
        try:
            server.run(sockets=[listener])
        finally:
            ends.put(1)

    thread = threading.Thread(target=run, name="nas-http", daemon=True)
    thread.start()
    click.echo(url)
    code = ends.get()
    server.should_exit = True
    thread.join(_STOP_WITHIN_S)
    sys.stdout.flush()
    return code


def _known_agents(agents: tuple[str, ...]) -> dict[str, str]:
    known = {}
    for text in agents:
        token, _, agent = text.partition("=")
        if not token or not agent:
            raise click.UsageError(f"{text!r} is not TOKEN=AGENT, like dev-token=me")
        known[token] = agent
    return known


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        raise click.ClickException(
            f"cannot listen on {host}:{port} ({error.strerror}); name another with --port, or 0"
        ) from error


def _uvicorn(nas: NasServer) -> uvicorn.Server:
    config = uvicorn.Config(
        nas.app(),
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)


def _tell(kind: str, /, **data: Any) -> None:
    """One line in the log for what an operator wants to see; refused calls too."""
    if kind in _TOLD:
        logger.info(_TOLD[kind].format(**data))
    elif kind == "nas.call" and data["reason"]:
        logger.info("refused %s of %s: %s", data["op"], data["job_id"], data["reason"])


async def _json_object(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.body())
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _wrong(status: int, error: str) -> Response:
    return JSONResponse({"error": error}, status)
