"""The search: draw, run, judge; at the first violation, make it small."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from simulator.explore.looking import Seen
from simulator.explore.reach import Floor, Reach, reach_of
from simulator.explore.scratch import scratch
from simulator.explore.shrinking import Shrunk, shrink
from simulator.explore.workers import Looker, chunks
from simulator.hosts import Host
from simulator.target import Target

__all__ = ["Exploration", "Found", "explore"]

_STORAGE = "HYPOTHESIS_STORAGE_DIRECTORY"


@dataclass(frozen=True)
class Found:
    """A violation.

    Attributes:
        requirement: What is violated.
        reason: How, in the shrunk scenario.
        index: The example that showed it first.
        shrunk: The smallest scenario that was found to violate the same.
        beside: Other requirements found violated that the shrunk scenario violates too.
    """

    requirement: str
    reason: str
    index: int
    shrunk: Shrunk
    beside: tuple[str, ...]


@dataclass(frozen=True)
class Exploration:
    """What came of a search.

    Attributes:
        target: The provider.
        seed: What it was drawn from.
        wanted: How many examples it was to be.
        findings: The violations, the first example first.
        reach: What was really tried.
    """

    target: str
    seed: int
    wanted: int
    findings: tuple[Found, ...]
    reach: Reach

    @property
    def floors(self) -> tuple[Floor, ...]:
        """What was tried against what must be tried."""
        return self.reach.floors()

    @property
    def verdict(self) -> Literal["violated", "held", "unknown"]:
        """Unknown when nothing was found and too little was tried."""
        if self.findings:
            return "violated"
        return "held" if all(floor.reached for floor in self.floors) else "unknown"


def explore(
    target: Target | str,
    *,
    registry: str | None = None,
    examples: int = 200,
    seed: int = 0,
    days: int = 1,
    workers: int = 1,
    host: Host | None = None,
    keep_going: bool = False,
    on_progress: Callable[[int], None] = lambda _done: None,
) -> Exploration:
    """Search scenarios in which the provider violates a requirement.

    The same target, seed and days give the same, whatever the number of workers; more examples go
    on where fewer ended. Another version of Hypothesis draws other examples.

    Args:
        target: The provider, or its name as `hermes-sim` takes it.
        registry: `module:attribute` of the fake of its registry, where that is not NAS.
        examples: How many scenarios to try.
        seed: What they are drawn from.
        days: How long a scenario lasts at most.
        workers: Processes to use; more than one needs the name of the provider.
        host: The code around it; this distribution's own when not given.
        keep_going: Go on after a violation, to find others.
        on_progress: Told how many examples were looked at.

    Raises:
        ExploreError: A worker died.
        ValueError: More than one worker for a provider that has no name.
    """
    if workers > 1 and not isinstance(target, str):
        raise ValueError("more workers need the provider's name: processes find it by that")
    looker = Looker.of(target, host, seed, days, registry)
    spec = (target, registry) if isinstance(target, str) else None
    seen: list[Seen] = []
    with _kept_out_of_the_folder():
        for some in chunks(looker, spec, examples, workers):
            seen += some
            on_progress(len(seen))
            if not keep_going and any(one.violations for one in some):
                break
    return Exploration(
        target=looker.target.label,
        seed=seed,
        wanted=examples,
        findings=_findings(looker, seen),
        reach=reach_of(seen, looker.target.capabilities),
    )


@contextmanager
def _kept_out_of_the_folder() -> Iterator[None]:
    """Hypothesis keeps what it reads of modules in `.hypothesis`; not in the user's folder."""
    if _STORAGE in os.environ:
        yield
        return
    with scratch("hermes-explore-") as folder:
        os.environ[_STORAGE] = folder
        try:
            yield
        finally:
            del os.environ[_STORAGE]


def _findings(looker: Looker, seen: Sequence[Seen]) -> tuple[Found, ...]:
    """One for each requirement, unless the scenario of an earlier one shows it as well."""
    first: dict[str, int] = {}
    for one in seen:
        for requirement, _reason in one.violations:
            first.setdefault(requirement, one.index)
    found: list[Found] = []
    told: set[str] = set()
    for requirement, index in first.items():
        if requirement in told:
            continue
        shrunk = shrink(looker.scenario(index), looker.target, requirement, host=looker.host)
        violated = [name for name, _reason in shrunk.violations]
        beside = tuple(name for name in violated if name in first and name != requirement)
        told |= {requirement, *beside}
        found.append(Found(requirement, shrunk.reason, index, shrunk, beside))
    return tuple(found)
