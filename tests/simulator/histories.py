"""Histories written by hand, for tests of judges: what a run would have recorded, second by second."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from simulator.checkers import CHECKERS
from simulator.checkers.finding import Finding
from simulator.durations import parse_duration
from simulator.history import History
from simulator.scenario import Scenario
from simulator.scenario_file import parse_scenario

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
SECOND = 1_000_000


def us(at: str | int) -> int:
    """Microseconds since the start: "1h", or a number of seconds."""
    return parse_duration(at) if isinstance(at, str) else at * SECOND


def iso(at: str | int) -> str:
    """The instant `at` after the start, as it stands in records."""
    return (START + timedelta(microseconds=us(at))).isoformat()


class Build:
    """Collects events in any order and makes a history of them, by time."""

    def __init__(
        self, more: str = "", *, external: bool = False, start: str = "2026-03-02T08:00:00"
    ) -> None:
        text = f"name: by-hand\nstart: {start}\n" + more
        if "lasts:" not in more:
            text += "lasts: 4h\n"
        if "jobs:" not in more:
            text += "jobs: [{id: j, schedule: every 1h}]\n"
        self.scenario: Scenario = parse_scenario(text)
        self.external = external
        self._events: list[tuple[int, str, str, dict[str, Any]]] = []
        self._runs = 0
        self._deliveries = 0

    def add(self, at: str | int, kind: str, machine: str = "a", **data: Any) -> Build:
        """One event."""
        self._events.append((us(at), kind, machine, data))
        return self

    def drop(self, kind: str, at: str | int | None = None) -> Build:
        """Take back the events of a kind, all or those at an instant."""
        self._events = [
            e for e in self._events if not (e[1] == kind and (at is None or e[0] == us(at)))
        ]
        return self

    def up(self, at: str | int = 0, machine: str = "a", *, returns: bool | None = None) -> Build:
        """A gateway boots and starts its provider."""
        self.add(at, "boot", machine, incarnation=1).add(at, "up", machine)
        self.add(at, "provider.start", machine, interval_s=60, kwargs=[])
        if self.external if returns is None else returns:
            self.add(at, "provider.returned", machine)
        return self

    def beat(self, at: str | int, machine: str = "a", *, success: bool = False) -> Build:
        """A heartbeat, as called and as written."""
        self.add(at, "heartbeat", machine, success=success)
        now = str(START.timestamp() + us(at) / SECOND)
        self.add(at, "signal", machine, name="ticker_heartbeat", content=now)
        if success:
            self.add(at, "signal", machine, name="ticker_last_success", content=now)
        return self

    def tick(self, at: str | int, machine: str = "a", *, error: str | None = None, lasts: int = 0, sync: bool = False, logged: bool = True) -> Build:  # fmt: skip
        """A tick with its heartbeat after it."""
        end = us(at) + lasts * SECOND
        self.add(at, "tick.begin", machine, sync=sync)
        self._events.append((end, "tick.end", machine, {"error": error, "dispatched": 0}))
        if error and logged:
            self._events.append(
                (end, "log", machine, {"level": "ERROR", "logger": "x", "error": error})
            )
        return self.beat(f"{end}us", machine, success=error is None)

    def loop(
        self,
        first: str | int = 0,
        last: str | int = "4h",
        machine: str = "a",
        skip: Sequence[int] = (),
        **bad: str,
    ) -> Build:
        """Ticks every 60 s; `skip` leaves out those at these seconds."""
        self.beat(first, machine)
        for second in range(us(first) // SECOND, us(last) // SECOND, 60):
            if second not in skip:
                self.tick(second, machine)
        return self

    def run(
        self,
        job: str,
        at: str | int,
        lasts: str | int | None = 2,
        machine: str = "a",
        error: str | None = None,
    ) -> Build:
        """A run; `lasts` None: it never ends."""
        self._runs += 1
        number = self._runs
        self.add(at, "run.begin", machine, job=job, run=number)
        if lasts is not None:
            end = f"{us(at) + us(lasts)}us"
            self.add(end, "run.end", machine, job=job, run=number, ok=error is None, error=error)
        return self

    def runs(self, job: str, *instants: str | int) -> Build:
        """Several runs."""
        for at in instants:
            self.run(job, at)
        return self

    def arm(self, job: str, at: str | int, fire_at: str | int) -> Build:
        """The provider arms a job."""
        named = iso(fire_at)
        self.add(
            at,
            "nas.armed",
            "nas",
            job_id=job,
            fire_at=named,
            callback_url="https://agent.sim",
            dedup_key=f"{job}:{named}",
        )
        return self.call(at, "provision", job)

    def call(
        self,
        at: str | int,
        op: str,
        job: str | None = None,
        status: int | None = 200,
        reason: str | None = None,
    ) -> Build:
        """A call to the registry."""
        return self.add(at, "nas.call", "nas", op=op, job_id=job, status=status, reason=reason)

    def deliver(
        self, job: str, at: str | int, fire_at: str | int, *, answer: str = "accepted"
    ) -> Build:
        """A delivery and its answer."""
        self._deliveries += 1
        about = {"job": job, "fire_at": iso(fire_at), "id": self._deliveries}
        self.add(at, "nas.deliver", "nas", attempt=1, **about)
        return self.add(
            at, "fire.answer", "a", status=202, body_status=answer, reason=None, **about
        )

    def fire(self, job: str, at: str | int, *, fire_at: str | int | None = None, arms: str | int | None = None, lasts: int = 2, value: bool | None = True, won: bool = True, runs: bool = True, error: str | None = None, fresh: bool = True) -> Build:  # fmt: skip
        """A delivery that comes to `fire_due`, its run, and the next arm."""
        if fresh:
            self.add(
                at, "nas.fired", "nas", job_id=job, fire_at=iso(at if fire_at is None else fire_at)
            )
        self.deliver(job, at, at if fire_at is None else fire_at)
        self.add(at, "fire.begin", "a", job=job)
        self.add(at, "claim", "a", job=job, won=won, error=None)
        end = f"{us(at) + (lasts * SECOND if runs else 0)}us"
        if runs:
            self.run(job, at, lasts, error=error)
        if arms is not None:
            self.arm(job, end, arms)
        return self.add(end, "fire.end", "a", job=job, value=value, error=None)

    def op(
        self, at: str | int, do: str, job: str | None = None, error: str | None = None, **data: Any
    ) -> Build:
        """An operation, done at once."""
        about = {} if job is None else {"job": job}
        self.add(at, "op", "operator", do=do, **about, **data)
        return self.add(at, "op.end", "operator", do=do, error=error, **about)

    def fault(
        self, at: str | int, seam: str, does: str = "raise", machine: str = "a", **data: Any
    ) -> Build:
        """A fault that fired."""
        return self.add(at, "fault", machine, index=-1, seam=seam, does=does, **data)

    def store(self, at: str | int, job: str, **record: Any) -> Build:
        """A committed record."""
        return self.add(at, "store.commit", "a", changes=[[job, {"id": job, **record}]], by="a")

    def missed(
        self, job: str, *instants: str | int, at: str | int = "3h30m", state: str = "missed"
    ) -> Build:
        """Execution records."""
        records = [{"job_id": job, "occurrence": iso(each), "state": state} for each in instants]
        return self.add(at, "execution", "a", records=records)

    def status(
        self,
        at: str | int,
        *says: str,
        verdict: str = "unhealthy",
        promises: bool = False,
        exit_code: int | None = None,
        names: Sequence[str] = (),
    ) -> Build:
        """What a status said."""
        code = (
            {"healthy": 0, "unhealthy": 1, "unknown": 3}[verdict]
            if exit_code is None
            else exit_code
        )
        said = ["will fire automatically", *says] if promises else list(says)
        return self.add(
            at,
            "status",
            "operator",
            verdict=verdict,
            exit_code=code,
            promises=promises,
            says=said,
            names=list(names),
            evidence={},
        )

    def history(self) -> History:
        """All of it in order, with the end of the world."""
        now = 0
        tape = self.scenario.tape
        history = History(
            {
                "zone": self.scenario.zone,
                "interval_s": self.scenario.interval,
                "capabilities": ["external"] if self.external else ["blocking"],
                "tape": {"choices": [(o.task, o.nth, o.delay_us) for o in tape.entries]},
            },
            lambda: now,
        )
        end = (self.scenario.lasts, "world.end", "world", {"reason": "horizon"})
        for at, kind, machine, data in sorted([*self._events, end], key=lambda event: event[0]):
            now = self.scenario.start_us + at
            history.append(kind, machine, **data)
        return history

    def judge(self, requirement: str) -> Finding:
        """One checker's finding."""
        return CHECKERS[requirement](self.history(), self.scenario)
