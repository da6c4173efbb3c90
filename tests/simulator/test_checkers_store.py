"""STORE and TIME checkers that read commits, damages and refusals: held, violated, silent."""

import pytest
from histories import Build, iso

HOURLY = {"kind": "interval", "minutes": 60}


def stored(build: Build, at, *jobs, next_at, last_at=None, schedule=HOURLY, **more) -> Build:
    """One commit of each job."""
    last = None if last_at is None else iso(last_at)
    for job in jobs:
        fields = {"schedule": schedule, "next_run_at": iso(next_at), "last_run_at": last, **more}
        build.store(at, job, **fields)
    return build


def edited(*later, then=()) -> Build:
    """A pause at 30m that the store took; afterwards others write these states."""
    build = stored(Build().up(), 0, "j", next_at="1h", state="scheduled", enabled=True)
    build.add("30m", "op", "operator", do="pause", job="j")
    stored(build, "30m", "j", next_at="1h", state="paused", enabled=False)
    build.add("30m", "op.end", "operator", do="pause", job="j", error=None)
    for at, do in then:
        build.op(at, do, "j")
    for at, state in later:
        stored(build, at, "j", next_at="1h", state=state, enabled=state != "paused")
    return build


def hurt(what: str, *, lasts="10m", error="StoreUnreadable", wrote=None, before=True) -> Build:
    """The disk is hurt at 1h; a tick ends in this error meanwhile, a write comes at `wrote`."""
    how = f"steps: [{{at: 1h, do: damage, what: {what}, for: {lasts}}}]\n"
    build = Build(how).up()
    if before:
        stored(build, 0, "j", next_at="2h")
    build.op("1h", "damage", what=what).tick("1h1m", error=error)
    return build if wrote is None else stored(build, wrote, "j", next_at="3h")


def started(*writes, at="1h", tick_s=2, skew="0s", steps="") -> Build:
    """A tick at 1h with two jobs due; each write takes these jobs, to 2h or to what is named."""
    more = f"{steps}machines: {{a: {{skew: {skew}}}}}\n"
    build = Build(f"{more}jobs: [{{id: j, schedule: every 1h}}, {{id: k, schedule: every 1h}}]\n")
    stored(build.up(), 0, "j", "k", next_at="1h")
    build.tick("1h", lasts=tick_s)
    for jobs, _, next_at in (write.partition(" ") for write in writes):
        changes = [[job, {"id": job, "schedule": HOURLY, "next_run_at": iso(next_at or "2h"), "last_run_at": None}] for job in jobs]  # fmt: skip
        build.add(at, "store.commit", "store", changes=changes, by="a")
    return build


STORE = [
    ("STORE-3", "held", edited(("40m", "paused"))),
    ("STORE-3", "violated", edited(("40m", "scheduled"))),
    ("STORE-3", "held", edited(("35m", "paused"), ("40m", "scheduled"), then=[("38m", "resume")])),
    ("STORE-3", "unknown", edited()),
    ("STORE-4", "held", hurt("garbage")),
    ("STORE-4", "held", hurt("unreadable", wrote="1h20m")),
    ("STORE-4", "violated", hurt("garbage", wrote="1h5m")),
    ("STORE-4", "held", hurt("control-character")),
    ("STORE-4", "held", hurt("control-character", error=None).run("j", "2h")),
    ("STORE-4", "violated", hurt("control-character", error=None)),
    ("STORE-4", "violated", hurt("control-character", error=None).add("2h2m", "crash")),
    ("STORE-4", "unknown", hurt("control-character", error=None).add("1h2m", "crash")),
    ("STORE-4", "violated", hurt("failing", error=None)),
    ("STORE-4", "unknown", hurt("torn")),
    ("STORE-5", "held", hurt("torn")),
    ("STORE-5", "violated", hurt("torn", error=None)),
    ("STORE-5", "violated", hurt("deleted", wrote="1h5m")),
    ("STORE-5", "unknown", hurt("deleted", before=False)),
    ("STORE-5", "unknown", hurt("deleted", lasts="30s")),
    ("STORE-9", "held", started("jk")),
    ("STORE-9", "violated", started("j", "k")),
    ("STORE-9", "unknown", started("j")),
]


def ran(*nexts) -> Build:
    """Runs at each hour; at the claim of each, the store gets this next time."""
    build = stored(Build().up().loop(), 0, "j", next_at="1h")
    for hour, following in enumerate(nexts, 1):
        stored(build, f"{hour}h", "j", next_at=following).run("j", f"{hour}h")
    return build


def naive(*runs, zone="America/New_York") -> Build:
    """A one-shot at 09:00 on the wall, an hour after the start."""
    more = f"zone: {zone}\njobs: [{{id: j, schedule: '2026-03-02T09:00:00'}}]\n"
    return Build(more).up().loop().runs("j", *runs)


def moved(*runs) -> Build:
    """21:00 each day; at 09:00 UTC the zone becomes one that is two hours ahead of UTC."""
    more = (
        "lasts: 2d\njobs: [{id: j, schedule: 0 21 * * *}]\n"
        "steps: [{at: 1h, do: set-zone, to: Africa/Johannesburg}]\n"
    )
    build = Build(more).up().loop(last="2d").op("1h", "set-zone", to="Africa/Johannesburg")
    return build.runs("j", *runs)


def given(schedule: str, *, error: str | None = "ValueError", do="create") -> Build:
    """A schedule that an operator gives to a job at 30m, 08:30."""
    if do == "create":
        more = f"jobs: [{{id: j, schedule: '{schedule}', created: by a step}}]\n"
        step = "{at: 30m, do: create, job: j}"
    else:
        more = "jobs: [{id: j, schedule: every 1h}]\n"
        step = f"{{at: 30m, do: update, job: j, set: {{schedule: '{schedule}'}}}}"
    return Build(f"{more}steps: [{step}]\n").up().op("30m", do, "j", error)


def resumed(error: str | None) -> Build:
    """A one-shot for 09:00, paused before and resumed at 10:00."""
    more = (
        "jobs: [{id: j, schedule: '2026-03-02T09:00:00'}]\n"
        "steps: [{at: 30m, do: pause, job: j}, {at: 2h, do: resume, job: j}]\n"
    )
    build = Build(more).up().add(0, "op.end", "operator", do="create", job="j", error=None)
    return build.op("30m", "pause", "j").op("2h", "resume", "j", error)


TIME = [
    ("TIME-1", "held", ran("2h", "3h", "4h")),
    ("TIME-1", "violated", ran("2h", "2h", "3h")),
    ("TIME-1", "violated", ran("3h", "2h")),
    ("TIME-1", "unknown", ran("2h")),
    ("TIME-4", "held", naive("1h")),
    ("TIME-4", "violated", naive()),
    ("TIME-4", "violated", naive("30m", "1h")),
    ("TIME-4", "unknown", naive("1h", zone="UTC")),
    ("TIME-5", "held", moved("11h", "35h")),
    ("TIME-5", "violated", moved("13h", "37h")),
    ("TIME-5", "violated", moved("2h", "11h", "35h")),
    ("TIME-5", "unknown", ran("2h", "3h")),
    ("TIME-6", "held", given("2026-03-02T08:27:59")),
    ("TIME-6", "violated", given("2026-03-02T08:27:59", error=None)),
    ("TIME-6", "unknown", given("2026-03-02T08:28:01", error=None)),
    ("TIME-6", "violated", given("2026-03-02T08:00:00", error=None, do="update")),
    ("TIME-6", "held", resumed("ScheduleError")),
    ("TIME-6", "violated", resumed(None)),
    ("TIME-7", "held", given("0 0 31 2 *")),
    ("TIME-7", "violated", given("0 0 31 2 *", error=None)),
    ("TIME-7", "violated", given("61 * * * *", error=None, do="update")),
    ("TIME-7", "unknown", given("0 0 29 2 1", error=None)),
]


@pytest.mark.parametrize(("requirement", "verdict", "build"), [*STORE, *TIME])
def test_it_judges(requirement, verdict, build):
    finding = build.judge(requirement)
    assert (finding.id, finding.verdict) == (requirement, verdict), finding.reason
    assert finding.reached == (verdict != "unknown")


def test_a_damage_by_a_fault_counts_as_one_by_a_step():
    build = Build("faults: [{into: store.replace, damage: torn}]\n").up()
    stored(build, 0, "j", next_at="1h").add("1h", "fault", "a", index=0, seam="store.replace", does="damage")  # fmt: skip
    assert build.judge("STORE-5").verdict == "unknown"
    assert build.tick("1h1m", error="StoreUnreadable").judge("STORE-5").verdict == "held"
    assert stored(build, "2h", "j", next_at="3h").judge("STORE-5").verdict == "violated"


def torn_and_then(what: str, wrote: str) -> Build:
    """A torn jobs file; other damage an hour later; somebody writes the jobs."""
    steps = f"steps: [{{at: 1h, do: damage, what: torn}}, {{at: 2h, do: damage, what: {what}}}]\n"
    build = stored(Build(steps).up(), 0, "j", next_at="1h")
    build.op("1h", "damage", what="torn").op("2h", "damage", what=what)
    return stored(build, wrote, "j", next_at="3h")


def test_what_was_torn_may_be_written_when_the_disk_has_another_file():
    assert torn_and_then("lost", "2h1m").judge("STORE-5").verdict != "violated"
    assert torn_and_then("lost", "1h59m").judge("STORE-5").verdict == "violated"
    assert torn_and_then("full", "2h1m").judge("STORE-5").verdict == "violated"


def triggered_before_its_run(*, asked: bool) -> Build:
    """A run of 1h that is claimed, then its job is triggered, then it begins."""
    build = Build("steps: [{at: 2h, do: trigger, job: j}]\n" if asked else "").up()
    stored(build, 0, "j", next_at="1h")
    stored(build, "1h", "j", next_at="2h").run("j", "1h")
    stored(build, "2h", "j", next_at="3h")
    if asked:
        build.add("2h", "op", "operator", do="trigger", job="j")
    stored(build, "2h", "j", next_at="2h")
    if asked:
        build.add("2h", "op.end", "operator", do="trigger", job="j", error=None)
    return build.run("j", "2h").run("j", "121m")


def test_a_trigger_between_claim_and_run_puts_no_time_of_the_schedule_back():
    assert triggered_before_its_run(asked=True).judge("TIME-1").verdict == "held"
    assert triggered_before_its_run(asked=False).judge("TIME-1").verdict == "violated"


def test_who_looks_late_may_first_let_fall_what_was_missed():
    """In a tick that hung until 2h10m: what that moves on is not taken to run."""
    late = {"at": "130m", "tick_s": 4201}
    assert started("jk 2h", "jk 3h", **late).judge("STORE-9").verdict == "held"
    assert started("jk 2h", "j 3h", "k 3h", **late).judge("STORE-9").verdict == "violated"
    ahead = {"at": 7199, "tick_s": 7000}
    assert started("jk 2h", "jk 3h", **ahead, skew="2s").judge("STORE-9").verdict == "held"
    split = started("jk 2h", "j 3h", "k 3h", **ahead, skew="2s")
    assert split.judge("STORE-9").verdict == "violated"


def test_what_was_due_is_not_known_where_the_last_write_was_lost():
    steps = "faults: [{into: store.replace, damage: lost}]\n"
    lost = started("j", "k", steps=steps)
    lost.store(1, "k", schedule=HOURLY, next_run_at=iso("1h"), last_run_at=None)
    assert lost.judge("STORE-9").verdict == "violated"
    lost.add(1, "fault", index=0, seam="store.replace", does="damage")
    assert lost.judge("STORE-9").verdict != "violated"


def test_late_is_by_the_clock_of_who_looks():
    """Which may have been set ahead by an hour."""
    steps = "steps: [{at: 1h, do: set-clock, machine: a, by: 1h}]\n"
    let_fall = started("j 2h", "jk 3h", steps=steps).op(3599, "set-clock")
    assert let_fall.judge("STORE-9").verdict == "held"
    assert started("j 2h", "jk 3h").judge("STORE-9").verdict == "violated"
    split = started("jk 2h", "j 3h", "k 3h", steps=steps).op(3599, "set-clock")
    assert split.judge("STORE-9").verdict == "violated"


@pytest.mark.parametrize(
    ("was", "becomes"),
    [({"state": "paused"}, {}), ({}, {"schedule": {"kind": "interval", "minutes": 120}})],
)
def test_what_an_operator_changes_in_a_tick_is_not_taken_by_it(was, becomes):
    build = started("j")
    build.store("59m", "k", **{"schedule": HOURLY, "next_run_at": iso("1h"), **was})
    build.store("1h", "k", **{"schedule": HOURLY, "next_run_at": iso("3h"), **becomes})
    assert build.judge("STORE-9").verdict == "unknown"
