"""Which of hermes-agent's import paths is which module of ours, and the finder that says so."""

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from types import ModuleType
from typing import Any

__all__ = ["HOMES", "ROOTS", "AgentPathFinder", "forget", "home_of", "is_namespace"]

HOMES = {
    "cron.jobs": "hermes_cron.jobs",
    "cron.scheduler": "hermes_cron.scheduler",
    "cron.scheduler_provider": "hermes_cron.scheduler_provider",
    "gateway.run": "hermes_cron.compat.agent_run",
    "hermes_cli.auth": "hermes_cron.auth",
    "hermes_cli.config": "hermes_cron.config",
    "hermes_cli.cron": "hermes_cron.compat.agent_cron",
    "hermes_cli.gateway": "hermes_cron.gateway",
    "hermes_cli.web_server": "hermes_cron.compat.agent_web",
    "hermes_constants": "hermes_cron.compat.agent_constants",
    "hermes_time": "hermes_cron.clock",
    "plugins.cron": "hermes_cron.plugins",
    "plugins.cron_providers": "hermes_cron.plugins",
}

_PACKAGES = ("cron", "gateway", "hermes_cli", "plugins")
ROOTS = (*_PACKAGES, "hermes_constants", "hermes_time")

# What hermes-agent's package `cron` offers itself.
_FROM_CRON = dict.fromkeys(
    (
        *("JOBS_FILE", "create_job", "get_job", "list_jobs", "pause_job", "remove_job"),
        *("resume_job", "trigger_job", "update_job"),
    ),
    "hermes_cron.jobs",
) | {"tick": "hermes_cron.scheduler"}


def home_of(name: str) -> str | None:
    """Our module for one of hermes-agent's; None when there is none."""
    for package in ("plugins.cron_providers", "plugins.cron"):
        # All of what is below, not only what hermes-agent has: another finder would load our own
        # files a second time under these names.
        if name.startswith(f"{package}."):
            home = f"{HOMES[package]}{name.removeprefix(package)}"
            try:
                return home if find_spec(home) is not None else None
            except ModuleNotFoundError:
                return None
    return HOMES.get(name)


def is_namespace(spec: ModuleSpec) -> bool:
    """Whether it is only a folder of that name: nobody's package."""
    return spec.origin is None and spec.submodule_search_locations is not None


def forget() -> None:
    """Take what the finder brought in out of `sys.modules`, and the private names back."""
    from hermes_cron.compat import private_names

    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in ROOTS and (
            isinstance(module, _Package) or getattr(module, "__name__", name) != name
        ):
            del sys.modules[name]
    private_names.withdraw()


class AgentPathFinder(MetaPathFinder):
    """Finds hermes-agent's modules among ours."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 - the table knows every place
        target: ModuleType | None = None,  # noqa: ARG002 - as above
    ) -> ModuleSpec | None:
        """How to load the module; None for what is not hermes-agent's, or not offered."""
        if fullname in _PACKAGES:
            spec = ModuleSpec(fullname, _PackageLoader(), is_package=True)
            found = PathFinder.find_spec(fullname)
            if found is not None and is_namespace(found):
                # Somebody's folder of that name, say `plugins/`: its modules stay in sight.
                spec.submodule_search_locations = list(found.submodule_search_locations or ())
            return spec
        home = home_of(fullname)
        return None if home is None else ModuleSpec(fullname, _AliasLoader(home), origin=home)


class _Package(ModuleType):
    """One of hermes-agent's packages, empty but for its submodules."""

    def __getattr__(self, name: str) -> Any:
        if self.__name__ == "cron" and name in _FROM_CRON:
            return getattr(importlib.import_module(_FROM_CRON[name]), name)
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")


class _PackageLoader(Loader):
    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Package(spec.name, "hermes-agent's package, as hermes_cron.compat offers it.")

    def exec_module(self, module: ModuleType) -> None:
        """There is nothing to run."""


class _AliasLoader(Loader):
    """Puts our module in the place of the one that the import system has made."""

    def __init__(self, home: str) -> None:
        self._home = home

    def create_module(self, spec: ModuleSpec) -> None:  # noqa: ARG002 - a place-holder will do
        return None

    def exec_module(self, module: ModuleType) -> None:
        from hermes_cron.compat import private_names

        ours = importlib.import_module(self._home)
        private_names.offer(ours)
        sys.modules[module.__name__] = ours
