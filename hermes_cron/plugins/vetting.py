"""What may pass for a cron provider: its name, its shape, its word on its availability.

Every check raises `ProviderRefusedError` with a reason that an operator can act on. Whatever the
provider's own code raises while it is asked, `SystemExit` included, is such a reason too, and so is
code that does not come back: it runs on a thread that may be left behind.
"""

import inspect
import re
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from hermes_cron.raised import in_a_line

__all__ = [
    "ANSWER_LIMIT_S",
    "BUILD_LIMIT_S",
    "ProviderHangsError",
    "ProviderRefusedError",
    "ask",
    "provider_name",
    "require_available",
    "vet",
]

# A name becomes a folder and a module name: nothing in it may lead elsewhere.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")

_RESERVED = frozenset({"builtin", "in-process", "inprocess"})

# Importing a large client library from a cold disk takes seconds; what takes longer waits for
# something that does not come.
BUILD_LIMIT_S = 15.0

# Name and availability are told from local facts.
ANSWER_LIMIT_S = 5.0

_T = TypeVar("_T")


class ProviderRefusedError(Exception):
    """A named provider cannot be used; the text says why."""


class ProviderHangsError(ProviderRefusedError):
    """Its code did not come back in time, and may still be on."""


def provider_name(configured: object) -> str:
    """Return the configured value when it is a plain name."""
    if not isinstance(configured, str) or not _NAME.fullmatch(configured):
        raise ProviderRefusedError(
            "not a provider name (letters, digits, '-' and '_' only; no path and no separator)"
        )
    return configured


def ask(
    question: Callable[[list[str]], _T], *, limit_s: float, late: Callable[[], None] = lambda: None
) -> _T:
    """Run code of a provider on a thread of its own, and wait for it for a limited time.

    Args:
        question: is given a list, to which it adds what it is about to do; the last entry names
            what went wrong.
        limit_s: real seconds.
        late: called on that thread when it comes back after all, and nobody waits any more.

    Raises:
        ProviderRefusedError: It raised, whatever it raised.
        ProviderHangsError: It did not come back.
    """
    steps = ["the provider"]  # until it says more
    outcomes: list[Callable[[], _T]] = []
    turn, given_up = threading.Lock(), threading.Event()

    def asking() -> None:
        outcome = _outcome(question, steps)
        with turn:
            outcomes.append(outcome)
            if given_up.is_set():
                late()

    thread = threading.Thread(target=asking, name="cron-provider-question", daemon=True)
    thread.start()
    thread.join(limit_s)
    with turn:
        if not outcomes:
            given_up.set()
            raise ProviderHangsError(f"{steps[-1]} did not come back within {limit_s:g} s")
    return outcomes[0]()


def _outcome(question: Callable[[list[str]], _T], steps: list[str]) -> Callable[[], _T]:
    """Ask; a function that gives the answer or raises the refusal, without a look at either."""
    try:
        value = question(steps)
    except ProviderRefusedError as refusal:
        return _raiser(refusal)
    except BaseException as error:  # SystemExit and its kin: cron must keep a trigger
        return _raiser(ProviderRefusedError(f"{steps[-1]} raised {in_a_line(error)}"))
    return lambda: value


def _raiser(refusal: ProviderRefusedError) -> Callable[[], Any]:
    def refuse() -> Any:
        raise refusal

    return refuse


def vet(provider: Any) -> str:
    """Refuse what cannot be started as a provider.

    Returns:
        Its name.
    """
    return ask(lambda steps: _vetted(provider, steps), limit_s=ANSWER_LIMIT_S)


def _vetted(provider: Any, steps: list[str]) -> str:
    steps.append("looking for its start")
    if isinstance(provider, type):
        raise ProviderRefusedError("a class was registered: register an instance of it")
    start = getattr(provider, "start", None)
    if not callable(start):
        raise ProviderRefusedError(f"not a provider: {type(provider).__name__} has no start()")
    if inspect.iscoroutinefunction(start):
        raise ProviderRefusedError("its start() is a coroutine: the host calls it on a thread")
    _require_callable_as_documented(start)
    steps.append("asking for its name")
    name = provider.name
    if not isinstance(name, str) or not name.strip():
        raise ProviderRefusedError(f"its name is {name!r}: a non-empty string is needed")
    if name.strip().lower() in _RESERVED and not _is_builtin(provider):
        raise ProviderRefusedError(f"it calls itself {name!r}, which is the built-in's name alone")
    return name


def _require_callable_as_documented(start: Callable[..., Any]) -> None:
    """Refuse a `start` that cannot be called; an older one may do without adapters and loop."""
    from hermes_cron import provider_calls

    newer = provider_calls.accepted(start, {"adapters": None, "loop": None})
    try:
        inspect.signature(start).bind(object(), interval=60, **newer)
    except TypeError as error:
        raise ProviderRefusedError(
            f"its start() does not take (stop_event, *, adapters, loop, interval): {error}"
        ) from error
    except ValueError:
        pass  # written in C, without a signature: calling it will tell


def require_available(provider: Any) -> None:
    """Refuse a provider that says it cannot run here, or does not say so in time."""
    ask(lambda steps: _answers_that_it_is(provider, steps), limit_s=ANSWER_LIMIT_S)


def _answers_that_it_is(provider: Any, steps: list[str]) -> None:
    steps.append("asking is_available()")
    available = provider.is_available()
    if type(available) is not bool:
        raise ProviderRefusedError(f"is_available() answered {available!r}, not a bool")
    if not available:
        raise ProviderRefusedError("not available (see what it needs in its configuration)")


def _is_builtin(provider: Any) -> bool:
    from hermes_cron.scheduler_provider import InProcessCronScheduler

    return type(provider) is InProcessCronScheduler
