"""Runs that no occurrence is left for, each with the requirement that its cause belongs to."""

from bisect import bisect_left
from dataclasses import dataclass

from simulator.checkers.dues import Due, Extra, JobMatch, Outcome
from simulator.checkers.facts import Facts
from simulator.checkers.finding import Judgement
from simulator.checkers.happened import EARLY_LEEWAY_US, BodyRun
from simulator.checkers.matching import match_all
from simulator.durations import SECOND_US
from simulator.event import Event

__all__ = ["Delivery", "JudgedExtra", "deliveries_of", "extras_under", "judged_extras"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery, with the occurrence that it names.

    Attributes:
        event: The delivery.
        fire_at_us: What it names; None when it names nothing.
        due: The occurrence, when it is still the job's.
        arrived: Whether an agent answered it.
    """

    event: Event
    fire_at_us: int | None
    due: Due | None
    arrived: bool

    @property
    def stale(self) -> bool:
        """Whether it names an occurrence that is not the job's, or no longer."""
        return self.fire_at_us is not None and self.due is None

    @property
    def early(self) -> bool:
        """Whether it came earlier than the leeway before its occurrence."""
        return self.due is not None and self.event.at_us < self.due.at_us - EARLY_LEEWAY_US


@dataclass(frozen=True, slots=True)
class JudgedExtra:
    """A left-over run and the requirement that speaks of its cause."""

    extra: Extra
    requirement: str
    reason: str
    delivery: Event | None = None


def deliveries_of(facts: Facts, match: JobMatch) -> list[Delivery]:
    """The deliveries of one job, in order."""
    job = match.plan.job.id
    return facts.history.derived(("deliveries", job), lambda: _deliveries(facts, match))


def _deliveries(facts: Facts, match: JobMatch) -> list[Delivery]:
    answered = facts.history.derived(
        "answered", lambda: {event.data.get("id") for event in facts.history.of("fire.answer")}
    )
    named: dict[object, int | None] = {}
    found = []
    for event in facts.deliveries.get(match.plan.job.id, ()):
        text = event.data.get("fire_at")
        if text not in named:
            named[text] = _named_us(facts, text)
        at_us = named[text]
        due = None if at_us is None else _due_at(match, at_us)
        if due is not None and due.segment != match.plan.segment_at(event.n):
            due = None
        found.append(Delivery(event, at_us, due, event.data.get("id") in answered))
    return found


def _named_us(facts: Facts, text: object) -> int | None:
    """The instant that a delivery names; a naive one is wall time in the zone."""
    try:
        return facts.scenario.instant_us(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _due_at(match: JobMatch, at_us: int) -> Due | None:
    """The occurrence within a second of an instant (a fire is armed to the second)."""
    index = bisect_left(match.dues, at_us - SECOND_US + 1, key=lambda due: due.at_us)
    if index < len(match.dues) and match.dues[index].at_us < at_us + SECOND_US:
        return match.dues[index]
    return None


def judged_extras(facts: Facts) -> list[JudgedExtra]:
    """Every left-over run of every job; each stands under exactly one requirement."""

    def build() -> list[JudgedExtra]:
        found = []
        for match in match_all(facts).values():
            if match.extras:
                deliveries = deliveries_of(facts, match)
                found += [
                    _judge(facts, match, deliveries, extra)
                    for extra in match.extras
                    if not _tries_again(facts, match, extra)
                ]
        return found

    return facts.history.derived("extras", build)


def _tries_again(facts: Facts, match: JobMatch, extra: Extra) -> bool:
    """Whether a one-shot uses one of the runs that it may have, after a crash took an earlier."""
    runs = facts.runs[extra.run.job]
    index = runs.index(extra.run)
    first = extra.first or (runs[index - 1] if index else None)
    return (
        match.plan.is_once_at(extra.run.begin.n)
        and first is not None
        and _cut_off(facts, first, extra.run)
        and index < (match.plan.repeat or 1)
    )


def _cut_off(facts: Facts, first: BodyRun, second: BodyRun) -> bool:
    """Whether a run's process was gone before the next one began: in its body, or before its mark.

    It crashed, or it left while the body was on, which is not waited for for ever.
    """
    life = facts.life_at(first.begin)
    gone = life.end if life is not None else None
    if gone is None or gone.n > second.begin.n:
        return False
    return first.end is None or not any(
        first.end.n < mark.n < gone.n and mark.data.get("job") == first.job
        for mark in facts.history.of("mark")
    )


def _judge(facts: Facts, match: JobMatch, deliveries: list[Delivery], extra: Extra) -> JudgedExtra:
    run, first = extra.run, extra.first
    job = f"job {run.job}, run {facts.history[run.begin.n].data['run']}"
    if match.plan.off_at(run.begin.n):
        return JudgedExtra(
            extra, "FIRE-4", f"{job}: it ran though it was paused, disabled or removed"
        )
    limit = match.plan.repeat or (None if match.plan.recurring else 1)
    if limit is not None and facts.runs[run.job].index(run) >= limit:
        return JudgedExtra(extra, "ONCE-9", f"{job}: it may run {limit} times and ran again")
    if first is not None and first.died is not None and first.died.n < run.begin.n:
        return JudgedExtra(extra, "ONCE-9", f"{job}: the occurrence ran again after a crash")
    fire = facts.fire_of_run.get(run.begin.n)
    if fire is not None:
        index = bisect_left(deliveries, run.begin.n, key=lambda item: item.event.n) - 1
        if index >= 0:
            return _delivered(facts, extra, deliveries[index], job)
    return _ticked(facts, match, extra, job)


def _ticked(facts: Facts, match: JobMatch, extra: Extra, job: str) -> JudgedExtra:
    """A left-over run that no delivery brought."""
    fired, first = extra.run.begin.n in facts.fire_of_run, extra.first
    if first is not None and fired != (first.begin.n in facts.fire_of_run):
        return JudgedExtra(extra, "ONCE-8", f"{job}: a tick and a webhook both ran one occurrence")
    if extra.due is not None and _after_a_gap(match, extra.due):
        return JudgedExtra(extra, "LIVE-5", f"{job}: it ran again for one missed stretch")
    what = "one occurrence ran twice" if extra.due is not None else "it ran at no occurrence"
    return JudgedExtra(extra, "ONCE-10", f"{job}: {what}")


def _delivered(facts: Facts, extra: Extra, delivery: Delivery, job: str) -> JudgedExtra:
    """A left-over run that a delivery brought."""
    event, first = delivery.event, extra.first
    if delivery.stale:
        named = event.data.get("fire_at")
        reason = f"{job}: a delivery for {named}, no longer its occurrence, ran it"
        return JudgedExtra(extra, "ONCE-4", reason, event)
    if delivery.early:
        return JudgedExtra(extra, "ONCE-5", f"{job}: an early delivery ran it early", event)
    if first is None:
        return JudgedExtra(extra, "ONCE-4", f"{job}: a delivery ran it at no occurrence", event)
    if facts.fire_of_run.get(first.begin.n) is None:
        return JudgedExtra(extra, "ONCE-8", f"{job}: a webhook ran what a tick had run", event)
    if _on(first, extra.run):
        return JudgedExtra(
            extra, "ONCE-2", f"{job}: a redelivery ran it while its run was on", event
        )
    return JudgedExtra(extra, "ONCE-3", f"{job}: a redelivery ran what had been run", event)


def _on(first: BodyRun, second: BodyRun) -> bool:
    """Whether the first run was on when the second began."""
    return second.begin.n < first.end_n


def _after_a_gap(match: JobMatch, due: Due) -> bool:
    """Whether the occurrence before this one was missed for a reason, so that this caught up."""
    index = bisect_left(match.dues, due.at_us, key=lambda other: other.at_us)
    return index > 0 and match.dues[index - 1].outcome is Outcome.EXCUSED


def extras_under(facts: Facts, requirement: str, judgement: Judgement) -> None:
    """Add the left-over runs whose cause belongs to a requirement."""
    for judged in judged_extras(facts):
        if judged.requirement == requirement:
            first = judged.extra.first
            judgement.violated(
                judged.reason,
                first.begin if first is not None else None,
                judged.delivery,
                judged.extra.run.begin,
            )
