"""The class to subclass: one plain method for each requirement that this kit judges."""

from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from contract_tests import catalogue
from contract_tests.catalogue import Requirement
from contract_tests.engine import Judge, probed_ids
from contract_tests.suites.harness import ProviderHarness
from contract_tests.verdicts import Profile, Result, Ruling

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
    """

    contract: ClassVar[str] = "1"
    capabilities: ClassVar[frozenset[str] | set[str] | None] = None
    profile: ClassVar[Profile] = "core"
    # How the plugin knows a contract class without importing this module.
    hermes_contract_ids: ClassVar[tuple[str, ...]] = ()

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


def _judge_of(cls: type[CronSchedulerContract], harness: ProviderHarness) -> Judge:
    """The one judge of a contract class: a simulated run serves many requirements."""
    if "_hermes_contract_judge" not in cls.__dict__:
        if cls.contract != catalogue.load().contract:
            pytest.fail(f"this kit has no contract {cls.contract!r}", pytrace=False)
        judge = Judge(harness.subject, capabilities=cls.capabilities, profile=cls.profile)
        cls._hermes_contract_judge = judge  # type: ignore[attr-defined]
    judge_: Judge = cls.__dict__["_hermes_contract_judge"]
    return judge_


def _method(requirement: Requirement) -> Callable[..., None]:
    def test(
        self: CronSchedulerContract, harness: ProviderHarness, request: pytest.FixtureRequest
    ) -> None:
        cls = type(self)
        result = _judge_of(cls, harness).judge(requirement.id)
        request.node.user_properties.append(("hermes_contract", _told(cls, result)))
        if _is_bad(cls, result):
            pytest.fail(_explained(result), pytrace=False)

    test.__name__ = f"test_{requirement.id.replace('-', '_')}"
    test.__qualname__ = f"{CronSchedulerContract.__name__}.{test.__name__}"
    test.__doc__ = requirement.sentence
    return test


def _told(cls: type[CronSchedulerContract], result: Result) -> dict[str, Any]:
    """What the plugin needs, in plain values: it crosses from an xdist worker to its controller."""
    return {
        "suite": f"{cls.__module__}.{cls.__qualname__}",
        "id": result.requirement.id,
        "level": result.requirement.level,
        "profile": cls.profile,
        "verdict": result.verdict.value,
        "expected": len(cls.hermes_contract_ids),
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
    """Give the class one plain method for each requirement that has a probe."""
    ids = probed_ids()
    for requirement_id in ids:
        method = _method(catalogue.load().get(requirement_id))
        setattr(CronSchedulerContract, method.__name__, method)
    CronSchedulerContract.hermes_contract_ids = ids


_fill()
