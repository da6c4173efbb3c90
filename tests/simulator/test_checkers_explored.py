"""What a search found judges too strict about; beside each history that is right, wrong ones."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from histories import Build, iso, us

from simulator.checkers import CHECKERS

ONE = "jobs: [{id: j, schedule: every 1h}]\n"


def died_by_another_clock(*told: tuple[str, str]) -> Build:
    """The clock is an hour behind; the run of one hour dies; what is on record then."""
    build = Build(ONE + "steps: [{at: 30m, do: set-clock, machine: a, by: -1h}]\n")
    build.up().loop(last="1h").op("30m", "set-clock").run("j", "1h", None).add(3601, "crash")
    for at, state in told:
        build.missed("j", at, at="62m", state=state)
    return build.up("62m").loop(first="62m")


def test_a_run_is_recorded_by_the_clock_of_its_machine():
    """What happened by that clock, and not what the true time calls so."""
    assert died_by_another_clock(("0m", "unknown")).judge("LIVE-6").verdict == "held"
    assert died_by_another_clock(("0m", "completed")).judge("LIVE-6").verdict == "violated"
    right_by_true_time = died_by_another_clock(("0m", "completed"), ("1h", "unknown"))
    assert right_by_true_time.judge("LIVE-6").verdict == "violated"


def late_by_its_claim(*told: tuple[str, str, str]) -> Build:
    """The claim of one hour hangs; its run begins at 2h5m and dies; what is on record of what.

    The next occurrence is taken by another after its death.
    """
    build = Build(ONE).up().loop(last="2h5m").missed("j", "1h", at="1h", state="claimed")
    build.missed("j", "1h", at="125m", state="running").run("j", "2h5m", None)
    for occurrence, at, state in told:
        build.missed("j", occurrence, at=at, state=state)
    build.add("125m10s", "crash").up("126m").loop("126m")
    return build.missed("j", "2h", at="126m", state="completed").run("j", "3h")


def test_a_run_is_that_of_the_claim_that_was_recorded_before_it():
    """When that is told as cut off after its death; a later occurrence says nothing of it."""
    assert late_by_its_claim(("1h", "126m", "unknown")).judge("LIVE-6").verdict == "held"
    assert late_by_its_claim(("1h", "125m5s", "unknown")).judge("LIVE-6").verdict == "violated"
    assert late_by_its_claim(("1h", "126m", "completed")).judge("LIVE-6").verdict == "violated"
    assert late_by_its_claim(("30m", "126m", "unknown")).judge("LIVE-6").verdict == "violated"
    assert late_by_its_claim().judge("LIVE-6").verdict == "violated"


def leaves_before_another(arms_at: str, *, fires_at: str = "1h", held: str = "20s") -> Build:
    """Of two gateways that are asked to leave, one does, and 30 s later the other; an arm."""
    tape = f"tape: {{seed: 1, choices: [['b#1/cron-fire-1', 5, {held}]]}}\n"
    build = Build(f"machines: [a, b]\n{tape}{ONE}", external=True).up().up(machine="b")
    build.add(fires_at, "fire.begin", "b", job="j")
    build.add("70m", "stop.requested").add("70m", "stop.requested", "b")
    build.add("70m", "stopped").add("70m30s", "stopped", "b")
    return build.arm("j", arms_at, "2h")


def test_a_fire_that_the_tape_held_back_arms_while_its_gateway_leaves():
    """It was about to; not one that came later, nor for longer."""
    assert leaves_before_another("70m20s").judge("RECON-5").verdict == "held"
    assert leaves_before_another("70m21s").judge("RECON-5").verdict == "violated"
    assert leaves_before_another("70m20s", held="0s").judge("RECON-5").verdict == "violated"
    assert leaves_before_another("70m20s", fires_at="70m1s").judge("RECON-5").verdict == "violated"


def asked_again(hangs_at: str, job: str = "j", beside: str | None = None) -> Build:
    """Armed at 70 minutes, and provisioned there again 4 s later; a call hangs for as long.

    So does one of another machine, from `beside` on.
    """
    faults = "machines: [a, b]\nfaults: [{into: nas.provision, hang: 4s}]\n"
    build = Build(ONE + faults, external=True).up().up(machine="b")
    build.arm("j", 0, "1h").fire("j", "1h", arms="2h")
    struck = {"index": 0, "seam": "nas.provision", "does": "hang", "job": job}
    if beside is not None:
        build.add(beside, "fault", "b", **struck)
    build.add(hangs_at, "fault", **struck)
    build.add("70m", "nas.cancelled", "nas", job_id="j").arm("j", "70m", "2h")
    return build.call("70m4s", "provision", "j")


def test_a_call_that_hung_was_asked_before_what_was_armed_meanwhile():
    """It cannot have known; one that was asked later could."""
    assert asked_again("70m").judge("RECON-2").verdict != "violated"
    assert asked_again("70m1s").judge("RECON-2").verdict == "violated"
    assert asked_again("69m").judge("RECON-2").verdict == "violated"
    assert asked_again("70m", job="k").judge("RECON-2").verdict == "violated"


def test_who_was_at_it_already_cannot_have_known_what_another_armed_meanwhile():
    """Its calls hung one after the other, and the list that it goes by is older than the arm."""
    assert asked_again("70m", job="k", beside="4198s").judge("RECON-2").verdict != "violated"
    assert asked_again("70m", job="k", beside="4195s").judge("RECON-2").verdict == "violated"
    assert asked_again("4198s", job="k", beside="70m1s").judge("RECON-2").verdict == "violated"


def resumed(*runs: str, ends_first: bool = False) -> Build:
    """A resume at half past; a run that ends meanwhile stores the old grid, and then the new is."""
    build = Build(ONE + "steps: [{at: 90m, do: resume, job: j}]\n").up().loop()
    build.add("90m", "op", "operator", do="resume", job="j").store(
        "90m", "j", next_run_at=iso("2h")
    )
    if not ends_first:
        build.store("90m", "j", next_run_at=iso("150m"))
    build.add("90m", "op.end", "operator", do="resume", job="j", error=None)
    if ends_first:
        build.store("91m", "j", next_run_at=iso("150m"))
    return build.runs("j", "1h", *runs)


def test_the_grid_is_the_one_that_stands_when_the_resume_is_done():
    """What is stored later, or before, gives no other."""
    assert resumed("150m", "210m").judge("LIVE-1").verdict != "violated"
    assert resumed("2h", "3h").judge("LIVE-1").verdict == "violated"
    assert resumed("2h", "3h", ends_first=True).judge("LIVE-1").verdict != "violated"
    assert resumed("150m", "210m", ends_first=True).judge("LIVE-1").verdict == "violated"


def hung_with_its_claim(hang: str, told: str, state: str) -> Build:
    """Machine a takes the first hour and hangs; what is said of it later; nobody runs it."""
    more = f"faults: [{{into: store.execution, hang: {hang}}}]\n"
    build = Build(f"machines: [a, b]\n{ONE}{more}").up().up(machine="b").loop(machine="b")
    for token, at in enumerate(("1h", "2h", "3h")):
        claim = {"at": iso(at), "by": "a:1" if at == "1h" else "b:1", "token": token}
        build.store(at, "j", fire_claim=claim)
    build.add("1h", "fault", index=0, seam="store.execution", does="hang")
    build.missed("j", "1h", at=told, state=state)
    return build.run("j", "2h", machine="b").run("j", "3h", machine="b")


def test_whose_machine_hangs_until_its_claim_is_over_does_not_begin():
    """When it hung as long as a claim lives, and somebody says what became of it."""
    assert hung_with_its_claim("6m", "66m", "skipped").judge("LIVE-1").verdict != "violated"
    assert hung_with_its_claim("6m", "65m", "unknown").judge("LIVE-1").verdict != "violated"
    assert hung_with_its_claim("6m", "66m", "claimed").judge("LIVE-1").verdict == "violated"
    assert hung_with_its_claim("6m", "64m", "skipped").judge("LIVE-1").verdict == "violated"
    assert hung_with_its_claim("4m", "66m", "skipped").judge("LIVE-1").verdict == "violated"


def lost(asked: str) -> Build:
    """The disk loses what one hour's run wrote; a status that promises nothing."""
    build = Build(ONE + "faults: [{into: store.replace, damage: lost}]\n").up().loop()
    build.runs("j", "1h", "2h", "3h").store(3602, "j", state="scheduled")
    build.add(3602, "fault", index=0, seam="store.replace", does="damage")
    return build.status(asked, verdict="unhealthy", names=["j"])


def test_a_status_may_doubt_a_job_whose_write_was_lost():
    """Until it has run well again."""
    assert lost("90m").judge("STAT-1").verdict == "unknown"
    assert lost("150m").judge("STAT-1").verdict == "violated"


def made_after_the_jump(made: str, *runs: str) -> Build:
    """A clock is set at half past; an interval is made at `made`."""
    build = Build(
        "jobs: [{id: j, schedule: every 30m, created: by a step}]\nsteps:\n"
        f"- {{at: 30m, do: set-clock, machine: a, by: 10m}}\n- {{at: {made}, do: create, job: j}}\n"
    )
    return build.up().loop().op("30m", "set-clock").op(made, "create", "j").runs("j", *runs)


def test_no_jump_silences_a_job_that_is_not_there_yet():
    """It has its time from when it was made."""
    assert made_after_the_jump("190m").judge("LIVE-11").verdict == "unknown"
    assert made_after_the_jump("170m", "200m", "230m").judge("LIVE-11").verdict == "held"
    assert made_after_the_jump("170m").judge("LIVE-11").verdict == "violated"


def beats_lost_for_long(asked: str, *, heard: bool = False) -> Build:
    """From ten minutes on no heartbeat can be written; the tick at 20 tells that it works."""
    build = Build("jobs: [{id: j, schedule: every 20m}]\n").up().loop(last="10m")
    for minute in range(10, 40):
        build.add(f"{minute}m", "tick.begin", sync=False)
        if minute == 20:
            build.add("20m", "signal", name="ticker-1", content="{}").run("j", "20m")
        build.add(f"{minute}m", "tick.end", error=None, dispatched=0)
        build.add(f"{minute}m", "heartbeat", success=True).fault(f"{minute}m", "heartbeat")
        if heard and minute == 20:
            build.add("20m", "signal", name="ticker-1", content="{}")
    return build.status(asked, verdict="unknown", names=["j"])


def test_what_was_told_last_stands_though_other_ticks_came_since():
    """For ten intervals of that tick, and only where its end was not told."""
    assert beats_lost_for_long("22m30s").judge("STAT-2").verdict == "held"
    assert beats_lost_for_long("31m").judge("STAT-2").verdict == "violated"
    assert beats_lost_for_long("19m30s").judge("STAT-2").verdict == "violated"
    assert beats_lost_for_long("22m30s", heard=True).judge("STAT-2").verdict == "violated"


def never_ends(lives_s: int | None) -> Build:
    """Somebody keeps the lock; a tick has no end, and its machine dies so long after it began."""
    build = Build(ONE + "steps: [{at: 30m, do: hold-lock, for: 1h}]\n").up().loop(last="1h")
    build.op("30m", "hold-lock").add("1h", "tick.begin", sync=False)
    return build if lives_s is None else build.add(3600 + lives_s, "crash")


def test_a_tick_that_dies_while_it_waits_for_a_lock_waited_no_longer():
    """Before the time was over; later it had waited without a bound."""
    assert never_ends(10).judge("LIVE-10").verdict != "violated"
    assert never_ends(200).judge("LIVE-10").verdict == "violated"
    assert never_ends(None).judge("LIVE-10").verdict == "violated"


def claimed_in_one_write(ran: str, *claimed: str) -> Build:
    """A fault strikes a tick after it claimed these jobs; they all run at `ran`."""
    jobs = "jobs: [{id: j, schedule: every 1h}, {id: k, schedule: every 1h}]\n"
    build = Build(jobs + "faults: [{into: claim, raise: SystemExit, after: true}]\n").up().loop()
    build.add("1h", "fault", index=0, seam="claim", does="raise")
    changes = [[job, {"id": job, "fire_claim": {"at": iso("1h"), "by": "a:1"}}] for job in claimed]
    build.add("1h", "store.commit", "store", changes=changes, by="a")
    for job in ("j", "k"):
        build.runs(job, ran, "2h", "3h")
    return build


def test_a_claim_of_several_jobs_that_is_struck_is_one_of_each():
    """Each may wait until its claim is over; a job that it did not claim may not."""
    assert claimed_in_one_write("65m", "j", "k").judge("LIVE-1").verdict == "held"
    assert claimed_in_one_write("65m", "j").judge("LIVE-1").verdict == "violated"
    assert claimed_in_one_write("68m", "j", "k").judge("LIVE-1").verdict == "violated"


def two_runs_left(*by_hand: str) -> Build:
    """A job that may run twice runs at one hour, and by hand."""
    job = "jobs: [{id: j, schedule: every 1h, repeat: 2}]\n"
    steps = [f"{{at: {at}, do: run, job: j}}" for at in by_hand]
    build = Build(f"{job}steps: [{', '.join(steps)}]\n").up().loop().run("j", "1h")
    for at in by_hand:
        build.add(at, "op", "operator", do="run", job="j").run("j", at, 0, "operator")
        build.add(at, "op.end", "operator", do="run", job="j", error=None)
    return build


def test_a_run_by_hand_may_be_the_last_just_before_an_occurrence():
    """There is none left then."""
    assert two_runs_left("119m40s").judge("LIVE-1").verdict != "violated"
    assert two_runs_left().judge("LIVE-1").verdict == "violated"


def lock_not_got(
    by: str | None, *, asked: bool = False, before: Sequence[str] = (), **about: str
) -> Build:
    """In the tick of one hour a lock is not got; who stores jobs before the tick ends, cleanly."""
    build = Build(ONE).up()
    for kind in before:
        about_it = {"do": "suspend"} if kind == "op" else {"step": "lock", "by": "a"}
        build.add(1800, kind, "store" if kind == "store.refused" else "operator", **about_it)
    build.loop(last=3600).loop(first=3660).runs("j", 3601, "2h", "3h")
    build.add(3600, "tick.begin", sync=False).fault(3600, "store.lock", **about)
    if asked:
        build.add(3600, "op", "operator", do="pause", job="j")
    if by is not None:
        build.add(3600, "store.commit", "store", changes=[["j", {"id": "j"}]], by=by)
    if asked:
        build.add(3600, "op.end", "operator", do="pause", job="j", error=None)
    return build.add(3600, "tick.end", error=None, dispatched=0).beat(3600, success=True)


def test_a_tick_that_stores_jobs_after_a_lock_it_did_not_get_has_looked():
    """It was another lock. What somebody else stores meanwhile shows nothing."""
    assert lock_not_got("a").judge("TICK-7").verdict == "unknown"
    assert lock_not_got(None).judge("TICK-7").verdict == "violated"
    assert lock_not_got("b").judge("TICK-7").verdict == "violated"
    assert lock_not_got("a", asked=True).judge("TICK-7").verdict == "violated"
    assert lock_not_got("a", before=["op"]).judge("TICK-7").verdict == "unknown"


@pytest.mark.parametrize(
    ("about", "before", "verdict"),
    [
        ({"lock": "jobs"}, [], "violated"),
        ({"lock": "executions"}, [], "unknown"),
        ({"lock": "jobs"}, ["store.refused"], "unknown"),
        ({"lock": "jobs", "phase": "due"}, ["store.refused"], "violated"),
    ],
)
def test_a_lock_that_is_not_wanted_to_look(about, before, verdict):
    """It is another one, or nobody says what for and what was refused before is tried again."""
    assert lock_not_got(None, before=before, **about).judge("TICK-7").verdict == verdict


def two_keep_the_lock(first: str, wrote: str) -> Build:
    """Somebody keeps the lock from 30m on, and from 31m on somebody else wants it for an hour."""
    build = Build(
        f"{ONE}steps:\n- {{at: 30m, do: hold-lock, for: {first}}}\n"
        "- {at: 31m, do: hold-lock, for: 1h}\n"
    )
    build.up().loop().op("30m", "hold-lock").op("31m", "hold-lock").store("29m", "j")
    if us(first) > us("1m"):
        waits_n = [event.n for event in build.history().of("op")][-1]
        build.add("31m", "lock.waits", "operator", op=waits_n)
        build.add(f"{us('30m') + us(first) + 1}us", "lock.held", "operator", op=waits_n)
    return build.add(wrote, "store.commit", "store", changes=[["j", {"id": "j"}]], by="a")


def test_who_wants_a_lock_that_is_kept_does_not_keep_it_yet():
    """A gateway that waited longer goes first; while it is kept nobody does."""
    assert two_keep_the_lock("3m", "33m").judge("LIVE-10").verdict != "violated"
    assert two_keep_the_lock("3m", "32m").judge("LIVE-10").verdict == "violated"
    assert two_keep_the_lock("30s", "32m").judge("LIVE-10").verdict == "violated"
    assert two_keep_the_lock("3m", "34m").judge("LIVE-10").verdict == "violated"


def left_before_its_tick(held_s: int, asked: int) -> str:
    """A loop starts at 1h; it is asked to leave so many seconds later, and never ticks."""
    build = Build(f"{ONE}lasts: 62m\n")
    build.add("1h", "boot").add("1h", "up").add("1h", "provider.start", interval_s=60, kwargs=[])
    build.add("1h", "heartbeat", success=False).add(3600 + asked, "stop.requested")
    build.add(3600 + asked, "provider.returned", stopping=True).add(3600 + asked, "stopped")
    history = build.history()
    history.header["tape"] = {"seed": 1, "choices": [["a#1/cron-provider", 3, held_s * 10**6]]}
    return CHECKERS["TICK-1"](history, build.scenario).verdict


def test_who_is_held_back_may_be_asked_to_leave_before_the_first_tick():
    """By as much as the tape held back; nobody else needs a second for it."""
    assert left_before_its_tick(4, 3) != "violated"
    assert left_before_its_tick(4, 7) == "violated"
    assert left_before_its_tick(0, 3) == "violated"


def paused_and_resumed(ends_s: int, off_s: int) -> Build:
    """A pause from 1800 s until `ends_s`, a resume from 1801 on; when it stands switched off."""
    steps = "steps: [{at: 30m, do: pause, job: j}, {at: 1801s, do: resume, job: j}]\n"
    build = Build(ONE + steps).up().loop().add(1800, "op", "operator", do="pause", job="j", step=0)
    build.add(1801, "op", "operator", do="resume", job="j", step=1)
    build.store(off_s, "j", next_run_at=iso("1h"), enabled=False, state="paused")
    build.add(ends_s, "op.end", "operator", do="pause", job="j", error=None, step=0)
    return build.add(1803, "op.end", "operator", do="resume", job="j", error=None, step=1)


def test_a_pause_that_still_goes_on_may_switch_off_after_a_resume_began():
    """When it was over before, it may not."""
    assert paused_and_resumed(1802, 1802).judge("LIVE-13").verdict != "violated"
    assert paused_and_resumed(1800, 1802).judge("LIVE-13").verdict == "violated"


def overdue(asked: str, *, dies: bool, named: bool = False) -> Build:
    """A loop of 20 s runs nothing at one hour, or dies at it; what a status names then."""
    build = (
        Build(f"interval: 20\n{ONE}").up().store(1, "j", next_run_at=iso("1h"), state="scheduled")
    )
    for second in range(0, 3600 if dies else 4200, 20):
        build.tick(second)
    if dies:
        build.add("1h", "crash")
    return build.status(asked, names=["j"] if named else [])


def test_where_nobody_ticks_nobody_says_by_which_interval_a_job_is_late():
    """Then it is that of a host that is told none, 60 s."""
    assert overdue("62m", dies=True).judge("STAT-12").verdict != "violated"
    assert overdue("64m", dies=True).judge("STAT-12").verdict == "violated"
    assert overdue("64m", dies=True, named=True).judge("STAT-12").verdict == "held"
    assert overdue("62m", dies=False).judge("STAT-12").verdict == "violated"


def held_up_in_its_write(seam: str, *runs: str, other: bool = False, **about: object) -> Build:
    """The claim of one hour, or a write before it, hangs for 65 minutes, and then it runs."""
    build = Build(f"{ONE}faults: [{{into: {seam}, on: claim, hang: 65m}}]\n").up().loop(last="1h")
    about |= {"seam": seam, "does": "hang", "phase": "claim"}
    build.add("1h", "fault", index=0, **about).loop(first="125m")
    if other:
        build.store("125m", "other")
    for token, at in enumerate(("125m", *runs)):
        claim = {"at": iso(at), "by": "a:1", "token": token}
        build.store(at, "j", fire_claim=claim).run("j", at)
    return build


def test_a_claim_is_of_what_was_due_before_the_disk_held_up_its_write():
    """What came meanwhile runs then, once; who waits for the lock has yet to look."""
    assert held_up_in_its_write("store.sync", "126m", "3h").judge("LIVE-5").verdict != "violated"
    twice = held_up_in_its_write("store.sync", "126m", "127m", "3h")
    assert twice.judge("ONCE-10").verdict == "violated"
    assert held_up_in_its_write("store.lock", "126m", "3h").judge("LIVE-5").verdict == "violated"
    tells = held_up_in_its_write("store.lock", "126m", "3h", lock="executions", holds=["jobs"])
    assert tells.judge("LIVE-5").verdict != "violated"
    other = held_up_in_its_write("store.sync", "126m", "3h", other=True)
    assert other.judge("LIVE-5").verdict == "violated", "this claim was made after it"


def tick_that_dies(*ticks: int, asked: bool) -> Build:
    """In a loop of 300 s a tick that waits for its job at 660 s, in which the machine dies."""
    steps = "steps: [{at: 11m, do: tick, machine: a}]\n" if asked else ""
    build = Build(f"interval: 300\n{ONE}{steps}").up()
    for at in (0, 300, 600):
        build.tick(at)
    if asked:
        build.add(660, "op", "operator", do="tick", step=0)
    build.add(660, "tick.begin", sync=True).add(661, "crash").up(690)
    for at in ticks:
        build.tick(at, sync=True)
    return build


def test_a_tick_by_hand_has_no_end_when_its_machine_dies():
    """It is by hand all the same; those of the next process are its loop's."""
    assert tick_that_dies(asked=True).judge("TICK-6").verdict != "violated"
    assert tick_that_dies(asked=False).judge("TICK-6").verdict == "violated"
    assert tick_that_dies(690, 990, asked=True).judge("TICK-6").verdict == "violated"


def triggered_after_a_run(*runs: str) -> Build:
    """With clocks two seconds apart a job is triggered two seconds after it was claimed."""
    more = "machines: {a: {skew: 2s}}\nsteps: [{at: 3602s, do: trigger, job: j}]\n"
    build = Build(f"{more}{ONE}").up().loop()
    for token, at in enumerate(("1h", *runs)):
        if at == "61m":
            build.op(3602, "trigger", "j")
        build.store(at, "j", fire_claim={"at": iso(at), "by": "a:1", "token": token}).run("j", at)
    return build


def test_a_run_that_was_claimed_before_a_trigger_is_not_its():
    """The trigger has one of its own, and only one."""
    assert triggered_after_a_run("61m", "2h", "3h").judge("ONCE-10").verdict != "violated"
    assert triggered_after_a_run("61m", "62m", "2h", "3h").judge("ONCE-10").verdict == "violated"


def hung_beside_a_lock(hang: str, ends_s: int) -> Build:
    """Somebody keeps the lock for an hour; the tick of one hour hangs, and ends so much later."""
    steps = "steps: [{at: 30m, do: hold-lock, for: 1h}]\n"
    build = Build(f"{ONE}{steps}faults: [{{into: tick, hang: {hang}}}]\n").up().loop(last="1h")
    build.op("30m", "hold-lock").add("1h", "tick.begin", sync=False)
    build.add("1h", "fault", index=0, seam="tick", does="hang")
    return build.add(3600 + ends_s, "tick.end", error="StoreBusy", dispatched=None)


def test_a_tick_that_hangs_of_itself_waits_for_no_lock_meanwhile():
    """What it took beyond that it waited."""
    assert hung_beside_a_lock("6m", 370).judge("LIVE-10").verdict != "violated"
    assert hung_beside_a_lock("6m", 430).judge("LIVE-10").verdict == "violated"
    assert hung_beside_a_lock("2s", 370).judge("LIVE-10").verdict == "violated"


def made_a_one_shot(repeat: int, *, back: bool = False) -> Build:
    """A job that came again becomes a one-shot, whose run a crash cuts off; it runs once more."""
    steps = "- {at: 1s, do: update, job: j, set: {schedule: 59m}}\n"
    steps += "- {at: 2s, do: update, job: j, set: {schedule: every 1h}}\n" if back else ""
    build = Build(f"jobs: [{{id: j, schedule: every 2h, repeat: {repeat}}}]\nsteps:\n{steps}").up()
    build.loop().op("1s", "update", "j", set={"schedule": "59m"})
    if back:
        build.op("2s", "update", "j", set={"schedule": "every 1h"})
    due = "1h2s" if back else "59m1s"
    build.run("j", due, None).add("1h5s", "crash").up("1h30s")
    return build.run("j", "1h31s")


def test_what_became_a_one_shot_may_be_tried_as_often_as_it_may_run():
    """By what it is then, not by what it was."""
    assert made_a_one_shot(2).judge("ONCE-9").verdict != "violated"
    assert made_a_one_shot(1).judge("ONCE-9").verdict == "violated"
    assert made_a_one_shot(2, back=True).judge("ONCE-9").verdict == "violated"


def claimed_and_not_armed(asked: str, *, dies: bool = False) -> Build:
    """Its next arm is refused before the run, and the run is held up; the status is green."""
    build = Build(ONE, external=True).up()
    claim = {"at": iso("1h"), "by": "a:1", "token": 1}
    build.store("1h", "j", fire_claim=claim, next_run_at=iso("2h"))
    build.call(3601, "provision", "j", 503)
    if dies:
        build.add(3602, "crash").up(3603)
    return build.status(asked, verdict="healthy", promises=True)


def test_who_has_claimed_a_job_arms_it_when_its_run_is_over():
    """Also before the run begins: while the claim is fresh, and its holder lives."""
    assert claimed_and_not_armed("63m").judge("STAT-11").verdict == "unknown"
    assert claimed_and_not_armed("66m").judge("STAT-11").verdict == "violated"
    assert claimed_and_not_armed("63m", dies=True).judge("STAT-11").verdict == "violated"


def beside_slow_runs(began_s: int, *, slow: int) -> Build:
    """Jobs of half an hour, due all at once after a tick that was refused, and one more."""
    names = [f"slow-{nth}" for nth in range(slow)]
    jobs = "".join(f"- {{id: {name}, schedule: every 1h}}\n" for name in ("j", *names))
    more = f"lasts: 90m\njobs:\n{jobs}faults: [{{into: dispatch, raise: OSError}}]\n"
    build = Build(more).up().loop(last="90m")
    build.add("1h", "fault", index=0, seam="dispatch", does="raise")
    for name in names:
        build.run(name, "61m", "20m")
    return build.run("j", began_s)


def test_a_bounded_pool_may_begin_what_comes_at_once_one_after_another():
    """Half a tick later, beside runs that fill it, and no later."""
    assert beside_slow_runs(3690, slow=3).judge("LIVE-1").verdict != "violated"
    assert beside_slow_runs(3700, slow=3).judge("LIVE-1").verdict == "violated"
    assert beside_slow_runs(3690, slow=2).judge("LIVE-1").verdict == "violated"


def hung_start_beside_a_hang(hung: str, ticks_s: int) -> Build:
    """Machine b hangs in its start for ten minutes; meanwhile machine a hangs in the store."""
    rules = f"[{{into: start, hang: 10m}}, {{into: store.read, hang: {hung}}}]"
    build = Build(f"machines: [a, b]\n{ONE}faults: {rules}\n").up().loop().up(machine="b")
    build.add(0, "fault", "b", index=0, seam="start", does="hang")
    build.add("5m", "fault", index=1, seam="store.read", does="hang")
    return build.loop(machine="b", first=ticks_s)


def test_who_hung_in_its_start_may_then_wait_for_a_lock():
    """It ticks when it has waited as long as it may; where nobody kept a lock then, at once."""
    assert hung_start_beside_a_hang("12m", 610).judge("TICK-1").verdict == "held"
    assert hung_start_beside_a_hang("12m", 670).judge("TICK-1").verdict == "violated"
    assert hung_start_beside_a_hang("4m", 600).judge("TICK-1").verdict == "held"
    assert hung_start_beside_a_hang("12m", 1200).judge("TICK-1").verdict == "violated"


def asked_after_a_long_run(asked_s: int) -> Build:
    """A run from 1h to 2h10m over the occurrence of 2h, which then nobody begins; a status."""
    build = Build(ONE).up().loop().store(0, "j", next_run_at=iso("1h"), state="scheduled")
    build.store("1h", "j", next_run_at=iso("2h"), state="scheduled").run("j", "1h", "70m")
    return build.status(asked_s, verdict="healthy", promises=True)


def test_a_job_is_not_overdue_before_its_last_run_is_over():
    """Nor at once after it: the next begins with a tick."""
    assert asked_after_a_long_run(7860).judge("STAT-12").verdict == "unknown"
    assert asked_after_a_long_run(8100).judge("STAT-12").verdict == "violated"


def leaves(refused: str | None, hangs: str | None = None, *, asleep: bool = False) -> Build:
    """A gateway is asked to leave; the store refuses a step of its; a status that promises."""
    more = f"faults: [{{into: {hangs}, hang: 10s}}]\n" if hangs else ""
    more += "steps: [{at: 30m, do: suspend, machine: a, for: 1m}]\n" if asleep else ""
    build = Build(ONE + more).up().loop(last="30m")
    if asleep:
        build.op("30m", "suspend")
    build.add("30m", "stop.requested")
    if hangs is not None:
        build.add("30m", "fault", index=0, seam=hangs, does="hang")
    if refused is not None:
        build.add("30m", "store.refused", "store", step=refused, by="a", reason="permission")
    return build.status(1801, verdict="healthy", promises=True).add(1802, "stopped")


def test_who_leaves_says_so_unless_the_disk_refuses_it():
    assert leaves(None).judge("STAT-12").verdict == "violated"
    assert leaves("lock").judge("STAT-12").verdict == "violated"
    assert leaves("write").judge("STAT-12").verdict == "unknown"
    assert leaves(None, "store.signal").judge("STAT-12").verdict == "unknown"
    assert leaves(None, "tick").judge("STAT-12").verdict == "violated"
    assert leaves(None, asleep=True).judge("STAT-12").verdict == "unknown"


def dies_with_the_lock(wrote_s: int, *, dies: bool) -> Build:
    """Machine a hangs in a write for ten minutes and may be killed in it; b writes."""
    more = f"machines: [a, b]\n{ONE}faults: [{{into: store.write, hang: 10m}}]\n"
    build = Build(more).up().up(machine="b").loop(last="30m").loop(machine="b")
    build.store(0, "j").add("30m", "fault", index=0, seam="store.write", does="hang")
    if dies:
        build.add("31m", "crash")
    return build.add(wrote_s, "store.commit", "store", changes=[["j", {"id": "j"}]], by="b")


def a_command_with_the_lock(wrote_s: int) -> Build:
    """A run by hand hangs in a write for ten minutes, in a thread of its own, and ends before."""
    build = Build(f"{ONE}faults: [{{into: store.write, hang: 10m}}]\n").up().loop()
    build.store(0, "j").add("29m", "op", "operator", do="run", job="j")
    build.add("30m", "fault", "operator", index=0, seam="store.write", does="hang")
    build.add("32m", "op.end", "operator", do="run", job="j", error=None)
    return build.add(wrote_s, "store.commit", "store", changes=[["j", {"id": "j"}]], by="a")


def test_a_command_that_is_over_keeps_no_lock():
    assert a_command_with_the_lock(1930).judge("LIVE-10").verdict != "violated"
    assert a_command_with_the_lock(1910).judge("LIVE-10").verdict == "violated"


def test_who_dies_keeps_no_lock():
    assert dies_with_the_lock(1870, dies=True).judge("LIVE-10").verdict != "violated"
    assert dies_with_the_lock(1850, dies=True).judge("LIVE-10").verdict == "violated"
    assert dies_with_the_lock(1870, dies=False).judge("LIVE-10").verdict == "violated"


def in_a_long_tick(*silent: str) -> Build:
    """A tick is under way for six minutes, others may be silent; a status says STALLED."""
    build = Build(f"machines: [{', '.join(('a', *silent))}]\n{ONE}").up().loop(last="30m")
    for machine in silent:
        build.up(machine=machine).loop(machine=machine, last="30m")
    build.add("30m", "tick.begin", sync=False)
    build.add(1801, "signal", name="ticker_work", content="x")
    return build.status(2160, "STALLED")


def ticks_by_hand(at: str | None, over: str = "30m11s") -> Build:
    """A tick hangs from half past on; another by hand, at this time, tells of itself."""
    build = Build(f"{ONE}steps: [{{at: {at or '30m'}, do: tick, machine: a}}]\n").up()
    build.loop(last="30m").add("30m", "tick.begin", sync=False)
    if at is not None:
        build.add(at, "op", "operator", do="tick")
        build.add(over, "op.end", "operator", do="tick", error=None)
    build.add("30m10s", "signal", name="ticker_work", content="x")
    return build.status(2160, "STALLED")


def test_a_tick_by_hand_does_not_tell_of_the_loops_own():
    assert ticks_by_hand("30m5s").judge("STAT-2").verdict != "violated"
    assert ticks_by_hand("29m59s").judge("STAT-2").verdict != "violated"
    assert ticks_by_hand("20m", "25m").judge("STAT-2").verdict == "violated"
    assert ticks_by_hand(None).judge("STAT-2").verdict == "violated"


def in_two_long_ticks(*telling: str) -> Build:
    """Both gateways are in a tick for six minutes; those tell of it; a status says STALLED."""
    build = Build(f"machines: [a, b]\n{ONE}")
    for machine in ("a", "b"):
        build.up(machine=machine).loop(machine=machine, last="30m")
        build.add("30m", "tick.begin", machine, sync=False)
    for machine in telling:
        build.add(1801, "signal", machine, name=f"ticker-{machine}", content="x")
    return build.status(2160, "STALLED")


def test_a_tick_that_tells_nothing_is_spoken_for_by_none():
    assert in_two_long_ticks("a").judge("STAT-2").verdict != "violated"
    assert in_two_long_ticks("a", "b").judge("STAT-2").verdict == "violated"


def test_a_tick_under_way_speaks_for_no_other_gateway():
    assert in_a_long_tick("b").judge("STAT-2").verdict != "violated"
    assert in_a_long_tick().judge("STAT-2").verdict == "violated"


def back_with_a_crowd(*later_s: int) -> Build:
    """Nine jobs of ten minutes after an outage; the last of them begins so much later."""
    names = [f"j{nth}" for nth in range(9)]
    jobs = "".join(f"- {{id: {name}, schedule: every 1h}}\n" for name in names)
    build = Build(f"jobs:\n{jobs}").up().loop(last="30m").add("30m", "crash").up("2h").loop("2h")
    for name, later in zip(names, (*[0] * (9 - len(later_s)), *later_s), strict=True):
        build.run(name, 7200 + later, "10m")
    return build


def test_slow_jobs_that_give_way_to_others_are_no_storm():
    assert back_with_a_crowd().judge("LIVE-5").reason.startswith("machine a: after an outage")
    assert "after an outage" not in back_with_a_crowd(25).judge("LIVE-5").reason


def became_a_one_shot(*, triggered: bool) -> Build:
    """Each half hour, then once 100 minutes after 1h, and perhaps asked for two minutes later."""
    steps = "- {at: 1h, do: update, job: j, set: {schedule: 100m}}\n"
    steps += "- {at: 62m, do: trigger, job: j}\n" if triggered else ""
    jobs = "jobs: [{id: j, schedule: every 30m}]\n"
    build = Build(f"{jobs}steps:\n{steps}").up().loop().runs("j", "30m", "1h")
    build.add("1h", "op", "operator", do="update", job="j", step=0)
    build.add("1h", "op.end", "operator", do="update", job="j", error=None)
    return build.op("62m", "trigger", "j").run("j", "63m") if triggered else build


def test_what_became_a_one_shot_may_have_run_when_it_was_asked_for():
    assert became_a_one_shot(triggered=True).judge("LIVE-1").verdict != "violated"
    assert became_a_one_shot(triggered=False).judge("LIVE-1").verdict == "violated"


def refused_until(minutes: int) -> Build:
    """The result of the run of 1h is refused so many minutes long, and never stored."""
    build = Build(f"{ONE}lasts: 90m\n").up().loop(last="90m").run("j", "1h")
    build.store(0, "j", last_run_at=None)
    for at in range(3602, 3602 + 60 * minutes, 60):
        build.add(at, "store.refused", "store", step="replace", by="a", reason="no space")
        build.add(at, "mark", job="j", ok=True, error="StoreWriteFailed")
    return build


def test_nobody_stores_a_result_when_its_claim_is_over():
    assert refused_until(2).judge("LIVE-8").verdict == "violated"
    assert refused_until(7).judge("LIVE-8").verdict != "violated"


def recovery_refused(*, at_start: bool, level: str = "WARNING") -> Build:
    """Somebody keeps the lock; a process may want it at its start, and its first tick does."""
    build = Build(ONE + "steps: [{at: 1h1s, do: hold-lock, for: 3m}]\n").up().loop(last="30m")
    build.op("1h1s", "hold-lock").add("30m", "crash").up(3602)
    if at_start:
        build.add(3602, "store.refused", "store", by="a", step="lock", reason="busy")
    build.add(3612, "tick.begin", sync=False)
    build.add(3622, "store.refused", "store", by="a", step="lock", reason="busy")
    build.add(3622, "log", level=level, logger="x", error=None)
    return build.add(3622, "tick.end", error=None, dispatched=0)


def test_what_was_refused_at_the_start_is_kept_for_later_too():
    assert recovery_refused(at_start=True).judge("LIVE-10").verdict != "violated"
    assert recovery_refused(at_start=True, level="INFO").judge("LIVE-10").verdict == "violated"
    assert recovery_refused(at_start=False).judge("LIVE-10").verdict == "violated"


def slow_loops(*silent: str) -> Build:
    """Loops of 300 s, of which one ticks; what is fresh by that is stale by the usual interval."""
    build = Build(f"machines: [{', '.join(('a', *silent))}]\ninterval: 300\n{ONE}lasts: 40m\n")
    for machine in ("a", *silent):
        build.up(machine=machine).tick(0, machine)
    return build.tick(1200).status(1600, "STALLED")


def test_stalled_may_be_said_of_another_gateway():
    assert slow_loops("b").judge("STAT-9").verdict != "violated"
    assert slow_loops().judge("STAT-9").verdict == "violated"


def test_a_fault_at_the_end_of_a_call_goes_on_from_there():
    """The result of 1h hangs until 2h2m; only what was held up so long may make 2h late."""
    more = ONE + "faults: [{into: mark, hang: 2m, after: true}]\n"
    build = Build(more).up().loop().runs("j", "1h", 7350, "3h")
    build.add(3602, "fault", index=0, seam="mark", does="hang", job="j")
    assert build.judge("LIVE-1").verdict == "violated"
    struck_n = next(event.n for event in build.history() if event.kind == "fault")
    assert build.add(7200, "fault.late", fault=struck_n).judge("LIVE-1").verdict == "held"


def test_a_sign_of_life_is_as_old_as_the_time_that_it_states():
    """Its write hung for six minutes: the heartbeat is stale then, and not the success alone."""
    build = Build(ONE + "faults: [{into: store.signal, hang: 6m}]\n").up().loop(last="1h")
    build.beat("66m").status("67m", "STALLED")
    assert build.judge("STAT-3").verdict == "violated"
    build.add("1h", "fault", index=0, seam="store.signal", does="hang")
    assert build.judge("STAT-3").verdict == "unknown"
    assert build.judge("STAT-2").verdict == "held"


def cut_off_at_its_mark(*, marked: bool) -> Build:
    """A one-shot, which may run twice, ends; its machine dies, before its result is told or not."""
    build = Build("jobs: [{id: j, schedule: 1h, repeat: 2}]\n").up().loop(last="1h").run("j", "1h")
    if marked:
        build.add(3610, "mark", job="j", ok=True, error=None)
    return build.add(3620, "crash").up("62m").run("j", "64m")


def test_a_one_shot_may_run_again_where_its_machine_died_before_its_result_was_told():
    assert cut_off_at_its_mark(marked=False).judge("ONCE-10").verdict != "violated"
    assert cut_off_at_its_mark(marked=True).judge("ONCE-10").verdict == "violated"
