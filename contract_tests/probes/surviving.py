"""LIVE, the host's part: what goes wrong costs no occurrence without a record, and no other job.

Scenarios are run with the host's own loop, whatever the target is. What is expected is counted from
the start of the run by periods; no `next_run_at` is asked.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from contract_tests.benches.claims import TROUBLES, ClaimBench
from contract_tests.benches.store import hourly, jobs_file, put_file, stored
from contract_tests.engine import Context, Outcome, held, probe, unknown, violated
from contract_tests.probes.virtual import SLACK_US, Watched, watching
from contract_tests.surroundings import Answer, ask, captured_logs, home
from simulator.checkers.happened import CLAIM_TTL_US
from simulator.durations import SECOND_US, format_duration, parse_duration
from simulator.fold import final_store, instant_us
from simulator.history import Event

__all__: list[str] = []  # probes are found by their ids

# A tick may wait for a lock, and the one after it is an interval later.
MOST_BETWEEN_TICKS_US = parse_duration("1m30s")
MOST_PATIENCE_S = 60.0
ANSWER_S = 5.0


@contextmanager
def _bench(context: Context, label: str) -> Iterator[tuple[ClaimBench, Path]]:
    """A bench on a fresh home, and that home."""
    folder = context.folder / "surviving" / label / "home"
    with home(folder), captured_logs(), context.host.claim_bench() as bench:
        yield bench, folder


def _unseen(watched: Watched) -> Outcome | None:
    """Why nothing can be said, if nothing can; that a loop stands still is no row's of these."""
    if trouble := watched.trouble():
        return trouble
    if left := watched.left_unasked():
        return unknown(f"the loop was dead before this could be seen: {left}")
    for ticks in watched.facts.ticks.values():
        for one, following in pairwise(ticks):
            gap_us = following.begin.at_us - one.begin.at_us
            if gap_us > MOST_BETWEEN_TICKS_US and not _was_down(
                watched, one.begin, following.begin
            ):
                return unknown(f"the loop stood still {watched.when(one.begin)}")
    return None


def _was_down(watched: Watched, first: Event, last: Event) -> bool:
    return any(
        first.n < event.n < last.n and event.machine == first.machine
        for event in watched.history.of("boot", "fault")
    )


def _begins(watched: Watched, job: str) -> list[int]:
    """When a job's runs began, microseconds since the start."""
    return [watched.since(run.begin) for run in watched.facts.runs.get(job, [])]


def _records(watched: Watched, job: str) -> list[tuple[int, int, str]]:
    """What is on record of a job: from which occurrence to which, and what became of them."""
    found = []
    for entry in final_store(watched.history).executions:
        first_us = instant_us(entry.get("occurrence"))
        if entry.get("job_id") == job and first_us is not None:
            last_us = instant_us(entry.get("until")) or first_us
            state = str(entry.get("state"))
            found.append((first_us - watched.start_us, last_us - watched.start_us, state))
    return found


def _told(records: Iterable[tuple[int, int, str]], slot_us: int) -> set[str]:
    """What the records say of one occurrence."""
    return {state for first, last, state in records if first <= slot_us <= last}


# LIVE-6


@watching("LIVE-6", "host-records", host=True)
def on_record(context: Context, watched: Watched) -> Outcome:
    """Missed while down, cut off by the crash, passed over while running; and after a removal."""
    if unseen := _unseen(watched):
        return unseen
    hour_us = parse_duration("1h")
    expected = {("hourly", 3 * hour_us): {"missed"}, ("hourly", 4 * hour_us): {"missed"}}
    if (run := next(iter(watched.facts.runs.get("cut-off", [])), None)) and run.died:
        expected["cut-off", 2 * hour_us] = {"unknown", "failed"}
    expected |= {("slow", slot_us): {"skipped"} for slot_us in _passed_over(watched)}
    if len(expected) < 5:  # noqa: PLR2004 - three that are sure, and some of each other kind
        return unknown("nothing was cut off, or nothing came while the last run was on")
    for (job, slot_us), words in expected.items():
        told = _told(_records(watched, job), slot_us)
        if not told & words:
            return violated(
                f"{job} at {format_duration(slot_us)} was {' or '.join(sorted(words))}, and on "
                f"record is {', '.join(sorted(told)) or 'nothing'}"
            )
    after = _after_a_removal(context)
    return after or held(f"{len(expected)} occurrences that did not run are on record as that")


def _passed_over(watched: Watched) -> list[int]:
    """The occurrences of the slow job that came well within a run of it and never had their own."""
    period_us = parse_duration("20m")
    begun = [at_us // period_us for at_us in _begins(watched, "slow")]
    found = []
    for run in watched.facts.runs.get("slow", []):
        if run.end is None:
            continue
        first, last = watched.since(run.begin) // period_us + 1, watched.since(run.end) // period_us
        found += [slot * period_us for slot in range(first, last + 1) if slot not in begun]
    return found


def _after_a_removal(context: Context) -> Outcome | None:
    """On a real disk: what was missed, and what ran, is on record when the job is gone."""
    with _bench(context, "removed") as (bench, folder):
        put_file(folder, {"jobs": [hourly("late", timedelta(hours=-5))]})
        bench.tick()
        before = _states(bench.executions("late"))
        bench.remove("late")
        bench.restart()
        after = _states(bench.executions("late"))
    if not {"missed", "completed"} <= before:
        return violated(f"of a job that came five hours late, on record is {before or 'nothing'}")
    if lost := before - after:
        return violated(f"with the job, the record of what was {lost.pop()} went")
    return None


def _states(entries: Iterable[Mapping[str, Any]]) -> set[str]:
    return {str(entry.get("state")) for entry in entries}


# LIVE-7

_GARBAGE: Mapping[str, object] = {
    "null": None,
    "a number": 42,
    "a list": [],
    "a string": "report",
    "empty": {},
    "true": True,
}
_WRONG: Mapping[str, Mapping[str, object]] = {
    "an id of null": {"id": None},
    "an id that is a number": {"id": 7},
    "an id that is a path": {"id": "../../jobs"},
    "a schedule of null": {"schedule": None},
    "a schedule that is a text": {"schedule": "every 1h"},
    "a schedule of no kind": {"schedule": {"minutes": 60}},
    "a kind that is a list": {"schedule": {"kind": ["cron"]}},
    "an impossible cron": {"schedule": {"kind": "cron", "expr": "61 * * * *"}},
    "a cron that never comes": {"schedule": {"kind": "cron", "expr": "0 0 31 2 *"}},
    "a cron that is no text": {"schedule": {"kind": "cron", "expr": 5}},
    "an interval of nothing": {"schedule": {"kind": "interval", "minutes": 0}},
    "an interval of text": {"schedule": {"kind": "interval", "minutes": "ten"}},
    "an endless interval": {"schedule": {"kind": "interval", "minutes": 10**30}},
    "a one-shot without a time": {"schedule": {"kind": "once"}},
    "a garbage time": {"next_run_at": "half past"},
    "a time that is a number": {"next_run_at": 1772438400},
    "a time that is a list": {"next_run_at": []},
    "a time long ago": {"next_run_at": "0001-01-01T00:00:00+00:00"},
    "a time in year 9999": {"next_run_at": "9999-12-31T23:59:59+00:00"},
    "a claim of text": {"fire_claim": "mine"},
    "a claim of garbage": {"fire_claim": {"at": {}, "by": [], "token": "x", "execution": {}}},
    "a repeat of text": {"repeat": "often"},
    "a repeat of garbage": {"repeat": {"times": "x", "completed": []}},
    "a state that is a number": {"state": 3},
    "a state that is a list": {"state": []},
    "a name that is an object": {"name": {}},
    "a last run of garbage": {"last_run_at": {}, "last_status": 5},
    "a token of text": {"fire_token": "many"},
}


def _broken_records() -> dict[str, object]:
    """What is wrong, and a record that has it; each with an id of its own where it has one."""
    found: dict[str, object] = dict(_GARBAGE)
    for number, (words, more) in enumerate(_WRONG.items()):
        found[words] = {**hourly(f"broken-{number}", timedelta(minutes=-1)), **more}
    return found


@probe("LIVE-7")
def one_broken_record(context: Context) -> Outcome:
    """Beside all kinds of broken records a good job that is due runs; if not, beside which."""
    broken = _broken_records()
    with _bench(context, "broken") as (bench, folder):
        if _beside(bench, folder, list(broken.values())) is None:
            return held(f"a good job ran beside {len(broken)} kinds of broken records")
        for words, record in broken.items():
            if problem := _beside(bench, folder, [record]):
                return violated(f"beside a record with {words}, {problem}")
        problem = _beside(bench, folder, list(broken.values()))
        return violated(f"beside {len(broken)} broken records at once, {problem}")


def _beside(bench: ClaimBench, folder: Path, records: list[object]) -> str | None:
    """What became of a good job that was due, in a file behind these; None when it ran."""
    put_file(folder, {"jobs": [*records, hourly("good", timedelta(minutes=-1))]})
    bench.restart()
    bench.runs.clear()
    answers = [ask(call, wait_s=ANSWER_S) for call in (bench.recover, bench.tick)]
    if (ran := bench.runs.count("good")) != 1:
        return f"a job that was due ran {ran} times ({'; '.join(map(str, answers))})"
    return _not_planned(folder)


def _not_planned(folder: Path) -> str | None:
    """What is wrong with the good job's record after its run."""
    good = stored(folder, "good")
    planned = instant_us(good.get("next_run_at"))
    if planned is None or planned < datetime.now(UTC).timestamp() * SECOND_US:
        return f"the job that ran is planned for {good.get('next_run_at')!r}"
    return None


# LIVE-8


@watching("LIVE-8", "host-writes-fail", host=True)
def writes_that_fail(_: Context, watched: Watched) -> Outcome:
    """Full disks at the claim, at the result and when a late job is moved on."""
    if unseen := _unseen(watched):
        return unseen
    problem = (
        _held_up(watched, "other", "5m", but=[("24m", "26m"), ("61m", "84m")])
        or _vanished(watched, "report", "4m")
        or _vanished(watched, "other", "5m")
        or _forgotten(watched, "report", written_again="16m30s", looked="19m")
    )
    if problem:
        return violated(problem)
    if len(_begins(watched, "once")) != 1:
        return violated(
            f"a one-shot whose result was refused ran {len(_begins(watched, 'once'))} times"
        )
    return held(
        f"{len(watched.of('fault'))} writes refused: nobody waited, nothing went unrecorded"
    )


def _held_up(watched: Watched, job: str, period: str, *, but: list[tuple[str, str]]) -> str | None:
    """Whether a job came late at a time when nothing of its own was refused."""
    spans = [(parse_duration(first), parse_duration(last)) for first, last in but]
    begins = _begins(watched, job)
    for slot_us in _slots(watched, period):
        excused = any(first <= slot_us <= last for first, last in spans)
        until_us = slot_us + watched.interval_us + SLACK_US
        if not excused and not any(slot_us <= at_us <= until_us for at_us in begins):
            return (
                f"{job} was held up at {format_duration(slot_us)}, where only others were refused"
            )
    return None


def _slots(watched: Watched, period: str) -> list[int]:
    """The occurrences of an interval that are over for sure at the end of the run."""
    period_us = parse_duration(period)
    last_us = watched.run.scenario.lasts - 2 * watched.interval_us - SLACK_US
    return list(range(period_us, last_us, period_us))


def _vanished(watched: Watched, job: str, period: str) -> str | None:
    """Whether an occurrence neither ran before the next one nor is on record as something else."""
    begins, records = _begins(watched, job), _records(watched, job)
    for slot_us in _slots(watched, period):
        ran = any(slot_us <= at_us < slot_us + parse_duration(period) for at_us in begins)
        if not ran and not _told(records, slot_us) & {"missed", "skipped", "unknown", "failed"}:
            return f"{job} at {format_duration(slot_us)} did not run, and no record says so"
    return None


def _forgotten(watched: Watched, job: str, *, written_again: str, looked: str) -> str | None:
    """Whether a refused result is not in the record when the disk has been well again."""
    begun = [at_us for at_us in _begins(watched, job) if at_us < parse_duration(written_again)]
    before = watched.number_at(parse_duration(looked))
    record = final_store(watched.history, before=before).records.get(job, {})
    ended_us = instant_us(record.get("last_run_at"))
    if not begun or record.get("last_status") != "ok" or ended_us is None:
        return f"the refused result of {job} was forgotten: {record.get('last_error')!r}"
    if ended_us - watched.start_us < begun[-1]:
        return f"the refused result of {job} was never stored"
    return None


# LIVE-9


@watching("LIVE-9", "host-claims-left", host=True)
def claims_of_nobody(_: Context, watched: Watched) -> Outcome:
    """Claims of a dead host, of the future, of garbage, and of a gateway killed in mid-run."""
    if unseen := _unseen(watched):
        return unseen
    if not any(run.died for run in watched.facts.runs.get("cut-off", [])):
        return unknown("no run was cut off by the crash")
    free_us = CLAIM_TTL_US - parse_duration("10s")
    early = next((at_us for at_us in _begins(watched, "held-a-while") if at_us < free_us), None)
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
    if any(free_us <= at_us <= until_us for at_us in _begins(watched, job)):
        return None
    return f"the claim on {job} was not taken over {format_duration(free_us)} after the start"


# LIVE-10


@watching("LIVE-10", "host-stuck", host=True)
def a_stuck_lock(context: Context, watched: Watched) -> Outcome:
    """A gateway that sticks in a write; and, on a real disk, a lock that somebody else keeps."""
    if unseen := _unseen(watched):
        return unseen
    if not watched.facts.runs.get("report"):
        return violated("with the lock free again, the job never ran")
    last_us = _begins(watched, "report")[-1]
    if last_us < parse_duration("50m"):
        return violated(f"with the lock free again, nothing ran after {format_duration(last_us)}")
    with _bench(context, "stuck") as (bench, folder):
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


# LIVE-11


@watching("LIVE-11", "host-clock-ahead", "host-clock-back", host=True)
def a_clock_that_jumps(_: Context, *runs: Watched) -> Outcome:
    """Ahead by days and back, back by seconds, back by more than any period."""
    waits = 0
    for watched in runs:
        if unseen := _unseen(watched):
            return unseen
        jumps = [watched.since(op.begin) for op in watched.facts.ops if op.do == "set-clock"]
        for job, period in (("quick", "10m"), ("hourly", "1h"), ("by-the-wall", "1h")):
            # One occurrence may have been run before the clock came to it again.
            most_us = 2 * parse_duration(period) + watched.interval_us + SLACK_US
            moments = [at_us for at_us in _begins(watched, job) if at_us >= jumps[0]]
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


# LIVE-12


@watching("LIVE-12", "host-slow-jobs", host=True)
def slow_jobs(_: Context, watched: Watched) -> Outcome:
    """Thirty jobs that do not end, and one that comes every five minutes."""
    if unseen := _unseen(watched):
        return unseen
    period_us = parse_duration("5m")
    slow = [run for run in watched.facts.all_runs if run.job != "short"]
    begins = _begins(watched, "short")
    for slot_us in _slots(watched, "5m"):
        if not any(slot_us <= at_us < slot_us + period_us for at_us in begins):
            beside = sum(watched.since(run.begin) < slot_us for run in slow)
            due = format_duration(slot_us)
            return violated(f"beside {beside} slow jobs, one that was due at {due} got no turn")
    if len(slow) < 30:  # noqa: PLR2004 - those of the scenario
        return violated(f"only {len(slow)} of 30 slow jobs ever began")
    return held(f"{len(begins)} runs in time beside {len(slow)} that did not end")


# LIVE-13


@watching("LIVE-13", "host-no-next-time", host=True)
def without_a_next_time(context: Context, watched: Watched) -> Outcome:
    """Schedules that are damaged, and an hour in which no schedule can be read."""
    if unseen := _unseen(watched):
        return unseen
    for event in watched.history.of("store.commit"):
        for job, record in event.data["changes"]:
            if (
                record is None
                or record.get("enabled") is False
                or record.get("state") == "completed"
            ):
                return violated(f"{job} was switched off {watched.when(event)}")
    records = final_store(watched.history).records
    for job in ("garbage", "no-period"):
        if not records[job].get("last_error"):
            return violated(f"{job} has no next time, and its record does not say why")
    if not any(at_us > parse_duration("30m") for at_us in _begins(watched, "never")):
        return violated("a job whose schedule was mended never came back")
    return _on_a_bad_day(context) or held("no job was switched off, and the mended one came back")


def _on_a_bad_day(context: Context) -> Outcome | None:
    """On a real disk: a run whose next time cannot be computed, in each way; then it can."""
    for trouble in TROUBLES:
        with _bench(context, f"no-next-{trouble.replace(' ', '-')}") as (bench, folder):
            put_file(folder, {"jobs": [hourly("due", timedelta(minutes=-1))]})
            with bench.without_next_times(trouble):
                answer = ask(bench.tick, wait_s=ANSWER_S)
            words = f"when the computation of the next time {trouble} ({answer})"
            job = stored(folder, "due")
            if not job or job.get("enabled") is False or job.get("state") == "completed":
                return violated(f"a recurring job was switched off {words}")
            bench.restart()
            ask(bench.tick, wait_s=ANSWER_S)
            if instant_us(stored(folder, "due").get("next_run_at")) is None:
                return violated(f"a recurring job has no next time ever again, {words}")
    return None
