"""TICK-1 and 2: a blocking provider's loop, from its first tick to how it is left."""

from bisect import bisect_right
from itertools import islice

from simulator.checkers.clocks import LOCK_BOUND_US, kept_locks
from simulator.checkers.facts import Facts, facts_of
from simulator.checkers.finding import Finding, Judgement
from simulator.checkers.happened import Life, Window, merge
from simulator.checkers.loops import goes_on_after, lives_with_ticks
from simulator.checkers.outcomes import touching
from simulator.checkers.struck import deadline_us, lasts_us, start_struck
from simulator.checkers.ticks import Ticks
from simulator.durations import SECOND_US
from simulator.event import Event
from simulator.history import History
from simulator.scenario import Scenario

__all__ = ["tick_1", "tick_2"]

_AT_ONCE_US = SECOND_US


def tick_1(history: History, scenario: Scenario) -> Finding:
    """It ticks at once, at least once, and leaves promptly after the stop event is set, not before.

    A loop that ends with a tick that raised is TICK-2's affair.
    """
    facts = facts_of(history, scenario)
    judgement = Judgement("TICK-1", "no provider with a loop was started")
    for life, ticks in lives_with_ticks(facts):
        assert life.started is not None
        until_us = min(life.end_us, facts.end_us)
        at_once_us, hung = _at_once_us(facts, life)
        if ticks and ticks[0].begin.at_us <= at_once_us:
            judgement.reached(ticks[0].begin)
        elif _no_leave(facts, life, at_once_us) or _nobody_to_tick(facts, life):
            pass  # the host refused what would have been the first tick, or no loop could start
        elif until_us > at_once_us or (
            # Who is held back, by a fault or by the tape, may be asked to leave before it.
            life.stop_requested is not None and not hung and not facts.held_us
        ):
            judgement.violated(f"machine {life.machine}: no tick at its start", life.started)
        left, asked = life.start_left, life.stop_requested
        if any(facts.life_at(struck) is life for struck in start_struck(facts)):
            continue
        if _is_unasked(life) and left is not None and _met_our_limits(history, left):
            continue
        if _is_unasked(life) and _raised_last(facts, life, ticks) is None:
            judgement.violated(
                f"machine {life.machine}: {_how_it_left(facts, life)}", life.started, left
            )
            continue
        if asked is not None and life.end_us >= asked.at_us:
            # Until its first tick it may still be held back from it.
            held_us = at_once_us if hung and not ticks.begun_before(asked.n) else 0
            _leaves_promptly(
                facts, judgement, life, max(_busy_until_us(facts, ticks, asked), held_us)
            )
    return judgement.finding()


def _leaves_promptly(facts: Facts, judgement: Judgement, life: Life, busy_us: int) -> None:
    """Hold its `start` to its return, once it was asked to leave and is no longer busy."""
    left, asked = life.start_left, life.stop_requested
    limit_us = deadline_us(facts, life.machine, busy_us, facts.slack_us)
    left_us = left.at_us if left is not None else life.end_us
    if left_us > limit_us and facts.last_us > limit_us:
        judgement.violated(f"machine {life.machine}: start goes on after the stop", asked, left)


def _busy_until_us(facts: Facts, ticks: Ticks, asked: Event) -> int:
    """How long the tick took that was on when its machine was asked to leave; that instant else."""
    last = ticks.begun_before(asked.n) - 1
    if last >= 0 and ticks.ended_before(last, asked.n):  # only one that never ended may be on still
        last = max((place for place in ticks.endless() if place < last), default=-1)
    if last >= 0:
        end = ticks[last].end
        return facts.last_us if end is None else end.at_us
    return asked.at_us


def tick_2(history: History, scenario: Scenario) -> Finding:
    """Nothing that a tick raises ends the loop; it is logged at ERROR."""
    facts = facts_of(history, scenario)
    judgement = Judgement("TICK-2", "no tick raised")
    errors = [event for event in history.of("log") if event.data.get("level") == "ERROR"]
    for life, ticks in lives_with_ticks(facts):
        _left_unasked(facts, judgement, life, ticks)
        for index in ticks.unclean():
            tick = ticks[index]
            assert tick.end is not None, "a tick that raised has an end"
            goes_on = goes_on_after(facts, life, ticks, tick.end)
            if goes_on is None:
                continue
            error = _error_name(tick.end.data["error"])
            judgement.reached(tick.end)
            if not goes_on:
                judgement.violated(
                    f"machine {life.machine}: no tick within an interval of {error}", tick.end
                )
            until = ticks[index + 1].begin.n if index + 1 < len(ticks) else len(history)
            if not _logged(errors, tick.end, until, error):
                judgement.violated(
                    f"machine {life.machine}: {error} in a tick, and no ERROR has its traceback",
                    tick.end,
                )
    return judgement.finding()


def _left_unasked(facts: Facts, judgement: Judgement, life: Life, ticks: Ticks) -> None:
    """A loop that ended after a tick that raised, though nobody asked: a fallback hides it only."""
    raised = _raised_last(facts, life, ticks)
    if _is_unasked(life) and raised is not None:
        judgement.reached(raised)
        judgement.violated(
            f"machine {life.machine}: the loop ended with that tick", life.start_left
        )


def _at_once_us(facts: Facts, life: Life) -> tuple[int, bool]:
    """Until when the first tick has to come, and whether that is later: it hung, or had to wait.

    It is that of a fallback where the start of the provider failed.
    """
    assert life.last_started is not None
    machine, start_us = life.machine, life.last_started.at_us
    allowed_us = _AT_ONCE_US + facts.held_us
    at_once_us = deadline_us(facts, machine, start_us, allowed_us)
    waits = _may_wait(facts, machine, (start_us, at_once_us))
    if waits:
        allowed_us += LOCK_BOUND_US  # it waits for what it has to settle first, but not for ever
        at_once_us = deadline_us(facts, machine, start_us, allowed_us)
    return at_once_us, waits or at_once_us > start_us + allowed_us


def _may_wait(facts: Facts, machine: str, start: Window) -> bool:
    """Whether somebody else may have kept a lock: a process that hung at any step of the store.

    Args:
        facts: Of the run.
        machine: Who may wait for it.
        start: From its start to when it should have ticked, hangs of its own included.
    """

    def build() -> list[Window]:
        hung = [
            (event.at_us, event.at_us + lasts_us(facts, event))
            for event in facts.history.of("fault")
            if event.machine != machine and str(event.data.get("seam")).startswith("store.")
        ]
        return merge([*hung, *(window for _, window in kept_locks(facts))])

    windows = facts.history.derived(("kept from", machine), build)
    return touching(windows, *start) is not None


def _nobody_to_tick(facts: Facts, life: Life) -> bool:
    """Whether faults ended the start of the provider and that of the fallback too."""
    return sum(facts.life_at(struck) is life for struck in start_struck(facts)) > 1


def _no_leave(facts: Facts, life: Life, until_us: int) -> bool:
    """Whether the host's leave to start anything was struck before the first tick could be."""
    assert life.started is not None
    return any(
        life.started.n < event.n
        and event.at_us <= until_us
        and event.machine == life.machine
        and event.data.get("seam") == "dispatch"
        for event in facts.faults
    )


def _is_unasked(life: Life) -> bool:
    """Whether start was left though nobody had asked."""
    left, asked = life.start_left, life.stop_requested
    return left is not None and (asked is None or left.n < asked.n)


def _met_our_limits(history: History, left: Event) -> bool:
    """Whether a call that is not simulated was refused before, which may be the cause."""
    return any(event.n < left.n for event in history.of("not_simulated"))


def _raised_last(facts: Facts, life: Life, ticks: Ticks) -> Event | None:
    """The end of the last tick before start was left, if that tick raised and nothing after it."""
    left = life.start_left
    if left is None:
        return None
    before = range(ticks.begun_before(left.n) - 1, -1, -1)
    last = next((place for place in before if ticks.ended_before(place, left.n)), None)
    if last is None or ticks[last].clean:
        return None
    end = ticks[last].end
    assert end is not None, "a tick that raised has an end"
    return None if _left_with_its_wait(facts, end, left) else end


def _left_with_its_wait(facts: Facts, end: Event, left: Event) -> bool:
    """Whether start raised what its wait was made to raise after that tick, and not the tick's."""
    if _error_name(left.data.get("error")) == _error_name(end.data["error"]):
        return False
    return any(
        end.n < event.n < left.n
        and event.machine == left.machine
        and event.data.get("seam") == "wait"
        and event.data.get("does") == "raise"
        for event in facts.faults
    )


def _how_it_left(facts: Facts, life: Life) -> str:
    left = life.start_left
    assert left is not None, "asked of loops that were left only"
    if left.kind == "provider.raised":
        text = facts.history.text(left.n)
        said = _error_name(left.data.get("error")) + (f" ({text})" if text else "")
        return f"start raised {said}, and it was no tick's"
    return (
        "start returned, and nobody had asked it to stop; the host then takes the loop for dead "
        "and starts the built-in, also beside a thread of the provider's own"
    )


def _error_name(error: object) -> str:
    """The type of an error as events have it."""
    return str(error.get("type")) if isinstance(error, dict) else str(error)


def _logged(errors: list[Event], after: Event, before_n: int, error: str) -> bool:
    """Whether an ERROR with this exception stands between the end of a tick and the next."""
    index = bisect_right(errors, after.n, key=lambda event: event.n)
    for event in islice(errors, index, None):
        if event.n >= before_n:
            return False
        if event.machine == after.machine and _error_name(event.data.get("error")) == error:
            return True
    return False
