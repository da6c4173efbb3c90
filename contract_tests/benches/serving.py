"""Loopback HTTP for a bench: one handler on a free port, served by a thread of its own."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["QuietHandler", "on_loopback"]

_POLL_S = 0.02  # how long the end of a bench waits for its server at most


class QuietHandler(BaseHTTPRequestHandler):
    """A handler that keeps off stderr: that is the report's."""

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""

    def answer(self, status: int, content: bytes) -> None:
        """Answer with JSON."""
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def on_loopback(handler: type[QuietHandler], name: str) -> Iterator[str]:
    """Serve until the block ends; gives the URL, without a slash behind it.

    Nobody knows the port before the block does: what the handler uses may be made in there.
    """
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(
            target=server.serve_forever, args=(_POLL_S,), name=name, daemon=True
        )
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
