"""Where the host keeps its files: the live home, and the path constants that callers patch.

`hermes_cron.jobs` shows `CRON_DIR`, `JOBS_FILE`, `OUTPUT_DIR`, `TICKER_HEARTBEAT_FILE` and
`TICKER_SUCCESS_FILE` as module attributes. Read, they follow `$HERMES_HOME` as it is at that
moment; set, the new value wins over the live home and the paths below it follow; set back to a
value that was read from them (what monkeypatch does at its end) or deleted (what `mock.patch`
does), the live home rules again.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any, Final

__all__ = ["PATH_NAMES", "LivePathsModule", "Paths", "current", "home", "make_live"]

PATH_NAMES: Final = (
    "CRON_DIR",
    "JOBS_FILE",
    "OUTPUT_DIR",
    "TICKER_HEARTBEAT_FILE",
    "TICKER_SUCCESS_FILE",
)
_NAMES: Final = frozenset(PATH_NAMES)
_BELOW_CRON_DIR: Final = {
    "JOBS_FILE": "jobs.json",
    "OUTPUT_DIR": "output",
    "TICKER_HEARTBEAT_FILE": "ticker_heartbeat",
    "TICKER_SUCCESS_FILE": "ticker_last_success",
}
_FACADE: Final = "hermes_cron.jobs"


@dataclass(frozen=True, slots=True)
class Paths:
    """The files of one home. Locks, execution records and evidence lie in `cron_dir`."""

    cron_dir: Path
    jobs_file: Path
    output_dir: Path
    ticker_heartbeat_file: Path
    ticker_success_file: Path

    @property
    def executions_file(self) -> Path:
        """What became of each occurrence, one JSON object a line."""
        return self.cron_dir / "executions.jsonl"

    @property
    def signals_dir(self) -> Path:
        """Small evidence files beyond the two epoch files that hermes-agent knows."""
        return self.cron_dir / "signals"

    @property
    def marker_file(self) -> Path:
        """Says that a jobs file was once written here, so that a missing one is noticed."""
        return self.cron_dir / ".jobs.present"

    def lock_file(self, name: str) -> Path:
        """The lock file of `name`; "jobs" and "tick" are the files that hermes-agent locks."""
        return self.cron_dir / f".{name}.lock"

    def signal_file(self, name: str) -> Path:
        """The evidence file of `name`."""
        if name == "ticker_heartbeat":
            return self.ticker_heartbeat_file
        if name == "ticker_last_success":
            return self.ticker_success_file
        return self.signals_dir / name


def home() -> Path:
    """`$HERMES_HOME` as it is now, else `~/.hermes`."""
    return _home(os.environ.get("HERMES_HOME", "").strip(), os.environ.get("HOME"))


def current() -> Paths:
    """The paths in effect now: the live home, unless `hermes_cron.jobs` has patched ones."""
    facade = sys.modules.get(_FACADE)
    patched = {} if facade is None else _patched(vars(facade))
    if patched:
        return _paths(*(str(_effective(patched, name)) for name in PATH_NAMES))
    return _live_paths(str(home()))


def make_live(module_name: str) -> None:
    """Make the five path names of the module `module_name` live. Call it in the module's body."""
    sys.modules[module_name].__class__ = LivePathsModule


class _LivePath:
    """A data descriptor: what a module attribute of this name gives, and what setting it means."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, module: ModuleType | None, owner: type | None = None) -> Any:
        if module is None:
            return self
        return _effective(_patched(vars(module)), self.name)

    def __set__(self, module: ModuleType, value: object) -> None:
        vars(module)[self.name] = value

    def __delete__(self, module: ModuleType) -> None:
        if vars(module).pop(self.name, None) is None:
            raise AttributeError(self.name)


class LivePathsModule(ModuleType):
    """A module whose path constants are live; see the top of this file."""

    CRON_DIR = _LivePath("CRON_DIR")
    JOBS_FILE = _LivePath("JOBS_FILE")
    OUTPUT_DIR = _LivePath("OUTPUT_DIR")
    TICKER_HEARTBEAT_FILE = _LivePath("TICKER_HEARTBEAT_FILE")
    TICKER_SUCCESS_FILE = _LivePath("TICKER_SUCCESS_FILE")


def _patched(names: Mapping[str, Any]) -> dict[str, Path]:
    """The path names that somebody set, without those that were set back to what we handed out."""
    if _NAMES.isdisjoint(names):
        return {}
    return {
        name: Path(names[name])
        for name in PATH_NAMES
        if name in names and not _handed_out(name, names[name])
    }


def _handed_out(name: str, value: object) -> bool:
    """Whether `value` is the very object that reading `name` gave, not merely an equal path."""
    if not isinstance(value, Path):
        return False
    cron_dir = value if name == "CRON_DIR" else value.parent
    return value is _part(name, str(cron_dir))


def _effective(patched: Mapping[str, Path], name: str) -> Path:
    if name in patched:
        return patched[name]
    cron_dir = patched.get("CRON_DIR")
    return _part(name, str(home() / "cron") if cron_dir is None else str(cron_dir))


# Never evicted: the identity of what was handed out is how a value that is set back is told from
# one that somebody chose. Five small objects for each home that a process sees.
@cache
def _part(name: str, cron_dir: str) -> Path:
    return Path(cron_dir) if name == "CRON_DIR" else Path(cron_dir, _BELOW_CRON_DIR[name])


@lru_cache(maxsize=64)
def _home(configured: str, _user_home: str | None) -> Path:
    return Path(configured).expanduser() if configured else Path.home() / ".hermes"


@lru_cache(maxsize=64)
def _live_paths(home_name: str) -> Paths:
    cron_dir = str(Path(home_name, "cron"))
    return _paths(*(str(_part(name, cron_dir)) for name in PATH_NAMES))


@lru_cache(maxsize=64)
def _paths(cron_dir: str, jobs: str, output: str, heartbeat: str, success: str) -> Paths:
    return Paths(Path(cron_dir), Path(jobs), Path(output), Path(heartbeat), Path(success))
