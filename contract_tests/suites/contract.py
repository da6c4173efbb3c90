"""The class to subclass: one plain method for each requirement of the contract."""

import contextlib
import inspect
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from contract_tests import catalogue
from contract_tests.catalogue import Requirement
from contract_tests.deviations import DeviationError, read_deviations
from contract_tests.engine import Judge
from contract_tests.plugin import profile_of, suite_of
from contract_tests.report.model import head_of, row_of
from contract_tests.searched import Search
from contract_tests.suites.harness import ProviderHarness
from contract_tests.verdicts import Deviation, Profile, Result, Ruling, demanded

__all__ = ["CronSchedulerContract"]


class CronSchedulerContract:
    """Is this provider safe to ship?

    Give either fixture: ``provider``, a provider class or a function that makes one; or
    ``harness``, a `ProviderHarness`. Each ``test_GROUP_N`` judges one requirement by the same
    engine as ``hermes-contract check``; results are kept for the class, so order does not matter.

    Attributes:
        contract: the contract version that is claimed.
        capabilities: what the provider declares; None takes what it shows.
        profile: ``core``, where strict is reported and fails nothing; ``strict``, or ``ci``, where
            both count; ``nightly``, with a search besides. pytest's ``--contract-profile`` goes
            before it.
        search: how a nightly one searches; ``--contract-seed`` goes before its seed.
        known_deviations: a TOML file of what is known to be broken, beside the test module or by
            its whole path; see `contract_tests.deviations`.
    """

    contract: ClassVar[str] = "1"
    capabilities: ClassVar[frozenset[str] | set[str] | None] = None
    profile: ClassVar[Profile] = "core"
    search: ClassVar[Search] = Search()
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

    def test_search_tried_enough(
        self, harness: ProviderHarness, request: pytest.FixtureRequest
    ) -> None:
        """A search that found nothing must have tried something; profile nightly only."""
        judge = _judge_of(type(self), harness, request)
        assert judge.searched is not None, "it is collected for a profile that searches"
        if judge.searched.verdict == "unknown":
            pytest.fail(judge.searched.sentence, pytrace=False)


def _judge_of(
    cls: type[CronSchedulerContract], harness: ProviderHarness, request: pytest.FixtureRequest
) -> Judge:
    """The one judge of a suite: a simulated run serves many requirements."""
    suite = suite_of(request.node)
    if "_hermes_contract_judges" not in cls.__dict__:
        cls._hermes_contract_judges = {}
    judges: dict[str, Judge] = cls.__dict__["_hermes_contract_judges"]
    with contextlib.suppress(KeyError):
        return judges[suite]
    judges[suite] = _new_judge(cls, harness, request.config)
    return judges[suite]


def _new_judge(
    cls: type[CronSchedulerContract], harness: ProviderHarness, config: pytest.Config
) -> Judge:
    seed = config.getoption("contract_seed")
    try:
        return Judge(
            harness.subject,
            capabilities=cls.capabilities,
            profile=profile_of(cls, config),
            contract=cls.contract,
            deviations=_deviations(cls),
            how=cls.search if seed is None else replace(cls.search, seed=seed),
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
        judge = _judge_of(cls, harness, request)
        result = judge.judge(requirement.id)
        request.node.user_properties.append(("hermes_contract", _told(request, judge, result)))
        if result.verdict is Ruling.KNOWN_DEVIATION:
            pytest.xfail(result.evidence[-1])
        if _is_bad(profile_of(cls, request.config), result):
            pytest.fail(_explained(result), pytrace=False)

    test.__name__ = f"test_{requirement.id.replace('-', '_')}"
    test.__qualname__ = f"{CronSchedulerContract.__name__}.{test.__name__}"
    test.__doc__ = requirement.sentence
    return test


def _told(request: pytest.FixtureRequest, judge: Judge, result: Result) -> dict[str, Any]:
    """What the plugin needs, in plain values: it crosses from an xdist worker to its controller."""
    assessment = judge.assessment([result])
    return {
        "suite": suite_of(request.node),
        "head": head_of(assessment),
        "row": row_of(result, assessment).model_dump(mode="json"),
    }


def _is_bad(profile: Profile, result: Result) -> bool:
    """Whether the test fails: an unknown is a failure too, never a skip."""
    if result.verdict in (Ruling.PASS, Ruling.NOT_SUPPORTED):
        return False
    return demanded(profile, result.requirement.level)


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
