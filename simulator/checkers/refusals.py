"""TIME-6 and 7: schedules that a host must not take, as operators give them and the oracle reads.

Which job, when and in which zone comes from the scenario; whether it was taken, from the answer.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from simulator import oracle
from simulator.checkers.facts import Facts, facts_of
from simulator.checkers.finding import Finding, Judgement
from simulator.checkers.struck import zone_at
from simulator.checkers.wanted import commits_by_job, last_commit
from simulator.durations import SECOND_US
from simulator.event import Event
from simulator.history import History
from simulator.scenario import Scenario

__all__ = ["time_6", "time_7"]

_LATEST_US = 120 * SECOND_US
_NEAR_US = 10 * SECOND_US
_GIVES = {"create", "update", "resume"}
# A day of 29 February on one weekday comes within 40 years, across a year without one.
_DAYS = [date(2080, 3, 1) + timedelta(days=n) for n in range(41 * 366)]


@dataclass(frozen=True, slots=True)
class _Given:
    """A schedule that an operator gave to a job, or gave it back to by a resume.

    A text that is a duration counts from when it was given first (`since_us`).
    """

    do: str
    job: str
    text: str
    at_us: int
    since_us: int
    end: Event

    @property
    def taken(self) -> bool:
        return self.end.data.get("error") is None


def _given(facts: Facts) -> Iterator[_Given]:
    """Every schedule that was given, in order; those of the start too."""
    texts: dict[str, tuple[str, int]] = {}
    known = {job.id: job for job in facts.scenario.jobs}
    begun = {op.end.n: op for op in facts.ops if op.end is not None}
    for end in facts.history.of("op.end"):
        do, job_id = str(end.data.get("do")), str(end.data.get("job"))
        if do not in _GIVES or job_id not in known:
            continue
        op = begun.get(end.n)
        wanted = (op.step.set or {}) if op is not None and op.step is not None else {}
        text = known[job_id].schedule if do == "create" else wanted.get("schedule")
        at_us = since_us = op.begin.at_us if op else end.at_us
        if do == "resume":
            text, since_us = texts.get(job_id, (None, at_us))
        if isinstance(text, str) and (do == "create" or _stands(facts, job_id, end.n)):
            given = _Given(do, job_id, text, at_us, since_us, end)
            if given.taken:
                texts[job_id] = text, since_us
            yield given


def _stands(facts: Facts, job_id: str, n: int) -> bool:
    """Whether the job was in the store before event `n`: to one that is gone, nothing is given."""
    _, record = last_commit(facts, job_id, n)
    return record is not None or job_id not in commits_by_job(facts)


def time_6(history: History, scenario: Scenario) -> Finding:
    """A one-shot more than 120 s past is refused, when it is made and when it is resumed."""
    facts = facts_of(history, scenario)
    judgement = Judgement("TIME-6", "no one-shot was given that was over")
    if any(op.do == "set-clock" for op in facts.ops):
        return judgement.finding()  # what is past by that clock need not be past by ours
    for given in _given(facts):
        try:
            schedule = oracle.read(given.text, given.since_us, zone_at(facts, given.at_us))
        except oracle.OracleError:
            continue
        if not isinstance(schedule, oracle.Once):
            continue
        past_us = given.at_us - schedule.at_us
        if past_us > _LATEST_US + facts.skew_us:
            judgement.reached(given.end)
            if given.taken:
                judgement.violated(
                    f"job {given.job}: {given.text!r}, {past_us // SECOND_US} s past, was taken "
                    f"by {given.do}",
                    given.end,
                )
        elif 0 <= past_us < _LATEST_US - _NEAR_US and _made_undisturbed(facts, given):
            judgement.reached(given.end)
            if not given.taken:
                judgement.violated(
                    f"job {given.job}: {given.text!r}, only {past_us // SECOND_US} s past, was "
                    "refused",
                    given.end,
                )
    return judgement.finding()


def _made_undisturbed(facts: Facts, given: _Given) -> bool:
    """Whether a job was made by a step while nothing was wrong with the store."""
    hurt = facts.history.of("store.refused", "fault")
    if given.do != "create" or _stood(facts, given) or any(op.do == "damage" for op in facts.ops):
        return False
    begun = [op.begin for op in facts.ops if op.end is not None and op.end.n == given.end.n]
    return bool(begun) and not any(begun[0].n < event.n < given.end.n for event in hurt)


def _stood(facts: Facts, given: _Given) -> bool:
    """Whether there was such a job before."""
    return given.job in commits_by_job(facts) and (
        commits_by_job(facts)[given.job][0][0].at_us < given.at_us
    )


def time_7(history: History, scenario: Scenario) -> Finding:
    """What is no schedule, or never comes, is refused when it is given."""
    facts = facts_of(history, scenario)
    judgement = Judgement("TIME-7", "no wrong schedule was given")
    for given in _given(facts):
        if given.do != "resume" and (why := _wrong(facts, given)):
            judgement.reached(given.end)
            if given.taken:
                judgement.violated(
                    f"job {given.job}: {given.text!r} was taken by {given.do}: {why}", given.end
                )
    return judgement.finding()


def _wrong(facts: Facts, given: _Given) -> str | None:
    try:
        schedule = oracle.read(given.text, given.at_us, zone_at(facts, given.at_us))
    except oracle.OracleError as error:
        return str(error)
    if isinstance(schedule, oracle.CronTimes) and not any(map(schedule.cron.names_day, _DAYS)):
        return "no day is ever named"
    return None
