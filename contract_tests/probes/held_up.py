"""LIVE, the host's part: what holds a job up is over in time: claims, locks, clocks, slow jobs."""

from datetime import timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path

from contract_tests.benches.claims import ClaimBench
from contract_tests.benches.store import hourly, jobs_file, put_file
from contract_tests.engine import Context, Outcome, held, unknown, violated
from contract_tests.probes.counting import ANSWER_S, begins_of, bench_in, slots_of, unseen_in
from contract_tests.probes.virtual import SLACK_US, Watched, watching
from contract_tests.surroundings import Answer, ask
from simulator.checkers.happened import CLAIM_TTL_US
from simulator.durations import format_duration, parse_duration

__all__: list[str] = []  # probes are found by their ids

MOST_PATIENCE_S = 60.0


@watching("LIVE-9", "host-claims-left", host=True)
def claims_of_nobody(_: Context, watched: Watched) -> Outcome:
    """Claims of a dead host, of the future, of garbage, and of a gateway killed in mid-run."""
    if unseen := unseen_in(watched):
        return unseen
    if not any(run.died for run in watched.facts.runs.get("cut-off", [])):
        return unknown("no run was cut off by the crash")
    free_us = CLAIM_TTL_US - parse_duration("10s")
    early = next((at_us for at_us in begins_of(watched, "held-a-while") if at_us < free_us), None)
    if early is not None:
        return violated(f"a claim was taken over {format_duration(free_us - early)} too early")
    standing = ("of-a-dead-host", "from-the-future", "leased-in-the-future", "garbage")
    free_at = dict.fromkeys(standing, parse_duration("10m"))
    free_at |= {"held-a-while": free_us, "cut-off": parse_duration("40m")}
    for job, at_us in free_at.items():
        if problem := _not_taken_over(watched, job, at_us):
            return violated(problem)
    return held(
        f"{len(free_at)} claims that nobody would end were taken over when their time was up"
    )


def _not_taken_over(watched: Watched, job: str, free_us: int) -> str | None:
    """Whether a job did not run when its claim was over and it was due."""
    until_us = free_us + 2 * watched.interval_us + SLACK_US
    if any(free_us <= at_us <= until_us for at_us in begins_of(watched, job)):
        return None
    return f"the claim on {job} was not taken over {format_duration(free_us)} after the start"


@watching("LIVE-10", "host-stuck", host=True)
def a_stuck_lock(context: Context, watched: Watched) -> Outcome:
    """A gateway that sticks in a write; and, on a real disk, a lock that somebody else keeps."""
    if unseen := unseen_in(watched):
        return unseen
    if not watched.facts.runs.get("report"):
        return violated("with the lock free again, the job never ran")
    last_us = begins_of(watched, "report")[-1]
    if last_us < parse_duration("50m"):
        return violated(f"with the lock free again, nothing ran after {format_duration(last_us)}")
    with bench_in(context, "stuck") as (bench, folder):
        return _with_the_lock_kept(bench, folder)


def _with_the_lock_kept(bench: ClaimBench, folder: Path) -> Outcome:
    if not 0 < bench.patience_s <= MOST_PATIENCE_S:
        return violated(f"it waits {bench.patience_s:g} s for the lock, which is no bound")
    put_file(folder, {"jobs": [hourly("due", timedelta(minutes=-1))]})
    bench.restart()
    before = jobs_file(folder).read_bytes()
    with bench.impatient(), bench.stuck():
        for words, change in bench.operations.items():
            answer = ask(partial(change, "due"), wait_s=ANSWER_S)
            if problem := _not_loud(answer):
                return violated(f"while another process keeps the lock, {words} {problem}")
            if jobs_file(folder).read_bytes() != before:
                return violated(f"{words} was written without the lock")
    answer = ask(bench.tick, wait_s=ANSWER_S)
    if bench.runs != ["due"]:
        return violated(f"with the lock free again, the job ran {len(bench.runs)} times ({answer})")
    count = len(bench.operations)
    return held(f"{count} changes were refused, each within a bound and aloud; none was written")


def _not_loud(answer: Answer) -> str | None:
    if answer.late:
        return "waits for it for ever"
    return None if isinstance(answer.error, Exception) else f"said nothing: it {answer}"


@watching("LIVE-11", "host-clock-ahead", "host-clock-back", host=True)
def a_clock_that_jumps(_: Context, *runs: Watched) -> Outcome:
    """Ahead by days and back, back by seconds, back by more than any period."""
    waits = 0
    for watched in runs:
        if unseen := unseen_in(watched):
            return unseen
        jumps = [watched.since(op.begin) for op in watched.facts.ops if op.do == "set-clock"]
        for job, period in (("quick", "10m"), ("hourly", "1h"), ("by-the-wall", "1h")):
            # One occurrence may have been run before the clock came to it again.
            most_us = 2 * parse_duration(period) + watched.interval_us + SLACK_US
            moments = [at_us for at_us in begins_of(watched, job) if at_us >= jumps[0]]
            moments = sorted([*moments, *jumps, watched.run.scenario.lasts])
            for first_us, last_us in pairwise(moments):
                waits += 1
                if last_us - first_us > most_us:
                    silent, since = map(format_duration, (last_us - first_us, first_us))
                    return violated(
                        f"in {watched.run.scenario.name}: {job}, due every {period}, was silent "
                        f"for {silent} from {since}"
                    )
    return held(f"{waits} waits, none of them longer than one period more than usual")


@watching("LIVE-12", "host-slow-jobs", host=True)
def slow_jobs(_: Context, watched: Watched) -> Outcome:
    """Thirty jobs that do not end, and one that comes every five minutes."""
    if unseen := unseen_in(watched):
        return unseen
    period_us = parse_duration("5m")
    slow = [run for run in watched.facts.all_runs if run.job != "short"]
    begins = begins_of(watched, "short")
    for slot_us in slots_of(watched, "5m"):
        if not any(slot_us <= at_us < slot_us + period_us for at_us in begins):
            beside = sum(watched.since(run.begin) < slot_us for run in slow)
            due = format_duration(slot_us)
            return violated(f"beside {beside} slow jobs, one that was due at {due} got no turn")
    if len(slow) < 30:  # noqa: PLR2004 - those of the scenario
        return violated(f"only {len(slow)} of 30 slow jobs ever began")
    return held(f"{len(begins)} runs in time beside {len(slow)} that did not end")
