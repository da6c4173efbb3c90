"""The pytest plugin: says at the end of a run what it was worth as a contract check.

Tiny and lazy on purpose: it is loaded in every pytest run of whoever installed the distribution. A
requirement that was deselected, overridden, skipped or never reached makes the verdict
inconclusive, however green the run looks. The report is the one that ``hermes-contract check``
makes; ``--contract-json`` and its like write it.
"""

from __future__ import annotations

import pytest

TYPE_CHECKING = False  # importing the real one costs more than all the rest of this module
if TYPE_CHECKING:
    from typing import Any

    from contract_tests.report.model import Report

__all__ = ["profile_of", "pytest_addoption", "pytest_configure", "suite_of"]

_PROPERTY = "hermes_contract"
_MARK = "hermes_contract_ids"
_EXPORTED = ("contract_tests.suites.contract", "CronSchedulerContract")
_FORMS = ("json", "junit", "markdown")
_PROFILES = ("core", "strict", "ci", "nightly")
_MOST_NAMED = 20
_OF_A_SEARCH = "test_search_tried_enough"


class _Suite:
    """What was seen of one contract class, in plain values: they come from workers too."""

    def __init__(self) -> None:
        self.head: dict[str, Any] | None = None
        self.rows: dict[str, dict[str, Any]] = {}
        self.absent: dict[str, str] = {}

    def report(self) -> Report | None:
        """The report of the class; None when nothing of it ran to a result."""
        if self.head is None:
            return None
        from contract_tests.report.model import report_from

        kept = {key: row for key, row in self.rows.items() if key not in self.absent}
        return report_from(self.head, kept, self.absent)


class _Recorder:
    """Listens to one pytest run."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._suites: dict[str, _Suite] = {}

    def _of(self, item: Any) -> tuple[_Suite, str] | None:
        """The contract class of a test and the id that it judges, if it is one of ours."""
        cls: Any = getattr(item, "cls", None)
        base = _exported(cls)
        if base is None:
            return None
        name = suite_of(item)
        if name not in self._suites:
            suite = self._suites[name] = _Suite()
            suite.absent = dict.fromkeys(_overridden(cls, base), "the class overrides its test")
        judged = getattr(item, "originalname", None) or item.name
        return self._suites[name], judged.removeprefix("test_").replace("_", "-")

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Learn which contract classes there are, and leave out what their profile has not."""
        for item in items:
            self._of(item)
        items[:] = [item for item in items if not self._without_a_search(item)]

    def _without_a_search(self, item: Any) -> bool:
        """Whether a test asks for the search of a class whose profile has none."""
        of_a_search = getattr(item, "originalname", None) == _OF_A_SEARCH
        if not of_a_search or _exported(item.cls) is None:
            return False
        return str(profile_of(item.cls, self._config)) != "nightly"

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Note what ``-k``, ``-m`` or another plugin left out."""
        for item in items:
            if found := self._of(item):
                found[0].absent.setdefault(found[1], "its test was deselected")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the results in; under xdist this runs on the controller too."""
        if report.when != "call":
            return
        for name, told in report.user_properties:
            if name == _PROPERTY and isinstance(told, dict):
                suite = self._suites.setdefault(told["suite"], _Suite())
                suite.head = told["head"]
                suite.rows[told["row"]["id"]] = told["row"]

    def pytest_sessionfinish(self) -> None:
        """Hand a worker's findings to its controller: what was deselected is not in reports."""
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output[_PROPERTY] = {name: suite.absent for name, suite in self._suites.items()}

    @pytest.hookimpl(optionalhook=True)  # only xdist has it
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a worker found."""
        for name, absent in getattr(node, "workeroutput", {}).get(_PROPERTY, {}).items():
            self._suites.setdefault(name, _Suite()).absent.update(absent)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """One line for each contract class, and the reasons of those that are not conformant."""
        reports = {name: suite.report() for name, suite in sorted(self._suites.items())}
        for name, report in reports.items():
            _say(terminalreporter, name, report)
        self._write({name: report for name, report in reports.items() if report is not None})

    def _write(self, reports: dict[str, Report]) -> None:
        """The files that were asked for; several classes each put their name into them."""
        from pathlib import Path

        for form in _FORMS:
            wanted = self._config.getoption(f"contract_{form}", default=None)
            for name, report in reports.items() if wanted else ():
                from contract_tests.report.forms import write_report

                path = Path(wanted)
                if len(reports) > 1:
                    path = path.with_name(f"{path.stem}.{name}{path.suffix}")
                write_report(report, form, path)


def suite_of(item: Any) -> str:
    """The name of what one judge judges: a class as it was collected, with its parameters.

    A class whose ``provider`` has two parameters judges two providers, and classes that a function
    makes have but the names of the module to tell them apart.
    """
    names = [node.name for node in item.listchain() if isinstance(node, pytest.Class)]
    parameters = getattr(item, "callspec", None)
    given = f"[{parameters.id}]" if parameters else ""
    return f"{'.'.join([item.module.__name__, *names])}{given}"


def profile_of(cls: Any, config: pytest.Config) -> Any:
    """The profile that a contract class is judged by."""
    return config.getoption("contract_profile", default=None) or cls.profile


def _exported(cls: Any) -> Any:
    """The exported class, as far as this one is made of it; no attribute of a class can hide it."""
    if not hasattr(cls, _MARK):
        return None
    return next((one for one in cls.__mro__ if (one.__module__, one.__name__) == _EXPORTED), None)


def _overridden(cls: type, base: Any) -> list[str]:
    """The ids whose method is not the exported one any more."""
    names = {key: f"test_{key.replace('-', '_')}" for key in base.hermes_contract_ids}
    return [
        key
        for key, name in names.items()
        if getattr(cls, name, None) is not base.__dict__.get(name)
    ]


def _say(terminal: Any, name: str, report: Report | None) -> None:
    verdict = "inconclusive" if report is None else report.verdict
    counts = {} if report is None else report.counts
    held, expected = counts.get("PASS", 0), counts.get("total", 0) - counts.get("NOT_SUPPORTED", 0)
    said = "nothing of it was run" if report is None else f"{held} of {expected} held"
    if away := counts.get("NOT_SUPPORTED"):
        said += f", {away} do not apply to it"
    terminal.write_line(
        f"hermes-cron contract: {name}: {verdict}, {said}",
        bold=True,
        green=verdict == "conformant",
        red=verdict == "violated",
        yellow=verdict in ("inconclusive", "deviating"),
    )
    if report is None:
        return
    if report.search is not None:
        terminal.write_line(f"  {report.search.sentence}")
    reasons: dict[str, list[str]] = {}
    for row in report.requirements:
        if row.verdict not in ("PASS", "NOT_SUPPORTED"):
            reason = row.evidence[0] if row.verdict == "NOT_RUN" and row.evidence else row.verdict
            if report.profile == "core" and row.level == "strict":
                reason += " (strict, reported only)"
            reasons.setdefault(reason, []).append(row.id)
    for reason, ids in reasons.items():
        few = ids if len(ids) <= _MOST_NAMED else [*ids[:3], f"and {len(ids) - 3} more"]
        terminal.write_line(f"  {reason}: {', '.join(few)}")


def pytest_addoption(parser: pytest.Parser) -> None:
    """How to judge the contract classes of a run, and where to leave their reports."""
    group = parser.getgroup("hermes-cron contract")
    group.addoption(
        "--contract-profile",
        choices=_PROFILES,
        help="judge contract classes by this profile, whatever they say",
    )
    group.addoption(
        "--contract-seed",
        type=int,
        metavar="N",
        help="what the search of profile nightly draws from",
    )
    for form in _FORMS:
        group.addoption(
            f"--contract-{form}",
            metavar="FILE",
            help=f"write the contract report as {form}, as `hermes-contract check --{form}` does",
        )


def pytest_configure(config: pytest.Config) -> None:
    """Give each run a recorder of its own: runs nest, in the tests of plugins above all."""
    config.pluginmanager.register(_Recorder(config), "hermes-cron-contract-recorder")
