"""What all tests share: drawn examples, and the figures that a run shows at its end.

Generated examples are the same ones each time in CI, new ones elsewhere.
"""

import os
import tempfile

import pytest
from hypothesis import HealthCheck, settings

# How long a draw takes is the machine's affair, and not the property's.
HOW = {"deadline": None, "print_blob": True, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("ci", derandomize=True, **HOW)
settings.register_profile("here", **HOW)
settings.load_profile("ci" if os.environ.get("CI") else "here")

FIGURE = "figure"


@pytest.fixture
def figure(record_property):
    """Call it with a sentence that has measured figures: it stands in the terminal's summary.

    Reports carry it, so that it gets there from the processes of `-n 2` as well.
    """
    return lambda sentence: record_property(FIGURE, sentence)


@pytest.fixture(scope="session", autouse=True)
def _left_behind_in_pytests_own_folder(tmp_path_factory):
    """What failing runs leave for people, and what killed processes do, goes as pytest's own does."""
    with pytest.MonkeyPatch.context() as patch:
        folder = str(tmp_path_factory.mktemp("tmp"))
        patch.setenv("TMPDIR", folder)
        patch.setattr(tempfile, "tempdir", folder)
        yield


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
