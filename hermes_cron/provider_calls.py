"""How a host deals with a provider that it knows nothing about."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from types import FunctionType, MethodType
from typing import Any

from hermes_cron import scheduler_provider
from hermes_cron.scheduler_provider import CronScheduler

__all__ = ["accepted", "hook", "is_external", "name_of"]

_HOOKS = ("fire_due", "reconcile", "on_jobs_changed")


def is_external(provider: CronScheduler) -> bool:
    """True when a returned `start` can be all that the provider needs: it takes part in fires."""
    if isinstance(provider, scheduler_provider.InProcessCronScheduler):
        return False
    return any(_redefines(type(provider), hook) for hook in _HOOKS)


def _redefines(kind: type, hook: str) -> bool:
    """Whether a class has a hook of its own, beside the interface's default.

    The interface may be another copy of it (vendored, or hermes-agent's): known by its name, and by
    leaving `start` open.
    """
    home = next((cls for cls in kind.__mro__ if hook in vars(cls)), CronScheduler)
    if home is CronScheduler:
        return False
    is_interface = home.__name__ == CronScheduler.__name__
    return not (is_interface and "start" in getattr(home, "__abstractmethods__", ()))


def hook(provider: CronScheduler, name: str) -> Callable[..., Any]:
    """An optional hook of the provider, or the interface's default for one that is older than it.

    A provider need not derive from our interface: one that was written against an earlier or a
    vendored copy lacks what was added since.
    """
    own = getattr(provider, name, None)
    default = getattr(scheduler_provider.CronScheduler, name)
    return own if callable(own) else functools.partial(default, provider)


def accepted(function: Callable[..., Any], offered: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the keyword arguments that `function` takes; all of them with `**keywords`.

    A function that cannot be inspected is offered everything, as the interface documents.
    """
    taken = (
        _of_method(function.__func__)
        if isinstance(function, MethodType) and isinstance(function.__func__, FunctionType)
        else _keywords(function)
    )
    if taken is None:
        return dict(offered)
    return {name: value for name, value in offered.items() if name in taken}


@functools.lru_cache(maxsize=32)
def _of_method(function: FunctionType) -> frozenset[str] | None:
    """As `_keywords`; each fire asks it of the same method."""
    return _keywords(MethodType(function, object()))


def _keywords(function: Callable[..., Any]) -> frozenset[str] | None:
    """The keywords that a function names; None for whatever is offered."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    return frozenset(
        parameter.name
        for parameter in parameters
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    )


def name_of(provider: CronScheduler) -> str:
    """The provider's name, or its class's when it will not say."""
    try:
        return str(provider.name)
    except (
        BaseException
    ):  # asking a broken provider for its name is part of saying that it is broken
        return type(provider).__name__
