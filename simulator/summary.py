"""One run in a few words: what was injected and what came of it."""

from collections import Counter
from datetime import datetime

from simulator.durations import MINUTE_US, format_duration
from simulator.event import Event
from simulator.fault_rule import Fault
from simulator.history import History
from simulator.raising import say_raise
from simulator.scenario import Body, Scenario
from simulator.steps import Step

__all__ = ["happened", "injected"]

_QUIET_STEPS = {"status"}
_SINGLY = 4  # so many jobs are named; more are counted


def injected(scenario: Scenario, history: History) -> str:
    """What went wrong or was done in the run, with how often each fault really struck."""
    struck = Counter(event.data["index"] for event in history.of("fault"))
    parts = [_say_step(step) for step in scenario.steps if step.do not in _QUIET_STEPS]
    parts += [
        f"{_say_fault(fault)} x{struck[index]}" for index, fault in enumerate(scenario.faults)
    ]
    for job in scenario.jobs:
        if job.record:
            said = ", ".join(f"{key}={value!r}" for key, value in sorted(job.record.items()))
            parts.append(f"{job.id}: {said}")
        if job.body.plain():
            parts.append(f"{job.id} {_say_body(job.body)}")
        if job.runs_for >= MINUTE_US:
            parts.append(f"{job.id} takes {format_duration(job.runs_for)}")
    if _clock_changes(scenario):
        parts.append(f"the clock changes in {scenario.zone}")
    return "; ".join(parts) or "nothing goes wrong"


def _clock_changes(scenario: Scenario) -> bool:
    offsets = {
        datetime.fromtimestamp(us / 1_000_000, scenario.tz).utcoffset()
        for us in (scenario.start_us, scenario.end_us)
    }
    return len(offsets) > 1


def happened(history: History) -> str:
    """What was seen: runs by job, then what people would want to be told of."""
    runs = Counter(event.data["job"] for event in history.of("run.begin"))
    failed = sum(not event.data["ok"] for event in history.of("run.end"))
    parts = [_say_runs(runs)]
    for one, many, count in (
        ("run failed", "runs failed", failed),
        ("crash", "crashes", len(history.of("crash"))),
        ("failed tick", "failed ticks", sum(_raised(event) for event in history.of("tick.end"))),
        ("fire", "fires", len(history.of("nas.deliver"))),
        ("call refused", "calls refused", sum(_refused(e.data) for e in history.of("nas.call"))),
        ("failed write", "failed writes", len(history.of("store.refused"))),
    ):
        if count:
            parts.append(f"{count} {one if count == 1 else many}")
    return ", ".join(parts)


def _say_runs(runs: Counter[str]) -> str:
    """By job; many jobs that ran equally often are counted."""
    if len(runs) <= _SINGLY:
        return ", ".join(f"{job} ran {count}x" for job, count in sorted(runs.items())) or "no run"
    alike = Counter(runs.values())
    return ", ".join(f"{jobs} jobs ran {count}x each" for count, jobs in sorted(alike.items()))


def _raised(tick_end: Event) -> bool:
    return tick_end.data["error"] is not None


def _refused(data: dict[str, object]) -> bool:
    status = data.get("status")
    return not (isinstance(status, int) and status < 300) or data.get("reason") is not None  # noqa: PLR2004 - HTTP's success


def _say_step(step: Step) -> str:
    about = step.machine or step.job or step.what or step.to or step.lock or ""
    what = f"{step.do} {about}".strip()
    if step.by is not None:
        return f"{what} by {format_duration(step.by)}"
    if step.lasts is not None:
        return f"{what} for {format_duration(step.lasts)}"
    if step.set:
        return f"{what} to " + ", ".join(str(value) for value in step.set.values())
    return what if step.times == 1 else f"{what} {step.times}x"


def _say_body(body: Body) -> str:
    if body.crashes:
        return "kills the machine"
    what = "reports failure" if body.fails is not None else f"raises {say_raise(body.raises)}"
    return what if body.nth is None else f"{what} in run {body.nth}"


def _say_fault(fault: Fault) -> str:
    raised = say_raise(fault.raises)
    if isinstance(raised, dict):
        raised = next(iter(raised.values()))
    effect = {
        "raise": raised,
        "answer": f"answer {fault.answer}",
        "hang": f"{format_duration(fault.hang or 0)} of delay",
        "crash": "crash",
        "drop": "lost delivery",
        "delay": f"delivery {format_duration(fault.delay or 0)} late",
        "early": f"timer {format_duration(fault.early or 0)} early",
        "damage": f"{fault.damage} write",
        "stale": "stale read",
        "shutdown": "pool shut down",
        "duplicate": "redelivery at "
        + ", ".join(f"+{format_duration(d)}" for d in fault.duplicate),
    }[fault.effect]
    where = f"{fault.into} of {fault.on}" if fault.on else fault.into
    return f"{effect} at {where}"
