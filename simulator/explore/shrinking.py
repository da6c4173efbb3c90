"""The smallest scenario that still violates the same requirement, in the order that people read.

Fewer faults and steps first, then fewer jobs, fewer machines, less time, fewer choices, and at last
plainer jobs and faults. Lists are made small by delta debugging (Zeller and Hildebrandt's ddmin);
its loop stands here, since a library would be longer to call than the lists are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError

from simulator.checkers import check
from simulator.durations import HOUR_US, MINUTE_US
from simulator.fault_rule import Fault
from simulator.hosts import Host, reference_host
from simulator.kernel.tape import Tape
from simulator.scenario import Expect, Scenario
from simulator.scenario_base import Model
from simulator.steps import Step
from simulator.target import Target
from simulator.verdict import judge
from simulator.world import Run, simulate

__all__ = ["MOST_REPLAYS", "Shrunk", "shrink"]

MOST_REPLAYS = 300

T = TypeVar("T")


@dataclass(frozen=True)
class Shrunk:
    """What was left.

    Attributes:
        scenario: The smallest that was found.
        requirement: What it violates, as the first one did.
        replays: How many runs that took.
        violations: All that it violates, with reasons, in catalogue order.
    """

    scenario: Scenario
    requirement: str
    replays: int
    violations: tuple[tuple[str, str], ...]

    @property
    def reason(self) -> str:
        """How it violates its requirement."""
        return dict(self.violations)[self.requirement]

    def to_keep(self, name: str, target: str, origin: str | None = None) -> Scenario:
        """The scenario under a name of its own, with its story and what must hold.

        Args:
            name: Of the scenario.
            target: The provider, for people.
            origin: Where it was found; None leaves what it says.
        """
        return self.scenario.model_copy(
            update={
                "name": name,
                "origin": self.scenario.origin if origin is None else origin,
                "story": f"{target} violates {self.requirement}. {self.reason}",
                "expect": Expect(hold=(self.requirement,)),
            }
        )


def shrink(
    scenario: Scenario,
    target: Target,
    requirement: str,
    *,
    host: Host | None = None,
    most_replays: int = MOST_REPLAYS,
) -> Shrunk:
    """Make a scenario small that violates `requirement` with `target`.

    Args:
        scenario: What violates it.
        target: The provider, with the capabilities that it was run for.
        requirement: An id that a checker judges.
        host: The code around it; this distribution's own when not given.
        most_replays: When to leave it at what was found by then.

    Raises:
        ValueError: The scenario does not violate the requirement.
    """
    search = _Search(target, requirement, host or reference_host(), most_replays - 1)
    if not search.fails(scenario):
        raise ValueError(f"{scenario.name} does not violate {requirement} with {target.label}")
    for pass_ in (_what_struck, _parts, _jobs, _machines, _time, _choices, _plainer, _parts, _time):
        pass_(search)
    smallest = search.best
    judged = judge(simulate(smallest, target, host=search.host).history, smallest)
    return Shrunk(
        scenario=smallest,
        requirement=requirement,
        replays=search.replays + 1,
        violations=tuple(
            (finding.id, finding.reason)
            for finding in judged.findings
            if finding.verdict == "violated"
        ),
    )


class _Search:
    """The smallest so far, and the runs that were spent.

    Attributes:
        best: The last scenario that was seen to violate the requirement.
        run: Its run.
        last_us: Microseconds from its start to the last event that proves the violation.
    """

    best: Scenario
    run: Run
    last_us: int

    def __init__(self, target: Target, requirement: str, host: Host, most: int) -> None:
        self.host = host
        self.replays = 0
        self._target, self._requirement, self._most = target, requirement, most
        self._known: dict[str, bool] = {}

    def fails(self, candidate: Scenario | None) -> bool:
        """Whether it violates the same requirement; then it is the best from here on."""
        if candidate is None:
            return False
        text = candidate.canonical()
        if text not in self._known:
            if self.replays >= self._most:
                return False
            self._known[text] = self._replay(candidate)
        return self._known[text]

    def _replay(self, candidate: Scenario) -> bool:
        self.replays += 1
        run = simulate(candidate, self._target, host=self.host)
        (finding,) = check(run.history, candidate, [self._requirement])
        if finding.verdict != "violated":
            return False
        lines = finding.lines or (len(run.history) - 1,)
        self.best, self.run = candidate, run
        self.last_us = run.history[lines[-1]].at_us - candidate.start_us
        return True

    def few(
        self, items: Sequence[T], build: Callable[[Sequence[T]], Scenario | None], least: int = 0
    ) -> None:
        """Keep as few of `items` as still violate it, `least` at least (ddmin)."""
        kept, parts = list(items), 2
        if len(kept) > least == 0 and self.fails(build([])):
            return
        while len(kept) > max(least, 1):
            size = -(-len(kept) // parts)
            for start in range(0, len(kept), size):
                rest = kept[:start] + kept[start + size :]
                if len(rest) >= least and self.fails(build(rest)):
                    kept, parts = rest, max(parts - 1, 2)
                    break
            else:
                if parts >= len(kept):
                    return
                parts = min(parts * 2, len(kept))


# -- the passes


def _what_struck(search: _Search) -> None:
    """What never struck is of no use, and neither is what comes after the evidence."""
    base = search.best
    faults = [f for i, f in enumerate(base.faults) if i not in search.run.never_fired]
    steps = [step for step in base.steps if step.at <= search.last_us]
    search.fails(_changed(base, faults=tuple(faults), steps=tuple(steps)))


def _parts(search: _Search) -> None:
    """Faults and steps."""
    base = search.best

    def build(kept: Sequence[Model]) -> Scenario | None:
        return _changed(
            base,
            faults=tuple(one for one in kept if isinstance(one, Fault)),
            steps=tuple(one for one in kept if isinstance(one, Step)),
        )

    parts: list[Model] = [*base.faults, *base.steps]
    search.few(parts, build)


def _jobs(search: _Search) -> None:
    base = search.best
    search.few(base.jobs, lambda kept: _changed(base, jobs=tuple(kept)), least=1)


def _machines(search: _Search) -> None:
    base = search.best
    search.few(base.machines, lambda kept: _changed(base, machines=tuple(kept)), least=1)


def _time(search: _Search) -> None:
    """End soon after the evidence; a shorter run may have earlier evidence."""
    for _ in range(3):
        base, last_us = search.best, -(-search.last_us // MINUTE_US) * MINUTE_US
        margins = (MINUTE_US, 10 * MINUTE_US, HOUR_US, 3 * HOUR_US)
        ends = [last_us + margin for margin in margins if last_us + margin < base.lasts]
        if not any(search.fails(_changed(base, lasts=end)) for end in ends):
            return


def _choices(search: _Search) -> None:
    base = search.best
    if base.tape != Tape():
        search.fails(_changed(base, tape=Tape()))
    base = search.best
    search.few(
        base.tape.entries,
        lambda kept: _changed(base, tape=Tape(tuple(kept), seed=base.tape.seed)),
    )


_Setting = tuple[str, int, str]
"""Something said that could be left at its default: in which list, where in it, which field."""

_PLAIN = {
    "jobs": ("runs_for", "body", "repeat", "record"),
    "machines": ("skew",),
    "faults": ("times", "after", "job", "machine", "on"),
    "": ("zone", "interval"),
}


def _plainer(search: _Search) -> None:
    """Leave at their defaults what jobs, machines, faults and the scenario need not say."""
    base = search.best
    said: list[_Setting] = [
        (part, index, field)
        for part, fields in _PLAIN.items()
        for index, one in enumerate(getattr(base, part) if part else (base,))
        for field in fields
        if getattr(one, field) != _default(one, field)
    ]

    def build(kept: Sequence[_Setting]) -> Scenario | None:
        changes: dict[str, Any] = {}
        for part, index, field in said:
            if (part, index, field) in kept:
                continue
            if not part:
                changes[field] = _default(base, field)
                continue
            parts = list(changes.get(part, getattr(base, part)))
            parts[index] = parts[index].model_copy(update={field: _default(parts[index], field)})
            changes[part] = tuple(parts)
        return _changed(base, **changes)

    search.few(said, build)


def _default(part: Model, field: str) -> Any:
    return type(part).model_fields[field].get_default(call_default_factory=True)


def _changed(base: Scenario, **changes: Any) -> Scenario | None:
    """The scenario with these parts; what they leave without a meaning goes too."""
    draft = base.model_copy(update=changes)
    jobs = {job.id for job in draft.jobs}
    machines = {machine.id for machine in draft.machines}

    def fits(part: Fault | Step) -> bool:
        first_at = part.first_at if isinstance(part, Fault) else part.at
        return (
            part.job in {None, *jobs}
            and part.machine in {None, *machines}
            and first_at <= draft.lasts
        )

    steps = tuple(step for step in draft.steps if fits(step))
    created = {step.job for step in steps if step.do == "create"}
    draft = draft.model_copy(
        update={
            "steps": steps,
            "faults": tuple(fault for fault in draft.faults if fits(fault)),
            "jobs": tuple(
                job if job.id in created else job.model_copy(update={"created": "at start"})
                for job in draft.jobs
            ),
        }
    )
    try:
        return Scenario.model_validate(draft.plain())
    except ValidationError:
        return None
