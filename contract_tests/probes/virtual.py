"""Run a target through a scenario over virtual time, once for all the probes that look at it.

A probe here judges twice: by a look of its own at the history, and by the simulator's checker for
the same requirement, which knows nothing of the kit. Either can reject.
"""

import contextlib
import functools
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, cast

from contract_tests import catalogue
from contract_tests.benches.between import Bend, Strike
from contract_tests.catalogue import Requirement
from contract_tests.engine import Context, Outcome, probe, unknown, violated
from contract_tests.scenarios import scenario
from contract_tests.surface import BUILTIN_NAMES
from contract_tests.surroundings import home
from simulator.checkers import CHECKERS
from simulator.checkers.facts import Facts, facts_of
from simulator.checkers.happened import Life
from simulator.durations import SECOND_US, format_duration
from simulator.event import Event
from simulator.target import Target, from_class
from simulator.timeline import excerpt_of
from simulator.world import Run, simulate

__all__ = [
    "MACHINE",
    "MOST_EVENTS",
    "SLACK_US",
    "Watched",
    "is_between",
    "needs_registry",
    "note_spin",
    "runs_of",
    "watch",
    "watch_built_in",
    "watching",
    "without_registry",
]

MACHINE = "a"
SLACK_US = 5 * SECOND_US
# A provider that spins takes minutes and gigabytes for each run: it is stopped there, and what was
# seen once will do. The busiest run of one that does not has a few thousand.
MOST_EVENTS = 200_000
# How sentences name the events that prove them: "(line 12)", "(lines 12, 15)".
_LINES = re.compile(r"\(lines? (\d+(?:, \d+)*)\)")


_NEEDS_REGISTRY = (
    "it calls no registry that this kit knows: give --registry my_pkg.testing:FakeRegistry (or "
    "ProviderHarness(..., registry=...)), a fake of the one that it does call"
)


class NoRunError(Exception):
    """There is no run to judge by: the provider spins, or the host ran another in its place."""


class Watched:
    """One run, in the words of a probe. Instants are microseconds since the start of the run."""

    def __init__(self, run: Run, strikes: Iterable[Strike] = ()) -> None:
        """Look at ``run``, in which a bend struck so often."""
        self.run = run
        self.strikes = tuple(strikes)
        self.instead: str | None = None  # another provider, which the host started in its place
        self.history = run.history
        self.facts: Facts = facts_of(run.history, run.scenario)
        self.start_us = run.scenario.start_us
        self.interval_us = run.scenario.interval * SECOND_US

    @property
    def lives(self) -> list[Life]:
        """The processes of the one machine, in order."""
        return self.facts.lives[MACHINE]

    def since(self, event: Event) -> int:
        """When an event was."""
        return event.at_us - self.start_us

    def when(self, event: Event) -> str:
        """When an event was, for people."""
        return f"{format_duration(self.since(event))} after the start (line {event.n})"

    def number_at(self, since_us: int) -> int:
        """The number of the first event after an instant; folds stop before it."""
        for event in self.history:
            if self.since(event) > since_us:
                return event.n
        return len(self.history)

    def of(self, *kinds: str, machine: str = MACHINE) -> list[Event]:
        """The machine's events of these kinds."""
        return [event for event in self.history.of(*kinds) if event.machine == machine]

    def objection(self, requirement_id: str) -> Outcome | None:
        """What the simulator's own checker has against this run, if it has anything."""
        checker = CHECKERS.get(requirement_id)
        # Where a call was refused, what came after it is our doing and not the provider's.
        if checker is None or self.history.of("not_simulated"):
            return None
        # That a loop died is said by whose affair it is; what follows is the host's mending.
        dead = self.left_unasked() or not self.of("tick.begin")
        if dead and requirement_id.startswith("TICK-"):
            return None
        finding = checker(self.history, self.run.scenario)
        if finding.verdict != "violated":
            return None
        lines = ", ".join(str(line) for line in finding.lines)
        where = f" (lines {lines})" if lines else ""
        return violated(f"in {self.run.scenario.name}: {finding.reason}{where}")

    def trouble(self, *, optional: Iterable[str] = ()) -> Outcome | None:
        """Why nothing can be said, if nothing can.

        Args:
            optional: seams that a provider may never pass, so that their faults need not strike.
        """
        refused = self.history.of("not_simulated")
        if refused:
            what = refused[0].data.get("what")
            return unknown(
                f"in {self.run.scenario.name}, the provider did what is not simulated: {what}"
            )
        faults = self.run.scenario.faults
        missed = [i for i in self.run.never_fired if faults[i].into not in frozenset(optional)]
        if missed:
            where = ", ".join(faults[i].into for i in missed)
            return unknown(f"in {self.run.scenario.name}, a fault never struck: {where}")
        ended = self.history.of("world.end")
        # With nothing armed and nothing waited for, the world stands still; at its horizon it may.
        lasted = bool(ended) and self.since(ended[-1]) >= self.run.scenario.lasts
        if ended and ended[-1].data.get("reason") != "horizon" and not lasted:
            stuck = self.history.of("world.stuck")
            why = (self.history.text(stuck[-1].n) if stuck else None) or "without a reason"
            reason = ended[-1].data.get("reason")
            return unknown(f"{self.run.scenario.name} ended early by {reason}: {why}")
        return None

    def left_unasked(self) -> str | None:
        """How ``start`` of a loop ended though nobody had asked it to, if it did."""
        refused = self.history.of("not_simulated")
        for life in self.lives:
            left, asked = life.start_left, life.stop_requested
            if left is not None and refused and refused[0].n < left.n:
                return None  # that is what `trouble` says, and may be why
            if left is not None and (asked is None or left.n < asked.n):
                if error := left.data.get("error"):
                    said = f": {text}" if (text := self.history.text(left.n)) else ""
                    return f"the loop was left {self.when(left)}: {error}{said}"
                return (
                    f"the loop was left {self.when(left)}: start returned, and nobody had asked it "
                    "to stop. A provider with a loop blocks in start; one that runs its loop on a "
                    "thread waits there for that thread, or the host starts the built-in beside it"
                )
        return None


def is_between(event: Event, first: Event | None, last: Event | None) -> bool:
    """Whether an event lies strictly between two others; None is open."""
    return (first is None or first.n < event.n) and (last is None or event.n < last.n)


def watch(
    context: Context, name: str, target: Target | None = None, bend: Bend | None = None
) -> Watched:
    """Run the scenario of this name with the context's target, or another one, or a bent one."""
    key = f"scenario {name} {target.label if target else ''} {bend.label if bend else ''}"
    if key not in context.shared:
        if target is None and (spun := context.shared.get("spun")) is not None:
            raise NoRunError(spun)
        chosen = context.target.target if target is None else target
        if target is None:
            chosen = replace(chosen, capabilities=context.capabilities)
        strikes: list[Strike] = []
        if bend is not None:
            chosen = replace(chosen, make=bend.around(chosen.make, strikes))
        names: list[str] = []
        chosen = replace(chosen, make=_named(chosen.make, names))
        run = simulate(scenario(name), chosen, most_events=MOST_EVENTS)
        watched = context.shared[key] = Watched(run, strikes)
        watched.instead = _other_than(names, watched)
        if target is None:
            note_spin(context, run)
    found = cast("Watched", context.shared[key])
    if found.instead is not None:
        raise NoRunError(f"in {name}, the host ran {found.instead!r} in its place")
    return found


def note_spin(context: Context, run: Run) -> None:
    """Keep in mind that the target spins, if it did in this run, or hung in it.

    A hang takes many real seconds. Where something is done to it, one may be that scenario's own
    affair; a second is not waited for a third time.
    """
    if context.target.is_builtin:
        return
    hung = [event for event in run.history.of("world.stuck") if event.data["reason"] == "hang"]
    if hung:
        hangs = context.shared.setdefault("hangs", [])
        hangs.append(f"in {run.scenario.name}, {run.history.text(hung[0].n)}")
        if len(hangs) > 1 or not (run.scenario.faults or run.scenario.steps):
            context.shared.setdefault("spun", hangs[0])
    if run.events > MOST_EVENTS:
        context.shared.setdefault(
            "spun",
            f"it spins: in {run.scenario.name} more than {MOST_EVENTS} things happened before "
            f"{format_duration(run.scenario.lasts)} were over; wait between two looks",
        )


def _named(make: Callable[[], Any], names: list[str]) -> Callable[[], Any]:
    """Note how the providers that are made call themselves."""

    def made() -> Any:
        provider = make()
        with contextlib.suppress(BaseException):  # a name that cannot be read is ABC-4's affair
            names.append(str(provider.name))
        return provider

    return made


def _other_than(names: list[str], watched: Watched) -> str | None:
    """Whom the host started first, where that is none of those that were made for it."""
    started = [str(event.data.get("name")) for event in watched.of("provider.start")[:1]]
    return next((name for name in started if names and name not in names), None)


def needs_registry(context: Context, requirement: Requirement) -> bool:
    """Whether this row is about a provider that is woken by a registry, and nobody knows which."""
    if "external" not in context.capabilities or context.target.target.registry is not None:
        return False
    if "blocking" in context.capabilities and requirement.capability != "external":
        return False  # its own loop runs what is due
    key = "knows NAS"
    if key not in context.shared:
        calls = watch(context, "registry-arms").history.of("nas.call")
        context.shared[key] = bool(calls)
    return not context.shared[key]


def without_registry(context: Context) -> Outcome:
    """Why a provider that calls none that this kit knows cannot be judged."""
    refused = watch(context, "registry-arms").history.of("not_simulated")
    did = [f"it did what is not simulated: {event.data.get('what')}" for event in refused[:1]]
    return unknown(_NEEDS_REGISTRY, *did)


def runs_of(context: Context, name: str) -> list[Watched]:
    """The runs of this scenario that were made so far, with whichever target and bend."""
    seen = [value for value in context.shared.values() if isinstance(value, Watched)]
    return [watched for watched in seen if watched.run.scenario.name == name]


def _shown(outcome: Outcome, runs: Iterable[Watched]) -> Outcome:
    """The outcome with where it was seen; a violation with the timeline around its lines."""
    names = tuple(run.run.scenario.name for run in runs)
    excerpt: tuple[str, ...] = ()
    if outcome.holds is False:
        text = " ".join(outcome.evidence)
        lines = [int(number) for one in _LINES.findall(text) for number in one.split(", ")]
        # Sentences about several runs name the one that they speak of; a single one needs no name.
        spoken = [run for run in runs if run.run.scenario.name in text] or list(runs)[:1]
        excerpt = tuple(excerpt_of(spoken[0].history, lines)) if lines else ()
    return replace(outcome, scenarios=names, excerpt=excerpt)


def watch_built_in(context: Context, name: str) -> Watched:
    """Run the scenario of this name with the host's own loop, whatever is judged."""
    if context.target.is_builtin:
        return watch(context, name)
    with home(context.folder / "built-in" / "home"):
        builtin = type(context.host.load(BUILTIN_NAMES[0]))
    return watch(context, name, from_class(builtin, BUILTIN_NAMES[0]))


def watching(
    requirement_id: str, *scenarios: str, bend: Bend | None = None, host: bool = False
) -> Callable[[Callable[..., Outcome]], Callable[[Context], Outcome]]:
    """Register a probe that is handed the context and the runs of these scenarios, in order.

    Args:
        requirement_id: what it judges.
        scenarios: what is run.
        bend: what goes wrong between the provider and its host.
        host: run them with the host's own loop, whatever is judged.
    """

    def register(function: Callable[..., Outcome]) -> Callable[[Context], Outcome]:
        @functools.wraps(function)
        def judged(context: Context) -> Outcome:
            if not host and (spun := context.shared.get("spun")) is not None:
                return unknown(spun)
            if not host and needs_registry(context, catalogue.load().get(requirement_id)):
                return without_registry(context)
            try:
                runs = [
                    watch_built_in(context, name) if host else watch(context, name, bend=bend)
                    for name in scenarios
                ]
                outcome = function(context, *runs)
            except NoRunError as error:
                return unknown(str(error))
            if outcome.holds is not False:
                objections = (run.objection(requirement_id) for run in runs)
                outcome = next(filter(None, objections), outcome)
            return _shown(outcome, runs)

        return probe(requirement_id)(judged)

    return register
