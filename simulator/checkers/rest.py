"""The registry at rest: what is armed against what should be, whenever nothing is going on.

A rest is an instant some seconds into a quiet stretch: a gateway is up and nobody starts, fires,
runs, changes a job or talks to NAS. What a failed call or a lost state excuses is excused until the
end of the next occasion.
"""

import heapq
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field

from simulator.checkers.arms import Wrong, compare, malformed
from simulator.checkers.disturbance import (
    failed_calls,
    hurt_store,
    until_next_occasion,
)
from simulator.checkers.facts import Facts
from simulator.checkers.happened import FOREVER, Fire, Window, merge
from simulator.checkers.matching import match_all
from simulator.checkers.misread import read_behind, unread
from simulator.checkers.struck import lasts_us, rule_of, start_struck
from simulator.durations import MINUTE_US
from simulator.event import Event
from simulator.fold import REGISTRY_KINDS, Arm, Registry, instant_us

__all__ = ["Rest", "armed_before", "first_rest_after", "rests"]

_ENDS_DELIVERY = ("nas.armed", "nas.cancelled", "nas.forgot")
_DELIVERY = ("nas.fired", "nas.armed", "nas.cancelled", "fire.answer", "nas.answer", "nas.gave_up")

_OFTEN = 3  # arms of the same fire within a minute
_PAUSE_US = 2 * MINUTE_US  # from these until the next: a minute's, and what is left of the first


@dataclass(slots=True)
class Rest:
    """One rest: when, the last event before it, what is armed, and what is wrong unexcused.

    What is armed at the right time with a wrong key or address is `malformed`, not `wrong`.
    """

    at_us: int
    n: int
    armed: dict[str, Arm]
    wrong: list[Wrong] = field(default_factory=list)
    malformed: list[Wrong] = field(default_factory=list)
    judged: set[str] = field(default_factory=set)


def rests(facts: Facts) -> list[Rest]:
    """Every rest of the history, in order."""

    def build() -> list[Rest]:
        if not facts.external:
            return []
        registry, events = Registry(), facts.history.of(*REGISTRY_KINDS)
        found, index = [], 0
        for at_us in _quiet_instants(facts):
            while index < len(events) and events[index].at_us <= at_us:
                registry.apply(events[index])
                index += 1
            n = events[index - 1].n if index else -1
            rest = Rest(at_us, n, dict(registry.armed))
            _judge(facts, rest)
            found.append(rest)
        return found

    return facts.history.derived("rests", build)


def first_rest_after(facts: Facts, at_us: int) -> Rest | None:
    """The first rest not before an instant."""
    found = rests(facts)
    index = bisect_left(found, at_us, key=lambda rest: rest.at_us)
    return found[index] if index < len(found) else None


def armed_before(facts: Facts, n: int) -> frozenset[str]:
    """The jobs that were armed, in truth, just before event `n`."""

    def build() -> tuple[list[int], list[frozenset[str]]]:
        registry, numbers, states = Registry(), [-1], [frozenset[str]()]
        for event in facts.history.of(*REGISTRY_KINDS):
            registry.apply(event)
            numbers.append(event.n)
            states.append(frozenset(registry.armed))
        return numbers, states

    numbers, states = facts.history.derived("armed before", build)
    return states[bisect_left(numbers, n) - 1]


def _quiet_instants(facts: Facts) -> list[int]:
    """Some seconds into each quiet stretch."""
    busy: list[Window] = list(facts.down)
    busy += [(life.boot.at_us, _left(life.start_left)) for life in facts.all_lives]
    for struck in start_struck(facts):
        life = facts.life_at(struck)
        busy.append((struck.at_us, life.end_us if life is not None else FOREVER))
    busy += [(op.begin.at_us, _left(op.end)) for op in facts.ops if op.end or op.job]
    busy += [(fire.begin.at_us, _left(fire.end, fire.begin)) for fire in facts.fires]
    busy += [(run.begin.at_us, run.end_us) for run in facts.all_runs]
    busy += [(event.at_us, event.at_us) for event in facts.history.of("nas.call", *REGISTRY_KINDS)]
    busy += _in_transit(facts) + _hanging_calls(facts)
    quiet_us = 2 * facts.slack_us
    merged = merge(busy, quiet_us)
    ends = [end for _, end in merged]
    starts = [start for start, _ in merged[1:]] + [facts.end_us]
    return [
        end + facts.slack_us
        for end, start in zip(ends, starts, strict=True)
        if end < FOREVER and start - end > quiet_us and end + facts.slack_us <= facts.end_us
    ]


def _left(event: Event | None, begin: Event | None = None) -> int:
    """When something ended; a fire without end died with its machine."""
    if event is not None:
        return event.at_us
    return FOREVER if begin is None else begin.at_us


def _in_transit(facts: Facts) -> list[Window]:
    """From each delivery to its answer."""
    answers = {
        event.data.get("id"): event.at_us for event in facts.history.of("fire.answer", "nas.answer")
    }
    return [
        (event.at_us, max(event.at_us, answers.get(event.data.get("id"), event.at_us)))
        for event in facts.history.of("nas.deliver")
    ]


def _hanging_calls(facts: Facts) -> list[Window]:
    """From a call, to NAS or the store, that a fault makes hang to its end: somebody is at it."""
    return [
        (event.at_us, event.at_us + lasts_us(facts, event))
        for event in facts.history.of("fault")
        if event.data.get("does") == "hang"
    ]


def _excuses(facts: Facts, job: str) -> list[Window]:
    """When the registry may be wrong about a job: failed calls, lost state, until set right."""
    zones = [op.begin for op in facts.ops if op.do == "set-zone"]
    told_nobody = [*facts.history.of("nas.forgot"), *zones]
    unknown = [*told_nobody, *read_behind(facts, job), *unread(facts)]
    found = [until_next_occasion(facts, event) for event in unknown]
    found += [
        until_next_occasion(facts, event)
        for event in failed_calls(facts)
        if event.data.get("op") == "list" or event.data.get("job_id") in {None, job}
    ]
    found += [
        until_next_occasion(facts, event)
        for event in facts.history.of("fault")
        if event.data.get("seam") in {"fire", "claim"}
        and event.data.get("job") == job
        and event.data.get("does") != "hang"
    ]
    found += [
        until_next_occasion(facts, life.end)
        for fire in _cut_fires(facts)
        if fire.job == job and (life := facts.life_at(fire.begin)) and life.end
    ]
    # In the place of a provider that did not start the built-in takes what is due and arms nothing.
    for struck in start_struck(facts):
        end = (life := facts.life_at(struck)) and life.end
        found.append((struck.at_us, until_next_occasion(facts, end)[1] if end else FOREVER))
    found += _late_timers(facts, job) + _armed_often(facts, job)
    return merge([*found, *hurt_store(facts), *_being_delivered(facts, job)])


def _cut_fires(facts: Facts) -> list[Fire]:
    """Fires that died with their machine."""
    return facts.history.derived(
        "cut fires", lambda: [fire for fire in facts.fires if fire.end is None]
    )


def _armed_often(facts: Facts, job: str) -> list[Window]:
    """From when the same fire was armed again and again until it is to be armed once more.

    It comes early each time, or nobody can take it: to arm it again at once would be a storm.
    """
    found: list[Window] = []
    latest: dict[object, list[int]] = {}
    for arm in _arms(facts, job):
        times = latest.setdefault(arm.data.get("fire_at"), [])
        times.append(arm.at_us)
        if len(times) >= _OFTEN and arm.at_us - times[-_OFTEN] < MINUTE_US:
            fire_us = instant_us(arm.data.get("fire_at")) or 0
            found.append((arm.at_us, max(arm.at_us + _PAUSE_US, fire_us)))
    return found


def _late_timers(facts: Facts, job: str) -> list[Window]:
    """From the time of an arm whose timer is late until that fires: it is past, and on its way."""
    found, armed = [], _arms(facts, job)
    for event in facts.history.of("fault"):
        rule = rule_of(facts, event)
        if (event.data.get("seam"), event.data.get("job")) != ("nas.arm", job) or not rule:
            continue
        index = bisect_left(armed, event.n, key=lambda arm: arm.n) - 1
        fire_us = instant_us(armed[index].data.get("fire_at")) if index >= 0 else None
        if fire_us is not None and rule.delay:
            found.append((fire_us, fire_us + rule.delay))
    return found


def _being_delivered(facts: Facts, job: str) -> list[Window]:
    """From each time that a job's arm fired until an agent answered it well, or it is armed again.

    NAS delivers late and as often as it must: until then the fire is its affair, and no provider's.
    A delivery that NAS gave up is excused until the next occasion.
    """
    found: list[Window] = []
    fired: dict[object, int] = {}
    for event in heapq.merge(_of_job(facts, job), facts.history.of("nas.forgot")):
        if event.kind == "nas.fired":
            fired[event.data.get("fire_at")] = event.at_us
        elif event.kind in _ENDS_DELIVERY:
            found += [(at_us, event.at_us) for at_us in fired.values()]
            fired.clear()
        elif event.data.get("fire_at") in fired and (event.kind == "nas.gave_up" or _well(event)):
            until_us = event.at_us
            if event.kind == "nas.gave_up":
                until_us = until_next_occasion(facts, event)[1]
            found.append((fired.pop(event.data.get("fire_at")), until_us))
    return found + [(at_us, FOREVER) for at_us in fired.values()]


def _of_job(facts: Facts, job: str) -> list[Event]:
    """The fires of a job, what became of them, and what ended their delivery."""

    def build() -> dict[object, list[Event]]:
        found: dict[object, list[Event]] = {}
        for event in facts.history.of(*_DELIVERY):
            found.setdefault(event.data.get("job", event.data.get("job_id")), []).append(event)
        return found

    return facts.history.derived("on their way", build).get(job, [])


def _arms(facts: Facts, job: str) -> list[Event]:
    return [event for event in _of_job(facts, job) if event.kind == "nas.armed"]


def _well(answer: Event) -> bool:
    """Whether an answer ends the delivery: 2xx (WIRE.md)."""
    status = answer.data.get("status")
    return isinstance(status, int) and 200 <= status < 300  # noqa: PLR2004  success in HTTP


def _judge(facts: Facts, rest: Rest) -> None:
    """Fill in what is wrong at one rest."""
    matches = match_all(facts)
    for job, match in matches.items():
        if match.plan.unjudged is not None:
            continue
        excuses = facts.history.derived(("excuses", job), lambda job=job: _excuses(facts, job))  # type: ignore[misc]
        last = bisect_right(excuses, (rest.at_us, FOREVER)) - 1
        if last >= 0 and rest.at_us <= excuses[last][1]:
            continue
        rest.judged.add(job)
        wrong = compare(facts, match, rest.armed.get(job), rest.at_us)
        if wrong is not None:
            rest.wrong.append(wrong)
        elif job in rest.armed and (reason := malformed(facts.terms, rest.armed[job])):
            rest.malformed.append(Wrong(job, reason, rest.armed[job]))
    for job, arm in rest.armed.items():
        if job not in matches:
            rest.wrong.append(Wrong(job, "no such job, and yet it is armed", arm, orphan=True))
