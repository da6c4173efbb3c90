"""What the agent answers when NAS says that a job is due: the table of WIRE.md as one function.

`receive_fire` checks the token, reads the body, claims (job, `fire_at`) durably in the store and
only then promises a run. It starts nothing itself: `dispatch` and `rearm` are given by whoever
serves it (hermes_cron.gateway), and must return at once.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hermes_cron import claims, config, pending, store
from hermes_cron.plugins.chronos import verify

__all__ = ["MAX_BODY_BYTES", "Answer", "Refused", "receive_fire"]

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 64 * 1024  # a fire is two short strings


@dataclass(frozen=True)
class Answer:
    """An HTTP answer: the status code and the JSON body."""

    status: int
    body: dict[str, Any]


class Refused(Exception):  # noqa: N818 - an answer that is not an error of ours
    """The request stops here, with this answer."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.answer = Answer(status, {"error": error})


def receive_fire(
    *,
    authorization: str | None,
    body: bytes,
    dispatch: Callable[[str, claims.Reservation], None],
    rearm: Callable[[], None],
    unready: Callable[[], str | None] | None = None,
) -> Answer:
    """Answer one fire.

    Args:
        authorization: the header of that name, None when absent.
        body: the raw request body.
        dispatch: starts the run of a job that is claimed by this reservation, and returns at once.
        rearm: asks the provider to converge its registry, and returns at once; called when a fire
            cannot help but the job may have a next occurrence.
        unready: says why this process takes no fires now (draining, too many at once), or None;
            such a fire is 503, before anything is claimed, so that NAS tries again.

    Returns:
        The answer; 202 only after the claim is in the store. Never raises what the request, the
        token check or the store caused.
    """
    try:
        _check_token(authorization)
        job_id, fire_at = _read_body(body)
    except Refused as refusal:
        return refusal.answer
    not_now = unready() if unready is not None else None
    if not_now is not None:
        return Answer(503, {"error": not_now, "job_id": job_id})
    try:
        reservation = claims.reserve(job_id, fire_at)
    except Exception as error:  # the store's trouble is NAS's reason to try again, whatever it is
        known = isinstance(error, store.StoreError)
        logger.error(  # noqa: TRY400 - a known store error says all there is
            "cron fire of job '%s' for %s could not be claimed: %s; NAS will try again",
            job_id,
            fire_at or "no stated occurrence",
            error,
            exc_info=None if known else error,
            extra={"job_id": job_id, "occurrence": fire_at},
        )
        return Answer(503, {"error": "the claim could not be written", "job_id": job_id})
    return _settle(job_id, fire_at, reservation, dispatch, rearm)


def _settle(
    job_id: str,
    fire_at: str | None,
    reservation: claims.Reservation,
    dispatch: Callable[[str, claims.Reservation], None],
    rearm: Callable[[], None],
) -> Answer:
    """Turn the store's word into an answer, and set going what follows from it."""
    if reservation.outcome == "gone":
        return Answer(200, {"status": "gone", "job_id": job_id})
    execution = reservation.execution
    extra = execution.extra if execution else {"job_id": job_id, "occurrence": fire_at}
    if reservation.outcome != "reserved":
        try:
            rearm()
        except Exception:  # the answer stands: a retry of this fire would not help the next one
            logger.exception(
                "re-arming after an ignored fire of job '%s' could not be started",
                job_id,
                extra=extra,
            )
        return Answer(200, {"status": "ignored", "reason": reservation.reason, "job_id": job_id})
    try:
        dispatch(job_id, reservation)
    except Exception:
        logger.exception(
            "the run of job '%s' for %s could not be started", job_id, fire_at, extra=extra
        )
        # The retry of the same fire wins it then.
        if execution is not None:
            pending.release(execution, "it could not be started")
        return Answer(503, {"error": "the run could not be started", "job_id": job_id})
    return Answer(202, {"status": "accepted", "job_id": job_id})


def _check_token(authorization: str | None) -> None:
    """401 unless the pluggable check returns claims; which check failed is not told."""
    scheme, _, token = (authorization or "").partition(" ")
    accepted: object = None
    if scheme.lower() == "bearer" and token.strip():
        cfg = config.load_config()
        try:
            accepted = verify.get_fire_verifier()(
                token=token.strip(),
                expected_audience=_setting(cfg, "expected_audience") or "",
                jwks_or_key=_setting(cfg, "nas_jwks_url"),
                issuer=_setting(cfg, "portal_url"),
            )
        except Exception:  # a check of somebody else's: what raises has not accepted
            logger.exception("the fire-token check raised; the fire is refused")
    if not isinstance(accepted, Mapping):
        raise Refused(401, "invalid fire token")


def _setting(cfg: Mapping[str, Any], key: str) -> str | None:
    value = config.cfg_get(cfg, "cron", "chronos", key)
    return value.strip() or None if isinstance(value, str) else None


def _read_body(body: bytes) -> tuple[str, str | None]:
    """The job id and, when the body names one, the occurrence."""
    if len(body) > MAX_BODY_BYTES:
        raise Refused(413, f"the body is larger than {MAX_BODY_BYTES} bytes")
    try:
        fire = json.loads(body)
    except (ValueError, RecursionError):  # RecursionError: thousands of opening brackets
        raise Refused(400, "the body is not JSON") from None
    if not isinstance(fire, dict):
        raise Refused(400, 'the body is not an object like {"job_id", "fire_at"}')
    job_id, fire_at = fire.get("job_id"), fire.get("fire_at")
    if not isinstance(job_id, str) or not job_id.strip():
        raise Refused(400, "job_id is missing or not a string")
    if not job_id.isascii() and any("\ud800" <= character <= "\udfff" for character in job_id):
        raise Refused(400, "job_id is not text: it holds half of a surrogate pair")
    if fire_at is not None and not _is_instant(fire_at):
        raise Refused(400, "fire_at is not an ISO 8601 instant with an offset")
    return job_id, fire_at


def _is_instant(value: object) -> bool:
    """True for ISO 8601 with an offset: a naive time would be a guess about another's zone."""
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False
