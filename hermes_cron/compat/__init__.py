"""hermes-agent's import paths, resolving to ours where hermes-agent is not installed.

A provider, or a test, that was written against hermes-agent then runs here unmodified:

    import hermes_cron.compat
    hermes_cron.compat.install()            # or: pytest -p hermes_cron.compat

Nothing is imported before a path is used. An alias is our own module object, so what is patched on
`cron.jobs`, `hermes_cli.config` or `plugins.cron` is what our host looks up. `aliases` has the
table; the modules `agent_*` stand for those of hermes-agent's that have no single home of ours:

    hermes_constants        its `get_hermes_home` is our `paths.home`, patched as one
    hermes_cli.cron         prints; a patched `_active_cron_provider_name` is believed
    hermes_cli.web_server   fires go through its `_fire_cron_job_for_profile`
    gateway.run             the old way to run the built-in

Of the private names that hermes-agent's own tests touch, `private_names` offers those that mean
something here. Left out, because they would bend the design or do nothing:

- `cron.jobs._jobs_lock`: an edit is the one way to change the store, and does not nest;
- `cron.jobs._prune_job_output`: the store prunes when it saves;
- what hermes-agent's scheduler imports by name (`cron.scheduler.mark_job_run` and its like): it is
  looked up on `cron.jobs`, and to be patched there;
- `cron.scheduler._get_parallel_pool`: the pool is not a `ThreadPoolExecutor` of fixed size;
- `hermes_cli.web_server._find_cron_job_profile`: there is one home, where 202 stands for a claim;
- of `hermes_cli.cron.cron_command`, the subcommands `edit` and `runs`.

Setting `cron.jobs.HAS_CRONITER`, or patching `_secure_file` and `ensure_dirs`, changes nothing:
croniter is always there, and the store makes its own files.
"""

import importlib.util
import logging
import sys
import threading

from hermes_cron.compat import aliases

__all__ = [
    "AgentPathsTakenError",
    "install",
    "is_installed",
    "pytest_load_initial_conftests",
    "pytest_unconfigure",
    "try_install",
    "uninstall",
]

logger = logging.getLogger(__name__)

_AGENT = "hermes-agent"
_finder = aliases.AgentPathFinder()
_lock = threading.Lock()
_installed_by_pytest = False


class AgentPathsTakenError(RuntimeError):
    """hermes-agent's import paths belong to somebody else here; the text says to whom."""


def install() -> None:
    """Make hermes-agent's import paths resolve to ours. Doing it again changes nothing.

    Raises:
        AgentPathsTakenError: hermes-agent is installed, or one of its top-level names is found
            elsewhere. Nothing was changed.
    """
    with _lock:
        if is_installed():
            return
        for root in aliases.ROOTS:
            _refuse_if_owned(root)
        for root in aliases.ROOTS:
            sys.modules.pop(root, None)  # at most a namespace package, whose folders ours takes on
        sys.meta_path.insert(0, _finder)


def try_install() -> bool:
    """Install where that can be done; whether the paths are ours now. Never raises."""
    try:
        install()
    except Exception as error:  # also what finders and damaged distributions of others raise
        logger.info("%s", error)
        return False
    return True


def is_installed() -> bool:
    """Whether hermes-agent's import paths resolve to ours."""
    return _finder in sys.meta_path


def uninstall() -> None:
    """Undo `install`: the paths and the private names are gone. What was imported by them stays."""
    with _lock:
        if is_installed():
            sys.meta_path.remove(_finder)
            aliases.forget()


def pytest_load_initial_conftests() -> None:
    """For `pytest -p hermes_cron.compat`: before the first conftest, which may use the paths."""
    global _installed_by_pytest
    if is_installed():
        return
    try:
        install()
    except AgentPathsTakenError as error:
        raise sys.modules["pytest"].UsageError(str(error)) from error
    _installed_by_pytest = True


def pytest_unconfigure() -> None:
    """Leave a process that goes on after its tests as it was."""
    global _installed_by_pytest
    if _installed_by_pytest:
        _installed_by_pytest = False
        uninstall()


def _refuse_if_owned(root: str) -> None:
    from importlib import metadata  # late: it costs more than all the rest of this module

    try:
        installed = metadata.version(_AGENT)
    except metadata.PackageNotFoundError:
        installed = None
    module = sys.modules.get(root)
    spec = importlib.util.find_spec(root) if module is None else getattr(module, "__spec__", None)
    if installed is not None:
        owner = f"{_AGENT} {installed} is installed"
    elif spec is None and module is not None:
        owner = f"a module {root!r} was put into sys.modules"
    elif spec is None or aliases.is_namespace(spec):
        return
    else:
        owner = f"{root!r} is {spec.origin or 'there already'}{_distribution(root)}"
    raise AgentPathsTakenError(
        f"hermes_cron.compat stands in for {_AGENT} only where that is not installed, but {owner}: "
        "import from hermes_cron there, or use an environment without it"
    )


def _distribution(root: str) -> str:
    from importlib import metadata

    names = metadata.packages_distributions().get(root)
    return f" (of {', '.join(sorted(set(names)))})" if names else ""
