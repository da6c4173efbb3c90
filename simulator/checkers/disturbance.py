"""What may legitimately keep a job from running, as spans of time."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import islice
from typing import Any

from simulator import oracle
from simulator.checkers.crowded import crowded_out
from simulator.checkers.facts import Facts
from simulator.checkers.happened import (
    CLAIM_TTL_US,
    FOREVER,
    BodyRun,
    Op,
    Window,
    merge,
)
from simulator.checkers.left_claims import left_claims, settled_us, woken_since_us
from simulator.checkers.misread import read_behind, unread
from simulator.checkers.struck import held_locks, lasts_us, rule_of, start_struck
from simulator.checkers.wanted import Plan, commits_by_job
from simulator.durations import HOUR_US
from simulator.event import Event
from simulator.fold import instant_us

__all__ = [
    "damage",
    "disturbances",
    "failed_call",
    "failed_calls",
    "failed_claims",
    "general_disturbances",
    "hurt_store",
    "until_next_occasion",
]

_CLAIMING = ("claim", "mark", "dispatch", "fire")


def disturbances(facts: Facts, plan: Plan, runs: Sequence[BodyRun], after_us: int) -> list[Window]:
    """All that can keep this job from running, joined where less than `after_us` lies between.

    Its own runs are not among them while their machine lives: `matching` looks at these itself.
    """
    died = [(run.begin.at_us, settled_us(facts, run.died)) for run in runs if run.died is not None]
    return merge([*general_disturbances(facts), *died, *_of_job(facts, plan, runs)], after_us)


def general_disturbances(facts: Facts) -> list[Window]:
    """What concerns every job: nobody up, and faults that fired."""

    def build() -> list[Window]:
        windows = list(facts.down)
        windows += [(event.at_us, event.at_us) for event in facts.history.of("crash", "stopped")]
        for event in facts.faults:
            windows.append((event.at_us, event.at_us + lasts_us(facts, event)))
            if event.data.get("seam") == "nas.list":
                windows.append(until_next_occasion(facts, event))
        windows += [until_next_occasion(facts, event) for event in unread(facts)]
        windows += [until_next_occasion(facts, event) for event in facts.history.of("nas.forgot")]
        windows += [_without_provider(facts, event) for event in start_struck(facts)]
        windows += hurt_store(facts)
        for op in facts.ops:
            if op.do == "suspend":
                windows.append(_lasting(op))
            elif op.do == "set-zone":
                windows.append(_until_seen(facts, op.begin))
        return windows

    return facts.history.derived("general_disturbances", build)


def hurt_store(facts: Facts) -> list[Window]:
    """When the store was damaged, or a lock of it held by no gateway."""
    return damage(facts) + [window for _, _, window in held_locks(facts)]


def damage(facts: Facts) -> list[Window]:
    """When the store was damaged, as far as the scenario says."""
    return facts.history.derived("damage", lambda: _damage(facts))


def _damage(facts: Facts) -> list[Window]:
    torn = [
        (event.at_us, FOREVER)
        for event in facts.history.of("fault")
        if (rule := rule_of(facts, event)) is not None and rule.damage == "torn"
    ]
    return torn + [_lasting(op) for op in facts.ops if op.do == "damage"]


def _lasting(op: Op) -> Window:
    """From a step until what it did is undone."""
    lasts_us = op.step.lasts if op.step is not None else None
    at_us = op.begin.at_us
    return (at_us, FOREVER if lasts_us is None else at_us + lasts_us)


def _without_provider(facts: Facts, struck: Event) -> Window:
    """From a start that a fault ended to the end of that process: its host goes on without it."""
    life = facts.life_at(struck)
    return (struck.at_us, life.end_us if life is not None else FOREVER)


def _until_seen(facts: Facts, event: Event) -> Window:
    """From a change of the configuration until somebody must have seen it.

    A loop need not read it at every tick: within an hour will do. Others see it when woken.
    """
    if facts.blocking:
        return (event.at_us, event.at_us + HOUR_US)
    return until_next_occasion(facts, event)


def until_next_occasion(facts: Facts, event: Event) -> Window:
    """From an event to the end of the first occasion after it; for ever when none comes."""
    occasion = facts.occasion_after(event)
    return (event.at_us, occasion[1].at_us if occasion is not None else FOREVER)


def failed_call(event: Event) -> bool:
    """Whether a call to NAS did not give what the contract says."""
    status = event.data.get("status")
    good = isinstance(status, int) and 200 <= status < 300  # noqa: PLR2004  success in HTTP
    return not good or event.data.get("reason") is not None


def failed_calls(facts: Facts) -> list[Event]:
    """The calls to NAS that failed, which are few of all that were made."""
    return facts.history.derived(
        "failed calls",
        lambda: [event for event in facts.history.of("nas.call") if failed_call(event)],
    )


def failed_claims(facts: Facts) -> list[Event]:
    """The claims that came to nothing because the store, or what stands for it, raised."""
    return facts.history.derived(
        "failed claims",
        lambda: [e for e in facts.history.of("claim") if e.data.get("error") is not None],
    )


def _of_job(facts: Facts, plan: Plan, runs: Sequence[BodyRun]) -> list[Window]:
    """What concerns this job only: arms that failed, deliveries lost, claims left standing."""
    job = plan.job.id
    windows: list[Window] = [
        until_next_occasion(facts, event)
        for event in failed_calls(facts)
        if event.data.get("op") == "provision" and event.data.get("job_id") == job
    ]
    windows += [
        _while_claimed(facts, event)
        for event in failed_claims(facts)
        if event.data.get("job") == job
    ]
    windows += [(left.crash.at_us, left.until_us) for left in left_claims(facts, job)]
    if not facts.blocking:
        windows += [until_next_occasion(facts, event) for event in read_behind(facts, job)]
        windows += _cut_fires(facts, job) + crowded_out(facts, job)
        windows += [until_next_occasion(facts, event) for event in _broken_by_hand(facts, plan)]
    begun = [run.begin.at_us for run in runs]
    ended = sorted(run.end_us for run in runs)
    for event in facts.faults:
        seam = str(event.data.get("seam", "store.refused"))
        about = event.data.get("job")
        if about is None and seam == "claim" and job in _claimed_by_tick(facts, event):
            about = job
        if seam == "nas.arm" and about == job:
            windows.append(_late_timer(facts, event))
        elif seam == "nas.deliver" and about in {None, job}:
            windows.append(until_next_occasion(facts, event))
        elif (seam.startswith("store.") or seam in _CLAIMING) and (
            about == job or _near(facts, begun, event.at_us) or _near(facts, ended, event.at_us)
        ):
            windows.append((event.at_us, event.at_us + CLAIM_TTL_US))
            if seam in {"claim", "fire"} and not facts.blocking:
                # An external provider has answered for it: it looks again when next woken.
                windows.append(until_next_occasion(facts, event))
    claim = plan.job.record.get("fire_claim")
    if isinstance(claim, dict):
        windows.append((facts.scenario.start_us, _held_until(facts, plan, claim)))
    return windows


def _held_until(facts: Facts, plan: Plan, claim: dict[str, Any]) -> int:
    """How long a claim that stood there at the start may keep a job from running.

    Its time; and when it is dated ahead, its time from when a process that lives on came across it.
    """
    start_us, stated_us = facts.scenario.start_us, instant_us(claim.get("at")) or 0
    if stated_us <= start_us or not facts.blocking:
        return max(start_us, stated_us) + CLAIM_TTL_US
    known = [
        (_comes_across_us(plan, life.boot.at_us) + CLAIM_TTL_US, life.end_us)
        for life in facts.all_lives
    ]
    until_us = min([stated_us + CLAIM_TTL_US, *(us for us, end_us in known if us <= end_us)])
    for from_us, to_us in merge(general_disturbances(facts)):
        if from_us <= until_us:  # in that time nobody may have come across anything
            until_us = max(until_us, to_us + CLAIM_TTL_US)
    return until_us


def _comes_across_us(plan: Plan, boot_us: int) -> int:
    """When a process first has to look at a job that was never run: when it is due, and not off."""
    firsts = [
        at_us
        for part in plan.segments
        if (first_us := oracle.next_after(part.schedule, part.from_us))
        and (at_us := max(first_us, boot_us)) < part.to_us
    ]
    return min(firsts, default=FOREVER)


def _claimed_by_tick(facts: Facts, struck: Event) -> set[str]:
    """The jobs that a tick claimed in one write, where a fault struck that claim after it."""
    rule = rule_of(facts, struck)
    if rule is None or not rule.after:
        return set()
    stored = facts.history.of("store.commit")
    index = bisect_left(stored, struck.n, key=lambda commit: commit.n)
    mine = (commit for commit in islice(stored, index, None) if commit.data["by"] == struck.machine)
    claim = next(mine, None)
    changes = () if claim is None else claim.data["changes"]
    return {str(job) for job, record in changes if (record or {}).get("fire_claim")}


def _broken_by_hand(facts: Facts, plan: Plan) -> list[Event]:
    """Who wrote another next time into the job's record after it was made: nobody is told."""
    wanted = plan.job.record
    if "next_run_at" not in wanted:
        return []
    return [
        event
        for event, record in commits_by_job(facts).get(plan.job.id, ())
        if record is not None and record.get("next_run_at") == wanted["next_run_at"]
    ]


def _late_timer(facts: Facts, struck: Event) -> Window:
    """When a timer should have gone off that NAS set late, and how long it took."""
    rule = rule_of(facts, struck)
    armed = [arm for arm in facts.history.of("nas.armed") if arm.n < struck.n]
    fire_us = instant_us(armed[-1].data.get("fire_at")) if armed else None
    fire_us = struck.at_us if fire_us is None else fire_us
    return (fire_us, fire_us + ((rule.delay or 0) if rule is not None else 0))


def _cut_fires(facts: Facts, job: str) -> list[Window]:
    """From each fire of an external provider that came to no run to when that can be seen.

    Its machine died in it, or a fault struck it: then the claim stands until its time.
    """
    windows = []
    faults = facts.history.of("fault")
    for fire in facts.fires:
        if fire.job != job or fire.runs:
            continue
        life = facts.life_at(fire.begin)
        if fire.end is None:
            if life is not None and life.end is not None and life.end.kind == "crash":
                windows.append((fire.begin.at_us, settled_us(facts, life.end)))
            continue
        index = bisect_left(faults, fire.begin.n, key=lambda event: event.n)
        for place in range(index, len(faults)):
            struck = faults[place]
            if struck.n > fire.end.n:
                break
            if struck.machine == fire.begin.machine:
                windows.append((fire.begin.at_us, _while_claimed(facts, struck)[1]))
    return windows


def _while_claimed(facts: Facts, failed: Event) -> Window:
    """From a claim that failed until it is past its time, and somebody who is woken can see it."""
    until_us = failed.at_us + CLAIM_TTL_US + facts.skew_us
    if facts.blocking:
        return (failed.at_us, until_us)
    return (failed.at_us, woken_since_us(facts, until_us))


def _near(facts: Facts, instants: list[int], at_us: int) -> bool:
    """Whether one of the sorted instants is within the slack of this one."""
    index = bisect_left(instants, at_us - facts.slack_us)
    return index < len(instants) and instants[index] <= at_us + facts.slack_us
