"""Hypothesis strategies for what is rare: two or three things that must meet to the second.

Drawn one by one, or as in `simulator.drawn_together`, they come up in none of thousands of
examples: a status that is asked for while a tick has lasted for minutes, a first tick after a boot
that takes its time, a clock that is set back by more than a job's period, two machines that look
before either has claimed. Each strategy here is such a situation; it says also what it needs of the
scenario that it is put into: of its jobs, and how many machines there are.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from simulator import oracle
from simulator.drawn_faults import OUTAGES, RAISED, machines_said, mostly
from simulator.drawn_together import Draw, Meeting
from simulator.durations import DAY_US, parse_duration
from simulator.scenario import Scenario

__all__ = ["Situation", "rarely", "situations"]

_JUMPS = ("-1h", "-1h", "-10m", "-3h")


@dataclass(frozen=True)
class Situation:
    """What happens, in the fields of a file, and what it needs.

    Attributes:
        faults: Faults.
        steps: Steps.
        jobs: What stands in the place of jobs, by their ids.
        machines: Those that there are; as many as before when none is named.
    """

    faults: Sequence[Mapping[str, Any]] = ()
    steps: Sequence[Mapping[str, Any]] = ()
    jobs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    machines: Sequence[str] = ()


@dataclass(frozen=True)
class _Where(Meeting):
    """Where and when it is.

    Attributes:
        other: The last job that stands from the start: another one, where there are two.
    """

    other: str


def _clock_goes_back(draw: Draw, met: _Where) -> Situation:
    """The clock of the only machine is set back after the job ran; it may have been ahead."""
    jumps = [
        {"at": met.at(draw(st.sampled_from(("10s", "4m")))), "by": draw(st.sampled_from(_JUMPS))}
    ]
    if draw(st.booleans()):
        jumps.insert(0, {"at": met.at("-90m"), "by": "1h"})
    return Situation(
        steps=[{"do": "set-clock", "machine": met.machine, **jump} for jump in jumps],
        machines=[met.machine],
    )


def _clock_jumps_while_off(draw: Draw, met: _Where) -> Situation:
    """A machine comes back with another clock than it went with."""
    off = {"at": met.at("-61s"), "do": "crash", "machine": met.machine, "for": "3m"}
    jump = {"at": met.at("1s"), "do": "set-clock", "machine": met.machine}
    jump["by"] = draw(st.sampled_from((*_JUMPS, "10m", "1h")))
    return Situation(steps=[off, jump, {"at": met.at("4m"), "do": "status"}])


def _resumed_late(draw: Draw, met: _Where) -> Situation:
    """A one-shot rests until its time has passed, and then it is to go on."""
    minutes = draw(st.sampled_from((40, 100)))
    pause = {"at": f"{minutes - draw(st.sampled_from((1, 10)))}m", "do": "pause"}
    late = {"at": f"{minutes + draw(st.sampled_from((3, 20, 60)))}m", "do": "resume"}
    return Situation(
        steps=[{**step, "job": met.other} for step in (pause, late)],
        jobs={met.other: {"schedule": f"{minutes}m"}},
    )


def _asked_in_a_long_tick(draw: Draw, met: _Where) -> Situation:
    """The tick that starts the job takes minutes, and somebody looks."""
    into = draw(st.sampled_from(("claim", "store.lock", "store.write", "store.execution")))
    held = {"into": into, "at": met.at(), "machine": met.machine}
    held["hang"] = draw(st.sampled_from(("6m", "12m")))
    offsets = [
        draw(st.sampled_from(("4m", "5m30s"))),
        *draw(st.sampled_from(((), ("70s",), ("9m",)))),
    ]
    return Situation([held], [{"at": met.at(offset), "do": "status"} for offset in offsets])


def _asked_before_a_clean_tick(draw: Draw, met: _Where) -> Situation:
    """A gateway boots, its first tick takes long or fails, and somebody looks."""
    tick: dict[str, Any] = {"into": "tick", "machine": met.machine, **met.during("-20s", "90s")}
    if draw(st.booleans()):
        tick["hang"] = draw(st.sampled_from(("20s", "90s")))
    else:
        tick["raise"] = draw(st.sampled_from(RAISED))
    back = draw(st.sampled_from(({"do": "restart"}, {"do": "crash", "for": "1s"})))
    look = {"at": met.at(draw(st.sampled_from(("-10s", "-5s", "30s")))), "do": "status"}
    return Situation([tick], [{"at": met.at("-20s"), "machine": met.machine, **back}, look])


def _two_look_at_once(draw: Draw, met: _Where) -> Situation:
    """Two machines find the job due, and one is held up between its look and its claim."""
    held = {"into": draw(st.sampled_from(("claim", "store.lock", "store.write")))}
    held["hang"] = draw(st.sampled_from(("2s", "6s", "20s")))
    held["machine"] = draw(st.sampled_from(("a", "b")))
    return Situation([{**held, "at": met.at("-1s")}], machines=["a", "b"])


def _leaves_at_work(draw: Draw, met: _Where) -> Situation:
    """A gateway is asked to leave while it runs the job, or talks to the registry about it."""
    into, hang = draw(
        st.sampled_from(
            (("body", "20s"), ("body", "90s"), ("claim", "20s"), ("nas.provision", "4s"),
             ("nas.list", "4s"))
        )
    )  # fmt: skip
    stop = {"at": met.at(draw(st.sampled_from(("1s", "2s", "10s")))), "do": "stop"}
    stop |= {"machine": met.machine, "for": draw(st.sampled_from(OUTAGES))}
    return Situation([{"into": into, "hang": hang, "at": met.at()}], [stop])


def _cancel_refused_once(draw: Draw, met: _Where) -> Situation:
    """A job goes whose time is far off, its cancel is refused, and a moment later another fires."""
    refused = {"into": "nas.cancel", "answer": draw(st.sampled_from((503, 429, "html")))}
    gone = draw(st.sampled_from(("pause", "remove")))
    return Situation(
        [{**refused, **met.during("-30s", "15s")}],
        [{"at": met.at("-20s"), "do": gone, "job": met.other}],
        jobs={met.other: {"schedule": draw(st.sampled_from(("every 2h", "every 7h")))}},
    )


def _forgets_unseen(draw: Draw, met: _Where) -> Situation:
    """The registry loses what is armed while it does not say what is, nor arms, or not really."""
    lasts = draw(st.sampled_from(("30s", "20m", "2h", "2h")))
    refused = draw(st.sampled_from(((), (("nas.provision", 503),), (("nas.provision", "shape"),))))
    faults = [
        {"into": into, "answer": answer, **met.during("-20s", lasts)}
        for into, answer in (("nas.list", draw(st.sampled_from((503, "html")))), *refused)
    ]
    return Situation(
        faults, [{"at": met.at(draw(st.sampled_from(("-10s", "1s")))), "do": "forget"}]
    )


def _changed_in_a_call(draw: Draw, met: _Where) -> Situation:
    """A job is changed while the registry is still being told of the change before."""
    into, first, then = draw(
        st.sampled_from(
            (
                ("nas.cancel", {"do": "pause"}, "resume"),
                ("nas.provision", {"do": "update", "set": {"schedule": "every 90m"}}, "pause"),
                ("nas.provision", {"do": "update", "set": {"schedule": "every 7h"}}, "remove"),
            )
        )
    )
    hang = {"into": into, "hang": "4s", **met.during("-2m", "20s")}
    changes = [
        {"at": met.at("-110s"), "job": met.other, **first},
        {"at": met.at("-109s"), "job": met.other, "do": then},
    ]
    return Situation([hang], changes)


def _armed_in_vain(draw: Draw, met: _Where) -> Situation:
    """An arm comes to nothing, the registry does not say what is armed, and another job changes."""
    vain = {"into": "nas.provision", "answer": draw(st.sampled_from(("shape", "html", 503)))}
    unseen = {"into": "nas.list", "answer": draw(st.sampled_from((503, "html")))}
    lasts = draw(st.sampled_from(("20m", "2h")))
    change = {"at": met.at("2m"), "do": draw(st.sampled_from(("pause", "trigger")))}
    return Situation(
        [{**vain, **met.during("-20s", "60s")}, {**unseen, **met.during("-20s", lasts)}],
        [{**change, "job": met.other}],
    )


_Kind = Callable[[Draw, _Where], Situation]

_ANY: tuple[_Kind, ...] = (_clock_goes_back, _clock_jumps_while_off, _resumed_late)
_BLOCKING: tuple[_Kind, ...] = (
    _asked_in_a_long_tick,
    _asked_before_a_clean_tick,
    _two_look_at_once,
)
_EXTERNAL: tuple[_Kind, ...] = (
    _leaves_at_work, _cancel_refused_once, _forgets_unseen, _changed_in_a_call, _armed_in_vain,
)  # fmt: skip


@st.composite
def rarely(draw: st.DrawFn, plain: Scenario, days: int) -> Scenario:
    """The scenario, but for what happens in it: a rare situation or two.

    Of what happened one fault and one step are left, at most.

    Args:
        draw: Hypothesis'.
        plain: The scenario.
        days: How long it lasts at most; every second lasts longer than before.
    """
    lasts_us = draw(mostly(plain.lasts, DAY_US // 2, days * DAY_US))
    plain = plain.model_copy(update={"lasts": max(plain.lasts, lasts_us)})
    found = draw(st.lists(situations(plain), min_size=1, max_size=2))
    wanted = next((one.machines for one in found if one.machines), None)
    machines = wanted or [machine.id for machine in plain.machines]
    happens: dict[str, list[Any]] = {}
    for kind, drawn in (("faults", plain.faults), ("steps", plain.steps)):
        must = [one for one in drawn if getattr(one, "do", None) == "create"]
        others = [one.plain() for one in drawn if one not in must][: draw(st.integers(0, 1))]
        rare = (dict(said) for one in found for said in getattr(one, kind))
        happens[kind] = [one.plain() for one in must] + [
            one for one in (*others, *rare) if one.get("machine") in {None, *machines}
        ]
    happens["steps"].sort(key=lambda step: parse_duration(step["at"]))
    instead = {job_id: job for one in found for job_id, job in one.jobs.items()}
    return Scenario.model_validate(
        plain.plain()
        | happens
        | {"machines": machines_said(machines)}
        | {"jobs": [{"id": j.id, **instead[j.id]} if j.id in instead else j for j in plain.jobs]}
    )


@st.composite
def situations(draw: st.DrawFn, scenario: Scenario) -> Situation:
    """A rare situation that a provider with the scenario's capabilities can come into.

    It is at a time at which the first job is due, in the middle of the scenario.
    """
    first, *others = [job.id for job in scenario.jobs if job.created == "at start"]
    met = _Where(
        job=first,
        machine=draw(st.sampled_from(scenario.machines)).id,
        at_us=_due_us(scenario, draw(st.integers(3, 6)) * scenario.lasts // 10),
        lasts_us=scenario.lasts,
        sets=(),
        other=[first, *others][-1],
    )
    of_kind = {"blocking": _BLOCKING, "external": _EXTERNAL}
    kinds = [*_ANY, *(kind for name in scenario.capabilities for kind in of_kind[name])]
    kind: _Kind = draw(st.sampled_from(kinds))
    return kind(draw, met)


def _due_us(scenario: Scenario, since_us: int) -> int:
    """When the first job is due next, microseconds since the start."""
    start_us = scenario.start_us
    schedule = oracle.read(scenario.jobs[0].schedule, start_us, scenario.zone)
    due_us = oracle.next_after(schedule, start_us + since_us)
    return since_us if due_us is None else due_us - start_us
