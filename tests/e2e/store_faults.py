"""The faults of a job store, each as it is injected and as it really happens.

`injected(row)` and its kin give what came of one in the store in memory, as plain data;
`real_store_faults.py` gives the same facts of the file store. Both go through the host's job API.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from real_disk import Disk, just_after, just_before

from hermes_cron import jobs, process, store
from simulator.fake_store import FakeStore
from simulator.volume import Volume

_SLOT = "hermes_cron.store"
LONG = {"job_id": "report", "error": "x" * 5000}  # more than what is free in a file's last block
RECORD = {"id": "report", "name": "report", "schedule": {"kind": "interval", "minutes": 60}}


def put(prompt: str) -> None:
    """Change the job as every part of the host does."""
    jobs.update_job("report", {"prompt": prompt})


OPERATIONS: dict[str, Callable[[], Any]] = {
    "load": lambda: [job["prompt"] for job in jobs.load_jobs()],
    "update": lambda: put("new"),
    "signal": lambda: store.current_store().write_signal("ticker_heartbeat", "2.5"),
    "output": lambda: Path(jobs.save_job_output("report", "text")).suffix,
    "execution": lambda: store.current_store().append_executions([LONG]),
}


@dataclass(frozen=True)
class Row:
    """One fault.

    Attributes:
        how: how the real one comes about.
        real: puts it into the world for as long as it is entered.
        seam: where the injected one strikes, if it is a passage; and
        number: the errno that is raised there; or
        damage: the injected one is `Volume.damage` of this.
        do: the operations that meet it.
        disk: what it needs.
        stays: it is not over when they are done.
        left: temporary files that only the real one leaves until the next commit.
    """

    name: str
    how: str
    real: Callable[[Any], Any]
    seam: str = ""
    number: int = 0
    damage: str = ""
    do: tuple[str, ...] = ("update",)
    disk: type[Disk] = Disk
    stays: bool = False
    left: int = 0


# -- what both sides do ---------------------------------------------------------------------------


def attempt(do: Callable[[], Any]) -> Any:
    """What a call came to, as plain data: its value, or the error with its cause."""
    try:
        return do()
    except Exception as error:
        return {
            "type": type(error).__name__,
            "reason": getattr(error, "reason", None),
            "step": getattr(error, "step", None),
            "errno": getattr(error, "errno", None),
            "cause": error.__cause__ and type(error.__cause__).__name__,
            "cause_errno": getattr(error.__cause__, "errno", None),
        }


def plant() -> None:
    """What a host that ran leaves."""
    here = store.current_store()
    with here.edit() as edit:
        edit.put({**RECORD, "prompt": "older"})
    put("old")
    here.write_signal("ticker_heartbeat", "1.5")
    OPERATIONS["output"]()
    OPERATIONS["execution"]()


def looked(temporaries: int, aside: int) -> dict[str, Any]:
    """What stands in the store, as a process that just started sees it."""
    here = store.current_store()
    return {
        "jobs": attempt(OPERATIONS["load"]),
        "signal": attempt(lambda: here.read_signal("ticker_heartbeat")),
        "outputs": attempt(lambda: len(here.outputs("report"))),
        "executions": attempt(lambda: len(here.executions())),
        "temporaries": temporaries,
        "aside": aside,
    }


@dataclass(frozen=True)
class Point:
    """Where a process is in an operation: right before (or after) which system call."""

    do: str
    call: str
    fits: Callable[..., bool] = lambda *_: True
    after: bool = False

    def reached(self, do: Callable[[], object]) -> Any:
        return just_after(self.call, do) if self.after else just_before(self.call, self.fits, do)


def named(end: str) -> Callable[..., bool]:
    return lambda path, *_: str(path).endswith(end)


POINTS = {
    "store.read": Point("load", "stat", named("jobs.json")),
    "store.lock": Point("update", "open", named(".jobs.lock")),
    "store.write": Point("update", "write"),
    "store.sync": Point("update", "fsync"),
    "store.replace": Point("update", "replace"),
    "store.committed": Point("update", "replace", after=True),
    "store.signal": Point("signal", "replace"),
    "store.execution": Point("execution", "write"),
    "store.output": Point("output", "replace"),
}


def after(look: Callable[[], dict[str, Any]], outcomes: Any) -> dict[str, Any]:
    """All facts of a fault: what the operations met, what stands, and that it goes on."""
    return {
        "outcomes": outcomes,
        "state": look(),
        "later": attempt(lambda: put("later")),
        "then": look(),
    }


def use(here: store.JobStore) -> None:
    """This process has that store from now on."""
    process.current().slots[_SLOT] = here


# -- the injected ones ----------------------------------------------------------------------------


class Killed(BaseException):
    """The process ends here."""


class Memory:
    """A volume, and a process on it whose seam the row has in its hands."""

    def __init__(self) -> None:
        self.volume = Volume()
        self.strike: Callable[[str], object] = lambda _name: None
        self.use("first")
        plant()
        self.use("second")

    def use(self, name: str) -> None:
        use(
            FakeStore(
                self.volume,
                name=name,
                seam=lambda seam, **_: self.strike(seam),
                task=lambda: name,
                lock_timeout_s=0.0,
            )
        )

    def look(self) -> dict[str, Any]:
        self.use("observer")
        return looked(self.volume.temporaries, len(self.volume.aside))

    def once(self, seam: str, do: Callable[[], object]) -> None:
        def strike(name: str) -> object:
            if name != seam:
                return None
            self.strike = lambda _name: None
            return do()

        self.strike = strike

    def after(self, outcomes: Any) -> dict[str, Any]:
        self.strike = lambda _name: None
        return after(self.look, outcomes)


def _raise(number: int) -> None:
    raise OSError(number, os.strerror(number))


def injected(row: Row) -> dict[str, Any]:
    """The facts of a row in the simulated store."""
    memory = Memory()
    undo: Callable[[], object] = lambda: None  # noqa: E731 - nothing to undo
    if row.damage:
        undo = memory.volume.damage(row.damage)
    outcomes = {}
    for name in row.do:
        if row.seam:
            memory.once(row.seam, lambda: _raise(row.number))
        outcomes[name] = attempt(OPERATIONS[name])
    if not row.stays:
        undo()
    return memory.after(outcomes)


def injected_kill(seam: str) -> dict[str, Any]:
    memory = Memory()

    def die() -> None:
        raise Killed

    memory.once(seam, die)
    try:
        attempt(OPERATIONS[POINTS[seam].do])
    except Killed:
        store.current_store().die()  # type: ignore[attr-defined]
        return memory.after("killed")
    return memory.after("survived")


def injected_stop(seam: str) -> dict[str, Any]:
    memory, facts = Memory(), {}
    first = store.current_store()

    def stop() -> None:
        facts["during"] = memory.look()
        facts["meanwhile"] = attempt(lambda: put("meanwhile"))
        use(first)

    memory.once(seam, stop)
    return memory.after(attempt(OPERATIONS[POINTS[seam].do])) | facts


def injected_lock() -> dict[str, Any]:
    memory = Memory()
    memory.volume.hold_lock("jobs")
    outcomes = {name: attempt(OPERATIONS[name]) for name in ("load", "update")}
    memory.volume.free("jobs")
    return memory.after(outcomes)


def injected_stale() -> dict[str, Any]:
    memory = Memory()
    put("newest")
    memory.once("store.read", lambda: "stale")
    return memory.after({"load": attempt(OPERATIONS["load"])})
