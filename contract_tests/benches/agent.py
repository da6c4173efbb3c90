"""An agent as NAS sees it: an endpoint on loopback that takes fires, and answers as it is told."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from contract_tests.benches.serving import QuietHandler, on_loopback

__all__ = ["Agent", "Fired", "listening"]

ACCEPTED = 202


@dataclass(frozen=True)
class Fired:
    """One fire that came.

    Attributes:
        path: where it was posted.
        body: what it said; None when that was no JSON.
        token: its Bearer token; empty without one.
        at_s: when it came, by this machine's clock.
        answer: the status that it was given; None: the connection was closed.
    """

    path: str
    body: Any
    token: str
    at_s: float
    answer: int | None

    @property
    def job_id(self) -> Any:
        """The job that it names."""
        return self.body.get("job_id") if isinstance(self.body, dict) else None


@dataclass
class Agent:
    """Where fires are taken.

    Attributes:
        callback_url: what to arm with.
        answers: the statuses of the next answers, in order; 202 when there are no more.
        fired: what came, in order.
    """

    callback_url: str
    answers: list[int | None] = field(default_factory=list)
    fired: list[Fired] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, path: str, authorization: str, content: bytes) -> int | None:
        """Take a fire; the status to answer it with."""
        try:
            body = json.loads(content)
        except ValueError:
            body = None
        scheme, _, token = authorization.partition(" ")
        with self._lock:
            answer = self.answers.pop(0) if self.answers else ACCEPTED
            token = token if scheme == "Bearer" else ""
            self.fired.append(Fired(path, body, token, time.time(), answer))
        return answer


@contextmanager
def listening() -> Iterator[Agent]:
    """Serve an agent on a free port of loopback."""

    class Handler(QuietHandler):
        def do_POST(self) -> None:  # noqa: N802 - as http.server calls it
            content = self.rfile.read(int(self.headers.get("content-length", 0)))
            status = agent.take(self.path, self.headers.get("authorization", ""), content)
            if status is None:
                self.close_connection = True
            else:
                self.answer(status, b"{}")

    with on_loopback(Handler, "contract-agent") as url:
        agent = Agent(url)
        yield agent
