"""What a judgement can say, and how the parts add up to the whole.

Nothing that was not run is ever counted as good: a row that was expected and has no PASS or FAIL
makes the whole inconclusive. Core and strict are judged apart and never averaged.
"""

import enum
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from contract_tests.catalogue import Level, Requirement
from contract_tests.searched import Searched

__all__ = [
    "EXIT_CODES",
    "KINDS",
    "PROFILES",
    "Assessment",
    "Deviation",
    "Overall",
    "Profile",
    "Result",
    "Ruling",
    "demanded",
    "searches",
]

Profile = Literal["core", "strict", "ci", "nightly"]
Overall = Literal["conformant", "violated", "inconclusive", "deviating"]

# 2 is wrong use. Deviating: nothing is wrong beyond the listed deviations, which is not conformant.
EXIT_CODES: dict[Overall, int] = {
    "conformant": 0,
    "violated": 1,
    "inconclusive": 3,
    "deviating": 4,
}

# What decides: core alone, or strict with it. ci is what a pull request waits for: all rows, and
# nothing that is drawn. nightly has a search besides.
PROFILES: dict[Profile, tuple[Level, ...]] = {
    "core": ("core",),
    "strict": ("core", "strict"),
    "ci": ("core", "strict"),
    "nightly": ("core", "strict"),
}

# What drives a provider; nothing that matters is judged of one that is neither.
KINDS = frozenset({"blocking", "external"})


def demanded(profile: Profile, level: Level) -> bool:
    """Whether rows of a level decide in a profile, or are reported only."""
    return level in PROFILES[profile]


def searches(profile: Profile) -> bool:
    """Whether a profile has a search."""
    return profile == "nightly"


class Ruling(enum.StrEnum):
    """The verdict on one requirement."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    FAIL = "FAIL"
    NOT_SUPPORTED = "NOT_SUPPORTED"
    KNOWN_DEVIATION = "KNOWN_DEVIATION"
    NOT_RUN = "NOT_RUN"
    KIT_ERROR = "KIT_ERROR"


@dataclass(frozen=True, slots=True)
class Deviation:
    """A requirement that its author knows to be broken.

    Attributes:
        id: the requirement.
        reason: why it is so.
        link: where it is being dealt with.
        expires: the last day on which it may still be so, ``2026-12-31``.
    """

    id: str
    reason: str
    link: str
    expires: str


@dataclass(frozen=True, slots=True)
class Result:
    """The verdict on one requirement, with what proves it.

    Attributes:
        requirement: the row that was judged.
        verdict: see `Ruling`.
        evidence: sentences, the decisive one first.
        reached: the requirement's antecedent was true at least once in the run.
        excerpt: lines of the timeline around what proves a FAIL; empty where no time passed.
        scenarios: the kit's scenarios that it was judged in.
        deviation: what the author says about it, for a known deviation.
    """

    requirement: Requirement
    verdict: Ruling
    evidence: tuple[str, ...] = ()
    reached: bool = False
    excerpt: tuple[str, ...] = ()
    scenarios: tuple[str, ...] = ()
    deviation: Deviation | None = None


@dataclass(frozen=True, slots=True)
class Assessment:
    """All results for one target, and the verdicts that follow from them.

    Attributes:
        target: what the user wrote.
        provider: its class.
        contract: the version that is claimed; rows that came later are reported and not scored.
        profile: the level that decides `verdict`.
        declared: the capabilities that it was judged for.
        shown: those that it showed.
        results: one for each requirement of the contract, in its order.
        notes: what a reader should know besides.
        selected: the ids that were asked for; None for all.
        registry: the fake that was given for its registry; None when that is NAS.
        search: what the profile's search tried and found; None without one.
    """

    target: str
    provider: str
    contract: str
    profile: Profile
    declared: frozenset[str]
    shown: frozenset[str]
    results: tuple[Result, ...]
    notes: tuple[str, ...] = ()
    selected: frozenset[str] | None = None
    registry: str | None = None
    search: Searched | None = None

    def expected(self, level: Level | None = None) -> tuple[Result, ...]:
        """The rows that a level, or the whole profile, demands of a target like this one."""
        return tuple(
            row
            for row in self.results
            if self._applies(row)
            and self.scores(row.requirement)
            and (level or row.requirement.level) == row.requirement.level
            and (level or demanded(self.profile, row.requirement.level))
        )

    def not_judged(self, level: Level) -> tuple[Result, ...]:
        """The rows of a level that apply to the target and have neither PASS nor FAIL."""
        return tuple(
            row
            for row in self.results
            if row.requirement.level == level
            and self._applies(row)
            and row.verdict in (Ruling.NOT_RUN, Ruling.KIT_ERROR)
        )

    def counts(self) -> dict[str, int]:
        """How many rows have each verdict, and how many there are; adds up to the contract.

        ``total`` is the contract; ``selected`` what was asked for; ``executed`` what has PASS, FAIL
        or KNOWN_DEVIATION; ``expected`` what the profile demands of this target.
        """
        by_verdict = Counter(row.verdict for row in self.results)
        counts = {verdict.value: by_verdict[verdict] for verdict in Ruling}
        return counts | {
            "total": len(self.results),
            "selected": len(self.results) if self.selected is None else len(self.selected),
            "expected": len(self.expected()),
            "executed": sum(by_verdict[verdict] for verdict in _EXECUTED),
            "core_not_judged": len(self.not_judged("core")),
            "strict_not_judged": len(self.not_judged("strict")),
        }

    @property
    def verdict(self) -> Overall:
        """The profile's: the worst of its levels, and of its search.

        What a search found is in the rows that it breaks.
        """
        parts = [self.verdict_of(level) for level in PROFILES[self.profile]]
        if searches(self.profile) and (self.search is None or self.search.verdict == "unknown"):
            parts.append("inconclusive")
        return max(parts, key=_WORSE.index)

    def verdict_of(self, level: Level) -> Overall:
        """The verdict on one level, apart from the other.

        A FAIL weighs more than what was not run, and that more than a known deviation.
        """
        scored = [
            row
            for row in self.results
            if row.requirement.level == level and self.scores(row.requirement)
        ]
        expected = self.expected(level)
        if any(row.verdict is Ruling.FAIL for row in scored):
            return "violated"
        if not expected or not self.declared & KINDS:
            return "inconclusive"  # neither the loop nor the registry was looked at
        if any(row.verdict not in (Ruling.PASS, Ruling.KNOWN_DEVIATION) for row in expected):
            return "inconclusive"
        if any(row.verdict is Ruling.KIT_ERROR for row in scored):
            return "inconclusive"
        deviates = any(row.verdict is Ruling.KNOWN_DEVIATION for row in scored)
        return "deviating" if deviates else "conformant"

    def _applies(self, row: Result) -> bool:
        """Whether a row is about a target like this one; NAS rows only for who runs with NAS."""
        of_nas = row.requirement.group == "NAS"
        return row.requirement.applies_to(self.declared) and not (of_nas and self.registry)

    def scores(self, requirement: Requirement) -> bool:
        """Whether a row counts for the version of the contract that is claimed."""
        return int(requirement.since) <= int(self.contract)


_EXECUTED = (Ruling.PASS, Ruling.FAIL, Ruling.KNOWN_DEVIATION)
_WORSE: tuple[Overall, ...] = ("conformant", "deviating", "inconclusive", "violated")
