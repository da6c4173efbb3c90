"""What is to be run: a provider, named as its author names it, made anew at every boot.

A gateway that restarts is a new process, so a provider that lives in a file of its own is executed
afresh at each boot: what its module remembers does not survive a crash that it would not survive.
"""

import copy
import importlib
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulator.hosts import Host
    from simulator.registry import FakeRegistry

__all__ = [
    "Target",
    "TargetError",
    "attribute_at",
    "find_target",
    "from_attribute",
    "from_class",
    "from_folder",
    "with_registry",
]

_OF_A_FAKE = ("attach", "armed", "deliver_due", "forget_all", "fail_next")


class TargetError(ValueError):
    """TARGET does not name a provider that can be loaded; the message says what would."""


@dataclass(frozen=True)
class Target:
    """A provider under test.

    Attributes:
        label: What people call it, in reports and in the header of a history.
        make: Gives a new provider, as a booting gateway would get it.
        capabilities: What it declares: "blocking", "external"; empty when nothing is declared.
        registry: Makes the fake of the registry that it talks to; None: it is NAS, or has none.
    """

    label: str
    make: Callable[[], Any]
    capabilities: frozenset[str] = frozenset()
    registry: "Callable[[], FakeRegistry] | None" = None


def find_target(name: str, host: "Host", registry: str | None = None) -> Target:
    """The provider that a user means.

    Args:
        name: A bundled name, `module:attribute`, a plugin's folder, or what an installed
            distribution calls it in the host's entry-point group.
        host: The code around it.
        registry: `module:attribute` of the fake of its registry, where that is not NAS.

    Raises:
        TargetError: There is none; says which there are.
    """
    return with_registry(_find(name, host), registry)


def _find(name: str, host: "Host") -> Target:
    bundled = host.bundled()
    if name in bundled:
        return bundled[name]
    if Path(name).is_dir():
        return from_folder(Path(name), host.load_folder)
    if ":" in name:
        return from_attribute(name)
    spec = host.entry_point(name)
    if spec is None:
        raise TargetError(
            f"no provider {name!r}: bundled are {', '.join(bundled)}; or give module:attribute, "
            "the folder of a plugin, or the name of an installed one"
        )
    found = from_attribute(spec) if ":" in spec else from_folder(_package(spec), host.load_folder)
    return replace(found, label=name)


def with_registry(target: Target, fake: Any) -> Target:
    """The same provider with a fake of its own registry in the place of NAS.

    Args:
        target: The provider.
        fake: `module:attribute`, a class, a function without arguments or an instance; None: its
            registry stays what it is.

    Raises:
        TargetError: It is none of these, or what it gives lacks a part of the protocol.
    """
    return target if fake is None else replace(target, registry=_fakes(fake))


def _fakes(fake: Any) -> "Callable[[], FakeRegistry]":
    """What makes the fake of each run; an instance is copied: no run sees another's arms."""
    found = attribute_at(fake) if isinstance(fake, str) else fake
    label = (
        fake if isinstance(fake, str) else getattr(fake, "__qualname__", type(fake).__qualname__)
    )
    is_made = not isinstance(found, type) and all(hasattr(found, name) for name in _OF_A_FAKE)
    make: Callable[[], FakeRegistry] = (lambda: copy.deepcopy(found)) if is_made else found
    try:
        made = make()
    except Exception as error:
        raise TargetError(
            f"the registry {label} cannot be made without arguments, or copied ({error}): give a "
            "class or a function that makes it"
        ) from error
    lacks = [name for name in _OF_A_FAKE if not callable(getattr(made, name, None))]
    getattr(made, "close", lambda: None)()
    if lacks:
        raise TargetError(
            f"the registry {label} is no fake registry: it has no {', '.join(lacks)}; see "
            "simulator.registry.FakeRegistry"
        )
    return make


def from_class(factory: Callable[[], Any], label: str | None = None) -> Target:
    """A target from a class or a function of no arguments that is at hand.

    Module-level state of its module lives as long as this interpreter, also across simulated
    restarts; name the provider as `module:attribute` where that matters.
    """
    name = label or str(getattr(factory, "__name__", type(factory).__name__))
    return Target(label=name, make=factory)


def from_attribute(spec: str) -> Target:
    """A target from `module:attribute`; the current folder and PYTHONPATH are in sight.

    Raises:
        TargetError: No such module or attribute, importing it failed, or it is no provider and
            makes none; the cause is said.
    """
    module, attribute = _module_of(spec)
    found = _attribute(module, attribute)
    if not callable(found) and not hasattr(found, "start"):
        kind = type(found).__name__
        raise TargetError(f"{spec} is no provider: it is of type {kind} and has no start()")
    return Target(label=spec, make=lambda: _made(_attribute(_afresh(module), attribute), spec))


def attribute_at(spec: str) -> Any:
    """What `module:attribute` names; the current folder and PYTHONPATH are in sight.

    Raises:
        TargetError: No such module or attribute, or importing it failed; the cause is said.
    """
    return _attribute(*_module_of(spec))


def _package(module_name: str) -> Path:
    """The folder of a package that registers its provider when it is loaded."""
    try:
        spec = importlib.util.find_spec(module_name)
    except ImportError:
        spec = None
    places = spec.submodule_search_locations if spec is not None else None
    if not places:
        raise TargetError(
            f"the entry point names {module_name!r}, which is no package that can be imported: "
            "let it name module:attribute"
        )
    return Path(next(iter(places)))


def _module_of(spec: str) -> tuple[ModuleType, str]:
    """The module of `module:attribute`, imported, and the name of the attribute."""
    module_name, _, attribute = spec.partition(":")
    if not module_name or not attribute:
        raise TargetError(f"{spec!r} is no target: write module:attribute, like my_pkg:MyProvider")
    if str(Path.cwd()) not in sys.path and "" not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    root = module_name.partition(".")[0]
    before = sys.modules.get(root)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and not f"{module_name}.".startswith(f"{error.name}."):
            raise TargetError(
                f"{module_name!r} was found, and what it imports was not ({error}); install that, "
                "or put the folder that holds it on PYTHONPATH"
            ) from error
        raise TargetError(
            f"cannot import {module_name!r} ({error}); run from the folder that holds it, "
            "or put that folder on PYTHONPATH"
        ) from error
    except BaseException as error:  # a module may raise anything, SystemExit included
        raise TargetError(f"importing {module_name!r} raised {_say(error)}") from error
    if before is None or before is _imported_here.get(root):
        _imported_here[root] = sys.modules[root]
    return module, attribute


def from_folder(folder: Path, load: Callable[[Path], Any]) -> Target:
    """A target from a plugin folder, as it is dropped into `$HERMES_HOME/plugins`.

    Args:
        folder: The plugin's folder.
        load: Loads a provider from it, as the host's own discovery does; None when there is none.
    """
    folder = folder.resolve()
    if not (folder / "__init__.py").is_file():
        raise TargetError(f"{folder} is no plugin folder: it has no __init__.py")

    def make() -> Any:
        provider = load(folder)
        if provider is None:
            raise TargetError(
                f"{folder.name}: the plugin gives no provider; its __init__.py needs "
                "register(ctx) calling ctx.register_cron_scheduler(...), or a CronScheduler class"
            )
        return provider

    return Target(label=folder.name, make=make)


_imported_here: dict[str, ModuleType] = {}
"""Packages that nobody but a target needed: they can be imported anew without harm to others."""


def _afresh(module: ModuleType) -> ModuleType:
    """The module as a process that boots imports it; the module itself where others use it too.

    A plain file gives a private copy. For a module of a package the whole package is imported
    again: its modules know each other by name, so that what they import only when they run comes
    from the latest boot.
    """
    spec, root = module.__spec__, module.__name__.partition(".")[0]
    if spec is None or not spec.has_location:
        return module
    if spec.submodule_search_locations is None and root == module.__name__:
        copy = importlib.util.module_from_spec(spec)
        assert spec.loader is not None
        spec.loader.exec_module(copy)
        return copy
    if sys.modules.get(root) is not _imported_here.get(root, root):
        return module
    for name in [name for name in sys.modules if name == root or name.startswith(f"{root}.")]:
        del sys.modules[name]
    again = importlib.import_module(module.__name__)
    _imported_here[root] = sys.modules[root]
    return again


def _attribute(module: ModuleType, name: str) -> Any:
    found: Any = module
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError as error:
            raise TargetError(f"{module.__name__} has no {name!r}") from error
    return found


def _made(found: Any, spec: str) -> Any:
    """A provider from a class, a factory or an instance."""
    is_made = not isinstance(found, type) and callable(getattr(found, "start", None))
    if is_made or not callable(found):  # an instance may have a call of its own
        return found
    try:
        return found()
    except TypeError as error:
        raise TargetError(
            f"{spec} cannot be made without arguments ({error}); give a function that makes it"
        ) from error


def _say(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
