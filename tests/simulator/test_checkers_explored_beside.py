"""What two changes at one time did, and what clocks that differ take for what."""

from __future__ import annotations

import pytest
from histories import Build, iso


def refused_beside_another(**told: list[int]) -> Build:
    """A run by hand is refused while a trigger of the same job stores and calls NAS in vain."""
    steps = "steps: [{at: 10m, do: run, job: j}, {at: 10m, do: trigger, job: j}]\n"
    build = Build(steps, external=True).up().store(0, "j", next_run_at=iso("1h"))
    build.add("10m", "op", "operator", do="run", job="j", step=0)
    build.add("10m", "op", "operator", do="trigger", job="j", step=1)
    build.store("10m", "j", next_run_at=iso("10m")).call("10m", "provision", "j", 503)
    build.add("601s", "op.end", "operator", do="run", job="j", error="X", step=0, **told)
    return build.add("602s", "op.end", "operator", do="trigger", job="j", error=None, step=1)


def test_what_another_stored_was_told_by_the_other():
    """NAS can have failed in a change that did not store it; without its word it may have."""
    assert refused_beside_another(stored=[]).judge("RECON-4").verdict != "violated"
    assert refused_beside_another().judge("RECON-4").verdict == "violated"


def paused_and_removed(writes: int) -> Build:
    """A pause that stored so many writes of one is still on when its job is removed."""
    steps = "steps: [{at: 10m, do: pause, job: j}, {at: 601s, do: remove, job: j}]\n"
    build = Build(steps, external=True).up().store(0, "j", next_run_at=iso("1h"))
    build.add("10m", "op", "operator", do="pause", job="j", step=0)
    build.store("10m", "j", next_run_at=iso("1h"), enabled=False)
    build.add("601s", "op", "operator", do="remove", job="j", step=1)
    build.add("601s", "store.commit", "a", changes=[["j", None]], by="a")
    build.add("601s", "op.end", "operator", do="remove", job="j", error=None, step=1)
    first = [event.n for event in build.history().of("store.commit")[1:]]
    own = {"stored": first[:writes]}
    return build.add("604s", "op.end", "operator", do="pause", job="j", error=None, step=0, **own)


@pytest.mark.parametrize(("writes", "verdict"), [(0, "violated"), (1, "unknown")])
def test_a_pause_may_switch_off_a_job_that_is_removed_before_it_is_over(writes, verdict):
    """What it stored itself, that is, and nothing else."""
    assert paused_and_removed(writes).judge("LIVE-13").verdict == verdict


def overtaken(skew: str, ends_s: int) -> Build:
    """J's run of 7 o'clock ends just before 8, for which nothing runs."""
    more = f"machines: {{a: {{}}, b: {{skew: {skew}}}}}\nlasts: 6h\n"
    build = Build(more, external=True).up().up(machine="b").arm("j", 0, "1h")
    build.fire("j", "1h", arms="2h", lasts=ends_s - 3600)
    return build.fire("j", "3h", arms="4h").fire("j", "4h", arms="5h").fire("j", "5h", arms="6h")


def test_a_run_is_on_at_an_occurrence_by_the_clock_that_is_ahead():
    assert overtaken("2s", 7199).judge("LIVE-1").verdict != "violated"
    assert overtaken("0s", 7199).judge("LIVE-1").verdict == "violated"
    assert overtaken("2s", 7190).judge("LIVE-1").verdict == "violated"


def run_by_hand_and_triggered(*fires: int) -> Build:
    """A job is run by hand as it is triggered; the trigger waits for that run, and for its arm."""
    steps = "steps: [{at: 10m, do: run, job: j}, {at: 10m, do: trigger, job: j}, "
    steps += "{at: 601s, do: update, job: j, set: {schedule: 0 * * * *}}]\n"
    build = Build("jobs: [{id: j, schedule: 0 * * * *}]\n" + steps, external=True).up()
    build.add("10m", "op", "operator", do="run", job="j", step=0)
    build.add("10m", "op", "operator", do="trigger", job="j", step=1)
    build.run("j", "10m", 1, machine="operator")
    build.add("601s", "op.end", "operator", do="run", job="j", error=None, step=0)
    build.op("601s", "update", "j", step=2)
    for at_s in fires:
        build.fire("j", at_s, fire_at="10m")
    return build.add("613s", "op.end", "operator", do="trigger", job="j", error=None, step=1)


def test_a_run_by_hand_is_not_the_one_that_a_trigger_asked_for():
    """Which comes as well, once."""
    assert run_by_hand_and_triggered(606).judge("ONCE-4").verdict != "violated"
    assert run_by_hand_and_triggered(606, 630).judge("ONCE-4").verdict == "violated"


def asked_again_at_once(*promises: bool) -> Build:
    """Statuses of one instant, the first of which could not read the store."""
    build = Build().up().loop()
    build.fault("1h", "store.read", machine="operator")
    for promised in promises:
        build.status("1h", "managed scheduler", promises=promised)
    return build


def test_a_fault_strikes_the_status_that_comes_after_it():
    assert asked_again_at_once(False, True).judge("STAT-12").verdict != "violated"
    assert asked_again_at_once(True, False).judge("STAT-12").verdict == "violated"


def written_as_resumed(*off: bool) -> Build:
    """What was written of a job, by a lease that is renewed, as its resume is under way."""
    steps = "steps: [{at: 10m, do: pause, job: j}, {at: 30m, do: resume, job: j}]\n"
    build = Build(steps, external=True).up().store(0, "j", next_run_at=iso("1h"))
    build.add("10m", "op", "operator", do="pause", job="j", step=0)
    build.store("10m", "j", next_run_at=iso("1h"), enabled=not off[0])
    build.add("10m", "op.end", "operator", do="pause", job="j", error=None, step=0)
    build.add("30m", "op", "operator", do="resume", job="j", step=1)
    build.store("30m", "j", next_run_at=iso("1h"), enabled=not off[1])
    build.store("30m", "j", next_run_at=iso("1h"), enabled=True)
    return build.add("30m", "op.end", "operator", do="resume", job="j", error=None, step=1)


def test_a_job_that_is_off_already_is_not_switched_off():
    assert written_as_resumed(True, True).judge("LIVE-13").verdict != "violated"
    assert written_as_resumed(False, True).judge("LIVE-13").verdict == "violated"


def cut_off_twice(free_s: int) -> Build:
    """A run is cut off; its machine is back, and dies in turn so long after a lock is free."""
    more = "jobs: [{id: j, schedule: every 1h}]\nsteps: [{at: 65m, do: hold-lock, for: 1h}]\n"
    build = Build(more, external=True).up().run("j", "1h", None).add("62m", "crash")
    return build.op("65m", "hold-lock", step=0).up("70m").add(f"{7500 + free_s}s", "crash")


def test_who_dies_as_a_lock_is_free_could_record_nothing():
    """Who lives on for a while could."""
    assert cut_off_twice(0).judge("LIVE-6").verdict != "violated"
    assert cut_off_twice(300).judge("LIVE-6").verdict == "violated"


def became_a_one_shot(schedule: str) -> Build:
    """The arm of a new schedule is refused, and had its effect; it is not tried again."""
    step = f"{{at: 10m, do: update, job: j, set: {{schedule: {schedule}}}}}"
    build = Build(f"steps: [{step}]\n", external=True).up().arm("j", 0, "1h")
    build.op("10m", "update", "j", step=0).arm("j", "10m", "2h").drop("nas.call", "10m")
    return build.call("10m", "provision", "j", 409).fire("j", "2h")


def test_what_has_run_since_it_became_a_one_shot_needs_no_arm():
    assert became_a_one_shot("110m").judge("LIVE-2").verdict != "violated"
    assert became_a_one_shot("every 110m").judge("LIVE-2").verdict == "violated"
