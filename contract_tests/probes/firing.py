"""FIRE: the path from a signal to a run, on a real store in a home of the kit's own.

What counts is what was seen at the job's body, which the kit puts there, and not what the provider
answers or logs.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from contract_tests.benches.fire import CHANGES, OUTCOMES, FireBench, JobChange
from contract_tests.engine import Context, Outcome, held, probe, violated
from contract_tests.probes.virtual import SLACK_US, Watched, watching
from contract_tests.surroundings import Answer, ask, captured_logs, home, watched
from simulator.fold import final_registry, final_store

__all__: list[str] = []  # probes are found by their ids

FIRE_WAIT_S = 20.0
MOMENTS = ("before the signal", "after the claim", "on the shared path")


@contextmanager
def _bench(context: Context, label: str) -> Iterator[FireBench]:
    """A furnished home with a bench in it; no network, and quiet."""
    folder = context.folder / "firing" / label / "home"
    name = ask(lambda: context.target.make().name).value
    with home(folder), captured_logs(), watched():
        context.host.furnish(folder, name if isinstance(name, str) else "a-provider")
        with context.host.fire_bench() as bench:
            yield bench


def _fire(context: Context, job_id: str, adapters: Any = None, loop: Any = None) -> Answer:
    with context.target.connected() as provider:
        return ask(
            lambda: provider.fire_due(job_id, adapters=adapters, loop=loop), wait_s=FIRE_WAIT_S
        )


@probe("FIRE-1")
def claims_and_runs(context: Context) -> Outcome:
    """A job that succeeds, one that fails, one that raises: each claimed and run once."""
    adapters, loop = {"kit": object()}, object()
    for outcome in OUTCOMES:
        with _bench(context, outcome) as bench:
            bench.outcome = outcome
            job_id = bench.add_job()
            answer = _fire(context, job_id, adapters, loop)
            runs, claims, shared = list(bench.runs), list(bench.claims), list(bench.shared)
        if runs != [job_id]:
            return violated(
                f"fire_due of a due job ran {len(runs)} times at the body, not once ({answer})"
            )
        if claims != [(job_id, True)]:
            return violated(f"it ran the job without exactly one won claim: {claims}")
        if [one[0] for one in shared] != [job_id]:
            return violated("it ran the job past the shared path run_one_job")
        if shared[0][1] is not adapters or shared[0][2] is not loop:
            return violated("it did not pass on the adapters and the loop that it was given")
        if answer.error is not None or answer.value is not True:
            return violated(f"a job that was claimed, ran and {outcome}: fire_due {answer}")
    return held(
        "claimed, run once on the shared path with adapters and loop, True whatever the outcome"
    )


@probe("FIRE-2")
def a_lost_claim(context: Context) -> Outcome:
    """Somebody else has claimed the job a moment before."""
    with _bench(context, "lost") as bench:
        job_id = bench.add_job()
        if not bench.claim(job_id):
            return violated("the store refused the first claim of a fresh job")
        answer = _fire(context, job_id)
        runs = list(bench.runs)
    return _nothing_ran(answer, runs, "a lost claim")


@probe("FIRE-3")
def a_job_that_is_gone(context: Context) -> Outcome:
    """Removed before the fire, and removed between the claim and the look at the job."""
    with _bench(context, "gone") as bench:
        job_id = bench.add_job()
        bench.change(job_id, "removed")
        before = _nothing_ran(_fire(context, job_id), list(bench.runs), "a job that is gone")
    if before.holds is False:
        return before
    with _bench(context, "gone-after") as bench:
        job_id = bench.add_job()
        bench.after_claim = lambda: bench.change(job_id, "removed")
        after = _nothing_ran(
            _fire(context, job_id), list(bench.runs), "a job that went after the claim"
        )
    return after if after.holds is False else held(*before.evidence, *after.evidence)


def _nothing_ran(answer: Answer, runs: list[str], what: str) -> Outcome:
    if runs:
        return violated(f"for {what}, the body ran all the same (fire_due {answer})")
    if answer.error is not None or answer.value is not False:
        return violated(f"for {what}, fire_due {answer}, not False")
    return held(f"for {what}, False, and nothing ran")


@probe("FIRE-4")
def what_must_not_run(context: Context) -> Outcome:
    """Five states, each entered before the signal, after the claim, and at the shared path."""
    count = 0
    for state in CHANGES:
        for moment in MOMENTS:
            count += 1
            with _bench(context, f"{state}-{count}".replace(" ", "-")) as bench:
                job_id = bench.add_job()
                change = _change(bench, job_id, state)
                if moment == "before the signal":
                    change()
                elif moment == "after the claim":
                    bench.after_claim = change
                else:
                    bench.at_shared_path = change
                answer = _fire(context, job_id)
                runs = list(bench.runs)
            if runs:
                return violated(f"a job that was {state} {moment} ran (fire_due {answer})")
    return held(f"nothing ran in any of {count} cases")


def _change(bench: FireBench, job_id: str, state: JobChange) -> Callable[[], None]:
    return lambda: bench.change(job_id, state)


@watching("FIRE-5", "registry-bodies-raise")
def a_raising_body_is_a_failed_run(_: Context, watched: Watched) -> Outcome:
    """Six kinds of exception, those that end a process included, each job fired twice."""
    if trouble := watched.trouble():
        return trouble
    for fire in watched.facts.fires:
        error = fire.end.data.get("error") if fire.end else "it did not come back"
        if error:
            return violated(f"the fire of {fire.job} {watched.when(fire.begin)} let out {error}")
    for job in (one.id for one in watched.run.scenario.jobs):
        if problem := _unrecorded(watched, job):
            return violated(f"{job}: {problem}")
    count = sum(len(runs) for runs in watched.facts.runs.values())
    return held(f"{count} bodies raised, each is on record as failed, and each job came again")


def _unrecorded(watched: Watched, job: str) -> str | None:
    """What is wrong with a job whose body raises: it ran twice, and was marked both times."""
    runs = watched.facts.runs.get(job, [])
    if not runs:
        return "it never ran"
    for run in runs:
        if run.end is None:
            return f"its run {watched.when(run.begin)} has no end"
        soon = watched.number_at(watched.since(run.end) + SLACK_US)
        record = final_store(watched.history, before=soon).records.get(job) or {}
        if record.get("last_status") in (None, "ok") or not record.get("last_error"):
            return f"its failure {watched.when(run.end)} is not on record"
        if job not in final_registry(watched.history, before=soon).armed:
            return f"its next occurrence is not armed after the failure {watched.when(run.end)}"
    return None if len(runs) > 1 else "it did not come again"
