"""Occurrences that were taken and never came to their body: they may not run again (ONCE-9)."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import islice

from simulator.checkers.facts import Facts
from simulator.checkers.happened import CLAIM_TTL_US, EARLY_LEEWAY_US, BodyRun, Window
from simulator.checkers.misread import read_behind
from simulator.checkers.struck import hangs_of, rule_of
from simulator.checkers.wanted import Plan, commits_by_job
from simulator.event import Event
from simulator.fold import instant_us

__all__ = ["cut_short"]


def cut_short(facts: Facts, plan: Plan, runs: Sequence[BodyRun]) -> list[Window]:
    """Occurrences that were taken in the store and cut off before the body: (due, taken).

    To run such a one again is forbidden (ONCE-9). It is excused when its machine died, or its claim
    failed, or a read did not see it, after it was taken, nothing ran until the host looked, and the
    host says "unknown". Likewise when its machine hung until its claim was over: it may not begin
    then, and says that it is skipped where nobody else could. What was seen at one instant may be
    told later, when the records can be written.
    """
    job, found = plan.job.id, list[Window]()
    stored = [
        event
        for event, record in commits_by_job(facts).get(job, ())
        if isinstance((record or {}).get("fire_claim"), dict)
    ]
    early_us = EARLY_LEEWAY_US + facts.skew_us
    for told, seen_us, due_us, state in _told_over(facts).get(job, ()) if stored else ():
        index = bisect_left(stored, due_us - early_us, key=lambda event: event.at_us)
        for taken in _takers(stored, index, told, seen_us):
            cut = state == "unknown" and _cut(facts, job, taken, told)
            if cut or _hung(facts, taken, told):
                break
        else:
            continue
        until_us = seen_us if taken.at_us <= seen_us < told.at_us else told.at_us
        if not any(taken.n < run.begin.n < told.n and run.begin.at_us <= until_us for run in runs):
            found.append((due_us, taken.at_us))
    return found


def _takers(stored: Sequence[Event], index: int, told: Event, seen_us: int) -> Iterator[Event]:
    """The claim at `index`, and those after it that stood before the host looked.

    The first may have been given back, for another to take.
    """
    for place, taken in enumerate(islice(stored, index, None)):
        if taken.n > told.n or (place and taken.at_us > seen_us):
            return
        yield taken


def _told_over(facts: Facts) -> dict[str, list[tuple[Event, int, int, str]]]:
    """Where the host says that an occurrence's end is unknown, or that it is skipped, by job.

    Each with the instant at which it saw that, the occurrence and the state.
    """

    def build() -> dict[str, list[tuple[Event, int, int, str]]]:
        found: dict[str, list[tuple[Event, int, int, str]]] = {}
        for told in facts.history.of("execution"):
            for record in told.data["records"]:
                state = record.get("state")
                if state not in {"unknown", "skipped"}:
                    continue
                due_us = instant_us(record.get("occurrence"))
                seen_us = instant_us(record.get("at")) or told.at_us
                if due_us is not None:
                    said = (told, seen_us, due_us, state)
                    found.setdefault(str(record.get("job_id")), []).append(said)
        return found

    return facts.history.derived("told over", build)


def _cut(facts: Facts, job: str, taken: Event, told: Event) -> bool:
    """Whether its machine died, its claim failed, or a read did not see it, before it was told."""
    by = str(taken.data.get("by"))

    def build() -> list[int]:
        ended = [
            event
            for event in facts.history.of("crash", "stopped")
            if event.machine == by and (event.kind == "crash" or _left_hanging(facts, event))
        ]
        failed = [
            _claim_struck(facts, event)
            for event in facts.faults
            if event.data.get("seam") == "claim" and event.data.get("job") == job
        ]
        return sorted(event.n for event in (*ended, *failed, *read_behind(facts, job)))

    cuts = facts.history.derived(("cuts", job, by), build)
    return bisect_left(cuts, taken.n) < bisect_left(cuts, told.n)


def _left_hanging(facts: Facts, stopped: Event) -> bool:
    """Whether a gateway left while a call of it hung, which it did not wait for any longer."""
    hangs = hangs_of(facts, stopped.machine)
    return any(start < stopped.at_us < end for start, end in hangs)


def _claim_struck(facts: Facts, fault: Event) -> Event:
    """Where a claim failed: with what it had written, when the fault came after that."""
    rule = rule_of(facts, fault)
    if rule is None or not rule.after:
        return fault
    stored = facts.history.of("store.commit")
    first = bisect_left(stored, fault.n, key=lambda event: event.n)
    mine = (one for one in islice(stored, first, None) if one.data["by"] == fault.machine)
    return next(mine, fault)


def _hung(facts: Facts, taken: Event, told: Event) -> bool:
    """Whether the machine that took an occurrence hung then, until its claim was over."""
    return any(
        start >= taken.at_us and min(end, told.at_us) - start >= CLAIM_TTL_US
        for start, end in hangs_of(facts, str(taken.data.get("by")))
    )
