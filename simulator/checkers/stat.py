"""STAT: what the status said, each time it was asked, against what was so."""

import math
from bisect import bisect_right
from dataclasses import dataclass

from simulator.checkers.disturbance import failed_call
from simulator.checkers.facts import FOREVER, Facts, Life, Tick, facts_of
from simulator.checkers.finding import Finding, Judgement
from simulator.checkers.matching import Outcome, match_all
from simulator.durations import SECOND_US
from simulator.history import Event, History
from simulator.scenario import Scenario

__all__ = [
    "stat_1",
    "stat_2",
    "stat_3",
    "stat_4",
    "stat_5",
    "stat_6",
    "stat_7",
    "stat_8",
    "stat_11",
    "stat_13",
]

_NEAR_US = 2 * SECOND_US
_INTERVALS_STALE = 3
_STALE_EXTRA_US = 20 * SECOND_US
_INTERVALS_UNDER_WAY = 10
_EXIT_CODES = {"healthy": 0, "unhealthy": 1, "unknown": 3}


@dataclass(slots=True)
class Truth:
    """What was so when a status was asked for.

    Attributes:
        status: What was said.
        lives: The gateways that were up.
        beat_us: Age of the last heartbeat in the store; None when there is none.
        success_us: Age of the last success mark; None when there is none.
        under_way_us: For how long a tick of a living gateway was under way; None when none was.
        clean_since_start: Whether a living loop had a clean tick since it started.
        beat_life: Whether the last heartbeat is of a process that is up.
    """

    status: Event
    lives: list[Life]
    beat_us: int | None
    success_us: int | None
    under_way_us: int | None
    clean_since_start: bool
    beat_life: bool

    @property
    def promises(self) -> bool:
        """Whether it was said that jobs will fire."""
        return bool(self.status.data.get("promises"))

    def says(self, phrase: str) -> bool:
        """Whether one of the fixed phrases was said."""
        return phrase in self.status.data.get("says", ())


def truths(facts: Facts) -> list[Truth]:
    """The truth at every status, of a blocking provider."""

    def build() -> list[Truth]:
        beats = _signals(facts, "ticker_heartbeat")
        successes = _signals(facts, "ticker_last_success")
        found = []
        for status in facts.history.of("status"):
            beat, success = _last(beats, status), _last(successes, status)
            lives = facts.serving(status.n)
            ticks = [_ticks_until(facts, life, status) for life in lives]
            running = [
                status.at_us - mine[-1].begin.at_us
                for mine in ticks
                if mine and (mine[-1].end is None or mine[-1].end.n > status.n)
            ]
            found.append(
                Truth(
                    status,
                    lives,
                    status.at_us - beat.at_us if beat is not None else None,
                    status.at_us - success.at_us if success is not None else None,
                    max(running, default=None),
                    any(_clean_by(tick, status) for mine in ticks for tick in mine),
                    beat is not None and any(life.boot.n < beat.n for life in lives),
                )
            )
        return found

    return facts.history.derived("truths", build) if facts.blocking else []


def _signals(facts: Facts, name: str) -> list[Event]:
    """The writes of one evidence file; what is no plausible time is not evidence."""
    found = []
    for event in facts.history.of("signal"):
        if event.data.get("name") == name:
            try:
                stated_s = float(event.data.get("content") or "nan")
            except ValueError:
                continue
            if math.isfinite(stated_s):
                found.append(event)
    return found


def _last(events: list[Event], before: Event) -> Event | None:
    index = bisect_right(events, before.n, key=lambda event: event.n) - 1
    return events[index] if index >= 0 else None


def _ticks_until(facts: Facts, life: Life, status: Event) -> list[Tick]:
    ticks = facts.ticks.get(life.machine, [])
    first = bisect_right(ticks, life.boot.n, key=lambda tick: tick.begin.n)
    return ticks[first : bisect_right(ticks, status.n, key=lambda tick: tick.begin.n)]


def _clean_by(tick: Tick, status: Event) -> bool:
    return tick.clean and tick.end is not None and tick.end.n < status.n


def _stale_us(facts: Facts) -> int:
    return _INTERVALS_STALE * facts.interval_us + _STALE_EXTRA_US


def _stale(facts: Facts, age_us: int | None) -> bool | None:
    """Whether an age is stale; None when there is none, or it is too near the border."""
    if age_us is None or abs(age_us - _stale_us(facts)) <= _NEAR_US + facts.skew_us:
        return None
    return age_us > _stale_us(facts)


def stat_1(history: History, scenario: Scenario) -> Finding:
    """Fresh heartbeat and fresh success, and nothing else wrong: says that jobs will fire."""
    facts = facts_of(history, scenario)
    judgement = Judgement("STAT-1", "no status was asked for while all was well")
    for truth in truths(facts):
        fresh = (
            truth.lives
            and _stale(facts, truth.beat_us) is False
            and _stale(facts, truth.success_us) is False
        )
        if not fresh or not truth.clean_since_start or _something_wrong(facts, truth.status):
            continue
        judgement.reached(truth.status)
        if not truth.promises:
            judgement.violated("all is well, and the status does not say so", truth.status)
    return judgement.finding()


def _something_wrong(facts: Facts, status: Event) -> bool:
    """Whether anything could rightly take a promise away."""
    if any(job.record for job in facts.scenario.jobs):
        return True
    settled_us = status.at_us - _stale_us(facts)
    troubled = [
        *facts.faults,
        *facts.history.of(
            "crash", "stopped", "fallback", "provider.raised", "provider.start", "op"
        ),
        *[event for event in facts.history.of("tick.end") if event.data.get("error") is not None],
    ]
    if any(settled_us <= event.at_us <= status.at_us for event in troubled):
        return True
    if any(event.n < status.n for event in facts.history.of("fallback", "provider.raised")):
        return True
    if any(
        event.n < status.n and event.data.get("ok") is not True
        for event in facts.history.of("run.end")
    ) or any(run.died is not None for run in facts.all_runs):
        return True
    return any(
        due.at_us <= status.at_us
        and (due.run is None or due.run.begin.n > status.n)
        and (due.outcome in {Outcome.LATE, Outcome.MISSED} or due.at_us > settled_us)
        for match in match_all(facts).values()
        for due in match.dues
    )


def stat_2(history: History, scenario: Scenario) -> Finding:
    """Stale heartbeat: STALLED and no promise. A tick under way is not stale for ten intervals."""
    facts = facts_of(history, scenario)
    judgement = Judgement("STAT-2", "no status was asked for while a heartbeat was stale")
    limit_us = _INTERVALS_UNDER_WAY * facts.interval_us
    for truth in truths(facts):
        if not truth.lives or _stale(facts, truth.beat_us) is not True:
            continue
        if truth.under_way_us is not None and truth.under_way_us <= limit_us + _NEAR_US:
            if truth.under_way_us <= limit_us - _NEAR_US:
                judgement.reached(truth.status)
                if truth.says("STALLED"):
                    judgement.violated("STALLED is said while a tick is under way", truth.status)
            continue
        judgement.reached(truth.status)
        if not truth.says("STALLED"):
            judgement.violated("the heartbeat is stale, and STALLED is not said", truth.status)
        if truth.promises:
            judgement.violated("the heartbeat is stale, and jobs are promised", truth.status)
    return judgement.finding()


def stat_3(history: History, scenario: Scenario) -> Finding:
    """Fresh heartbeat, stale success: says so and promises nothing."""
    facts = facts_of(history, scenario)
    judgement = Judgement("STAT-3", "no status was asked for while a loop lived and failed")
    for truth in truths(facts):
        failing = (
            truth.lives
            and _stale(facts, truth.beat_us) is False
            and _stale(facts, truth.success_us) is True
            and truth.under_way_us is None
        )
        if not failing:
            continue
        judgement.reached(truth.status)
        if not truth.says("no tick has succeeded"):
            judgement.violated("the last success is stale, and it is not said", truth.status)
        if truth.promises:
            judgement.violated("the last success is stale, and jobs are promised", truth.status)
    return judgement.finding()


def stat_4(history: History, scenario: Scenario) -> Finding:
    """No gateway: says so, and that jobs will not fire."""
    facts = facts_of(history, scenario)
    judgement = Judgement("STAT-4", "no status was asked for while no gateway was up")
    for truth in truths(facts):
        booting = any(
            life.boot.n < truth.status.n and (life.end is None or life.end.n > truth.status.n)
            for life in facts.all_lives
        )
        if truth.lives or booting:
            continue
        judgement.reached(truth.status)
        if not (truth.says("is not running") and truth.says("will NOT fire")):
            judgement.violated("no gateway is up, and it is not said", truth.status)
        if truth.promises:
            judgement.violated("no gateway is up, and jobs are promised", truth.status)
    return judgement.finding()


def stat_5(history: History, scenario: Scenario) -> Finding:
    """A missing heartbeat is unknown, not dead."""
    facts = facts_of(history, scenario)
    judgement = Judgement("STAT-5", "no status was asked for without a heartbeat")
    for truth in truths(facts):
        if not truth.lives or truth.beat_us is not None:
            continue
        judgement.reached(truth.status)
        if truth.says("STALLED") or truth.promises:
            judgement.violated("there is no heartbeat, and the status knows", truth.status)
    return judgement.finding()


def stat_6(history: History, scenario: Scenario) -> Finding:
    """Unknown promises nothing."""
    judgement = Judgement("STAT-6", "no status was unknown")
    facts_of(history, scenario)
    for status in history.of("status"):
        verdict, promises = status.data.get("verdict"), status.data.get("promises")
        if verdict == "unknown":
            judgement.reached(status)
        if promises and verdict != "healthy":
            judgement.violated(f"the verdict is {verdict}, and jobs are promised", status)
    return judgement.finding()


def stat_7(history: History, scenario: Scenario) -> Finding:
    """A loop that never had a clean tick since it started is not healthy."""
    facts = facts_of(history, scenario)
    judgement = Judgement("STAT-7", "every loop had a clean tick before a status was asked for")
    for truth in truths(facts):
        if not truth.lives or truth.clean_since_start:
            continue
        judgement.reached(truth.status)
        if truth.promises or truth.status.data.get("verdict") == "healthy":
            judgement.violated("no tick succeeded since the start, and all is well", truth.status)
    return judgement.finding()


def stat_8(history: History, scenario: Scenario) -> Finding:
    """The heartbeat must be of the process that is reported."""
    facts = facts_of(history, scenario)
    judgement = Judgement("STAT-8", "every heartbeat was of the process that was up")
    for truth in truths(facts):
        if not truth.lives or truth.beat_us is None or truth.beat_life:
            continue
        judgement.reached(truth.status)
        if truth.promises:
            judgement.violated("the heartbeat is of an earlier process", truth.status)
    return judgement.finding()


def stat_11(history: History, scenario: Scenario) -> Finding:
    """For an external provider: no green while an arm that is wanted was refused."""
    facts = facts_of(history, scenario)
    judgement = Judgement("STAT-11", "no status was asked for while an arm was missing")
    if facts.blocking or not facts.external:
        return judgement.finding()
    missing = _missing_arms(facts)
    for status in history.of("status"):
        if "STALLED" in status.data.get("says", ()):
            judgement.violated("an external provider cannot stall", status)
        if not facts.serving(status.n):
            continue
        for first, last in missing:
            if first.n < status.n < last:
                judgement.reached(status)
                if status.data.get("promises") or status.data.get("verdict") == "healthy":
                    job = first.data.get("job_id")
                    judgement.violated(f"job {job}: not armed, and all is well", first, status)
    return judgement.finding()


def _missing_arms(facts: Facts) -> list[tuple[Event, int]]:
    """(refused call, number of the event that made it good) of jobs that were to run."""
    good: dict[str, list[int]] = {}
    for event in facts.history.of("nas.call"):
        if event.data.get("op") == "provision" and not failed_call(event):
            good.setdefault(str(event.data.get("job_id")), []).append(event.n)
    found = []
    for event in facts.history.of("nas.call"):
        job = str(event.data.get("job_id"))
        match = match_all(facts).get(job)
        if event.data.get("op") != "provision" or not failed_call(event) or match is None:
            continue
        later = [n for n in good.get(job, ()) if n > event.n]
        off = [part.to_n for part in match.plan.segments if part.to_n > event.n]
        settles = min([*later[:1], *off, FOREVER])
        if not match.plan.off_at(event.n):
            found.append((event, settles))
    return found


def stat_13(history: History, scenario: Scenario) -> Finding:
    """It never raises, and its exit code agrees with its words."""
    facts_of(history, scenario)
    judgement = Judgement("STAT-13", "no status was asked for")
    for status in history.of("status"):
        judgement.reached(status)
        verdict, code = status.data.get("verdict"), status.data.get("exit_code")
        if status.data.get("error") is not None:
            judgement.violated(f"status raised {status.data['error']}", status)
        elif code is not None and _EXIT_CODES.get(str(verdict)) != code:
            judgement.violated(f"verdict {verdict} with exit code {code}", status)
    return judgement.finding()
