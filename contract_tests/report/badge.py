"""The badge: two words in a box, made of a JSON report and of nothing else."""

from xml.sax.saxutils import escape

from contract_tests.report.model import Report

__all__ = ["as_badge"]

_COLOURS = {
    "conformant": "#2e7d32",
    "violated": "#b71c1c",
    "inconclusive": "#6d6d6d",
    "deviating": "#b26a00",
}
_WIDTH_OF_A_SIGN = 6.6
_PADDING = 12


def as_badge(report: Report) -> str:
    """An SVG: the contract and profile, then the verdict."""
    left = f"hermes cron contract {report.contract} {report.profile}"
    right = report.verdict
    widths = [round(len(text) * _WIDTH_OF_A_SIGN + _PADDING) for text in (left, right)]
    whole = sum(widths)
    label = escape(f"{left}: {right}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="20" role="img" '
        f'aria-label="{label}"><title>{label}</title>'
        f'<rect width="{whole}" height="20" rx="3" fill="#444"/>'
        f'<rect x="{widths[0]}" width="{widths[1]}" height="20" rx="3" fill="{_COLOURS[right]}"/>'
        '<g fill="#fff" font-family="Verdana,Geneva,DejaVu Sans,sans-serif" font-size="11" '
        'text-anchor="middle">'
        f'<text x="{widths[0] / 2}" y="14">{escape(left)}</text>'
        f'<text x="{widths[0] + widths[1] / 2}" y="14">{escape(right)}</text></g></svg>\n'
    )
