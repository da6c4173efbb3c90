"""The registry of a run: a service that claims to be NAS, reached by WIRE.md alone.

An external provider is worth what its registry is worth, so the NAS rows judge the one that the
provider was run with: the kit's own, unless another is named. To the registry, the kit is an agent.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from contract_tests.benches.asgi import AsgiClient

__all__ = ["Registry", "Reply", "kit_registry"]


@dataclass(frozen=True)
class Reply:
    """An answer of the registry; status None when there was none, body None when it is no JSON."""

    status: int | None
    body: Any = None

    def __str__(self) -> str:
        return f"{self.status or 'no answer'} {json.dumps(self.body)[:120]}"


class Registry(Protocol):
    """What the kit needs of a registry.

    Attributes:
        label: how the report calls it.
        portal_url: the issuer of its tokens.
        token: the Bearer token of the agent that the kit is.
        audience: what its fire tokens for that agent name.
    """

    label: str
    portal_url: str
    token: str
    audience: str

    def call(self, method: str, path: str, authorization: str | None, body: Any = None) -> Reply:
        """Make one call of WIRE.md, with this Authorization header."""

    def keys(self) -> dict[str, Any]:
        """The key set of its fire tokens (JWKS)."""

    def now(self) -> datetime:
        """Its time, in UTC."""

    def pass_time(self, seconds: float) -> None:
        """Let that much of its time pass; what is sent in it has been answered then."""


class _Simulated:
    """The fake NAS of `hermes-sim nas`, with its clock in the kit's hand."""

    label = "the kit's NAS"
    portal_url = "https://portal.example.test"
    token = "contract-kit-token"  # noqa: S105 - a fake's
    audience = "agent:contract"

    def __init__(self, app: Any) -> None:
        self._client = AsgiClient(app, self.portal_url)
        self.close = self._client.close

    def call(self, method: str, path: str, authorization: str | None, body: Any = None) -> Reply:
        """See `Registry`."""
        headers = {} if authorization is None else {"authorization": authorization}
        content = None if body is None else json.dumps(body).encode()
        response = self._client.request(method, path, content=content, headers=headers)
        if response is None:
            return Reply(None)
        try:
            return Reply(response.status_code, response.json())
        except ValueError:
            return Reply(response.status_code)

    def keys(self) -> dict[str, Any]:
        """See `Registry`."""
        return dict(self.call("GET", "/jwks.json", None).body)

    def now(self) -> datetime:
        """See `Registry`."""
        return datetime.fromisoformat(self.call("GET", "/state", None).body["now"])

    def pass_time(self, seconds: float) -> None:
        """See `Registry`."""
        reply = self.call("POST", "/advance", None, {"seconds": seconds})
        if reply.status != 200:  # noqa: PLR2004 - HTTP's success
            raise RuntimeError(f"the time of {self.label} could not be moved: {reply}")


@contextmanager
def kit_registry() -> Iterator[Registry]:
    """The registry that a provider is run with when no other is named."""
    from simulator.nas_server import NasServer  # 0.1 s, and only for who has a registry

    agent = _Simulated.audience.removeprefix("agent:")
    server = NasServer(_Simulated.portal_url, {_Simulated.token: agent}, manual=True)
    registry = _Simulated(server.app())
    try:
        yield registry
    finally:
        registry.close()
        server.close()
