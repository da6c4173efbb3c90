"""TICK: the loop when what stands beside its ticks goes wrong, and when time is out of step."""

from contract_tests.benches.between import troubled_waits
from contract_tests.engine import Context, Outcome, held, probe, unknown, violated
from contract_tests.probes.loop import (
    SUCCESS,
    cut_short,
    signals,
    ticks_of,
    troubles,
)
from contract_tests.probes.virtual import SLACK_US, Watched, is_between, watch_built_in, watching
from simulator.durations import format_duration, parse_duration

__all__: list[str] = []  # probes are found by their ids

MOST_TICKS_IN_AN_INTERVAL = 2

WAITS_RAISE = troubled_waits(
    "waits that raise",
    [
        ("SystemExit from a wait", parse_duration("20m"), SystemExit),
        ("GeneratorExit from a wait", parse_duration("25m"), GeneratorExit),
    ],
)
SUSPENDED = troubled_waits(
    "suspended", [("suspended for 3 h", parse_duration("90m"), parse_duration("3h"))]
)


@watching("TICK-5", "loop-beset", bend=WAITS_RAISE)
def nothing_beside_the_tick_ends_it(context: Context, watched: Watched) -> Outcome:
    """Recovery, heartbeat, dispatch gate and wait raise, each what is meant to end a process."""
    if short := cut_short(context, watched):
        return short
    # A loop need neither recover nor ask for leave itself.
    if trouble := watched.trouble(optional=("recover", "dispatch")):
        return trouble
    if not watched.strikes:
        return unknown("no wait on stop_event was seen, so that none could raise")
    begins = [tick.begin.at_us for tick in ticks_of(watched)]
    for at_us, words in troubles(watched):
        if not any(at_us <= one <= at_us + watched.interval_us + SLACK_US for one in begins):
            return violated(f"after {words}, no tick came in time")
    return held(f"the loop outlived {len(troubles(watched))} exceptions from beside its ticks")


@probe("TICK-7")
def a_blind_tick_is_no_success(context: Context) -> Outcome:
    """The host's own loop: what a tick could not look at, it does not report as clean."""
    watched = watch_built_in(context, "loop-cannot-look")
    if trouble := watched.trouble():
        return trouble
    faults = watched.of("fault")
    blind = [
        tick
        for tick in ticks_of(watched)
        if any(is_between(fault, tick.begin, tick.end) for fault in faults)
    ]
    if not blind:
        return unknown("no tick met the lock or the store while it could not be had")
    marks = signals(watched, SUCCESS)
    begins = [tick.begin for tick in ticks_of(watched)]
    for tick in blind:
        after = next((one for one in begins if one.n > tick.begin.n), None)
        if any(is_between(mark, tick.begin, after) for mark in marks):
            return violated(f"a tick that could not look is a success: {watched.when(tick.begin)}")
    if not any(mark.n > faults[-1].n for mark in marks):
        return violated("with lock and store back, there was no success mark any more")
    return held(f"no success mark for {len(blind)} ticks without lock or store, and one after them")


@watching("TICK-8", "loop-out-of-step", bend=SUSPENDED)
def keeps_its_rhythm(context: Context, watched: Watched) -> Outcome:
    """Ticks that take 3 s, one that takes ten intervals, a machine that is suspended for 3 h."""
    if short := cut_short(context, watched):
        return short
    if trouble := watched.trouble():
        return trouble
    if not watched.strikes:
        return unknown("no wait on stop_event was seen in which to suspend the machine")
    if problem := _burst_problem(watched) or _creep_problem(watched):
        return violated(problem)
    count = len(ticks_of(watched))
    return held(f"{count} ticks without a volley, and a run for each minute of slow ticks")


def _burst_problem(watched: Watched) -> str | None:
    """Whether more ticks began within one interval than a change of the grid explains."""
    begins = [tick.begin for tick in ticks_of(watched)]
    for first, last in zip(begins, begins[MOST_TICKS_IN_AN_INTERVAL:], strict=False):
        if last.at_us - first.at_us < watched.interval_us:
            many = sum(1 for one in begins if 0 <= one.at_us - first.at_us < watched.interval_us)
            return f"{many} ticks in one interval, from {watched.when(first)}"
    return None


def _creep_problem(watched: Watched) -> str | None:
    """Whether a job that is due every minute missed one while ticks took a little."""
    runs = [watched.since(run.begin) for run in watched.facts.runs.get("each-minute", [])]
    minute_us = parse_duration("1m")
    slow = watched.run.scenario.faults[0]
    assert slow.since is not None and slow.until is not None  # noqa: PT018 - the scenario says both
    for slot_us in range(slow.since + minute_us, slow.until - minute_us, minute_us):
        if not any(slot_us <= at_us < slot_us + minute_us + SLACK_US for at_us in runs):
            due = format_duration(slot_us)
            return f"each-minute, due {due} after the start, did not run: the ticks creep past it"
    count = sum(1 for at_us in runs if slow.since + minute_us <= at_us < slow.until)
    wanted = (slow.until - slow.since) // minute_us - 1
    if count < wanted:
        return f"each-minute ran {count} times in {wanted} min of slow ticks: they creep past it"
    return None
