"""Hypothesis strategies for scenarios: jobs, steps, faults, choice tapes, and all of them together.

    from hypothesis import given
    from simulator.strategies import scenarios

    @given(scenarios(capabilities={"external"}))
    def test_my_provider(scenario): ...

Seams, effects and operations are read from their catalogues (`SEAMS`, `OPERATIONS`), so that a new
one is drawn as soon as it is there. Most faults are anchored to events ("the third provision", "the
mark of the job's second run"), and several of them to the same event: what goes wrong twice within
two seconds is hardly ever drawn by instants. What has an instant, steps above all, is mostly near
one of a few that the scenario shares, and jobs share schedules: trouble is where things meet. Every
number is drawn from a small range, because Hypothesis mixes constants of the modules that happen to
be loaded into large ones. What takes more than two such things is drawn by `rare_scenarios`.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from pydantic import ValidationError

from simulator.drawn_faults import (
    CAPABILITIES,
    OUTAGES,
    RAISED,
    faults,
    instants,
    mostly,
    multiples,
)
from simulator.drawn_rarely import situations
from simulator.drawn_together import meetings
from simulator.durations import DAY_US, SECOND_US, format_duration, parse_duration
from simulator.kernel.tape import MAX_CHOICES, Choice, Tape
from simulator.scenario import Scenario
from simulator.steps import OPERATIONS, Step
from simulator.volume import DAMAGES

__all__ = ["faults", "jobs", "rare_scenarios", "scenarios", "steps", "tapes"]

_STARTS = (
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
_FREQUENT = {
    "every 30m": 30, "every 20m": 20, "every 10m": 10, "every 7m": 7, "*/5 * * * *": 5,
    "*/15 * * * *": 15,
}  # fmt: skip
"""Schedules that are due at least twice an hour, and how many minutes lie between."""
_AT_NIGHT = ("30 2 * * *", "15,45 1-4 * * *", "*/20 2 * * *")
"""For what starts after midnight: elsewhere they would name nothing within reach."""
_SCHEDULES = (
    *_FREQUENT, "every 1h", "every 90m", "0 * * * *", "25 */2 * * *", "30 2 * * *", "* * * * *",
    "40m", "100m",
)  # fmt: skip
_TAKES = (*("1s",) * 5, "0s", "20s", "3m", "8m", "40m")
_NO_SCHEDULES = ("0 0 31 2 *", "61 * * * *", "every 0m", "at noon")
_NEVER = "2031-01-01T00:00:00+00:00"
_SETS = (
    *({"schedule": schedule} for schedule in (*_SCHEDULES, *_NO_SCHEDULES)),
    *({"state": "paused"},) * 3,
)
_SPEECHLESS = "simulator.raising.SpeechlessError"
_RECORDS: tuple[dict[str, Any], ...] = (
    {"next_run_at": "garbage"},
    {"next_run_at": None},
    {"next_run_at": 20260302},
    {"schedule": {"kind": "cron", "expr": "61 * * * *", "display": "61 * * * *"}},
    {"id": None},
    {"id": "job-1"},
    {"schedule": None},
    {"fire_claim": {"at": _NEVER, "by": "gone:4711"}},
    {"fire_claim": {"at": "tomorrow", "by": 5}},
)


@st.composite
def jobs(
    draw: st.DrawFn,
    *,
    job_id: str = "job",
    breakable: bool = True,
    schedules: Sequence[str] = _SCHEDULES,
    takes: Sequence[str] = _TAKES,
) -> dict[str, Any]:
    """One job, as a file would say it.

    Args:
        draw: Hypothesis'.
        job_id: Its id.
        breakable: Whether its stored record may be broken.
        schedules: Those that it may have.
        takes: How long a run may take.
    """
    job: dict[str, Any] = {"id": job_id, "schedule": draw(st.sampled_from(schedules))}
    job["runs_for"] = draw(st.sampled_from(takes))
    kind = draw(mostly("ok", "raises", "fails", "crashes", "repeat", "repeat"))
    nth = {"nth": draw(st.integers(1, 4))}
    if kind == "raises":
        job["body"] = {"raises": draw(st.sampled_from((*RAISED, _SPEECHLESS))), **nth}
    elif kind == "fails":
        job["body"] = {"fails": "no", **nth}
    elif kind == "crashes":
        job["body"] = {"crashes": True, "restarts_after": draw(st.sampled_from(OUTAGES)), **nth}
    elif kind == "repeat" and " " in job["schedule"]:  # a one-shot has its own
        job["repeat"] = draw(st.integers(1, 4))
    if breakable and draw(st.integers(0, 6)) == 6:  # noqa: PLR2004 - one in seven
        job["record"] = draw(st.sampled_from(_RECORDS))
    return job


@st.composite
def steps(
    draw: st.DrawFn,
    *,
    job_ids: Sequence[str],
    machines: Sequence[str],
    lasts_us: int,
    capabilities: Collection[str] = CAPABILITIES,
    moments: Sequence[int] = (),
) -> Step | None:
    """One step of the operator or of the outside world; see `faults` for the arguments.

    Returns:
        None when an operation needs a field that is not known here.
    """
    values: dict[str, st.SearchStrategy[Any]] = {
        "machine": st.sampled_from(machines),
        "job": st.sampled_from(job_ids),
        "for": st.sampled_from(OUTAGES),
        "set": st.sampled_from(_SETS),
        "fire_at": st.just("last"),
        "times": st.integers(1, 3),
        "by": st.sampled_from(("2s", "-2s", "10m", "-10m", "1h", "-1h")),
        "to": st.sampled_from(sorted({zone for zone, _start in _STARTS})),
        "what": st.sampled_from(sorted(DAMAGES)),
    }
    unfit = {"create", *(() if "external" in capabilities else ("deliver", "forget"))}
    do = draw(st.sampled_from([name for name in OPERATIONS if name not in unfit]))
    must, may = OPERATIONS[do]
    if not must <= values.keys():
        return None
    said = {name: draw(values[name]) for name in sorted(must)}
    for name in sorted(may & values.keys()):
        if name == "for" or draw(st.booleans()):  # a machine that stays off shows nothing more
            said[name] = draw(values[name])
    try:
        return Step.model_validate({"at": draw(instants(lasts_us, moments)), "do": do, **said})
    except ValidationError:
        return None


@st.composite
def tapes(draw: st.DrawFn, *, tasks: Sequence[str] = (), most: int = MAX_CHOICES) -> Tape:
    """A seed and, in about half of the cases, a few choices.

    Args:
        draw: Hypothesis'.
        tasks: Names of tasks that can be held back.
        most: How many choices at most.
    """
    count = draw(mostly(0, 1, 2, 3, most)) if tasks else 0
    choices: dict[tuple[str, int], Choice] = {}
    for _ in range(count):
        task = draw(st.sampled_from(tasks))
        nth = draw(st.integers(1, draw(st.sampled_from((8, 32, 99)))))
        delay_us = draw(mostly(0, 1_000, 100_000, SECOND_US, 4 * SECOND_US))
        choices[task, nth] = Choice(task, nth, delay_us)
    return Tape(tuple(choices.values()), seed=draw(st.integers(0, 99)))


@st.composite
def scenarios(
    draw: st.DrawFn,
    *,
    name: str = "drawn",
    capabilities: Collection[str] = CAPABILITIES,
    days: int = 1,
    tasks: Sequence[str] = (),
) -> Scenario:
    """A whole scenario: one or two machines, a few jobs, steps and faults, a tape.

    One in ten has a crowd of jobs, more than most hosts run at a time.

    Args:
        draw: Hypothesis'.
        name: Its name.
        capabilities: What the provider declares.
        days: How long it lasts at most; most scenarios are shorter.
        tasks: Names of tasks that the tape may hold back.
    """
    zone, start = draw(st.sampled_from(_STARTS))
    crowd = draw(st.integers(0, 9)) == 9  # noqa: PLR2004 - one in ten
    lasts_us = draw(st.sampled_from((3,) if crowd else (*_HOURS, 24 * days))) * DAY_US // 24
    machines = draw(st.sampled_from((["a"], ["a"], ["a"], ["a", "b"], ["a", "b"])))
    job_ids = [f"job-{nth}" for nth in range(1, draw(_counts(crowd=crowd)) + 1)]
    special = [*draw(_timestamps(start)), *(_AT_NIGHT if "T00" in start else ())]
    some = st.sampled_from([*_SCHEDULES, *special])
    often = draw(st.sampled_from(sorted(_FREQUENT)))
    shared = [often, *draw(st.lists(some, max_size=0 if crowd else 2))]
    known: dict[str, Any] = {
        "job_ids": job_ids,
        "machines": machines,
        "lasts_us": lasts_us,
        "capabilities": capabilities,
        "moments": draw(st.lists(multiples(lasts_us, _FREQUENT[often]), min_size=1, max_size=2)),
    }
    anchors = draw(
        st.lists(st.tuples(st.sampled_from(job_ids), st.integers(1, 6)), min_size=1, max_size=2)
    )
    takes = [draw(st.sampled_from(_TAKES))] if crowd else _TAKES
    drawn_jobs = [
        draw(
            jobs(
                job_id=job_id,
                breakable=nth > 0,
                schedules=shared if nth else shared[:1],
                takes=takes,
            )
        )
        for nth, job_id in enumerate(job_ids)
    ]
    late = len(job_ids) > 1 and draw(st.integers(0, 4)) == 0
    standing = job_ids[:-1] if late else job_ids  # what is not there yet cannot be changed
    focus = [job_id for job_id, _nth in anchors if job_id in standing] * (len(standing) // 2)
    changed = steps(**known | {"job_ids": standing + focus})
    drawn_steps = _drawn(draw, changed, draw(mostly(1, 0, 2, 3, 4)))
    if late:
        made = {"at": draw(instants(lasts_us, known["moments"])), "do": "create"}
        drawn_jobs[-1] |= draw(_made_late(start, made["at"]))
        drawn_steps.append(Step.model_validate({**made, "job": job_ids[-1]}))
    broken = [job["id"] for job in drawn_jobs if job["id"] in standing and "record" in job]
    by_hand: bool = draw(st.booleans())
    if broken and by_hand:  # somebody tries by hand what does not run
        tried = {"do": draw(st.sampled_from(("run", "trigger"))), "job": broken[0]}
        drawn_steps.append(Step.model_validate({"at": draw(instants(lasts_us)), **tried}))
    drawn_faults = _drawn(draw, faults(**known, anchors=anchors), draw(mostly(2, 1, 3, 4, 6)))
    if draw(st.integers(0, 2)) == 0:
        more_faults, more_steps = draw(meetings(**known | {"job_ids": standing}, sets=_SETS))
        drawn_faults += more_faults
        drawn_steps += more_steps
    return Scenario.model_validate(
        {
            "name": name,
            "for": sorted(capabilities),
            "zone": zone,
            "start": start,
            "lasts": format_duration(lasts_us),
            "interval": draw(st.sampled_from((60,) * 6 + (20, 300))),
            "machines": {m: ({"skew": "2s"} if m == "b" else {}) for m in machines},
            "jobs": drawn_jobs,
            "steps": sorted(drawn_steps, key=lambda step: step.at),
            "faults": drawn_faults,
            "tape": draw(tapes(tasks=[t for t in tasks if t.split("#")[0] in machines])),
        }
    )


@st.composite
def rare_scenarios(
    draw: st.DrawFn,
    *,
    name: str = "drawn",
    capabilities: Collection[str] = CAPABILITIES,
    days: int = 1,
    tasks: Sequence[str] = (),
) -> Scenario:
    """A scenario as `scenarios` draws it, but for what happens in it: a rare situation or two.

    Of all else that was drawn one fault and one step are left, at most; every second lasts longer.
    See `scenarios` for the arguments, and `simulator.drawn_rarely` for what is rare.
    """
    plain = draw(scenarios(name=name, capabilities=capabilities, days=days, tasks=tasks))
    lasts_us = draw(mostly(plain.lasts, DAY_US // 2, days * DAY_US))
    plain = plain.model_copy(update={"lasts": max(plain.lasts, lasts_us)})
    found = draw(st.lists(situations(plain), min_size=1, max_size=2))
    wanted = next((one.machines for one in found if one.machines), None)
    machines = wanted or [machine.id for machine in plain.machines]
    instead = {job_id: job for one in found for job_id, job in one.jobs.items()}
    happens: dict[str, list[Any]] = {}
    for kind, drawn in (("faults", plain.faults), ("steps", plain.steps)):
        must = [one for one in drawn if getattr(one, "do", None) == "create"]
        others = [one.plain() for one in drawn if one not in must][: draw(st.integers(0, 1))]
        rare = (dict(said) for one in found for said in getattr(one, kind))
        happens[kind] = [one.plain() for one in must] + [
            one for one in (*others, *rare) if one.get("machine") in {None, *machines}
        ]
    happens["steps"].sort(key=lambda step: parse_duration(step["at"]))
    return Scenario.model_validate(
        plain.plain()
        | happens
        | {"machines": {m: ({"skew": "2s"} if m == "b" else {}) for m in machines}}
        | {"jobs": [{"id": j.id, **instead[j.id]} if j.id in instead else j for j in plain.jobs]}
    )


def _counts(*, crowd: bool) -> st.SearchStrategy[int]:
    """How many jobs."""
    return st.integers(9, 12) if crowd else st.integers(1, 4)


@st.composite
def _timestamps(draw: st.DrawFn, start: str, first: int = 1) -> list[str]:
    """Two wall times on a full ten minutes, the `first` such or later, as a one-shot's schedule."""
    tens = draw(st.lists(st.integers(first, 15), min_size=2, max_size=2))
    hour = datetime.fromisoformat(start).replace(second=0)
    return [(hour + timedelta(minutes=10 * ten)).isoformat() for ten in tens]


@st.composite
def _made_late(draw: st.DrawFn, start: str, at: str) -> dict[str, Any]:
    """What is different about a job that a step makes: also what must be refused then."""
    ago = timedelta(microseconds=parse_duration(draw(st.sampled_from(("30s", "110s", "3m", "1h")))))
    made = datetime.fromisoformat(start) + timedelta(microseconds=parse_duration(at))
    past = (made - ago).replace(microsecond=0).isoformat()
    wrong = st.sampled_from([*_NO_SCHEDULES, *draw(_timestamps(start, -6)), past, past])
    schedule = {"schedule": draw(wrong)} if draw(st.integers(0, 2)) == 0 else {}
    return {"created": "by a step", "record": {}, **schedule}


def _drawn(draw: st.DrawFn, strategy: st.SearchStrategy[Any], count: int) -> list[Any]:
    found = [draw(strategy) for _ in range(count)]
    return [one for one in found if one is not None]
