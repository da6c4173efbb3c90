"""LIVE: no occurrence is lost, watched over virtual time.

Runs are counted at the body, arms at the registry. Whether the right thing is armed is asked in the
words of the RECON probes, which rebuild store and registry from the history.
"""

from collections.abc import Sequence

from contract_tests.engine import Context, Outcome, held, unknown, violated
from contract_tests.probes.registry import differences
from contract_tests.probes.runs import WAKE_US, between, delivered
from contract_tests.probes.virtual import SLACK_US, Watched, watching
from simulator.checkers.happened import EARLY_LEEWAY_US, BodyRun, Life
from simulator.checkers.rest import armed_before
from simulator.durations import SECOND_US, format_duration, parse_duration
from simulator.event import Event

__all__: list[str] = []  # probes are found by their ids

TWENTY_MINUTES_US = 1200 * SECOND_US
# Seams that one kind of provider passes and the other does not.
OF_ONE_KIND = ("tick", "store.replace", "nas.provision", "nas.list", "nas.deliver")
# live-rearm-fails: the job, the arm that is refused (from, until), when the occasion is over.
REFUSED = (
    ("new", "20m", "25m", "31m"),
    ("refused", "59m", "65m", "1h31m"),
    ("refused", "1h59m", "2h5m", "2h11m"),
    ("refused", "2h59m", "3h5m", "3h11m"),
    ("refused", "3h59m", "4h5m", "4h11m"),
)
# live-taken-by-another: the job, and when its next one has to be armed, with nothing under way.
TAKEN = (("lost", "50m"), ("overtaken", "1h1m"))


@watching("LIVE-1", "live-faults-end")
def after_the_faults(context: Context, watched: Watched) -> Outcome:
    """An hour and a half of faults, and two hours without."""
    is_loop = "blocking" in context.capabilities and "external" not in context.capabilities
    if is_loop and (left := watched.left_unasked()):
        return violated(left)
    if trouble := watched.trouble(optional=OF_ONE_KIND):
        return trouble
    struck = watched.history.of("fault")
    if not struck:
        return unknown("none of the faults struck")
    wake_us = watched.start_us + parse_duration("1h45m")
    jobs = ("first", "second", "nowhere")
    for job in jobs:
        if problem := _not_again(watched, job, wake_us):
            return violated(problem)
    return held(
        f"{len(struck)} times something went wrong; afterwards {', '.join(jobs)} fired again at "
        "the first wake, and at each of their times"
    )


def _not_again(watched: Watched, job: str, wake_us: int) -> str | None:
    """The occurrence of a job for every twenty minutes that did not come back, if one did not."""
    runs = [run.begin.at_us for run in watched.facts.runs.get(job, [])]
    allowed_us = WAKE_US if watched.facts.blocking else SLACK_US
    first_us = wake_us // TWENTY_MINUTES_US * TWENTY_MINUTES_US
    last_us = watched.start_us + watched.run.scenario.lasts - WAKE_US
    for due_us in range(first_us, last_us, TWENTY_MINUTES_US):
        # What was due before the first wake may wait for it, and for NAS to try again.
        until_us = due_us + allowed_us if due_us > wake_us else wake_us + WAKE_US
        if not any(due_us - EARLY_LEEWAY_US <= at_us <= until_us for at_us in runs):
            due, ended = (format_duration(at_us - watched.start_us) for at_us in (due_us, wake_us))
            return (
                f"{job}, due {due} after the start, had not run "
                f"{format_duration(until_us - watched.start_us)} after it, though nothing "
                f"went wrong any more when it was woken at {ended}"
            )
    return None


@watching("LIVE-2", "live-rearm-fails")
def a_failed_rearm(_: Context, watched: Watched) -> Outcome:
    """Five arms that fail, and another kind of occasion after each."""
    if trouble := watched.trouble(optional=("nas.provision",)):
        return trouble
    reached, calls = 0, watched.history.of("nas.call")
    for job, first, last, since in REFUSED:
        if not any(_is_refused(watched, call, job, first, last) for call in calls):
            continue
        reached += 1
        if found := differences(watched, since, (job,)):
            return violated(f"the arm of {job} failed and was not made good: {found[0]}")
    if not reached:
        return unknown("no arm failed")
    return held(f"{reached} times an arm failed, and the next occasion armed the job")


def _is_refused(watched: Watched, call: Event, job: str, first: str, last: str) -> bool:
    return (
        (call.data.get("op"), call.data.get("job_id")) == ("provision", job)
        and parse_duration(first) <= watched.since(call) <= parse_duration(last)
        and (call.data.get("status") != 200 or call.data.get("reason") is not None)  # noqa: PLR2004
    )


@watching("LIVE-3", "live-dies-before-rearm")
def a_death_before_the_rearm(_: Context, watched: Watched) -> Outcome:
    """Three deaths with the fire answered and nothing armed; what each restart arms."""
    if trouble := watched.trouble(optional=("nas.provision", "claim")):
        return trouble
    jobs = []
    for life, following in zip(watched.lives, watched.lives[1:], strict=False):
        job = _died_unarmed(watched, life)
        if job is None:
            continue
        if following.started is None:
            continue
        jobs.append(job)
        at_us = watched.since(following.started) + WAKE_US
        if found := differences(watched, format_duration(at_us), (job,)):
            return violated(f"a death came before {job} was armed again; restarted, {found[0]}")
    if not jobs:
        return unknown("no death fell between a fire and the next arm")
    return held(f"{len(jobs)} deaths before the next arm: each restart armed it")


def _died_unarmed(watched: Watched, life: Life) -> str | None:
    """The job whose accepted fire was the last thing before a death, with nothing armed for it."""
    if life.end is None or life.end.kind != "crash":
        return None
    answers = [event for event in watched.of("fire.answer") if event.n < life.end.n]
    if not answers or answers[-1].data["status"] != 202:  # noqa: PLR2004 - accepted, WIRE.md
        return None
    job = str(answers[-1].data["job"])
    return None if job in armed_before(watched.facts, life.end.n) else job


@watching("LIVE-4", "live-taken-by-another")
def taken_by_another(_: Context, watched: Watched) -> Outcome:
    """A tick before the fire, and a tick between a fire and its claim."""
    if trouble := watched.trouble(optional=("nas.deliver", "claim")):
        return trouble
    lost = [claim for claim in watched.of("claim") if claim.data.get("won") is False]
    if not lost:
        return unknown("no fire lost its claim")
    first = next(iter(watched.facts.runs.get("overtaken", [])), None)
    came = delivered(watched, "overtaken")
    if first is None or not came or came[0].event.n < first.begin.n:
        return unknown("no tick came before the fire")
    for job, since in TAKEN:
        if found := differences(watched, since, (job,)):
            return violated(f"somebody else took the occurrence of {job}: {found[0]}")
    return held("after a lost claim, and after a tick that was faster, the next one was armed")


@watching("LIVE-5", "live-down-for-hours")
def once_for_all_that_was_missed(context: Context, watched: Watched) -> Outcome:
    """Sixteen jobs, and two hours without a gateway.

    How many runs begin at the same time is asked of loops only: what the registry was to fire, it
    fires at its own pace, and the host bounds what it takes.
    """
    if trouble := watched.trouble():
        return trouble
    jobs = [job.id for job in watched.run.scenario.jobs]
    caught_up = {job: between(watched, job, "2h30m", "2h49m30s") for job in jobs}
    for job, runs in caught_up.items():
        if between(watched, job, "30m", "2h30m"):
            return unknown("jobs ran while the only gateway was down")
        if len(runs) != 1:
            return violated(f"{job} missed four occurrences and ran {len(runs)} times for them")
    for job in jobs:
        if len(between(watched, job, "2h49m30s", "2h59m")) != 1:
            return violated(f"{job} ran for what it had missed, and not once at its next time")
    most = _most_at_once([run for runs in caught_up.values() for run in runs])
    if "blocking" in context.capabilities and most > len(jobs) // 2:
        return violated(f"after the outage {most} of {len(jobs)} jobs ran at the same time")
    return held(f"{len(jobs)} jobs ran once each for four occurrences, {most} at the same time")


def _most_at_once(runs: Sequence[BodyRun]) -> int:
    changes = [(run.begin.n, 1) for run in runs] + [(run.end_n, -1) for run in runs]
    on = most = 0
    for _, change in sorted(changes):
        on += change
        most = max(most, on)
    return most
