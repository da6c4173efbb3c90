"""RECON: the registry converges to the store, judged at rest."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import islice, pairwise, takewhile

from simulator.checkers.again import judge_provisioned_again
from simulator.checkers.arms import Wrong
from simulator.checkers.disturbance import failed_call, hurt_store
from simulator.checkers.facts import Facts, facts_of
from simulator.checkers.finding import Finding, Judgement
from simulator.checkers.happened import Life, Op
from simulator.checkers.live_arms import tried_again
from simulator.checkers.matching import match_all
from simulator.checkers.rest import Rest, armed_before, first_rest_after, rests
from simulator.checkers.struck import rule_of
from simulator.checkers.wanted import commits_of, last_commit
from simulator.event import Event
from simulator.fold import REGISTRY_KINDS, Registry, instant_us
from simulator.history import History
from simulator.scenario import Scenario

__all__ = [
    "recon_1",
    "recon_2",
    "recon_3",
    "recon_4",
    "recon_6",
    "recon_7",
    "recon_8",
    "recon_9",
    "recon_10",
]


def _event(wrong: Wrong) -> Event | None:
    return wrong.arm.event if wrong.arm is not None else None


def _all_right(
    judgement: Judgement, rest: Rest | None, *events: Event | None, job: str | None = None
) -> None:
    """At this rest nothing is wrong (with `job`); reached when there is such a rest."""
    if rest is None or (job is not None and job not in rest.judged):
        return
    judgement.reached(*events)
    for wrong in rest.wrong:
        if job in {None, wrong.job}:
            judgement.violated(f"job {wrong.job}: {wrong.reason}", *events, _event(wrong))


def recon_1(history: History, scenario: Scenario) -> Finding:
    """At rest every enabled job with a next time is armed at it, to the second, with its key."""
    facts = facts_of(history, scenario)
    judgement = Judgement("RECON-1", "no job was armed at rest")
    for rest in rests(facts):
        for wrong in (*rest.wrong, *rest.malformed):
            if not wrong.orphan:
                judgement.violated(f"job {wrong.job}: {wrong.reason}", _event(wrong))
        for job in rest.judged & rest.armed.keys():
            judgement.reached(rest.armed[job].event)
    return judgement.finding()


def recon_2(history: History, scenario: Scenario) -> Finding:
    """Orphans are cancelled; what is armed rightly is not provisioned again; a changed time is."""
    facts = facts_of(history, scenario)
    judgement = Judgement("RECON-2", "no arm ever had to be taken back or changed")
    orphans = [wrong for rest in rests(facts) for wrong in rest.wrong if wrong.orphan]
    for wrong in orphans:
        if not wrong.finished:
            judgement.violated(f"job {wrong.job}: {wrong.reason}", _event(wrong))
    registry, doubt, changed = Registry(), set[str](), set[str]()
    for event in history.of(*REGISTRY_KINDS, "nas.call"):
        job = str(event.data.get("job_id"))
        if event.kind == "nas.call" and failed_call(event):
            doubt |= registry.armed.keys()  # whoever asked cannot know what is armed
        elif event.kind == "nas.call" and event.data.get("op") == "provision":
            arm = registry.armed.get(job)
            if arm is not None and job not in doubt | changed:
                judge_provisioned_again(facts, judgement, arm, event)
            doubt.discard(job)
        elif event.kind in {"nas.armed", "nas.cancelled"} and job in registry.armed:
            judgement.reached(event)
        if event.kind == "nas.armed":
            changed.add(job)
        elif event.kind == "nas.call":
            changed.discard(job)
        registry.apply(event)
    return judgement.finding()


def recon_3(history: History, scenario: Scenario) -> Finding:
    """A cold process converges from the store alone, with the list or without it."""
    facts = facts_of(history, scenario)
    judgement = Judgement("RECON-3", "no process came to rest after its start")
    for life in facts.all_lives:
        if life.start_left is None:
            continue
        rest = first_rest_after(facts, life.start_left.at_us)
        if rest is not None and rest.at_us < life.serves_until_us and rest.judged:
            _all_right(judgement, rest, life.start_left)
        _without_the_list(facts, judgement, life)
    return judgement.finding()


def _without_the_list(facts: Facts, judgement: Judgement, life: Life) -> None:
    """A start whose list failed, and nothing else, asks to arm what is not armed."""
    assert life.start_left is not None
    until = life.start_left
    calls = _between(facts.history.of("nas.call"), life.boot, until)
    faults = _between(facts.history.of("fault"), life.boot, until)
    listless = any(one.data.get("op") == "list" and failed_call(one) for one in calls)
    if not listless or any(one.data.get("seam") != "nas.list" for one in faults):
        return
    if life.started is None or _store_was_hurt(facts, life.boot, until):
        return
    asked = {one.data.get("job_id") for one in calls if one.data.get("op") == "provision"}
    for job, match in match_all(facts).items():
        record = last_commit(facts, job, life.boot.n)[1] or {}
        comes_us = instant_us(record.get("next_run_at"))
        if match.plan.unjudged is not None or match.plan.off_at(until.n) or comes_us is None:
            continue
        if record.get("fire_claim") or comes_us <= until.at_us + facts.slack_us:
            continue
        if facts.terms.beyond(comes_us, until.at_us):
            continue
        judgement.reached(until)
        if job not in asked | armed_before(facts, until.n):
            judgement.violated(
                f"job {job}: the list could not be had, and nobody asked to arm it", until
            )


def _between(events: Sequence[Event], first: Event, last: Event) -> list[Event]:
    """Those of these events, in order, that lie between two."""
    place = bisect_left(events, first.n, key=lambda event: event.n)
    return list(takewhile(lambda event: event.n < last.n, islice(events, place, None)))


def recon_4(history: History, scenario: Scenario) -> Finding:
    """A failing call stops no other job, and never raises into start, a mutation or a fire."""
    facts = facts_of(history, scenario)
    judgement = Judgement("RECON-4", "no call to NAS failed")
    if not facts.external:
        return judgement.finding()
    failed = [event for event in history.of("nas.call") if failed_call(event)]
    numbers = [event.n for event in failed]
    spans = [(op.begin, op.end) for op in facts.ops if op.end is not None and _told(facts, op)]
    spans += [(fire.begin, fire.end) for fire in facts.fires if fire.end is not None]
    spans += [
        (life.started, life.start_left)
        for life in facts.all_lives
        if life.started is not None and life.start_left is not None
    ]
    for begin, end in spans:
        index = bisect_left(numbers, begin.n)
        if index == len(numbers) or numbers[index] > end.n:
            continue
        judgement.reached(failed[index])
        if _store_was_hurt(facts, begin, end) or _is_of_another(facts, begin, end):
            continue  # what came out may be of the store, or of another fault
        if end.kind == "provider.raised" or end.data.get("error") is not None:
            judgement.violated(
                f"a failed call to NAS came out of {begin.kind} as {end.data.get('error')}",
                failed[index],
                end,
            )
    for event in failed:
        judgement.reached(event)
        rest = first_rest_after(facts, event.at_us)
        for wrong in rest.wrong if rest is not None else ():
            if wrong.job != event.data.get("job_id"):
                judgement.violated(
                    f"job {wrong.job}: {wrong.reason}, after a call for another failed",
                    event,
                    _event(wrong),
                )
    return judgement.finding()


def _told(facts: Facts, op: Op) -> bool:
    """Whether a provider can have been told of an operation: it stored something of its job."""
    if op.job is None or not op.failed or op.end is None or not facts.history.of("store.commit"):
        return op.job is not None
    stored = commits_of(facts, op.job).between(op.begin.n, op.end.n)
    return any(op.may_have_stored(event) for event, _ in stored)


def _is_of_another(facts: Facts, begin: Event, end: Event) -> bool:
    """Whether another fault, that is not NAS's, raised just that in between."""
    return any(
        begin.n < event.n < end.n
        and event.machine == end.machine
        and not str(event.data.get("seam")).startswith("nas.")
        and (rule := rule_of(facts, event)) is not None
        and rule.raises is not None
        and rule.raises.type.rpartition(".")[2] == end.data.get("error")
        for event in facts.history.of("fault")
    )


def _store_was_hurt(facts: Facts, begin: Event, end: Event) -> bool:
    """Whether the store refused something in between, or could not be read."""
    refused = (begin.n < event.n < end.n for event in facts.history.of("store.refused"))
    hurt = (start <= end.at_us and begin.at_us <= last for start, last in hurt_store(facts))
    return any(refused) or any(hurt)


def recon_6(history: History, scenario: Scenario) -> Finding:
    """After the last run of a limited job nothing is armed."""
    facts = facts_of(history, scenario)
    judgement = Judgement("RECON-6", "no limited job had its last run")
    for job in scenario.jobs:
        limit = match_all(facts)[job.id].plan.repeat if job.repeat is not None else None
        runs = facts.runs.get(job.id, [])
        if not limit or len(runs) < limit or runs[limit - 1].end is None:
            continue
        last = runs[limit - 1].end
        assert last is not None
        rest = first_rest_after(facts, last.at_us)
        hurt = any(abs(event.at_us - last.at_us) <= facts.slack_us for event in facts.faults)
        if rest is None or job.id not in rest.judged or hurt:
            continue
        judgement.reached(last)
        for wrong in rest.wrong:
            if wrong.job == job.id and wrong.finished:
                judgement.violated(f"job {job.id}: armed after its last run", last, _event(wrong))
    return judgement.finding()


def recon_7(history: History, scenario: Scenario) -> Finding:
    """A registry that lost its state is armed again at the next occasion."""
    facts = facts_of(history, scenario)
    judgement = Judgement("RECON-7", "the registry never lost its state with an occasion after")
    for event in history.of("nas.forgot"):
        _after_next_occasion(facts, judgement, event)
    return judgement.finding()


def _after_next_occasion(
    facts: Facts, judgement: Judgement, event: Event, job: str | None = None
) -> None:
    """At the first rest after the occasion that follows an event, all is right (with `job`)."""
    occasion = facts.occasion_after(event)
    if occasion is not None:
        rest = first_rest_after(facts, occasion[1].at_us)
        if rest is not None and rest.judged:
            _all_right(judgement, rest, event, job=job)


def recon_8(history: History, scenario: Scenario) -> Finding:
    """A failed cancel, or a list that failed, is made good at a later occasion."""
    facts = facts_of(history, scenario)
    judgement = Judgement("RECON-8", "no cancel and no list failed with an occasion after")
    for event in history.of("nas.call"):
        if event.data.get("op") in {"cancel", "list"} and failed_call(event):
            job = event.data.get("job_id") if event.data.get("op") == "cancel" else None
            _after_next_occasion(facts, judgement, event, job)
    return judgement.finding()


def recon_9(history: History, scenario: Scenario) -> Finding:
    """After concurrent mutations, at rest, the armed set equals the store."""
    facts = facts_of(history, scenario)
    judgement = Judgement("RECON-9", "no two changes overlapped")
    changes = [op for op in facts.ops if op.job is not None and op.end is not None]
    for first, second in pairwise(changes):
        if first.end is not None and second.end is not None and second.begin.n < first.end.n:
            last_us = max(first.end.at_us, second.end.at_us)
            _all_right(judgement, first_rest_after(facts, last_us + facts.slack_us), second.begin)
    return judgement.finding()


def recon_10(history: History, scenario: Scenario) -> Finding:
    """An answer that is not the contract's does not count as armed."""
    facts = facts_of(history, scenario)
    judgement = Judgement("RECON-10", "NAS always answered as agreed")
    for event in history.of("nas.call"):
        if event.data.get("op") == "provision" and _babbled(event):
            _after_next_occasion(facts, judgement, event, event.data.get("job_id"))
    tried_again(facts, judgement, _babbled)
    return judgement.finding()


def _babbled(call: Event) -> bool:
    """Whether NAS said success, and not what it was asked."""
    success = call.data.get("status") == 200  # noqa: PLR2004 - success in HTTP
    return success and call.data.get("reason") is not None
