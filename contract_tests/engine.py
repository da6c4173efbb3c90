"""Judge a target, requirement by requirement: the one engine behind the command and the suite.

Plain Python, no pytest. A probe is a function from a `Context` to an `Outcome`, registered under
the id that it judges. What a provider raises is evidence and handled inside the probes; whatever
still escapes from one is the kit's own fault and becomes KIT_ERROR, never FAIL.
"""

import contextlib
import datetime as dt
import functools
import importlib
import pkgutil
import shutil
import tempfile
import traceback
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from contract_tests import catalogue
from contract_tests.catalogue import Requirement
from contract_tests.deviations import in_the_light_of
from contract_tests.registry import Registry, kit_registry
from contract_tests.searched import Search, Searched, can_search
from contract_tests.searching import in_the_light_of_search, not_searched, search
from contract_tests.surface import HostSurface, reference_surface
from contract_tests.target import Subject
from contract_tests.verdicts import (
    KINDS,
    Assessment,
    Deviation,
    Profile,
    Result,
    Ruling,
    searches,
)

__all__ = [
    "Context",
    "Judge",
    "Outcome",
    "held",
    "probe",
    "probed_ids",
    "unknown",
    "violated",
]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a probe found.

    Attributes:
        holds: True, False, or None for unknown.
        evidence: sentences, the decisive one first.
        reached: the antecedent was true at least once; a PASS needs it.
        excerpt: lines of the timeline around what proves a violation.
        scenarios: the kit's scenarios that it was judged in.
    """

    holds: bool | None
    evidence: tuple[str, ...]
    reached: bool = True
    excerpt: tuple[str, ...] = ()
    scenarios: tuple[str, ...] = ()


def held(*evidence: str) -> Outcome:
    """The requirement held, and its antecedent was true."""
    return Outcome(True, evidence)


def violated(*evidence: str) -> Outcome:
    """The requirement was broken."""
    return Outcome(False, evidence)


def unknown(*evidence: str) -> Outcome:
    """Neither: the antecedent never came true, or the run was cut short."""
    return Outcome(None, evidence, reached=False)


@dataclass
class Context:
    """What a probe may use.

    Attributes:
        target: what is judged; ``target.make()`` gives a fresh provider.
        host: the host that it runs in.
        capabilities: what the target is tested for.
        folder: a folder of this judgement's own.
        registry: opens the registry that the provider is run with.
        shared: what several probes use, by name: a simulated run, above all.
    """

    target: Subject
    host: HostSurface
    capabilities: frozenset[str]
    folder: Path
    registry: Callable[[], contextlib.AbstractContextManager[Registry]] = kit_registry
    shared: dict[str, Any] = field(default_factory=dict)


Probe = Callable[[Context], Outcome]
# Sentences of ours are shorter by far; what a provider raises may hold a whole answer of a server.
LONGEST_LINE = 2000
_OF_ITS_FACE = frozenset({"ABC", "AVAIL", "FALL"})
_PROBES: dict[str, Probe] = {}


def probe(requirement_id: str) -> Callable[[Probe], Probe]:
    """Register the decorated function as the judge of one requirement."""

    def register(function: Probe) -> Probe:
        assert requirement_id not in _PROBES, f"two probes for {requirement_id}"
        _PROBES[catalogue.load().get(requirement_id).id] = function
        return function

    return register


@functools.cache
def _probes() -> dict[str, Probe]:
    package = importlib.import_module("contract_tests.probes")
    for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda one: one.name):
        importlib.import_module(f"contract_tests.probes.{module.name}")
    return _PROBES


def probed_ids() -> tuple[str, ...]:
    """The requirements that this kit has a probe for, in the contract's order."""
    probes = _probes()
    return tuple(row.id for row in catalogue.load().requirements if row.id in probes)


class Judge:
    """Judges one target; each requirement at most once.

    It owns a temporary folder, which goes at `close`, at the end of a ``with``, or with the judge.

    Args:
        target: what to judge.
        capabilities: what the provider declares; None takes what it shows.
        profile: what decides the verdict as a whole; ``nightly`` has a search besides.
        contract: the version that is claimed; rows that came later are reported, not scored.
        deviations: what its author knows to be broken.
        host: the host to judge it in.
        how: how to search, in a profile that does.

    Raises:
        ValueError: this kit has no such version of the contract, or what the profile needs is not
            installed.
    """

    def __init__(
        self,
        target: Subject,
        *,
        capabilities: Iterable[str] | None = None,
        profile: Profile = "core",
        contract: str | None = None,
        deviations: Iterable[Deviation] = (),
        host: HostSurface | None = None,
        how: Search | None = None,
    ) -> None:
        if searches(profile) and not can_search():
            raise ValueError(f"profile {profile} searches: pip install 'hermes-cron[explore]'")
        self._how = how or Search()
        self._searched: Searched | None = None
        self._contract = catalogue.load().claimed(contract)
        self._deviations = {deviation.id: deviation for deviation in deviations}
        folder = Path(tempfile.mkdtemp(prefix="hermes-contract-"))
        self.close = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self._profile: Profile = profile
        self._results: dict[str, Result] = {}
        self.target = target
        self.context = Context(
            target=target,
            host=host or reference_surface(),
            capabilities=frozenset(),
            folder=folder,
        )
        declared = target.capabilities if capabilities is None else frozenset(capabilities)
        self._declares = declared is not None
        self._notes: list[str] = []
        self._capabilities = declared
        self._shown: frozenset[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def shown(self) -> frozenset[str]:
        """The capabilities that the provider shows when it is started."""
        if self._shown is None:
            self._shown = self._detected()
        return self._shown

    @property
    def capabilities(self) -> frozenset[str]:
        """What the target is judged for: what is declared, else what it shows."""
        if self._capabilities is None:
            self._capabilities = self.shown
        return self._capabilities

    @property
    def searched(self) -> Searched | None:
        """What the search tried and found, made at the first question; None without one."""
        if searches(self._profile) and self._searched is None:
            self._searched = self._search()
        return self._searched

    def _search(self) -> Searched:
        spun = None if self.capabilities & KINDS else "it is neither blocking nor external"
        if why := self.context.shared.get("spun", spun):
            return not_searched(self._how, why)
        return search(self.target, self.capabilities, self._how)

    def judge(self, requirement_id: str) -> Result:
        """The verdict on one requirement."""
        requirement = catalogue.load().get(requirement_id)
        if requirement.id not in self._results:
            result = in_the_light_of_search(self._judge(requirement), self.searched)
            today = dt.datetime.now(dt.UTC).date()
            self._results[requirement.id] = in_the_light_of(result, self._deviations, today)
        return self._results[requirement.id]

    def run(
        self,
        progress: Callable[[Result], None] = lambda _: None,
        *,
        only: Iterable[str] | None = None,
    ) -> Assessment:
        """Judge the whole contract, or `only` some ids of it, which leaves the rest not run."""
        rows = catalogue.load()
        wanted = None if only is None else frozenset(rows.get(one).id for one in only)
        results = []
        for requirement in rows.requirements:
            if wanted is None or requirement.id in wanted:
                result = self.judge(requirement.id)
                progress(result)
                results.append(result)
        return replace(self.assessment(results), selected=wanted)

    def assessment(self, results: Iterable[Result]) -> Assessment:
        """Put results together; rows that are missing from them count as not run."""
        by_id = {result.requirement.id: result for result in results}
        return Assessment(
            target=self.target.spec,
            provider=self.target.label,
            contract=self._contract,
            profile=self._profile,
            declared=self.capabilities,
            shown=self.shown,
            results=tuple(
                by_id.get(row.id) or Result(row, Ruling.NOT_RUN, ("it was not asked for",))
                for row in catalogue.load().requirements
            ),
            notes=tuple(self._remarks()),
            registry=self.target.registry,
            search=self.searched,
        )

    def _detected(self) -> frozenset[str]:
        from contract_tests.detect import shown_capabilities

        try:
            return shown_capabilities(self.context)
        # A provider whose first ten minutes already go wrong still gets its report.
        except BaseException as error:
            self._notes.append(f"what it can do could not be seen: {type(error).__name__}: {error}")
            return frozenset()

    def _remarks(self) -> Iterable[str]:
        extra = sorted(self.shown - self.capabilities)
        if extra and self._declares:
            yield f"shows {', '.join(extra)} without declaring it: not judged for that"
        absent = sorted(self.capabilities - self.shown - {"replicas"})
        if absent:
            yield f"declares {', '.join(absent)} and does not show it"
        yield from self._notes

    def _does_not_apply(self, requirement: Requirement) -> str | None:
        if requirement.capability and not requirement.applies_to(self.capabilities):
            return (
                f"for providers that are {requirement.capability}, which this one does not declare"
            )
        if requirement.group == "NAS" and self.target.registry:
            return "for a registry that claims to be NAS; this provider comes with another"
        return None

    def _judge(self, requirement: Requirement) -> Result:
        # Seeing what a provider can do takes a simulated run; what is asked of its face needs none.
        if requirement.capability in KINDS and not self.capabilities & KINDS:
            reason = "it could not be seen whether it has a loop or a registry; declare what it is"
            said = self.context.shared.get("spun", reason)
            return Result(requirement, Ruling.NOT_RUN, (said, *self._notes))
        if away := self._does_not_apply(requirement):
            return Result(requirement, Ruling.NOT_SUPPORTED, (away,))
        function = _probes().get(requirement.id)
        if function is None:
            return Result(requirement, Ruling.NOT_RUN, ("this kit has no test for it yet",))
        known = self._capabilities if requirement.group in _OF_ITS_FACE else self.capabilities
        self.context.capabilities = known or frozenset()
        try:
            outcome = function(self.context)
        # Whatever comes out of a probe, the process-ending exceptions included: the providers under
        # test raise those on purpose, and a kit that dies of them judges nothing.
        except BaseException as error:
            with contextlib.suppress(Exception):
                place = traceback.extract_tb(error.__traceback__)[-1]
                where = f"{Path(place.filename).name}:{place.lineno}"
                text = f"the probe itself failed at {where}: {type(error).__name__}: {error}"
                return Result(requirement, Ruling.KIT_ERROR, (text,))
            return Result(requirement, Ruling.KIT_ERROR, ("the probe itself failed",))
        folder = str(self.context.folder)
        return Result(
            requirement,
            _verdict(outcome),
            # Two judgements say the same, so they name no folder that is made for one of them.
            tuple(_told(one.replace(folder, "KIT")) for one in outcome.evidence),
            outcome.reached,
            tuple(map(_told, outcome.excerpt)),
            outcome.scenarios,
        )


def _told(line: str) -> str:
    """A line as a report can hold it, whatever a provider said in it."""
    shown = line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}... ({len(line)} signs)"
    return shown.encode("utf-8", "backslashreplace").decode("utf-8")


def _verdict(outcome: Outcome) -> Ruling:
    if outcome.holds is False:
        return Ruling.FAIL
    if outcome.holds is None or not outcome.reached:
        return Ruling.NOT_RUN
    return Ruling.PASS
