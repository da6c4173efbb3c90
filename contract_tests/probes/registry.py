"""RECON: the registry converges to the store, watched over virtual time.

Both sides are rebuilt from the history: what the store committed, what the registry accepted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from contract_tests.engine import Context, Outcome, held, unknown, violated
from contract_tests.probes.virtual import Watched, is_between, watching
from simulator.checkers.happened import Life
from simulator.durations import SECOND_US, format_duration, parse_duration
from simulator.event import Event
from simulator.fold import Arm, Registry, Store, final_registry, final_store, instant_us
from simulator.hosts import Surroundings
from simulator.registry_terms import Terms

__all__ = ["differences"]

RETURNS_WITHIN_US = 60 * SECOND_US
LIST = ("nas.list",)


def _wanted(store: Store) -> dict[str, int]:
    """What has to be armed, by job, in whole seconds since the epoch."""
    wanted = {}
    for job, record in store.records.items():
        at_us = instant_us(record.get("next_run_at"))
        idle = record.get("enabled", True) is False or record.get("state") in (
            "paused",
            "completed",
        )
        if at_us is not None and not idle:
            wanted[job] = at_us // SECOND_US
    return wanted


def differences(
    watched: Watched, since: str, only: Iterable[str] | None = None, *, exact: bool = False
) -> list[str]:
    """How registry and store differ at an instant of rest, one sentence each.

    Args:
        watched: the run.
        since: the instant, as a duration after the start.
        only: the jobs to look at; all by default.
        exact: look at dedup_key and callback URL too, which are RECON-1's affair.
    """
    before = _before(watched, since)
    store = final_store(watched.history, before=before)
    registry = final_registry(watched.history, before=before)
    wanted = _wanted(store)
    jobs = set(wanted) | set(registry.armed) if only is None else set(only)
    rest = _Rest(registry, watched.facts.terms, watched.start_us + parse_duration(since))
    return [
        f"{since} after the start, {sentence}{_refusal(watched, job, before)}"
        for job in sorted(jobs)
        if (sentence := _difference(job, wanted.get(job), rest, exact=exact))
    ]


def _unlike(watched: Watched, rests: Mapping[str, Iterable[str] | None]) -> Outcome | None:
    """What speaks against the registry at these instants of rest: jobs to look at, None for all."""
    for since, only in rests.items():
        if found := differences(watched, since, only):
            return violated(*found)
    wanted = (_wanted(final_store(watched.history, before=_before(watched, at))) for at in rests)
    return None if any(wanted) else unknown("there was never a job to be armed")


def _before(watched: Watched, since: str) -> int:
    return watched.number_at(parse_duration(since))


def _refusal(watched: Watched, job: str, before: int) -> str:
    """What the registry itself said against the last call for this job, if it said anything."""
    calls = [
        event
        for event in watched.history.of("nas.call")
        if event.n < before and event.data.get("job_id") == job
    ]
    reason = calls[-1].data.get("reason") if calls else None
    if not reason:
        return ""
    op, status = calls[-1].data.get("op"), calls[-1].data.get("status")
    answer = f"{status}, {reason}" if status else str(reason)
    return f"; its last {op} {watched.when(calls[-1])} came to nothing: {answer}"


@dataclass(frozen=True)
class _Rest:
    """What is armed at an instant, at a registry with these terms."""

    registry: Registry
    terms: Terms
    at_us: int


def _difference(job: str, wanted_s: int | None, rest: _Rest, *, exact: bool) -> str | None:
    arm, terms = rest.registry.armed.get(job), rest.terms
    if wanted_s is None:
        return f"{job} is armed at {arm.fire_at}, and should not be" if arm else None
    wanted_us = wanted_s * SECOND_US
    if arm is None:
        return None if terms.beyond(wanted_us, rest.at_us) else f"{job} is not armed"
    if terms.other and arm.at_us is not None and terms.fits(arm.at_us, wanted_us, arm.event.at_us):
        return None  # keys and callback URLs are NAS's
    if arm.at_us != wanted_us:
        return f"{job} is armed at {arm.fire_at}, which is not the second of its next time"
    return _inexactness(job, arm) if exact else None


def _inexactness(job: str, arm: Arm) -> str | None:
    if arm.dedup_key != f"{job}:{arm.fire_at}":
        return f"{job} is armed with dedup_key {arm.dedup_key!r}, not {job}:{arm.fire_at}"
    callback = arm.event.data.get("callback_url", arm.event.data.get("callback"))
    if callback != Surroundings(zone="UTC").callback_url:
        return f"{job} is armed with the callback URL {callback!r}, which was not configured"
    return None


def _calls(watched: Watched, first: str, last: str, op: str | None = None) -> list[Event]:
    """The calls that reached the registry in a span of time."""
    from_us, until_us = parse_duration(first), parse_duration(last)
    return [
        event
        for event in watched.history.of("nas.call")
        if from_us <= watched.since(event) <= until_us and op in (None, event.data.get("op"))
    ]


def _raised(watched: Watched) -> list[str]:
    """What came out of start, a fire, a change or a thread."""
    kinds = ("provider.raised", "fire.end", "op.end", "task.raised")
    return [
        f"{event.kind} {watched.when(event)}: {event.data['error']}"
        for event in watched.history.of(*kinds)
        if event.data.get("error")
    ]


@watching("RECON-1", "registry-arms")
def arms_what_is_wanted(_: Context, watched: Watched) -> Outcome:
    """At rest after boot and between fires, armed is what the store wants, and how it wants it."""
    if trouble := watched.trouble():
        return trouble
    for since in ("2m", "50m", "1h50m", "4h50m"):
        if found := differences(watched, since, exact=True):
            return violated(*found)
    started = watched.lives[0].started
    for job in ("held", "spent"):
        # Whoever made them, before they were held and spent, may have had them armed.
        calls = [
            one
            for one in _calls(watched, "0s", "5h", "provision")
            if one.data.get("job_id") == job and is_between(one, started, None)
        ]
        if calls:
            what = "paused" if job == "held" else "without a next time"
            return violated(f"{job} is {what}: {calls[0].data['op']} {watched.when(calls[0])}")
    count = len(_wanted(final_store(watched.history)))
    return held(f"{count} jobs armed at their second, at four instants; two left alone")


@watching("RECON-2", "registry-follows")
def follows_changes(_: Context, watched: Watched) -> Outcome:
    """Orphans go, by the list or from memory; the right arm stays, the wrong one is replaced."""
    if trouble := watched.trouble(optional=LIST):
        return trouble
    rests = {
        "5m": None,
        "1h5m": ("moved",),
        "1h35m": ("dropped",),
        "3h35m": ("dropped-unseen", "moved-unseen"),
        "5h40m": None,
    }
    if unlike := _unlike(watched, rests):
        return unlike
    # The spans in which the list could be had: before it failed, and at the boot after that.
    for first, last, changed in (("50m", "1h10m", "moved"), ("3h30m", "3h40m", "moved-unseen")):
        again = [
            call
            for call in _calls(watched, first, last, "provision")
            if call.data.get("job_id") != changed
        ]
        if again:
            job = again[0].data.get("job_id")
            return violated(f"{job} was armed right and provisioned again {watched.when(again[0])}")
    return held("two orphans gone, one of them without the list; two moved; the others untouched")


@watching("RECON-3", "registry-cold")
def a_cold_process_converges(_: Context, watched: Watched) -> Outcome:
    """A registry that forgot, and a list that cannot be had, each met by a new process."""
    if trouble := watched.trouble(optional=LIST):
        return trouble
    if unlike := _unlike(watched, dict.fromkeys(("5m", "1h50m", "3h40m"))):
        return unlike
    return held("armed is what the store says after each of two cold boots")


@watching("RECON-4", "registry-down")
def one_failure_is_one_failure(_: Context, watched: Watched) -> Outcome:
    """One job refused beside two others; then nothing answers through boot, changes and fires."""
    # A refused call raises too, and is our doing: `trouble` says so.
    if (raised := _raised(watched)) and not watched.history.of("not_simulated"):
        return violated(f"a failing registry raised into its caller: {raised[0]}", *raised[1:])
    if trouble := watched.trouble(optional=(*LIST, "nas.cancel")):
        return trouble
    if found := differences(watched, "10m", ("first", "second")):
        return violated("one refused job stopped another", *found)
    fired = [event for event in watched.history.of("fire.end") if event.data.get("value") is True]
    if not fired:
        return violated("no fire was answered while the registry was down")
    if found := differences(watched, "4h50m"):
        return violated("it did not converge after a restart with the registry back", *found)
    return held(f"{len(fired)} fires, four changes and two boots, and nothing was raised")


@watching("RECON-5", "registry-quiet", "registry-stops")
def start_returns_and_stop_stops(_: Context, quiet: Watched, stopped: Watched) -> Outcome:
    """It comes back, days pass without a wake, and after stop_event nothing is armed or run."""
    if trouble := quiet.trouble():
        return trouble
    if problem := _did_not_return(quiet, quiet.lives[0]):
        return violated(problem)
    if problem := _woke(quiet):
        return violated(problem)
    if trouble := stopped.trouble():
        return trouble
    for watched in (quiet, stopped):
        if problem := _after_stop(watched, watched.lives[0]):
            return violated(problem)
    return held("start returned, two days without a call, nothing armed or run after stop_event")


def _woke(quiet: Watched) -> str | None:
    """What it did while nothing was due; locks that run out have to be renewed."""
    calls, lock_us = _calls(quiet, "10m", "47h59m"), quiet.facts.terms.lock_us
    if lock_us:
        if problem := _renewed_early(quiet, lock_us):
            return problem
        calls = [call for call in calls if call.data.get("op") != "renew"]
    for name, events in (
        ("called the registry", calls),
        ("ticked", [one for one in quiet.of("tick.begin") if quiet.since(one) > 0]),
    ):
        if events:
            return f"with nothing due, it {name} {quiet.when(events[0])}"
    return None


def _renewed_early(quiet: Watched, lock_us: int) -> str | None:
    """Whether a lock was renewed long before it would have run out."""
    last: dict[object, Event] = {}
    for call in _calls(quiet, "10m", "47h59m", "renew"):
        job = call.data.get("job_id")
        before = last.get(job)
        if before is not None and call.at_us - before.at_us < lock_us // 4:
            lasts = format_duration(lock_us)
            return f"the lock of {job} lasts {lasts}, and was renewed again {quiet.when(call)}"
        last[job] = call
    return None


def _did_not_return(watched: Watched, life: Life) -> str | None:
    started, left, asked = life.started, life.start_left, life.stop_requested
    if started is None:
        return "start was never called"
    if left is None or left.kind != "provider.returned":
        return "start did not return"
    if asked is not None and left.n > asked.n:
        return f"start returned only when it was asked to stop, {watched.when(left)}"
    took_us = left.at_us - started.at_us
    if took_us > RETURNS_WITHIN_US:
        return f"start took {format_duration(took_us)}"
    return None


def _after_stop(watched: Watched, life: Life) -> str | None:
    asked = life.stop_requested
    assert asked is not None, "the scenario stops the machine"
    boots = [other.boot.n for other in watched.lives if other.boot.n > asked.n]
    until = min(boots, default=len(watched.history))
    for event in watched.history.of("nas.armed", "run.begin"):
        if asked.n < event.n < until:
            what = "a job began to run" if event.kind == "run.begin" else "a job was armed"
            return f"after stop_event, {what} {watched.when(event)}"
    return None


@watching("RECON-6", "registry-limited")
def nothing_after_the_last_run(_: Context, watched: Watched) -> Outcome:
    """A job of three runs and a one-shot, long after the last of them."""
    if trouble := watched.trouble():
        return trouble
    runs = {job: len(found) for job, found in watched.facts.runs.items()}
    if runs.get("thrice") != 3 or runs.get("once") != 1:  # noqa: PLR2004 - as its name says
        return violated(f"runs: {runs}, where thrice should have 3 and once 1")
    # Looked at before the next occasion of any kind could have mended it, and at the end.
    for since, only in (("50m", ("once",)), ("1h35m", ("thrice",)), ("3h50m", None)):
        if found := differences(watched, since, only):
            return violated(*found)
    return held("nothing is armed for a job of three runs and a one-shot that have had them")


@watching("RECON-7", "registry-forgets")
def armed_again_after_a_loss(_: Context, watched: Watched) -> Outcome:
    """The registry loses everything twice; a change, and a fire, of another job mend it."""
    if trouble := watched.trouble():
        return trouble
    if unlike := _unlike(watched, dict.fromkeys(("50m", "1h25m", "2h20m"))):
        return unlike
    lost = len(watched.history.of("nas.forgot"))
    return held(f"all jobs armed again at the occasion after each of {lost} losses")


@watching("RECON-8", "registry-lags")
def what_failed_is_made_good(_: Context, watched: Watched) -> Outcome:
    """A cancel that failed, and an orphan that no list showed: both go at a later occasion."""
    if trouble := watched.trouble(optional=LIST):
        return trouble
    if unlike := _unlike(watched, {"1h10m": ("dropped",), "3h10m": None}):
        return unlike
    return held("a failed cancel and an unseen orphan are gone after the occasion that followed")


@watching("RECON-9", "registry-raced")
def concurrent_changes_converge(_: Context, watched: Watched) -> Outcome:
    """Changes from several hands while each call takes seconds; then, at rest, a comparison."""
    if trouble := watched.trouble(optional=("nas.list", "nas.cancel")):
        return trouble
    changes = [one for one in watched.facts.ops if one.job is not None and one.end is not None]
    # At the same instant they overlap whoever is served first, and however briefly.
    if not any(second.begin.n < first.end.n for first, second in pairwise(changes) if first.end):
        return unknown("no two changes overlapped")
    if unlike := _unlike(watched, dict.fromkeys(("1h10m", "2h10m"))):
        return unlike
    return held(f"armed is what the store says after {len(changes)} changes, some at the same time")


@watching("RECON-10", "registry-babbles")
def another_answer_is_no_yes(_: Context, watched: Watched) -> Outcome:
    """200 with HTML and 200 with another shape, while no list says what is really armed."""
    if trouble := watched.trouble(optional=LIST):
        return trouble
    if unlike := _unlike(watched, {"40m": None}):
        return unlike
    odd = [e for e in _calls(watched, "0s", "40m", "provision") if e.data.get("reason")]
    return held(f"{len(odd)} provisions answered in another language, and made again")
