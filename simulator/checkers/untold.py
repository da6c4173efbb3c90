"""What no record can say: the disk did not take it, and nobody is left who knows it."""

from bisect import bisect_right
from collections.abc import Collection, Iterator

from simulator.checkers.dues import Due
from simulator.checkers.facts import Facts
from simulator.checkers.happened import FOREVER, Life, Window, merge
from simulator.checkers.struck import lasts_us

__all__ = ["record_refused"]


def record_refused(facts: Facts, due: Due) -> bool:
    """Whether the disk refused a record of the job before it ran again: a trace may be lost.

    So it is where the records hung, and who kept the trace for a later occasion left before one.
    """
    runs = facts.runs.get(due.job, [])
    index = bisect_right(runs, due.at_us, key=lambda run: run.begin.at_us)
    until_us = runs[index].begin.at_us + facts.slack_us if index < len(runs) else FOREVER
    return any(
        due.at_us <= event.at_us <= until_us and event.data.get("job") in {None, due.job}
        for event in facts.history.of("fault")
        if event.data.get("seam") == "store.execution" and event.data.get("does") == "raise"
    ) or any(start <= until_us and due.at_us <= end for start, end in _kept_in_vain(facts))


def _kept_in_vain(facts: Facts) -> list[Window]:
    """From when the records hung until somebody left who could tell nothing more since.

    Neither the disk nor anybody's memory has what came to be told meanwhile.
    """

    def build() -> list[Window]:
        hung = [
            (event, event.at_us + lasts_us(facts, event))
            for event in facts.history.of("fault")
            if (event.data.get("seam"), event.data.get("does")) == ("store.execution", "hang")
        ]
        through = {(event.machine, over_us) for event, over_us in hung}
        found = []
        for life in facts.all_lives if hung else ():
            told_us = max(_told_us(facts, life, through), default=life.boot.at_us)
            began = [
                event.at_us for event, over_us in hung if over_us > told_us and event.n < life.end_n
            ]
            if began and life.end is not None:
                found.append((min(began), life.end.at_us))
        return merge(found)

    return facts.history.derived("records kept in vain", build)


def _told_us(facts: Facts, life: Life, but: Collection[tuple[str, int]]) -> Iterator[int]:
    """When a process had records written, but for writes (machine, when they were through)."""
    for event in facts.history.of("execution"):
        mine = event.machine == life.machine and life.boot.n < event.n < life.end_n
        if mine and (event.machine, event.at_us) not in but:
            yield event.at_us
