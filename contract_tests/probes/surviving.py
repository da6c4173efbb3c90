"""LIVE, the host's part: what goes wrong in the store costs no occurrence without a record."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from contract_tests.benches.claims import TROUBLES, ClaimBench
from contract_tests.benches.store import hourly, put_file, stored
from contract_tests.engine import Context, Outcome, held, probe, unknown, violated
from contract_tests.probes.counting import (
    ANSWER_S,
    begins_of,
    bench_in,
    records_of,
    slots_of,
    told_of,
    unseen_in,
)
from contract_tests.probes.virtual import SLACK_US, Watched, watching
from contract_tests.surroundings import ask
from simulator.durations import SECOND_US, format_duration, parse_duration
from simulator.fold import final_store, instant_us

__all__: list[str] = []  # probes are found by their ids


@watching("LIVE-6", "host-records", host=True)
def on_record(context: Context, watched: Watched) -> Outcome:
    """Missed while down, cut off by the crash, passed over while running; and after a removal."""
    if unseen := unseen_in(watched):
        return unseen
    hour_us = parse_duration("1h")
    expected = {("hourly", 3 * hour_us): {"missed"}, ("hourly", 4 * hour_us): {"missed"}}
    if (run := next(iter(watched.facts.runs.get("cut-off", [])), None)) and run.died:
        expected["cut-off", 2 * hour_us] = {"unknown", "failed"}
    expected |= {("slow", slot_us): {"skipped"} for slot_us in _passed_over(watched)}
    if len(expected) < 5:  # noqa: PLR2004 - three that are sure, and some of each other kind
        return unknown("nothing was cut off, or nothing came while the last run was on")
    for (job, slot_us), words in expected.items():
        told = told_of(records_of(watched, job), slot_us)
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
    begun = [at_us // period_us for at_us in begins_of(watched, "slow")]
    found = []
    for run in watched.facts.runs.get("slow", []):
        if run.end is None:
            continue
        first, last = watched.since(run.begin) // period_us + 1, watched.since(run.end) // period_us
        found += [slot * period_us for slot in range(first, last + 1) if slot not in begun]
    return found


def _after_a_removal(context: Context) -> Outcome | None:
    """On a real disk: what was missed, and what ran, is on record when the job is gone."""
    with bench_in(context, "removed") as (bench, folder):
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
    "an interval of ages": {"schedule": {"kind": "interval", "minutes": 10**10}},
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
    with bench_in(context, "broken") as (bench, folder):
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


@watching("LIVE-8", "host-writes-fail", host=True)
def writes_that_fail(_: Context, watched: Watched) -> Outcome:
    """Full disks at the claim, at the result and when a late job is moved on."""
    if unseen := unseen_in(watched):
        return unseen
    problem = (
        _held_up(watched, "other", "5m", but=[("24m", "26m"), ("61m", "84m")])
        or _vanished(watched, "report", "4m")
        or _vanished(watched, "other", "5m")
        or _forgotten(watched, "report")
    )
    if problem:
        return violated(problem)
    if len(begins_of(watched, "once")) != 1:
        return violated(
            f"a one-shot whose result was refused ran {len(begins_of(watched, 'once'))} times"
        )
    return held(
        f"{len(watched.of('fault'))} writes refused: nobody waited, nothing went unrecorded"
    )


def _held_up(watched: Watched, job: str, period: str, *, but: list[tuple[str, str]]) -> str | None:
    """Whether a job came late at a time when nothing of its own was refused."""
    spans = [(parse_duration(first), parse_duration(last)) for first, last in but]
    begins = begins_of(watched, job)
    for slot_us in slots_of(watched, period):
        excused = any(first <= slot_us <= last for first, last in spans)
        until_us = slot_us + watched.interval_us + SLACK_US
        if not excused and not any(slot_us <= at_us <= until_us for at_us in begins):
            return (
                f"{job} was held up at {format_duration(slot_us)}, where only others were refused"
            )
    return None


def _vanished(watched: Watched, job: str, period: str) -> str | None:
    """Whether an occurrence neither ran before the next one nor is on record as something else."""
    begins, records = begins_of(watched, job), records_of(watched, job)
    for slot_us in slots_of(watched, period):
        ran = any(slot_us <= at_us < slot_us + parse_duration(period) for at_us in begins)
        if not ran and not told_of(records, slot_us) & {"missed", "skipped", "unknown", "failed"}:
            return f"{job} at {format_duration(slot_us)} did not run, and no record says so"
    return None


def _forgotten(watched: Watched, job: str) -> str | None:
    """Whether the store says of runs that all ended well that one did not, or nothing at all."""
    told: list[tuple[int, int]] = []
    for event in watched.history.of("store.commit"):
        for job_id, record in event.data["changes"]:
            if job_id != job or record is None:
                continue
            if record.get("last_status") not in {None, "ok"}:
                said = record.get("last_error")
                return f"the refused result of {job} was forgotten {watched.when(event)}: {said}"
            told.append((event.n, instant_us(record.get("last_run_at")) or 0))
    for run, following in pairwise(watched.facts.runs.get(job, [])):
        if not any(
            run.end_n < n < following.begin.n and ran_us >= run.begin.at_us for n, ran_us in told
        ):
            return f"the result of the run of {job} {watched.when(run.begin)} was never stored"
    return None


@watching("LIVE-13", "host-no-next-time", host=True)
def without_a_next_time(context: Context, watched: Watched) -> Outcome:
    """Schedules that are damaged, and an hour in which no schedule can be read."""
    if unseen := unseen_in(watched):
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
    if not any(at_us > parse_duration("30m") for at_us in begins_of(watched, "never")):
        return violated("a job whose schedule was mended never came back")
    return _on_a_bad_day(context) or held("no job was switched off, and the mended one came back")


def _on_a_bad_day(context: Context) -> Outcome | None:
    """On a real disk: a run whose next time cannot be computed, in each way; then it can."""
    for trouble in TROUBLES:
        with bench_in(context, f"no-next-{trouble.replace(' ', '-')}") as (bench, folder):
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
