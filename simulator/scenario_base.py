"""What the parts of a scenario have in common: frozen, strict models and their messages."""

import json
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Annotated, Any
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from simulator.durations import format_duration, parse_duration

__all__ = ["Duration", "Model", "Offset", "hint", "known_word", "known_zone", "say_mistake"]

Offset = Annotated[
    int, BeforeValidator(parse_duration), PlainSerializer(format_duration, return_type=str)
]
"""Microseconds, ahead or (negative) behind; written like "1h30m" or "-2s" in files."""


def _not_negative(value: int) -> int:
    if value < 0:
        raise ValueError(f"{format_duration(value)} is before nothing: write it without the minus")
    return value


Duration = Annotated[Offset, AfterValidator(_not_negative)]
"""Microseconds, 0 or more; written like "1h30m" in files."""


def hint(word: object, known: Iterable[str]) -> str:
    """The end of a message about an unknown word: the nearest known one, or all of them."""
    names = sorted(known)
    near = get_close_matches(str(word), names, n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(names)}"


def say_mistake(problem: ErrorDetails) -> str:
    """One mistake of a `ValidationError` in words; where it is only when they do not say that."""
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "string_pattern_mismatch":
        # Ids of requirements are in capitals; all other names are plain words.
        is_requirement = "A-Z" in problem["ctx"]["pattern"]
        right = "an id like TICK-2" if is_requirement else "small letters, digits and hyphens only"
        message = f"{problem['input']!r} is no name here: {right}"
    where = ".".join(str(part) for part in problem["loc"])
    return message if problem["type"] in {"value_error", "unknown_key"} else f"{where}: {message}"


def known_word(known: Iterable[str], what: str) -> BeforeValidator:
    """Accepts one of `known`; anything else is refused with the nearest."""
    names = frozenset(known)

    def check(value: Any) -> Any:
        if value not in names:
            raise ValueError(f"unknown {what} {value!r}{hint(value, names)}")
        return value

    return BeforeValidator(check)


@cache
def _zones() -> frozenset[str]:
    """Every known zone; asking walks a thousand files."""
    return frozenset(available_timezones())


def known_zone(name: str) -> str:
    """`name`, when it is a time zone; else ValueError says which it may have been."""
    if name in _zones():
        return name
    near = get_close_matches(name, sorted(_zones()), n=1, cutoff=0.6)
    tail = f"; did you mean {near[0]!r}?" if near else "; write one like Europe/Berlin"
    raise ValueError(f"no time zone {name!r}{tail}")


class Model(BaseModel):
    """Frozen, hashable by value, strict about keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_alias=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        known = {field.alias or name for name, field in cls.model_fields.items()}
        for key in data:
            if key not in known:
                context = {"key": str(key), "hint": hint(key, known)}
                raise PydanticCustomError("unknown_key", "unknown key '{key}'{hint}", context)
        return data

    def plain(self) -> dict[str, Any]:
        """The value as a file would say it: JSON types, aliases, nothing that is at its default."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    def canonical(self) -> str:
        """One JSON text for the value; equal values have equal texts."""
        return json.dumps(self.plain(), sort_keys=True)

    def __hash__(self) -> int:
        return hash(self.canonical())
