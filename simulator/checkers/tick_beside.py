"""TICK-4 to 8: the loop beside its ticks: heartbeats, long runs, cadence."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import islice, pairwise

from simulator.checkers.clocks import refused_before
from simulator.checkers.drift import crept
from simulator.checkers.dues import Outcome
from simulator.checkers.facts import Facts, facts_of
from simulator.checkers.finding import Finding, Judgement
from simulator.checkers.happened import BodyRun, Life, Tick, merge
from simulator.checkers.loops import goes_on_after, lives_with_ticks, turns_of
from simulator.checkers.matching import match_all
from simulator.checkers.struck import deadline_us, start_struck
from simulator.checkers.ticks import Ticks, Track, tracks_of
from simulator.durations import SECOND_US
from simulator.event import Event
from simulator.history import History
from simulator.scenario import Scenario

__all__ = ["tick_4", "tick_5", "tick_6", "tick_7", "tick_8"]

_BURST = 2  # ticks closer than the interval divided by this are a burst


def tick_4(history: History, scenario: Scenario) -> Finding:
    """A heartbeat that cannot be written changes nothing."""
    facts = facts_of(history, scenario)
    judgement = Judgement("TICK-4", "every heartbeat could be written")
    failed = [
        beats[place]
        for beats in tracks_of(history, "heartbeat").values()
        for place in beats.where(lambda data: data.get("ok") is False)
    ]
    failed += [e for e in history.of("fault") if e.data.get("seam") == "store.signal"]
    _loop_survives(facts, judgement, failed, "a heartbeat that could not be written")
    return judgement.finding()


def tick_5(history: History, scenario: Scenario) -> Finding:
    """Nothing that heartbeat, start-up recovery, dispatch gate or a wait raises ends the loop."""
    facts = facts_of(history, scenario)
    judgement = Judgement("TICK-5", "neither heartbeat, recovery, dispatch gate nor a wait raised")
    raised = [
        event
        for event in history.of("fault")
        if event.data.get("seam") in {"heartbeat", "recover", "dispatch", "wait"}
        and event.data.get("does") == "raise"
    ]
    _loop_survives(facts, judgement, raised, "an error beside the tick")
    return judgement.finding()


def _loop_survives(facts: Facts, judgement: Judgement, events: list[Event], what: str) -> None:
    """After each of these events a tick begins within an interval."""
    for life, ticks in lives_with_ticks(facts):
        for event in events:
            inside = event.machine == life.machine and life.boot.n < event.n
            if not inside or (life.end is not None and life.end.n < event.n):
                continue
            if _starts_later(facts, life, ticks, event):
                continue
            goes_on = goes_on_after(facts, life, ticks, event)
            if _left_with(life, ticks, event):  # a fallback that ticks on hides it only
                judgement.violated(f"machine {life.machine}: the loop ended with {what}", event)
            elif goes_on is not None:
                judgement.reached(event)
                if not goes_on:
                    judgement.violated(f"machine {life.machine}: no tick after {what}", event)


def _starts_later(facts: Facts, life: Life, ticks: Ticks, event: Event) -> bool:
    """Whether a fault struck a start after this event, with no tick between: no loop was there."""
    return any(
        event.n < struck.n < life.end_n
        and struck.machine == life.machine
        and ticks.begun_before(struck.n) == ticks.begun_until(event.n)
        for struck in start_struck(facts)
    )


def _left_with(life: Life, ticks: Ticks, event: Event) -> bool:
    """Whether the provider's start was left by an error right after this event."""
    left = life.start_left
    if left is None or left.kind != "provider.raised" or left.n < event.n:
        return False
    between = ticks.begun_before(left.n) - ticks.begun_until(event.n)
    return left.at_us == event.at_us and not between


def tick_6(history: History, scenario: Scenario) -> Finding:
    """Ticks are asked for with sync=False: a long job delays no tick and no other job."""
    facts = facts_of(history, scenario)
    judgement = Judgement("TICK-6", "no run was longer than the interval of a loop")
    long_runs = [
        run
        for run in facts.all_runs
        if run.end_us - run.begin.at_us > facts.interval_us + facts.slack_us
    ]
    for life, ticks in lives_with_ticks(facts):
        for place in ticks.begins.where(lambda data: data.get("sync") is not False):
            judgement.violated(
                f"machine {life.machine}: a tick that waits for its jobs", ticks.begins[place]
            )
        for run in long_runs:
            if run.begin.machine == life.machine and life.boot.n < run.begin.n:
                _ticks_beside(facts, judgement, (life, ticks), run)
    if facts.blocking:
        _others_in_time(facts, judgement, long_runs)
    return judgement.finding()


def _others_in_time(facts: Facts, judgement: Judgement, long_runs: Sequence[BodyRun]) -> None:
    """While a long run is on, other jobs start when they are due."""
    for match in match_all(facts).values():
        for due in match.dues:
            if due.outcome not in {Outcome.LATE, Outcome.MISSED}:
                continue
            for run in long_runs:
                if run.job != due.job and run.begin.at_us <= due.at_us <= run.end_us:
                    judgement.violated(
                        f"job {due.job}: {due.outcome.value} while {run.job} was on",
                        run.begin,
                        due.run.begin if due.run else None,
                    )
                    break


def _ticks_beside(
    facts: Facts, judgement: Judgement, loop: tuple[Life, Ticks], run: BodyRun
) -> None:
    """While a long run is on, ticks come at their interval."""
    (life, ticks), begin, end_us = loop, run.begin, run.end_us
    until_us = min(end_us, life.serves_until_us, facts.end_us)
    goes_on = goes_on_after(facts, life, ticks, begin)
    if goes_on is None:
        return
    judgement.reached(begin)
    turns = turns_of(facts, life, ticks)
    index = bisect_left(turns.ns, begin.n)
    at_us = begin.at_us
    allowed_us = facts.interval_us + facts.slack_us
    for place in range(index, len(turns.ns) + 1):
        then_us = until_us
        if place < len(turns.ns):
            then_us = min(turns.at_us[place], until_us)
        if then_us > deadline_us(facts, life.machine, at_us, allowed_us):
            judgement.violated(
                f"machine {life.machine}: no tick for {(then_us - at_us) // SECOND_US} s "
                "while a long job was on",
                begin,
            )
            return
        at_us = then_us
        if at_us >= until_us:
            return


def tick_7(history: History, scenario: Scenario) -> Finding:
    """A tick that could not look is not a success."""
    facts = facts_of(history, scenario)
    judgement = Judgement("TICK-7", "every tick could look")
    beats = tracks_of(history, "heartbeat")
    blind = [
        event
        for event in history.of("fault")
        if event.data.get("seam") in {"store.read", "store.lock"}
        and event.data.get("does") == "raise"
        and event.data.get("lock", "jobs") == "jobs"
    ]
    for cause in blind:
        tick = _tick_around(facts, cause)
        if tick is None or tick.end is None or _tried_again(facts, tick, cause):
            continue
        if _had_looked(facts, tick, cause):
            continue
        judgement.reached(cause)
        mine = beats.get(cause.machine, Track(cause.machine, "heartbeat"))
        index = bisect_right(mine.ns, tick.end.n)
        after = mine[index] if index < len(mine) else None
        if after is not None and after.data.get("success") is True:
            judgement.violated(
                f"machine {cause.machine}: a tick that could not look counts as a success",
                cause,
                after,
            )
    return judgement.finding()


def _tried_again(facts: Facts, tick: Tick, cause: Event) -> bool:
    """Whether it may be no look at what is due that failed: a result, a recovery, or a claim.

    These are tried again, a claim that was to be given back without a word about what is done.
    """
    phase = cause.data.get("phase")
    if phase is None:
        return refused_before(facts, tick, "lock", "read", "write", "sync", "replace")
    return phase in {"mark", "recover"}


def _had_looked(facts: Facts, tick: Tick, cause: Event) -> bool:
    """Whether a tick took what was due before something failed, or stored jobs after it."""
    assert tick.end is not None
    stored = facts.history.of("store.commit")
    first = bisect_right(stored, tick.begin.n, key=lambda event: event.n)
    failed = bisect_right(stored, cause.n, key=lambda event: event.n)
    last = bisect_right(stored, tick.end.n, key=lambda event: event.n)
    took = any(
        isinstance((record or {}).get("fire_claim"), dict)
        for event in islice(stored, first, failed)
        if event.data.get("by") == cause.machine
        for _, record in event.data["changes"]
    )
    return took or any(
        event.data.get("by") == cause.machine and not _by_an_operator(facts, event)
        for event in islice(stored, failed, last)
    )


def _by_an_operator(facts: Facts, stored: Event) -> bool:
    """Whether jobs were stored while an operator changed some, in the gateway too."""
    return any(
        op.begin.n < stored.n and (op.end is None or stored.n < op.end.n)
        for op in facts.ops
        if op.do == "tick" or (op.job is not None and op.do != "deliver")
    )


def _tick_around(facts: Facts, event: Event) -> Tick | None:
    """The tick that an event fell into; None also when it may have fallen into a run beside it."""
    ticks = facts.ticks_at(event.machine)
    index = ticks.begun_until(event.n) - 1
    if index < 0:
        return None
    tick = ticks[index]
    if tick.end is not None and tick.end.n < event.n:
        return None
    windows = facts.history.derived(
        ("runs on", event.machine),
        lambda: merge(
            (run.begin.n, run.end_n) for run in facts.all_runs if run.begin.machine == event.machine
        ),
    )
    index = bisect_right(windows, (event.n, 0)) - 1
    beside = index >= 0 and windows[index][1] > event.n
    return None if beside else tick


def _on_grid(facts: Facts, earlier_us: int, late_us: int, at_us: int) -> bool:
    """Whether a tick only keeps to its grid, after one that was late by less than an interval."""
    off_us = abs(at_us - earlier_us - 2 * facts.interval_us)
    return late_us < at_us and off_us <= SECOND_US


def tick_8(history: History, scenario: Scenario) -> Finding:
    """No burst of ticks, also not after a long one, and no drift that leaves one out."""
    facts = facts_of(history, scenario)
    judgement = Judgement("TICK-8", "no tick was late")
    if facts.interval_us == 0:
        return judgement.finding()
    turns = [event.n for event in history.of("fallback", "provider.raised", "provider.returned")]
    for life, ticks in lives_with_ticks(facts):
        begins = ticks.begins
        if (between := crept(facts, life.machine, begins)) is not None:
            first, last = (begins[place] for place in between)
            judgement.violated(
                f"machine {life.machine}: {between[1] - between[0]} ticks in "
                f"{(last.at_us - first.at_us) // SECOND_US} s, with an interval of "
                f"{facts.interval_us // SECOND_US} s: they creep past it",
                first,
                last,
            )
        late_us, near_us = facts.interval_us + facts.slack_us, facts.interval_us // _BURST
        for index, (before_us, at_us) in enumerate(pairwise(begins.at_us)):
            apart_us = at_us - before_us
            if near_us <= apart_us <= late_us:
                continue
            before, tick = begins[index], begins[index + 1]
            if bisect_left(turns, before.n) != bisect_left(turns, tick.n):
                continue  # another loop took over
            if apart_us > late_us:
                judgement.reached(tick)
            if index and _on_grid(facts, begins.at_us[index - 1], before_us, at_us):
                continue
            if apart_us + facts.held_us < near_us:
                judgement.violated(
                    f"machine {life.machine}: ticks {apart_us // 1000} ms apart, with an interval "
                    f"of {facts.interval_us // SECOND_US} s",
                    before,
                    tick,
                )
    return judgement.finding()
