"""Configuration: `config.yaml` in the home, merged over the defaults.

An unreadable file never takes cron down: it is one error in the log and the defaults are in effect
(CONTRACT.md FALL-5). The file is read again when it changed, so that no restart is needed for what
is looked up at the time of use.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hermes_cron import paths, process

__all__ = ["DEFAULT_CONFIG", "cfg_get", "config_path", "load_config", "problems"]

logger = logging.getLogger(__name__)

DEFAULT_CONFIG: dict[str, Any] = {
    # IANA zone of every wall time in a schedule; empty means the system's.
    "timezone": "",
    "cron": {
        # Who decides when a due job fires; empty means the built-in ticker.
        "provider": "",
        # True when several machines are meant to serve one home: no lock on the gateway then.
        "replicas": False,
        # Jobs at the same time per tick; None means the scheduler's own bound.
        "max_parallel_jobs": None,
        # Output files kept for each job.
        "output_retention": 50,
        "chronos": {
            "portal_url": "",
            "callback_url": "",
            "expected_audience": "",
            "nas_jwks_url": "",
        },
    },
}

_SLOT = "config"  # where process.current() keeps what was parsed last, with its signature
_PROBLEMS = "config.problems"  # and what was wrong with that


def config_path() -> Path:
    """The file that `load_config` reads."""
    return paths.home() / "config.yaml"


def load_config() -> dict[str, Any]:
    """The configuration in effect, a private copy that the caller may change.

    A file that cannot be read or is no mapping is logged once for each state of the file, as an
    error that names it, and the defaults are in effect. A section that is no mapping falls back
    alone. Never raises.
    """
    path = config_path()
    signature = _signature(path)
    slots = process.current().slots
    cached = slots.get(_SLOT)
    if cached is None or cached[0] != signature:
        slots[_PROBLEMS] = []
        cached = (signature, _read(path))
        slots[_SLOT] = cached
    merged: dict[str, Any] = copy.deepcopy(cached[1])
    return merged


def problems() -> list[str]:
    """What is wrong with the file as it is now, a sentence each: there the defaults are in effect.

    Never raises.
    """
    load_config()
    return list(process.current().slots.get(_PROBLEMS, ()))


def cfg_get(cfg: Mapping[str, Any] | None, *keys: str, default: Any = None) -> Any:
    """The value at a path of nested keys, or `default` where the path ends early.

    A value that is present but None is returned as None; a scalar where a section was expected
    ends the path.
    """
    node: Any = cfg
    for key in keys:
        if not isinstance(node, Mapping) or key not in node:
            return default
        node = node[key]
    return node


def _signature(path: Path) -> tuple[Any, ...]:
    """What changes when the file does: size, times, inode; the error when it cannot be asked."""
    try:
        stat = path.stat()
    except OSError as error:
        return (str(path), error.errno)
    # ctime too: a chmod that makes the file readable again changes nothing else.
    return (str(path), stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


def _read(path: Path) -> dict[str, Any]:
    """Parse and merge; every failure is logged and gives the defaults."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return DEFAULT_CONFIG
    except (OSError, UnicodeDecodeError) as error:
        _complain(path, f"cannot be read ({type(error).__name__}: {error})")
        return DEFAULT_CONFIG
    # Imported late: most command lines have no configuration file and need no YAML.
    import yaml

    try:
        loaded = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both loaders are the safe ones
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # ValueError: a date that does not exist; RecursionError: nesting meant to hurt.
        _complain(path, f"is not valid YAML ({' '.join(str(error).split())})")
        return DEFAULT_CONFIG
    if loaded is None:
        return DEFAULT_CONFIG
    if not isinstance(loaded, dict):
        _complain(path, f"holds a {type(loaded).__name__} where settings were expected")
        return DEFAULT_CONFIG
    return _merge(DEFAULT_CONFIG, loaded, path)


def _merge(defaults: Mapping[str, Any], given: Mapping[Any, Any], path: Path) -> dict[str, Any]:
    """`given` over `defaults`, section by section; unknown keys stay."""
    merged = dict(defaults)
    for key, value in given.items():
        section = defaults.get(key)
        if not isinstance(section, dict):
            merged[key] = value
        elif isinstance(value, Mapping):
            merged[key] = _merge(section, value, path)
        elif value is not None:
            _complain(path, f"has a {type(value).__name__} where the section '{key}' belongs")
    return merged


def _complain(path: Path, what: str) -> None:
    process.current().slots.setdefault(_PROBLEMS, []).append(f"{path} {what}")
    logger.error("%s %s; the defaults are in effect until it is mended", path, what)
