"""Waits for descriptors: what is ready now is told, and a wait for nothing is a sleep.

A wait for what is not ready is refused: no virtual instant can be given to what the real world does
with a descriptor. Where a run may reach real servers, they get a moment of real time first.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import Any, Self

from simulator.kernel import here
from simulator.kernel.locks import as_us
from simulator.kernel.refusals import refuse

__all__ = ["FakeEpoll", "FakePoll", "fake_select", "real_select", "wait"]

real_select = select.select
_poll = getattr(select, "poll", None)
_epoll = getattr(select, "epoll", None)
_MOMENT_S = 0.05  # of real time, for a real server to answer


def wait(
    what: str, look: Callable[[float], Any], park: Callable[[], object], *, anything: bool
) -> Any:
    """What is ready, at once or after `park()`.

    Args:
        what: The call, by the name under which it is refused.
        look: Looks at the descriptors, for so many real seconds.
        park: Waits in virtual time, for the wanted time.
        anything: Whether there is any descriptor to look at.

    Raises:
        NotSimulated: There is, and none is ready.
    """
    kernel = here()
    if kernel is None or not anything:
        park()
        return look(0)
    ready = look(_MOMENT_S if kernel.reachable else 0)
    if ready:
        return ready
    if not kernel.reachable:
        raise refuse(kernel, f"{what} on a descriptor")
    park()
    return look(0)


def _park(what: str, timeout_s: float | None) -> None:
    kernel = here()
    if kernel is not None:
        kernel.park(what, None if timeout_s is None else as_us(timeout_s))


def fake_select(
    rlist: Any, wlist: Any, xlist: Any, timeout: float | None = None, /
) -> tuple[list[Any], list[Any], list[Any]]:
    """`select.select`."""
    if here() is None or timeout == 0:
        return real_select(rlist, wlist, xlist, timeout)
    lists = list(rlist), list(wlist), list(xlist)

    def look(seconds: float) -> Any:
        ready = real_select(*lists, seconds)
        return ready if any(ready) else ()

    ready = wait("select.select", look, lambda: _park("select", timeout), anything=any(lists))
    return ready or ([], [], [])


class _Poller:
    """A real one that does not wait by itself."""

    _name: str
    _per_s: float  # what a second is in the unit of `poll`

    def __init__(self, real: Any) -> None:
        self._real = real
        self._descriptors = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def register(self, *words: Any, **more: Any) -> None:
        """The real one."""
        self._real.register(*words, **more)
        self._descriptors += 1

    def unregister(self, fd: Any) -> None:
        """The real one."""
        self._real.unregister(fd)
        self._descriptors -= 1

    def poll(self, timeout: float | None = None, *more: Any) -> Any:
        """As the real one; see the top of this file."""
        if here() is None or timeout == 0:
            return self._real.poll(timeout, *more)
        seconds = None if timeout is None or timeout < 0 else timeout / self._per_s
        return wait(
            self._name,
            lambda real_s: self._real.poll(int(real_s * self._per_s) or real_s, *more),
            lambda: _park(self._name, seconds),
            anything=self._descriptors > 0,
        )


class FakePoll(_Poller):
    """`select.poll`: in milliseconds."""

    _name, _per_s = "select.poll", 1000

    def __init__(self) -> None:
        """As the real one."""
        assert _poll is not None
        super().__init__(_poll())


class FakeEpoll(_Poller):
    """`select.epoll`: in seconds."""

    _name, _per_s = "select.epoll", 1

    def __init__(self, *words: Any, **more: Any) -> None:
        """As the real one."""
        assert _epoll is not None
        super().__init__(_epoll(*words, **more))

    def __enter__(self) -> Self:
        """As the real one."""
        return self

    def __exit__(self, *_: object) -> None:
        """As the real one."""
        self._real.close()
