"""What the faults of a run struck, as far as the scenario says: which rule, how long, what with."""

from simulator.checkers.facts import Facts
from simulator.fault_rule import Fault
from simulator.history import Event

__all__ = ["hung_us", "rule_of", "start_struck", "zone_at"]


def rule_of(facts: Facts, fired: Event) -> Fault | None:
    """The rule of the scenario that fired; None when it has none, or for another event."""
    index, rules = fired.data.get("index"), facts.scenario.faults
    return rules[index] if isinstance(index, int) and 0 <= index < len(rules) else None


def hung_us(facts: Facts, machine: str, after_n: int, until_us: int) -> int:
    """How long a machine's tasks were made to hang by what struck in this span."""
    return sum(
        hang_us
        for event, where, hang_us in facts.history.derived("hangs", lambda: _hangs(facts))
        if event.n > after_n and event.at_us <= until_us and where == machine
    )


def _hangs(facts: Facts) -> list[tuple[Event, str, int]]:
    """What hung, where, for how long; a suspended machine hangs as a whole."""
    rules = [(event, rule_of(facts, event)) for event in facts.history.of("fault")]
    found = [(event, event.machine, rule.hang) for event, rule in rules if rule and rule.hang]
    return found + [
        (op.begin, str(op.step.machine), op.step.lasts or 0)
        for op in facts.ops
        if op.do == "suspend" and op.step is not None
    ]


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


def zone_at(facts: Facts, at_us: int) -> str:
    """The zone that is configured at an instant."""
    zone = facts.scenario.zone
    for step in sorted(facts.scenario.steps, key=lambda step: step.at):
        if step.to is not None and facts.scenario.start_us + step.at <= at_us:
            zone = step.to
    return zone
