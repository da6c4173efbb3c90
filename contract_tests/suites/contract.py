"""The class to subclass: one plain method for each requirement of the contract."""

import contextlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from contract_tests import catalogue
from contract_tests.catalogue import Requirement
from contract_tests.deviations import DeviationError, read_deviations
from contract_tests.engine import Judge
from contract_tests.plugin import suite_of
from contract_tests.report.model import head_of, row_of
from contract_tests.suites.harness import ProviderHarness
from contract_tests.verdicts import Deviation, Profile, Result, Ruling

__all__ = ["CronSchedulerContract"]


class CronSchedulerContract:
    """Is this provider safe to ship?

    Give either fixture: ``provider``, a provider class or a function that makes one; or
    ``harness``, a `ProviderHarness`. Each ``test_GROUP_N`` judges one requirement by the same
    engine as ``hermes-contract check``; results are kept for the class, so order does not matter.

    Attributes:
        contract: the contract version that is claimed.
        capabilities: what the provider declares; None takes what it shows.
        profile: ``core``, or ``strict``; the other level is reported and fails nothing.
        known_deviations: a TOML file of what is known to be broken, beside the test module or by
            its whole path; see `contract_tests.deviations`.
    """

    contract: ClassVar[str] = "1"
    capabilities: ClassVar[frozenset[str] | set[str] | None] = None
    profile: ClassVar[Profile] = "core"
    known_deviations: ClassVar[str | Path | None] = None
    # How the plugin knows a contract class without importing this module.
    hermes_contract_ids: ClassVar[tuple[str, ...]] = ()
    _hermes_contract_judges: ClassVar[dict[str, Judge]]

    @pytest.fixture
    def provider(self) -> Any:
        """Override this, or `harness`."""
        pytest.fail(
            f"{type(self).__name__} has no provider: override the fixture provider (or harness)",
            pytrace=False,
        )

    @pytest.fixture
    def harness(self, provider: Any) -> ProviderHarness:
        """Override this for more than a class."""
        return ProviderHarness(provider)


def _judge_of(cls: type[CronSchedulerContract], harness: ProviderHarness, suite: str) -> Judge:
    """The one judge of a suite: a simulated run serves many requirements."""
    if "_hermes_contract_judges" not in cls.__dict__:
        cls._hermes_contract_judges = {}
    judges: dict[str, Judge] = cls.__dict__["_hermes_contract_judges"]
    with contextlib.suppress(KeyError):
        return judges[suite]
    judges[suite] = _new_judge(cls, harness)
    return judges[suite]


def _new_judge(cls: type[CronSchedulerContract], harness: ProviderHarness) -> Judge:
    try:
        return Judge(
            harness.subject,
            capabilities=cls.capabilities,
            profile=cls.profile,
            contract=cls.contract,
            deviations=_deviations(cls),
        )
    except (ValueError, DeviationError) as error:
        pytest.fail(f"{cls.__name__}: {error}", pytrace=False)


def _deviations(cls: type[CronSchedulerContract]) -> tuple[Deviation, ...]:
    if cls.known_deviations is None:
        return ()
    beside = Path(inspect.getfile(cls)).parent
    return read_deviations(beside / cls.known_deviations)


def _method(requirement: Requirement) -> Callable[..., None]:
    def test(
        self: CronSchedulerContract, harness: ProviderHarness, request: pytest.FixtureRequest
    ) -> None:
        cls = type(self)
        suite = suite_of(request.node)
        judge = _judge_of(cls, harness, suite)
        result = judge.judge(requirement.id)
        request.node.user_properties.append(("hermes_contract", _told(suite, judge, result)))
        if result.verdict is Ruling.KNOWN_DEVIATION:
            pytest.xfail(result.evidence[-1])
        if _is_bad(cls, result):
            pytest.fail(_explained(result), pytrace=False)

    test.__name__ = f"test_{requirement.id.replace('-', '_')}"
    test.__qualname__ = f"{CronSchedulerContract.__name__}.{test.__name__}"
    test.__doc__ = requirement.sentence
    return test


def _told(suite: str, judge: Judge, result: Result) -> dict[str, Any]:
    """What the plugin needs, in plain values: it crosses from an xdist worker to its controller."""
    assessment = judge.assessment([result])
    return {
        "suite": suite,
        "head": head_of(assessment),
        "row": row_of(result, assessment).model_dump(mode="json"),
    }


def _is_bad(cls: type[CronSchedulerContract], result: Result) -> bool:
    """Whether the test fails: an unknown is a failure too, never a skip."""
    if result.verdict in (Ruling.PASS, Ruling.NOT_SUPPORTED):
        return False
    return cls.profile == "strict" or result.requirement.level == "core"


def _explained(result: Result) -> str:
    requirement = result.requirement
    lines = [
        f"{result.verdict.value} {requirement.id} ({requirement.level}): {requirement.sentence}"
    ]
    lines += [f"  {line}" for line in result.evidence]
    return "\n".join([*lines, f"  more: hermes-contract explain {requirement.id}"])


def _fill() -> None:
    """Give the class one plain method for each requirement of the contract."""
    ids = tuple(row.id for row in catalogue.load().requirements)
    for requirement in catalogue.load().requirements:
        method = _method(requirement)
        setattr(CronSchedulerContract, method.__name__, method)
    CronSchedulerContract.hermes_contract_ids = ids


_fill()
