"""Deliveries of a fake NAS by real HTTP: a few clients, each with its own thread."""

from __future__ import annotations

import ipaddress
import logging
import queue
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx

from simulator.nas_relay import ANSWER_WITHIN_US
from simulator.nas_types import Delivery

__all__ = ["CLIENTS", "FIRE_PATH", "NasSender", "is_loopback"]

logger = logging.getLogger("nas")

CLIENTS = 8
FIRE_PATH = "/api/cron/fire"


class NasSender:
    """Sends what it is handed, in order, by `CLIENTS` clients.

    Args:
        answered: Told each delivery's status; None when there was no answer.
    """

    def __init__(self, answered: Callable[[Delivery, int | None], object]) -> None:
        self._answered = answered
        self._waiting: queue.SimpleQueue[Delivery | None] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._on_their_way = 0
        self._answers: Counter[str] = Counter()
        tls = httpx.create_ssl_context()
        for number in range(CLIENTS):
            threading.Thread(
                target=self._work, args=(tls,), name=f"nas-client-{number}", daemon=True
            ).start()

    def send(self, delivery: Delivery) -> None:
        """Have it delivered; returns at once."""
        with self._changed:
            self._on_their_way += 1
        self._waiting.put(delivery)

    def settle(self, timeout_s: float) -> bool:
        """Wait until nothing is on its way; whether that came to be in time."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._on_their_way, timeout_s)

    def account(self) -> dict[str, Any]:
        """What became of the deliveries: how many are on their way, and each answer's count."""
        with self._changed:
            return {"on_their_way": self._on_their_way, "answers": dict(self._answers)}

    def close(self) -> None:
        """End the clients, each after what it is at."""
        for _ in range(CLIENTS):
            self._waiting.put(None)

    def _work(self, tls: Any) -> None:
        # No proxy of the environment: what is sent here stays on this machine.
        with httpx.Client(
            timeout=ANSWER_WITHIN_US / 1_000_000, trust_env=False, verify=tls
        ) as client:
            while (delivery := self._waiting.get()) is not None:
                status, said = _post(client, delivery)
                if not delivery.copy:
                    about = (delivery.job_id, delivery.fire_at, delivery.attempt, said)
                    logger.info("fire of %s for %s, attempt %d: %s", *about)
                try:
                    self._answered(delivery, status)
                except Exception:  # this client has others to deliver
                    logger.exception("the answer for %s was not taken", delivery.job_id)
                with self._changed:
                    self._answers[said] += 1
                    self._on_their_way -= 1
                    self._changed.notify_all()


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, without asking anybody."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _post(client: httpx.Client, delivery: Delivery) -> tuple[int | None, str]:
    """The status, and in words what was said: `202 accepted`, `200 ignored duplicate`."""
    url = delivery.callback_url.rstrip("/") + FIRE_PATH
    try:
        if not is_loopback(httpx.URL(url).host):
            return None, "not sent: the callback URL is not on loopback"
        answer = client.post(
            url,
            json={"job_id": delivery.job_id, "fire_at": delivery.fire_at},
            headers={"authorization": f"Bearer {delivery.token}"},
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return None, f"no answer: {type(error).__name__}"
    words = [str(answer.status_code)]
    try:
        body = answer.json()
    except ValueError:
        body = None
    if isinstance(body, dict):
        words += [str(body[key]) for key in ("status", "reason", "error") if key in body]
    return answer.status_code, " ".join(words)
