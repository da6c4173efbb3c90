"""ONCE, the host's part: of many who want a job, one gets it, and who lost it is nobody."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from contract_tests.benches.children import ask_child
from contract_tests.benches.claim_racers import JOBS, RACERS
from contract_tests.benches.claims import ClaimBench
from contract_tests.engine import Context, Outcome, held, probe, unknown, violated
from contract_tests.probes.counting import begins_of, unseen_in
from contract_tests.probes.virtual import Watched, watching
from contract_tests.surroundings import captured_logs, home
from simulator.checkers.happened import BodyRun
from simulator.durations import parse_duration
from simulator.fold import final_store

__all__: list[str] = []  # probes are found by their ids

THREADS = 6
ROUNDS = 2
RACE_S = 30.0
_START_S = 0.05  # what a thread takes from its start to the lock
_RACERS = "contract_tests.benches.claim_racers"


@contextmanager
def _bench(context: Context, label: str) -> Iterator[ClaimBench]:
    folder = context.folder / "claims" / label / "home"
    with home(folder), captured_logs(), context.host.claim_bench() as bench:
        yield bench


@probe("ONCE-1")
def one_of_many_wins(context: Context) -> Outcome:
    """Threads that want one job, then processes and replicas that want the same ones."""
    with _bench(context, "threads") as bench:
        for _ in range(ROUNDS):
            job_id = bench.add()
            won, errors = _race(bench, job_id)
            if errors:
                return violated(f"a claim among {THREADS} threads raised {errors[0]}")
            if won != 1:
                return violated(f"{won} of {THREADS} threads won one claim, not exactly one")
    with home(context.folder / "claims" / "racers" / "home"):
        facts = ask_child(_RACERS, context.host)
    if isinstance(facts, str):
        return unknown(facts)
    winners = cast("dict[str, list[str]]", facts["winners"])
    if any(facts["codes"]):
        return violated(f"processes that claimed ended with {facts['codes']}")
    for won_by in winners.values():
        if len(won_by) != 1:
            return violated(
                f"{len(won_by)} of {RACERS} processes and replicas won one claim, not exactly one"
            )
    return held(
        f"one of {THREADS} threads in {ROUNDS} rounds, and one of {RACERS} processes, half of them "
        f"replicas, for each of {JOBS} jobs"
    )


def _race(bench: ClaimBench, job_id: str) -> tuple[int, list[str]]:
    """How many of the threads won, and what was raised in them.

    They start while the lock is kept from them, so that all have looked before one can write.
    """
    won: list[bool] = []
    errors: list[str] = []
    ready = threading.Barrier(THREADS + 1)

    def claim() -> None:
        ready.wait(RACE_S)
        try:
            won.append(bench.claim(job_id))
        except Exception as error:  # whatever it is, it is evidence
            errors.append(f"{type(error).__name__}: {error}")

    threads = [threading.Thread(target=claim, name="contract-racer") for _ in range(THREADS)]
    with bench.stuck():
        for thread in threads:
            thread.start()
        ready.wait(RACE_S)
        time.sleep(_START_S)
    for thread in threads:
        thread.join(RACE_S)
    return sum(won), errors


@watching("ONCE-7", "host-claim-lost", host=True)
def who_lost_it_is_nobody(_: Context, watched: Watched) -> Outcome:
    """One gateway's run ends while the job is another's: its end changes nothing."""
    if unseen := unseen_in(watched):
        return unseen
    runs = watched.facts.runs.get("report", [])
    pair = next(((one, two) for one in runs for two in runs if _ends_within(one, two)), None)
    if pair is None:
        return unknown("nobody lost a claim, or the other gateway did not take the job over")
    loser, owner = pair
    assert loser.end is not None, "it ended within the other one"
    told = watched.of("mark", machine=loser.begin.machine)
    mark = next((one for one in told if one.n > loser.end.n), None)
    if mark is None:
        return unknown("the run that had lost its claim was never completed")
    before, after = (_record(watched, event.n, "report") for event in (loser.end, mark))
    for name in ("fire_claim", "last_run_at", "last_status", "last_error", "next_run_at", "repeat"):
        if before.get(name) != after.get(name):
            return violated(
                f"the run on {loser.begin.machine} had lost its claim, and its end changed {name} "
                f"from {before.get(name)!r} to {after.get(name)!r} (lines {loser.end.n}, {mark.n})"
            )
    return held(
        f"the end of a run {watched.when(loser.end)} changed nothing for the one on "
        f"{owner.begin.machine} that had the job by then"
    )


def _ends_within(one: BodyRun, two: BodyRun) -> bool:
    """Whether a run ended while one on another gateway was on that had begun later."""
    return (
        one.end is not None
        and one.begin.machine != two.begin.machine
        and one.begin.n < two.begin.n < one.end.n < two.end_n
    )


def _record(watched: Watched, before: int, job: str) -> dict[str, Any]:
    """The job's record just before an event, without the renewals of its claim."""
    found = dict(final_store(watched.history, before=before).records.get(job) or {})
    claim = found.get("fire_claim")
    if isinstance(claim, dict):
        found["fire_claim"] = {"by": claim.get("by"), "token": claim.get("token")}
    return found


@watching("ONCE-10", "host-two-gateways", host=True)
def two_on_one_home(_: Context, watched: Watched) -> Outcome:
    """Each occurrence of three jobs, found by two gateways at the same time, runs once."""
    if unseen := unseen_in(watched):
        return unseen
    machines = set()
    slots = {"report": "10m", "quarter": "15m", "once": "20m"}
    for job, period in slots.items():
        period_us = parse_duration(period)
        runs = watched.facts.runs.get(job, [])
        machines |= {run.begin.machine for run in runs}
        by_slot: dict[int, list[BodyRun]] = {}
        for run in runs:
            by_slot.setdefault(watched.since(run.begin) // period_us, []).append(run)
        if same := next((same for same in by_slot.values() if len(same) > 1), None):
            lines = ", ".join(str(run.begin.n) for run in same)
            return violated(f"{job} ran {len(same)} times for one occurrence (lines {lines})")
        if not runs:
            return violated(f"two gateways are up, and {job} never ran")
    if len(machines) < 2:  # noqa: PLR2004 - there are two gateways
        return unknown("one of the gateways never got a job")
    count = sum(len(watched.facts.runs[job]) for job in slots)
    return held(f"{count} occurrences, each run once, by both gateways in turn")


@watching("ONCE-11", "host-same-id", host=True)
def same_id_same_job(_: Context, watched: Watched) -> Outcome:
    """Three records of one id are one job."""
    if unseen := unseen_in(watched):
        return unseen
    begins = begins_of(watched, "report")
    if not begins:
        return unknown("the job whose id stands in three records never ran")
    period_us = parse_duration("10m")
    slots = [at_us // period_us for at_us in begins]
    if len(slots) > len(set(slots)):
        runs, occurrences = len(slots), len(set(slots))
        return violated(f"its duplicates made it run {runs} times for {occurrences} occurrences")
    return held(f"{len(slots)} runs for as many occurrences, with three records")
