"""The pytest plugin: says at the end of a run what it was worth as a contract check.

Tiny and lazy on purpose: it is loaded in every pytest run of whoever installed the distribution. A
requirement that was deselected, overridden, skipped or never reached makes the verdict
inconclusive, however green the run looks.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing the real one costs more than all the rest of this module
if TYPE_CHECKING:
    from typing import Any

    import pytest

__all__ = ["pytest_configure"]

_PROPERTY = "hermes_contract"
_IDS = "hermes_contract_ids"


class _Suite:
    """What was seen of one contract class."""

    def __init__(self) -> None:
        self.results: dict[str, dict[str, Any]] = {}
        self.expected: set[str] = set()
        self.how_many = 0
        self.overridden: set[str] = set()
        self.deselected: set[str] = set()

    def verdict(self) -> tuple[str, list[str]]:
        """The verdict, and why it is not a better one."""
        bad = [
            key
            for key, row in self.results.items()
            if row["verdict"] in ("FAIL", "KNOWN_DEVIATION")
            and (row["profile"] == "strict" or row["level"] == "core")
        ]
        if bad:
            return "violated", [f"violated: {_listed(bad)}"]
        reasons = []
        if self.overridden:
            reasons.append(f"overridden: {_listed(self.overridden)}")
        if self.deselected:
            reasons.append(f"deselected: {_listed(self.deselected)}")
        absent = self.expected - self.results.keys() - self.deselected - self.overridden
        if absent:
            reasons.append(f"without a result: {_listed(absent)}")
        elif len(self.results) < self.how_many and not reasons:
            reasons.append(f"without a result: {self.how_many - len(self.results)}")
        undecided = [
            key
            for key, row in self.results.items()
            if row["verdict"] in ("NOT_RUN", "KIT_ERROR")
            and (row["profile"] == "strict" or row["level"] == "core")
        ]
        if undecided:
            reasons.append(f"undecided: {_listed(undecided)}")
        if not any(row["verdict"] == "PASS" for row in self.results.values()):
            reasons.append("no requirement was seen to hold")
        return ("inconclusive" if reasons else "conformant"), reasons


def _overridden(cls: type, ids: tuple[str, ...]) -> list[str]:
    base = next(one for one in reversed(cls.__mro__) if _IDS in one.__dict__)
    names = {key: f"test_{key.replace('-', '_')}" for key in ids}
    return [
        key
        for key, name in names.items()
        if getattr(cls, name, None) is not base.__dict__.get(name)
    ]


def _listed(ids: Any) -> str:
    return ", ".join(sorted(ids))


class _Recorder:
    """Listens to one pytest run."""

    def __init__(self) -> None:
        self.suites: dict[str, _Suite] = {}

    def suite_of(self, item: Any) -> tuple[_Suite, str] | None:
        """The contract class of a test and the id that it judges, if it is one of ours."""
        cls = getattr(item, "cls", None)
        ids = getattr(cls, _IDS, None)
        if cls is None or not ids:
            return None
        suite = self.suites.setdefault(f"{cls.__module__}.{cls.__qualname__}", _Suite())
        if not suite.expected:
            suite.expected = set(ids)
            suite.how_many = len(ids)
            suite.overridden = set(_overridden(cls, ids))
        name = getattr(item, "originalname", None) or item.name
        return suite, name.removeprefix("test_").replace("_", "-")

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Learn which contract classes there are and what they should run."""
        for item in items:
            self.suite_of(item)

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Note what ``-k``, ``-m`` or another plugin left out."""
        for item in items:
            found = self.suite_of(item)
            if found and found[1] in found[0].expected:
                found[0].deselected.add(found[1])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the results in; under xdist this runs on the controller too."""
        if report.when != "call":
            return
        for name, told in report.user_properties:
            if name == _PROPERTY and isinstance(told, dict):
                suite = self.suites.setdefault(told["suite"], _Suite())
                suite.results[told["id"]] = told
                suite.how_many = max(suite.how_many, told["expected"])

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """One line for each contract class, and the reasons of those that are not conformant."""
        for name, suite in sorted(self.suites.items()):
            verdict, reasons = suite.verdict()
            seen = [row["verdict"] for row in suite.results.values()]
            away = seen.count("NOT_SUPPORTED")
            others = f", {away} do not apply to it" if away else ""
            terminalreporter.write_line(
                f"hermes-cron contract: {name}: {verdict}, {seen.count('PASS')} of "
                f"{suite.how_many} held, of those that this kit judges{others}",
                bold=True,
                green=verdict == "conformant",
                red=verdict == "violated",
                yellow=verdict == "inconclusive",
            )
            for reason in reasons:
                terminalreporter.write_line(f"  {reason}")


def pytest_configure(config: pytest.Config) -> None:
    """Give each run a recorder of its own: runs nest, in the tests of plugins above all."""
    config.pluginmanager.register(_Recorder(), "hermes-cron-contract-recorder")
