"""Seeded randomness: what `random`, `os.urandom`, `uuid` and `secrets` draw on during a run."""

from __future__ import annotations

import os
import random
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from simulator.kernel import Kernel, here

__all__ = ["fake_urandom", "seeded"]

_urandom = os.urandom
_seed = random.Random.seed


def _source(kernel: Kernel) -> random.Random:
    task = kernel.current
    return kernel.rng if task is None or task.machine is None else task.machine.rng


def fake_urandom(size: int, /) -> bytes:
    """`os.urandom` from the seed of the machine; uuid4 and secrets call it."""
    kernel = here()
    return _urandom(size) if kernel is None else _source(kernel).randbytes(size)


def _fake_seed(self: random.Random, a: Any = None, version: int = 2) -> None:
    """`Random()` without a seed takes one from the machine's."""
    kernel = here()
    if a is None and kernel is not None and type(self) is not random.SystemRandom:
        a = _source(kernel).getrandbits(64)
    _seed(self, a, version)


@contextmanager
def seeded(kernel: Kernel) -> Iterator[None]:
    """The global generator of `random` and the parts of uuid1, as they were afterwards."""
    state = random.getstate()
    random.seed(f"random/{kernel.tape.seed}")
    names = ("_generate_time_safe", "_UuidCreate", "_node", "_last_timestamp")
    before = {name: getattr(uuid, name) for name in names if hasattr(uuid, name)}
    for name in before:
        setattr(uuid, name, None)
    uuid._node = 0x02_00_00_00_00_01  # type: ignore[attr-defined]  # noqa: SLF001 - locally administered
    replaced: Callable[..., None] = _fake_seed
    random.Random.seed = replaced  # type: ignore[method-assign]
    try:
        yield
    finally:
        random.Random.seed = _seed  # type: ignore[method-assign]
        for name, value in before.items():
            setattr(uuid, name, value)
        random.setstate(state)
