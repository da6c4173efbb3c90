"""What was so each time a status was asked for, by ticks, signals of the store and lives."""

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from simulator.checkers.dues import Outcome
from simulator.checkers.facts import Facts
from simulator.checkers.happened import FOREVER, Life, Tick, Window, merge
from simulator.checkers.left_claims import left_claims
from simulator.checkers.matching import match_all
from simulator.checkers.misread import lost_writes
from simulator.checkers.reading import age_us, read_at_us
from simulator.checkers.struck import lasts_us
from simulator.durations import SECOND_US
from simulator.event import Event

__all__ = [
    "NEAR_US",
    "Truth",
    "something_wrong",
    "stale",
    "stale_after_us",
    "truths",
]

NEAR_US = 2 * SECOND_US
"""Nearer to a border than this nothing is judged."""
_BEAT, _SUCCESS = _STATED = ("ticker_heartbeat", "ticker_last_success")
_INTERVALS_STALE = 3
_STALE_EXTRA_US = 20 * SECOND_US

_Written = dict[tuple[str, object], int]
"""The number of the last write of each evidence file, by machine and name."""


@dataclass(slots=True)
class Truth:
    """What was so when a status was asked for.

    Attributes:
        status: What was said.
        lives: The gateways that were up.
        beat_us: Age of the last heartbeat in the store, by the reader's clock as all ages here;
            None when there is none.
        success_us: Age of the last success mark; None when there is none.
        under_way_us: For how long a tick of a living gateway was at work; None when none was.
        untold_us: How long ago the last tick began that is over and still stands there as under
            way: its end, which the next heartbeat writes, could not be written. None without one.
        tick_told: Whether such a tick had left a signal since it began: it says that it is at work.
        silent: Whether another gateway, in no such tick, left no signal for as long as is stale.
        clean_since_start: Whether a living loop had a clean tick since it started.
        beat_life: Whether the last heartbeat is of a process that is up.
        ahead_us: How far the time that a signal states lies ahead of the clock; 0 when it does not.
    """

    status: Event
    lives: list[Life]
    beat_us: int | None
    success_us: int | None
    under_way_us: int | None
    untold_us: int | None
    tick_told: bool
    silent: bool
    clean_since_start: bool
    beat_life: bool
    ahead_us: int = 0

    @property
    def promises(self) -> bool:
        """Whether it was said that jobs will fire."""
        return bool(self.status.data.get("promises"))

    def says(self, phrase: str) -> bool:
        """Whether one of the fixed phrases was said."""
        return phrase in self.status.data.get("says", ())


def truths(facts: Facts) -> list[Truth]:
    """The truth at every status, of a blocking provider."""

    def build() -> list[Truth]:
        clean = {life.boot.n: _first_clean(facts, life) for life in facts.all_lives}
        found = []
        for status, written in _each_status(facts):
            beat, success = _last(facts, written, _BEAT), _last(facts, written, _SUCCESS)
            lives = facts.serving(status.n)
            last = [tick for life in lives for tick in _last_tick(facts, life, status.n)]
            running = [tick for tick in last if tick.end is None or tick.end.n > status.n]
            telling = [tick for tick in running if _told(facts, tick, status)]
            told = [tick for life in lives for tick in _told_last(facts, life, written)]
            untold = [tick for tick in told if _end_untold(facts, tick, status)]
            found.append(
                Truth(
                    status,
                    lives,
                    age_us(facts, status, _taken(facts, beat)) if beat is not None else None,
                    age_us(facts, status, _taken(facts, success)) if success is not None else None,
                    max((_works_us(facts, tick, status) for tick in running), default=None),
                    min((age_us(facts, status, tick.begin) for tick in untold), default=None),
                    bool(telling),
                    len(lives) > 1
                    and any(_silent(facts, life, telling, status, written) for life in lives),
                    any(clean[life.boot.n] < status.n for life in lives),
                    beat is not None and any(life.boot.n < beat.n for life in lives),
                    max(
                        [
                            0,
                            *(
                                _stated_us(one) - read_at_us(facts, status)
                                for one in (beat, success)
                                if one
                            ),
                        ]
                    ),
                )
            )
        return found

    return facts.history.derived("truths", build) if facts.blocking else []


def _each_status(facts: Facts) -> Iterator[tuple[Event, _Written]]:
    """Each status, with what had been written before it."""
    waiting, last = deque(facts.history.of("status")), _Written()
    for ns, _, machines, data in facts.history.columns("signal"):
        files, done = list(zip(machines, [one.get("name") for one in data], strict=True)), 0
        while waiting and waiting[0].n < ns[-1]:
            place = bisect_right(ns, waiting[0].n)
            last.update(zip(files[done:place], ns[done:place], strict=True))
            yield waiting.popleft(), dict(last)
            done = place
        last.update(zip(files[done:], ns[done:], strict=True))
    for status in waiting:
        yield status, last


def _last(facts: Facts, written: _Written, name: str) -> Event | None:
    """The last write of a file; None when what it wrote is no plausible time."""
    numbers = [n for (_, its), n in written.items() if its == name]
    signal = facts.history[max(numbers)] if numbers else None
    return signal if signal is not None and math.isfinite(_stated_s(signal)) else None


def _taken(facts: Facts, signal: Event) -> Event:
    """When the time was taken that a signal states: before its write, which a fault may hold up."""
    return facts.history.derived("signals held up", lambda: _held_up(facts)).get(signal.n, signal)


def _held_up(facts: Facts) -> dict[int, Event]:
    """The fault that held up the write of a signal, by the number of that."""
    found = {}
    for fault in facts.history.of("fault"):
        if (fault.data.get("seam"), fault.data.get("does")) != ("store.signal", "hang"):
            continue
        over_us = fault.at_us + lasts_us(facts, fault)
        signals = facts.history.of("signal")
        since = bisect_right(signals, fault.n, key=lambda event: event.n)
        later = (event for event in islice(signals, since, None) if event.machine == fault.machine)
        written = next((event for event in later if event.at_us >= over_us), None)
        if written is not None and written.at_us == over_us:
            found[written.n] = fault
    return found


def _stated_s(signal: Event) -> float:
    """The time that an evidence file holds; NaN when it holds none."""
    try:
        return float(signal.data.get("content") or "nan")
    except ValueError:
        return math.nan


def _stated_us(signal: Event) -> int:
    return round(_stated_s(signal) * SECOND_US)


def _first_clean(facts: Facts, life: Life) -> int:
    """The number of the event that ended the first clean tick of a process; FOREVER for none."""
    ticks = facts.ticks_at(life.machine)
    last = len(ticks) if life.end is None else ticks.begun_until(life.end.n)
    mine = map(ticks.__getitem__, range(ticks.begun_until(life.boot.n), last))
    return next((tick.end.n for tick in mine if tick.clean and tick.end), FOREVER)


def _last_tick(facts: Facts, life: Life, n: int) -> list[Tick]:
    """The last tick that a process began before event `n`."""
    ticks = facts.ticks_at(life.machine)
    index = ticks.begun_until(n) - 1
    return [] if index < 0 or ticks.begins.ns[index] < life.boot.n else [ticks[index]]


def _silent(
    facts: Facts, life: Life, telling: Sequence[Tick], status: Event, written: _Written
) -> bool:
    """Whether a gateway that is in none of these ticks left no signal for longer than is fresh."""
    if any(tick.begin.machine == life.machine for tick in telling):
        return False
    numbers = [n for (machine, _), n in written.items() if machine == life.machine]
    last_us = facts.history[max(numbers)].at_us if numbers else life.boot.at_us
    return status.at_us - last_us > stale_after_us(facts) - NEAR_US - facts.skew_us


def _told_last(facts: Facts, life: Life, written: _Written) -> list[Tick]:
    """The tick in which a process wrote the last signal before a status that may tell of one.

    The two of the host's contract state when the loop lived and worked, and nothing else.
    """
    told = [n for (by, its), n in written.items() if by == life.machine and its not in _STATED]
    last = [(tick, max(told)) for tick in _last_tick(facts, life, max(told))] if told else []
    return [tick for tick, n in last if tick.end is None or n < tick.end.n]


def _end_untold(facts: Facts, tick: Tick, status: Event) -> bool:
    """Whether a fault kept the end of a tick, which told of itself last, from being told."""
    end = tick.end
    return end is not None and end.n < status.n and _any_of(facts.history.of("fault"), end, status)


def _works_us(facts: Facts, tick: Tick, status: Event) -> int:
    """For how long a tick was at work: not while a fault held its call back."""
    held_back = [
        event._replace(at_us=event.at_us + lasts_us(facts, event))
        for event in _between(facts.history.of("fault"), tick.begin, status)
        if (event.data.get("seam"), event.data.get("does")) == ("tick", "hang")
    ]
    over = [until for until in held_back if until.at_us <= status.at_us]
    return age_us(facts, status, max([tick.begin, *over], key=lambda event: event.at_us))


def _told(facts: Facts, tick: Tick, status: Event) -> bool:
    """Whether the machine of a tick wrote any signal between its beginning and a status.

    With a tick by hand there meanwhile nobody knows which of the two it was of.
    """
    by_hand = any(
        op.begin.n < status.n and (op.end is None or op.end.n > tick.begin.n)
        for op in facts.ops
        if op.do == "tick" and op.step is not None and op.step.machine == tick.begin.machine
    )
    return not by_hand and _any_of(facts.history.of("signal"), tick.begin, status)


def _any_of(events: Sequence[Event], after: Event, before: Event) -> bool:
    """Whether one of these events is of the machine of `after` and lies between the two."""
    return any(_between(events, after, before))


def _between(events: Sequence[Event], after: Event, before: Event) -> Iterator[Event]:
    """Those of the machine of `after` that lie between the two."""
    first = bisect_right(events, after.n, key=lambda event: event.n)
    last = bisect_right(events, before.n, key=lambda event: event.n)
    some = (events[place] for place in range(first, last))
    return (event for event in some if event.machine == after.machine)


def stale_after_us(facts: Facts) -> int:
    """Older than this a signal is stale (HOST.md, Status lines)."""
    return _INTERVALS_STALE * facts.interval_us + _STALE_EXTRA_US


def stale(facts: Facts, old_us: int | None) -> bool | None:
    """Whether an age is stale; None when there is none, or it is too near a border."""
    limit_us = stale_after_us(facts)
    if old_us is None or old_us < -NEAR_US or abs(old_us - limit_us) <= NEAR_US + facts.skew_us:
        return None
    return old_us > limit_us


def something_wrong(facts: Facts, status: Event) -> bool:
    """Whether anything could rightly take a promise away."""
    troubled = facts.history.derived("troubled", lambda: _troubled(facts))
    index = bisect_right(troubled, (status.at_us, FOREVER)) - 1
    return index >= 0 and troubled[index][1] >= status.at_us


def _troubled(facts: Facts) -> list[Window]:
    """When a status may say less than that all is well: trouble, and a while after it."""
    if any(job.record for job in facts.scenario.jobs):
        return [(0, FOREVER)]
    while_us, history = stale_after_us(facts), facts.history
    passing = [
        *facts.faults,
        *history.of("crash", "stopped", "provider.start", "op"),
        *facts.failed_ticks,
    ]
    lasting = [
        *history.of("fallback", "provider.raised"),
        *[event for event in history.of("run.end") if event.data.get("ok") is not True],
        *[run.died for run in facts.all_runs if run.died is not None],
    ]
    windows = [(event.at_us, event.at_us + lasts_us(facts, event) + while_us) for event in passing]
    windows += [
        (op.begin.at_us, op.begin.at_us + (op.step.lasts or 0) + while_us)
        for op in facts.ops
        if op.do == "suspend" and op.step is not None
    ]
    windows += [(event.at_us, FOREVER) for event in lasting]
    windows += [
        (left.crash.at_us, left.until_us + while_us)
        for job in facts.scenario.jobs
        for left in left_claims(facts, job.id)
    ]
    windows += [
        (event.at_us, max(_well_us(facts, job, event) for job in jobs))
        for event, jobs in lost_writes(facts)
    ]
    for match in match_all(facts).values():
        for due in match.dues:
            begun_us = due.run.begin.at_us if due.run is not None else FOREVER
            bad = due.outcome in {Outcome.LATE, Outcome.MISSED}
            windows.append((due.at_us, begun_us if bad else min(begun_us, due.at_us + while_us)))
    return merge(windows)


def _well_us(facts: Facts, job: str, lost: Event) -> int:
    """When a job had run well again, after the store lost what was written of it."""
    runs = (run for run in facts.runs.get(job, ()) if run.begin.n > lost.n)
    ends = (run.end_us for run in runs if run.end is not None and run.end.data.get("ok"))
    return next(ends, FOREVER) + facts.slack_us
