"""A client of an ASGI application, on one event loop in a thread of its own, as a server has it."""

import asyncio
import threading
from collections.abc import Mapping
from typing import Any

import httpx

__all__ = ["ANSWER_WITHIN_S", "AsgiClient"]

ANSWER_WITHIN_S = 10.0  # of a busy machine; milliseconds, else


class AsgiClient:
    """Sends requests to an application and waits for each answer, within bounds.

    Whatever blocks the application's event loop blocks all its requests.
    """

    def __init__(self, app: Any, base_url: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="contract-client", daemon=True
        )
        self._thread.start()
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        self._http = httpx.AsyncClient(transport=transport, base_url=base_url)

    def request(
        self,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response | None:
        """The answer; None when there was none within `ANSWER_WITHIN_S`."""
        sent = self._http.request(method, path, content=content, headers=headers)
        pending = asyncio.run_coroutine_threadsafe(sent, self._loop)
        try:
            return pending.result(ANSWER_WITHIN_S)
        except TimeoutError:
            pending.cancel()
            return None

    def close(self) -> None:
        """End the client, its loop and its thread."""
        asyncio.run_coroutine_threadsafe(self._http.aclose(), self._loop).result(ANSWER_WITHIN_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(ANSWER_WITHIN_S)
        if not self._thread.is_alive():
            self._loop.close()
