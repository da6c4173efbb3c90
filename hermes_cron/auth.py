"""The agent's Nous login, as `auth.json` in the home has it (hermes-agent's format).

`{"version": 1, "providers": {"nous": {"access_token", "refresh_token", "expires_at", ...}}}`.
Looking at the stored state needs no network; only `resolve_nous_access_token` may refresh.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hermes_cron import clock, config, paths
from hermes_cron.store import files

__all__ = ["get_provider_auth_state", "resolve_nous_access_token"]

logger = logging.getLogger(__name__)

REFRESH_SKEW_S = 120  # a token this close to its end is refreshed before it is used
_LOCK_TIMEOUT_S = 20.0
_CLIENT_ID = "hermes-cli"


def get_provider_auth_state(provider_id: str) -> dict[str, Any] | None:
    """The stored login of one auth provider ("nous"), or None. No network, never raises."""
    states = _read_store().get("providers")
    state = states.get(provider_id) if isinstance(states, dict) else None
    return dict(state) if isinstance(state, dict) else None


def resolve_nous_access_token(*, timeout_seconds: float = 15.0) -> str | None:
    """A Nous access token that is good now, refreshed when it is about to expire.

    Args:
        timeout_seconds: for the whole refresh request, when one is needed.

    Returns:
        The token; None without a login, or when an expired one could not be refreshed (logged,
        with what to do). A token without a known end is taken as good.
    """
    state = get_provider_auth_state("nous")
    if not state or not _text(state.get("access_token")):
        return None
    if not _is_expiring(state):
        return _text(state["access_token"])
    try:
        with _locked():
            # Refresh tokens are good once: somebody else may have used ours while we waited.
            state = get_provider_auth_state("nous") or {}
            if _text(state.get("access_token")) and not _is_expiring(state):
                return _text(state["access_token"])
            return _refresh(state, timeout_seconds)
    except (
        Exception
    ) as error:  # whatever the network or the disk does, cron goes on without a token
        logger.error(  # noqa: TRY400 - a traceback of a failed request would say no more
            "the Nous session has expired and could not be refreshed (%s: %s); log in again",
            type(error).__name__,
            error,
        )
        return None


def _refresh(state: dict[str, Any], timeout_s: float) -> str | None:
    """Trade the refresh token for a new pair and store it before anybody uses it."""
    refresh_token = _text(state.get("refresh_token"))
    if refresh_token is None:
        raise LookupError("no refresh token is stored")
    import httpx  # late: building the commands' first screen must not pay for it

    portal = (
        os.environ.get("HERMES_PORTAL_BASE_URL")
        or _text(state.get("portal_base_url"))
        or _text(config.cfg_get(config.load_config(), "cron", "chronos", "portal_url"))
    )
    if not portal:
        raise LookupError("no portal URL is stored with the login")
    response = httpx.post(
        f"{portal.rstrip('/')}/api/oauth/token",
        headers={"x-nous-refresh-token": refresh_token},
        data={
            "grant_type": "refresh_token",
            "client_id": str(state.get("client_id") or _CLIENT_ID),
        },
        timeout=timeout_s,
    )
    response.raise_for_status()
    answer = response.json()
    token = _text(answer.get("access_token")) if isinstance(answer, dict) else None
    if token is None:
        raise ValueError("the portal's answer holds no access token")
    now = datetime.fromtimestamp(clock.epoch(), UTC)
    lives_s = answer.get("expires_in")
    lives_s = int(lives_s) if isinstance(lives_s, int | float) else 0
    state |= {
        "access_token": token,
        "refresh_token": _text(answer.get("refresh_token")) or refresh_token,
        "obtained_at": now.isoformat(),
        "expires_in": lives_s,
        "expires_at": (now + timedelta(seconds=lives_s)).isoformat(),
    }
    _save_state(state)
    return token


def _is_expiring(state: dict[str, Any]) -> bool:
    """True when the stored end is known and near or past."""
    try:
        ends = datetime.fromisoformat(str(state.get("expires_at")))
    except ValueError:
        return False
    if ends.tzinfo is None:
        ends = ends.replace(tzinfo=UTC)
    return ends.timestamp() <= clock.epoch() + REFRESH_SKEW_S


def _path() -> Path:
    return paths.home() / "auth.json"


def _read_store() -> dict[str, Any]:
    """The whole file; empty when it is absent, unreadable (logged) or of another shape."""
    path = _path()
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        logger.warning(
            "%s cannot be read (%s: %s); not logged in", path, type(error).__name__, error
        )
        return {}
    return loaded if isinstance(loaded, dict) else {}


def _save_state(state: dict[str, Any]) -> None:
    """Replace the Nous state, owner-only and the owner's; everything else in the file stays."""
    path = _path()
    whole = json.loads(path.read_text(encoding="utf-8"))
    whole["providers"]["nous"] = state
    files.replace_file(str(path), json.dumps(whole, indent=2).encode())


@contextmanager
def _locked() -> Iterator[None]:
    """hermes-agent's own lock file: its refresh and ours exclude each other."""
    from filelock import FileLock

    lock = str(_path().with_suffix(".lock"))
    files.make_private_file(lock)
    with FileLock(lock, timeout=_LOCK_TIMEOUT_S):
        yield


def _text(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None
