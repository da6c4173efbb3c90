"""The report as JUnit XML, for CI systems that show tests."""

from xml.etree import ElementTree as ET

from contract_tests.report.model import Report, Row
from contract_tests.verdicts import demanded

__all__ = ["as_junit"]

_TAGS = {
    "FAIL": "failure",
    "KNOWN_DEVIATION": "failure",
    "KIT_ERROR": "error",
    "NOT_RUN": "skipped",
    "NOT_SUPPORTED": "skipped",
}


def as_junit(report: Report) -> str:
    """One test case for each requirement, a suite for each level.

    A requirement that counts and was not run is an error, not a skip: CI systems show skips green.
    """
    root = ET.Element("testsuites", name=f"hermes-cron contract {report.contract}")
    for level in ("core", "strict"):
        rows = [row for row in report.requirements if row.level == level]
        suite = ET.SubElement(root, "testsuite", name=level)
        tags = [_case(suite, row, report) for row in rows]
        suite.set("tests", str(len(rows)))
        suite.set("failures", str(tags.count("failure")))
        suite.set("errors", str(tags.count("error")))
        suite.set("skipped", str(tags.count("skipped")))
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _case(suite: ET.Element, row: Row, report: Report) -> str | None:
    group = row.id.rsplit("-", 1)[0]
    case = ET.SubElement(suite, "testcase", classname=f"{report.target}.{group}", name=row.id)
    tag = _TAGS.get(row.verdict)
    if row.verdict == "NOT_RUN" and demanded(report.profile, row.level) and row.scored:
        tag = "error"
    if tag is None:
        return None
    lines = [row.sentence, *row.evidence, *row.excerpt, *filter(None, (row.replay, row.smallest))]
    mark = ET.SubElement(case, tag, message=_clean(f"{row.verdict}: {row.evidence[0]}"))
    mark.text = _clean("\n".join(lines))
    return tag


def _clean(text: str) -> str:
    """Without the characters that XML cannot hold: a provider may say anything."""
    return (
        "".join(sign if sign in "\t\n" or sign >= " " else "?" for sign in text)
        .encode("utf-8", "replace")
        .decode("utf-8")
    )
