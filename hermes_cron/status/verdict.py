"""From evidence to a verdict: healthy, unhealthy, or unknown, which is a value of its own.

Pure. Each finding is bad, unknown or a note; one bad finding makes the whole unhealthy, else one
unknown finding makes it unknown. Only a healthy report promises anything. The phrases are fixed
(HOST.md, "Status lines"): people and their scripts look for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from hermes_cron.status.evidence import Evidence
from hermes_cron.status.job_health import job_findings
from hermes_cron.status.lines import lines_of
from hermes_cron.status.trigger_health import trigger_findings
from hermes_cron.status.wording import Finding

__all__ = ["EXIT_CODES", "Report", "Verdict", "judge"]

Verdict = Literal["healthy", "unhealthy", "unknown"]

EXIT_CODES: dict[Verdict, int] = {"healthy": 0, "unhealthy": 1, "unknown": 3}


@dataclass(frozen=True)
class Report:
    """A judged piece of evidence.

    Attributes:
        verdict: healthy, unhealthy or unknown.
        headline: the verdict in one sentence; the only place of a promise.
        findings: what led to it, the worst first.
        evidence: what was judged.
    """

    verdict: Verdict
    headline: str
    findings: tuple[Finding, ...]
    evidence: Evidence

    @property
    def exit_code(self) -> int:
        """0 healthy, 1 unhealthy, 3 unknown."""
        return EXIT_CODES[self.verdict]

    @property
    def lines(self) -> list[str]:
        """The report for people, line by line."""
        return lines_of(self.verdict, self.headline, self.findings, self.evidence)

    @property
    def reasons(self) -> list[str]:
        """The codes of the findings that are not notes, the worst first."""
        return [finding.code for finding in self.findings if finding.weight != "note"]


def judge(evidence: Evidence) -> Report:
    """Weigh the evidence. Pure; the same evidence always gives the same report."""
    found = [*trigger_findings(evidence), *_common_findings(evidence), *job_findings(evidence)]
    order = ("bad", "unknown", "note")
    found.sort(key=lambda finding: order.index(finding.weight))
    weights = {finding.weight for finding in found}
    if "bad" in weights:
        verdict: Verdict = "unhealthy"
    else:
        verdict = "unknown" if "unknown" in weights else "healthy"
    return Report(verdict, _headline(verdict, found, evidence), tuple(found), evidence)


def _headline(verdict: Verdict, found: list[Finding], evidence: Evidence) -> str:
    if verdict != "healthy":
        return found[0].text
    if evidence.external:
        return (
            f"Cron provider '{evidence.provider}': cron jobs will fire automatically, "
            "through the managed scheduler"
        )
    return "Gateway is running: cron jobs will fire automatically"


def _common_findings(evidence: Evidence) -> Iterator[Finding]:
    """What counts whoever the provider is."""
    for facts in evidence.gateways:
        if facts.get("state") == "draining":
            yield Finding(
                "bad",
                "draining",
                f"Gateway (pid {facts.get('pid')}) is shutting down and starts nothing more",
                "start it again when it has left: 'hermes-cron serve'",
            )
    if evidence.fallback is not None:
        yield Finding(
            "note",
            "fallback",
            f"cron provider '{evidence.fallback.get('configured')}' is configured but does not run "
            f"({evidence.fallback.get('reason')}); the built-in runs in its place",
            "mend it or its configuration, then restart the gateway",
        )
    for sentence in evidence.config_problems:
        yield Finding(
            "note",
            "config-unreadable",
            f"{sentence}; the defaults are in effect until it is mended",
            "mend it; a provider that it names does not run until then",
        )
    for sentence in evidence.unlearned:
        yield Finding(
            "unknown",
            "not-learned",
            f"It could not be found out: {sentence}",
            "run this as the user that the gateway runs as",
        )
