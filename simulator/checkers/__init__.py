"""Judges of a history: one checker for each requirement of CONTRACT.md that a history can show.

A checker is a pure function of a history and its scenario and gives a `Finding`: held, violated, or
unknown (its case never came up). Start here: `CHECKERS` by requirement, `check` for all of them.

    finding       what a checker gives
    happened      lives, ticks, runs, fires, operations: the words of judges
    facts         a history, ordered by them
    many, many_runs, many_dues
                  what comes by the ten thousand, made when it is looked at
    struck        what its faults struck, as far as the scenario says
    stored        what the store was told of one job, many commits in few bytes
    wanted        what a plan is made of
    effects       when an operation took effect, by what the store took in meanwhile
    beginnings    how a job's plan begins: its definition, its record
    plan          what the operator wanted, by the scenario and its steps
    matching      occurrences against runs, each at most once; missed, late and excused told apart
    disturbance   what may legitimately keep a job from running
    cut           what was taken and cut off before its body
    extras        runs that no occurrence is left for, and whose fault they are
    truth         what was so whenever the status was asked for
    rest          the registry whenever nothing is going on
    evenly        instants that are mostly one interval apart, in few bytes
    drift         whether the ticks of a loop creep past their interval
    loops         whose ticks they are, and when a loop came round
    tick, tick_beside, beats, fire, hook, once, claims, live, live_arms, starving, switched_off,
    clocks, recon, leaving, stat, stat_named, instants, refusals, store
                  the checkers

Evidence is what a provider cannot write: runs at the job body, commits of the store, arms at the
registry, words of the status. Occurrences come from `simulator.oracle`, not from `next_run_at`.
"""

from collections.abc import Iterable, Mapping

from simulator.checkers import (
    beats,
    claims,
    clocks,
    fire,
    hook,
    instants,
    leaving,
    live,
    live_arms,
    once,
    recon,
    refusals,
    starving,
    stat,
    stat_named,
    store,
    switched_off,
    tick,
    tick_beside,
)
from simulator.checkers.finding import Checker, Finding
from simulator.history import History
from simulator.scenario import Scenario

__all__ = ["CHECKERS", "check"]

CHECKERS: Mapping[str, Checker] = {
    "TICK-1": tick.tick_1,
    "TICK-2": tick.tick_2,
    "TICK-3": beats.tick_3,
    "TICK-4": tick_beside.tick_4,
    "TICK-5": tick_beside.tick_5,
    "TICK-6": tick_beside.tick_6,
    "TICK-7": tick_beside.tick_7,
    "TICK-8": tick_beside.tick_8,
    "FIRE-1": fire.fire_1,
    "FIRE-2": fire.fire_2,
    "FIRE-3": fire.fire_3,
    "FIRE-4": fire.fire_4,
    "FIRE-5": fire.fire_5,
    "ONCE-1": claims.once_1,
    "ONCE-2": once.once_2,
    "ONCE-3": once.once_3,
    "ONCE-4": once.once_4,
    "ONCE-5": once.once_5,
    "ONCE-6": once.once_6,
    "ONCE-7": claims.once_7,
    "ONCE-8": once.once_8,
    "ONCE-9": once.once_9,
    "ONCE-10": once.once_10,
    "ONCE-11": claims.once_11,
    "LIVE-1": live.live_1,
    "LIVE-2": live_arms.live_2,
    "LIVE-3": live_arms.live_3,
    "LIVE-4": live_arms.live_4,
    "LIVE-5": live.live_5,
    "LIVE-6": live.live_6,
    "LIVE-7": live.live_7,
    "LIVE-8": live.live_8,
    "LIVE-9": live.live_9,
    "LIVE-10": clocks.live_10,
    "LIVE-11": clocks.live_11,
    "LIVE-12": starving.live_12,
    "LIVE-13": switched_off.live_13,
    "RECON-1": recon.recon_1,
    "RECON-2": recon.recon_2,
    "RECON-3": recon.recon_3,
    "RECON-4": recon.recon_4,
    "RECON-5": leaving.recon_5,
    "RECON-6": recon.recon_6,
    "RECON-7": recon.recon_7,
    "RECON-8": recon.recon_8,
    "RECON-9": recon.recon_9,
    "RECON-10": recon.recon_10,
    "HOOK-4": hook.hook_4,
    "STAT-1": stat.stat_1,
    "STAT-2": stat.stat_2,
    "STAT-3": stat.stat_3,
    "STAT-4": stat.stat_4,
    "STAT-5": stat.stat_5,
    "STAT-6": stat.stat_6,
    "STAT-7": stat.stat_7,
    "STAT-8": stat.stat_8,
    "STAT-9": stat.stat_9,
    "STAT-10": stat_named.stat_10,
    "STAT-11": stat.stat_11,
    "STAT-12": stat_named.stat_12,
    "STAT-13": stat.stat_13,
    "STORE-3": store.store_3,
    "STORE-4": store.store_4,
    "STORE-5": store.store_5,
    "STORE-9": store.store_9,
    "TIME-1": instants.time_1,
    "TIME-2": instants.time_2,
    "TIME-3": instants.time_3,
    "TIME-4": instants.time_4,
    "TIME-5": instants.time_5,
    "TIME-6": refusals.time_6,
    "TIME-7": refusals.time_7,
}
"""The checker of each requirement that a history can show."""


def check(
    history: History, scenario: Scenario, requirements: Iterable[str] | None = None
) -> list[Finding]:
    """Judge a history by every checker, or by those of `requirements`, in catalogue order.

    A checker that crashes gives unknown with the reason; so does a requirement without a checker.
    """
    if requirements is None:
        return [_run(name, checker, history, scenario) for name, checker in CHECKERS.items()]
    return [_run(name, CHECKERS.get(name), history, scenario) for name in requirements]


def _run(name: str, checker: Checker | None, history: History, scenario: Scenario) -> Finding:
    if checker is None:
        return Finding(name, "unknown", "no checker judges it from a history")
    try:
        return checker(history, scenario)
    except Exception as error:
        # A judge that fails has seen nothing, and must not hide what the others saw.
        return Finding(name, "unknown", f"its checker failed: {type(error).__name__}: {error}")
