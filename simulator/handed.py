"""A provider that somebody hands over in Python, and the word that a command line has for it.

A gateway that reboots is a new process, so that an instance stands for its class: it is made anew
at each boot, without arguments. One that was configured by arguments would be made without them,
which is refused where it shows.
"""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from simulator.hosts import Host
from simulator.target import Target, TargetError, find_target, from_class, with_registry

__all__ = ["Handed", "handed"]

_PLAIN = (str, bytes, int, float, bool, type(None), tuple, list, dict, set, frozenset)


@dataclass(frozen=True)
class Handed:
    """A provider that can be run, here and by a command.

    Attributes:
        target: The provider.
        word: What `hermes-sim run --provider` takes for it; None when it has no name there.
        pythonpath: The folder that the command needs on PYTHONPATH; empty when it needs none.
        registry: What `--registry` takes for the fake of its registry; None when there is none.
    """

    target: Target
    word: str | None
    pythonpath: str = ""
    registry: str | None = None


def handed(provider: object, host: Host, registry: object = None) -> Handed:
    """What is to be run.

    Args:
        provider: A class, a function that makes one, an instance (stands for its class), a
            `Target`, or a name as commands take it: bundled, `module:attribute`, a plugin's folder.
        host: The code around it; says which are bundled.
        registry: The fake of its registry, in any form that `with_registry` takes.

    Raises:
        TargetError: It is none of these, or an instance that its class alone would not give.
    """
    found = _handed(provider, host)
    if registry is None:
        return found
    fake = registry if isinstance(registry, str) else _word(registry)
    return replace(
        found,
        target=with_registry(found.target, registry),
        word=found.word if fake else None,  # a command without the fake would run something else
        pythonpath=found.pythonpath or _place(registry),
        registry=fake,
    )


def _handed(provider: object, host: Host) -> Handed:
    if isinstance(provider, Target):
        return Handed(provider, None)
    if isinstance(provider, str | os.PathLike):
        word = os.fspath(provider)
        return Handed(find_target(word, host), str(Path(word).resolve()) if _folder(word) else word)
    if not isinstance(provider, type) and callable(getattr(provider, "start", None)):
        _same_without_arguments(provider)
        provider = type(provider)
    if not callable(provider):
        kind = type(provider).__name__
        raise TargetError(
            f"{provider!r} is a {kind}, not a provider: hand over a class, a function that makes "
            "one, an instance, or a name like 'builtin', 'module:attribute' or a plugin's folder"
        )
    word_or_none = _word(provider)
    label = word_or_none or str(getattr(provider, "__qualname__", type(provider).__qualname__))
    return Handed(from_class(provider, label), word_or_none, _place(provider))


def _folder(word: str) -> bool:
    return Path(word).is_dir()


def _same_without_arguments(provider: object) -> None:
    """Refuse an instance that is made differently at a reboot.

    Raises:
        TargetError: Says what would be lost.
    """
    name = type(provider).__name__
    advice = f"hand over a function that makes it, like lambda: {name}(...)"
    try:
        again = type(provider)()
    except TypeError as error:
        raise TargetError(f"{name} cannot be made anew at a reboot ({error}): {advice}") from error
    here, there = _state(provider), _state(again)
    lost = sorted(key for key in here if here[key] != there.get(key, here[key]))
    if lost:
        said = ", ".join(f"{key}={here[key]!r}" for key in lost)
        raise TargetError(f"{name} made anew at a reboot would be without {said}: {advice}")


def _state(provider: object) -> dict[str, Any]:
    """What can be compared of an instance."""
    held = getattr(provider, "__dict__", {})
    return {key: value for key, value in held.items() if isinstance(value, _PLAIN)}


def _word(maker: Any) -> str | None:
    """`module:attribute`, if that leads back to it in a process of its own."""
    module, name = getattr(maker, "__module__", None), getattr(maker, "__qualname__", None)
    if not module or not name or module == "__main__":
        return None
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return f"{module}:{name}" if found is maker else None


def _place(maker: Any) -> str:
    """The folder that its package is found in, unless every process looks there."""
    package = sys.modules.get(str(getattr(maker, "__module__", "")).partition(".")[0])
    file = getattr(package, "__file__", None)
    if package is None or file is None:
        return ""
    folder = Path(file).parent.parent if hasattr(package, "__path__") else Path(file).parent
    usual = [*sysconfig.get_paths().values(), *site.getsitepackages(), os.curdir]
    return "" if folder in {Path(one).resolve() for one in usual} else str(folder)
