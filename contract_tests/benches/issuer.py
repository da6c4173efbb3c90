"""An issuer of fire tokens, as NAS is one: keys, good and forged tokens, a key set on loopback.

The key set is served by real HTTP, so that a host may fetch it with whatever client it has; each
fetch is counted.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from contract_tests.benches.serving import QuietHandler, on_loopback

__all__ = ["Issuer", "Key", "ec_key", "issuing", "rsa_key"]

TOKEN_LIFE_S = 90
KEY_SET_PATH = "/jwks.json"
STRANGE_KEY_SET_PATH = "/somebody-elses.json"


@dataclass(frozen=True)
class Key:
    """A private key, and what its tokens say about it."""

    id: str
    algorithm: str
    private: Any

    def public(self) -> dict[str, Any]:
        """As it stands in a key set (JWK)."""
        is_rsa = isinstance(self.private, rsa.RSAPrivateKey)
        kind = jwt.algorithms.RSAAlgorithm if is_rsa else jwt.algorithms.ECAlgorithm
        jwk: dict[str, Any] = json.loads(kind.to_jwk(self.private.public_key()))
        return jwk | {"kid": self.id, "use": "sig", "alg": self.algorithm}

    def pem(self) -> bytes:
        """The public key as PEM text."""
        public = self.private.public_key()
        pem: bytes = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return pem


def rsa_key(key_id: str) -> Key:
    """A fresh key for RS256."""
    return Key(key_id, "RS256", rsa.generate_private_key(public_exponent=65537, key_size=2048))


def ec_key(key_id: str) -> Key:
    """A fresh key for ES256."""
    return Key(key_id, "ES256", ec.generate_private_key(ec.SECP256R1()))


class Issuer:
    """Signs for one agent.

    Attributes:
        portal_url: the issuer that its tokens name.
        audience: the agent that they are for.
        base_url: where the key sets are served.
        published: the keys in its key set.
        fetches: the path of each fetch, in order.
    """

    portal_url = "https://portal.example.test"
    audience = "agent:contract"

    def __init__(self, base_url: str, *keys: Key) -> None:
        self.base_url = base_url
        self.published = list(keys)
        self.strange = ec_key("strange")
        self.fetches: list[str] = []

    @property
    def keys_url(self) -> str:
        """Where its key set is."""
        return f"{self.base_url}{KEY_SET_PATH}"

    @property
    def strange_keys_url(self) -> str:
        """Where a key set is that is somebody else's."""
        return f"{self.base_url}{STRANGE_KEY_SET_PATH}"

    def token(
        self,
        key: Key | None = None,
        *,
        without: Collection[str] = (),
        header: Mapping[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """A token signed by a key (the first published one), good but for what is asked.

        Args:
            key: who signs.
            without: claims to leave out.
            header: more of the header.
            claims: instead of the good ones.
        """
        signer = key or self.published[0]
        body = {name: value for name, value in self.claims(**claims).items() if name not in without}
        headers = {"kid": signer.id} | dict(header or {})
        return jwt.encode(body, signer.private, signer.algorithm, headers=headers)

    def symmetric(self, secret: bytes) -> str:
        """A token signed with a secret (HS256) under the id of a published key."""
        # By hand: PyJWT refuses to take a public key for a secret, which is what is tried here.
        signed = self._unsigned("HS256")
        return f"{signed}.{_coded(hmac.digest(secret, signed.encode(), hashlib.sha256))}"

    def unsigned(self, algorithm: str) -> str:
        """A token without a signature, by an algorithm that has none."""
        return f"{self._unsigned(algorithm)}."

    def claims(self, **claims: Any) -> dict[str, Any]:
        """What a good token says, with these instead."""
        now_s = int(time.time())
        return {
            "iss": self.portal_url,
            "aud": self.audience,
            "purpose": "cron_fire",
            "iat": now_s,
            "nbf": now_s,
            "exp": now_s + TOKEN_LIFE_S,
        } | claims

    def _unsigned(self, algorithm: str) -> str:
        header = {"typ": "JWT", "alg": algorithm, "kid": self.published[0].id}
        return ".".join(_coded(json.dumps(part).encode()) for part in (header, self.claims()))

    def key_set(self, path: str) -> dict[str, Any] | None:
        """What stands at a path, noted as fetched; None for nothing."""
        keys = {KEY_SET_PATH: self.published, STRANGE_KEY_SET_PATH: [self.strange]}.get(path)
        if keys is None:
            return None
        self.fetches.append(path)
        return {"keys": [key.public() for key in keys]}


@contextmanager
def issuing(*keys: Key) -> Iterator[Issuer]:
    """Serve an issuer's key set on a free port of loopback."""

    class Handler(QuietHandler):
        def do_GET(self) -> None:  # noqa: N802 - as http.server calls it
            found = issuer.key_set(self.path)
            self.answer(200 if found else 404, json.dumps(found or {}).encode())

    with on_loopback(Handler, "contract-keys") as url:
        issuer = Issuer(url, *keys)
        yield issuer


def _coded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
