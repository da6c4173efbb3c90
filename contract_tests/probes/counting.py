"""What the probes of LIVE's host rows have in common: occurrences by periods, runs, records.

Scenarios are run with the host's own loop, whatever the target is. What is expected is counted from
the start of the run by periods; no `next_run_at` is asked.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from contract_tests.benches.claims import ClaimBench
from contract_tests.engine import Context, Outcome, unknown
from contract_tests.probes.virtual import SLACK_US, Watched
from contract_tests.surroundings import captured_logs, home
from simulator.durations import parse_duration
from simulator.event import Event
from simulator.fold import final_store, instant_us

__all__ = ["ANSWER_S", "begins_of", "bench_in", "records_of", "slots_of", "told_of", "unseen_in"]

# A tick may wait for a lock, and the one after it is an interval later.
MOST_BETWEEN_TICKS_US = parse_duration("1m30s")
ANSWER_S = 20.0  # of a busy machine; milliseconds, else


@contextmanager
def bench_in(context: Context, label: str) -> Iterator[tuple[ClaimBench, Path]]:
    """A bench on a fresh home, and that home."""
    folder = context.folder / "surviving" / label / "home"
    with home(folder), captured_logs(), context.host.claim_bench() as bench:
        yield bench, folder


def unseen_in(watched: Watched) -> Outcome | None:
    """Why nothing can be said, if nothing can; that a loop stands still is no row's of these."""
    if trouble := watched.trouble():
        return trouble
    if left := watched.left_unasked():
        return unknown(f"the loop was dead before this could be seen: {left}")
    for ticks in watched.facts.ticks.values():
        for one, following in pairwise(ticks):
            gap_us = following.begin.at_us - one.begin.at_us
            explained = _is_explained(watched, one.begin, following.begin)
            if gap_us > MOST_BETWEEN_TICKS_US and not explained:
                return unknown(f"the loop stood still {watched.when(one.begin)}")
    return None


def _is_explained(watched: Watched, first: Event, last: Event) -> bool:
    """Whether the machine was down between two ticks, or hung where the scenario says."""
    return any(
        first.n < event.n < last.n and event.machine == first.machine
        for event in watched.history.of("boot", "fault")
    )


def begins_of(watched: Watched, job: str) -> list[int]:
    """When a job's runs began, microseconds since the start."""
    return [watched.since(run.begin) for run in watched.facts.runs.get(job, [])]


def records_of(watched: Watched, job: str) -> list[tuple[int, int, str]]:
    """What is on record of a job: from which occurrence to which, and what became of them."""
    found = []
    for entry in final_store(watched.history).executions:
        first_us = instant_us(entry.get("occurrence"))
        if entry.get("job_id") == job and first_us is not None:
            last_us = instant_us(entry.get("until")) or first_us
            state = str(entry.get("state"))
            found.append((first_us - watched.start_us, last_us - watched.start_us, state))
    return found


def told_of(records: Iterable[tuple[int, int, str]], slot_us: int) -> set[str]:
    """What the records say of one occurrence."""
    return {state for first, last, state in records if first <= slot_us <= last}


def slots_of(watched: Watched, period: str) -> list[int]:
    """The occurrences of an interval that are over for sure at the end of the run."""
    period_us = parse_duration(period)
    last_us = watched.run.scenario.lasts - 2 * watched.interval_us - SLACK_US
    return list(range(period_us, last_us, period_us))
