"""TIME: the right instant. What is right comes from the simulator's oracle, never from the host."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from contract_tests.benches.instants import InstantsBench
from contract_tests.engine import Context, Outcome, held, probe, unknown, violated
from contract_tests.surroundings import captured_logs, home, unsynced
from simulator import oracle

__all__ = ["instant_at", "instants_on"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_MOMENT = timedelta(seconds=1)


@contextlib.contextmanager
def instants_on(context: Context, label: str) -> Iterator[InstantsBench]:
    """A bench on a fresh home."""
    folder = context.folder / "instants" / label / "home"
    with home(folder), captured_logs(), unsynced(), context.host.instants_bench() as bench:
        yield bench


def instant_at(zone: str, *parts: int) -> datetime:
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
_AS_JOBS = ("15 1,2 * * *", "*/30 2 * * *")
_WINDOW = 14 * _HOUR


def _changes() -> Iterator[tuple[str, datetime]]:
    """Each zone and evening."""
    for zone, days in _CHANGES.items():
        for day in days:
            yield zone, instant_at(zone, *day, 20)


@probe("TIME-1")
def only_forward(context: Context) -> Outcome:
    """Each next time asked from the one before it, and a claim that comes early."""
    asked = 0
    with instants_on(context, "forward") as bench:
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
            bench.set(instant_at(zone, 2026, 6, 1, 8, 30), zone)
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
    with instants_on(context, "walls") as bench:
        for zone, start in _changes():
            bench.set(start, zone)
            for text in (*_FIXED, *_ELAPSED):
                expected = _expected(text, zone, start, start + _WINDOW)
                found = _found(bench, text, start)
                if found != expected:
                    return violated(_difference(text, zone, found, expected))
                compared += len(expected)
            for text in _AS_JOBS:
                expected = _expected(text, zone, start, start + _DAY)
                found = _run_in_turn(bench, str(bench.add(text)["id"]), start + _DAY)
                if found != expected:
                    return violated("as a job, " + _difference(text, zone, found, expected))
                compared += len(expected)
                bench.set(start)
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


def _run_in_turn(bench: InstantsBench, job_id: str, until: datetime) -> list[datetime]:
    """The occurrences of a job that is due, taken and completed at each of them, then paused."""
    found: list[datetime] = []
    while (planned := _planned(bench, job_id)) is not None and planned <= until:
        bench.set(planned)
        if job_id not in bench.due() or not bench.claim(job_id):
            break
        found.append(planned.astimezone(UTC))
        bench.complete(job_id)
    bench.pause(job_id)
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
    created = instant_at(zone, 2026, 3, 7, 22, 10)  # the clocks change in the course of it
    first = created + period
    with instants_on(context, "grid") as bench:
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
    created, end = instant_at("UTC", 2026, 1, 5), instant_at("UTC", 2027, 1, 1)
    with instants_on(context, "naive") as bench:
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
        with instants_on(context, f"moves-{old.replace('/', '-')}") as bench:
            moved = instant_at(new, *when)
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
