"""The words of a script and Python's own values for them, as a scenario file says them."""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypedDict

from simulator.durations import SECOND_US, format_duration

__all__ = [
    "FaultWords",
    "JobWords",
    "Raised",
    "Span",
    "StepWords",
    "When",
    "exception_of",
    "span_of",
    "text_of",
    "value_of",
]

When = str | timedelta | datetime
"""An instant: a duration since the start, or wall time in the zone."""

Span = str | timedelta
Raised = type[BaseException] | BaseException | str | Mapping[str, str]


class JobWords(TypedDict, total=False):
    """What a job may be given besides its id and schedule (`simulator.scenario.Job`, `Body`)."""

    runtime: Span
    repeat: int
    record: Mapping[str, Any]
    at: When
    raises: Raised
    fails: str
    crashes: bool
    restarts_after: Span
    nth: int


class StepWords(TypedDict, total=False):
    """What a step may be given besides its name (`simulator.steps.Step`)."""

    job: str
    machine: str
    for_: Span
    set: Mapping[str, Any]
    fire_at: str
    times: int
    by: Span
    to: str
    lock: str
    what: str


class FaultWords(TypedDict, total=False):
    """What a fault may be given besides what it does (`simulator.fault_rule.Fault`)."""

    at: When
    from_: When
    until: When
    nth: int
    times: int | str
    job: str
    machine: str
    on: str
    after: bool
    for_: Span
    raise_: Raised
    answer: int | str
    hang: Span
    delay: Span
    early: Span
    duplicate: Sequence[Span]
    damage: str
    crash: bool
    drop: bool
    stale: bool
    shutdown: bool


def value_of(value: Any) -> Any:
    """A value of Python as a file says it."""
    if isinstance(value, timedelta):
        return span_of(value)
    if isinstance(value, BaseException) or (
        isinstance(value, type) and issubclass(value, BaseException)
    ):
        return exception_of(value)
    if isinstance(value, list | tuple):
        return [value_of(one) for one in value]
    return value


def span_of(value: Span) -> str:
    """A duration as a file says it."""
    if isinstance(value, str):
        return value
    return format_duration(round(value.total_seconds() * SECOND_US))


def exception_of(error: type[BaseException] | BaseException) -> Any:
    """An exception as a file says it: its name, and its errno or text if it has one."""
    kind = error if isinstance(error, type) else type(error)
    name = kind.__qualname__
    if kind.__module__ != "builtins":
        name = f"{kind.__module__}.{name}"
    if isinstance(error, OSError) and error.errno is not None:
        return {name: errno.errorcode.get(error.errno, str(error.errno))}
    return {name: str(error)} if isinstance(error, BaseException) and str(error) else name


def text_of(error: BaseException) -> str:
    """What an exception says; a word of ours where saying it raises."""
    try:
        return str(error)
    except BaseException as worse:  # what it would have said is lost, that it was raised is not
        return f"(saying it raised {type(worse).__name__})"
