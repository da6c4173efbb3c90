"""Durations as people write them ("27h", "2s", "1h30m", "1d") and as the kernel counts them."""

import re

__all__ = ["DAY_US", "HOUR_US", "MINUTE_US", "SECOND_US", "format_duration", "parse_duration"]

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US

_UNITS_US = {
    "d": DAY_US,
    "h": HOUR_US,
    "m": MINUTE_US,
    "s": SECOND_US,
    "ms": 1000,
    "us": 1,
}
_PART = re.compile(r"(\d+)(d|h|ms|us|m|s)")
_WHOLE = re.compile(r"-?(?:\d+(?:d|h|ms|us|m|s))+")


def parse_duration(value: object) -> int:
    """Microseconds of a duration such as "1h30m".

    Args:
        value: The text; a leading "-" is allowed. The number 0 needs no unit.

    Raises:
        ValueError: Anything else, a bare number included: it does not say what it counts.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        if value == 0:
            return 0
        raise ValueError(f"{value} has no unit: write {value}s, or ms, m, h, d")
    if not isinstance(value, str) or not _WHOLE.fullmatch(value):
        raise ValueError(f"{value!r} is no duration: write 2s, 1h30m, 27h or 1d")
    total = sum(int(number) * _UNITS_US[unit] for number, unit in _PART.findall(value))
    return -total if value.startswith("-") else total


def format_duration(duration_us: int) -> str:
    """The shortest text that `parse_duration` reads back to the same microseconds."""
    if duration_us == 0:
        return "0s"
    rest, parts = abs(duration_us), []
    for unit, size_us in _UNITS_US.items():
        count, rest = divmod(rest, size_us)
        if count:
            parts.append(f"{count}{unit}")
    return ("-" if duration_us < 0 else "") + "".join(parts)
