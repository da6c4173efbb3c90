"""Corners of outside registries in which a judge was once too strict, each beside what it must see.

A pair is one history twice: where something made the right thing impossible, and where nothing did.
"""

from __future__ import annotations

import pytest
from histories import Build, iso

TWO = "machines: [a, b]\njobs: [{id: j, schedule: every 1h}, {id: k, schedule: '30 * * * *'}]\n"
PAIR = "jobs: [{id: j, schedule: 0 * * * *}, {id: k, schedule: 30 * * * *}]\n"


def refused(*, stopped: bool) -> Build:
    """The arm of j is refused; in the next fire, of k, the machine may be asked to leave."""
    build = Build(PAIR, external=True).up().arm("j", 0, "1h").arm("k", 0, "30m")
    build.fire("k", "30m", arms="90m").fire("j", "1h")
    build.call(3601, "provision", "j", 403, "forbidden").fire("k", "90m", arms="2h30m")
    return build.add(5401, "stop.requested") if stopped else build


def refused_in_a_run(repeat: int) -> Build:
    """During a run of j its arm is refused; k's fire is the next occasion."""
    more = f"jobs: [{{id: j, schedule: 0 * * * *, repeat: {repeat}}}, "
    build = Build(more + "{id: k, schedule: 30 * * * *}]\n", external=True).up()
    build.arm("j", 0, "1h").arm("k", 0, "30m").fire("k", "30m", arms="90m").fire("j", "1h")
    return build.call(3601, "provision", "j", 403, "forbidden").fire("k", "90m", arms="2h30m")


def triggered(*, there: bool) -> Build:
    """A job is triggered before it is made, or after it was."""
    more = "jobs: [{id: j, schedule: every 1h, created: by a step}]\n"
    more += "steps: [{at: 1h, do: create, job: j}, {at: 10m, do: trigger, job: j}]\n"
    build = Build(more).up().loop()
    if there:
        build.op("5m", "create", "j").store("5m", "j")
    build.op("10m", "trigger", "j")
    return build.op("1h", "create", "j").store("1h", "j").runs("j", "2h", "3h")


def asked_again(*, started: bool) -> Build:
    """A machine whose provider has not come back from its start asks for another delivery."""
    build = Build(TWO, external=True).up(machine="b").up(returns=started)
    about = {"job": "j", "fire_at": iso("1h"), "id": 1}
    build.add("1h", "nas.deliver", "nas", attempt=1, **about)
    return build.add("1h", "fire.answer", "a", status=503, body_status=None, reason=None, **about)


def left_by_the_dead(runs_at: str) -> Build:
    """Machine b dies in a fire of j; at half past a is woken, and j's claim is past its time."""
    build = Build(TWO, external=True).up().up(machine="b").arm("j", 0, "1h").arm("k", 0, "30m")
    build.fire("k", "30m", arms="90m").add("1h", "fire.begin", "b", job="j")
    build.add("1h", "crash", "b").fire("k", "90m", arms="2h30m")
    return build.run("j", runs_at).runs("j", "2h", "3h").runs("k", "2h30m", "3h30m")


def struck_in_a_fire(*, struck: bool) -> Build:
    """A fire of j runs nothing; a fault may have struck it."""
    build = Build(PAIR, external=True).up().arm("j", 0, "1h")
    build.add("1h", "fire.begin", job="j").add("1h", "claim", job="j", won=True, error=None)
    if struck:
        build.fault("1h", "store.read", "stale")
    build.add("1h", "fire.end", job="j", value=False, error=None).arm("j", "1h", "2h")
    build.fire("j", "2h", arms="3h").runs("j", "3h")
    return build.runs("k", "30m", "90m", "2h30m", "3h30m")


def taken_up(*, moved: bool) -> Build:
    """A promise of 1h is taken up at 1h12m, and j's next time may move by it; another run at 1h14m.

    Where it moves, the first run was for a later occurrence, and the second one has none.
    """
    build = Build("jobs: [{id: j, schedule: every 7m}]\nlasts: 16m\n", external=True).up()
    claim = {"at": iso("7m"), "by": "a:1", "token": 1, "reserved": True}
    build.store("7m", "j", fire_claim=claim, next_run_at=iso("14m"))
    build.deliver("j", "7m", "7m").deliver("j", "14m", "14m", answer="ignored")
    taken = {**claim, "token": 2, "reserved": False}
    build.store(850, "j", fire_claim=taken, next_run_at=iso("21m" if moved else "14m"))
    build.add(850, "fire.begin", job="j").add(850, "claim", job="j", won=True, error=None)
    build.run("j", 850, 2).store(852, "j", fire_claim=None, next_run_at=iso("14m"))
    build.add(852, "fire.end", job="j", value=True, error=None)
    return build.fire("j", 860, fire_at="14m", fresh=False)


def overlapped(*, renewed: bool, refused: bool) -> Build:
    """A run of an hour on a is overlapped by one on b, six minutes after its last renewal."""
    build = Build(TWO, external=True).up().up(machine="b")
    build.store("1h", "j", fire_claim={"at": iso("1h"), "by": "a:1", "token": 1})
    build.run("j", "1h", "1h")
    if renewed:
        build.store("65m", "j", fire_claim={"at": iso("65m"), "by": "a:1", "token": 1})
    if refused:
        build.add("62m", "store.refused", "store", step="lock", reason="busy", by="a")
    build.add("66m", "fire.begin", "b", job="j")
    return build.run("j", "66m", "1m", machine="b")


def armed_twice(*, replicas: bool) -> Build:
    """J is armed twice while two rounds are on, of two replicas or of one."""
    build = Build(TWO, external=True).up().up(machine="b")
    build.add("30m", "fire.begin", "a", job="k").arm("j", 1805, "1h")
    build.add("30m", "fire.begin", "b" if replicas else "a", job="l")
    build.call(1806, "provision", "j")
    build.add(1807, "fire.end", "a", job="k", value=True, error=None)
    return build.add(1808, "fire.end", "b" if replicas else "a", job="l", value=True, error=None)


def hanging(*, still: bool) -> Build:
    """A list hangs for 90 s while a fire is ignored; j is armed when it has come back, or never."""
    more = PAIR + "faults: [{into: nas.list, hang: 90s}]\n"
    build = Build(more, external=True).up().arm("j", 0, "1h").arm("k", 0, "30m")
    build.fire("k", "30m", arms="90m").add("59m", "nas.cancelled", "nas", job_id="j")
    about = {"index": 0, "seam": "nas.list", "does": "hang"}
    build.add("59m", "fault", "a", **about)
    return build.arm("j", 3629, "1h") if still else build


def fired_early(*, times: int) -> Build:
    """NAS fires j's arm for 2h early so often, and then it is not armed again before its time."""
    build = Build(PAIR, external=True).up().arm("k", 0, "30m").arm("j", 0, "1h")
    build.fire("k", "30m", arms="90m").fire("j", "1h", arms="2h")
    for at in range(4200, 4200 + 10 * times, 10):
        build.arm("j", at, "2h").add(at + 1, "nas.fired", "nas", job_id="j", fire_at=iso("2h"))
        build.deliver("j", at + 1, "2h", answer="ignored")
    return build.fire("k", "90m", arms="2h30m").arm("j", "2h", "2h").fire("j", "2h", arms="3h")


def fires_late(*, armed_again: bool) -> Build:
    """A gateway's tick runs j, whose timer is late; when it fires, j is armed again, or not."""
    more = PAIR + "faults: [{into: nas.arm, delay: 20m}]\n"
    build = Build(more, external=True).up().arm("k", 0, "30m").arm("j", 0, "1h")
    build.add(1, "fault", "a", index=0, seam="nas.arm", does="delay", job="j")
    build.fire("k", "30m", arms="90m").run("j", 3601)
    build.add("80m", "nas.fired", "nas", job_id="j", fire_at=iso("1h"))
    build.deliver("j", "80m", "1h", answer="ignored")
    if armed_again:
        build.arm("j", "80m", "2h")
    return build.fire("k", "90m", arms="2h30m")


def late_timer(*, paused: bool) -> Build:
    """A one-shot stays armed at its time, which NAS' timer passes over; it may have been paused."""
    more = "jobs: [{id: j, schedule: 30m}, {id: k, schedule: 0 * * * *}]\n"
    build = Build(more, external=True).up().arm("j", 0, "30m").arm("k", 0, "1h")
    if paused:
        build.op("40m", "pause", "j")
    else:
        build.run("j", "90m")
    return build.fire("k", "1h", arms="2h").fire("k", "2h", arms="3h")


def last_run(machine: str) -> Build:
    """The last run of j, by a command or by a gateway, while its next time is armed."""
    build = Build("jobs: [{id: j, schedule: every 1h, repeat: 1}]\n", external=True).up()
    return build.arm("j", 0, "1h").run("j", "50m", machine=machine)


def written_and_lost(*, lost: bool) -> Build:
    """A claim is replaced at once by the same machine; the disk may have lost it."""
    more = "faults: [{into: store.replace, damage: lost}]\n"
    build = Build(more, external=True).add(0, "boot", incarnation=1, pid=1)
    build.store("1h", "j", fire_claim={"at": iso("1h"), "by": "a:1", "token": 1})
    if lost:
        build.add("1h", "fault", "a", index=0, seam="store.replace", does="damage")
    return build.store("61m", "j", fire_claim={"at": iso("61m"), "by": "a:1", "token": 2})


def overdue(armed_at: str) -> Build:
    """The store waits for j's occurrence of 1h; NAS was asked again, and all is promised."""
    build = Build(external=True).up().store(0, "j", next_run_at=iso("1h")).arm("j", armed_at, "1h")
    return build.status("90m", "managed scheduler", verdict="healthy", promises=True)


def broken_by_hand(looked_at: int) -> Build:
    """K's next time is garbage from 08:10 on; at this hour somebody is woken; k comes at 10:30."""
    more = f"jobs: [{{id: j, schedule: 0 {looked_at} * * *}}, {{id: k, schedule: '*/30 * * * *', "
    more += "record: {next_run_at: garbage}, created: by a step}]\n"
    more += "steps: [{at: 10m, do: create, job: k}]\n"
    at = f"{looked_at - 8}h"
    build = Build(more, external=True).up().arm("j", 0, at)
    build.op("10m", "create", "k").store("10m", "k", next_run_at="garbage")
    return build.fire("j", at).runs("k", "2h30m", "3h", "3h30m")


def held_up(*, hangs: bool) -> Build:
    """After a run the rest of its fire takes 70 minutes, for a fault or for nothing."""
    build = Build(external=True).up().arm("j", 0, "1h").fire("j", "1h", arms="2h", lasts=2)
    build.drop("fire.end")
    if hangs:
        build.fault(3602, "store.output", "hang")
    build.add("2h", "nas.fired", "nas", job_id="j", fire_at=iso("2h"))
    build.deliver("j", "2h", "2h", answer="ignored").missed("j", "2h", state="skipped", at="2h")
    build.add("2h10m", "fire.end", job="j", value=True, error=None).arm("j", "2h", "3h")
    return build.fire("j", "3h", arms="4h")


def raises(*, refused: bool) -> Build:
    """A fire in which a call to NAS fails ends with an error; the store may have refused, too."""
    build = Build(external=True).up().arm("j", 0, "1h").add("1h", "fire.begin", job="j")
    build.call("1h", "provision", "j", 503, "injected")
    if refused:
        build.add("1h", "store.refused", "store", step="lock", reason="busy", by="a")
    return build.add("1h", "fire.end", job="j", value=None, error="SomeError")


def unrecorded(*, refused: bool) -> Build:
    """A machine dies in a run and comes back; its record of that may be refused."""
    build = Build(external=True).up().arm("j", 0, "1h").add("1h", "fire.begin", job="j")
    build.run("j", "1h", None).add(3601, "crash", "a").up("70m")
    build.drop("provider.returned", "70m")
    if refused:
        build.fault(4201, "store.execution")
    build.add(4202, "provider.returned").arm("j", 4202, "2h").fire("j", "2h", arms="3h")
    return build.runs("j", "3h")


def late_by(minutes: int) -> Build:
    """A promise, so long after j was due; the loop of that host would tick every 20 s."""
    build = Build("interval: 20\n", external=True).up()
    build.store(0, "j", next_run_at=iso("1h")).arm("j", 0, "1h")
    at = f"{60 + minutes}m"
    return build.status(at, "managed scheduler", verdict="healthy", promises=True)


def died_when_due(at: str, back: str) -> Build:
    """Machine b dies in a long run of j; a answers j's next fire as one that comes in a run."""
    build = Build("machines: [a, b]\n", external=True).up().up(machine="b").arm("j", 0, "1h")
    build.run("j", "1h", None, machine="b").add(at, "crash", "b").up(back, "b")
    build.add("2h", "nas.fired", "nas", job_id="j", fire_at=iso("2h"))
    build.deliver("j", "2h", "2h", answer="ignored").missed("j", "2h", at="2h", state="skipped")
    return build.arm("j", "2h", "3h").fire("j", "3h", arms="4h")


def cut_off(repeat: int) -> Build:
    """The second fire of j is cut off before its body, told of as unknown, and nothing is armed."""
    more = f"jobs: [{{id: j, schedule: every 1h, repeat: {repeat}}}]\n"
    build = Build(more, external=True).up().arm("j", 0, "1h").fire("j", "1h", arms="2h")
    build.add("2h", "nas.fired", "nas", job_id="j", fire_at=iso("2h")).deliver("j", "2h", "2h")
    build.store("2h", "j", fire_claim={"at": iso("2h"), "by": "a:1", "token": 2})
    build.add("2h", "fire.begin", job="j").add(7201, "crash", "a").up("2h10m")
    return build.missed("j", "2h", at="2h10m", state="unknown")


PAIRS = [
    ("RECON-1", "its last run was cut off", cut_off(2), cut_off(3)),
    (
        "LIVE-1",
        "a death as it is due",
        died_when_due("119m", "121m"),
        died_when_due("90m", "91m"),
    ),
    ("LIVE-6", "records are refused", unrecorded(refused=True), unrecorded(refused=False)),
    ("STAT-12", "not late without a loop", late_by(2), late_by(5)),
    ("RECON-4", "a store in trouble", raises(refused=True), raises(refused=False)),
    ("LIVE-1", "a fire that hangs after its run", held_up(hangs=True), held_up(hangs=False)),
    ("LIVE-2", "a fire that its machine must leave", refused(stopped=True), refused(stopped=False)),
    ("LIVE-2", "all its runs were begun", refused_in_a_run(1), refused_in_a_run(2)),
    ("LIVE-1", "a job that is not there yet", triggered(there=False), triggered(there=True)),
    ("HOOK-4", "not started", asked_again(started=False), asked_again(started=True)),
    ("LIVE-1", "a dead machine's claim", left_by_the_dead("5403s"), left_by_the_dead("1h45m")),
    (
        "LIVE-1",
        "a fault in its fire",
        struck_in_a_fire(struck=True),
        struck_in_a_fire(struck=False),
    ),
    ("ONCE-3", "a promise taken up late", taken_up(moved=False), taken_up(moved=True)),
    (
        "ONCE-6",
        "a lease that could not be renewed",
        overlapped(renewed=False, refused=True),
        overlapped(renewed=False, refused=False),
    ),
    (
        "ONCE-6",
        "a lease that was renewed all the same",
        overlapped(renewed=False, refused=True),
        overlapped(renewed=True, refused=True),
    ),
    ("RECON-2", "two replicas at it", armed_twice(replicas=True), armed_twice(replicas=False)),
    ("RECON-1", "a call that hangs", hanging(still=True), hanging(still=False)),
    ("RECON-1", "early", fired_early(times=3), fired_early(times=2)),
    (
        "RECON-1",
        "an arm after a timer that is late",
        fires_late(armed_again=True),
        fires_late(armed_again=False),
    ),
    (
        "RECON-2",
        "a one-shot whose timer is late",
        late_timer(paused=False),
        late_timer(paused=True),
    ),
    ("RECON-6", "a command's last run", last_run("operator"), last_run("a")),
    ("ONCE-1", "a write that was lost", written_and_lost(lost=True), written_and_lost(lost=False)),
    ("STAT-12", "armed a moment ago", overdue("5399s"), overdue("80m")),
    ("LIVE-6", "a next time that is none", broken_by_hand(10), broken_by_hand(9)),
]


@pytest.mark.parametrize(("requirement", "corner", "excused", "broken"), PAIRS)
def test_what_was_made_impossible_is_excused_and_nothing_else(requirement, corner, excused, broken):
    """The judge lets the one pass and rejects the other."""
    assert excused.judge(requirement).verdict != "violated", excused.judge(requirement).reason
    assert broken.judge(requirement).verdict == "violated", corner
