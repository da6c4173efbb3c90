"""What a judgement can say, and how the parts add up to the whole.

Nothing that was not run is ever counted as good: a row that was expected and has no PASS or FAIL
makes the whole inconclusive.
"""

import enum
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from contract_tests.catalogue import Level, Requirement

__all__ = [
    "EXIT_CODES",
    "KINDS",
    "TESTED_GROUPS",
    "Assessment",
    "Overall",
    "Profile",
    "Result",
    "Ruling",
]

Profile = Literal["core", "strict"]
Overall = Literal["conformant", "violated", "inconclusive"]

EXIT_CODES: dict[Overall, int] = {"conformant": 0, "violated": 1, "inconclusive": 3}

# The groups whose core rows this release of the kit claims to judge. A row of theirs without a
# result makes a core judgement inconclusive; the other groups are shown as not run.
TESTED_GROUPS = frozenset({"ABC", "AVAIL", "FALL", "TICK", "FIRE", "RECON"})


# What drives a provider; nothing that matters is judged of one that is neither.
KINDS = frozenset({"blocking", "external"})


class Ruling(enum.StrEnum):
    """The verdict on one requirement."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    FAIL = "FAIL"
    NOT_SUPPORTED = "NOT_SUPPORTED"
    KNOWN_DEVIATION = "KNOWN_DEVIATION"
    NOT_RUN = "NOT_RUN"
    KIT_ERROR = "KIT_ERROR"


@dataclass(frozen=True, slots=True)
class Result:
    """The verdict on one requirement, with what proves it.

    Attributes:
        requirement: the row that was judged.
        verdict: see `Ruling`.
        evidence: sentences, the decisive one first.
        reached: the requirement's antecedent was true at least once in the run.
    """

    requirement: Requirement
    verdict: Ruling
    evidence: tuple[str, ...] = ()
    reached: bool = False


@dataclass(frozen=True, slots=True)
class Assessment:
    """All results for one target, and the verdict that follows from them."""

    target: str
    provider: str
    contract: str
    profile: Profile
    declared: frozenset[str]
    shown: frozenset[str]
    results: tuple[Result, ...]
    notes: tuple[str, ...] = field(default=())

    def expected(self) -> tuple[Result, ...]:
        """The rows that the profile demands of a target with these capabilities."""
        return tuple(row for row in self.results if self._expects(row.requirement))

    def not_judged(self, level: Level) -> tuple[Result, ...]:
        """The rows of a level that apply to the target and have neither PASS nor FAIL."""
        return tuple(
            row
            for row in self.results
            if row.requirement.level == level
            and row.requirement.applies_to(self.declared)
            and row.verdict in (Ruling.NOT_RUN, Ruling.KIT_ERROR)
        )

    def counts(self) -> dict[str, int]:
        """How many rows have each verdict, and how many there are; adds up to the contract."""
        by_verdict = Counter(row.verdict for row in self.results)
        counts = {verdict.value: by_verdict[verdict] for verdict in Ruling}
        executed = sum(1 for row in self.results if row.verdict in (Ruling.PASS, Ruling.FAIL))
        return counts | {
            "total": len(self.results),
            "expected": len(self.expected()),
            "executed": executed,
            "core_not_judged": len(self.not_judged("core")),
            "strict_not_judged": len(self.not_judged("strict")),
        }

    @property
    def verdict(self) -> Overall:
        """Violated wins over inconclusive, inconclusive over conformant.

        A FAIL counts when its level is in the profile, tested group or not; a known deviation
        is still a deviation.
        """
        scored = [row for row in self.results if self._scores(row.requirement)]
        if _any(scored, Ruling.FAIL, Ruling.KNOWN_DEVIATION):
            return "violated"
        expected = self.expected()
        if not self.declared & KINDS:
            return "inconclusive"  # neither the loop nor the registry was looked at
        if not expected or any(row.verdict is not Ruling.PASS for row in expected):
            return "inconclusive"
        if _any(scored, Ruling.KIT_ERROR):
            return "inconclusive"
        return "conformant"

    def _scores(self, requirement: Requirement) -> bool:
        return self.profile == "strict" or requirement.level == "core"

    def _expects(self, requirement: Requirement) -> bool:
        if not requirement.applies_to(self.declared):
            return False
        return self.profile == "strict" or (
            requirement.level == "core" and requirement.group in TESTED_GROUPS
        )


def _any(rows: Iterable[Result], *verdicts: Ruling) -> bool:
    return any(row.verdict in verdicts for row in rows)
