"""Names and objects that code took hold of before the run: found once, swapped for each run.

`from time import sleep`, `def wait(delay=time.sleep)`, a closure, a class attribute, a lock in
a global or in an attribute of an object: replacing `time.sleep` reaches none of these. So
every module is searched once, from its globals through functions, classes and (outside the
standard library) instances, for whatever a run replaces. What is found is a `Slot`: a place and
what belongs there. Test runners and the simulator itself keep the real things.
"""

from __future__ import annotations

import sys
import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

__all__ = ["Slot", "Slots", "root_of"]

EXEMPT = frozenset(
    (
        *("simulator", "greenlet", "freezegun"),
        *("pytest", "_pytest", "pluggy", "pytest_timeout", "hypothesis", "xdist", "execnet"),
        *("coverage", "pydevd", "_pydevd_bundle", "debugpy"),
    )
)
# Instances of these are looked into although they are the standard library's: they hold locks.
_TRANSPARENT = frozenset(
    ("threading", "queue", "concurrent", "collections", "types", "sched", "functools")
)
# Standard modules whose own locks are held while tasks may switch.
_WITH_LOCKS = frozenset({"concurrent.futures.thread", "logging"})
_ATOMS = (str, bytes, int, float, complex, type(None), types.ModuleType, types.CodeType)
_SKIPPED_KEYS = frozenset(
    ("__builtins__", "__annotations__", "__dataclass_fields__", "__annotate__")
)
# Of a Condition and of a Thread: real locks by which threads outside the run really wait.
_SKIPPED_ATTRIBUTES = frozenset(("_waiters", "_tstate_lock"))
_DEPTH = 8
_WIDTH = 2000  # larger containers hold data


def root_of(module: str | None) -> str:
    """The top-level package of a module's name: 'queue_worker' is not 'queue'."""
    return module.partition(".")[0] if isinstance(module, str) else ""


def _is_foreign(name: str | None) -> bool:
    return root_of(name) not in sys.stdlib_module_names or name == "__main__"


class Slot:
    """One place that holds something to be replaced: `get()` and `put(value)`."""

    __slots__ = ("get", "original", "put")

    def __init__(self, original: Any, get: Callable[[], Any], put: Callable[[Any], Any]) -> None:
        self.original, self.get, self.put = original, get, put


class Slots:
    """The slots of a process, and the search for more of them.

    Args:
        name: Says whether an object is a function or class that is replaced wherever it is held.
        instance: Says whether an object is one (a lock, ...) that is replaced outside the
            standard library.
    """

    def __init__(self, name: Callable[[Any], bool], instance: Callable[[Any], bool]) -> None:
        self._name, self._instance = name, instance
        self._size = 0
        self._newest: Any = None
        self.known: dict[str, types.ModuleType] = {}
        self.found: list[Slot] = []

    def refresh(self) -> None:
        """Search the modules that were imported since the last time."""
        newest = sys.modules[next(reversed(sys.modules))]
        if len(sys.modules) == self._size and newest is self._newest:
            return
        roots: dict[bool, list[Any]] = {True: [], False: []}  # by whether to look into instances
        for name, module in list(sys.modules.items()):
            if self.known.get(name) is not module and isinstance(module, types.ModuleType):
                self.known[name] = module
                if root_of(name) not in EXEMPT:
                    roots[_is_foreign(name) or name in _WITH_LOCKS].append(vars(module))
        for deep, holders in roots.items():  # together: much is reached from many modules
            self.found += self.search(holders, deep=deep)
        self._size, self._newest = len(sys.modules), newest

    def search(self, roots: Iterable[Any], *, deep: bool = True) -> list[Slot]:
        """The slots reachable from `roots`; through instances, and for them, only when `deep`."""
        return list(_Search(self._either if deep else self._name, deep).run(roots))

    def _either(self, value: Any) -> bool:
        return self._name(value) or self._instance(value)


class _Search:
    def __init__(self, leaf: Callable[[Any], bool], deep: bool) -> None:
        self._leaf, self._deep = leaf, deep
        self._seen: dict[int, Any] = {}  # ids are only good while what they name is alive

    def run(self, roots: Iterable[Any]) -> Iterator[Slot]:
        todo: deque[tuple[Any, int]] = deque((root, 0) for root in roots)
        while todo:
            holder, depth = todo.popleft()
            if id(holder) in self._seen or isinstance(holder, _ATOMS):
                continue
            self._seen[id(holder)] = holder
            for slot in self._places(holder, depth):
                if self._leaf(slot.original):
                    yield slot
                elif depth < _DEPTH:
                    todo.append((slot.original, depth + 1))

    def _places(self, holder: Any, depth: int) -> Iterable[Slot]:
        kind = type(holder)
        if kind is dict:
            return _items(holder) if depth == 0 or self._deep else ()
        if kind is types.FunctionType:
            return _of_function(holder)
        if isinstance(holder, type):
            return _of_class(holder)
        if kind in (classmethod, staticmethod):
            return _of_function(holder.__func__)
        if kind is property:
            functions = (holder.fget, holder.fset, holder.fdel)
            return [slot for function in functions for slot in _of_function(function)]
        return self._inside(holder, kind) if self._deep else ()

    def _inside(self, holder: Any, kind: type) -> Iterator[Slot]:
        if kind in (list, deque):
            if len(holder) <= _WIDTH:
                for index, value in enumerate(holder):
                    put = partial(holder.__setitem__, index)
                    yield Slot(value, partial(_element, holder, index), put)
        elif kind in (tuple, types.MethodType, partial):
            parts = holder if kind is tuple else _parts(holder)
            yield from (_fixed(part) for part in parts)
        elif root_of(kind.__module__) not in EXEMPT and (
            _is_foreign(kind.__module__) or root_of(kind.__module__) in _TRANSPARENT
        ):
            yield from _of_instance(holder, kind)


def _parts(holder: Any) -> tuple[Any, ...]:
    if isinstance(holder, partial):
        return (holder.func, *holder.args, *holder.keywords.values())
    return (holder.__self__, holder.__func__)


def _element(holder: Sequence[Any], index: int) -> Any:
    return holder[index] if index < len(holder) else None


def _fixed(value: Any) -> Slot:
    """A place that is only passed through."""
    return Slot(value, lambda: value, lambda _value: None)


def _item(holder: dict[Any, Any], key: Any) -> Slot:
    return Slot(holder[key], partial(holder.get, key), partial(holder.__setitem__, key))


def _items(holder: dict[Any, Any]) -> Iterator[Slot]:
    if len(holder) <= _WIDTH:
        for key in list(holder):
            if key not in _SKIPPED_KEYS:
                yield _item(holder, key)


def _of_class(cls: type) -> Iterator[Slot]:
    if root_of(cls.__module__) in EXEMPT:
        return
    for name, value in list(vars(cls).items()):
        if name not in _SKIPPED_KEYS:
            yield Slot(value, partial(vars(cls).get, name), partial(type.__setattr__, cls, name))


def _of_instance(holder: Any, kind: type) -> Iterator[Slot]:
    try:
        names = list(
            object.__getattribute__(holder, "__dict__")
        )  # its own __getattr__ may do anything
    except AttributeError:
        names = []
    for cls in kind.__mro__:
        names += _slot_names(cls)
    for name in names:
        if name in _SKIPPED_ATTRIBUTES:
            continue
        value = _attribute(holder, name)
        yield Slot(
            value, partial(_attribute, holder, name), partial(object.__setattr__, holder, name)
        )
    if _is_foreign(kind.__module__):
        yield _fixed(kind)  # a class of a module that sys.modules does not know


def _attribute(holder: Any, name: str) -> Any:
    """The attribute as it is stored; None when the run took it away."""
    try:
        return object.__getattribute__(holder, name)
    except AttributeError:
        return None


def _slot_names(cls: type) -> Iterator[str]:
    names = cls.__dict__.get("__slots__", ())
    for name in (names,) if isinstance(names, str) else names:
        if name not in ("__dict__", "__weakref__"):
            private = name.startswith("__") and not name.endswith("__")
            yield f"_{cls.__name__.lstrip('_')}{name}" if private else name


def _of_function(function: Any) -> Iterator[Slot]:
    if not isinstance(function, types.FunctionType) or root_of(function.__module__) in EXEMPT:
        return
    for index, value in enumerate(function.__defaults__ or ()):
        get = partial(_default, function, index)
        yield Slot(value, get, partial(_set_default, function, index))
    kwdefaults: dict[str, Any] = function.__kwdefaults__ or {}
    for name in kwdefaults:
        yield _item(kwdefaults, name)
    for cell in function.__closure__ or ():
        try:
            value = cell.cell_contents
        except ValueError:  # not bound yet
            continue
        name = "cell_contents"
        yield Slot(value, partial(getattr, cell, name), partial(setattr, cell, name))
    if "__wrapped__" in function.__dict__:
        yield _item(function.__dict__, "__wrapped__")
    module = sys.modules.get(function.__module__)
    if module is None or vars(module) is not function.__globals__:
        yield from _items(function.__globals__)


def _default(function: types.FunctionType, index: int) -> Any:
    return (function.__defaults__ or ())[index]


def _set_default(function: types.FunctionType, index: int, value: Any) -> None:
    defaults = list(function.__defaults__ or ())
    defaults[index] = value
    function.__defaults__ = tuple(defaults)
