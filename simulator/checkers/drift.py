"""Whether ticks creep past their interval: each a little late, and in the end one is missing."""

from bisect import bisect_left
from itertools import pairwise

from simulator.checkers.facts import Facts
from simulator.checkers.struck import hangs_of
from simulator.checkers.ticks import Track

__all__ = ["crept"]


def crept(facts: Facts, machine: str, begins: Track) -> tuple[int, int] | None:
    """The places of two ticks between which one is missing, though none was an interval late.

    What holds up a loop for an interval or more, or a gap of one and a half, begins a new count: a
    loop may take up another grid then.
    """
    interval_us = facts.interval_us
    long = [window for window in hangs_of(facts, machine) if window[1] - window[0] >= interval_us]
    most_us = interval_us + interval_us // 2
    first, allowed_us = 0, interval_us + facts.slack_us
    for place, (before_us, at_us) in enumerate(pairwise(begins.at_us)):
        if at_us - before_us >= most_us or (long and _meets(long, before_us, at_us)):
            first, allowed_us = place + 1, interval_us + facts.slack_us
            continue
        allowed_us += interval_us
        if at_us - begins.at_us[first] > allowed_us:
            return first, place + 1
    return None


def _meets(windows: list[tuple[int, int]], from_us: int, to_us: int) -> bool:
    """Whether one of the windows has a part between two instants."""
    index = bisect_left(windows, from_us, key=lambda window: window[1])
    return index < len(windows) and windows[index][0] < to_us
