"""A NAS on a real socket that can be made to fail as networks do, in front of the fake registry."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from simulator.fake_nas import FakeNas
from simulator.nas_http import PATHS

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, 0 s: closing sends RST


class Exchange:
    """One request that was read whole, and the connection that its answer would go over."""

    def __init__(self, connection: socket.socket, nas: FakeNas, request: bytes) -> None:
        self.connection, self._nas = connection, nas
        head, _, body = request.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        method, path, _ = first.split(" ")
        self._call = PATHS[method, path]
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in lines)
        }
        self._authorization = headers.get("authorization")
        self._body = json.loads(body) if body else None

    def effect(self) -> bytes:
        """The registry does what was asked; its answer, as it would go over the wire."""
        reply = self._nas.handle(self._call, self._authorization, self._body)
        return answer(reply.status or 500, json.dumps(reply.json))

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def reset(self) -> None:
        """The connection is gone by RST."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.connection.close()


Behaviour = Callable[[Exchange], Any]


def plainly(exchange: Exchange) -> None:
    """As NAS does."""
    exchange.send(exchange.effect())


def answer(status: int, body: str, kind: str = "application/json") -> bytes:
    head = f"HTTP/1.1 {status} said\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
    return (head + body).encode()


class LoopbackNas:
    """Serves one connection after the other.

    Attributes:
        behave: what becomes of the next requests.
        url: where it listens.
        hung: set once somebody is not answered.
    """

    def __init__(self, nas: FakeNas) -> None:
        self.behave: Behaviour = plainly
        self._nas = nas
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.hung = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        with suppress(OSError):  # wakes accept
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def hang(self, exchange: Exchange) -> None:
        """No word, until the caller has gone."""
        self.hung.set()
        with suppress(OSError):
            exchange.connection.recv(1)

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                while request := _read(connection):
                    self.behave(Exchange(connection, self._nas, request))


def _read(connection: socket.socket) -> bytes:
    """One request, whole; nothing when the caller has gone."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.decode().lower().split("\r\n"):
        if line.startswith("content-length:"):
            length = int(line.partition(":")[2])
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body
