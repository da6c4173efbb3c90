"""Exceptions as data: what a fault or a job's body raises, by name, and the exception itself."""

import asyncio
import builtins
import errno
import importlib
import os
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field, PlainSerializer, model_validator

from simulator.scenario_base import Model

__all__ = ["Raise", "RaiseField", "SpeechlessError", "build_exception", "say_raise"]


class SpeechlessError(Exception):
    """An exception whose own text raises; a scenario names it by its dotted type."""

    def __str__(self) -> str:
        raise TypeError("this exception has no text")


class Raise(Model):
    """An exception to raise: `SystemExit`, `{OSError: ENOSPC}` or `{ValueError: some text}`.

    `OSError` and its kin take an errno name as their detail; a dotted type is imported.
    """

    type: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.]*$")
    detail: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, data: Any) -> Any:
        if isinstance(data, str):
            return {"type": data}
        if isinstance(data, Mapping) and len(data) == 1 and "type" not in data:
            ((name, detail),) = data.items()
            return {"type": name, "detail": detail}
        return data

    @model_validator(mode="after")
    def _can_be_raised(self) -> Self:
        build_exception(self)
        return self


def say_raise(value: Raise | None) -> Any:
    """The short form, as a file says it."""
    if value is None:
        return None
    return value.type if value.detail is None else {value.type: value.detail}


RaiseField = Annotated[Raise | None, PlainSerializer(say_raise)]


def build_exception(spec: Raise) -> BaseException:
    """The exception that a rule names.

    Raises:
        ValueError: No such exception type, no such errno name, or it cannot be made of one text.
    """
    kind = _exception_type(spec.type)
    if issubclass(kind, OSError):
        return _os_error(kind, spec.detail)
    try:
        return kind(spec.detail) if spec.detail is not None else kind()
    except TypeError as error:
        if spec.detail is None:  # one that cannot do without a text
            return build_exception(Raise.model_construct(type=spec.type, detail="injected"))
        raise ValueError(f"cannot raise {spec.type!r}: {error}") from error


def _exception_type(name: str) -> type[BaseException]:
    module_name, _, attribute = name.rpartition(".")
    try:
        module = importlib.import_module(module_name) if module_name else builtins
        found = getattr(module, attribute, None)
    except ImportError as error:
        raise ValueError(f"cannot raise {name!r}: {error}") from error
    if attribute == "CancelledError" and found is None:
        found = asyncio.CancelledError
    if not (isinstance(found, type) and issubclass(found, BaseException)):
        known = "no such exception; write SystemExit or a.b.Error"
        raise ValueError(f"cannot raise {name!r}: {known}")  # noqa: TRY004 - it is a name's value
    return found


def _os_error(kind: type[OSError], detail: str | None) -> OSError:
    if detail is None:
        return kind(errno.EIO, os.strerror(errno.EIO)) if kind is OSError else kind()
    code = getattr(errno, detail, None)
    if code is None:
        raise ValueError(f"cannot raise OSError with {detail!r}: write an errno name, like ENOSPC")
    return kind(code, os.strerror(code))
