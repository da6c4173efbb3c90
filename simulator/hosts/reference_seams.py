"""What is replaced in `hermes_cron` for a run, so that it goes by the stage and is recorded."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

from hermes_cron import (
    auth,
    config,
    due,
    gateway,
    jobs,
    process,
    provider_calls,
    recovery,
    scheduler,
    store,
)
from hermes_cron.plugins.chronos import verify
from simulator.hosts import Stage, Surroundings
from simulator.hosts.tracebacks import Tracebacks
from simulator.hosts.waits import waited_on
from simulator.words import text_of

__all__ = ["listening", "named", "replacements"]

named: ContextVar[str | None] = ContextVar("named", default=None)
"""The id of the job that the running task makes: jobs of a scenario are named by it."""

_LOOP_LOGGER = "cron.scheduler_provider"
# What nearly every tick says, once for all of them.
_ASYNC, _QUIET, _CLEAN = {"sync": False}, {"error": None, "dispatched": 0}, {"success": True}
_PHASES = {
    "advance_next_run": "advance",
    "create_job": "create",
    "update_job": "update",
    "pause_job": "update",
    "resume_job": "update",
    "remove_job": "remove",
}


def replacements(stage: Stage) -> Iterator[tuple[Any, str, Any]]:
    """What is replaced on the host's modules for a run."""
    yield process, "current", stage.process
    yield process, "new_id", _new_id(process.new_id)
    yield store, "current_store", stage.store
    yield config, "load_config", lambda: _configuration(stage.surroundings)
    yield auth, "get_provider_auth_state", lambda _name: {"access_token": stage.surroundings.token}
    yield auth, "resolve_nous_access_token", lambda: stage.surroundings.token
    yield gateway, "find_gateway_pids", stage.pids
    yield verify, "get_fire_verifier", lambda: lambda *, token, **_: stage.check_token(token)
    yield scheduler, "run_job", lambda job: _body(stage, job)
    yield scheduler, "tick", _tick(stage, scheduler.tick)
    yield recovery, "recover", stage.in_phase("recover", recovery.recover)  # tried again by ticks
    yield scheduler, "recover", _recover(stage, scheduler.recover)
    yield jobs, "claim_due", _claim_due(stage, jobs.claim_due)
    yield jobs, "record_ticker_heartbeat", _heartbeat(stage, jobs.record_ticker_heartbeat)
    yield jobs, "claim_job_for_fire", _claim(stage, jobs.claim_job_for_fire)
    yield jobs, "mark_job_run", _mark(stage, jobs.mark_job_run)
    yield gateway, "run_start", _started(stage, gateway.run_start)
    yield gateway, "run_fire", _fired(stage, gateway.run_fire)
    # Not `jobs.get_due_jobs` itself: a tick takes care of one that somebody replaced.
    yield due, "scan", stage.in_phase("due", due.scan)
    for name, phase in _PHASES.items():
        yield jobs, name, stage.in_phase(phase, getattr(jobs, name))


def _new_id(real: Callable[[], str]) -> Callable[[], str]:
    return lambda: named.get() or real()


def _configuration(surroundings: Surroundings) -> dict[str, Any]:
    """What stands in the `config.yaml` of a user of either provider."""
    return {
        "timezone": surroundings.zone,
        "cron": {
            "provider": surroundings.provider,
            "replicas": surroundings.replicas,
            "chronos": {
                "portal_url": surroundings.portal_url,
                "callback_url": surroundings.callback_url,
                "expected_audience": surroundings.audience,
                "nas_jwks_url": f"{surroundings.portal_url}/jwks.json",
            },
        },
    }


def _body(stage: Stage, job: Mapping[str, Any]) -> tuple[bool, str, str, str | None]:
    result = stage.run_body(job)
    return result.success, result.output, result.final_text, result.error


def _tick(stage: Stage, real: Callable[..., int]) -> Callable[..., int]:
    def tick(*args: Any, **kwargs: Any) -> int:
        sync = kwargs.get("sync")
        stage.note("tick.begin", _ASYNC if sync is False else {"sync": sync})
        try:
            dispatched = stage.around("tick", lambda: real(*args, **kwargs))
        except BaseException as error:
            stage.record("tick.end", error=type(error).__name__, dispatched=None)
            raise
        quiet = dispatched == 0 and type(dispatched) is int
        stage.note("tick.end", _QUIET if quiet else {"error": None, "dispatched": dispatched})
        return dispatched

    return tick


def _heartbeat(stage: Stage, real: Callable[..., Any]) -> Callable[..., Any]:
    def record_ticker_heartbeat(success: bool = False) -> Any:
        stage.note("heartbeat", _CLEAN if success is True else {"success": success})
        return stage.around("heartbeat", lambda: real(success=success))

    return record_ticker_heartbeat


def _recover(stage: Stage, real: Callable[[], int]) -> Callable[[], int]:
    def recover() -> int:
        return stage.around("recover", real)

    return recover


def _claim_due(stage: Stage, real: Callable[..., Any]) -> Callable[..., Any]:
    phased = stage.in_phase("claim", real)

    def claim_due(found: list[Any]) -> Any:
        job = str(found[0].get("id")) if len(found) == 1 else None
        return stage.around("claim", lambda: phased(found), job=job)

    return claim_due


def _claim(stage: Stage, real: Callable[..., bool]) -> Callable[..., bool]:
    phased = stage.in_phase("claim", real)

    def claim_job_for_fire(job_id: str, **kwargs: Any) -> bool:
        try:
            won = stage.around("claim", lambda: phased(job_id, **kwargs), job=job_id)
        except BaseException as error:
            stage.record("claim", job=job_id, won=False, error=type(error).__name__)
            raise
        stage.record("claim", job=job_id, won=won, error=None)
        return won

    return claim_job_for_fire


def _mark(stage: Stage, real: Callable[..., Any]) -> Callable[..., Any]:
    phased = stage.in_phase("mark", real)

    def mark_job_run(job_id: str, success: bool, *args: Any, **kwargs: Any) -> Any:
        try:
            result = stage.around(
                "mark", lambda: phased(job_id, success, *args, **kwargs), job=job_id
            )
        except BaseException as error:
            stage.record("mark", job=job_id, ok=success, error=type(error).__name__)
            raise
        stage.record("mark", job=job_id, ok=success, error=None)
        return result

    return mark_job_run


def _started(stage: Stage, real: Callable[..., Any]) -> Callable[..., Any]:
    def may_dispatch() -> bool:
        return stage.around("dispatch", _yes)

    def run_start(provider: Any, stop_event: Any, offered: Mapping[str, Any]) -> Any:
        stage.record(
            "provider.start",
            name=provider_calls.name_of(provider),
            interval_s=offered.get("interval"),
            kwargs=_taken(provider, offered),
        )
        stop = waited_on(stage, stop_event)
        try:
            result = stage.around(
                "start",
                lambda: real(provider, stop, {**offered, "can_dispatch": may_dispatch}),
            )
        except BaseException as error:
            stage.record("provider.raised", error=type(error).__name__, text=text_of(error))
            raise
        stage.record("provider.returned", stopping=stop_event.is_set())
        return result

    return run_start


def _yes() -> bool:
    return True


def _taken(provider: Any, offered: Mapping[str, Any]) -> list[str]:
    """Which of the keywords its `start` names; what is no provider has none."""
    try:
        start = provider.start
        return sorted(_parameters(getattr(start, "__func__", start)) & set(offered))
    except (AttributeError, TypeError, ValueError):
        return []


@lru_cache(maxsize=64)
def _parameters(function: Callable[..., Any]) -> frozenset[str]:
    """The names of its parameters; a hundred gateways ask it of the same method."""
    return frozenset(inspect.signature(function).parameters)


def _fired(stage: Stage, real: Callable[..., Any]) -> Callable[..., Any]:
    def run_fire(provider: Any, job_id: str, offered: Mapping[str, Any]) -> Any:
        stage.record("fire.begin", job=job_id)
        try:
            value = stage.around("fire", lambda: real(provider, job_id, offered), job=job_id)
        except BaseException as error:
            stage.record("fire.end", job=job_id, value=None, error=type(error).__name__)
            raise
        said = value if isinstance(value, bool) else repr(type(value).__name__)
        stage.record("fire.end", job=job_id, value=said, error=None)
        return value

    return run_fire


class _Ear(logging.Handler):
    """Puts log records into the history: level, logger and type; the words stay beside it."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(logging.INFO)
        self._stage = stage
        self.formatter = Tracebacks()

    def handle(self, record: logging.LogRecord) -> bool:
        """Record it, unless it is chatter; without a lock, since nothing interrupts a task here."""
        if record.levelno < logging.WARNING and record.name != _LOOP_LOGGER:
            return False
        error = record.exc_info[0] if record.exc_info else None
        self._stage.record(
            "log",
            level=record.levelname,
            logger=record.name,
            error=error.__name__ if error is not None else None,
            text=self.format(record) if error or record.stack_info else record.getMessage(),
        )
        return True


@contextmanager
def listening(stage: Stage) -> Iterator[None]:
    """Hear what is logged during the run, and keep it off the terminal."""
    root, loop = logging.getLogger(), logging.getLogger(_LOOP_LOGGER)
    kept = root.handlers[:], root.level, loop.level, logging.raiseExceptions
    root.handlers[:] = [_Ear(stage)]
    root.setLevel(logging.WARNING)
    loop.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.handlers[:], root.level, loop.level, logging.raiseExceptions = kept
