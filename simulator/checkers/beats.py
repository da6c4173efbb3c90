"""TICK-3: the heartbeats of a loop, against its ticks."""

from bisect import bisect_right

from simulator.checkers.facts import facts_of
from simulator.checkers.finding import Finding, Judgement
from simulator.checkers.happened import FOREVER
from simulator.checkers.loops import lives_with_ticks
from simulator.checkers.ticks import NO_END, Ticks, Track, tracks_of
from simulator.history import History
from simulator.scenario import Scenario

__all__ = ["tick_3"]


def tick_3(history: History, scenario: Scenario) -> Finding:
    """A heartbeat before the first tick and after every one; success only after a clean tick."""
    facts = facts_of(history, scenario)
    judgement = Judgement("TICK-3", "no tick came to an end")
    beats = tracks_of(history, "heartbeat")
    works = {machine: _successes(track) for machine, track in beats.items()}
    for life, ticks in lives_with_ticks(facts):
        assert life.started is not None
        if not ticks:
            continue
        mine = beats.get(life.machine, Track(life.machine, "heartbeat"))
        at = bisect_right(mine.ns, life.started.n)
        if at == len(mine) or mine.ns[at] > ticks.begins.ns[0]:
            judgement.violated(
                f"machine {life.machine}: no heartbeat before the first tick", ticks[0].begin
            )
        end_n = life.end.n if life.end is not None else FOREVER
        _beats_after(judgement, ticks, mine, works.get(life.machine, b""), end_n)
    return judgement.finding()


def _successes(beats: Track) -> bytes:
    """For each heartbeat, whether it says that the tick before it was clean."""
    return beats.flags(lambda data: data.get("success") is True)


def _beats_after(
    judgement: Judgement, ticks: Ticks, beats: Track, works: bytes, end_n: int
) -> None:
    """Judge the heartbeats between each tick and the next, or the end after the last."""
    begun, beaten = ticks.begins.ns, beats.ns
    failed = ticks.failed()
    at, last = bisect_right(beaten, begun[0]), len(begun) - 1
    for place, tick_end_n in enumerate(ticks.ends.ns):
        if tick_end_n == NO_END:
            continue
        until_n = begun[place + 1] if place < last else end_n
        while at < len(beaten) and beaten[at] < tick_end_n:
            at += 1
        first = at
        while at < len(beaten) and beaten[at] < until_n:
            at += 1
        success = works.find(1, first, at)
        if first < at:
            judgement.reached_at(tick_end_n)
        if (wrong := _wrong(first < at, place < last, success >= 0, bool(failed[place]))) is None:
            continue
        marks = [beats[success]] if success >= 0 else []
        judgement.violated(f"machine {beats.machine}: {wrong}", ticks[place].end, *marks)


def _wrong(beaten: bool, followed: bool, marked: bool, failed: bool) -> str | None:
    """What is wrong with the heartbeats after a tick, if anything is."""
    if not beaten:
        return "no heartbeat after a tick" if followed else None
    if marked == failed:
        return (
            "a success mark after a tick that raised"
            if failed
            else "a clean tick, and no success mark"
        )
    return None
