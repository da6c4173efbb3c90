"""Whether a fire really comes from NAS: the check of its token (WIRE.md).

The check returns the claims or None, never raises, and says why only in the log: a 401 must not
tell a forger which part was wrong. It is the gate to running jobs from outside, so whatever is
unclear (no key, an unknown key, an answer that is no key set) is a refusal.
"""

import json
import logging
import math
import threading
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["get_fire_verifier", "verify_nas_fire_token"]

logger = logging.getLogger("cron.chronos.verify")

# Asymmetric only: with a symmetric one, whoever knows the public key could sign.
_ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384")
_PURPOSE = "cron_fire"

_TOKEN_LIMIT_BYTES = 16 * 1024
_FETCH_TIMEOUT_S = 5.0
_KEYS_LIFETIME_S = 3600.0
# Between two fetches for key ids that are not known: rotation is seen at once, and a flood of
# forged ids costs NAS two requests a minute.
_ROTATION_FETCH_AFTER_S = 30.0
_RETRY_FETCH_AFTER_S = 2.0

Claims = dict[str, Any]
FireVerifier = Callable[..., Claims | None]


def get_fire_verifier() -> FireVerifier:
    """Return the check that the webhook uses; to be called by keyword."""
    return verify_nas_fire_token


def verify_nas_fire_token(
    *,
    token: str,
    expected_audience: str,
    jwks_or_key: str | Mapping[str, Any] | None = None,
    issuer: str | None = None,
    leeway_seconds: float = 30,
) -> Claims | None:
    """Return the claims of a valid fire token, else None. Never raises.

    Args:
        token: The JWT as it came.
        expected_audience: `agent:{instance_id}` of this agent.
        jwks_or_key: URL of a key set (http or https), a public key as PEM text, or a key set as a
            mapping or JSON text. Without it every token is refused.
        issuer: The portal URL; checked when given.
        leeway_seconds: How far the clocks may be apart.
    """
    try:
        return _verified(token, expected_audience, jwks_or_key, issuer, leeway_seconds)
    except Exception as error:  # forged input raises in many ways, and all of them are a refusal
        logger.warning("cron fire refused: %s: %s", type(error).__name__, error)
        return None


def _verified(
    token: str,
    audience: str,
    jwks_or_key: str | Mapping[str, Any] | None,
    issuer: str | None,
    leeway_s: float,
) -> Claims:
    import jwt

    if not jwks_or_key:
        raise ValueError("no key is configured (cron.chronos.nas_jwks_url)")
    if not audience:
        raise ValueError("no audience is configured (cron.chronos.expected_audience)")
    if not isinstance(token, str) or not token or len(token) > _TOKEN_LIMIT_BYTES:
        raise ValueError("no token, or one of more than 16 KiB")
    header = jwt.get_unverified_header(token)
    if header.get("alg") not in _ALGORITHMS:  # before any key is fetched for it
        raise ValueError(f"algorithm {header.get('alg')!r} is none of {', '.join(_ALGORITHMS)}")
    claims: Claims = jwt.decode(
        token,
        _signing_key(jwks_or_key, header.get("kid")),
        algorithms=list(_ALGORITHMS),
        audience=audience,
        issuer=issuer or None,
        leeway=leeway_s,
        options={"require": ["exp", "aud"]},  # and "iss" where an issuer is given
    )
    if claims.get("purpose") != _PURPOSE:
        raise ValueError(f"purpose {claims.get('purpose')!r} is not {_PURPOSE!r}")
    return claims


def _signing_key(jwks_or_key: str | Mapping[str, Any], kid: object) -> Any:
    if isinstance(jwks_or_key, Mapping):
        return _pick(_usable_keys(jwks_or_key), kid)
    text = jwks_or_key.strip()
    if text.startswith(("http://", "https://")):
        return _key_set(text).key(kid)
    if text.startswith("{"):
        return _pick(_usable_keys(json.loads(text)), kid)
    return text  # PEM; PyJWT refuses one that does not fit the algorithm


def _usable_keys(document: object) -> list[Any]:
    """Return the keys of a JWKS that this check can use; others are left out, not an error."""
    import jwt

    listed = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(listed, list):
        raise TypeError('the key set is not {"keys": [...]}')
    keys = []
    for item in listed:
        try:
            key = jwt.PyJWK.from_dict(item)
        except Exception as error:  # one odd key must not make the others useless
            logger.debug("a key of the key set is not usable: %s", error)
            continue
        if key.key_type in {"RSA", "EC"} and key.public_key_use in {None, "sig"}:
            keys.append(key)
    return keys


def _pick(keys: list[Any], kid: object) -> Any:
    """Return the one key that the token means: by its id, or the only one there is."""
    fitting = [key for key in keys if kid is None or key.key_id == kid]
    if len(fitting) != 1:
        raise LookupError(f"{len(fitting)} keys of the key set fit key id {kid!r}")
    return fitting[0].key  # PyJWT refuses one that is not for the token's algorithm


class _KeySet:
    """The keys behind one URL, fetched when needed and at a bounded rate."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._keys: list[Any] = []
        self._stale_at_s = -math.inf
        self._retry_at_s = -math.inf
        self._rotation_at_s = -math.inf

    def key(self, kid: object) -> Any:
        from hermes_cron import clock

        # Fires that come together wait here for one fetch, which is bounded, and share it.
        with self._lock:
            if clock.monotonic() >= self._stale_at_s:
                self._fetch()
            try:
                return _pick(self._keys, kid)
            except LookupError:
                if clock.monotonic() < self._rotation_at_s or not self._fetch():
                    raise
                self._rotation_at_s = clock.monotonic() + _ROTATION_FETCH_AFTER_S
                return _pick(self._keys, kid)

    def _fetch(self) -> bool:
        """Fetch the keys unless that failed a moment ago; the old ones stay when it fails."""
        import httpx  # late, as is all that brings it in: every command would pay for it

        from hermes_cron import clock
        from hermes_cron.plugins.chronos._nas_client import tls

        if clock.monotonic() < self._retry_at_s:
            return False
        try:
            response = httpx.get(
                self._url, timeout=_FETCH_TIMEOUT_S, follow_redirects=False, verify=tls()
            )
            response.raise_for_status()
            self._keys = _usable_keys(response.json())
        except Exception as error:  # however it fails: known keys still serve, unknown ones wait
            logger.warning("the key set at %s cannot be had: %s", self._url, error)
            self._retry_at_s = clock.monotonic() + _RETRY_FETCH_AFTER_S
            return False
        self._stale_at_s = clock.monotonic() + _KEYS_LIFETIME_S
        return True


def _key_set(url: str) -> _KeySet:
    from hermes_cron import process

    sets: dict[str, _KeySet] = process.current().slots.setdefault("chronos.key_sets", {})
    return sets.setdefault(url, _KeySet(url))
