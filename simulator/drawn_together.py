"""Hypothesis strategies for what goes wrong together: a few faults and steps that meet.

Most of what breaks a scheduler takes two things within seconds of each other, and drawn one by one
they meet once in thousands of examples. Each strategy here is such a meeting, about one job and one
instant; what exactly meets, and how far apart, is drawn.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from simulator.drawn_faults import ANSWERS, OUTAGES, mostly
from simulator.durations import SECOND_US, format_duration, parse_duration
from simulator.fault_rule import Fault
from simulator.steps import Step

__all__ = ["Draw", "Meeting", "meetings"]

_SOON = ("0s", "1s", "2s", "10s", "20s", "61s", "4m")
_REFUSED = (
    *(("nas.provision", "nas.list"),) * 3, *(("nas.cancel", "nas.list"),) * 2,
    ("nas.provision",), ("nas.cancel",), ("nas.list",),
)  # fmt: skip
_CHANGES = ("update", "update", "pause", "pause", "resume", "remove", "run", "run", "trigger")


@dataclass(frozen=True)
class Meeting:
    """Where and when it is.

    Attributes:
        job: The job that it is about.
        machine: The machine that it is about.
        at_us: When, microseconds since the start; as a rule a time at which the job is due.
        lasts_us: The horizon, microseconds since the start.
        sets: What an update may set.
    """

    job: str
    machine: str
    at_us: int
    lasts_us: int
    sets: Sequence[Mapping[str, Any]]

    def at(self, offset: str = "0s") -> str:
        """An instant so long after, as a file says it."""
        at_us = self.at_us + parse_duration(offset)
        return format_duration(min(max(at_us, SECOND_US), self.lasts_us - SECOND_US))

    def during(self, offset: str, lasts: str) -> dict[str, str]:
        """The passages from so long after, for so long."""
        first = self.at(offset)
        return {
            "from": first,
            "until": format_duration(parse_duration(first) + parse_duration(lasts)),
        }

    def change(self, do: str, offset: str, **said: Any) -> dict[str, Any]:
        """A step about the job."""
        return {"at": self.at(offset), "do": do, "job": self.job, **said}


@dataclass(frozen=True)
class Together:
    """What meets, in the fields of a file.

    Attributes:
        faults: Faults.
        steps: Steps.
    """

    faults: Sequence[Mapping[str, Any]] = ()
    steps: Sequence[Mapping[str, Any]] = ()


Draw = Callable[[st.SearchStrategy[Any]], Any]
"""What Hypothesis hands to a composite strategy."""


def _changed(draw: Draw, met: Meeting, offset: str) -> dict[str, Any]:
    do = draw(st.sampled_from(_CHANGES))
    said = {"set": draw(st.sampled_from(met.sets))} if do == "update" else {}
    return met.change(do, offset, **said)


def _changes_meet(draw: Draw, met: Meeting) -> Together:
    """Two people change the job while somebody keeps the lock of the store."""
    later = draw(st.sampled_from(("0s", "1s", "2s")))
    lock = {"at": met.at("-1s"), "do": "hold-lock", "for": draw(st.sampled_from(("10s", "30s")))}
    return Together(steps=[lock, _changed(draw, met, "0s"), _changed(draw, met, later)])


def _changes_race(draw: Draw, met: Meeting) -> Together:
    """Two people change jobs while each call to the registry takes long."""
    hangs = [
        {"into": into, "hang": draw(st.sampled_from(("2s", "4s"))), **met.during("-1s", "1m")}
        for into in draw(st.sampled_from(_REFUSED))
    ]
    offsets = ("0s", *draw(st.lists(st.sampled_from(_SOON[:3]), min_size=1, max_size=3)))
    return Together(hangs, [_changed(draw, met, offset) for offset in offsets])


def _off_and_on(draw: Draw, met: Meeting) -> Together:
    """The job is paused, perhaps right after it was made, and resumed."""
    off = draw(st.sampled_from(("-4m", "-10s", "1s", "4m")))
    on = draw(st.sampled_from(("5s", "3m", "5m", "20m", "2h")))
    after = format_duration(parse_duration(met.at(off)) + parse_duration(on) - met.at_us)
    return Together(steps=[met.change("pause", off), met.change("resume", after)])


def _stopped_at_work(draw: Draw, met: Meeting) -> Together:
    """The gateway is asked to leave while the job is on."""
    body = {"into": "body", "hang": draw(st.sampled_from(("90s", "6m"))), "at": met.at()}
    stop = {"at": met.at("10s"), "do": "stop", "machine": met.machine}
    stop["for"] = draw(st.sampled_from(OUTAGES))
    look = {"at": met.at(draw(st.sampled_from(("11s", "15s", "61s")))), "do": "status"}
    return Together([body], [stop, look])


def _slow_for_long(draw: Draw, met: Meeting) -> Together:
    """Every tick takes its time."""
    into = draw(st.sampled_from(("tick", "store.read", "store.signal", "heartbeat")))
    hang = draw(st.sampled_from(("2s", "5s", "20s")))
    return Together([{"into": into, "hang": hang, **met.during("0s", "2h")}])


def _first_words(draw: Draw, met: Meeting) -> Together:
    """A write of the loop's signals fails, and somebody looks before the next."""
    fault = {
        "into": "store.signal",
        "raise": {"OSError": "ENOSPC"},
        "nth": draw(st.integers(1, 9)),
        "machine": met.machine,
    }
    look = {"at": draw(st.sampled_from(("5s", "30s", "50s"))), "do": "status"}
    return Together([fault], [look])


def _claim_outlived(draw: Draw, met: Meeting) -> Together:
    """A fire is held up before its claim for longer than what holds the job for it lives."""
    claim = {"into": "claim", "hang": draw(st.sampled_from(("6m", "12m"))), "at": met.at()}
    claim["job"] = met.job
    if draw(st.booleans()):
        tick = {"at": met.at("5m30s"), "do": "tick", "machine": met.machine}
        return Together([claim], [tick])
    again = {"into": "nas.deliver", "duplicate": ["330s"], "at": met.at(), "job": met.job}
    return Together([claim, again])


def _gone_in_between(draw: Draw, met: Meeting) -> Together:
    """The job is changed or removed between the claim of a fire and its run."""
    claim = {"into": "claim", "hang": "20s", "at": met.at(), "job": met.job, "after": True}
    return Together([claim], [_changed(draw, met, draw(st.sampled_from(("2s", "10s"))))])


def _tick_and_fire(draw: Draw, met: Meeting) -> Together:
    """A tick and a fire come for the same occurrence, within a run of it or after."""
    late = {"into": "nas.deliver", "delay": draw(st.sampled_from(("5s", "59s"))), "at": met.at()}
    late["job"] = met.job
    body = {"into": "body", "hang": draw(st.sampled_from(("20s", "90s"))), "at": met.at()}
    tick = {"at": met.at(draw(st.sampled_from(("1s", "2s", "10s")))), "do": "tick"}
    return Together([late, body][: draw(st.integers(1, 2))], [tick | {"machine": met.machine}])


def _registry_refuses(draw: Draw, met: Meeting) -> Together:
    """The registry fails for a while, and just then something is to be armed, or taken away."""
    faults: list[dict[str, Any]] = []
    for into in draw(st.sampled_from(_REFUSED)):
        of_list = into == "nas.list"
        answer = draw(st.sampled_from([one for one in ANSWERS if of_list or one != "stale"]))
        lasts = draw(st.sampled_from(("30s", "20m", "2h")))
        faults.append({"into": into, "answer": answer, **met.during("-10s", lasts)})
        if not of_list and draw(st.booleans()):
            faults[-1]["job"] = met.job
    if draw(st.integers(0, 3)) == 0:
        return Together(faults, [{"at": met.at("1s"), "do": "restart", "machine": met.machine}])
    return Together(faults, [_changed(draw, met, "1s")])


_ANY = (_changes_meet, _off_and_on, _stopped_at_work)
_BLOCKING = (_slow_for_long, _first_words)
_EXTERNAL = (
    _changes_race, _claim_outlived, _gone_in_between, _tick_and_fire, _registry_refuses,
    _registry_refuses,
)  # fmt: skip


@st.composite
def meetings(
    draw: st.DrawFn,
    *,
    job_ids: Sequence[str],
    machines: Sequence[str],
    lasts_us: int,
    capabilities: Collection[str],
    moments: Sequence[int],
    sets: Sequence[Mapping[str, Any]],
) -> tuple[list[Fault], list[Step]]:
    """One meeting that a provider with these capabilities can have; half are then looked at.

    It is near one of the moments or the start, and mostly about the first job, which is due there.
    See `simulator.strategies.steps` for the arguments, and `Meeting` for `sets`.
    """
    first, *others = job_ids
    met = Meeting(
        job=draw(mostly(first, *others)) if others else first,
        machine=draw(st.sampled_from(machines)),
        at_us=draw(mostly(*moments, 0)),
        lasts_us=lasts_us,
        sets=sets,
    )
    of_kind = {"blocking": _BLOCKING, "external": _EXTERNAL}
    kinds = [
        *_ANY,
        *(one for name, some in of_kind.items() if name in capabilities for one in some),
    ]
    found = draw(st.sampled_from(kinds))(draw, met)
    looks = [{"at": met.at(draw(st.sampled_from(_SOON))), "do": "status"}]
    steps = [*found.steps, *(looks if draw(st.booleans()) else ())]
    return (
        [Fault.model_validate(fault) for fault in found.faults],
        [Step.model_validate(step) for step in steps],
    )
