"""FALL-10: a trigger that ends is replaced. Judges the host, with providers of the kit's own."""

import threading
from collections.abc import Callable
from typing import Any

from contract_tests.engine import Context, Outcome, held, probe, violated
from contract_tests.probes.virtual import SLACK_US, Watched, watch
from simulator.durations import format_duration, parse_duration
from simulator.target import Target

__all__: list[str] = []  # probes are found by their ids


def _raises(error: type[BaseException]) -> Callable[..., None]:
    def start(_self: Any, _stop_event: Any, **_: Any) -> None:
        raise error("the queue is gone")

    return start


def _ends(_self: Any, stop_event: Any, **_: Any) -> None:
    stop_event.wait(200)


def _dies(_self: Any, stop_event: Any, **_: Any) -> None:
    stop_event.wait(200)
    raise SystemExit(3)


def _waits_for_its_thread(_self: Any, stop_event: Any, **_: Any) -> None:
    thread = threading.Thread(target=_dies, args=(None, stop_event))
    thread.start()
    thread.join()


# A thread that is left running behind a start that has returned dies unseen: no host hears of it.
ENDS: dict[str, Callable[..., None]] = {
    "a start that raises ValueError": _raises(ValueError),
    "a start that raises SystemExit": _raises(SystemExit),
    "a loop that returns": _ends,
    "a loop that dies of SystemExit": _dies,
    "a loop on a thread that start waits for, dead of SystemExit": _waits_for_its_thread,
}


@probe("FALL-10")
def a_trigger_that_ends_is_replaced(context: Context) -> Outcome:
    """Five ways in which a provider in charge can end; the jobs go on."""
    for number, (what, start) in enumerate(ENDS.items(), 1):
        name = f"contract-ends-{number}"
        provider = type("Ends", (context.host.interface(),), {"name": name, "start": start})
        watched = watch(context, "loop-ends-unasked", Target(name, provider))
        if trouble := watched.trouble():
            return trouble
        if problem := _replacement_problem(watched, name):
            return violated(f"{what}: {problem}")
    return held(f"noticed, said and replaced by the built-in: {', '.join(ENDS)}")


def _replacement_problem(watched: Watched, name: str) -> str | None:
    ended = watched.lives[0].start_left
    if ended is None:
        return "nobody saw that start was over"
    ticks = [one for one in watched.of("tick.begin") if one.n > ended.n]
    if not ticks or ticks[0].at_us - ended.at_us > watched.interval_us + SLACK_US:
        return f"start was over {watched.when(ended)}, and nothing ticked after it"
    period_us = parse_duration("5m")
    runs = [watched.since(run.begin) for run in watched.facts.runs.get("report", [])]
    for due_us in range(period_us, watched.run.scenario.lasts, period_us):
        if not any(0 <= at_us - due_us <= watched.interval_us + SLACK_US for at_us in runs):
            return f"the job that was due {format_duration(due_us)} after the start did not run"
    said = [
        watched.history.text(event.n) or ""
        for event in watched.of("log")
        if event.n > ended.n and event.data["level"] in ("WARNING", "ERROR", "CRITICAL")
    ]
    return None if any(name in text for text in said) else f"no warning names {name!r}"
