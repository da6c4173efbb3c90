"""TIME: times and schedules that a host refuses, and what it says then."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from contract_tests.benches.instants import InstantsBench
from contract_tests.engine import Context, Outcome, held, probe, violated
from contract_tests.probes.instants import instant_at, instants_on

__all__: list[str] = []  # probes are found by their ids

_HOUR = timedelta(hours=1)


@probe("TIME-6")
def too_late(context: Context) -> Outcome:
    """A one-shot 119 s past and one 121 s past: created, resumed, given to another job."""
    zone, now = "Europe/Berlin", instant_at("Europe/Berlin", 2026, 6, 1, 12)
    late, just = (now - timedelta(seconds=ago) for ago in (121, 119))
    with instants_on(context, "past") as bench:
        bench.set(now, zone)
        if (error := _refusal(lambda: bench.add(just.isoformat()))) is not None:
            return violated(f"a one-shot 119 s past is refused at creation: {error}")
        bench.set(now - _HOUR)
        job_id = str(bench.add(late.isoformat())["id"])
        other = str(bench.add("every 1h")["id"])
        bench.pause(job_id)
        bench.set(now)
        for doing, call in {
            "at creation": lambda: bench.add(late.isoformat()),
            "at resume": lambda: bench.resume(job_id),
            "for another job": lambda: bench.reschedule(other, late.isoformat()),
        }.items():
            error = _refusal(call)
            if error is None:
                return violated(f"a one-shot 121 s past is taken {doing}")
            if not isinstance(error, ValueError) or not _names(str(error), late, zone):
                kind = type(error).__name__
                return violated(f"the refusal {doing} does not say which time: {kind}: {error}")
        if job_id in bench.due() or (bench.stored(job_id) or {}).get("enabled"):
            return violated("the one-shot that was not to be resumed may run all the same")
    return held("119 s past is taken; 121 s past is refused at creation, resume and change")


def _refusal(call: Callable[[], object]) -> Exception | None:
    """What a call raises, if it does."""
    try:
        call()
    except Exception as error:
        return error
    return None


def _names(text: str, at: datetime, zone: str) -> bool:
    """Whether a sentence names an instant, in the zone or in UTC."""
    both = (at.astimezone(ZoneInfo(zone)), at.astimezone(UTC))
    return any(f"{one:%H:%M}" in text for one in both)


# What is wrong, and the field of it that may be put right; None when it is no cron expression.
_WRONG: dict[str, int | None] = {
    "": None,
    "tomorrow": None,
    "every day": None,
    "every 0m": None,
    "2026-02-30T09:00": None,
    "60 * * * *": 0,
    "0 24 * * *": 1,
    "0 9 32 * *": 2,
    "0 9 * * FOO": 4,
    "*/0 * * * *": 0,
    "0 9 * *": None,
    "0 0 31 2 *": 2,
    "0 0 31 4,6,9,11 *": 2,
}


@probe("TIME-7")
def wrong_schedules(context: Context) -> Outcome:
    """What is no schedule, and what never comes: refused, with something the host would take."""
    with instants_on(context, "wrong") as bench:
        bench.set(instant_at("UTC", 2026, 6, 1), "UTC")
        job_id = str(bench.add("every 1h")["id"])
        for text, place in _WRONG.items():
            error = _refusal(partial(bench.add, text))
            if error is None:
                return violated(f"the schedule {text!r} is taken at creation")
            if not isinstance(error, ValueError):
                kind = type(error).__name__
                return violated(f"the schedule {text!r} is no clear refusal: {kind}: {error}")
            if not _helps(bench, str(error), text, place):
                return violated(f"for {text!r}, nothing that is said would be right: {error}")
            if _refusal(partial(bench.reschedule, job_id, text)) is None:
                return violated(f"the schedule {text!r} is taken for a job that is there")
    return held(f"{len(_WRONG)} wrong schedules refused, each with one that the host takes")


def _helps(bench: InstantsBench, message: str, text: str, place: int | None) -> bool:
    """Whether the host takes a schedule that its own message proposes, whole or for one field."""
    candidates = set(message.split("'"))
    if place is not None:
        fields = text.split()
        words = {word.strip("',;.:()") for word in message.split()} - {"*", *fields}
        for word in words:
            candidates.add(" ".join([*fields[:place], word, *fields[place + 1 :]]))
    return any(_refusal(partial(bench.accepts, one)) is None for one in sorted(candidates))
