"""Subclasses of `datetime` and `date` that were made before the run: their "now" is the run's too.

They inherit from the genuine classes, in which nothing can be replaced. So for the time of a run
each has the sources of "now" as methods of its own, and where its own methods ask the genuine
ones through `super()`, the `super` of their module answers with the run's.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from freezegun.api import FakeDate, FakeDatetime

from simulator.kernel.captured import EXEMPT, root_of
from simulator.kernel.dates import REAL_DATE, REAL_DATETIME, SimDate, SimDatetime

__all__ = ["heirs_of_dates"]

_real_super: Any = super


def _sources() -> Iterator[tuple[type, str, Callable[..., Any]]]:
    for genuine, ours in ((REAL_DATETIME, SimDatetime), (REAL_DATE, SimDate)):
        for name in ("now", "today", "utcnow"):
            method = vars(ours).get(name)
            if method is not None:
                yield genuine, name, method.__func__


_SOURCES = {(genuine, name): function for genuine, name, function in _sources()}
_NAMES = frozenset(name for _, name in _SOURCES)


def _source(cls: type, name: str) -> Callable[..., Any]:
    return _SOURCES[REAL_DATETIME if issubclass(cls, REAL_DATETIME) else REAL_DATE, name]


class _Super:
    """What `super()` gives in a method of an heir."""

    def __init__(self, real: Any) -> None:
        object.__setattr__(self, "_real", real)

    def __getattribute__(self, name: str) -> Any:
        value = getattr(object.__getattribute__(self, "_real"), name)
        if name in _NAMES and isinstance(value, types.BuiltinMethodType):
            cls: Any = value.__self__
            return _source(cls, name).__get__(cls)
        return value


def _super(*words: Any) -> Any:
    if not words:
        frame = sys._getframe(1)  # noqa: SLF001 - as the real one finds its arguments
        names = frame.f_locals
        words = names["__class__"], names[frame.f_code.co_varnames[0]]
    return _Super(_real_super(*words))


@contextmanager
def heirs_of_dates() -> Iterator[None]:
    """Give those that there are now the run's sources of "now", and take them away again."""
    given: list[tuple[type, str]] = []
    modules: list[dict[str, Any]] = []
    for heir in _heirs(REAL_DATE):
        given += _give(heir)
        modules += _take_super(heir)
    try:
        yield
    finally:
        for heir, name in given:
            delattr(heir, name)
        for names in modules:
            names.pop("super", None)


def _heirs(cls: type) -> Iterator[type]:
    """All of them, parents first; those of libraries under the simulator are no part of the run."""
    heir: type
    for heir in type.__subclasses__(cls):
        if heir is REAL_DATETIME:
            yield from _heirs(heir)
        elif (
            not {FakeDate, FakeDatetime} & set(heir.__mro__)
            and root_of(heir.__module__) not in EXEMPT
        ):
            yield heir
            yield from _heirs(heir)


def _give(heir: type) -> Iterator[tuple[type, str]]:
    for name in _NAMES:
        owner = next((cls for cls in heir.__mro__ if name in vars(cls)), None)
        if owner in (REAL_DATETIME, REAL_DATE):
            try:
                setattr(heir, name, classmethod(_source(heir, name)))
            except TypeError:  # written in C: its heirs in Python get their own
                continue
            yield heir, name


def _take_super(heir: type) -> Iterator[dict[str, Any]]:
    for value in vars(heir).values():
        function = getattr(value, "__func__", value)
        if isinstance(function, types.FunctionType):
            used = function.__code__.co_names
            names = function.__globals__
            if "super" in used and not _NAMES.isdisjoint(used) and "super" not in names:
                names["super"] = _super
                yield names
