"""LIVE-2 to 4: whoever takes an occurrence arms the next, and what failed is tried again."""

from collections.abc import Callable

from simulator.checkers.arms import promised
from simulator.checkers.disturbance import failed_call, failed_calls, hurt_store
from simulator.checkers.dues import JobMatch
from simulator.checkers.facts import Facts, facts_of
from simulator.checkers.finding import Finding, Judgement
from simulator.checkers.happened import COMMAND
from simulator.checkers.matching import match_all
from simulator.checkers.rest import armed_before, first_rest_after
from simulator.checkers.struck import hangs_of
from simulator.checkers.wanted import last_commit
from simulator.event import Event
from simulator.history import History
from simulator.scenario import Scenario

__all__ = ["has_run_all", "live_2", "live_3", "live_4", "tried_again"]


def live_2(history: History, scenario: Scenario) -> Finding:
    """A failed re-arm is retried on the next occasion of any kind."""
    facts = facts_of(history, scenario)
    judgement = Judgement("LIVE-2", "no arm failed with an occasion after it")
    tried_again(facts, judgement, failed_call)
    return judgement.finding()


def tried_again(facts: Facts, judgement: Judgement, counts: Callable[[Event], bool]) -> None:
    """Judge each provision that counts: by the end of the next occasion it is tried again.

    Or at once after that: fires that come together may share one comparison.
    """
    tries: dict[str, list[Event]] = {}
    for event in facts.history.of("nas.call"):
        if event.data.get("op") == "provision":
            tries.setdefault(str(event.data.get("job_id")), []).append(event)
    for job, calls in tries.items():
        match = match_all(facts).get(job)
        for index, event in enumerate(calls):
            occasion = _free_occasion_after(facts, event) if counts(event) else None
            if occasion is None or match is None or match.plan.rests_at(occasion[1].n + 1):
                continue
            if match.plan.unjudged is not None:
                continue
            if has_run_all(facts, match, occasion[1]):
                continue  # there is nothing to arm any more
            judgement.reached(event)
            if job in armed_before(facts, occasion[1].n):
                continue  # the call had its effect all the same, or somebody else mended it
            again = calls[index + 1] if index + 1 < len(calls) else None
            if again is None or again.at_us > occasion[1].at_us + facts.slack_us:
                judgement.violated(
                    f"job {job}: its arm failed, and the next occasion did not try again",
                    event,
                    occasion[1],
                )


def _free_occasion_after(facts: Facts, event: Event) -> tuple[Event, Event] | None:
    """The next occasion in which who compares store and registry can do so.

    Nothing hangs there, where one at a time does, and the store is whole and its locks are free.
    What another machine was refused only NAS's own list tells.
    """
    after = event
    while (occasion := facts.occasion_after(after)) is not None:
        begin, end = occasion
        machines = facts.lives if begin.machine == COMMAND else (begin.machine,)
        held_up = [*hurt_store(facts), *(w for one in machines for w in hangs_of(facts, one))]
        untold = len(facts.lives) > 1 and any(
            call.data.get("op") == "list" and begin.n < call.n < end.n
            for call in failed_calls(facts)
        )
        if not untold and not any(s <= end.at_us and begin.at_us <= e for s, e in held_up):
            return occasion
        after = begin
    return None


def has_run_all(facts: Facts, match: JobMatch, by: Event) -> bool:
    """Whether the job had begun all the runs that it may have before an event.

    Or is promised the last of them by a claim that nobody could take up yet; or has run since it
    became a one-shot.
    """
    limit, job = match.plan.repeat or (None if match.plan.recurring else 1), match.plan.job.id
    ran = [run for run in facts.runs.get(job, ()) if run.begin.n < by.n]
    if match.plan.recurring and match.plan.is_once_at(by.n):
        since_n = match.plan.segments[match.plan.segment_at(by.n)].from_n
        ran, limit = [run for run in ran if run.begin.n > since_n], limit or 1
    if limit is None:
        return False
    record = last_commit(facts, job, by.n)[1]
    return len(ran) + promised(facts, job, record, ran, by.at_us) >= limit


def live_3(history: History, scenario: Scenario) -> Finding:
    """After a crash between claim and re-arm, the restart arms the next occurrence."""
    facts = facts_of(history, scenario)
    judgement = Judgement("LIVE-3", "no machine died within a fire and came back")
    for fire in facts.fires:
        life = facts.life_at(fire.begin)
        if fire.end is not None or life is None or life.end is None:
            continue
        back = next((one for one in facts.all_lives if one.boot.n > life.end.n), None)
        if back is not None and back.start_left is not None:
            _armed(facts, judgement, fire.job, back.start_left, life.end)
    return judgement.finding()


def live_4(history: History, scenario: Scenario) -> Finding:
    """Whoever takes an occurrence re-arms: a lost claim, a direct run, a tick that was faster."""
    facts = facts_of(history, scenario)
    judgement = Judgement("LIVE-4", "nobody but the fire itself ever took an occurrence")
    if not facts.external:
        return judgement.finding()
    for fire in facts.fires:
        if fire.lost and not fire.won and fire.end is not None:
            _armed(facts, judgement, fire.job, fire.end, fire.lost[0])
    for run in facts.all_runs:
        if run.begin.n not in facts.fire_of_run and run.end is not None:
            _armed(facts, judgement, run.job, run.end, run.begin)
    return judgement.finding()


def _armed(facts: Facts, judgement: Judgement, job: str, since: Event, why: Event) -> None:
    """At the first rest after `since` the job's arm is right."""
    rest = first_rest_after(facts, since.at_us)
    if rest is None or job not in rest.judged:
        return
    judgement.reached(why)
    for wrong in rest.wrong:
        if wrong.job == job:
            judgement.violated(f"job {job}: {wrong.reason}", why, since)
