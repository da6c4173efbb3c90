"""FALL: cron never loses its trigger. Judges the host, with plugins of the kit's own."""

import logging
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from contract_tests.engine import Context, Outcome, held, probe, violated
from contract_tests.surface import BUILTIN_NAMES
from contract_tests.surroundings import Answer, ask, captured_logs, home

__all__: list[str] = []  # probes are found by their ids

# A plugin as its author would write it; the places that a probe bends are named in braces.
PLUGIN = '''\
"""A cron provider."""
{early}
from hermes_cron import CronScheduler


class {cls}(CronScheduler):
    {construct}
    @property
    def name(self):
        {name}

    def is_available(self):
        {available}

    def start(self, stop_event, *, adapters=None, loop=None, interval=60):
        return None


{register}
'''
_REGISTER = "def register(ctx):\n    ctx.register_cron_scheduler({what})\n"


def plugin(name: str, /, **bent: str) -> str:
    """The text of a plugin's ``__init__.py``.

    Args:
        name: the provider's name.
        bent: replacements for early, construct, name, available or register.
    """
    cls = "Planted"
    parts = {
        "early": "",
        "construct": "",
        "name": f"return {name!r}",
        "available": "return True",
        "register": _REGISTER.format(what=f"{cls}()"),
    }
    return PLUGIN.format(cls=cls, **(parts | bent))


@dataclass
class Resolved:
    """What the resolver gave in one home, and what it said."""

    answer: Answer
    records: list[logging.LogRecord]
    left_behind: list[str] = field(default_factory=list)

    @property
    def name(self) -> Any:
        """The name that the resolved provider gives itself."""
        return ask(lambda: self.answer.value.name).value

    def warnings(self) -> list[str]:
        """The messages from WARNING up."""
        return [r.getMessage() for r in self.records if r.levelno >= logging.WARNING]


def _resolve(
    context: Context, label: str, config: Any, files: dict[str, str] | None = None
) -> Resolved:
    """Ask the resolver in a fresh home with this configuration (data, or bytes as they are)."""
    folder = context.folder / "fallback" / label / "home"
    with home(folder):
        data = config if isinstance(config, bytes) else str(yaml.safe_dump(config)).encode()
        (folder / "config.yaml").write_bytes(data)
        for path, text in (files or {}).items():
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
        before = set(sys.modules)
        with captured_logs() as records:
            answer = ask(context.host.resolve)
        left = [name for name in sys.modules if name not in before and _is_from(name, folder)]
        for name in left:
            del sys.modules[name]
    return Resolved(answer, records, left)


def _is_from(module: str, folder: Path) -> bool:
    file = getattr(sys.modules.get(module), "__file__", None)
    return isinstance(file, str) and Path(file).is_relative_to(folder)


def resolve_planted(context: Context, name: str, text: str) -> Resolved:
    """Ask the resolver in a home with this plugin, whose name is configured."""
    return _resolve(context, name, _configured(name), _folder_of(name, text))


def _not_builtin(context: Context, resolved: Resolved) -> str | None:
    """What is wrong with the answer, if it is anything but the built-in."""
    if resolved.answer.error is not None or resolved.answer.late:
        return f"the resolver {resolved.answer}"
    expected = context.shared.get("builtin type")
    if expected is None:
        plain = _resolve(context, "plain", {})
        expected = context.shared["builtin type"] = type(plain.answer.value)
    # Both the name and the type: a planted provider may call itself what it likes.
    if type(resolved.answer.value) is not expected or resolved.name != BUILTIN_NAMES[0]:
        got = type(resolved.answer.value).__name__
        return f"the host took {got} with the name {resolved.name!r}, not the built-in"
    return None


def _folder_of(name: str, text: str) -> dict[str, str]:
    return {f"plugins/{name}/__init__.py": text}


def _configured(name: Any) -> dict[str, Any]:
    return {"cron": {"provider": name}}


@probe("FALL-1")
def built_in_by_default(context: Context) -> Outcome:
    """No configuration, no name, and each of the built-in's names, with plugins that want them."""
    configs: list[Any] = [{}, {"cron": {}}, {"cron": None}, _configured(None), _configured("")]
    configs += [_configured(name) for name in BUILTIN_NAMES]
    for number, config in enumerate(configs):
        # A host that does not know its own word for the built-in would find a plugin of that name.
        planted = {
            path: text
            for name in BUILTIN_NAMES
            for path, text in _folder_of(name, plugin("contract-usurper")).items()
        }
        resolved = _resolve(context, f"default-{number}", config, planted)
        problem = _not_builtin(context, resolved)
        if problem:
            return violated(f"with the configuration {config!r}, {problem}")
    return held(f"the built-in for each of {len(configs)} configurations that name no other")


@probe("FALL-2")
def unknown_name(context: Context) -> Outcome:
    """A name that nothing answers to."""
    name = "contract-nowhere"
    resolved = _resolve(context, "unknown", _configured(name))
    return _fell_back(context, resolved, "an unknown name", naming=name)


@probe("FALL-3")
def unavailable(context: Context) -> Outcome:
    """A provider that says that it is not available."""
    name = "contract-asleep"
    text = plugin(name, available="return False")
    resolved = _resolve(context, "asleep", _configured(name), _folder_of(name, text))
    return _fell_back(context, resolved, "a provider that is not available")


def _fell_back(
    context: Context, resolved: Resolved, what: str, *, naming: str | None = None
) -> Outcome:
    problem = _not_builtin(context, resolved)
    if problem:
        return violated(f"for {what}, {problem}")
    warnings = resolved.warnings()
    if not warnings:
        return violated(f"for {what}, the host took the built-in without a warning")
    if naming and not any(naming in text for text in warnings):
        return violated(f"for {what}, no warning names {naming!r}", *warnings)
    return held(f"for {what}, the built-in, and the warning: {warnings[0]}")


@probe("FALL-4")
def available_is_used(context: Context) -> Outcome:
    """A plugin with register(ctx), and one with nothing but a subclass."""
    for number, register in enumerate((None, "")):
        name = f"contract-awake-{number}"
        text = plugin(name) if register is None else plugin(name, register=register)
        resolved = _resolve(context, name, _configured(name), _folder_of(name, text))
        if resolved.name != name:
            form = "register(ctx)" if register is None else "a subclass alone"
            got = f"the resolver gave {resolved.name!r}" if resolved.answer.value else "nothing"
            detail = resolved.warnings() or [str(resolved.answer)]
            return violated(f"a plugin with {form} is available and is not used: {got}", *detail)
    return held("the configured provider, with register(ctx) and with a subclass alone")


@probe("FALL-5")
def unreadable_configuration(context: Context) -> Outcome:
    """A configuration that names a provider and cannot be read."""
    name = "contract-awake"
    wanted = f"cron:\n  provider: {name}\n".encode()
    files = _folder_of(name, plugin(name))
    broken = {"torn": wanted + b"  more: [1,\n", "binary": b"\xff\x00" + wanted}
    for label, data in broken.items():
        resolved = _resolve(context, f"unreadable-{label}", data, files)
        problem = _not_builtin(context, resolved)
        if problem:
            return violated(f"with a {label} configuration, {problem}")
        if not resolved.warnings():
            return violated(f"with a {label} configuration, the log does not say that it was lost")
    return held("the built-in, and the loss is in the log")


_RAISES = ("ValueError('x')", "SystemExit(3)", "KeyboardInterrupt()", "GeneratorExit()")


@probe("FALL-6")
def whatever_a_plugin_raises(context: Context) -> Outcome:
    """Four exceptions at five moments."""
    count = 0
    for error in _RAISES:
        line = f"raise {error}"
        moments = {
            "import": {"early": line},
            "construct": {"construct": f"def __init__(self):\n        {line}\n"},
            "register": {"register": f"def register(ctx):\n    {line}\n"},
            "name": {"name": line},
            "availability": {"available": line},
        }
        for moment, bent in moments.items():
            count += 1
            name = f"contract-raises-{count}"
            files = _folder_of(name, plugin(name, **bent))
            resolved = _resolve(context, name, _configured(name), files)
            problem = _not_builtin(context, resolved)
            if problem:
                return violated(f"a plugin raises {error} at {moment}: {problem}")
            if moment in ("import", "register") and resolved.left_behind:
                return violated(
                    f"a plugin raises {error} at {moment}: half of it stays behind",
                    *resolved.left_behind,
                )
    return held(f"the built-in in each of {count} cases, and nothing half-imported stays behind")


def _impostors(name: str) -> Iterable[tuple[str, str]]:
    def registering(what: str, before: str = "") -> str:
        return plugin(name, register=before + _REGISTER.format(what=what))

    yield "the number 42", _REGISTER.format(what="42")
    yield "nothing", _REGISTER.format(what="None")
    yield "the class itself", registering("Planted")
    without_start = f"class NoStart:\n    name = {name!r}\n\n\n"
    yield "an object without start", without_start + _REGISTER.format(what="NoStart()")
    yield (
        "a start that takes nothing",
        registering(
            "Bad()", "class Bad(Planted):\n    def start(self):\n        return None\n\n\n"
        ),
    )
    yield "a name that is None", plugin(name, name="return None")
    yield "the built-in's name", plugin(name, name=f"return {BUILTIN_NAMES[0]!r}")
    yield "an availability that is no bool", plugin(name, available="return 'yes'")


@probe("FALL-7")
def what_is_no_provider(context: Context) -> Outcome:
    """Eight ways of not being a provider."""
    count = 0
    for count, (what, text) in enumerate(_impostors("contract-impostor"), 1):
        label = f"impostor-{count}"
        config = _configured("contract-impostor")
        resolved = _resolve(context, label, config, _folder_of("contract-impostor", text))
        problem = _not_builtin(context, resolved)
        if problem:
            return violated(f"a plugin gives {what}: {problem}")
    return held(f"the built-in in each of {count} cases")


@probe("FALL-8")
def a_name_is_no_path(context: Context) -> Outcome:
    """Code beside and above the plugin folder, named by a path."""
    marker = context.folder / "fallback" / "was-here"
    text = f"open({str(marker)!r}, 'w').close()\n" + plugin("contract-outside")
    outside = context.folder / "fallback" / "absolute"
    outside.mkdir(parents=True, exist_ok=True)
    (outside / "__init__.py").write_text(text, encoding="utf-8")
    names = ("../outside", "nested/inner", "./outside", "..", ".", str(outside), "a\\b")
    files = {f"{place}/__init__.py": text for place in ("outside", "plugins/nested/inner", ".")}
    for number, name in enumerate(names):
        resolved = _resolve(context, f"path-{number}", _configured(name), files)
        problem = _not_builtin(context, resolved)
        if marker.exists():
            return violated(f"the provider name {name!r} executed a file")
        if problem:
            return violated(f"for the provider name {name!r}, {problem}")
    return held(f"none of {len(names)} paths executed anything")


@probe("FALL-9")
def an_availability_that_hangs(context: Context) -> Outcome:
    """The host asks, and is not answered."""
    name = "contract-hangs"
    # Long enough to be no answer, and over at some time: nothing of it outlives the judgement.
    text = plugin(name, early="import time", available="time.sleep(30)")
    with context.host.impatient():
        resolved = resolve_planted(context, name, text)
    if resolved.answer.late:
        return violated("an is_available() that never comes back holds up the host")
    if problem := _not_builtin(context, resolved):
        return violated(f"for an is_available() that never comes back, {problem}")
    return held("an is_available() that never comes back: the built-in, in time")
