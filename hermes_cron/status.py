"""Is cron well? Verdict first, then the evidence with its ages, then what to do.

`gather` looks (hermes_cron.evidence), `judge` weighs (hermes_cron.verdict); both are public here.
"""

from __future__ import annotations

import json
from dataclasses import asdict

from hermes_cron.evidence import Evidence, gather
from hermes_cron.verdict import Report, judge

__all__ = ["Evidence", "Report", "as_json", "as_text", "cron_status", "gather", "judge", "report"]


def cron_status() -> None:
    """Print the status. Reads only and never raises."""
    print(as_text(report()))  # noqa: T201 - what the function is for


def report() -> Report:
    """The status now."""
    return judge(gather())


def as_text(found: Report) -> str:
    """The report for people."""
    return "\n".join(found.lines)


def as_json(found: Report) -> str:
    """The report for machines: verdict, exit code, findings, ages in seconds, and the evidence."""
    evidence = found.evidence
    return json.dumps(
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
        },
        indent=2,
        ensure_ascii=False,
        default=str,
    )
