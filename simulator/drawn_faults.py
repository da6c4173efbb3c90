"""Hypothesis strategies for faults, and what other strategies share with them.

Most faults are anchored to events, the others to instants near those at which jobs are due; see
`simulator.strategies`.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Literal, get_args, get_origin

from hypothesis import strategies as st
from pydantic import ValidationError

from simulator.durations import SECOND_US, format_duration, parse_duration
from simulator.fault_rule import EFFECTS, PHASES, SEAMS, Fault

__all__ = [
    "ANSWERS",
    "CAPABILITIES",
    "OUTAGES",
    "RAISED",
    "instants",
    "machines_said",
    "mostly",
    "multiples",
]

CAPABILITIES = frozenset({"blocking", "external"})

OUTAGES = ("1s", "30s", "3m", "20m", "2h")
RAISED = (
    "SystemExit", "KeyboardInterrupt", "GeneratorExit", "asyncio.CancelledError", "MemoryError",
    "RuntimeError", "OSError",
)  # fmt: skip
_DISK_ERRORS = ("ENOSPC", "EACCES", "EIO", "EMFILE")
_NET_ERRORS = ("httpx.ConnectError", "httpx.ReadTimeout", "httpx.RemoteProtocolError")
ANSWERS = (503, 500, 429, 403, 404, 409, "html", "shape", "stale")
_LATE = ("1s", "5s", "59s", "5m", "6m", "90m")

_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "answer": st.sampled_from(ANSWERS),
    "hang": st.sampled_from(("2s", "20s", "90s", "6m", "12m")),
    "delay": st.sampled_from(_LATE),
    "duplicate": st.lists(st.sampled_from(_LATE), min_size=1, max_size=3, unique=True),
}
"""What an effect is given; a flag is true, and "raise" depends on the seam."""

_NEEDS = {
    "nas": "external", "tick": "blocking", "heartbeat": "blocking", "dispatch": "blocking",
    "wait": "blocking",
}  # fmt: skip
"""Seams, by their first word, that only providers of one kind pass."""


def mostly(common: Any, *rest: Any) -> st.SearchStrategy[Any]:
    """`common` in half of the cases, one of the rest in the other."""
    return st.sampled_from((common,) * len(rest) + rest)


def machines_said(ids: Iterable[str]) -> dict[str, dict[str, str]]:
    """Machines as a file says them; the clock of the second is ahead."""
    return {machine: {"skew": "2s"} if machine == "b" else {} for machine in ids}


@st.composite
def multiples(draw: st.DrawFn, lasts_us: int, every: int = 10) -> int:
    """A multiple of so many minutes, as occurrences are; microseconds since the start."""
    step_us = every * 60 * SECOND_US
    return draw(st.integers(0, min(lasts_us // step_us, 99))) * step_us


@st.composite
def instants(draw: st.DrawFn, lasts_us: int, moments: Sequence[int] = ()) -> str:
    """Mostly near one of `moments`, where there are any; else near a full ten minutes."""
    some = multiples(lasts_us)
    near = st.one_of(st.sampled_from(moments), st.sampled_from(moments), some) if moments else some
    offset = draw(
        st.sampled_from(("0s", "1s", "2s", "-1s", "10s", "30s", "-20s", "61s", "4m", "9m"))
    )
    at_us = draw(near) + parse_duration(offset)
    return format_duration(min(max(at_us, SECOND_US), lasts_us - SECOND_US))


@st.composite
def _when(draw: st.DrawFn, lasts_us: int, moments: Sequence[int]) -> dict[str, Any]:
    """Which passages a fault strikes that is not anchored to one event."""
    where = draw(st.sampled_from(("at", "window", "times")))
    if where == "times":
        return {"nth": draw(st.integers(1, 8)), "times": draw(mostly(2, 3, 5, 20, "always"))}
    first = draw(instants(lasts_us, moments))
    if where == "at":
        return {"at": first}
    last_us = parse_duration(first) + parse_duration(draw(st.sampled_from(OUTAGES)))
    return {"from": first, "until": format_duration(last_us)}


@st.composite
def faults(
    draw: st.DrawFn,
    *,
    job_ids: Sequence[str],
    machines: Sequence[str],
    lasts_us: int,
    capabilities: Collection[str] = CAPABILITIES,
    anchors: Sequence[tuple[str, int]] = (),
    moments: Sequence[int] = (),
) -> Fault | None:
    """One fault at any seam that a provider with these capabilities passes.

    Args:
        draw: Hypothesis'.
        job_ids: Jobs that it may be about.
        machines: Machines that it may be about.
        lasts_us: The horizon, microseconds since the start.
        capabilities: What the provider declares.
        anchors: Events (job, its nth passage) that several faults share.
        moments: Instants that several faults and steps share, microseconds since the start.

    Returns:
        None when what was drawn cannot mean anything together.
    """
    seams = _seams(capabilities)
    if draw(st.booleans()):  # some effects can be at one seam only: draw these as often as others
        effect = draw(st.sampled_from([e for e in EFFECTS if _seams_of(e, seams)]))
        into = draw(st.sampled_from(_seams_of(effect, seams)))
    else:
        into = draw(st.sampled_from(seams))
        effect = draw(st.sampled_from([e for e in EFFECTS if e in SEAMS[into].effects]))
    place = SEAMS[into]
    said: dict[str, Any] = {"into": into, effect: draw(_value(into, effect))}
    if effect == "crash":
        said["for"] = draw(st.sampled_from(OUTAGES))
    if effect in place.after and draw(st.booleans()):
        said["after"] = True
    if place.phases and draw(st.integers(0, 3)):
        said["on"] = draw(st.sampled_from(PHASES))
    job, nth = draw(st.sampled_from(anchors)) if anchors else (None, 1)
    anchored = draw(st.integers(0, 8)) < 5  # noqa: PLR2004 - more than half
    said |= (
        {"nth": nth if place.job else draw(st.integers(1, 12))}
        if anchored
        else draw(_when(lasts_us, moments))
    )
    if effect == "crash" and {"until", "times"} & said.keys():  # hours of boots show nothing more
        said["times"] = draw(st.integers(1, 5))
    if place.job and draw(st.integers(0, 3)):
        said["job"] = job if anchored and job else draw(st.sampled_from(job_ids))
    if place.machine and len(machines) > 1 and draw(st.booleans()):
        said["machine"] = draw(st.sampled_from(machines))
    try:
        return Fault.model_validate(said)
    except ValidationError:
        return None


def _seams(capabilities: Collection[str]) -> list[str]:
    """What a provider with these capabilities passes; what only its kind passes stands twice."""
    needs = {name: _NEEDS.get(name.split(".")[0]) for name in SEAMS}
    own = [name for name, need in needs.items() if need in capabilities]
    return [*own, *(name for name, need in needs.items() if need in {None, *capabilities})]


def _seams_of(effect: str, seams: Sequence[str]) -> list[str]:
    return [name for name in seams if effect in SEAMS[name].effects]


def _value(into: str, effect: str) -> st.SearchStrategy[Any]:
    """What stands behind the effect's key."""
    if effect in _VALUES:
        return _VALUES[effect]
    if effect != "raise":
        return _by_type(Fault.model_fields[effect].annotation)
    if into.startswith("store."):
        return st.sampled_from([{"OSError": name} for name in _DISK_ERRORS])
    return st.sampled_from(_NET_ERRORS if into.startswith("nas.") else RAISED)


def _by_type(annotation: Any) -> st.SearchStrategy[Any]:
    """What a field of this type can be: one of its words, true, or a duration."""
    kinds = get_args(annotation) or (annotation,)
    words = [word for kind in kinds if get_origin(kind) is Literal for word in get_args(kind)]
    if words:
        return st.sampled_from(words)
    return st.just(value=True) if bool in kinds else st.sampled_from(_LATE)
