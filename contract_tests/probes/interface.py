"""ABC: the interface stays additive."""

import functools
import inspect
import threading
from typing import Any

from contract_tests.engine import Context, Outcome, held, probe, unknown, violated
from contract_tests.surroundings import Answer, ask, home

__all__: list[str] = []  # probes are found by their ids

REQUIRED = frozenset({"name", "start"})

# How the host calls each optional hook (HOST.md): positional arguments, then keywords.
CALLS: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "is_available": ((), {}),
    "stop": ((), {}),
    "on_jobs_changed": ((), {}),
    "fire_due": (("a-job",), {"adapters": None, "loop": None}),
    "reconcile": ((), {}),
}


def _minimal(interface: type, *without: str) -> type:
    """A subclass with the required members and nothing else, less those named."""
    members: dict[str, Any] = {
        "name": property(lambda _: "contract-minimal"),
        "start": lambda self, stop_event, *, adapters=None, loop=None, interval=60: None,  # noqa: ARG005
    }
    return type("Minimal", (interface,), {k: v for k, v in members.items() if k not in without})


@probe("ABC-1")
def required_surface(context: Context) -> Outcome:
    """The abstract members are name and start, and the interpreter enforces both."""
    interface = context.host.interface()
    demanded = frozenset(getattr(interface, "__abstractmethods__", ()))
    if demanded != REQUIRED:
        return violated(
            f"the required surface is {_names(demanded)}, the contract's is {_names(REQUIRED)}"
        )
    for name in sorted(REQUIRED):
        answer = ask(_minimal(interface, name))
        if not isinstance(answer.error, TypeError):
            return violated(f"a class without {name} was accepted: constructing it {answer}")
    return held(f"abstract members of {interface.__name__}: {_names(demanded)}")


@probe("ABC-2")
def hooks_have_defaults(context: Context) -> Outcome:
    """A class with name and start alone is constructed, started and asked everything."""
    interface = context.host.interface()
    # A surplus demand is ABC-1's affair: the class gets what is demanded, and is asked the rest.
    surplus = frozenset(getattr(interface, "__abstractmethods__", ())) - REQUIRED
    members = dict.fromkeys(surplus, lambda *_, **__: None)
    made = ask(type("Minimal", (_minimal(interface),), members))
    if made.error is not None:
        return violated(f"a class with only name and start: constructing it {made}")
    evidence = []
    with home(context.folder / "minimal"):
        for hook, (positional, keywords) in CALLS.items():
            function = getattr(made.value, hook, None)
            if not callable(function):
                return violated(f"the interface has no {hook}, so that it has no default")
            answer = ask(functools.partial(function, *positional, **keywords))
            problem = _default_problem(hook, answer)
            if problem:
                return violated(f"the default of {hook} {problem}")
            evidence.append(f"the default of {hook} {answer}")
    return held(*evidence)


def _default_problem(hook: str, answer: Answer) -> str | None:
    if answer.late or answer.error is not None:
        return str(answer)
    if hook == "is_available" and answer.value is not True:
        return f"{answer}, not True"
    if hook == "fire_due" and answer.value is not False:
        return f"{answer} for a job that does not exist, not False"
    return None


@probe("ABC-3")
def start_takes_the_keywords(context: Context) -> Outcome:
    """start(stop_event, *, adapters, loop, interval) can be called, with nothing else needed."""
    provider = context.target.make()
    if inspect.iscoroutinefunction(provider.start):
        return violated("start is a coroutine: the host calls it on a thread and awaits nothing")
    try:
        signature = inspect.signature(provider.start)
    except (TypeError, ValueError) as error:
        return unknown(f"start has no signature that can be looked at: {error}")
    try:
        signature.bind(threading.Event(), adapters=None, loop=None, interval=60)
    except TypeError as error:
        return violated(f"start{signature} does not take the contract's call: {error}")
    return held(f"start{signature}")


@probe("ABC-4")
def name_is_a_constant(context: Context) -> Outcome:
    """The name is text, not blank, the same everywhere, and not somebody else's."""
    first, second = context.target.make(), context.target.make()
    # Both are alive at once, so that a name with an address in it differs.
    answers = [ask(functools.partial(getattr, one, "name")) for one in (first, first, second)]
    for answer in answers:
        if answer.error is not None or answer.late:
            return violated(f"asking for the name {answer}")
        if not isinstance(answer.value, str) or not answer.value.strip():
            return violated(f"the name is {answer.value!r}, not a text that says something")
    names = [answer.value for answer in answers]
    if len(set(names)) > 1:
        return violated(f"the name changes between instances or calls: {', '.join(names)}")
    if (names[0] == "builtin") is not context.target.is_builtin:
        right = "is" if context.target.is_builtin else "is not"
        return violated(f"the name is {names[0]!r}, but this {right} the built-in")
    return held(f"name {names[0]!r} on two instances")


@probe("ABC-5")
def hooks_take_the_calls(context: Context) -> Outcome:
    """Each redefined hook binds to the call that the host documents."""
    interface, provider = context.host.interface(), context.target.make()
    evidence = []
    for hook, (positional, keywords) in CALLS.items():
        function = getattr(provider, hook, None)
        if function is None:
            evidence.append(f"{hook} is absent")
            continue
        if getattr(type(provider), hook, None) is getattr(interface, hook, None):
            evidence.append(f"{hook} is the interface's own")
            continue
        try:
            signature = inspect.signature(function)
            signature.bind(*positional, **keywords)
        except (TypeError, ValueError) as error:
            return violated(f"{hook} does not take the call that the host documents: {error}")
        evidence.append(f"{hook}{signature}")
    return held(*evidence)


def _names(members: frozenset[str]) -> str:
    return "{" + ", ".join(sorted(members)) + "}"
