"""The fault plan of a run: which passage of which seam goes wrong, and what was really reached.

A rule (`simulator.fault_rule.Fault`) is data; this module decides when it fires. Seams ask
`FaultPlan.consult` at each passage; what a fired rule does there is the seam's own affair.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from simulator.fault_rule import SEAMS, Fault

__all__ = ["CATALOGUE", "FaultPlan"]

CATALOGUE = SEAMS
"""All that can go wrong: for each seam its `Place`, which says what can happen there and when."""


@dataclass(slots=True)
class _Armed:
    """A rule in a run, with its counts."""

    index: int
    rule: Fault
    limit: int | None
    passages: int = 0
    fired: int = 0

    def due(self, since_start_us: int) -> bool:
        """Whether this passage, which its place lets through, is one that it strikes."""
        rule = self.rule
        if self.limit is not None and self.fired >= self.limit:
            return False
        if rule.at is not None and since_start_us < rule.at:
            return False
        if rule.since is not None and since_start_us < rule.since:
            return False
        if rule.until is not None and since_start_us >= rule.until:
            return False
        self.passages += 1
        return self.passages >= (rule.nth or 1)


class FaultPlan:
    """All rules of one run. Each counts its own passages; of those due, the first strikes.

    Attributes:
        seams: Where a rule could ever strike; elsewhere nobody needs to ask.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        """Arm `faults`; they fire in the run that asks, and only there."""
        self._armed = [_Armed(index, rule, rule.limit) for index, rule in enumerate(faults)]
        self._by_seam: dict[str, list[_Armed]] = {}
        for armed in self._armed:
            self._by_seam.setdefault(_seam_of(armed.rule), []).append(armed)
        self.seams = frozenset(self._by_seam)
        self._healed = False

    def consult(
        self,
        seam: str,
        since_start_us: int,
        *,
        machine: str | None = None,
        job: str | None = None,
        phase: str | None = None,
    ) -> tuple[int, Fault] | None:
        """The rule that strikes this passage, with its index in the scenario; None lets it pass.

        Args:
            seam: One of `simulator.fault_rule.SEAMS`.
            since_start_us: Virtual microseconds since the start of the run.
            machine: The machine that passes.
            job: The job concerned, where the seam knows one.
            phase: What the caller of a store seam is doing.
        """
        armed_here = self._by_seam.get(seam)
        if armed_here is None or self._healed:
            return None
        due = [
            armed
            for armed in armed_here
            if armed.rule.machine in (None, machine)
            and armed.rule.job in (None, job)
            and armed.rule.on in (None, phase)
            and armed.due(since_start_us)
        ]
        if not due:
            return None
        due[0].fired += 1
        return due[0].index, due[0].rule

    def leave_out(self, cannot: Callable[[Fault], bool]) -> None:
        """Never let those rules strike that nothing in this run could obey."""
        for seam, armed in self._by_seam.items():
            self._by_seam[seam] = [one for one in armed if not cannot(one.rule)]

    def heal(self) -> None:
        """Nothing more goes wrong from here on."""
        self._healed = True

    def never_fired(self) -> list[int]:
        """The indices of rules that did not fire once."""
        return [armed.index for armed in self._armed if not armed.fired]


def _seam_of(rule: Fault) -> str:
    """Where a rule strikes. After the replacement of the jobs file is a step of its own."""
    after = rule.after or rule.damage is not None  # what is lost was written before
    return "store.committed" if rule.into == "store.replace" and after else rule.into
