"""Names and objects that code took hold of before the run: found once, swapped for each run.

`from time import sleep`, `def wait(delay=time.sleep)`, a closure, a class attribute, a lock in a module's
global or in an attribute of an object that one refers to: replacing `time.sleep` reaches none of
these. So every module is searched once, from its globals through functions, classes and (outside
the standard library) instances, for whatever the run replaces. What is found is a `Slot`: a
place and what belongs there. Test runners and the simulator itself keep the real things.
"""

from __future__ import annotations

import sys
import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

__all__ = ["Slot", "Slots", "root_of"]

EXEMPT = frozenset({
    "simulator", "greenlet", "freezegun", "pytest", "_pytest", "pluggy", "hypothesis", "xdist", "execnet",
    "coverage", "pydevd", "debugpy", "_pydevd_bundle", "pytest_timeout",
})  # fmt: skip
# Instances of these are looked into although they are the standard library's: they hold locks of their owner.
_TRANSPARENT = frozenset(
    {"threading", "queue", "concurrent", "collections", "types", "sched", "_thread"}
)
_ATOMS = (
    str,
    bytes,
    int,
    float,
    complex,
    type(None),
    types.ModuleType,
    types.CodeType,
    types.FrameType,
)
_SKIPPED_KEYS = frozenset(
    {"__builtins__", "__annotations__", "__dataclass_fields__", "__annotate__"}
)
# Standard modules whose own locks are held while tasks may switch.
_WITH_LOCKS = frozenset({"concurrent.futures.thread", "logging"})
_DEPTH = 8
_WIDTH = 2000

Replace = Callable[[Any], Any]


def root_of(module: str | None) -> str:
    """The top-level package of a module's name: 'queue_worker' is not 'queue'."""
    return (module or "").partition(".")[0]


class Slot:
    """One place that holds something to be replaced: `get()` and `put(value)`."""

    __slots__ = ("get", "original", "put", "was")

    def __init__(self, original: Any, get: Callable[[], Any], put: Callable[[Any], None]) -> None:
        self.original, self.get, self.put = original, get, put
        self.was: Any = None


def _dict_slot(holder: dict[Any, Any], key: Any) -> Slot:
    return Slot(holder[key], partial(holder.get, key), partial(holder.__setitem__, key))


def _attr_slot(holder: Any, name: str, value: Any) -> Slot:
    setter = type.__setattr__ if isinstance(holder, type) else object.__setattr__

    def get() -> Any:
        return vars(holder).get(name) if isinstance(holder, type) else getattr(holder, name, None)

    return Slot(value, get, partial(setter, holder, name))


class Slots:
    """The slots of a process, and the search for more of them.

    Args:
        name: Says whether an object is a function or class that is replaced wherever a name for it is held.
        instance: Says whether an object is one (a lock, ...) that is replaced outside the standard library.
    """

    def __init__(self, name: Callable[[Any], bool], instance: Callable[[Any], bool]) -> None:
        self._name, self._instance = name, instance
        self.known: set[str] = set()
        self._modules = 0
        self.found: list[Slot] = []

    def refresh(self) -> None:
        """Search the modules that were imported since the last time."""
        if len(sys.modules) == self._modules:
            return
        for name, module in list(sys.modules.items()):
            if name not in self.known and isinstance(module, types.ModuleType):
                self.known.add(name)
                if root_of(name) not in EXEMPT:
                    deep = _is_foreign(name) or name in _WITH_LOCKS
                    self.found += self.search([vars(module)], deep=deep)
        self._modules = len(sys.modules)

    def search(self, roots: Iterable[Any], *, deep: bool = True) -> list[Slot]:
        """The slots reachable from `roots`; through instances only when `deep`."""
        either = self._either if deep else self._name
        return list(_Search(either, deep).run(roots))

    def _either(self, value: Any) -> bool:
        return self._name(value) or self._instance(value)


def _is_foreign(name: str) -> bool:
    return root_of(name) not in sys.stdlib_module_names or name == "__main__"


class _Search:
    def __init__(self, leaf: Callable[[Any], bool], deep: bool) -> None:
        self._leaf, self._deep = leaf, deep
        self._seen: set[int] = set()
        self._alive: list[Any] = []  # ids are only good while what they name is alive

    def run(self, roots: Iterable[Any]) -> Iterator[Slot]:
        todo: deque[tuple[Any, int]] = deque((root, 0) for root in roots)
        while todo:
            holder, depth = todo.popleft()
            if id(holder) in self._seen or isinstance(holder, _ATOMS):
                continue
            self._seen.add(id(holder))
            self._alive.append(holder)
            for slot in self._places(holder, depth):
                if self._leaf(slot.original):
                    yield slot
                elif depth < _DEPTH:
                    todo.append((slot.original, depth + 1))

    def _places(self, holder: Any, depth: int) -> Iterator[Slot]:
        kind = type(holder)
        if kind is dict:
            if depth == 0 or (self._deep and len(holder) <= _WIDTH):
                for key in list(holder):
                    if key not in _SKIPPED_KEYS:
                        yield _dict_slot(holder, key)
        elif kind is types.FunctionType:
            yield from _function_places(holder)
        elif isinstance(holder, type):
            if root_of(holder.__module__) not in EXEMPT:
                yield from (
                    _attr_slot(holder, name, value) for name, value in list(vars(holder).items())
                )
        elif kind in (classmethod, staticmethod):
            yield from _function_places(holder.__func__)
        elif kind is property:
            for function in (holder.fget, holder.fset, holder.fdel):
                yield from _function_places(function)
        elif self._deep:
            yield from self._inside(holder, kind)

    def _inside(self, holder: Any, kind: type) -> Iterator[Slot]:
        if kind in (list, deque) and len(holder) <= _WIDTH:
            for index, value in enumerate(holder):
                yield Slot(
                    value, partial(holder.__getitem__, index), partial(holder.__setitem__, index)
                )
        elif kind is types.MethodType:
            yield Slot(holder.__self__, lambda: holder.__self__, lambda _value: None)
        elif self._transparent(kind):
            for name, value in list(getattr(holder, "__dict__", {}).items()):
                yield _attr_slot(holder, name, value)
            for cls in kind.__mro__:
                for name in _slot_names(cls):
                    if hasattr(holder, name):
                        yield _attr_slot(holder, name, getattr(holder, name))

    @staticmethod
    def _transparent(kind: type) -> bool:
        root = root_of(kind.__module__)
        return root not in EXEMPT and (_is_foreign(root) or root in _TRANSPARENT)


def _slot_names(cls: type) -> Iterator[str]:
    names = cls.__dict__.get("__slots__", ())
    for name in (names,) if isinstance(names, str) else names:
        if name not in ("__dict__", "__weakref__"):
            private = name.startswith("__") and not name.endswith("__")
            yield f"_{cls.__name__.lstrip('_')}{name}" if private else name


def _function_places(function: Any) -> Iterator[Slot]:
    if not isinstance(function, types.FunctionType) or root_of(function.__module__) in EXEMPT:
        return
    for index, value in enumerate(function.__defaults__ or ()):
        yield Slot(
            value, partial(_default, function, index), partial(_set_default, function, index)
        )
    for name in function.__kwdefaults__ or ():
        yield _dict_slot(function.__kwdefaults__, name)
    for cell in function.__closure__ or ():
        try:
            value = cell.cell_contents
        except ValueError:
            continue
        yield Slot(
            value, partial(getattr, cell, "cell_contents"), partial(setattr, cell, "cell_contents")
        )
    wrapped = function.__dict__.get("__wrapped__")
    if wrapped is not None:
        yield from _function_places(wrapped)


def _default(function: types.FunctionType, index: int) -> Any:
    return (function.__defaults__ or ())[index]


def _set_default(function: types.FunctionType, index: int, value: Any) -> None:
    defaults = list(function.__defaults__ or ())
    defaults[index] = value
    function.__defaults__ = tuple(defaults)
