"""The report as data. Its schema is published beside this module as ``schema.json``.

Keys are stable within a ``report`` number; a new number may change them.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from contract_tests import catalogue
from contract_tests.report import kit
from contract_tests.searched import Searched
from contract_tests.verdicts import Assessment, Deviation, Overall, Profile, Result, Ruling

__all__ = [
    "Report",
    "Row",
    "assessment_of",
    "head_of",
    "published_schema",
    "report_from",
    "report_of",
    "row_of",
]

Verdict = Literal["PASS", "FAIL", "NOT_SUPPORTED", "KNOWN_DEVIATION", "NOT_RUN", "KIT_ERROR"]
Count = Annotated[int, Field(ge=0)]
_SEARCH = TypeAdapter(Searched | None)


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class KnownDeviation(_Model):
    """What the author says about a requirement that is known to be broken."""

    reason: str
    link: str
    expires: str


class Row(_Model):
    """One requirement.

    ``scored`` is false for a row that the claimed version of the contract does not have yet,
    ``selected`` for one that was not asked for; ``excerpt`` holds lines of the timeline around a
    failure; ``replay`` is the one command that shows it again, ``smallest`` the one that replays
    its smallest scenario, where one was asked for and found.
    """

    id: str
    level: Literal["core", "strict"]
    host: bool
    capability: str | None
    since: str
    scored: bool
    selected: bool
    sentence: str
    verdict: Verdict
    evidence: tuple[str, ...]
    reached: bool
    excerpt: tuple[str, ...] = ()
    scenarios: tuple[str, ...] = ()
    replay: str | None = None
    smallest: str | None = None
    deviation: KnownDeviation | None = None


class Capabilities(_Model):
    """What the target declares, and what it showed."""

    declared: tuple[str, ...]
    shown: tuple[str, ...]


class SelfTest(_Model):
    """How many of how many: broken implementations rejected, legal oddities accepted."""

    rejects: tuple[Count, Count]
    accepts: tuple[Count, Count]


class Report(_Model):
    """A whole report."""

    report: Literal[1]
    kit: str
    kit_digest: str
    self_test: SelfTest | None
    contract: str
    target: str
    provider: str
    registry: str | None = None
    profile: Profile
    verdict: Overall
    verdicts: dict[Literal["core", "strict"], Overall]
    capabilities: Capabilities
    counts: dict[str, Count]
    notes: tuple[str, ...]
    search: Searched | None = None
    requirements: tuple[Row, ...]

    @property
    def failures(self) -> tuple[Row, ...]:
        """The rows that are broken, whether that is known or not."""
        return tuple(row for row in self.requirements if row.verdict in ("FAIL", "KNOWN_DEVIATION"))

    def naming(self, files: Mapping[str, Path]) -> "Report":
        """The report with the smallest scenarios of its failures, by id."""
        provider = self.target + (f" --registry {self.registry}" if self.registry else "")
        rows = (
            row.model_copy(update={"smallest": f"hermes-sim run {files[row.id]} -p {provider}"})
            if row.id in files
            else row
            for row in self.requirements
        )
        return self.model_copy(update={"requirements": tuple(rows)})


def report_of(assessment: Assessment) -> Report:
    """Make the report of a judgement."""
    proof = kit.proven()
    return Report(
        report=1,
        kit=kit.version(),
        kit_digest=kit.digest(),
        self_test=None if proof is None else SelfTest.model_validate_json(json.dumps(proof)),
        contract=assessment.contract,
        target=assessment.target,
        provider=assessment.provider,
        registry=assessment.registry,
        profile=assessment.profile,
        verdict=assessment.verdict,
        verdicts={
            "core": assessment.verdict_of("core"),
            "strict": assessment.verdict_of("strict"),
        },
        capabilities=Capabilities(
            declared=tuple(sorted(assessment.declared)), shown=tuple(sorted(assessment.shown))
        ),
        counts=assessment.counts(),
        notes=assessment.notes,
        search=assessment.search,
        requirements=tuple(row_of(result, assessment) for result in assessment.results),
    )


def row_of(result: Result, assessment: Assessment) -> Row:
    """One row of the report."""
    requirement, known = result.requirement, result.deviation
    bad = result.verdict in (Ruling.FAIL, Ruling.KNOWN_DEVIATION)
    return Row(
        id=requirement.id,
        level=requirement.level,
        host=requirement.host,
        capability=requirement.capability,
        since=requirement.since,
        scored=assessment.scores(requirement),
        selected=assessment.selected is None or requirement.id in assessment.selected,
        sentence=requirement.sentence,
        verdict=result.verdict.value,
        evidence=result.evidence,
        reached=result.reached,
        excerpt=result.excerpt,
        scenarios=result.scenarios,
        replay=_replay(result, assessment) if bad else None,
        deviation=None if known is None else _known(known),
    )


def _known(known: Deviation) -> KnownDeviation:
    return KnownDeviation(reason=known.reason, link=known.link, expires=known.expires)


def _replay(result: Result, assessment: Assessment) -> str:
    requirement_id = result.requirement.id
    found = None if assessment.search is None else assessment.search.of(requirement_id)
    if found is not None and found.sentence in result.evidence:
        return found.replay
    words = ["hermes-contract", "check", assessment.target]
    if assessment.registry:
        words += ["--registry", assessment.registry]
    words += ["--only", requirement_id]
    if assessment.declared != assessment.shown:
        words += ["--capabilities", ",".join(sorted(assessment.declared))]
    return " ".join([*words, "--timeline"])


def assessment_of(report: Report) -> Assessment:
    """The judgement that a report speaks of, its verdicts to be found anew.

    Raises:
        UnknownRequirementError: it has a row that the contract does not have.
    """
    return Assessment(
        target=report.target,
        provider=report.provider,
        contract=report.contract,
        profile=report.profile,
        declared=frozenset(report.capabilities.declared),
        shown=frozenset(report.capabilities.shown),
        results=tuple(map(_result, report.requirements)),
        notes=report.notes,
        selected=frozenset(row.id for row in report.requirements if row.selected),
        registry=report.registry,
        search=report.search,
    )


def head_of(assessment: Assessment) -> dict[str, Any]:
    """What a report says besides its rows, in plain values: it goes from a worker to another."""
    return {
        "target": assessment.target,
        "provider": assessment.provider,
        "registry": assessment.registry,
        "contract": assessment.contract,
        "profile": assessment.profile,
        "declared": sorted(assessment.declared),
        "shown": sorted(assessment.shown),
        "notes": list(assessment.notes),
        "search": None if assessment.search is None else asdict(assessment.search),
    }


def report_from(
    head: Mapping[str, Any], rows: Mapping[str, Any], absent: Mapping[str, str]
) -> Report:
    """Put a report together from parts that were told in plain values.

    Args:
        head: as `head_of` gives it.
        rows: rows of a report as JSON values, by id.
        absent: why there is no row, by id.
    """
    found = {key: _result(Row.model_validate_json(json.dumps(row))) for key, row in rows.items()}
    nothing = "it has no result: its test was skipped, or did not come to an end"
    results = tuple(
        found.get(one.id) or Result(one, Ruling.NOT_RUN, (absent.get(one.id, nothing),))
        for one in catalogue.load().requirements
    )
    return report_of(
        Assessment(
            target=head["target"],
            provider=head["provider"],
            contract=head["contract"],
            profile=head["profile"],
            declared=frozenset(head["declared"]),
            shown=frozenset(head["shown"]),
            results=results,
            notes=tuple(head["notes"]),
            registry=head["registry"],
            search=_SEARCH.validate_json(json.dumps(head["search"])),
        )
    )


def _result(row: Row) -> Result:
    known = row.deviation
    return Result(
        catalogue.load().get(row.id),
        Ruling(row.verdict),
        row.evidence,
        row.reached,
        row.excerpt,
        row.scenarios,
        None if known is None else Deviation(row.id, known.reason, known.link, known.expires),
    )


def published_schema() -> dict[str, Any]:
    """The JSON schema of a report, as it ships with the kit."""
    file = resources.files("contract_tests.report") / "schema.json"
    return cast("dict[str, Any]", json.loads(file.read_text(encoding="utf-8")))
