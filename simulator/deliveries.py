"""The registry in a run: reached over HTTP by providers, fired into the machines, struck by faults."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulator.world import World

__all__ = ["Deliveries"]


class Deliveries:
    def __init__(self, world: World) -> None:
        self._world = world
        self.nas: Any = None

    @contextmanager
    def mounted(self) -> Iterator[None]:
        yield

    def again(self, job: str, fire_at: str | None, times: int) -> None:
        pass
