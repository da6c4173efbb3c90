"""What may pass for a cron provider: its name, its shape, its word on its availability.

Every check raises `ProviderRefusedError` with a reason that an operator can act on. Whatever the
provider's own code raises while it is asked, `SystemExit` included, is such a reason too.
"""

import inspect
import re
import threading
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["ProviderRefusedError", "ask", "provider_name", "require_available", "vet"]

# A name becomes a folder and a module name: nothing in it may lead elsewhere.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")

_RESERVED = frozenset({"builtin", "in-process", "inprocess"})

# Availability is told from local facts; a provider that needs longer is waiting for something.
_AVAILABLE_TIMEOUT_S = 5.0

_T = TypeVar("_T")


class ProviderRefusedError(Exception):
    """A named provider cannot be used; the text says why."""


def provider_name(configured: object) -> str:
    """Return the configured value when it is a plain name."""
    if not isinstance(configured, str) or not _NAME.fullmatch(configured):
        raise ProviderRefusedError(
            "not a provider name (letters, digits, '-' and '_' only; no path and no separator)"
        )
    return configured


def vet(provider: Any) -> None:
    """Refuse what cannot be started as a provider."""
    if isinstance(provider, type):
        raise ProviderRefusedError("a class was registered: register an instance of it")
    start = ask(lambda: getattr(provider, "start", None), "looking for its start")
    if not callable(start):
        raise ProviderRefusedError(f"not a provider: {type(provider).__name__} has no start()")
    if inspect.iscoroutinefunction(start):
        raise ProviderRefusedError("its start() is a coroutine: the host calls it on a thread")
    try:
        inspect.signature(start).bind(object(), adapters=None, loop=None, interval=60)
    except TypeError as error:
        raise ProviderRefusedError(
            f"its start() does not take (stop_event, *, adapters, loop, interval): {error}"
        ) from error
    except ValueError:
        pass  # written in C, without a signature: calling it will tell
    name = ask(lambda: provider.name, "asking for its name")
    if not isinstance(name, str) or not name.strip():
        raise ProviderRefusedError(f"its name is {name!r}: a non-empty string is needed")
    if name.strip().lower() in _RESERVED and not _is_builtin(provider):
        raise ProviderRefusedError(f"it calls itself {name!r}, which is the built-in's name alone")


def require_available(provider: Any) -> None:
    """Refuse a provider that says it cannot run here, or does not say so in time.

    It is asked on a thread that may be left behind, so that hanging code hangs itself alone.
    """
    answer: list[Callable[[], object]] = []

    def asking() -> None:
        try:
            value = provider.is_available()
            answer.append(lambda: value)
        except BaseException as error:  # also SystemExit: it would end this thread silently
            answer.append(_raiser(error))

    thread = threading.Thread(target=asking, name="cron-provider-availability", daemon=True)
    thread.start()
    thread.join(_AVAILABLE_TIMEOUT_S)
    if not answer:
        raise ProviderRefusedError(
            f"is_available() did not answer within {_AVAILABLE_TIMEOUT_S:g} s"
        )
    available = ask(answer[0], "asking is_available()")
    if not isinstance(available, bool):
        raise ProviderRefusedError(f"is_available() answered {available!r}, not a bool")
    if not available:
        raise ProviderRefusedError("not available (see what it needs in its configuration)")


def ask(question: Callable[[], _T], what: str) -> _T:
    """Run code of a provider; whatever it raises becomes a refusal."""
    try:
        return question()
    except ProviderRefusedError:
        raise
    except BaseException as error:  # SystemExit and its kin: cron must keep a trigger
        try:
            text = f"{type(error).__name__}: {error}"
        except BaseException:
            text = type(error).__name__
        raise ProviderRefusedError(f"{what} raised {text}") from error


def _is_builtin(provider: Any) -> bool:
    from hermes_cron.scheduler_provider import InProcessCronScheduler

    return type(provider) is InProcessCronScheduler


def _raiser(error: BaseException) -> Callable[[], object]:
    def throw() -> object:
        raise error

    return throw
