"""TIME: the right instant. What is right comes from the simulator's oracle, never from the host."""

import contextlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from contract_tests.benches.instants import InstantsBench
from contract_tests.engine import Context, Outcome, held, probe, unknown, violated
from contract_tests.surroundings import captured_logs, home
from simulator import oracle

__all__: list[str] = []  # probes are found by their ids

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_MOMENT = timedelta(seconds=1)


@contextlib.contextmanager
def _bench(context: Context, label: str) -> Iterator[InstantsBench]:
    folder = context.folder / "instants" / label / "home"
    with home(folder), captured_logs(), context.host.instants_bench() as bench:
        yield bench


def _at(zone: str, *parts: int) -> datetime:
    """The instant at which the zone's clock shows this; no repeated hour and no gap."""
    return datetime(*parts, tzinfo=ZoneInfo(zone)).astimezone(UTC)  # type: ignore[misc, arg-type]


def _expected(text: str, zone: str, after: datetime, until: datetime) -> list[datetime]:
    """The oracle's occurrences, strictly after an instant."""
    schedule = oracle.read(text, oracle.to_us(after), zone)
    found = oracle.occurrences(schedule, oracle.to_us(after), oracle.to_us(until))
    return [_EPOCH + timedelta(microseconds=at_us) for at_us in found]


def _planned(bench: InstantsBench, job_id: str) -> datetime | None:
    """The stored next time of a job."""
    found = (bench.stored(job_id) or {}).get("next_run_at")
    return None if found is None else datetime.fromisoformat(found)


def _say(at: datetime | None, zone: str) -> str:
    return "nothing" if at is None else at.astimezone(ZoneInfo(zone)).isoformat()


# The zone, and the days before two changes of its clocks; we look on from 20:00 on.
_CHANGES = {
    "America/New_York": ((2026, 3, 7), (2026, 10, 31)),
    "Australia/Lord_Howe": ((2026, 4, 4), (2026, 10, 3)),
    "America/Santiago": ((2026, 4, 4), (2026, 9, 5)),
    "Europe/Berlin": ((2026, 3, 28), (2026, 10, 24)),
}
# Fixed: one in the gap of each zone, one in its repeated hour, one in neither, several at once.
_FIXED = ("30 2 * * *", "15 2 * * *", "15 0 * * *", "30 1 * * *", "45 1 * * *", "30 23 * * *",
          "0 9 * * *", "0,30 0-3 * * *")  # fmt: skip
_ELAPSED = ("*/20 * * * *", "10 * * * *", "*/30 1-3 * * *", "0 */2 * * *")
_WINDOW = 14 * _HOUR


def _changes() -> Iterator[tuple[str, datetime]]:
    """Each zone and evening."""
    for zone, days in _CHANGES.items():
        for day in days:
            yield zone, _at(zone, *day, 20)


@probe("TIME-1")
def only_forward(context: Context) -> Outcome:
    """Each next time asked from the one before it, and a claim that comes early."""
    asked = 0
    with _bench(context, "forward") as bench:
        for zone, start in _changes():
            bench.set(start, zone)
            for text in ("every 50m", *_FIXED, *_ELAPSED):
                at = start
                while at < start + 8 * _HOUR:
                    following = bench.next_run(text, at)
                    if following is None or following <= at:
                        came, base = _say(following, zone), _say(at, zone)
                        return violated(f"{text!r} in {zone}: after {base} came {came}")
                    at, asked = following.astimezone(UTC), asked + 1
        if problem := _claimed_early(bench):
            return violated(problem)
    return held(f"{asked} times asked, each answer strictly later than its base; claims too")


def _claimed_early(bench: InstantsBench) -> str | None:
    """What is wrong when an occurrence is taken before it comes, as a webhook does."""
    for zone in _CHANGES:
        for text in ("0 9 * * *", "every 45m"):
            bench.set(_at(zone, 2026, 6, 1, 8, 30), zone)
            job_id = str(bench.add(text)["id"])
            before = _planned(bench, job_id)
            won, after = bench.claim(job_id), _planned(bench, job_id)
            if not won or before is None or after is None or after <= before:
                was, came = _say(before, zone), _say(after, zone)
                return f"{text!r} in {zone}: claimed early for {was}, it is planned for {came}"
    return None


@probe("TIME-2")
def wall_time(context: Context) -> Outcome:
    """Fixed times and elapsed ones about eight changes of the clocks, against the oracle."""
    compared = 0
    with _bench(context, "walls") as bench:
        for zone, start in _changes():
            bench.set(start, zone)
            for text in (*_FIXED, *_ELAPSED):
                expected = _expected(text, zone, start, start + _WINDOW)
                found = _found(bench, text, start)
                if found != expected:
                    return violated(_difference(text, zone, found, expected))
                compared += len(expected)
    return held(f"{compared} occurrences about {2 * len(_CHANGES)} changes of the clocks")


def _found(bench: InstantsBench, text: str, start: datetime) -> list[datetime]:
    """What the host says comes in the window; asked a moment after each."""
    found: list[datetime] = []
    at = start + _MOMENT
    while (following := bench.next_run(text, at)) is not None:
        following = following.astimezone(UTC)
        if following > start + _WINDOW or following < at:
            break
        found.append(following)
        at = following + _MOMENT
    return found


def _difference(text: str, zone: str, found: list[datetime], expected: list[datetime]) -> str:
    odd = min(set(found) ^ set(expected), default=None)
    shown = _say(odd, zone)
    if odd in expected:
        return f"{text!r} in {zone}: it does not come at {shown}"
    return f"{text!r} in {zone}: it comes at {shown}, where nothing is due"


@probe("TIME-3")
def on_its_grid(context: Context) -> Outcome:
    """An interval whose tick is late, whose run is slow, whose host was down for a while."""
    zone, period = "America/New_York", 30 * _MINUTE
    created = _at(zone, 2026, 3, 7, 22, 10)  # the clocks change in the course of it
    first = created + period
    with _bench(context, "grid") as bench:
        bench.set(created, zone)
        job_id = str(bench.add("every 30m")["id"])
        for what, late, lasts in (
            ("a tick in time", timedelta(0), _MINUTE),
            ("a late tick", 7 * _MINUTE, _MINUTE),
            ("a slow run", _MINUTE, 50 * _MINUTE),
            ("four hours down", 4 * _HOUR, _MINUTE),
            ("a run after that", timedelta(0), 2 * _MINUTE),
        ):
            planned = _planned(bench, job_id)
            if planned is None:
                return violated(f"before {what}, no next time is stored")
            bench.set(planned + late)
            if bench.due() != [job_id] or not bench.claim(job_id):
                return unknown(f"with {what}, the job could not be taken for {planned}")
            at_claim = _planned(bench, job_id)
            bench.set(planned + late + lasts)
            bench.complete(job_id)
            for after in (at_claim, _planned(bench, job_id)):
                if after is None or (after - first) % period or after <= planned:
                    came, grid = _say(after, zone), _say(first, zone)
                    return violated(f"after {what}, it comes at {came}: off the grid from {grid}")
    return held("on the grid of its first occurrence after a late tick, a slow run, a long night")


_NAIVE = (
    ("Asia/Kathmandu", "2026-07-01T09:00:00"),
    ("America/New_York", "2026-03-08T02:30:00"),  # in a gap
    ("America/New_York", "2026-11-01T01:30:00"),  # in a repeated hour
    ("Pacific/Auckland", "2026-07-01T09:00:00"),
)


@probe("TIME-4")
def naive_is_local(context: Context) -> Outcome:
    """Timestamps without an offset: where they are planned, and when they are due."""
    created, end = _at("UTC", 2026, 1, 5), _at("UTC", 2027, 1, 1)
    with _bench(context, "naive") as bench:
        for zone, wall in _NAIVE:
            bench.set(created, zone)
            job_id = str(bench.add(wall)["id"])
            (expected,) = _expected(wall, zone, created, end)
            if (planned := _planned(bench, job_id)) != expected:
                return violated(f"{wall!r} in {zone} came out as {_say(planned, zone)}")
            for moment, wanted in ((expected - _MINUTE, False), (expected + _MOMENT, True)):
                bench.set(moment)
                if (job_id in bench.due()) != wanted:
                    word = "not due at its time" if wanted else "due before its time"
                    return violated(f"{wall!r} in {zone} is {word}, {_say(expected, zone)}")
            bench.pause(job_id)
    return held(f"{len(_NAIVE)} naive timestamps in the configured zone, in a gap too")


# What the zone was, what it becomes, and when (in the new one); the job is due at 21:00 of the day.
_MOVES = (
    ("Australia/Brisbane", "Africa/Johannesburg", (2026, 6, 1, 8)),
    ("Africa/Johannesburg", "Australia/Brisbane", (2026, 6, 1, 12)),
    ("Asia/Kolkata", "America/New_York", (2026, 6, 1, 8)),
)


@probe("TIME-5")
def another_zone(context: Context) -> Outcome:
    """A daily cron job and a change of the zone: when it runs in the two days after."""
    for old, new, when in _MOVES:
        with _bench(context, f"moves-{old.replace('/', '-')}") as bench:
            moved = _at(new, *when)
            bench.set(moved - 2 * _HOUR, old)
            job_id = str(bench.add("0 21 * * *")["id"])
            expected = _expected("0 21 * * *", new, moved, moved + 2 * _DAY)
            ran = _ran(bench, job_id, new, moved)
            if ran != expected:
                odd = min(set(ran) ^ set(expected), default=moved)
                what = "ran" if odd in ran else "did not run"
                return violated(f"0 21 * * * moved from {old} to {new}: it {what} {_say(odd, new)}")
    return held(f"in each of {len(_MOVES)} moves it ran at 21:00 of the new zone, once a day")


def _ran(bench: InstantsBench, job_id: str, zone: str, start: datetime) -> list[datetime]:
    """When the job ran in two days, looked at every hour."""
    ran: list[datetime] = []
    for hours in range(1, 49):
        at = start + hours * _HOUR
        bench.set(at, zone)
        if bench.due() == [job_id] and bench.claim(job_id):
            ran.append(at)
            bench.complete(job_id)
    return ran


@probe("TIME-6")
def too_late(context: Context) -> Outcome:
    """A one-shot 119 s past and one 121 s past: created, resumed, given to another job."""
    zone, now = "Europe/Berlin", _at("Europe/Berlin", 2026, 6, 1, 12)
    late, just = (now - timedelta(seconds=ago) for ago in (121, 119))
    with _bench(context, "past") as bench:
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
    with _bench(context, "wrong") as bench:
        bench.set(_at("UTC", 2026, 6, 1), "UTC")
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
