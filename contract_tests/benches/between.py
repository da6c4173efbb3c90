"""Between a host and a provider: the provider itself, with one thing of its surroundings bent.

What is bent is an attribute of the instance: to host and interpreter it stays the class that it is.
"""

import functools
import inspect
import time
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Bend", "Strike", "later_host", "troubled_waits"]

SECOND_US = 1_000_000
# What later hosts hand to `start` where its signature takes it (HOST.md).
LATER_KEYWORDS: Mapping[str, Any] = {"can_dispatch": lambda: True, "profile_homes": ()}


@dataclass(frozen=True, slots=True)
class Strike:
    """Something that a bend did.

    Attributes:
        at_us: when, microseconds since the epoch, by the clock of the run.
        what: in a word.
    """

    at_us: int
    what: str


@dataclass(frozen=True, slots=True)
class Bend:
    """A way of bending.

    Attributes:
        label: in a word, different for each.
        apply: bends a fresh provider, and notes each time that the bend made a difference.
    """

    label: str
    apply: Callable[[Any, list[Strike]], None]

    def around(self, make: Callable[[], Any], strikes: list[Strike]) -> Callable[[], Any]:
        """Make providers that are bent."""

        def made() -> Any:
            provider = make()
            self.apply(provider, strikes)
            return provider

        return made


class _StopEvent:
    """The host's stop event, except that something comes before a wait."""

    def __init__(self, event: Any, before_wait: Callable[[], None]) -> None:
        self._event = event
        self._before_wait = before_wait

    def __getattr__(self, name: str) -> Any:
        return getattr(self._event, name)

    def wait(self, timeout: float | None = None) -> bool:
        self._before_wait()
        return bool(self._event.wait(timeout))


def troubled_waits(label: str, plan: Iterable[tuple[str, int, type[BaseException] | int]]) -> Bend:
    """Waits on the stop event that raise, or in which the machine stands still.

    Args:
        label: the bend's.
        plan: a word, an instant in microseconds after the first wait, and for the first wait from
            then on either what it raises or how many microseconds the machine is suspended in it.
    """

    def apply(provider: Any, strikes: list[Strike]) -> None:
        ahead, began = list(plan), []

        def before_wait() -> None:
            now_us = _now_us()
            began.append(now_us)
            if not ahead or now_us < began[0] + ahead[0][1]:
                return
            what, _, trouble = ahead.pop(0)
            if isinstance(trouble, int):
                time.sleep(trouble / SECOND_US)
                strikes.append(Strike(_now_us(), what))
                return
            strikes.append(Strike(now_us, what))
            raise trouble

        real = provider.start
        _replace(
            provider,
            "start",
            lambda event, **offered: real(_StopEvent(event, before_wait), **offered),
        )

    return Bend(label, apply)


def later_host(interface: type, hooks: Mapping[str, tuple[Any, ...]]) -> Bend:
    """A host of later years, which has more keywords for `start` and calls more hooks.

    Args:
        interface: the class that providers implement; the later one has the hooks already.
        hooks: the additional ones, with what they are called with. A provider that has one of its
            own has heard of it, and is not asked.
    """

    def apply(provider: Any, strikes: list[Strike]) -> None:
        def call(*names: str) -> None:
            for name in names:
                if getattr(type(provider), name, None) is getattr(interface, name):
                    strikes.append(Strike(_now_us(), f"{name}()"))
                    getattr(provider, name)(*hooks[name])

        def start(event: Any, **offered: Any) -> Any:
            more = _taken(real_start, LATER_KEYWORDS)
            strikes.extend(Strike(_now_us(), f"{name}=") for name in more)
            call("recover_interrupted", "on_calendar_reform")
            return real_start(event, **offered | more)

        real_start = provider.start
        _replace(provider, "start", start)
        for name, first, last in (
            ("on_jobs_changed", "register_job", None),
            ("fire_due", "claim_fire", "fire_claimed"),
        ):
            if hasattr(provider, name):
                _replace(provider, name, _between(call, first, getattr(provider, name), last))

    return Bend("under a later host", apply)


def _between(
    call: Callable[[str], None], first: str, real: Callable[..., Any], last: str | None
) -> Callable[..., Any]:
    def function(*arguments: Any, **keywords: Any) -> Any:
        call(first)
        value = real(*arguments, **keywords)
        if last is not None:
            call(last)
        return value

    return function


def _replace(provider: Any, name: str, function: Callable[..., Any]) -> None:
    """Bend one attribute, of an instance that takes none (``__slots__``) by a class of its own.

    A frozen dataclass or a settings model refuses new attributes to its users; a bend is none.
    """
    real = getattr(provider, name)

    @functools.wraps(real)
    def bent(*arguments: Any, **keywords: Any) -> Any:
        return function(*arguments, **keywords)

    try:
        object.__setattr__(provider, name, bent)
    except AttributeError:
        _give_its_own_class(provider)
        setattr(type(provider), name, staticmethod(bent))


def _give_its_own_class(provider: Any) -> None:
    """Let an instance have a class that is like its own, and nobody else's."""
    kind: type = type(provider)
    names = {"__slots__": (), "__module__": kind.__module__, "__qualname__": kind.__qualname__}
    own = types.new_class(kind.__name__, (kind,), exec_body=lambda body: body.update(names))
    object.__setattr__(provider, "__class__", own)


def _taken(function: Callable[..., Any], offered: Mapping[str, Any]) -> dict[str, Any]:
    """Those keywords that a signature takes; all of them with ``**keywords``."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return {}
    if any(one.kind is one.VAR_KEYWORD for one in parameters.values()):
        return dict(offered)
    return {name: value for name, value in offered.items() if name in parameters}


def _now_us() -> int:
    return round(time.time() * SECOND_US)
