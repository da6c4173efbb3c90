"""Look at many examples, in their order, in this process or in several.

An example depends on (seed, index) only, so who looks at it changes nothing. Workers are replaced
after a while: a machine that was killed in a run is kept for ever, so that it never runs again.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

from simulator.detect import with_capabilities
from simulator.explore.drawing import draw_scenario, learn_tasks
from simulator.explore.looking import Seen, look_at
from simulator.hosts import Host, reference_host
from simulator.processes import processes
from simulator.scenario import Scenario
from simulator.target import Target, find_target, with_registry

__all__ = ["CHUNK", "ExploreError", "Looker", "chunks"]

CHUNK = 10
"""How many examples are looked at in one go; a search stops between two of them."""
_CHUNKS_EACH = 50  # then the worker is replaced


class ExploreError(RuntimeError):
    """The search could not go on; says at which examples."""


@dataclass(frozen=True)
class Looker:
    """All that is needed to draw an example and look at it.

    Attributes:
        target: The provider, with the capabilities that it is explored for.
        host: The code around it.
        seed: Of the exploration.
        days: How long a scenario lasts at most.
        tasks: What the tape may hold back.
    """

    target: Target
    host: Host
    seed: int
    days: int
    tasks: Sequence[str]

    @classmethod
    def of(
        cls,
        target: Target | str,
        host: Host | None,
        seed: int,
        days: int,
        registry: str | None = None,
    ) -> Looker:
        """A looker at a provider, or at one that is named as on a command line."""
        host = host or reference_host()
        found = find_target(target, host) if isinstance(target, str) else target
        declared = with_capabilities(with_registry(found, registry), host)
        return cls(declared, host, seed, days, learn_tasks(declared, host))

    def scenario(self, index: int) -> Scenario:
        """The scenario of one example."""
        capabilities = self.target.capabilities
        return draw_scenario(
            self.seed, index, capabilities=capabilities, days=self.days, tasks=self.tasks
        )

    def look(self, indices: Sequence[int]) -> list[Seen]:
        """Run these examples and judge them."""
        seen = [look_at(index, self.scenario(index), self.target, self.host) for index in indices]
        gc.collect()  # a run leaves megabytes in cycles, where only a full collection looks
        return seen


def chunks(
    looker: Looker, spec: tuple[str, str | None] | None, examples: int, workers: int
) -> Iterator[list[Seen]]:
    """What examples 0 to `examples` showed, `CHUNK` by `CHUNK`, in order.

    Args:
        looker: Who looks in this process.
        spec: What the provider and the fake of its registry are called on a command line; other
            processes find them by that.
        examples: How many.
        workers: How many processes; with 1 it is this one.

    Raises:
        ExploreError: A worker died.
    """
    parts = [range(start, min(start + CHUNK, examples)) for start in range(0, examples, CHUNK)]
    if workers == 1 or spec is None:
        yield from map(looker.look, parts)
        return
    batch = workers * _CHUNKS_EACH
    for first in range(0, len(parts), batch):
        some = parts[first : first + batch]
        with processes(workers, _start, *spec, looker.seed, looker.days) as pool:
            try:
                yield from pool.map(_look, some)
            except BrokenProcessPool as error:
                raise ExploreError(
                    f"a worker died while examples {some[0].start} to {some[-1].stop - 1} were "
                    "looked at; run them with --workers 1 to see why"
                ) from error


_looker: Callable[[Sequence[int]], list[Seen]] | None = None


def _start(spec: str, registry: str | None, seed: int, days: int) -> None:
    """In a new worker: find the provider."""
    global _looker
    _looker = Looker.of(spec, None, seed, days, registry).look


def _look(indices: Sequence[int]) -> list[Seen]:
    assert _looker is not None, "a worker starts before it looks"
    return _looker(indices)
