"""TICK and STAT checkers, each with a history that holds, one that is violated, one that says nothing."""

import logging

import pytest
from histories import Build

from hermes_cron import CronScheduler, jobs, scheduler
from simulator.scenario_file import parse_scenario
from simulator.target import from_class
from simulator.verdict import judge
from simulator.world import simulate


def world(**loop) -> Build:
    return Build().up().loop(**loop)


def error(at=3600, **how) -> Build:
    return world(skip=[at]).tick(at, error="SystemExit", **how)


def at_work() -> Build:
    """A tick lasts 50 min, and says at once that it is under way."""
    loop = Build().up().loop(last="1h").tick("1h", lasts=3000)
    return loop.add("1h0m1s", "signal", name="of-its-own", content="{}")


def held_back(until: str) -> Build:
    """As long as that the call of a tick hangs; then it says that it is under way."""
    build = Build(f"faults: [{{into: tick, hang: {until}}}]\n").up().loop(last="1h")
    build.tick("1h", lasts=3000).add("1h", "fault", index=0, seam="tick", does="hang")
    return build.add("1h20m", "signal", name="of-its-own", content="{}")


TWO = "jobs: [{id: j, schedule: every 1h}, {id: long, schedule: every 90m}]\n"

CASES = [
    ("TICK-1", "held", world()),
    ("TICK-1", "violated", Build().up().loop(first=60)),
    ("TICK-1", "violated", Build().up().loop().add("3h", "stop.requested").add("3h1m", "provider.returned").add("3h1m", "stopped")),
    ("TICK-1", "held", Build().up().loop(last="3h").add("3h", "stop.requested").add("3h", "provider.returned").add("3h", "stopped")),
    ("TICK-1", "unknown", Build(external=True).up()),
    ("TICK-1", "violated", world().add("1h0m1s", "provider.returned")),  # left unasked, and rescued by a fallback
    ("TICK-1", "violated", world().add(1, "provider.raised", error="SystemExit")),
    ("TICK-1", "held", world().add(1, "not_simulated", what="x").add(2, "provider.raised", error="NotSimulated")),
    ("TICK-1", "held", error().add("1h0m1s", "provider.raised", error="SystemExit")),  # TICK-2's affair
    ("TICK-2", "held", error()),
    ("TICK-2", "violated", error(logged=False)),
    ("TICK-2", "violated", error().drop("log").add(3600, "log", level="ERROR", error="ValueError")),
    ("TICK-2", "violated", Build().up().loop(last="1h").tick("1h", error="SystemExit")),
    ("TICK-2", "unknown", Build().up().loop(last="3h59m").tick("3h59m30s", error="SystemExit")),  # the end comes first
    ("TICK-2", "violated", error().add(3600, "provider.raised", error="SystemExit").add(3600, "fallback")),  # rescued
    ("TICK-8", "unknown", world().add(3601, "fallback").tick(3602)),  # another loop's first tick
    ("TICK-2", "unknown", world()),
    ("TICK-3", "held", error()),
    ("TICK-3", "violated", error().beat(3601, success=True)),
    ("TICK-3", "violated", world().drop("heartbeat", 7200)),
    ("TICK-3", "violated", Build().up().tick(0).tick(60).tick(120)),  # none before the first
    ("TICK-3", "unknown", Build(external=True).up()),
    ("TICK-4", "held", world().fault(600, "store.signal")),
    ("TICK-4", "violated", Build().up().loop(last="10m").fault("10m", "store.signal")),
    ("TICK-4", "unknown", world()),
    ("TICK-5", "held", world().fault(600, "heartbeat")),
    ("TICK-5", "violated", Build().up().loop(last="10m").fault("10m", "heartbeat")),
    ("TICK-5", "unknown", world().fault(600, "tick")),
    ("TICK-5", "held", world().fault(630, "dispatch")),
    ("TICK-5", "violated", world().fault(630, "dispatch").add(630, "provider.raised", error="X")),  # a fallback ticks on
    ("TICK-5", "held", world().fault(630, "dispatch").add(700, "provider.raised", error="X")),
    ("TICK-6", "held", world().run("j", "1h", "10m")),
    ("TICK-6", "violated", world(skip=range(3660, 4200)).run("j", "1h", "10m")),
    ("TICK-6", "violated", world(skip=[600]).tick(600, sync=True)),
    ("TICK-6", "violated", Build(TWO).up().loop().run("long", "90m", "40m").runs("j", "1h", "3h")),  # j at 2h is missed
    ("TICK-6", "held", Build(TWO).up().loop().run("long", "90m", "40m").run("long", "3h").runs("j", "1h", "2h", "3h")),
    ("TICK-6", "unknown", world().run("j", "1h")),
    ("TICK-7", "unknown", world()),
    ("TICK-8", "held", world(skip=[600, 660])),
    ("TICK-8", "violated", world(skip=[600, 660]).tick(725)),
    ("TICK-8", "unknown", world()),
    ("STAT-1", "held", world().runs("j", "1h", "2h", "3h").status("2h30m", verdict="healthy", promises=True)),
    ("STAT-1", "violated", world().runs("j", "1h", "2h", "3h").status("2h30m", "STALLED")),
    ("STAT-1", "unknown", error().runs("j", "1h", "2h", "3h").status("1h1m", "STALLED")),
    ("STAT-2", "held", Build().up().loop(last="1h").status("2h", "STALLED")),
    ("STAT-2", "violated", Build().up().loop(last="1h").status("2h", promises=True, verdict="healthy")),
    ("STAT-2", "violated", Build().up().loop(last="1h").status("2h", "is not running")),
    ("STAT-2", "held", at_work().status("1h5m", verdict="unknown")),
    ("STAT-2", "violated", at_work().status("1h5m", "STALLED")),
    ("STAT-2", "unknown", at_work().drop("signal", "1h0m1s").status("1h5m", "STALLED")),  # it did not say so
    ("STAT-2", "held", Build().up().loop(last="1h").tick("1h", lasts=3000).status("1h30m", "STALLED")),  # for too long
    ("STAT-2", "held", held_back("20m").status("1h21m", verdict="unknown")),
    ("STAT-2", "violated", held_back("20m").status("1h21m", "STALLED")),
    ("STAT-2", "violated", held_back("5m").status("1h21m", verdict="unknown")),
    ("STAT-2", "violated", held_back("20m").status("1h19m", verdict="unknown")),
    ("STAT-2", "violated", held_back("20m").status("1h31m", verdict="unknown")),
    ("STAT-2", "unknown", world().status("2h", "STALLED")),
    ("STAT-4", "held", Build().up().loop(last="1h").add("1h", "crash").status("2h", "is not running", "will NOT fire")),
    ("STAT-4", "violated", Build().up().loop(last="1h").add("1h", "crash").status("2h", promises=True, verdict="healthy")),
    ("STAT-4", "unknown", world().status("2h")),
    ("STAT-5", "held", Build().up().status("2h", verdict="unknown")),
    ("STAT-5", "violated", Build().up().status("2h", "STALLED")),
    ("STAT-5", "unknown", world().status("2h", "STALLED")),
    ("STAT-6", "held", world().status("2h", verdict="unknown")),
    ("STAT-6", "violated", world().status("2h", verdict="unknown", promises=True)),
    ("STAT-6", "unknown", world().status("2h", verdict="healthy", promises=True)),
    ("STAT-7", "held", Build().up().beat(0).tick(0, error="X").status(30, verdict="unknown")),
    ("STAT-7", "violated", Build().up().beat(0).tick(0, error="X").status(30, verdict="healthy", promises=True)),
    ("STAT-7", "unknown", world().status("2h", verdict="healthy", promises=True)),
    ("STAT-8", "held", Build().up().loop(last="1h").add("1h", "crash").up("1h1m").status("1h2m", verdict="unknown")),
    ("STAT-8", "violated", Build().up().loop(last="1h").add("1h", "crash").up("1h1m").status("1h2m", verdict="healthy", promises=True)),
    ("STAT-8", "unknown", world().status("2h", verdict="healthy", promises=True)),
    ("STAT-13", "held", world().status("2h")),
    ("STAT-13", "violated", world().status("2h", exit_code=0)),
    ("STAT-13", "unknown", world()),
]  # fmt: skip


@pytest.mark.parametrize(("requirement", "verdict", "build"), CASES)
def test_tick_and_status(requirement, verdict, build):
    finding = build.judge(requirement)
    assert (finding.id, finding.verdict) == (requirement, verdict), finding.reason
    assert finding.reached == (verdict != "unknown")
    if verdict == "violated":
        assert finding.lines


def test_an_error_without_its_traceback_is_told_as_that():
    """It may well be named in a message: what the author has to add is the traceback."""
    bare = error().drop("log").add(3600, "log", level="ERROR")
    assert "no ERROR has its traceback" in bare.judge("TICK-2").reason


def _failing(*says, **how) -> Build:
    build = Build().up().loop(last="1h")
    for second in range(3600, 7200, 60):
        build.tick(second, error="RuntimeError")
    return build.status("1h30m", *says, **how)


@pytest.mark.parametrize(
    ("build", "verdict"),
    [
        (_failing("no tick has succeeded"), "held"),
        (_failing("STALLED"), "violated"),
        (_failing("no tick has succeeded", verdict="healthy", promises=True), "violated"),
        (world().status("2h"), "unknown"),
    ],
)
def test_a_loop_that_lives_and_fails(build, verdict):
    assert build.judge("STAT-3").verdict == verdict


def test_a_blind_tick_that_counts_as_success():
    """The fault lies within the tick, and the heartbeat after it says success."""
    build = (
        world(skip=[600])
        .tick(600, lasts=1)
        .add("10m500ms", "fault", index=-1, seam="store.read", does="raise")
    )
    assert build.judge("TICK-7").verdict == "violated"
    assert (
        build.run("j", "9m", "5m").judge("TICK-7").verdict == "unknown"
    )  # the run may be what was blind
    good = (
        world(skip=[600])
        .tick(600, lasts=1, error="StoreError")
        .add("10m500ms", "fault", index=-1, seam="store.read", does="raise")
    )
    assert good.judge("TICK-7").verdict == "held"


@pytest.mark.parametrize(
    ("says", "how", "verdict"),
    [
        (["managed scheduler"], {}, "held"),
        (["managed scheduler"], {"verdict": "healthy", "promises": True}, "violated"),
        (["STALLED"], {}, "violated"),
    ],
)
def test_an_external_provider_with_an_arm_refused(says, how, verdict):
    build = (
        Build(external=True)
        .up()
        .call("1h", "provision", "j", 403, "forbidden")
        .status("1h10m", *says, **how)
    )
    assert build.judge("STAT-11").verdict == verdict


def test_an_arm_made_good_is_evidence_again():
    build = Build(external=True).up().call("1h", "provision", "j", 403).arm("j", "1h1m", "2h")
    assert (
        build.status("1h10m", verdict="healthy", promises=True).judge("STAT-11").verdict
        == "unknown"
    )


def ticks_at(*instants, more="") -> Build:
    build = Build(more).up()
    for at in instants:
        build.tick(at)
    return build


def test_ticks_that_are_late_by_a_little_each_time_creep_past_their_interval():
    creeping = ticks_at(*range(0, 3600, 62)).judge("TICK-8")
    assert creeping.verdict == "violated"
    assert "33 ticks in 2046 s, with an interval of 60 s: they creep past it" in creeping.reason
    assert ticks_at(*range(0, 1800, 62)).judge("TICK-8").verdict == "unknown", "none is missing yet"
    on_their_grid = [60 * n + (n * 7) % 25 for n in range(60)]
    assert ticks_at(*on_their_grid).judge("TICK-8").verdict != "violated"


def test_after_what_takes_longer_than_an_interval_a_loop_may_keep_another_grid():
    struck = ticks_at(*range(0, 3600, 70), more="faults: [{into: tick, hang: 65s, times: 60}]\n")
    assert struck.judge("TICK-8").verdict == "violated", "it never came to that"
    for at in range(0, 3600, 70):
        struck.add(at + 1, "fault", index=0, seam="tick", does="hang")
    assert struck.judge("TICK-8").verdict != "violated"


class EndsWithItsWait(CronScheduler):
    """Survives its ticks, and not its waits."""

    name = "ends-with-its-wait"

    def start(self, stop_event, *, adapters=None, loop=None, interval=60):
        jobs.record_ticker_heartbeat()
        while not stop_event.is_set():
            clean = True
            try:
                scheduler.tick(verbose=False, sync=False)
            except BaseException:
                logging.getLogger("theirs").exception("tick failed")
                clean = False
            jobs.record_ticker_heartbeat(success=clean)
            stop_event.wait(interval)


@pytest.mark.parametrize(
    ("error", "violated"), [("RuntimeError", "TICK-1"), ("KeyboardInterrupt", "TICK-2")]
)
def test_a_loop_that_its_wait_ended_was_not_ended_by_the_tick_before_it(error, violated):
    """Unless what it raised is what that tick did: nobody can tell the two apart."""
    scenario = parse_scenario(f"""
name: a-wait-ends-it
start: 2026-03-29T00:30:00
lasts: 5m
jobs: [{{id: report, schedule: every 10m}}]
faults:
  - {{into: tick, raise: KeyboardInterrupt, until: 10m}}
  - {{into: wait, raise: {error}, nth: 2}}
""")
    run = simulate(scenario, from_class(EndsWithItsWait))
    wrong = {one.id for one in judge(run.history, scenario).findings if one.verdict == "violated"}
    assert wrong & {"TICK-1", "TICK-2"} == {violated}
