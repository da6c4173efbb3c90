"""The fault plan of a run: which passage of which seam goes wrong, and what was really reached.

A rule (`simulator.fault_rule.Fault`) is data; this module decides when it fires. Seams ask
`FaultPlan.consult` at each passage; what a fired rule does there is the seam's own affair.
"""

import builtins
import errno
import importlib
import os
from collections.abc import Sequence
from dataclasses import dataclass

from simulator.fault_rule import Fault, Raise

__all__ = ["FaultPlan", "build_exception"]


@dataclass(slots=True)
class _Armed:
    """A rule in a run, with its counts."""

    index: int
    rule: Fault
    passages: int = 0
    fired: int = 0

    def due(self, since_start_us: int) -> bool:
        """Whether this passage, which its place lets through, is one that it strikes."""
        rule = self.rule
        if rule.limit is not None and self.fired >= rule.limit:
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
    """All rules of one run. Each counts its own passages; of those due, the first strikes."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        """Arm `faults`; they fire in the run that asks, and only there."""
        self._armed = [_Armed(index, rule) for index, rule in enumerate(faults)]
        self._by_seam: dict[str, list[_Armed]] = {}
        for armed in self._armed:
            self._by_seam.setdefault(armed.rule.into, []).append(armed)
        self._healed = False

    def concerns(self, seam: str) -> bool:
        """Whether any rule could ever strike this seam; False lets hot paths skip the question."""
        return seam in self._by_seam

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

    def heal(self) -> None:
        """Nothing more goes wrong from here on."""
        self._healed = True

    def never_fired(self) -> list[int]:
        """The indices of rules that did not fire once."""
        return [armed.index for armed in self._armed if not armed.fired]


def build_exception(spec: Raise) -> BaseException:
    """The exception that a rule names.

    `OSError` and its kin take an errno name as their detail; a dotted type is imported.

    Raises:
        ValueError: No such exception type, or no such errno name.
    """
    kind = _exception_type(spec.type)
    if issubclass(kind, OSError):
        return _os_error(kind, spec.detail)
    return kind(spec.detail) if spec.detail is not None else kind()


def _exception_type(name: str) -> type[BaseException]:
    module_name, _, attribute = name.rpartition(".")
    try:
        module = importlib.import_module(module_name) if module_name else builtins
        found = getattr(module, attribute, None)
    except ImportError as error:
        raise ValueError(f"cannot raise {name!r}: {error}") from error
    if attribute == "CancelledError" and found is None:
        found = importlib.import_module("asyncio").CancelledError
    if not (isinstance(found, type) and issubclass(found, BaseException)):
        known = "no such exception; write SystemExit or a.b.Error"
        raise ValueError(f"cannot raise {name!r}: {known}")  # noqa: TRY004 - it is a name's value
    return found


def _os_error(kind: type[OSError], detail: str | None) -> OSError:
    if detail is None:
        return kind(errno.EIO, os.strerror(errno.EIO)) if kind is OSError else kind()
    code = getattr(errno, detail, None)
    if code is None:
        raise ValueError(f"cannot raise OSError with {detail!r}: write an errno name, like ENOSPC")
    return kind(code, os.strerror(code))
