"""ONCE: at most one run for each occurrence, watched over virtual time.

What counts is what began at the body of a job. Fires reach every provider, also one with a loop:
the host serves the webhook for all of them, and an earlier provider may have left arms behind.
"""

from collections.abc import Sequence
from itertools import pairwise

from contract_tests.engine import Context, Outcome, held, unknown, violated
from contract_tests.probes.runs import (
    HOUR_US,
    WAKE_US,
    Redelivery,
    between,
    delivered,
    redelivered,
    runs_by_slot,
)
from contract_tests.probes.virtual import Watched, watch, watching
from simulator.checkers.happened import CLAIM_TTL_US, EARLY_LEEWAY_US, BodyRun
from simulator.durations import SECOND_US, format_duration, parse_duration
from simulator.event import Event

__all__: list[str] = []  # probes are found by their ids

BEHIND_US = 40 * SECOND_US  # the clock in once-clock-behind
ON_TWO_HOSTS = "once-longer-than-a-claim-elsewhere"
LIMITS = {"one-shot": 1, "two-shots": 2}
# once-given-up: the time that each job gives up, and the span of the occurrence that it has.
GIVEN_UP = {
    "later": ("1h", "3h59m30s", "4h2m"),
    "sooner": ("3h", "1h59m30s", "2h2m"),
    "resumed": ("1h", "0s", "0s"),
    "removed": ("1h", "0s", "0s"),
}


@watching("ONCE-2", "once-delivered-again")
def while_the_run_is_on(_: Context, watched: Watched) -> Outcome:
    """Four minutes of a run, and its fire again and again."""
    if trouble := watched.trouble():
        return trouble
    found = [one for one in redelivered(watched, "long") if one.event.n < one.first.end_n]
    if problem := _ran_again(watched, found, "while its run was on"):
        return violated(problem)
    if not found:
        return unknown("nothing was delivered again while its run was on")
    return held(f"{len(found)} fires came while the run of their occurrence was on: no other run")


@watching("ONCE-3", "once-delivered-again")
def after_the_run(_: Context, watched: Watched) -> Outcome:
    """Its fire again after seconds, minutes, a restart and hours."""
    if trouble := watched.trouble():
        return trouble
    found = [
        one
        for one in redelivered(watched, "short")
        if one.first.end is not None and one.first.end.n < one.event.n
    ]
    if problem := _ran_again(watched, found, "after its run"):
        return violated(problem)
    late_us = max((one.event.at_us - one.first.end_us for one in found), default=0)
    if late_us < HOUR_US:
        return unknown("nothing was delivered again an hour and more after its run")
    return held(
        f"{len(found)} fires came after the run of their occurrence, the last one "
        f"{format_duration(late_us)} after it: no other run"
    )


def _ran_again(watched: Watched, redeliveries: list[Redelivery], when: str) -> str | None:
    for one in redeliveries:
        if run := one.brought():
            again = f"its fire came again {when}, {watched.when(one.event)}"
            return f"{one.job}: {again}, and it ran again {watched.when(run.begin)}"
    return None


@watching("ONCE-4", "once-given-up")
def no_longer_its_occurrence(_: Context, watched: Watched) -> Outcome:
    """Fires for times that were given up by a later time, an earlier one, a pause, a removal."""
    if trouble := watched.trouble():
        return trouble
    came = 0
    for job, (given_up, first, last) in GIVEN_UP.items():
        its_own = between(watched, job, first, last)
        for fire in _stale_fires(watched, job, given_up):
            came += 1
            for run in watched.facts.runs.get(job, []):
                if run.begin.n > fire.n and run not in its_own:
                    return violated(
                        f"{job}: a fire came {watched.when(fire)} for an occurrence that it had "
                        f"given up, and it ran {watched.when(run.begin)}"
                    )
        if len(its_own) > 1:
            return violated(f"{job} ran {len(its_own)} times for the occurrence that it has")
    if not came:
        return unknown("no fire came for an occurrence that was given up")
    return held(f"{came} fires for occurrences that were given up, and they ran nothing")


def _stale_fires(watched: Watched, job: str, given_up: str) -> list[Event]:
    """The fires for a job's former time that came after the operator had changed the job."""
    fire_us = watched.start_us + parse_duration(given_up)
    changed = [op.end.n for op in watched.facts.ops if op.job == job and op.end and op.step]
    return [
        one.event
        for one in delivered(watched, job)
        if one.fire_us == fire_us and changed and min(changed) < one.event.n
    ]


@watching("ONCE-5", "once-too-early", "once-clock-behind")
def ahead_of_its_time(context: Context, early: Watched, behind: Watched) -> Outcome:
    """Fires half an hour and a minute early; and a registry whose clock is ahead of the agent's."""
    outcome = _fires_come_early(early)
    if not outcome.holds or "external" not in context.capabilities:
        return outcome
    return _each_fire_is_early(behind)


def _fires_come_early(watched: Watched) -> Outcome:
    if trouble := watched.trouble():
        return trouble
    early = [
        one
        for one in delivered(watched, "report")
        if one.event.at_us < one.fire_us - EARLY_LEEWAY_US
    ]
    for one in early:
        if problem := _at_its_time(watched, one.event, one.fire_us, one.fire_us):
            return violated(f"a fire came early, {watched.when(one.event)}, and {problem}")
    if not early:
        return unknown("no fire came early")
    return held(f"{len(early)} fires came early: each occurrence ran at its time")


def _each_fire_is_early(watched: Watched) -> Outcome:
    if trouble := watched.trouble(optional=("nas.deliver",)):
        return trouble
    firsts = {one.fire_us: one.event for one in reversed(delivered(watched, "report"))}
    for fire_us, first in firsts.items():
        if problem := _at_its_time(watched, first, fire_us, fire_us + BEHIND_US):
            return violated(f"with a clock that is 40 s behind, {problem}")
    if not firsts:
        return unknown("no fire came to an agent whose clock is behind")
    return held(f"with a clock that is 40 s behind, {len(firsts)} occurrences ran at their time")


def _at_its_time(watched: Watched, fire: Event, fire_us: int, there_us: int) -> str | None:
    """What is wrong about the run of an occurrence whose time, by the agent, is `there_us`."""
    runs = [run.begin for run in watched.facts.runs.get("report", []) if run.begin.n > fire.n]
    if ahead := [run for run in runs if run.at_us < there_us - EARLY_LEEWAY_US]:
        return f"report ran ahead of its time, {watched.when(ahead[0])}"
    if not any(fire_us - EARLY_LEEWAY_US <= run.at_us <= there_us + WAKE_US for run in runs):
        at = format_duration(fire_us - watched.start_us)
        return f"report did not run for {at} after the start: its occurrence was lost"
    return None


@watching("ONCE-6", "once-longer-than-a-claim")
def longer_than_a_claim(context: Context, watched: Watched) -> Outcome:
    """25 minutes of a job for every ten; also on two hosts, where several are promised."""
    outcome = _nothing_beside(watched, elsewhere=False)
    # The built-in is part of the host, and that has to serve several machines (HOST.md).
    if not outcome.holds or not (context.target.is_builtin or "replicas" in context.capabilities):
        return outcome
    on_two_hosts = watch(context, ON_TWO_HOSTS)
    outcome = _nothing_beside(on_two_hosts, elsewhere=True)
    return outcome if outcome.holds is False else on_two_hosts.objection("ONCE-6") or outcome


def _nothing_beside(watched: Watched, *, elsewhere: bool) -> Outcome:
    if trouble := watched.trouble():
        return trouble
    runs = watched.facts.runs.get("slow", [])
    for first, second in pairwise(runs):
        if second.begin.n < first.end_n:
            took = format_duration(second.begin.at_us - first.begin.at_us)
            hosts = f"on {first.begin.machine} and {second.begin.machine}"
            return violated(
                f"in {watched.run.scenario.name}, a second run of slow began {took} into the "
                f"first, {hosts}, {watched.when(second.begin)}"
            )
    wakes = watched.history.of("tick.begin", "fire.answer")
    long = [run for run in runs if any(_finds_it_old(wake, run, elsewhere) for wake in wakes)]
    if not long:
        return unknown("nothing woke to a run that had outlasted its claim")
    where = "on two hosts" if elsewhere else "on one host"
    return held(f"{len(long)} runs outlasted a claim {where}, and nothing ran beside them")


def _finds_it_old(wake: Event, run: BodyRun, elsewhere: bool) -> bool:
    """Whether somebody looked, on another host if wanted, when the run was older than a claim."""
    other = wake.machine != run.begin.machine
    old = run.begin.at_us + CLAIM_TTL_US < wake.at_us < run.end_us
    return old and (other or not elsewhere)


@watching("ONCE-8", "once-tick-and-webhook")
def tick_and_webhook(_: Context, watched: Watched) -> Outcome:
    """A fire before the ticks, and a tick before the fires, for the same occurrence."""
    if trouble := watched.trouble(optional=("nas.deliver",)):
        return trouble
    # A fire runs its job once: what begins beside that run is somebody else's.
    fired = {fire.runs[0].begin.n for fire in watched.facts.fires if fire.runs}
    for runs in runs_by_slot(watched, "report").values():
        if len({run.begin.n in fired for run in runs}) > 1:
            by = ["a webhook" if run.begin.n in fired else "a tick" for run in runs]
            return violated(
                f"report ran by {by[0]} {watched.when(runs[0].begin)}, and again by {by[1]} "
                f"{watched.when(runs[1].begin)}"
            )
    by_tick = [run for run in watched.facts.runs.get("report", []) if run.begin.n not in fired]
    by_fire = [run for run in watched.facts.runs.get("report", []) if run.begin.n in fired]
    ticks = [tick.at_us for tick in watched.of("tick.begin")]
    fires = [delivery.event.at_us for delivery in delivered(watched, "report")]
    if not _followed(by_tick, fires):
        return unknown("no fire came for an occurrence that a tick had taken")
    if not _followed(by_fire, ticks):
        return unknown("no tick came after a webhook had taken an occurrence")
    return held(
        f"{len(by_fire)} occurrences taken by a fire and {len(by_tick)} by a tick, and none by both"
    )


def _followed(runs: Sequence[BodyRun], others_us: list[int]) -> bool:
    """Whether the other side came for the same occurrence after one of the runs had begun."""
    return any(
        run.begin.at_us < at_us < run.begin.at_us + parse_duration("2m")
        for run in runs
        for at_us in others_us
    )


@watching("ONCE-9", "once-killed")
def killed_before_completion(_: Context, watched: Watched) -> Outcome:
    """Deaths in the body, at the mark and after the claim; two one-shots that always kill."""
    if trouble := watched.trouble(optional=("mark", "claim")):
        return trouble
    died = [run for run in watched.facts.all_runs if run.died is not None]
    back = [run for run in died if any(life.up_us > run.end_us for life in watched.lives)]
    for job, limit in LIMITS.items():
        count = len(watched.facts.runs.get(job, []))
        if count > limit:
            return violated(f"{job} may run {limit} times, and ran {count} times over the deaths")
    for job in ("in-the-body", "at-the-mark", "after-the-claim"):
        for runs in runs_by_slot(watched, job).values():
            if len(runs) > 1:
                return violated(
                    f"{job} ran {watched.when(runs[0].begin)} and, after a death, again "
                    f"{watched.when(runs[1].begin)} for the same occurrence"
                )
    jobs = {run.job for run in back}
    if not jobs & LIMITS.keys() or not jobs - LIMITS.keys():
        return unknown("no gateway that died of a recurring job and of a one-shot came back")
    return held(f"{len(back)} runs cut off by a death, and no occurrence ran twice")
