"""Is cron well? Verdict first, then the evidence with its ages, then what to do.

`gather` looks (`status.evidence`), `judge` weighs (`status.verdict`); both are public here.
"""

from __future__ import annotations

from dataclasses import asdict

from hermes_cron.raised import in_a_line
from hermes_cron.status.evidence import Evidence, gather
from hermes_cron.status.json_text import json_text
from hermes_cron.status.verdict import Report, judge
from hermes_cron.status.wording import Finding

__all__ = ["Evidence", "Report", "as_json", "as_text", "cron_status", "gather", "judge", "report"]


def cron_status() -> None:
    """Print the status. Reads only and never raises."""
    print(as_text(report()))  # noqa: T201 - what the function is for


def report() -> Report:
    """The status now. Never raises: a status that cannot be told is unknown."""
    evidence = Evidence(now=0.0)
    try:
        evidence = gather()
        return judge(evidence)
    except Exception as error:  # evidence that is broken in a way nobody thought of
        text = f"The status cannot be told: {in_a_line(error)}"
        return Report("unknown", text, (Finding("unknown", "not-told", text),), evidence)


def as_text(found: Report) -> str:
    """The report for people."""
    return "\n".join(found.lines)


def as_json(found: Report) -> str:
    """The report for machines: verdict, exit code, findings, ages in seconds, and the evidence."""
    evidence = found.evidence
    return json_text(
        {
            "verdict": found.verdict,
            "exit_code": found.exit_code,
            "headline": found.headline,
            "reasons": found.reasons,
            "findings": [asdict(finding) for finding in found.findings],
            "ages": {
                "heartbeat_s": evidence.heartbeat_age_s,
                "success_s": evidence.success_age_s,
                "stale_after_s": evidence.stale_after_s,
            },
            "evidence": asdict(evidence),
        }
    )
