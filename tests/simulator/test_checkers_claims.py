"""Checkers of claims, locks and clocks, each with histories that hold, are violated, say nothing."""

import pytest
from histories import Build, iso

PAIR = "machines: [a, b]\n"
TWINS = "jobs: [{id: j, schedule: every 1h}, {id: twin, schedule: every 1h, record: {id: j}}]\n"
STUCK = PAIR + "faults: [{into: store.write, hang: 20m}]\n"


def pair(more=PAIR, *, dies: str | None = None) -> Build:
    """Two gateways whose processes have numbers; `a` may die."""
    build = Build(more)
    for pid, machine in enumerate("ab", 100):
        build.add(0, "boot", machine, incarnation=1, pid=pid).add(0, "up", machine)
        build.add(0, "provider.start", machine, interval_s=60, kwargs=[])
    build.loop(last=dies or "4h").loop(machine="b")
    return build if dies is None else build.add(dies, "crash", "a")


def stored(build, at, by, token=None, *, machine=None, renewed=None, promised=False, **record):
    """A record as `machine` (else the holder's) stored it; without a token nobody holds the job."""
    claim = None
    if token is not None:
        claim = {"at": iso(renewed or at), "by": by, "token": token, "reserved": promised}
    change = {"id": "j", "fire_claim": claim, **record}
    return build.add(
        at, "store.commit", "store", changes=[["j", change]], by=machine or by.partition(":")[0]
    )


def contended(second="1h2m", *, renewed=None, free=None, **how):
    """`a` holds the job from 1h; `b` takes it later."""
    build = stored(pair(**how), "1h", "a:100", 1)
    build.add("1h", "claim", "b", job="j", won=False, error=None)
    if renewed:
        stored(build, renewed, "a:100", 1)
    if free:
        stored(build, free, "a:100")
    return stored(build, second, "b:101", 2)


@pytest.mark.parametrize(
    ("build", "verdict"),
    [
        (contended("2h"), "held"),
        (contended("1h2m"), "violated"),
        (contended("1h7m"), "held"),
        (contended("1h7m", renewed="1h4m"), "violated"),
        (contended("1h2m", free="1h1m"), "held"),
        (contended("1h2m", dies="1h1m"), "held"),
        (pair(), "unknown"),
    ],
    ids=["later", "fresh", "run out", "renewed", "ended", "the holder died", "nobody"],
)
def test_of_simultaneous_claims_one_wins(build, verdict):
    assert build.judge("ONCE-1").verdict == verdict


@pytest.mark.parametrize(("skew", "verdict"), [("0s", "violated"), ("2s", "held")])
def test_a_claim_is_over_by_the_clock_of_whoever_takes_it(skew, verdict):
    """It is 2 s short of its time, and one of the clocks may be ahead by that."""
    build = stored(pair(f"machines: {{a: {{}}, b: {{skew: {skew}}}}}\n"), "1h", "a:100", 1)
    build.add("1h", "claim", "b", job="j", won=False, error=None)
    assert stored(build, "1h4m58s", "b:101", 2).judge("ONCE-1").verdict == verdict


@pytest.mark.parametrize(
    ("machine", "by", "second", "verdict"),
    [
        ("b", "10m", "1h1s", "held"),
        ("b", "3m", "1h1m", "violated"),
        ("b", "3m", "1h2m", "held"),
        ("b", "-10m", "1h5m", "held"),
        ("a", "10m", "1h4m", "violated"),
        ("a", "10m", "1h5m", "held"),
    ],
)
def test_a_claim_is_over_in_true_time_or_by_a_clock_that_was_set(machine, by, second, verdict):
    steps = f"steps: [{{at: 30m, do: set-clock, machine: {machine}, by: {by}}}]\n"
    build = pair(PAIR + steps).op("30m", "set-clock", step=0, by=by)
    stored(build, "1h", "a:100", 1, renewed="1h10m" if machine == "a" else None)
    build.add("1h", "claim", "b", job="j", won=False, error=None)
    assert stored(build, second, "b:101", 2).judge("ONCE-1").verdict == verdict


def test_a_promise_is_taken_up_and_not_taken_over():
    build = stored(pair(), "1h", "a:100", 1, promised=True)
    build.add("1h", "claim", "b", job="j", won=False, error=None)
    assert stored(build, "1h1s", "b:101", 2).judge("ONCE-1").verdict == "held"


def test_a_tick_that_was_under_way_elsewhere_contends():
    build = pair().drop("tick.begin").drop("tick.end")
    build.tick("1h", "b", lasts=2)
    assert stored(build, 3601, "a:100", 1).judge("ONCE-1").verdict == "held"
    assert stored(pair(), 3601, "a:100", 1).judge("ONCE-1").verdict == "unknown"


def fenced(*, after: dict | None = None, by="a", taken=True):
    """The run on `a` loses its claim to `b`, and its end is stored as `after` says."""
    build = stored(pair(), "1h", "a:100", 1)
    build.run("j", 3601, "1h30m", "a")
    if taken:
        stored(build, "2h", "b:101", 2, last_status="ok")
        build.run("j", 7201, "1h", "b")
    if after is not None:
        token = after.pop("token", 2)
        stored(build, 9001, "b:101", token, machine=by, renewed="2h", **after)
    return build.add(9002, "mark", "a", job="j", ok=True, error=None)


@pytest.mark.parametrize(
    ("build", "verdict"),
    [
        (fenced(), "held"),
        (fenced(after={"last_status": "error"}), "violated"),
        (fenced(after={"token": None, "last_status": "ok"}), "violated"),
        (fenced(after={"last_status": "error"}, by="b"), "held"),
        (fenced(after={"last_status": "ok"}), "held"),
        (fenced(taken=False), "unknown"),
    ],
    ids=["nothing", "a result", "the claim", "the owner's own", "the same", "never lost"],
)
def test_who_lost_the_claim_changes_nothing(build, verdict):
    assert build.judge("ONCE-7").verdict == verdict


def twins(*runs, more=TWINS):
    build = Build(more).up().loop()
    for token, at in enumerate(dict.fromkeys(runs), 1):
        stored(build, at, "a:100", token)
    return build.runs("j", *runs)


@pytest.mark.parametrize(
    ("build", "verdict"),
    [
        (twins("1h", "2h", "3h"), "held"),
        (twins("1h", "1h", "2h", "3h"), "violated"),
        (twins("1h", "1h1m", "2h", "3h"), "violated"),
        (twins(), "unknown"),
        (twins("1h", more=""), "unknown"),
    ],
    ids=["once each", "twice at once", "twice claimed", "never ran", "no twin"],
)
def test_a_duplicate_record_is_no_second_job(build, verdict):
    assert build.judge("ONCE-11").verdict == verdict


def stuck(*ticks, refused=(), commits=()):
    """`b` keeps the lock from 1h for 20 min; the ticks of `a` are as given: (at, error, lasts)."""
    build = Build(STUCK).up().up(machine="b").loop(last="59m")
    build.add("1h", "fault", "b", index=0, seam="store.write", does="hang")
    for at, error, lasts in ticks:
        build.tick(at, error=error, lasts=lasts)
    for at in refused:
        build.add(at, "store.refused", "store", step="lock", reason="busy", by="a")
    for at, by in commits:
        stored(build, at, by)
    return build


@pytest.mark.parametrize(
    ("build", "verdict"),
    [
        (stuck((3600, "StoreBusy", 10), refused=[3609]), "held"),
        (stuck((3600, None, 10), refused=[3609]), "violated"),
        (stuck((3600, "StoreBusy", 1100), refused=[4700]), "violated"),
        (stuck((3600, "StoreBusy", 10), refused=[3609], commits=[(3700, "a:1")]), "violated"),
        (stuck((3600, "StoreBusy", 10), refused=[3609], commits=[(5000, "a:1")]), "held"),
        (stuck((3600, None, 0)), "unknown"),
    ],
    ids=["said", "unsaid", "unbounded", "written", "written later", "not wanted"],
)
def test_a_stuck_lock_is_waited_for_and_said(build, verdict):
    assert build.judge("LIVE-10").verdict == verdict


def jumped(*runs, by="-3h", cron=False, also=None):
    """The clock jumps at 2h30m, after the runs of 1h and 2h."""
    schedule = "0 * * * *" if cron else "every 1h"
    steps = f"steps: [{{at: 2h30m, do: set-clock, machine: a, by: {by}}}]\nlasts: 12h\n"
    build = Build(f"jobs: [{{id: j, schedule: {schedule}}}]\n" + steps).up().loop(last="12h")
    build.runs("j", "1h", "2h", *runs).op("2h30m", "set-clock", step=0, by=by)
    return build if also is None else also(build)


@pytest.mark.parametrize(
    ("build", "verdict"),
    [
        (jumped(*(f"{hour}h30m" for hour in range(3, 12))), "held"),
        (jumped(*(f"{hour}h30m" for hour in range(4, 12, 2))), "held"),
        (jumped(*(f"{hour}h30m" for hour in range(5, 12))), "violated"),
        (jumped("3h30m", "4h30m"), "violated"),
        (jumped(*(f"{hour}h" for hour in range(3, 12)), cron=True), "held"),
        (jumped(*(f"{hour}h" for hour in range(5, 12)), cron=True), "violated"),
        (jumped(also=lambda build: build.add("2h40m", "crash")), "unknown"),
        (jumped(also=lambda build: build.op("2h40m", "pause", "j")), "unknown"),
        (Build().up().loop().runs("j", "1h"), "unknown"),
    ],
    ids=[
        "goes on", "every other", "silent", "silent later", "by the wall", "silent by the wall",
        "down", "paused", "no jump",
    ],
)  # fmt: skip
def test_a_jump_of_the_clock_silences_nobody(build, verdict):
    assert build.judge("LIVE-11").verdict == verdict
