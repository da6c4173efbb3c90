"""Parts of LIVE-5, 6 and 8: no storm after an outage, the right word, the result of a run.

Their checkers call these.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from simulator.checkers.dues import JobMatch, allowance_us
from simulator.checkers.facts import Facts
from simulator.checkers.finding import Judgement
from simulator.checkers.happened import CLAIM_TTL_US, FOREVER, BodyRun, Life
from simulator.checkers.matching import match_all
from simulator.checkers.wanted import commits_of
from simulator.durations import SECOND_US
from simulator.event import Event
from simulator.fold import instant_us

__all__ = ["no_storm", "passed_over", "results_arrive"]

_CROWD = 9
"""Fewer jobs than this may well start together."""


def no_storm(facts: Facts, judgement: Judgement) -> None:
    """LIVE-5: of a crowd of jobs that were due while no gateway was up, not all run at once."""
    if not facts.blocking:
        return  # what a registry was to fire, it fires at its own pace
    for life in facts.all_lives:
        missed = [window for window in facts.down if window[0] < life.boot.at_us <= window[1]]
        caught = list(_caught_up(facts, life, missed[0][0])) if missed else []
        if len(caught) >= _CROWD:
            judgement.reached(life.boot)
            begun = sorted((run.begin for run in caught), key=lambda event: event.n)
            at_once = begun[-1].at_us <= begun[0].at_us + facts.slack_us  # slow ones give way later
            if at_once and begun[-1].n < min(run.end_n for run in caught):
                judgement.violated(
                    f"machine {life.machine}: after an outage {len(caught)} jobs ran at once",
                    life.boot,
                    caught[0].begin,
                )


def _caught_up(facts: Facts, life: Life, down_us: int) -> Iterator[BodyRun]:
    """The first run in a life of each job that was due since the last one ended."""
    for job, match in match_all(facts).items():
        place = bisect_right(match.dues, down_us, key=lambda due: due.at_us)
        was_due = place < len(match.dues) and match.dues[place].at_us < life.boot.at_us
        runs = facts.runs.get(job, [])
        place = bisect_right(runs, life.boot.n, key=lambda run: run.begin.n)
        for run in runs[place : place + 1] if was_due else ():
            if run.begin.n < life.end_n and run.begin.machine == life.machine:
                yield run


class _Told:
    """What the execution records say of occurrences of one job that did not run."""

    def __init__(self) -> None:
        self._at: dict[int, set[str]] = {}  # by the second, as they are written
        self._spans: list[tuple[int, int, str]] = []

    def take(self, record: dict[str, Any]) -> None:
        """Take in one more."""
        at_us, until_us = instant_us(record.get("occurrence")), instant_us(record.get("until"))
        state = str(record.get("state") or record.get("status"))
        if at_us is not None and until_us is not None:
            self._spans.append((at_us, until_us, state))
        elif at_us is not None:
            self._at.setdefault(at_us // SECOND_US, set()).add(state)

    def of(self, at_us: int) -> set[str]:
        """The words for the occurrence at an instant, within a second of it."""
        second = at_us // SECOND_US
        found = set().union(*(self._at.get(near, ()) for near in range(second - 1, second + 2)))
        for first_us, last_us, state in self._spans:
            if first_us - SECOND_US <= at_us <= last_us + SECOND_US:
                found.add(state)
        return found


def passed_over(facts: Facts, judgement: Judgement) -> None:
    """LIVE-6: what came well within a run of its job, while nothing else was wrong, was skipped."""
    told: dict[str, _Told] = {}
    for event in facts.history.of("execution"):
        for record in event.data["records"]:
            if (record.get("state") or record.get("status")) in {"missed", "skipped"}:
                told.setdefault(str(record.get("job_id")), _Told()).take(record)
    wrong = sorted(
        event.at_us for event in (*facts.faults, *facts.history.of("op", "crash", "stopped"))
    )
    for job, match in match_all(facts).items() if facts.blocking else ():
        if job in told:
            _passed_over(facts, judgement, match, told[job], wrong)


def _passed_over(
    facts: Facts,
    judgement: Judgement,
    match: JobMatch,
    told: _Told,
    wrong: Sequence[int],
) -> None:
    job = match.plan.job.id
    for run in facts.runs.get(job, ()):
        first_us, last_us = run.begin.at_us, run.end_us + allowance_us(facts)
        quiet = bisect_left(wrong, first_us) == bisect_right(wrong, last_us)
        if run.end is None or not quiet:
            continue
        place = bisect_right(match.dues, first_us + facts.slack_us, key=lambda due: due.at_us)
        for due in islice(match.dues, place, None):
            if due.at_us >= run.end_us - allowance_us(facts):
                break
            if due.run is None and not due.optional:
                judgement.reached(run.begin)
                if told.of(due.at_us) == {"missed"}:
                    judgement.violated(
                        f"job {job}: it was on when its next time came, and that is on record as "
                        "missed, not skipped",
                        run.begin,
                    )


def results_arrive(facts: Facts, judgement: Judgement) -> None:
    """LIVE-8: a result that the store refused is stored by the end of the second good tick."""
    if len(facts.scenario.machines) > 1 or any(op.do == "set-clock" for op in facts.ops):
        return
    for mark in facts.history.of("mark"):
        if mark.data.get("error") is None:
            continue
        job = str(mark.data.get("job"))
        runs = facts.runs.get(job, [])
        place = bisect_left(runs, mark.n, key=lambda run: run.begin.n)
        limit_n = runs[place].begin.n if place < len(runs) else FOREVER
        ended = [run for run in runs[max(0, place - 1) : place] if _ran_well(run, mark)]
        if not ended or mark.at_us >= ended[-1].end_us + CLAIM_TTL_US:
            continue  # its claim is over: the result is nobody's to store any more (ONCE-7)
        by = _second_good_tick(facts, mark, limit_n)
        if by is None:
            continue
        judgement.reached(mark)
        if not _arrived(facts, ended[-1], by):
            judgement.violated(f"job {job}: the refused result of its run was never stored", mark)


def _ran_well(run: BodyRun, mark: Event) -> bool:
    return run.end is not None and run.end.n < mark.n and run.end.data.get("error") is None


def _second_good_tick(facts: Facts, mark: Event, limit_n: int) -> Event | None:
    """The end of the second clean tick after a mark, with nothing wrong since; None without."""
    life = facts.life_at(mark)
    ticks = facts.ticks_at(mark.machine)
    good: list[Event] = []
    for place in range(ticks.begun_until(mark.n), len(ticks)):
        tick = ticks[place]
        if life is None or tick.end is None or tick.end.n > min(life.end_n, limit_n):
            return None
        if tick.clean:
            good.append(tick.end)
        if len(good) > 1:
            wrong = _wrong(facts)
            well = bisect_right(wrong, mark.n) == bisect_left(wrong, good[1].n)
            return good[1] if well else None
    return None


def _wrong(facts: Facts) -> list[int]:
    """The numbers of all that was done to the machines and the store."""
    return facts.history.derived(
        "wrong", lambda: [event.n for event in facts.history.of("store.refused", "fault", "op")]
    )


def _arrived(facts: Facts, run: BodyRun, by: Event) -> bool:
    """Whether the store has the result of a run, or the job no more, before an event."""
    stored = commits_of(facts, run.job)
    for event, record in stored.since(stored.before(run.end_n)):
        if event.n > by.n:
            break
        ran_us = instant_us((record or {}).get("last_run_at"))
        if record is None or (ran_us is not None and ran_us >= run.begin.at_us - SECOND_US):
            return True
    return False
