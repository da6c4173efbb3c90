"""Find what the user wants judged.

A TARGET is one of

- a name that the host resolves, such as ``builtin`` or a provider that discovery finds,
- ``module:attribute``, imported with the current folder and PYTHONPATH in sight: a provider
  class, a function that makes one, or an instance,
- a plugin folder, exactly as it is dropped into ``$HERMES_HOME/plugins``.
"""

import difflib
import importlib
import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contract_tests.host import BUILTIN_NAMES, Host, reference_host
from contract_tests.surroundings import home

__all__ = ["Target", "TargetError", "resolve", "wrap"]

_HERMES_AGENT = frozenset({"cron", "plugins", "hermes_cli", "gateway", "hermes_constants"})


class TargetError(Exception):
    """TARGET names nothing that can be judged; the message says what to write instead."""


@dataclass(frozen=True, slots=True)
class Target:
    """A provider to judge.

    Attributes:
        spec: what the user wrote.
        label: the provider's class, for people.
        make: a fresh provider, as a newly booted machine would have it.
        capabilities: those that are beyond question; None: see what it shows.
        is_builtin: it is the host's own built-in.
    """

    spec: str
    label: str
    make: Callable[[], Any]
    capabilities: frozenset[str] | None = None
    is_builtin: bool = False


def resolve(spec: str, host: Host | None = None) -> Target:
    """Find the target that ``spec`` names.

    Raises:
        TargetError: there is none, it cannot be imported, or it is not a provider.
    """
    host = host or reference_host()
    text = spec.strip()
    if not text:
        raise TargetError("TARGET is empty: give builtin, module:attribute or a plugin folder")
    if Path(text).is_dir() or os.sep in text or text.startswith("."):
        return _folder(text, host)
    if ":" in text:
        return _attribute(text, host)
    return _name(text, host)


def wrap(subject: Any, spec: str | None = None) -> Target:
    """Make a target of a provider class, a function that makes one, or an instance.

    Raises:
        TargetError: it is none of these, or it cannot be constructed.
    """
    label = spec or getattr(subject, "__name__", None) or type(subject).__name__
    make = _maker(subject, label)
    try:
        first = make()
    except BaseException as error:  # a constructor under test may raise anything
        raise TargetError(
            f"{label} cannot be constructed without arguments ({type(error).__name__}: {error}): "
            "give a function that makes one"
        ) from error
    if not callable(getattr(first, "start", None)):
        raise TargetError(f"{label} is no provider: a {type(first).__name__} has no start()")
    return Target(spec=label, label=type(first).__name__, make=make)


def _maker(subject: Any, label: str) -> Callable[[], Any]:
    if isinstance(subject, type):
        return subject
    if callable(getattr(subject, "start", None)):
        # A machine that reboots needs a provider without memory, so an instance stands for its class.
        return type(subject)
    if callable(subject):
        maker: Callable[[], Any] = subject
        return maker
    raise TargetError(f"{label} is a {type(subject).__name__}, not a provider")


def _name(name: str, host: Host) -> Target:
    with tempfile.TemporaryDirectory(prefix="hermes-contract-") as folder, home(Path(folder) / "h"):
        first = host.load(name)
        known = host.names()
    if first is None:
        raise TargetError(_no_such_name(name, known))
    cls = type(first)
    if name in BUILTIN_NAMES:
        return Target(name, cls.__name__, cls, frozenset({"blocking"}), is_builtin=True)
    return Target(spec=name, label=cls.__name__, make=cls)


def _no_such_name(name: str, known: tuple[str, ...]) -> str:
    message = f"no provider is called {name!r}: the host knows {', '.join(known)}"
    if name.endswith(".py"):
        return f"{message}; a file is named as module:attribute, {name[:-3]}:MyProvider"
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else "or give module:attribute, or a plugin folder"
    return f"{message}; {hint}"


def _attribute(spec: str, host: Host) -> Target:
    module_name, _, attribute = spec.partition(":")
    if not module_name or not attribute:
        raise TargetError(f"{spec!r} is not module:attribute: write my_package.my_module:MyProvider")
    module = _import(module_name, host)
    subject: Any = module
    for part in attribute.split("."):
        if not hasattr(subject, part):
            raise TargetError(_no_such_attribute(module_name, attribute, vars(module)))
        subject = getattr(subject, part)
    return wrap(subject, spec)


def _no_such_attribute(module: str, attribute: str, members: dict[str, Any]) -> str:
    offered = sorted(
        name
        for name, value in members.items()
        if isinstance(value, type) and callable(getattr(value, "start", None))
    )
    near = difflib.get_close_matches(attribute, list(members), n=1)
    hint = f"did you mean {module}:{near[0]}?" if near else "it has nothing of the kind"
    if offered and not near:
        hint = f"it has {', '.join(offered)}"
    return f"the module {module} has no {attribute}: {hint}"


def _import(name: str, host: Host) -> Any:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    for last_try in (False, True):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            missing = (error.name or "").partition(".")[0]
            if missing in _HERMES_AGENT and not last_try:
                host.alias()
                continue
            if missing == name.partition(".")[0]:
                raise TargetError(
                    f"there is no module {name}: looked in the current folder, in PYTHONPATH and "
                    "among what is installed"
                ) from error
            raise TargetError(f"importing {name} failed: {error}") from error
        except BaseException as error:  # a module under test may raise anything, SystemExit too
            raise TargetError(f"importing {name} raised {type(error).__name__}: {error}") from error
    raise AssertionError("unreachable")


def _folder(spec: str, host: Host) -> Target:
    folder = Path(spec).resolve()
    if not folder.is_dir():
        raise TargetError(f"there is no folder {spec}")
    if not (folder / "__init__.py").is_file():
        raise TargetError(f"{spec} is no plugin folder: it has no __init__.py")
    if not all(importlib.util.find_spec(name) for name in ("cron", "plugins")):
        host.alias()
    # Discovery reads plugins from the home alone, so the folder goes into a home of the kit's own;
    # it must outlive this call, because a plugin may import more of itself later.
    kept = tempfile.TemporaryDirectory(prefix="hermes-contract-")
    place = Path(kept.name) / "home"
    shutil.copytree(folder, place / "plugins" / folder.name)
    with home(place):
        first = host.load(folder.name)
    if first is None:
        raise TargetError(f"the plugin folder {spec} gives no provider: {_why(folder)}")
    cls = type(first)

    def make(_kept: Any = kept) -> Any:
        return cls()

    return Target(spec=spec, label=cls.__name__, make=make)


def _why(folder: Path) -> str:
    """Import the folder once more, outside the host, for the error that the host has swallowed."""
    name = f"_contract_plugin_{folder.name}"
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None and spec.loader is not None  # noqa: PT018 - true of every file
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:  # a plugin may raise anything while it is imported
        return f"importing it raised {type(error).__name__}: {error}"
    finally:
        sys.modules.pop(name, None)
    return "neither register(ctx) nor a CronScheduler subclass gave the host one"
