"""Find what the user wants judged.

A TARGET is one of

- a name that the host resolves, such as ``builtin`` or a provider that discovery finds,
- ``module:attribute``, imported with the current folder and PYTHONPATH in sight: a provider
  class, a function that makes one, or an instance,
- a plugin folder, exactly as it is dropped into ``$HERMES_HOME/plugins``.

How a provider is made anew at each boot is `simulator.target`'s affair; this module finds it, and
says what to write instead where there is none.
"""

from __future__ import annotations

import atexit
import difflib
import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from contract_tests.surface import BUILTIN_NAMES, HostSurface, reference_surface
from contract_tests.surroundings import ask, captured_logs, home
from simulator.registry import Answer
from simulator.target import (
    Target,
    TargetError,
    from_attribute,
    from_class,
    from_folder,
    with_registry,
)

__all__ = ["Subject", "find_subject", "subject_of"]

_HERMES_AGENT = frozenset(
    {"cron", "plugins", "hermes_cli", "gateway", "hermes_constants", "hermes_time"}
)


@dataclass(frozen=True, slots=True)
class Subject:
    """A provider to judge.

    Attributes:
        spec: what the user wrote.
        target: makes a fresh provider, as a newly booted machine would have it.
        label: the provider's class, for people.
        capabilities: those that are beyond question; None: see what it shows.
        is_builtin: it is the host's own built-in.
        registry: what was named as the fake of its registry; None when that is NAS.
    """

    spec: str
    target: Target
    label: str
    capabilities: frozenset[str] | None = None
    is_builtin: bool = False
    registry: str | None = None

    def make(self) -> Any:
        """A fresh provider."""
        return self.target.make()

    def with_registry(self, fake: Any) -> Subject:
        """The same provider, judged with a fake of its own registry in the place of NAS.

        Args:
            fake: ``module:attribute``, a class, a function without arguments, or an instance.

        Raises:
            TargetError: it is none of these, or does not give a fake registry.
        """
        name = getattr(fake, "__qualname__", None) or type(fake).__qualname__
        label = fake if isinstance(fake, str) else f"{getattr(fake, '__module__', '')}:{name}"
        return replace(self, registry=label, target=with_registry(self.target, fake))

    @contextmanager
    def connected(self) -> Iterator[Any]:
        """A fresh provider that talks to a fresh fake of its registry, where one was given."""
        provider = self.make()
        if self.target.registry is None:
            yield provider
            return
        with ExitStack() as stack:
            fake = self.target.registry()
            stack.callback(getattr(fake, "close", lambda: None))
            fake.fail_next(_nothing_fails)
            fake.attach(provider)
            yield provider


def find_subject(spec: str, host: HostSurface | None = None) -> Subject:
    """Find the provider that ``spec`` names.

    Raises:
        TargetError: there is none, it cannot be imported, or it is not a provider.
    """
    host = host or reference_surface()
    text = spec.strip()
    if not text:
        raise TargetError("TARGET is empty: give builtin, module:attribute or a plugin folder")
    if Path(text).is_dir() or os.sep in text or text.startswith("."):
        return _checked(text, _folder(text, host))
    if ":" in text:
        return _checked(text, _attribute(text, host))
    return _name(text, host)


def subject_of(provider: Any, spec: str | None = None) -> Subject:
    """Make a subject of a provider class, a function that makes one, or an instance.

    Raises:
        TargetError: it is none of these, or it cannot be constructed.
    """
    cls = type(provider)
    label = spec or getattr(provider, "__qualname__", None) or cls.__qualname__
    if not isinstance(provider, type) and callable(getattr(provider, "start", None)):
        # A machine that reboots needs a provider without memory: an instance stands for its class.
        return _checked(label, from_class(cls, label))
    if not callable(provider):
        raise TargetError(f"{label} is a {cls.__name__}, not a provider, and makes none")
    return _checked(label, from_class(provider, label))


def _nothing_fails(*_about: Any, **_more: Any) -> Answer:
    return ""


def _checked(spec: str, target: Target) -> Subject:
    """The subject, once it has been seen that the target makes providers."""
    # Longer than the host waits for a plugin, so that it can say which step hangs.
    answer = ask(target.make, wait_s=20.0)
    if isinstance(answer.error, TargetError):
        raise answer.error
    if answer.late:
        raise TargetError(f"making a provider of {spec} does not come back: see what it waits for")
    if answer.error is not None:
        raise TargetError(
            f"{spec} cannot be made without arguments ({answer}): give a class or a function that "
            "needs none"
        )
    kind = type(answer.value).__name__
    if isinstance(answer.value, type) or not callable(getattr(answer.value, "start", None)):
        raise TargetError(f"{spec} is no provider: it gives a {kind}, which has no start()")
    return Subject(spec=spec, target=target, label=kind)


def _name(name: str, host: HostSurface) -> Subject:
    # What the host says in its log about a home of ours would only confuse: we say it below.
    with (
        tempfile.TemporaryDirectory(prefix="hermes-contract-") as folder,
        home(Path(folder) / "h"),
        captured_logs(),
    ):
        first = host.load(name)
        known = host.names()
    if first is None:
        raise TargetError(_no_such_name(name, known))
    cls = type(first)
    target = from_class(cls, name)
    if name in BUILTIN_NAMES:
        # Not a matter of what it shows: the host relies on the built-in being the loop.
        return Subject(name, target, cls.__name__, frozenset({"blocking"}), is_builtin=True)
    return Subject(name, target, cls.__name__)


def _no_such_name(name: str, known: tuple[str, ...]) -> str:
    message = f"no provider is called {name!r}: the host knows {', '.join(known)}"
    if name.endswith(".py"):
        return f"{message}; a file is named as module:attribute, {name[:-3]}:MyProvider"
    if (Path.cwd() / f"{name}.py").is_file():
        return f"{message}; for the file {name}.py write module:attribute, {name}:MyProvider"
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else "or give module:attribute, or a plugin folder"
    return f"{message}; {hint}"


def _attribute(spec: str, host: HostSurface) -> Target:
    try:
        return from_attribute(spec)
    except TargetError as error:
        cause = error.__cause__
        missing = cause.name if isinstance(cause, ModuleNotFoundError) else None
        if (missing or "").partition(".")[0] in _HERMES_AGENT:
            # Written for hermes-agent, which is not installed: its import paths are ours, then.
            _alias(host, spec)
            return from_attribute(spec)
        raise TargetError(f"{error}{_offered(spec)}") from error


def _offered(spec: str) -> str:
    """What the module does have, where the attribute is the mistake."""
    module_name, _, attribute = spec.partition(":")
    module = sys.modules.get(module_name)
    if module is None or not attribute:
        return ""
    offered = [
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and callable(getattr(value, "start", None))
    ]
    near = difflib.get_close_matches(attribute, list(vars(module)), n=1)
    if near:
        return f"; did you mean {module_name}:{near[0]}?"
    return f"; it has {', '.join(sorted(offered))}" if offered else "; it has no provider class"


def _folder(spec: str, host: HostSurface) -> Target:
    folder = Path(spec).resolve()
    if folder.is_file() and folder.suffix == ".py":
        raise TargetError(
            f"{spec} is a file: name it as module:attribute, {folder.stem}:MyProvider, from its "
            "folder or with that on PYTHONPATH"
        )
    if not folder.is_dir():
        raise TargetError(f"there is no folder {spec}")
    if not (folder / "__init__.py").is_file():
        below = sorted(file.parent.name for file in folder.glob("*/__init__.py"))
        hint = f"; did you mean {Path(spec) / below[0]}?" if below else ""
        raise TargetError(f"{folder} is no plugin folder: it has no __init__.py{hint}")
    if not all(importlib.util.find_spec(name) for name in ("cron", "plugins")):
        _alias(host, spec)
    return from_folder(folder, _loader(folder, host))


def _alias(host: HostSurface, spec: str) -> None:
    """Make hermes-agent's paths ours; who else owns them is said."""
    try:
        host.alias()
    except RuntimeError as error:
        raise TargetError(f"{spec} is written for hermes-agent's import paths: {error}") from error


def _loader(folder: Path, host: HostSurface) -> Callable[[Path], Any]:
    """Load the plugin by the host's own discovery, which reads from the home alone."""
    # Kept to the end of the process: a plugin may import more of itself whenever it runs.
    kept = tempfile.mkdtemp(prefix="hermes-contract-")
    atexit.register(shutil.rmtree, kept, ignore_errors=True)
    place = Path(kept) / "home"

    def load(_: Path) -> Any:
        if not place.exists():
            shutil.copytree(folder, place / "plugins" / folder.name)
        with home(place), captured_logs() as records:
            provider = host.load(folder.name)
        if provider is None and records:
            said = "; ".join(dict.fromkeys(record.getMessage() for record in records))
            raise TargetError(f"the plugin folder {folder.name} gives no provider: {said}")
        return provider

    return load
