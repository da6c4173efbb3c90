"""What the faults of a run struck, as far as the scenario says: which rule, how long, what with."""

from bisect import bisect_right
from collections.abc import Collection

from simulator.checkers.facts import Facts
from simulator.checkers.happened import FOREVER, Window, merge
from simulator.event import Event
from simulator.fault_rule import SEAMS, Fault

__all__ = [
    "deadline_us",
    "hangs_of",
    "held_locks",
    "keeps_the_jobs",
    "lasts_us",
    "renewing_held_up",
    "rule_of",
    "set_by_us",
    "start_struck",
    "zone_at",
]

_INSIDE = ("store.write", "store.sync", "store.replace")
"""The steps of a write of the jobs, at which a process that hangs keeps their lock."""
_BEFORE = ("store.lock", "store.read")
"""What comes before them."""
_OF_A_RUN = {"body", "mark"}


def rule_of(facts: Facts, fired: Event) -> Fault | None:
    """The rule of the scenario that fired; None when it has none, or for another event."""
    index, rules = fired.data.get("index"), facts.scenario.faults
    return rules[index] if isinstance(index, int) and 0 <= index < len(rules) else None


def deadline_us(facts: Facts, machine: str, at_us: int, allowed_us: int) -> int:
    """When `allowed_us` have passed since an instant, without the time that its machine hung."""
    hangs = hangs_of(facts, machine)
    for start, end in hangs[bisect_right(hangs, at_us, key=lambda window: window[1]) :]:
        if start > at_us + allowed_us:
            break
        allowed_us -= max(0, start - at_us)
        at_us = max(at_us, end)
    return at_us + allowed_us


def hangs_of(facts: Facts, machine: str) -> list[Window]:
    """When a machine hung: a call of it that was made to, or all of it while it is suspended.

    What hangs in a job's own thread holds up nobody else.
    """
    return facts.history.derived(("hangs", machine), lambda: _hangs(facts, machine))


def _hangs(facts: Facts, machine: str) -> list[Window]:
    return _held_up(facts, machine, SEAMS.keys() - _OF_A_RUN)


def renewing_held_up(facts: Facts, machine: str) -> list[Window]:
    """When a claim could not be renewed there: a call for the jobs hung, or all was suspended."""
    return facts.history.derived(
        ("renewing held up", machine), lambda: _held_up(facts, machine, {*_BEFORE, *_INSIDE})
    )


def _held_up(facts: Facts, machine: str, seams: Collection[str]) -> list[Window]:
    """When a call at one of these seams hung there, or all of the machine was suspended."""
    windows = [
        (event.at_us, event.at_us + lasts_us(facts, event))
        for event in facts.history.of("fault")
        if event.machine == machine
        and (rule := rule_of(facts, event))
        and rule.hang
        and rule.into in seams
    ]
    windows += [
        (op.begin.at_us, op.begin.at_us + (op.step.lasts or 0))
        for op in facts.ops
        if op.do == "suspend" and op.step is not None and op.step.machine == machine
    ]
    return merge(windows)


def keeps_the_jobs(struck: Event) -> bool:
    """Whether the process that a fault struck has the lock of the jobs, as far as is known.

    In every step of their write, and where something is told in the middle of one.
    """
    return struck.data.get("seam") in _INSIDE or "jobs" in struck.data.get("holds", ())


def lasts_us(facts: Facts, event: Event) -> int:
    """How long a fired fault goes on, as far as the scenario says.

    One that strikes at the end of a call goes on from there, however long the call itself took.
    """
    fault = rule_of(facts, event)
    if fault is None:
        return 0
    late_us = _struck_us(facts).get(event.n, event.at_us) - event.at_us
    return late_us + (fault.hang or 0) + max([fault.delay or 0, *fault.duplicate])


def _struck_us(facts: Facts) -> dict[int, int]:
    """When those faults struck that strike at the end of a call which took a while, by number."""
    return facts.history.derived(
        "struck late",
        lambda: {e.data["fault"]: e.at_us for e in facts.history.of("fault.late")},
    )


def held_locks(facts: Facts) -> list[tuple[Event, str, Window]]:
    """Which locks somebody held who is no gateway: (what began it, which, when).

    Who finds a lock held waits for it, and then keeps it as long as was said.
    """
    waited = {event.data["op"] for event in facts.history.of("lock.waits")}
    held_us = {event.data["op"]: event.at_us for event in facts.history.of("lock.held")}
    found: list[tuple[Event, str, Window]] = []
    free_us: dict[str, int] = {}
    for op in facts.ops:
        if op.do != "hold-lock" or op.step is None:
            continue
        lock, lasts = op.step.lock or "jobs", op.step.lasts
        start_us = held_us.get(op.begin.n) or max(op.begin.at_us, free_us.get(lock, 0))
        if op.begin.n in waited and op.begin.n not in held_us:
            continue  # it never came to have it
        free_us[lock] = FOREVER if lasts is None else start_us + lasts
        found.append((op.begin, lock, (start_us, free_us[lock])))
    return found


def start_struck(facts: Facts) -> list[Event]:
    """Faults that raised at the start of a provider: its host then goes on without it."""
    return facts.history.derived(
        "start struck",
        lambda: [
            event
            for event in facts.history.of("fault")
            if (rule := rule_of(facts, event)) and rule.into == "start" and rule.raises
        ],
    )


def set_by_us(facts: Facts, machine: str, before_n: int) -> int:
    """How far the clock of a machine had been set ahead before an event."""
    return sum(
        op.step.by or 0
        for op in facts.ops
        if op.do == "set-clock"
        and op.step is not None
        and op.step.machine == machine
        and op.begin.n < before_n
    )


def zone_at(facts: Facts, at_us: int) -> str:
    """The zone that is configured at an instant."""
    zone = facts.scenario.zone
    for step in sorted(facts.scenario.steps, key=lambda step: step.at):
        if step.to is not None and facts.scenario.start_us + step.at <= at_us:
            zone = step.to
    return zone
