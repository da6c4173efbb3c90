"""The report as Markdown, for a comment under a pull request."""

from collections import Counter

from contract_tests.report.model import Report, Row

__all__ = ["as_markdown"]

_MOST_FAILURES = 20
_SIGNS = {"conformant": "✅", "violated": "❌", "inconclusive": "❔", "deviating": "⚠️"}


def as_markdown(report: Report) -> str:
    """Verdict first, a table by group, then each failure folded."""
    scope = f"Contract {report.contract}, profile {report.profile}"
    shown = ", ".join(report.capabilities.declared) or "no capability"
    levels = f"Core: **{report.verdicts['core']}**, strict: **{report.verdicts['strict']}**"
    lines = [
        f"## {_SIGNS[report.verdict]} `{report.target}`: {report.verdict}",
        "",
        f"{scope}, {shown}. {levels}.",
        "",
        "| group | core | strict |",
        "|---|---|---|",
        *_table(report),
        "",
    ]
    failures = report.failures
    for row in failures[:_MOST_FAILURES]:
        lines += _failure(row)
    if len(failures) > _MOST_FAILURES:
        lines += [f"and {len(failures) - _MOST_FAILURES} more, see the JSON report", ""]
    lines += [f"- {_plain(note)}" for note in report.notes]
    if report.search is not None:
        lines += [f"- {_plain(report.search.sentence)}"]
    proof = report.self_test
    proven = (
        "teeth not proven since the kit was changed"
        if proof is None
        else f"rejects {proof.rejects[0]} of {proof.rejects[1]}, "
        f"accepts {proof.accepts[0]} of {proof.accepts[1]}"
    )
    lines += ["", f"<sub>hermes-cron {report.kit}, kit `{report.kit_digest[:12]}`: {proven}</sub>"]
    return "\n".join(lines) + "\n"


def _table(report: Report) -> list[str]:
    counts: dict[str, dict[str, Counter[str]]] = {}
    for row in report.requirements:
        group = counts.setdefault(
            row.id.rsplit("-", 1)[0], {"core": Counter(), "strict": Counter()}
        )
        group[row.level][row.verdict] += 1
    return [
        f"| {group} | {_tally(levels['core'])} | {_tally(levels['strict'])} |"
        for group, levels in counts.items()
    ]


def _tally(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))


def _failure(row: Row) -> list[str]:
    later = "" if row.scored else ", not scored"
    title = f"<b>{row.id}</b> ({row.level}{later}) {row.verdict}: {_plain(row.sentence)}"
    lines = [
        f"<details><summary>{title}</summary>",
        "",
        *(f"- {_plain(line)}" for line in row.evidence),
        "",
    ]
    if row.excerpt:
        lines += ["```text", *(line.replace("```", "'''") for line in row.excerpt), "```", ""]
    lines += [f"`{command}`  " for command in (row.replay, row.smallest) if command]
    lines += [""]
    return [*lines, "</details>", ""]


def _plain(text: str) -> str:
    """Text that stays text: what a provider says is not markup here."""
    for sign, instead in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\n", " ")):
        text = text.replace(sign, instead)
    return "".join(f"\\{sign}" if sign in "\\`*_[]|" else sign for sign in text)
