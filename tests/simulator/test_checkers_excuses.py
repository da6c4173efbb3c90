"""What a fault excuses, and what it does not: beside each excused history one that is broken.

A hang excuses the time that it took, a dead machine the time of its claims, a disk that refuses the
words that could not be written. Nothing excuses what comes later than that, or from another cause.
"""

from __future__ import annotations

import pytest
from histories import START, Build, iso, us

from simulator.checkers import CHECKERS
from simulator.hosts import reference_host
from simulator.scenario_file import parse_scenario
from simulator.verdict import judge
from simulator.world import simulate

ONE = "jobs: [{id: j, schedule: every 1h}]\n"


def faulty(fault: str, more: str = ONE) -> Build:
    """A run of a scenario with this one fault."""
    return Build(f"{more}faults: [{fault}]\n")


def struck(build: Build, at: str | int, machine: str = "a") -> Build:
    """The one fault of the scenario strikes."""
    rule = build.scenario.faults[0]
    return build.add(at, "fault", machine, index=0, seam=rule.into, does=rule.effect)


def done(build: Build, at: str, do: str) -> Build:
    """A step of the scenario that is about no job."""
    build.add(at, "op", "operator", do=do)
    return build.add(at, "op.end", "operator", do=do, error=None, result=None)


def held_up(into: str, hang: str, back: str, at: int = 3600) -> Build:
    """A run of 20 minutes; something hangs a second later; no tick until `back`."""
    build = struck(faulty(f"{{into: {into}, hang: {hang}}}"), at + 1)
    build.up().loop(last=at + 1).loop(first=back).run("j", "1h", "20m")
    return build.runs("j", "2h", "3h")


def slept(back: str) -> Build:
    """A machine sleeps for ten minutes while a job runs."""
    build = Build(ONE + "steps: [{at: 1h1s, do: suspend, machine: a, for: 10m}]\n")
    done(build, "1h1s", "suspend").up().loop(last=3601).loop(first=back)
    return build.run("j", "1h", "20m").runs("j", "2h", "3h")


def test_no_tick_while_the_loop_hangs():
    """The hang of the heartbeat's write, and one interval."""
    assert held_up("heartbeat", "6m", "67m").judge("TICK-6").verdict == "held"
    assert held_up("heartbeat", "6m", "69m").judge("TICK-6").verdict == "violated"
    assert held_up("tick", "2s", "67m").judge("TICK-6").verdict == "violated"
    # What hangs in the job's own thread delays no tick.
    assert held_up("body", "6m", "67m").judge("TICK-6").verdict == "violated"
    assert held_up("mark", "6m", "67m").judge("TICK-6").verdict == "violated"


def test_no_tick_while_the_machine_sleeps():
    """As long as it slept, and one interval."""
    assert slept("71m").judge("TICK-6").verdict == "held"
    assert slept("73m").judge("TICK-6").verdict == "violated"


def started(first: str) -> Build:
    """The first heartbeat hangs for six minutes; then ticks from `first` on."""
    build = struck(faulty("{into: heartbeat, hang: 6m}"), 0)
    return build.up().loop(first=first)


def left(back: str, hang_at: str) -> Build:
    """Asked to stop after three hours while a heartbeat hangs for six minutes; leaves at `back`."""
    build = struck(faulty("{into: heartbeat, hang: 6m}"), hang_at).up().loop(last="3h")
    build.add("3h", "stop.requested").add(back, "provider.returned", stopping=True)
    return build.add(back, "stopped")


def test_a_loop_that_hangs_at_its_start_or_end():
    """It ticks, and leaves, as soon as the hang is over."""
    assert started("6m").judge("TICK-1").verdict == "held"
    assert started("8m").judge("TICK-1").verdict == "violated"
    assert left("3h5m", "2h59m").judge("TICK-1").verdict == "held"
    assert left("3h6m", "2h59m").judge("TICK-1").verdict == "violated"
    assert left("3h5m", "2h50m").judge("TICK-1").verdict == "violated"


def never_ticks(starts: int) -> Build:
    """So many starts in one process are struck, and nobody ticks."""
    build = faulty("{into: start, raise: GeneratorExit, times: 2}").add(0, "boot").add(0, "up")
    for _ in range(starts):
        build.add(0, "provider.start", interval_s=60, kwargs=[])
        struck(build, 0).add(0, "provider.raised", error="GeneratorExit")
    return build


def test_only_when_the_fallback_is_struck_too_nobody_need_tick():
    """One failed start has a host that starts the fallback."""
    assert never_ticks(2).judge("TICK-1").verdict == "unknown"
    assert never_ticks(1).judge("TICK-1").verdict == "violated"


def nobody_ticks_after(*struck_seams: str) -> Build:
    """What is struck in a process, in this order, before any tick; and then none comes."""
    build = Build(f"{ONE}faults: [{{into: start, raise: OSError}}]\n").add(0, "boot").add(0, "up")
    for seam in struck_seams:
        build.add(0, "fault", index=0 if seam == "start" else -1, seam=seam, does="raise")
    return build.add(0, "provider.start", interval_s=60, kwargs=[])


def test_what_raised_before_a_start_that_raises_ended_no_loop():
    assert nobody_ticks_after("recover", "start").judge("TICK-5").verdict != "violated"
    assert nobody_ticks_after("start", "recover").judge("TICK-5").verdict == "violated"
    assert nobody_ticks_after("recover").judge("TICK-5").verdict == "violated"


def refused(asks: int, ticks_from: str = "4h") -> Build:
    """The leave to start is refused so many times, a minute apart, from the first hour on."""
    build = Build(ONE).up().loop(last="1h").loop(first=ticks_from)
    for nth in range(asks):
        build.fault(3600 + 60 * nth, "dispatch")
    return build


def test_a_loop_that_asks_for_leave_lives():
    """It comes round though it may not tick; when it asks no more it is dead."""
    assert refused(10, "70m").judge("TICK-5").verdict == "held"
    assert refused(10).judge("TICK-5").verdict == "violated"
    assert refused(1).judge("TICK-5").verdict == "violated"


def blind(taken: bool) -> Build:
    """The lock is not got in the tick of the first hour, and the tick counts as clean."""
    build = Build(ONE).up().loop(last=3600).loop(first=3660).runs("j", 3601, "2h", "3h")
    build.add(3600, "tick.begin", sync=False)
    if taken:
        build.store(3600, "j", fire_claim={"at": "x", "by": "a:1"})
    build.fault(3600, "store.lock").add(3600, "tick.end", error=None, dispatched=1)
    return build.beat(3600, success=True)


def test_a_tick_that_had_taken_what_was_due_had_looked():
    """A lock that it did not get after that is not the look's."""
    assert blind(taken=True).judge("TICK-7").verdict == "unknown"
    assert blind(taken=False).judge("TICK-7").verdict == "violated"


def silent(asked: str) -> Build:
    """With an interval of 20 s a heartbeat hangs for 90 s at 10m; a status says that it is unknown."""
    build = struck(faulty("{into: heartbeat, hang: 90s}", f"interval: 20\n{ONE}"), "10m").up()
    for second in [*range(0, 600, 20), *range(700, 3000, 20)]:
        build.tick(second)
    return build.status(asked, verdict="unknown", names=["j"])


def test_a_status_may_doubt_while_something_hangs():
    """Until the hang is over and its traces are stale."""
    assert silent("11m45s").judge("STAT-1").verdict == "unknown"
    assert silent("15m").judge("STAT-1").verdict == "violated"


def clock_set(*by: str) -> Build:
    """The clock of one of two machines is set, once or more; at 90 minutes a status doubts."""
    steps = ", ".join(
        f"{{at: {30 + 10 * nth}m, do: set-clock, machine: a, by: {one}}}"
        for nth, one in enumerate(by)
    )
    build = Build(f"machines: [a, b]\n{ONE}steps: [{steps}]\n").up().loop()
    build.up(machine="b").loop(machine="b").runs("j", "1h", "2h", "3h")
    for step in build.scenario.steps:
        done(build, f"{step.at}us", "set-clock")
    return build.status("90m", verdict="unknown", names=["j"])


def test_a_status_may_doubt_what_a_machine_with_another_clock_says():
    """As long as it has another."""
    assert clock_set("-10m").judge("STAT-1").verdict == "unknown"
    assert clock_set("-10m", "10m").judge("STAT-1").verdict == "violated"


def beats_lost(asked: str, *, told: bool = True, says: tuple[str, ...] = (), promises: bool = False) -> Build:  # fmt: skip
    """The heartbeat after the tick of the first hour, which told that it works, is lost."""
    build = Build(ONE).up().loop(last="1h").runs("j", "1h")
    build.add("1h", "tick.begin", sync=False)
    if told:
        build.add("1h", "signal", name="ticker-1", content="{}")
    build.add("1h", "tick.end", error=None, dispatched=0)
    build.add("1h", "heartbeat", success=True).fault("1h", "heartbeat")
    verdict = "healthy" if promises else "unknown"
    return build.status(asked, *says, verdict=verdict, promises=promises, names=["j"])


def test_a_tick_whose_end_could_not_be_told_stands_as_under_way():
    """For ten intervals STALLED need not be said; a promise is wrong all the same."""
    assert beats_lost("64m").judge("STAT-2").verdict == "held"
    assert beats_lost("64m", promises=True).judge("STAT-2").verdict == "violated"
    assert beats_lost("64m", told=False).judge("STAT-2").verdict == "violated"
    assert beats_lost("71m").judge("STAT-2").verdict == "violated"
    assert beats_lost("71m", says=("STALLED",)).judge("STAT-2").verdict == "held"


def left_behind(ran: str, by: str = "a:1") -> Build:
    """Machine a dies right after the claim for one hour; another, b, runs it at `ran`."""
    build = Build(f"machines: [a, b]\n{ONE}").up().loop(last="1h").up(machine="b").loop(machine="b")
    build.store("1h", "j", fire_claim={"at": START.isoformat(), "by": by, "token": 1})
    build.add(3601, "crash")
    return build.run("j", ran, machine="b").run("j", "2h", machine="b").run("j", "3h", machine="b")


def test_a_dead_machine_keeps_its_claim_for_its_time():
    """Five minutes and a wake; a claim of one that lives excuses nothing."""
    assert left_behind("64m").judge("LIVE-1").verdict == "held"
    assert left_behind("67m").judge("LIVE-1").verdict == "violated"
    assert left_behind("64m", by="b:2").judge("LIVE-1").verdict == "violated"


def test_a_run_that_was_cut_off_may_count_as_one_of_those_left():
    """What was taken and told of as unknown; without that word nothing counts."""
    more = (
        "name: cut\nstart: 2026-03-02T08:00:00\nlasts: 4h\n"
        "jobs: [{id: j, schedule: every 30m, repeat: 2}, {id: k, schedule: every 7m}]\n"
        "faults: [{into: store.replace, job: j, on: claim, crash: true, for: 1h, after: true, nth: 2}]\n"
    )
    scenario = parse_scenario(more)
    run = simulate(scenario, reference_host().bundled()["builtin"])
    assert judge(run.history, scenario).verdict == "held"
    text = run.history.to_bytes().replace(b'"state":"unknown"', b'"state":"noticed"')
    history = type(run.history).from_lines(text.decode().splitlines())
    assert CHECKERS["LIVE-1"](history, scenario).verdict == "violated"


def locked(first: str | int) -> Build:
    """Somebody keeps the lock of the jobs while a gateway boots; its first tick."""
    build = Build(ONE + "steps: [{at: 1s, do: hold-lock, for: 5m}]\n")
    return done(build, "1s", "hold-lock").up("10s").loop(first=first)


def test_a_first_tick_waits_for_a_lock_for_a_bounded_time():
    """What an earlier process left is settled before it, under the lock."""
    assert locked("40s").judge("TICK-1").verdict == "held"
    assert locked("80s").judge("TICK-1").verdict == "violated"


BY_HAND = "jobs: [{id: j, schedule: 1h}]\nsteps: [{at: 61m, do: run, job: j}]\n"


def by_hand(*instants: str, more: str = BY_HAND) -> Build:
    """A one-shot whose run is on when somebody runs it by hand; when it runs."""
    build = Build(more).up().loop().op("61m", "run", "j").run("j", instants[0], "8m")
    return build.runs("j", *instants[1:])


def test_a_run_by_hand_is_one_more_run():
    """One more than the job had, whenever it is asked for; not two."""
    assert by_hand("1h", "68m").judge("ONCE-10").verdict != "violated"
    assert by_hand("1h", "68m").judge("ONCE-9").verdict != "violated"
    assert by_hand("1h", "68m", "80m").judge("ONCE-9").verdict == "violated"


def test_what_was_taken_before_a_change_belongs_to_the_plan_before():
    """Also where clocks that are two seconds apart would let the occurrence after it be near."""
    more = "machines: {a: {skew: 2s}}\njobs: [{id: j, schedule: every 1h}]\n"
    more += "steps: [{at: 1h1s, do: run, job: j}]\n"
    build = Build(more).up().loop().op(3601, "run", "j").runs("j", "1h", 3601, "2h", "3h")
    assert build.judge("ONCE-10").verdict != "violated"
    assert build.run("j", 3610).judge("ONCE-10").verdict == "violated"


def wait_struck(*ticks: str | int) -> Build:
    """The wait after the tick of the first hour raises; when ticks come after that."""
    build = Build(ONE).up().loop(last=3601).fault(3601, "wait")
    for at in ticks:
        build.tick(at)
    return build.runs("j", "1h", "2h", "3h")


def test_a_wait_that_raises_ends_no_loop():
    """The next tick comes within an interval."""
    assert wait_struck(3660, 3720).judge("TICK-5").verdict == "held"
    assert wait_struck().judge("TICK-5").verdict == "violated"
    assert wait_struck(3700).judge("TICK-5").verdict == "violated"


def test_a_crash_between_two_files_loses_no_record():
    """The machine dies as it writes down what the crash before it left; and once more."""
    more = (
        "name: between\nstart: 2026-03-07T23:30:00\nlasts: 3h\n"
        "jobs: [{id: j, schedule: every 20m}]\n"
        "faults: [{into: store.execution, crash: true, for: 3m, nth: 1, times: 2}]\n"
    )
    scenario = parse_scenario(more)
    run = simulate(scenario, reference_host().bundled()["builtin"])
    assert len(run.history.of("fault")) == 2
    assert judge(run.history, scenario).verdict == "held"


TWO = "machines: [a, b]\njobs: [{id: j, schedule: every 20m}]\n"


def renewed_last(build: Build, taken_over: str, by: str = "b") -> Build:
    """A run of an hour whose claim is renewed last at 69 minutes; another begins the next."""
    build.up().loop().up(machine="b").loop(machine="b").run("j", "1h", "1h")
    claim = {"at": iso("69m"), "by": "a:1", "token": 1}
    return build.store("69m", "j", fire_claim=claim).run("j", taken_over, machine=by)


def slept_in_a_run(taken_over: str, by: str = "b") -> Build:
    """A machine sleeps at 70 minutes, in a run of an hour; another begins the next meanwhile."""
    more = "steps: [{at: 70m, do: suspend, machine: a, for: 30m}]\n"
    return renewed_last(done(Build(TWO + more), "70m", "suspend"), taken_over, by)


def hung_in_a_run(taken_over: str, seam: str = "store.lock", by: str = "b", at: str = "70m") -> Build:  # fmt: skip
    """A call hangs for ten minutes there, in a run of an hour; another begins the next."""
    build = Build(f"{TWO}faults: [{{into: {seam}, hang: 10m, at: {at}}}]\n")
    build.add(at, "fault", index=0, seam=seam, does="hang")
    return renewed_last(build, taken_over, by)


def test_a_claim_of_a_machine_that_sleeps_is_over_after_its_time():
    """It could not renew it. One that was awake again, or slept for a moment, could."""
    assert slept_in_a_run("80m").judge("ONCE-6").verdict != "violated"
    assert slept_in_a_run("105m").judge("ONCE-6").verdict == "violated"
    assert slept_in_a_run("73m").judge("ONCE-6").verdict == "violated"
    assert slept_in_a_run("80m", by="a").judge("ONCE-6").verdict == "violated"


def test_a_claim_whose_renewal_hangs_is_over_after_its_time():
    """It could not renew it. One that was through again, or that hung elsewhere or later, could."""
    assert hung_in_a_run("76m").judge("ONCE-6").verdict != "violated"
    assert hung_in_a_run("76m", "store.sync").judge("ONCE-6").verdict != "violated"
    assert hung_in_a_run("73m").judge("ONCE-6").verdict == "violated"
    assert hung_in_a_run("81m").judge("ONCE-6").verdict == "violated"
    assert hung_in_a_run("76m", "store.signal").judge("ONCE-6").verdict == "violated"
    assert hung_in_a_run("76m", "tick").judge("ONCE-6").verdict == "violated"
    assert hung_in_a_run("76m", at="73m").judge("ONCE-6").verdict == "violated"
    assert hung_in_a_run("76m", by="a").judge("ONCE-6").verdict == "violated"


def ended_while_it_hung(ended: str, hang: str = "10m") -> Build:
    """A renewal hangs at 70 minutes; another ends the claim then, and runs what is due later."""
    build = Build(f"{TWO}faults: [{{into: store.lock, hang: {hang}}}]\n")
    build.add("70m", "fault", index=0, seam="store.lock", does="hang")
    build.add(ended, "store.commit", "store", changes=[["j", {"id": "j"}]], by="b")
    return renewed_last(build, "100m")


def test_a_claim_that_another_ended_while_its_renewal_hung_was_over():
    """Though its job runs again only after that; not when its time was not over."""
    assert ended_while_it_hung("76m").judge("ONCE-6").verdict != "violated"
    assert ended_while_it_hung("73m").judge("ONCE-6").verdict == "violated"
    assert ended_while_it_hung("76m", "3m").judge("ONCE-6").verdict == "violated"


def written_late(hang: str) -> Build:
    """A renewal at 69 minutes had hung in its write until then; another takes over at once."""
    build = Build(f"{TWO}faults: [{{into: store.write, hang: {hang}m}}]\n")
    build.add(f"{69 - int(hang)}m", "fault", index=0, seam="store.write", does="hang")
    return renewed_last(build, "4141s")


def test_a_renewal_is_as_old_as_its_write_when_that_hung():
    """When it hung as long as a claim lives."""
    assert written_late("6").judge("ONCE-6").verdict != "violated"
    assert written_late("4").judge("ONCE-6").verdict == "violated"


def zone_moved(start: str, to: str, schedule: str, *runs: str | int) -> Build:
    """A cron job in UTC; after an hour the zone is another."""
    more = f"zone: UTC\nlasts: 20h\njobs: [{{id: j, schedule: {schedule}}}]\n"
    more += f"steps: [{{at: 1h, do: set-zone, to: {to}}}]\n"
    build = Build(more, start=start).up().loop(last="20h")
    return done(build, "1h", "set-zone").runs("j", *runs)


def test_hands_of_the_clock_that_move_with_the_zone():
    """What they pass over may come at once, what they show again need not come again."""
    # From 08:00 to 19:00, over 12:00: at once or on the next day, and not between.
    east = ("2026-03-02T07:00:00", "Pacific/Guadalcanal", "0 12 * * *")
    assert zone_moved(*east, 3660, "18h").judge("TIME-5").verdict == "held"
    assert zone_moved(*east, "18h").judge("TIME-5").verdict == "held"
    assert zone_moved(*east).judge("TIME-5").verdict == "violated"
    assert zone_moved(*east, "5h", "18h").judge("TIME-5").verdict == "violated"
    # From 20:00 to 10:00, which shows 12:00 again: once more or not, and not at the old 12:00.
    west = ("2026-03-02T19:00:00", "Pacific/Honolulu", "0 12 * * *")
    assert zone_moved(*west, "3h").judge("TIME-5").verdict == "held"
    assert zone_moved(*west).judge("TIME-5").verdict != "violated"
    assert zone_moved(*west, "17h").judge("TIME-5").verdict == "violated"
    # What follows elapsed time goes on.
    assert zone_moved(*west[:2], "0 */6 * * *").judge("TIME-5").verdict == "violated"


def test_what_was_due_before_the_zone_was_changed_may_run_after_it():
    """A second before, in the tick after; not again."""
    more = "lasts: 90m\njobs: [{id: j, schedule: 59 * * * *}]\n"
    more += "steps: [{at: 59m1s, do: set-zone, to: America/New_York}]\n"
    for runs, right in ((("1h",), True), ((3541, "1h"), False), (("61m", "62m"), False)):
        build = done(Build(more).up().loop(last="90m"), "59m1s", "set-zone").runs("j", *runs)
        assert (build.judge("TIME-5").verdict != "violated") is right


def test_a_clock_that_is_ahead_takes_what_comes_just_after_the_end():
    """By two seconds; and not twice, and not by ten."""
    more = "machines: {a: {skew: 2s}}\njobs: [{id: j, schedule: every 1h}]\nlasts: 3h59m59s\n"
    build = Build(more).up().loop(last="3h59m").runs("j", "1h", "2h", "3h")
    assert build.run("j", 14398).judge("ONCE-10").verdict != "violated"
    assert build.run("j", 14399).judge("ONCE-10").verdict == "violated"
    early = Build(more).up().loop(last="3h59m").runs("j", "1h", "2h", "3h", 14390)
    assert early.judge("ONCE-10").verdict == "violated"


def beside_a_read(machine: str) -> Build:
    """A process hangs as it reads the jobs, under the lock or not, while another boots."""
    build = Build(f"machines: [a, b]\n{ONE}faults: [{{into: store.read, hang: 12m}}]\n").up().loop()
    return struck(build, 5, machine).up(10, machine="b").loop(first=50, machine="b")


def test_a_first_tick_waits_for_a_lock_that_another_may_keep():
    """Another process; what it does itself has no such excuse beyond the hang."""
    assert beside_a_read("a").judge("TICK-1").verdict == "held"
    assert beside_a_read("operator").judge("TICK-1").verdict == "held"
    calm = Build(f"machines: [a, b]\n{ONE}").up().loop().up(10, machine="b").loop(50, machine="b")
    assert calm.judge("TICK-1").verdict == "violated"


def test_a_heartbeat_that_hangs_tells_nothing_by_another_interval_either():
    """STAT-9 asks for STALLED by the interval that is kept, where that could be known."""
    build = struck(faulty("{into: heartbeat, hang: 12m}", f"interval: 20\n{ONE}"), 3601).up()
    for second in range(0, 3600, 20):
        build.tick(second)
    build.add("1h", "tick.begin", sync=False).add("1h", "signal", name="ticker-1", content="{}")
    build.add("1h", "tick.end", error=None, dispatched=0).add("1h", "heartbeat", success=True)
    assert build.status("62m", verdict="unknown").judge("STAT-9").verdict == "unknown"
    assert build.judge("STAT-2").verdict == "held"
    assert build.status("64m", verdict="unknown").judge("STAT-2").verdict == "violated"


def test_what_a_machine_with_another_clock_says_need_not_be_believed():
    """Its words may be missing; a promise is wrong all the same."""
    wrong = clock_set("-10m")
    for second in range(5400, 9000, 60):
        wrong.drop("signal", second)
    wrong.status("2h5m", verdict="unknown")
    assert wrong.judge("STAT-2").verdict != "violated"
    assert (
        wrong.status("2h6m", verdict="healthy", promises=True).judge("STAT-2").verdict == "violated"
    )


def test_what_a_dead_machine_had_claimed_does_not_bring_the_old_grid_back():
    """An interval is resumed, on a new grid, while the claim on its old one still stands."""
    more = (
        "name: regrid\nstart: 2026-03-28T23:00:00\nlasts: 5h1m\n"
        "jobs: [{id: j, schedule: every 30m}]\n"
        "steps: [{at: 2h9m40s, do: resume, job: j}]\n"
        "faults: [{into: claim, crash: true, for: 2h, after: true, nth: 4}]\n"
    )
    scenario = parse_scenario(more)
    run = simulate(scenario, reference_host().bundled()["builtin"])
    assert run.history.of("fault")
    assert judge(run.history, scenario).verdict == "held"


def test_a_claim_counts_from_when_the_lock_was_got():
    """A fire waits six minutes for the lock; its claim is not over before its run begins."""
    more = (
        "name: waited\nstart: 2026-03-02T08:00:00\nlasts: 3h\n"
        "jobs: [{id: j, schedule: every 1h, runs_for: 3m}]\n"
        "faults: [{into: store.lock, on: claim, hang: 6m, nth: 1}]\n"
    )
    scenario = parse_scenario(more)
    run = simulate(scenario, reference_host().bundled()["chronos"])
    assert run.history.of("fault")
    stored = [
        event
        for event in run.history.of("store.commit")
        if event.at_us > us("1h") + scenario.start_us
    ]
    claims = [record["fire_claim"] for event in stored for _, record in event.data["changes"]]
    assert next(one["at"] for one in claims if one) >= iso("66m")
    assert judge(run.history, scenario).verdict != "violated"


def taken_by_another_clock(ahead: str, renewed: str, taken: str) -> Build:
    """A run of an hour, renewed last at `renewed`; machine b, whose clock is ahead, closes it."""
    more = f"steps: [{{at: 65m, do: set-clock, machine: b, by: {ahead}}}]\n"
    build = Build(f"machines: [a, b]\njobs: [{{id: j, schedule: every 20m}}]\n{more}").up().loop()
    done(build, "65m", "set-clock").up(machine="b").loop(machine="b").run("j", "1h", "1h")
    build.store(renewed, "j", fire_claim={"at": iso(renewed), "by": "a:1", "token": 1})
    build.add(taken, "store.commit", "store", changes=[["j", {"id": "j"}]], by="b")
    return build.run("j", "80m", machine="b")


def test_a_claim_may_be_over_by_a_clock_that_was_set_ahead():
    """By that much and no more."""
    assert taken_by_another_clock("10m", "65m", "66m").judge("ONCE-6").verdict != "violated"
    assert taken_by_another_clock("2m", "65m", "66m").judge("ONCE-6").verdict == "violated"
    assert taken_by_another_clock("-10m", "65m", "66m").judge("ONCE-6").verdict == "violated"


def result_refused(*, marked: bool, level: str = "WARNING", on: str = "1s") -> Build:
    """Somebody keeps the lock from 1h1s on; the tick after that does not get it, and is clean."""
    build = Build(ONE + "steps: [{at: 1h1s, do: hold-lock, for: 3m}]\n").up()
    done(build, "1h1s", "hold-lock").loop(skip=[3660]).run("j", "1h", on).runs("j", "2h", "3h")
    build.add(3660, "tick.begin", sync=False)
    build.add(3670, "store.refused", "store", by="a", step="lock", reason="busy")
    if marked:
        build.add(3670, "mark", job="j", ok=True, error="StoreBusy")
    build.add(3670, "log", level=level, logger="x", error=None)
    return build.add(3670, "tick.end", error=None, dispatched=0).beat(3670, success=True)


def test_a_result_that_is_kept_for_later_is_no_look_that_failed():
    """It is said; a tick that did not get the lock for anything else is no clean one."""
    assert result_refused(marked=True).judge("LIVE-10").verdict == "held"
    assert result_refused(marked=True, level="INFO").judge("LIVE-10").verdict == "violated"
    assert result_refused(marked=False).judge("LIVE-10").verdict == "violated"


def test_a_claim_that_is_not_renewed_is_no_look_that_failed():
    """While its run is on, and it is said as what it is."""
    errs = {"marked": False, "level": "ERROR"}
    assert result_refused(**errs, on="3m").judge("LIVE-10").verdict == "held"
    assert result_refused(**errs).judge("LIVE-10").verdict == "violated"
    assert result_refused(marked=False, on="3m").judge("LIVE-10").verdict == "violated"


def hung_by_hand(hang: str) -> Build:
    """A run by hand hangs between its claim and its run, and then runs nothing."""
    build = Build(
        "jobs: [{id: j, schedule: every 1h}]\nsteps: [{at: 30m, do: run, job: j}]\n"
        f"faults: [{{into: store.lock, hang: {hang}}}]\n"
    )
    build.up().loop().runs("j", "1h", "2h", "3h").add("30m", "op", "operator", do="run", job="j")
    struck(build.store(1801, "j", next_run_at=iso("1h")), 1801, "operator")
    return build.add(f"{1801 * 10**6 + us(hang)}us", "op.end", "operator", do="run", error=None, job="j")  # fmt: skip


def test_a_run_by_hand_whose_claim_is_over_runs_nothing():
    """When it hung for longer than a claim lives; not when it hung for less."""
    assert hung_by_hand("6m").judge("LIVE-1").verdict != "violated"
    assert hung_by_hand("2m").judge("LIVE-1").verdict == "violated"


def rests(*more: str) -> Build:
    """A job is paused at half past, and run by hand at 90 minutes."""
    build = Build(ONE + "steps: [{at: 30m, do: pause, job: j}, {at: 90m, do: run, job: j}]\n").up()
    build.loop().op("30m", "pause", "j").add("90m", "op", "operator", do="run", job="j")
    build.run("j", "90m", 2, "operator")
    build.add(5402, "op.end", "operator", do="run", job="j", error=None)
    return build.runs("j", *more)


def test_a_job_that_rests_is_run_by_hand_and_rests_on():
    """That one run and no other."""
    assert rests().judge("FIRE-4").verdict != "violated"
    assert rests().judge("LIVE-1").verdict != "violated"
    assert rests("2h").judge("FIRE-4").verdict == "violated"


def late_by(*ticks: int) -> Build:
    """Ticks every minute, and then at these seconds."""
    build = Build(ONE).up().loop(last="10m")
    for at in ticks:
        build.tick(at)
    return build


def test_a_tick_on_the_grid_after_a_late_one_is_no_burst():
    """One that makes up for what was missed is: at once, off the grid, or a second."""
    assert late_by(640, 660, 720).judge("TICK-8").verdict != "violated"
    assert late_by(640, 641, 700).judge("TICK-8").verdict == "violated"
    assert late_by(640, 655, 715).judge("TICK-8").verdict == "violated"
    assert late_by(640, 660, 665).judge("TICK-8").verdict == "violated"
    assert late_by(700, 710, 770).judge("TICK-8").verdict == "violated"


def two_by_hand(*runs: str) -> Build:
    """A command that runs a job waits twelve minutes; another runs it meanwhile."""
    more = "steps: [{at: 10m, do: run, job: j}, {at: 20m, do: run, job: j}]\n"
    build = Build(ONE + more).up().loop().add("10m", "op", "operator", do="run", job="j", step=0)
    build.add("20m", "op", "operator", do="run", job="j", step=1)
    build.store("20m", "j", next_run_at=iso("1h"))
    build.run("j", "20m", 1, "operator")
    build.add("21m", "op.end", "operator", do="run", job="j", error=None, step=1)
    for at in runs:
        build.run("j", at, 1, "operator")
    return build.add("23m", "op.end", "operator", do="run", job="j", error=None, step=0)


def test_a_run_belongs_to_the_command_that_still_goes_on():
    """One run for each command."""
    assert two_by_hand("22m").judge("ONCE-10").verdict != "violated"
    assert two_by_hand("22m", "22m30s").judge("ONCE-10").verdict == "violated"
    assert two_by_hand("24m").judge("ONCE-10").verdict == "violated"


@pytest.mark.parametrize(("phase", "verdict"), [("mark", "unknown"), ("due", "violated")])
def test_a_result_that_cannot_be_read_for_is_no_look(phase, verdict):
    """Only what was read for the look makes a tick that could not look."""
    build = Build(ONE).up().loop(last=3600).loop(first=3660).runs("j", 3601, "2h", "3h")
    build.add(3600, "tick.begin", sync=False).fault(3600, "store.read", phase=phase)
    build.add(3600, "tick.end", error=None, dispatched=0).beat(3600, success=True)
    assert build.judge("TICK-7").verdict == verdict
