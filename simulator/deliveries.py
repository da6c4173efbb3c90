"""The registry in a run: reached over HTTP, firing into the machines, struck by faults."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

import httpx

from simulator.fake_nas import FakeNas
from simulator.fault_rule import Fault
from simulator.kernel.refusals import refuse
from simulator.kernel.tasks import Handle
from simulator.machine import Life, Machine
from simulator.nas_http import UnexpectedRequestError, mount_respx
from simulator.nas_types import Action, Delivery
from simulator.registry_run import OtherRegistry, WatchfulHistory

if TYPE_CHECKING:
    from simulator.world import World

__all__ = ["Deliveries"]

LANE = "nas"
AT_ONCE_US = 1_000_000
"""An agent that answers each past fire by arming it again must not make time stand still."""
UNREACHABLE_US = 1_000_000  # how long it takes to find out that nobody is there


class _Timer:
    """True time, for the registry."""

    def __init__(self, world: World) -> None:
        self._world = world

    def now_us(self) -> int:
        """See `simulator.fake_nas.Timer`."""
        return self._world.kernel.now_us

    def call_at(self, us: int, call: Callable[[], object], /) -> Handle:
        """See `simulator.fake_nas.Timer`. What is past takes a moment to go out."""
        kernel = self._world.kernel
        return kernel.call_at(us if us >= kernel.now_us else kernel.now_us + AT_ONCE_US, call)


class Deliveries:
    """The registry of one world, and the way from it to the machines.

    Attributes:
        nas: The registry.
    """

    def __init__(self, world: World) -> None:
        """A registry that nobody knows yet."""
        self._world = world
        self._turn = 0
        around = world.stage.surroundings
        agent = around.audience.removeprefix("agent:")
        common: dict[str, Any] = {
            "deliver": self._deliver,
            "mint": self._mint,
            "portal_url": around.portal_url,
            "seam": self._seam,
            "record": lambda kind, **data: world.history.append(kind, LANE, **data),
        }
        self.nas: FakeNas | OtherRegistry
        if world.fake is None:
            self.nas = FakeNas(_Timer(world), agents={around.token: agent}, **common)
        else:
            self.nas = OtherRegistry(world.fake, _Timer(world), agent=agent, **common)

    @contextmanager
    def mounted(self) -> Iterator[None]:
        """Answer the calls of every provider that uses httpx; another registry has its own way."""
        if isinstance(self.nas, FakeNas):
            with mount_respx(self.nas, sleep=self._sleep, refuse=self._refuse):
                yield
            return
        assert isinstance(self._world.history, WatchfulHistory)
        self._world.history.look = self.nas.look
        try:
            yield
        finally:
            self._world.history.look = None

    def _refuse(self, request: httpx.Request) -> NoReturn:
        """A request to something that is not NAS."""
        what = f"{request.method} {request.url}"
        refuse(self._world.kernel, what)
        raise UnexpectedRequestError(
            f"{what}: only NAS's calls are simulated, no other is let through"
        )

    def close(self) -> None:
        """The run is over: a fake that serves its calls may end its threads, which are real."""
        if isinstance(self.nas, OtherRegistry):
            self.nas.close()

    def attach(self, provider: Any) -> None:
        """Connect the provider of a gateway that boots with its registry, where it is not NAS."""
        if isinstance(self.nas, OtherRegistry):
            self.nas.attach(provider)

    def again(self, job: str, fire_at: str | None, times: int) -> None:
        """Deliver once more what was delivered for a job, or another of its occurrences."""
        said = None if fire_at in (None, "last") else self._instant(fire_at)
        for _ in range(times):
            if not self.nas.redeliver(job, said):
                self._world.history.append("nas.nothing_to_deliver", LANE, job=job)

    # -- inside

    def _instant(self, fire_at: str) -> str:
        """An occurrence as an agent would have armed it; a naive one is wall time in the zone."""
        instant = datetime.fromisoformat(fire_at)
        if instant.tzinfo is None:
            instant = instant.replace(tzinfo=self._world.scenario.tz)
        return instant.astimezone(UTC).isoformat()

    def _sleep(self, seconds: float) -> None:
        self._world.kernel.sleep_us(round(seconds * 1_000_000))

    def _mint(self, claims: Mapping[str, Any]) -> str:
        """A token that only this run knows; real ones are for real HTTP."""
        token = f"fire-{len(self._world.minted) + 1}"
        self._world.minted[token] = dict(claims)
        return token

    def _seam(self, name: str, /, *, job: str | None = None, **_about: Any) -> Action | None:
        stage = self._world.stage
        fault = stage.consult(name, job=job)
        if fault is None:
            return None
        return _action(fault, lambda: stage.strike(fault))

    def _deliver(self, delivery: Delivery) -> None:
        """Send a fire to a machine that is up; they take turns."""
        world = self._world
        up = [machine for machine in world.machines.values() if machine.answers]
        if not up:
            world.later(UNREACHABLE_US, self.nas.answer, delivery, None)
            return
        machine = up[self._turn % len(up)]
        self._turn += 1
        machine.run(f"webhook-{delivery.id}", lambda life: self._post(machine, life, delivery))

    def _post(self, machine: Machine, life: Life, delivery: Delivery) -> None:
        """One request, as the machine's server handles it."""
        world = self._world
        body = json.dumps({"job_id": delivery.job_id, "fire_at": delivery.fire_at}).encode()
        status, said = world.host.receive(life.process, f"Bearer {delivery.token}", body)
        world.history.append(
            "fire.answer",
            machine.name,
            job=delivery.job_id,
            fire_at=delivery.fire_at,
            id=delivery.id,
            status=status,
            body_status=said.get("status"),
            reason=said.get("reason"),
        )
        self.nas.answer(delivery, status)


def _action(fault: Fault, strike: Callable[[], object]) -> Action:
    """What a fault means to the registry."""
    answer = fault.answer
    return Action(
        status=answer if isinstance(answer, int) else None,
        body=answer if isinstance(answer, str) else None,
        error=fault.raises.type.rpartition(".")[2] if fault.raises is not None else None,
        hang_us=fault.hang or 0,
        after=fault.after,
        crash=strike if fault.crash else None,
        drop=fault.drop,
        delay_us=(fault.delay or 0) - (fault.early or 0),
        duplicate_us=fault.duplicate,
    )
