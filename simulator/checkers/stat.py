"""STAT: what the status said, each time it was asked, against what was so."""

from bisect import bisect_right
from collections.abc import Collection, Sequence

from simulator.checkers.commands import status_waited
from simulator.checkers.disturbance import failed_call
from simulator.checkers.facts import Facts, facts_of
from simulator.checkers.finding import Finding, Judgement
from simulator.checkers.happened import CLAIM_TTL_US, FOREVER
from simulator.checkers.live_arms import has_run_all
from simulator.checkers.matching import match_all
from simulator.checkers.reading import clocks_differ
from simulator.checkers.rest import armed_before
from simulator.checkers.struck import start_struck
from simulator.checkers.truth import NEAR_US, Truth, something_wrong, stale, truths
from simulator.checkers.wanted import last_commit
from simulator.durations import SECOND_US
from simulator.event import Event
from simulator.fold import instant_us
from simulator.history import History
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
    "stat_9",
    "stat_11",
    "stat_13",
]

_INTERVALS_UNDER_WAY = 10
_USUALLY_STALE_US = 200 * SECOND_US  # at the usual interval of 60 s (HOST.md)
_EXIT_CODES = {"healthy": 0, "unhealthy": 1, "unknown": 3}


def stat_1(history: History, scenario: Scenario) -> Finding:
    """Fresh heartbeat and fresh success, and nothing else wrong: says that jobs will fire."""
    facts = facts_of(history, scenario)
    judgement = Judgement("STAT-1", "no status was asked for while all was well")
    for truth in truths(facts):
        fresh = (
            truth.lives
            and stale(facts, truth.beat_us) is False
            and stale(facts, truth.success_us) is False
        )
        if not fresh or not truth.clean_since_start or something_wrong(facts, truth.status):
            continue
        if truth.ahead_us or clocks_differ(facts, truth.status):
            continue  # a machine's clock is not the reader's: what it says is unknown
        judgement.reached(truth.status)
        if not truth.promises:
            judgement.violated("all is well, and the status does not say so", truth.status)
    return judgement.finding()


def stat_2(history: History, scenario: Scenario) -> Finding:
    """Stale heartbeat: STALLED and no promise; not for ten intervals where a tick says it works."""
    facts = facts_of(history, scenario)
    judgement = Judgement("STAT-2", "no status was asked for while a heartbeat was stale")
    limit_us = _INTERVALS_UNDER_WAY * facts.interval_us
    for truth in truths(facts):
        if not truth.lives or stale(facts, truth.beat_us) is not True:
            continue
        if truth.under_way_us is not None and truth.under_way_us <= limit_us + NEAR_US:
            told = truth.tick_told and not truth.silent and truth.under_way_us >= 0
            told = told and not clocks_differ(facts, truth.status)
            if told and truth.under_way_us <= limit_us - NEAR_US:
                judgement.reached(truth.status)
                if truth.says("STALLED"):
                    judgement.violated("STALLED is said while a tick is under way", truth.status)
            continue
        judgement.reached(truth.status)
        if not truth.says("STALLED") and not _may_be_unsaid(facts, truth):
            judgement.violated("the heartbeat is stale, and STALLED is not said", truth.status)
        if truth.promises:
            judgement.violated("the heartbeat is stale, and jobs are promised", truth.status)
    return judgement.finding()


def _may_be_unsaid(facts: Facts, truth: Truth) -> bool:
    """Whether nobody could tell from what stands there that a heartbeat is stale."""
    limit_us = _INTERVALS_UNDER_WAY * facts.interval_us + NEAR_US
    told = truth.untold_us is not None and truth.untold_us <= limit_us
    return told or clocks_differ(facts, truth.status)


def stat_3(history: History, scenario: Scenario) -> Finding:
    """Fresh heartbeat, stale success: says so and promises nothing."""
    facts = facts_of(history, scenario)
    judgement = Judgement("STAT-3", "no status was asked for while a loop lived and failed")
    for truth in truths(facts):
        failing = (
            truth.lives
            and stale(facts, truth.beat_us) is False
            and stale(facts, truth.success_us) is True
            and truth.under_way_us is None
        )
        if not failing:
            continue
        judgement.reached(truth.status)
        if not truth.says("no tick has succeeded") and not clocks_differ(facts, truth.status):
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
    """Unknown promises nothing; nor does a signal from the future."""
    facts = facts_of(history, scenario)
    judgement = Judgement("STAT-6", "no status was unknown")
    for truth in truths(facts):
        if truth.ahead_us > NEAR_US:
            judgement.reached(truth.status)
            if truth.promises:
                judgement.violated(
                    "a signal lies in the future, and jobs are promised", truth.status
                )
        if truth.lives and truth.success_us is None:
            judgement.reached(truth.status)
            if truth.promises:
                judgement.violated("no success is known, and jobs are promised", truth.status)
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


def stat_9(history: History, scenario: Scenario) -> Finding:
    """Stale is judged by the interval that the loop really keeps."""
    facts = facts_of(history, scenario)
    judgement = Judgement("STAT-9", "no heartbeat was fresh by one interval and stale by another")
    for truth in truths(facts):
        really = stale(facts, truth.beat_us)
        if not truth.lives or truth.beat_us is None or really is None or truth.under_way_us:
            continue
        off_us = truth.beat_us - _USUALLY_STALE_US
        if abs(off_us) <= NEAR_US + facts.skew_us or really is (off_us > 0):
            continue  # the usual interval would give the same answer
        if _may_be_unsaid(facts, truth) or truth.silent:
            continue  # STALLED is said of another gateway then
        judgement.reached(truth.status)
        if truth.says("STALLED") is not really:
            found = "stale" if really else "fresh"
            judgement.violated(
                f"{found} by the interval that is kept, and not told so", truth.status
            )
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
            _without_a_gateway(facts, judgement, status)
            continue
        if not _has_another(facts, status):  # which needs no arm
            _missing(facts, judgement, status, missing)
    return judgement.finding()


def _missing(
    facts: Facts, judgement: Judgement, status: Event, missing: Sequence[tuple[Event, int]]
) -> None:
    """What was said while a job was not armed that is wanted, and that nobody is to arm later."""
    for first, last in missing:
        job = str(first.data.get("job_id"))
        if not first.n < status.n < last or _running(facts, job, status.n):
            continue  # who runs arms the next when the run is over
        if has_run_all(facts, match_all(facts)[job], status):
            continue  # there is nothing to arm any more
        if _is_held(facts, job, status):
            continue  # so does who has claimed it and did not come to the run yet
        if job not in armed_before(facts, status.n):
            judgement.reached(status)
            if status.data.get("promises") or status.data.get("verdict") == "healthy":
                judgement.violated(f"job {job}: not armed, and all is well", first, status)


def _has_another(facts: Facts, status: Event) -> bool:
    """Whether a gateway goes on without its provider, whose start a fault ended."""
    serving = facts.serving(status.n)
    return any(facts.life_at(struck) in serving for struck in start_struck(facts))


def _without_a_gateway(facts: Facts, judgement: Judgement, status: Event) -> None:
    """Between two fires nothing runs here, and that is as it should be: the registry is armed."""
    configured = facts.history.header.get("configured")
    if not configured or not armed_before(facts, status.n):
        return  # nobody could tell from outside that it is the registry that fires
    judgement.reached(status)
    if "will NOT fire" in status.data.get("says", ()):
        judgement.violated("the registry is armed, and nothing is said to fire", status)


def _running(facts: Facts, job: str, n: int) -> bool:
    """Whether a run of the job was on at event `n`."""
    runs = facts.runs.get(job, [])
    index = bisect_right(runs, n, key=lambda run: run.begin.n) - 1
    return index >= 0 and runs[index].end_n > n


def _is_held(facts: Facts, job: str, status: Event) -> bool:
    """Whether a fresh claim of the job stands in the store, of a machine that lives."""
    commit, record = last_commit(facts, job, status.n)
    claim = (record or {}).get("fire_claim")
    at_us = instant_us(claim.get("at")) if isinstance(claim, dict) else None
    if (
        commit is None
        or claim is None
        or at_us is None
        or not at_us <= status.at_us < at_us + CLAIM_TTL_US
    ):
        return False
    machine = str(claim.get("by")).rpartition(":")[0]
    return not any(
        commit.n < end.n < status.n and end.machine == machine
        for end in facts.history.of("crash", "stopped")
    )


def _missing_arms(facts: Facts) -> list[tuple[Event, int]]:
    """(refused call, number of the event that made it good) of jobs that were to run.

    A call that had its effect all the same is good once NAS lists what it armed.
    """
    good: dict[str, list[int]] = {}
    for event in facts.history.of("nas.call", "nas.armed", "nas.fired"):
        jobs: Collection[str] = [str(event.data.get("job_id"))]
        if event.kind == "nas.call":
            op = None if failed_call(event) else event.data.get("op")
            listed = armed_before(facts, event.n) if op == "list" else ()
            jobs = jobs if op == "provision" else listed
        for job in jobs:
            good.setdefault(job, []).append(event.n)
    found = []
    for event in facts.history.of("nas.call"):
        job = str(event.data.get("job_id"))
        match = match_all(facts).get(job)
        if event.data.get("op") != "provision" or not failed_call(event) or match is None:
            continue
        numbers = good.get(job, [])
        later = bisect_right(numbers, event.n)
        off = [part.settled_n for part in match.plan.segments if part.settled_n > event.n]
        settles = min([*numbers[later : later + 1], *off, FOREVER])
        if match.plan.unjudged is None and not match.plan.off_at(event.n):
            found.append((event, settles))
    return found


def stat_13(history: History, scenario: Scenario) -> Finding:
    """It never raises, and its exit code agrees with its words."""
    facts = facts_of(history, scenario)
    judgement = Judgement("STAT-13", "no status was asked for")
    for status in history.of("status"):
        judgement.reached(status)
        verdict, code = status.data.get("verdict"), status.data.get("exit_code")
        if status.data.get("error") is not None:
            judgement.violated(f"status raised {status.data['error']}", status)
        elif code is not None and _EXIT_CODES.get(str(verdict)) != code:
            judgement.violated(f"verdict {verdict} with exit code {code}", status)
    status_waited(facts, judgement)
    return judgement.finding()
