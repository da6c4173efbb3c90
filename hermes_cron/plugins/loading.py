"""From a provider's name to an instance: where it is, importing it, building it.

A load that fails leaves nothing of itself in `sys.modules`, so that a mended plugin loads next time
and no half-run module is found by anybody.
"""

import contextlib
import importlib
import importlib.machinery
import importlib.metadata
import importlib.util
import inspect
import logging
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from hermes_cron import compat, process
from hermes_cron.plugins import vetting
from hermes_cron.plugins.vetting import ProviderRefusedError, provider_name

__all__ = ["Source", "description", "find", "forget", "load", "need", "sources"]

logger = logging.getLogger("cron.scheduler_provider")

_BUNDLED_FOLDER = Path(__file__).parent
_BUNDLED_PACKAGE = __name__.rpartition(".")[0]

# Installed plugins import below a package that exists nowhere on disk, so that they can neither
# shadow a module of ours nor be shadowed.
_USER_PACKAGE = "_hermes_user_cron"

_ENTRY_POINT_GROUP = "hermes_cron.providers"
_HANGING = "hermes_cron.plugins.loading"

# A plugin folder may hold any kind of plugin; only one that says one of these is about cron.
_MARKS = ("register_cron_scheduler", "CronScheduler")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a provider comes from: a folder, or an entry point of an installed distribution."""

    name: str
    bundled: bool = False
    folder: Path | None = None
    entry_point: importlib.metadata.EntryPoint | None = None


class _Registrar:
    """The `ctx` that a plugin's `register` gets: keeps the cron provider, ignores the rest."""

    def __init__(self) -> None:
        self.provider: Any = None

    def register_cron_scheduler(self, provider: Any) -> None:
        self.provider = provider

    def __getattr__(self, name: str) -> Any:
        if name.startswith("register"):
            return lambda *_args, **_kwargs: None
        raise AttributeError(name)


def sources() -> list[Source]:
    """Return every provider that can be found, without importing any, in order of precedence."""
    found: dict[str, Source] = {}
    for source in _everywhere():
        found.setdefault(source.name, source)
    return list(found.values())


def _everywhere() -> Iterator[Source]:
    """Each place in turn: entry points last, since it takes a look at every distribution."""
    for bundled, parent in ((True, _BUNDLED_FOLDER), (False, _user_folder())):
        for folder in _subfolders(parent):
            if bundled or _is_about_cron(folder):
                yield Source(folder.name, bundled=bundled, folder=folder)
    for point in _entry_points():
        yield Source(point.name, entry_point=point)


def find(name: str) -> Source | None:
    """Return where the provider of that name is; None when nowhere, or when it is no name."""
    try:
        provider_name(name)
    except ProviderRefusedError:
        return None
    return next((source for source in _everywhere() if source.name == name), None)


def need(name: str) -> Source:
    """Return where the provider of that name is.

    Raises:
        ProviderRefusedError: It is no name, or there is none of that name.
    """
    provider_name(name)
    source = find(name)
    if source is None:
        folder = _user_folder() / name
        if folder.is_dir():
            raise ProviderRefusedError(
                f"no provider: no .py file in {folder} has a word of {' or '.join(_MARKS)}"
            )
        raise ProviderRefusedError(
            f"not found: there is no bundled one, none in {_user_folder()} and no entry point"
        )
    return source


def description(source: Source) -> str:
    """Return the description in the folder's `plugin.yaml`, or ""."""
    if source.folder is None:
        return ""
    import yaml

    try:
        text = (source.folder / "plugin.yaml").read_text(encoding="utf-8-sig")
        meta = yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError):
        return ""  # a description is a courtesy
    value = meta.get("description", "") if isinstance(meta, dict) else ""
    return " ".join(str(value).split())


def load(source: Source) -> Any:
    """Import the provider and build an instance; it is not vetted yet.

    One that still hangs in this process is not waited for again, until its files are mended.

    Raises:
        ProviderRefusedError: It cannot be imported or built, does not come back from it, or offers
            no provider.
    """
    hanging: dict[Any, str] = process.current().slots.setdefault(_HANGING, {})
    as_it_is = source, _state(source)
    if as_it_is in hanging:
        raise vetting.ProviderHangsError(hanging[as_it_is])
    traces, came_back = _Traces(source), threading.Event()

    def late() -> None:
        came_back.set()
        hanging.pop(as_it_is, None)
        traces.remove_unless_loaded_again()

    try:
        if not source.bundled:
            compat.try_install()  # it may be written by hermes-agent's import paths
        return vetting.ask(
            lambda steps: _built(source, steps), limit_s=vetting.BUILD_LIMIT_S, late=late
        )
    except vetting.ProviderHangsError as error:
        hanging[as_it_is] = str(error)
        if came_back.is_set():  # meanwhile
            hanging.pop(as_it_is, None)
        traces.remove()
        raise
    except BaseException:
        traces.remove()
        raise


def _state(source: Source) -> tuple[tuple[str, int, int], ...]:
    """The files of a folder with their times (ns) and sizes (bytes); none of an entry point."""
    found = []
    for file in sorted(source.folder.glob("*.py")) if source.folder is not None else ():
        with contextlib.suppress(OSError):
            status = file.stat()
            found.append((file.name, status.st_mtime_ns, status.st_size))
    return tuple(found)


def forget(source: Source) -> None:
    """Import a plugin's own modules anew at its next load, as a process that boots does."""
    if not source.bundled and source.folder is not None:
        _forget(_modules_below(_module_name(source)))


def _built(source: Source, steps: list[str]) -> Any:
    if source.entry_point is not None:
        point = source.entry_point
        steps.append(f"importing {point.value}")
        return _from_entry_point(point.load(), source.name, steps)
    steps.append(f"importing {source.folder}")
    return _from_module(_import(source), source.name, steps)


def _user_folder() -> Path:
    from hermes_cron import paths

    return paths.home() / "plugins"


def _subfolders(parent: Path) -> list[Path]:
    try:
        return [
            child
            for child in sorted(parent.iterdir())
            if not child.name.startswith(("_", ".")) and (child / "__init__.py").is_file()
        ]
    except OSError:
        return []  # no such folder, or one that may not be read: nothing to find there


def _is_about_cron(folder: Path) -> bool:
    for file in sorted(folder.glob("*.py")):
        with contextlib.suppress(OSError):
            text = file.read_text(encoding="utf-8", errors="replace")
            if any(mark in text for mark in _MARKS):
                return True
    return False


def _entry_points() -> Iterator[importlib.metadata.EntryPoint]:
    try:
        yield from importlib.metadata.entry_points(group=_ENTRY_POINT_GROUP)
    except Exception as error:  # one damaged distribution must not hide the folders
        logger.warning("Entry points of %s cannot be read: %s", _ENTRY_POINT_GROUP, error)


def _import(source: Source) -> ModuleType:
    module_name = _module_name(source)
    if source.bundled:
        return importlib.import_module(module_name)
    assert source.folder is not None
    init_file = source.folder / "__init__.py"
    loaded = sys.modules.get(module_name)
    if loaded is not None and getattr(loaded, "__file__", None) == str(init_file):
        return loaded
    _forget(_modules_below(module_name))  # the same name, from another home
    if _USER_PACKAGE not in sys.modules:
        shell = importlib.machinery.ModuleSpec(_USER_PACKAGE, None, is_package=True)
        sys.modules[_USER_PACKAGE] = importlib.util.module_from_spec(shell)
    spec = importlib.util.spec_from_file_location(
        module_name, init_file, submodule_search_locations=[str(source.folder)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"no module can be made of {init_file}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    spec.loader.exec_module(module)
    if sys.modules.get(module_name) is module:  # else it was given up meanwhile
        setattr(sys.modules[_USER_PACKAGE], source.name, module)
    return module


def _from_module(module: ModuleType, name: str, steps: list[str]) -> Any:
    register = getattr(module, "register", None)
    if callable(register):
        registrar = _Registrar()
        steps.append("its register(ctx)")
        register(registrar)
        if registrar.provider is not None:
            return registrar.provider
    classes = _provider_classes(module)
    if not classes:
        raise ProviderRefusedError(
            f"plugin {name!r} registers no cron provider and defines no CronScheduler subclass"
        )
    steps.append(f"building {classes[0].__name__}")
    return classes[0]()


def _from_entry_point(target: Any, name: str, steps: list[str]) -> Any:
    """An entry point may name a module, a provider class, a factory or an instance."""
    if isinstance(target, ModuleType):
        return _from_module(target, name, steps)
    steps.append(f"building {name!r} from its entry point")
    if callable(target) and not hasattr(type(target), "start"):
        return target()
    return target


def _provider_classes(module: ModuleType) -> list[type]:
    """Return the module's own concrete providers, the most derived ones, by name."""
    from hermes_cron.scheduler_provider import CronScheduler

    classes = [
        value
        for _, value in sorted(vars(module).items())
        if isinstance(value, type)
        and issubclass(value, CronScheduler)
        and not inspect.isabstract(value)
        and f"{value.__module__}.".startswith(f"{module.__name__}.")
    ]
    return [
        one
        for one in classes
        if not any(other is not one and issubclass(other, one) for other in classes)
    ]


class _Traces:
    """What a load puts into `sys.modules`, and the names that point to it."""

    def __init__(self, source: Source) -> None:
        self._before = frozenset(sys.modules)
        point = source.entry_point
        self._root = point.module.partition(".")[0] if point else _module_name(source)
        # An installed plugin is no one else's: all of it goes, also what was there before.
        self._is_shared = source.bundled or point is not None

    def remove(self) -> None:
        """Drop them: the load has failed."""
        names = _modules_below(self._root)
        _forget([n for n in names if n not in self._before] if self._is_shared else names)

    def remove_unless_loaded_again(self) -> None:
        """Drop what a load that came back too late left; not what a later one has put there."""
        if self._root not in sys.modules:
            self.remove()


def _module_name(source: Source) -> str:
    return f"{_BUNDLED_PACKAGE if source.bundled else _USER_PACKAGE}.{source.name}"


def _modules_below(root: str) -> list[str]:
    return [name for name in list(sys.modules) if name == root or name.startswith(f"{root}.")]


def _forget(names: list[str]) -> None:
    for name in names:
        module = sys.modules.pop(name, None)
        parent, _, child = name.rpartition(".")
        holder = sys.modules.get(parent)
        if holder is not None and getattr(holder, child, None) is module:
            with contextlib.suppress(AttributeError):
                delattr(holder, child)
