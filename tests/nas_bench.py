"""A fake NAS on a clock that the test moves; what it delivers is kept until the test says more."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from simulator.fake_nas import FakeNas
from simulator.nas_types import Action, Delivery

START_US = 1_772_438_400_000_000  # 2026-03-02T08:00:00Z
TOKEN = "the-token"
AGENT = "me"


class Planned:
    def __init__(self, us: int, call: Callable[[], object]) -> None:
        self.us, self.call, self.dropped = us, call, False

    def cancel(self) -> None:
        self.dropped = True


class ManualTimer:
    """Time that stands until `advance`."""

    def __init__(self, start_us: int = START_US) -> None:
        self.us = start_us
        self._queue: list[tuple[int, int, Planned]] = []
        self._serial = 0

    def now_us(self) -> int:
        return self.us

    def call_at(self, us: int, call: Callable[[], object], /) -> Planned:
        self._serial += 1
        planned = Planned(max(us, self.us), call)
        heapq.heappush(self._queue, (planned.us, self._serial, planned))
        return planned

    def advance(self, seconds: float = 0) -> None:
        until = self.us + round(seconds * 1_000_000)
        while self._queue and self._queue[0][0] <= until:
            at, _, planned = heapq.heappop(self._queue)
            self.us = at
            if not planned.dropped:
                planned.call()
        self.us = until


class NasBench:
    """The registry with everything around it in the test's hands.

    Attributes:
        timer: its clock.
        deliveries: what it sent, oldest first.
        events: what it recorded.
        faults: what goes wrong at the next passages, by seam.
    """

    def __init__(self, **more: Any) -> None:
        self.timer = ManualTimer()
        self.deliveries: list[Delivery] = []
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.faults: dict[str, list[Action]] = {}
        self.claims: list[dict[str, Any]] = []
        self.mint: Callable[[dict[str, Any]], str] = lambda claims: f"token-{len(self.claims)}"
        self.nas = FakeNas(
            self.timer,
            deliver=self.deliveries.append,
            mint=self._mint,
            agents={TOKEN: AGENT, "other-token": "other"},
            seam=self._seam,
            record=lambda kind, /, **data: self.events.append((kind, data)),
            **more,
        )

    def _mint(self, claims: dict[str, Any]) -> str:
        self.claims.append(claims)
        return self.mint(claims)

    def _seam(self, name: str, /, **about: Any) -> Action | None:
        waiting = self.faults.get(name)
        return waiting.pop(0) if waiting else None

    def goes_wrong(self, seam: str, times: int = 1, **action: Any) -> None:
        self.faults.setdefault(seam, []).extend([Action(**action)] * times)

    def arm(self, job: str, in_s: float, **more: Any) -> str:
        fire_at = self.iso(in_s)
        self.nas.provision(AGENT, job, fire_at, "https://agent.test", f"{job}:{fire_at}", **more)
        return fire_at

    def iso(self, in_s: float) -> str:
        return datetime.fromtimestamp(self.timer.us / 1e6 + in_s, UTC).isoformat(timespec="seconds")

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.events]

    def calls(self) -> list[tuple[str, str | None]]:
        """The calls since this was asked last: (operation, job id)."""
        made = [(data["op"], data["job_id"]) for kind, data in self.events if kind == "nas.call"]
        self.events.clear()
        return made
