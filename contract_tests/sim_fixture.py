"""The pytest fixture `cron_sim`: a simulated day of a provider, in a test of its author.

    def test_survives_sysexit(cron_sim):
        sim = cron_sim(MyProvider)
        sim.job("report", "every 1h", runtime="2s")
        sim.fault(SystemExit, into="tick", at="1h")
        sim.run("1d")
        sim.check()
        assert sim.runs("report") == 24

It hands out `simulator.CronSim` with what pytest knows: the test's name for the scenario, its
folder for what a failure leaves behind, the contract's sentences. A test that fails shows the
timelines of its runs. Loaded in every pytest run, so that nothing is imported before it is used.
"""

from __future__ import annotations

import pytest

TYPE_CHECKING = False  # importing the real one costs more than all the rest of this module
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path
    from typing import Any

    from simulator.cron_sim import CronSim

__all__ = ["cron_sim", "pytest_runtest_makereport"]

_SIMS = pytest.StashKey["list[CronSim]"]()


@pytest.fixture
def cron_sim(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., CronSim]:
    """Makes a `simulator.CronSim` of a provider; takes what that takes."""
    import re

    from contract_tests.catalogue import load
    from simulator.cron_sim import CronSim

    node: pytest.Item = request.node
    sims = node.stash.setdefault(_SIMS, [])

    def make(provider: object, **how: Any) -> CronSim:
        words = re.findall("[a-z0-9]+", node.name.lower())
        known = {
            "name": "-".join([*words, *([str(len(sims) + 1)] if sims else [])]),
            "folder": tmp_path,
            "sentence_of": lambda requirement: load().get(requirement).sentence,
            "again": f"pytest {node.nodeid!r}",
        }
        sims.append(CronSim(provider, **{**known, **how}))
        return sims[-1]

    return make


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the runs of a test that fails."""
    report = yield
    if report.failed and call.when == "call":
        for sim in item.stash.get(_SIMS, []):
            if sim.has_run:
                report.sections.append((repr(sim), f"{sim.timeline()}replay: {sim.replay()}"))
    return report
