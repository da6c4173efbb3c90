"""Whether a report is consistent, and of this kit: its parts are added up anew."""

from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from contract_tests import catalogue
from contract_tests.report import kit
from contract_tests.report.model import Report, Row, assessment_of, report_of
from contract_tests.verdicts import searches
from simulator.explore.reach import FLOORS
from simulator.scenario_file import ScenarioError, parse_scenario

__all__ = ["ReportError", "objections", "read_report"]


class ReportError(Exception):
    """A file is no report; says what is wrong with it and where."""


def read_report(path: Path) -> Report:
    """Read a JSON report.

    Raises:
        ReportError: it cannot be read, or is not one by the published schema.
    """
    try:
        return Report.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ReportError(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise ReportError(f"{path} is no report: {where}: {first['msg']}{more}") from error


def objections(report: Report) -> Iterator[str]:
    """What is wrong with a report: one sentence each; nothing when it stands."""
    rows = catalogue.load().requirements
    known, there = [row.id for row in rows], [row.id for row in report.requirements]
    if there != known:
        wrong = sorted(set(there) ^ set(known))
        what = ", ".join(wrong) if wrong else "their order"
        yield f"its requirements are not those of the contract: {what}"
        return
    if strange := _strange(report):
        yield strange
        return
    anew = report_of(assessment_of(report))
    for mine, its in zip(anew.requirements, report.requirements, strict=True):
        for key, value in mine:
            if key != "smallest" and getattr(its, key) != value:
                yield f"{its.id}: {key} is {getattr(its, key)!r}, and should be {value!r}"
        yield from _odd(its)
    yield from _odd_search(report)
    for part in ("verdict", "verdicts", "counts"):
        if getattr(report, part) != getattr(anew, part):
            yield f"{part} is {getattr(report, part)}; its rows add up to {getattr(anew, part)}"
    if report.kit_digest != kit.digest():
        this = f"{kit.version()} {kit.digest()[:12]}"
        yield f"it is of another kit: {report.kit} {report.kit_digest[:12]}, not {this}"
    elif report.self_test is not None and report.self_test != anew.self_test:
        yield "it claims a self-test that this kit does not have"


def _strange(report: Report) -> str | None:
    """What no reader could add up: a contract or a capability that there is not."""
    try:
        catalogue.load().claimed(report.contract)
    except ValueError as error:
        return f"its contract is {report.contract!r}, and {error}"
    strange = {*report.capabilities.declared, *report.capabilities.shown} - catalogue.CAPABILITIES
    return f"{', '.join(sorted(strange))} is no capability" if strange else None


def _odd_search(report: Report) -> Iterator[str]:
    """What no search of ours says."""
    searched = report.search
    if (searched is not None) != searches(report.profile):
        yield f"profile {report.profile}, {'without' if searched is None else 'with'} a search"
    if searched is None:
        return
    if searched.tried > searched.examples:
        yield f"its search tried {searched.tried} of {searched.examples} examples"
    if searched.tried and {one.what: one.least for one in searched.floors} != FLOORS:
        yield "the floors of its search are not those of this kit"
    by_id = {row.id: row for row in report.requirements}
    for found in searched.findings:
        row = by_id.get(found.requirement)
        if row is None or row.verdict not in ("FAIL", "KNOWN_DEVIATION", "KIT_ERROR"):
            said = "is no requirement" if row is None else f"is {row.verdict}"
            yield f"its search found {found.requirement} violated, which {said}"
        try:
            held = parse_scenario(found.scenario).expect.hold
        except ScenarioError as error:
            yield f"its search's scenario for {found.requirement} is none: {error}"
        else:
            if held != (found.requirement,):
                yield f"its search's scenario for {found.requirement} is of {', '.join(held)}"


def _odd(row: Row) -> Iterator[str]:
    """What no judgement of ours writes."""
    if row.verdict == "PASS" and not row.reached:
        yield f"{row.id}: PASS, and its case was never reached"
    if row.verdict == "PASS" and row.excerpt:
        yield f"{row.id}: PASS, with a timeline of how it failed"
    if row.verdict == "KNOWN_DEVIATION" and row.deviation is None:
        yield f"{row.id}: a known deviation without a reason and an end"
    if not row.evidence:
        yield f"{row.id}: {row.verdict} without evidence"
    if row.verdict in ("PASS", "FAIL") and not row.selected:
        yield f"{row.id}: {row.verdict}, and it was not asked for"
