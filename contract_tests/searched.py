"""What a search beside the rows tried and found, in plain values: a part of the report."""

import importlib.util
from dataclasses import dataclass
from typing import ClassVar, Literal

__all__ = ["Finding", "Floor", "Search", "Searched", "can_search"]

_CONFIG = {"extra": "forbid", "strict": True}  # as the report's own models are read


def can_search() -> bool:
    """Whether that which draws scenarios is installed: it is an extra."""
    return importlib.util.find_spec("hypothesis") is not None


@dataclass(frozen=True, slots=True)
class Search:
    """How to search. The same three give the same scenarios, wherever and whenever.

    Attributes:
        examples: how many scenarios are drawn.
        seed: what they are drawn from.
        days: how long one lasts at most, in simulated days.
    """

    examples: int = 200
    seed: int = 0
    days: int = 1


@dataclass(frozen=True, slots=True)
class Floor:
    """A figure that a search must reach before its silence means something.

    Attributes:
        what: which figure.
        seen: what it was.
        least: what it must be.
    """

    __pydantic_config__: ClassVar = _CONFIG

    what: str
    seen: float
    least: float


@dataclass(frozen=True, slots=True)
class Finding:
    """A requirement that a drawn scenario violates.

    Attributes:
        requirement: its id.
        reason: how, in the smallest scenario that was found to violate it.
        example: the number of the drawn one.
        scenario: the smallest one as a scenario file, for `hermes-sim run`.
        replay: the command that finds it again.
    """

    __pydantic_config__: ClassVar = _CONFIG

    requirement: str
    reason: str
    example: int
    scenario: str
    replay: str

    @property
    def sentence(self) -> str:
        """The evidence of the row that it breaks."""
        return f"found by the search, in example {self.example}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Searched:
    """What came of a search.

    Attributes:
        examples: how many scenarios were to be tried.
        seed: what they were drawn from.
        days: how long one lasted at most, in simulated days.
        tried: how many were run.
        floors: what was tried against what must be tried.
        findings: what is violated, in the order of the examples.
        not_tried: why nothing was run; None when it was.
    """

    __pydantic_config__: ClassVar = _CONFIG

    examples: int
    seed: int
    days: int
    tried: int
    floors: tuple[Floor, ...]
    findings: tuple[Finding, ...]
    not_tried: str | None = None

    @property
    def below(self) -> tuple[Floor, ...]:
        """The figures that are too small."""
        return tuple(floor for floor in self.floors if floor.seen < floor.least)

    @property
    def verdict(self) -> Literal["violated", "held", "unknown"]:
        """Unknown when nothing was found and too little was tried."""
        if self.findings:
            return "violated"
        enough = self.floors and not self.below and self.not_tried is None
        return "held" if enough else "unknown"

    def of(self, requirement_id: str) -> Finding | None:
        """What breaks a requirement, if anything does."""
        return next((one for one in self.findings if one.requirement == requirement_id), None)

    @property
    def sentence(self) -> str:
        """The whole in one line."""
        said = (
            f"search: {self.verdict}, {self.tried} of {self.examples} examples of at most "
            f"{self.days} d from seed {self.seed}"
        )
        if self.findings:
            return f"{said}: {', '.join(one.requirement for one in self.findings)} violated"
        if self.not_tried:
            return f"{said}: {self.not_tried}"
        few = "; ".join(f"{one.what}: {one.seen:g} of {one.least:g}" for one in self.below)
        return f"{said}: too little tried to mean anything ({few})" if few else said
