"""Hypothesis strategies for scenarios: jobs, steps, faults, choice tapes, and all of them together.

    from hypothesis import given
    from simulator import CronSim
    from simulator.strategies import scenarios

    @given(scenarios(capabilities={"external"}))
    def test_my_provider(scenario):
        sim = CronSim(MyProvider, scenario=scenario)
        sim.run()
        sim.check_so_far()

Seams, effects and operations are read from their catalogues (`SEAMS`, `OPERATIONS`), so that a new
one is drawn as soon as it is there. Most faults are anchored to events ("the third provision", "the
mark of the job's second run"), and several of them to the same event: what goes wrong twice within
two seconds is hardly ever drawn by instants. What has an instant, steps above all, is mostly near
one of a few that the scenario shares, and jobs share schedules: trouble is where things meet. Every
number is drawn from a small range, because Hypothesis mixes constants of the modules that happen to
be loaded into large ones. What takes more than two such things is drawn with `rare=True`.
"""

from collections.abc import Collection, Mapping, Sequence
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
    machines_said,
    mostly,
)
from simulator.drawn_ground import SCHEDULES, STARTS, TAKES, Ground, grounds, timestamps
from simulator.drawn_rarely import rarely
from simulator.drawn_together import meetings
from simulator.durations import SECOND_US, format_duration, parse_duration
from simulator.kernel.tape import MAX_CHOICES, Choice, Tape
from simulator.scenario import Scenario
from simulator.steps import OPERATIONS, Step
from simulator.volume import DAMAGES

__all__ = ["faults", "jobs", "scenarios", "steps", "tapes"]

_NO_SCHEDULES = ("0 0 31 2 *", "61 * * * *", "every 0m", "at noon")
_NEVER = "2031-01-01T00:00:00+00:00"
_SETS = (
    *({"schedule": schedule} for schedule in (*SCHEDULES, *_NO_SCHEDULES)),
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
    schedules: Sequence[str] = SCHEDULES,
    takes: Sequence[str] = TAKES,
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
        "to": st.sampled_from(sorted({zone for zone, _start in STARTS})),
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
    rare: bool = False,
) -> Scenario:
    """A whole scenario: one or two machines, a few jobs, steps and faults, a tape.

    One in ten has a crowd of jobs, more than most hosts run at a time.

    Args:
        draw: Hypothesis'.
        name: Its name.
        capabilities: What the provider declares.
        days: How long it lasts at most; most scenarios are shorter.
        tasks: Names of tasks that the tape may hold back.
        rare: Whether a rare situation or two happen in it, and little else; see
            `simulator.drawn_rarely`.
    """
    ground = draw(grounds(capabilities, days))
    drawn_jobs = draw(_jobs_of(ground))
    late = len(drawn_jobs) > 1 and draw(st.integers(0, 4)) == 0
    standing = drawn_jobs[:-1] if late else drawn_jobs  # what is not there yet cannot be changed
    ids = [job["id"] for job in standing]
    drawn_steps = draw(_changes(ground, ids))
    if late:
        step, instead = draw(_made_late(ground))
        drawn_jobs[-1] |= instead
        drawn_steps.append(step)
    drawn_steps += draw(_tried_by_hand(ground, standing))
    drawn_faults = _drawn(
        draw, faults(**ground.known, anchors=ground.anchors), draw(mostly(2, 1, 3, 4, 6))
    )
    if draw(st.integers(0, 2)) == 0:
        more_faults, more_steps = draw(meetings(**ground.known | {"job_ids": ids}, sets=_SETS))
        drawn_faults += more_faults
        drawn_steps += more_steps
    plain = Scenario.model_validate(
        {
            "name": name,
            "for": sorted(capabilities),
            "zone": ground.zone,
            "start": ground.start,
            "lasts": format_duration(ground.lasts_us),
            "interval": draw(st.sampled_from((60,) * 6 + (20, 300))),
            "machines": machines_said(ground.machines),
            "jobs": drawn_jobs,
            "steps": sorted(drawn_steps, key=lambda step: step.at),
            "faults": drawn_faults,
            "tape": draw(tapes(tasks=[t for t in tasks if t.split("#")[0] in ground.machines])),
        }
    )
    return draw(rarely(plain, days)) if rare else plain


@st.composite
def _jobs_of(draw: st.DrawFn, ground: Ground) -> list[dict[str, Any]]:
    """All jobs; the record of the first is never broken, so that something runs."""
    return [
        draw(
            jobs(
                job_id=job_id,
                breakable=nth > 0,
                schedules=ground.schedules if nth else ground.schedules[:1],
                takes=ground.takes,
            )
        )
        for nth, job_id in enumerate(ground.job_ids)
    ]


@st.composite
def _changes(draw: st.DrawFn, ground: Ground, standing: Sequence[str]) -> list[Step]:
    """Steps, mostly about jobs that faults are anchored to."""
    focus = [job_id for job_id, _nth in ground.anchors if job_id in standing]
    about = [*standing, *focus * (len(standing) // 2)]
    return _drawn(draw, steps(**ground.known | {"job_ids": about}), draw(mostly(1, 0, 2, 3, 4)))


@st.composite
def _made_late(draw: st.DrawFn, ground: Ground) -> tuple[Step, dict[str, Any]]:
    """The step that makes the last job, and what is different about that job.

    Its schedule may be one that must be refused then.
    """
    at = draw(instants(ground.lasts_us, ground.moments))
    ago = timedelta(microseconds=parse_duration(draw(st.sampled_from(("30s", "110s", "3m", "1h")))))
    made = datetime.fromisoformat(ground.start) + timedelta(microseconds=parse_duration(at))
    past = (made - ago).replace(microsecond=0).isoformat()
    wrong = st.sampled_from([*_NO_SCHEDULES, *draw(timestamps(ground.start, -6)), past, past])
    schedule = {"schedule": draw(wrong)} if draw(st.integers(0, 2)) == 0 else {}
    step = Step.model_validate({"at": at, "do": "create", "job": ground.job_ids[-1]})
    return step, {"created": "by a step", "record": {}, **schedule}


@st.composite
def _tried_by_hand(
    draw: st.DrawFn, ground: Ground, standing: Sequence[Mapping[str, Any]]
) -> list[Step]:
    """Somebody may try by hand what does not run."""
    broken = [job["id"] for job in standing if "record" in job]
    by_hand = draw(st.booleans())
    if not broken or not by_hand:
        return []
    tried = {"do": draw(st.sampled_from(("run", "trigger"))), "job": broken[0]}
    return [Step.model_validate({"at": draw(instants(ground.lasts_us)), **tried})]


def _drawn(draw: st.DrawFn, strategy: st.SearchStrategy[Any], count: int) -> list[Any]:
    found = [draw(strategy) for _ in range(count)]
    return [one for one in found if one is not None]
