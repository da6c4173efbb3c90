"""What people write for a schedule, turned into the stored form.

`hermes_cron.schedule` is the public face of these functions.
"""

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from hermes_cron import clock
from hermes_cron.schedule.cron_expr import parse_cron
from hermes_cron.schedule.cron_fields import ScheduleError, refuse_overlong_steps
from hermes_cron.schedule.zone_spans import to_utc

__all__: list[str] = []

_MOST_MINUTES = 3650 * 24 * 60
_TOO_MANY_DIGITS = 9
_FEW_WORDS = 3
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNIT_MINUTES = {"m": 1, "h": 60, "d": 24 * 60, "w": 7 * 24 * 60}
_WORDS = "m|mins?|minutes?|h|hrs?|hours?|d|days?"
_DURATION = re.compile(rf"([0-9]+)\s*({_WORDS})", re.IGNORECASE)
_PARTS = re.compile(rf"(?:[0-9]+(?:\.[0-9]+)?\s*(?:{_WORDS}|w|weeks?)\s*)+", re.IGNORECASE)
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z])", re.IGNORECASE)
_TIMESTAMP = re.compile(r"[0-9]{4}-?[0-9]{2}-?[0-9]{2}(?:[T ].*)?", re.IGNORECASE)
_CRON_WORD = re.compile(r"[0-9*?@][0-9*?,/\-#]*|@\S*|[RHrh][0-9()/\-]*|\*\S*")
_FORMS = (
    "write '30m', '2h' or '1d' (once, from now), 'every 30m' (again and again), a cron expression "
    "such as '0 9 * * MON-FRI', or a timestamp such as '2026-02-03T14:00' (once)"
)


def parse_schedule(text: str, *, now: datetime | None = None) -> dict[str, Any]:
    """Turn what a person wrote into a schedule as it is stored, with its ``display``.

    ==================== ======================================================================
    ``30m``, ``2h``      once, that long from now, rounded up to the second
    ``every 30m``        an interval
    ``0 9 * * MON-FRI``  five-field cron, or ``@hourly`` and the like (stored as five fields)
    ``2026-02-03T14:00`` once, then; without an offset it is wall time in the configured zone, in a
                         gap the first instant after it, in a repeated hour the first pass
    ==================== ======================================================================

    A past time is not refused here but by `ensure_not_past`.

    Args:
        text: the schedule in one of these forms.
        now: the present, aware in the configured zone; the clock's when left out.

    Raises:
        ScheduleError: anything else, with what would be right.
    """
    if not isinstance(text, str) or not text.strip():
        raise ScheduleError(f"{text!r:.80} is no schedule; {_FORMS}")
    text = text.strip()
    if text.lower().startswith("every ") or text.lower() == "every":
        minutes = _every(text)
        return {"kind": "interval", "minutes": minutes, "display": f"every {minutes}m"}
    if _TIMESTAMP.fullmatch(text):
        return _timestamp(text, now or clock.now())
    if _looks_like_cron(text):
        refuse_overlong_steps(text)
        return {"kind": "cron", "expr": parse_cron(text).text, "display": text}
    if not text[0].isdigit():
        raise ScheduleError(f"schedule {text[:80]!r} cannot be read; {_FORMS}")
    run_at = _later(now or clock.now(), parse_duration(text))
    return {"kind": "once", "run_at": run_at.isoformat(), "display": f"once in {text}"}


def _looks_like_cron(text: str) -> bool:
    """Meant as cron, rightly written or not, so that the refusal speaks of cron."""
    words = text.split()
    if not _CRON_WORD.fullmatch(words[0]):
        return False
    return len(words) >= _FEW_WORDS or "*" in text or text.startswith("@")


def parse_duration(text: str) -> int:
    """Minutes of a duration such as ``30m``, ``2h``, ``1d`` or ``90 minutes``: a number, a unit.

    Raises:
        ScheduleError: anything else, no time at all, or more than 3650 days.
    """
    return _minutes(text, "")


def _minutes(text: str, prefix: str) -> int:
    """The duration; ``prefix`` is what stands before it, for what the errors propose."""
    found = _DURATION.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        raise ScheduleError(
            f"{text!r:.80} is no duration of one whole number and one unit; write "
            + _proposal(text, prefix)
        )
    digits, unit = found[1].lstrip("0") or "0", found[2][0].lower()
    minutes = int(digits) * _UNIT_MINUTES[unit] if len(digits) < _TOO_MANY_DIGITS else math.inf
    if minutes == 0:
        raise ScheduleError(f"duration {text!r} is no time at all; the shortest is '{prefix}1m'")
    if minutes > _MOST_MINUTES:
        raise ScheduleError(f"duration {text[:40]!r} is too long; the longest is '{prefix}3650d'")
    return int(minutes)


def _proposal(text: object, prefix: str) -> str:
    """What would be right; exactly so where the meaning can be guessed ('2h30m')."""
    given = text.strip().lower() if isinstance(text, str) else ""
    if _PARTS.fullmatch(given):
        total = sum(float(number) * _UNIT_MINUTES[unit] for number, unit in _PART.findall(given))
        if total == int(total) and 0 < total <= _MOST_MINUTES:
            unit = next(unit for unit in "dhm" if total % _UNIT_MINUTES[unit] == 0)
            return f"'{prefix}{total / _UNIT_MINUTES[unit]:.0f}{unit}'"
    if re.fullmatch(r"[0-9]{1,9}", given):
        return f"'{prefix}{given}m' for minutes, '{prefix}{given}h' for hours"
    if re.fullmatch(r"[0-9]+ ?s(ec(ond)?s?)?", given):
        return f"'{prefix}1m', the shortest, or a number of minutes"
    if given in ("day", "hour", "minute"):
        return f"'{prefix}1{given[0]}'"
    return f"'{prefix}30m', '{prefix}2h' or '{prefix}1d'"


def _every(text: str) -> int:
    try:
        return _minutes(text[len("every") :].strip(), "every ")
    except ScheduleError as error:
        raise ScheduleError(
            f"interval {text[:80]!r}: {error}; a time of day or a weekday is a cron expression, "
            "such as '0 9 * * MON'"
        ) from None


def _timestamp(text: str, now: datetime) -> dict[str, Any]:
    zone = now.tzinfo or UTC
    try:
        written = datetime.fromisoformat(text)
        instant = to_utc(written, zone)
        local = instant.astimezone(zone)
    except (ValueError, OverflowError) as error:
        raise ScheduleError(
            f"timestamp {text[:80]!r} cannot be read ({error}); write it like "
            "'2026-02-03T14:00' or '2026-02-03T14:00:00+01:00'"
        ) from None
    run_at = local if written.utcoffset() is None else written
    return {
        "kind": "once",
        "run_at": run_at.isoformat(),
        "display": f"once at {local:%Y-%m-%d %H:%M}",
    }


def _later(now: datetime, minutes: int) -> datetime:
    """``now`` and so many minutes of elapsed time, on a whole second and not before."""
    zone = now.tzinfo or UTC
    since = to_utc(now, zone) - _EPOCH + timedelta(minutes=minutes)
    return (_EPOCH + timedelta(seconds=-(-since // timedelta(seconds=1)))).astimezone(zone)
