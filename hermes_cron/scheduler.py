"""Ticks and runs: from what is due to a recorded result.

`tick` asks what is due, claims it in one write and hands it to the pool; `run_one_job` is the one
path from a claimed job to its result, for ticks and for webhooks alike: look again, run, save,
deliver, mark. Functions of the host are looked up on their modules at each call.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from hermes_cron import (
    delivery,
    dispatch,
    executions,
    gateway_evidence,
    heartbeat,
    jobs,
    pending,
    process,
    provider_calls,
    records,
    recovery,
    runners,
    runs,
    store,
)
from hermes_cron.process import Execution
from hermes_cron.raised import describe
from hermes_cron.records import Job
from hermes_cron.runners import Result

__all__ = ["SILENT_MARKER", "recover", "run_job", "run_one_job", "tick"]

logger = logging.getLogger(__name__)

SILENT_MARKER = runners.SILENT

_get_due_jobs = jobs.get_due_jobs


def tick(
    verbose: bool = True,
    adapters: Any = None,
    loop: Any = None,
    sync: bool = True,
    *,
    can_dispatch: Callable[[], bool] | None = None,
) -> int:
    """Run what is due.

    Args:
        verbose: log how many jobs are due.
        adapters: handed to the delivery.
        loop: handed to the delivery.
        sync: wait for the runs; without it they go on after the return.
        can_dispatch: asked first; while it says no, due jobs stay due.

    Returns:
        How many jobs ran without raising, or with `sync=False` how many were started; 0 when
        skipped.

    Raises:
        hermes_cron.store.StoreError: it could not look, or not claim; what is due stays due.
    """
    if can_dispatch is not None and not can_dispatch():
        return 0
    with heartbeat.tick_under_way():
        started = _start_what_is_due(adapters, loop, verbose)
    return sum(future.result() for future in started) if sync else len(started)


def _start_what_is_due(adapters: Any, loop: Any, verbose: bool) -> Sequence[Future[bool]]:
    """Claim all that is due in one write, and hand it to the pool."""
    state = process.current()
    if state.pending:
        heartbeat.tick_works()
        jobs.retry_pending()
    if jobs.get_due_jobs is not _get_due_jobs:
        heartbeat.tick_works()  # one that was put in its place does not say so itself
    if state.dispatcher is not None:
        # Refused work was claimed by an earlier tick; it waits for an executor.
        with suppress(dispatch.DispatchRefusedError):
            state.dispatcher.relieve()
    try:
        due = jobs.get_due_jobs()
    except store.StoreUnreadable:
        store.current_store().keep_aside()  # what is corrupt is not lost when somebody mends it
        raise
    if not due:
        return ()
    heartbeat.tick_works()
    if verbose:
        logger.info("%d cron job(s) due", len(due))
    return [
        future
        for job in jobs.claim_due(due)
        if (future := _dispatch(job, adapters, loop, verbose)) is not None
    ]


def _dispatch(job: Job, adapters: Any, loop: Any, verbose: bool) -> Future[bool] | None:
    """Hand a claimed job to the pool; one that the pool refuses is given back."""
    execution = runs.hold(job)

    def work() -> bool:
        try:
            return run_one_job(job, adapters=adapters, loop=loop, verbose=verbose)
        except BaseException:
            # run_one_job lets nothing out; what was put in its place may.
            logger.exception("job %s: the run raised", records.label(job), extra=execution.extra)
            return False
        finally:
            runs.drop(execution)

    try:
        return dispatch.dispatcher().submit(work)
    except Exception as error:
        runs.drop(execution)
        logger.error(  # noqa: TRY400 - the message is the whole story
            "job %s could not be started and stays due: %s",
            records.label(job),
            error,
            extra=execution.extra,
        )
        pending.release(execution, f"it could not be started: {error}")
        return None


def run_one_job(job: Job, *, adapters: Any = None, loop: Any = None, verbose: bool = False) -> bool:
    """Run one job and record what came of it: run, save the output, deliver, mark.

    What was taken from the store is looked at again first: a job that was paused, disabled,
    completed or removed meanwhile, or whose claim is not the handed one any more, does not run and
    is recorded as skipped. A job dict that the store never held runs untouched.

    Returns:
        False when the body raised, whatever it raised; True otherwise. Nothing escapes.
    """
    execution = runs.hold(job)
    mine = process.execution.set(execution)
    try:
        runs.begin(job, execution, jobs._hermes_now())  # noqa: SLF001 - the host's clock
    except runs.NotBegun as reason:
        runs.skip(job, execution, reason)
        return True
    except BaseException as error:
        logger.exception("job %s could not begin", records.label(job), extra=execution.extra)
        runs.skip(job, execution, runs.NotBegun(describe(error)))
        return False
    else:
        return _run(job, execution, adapters, loop, verbose)
    finally:
        with suppress(ValueError):
            process.execution.reset(mine)
        runs.drop(execution)


@dataclass
class _Outcome:
    """What a body came to."""

    success: bool
    output: str
    text: str
    error: str | None
    raised: bool = False
    silent: bool = False


def _body(job: Job, execution: Execution) -> _Outcome:
    """Run the body; whatever it raises is its failure."""
    try:
        success, output, text, error = run_job(job)
        if success and not str(text or "").strip():
            error = "the run gave a blank answer: there is nothing to deliver"
            return _Outcome(False, str(output or ""), "", error, silent=True)
        silent = bool(success) and delivery.is_silence(text)
        return _Outcome(bool(success), str(output or ""), str(text or ""), error, silent=silent)
    except BaseException as failure:
        # SystemExit, KeyboardInterrupt, CancelledError: a body that wants to leave has ended; the
        # process that runs it has not (FIRE-5).
        logger.exception("Error processing job %s", records.label(job), extra=execution.extra)
        return _Outcome(False, "", "", describe(failure), raised=True)


def _run(job: Job, execution: Execution, adapters: Any, loop: Any, verbose: bool) -> bool:
    """The body and everything after it."""
    outcome = _body(job, execution)
    problems = (
        _guarded(lambda: _keep(job, outcome, execution, verbose), execution),
        _guarded(lambda: _tell(job, outcome, adapters, loop), execution),
    )
    delivery_error = "; ".join(str(problem) for problem in problems if problem) or None
    unmarked = pending.mark(execution, outcome.success, outcome.error, delivery_error)
    executions.append(
        [
            executions.record(
                "completed" if outcome.success else "failed",
                job,
                execution.ended_at or jobs._hermes_now(),  # noqa: SLF001 - the host's clock
                occurrence=execution.occurrence,
                execution_id=execution.id,
                token=execution.token,
                error=outcome.error,
                delivery_error=delivery_error,
                fenced=execution.fenced or None,
                unmarked=unmarked,
            )
        ]
    )
    return not outcome.raised


def _guarded(step: Callable[[], str | None], execution: Execution) -> str | None:
    """What went wrong in a step after the body, which changes nothing about the run itself."""
    try:
        return step()
    except BaseException as error:
        logger.exception(
            "job '%s': its result could not be kept or delivered",
            execution.job_id,
            extra=execution.extra,
        )
        return describe(error)


def _keep(job: Job, outcome: _Outcome, execution: Execution, verbose: bool) -> None:
    output = outcome.output or (f"{outcome.error}\n" if outcome.error else "")
    where = jobs.save_job_output(str(job.get("id")), output)
    if verbose:
        logger.info("output of job %s: %s", records.label(job), where, extra=execution.extra)


def _tell(job: Job, outcome: _Outcome, adapters: Any, loop: Any) -> str | None:
    """Deliver the answer, or what went wrong."""
    if outcome.silent:
        return None
    text = outcome.text
    if not outcome.success and not text.strip():
        text = f"Cron job {records.label(job)} failed: {outcome.error or 'no reason was given'}"
    return _deliver_result(job, text, adapters=adapters, loop=loop)


def _deliver_result(job: Job, content: str, adapters: Any = None, loop: Any = None) -> str | None:
    """Deliver one text; what went wrong, or None. hermes-agent's name for this seam."""
    return delivery.deliver(job, content, adapters=adapters, loop=loop)


def run_job(job: Job) -> Result:
    """The body of a run: the script of a `no_agent` job, else the agent's answer to its prompt.

    Returns:
        Whether it succeeded, the document to keep, the text to deliver, and what went wrong.
    """
    return runners.script_job(job) if job.get("no_agent") else runners.run_prompt(job)


def recover() -> int:
    """Settle what earlier processes of this host left half done; how many claims that were.

    Raises:
        hermes_cron.store.StoreError: it could not; it is tried again at the next occasion.
    """
    jobs.retry_pending()
    if recovery.recover in process.current().pending:
        return 0  # tried again a moment ago, in vain: a kept lock is waited for once, not twice
    try:
        return recovery.recover()
    except store.StoreError:
        pending.later(recovery.recover)
        raise


def _notify_provider_jobs_changed() -> None:
    """Tell the provider that jobs were changed. Never raises.

    The one that the gateway of this process runs; in any other process the configured one, when
    that is not the built-in, which reads the jobs at each tick anyway.
    """
    try:
        provider = process.current().provider
        if provider is None:
            from hermes_cron import scheduler_provider

            if gateway_evidence.configured_name() in scheduler_provider.BUILTIN_NAMES:
                return
            provider = scheduler_provider.resolve_cron_scheduler()
        provider_calls.hook(provider, "on_jobs_changed")()
    except BaseException as error:  # the jobs are changed; the provider catches up later
        logger.warning(
            "the cron provider did not take the news of changed jobs: %s: %s",
            type(error).__name__,
            error,
        )
