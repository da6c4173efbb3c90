"""TICK: the loop, watched over virtual time."""

from collections.abc import Sequence
from itertools import pairwise

from contract_tests.benches.between import Strike
from contract_tests.engine import Context, Outcome, held, probe, unknown, violated
from contract_tests.probes.virtual import (
    MACHINE,
    SLACK_US,
    Watched,
    is_between,
    watch,
    watch_built_in,
    watching,
)
from contract_tests.surroundings import ask, captured_logs, home
from simulator.checkers.happened import Tick
from simulator.durations import SECOND_US, format_duration, parse_duration
from simulator.event import Event

__all__ = ["SUCCESS", "cut_short", "signals", "ticks_of", "troubles"]

PROMPT_US = 2 * SECOND_US
HEARTBEAT, SUCCESS = "ticker_heartbeat", "ticker_last_success"
LIFE_SIGN_EVERY = 5


def ticks_of(watched: Watched) -> Sequence[Tick]:
    """The ticks of the one machine, in order."""
    return watched.facts.ticks_at(MACHINE)


def signals(watched: Watched, name: str) -> list[Event]:
    """What really arrived in the store, whoever claims to have written it."""
    return [event for event in watched.of("signal") if event.data.get("name") == name]


@watching("TICK-1", "loop-at-once")
def at_once_and_promptly(_: Context, watched: Watched) -> Outcome:
    """The first tick after start, and the way out after stop_event."""
    if trouble := watched.trouble():
        return trouble
    if left := watched.left_unasked():
        return violated(left)
    if problem := _entry_problem(watched) or _exit_problem(watched):
        return violated(problem)
    return held(f"a tick at once, {len(ticks_of(watched))} in all, and gone promptly")


def _entry_problem(watched: Watched) -> str | None:
    started, ticks = watched.lives[0].started, ticks_of(watched)
    if not ticks or started is None:
        return "start never ticked"
    if ticks[0].begin.at_us - started.at_us > SECOND_US:
        return f"the first tick came late: {watched.when(ticks[0].begin)}"
    return None


def _exit_problem(watched: Watched) -> str | None:
    asked, left = watched.lives[0].stop_requested, watched.lives[0].start_left
    assert asked is not None, "the scenario stops the machine"
    if left is None:
        return f"stop_event was set {watched.when(asked)} and start never returned"
    took_us = left.at_us - asked.at_us
    if took_us > PROMPT_US:
        return f"start returned {took_us / SECOND_US:g} s after stop_event, not promptly"
    later = [tick for tick in ticks_of(watched) if tick.begin.n > left.n]
    return f"it ticked after start had returned: {watched.when(later[0].begin)}" if later else None


def cut_short(context: Context, watched: Watched) -> Outcome | None:
    """What can be said of a loop that was left though nobody had asked: whose affair it is.

    A violation where what this scenario is about came just before; else the row saw nothing, and
    the cause fails a row of its own.
    """
    left = watched.left_unasked()
    if left is None:
        return None if ticks_of(watched) else unknown("the loop never ticked")
    trouble = _last_trouble(watched)
    needs_none = not watched.run.scenario.faults
    if (trouble or needs_none) and not watch(context, "loop-at-once").left_unasked():
        return violated(left, *filter(None, [trouble]))  # it lives where nothing is asked of it
    return unknown(f"the loop was dead before this could be seen: {left}")


def _last_trouble(watched: Watched) -> str | None:
    """What went wrong last before the loop was left, if anything did."""
    left = next(life.start_left for life in watched.lives if life.start_left is not None)
    before = [words for at_us, words in troubles(watched, left.n) if at_us <= left.at_us]
    return f"the last trouble was {before[-1]}" if before else None


def troubles(watched: Watched, before: int | None = None) -> list[tuple[int, str]]:
    """When something went wrong (microseconds since the epoch), and what, in order."""
    faults = [event for event in watched.of("fault") if before is None or event.n < before]
    found = [(event.at_us, _fault_words(watched, event)) for event in faults]
    found += [(one.at_us, _strike_words(watched, one)) for one in watched.strikes]
    return sorted(found, key=lambda one: one[0])  # those of an instant as they came


def _fault_words(watched: Watched, event: Event) -> str:
    raises = watched.run.scenario.faults[event.data["index"]].raises
    what = raises.type.rpartition(".")[2] if raises is not None else event.data["does"]
    return f"{what} from {event.data['seam']} {watched.when(event)}"


def _strike_words(watched: Watched, strike: Strike) -> str:
    return f"{strike.what} {format_duration(strike.at_us - watched.start_us)} after the start"


@watching("TICK-2", "loop-survives")
def nothing_ends_the_loop(context: Context, watched: Watched) -> Outcome:
    """Six kinds of exception out of a tick, the process-ending ones included."""
    # The loop that died at the first exception never meets the others: that is no kit trouble.
    if short := cut_short(context, watched):
        return short
    if trouble := watched.trouble():
        return trouble
    evidence = []
    for fault in watched.of("fault"):
        raises = watched.run.scenario.faults[fault.data["index"]].raises
        assert raises is not None, "the scenario raises"
        kind = raises.type.rpartition(".")[2]
        after = next((t.begin for t in ticks_of(watched) if t.begin.n > fault.n), None)
        limit_us = watched.interval_us + SLACK_US
        if after is None or after.at_us - fault.at_us > limit_us:
            return violated(f"after a {kind} {watched.when(fault)}, no tick came in time")
        if not _is_told(watched, fault, after, kind):
            return violated(f"a {kind} {watched.when(fault)} is not in the log at ERROR, traced")
        evidence.append(f"{kind}: the next tick {watched.when(after)}, logged at ERROR")
    return held(*evidence)


def _is_told(watched: Watched, fault: Event, before: Event, kind: str) -> bool:
    return any(
        event.data["level"] in ("ERROR", "CRITICAL")
        and event.data.get("error") == kind
        and "Traceback" in (watched.history.text(event.n) or "")
        for event in watched.of("log")
        if is_between(event, fault, before)
    )


@watching("TICK-3", "loop-at-once", "loop-fails-sometimes")
def signals_tell_the_truth(_: Context, *runs: Watched) -> Outcome:
    """Heartbeat and success mark as they arrived in the store, over clean and failing ticks."""
    evidence = []
    for watched in runs:
        name = watched.run.scenario.name
        if left := watched.left_unasked():
            # Signals are the affair of a loop that lives; what ends it is another row's.
            return unknown(f"the loop was dead before this could be seen: {left}")
        if not ticks_of(watched):
            return unknown("the loop never ticked")
        if trouble := watched.trouble():
            return trouble
        if problem := _signal_problem(watched):
            return violated(f"in {name}: {problem}")
        failing = sum(1 for tick in ticks_of(watched) if not tick.clean)
        evidence.append(f"in {name}: {len(ticks_of(watched))} ticks, {failing} of them failing")
    return held(*evidence)


def _signal_problem(watched: Watched) -> str | None:
    beats, marks = signals(watched, HEARTBEAT), signals(watched, SUCCESS)
    ticks = [tick for tick in ticks_of(watched) if tick.end is not None]
    if not ticks:
        return "no tick came to an end"
    started, first = watched.lives[0].started, ticks[0].begin
    if not any(is_between(beat, started, first) for beat in beats):
        return "no heartbeat before the first tick"
    if early := [mark for mark in marks if mark.n < first.n]:
        return f"a success mark before the first tick: {watched.when(early[0])}"
    after: list[Event | None] = [tick.begin for tick in ticks[1:]]
    for tick, following in zip(ticks, [*after, None], strict=True):
        if following is None and watched.lives[0].stop_requested is not None:
            break  # asked to leave in or after this tick
        if not any(is_between(beat, tick.end, following) for beat in beats):
            return f"no heartbeat after the tick {watched.when(tick.begin)}"
        marked = any(is_between(mark, tick.end, following) for mark in marks)
        if marked is not tick.clean:
            said = "a success mark after a failing" if marked else "no success mark after a clean"
            return f"{said} tick {watched.when(tick.begin)}"
    return None


@watching("TICK-4", "loop-without-heartbeat")
def a_heartbeat_that_is_refused(context: Context, watched: Watched) -> Outcome:
    """Twenty minutes without room for signals; and, on a real disk, a place that is taken."""
    if short := cut_short(context, watched):
        return short
    if trouble := watched.trouble():
        return trouble
    if problem := _cadence_problem(watched) or _run_problem(watched, "report"):
        return violated(problem)
    until_us = parse_duration("30m")
    if not any(watched.since(beat) > until_us for beat in signals(watched, HEARTBEAT)):
        return violated("the heartbeat did not come back when the disk did")
    if left_over := _left_on_disk(context):
        return violated(f"a heartbeat that could not be written left {', '.join(left_over)}")
    struck = len(watched.of("fault"))
    return held(f"{struck} signals refused, ticks and runs in time, no file left behind")


def _left_on_disk(context: Context) -> list[str]:
    """The files that one refused heartbeat leaves in a real home."""
    folder = context.folder / "refused-heartbeat" / "home"
    taken = folder / "cron" / HEARTBEAT
    (taken / "in-the-way").mkdir(parents=True)
    with home(folder), captured_logs():
        ask(context.host.beat)  # makes whatever it needs around its files
        before = set(folder.rglob("*"))
        ask(context.host.beat)
        left = set(folder.rglob("*")) - before
    # What is there after the first attempt, and is neither a signal nor a lock, was left by it.
    known = (HEARTBEAT, SUCCESS)
    odd = [p for p in before if p.is_file() and _is_part_of_a_signal(p.name, known)]
    return sorted({str(path.relative_to(folder)) for path in (*left, *odd)})


def _is_part_of_a_signal(name: str, known: tuple[str, ...]) -> bool:
    return name not in known and any(signal in name for signal in known) and "lock" not in name


def _cadence_problem(watched: Watched) -> str | None:
    for before, after in pairwise(ticks_of(watched)):
        gap_us = after.begin.at_us - before.begin.at_us
        if gap_us > watched.interval_us + SLACK_US:
            return f"{gap_us / SECOND_US:g} s without a tick, until {watched.when(after.begin)}"
    return None


def _run_problem(watched: Watched, job: str) -> str | None:
    """Whether a job that is due every five minutes ran at each of its times, within a tick."""
    period_us = parse_duration("5m")
    runs = [watched.since(run.begin) for run in watched.facts.runs.get(job, [])]
    for slot in range(1, watched.run.scenario.lasts // period_us):
        due_us = slot * period_us
        limit_us = due_us + watched.interval_us + SLACK_US
        if not any(due_us <= at_us <= limit_us for at_us in runs):
            return f"{job} did not run at {due_us // SECOND_US // 60} min after the start"
    return None


@watching("TICK-6", "loop-beside-a-long-job")
def a_long_job_delays_nothing(context: Context, watched: Watched) -> Outcome:
    """Ticks are asked for without waiting, and keep coming while a job runs for 70 minutes."""
    if short := cut_short(context, watched):
        return short
    if trouble := watched.trouble():
        return trouble
    if not watched.facts.runs.get("long"):
        return violated("the long job never ran")
    waiting = [tick for tick in ticks_of(watched) if tick.begin.data.get("sync") is not False]
    if waiting:
        asked = waiting[0].begin.data.get("sync")
        return violated(f"{len(waiting)} ticks were asked for with sync={asked}, not False")
    if problem := _cadence_problem(watched) or _run_problem(watched, "short"):
        return violated(problem)
    count = len(watched.facts.runs["short"])
    return held(f"{count} runs of the short job in time beside one of 70 min")


@probe("TICK-9")
def the_log_shows_life(context: Context) -> Outcome:
    """INFO lines of the host's built-in: at its start, and one in any five ticks."""
    watched = watch_built_in(context, "loop-at-once")
    if trouble := watched.trouble():
        return trouble
    ticks = [tick.begin for tick in ticks_of(watched)]
    lines = [event for event in watched.of("log") if event.data["level"] == "INFO"]
    if len(ticks) <= LIFE_SIGN_EVERY:
        return unknown(f"only {len(ticks)} ticks in 20 min")
    if not any(line.n < ticks[0].n for line in lines):
        return violated("no INFO line at the start of the built-in")
    for first, last in zip(ticks, ticks[LIFE_SIGN_EVERY:], strict=False):
        if not any(is_between(line, first, last) for line in lines):
            return violated(
                f"no INFO line in {LIFE_SIGN_EVERY} ticks, between {watched.when(first)} and "
                f"{watched.when(last)}"
            )
    return held(f"{len(lines)} INFO lines over {len(ticks)} ticks")
