"""What all tests share: drawn examples, and the figures that a run shows at its end.

Generated examples are the same ones each time in CI, new ones elsewhere.
"""

import os

import pytest
from hypothesis import settings

settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("here", deadline=None, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")

FIGURE = "figure"


@pytest.fixture
def figure(record_property):
    """Call it with a sentence that has measured figures: it stands in the terminal's summary.

    Reports carry it, so that it gets there from the processes of `-n 2` as well.
    """
    return lambda sentence: record_property(FIGURE, sentence)


def pytest_terminal_summary(terminalreporter):
    said = sorted(
        (report.nodeid, sentence)
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", None) == "call"
        for name, sentence in report.user_properties
        if name == FIGURE
    )
    if said:
        terminalreporter.section("figures")
    for nodeid, sentence in said:
        terminalreporter.line(f"{nodeid.partition('::')[2]}: {sentence}")
