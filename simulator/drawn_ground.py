"""Hypothesis strategies for the ground of a scenario: where and when it is, and who is there.

Jobs, steps and faults are drawn on it, near the same few instants and events: trouble is where
things meet. See `simulator.strategies`.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from simulator.drawn_faults import multiples
from simulator.durations import DAY_US

__all__ = ["FREQUENT", "SCHEDULES", "STARTS", "TAKES", "Ground", "grounds", "timestamps"]

STARTS = (
    ("UTC", "2026-03-02T08:00:00"),
    ("UTC", "2026-12-31T19:00:17"),
    ("Asia/Kolkata", "2026-06-10T07:45:00"),
    ("Europe/Berlin", "2026-03-29T00:30:00"),
    ("Europe/Berlin", "2026-10-25T00:30:00"),
    ("America/New_York", "2026-03-08T00:30:00"),
    ("Australia/Lord_Howe", "2026-10-04T00:30:00"),
)
"""Two hours or less before what is special about them: most scenarios last three."""
_HOURS = (3, 3, 3, 3, 3, 3, 6, 6, 6, 12)
FREQUENT = {
    "every 30m": 30, "every 20m": 20, "every 10m": 10, "every 7m": 7, "*/5 * * * *": 5,
    "*/15 * * * *": 15,
}  # fmt: skip
"""Schedules that are due at least twice an hour, and how many minutes lie between."""
_AT_NIGHT = ("30 2 * * *", "15,45 1-4 * * *", "*/20 2 * * *")
"""For what starts after midnight: elsewhere they would name nothing within reach."""
SCHEDULES = (
    *FREQUENT, "every 1h", "every 90m", "0 * * * *", "25 */2 * * *", "30 2 * * *", "* * * * *",
    "40m", "100m",
)  # fmt: skip
TAKES = (*("1s",) * 5, "0s", "20s", "3m", "8m", "40m")


@dataclass(frozen=True)
class Ground:
    """What jobs, steps and faults of one scenario share, so that they meet.

    Attributes:
        zone: Its zone.
        start: When it starts, as a file says it.
        lasts_us: How long it lasts.
        capabilities: What the provider declares.
        machines: The ids of its machines.
        job_ids: The ids of its jobs.
        schedules: Of its jobs; the first is due often, and the first job's.
        takes: How long a run may take.
        moments: Instants that steps and faults are near, microseconds since the start.
        anchors: Events (job, its nth passage) that faults are anchored to.
    """

    zone: str
    start: str
    lasts_us: int
    capabilities: Collection[str]
    machines: Sequence[str]
    job_ids: Sequence[str]
    schedules: Sequence[str]
    takes: Sequence[str]
    moments: Sequence[int]
    anchors: Sequence[tuple[str, int]]

    @property
    def known(self) -> dict[str, Any]:
        """What `steps`, `faults` and `meetings` are told of it."""
        names = ("job_ids", "machines", "lasts_us", "capabilities", "moments")
        return {name: getattr(self, name) for name in names}


@st.composite
def grounds(draw: st.DrawFn, capabilities: Collection[str], days: int) -> Ground:
    """A ground for a provider with these capabilities, for so many days at most."""
    zone, start = draw(st.sampled_from(STARTS))
    crowd = draw(st.integers(0, 9)) == 9  # noqa: PLR2004 - one in ten
    lasts_us = draw(st.sampled_from((3,) if crowd else (*_HOURS, 24 * days))) * DAY_US // 24
    machines = draw(st.sampled_from((["a"], ["a"], ["a"], ["a", "b"], ["a", "b"])))
    many = st.integers(9, 12) if crowd else st.integers(1, 4)
    job_ids = [f"job-{nth}" for nth in range(1, draw(many) + 1)]
    special = [*draw(timestamps(start)), *(_AT_NIGHT if "T00" in start else ())]
    some = st.sampled_from([*SCHEDULES, *special])
    often = draw(st.sampled_from(sorted(FREQUENT)))
    shared = draw(st.lists(some, max_size=0 if crowd else 2))
    near = multiples(lasts_us, FREQUENT[often])
    event = st.tuples(st.sampled_from(job_ids), st.integers(1, 6))
    return Ground(
        zone=zone,
        start=start,
        lasts_us=lasts_us,
        capabilities=capabilities,
        machines=machines,
        job_ids=job_ids,
        schedules=[often, *shared],
        moments=draw(st.lists(near, min_size=1, max_size=2)),
        anchors=draw(st.lists(event, min_size=1, max_size=2)),
        takes=[draw(st.sampled_from(TAKES))] if crowd else TAKES,
    )


@st.composite
def timestamps(draw: st.DrawFn, start: str, first: int = 1) -> list[str]:
    """Two wall times on a full ten minutes, the `first` such or later, as a one-shot's schedule."""
    tens = draw(st.lists(st.integers(first, 15), min_size=2, max_size=2))
    hour = datetime.fromisoformat(start).replace(second=0)
    return [(hour + timedelta(minutes=10 * ten)).isoformat() for ten in tens]
