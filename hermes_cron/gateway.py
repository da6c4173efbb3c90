"""The process that runs cron: one provider, watched, and the fires that come for it.

`Gateway.run(stop_event)` blocks until the event is set. The provider's `start` runs in a thread of
its own, and that thread itself says how it ended, so that nothing here wakes periodically:

- it raised, or its loop ended although nobody asked it to: said in the log and in the evidence, and
  the built-in takes over in the same thread (CONTRACT.md FALL-10);
- it returned and its jobs are armed outside: nothing to do until a fire comes.

Which of the two a returned `start` is, its hooks and the heartbeats say: a provider that
overrides none of `fire_due`, `reconcile` and `on_jobs_changed` has no way to bring a job to run but
its loop; and one that recorded a heartbeat since it was started had a loop, which is over. All
others arm outside. What cannot be seen from here: that a thread dies which such a provider has left
running behind its `start`. A provider with a loop blocks in `start` (HOST.md), or waits there for
its thread, whose end is then the end of `start`.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from hermes_cron import (
    clock,
    config,
    fires,
    gateway_evidence,
    heartbeat,
    pending,
    process,
    provider_calls,
    recovery,
    scheduler,
    scheduler_provider,
    store,
    webhook,
)
from hermes_cron.raised import in_a_line
from hermes_cron.scheduler_provider import CronScheduler

__all__ = ["Gateway", "GatewayBusy", "find_gateway_pids", "run_fire", "run_start"]

logger = logging.getLogger(__name__)


class GatewayBusy(RuntimeError):  # noqa: N818 - hermes-agent's word for it, and it is no defect
    """Another gateway serves this home."""


class Gateway:
    """One gateway.

    Args:
        provider: the provider to run; None asks the resolver when `run` is called.
        interval: seconds, handed to the provider's `start`.
        adapters: handed through to `start` and `fire_due`.
        loop: handed through to `start` and `fire_due`.
        drain_s: how long `run` waits, after the stop, for what is still running.
        lock_wait_s: how long `run` waits for another gateway of this home to leave.
    """

    def __init__(
        self,
        provider: CronScheduler | None = None,
        *,
        interval: int = 60,
        adapters: Any = None,
        loop: Any = None,
        drain_s: float = 30.0,
        lock_wait_s: float = 1.0,
    ) -> None:
        self.interval = interval
        self.drain_s = drain_s
        self.lock_wait_s = lock_wait_s
        self.fallback: dict[str, str] | None = None  # `configured` and the `reason`
        self.state = "starting"
        self._provider = provider
        self._handed_through = {"adapters": adapters, "loop": loop}
        self._fires = fires.Fires(self._in_charge, self._run_fire, self._unready)
        self._evidence = gateway_evidence.GatewayEvidence()

    def run(self, stop_event: threading.Event) -> bool:
        """Run until `stop_event` is set, then drain.

        Returns:
            True when everything that was on came to its end within `drain_s`.

        Raises:
            GatewayBusy: another gateway has this home, and `cron.replicas` is not set.
            hermes_cron.store.StoreError: the home cannot be used at all.
        """
        with self._only_one():
            gateway_evidence.sweep({process.current().pid, *find_gateway_pids()})
            self._evidence.begin(interval_s=self.interval)
            try:
                self._recover()
                # Not `or`: a provider that has a length is false while that is nothing.
                self._take(self._resolve() if self._provider is None else self._provider)
                thread = threading.Thread(
                    target=self._drive, args=(stop_event,), name="cron-provider", daemon=True
                )
                self.state = "running"
                self._evidence.tell(state=self.state)
                thread.start()
                stop_event.wait()
                return self._drain(thread)
            finally:
                self.state = "stopped"
                heartbeat.loop_ended()
                self._evidence.end()

    def receive(self, authorization: str | None, body: bytes) -> webhook.Answer:
        """Answer one fire (WIRE.md); the run goes on in a thread of its own."""
        return self._fires.receive(authorization, body)

    # -- boot ---------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _only_one(self) -> Iterator[None]:
        """Hold the home's gateway lock, unless several gateways are meant."""
        with contextlib.ExitStack() as held:
            if config.cfg_get(config.load_config(), "cron", "replicas") is not True:
                lock = store.current_store().lock("gateway", timeout_s=self.lock_wait_s)
                try:
                    held.enter_context(lock)
                except store.StoreBusy as busy:
                    pids = ", ".join(map(str, find_gateway_pids())) or "unknown"
                    raise GatewayBusy(
                        f"another gateway (pid {pids}) serves this home; stop it first, "
                        "or set cron.replicas to true when several are meant"
                    ) from busy
            yield

    def _recover(self) -> None:
        """Close what an earlier process left open; a failure of this stops nothing."""
        try:
            scheduler.recover()
        except BaseException:  # a store that is hurt now may be well at the first tick
            logger.exception("what an earlier gateway left open could not be looked at; going on")
            pending.later(recovery.recover)

    def _resolve(self) -> CronScheduler:
        """The configured provider, else the built-in: cron is never without a trigger."""
        try:
            provider = scheduler_provider.resolve_cron_scheduler()
        except BaseException as error:  # the resolver never raises; a patched one may
            name = gateway_evidence.configured_name()
            logger.exception("cron provider '%s' not resolved; using built-in ticker", name)
            self.fallback = {
                "configured": name,
                "reason": f"not resolved: {in_a_line(error)}",
            }
            return scheduler_provider.InProcessCronScheduler()
        self.fallback = gateway_evidence.resolver_fallback()
        return provider

    def _take(self, provider: CronScheduler) -> None:
        """Put `provider` in charge: fires and mutations go to it from now on."""
        self._provider = provider
        process.current().provider = provider
        self._evidence.tell(
            provider=provider_calls.name_of(provider),
            external=provider_calls.is_external(provider),
            started=False,
            fallback=self.fallback,
        )

    def _in_charge(self) -> CronScheduler:
        assert self._provider is not None, "fires are refused until a provider is in charge"
        return self._provider

    # -- the provider's thread ----------------------------------------------------------------

    def _drive(self, stop_event: threading.Event) -> None:
        """Run the provider in charge, and the built-in after it as often as it takes."""
        if stop_event.is_set():  # while what was left open was waited for: nothing is begun
            return
        why = self._start(self._in_charge(), stop_event)
        while why is not None and not stop_event.is_set():
            failed = provider_calls.name_of(self._in_charge())
            logger.error("cron provider '%s': %s; using built-in ticker", failed, why)
            if self.fallback is None:  # the first reason is the one to mend
                self.fallback = {"configured": failed, "reason": why}
            self._take(scheduler_provider.InProcessCronScheduler())
            why = self._start(self._in_charge(), stop_event)
            if why is not None:
                stop_event.wait(max(self.interval, 1))  # one that ends at once must not spin

    def _start(self, provider: CronScheduler, stop_event: threading.Event) -> str | None:
        """Run `start`; why that was wrong, or None when it ended as it should."""
        offered = {**self._handed_through, "interval": self.interval}
        heartbeat.loop_began(self.interval)
        try:
            run_start(provider, stop_event, offered)
        except BaseException as error:
            # SystemExit and its like included: they would end this thread, and with it every job.
            if stop_event.is_set():
                logger.warning(
                    "cron provider '%s' left with %s",
                    provider_calls.name_of(provider),
                    in_a_line(error),
                )
                return None
            logger.exception("cron provider '%s': start raised", provider_calls.name_of(provider))
            return f"start raised {in_a_line(error)}"
        if stop_event.is_set():
            return None
        if provider_calls.is_external(provider) and not heartbeat.has_beaten():
            self._evidence.tell(started=True)
            return None
        return "its loop ended although nobody asked it to stop"

    # -- fires and the end --------------------------------------------------------------------

    def _run_fire(self, job_id: str) -> Any:
        return run_fire(self._in_charge(), job_id, self._handed_through)

    def _unready(self) -> str | None:
        """Why this gateway takes no fire now."""
        return None if self.state == "running" else f"the gateway is {self.state}"

    def _drain(self, thread: threading.Thread) -> bool:
        """Start nothing more, then wait for what is on: `drain_s` in all."""
        deadline = time.monotonic() + self.drain_s
        self.state = "draining"
        self._evidence.tell(state=self.state)
        stopper = _begin(self._stop_provider, "cron-stop")
        _wait_for(stopper, deadline)
        _wait_for(thread, deadline)
        left_on = {*self._fires.close(deadline), *_wait_for_runs(deadline)}
        if process.current().pending:  # nobody else knows the result of a run
            _wait_for(_begin(pending.retry, "cron-last-writes"), deadline)
        for job_id in sorted(left_on):
            run = process.current().running.get(job_id)
            logger.warning(
                "job '%s' was still running when the gateway stopped",
                job_id,
                extra=run.extra if run else {"job_id": job_id, "occurrence": None},
            )
        if thread.is_alive():
            logger.warning(
                "cron provider '%s' has not left start", provider_calls.name_of(self._in_charge())
            )
        return not (left_on or thread.is_alive() or stopper.is_alive())

    def _stop_provider(self) -> None:
        try:
            provider_calls.hook(self._in_charge(), "stop")()
        except BaseException:  # whatever it raises, the gateway leaves
            logger.exception(
                "cron provider '%s': stop raised", provider_calls.name_of(self._in_charge())
            )


def _begin(work: Callable[[], object], name: str) -> threading.Thread:
    """Begin in a thread what may hang, so that it does not outlast the drain."""
    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    return thread


def _wait_for(thread: threading.Thread, deadline: float) -> None:
    thread.join(max(0.0, deadline - time.monotonic()))


def _wait_for_runs(deadline: float) -> list[str]:
    """Wait for what ticks have started, until `deadline`; the jobs that are still running then."""
    state = process.current()
    step_s = 0.02
    while state.running and (left_s := deadline - time.monotonic()) > 0:
        clock.sleep(min(step_s, left_s))
        step_s = min(2 * step_s, 1.0)
    return list(state.running)


def run_start(
    provider: CronScheduler, stop_event: threading.Event, offered: Mapping[str, Any]
) -> None:
    """Call the provider's `start` with those of the keywords that it takes."""
    provider.start(stop_event, **provider_calls.accepted(provider.start, offered))


def run_fire(provider: CronScheduler, job_id: str, offered: Mapping[str, Any]) -> Any:
    """Call the provider's `fire_due` with those of the keywords that it takes; what it answers."""
    fire_due = provider_calls.hook(provider, "fire_due")
    return fire_due(job_id, **provider_calls.accepted(fire_due, offered))


def find_gateway_pids(
    exclude_pids: Collection[int] | None = None, all_profiles: bool = False
) -> list[int]:
    """The pids of the gateways of this home that run on this host, smallest first.

    Args:
        exclude_pids: pids to leave out.
        all_profiles: hermes-agent's; here a home is looked at alone.

    Raises:
        OSError: the evidence cannot be looked at; that is not the same as no gateway.
    """
    del all_profiles
    return [pid for pid in gateway_evidence.live_pids() if pid not in (exclude_pids or ())]
