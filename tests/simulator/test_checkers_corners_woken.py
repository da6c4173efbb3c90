"""Corners of who is woken when, each beside what the judge must still see there.

An external provider acts when it is woken and not before: by a start, a fire, a change of a job
inside a gateway. A pair is one history twice: where nobody could have known, and where somebody was
told and did nothing.
"""

from __future__ import annotations

import pytest
from histories import Build, iso, us

TWO = "jobs: [{id: j, schedule: every 1h}, {id: k, schedule: '30 10 * * *'}]\n"


def switched_off(*ops: str) -> Build:
    """After these operations the store says that j is off."""
    build = Build("jobs: [{id: j, schedule: every 1h}]\n").up().loop().store(0, "j")
    for minute, do in enumerate(ops, start=10):
        build.op(f"{minute}m", do, "j")
    return build.store("20m", "j", enabled=False, next_run_at=None)


def never_armed(*, removed: bool) -> Build:
    """The arm of a one-shot is refused; what wakes the provider next removes it, or another."""
    more = "jobs: [{id: j, schedule: 30m}, {id: k, schedule: 30 * * * *}]\n"
    build = Build(more, external=True).up().call(0, "provision", "j", 403, "forbidden")
    return build.op("2h", "remove", "j" if removed else "k")


def forgotten(do: str, *, up: bool = True) -> Build:
    """NAS forgets what is armed; then j is run by a command, or changed; nothing is armed."""
    build = Build(external=True)
    if up:
        build.up()
    else:
        build.up().add("5m", "stop.requested").add("5m", "stopped")
    build.arm("j", 0, "1h").add("10m", "nas.forgot", "nas").op("20m", do, "j")
    if do == "run":
        build.run("j", "20m", machine="operator")
    return build if up else build.up("50m").arm("j", "50m", "1h")


def behind(written: str) -> Build:
    """The round at the end of j's run reads what stood before the last write, of j or of k."""
    build = Build(TWO, external=True).up().arm("j", 0, "1h").arm("k", 0, "2h30m")
    build.fire("j", "1h").store(3601, written).fault(3602, "store.read", "stale")
    build.fire("k", "2h30m", arms="26h30m").arm("j", 9001, "2h")
    return build.fire("j", 9002, fire_at="2h", arms="3h").fire("j", "3h", arms="4h")


def promised_by_the_dead(*, claimed: bool) -> Build:
    """Machine b dies as it answers j's fire; a answers the next try as a duplicate."""
    build = Build("machines: [a, b]\n", external=True).up().up(machine="b").arm("j", 0, "1h")
    build.add("1h", "nas.fired", "nas", job_id="j", fire_at=iso("1h"))
    if claimed:
        build.store("1h", "j", fire_claim={"at": iso("1h"), "by": "b:1", "token": 1})
    build.add("1h", "crash", "b").deliver("j", 3630, "1h", answer="ignored")
    build.missed("j", "1h", at="2h").arm("j", 3630, "2h")
    build.store("2h", "j", fire_claim={"at": iso("2h"), "by": "a:1", "token": 2})
    return build.fire("j", "2h", arms="3h").fire("j", "3h", arms="4h")


def cut_off(why: str) -> Build:
    """A fire of j that may run twice comes to nothing and counts as unknown; one run is left."""
    more = "jobs: [{id: j, schedule: every 1h, repeat: 2}]\n"
    build = Build(more, external=True).up().arm("j", 0, "1h").deliver("j", "1h", "1h")
    build.store("1h", "j", fire_claim={"at": iso("1h"), "by": "a:1", "token": 1})
    build.add("1h", "fire.begin", job="j").add("1h", "claim", job="j", won=True, error=None)
    build.fault("1h", "store.read", why).add("1h", "fire.end", job="j", value=False, error=None)
    build.arm("j", "1h", "2h").missed("j", "1h", at="2h", state="unknown")
    build.store("2h", "j", fire_claim={"at": iso("2h"), "by": "a:1", "token": 2})
    return build.fire("j", "2h")


def lost_after_all(*, listed: bool) -> Build:
    """An arm has its effect, and its answer is lost; NAS may list it, then forgets everything."""
    build = Build(external=True).up()
    build.add(0, "nas.armed", "nas", job_id="j", fire_at=iso("1h"))
    build.call(0, "provision", "j", None, "raise")
    if listed:
        build.call("10m", "list")
    build.add("20m", "nas.forgot", "nas")
    return build.status("30m", "managed scheduler", verdict="healthy", promises=True)


def moved_west(armed_for: str) -> Build:
    """J ran at 08:30; an hour later it is three at night in New York, where 08:30 comes again."""
    more = "zone: UTC\nsteps: [{at: 1h, do: set-zone, to: America/New_York}]\n"
    more += "jobs: [{id: j, schedule: 30 8 * * *}, {id: k, schedule: every 90m}]\n"
    build = Build(more, external=True).up().arm("j", 0, "30m").arm("k", 0, "90m")
    build.fire("j", "30m", arms="24h30m").op("1h", "set-zone").arm("j", "90m", armed_for)
    return build.fire("k", "90m", arms="3h").fire("k", "3h", arms="4h30m")


def half_past(hour: int) -> Build:
    """A night in Berlin with two hours from 2 to 3; at the second 02:30 the zone is UTC.

    There it is 01:30, and the job of that hour's half ran in the night if its hour was past.
    """
    more = "zone: Europe/Berlin\nlasts: 9h\nsteps: [{at: 4h30m, do: set-zone, to: UTC}]\n"
    build = Build(f"{more}jobs: [{{id: j, schedule: 30 {hour} * * *}}]\n", start="2026-10-24T23:00:00")  # fmt: skip
    build.op("4h30m", "set-zone").up().loop(last="9h")
    return build.run("j", "3h30m") if hour == 2 else build


def untold(refused_at: int) -> Build:
    """J's fire of 2h comes into its run of 1h and is skipped; the disk refuses a record."""
    build = Build(external=True).up().arm("j", 0, "1h").fire("j", "1h", arms="2h", lasts=4000)
    build.add("2h", "nas.fired", "nas", job_id="j", fire_at=iso("2h"))
    build.deliver("j", "2h", "2h", answer="ignored").arm("j", "2h", "3h")
    build.fault(refused_at, "store.execution", job="j")
    return build.fire("j", "3h", arms="4h")


def kept_in_vain(*, told: bool) -> Build:
    """As `untold`, of records that hang; the machine dies soon, and may have told another before."""
    more = "faults: [{into: store.execution, hang: 12m, at: 119m}]\n"
    build = Build(more, external=True).up().arm("j", 0, "1h").fire("j", "1h", lasts=4000)
    build.add("2h", "nas.fired", "nas", job_id="j", fire_at=iso("2h"))
    build.deliver("j", "2h", "2h", answer="ignored").arm("j", "2h", "3h")
    build.fault("119m", "store.execution", does="hang")
    if told:
        build.add("140m", "execution", "a", records=[{"job_id": "k", "state": "missed"}])
    build.add("150m", "crash", "a").up("151m")
    return build.fire("j", "3h", arms="4h")


def interrupted(mended_at: str) -> Build:
    """A machine dies in a run while the store is torn, which is mended for good at some time."""
    more = f"steps: [{{at: 1h, do: damage, what: torn, for: {mended_at}}}]\n"
    build = Build(more, external=True).up().arm("j", 0, "1h").add("1h", "fire.begin", job="j")
    build.run("j", "1h", None).op("1h", "damage").add(3700, "crash", "a").up("70m")
    return build.missed("j", "2h", "3h")


def made_late(counts_from: str) -> Build:
    """J is to be made at 10m, on a machine that sleeps until 50m; its hour counts from somewhere."""
    more = "jobs: [{id: j, schedule: every 1h, created: by a step}]\nsteps:\n"
    more += "- {at: 5m, do: suspend, machine: a, for: 45m}\n- {at: 10m, do: create, job: j}\n"
    build = Build(more).op("5m", "suspend").up().loop(first="50m")
    build.add("10m", "op", "operator", do="create", job="j")
    first = f"{us(counts_from) + us('1h')}us"
    build.store("50m", "j", next_run_at=iso(first))
    build.add("50m", "op.end", "operator", do="create", job="j", error=None)
    return build.runs("j", first, f"{us(first) + us('1h')}us", f"{us(first) + us('2h')}us")


def resumed_by(*, ahead: bool) -> Build:
    """A machine whose clock is two seconds ahead resumes j, and it is armed by that clock."""
    more = "machines: {a: {skew: 2s}}\n" if ahead else ""
    more += "jobs: [{id: j, schedule: every 1h}, {id: k, schedule: 20 * * * *}]\n"
    build = Build(more, external=True).up()
    build.arm("j", 0, "1h").arm("k", 0, "20m").store(0, "j", enabled=True, next_run_at=iso("1h"))
    build.op("10m", "resume", "j").store("10m", "j", next_run_at=iso(4202))
    return build.arm("j", "10m", 4202).fire("k", "20m", arms="80m")


def unread(machine: str) -> Build:
    """A read of the store fails during the start, of the gateway or of a command; nothing is armed."""
    build = Build(external=True).up(returns=False).fault(0, "store.read", machine=machine)
    return build.add(0, "provider.returned")


def ahead(fire_at: str) -> Build:
    """J's run of 1h goes on over 2h, which is skipped; five seconds before 3h there is a fire."""
    build = Build(external=True).up().arm("j", 0, "1h").fire("j", "1h", arms="2h", lasts=5000)
    build.add("2h", "nas.fired", "nas", job_id="j", fire_at=iso("2h"))
    build.deliver("j", "2h", "2h", answer="ignored").arm("j", "2h", "3h")
    return build.missed("j", "2h", state="skipped").fire("j", 10795, fire_at=fire_at, arms="4h")


def kept(second: str) -> Build:
    """A lock is kept from 58m to 70m, and from `second` on for 50 minutes by another."""
    more = "jobs: [{id: j, schedule: every 1h}]\nsteps:\n"
    more += f"- {{at: 58m, do: hold-lock, for: 12m}}\n- {{at: {second}, do: hold-lock, for: 50m}}\n"
    build = Build(more, external=True).up().arm("j", 0, "1h")
    build.op("58m", "hold-lock").op(second, "hold-lock")
    return build.fire("j", 7170, fire_at="1h", arms="2h").fire("j", "2h", arms="3h").fire("j", "3h")


def paused(*, gone: bool) -> Build:
    """NAS forgets what is armed; then k is paused, which may have had its last run before that."""
    more = "jobs: [{id: j, schedule: every 1h}, {id: k, schedule: 5m}]\n"
    build = Build(more, external=True).up().arm("j", 0, "1h").store(0, "k", next_run_at=iso("5m"))
    if gone:
        build.fire("k", "5m").add(302, "store.commit", "a", changes=[["k", None]], by="a")
    return build.add("10m", "nas.forgot", "nas").op("20m", "pause", "k")


def taken_over(jump: str) -> Build:
    """The clock of b is set ahead; in a's run it takes a's claim over, a minute after its renewal.

    In the same instant, before that, a writes something else into the record.
    """
    more = "machines: [a, b]\njobs: [{id: j, schedule: every 1h}]\n"
    more += f"steps: [{{at: 50m, do: set-clock, machine: b, by: {jump}}}]\n"
    build = Build(more, external=True).up().up(machine="b").op("50m", "set-clock")
    claim = {"at": iso("65m"), "by": "a:1", "token": 1}
    build.store("1h", "j", fire_claim={**claim, "at": iso("1h")}).run("j", "1h", "1h")
    build.store("65m", "j", fire_claim=claim).store("66m", "j", fire_claim=claim, state="x")
    build.add("66m", "store.commit", "b", changes=[["j", {"fire_claim": None}]], by="b")
    return build.run("j", "70m", machine="b")


def died_ahead(*, skewed: bool) -> Build:
    """B dies in j's fire of 1h; just five minutes later k's fire wakes a; by b's clock it is not over."""
    more = "machines: {a: {}, b: {skew: 2s}}\n" if skewed else "machines: [a, b]\n"
    more += "jobs: [{id: j, schedule: every 1h}, {id: k, schedule: 5 * * * *}]\n"
    build = Build(more, external=True).up().up(machine="b").arm("j", 0, "1h").arm("k", 0, "5m")
    build.fire("k", "5m", arms="65m").add("1h", "fire.begin", "b", job="j").add("1h", "crash", "b")
    build.fire("k", "65m", arms="2h5m").missed("j", "1h", at="2h").arm("j", "65m", "2h")
    build.store("2h", "j", fire_claim={"at": iso("2h"), "by": "a:1", "token": 2})
    return build.fire("j", "2h", arms="3h").fire("k", "2h5m").runs("j", "3h").runs("k", "3h5m")


def tried_again(freed: str) -> Build:
    """The lock is kept until just before 2h, or long before; NAS' next try for 1h comes at 2h40s."""
    more = "jobs: [{id: j, schedule: every 1h}]\nsteps:\n"
    more += f"- {{at: 59m, do: hold-lock, for: {us(freed) // 1_000_000 - 3540}s}}\n"
    build = Build(more, external=True).up().arm("j", 0, "1h").op("59m", "hold-lock")
    return build.fire("j", 7240, fire_at="1h", arms="3h").fire("j", "3h", arms="4h")


def held_up_into(hang: int) -> Build:
    """A write hangs from 1h on, so long; then j's run of 1h begins, and its fire of 2h is skipped."""
    more = f"jobs: [{{id: j, schedule: every 1h}}]\nfaults: [{{into: store.sync, hang: {hang}m}}]\n"
    build = Build(more, external=True).up().arm("j", 0, "1h").deliver("j", "1h", "1h")
    build.add("1h", "fault", "a", index=0, seam="store.sync", does="hang")
    build.store("1h", "j", fire_claim={"at": iso("1h"), "by": "a:1", "token": 1})
    build.add("1h", "fire.begin", job="j").add("1h", "claim", job="j", won=True, error=None)
    ends = 3602 + hang * 60
    build.run("j", ends - 2, 2).add(ends, "fire.end", job="j", value=True, error=None)
    build.arm("j", "2h6m", "3h").missed("j", "2h", state="skipped")
    build.store("3h", "j", fire_claim={"at": iso("3h"), "by": "a:1", "token": 2})
    return build.fire("j", "3h", arms="4h")


def lost_and_removed(*, removed: bool) -> Build:
    """A machine dies in a run; the records are lost; the job may be gone when it is back."""
    more = "steps: [{at: 61m, do: damage, what: forgotten-runs, for: 1s}, {at: 62m, do: remove, job: j}]\n"  # fmt: skip
    build = Build(more, external=True).up().run("j", "1h", None).add(3601, "crash", "a")
    build.op("61m", "damage").up("70m")
    if removed:
        build.op("62m", "remove", "j")
    return build.missed("j", "2h", "3h")


def triggered(runs_at: str) -> Build:
    """J is triggered at 20m, on a machine that sleeps until 50m and takes the trigger in then."""
    more = "jobs: [{id: j, schedule: every 1h}]\nsteps:\n- {at: 10m, do: suspend, machine: a, for: 40m}\n"  # fmt: skip
    build = Build(f"{more}- {{at: 20m, do: trigger, job: j}}\n").op("10m", "suspend").up()
    build.loop(last="10m").loop(first="50m").store(0, "j", next_run_at=iso("1h"))
    build.add("20m", "op", "operator", do="trigger", job="j")
    build.store("50m", "j", next_run_at=iso("50m"))
    build.add("50m", "op.end", "operator", do="trigger", job="j", error=None)
    return build.store("50m", "j", next_run_at=iso("1h")).runs("j", runs_at, "1h", "2h", "3h")


def due_by_then(until: str) -> Build:
    """J is triggered at 50m, on a machine that sleeps; when it wakes up nothing has to be stored."""
    asleep = f"{us(until) // 1_000_000 - 2400}s"
    more = "jobs: [{id: j, schedule: every 1h}]\nsteps:\n"
    more += f"- {{at: 40m, do: suspend, machine: a, for: {asleep}}}\n"
    build = Build(f"{more}- {{at: 50m, do: trigger, job: j}}\n").op("40m", "suspend").up()
    build.loop(last="40m").loop(first=until).store(0, "j", next_run_at=iso("1h"))
    build.add("50m", "op", "operator", do="trigger", job="j")
    build.add(until, "op.end", "operator", do="trigger", job="j", error=None)
    return build.runs("j", "62m", "2h", "3h")


def removed_meanwhile(*, removed: bool) -> Build:
    """J is triggered; in the same instant it may be removed, and runs no more."""
    build = Build("jobs: [{id: j, schedule: every 1h}]\n").up().loop().store(0, "j")
    build.add("10m", "op", "operator", do="trigger", job="j")
    if removed:
        build.op("10m", "remove", "j")
        build.add("10m", "store.commit", "a", changes=[["j", None]], by="a")
    return build.add("10m", "op.end", "operator", do="trigger", job="j", error=None)


def fell_back(*, struck: bool) -> Build:
    """The built-in on b, in the place of a provider or not, takes j at 1h and dies; a is not woken."""
    more = "machines: [a, b]\nfaults: [{into: start, raise: OSError}]\n"
    build = Build(more, external=True).up().add(0, "boot", "b").add(0, "up", "b")
    build.add(0, "provider.start", "b", interval_s=60, kwargs=[])
    if struck:
        build.add(0, "fault", "b", index=0, seam="start", does="raise")
    build.add(0, "provider.raised", "b", error="OSError").arm("j", 0, "1h").run(
        "j", 3599, None, "b"
    )
    build.add(3600, "nas.fired", "nas", job_id="j", fire_at=iso("1h"))
    build.deliver("j", "1h", "1h", answer="ignored")
    return build.add(3601, "crash", "b")


def put_back(struck_at: str) -> Build:
    """J is paused, and a later write has it on again; the disk lost a write, that one or another."""
    more = "faults: [{into: store.replace, damage: lost}]\n"
    build = Build(more).up().loop().store(0, "j", enabled=True).op("10m", "pause", "j")
    build.drop("op", "10m").drop("op.end", "10m").add("10m", "op", "operator", do="pause", job="j")
    build.store("10m", "j", enabled=False)
    build.add("10m", "op.end", "operator", do="pause", job="j", error=None)
    build.add(struck_at, "fault", "a", index=0, seam="store.replace", does="damage", job="j")
    return build.store("20m", "j", enabled=True, last_status="ok")


def by_hand(*, twice: bool) -> Build:
    """J's early fire is ignored; a command runs j at 59m40s, and a gateway may do it again."""
    more = "steps: [{at: 3580s, do: run, job: j}]\n"
    build = Build(more, external=True).up().arm("j", 0, "1h")
    build.deliver("j", "55m", "1h", answer="ignored")
    build.add(3580, "op", "operator", do="run", job="j").store(3580, "j", next_run_at=iso("1h"))
    build.run("j", 3580, 1, "operator")
    build.add(3581, "op.end", "operator", do="run", job="j", error=None)
    if twice:
        build.run("j", 3590)
    return build.fire("j", "1h", arms="2h").fire("j", "2h", arms="3h").fire("j", "3h", arms="4h")


PAIRS = [
    ("ONCE-8", "run by hand before it is due", by_hand(twice=False), by_hand(twice=True)),
    ("ONCE-10", "a trigger that is taken in late", triggered("50m"), triggered("35m")),
    (
        "LIVE-1",
        "removed meanwhile",
        removed_meanwhile(removed=True),
        removed_meanwhile(removed=False),
    ),
    ("RECON-1", "the built-in in its place", fell_back(struck=True), fell_back(struck=False)),
    ("LIVE-1", "due by then", due_by_then("61m"), due_by_then("51m")),
    ("STORE-3", "a lost write", put_back("11m"), put_back("9m")),
    ("LIVE-1", "a try that comes a little later", tried_again("7195s"), tried_again("119m")),
    ("LIVE-1", "a run that was held up", held_up_into(65), held_up_into(58)),
    ("LIVE-6", "lost records", lost_and_removed(removed=True), lost_and_removed(removed=False)),
    ("RECON-7", "a change of what is gone", paused(gone=True), paused(gone=False)),
    ("ONCE-6", "by a clock that is ahead", taken_over("10m"), taken_over("2m")),
    ("LIVE-1", "a claim dated ahead", died_ahead(skewed=True), died_ahead(skewed=False)),
    ("LIVE-1", "the store could not be read", unread("a"), unread("operator")),
    ("RECON-1", "the store could not be read", unread("a"), unread("operator")),
    ("LIVE-1", "a fire that is early names its occurrence", ahead("3h"), ahead("2h")),
    ("LIVE-1", "a lock that is waited for, then kept", kept("60m"), kept("15m")),
    ("LIVE-1", "its machine slept", made_late("50m"), made_late("53m")),
    ("LIVE-1", "a clock that was read before the lock", made_late("40m"), made_late("5m")),
    ("RECON-1", "a clock that is ahead", resumed_by(ahead=True), resumed_by(ahead=False)),
    ("LIVE-6", "the disk refused its record", untold(7200), untold(3600)),
    ("LIVE-6", "its record was kept", kept_in_vain(told=False), kept_in_vain(told=True)),
    ("LIVE-6", "the store is torn", interrupted("30m"), interrupted("5m")),
    (
        "LIVE-13",
        "a paused job is run by hand",
        switched_off("pause", "run"),
        switched_off("pause", "resume", "run"),
    ),
    ("LIVE-2", "it is removed", never_armed(removed=True), never_armed(removed=False)),
    ("RECON-7", "a run by hand", forgotten("run"), forgotten("update")),
    ("RECON-1", "a run by hand", forgotten("run"), forgotten("update")),
    ("LIVE-1", "a read that is behind", behind("j"), behind("k")),
    ("RECON-1", "a read that is behind", behind("j"), behind("k")),
    (
        "LIVE-1",
        "promised by a machine that died",
        promised_by_the_dead(claimed=True),
        promised_by_the_dead(claimed=False),
    ),
    ("LIVE-1", "cut off by a read that is behind", cut_off("stale"), cut_off("hang")),
    (
        "STAT-11",
        "an arm that was listed",
        lost_after_all(listed=True),
        lost_after_all(listed=False),
    ),
    ("RECON-1", "it came today", moved_west("29h30m"), moved_west("24h30m")),
    ("TIME-5", "it came before the hour was repeated", half_past(2), half_past(3)),
]


@pytest.mark.parametrize(("requirement", "corner", "excused", "broken"), PAIRS)
def test_nobody_could_have_known_and_nothing_else_is_excused(requirement, corner, excused, broken):
    """The judge lets the one pass and rejects the other."""
    assert excused.judge(requirement).verdict != "violated", excused.judge(requirement).reason
    assert broken.judge(requirement).verdict == "violated", corner
