"""FIRE, ONCE, LIVE and TIME checkers, each with histories that hold, are violated, say nothing."""

import pytest
from histories import Build, iso

TWO = "jobs: [{id: j, schedule: every 1h}, {id: k, schedule: every 1h}]\n"
ONCE = "jobs: [{id: j, schedule: 1h}, {id: k, schedule: every 1h}]\n"
CRON = "jobs: [{id: j, schedule: 0 9 * * *}]\nlasts: 12h\n"
MOVED = CRON + "steps: [{at: 30m, do: update, job: j, set: {schedule: 0 18 * * *}}]\n"
PAIR = "machines: [a, b]\n"
DOWN = "lasts: 2d\njobs: [{id: j, schedule: 0 9 * * *}]\n"
SLOW = "lasts: 1h\njobs: [{id: j, schedule: every 5m}]\n"
BROKEN = "jobs: [{id: j, schedule: every 1h}, {id: x, schedule: every 1h, record: {id: null}}]\n"
CLAIM = "{at: 2031-01-01T00:00:00+00:00, by: gone:1}"
STUCK = "faults: [{into: tick, hang: 25m}]\n"
AHEAD = f"jobs: [{{id: j, schedule: every 1h, record: {{fire_claim: {CLAIM}}}}}]\n"


def chronos(more="", *fires, **how) -> Build:
    """An external world with its job fired at these instants and armed for the next."""
    build = Build(more, external=True).up().arm("j", 0, fires[0] if fires else "1h")
    for at, following in zip(fires, [*fires[1:], None], strict=True):
        build.fire("j", at, arms=following, **how)
    return build


def ticker(more="", *runs, lasts="4h") -> Build:
    return Build(more).up().loop(last=lasts).runs("j", *runs)


ALL = ("1h", "2h", "3h")
HOURS = ("1h", "2h", "3h", "4h")


RUNS_TWICE = "jobs: [{{id: j, schedule: {}, repeat: 2}}]\n"


def left_in_a_run(*later, schedule="1h") -> Build:
    """A job that may run twice, whose gateway leaves while it runs and is back 30 s later."""
    build = Build(RUNS_TWICE.format(schedule)).up().loop(last="1h").run("j", "1h", None)
    build.add(3601, "stop.requested").add(3601, "provider.returned").add(3630, "stopped")
    return build.up(3630).loop(first=3631).runs("j", *later)


def paused(*, at="1h30m") -> Build:
    return ticker("", "1h").op(at, "pause", "j")


def moved(**how) -> Build:
    build = Build(MOVED, external=True).up().arm("j", 0, "1h").op("30m", "update", "j", step=0)
    return build.arm("j", "30m", "10h").fire("j", "10h", arms="34h")


def slow(*runs, misses=("10m", "20m", "30m", "35m", "45m"), word="skipped") -> Build:
    """Runs of 12 minutes, due each 5 minutes; back to back at 5, 17, 29 and 41."""
    build = Build(SLOW).up().loop(last="1h").missed("j", *misses, at="55m", state=word)
    for at in runs or ("5m", "17m", "29m", "41m", "53m"):
        build.run("j", at, "12m")
    return build


def down(*runs, records=("1h",)) -> Build:
    """Down over two days' 09:00; up at 11:30 on the second."""
    build = Build(DOWN).up().loop(last="30m").add("30m", "crash").up("27h30m").loop("27h30m", "2d")
    return build.runs("j", *runs).missed("j", *records, at="27h30m")


def crashed(job="j", again: str | None = None, more="") -> Build:
    """The first run dies with its machine, which comes back."""
    build = (
        Build(more)
        .up()
        .loop(last="1h1m", skip=[])
        .run(job, "1h", None)
        .add("1h2s", "crash")
        .up("1h30s")
        .loop("1h30s")
    )
    build.missed(job, "1h", at="1h31s", state="unknown").runs(job, "2h", "3h")
    return build if again is None else build.run(job, again)


def cut(*, recorded: str | None = "unknown", claimed=True, dies=True, runs=ALL[1:]) -> Build:
    """The occurrence of 1h is taken in the store, and the machine dies before its body begins."""
    build = Build().up().loop(last="1h1m")
    if claimed:
        build.store("1h", "j", fire_claim={"at": iso("1h"), "by": "a", "token": 1})
    if dies:
        build.fault("1h", "store.replace", "crash").add("1h", "crash").up("1h5m")
    build.loop("1h5m")
    for token, at in enumerate(runs, 2):
        build.store(at, "j", fire_claim={"at": iso(at), "by": "a", "token": token}).run("j", at)
    return build.missed("j", "1h", at="1h5m", state=recorded) if recorded else build


def unclaimed(again: str | None) -> Build:
    """The claim of j at 1h raises; the fire of k is the next occasion, and j comes again after."""
    more = "jobs: [{id: j, schedule: every 1h}, {id: k, schedule: 15 * * * *}]\n"
    build = Build(more, external=True).up().arm("j", 0, "1h").arm("k", 0, "15m")
    build.fire("k", "15m", arms="75m")
    build.deliver("j", "1h", "1h").add("1h", "fire.begin", job="j")
    build.fault("1h", "claim", job="j").add("1h", "claim", job="j", won=False, error="OSError")
    build.add("1h1s", "fire.end", job="j", value=None, error="OSError")
    build.fire("k", "75m", arms="2h15m").fire("k", "2h15m", arms="3h15m").fire("k", "3h15m")
    if again is not None:
        build.fire("j", again, fire_at="1h", arms="2h")
    return build.fire("j", "2h", arms="3h").fire("j", "3h", arms="4h")


FIRE = [
    ("FIRE-1", "held", chronos("", *HOURS)),
    ("FIRE-1", "violated", chronos("", *HOURS, value=False)),
    ("FIRE-1", "violated", chronos("", *HOURS, won=False)),
    ("FIRE-1", "violated", chronos("", "1h").fire("j", "2h", runs=False)),
    ("FIRE-1", "unknown", ticker("", *ALL)),
    ("FIRE-2", "held", chronos("", "1h").fire("j", "1h5m", fire_at="1h", won=False, runs=False, value=False)),
    ("FIRE-2", "violated", chronos("", "1h").fire("j", "1h5m", fire_at="1h", won=False, value=False)),
    ("FIRE-2", "violated", chronos("", "1h").fire("j", "1h5m", fire_at="1h", won=False, runs=False, value=None)),
    ("FIRE-2", "unknown", chronos("", *HOURS)),
    ("FIRE-3", "held", chronos("", "1h", runs=False, value=False)),
    ("FIRE-3", "violated", chronos("", "1h")),
    ("FIRE-3", "violated", chronos("", "1h", runs=False, value=None)),
    ("FIRE-3", "unknown", chronos("", "1h").store(1, "j", enabled=True)),
    ("FIRE-4", "held", paused()),
    ("FIRE-4", "violated", paused().run("j", "2h")),
    ("FIRE-4", "held", paused().op("2h30m", "resume", "j").run("j", "3h30m")),
    ("FIRE-4", "violated", ticker("", "1h").op("1h30m", "remove", "j").run("j", "2h")),
    ("FIRE-4", "violated", ticker("jobs: [{id: j, schedule: every 1h, record: {state: paused}}]\n", "1h")),
    ("FIRE-4", "unknown", paused(at="3h30m")),  # nothing was due after it
    ("FIRE-4", "unknown", ticker("", *ALL)),
    ("FIRE-5", "held", chronos("", "1h", error="SystemExit").store("1h2s", "j", last_status="error")),
    ("FIRE-5", "violated", chronos("", "1h", error="SystemExit")),
    ("FIRE-5", "violated", chronos("", "1h", error="SystemExit").store("1h2s", "j", last_status="ok")),
    ("FIRE-5", "unknown", chronos("", "1h")),
]  # fmt: skip

ONCE_CASES = [
    ("ONCE-2", "held", chronos("", "1h", lasts=600).deliver("j", "1h5m", "1h")),
    ("ONCE-2", "violated", chronos("", "1h", lasts=600).fire("j", "1h5m", fire_at="1h", fresh=False)),
    ("ONCE-2", "unknown", chronos("", *HOURS)),
    ("ONCE-3", "held", chronos("", "1h").deliver("j", "1h5m", "1h")),
    ("ONCE-3", "violated", chronos("", "1h").fire("j", "1h5m", fire_at="1h", fresh=False)),
    ("ONCE-3", "violated", chronos("", "1h").fire("j", "1h58m", fire_at="1h", fresh=False)),  # however late
    ("ONCE-3", "unknown", chronos("", *HOURS)),
    ("ONCE-4", "held", moved().deliver("j", "1h", "1h", answer="ignored")),
    ("ONCE-4", "violated", moved().fire("j", "1h", fresh=False)),
    ("ONCE-4", "unknown", moved()),
    ("ONCE-5", "held", chronos("", "1h").deliver("j", "50m", "1h")),
    ("ONCE-5", "violated", chronos("", "2h").fire("j", "50m", fire_at="1h", fresh=False)),
    ("ONCE-5", "violated", Build(external=True).up().arm("j", 0, "1h").deliver("j", "50m", "1h")),  # lost
    ("ONCE-5", "unknown", chronos("", "1h").deliver("j", "59m45s", "1h")),  # within the leeway
    ("ONCE-6", "held", Build(SLOW).up().loop(last="1h").run("j", "5m", "20m").run("j", "25m")),
    ("ONCE-6", "violated", Build(SLOW).up().loop(last="1h").run("j", "5m", "20m").run("j", "15m")),
    ("ONCE-6", "unknown", ticker("", *ALL)),
    ("ONCE-8", "held", Build(external=True).up().run("j", "1h").deliver("j", "1h5s", "1h")),
    ("ONCE-8", "violated", Build(external=True).up().run("j", "1h").fire("j", "1h5s", fire_at="1h")),
    ("ONCE-8", "violated", chronos("", "1h").run("j", "1h30s")),
    ("ONCE-8", "unknown", chronos("", *HOURS)),
    ("ONCE-9", "held", crashed()),
    ("ONCE-9", "violated", crashed(again="1h31s")),
    ("ONCE-9", "violated", Build(ONCE).up().loop().run("j", "1h", None).add("1h2s", "crash").up("1h30s").run("j", "1h31s")),
    ("ONCE-9", "unknown", left_in_a_run("3631s")),  # another that it may have; nothing crashed
    ("ONCE-9", "violated", left_in_a_run("3631s", "70m")),
    ("ONCE-9", "violated", left_in_a_run("3631s", schedule="every 1h")),
    ("ONCE-10", "violated", Build(RUNS_TWICE.format("1h")).up().loop().runs("j", "1h", "70m")),
    ("ONCE-9", "unknown", ticker("", *ALL)),
    ("ONCE-10", "held", Build(PAIR).up().up(0, "b").loop().loop(machine="b").runs("j", *ALL)),
    ("ONCE-10", "violated", Build(PAIR).up().up(0, "b").loop().loop(machine="b").runs("j", "1h", "2h").run("j", "2h1s", machine="b")),
    ("ONCE-10", "violated", ticker("", *ALL, "30m")),  # at no occurrence
    ("ONCE-10", "unknown", ticker("", *ALL)),
]  # fmt: skip

LIVE = [
    ("LIVE-1", "held", ticker("", *ALL).fault("1h30m", "tick")),
    ("LIVE-1", "violated", ticker("", "1h", "2h").fault("1h30m", "tick")),
    ("LIVE-1", "violated", ticker("", "1h", "2h", "3h5m").fault("1h30m", "tick")),  # late
    ("LIVE-1", "violated", chronos("", "1h", "2h", "4h")),  # nobody armed 3h
    ("LIVE-1", "unknown", ticker("", *ALL)),
    ("LIVE-1", "unknown", ticker("", *ALL).fault("3h30m", "tick")),
    ("LIVE-1", "held", cut()),
    ("LIVE-1", "violated", cut(recorded=None)),
    ("LIVE-1", "violated", cut(recorded="completed")),
    ("LIVE-1", "violated", cut(claimed=False)),
    ("LIVE-1", "violated", cut(dies=False)),
    ("LIVE-1", "violated", cut(runs=["3h"])),  # the one after it is not excused
    ("LIVE-8", "held", cut()),
    ("LIVE-8", "violated", cut(recorded=None)),
    ("LIVE-1", "held", unclaimed("75m4s")),
    ("LIVE-1", "violated", unclaimed("80m")),  # later than the next wake
    ("LIVE-1", "violated", unclaimed(None)),
    ("LIVE-8", "held", unclaimed("75m4s")),
    ("LIVE-8", "violated", unclaimed(None)),
    ("LIVE-5", "held", down("27h30m")),
    ("LIVE-5", "violated", down("27h30m", "27h31m")),
    ("LIVE-5", "violated", down()),
    ("LIVE-5", "held", slow()),
    ("LIVE-5", "violated", slow("5m", "26m", "38m", "50m")),
    ("LIVE-5", "unknown", ticker("", *ALL)),
    ("LIVE-6", "held", down("27h30m")),
    ("LIVE-6", "violated", down("27h30m", records=())),
    ("LIVE-6", "held", slow()),
    ("LIVE-6", "violated", slow(word="missed")),
    ("LIVE-6", "violated", slow(misses=("10m", "20m", "30m", "45m"))),
    ("LIVE-6", "held", crashed()),
    ("LIVE-6", "violated", crashed().drop("execution")),
    ("LIVE-6", "unknown", ticker("", *ALL)),
    ("LIVE-7", "held", ticker(BROKEN, *ALL)),
    ("LIVE-7", "violated", ticker(BROKEN, "1h")),
    ("LIVE-7", "unknown", ticker("", "1h")),
    ("LIVE-8", "held", ticker("", *ALL).fault("1h2s", "store.replace")),
    ("LIVE-8", "violated", ticker("", "1h", "2h").fault("1h2s", "store.replace")),
    ("LIVE-8", "violated", ticker("", "1h", "2h").add("2h2s", "store.refused", "store", step="write", reason="no_space")),
    ("LIVE-8", "unknown", ticker("", *ALL)),
    ("LIVE-9", "held", crashed()),
    ("LIVE-9", "violated", crashed().drop("run.begin", "3h").drop("run.end", "3h2s")),
    ("LIVE-9", "unknown", ticker("", *ALL)),
    ("LIVE-9", "held", ticker(AHEAD, "1h5m", "2h", "3h")),
    ("LIVE-9", "violated", ticker(AHEAD)),  # it is seen at 1h, and may stand for five minutes
    ("LIVE-9", "violated", ticker(AHEAD, "1h30m", "2h", "3h")),
    ("LIVE-9", "held", ticker(AHEAD + STUCK, "1h32m", "2h", "3h").add("1h3m", "fault", index=0, seam="tick", does="hang")),  # who came across it hung
    ("LIVE-13", "held", ticker("", *ALL).store("1h", "j", next_run_at=None, enabled=True, state="error")),
    ("LIVE-13", "violated", ticker("", *ALL).store("1h", "j", next_run_at=None, enabled=False, state="completed")),
    ("LIVE-13", "unknown", ticker("", *ALL).store("1h", "j", next_run_at=iso("2h"), enabled=True)),
]  # fmt: skip

BERLIN = "zone: Europe/Berlin\nlasts: 3d\njobs: [{id: j, schedule: 0 9 * * *}]\n"


def berlin(*runs) -> Build:
    """From 2026-03-28 12:00 in Berlin; 09:00 is 21, 44 and 68 hours later."""
    return Build(BERLIN, start="2026-03-28T12:00:00").up().loop(last="3d").runs("j", *runs)


MANY = "jobs: [" + ", ".join(f"{{id: {name}, schedule: every 1h}}" for name in "jklmn") + "]\n"


def many(at="2h") -> Build:
    build = Build(MANY).up().loop()
    for name in "klmn":
        build.run(name, "1h", "3h")
    return build.runs("j", "1h", at, "3h")


TIME = [
    ("TIME-2", "held", berlin("20h", "44h", "68h")),
    ("TIME-2", "violated", berlin("20h", "45h", "69h")),
    ("TIME-2", "violated", berlin("20h", "43h", "44h", "68h")),
    ("TIME-2", "unknown", ticker(CRON, "1h", lasts="12h")),
    ("TIME-3", "held", ticker("", *ALL)),
    ("TIME-3", "held", ticker("", "1h30s", "2h50s", "3h10s")),
    ("TIME-3", "violated", ticker("", "1h30s", "2h70s", "3h110s")),
    ("TIME-3", "held", cut()),
    ("TIME-3", "violated", cut(recorded=None)),
    ("TIME-3", "unknown", ticker(CRON, "1h", lasts="12h")),
    ("LIVE-12", "held", many()),
    ("LIVE-12", "violated", many("2h10m")),
    ("LIVE-12", "unknown", ticker("", *ALL)),
]  # fmt: skip


@pytest.mark.parametrize(("requirement", "verdict", "build"), [*FIRE, *ONCE_CASES, *LIVE, *TIME])
def test_runs(requirement, verdict, build):
    finding = build.judge(requirement)
    assert (finding.id, finding.verdict) == (requirement, verdict), finding.reason
    assert finding.reached == (verdict != "unknown")
