"""Functions of a host that a provider imported by name: replacing them at home does not reach it.

`from cron.jobs import record_ticker_heartbeat` at the top of a provider's file binds the name
before the run, unless the file is executed anew in it. What it calls has to be the run's too.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

__all__ = ["held_by_name"]

Replacement = tuple[Any, str, Any]

_OURS = frozenset({"hermes_cron", "simulator", "contract_tests"})
_held: dict[str, tuple[ModuleType, int, tuple[str, ...]]] = {}
"""By module: itself, how many names it had when it was looked through, and those of functions of a
host among them."""


def held_by_name(replacements: list[Replacement]) -> Iterator[Replacement]:
    """The replacements, and those for whoever else holds by name what is replaced."""
    by_id = {id(getattr(module, name)): stand_in for module, name, stand_in in replacements}
    homes = {module.__name__ for module, _, _ in replacements}
    found = [
        (module, name, by_id[id(value)])
        for module in list(sys.modules.values())
        for name in _names_of(module, homes)
        if id(value := getattr(module, name, None)) in by_id
    ]
    yield from replacements
    yield from found


def _names_of(module: Any, homes: set[str]) -> tuple[str, ...]:
    """The names in a module of what a host's modules define; nothing for the host's own."""
    space = getattr(module, "__dict__", None)
    label = getattr(module, "__name__", None)
    if not isinstance(module, ModuleType) or not isinstance(label, str) or not space:
        return ()
    known = _held.get(label)
    if known is None or known[0] is not module or known[1] != len(space):
        found = () if _has_none(label) else space.items()
        names = tuple(
            name
            for name, value in found
            if callable(value) and getattr(value, "__module__", None) in homes
        )
        known = _held[label] = (module, len(space), names)
    return known[2]


def _has_none(label: str) -> bool:
    """Whether a module of this name is one of the host's own or of Python's library."""
    root = label.partition(".")[0]
    return root in _OURS or (root in sys.stdlib_module_names and root != "__main__")
