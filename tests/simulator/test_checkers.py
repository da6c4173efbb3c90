"""The judges as a whole: unknown is a value, matching tells kinds apart, verdicts, folds, speed."""

import ast
import sys
from pathlib import Path

import pytest
from histories import Build, iso

from simulator import checkers, fold
from simulator.checkers import CHECKERS, check
from simulator.checkers.dues import Outcome
from simulator.checkers.facts import facts_of
from simulator.checkers.happened import merge
from simulator.checkers.matching import match_all
from simulator.fold import final_registry, final_store, statuses
from simulator.history import History
from simulator.verdict import judge


def test_judges_import_nothing_from_the_host():
    folder = Path(checkers.__file__).parent
    for path in [*folder.glob("*.py"), Path(fold.__file__), folder.parent / "verdict.py"]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = (
                    [node.module or ""]
                    if isinstance(node, ast.ImportFrom)
                    else [a.name for a in node.names]
                )
                assert not any(
                    name.split(".")[0] in {"hermes_cron", "croniter"} for name in names
                ), path


def test_nothing_seen_is_unknown_for_every_requirement():
    history, scenario = History({"zone": "UTC"}), Build().scenario
    for finding in check(history, scenario):
        assert (finding.verdict, finding.reached) == ("unknown", False), finding


def test_a_judge_that_fails_gives_unknown_with_the_reason(monkeypatch):
    def fails(_history, _scenario):
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(checkers, "CHECKERS", {**CHECKERS, "TICK-1": fails})
    (finding,) = check(History(), Build().scenario, ["TICK-1"])
    assert finding.verdict == "unknown"
    assert "ZeroDivisionError: oops" in finding.reason
    (nobody,) = check(History(), Build().scenario, ["STORE-1"])
    assert (nobody.verdict, nobody.reason) == ("unknown", "no checker judges it from a history")


def test_ids_are_their_own():
    history, scenario = Build().up().loop().history(), Build().scenario
    assert [finding.id for finding in check(history, scenario)] == list(CHECKERS)


def _outcomes(build: Build, job="j") -> list[Outcome]:
    return [due.outcome for due in match_all(facts_of(build.history(), build.scenario))[job].dues]


def test_occurrences_are_told_apart():
    down = "jobs: [{id: j, schedule: every 30m}]\n"
    build = Build(down).up().loop(last="1h10m").runs("j", "30m").add("1h10m", "crash")
    build.up("2h10m").loop("2h10m").runs("j", "2h10m", "2h45m")
    # 30m ran; 1h missed; 1h30m and 2h while down, the latter caught up at 2h10m; 2h30m late; ...
    assert _outcomes(build)[:5] == [
        Outcome.RAN,
        Outcome.MISSED,
        Outcome.EXCUSED,
        Outcome.RAN,
        Outcome.LATE,
    ]
    assert _outcomes(build)[-1] is Outcome.OPEN  # the history ends with it


def test_a_run_belongs_to_the_occurrence_that_it_claimed():
    """Queued behind others it begins after the next was due; its claim says which one it is."""
    build = Build("lasts: 1h\njobs: [{id: j, schedule: every 5m}]\n").up().loop(last="1h")
    build.store("5m", "j", fire_claim={"at": iso("5m"), "by": "a", "token": 1}).run("j", "10m1s", 1)
    build.store("10m2s", "j", fire_claim={"at": iso("10m2s"), "by": "a", "token": 2}).run(
        "j", "10m3s", 1
    )
    match = match_all(facts_of(build.history(), build.scenario))["j"]
    assert not match.extras
    begun = [due.run.begin.at_us - build.scenario.start_us for due in match.dues[:2]]
    assert begun == [601_000_000, 603_000_000]


def test_the_plan_follows_the_operator():
    more = "jobs: [{id: j, schedule: 0 9 * * *}]\nlasts: 3d\nsteps: [{at: 30h, do: update, job: j, set: {schedule: 0 18 * * *}}]\n"
    build = Build(more).op("30h", "update", "j", step=0)
    dues = match_all(facts_of(build.history(), build.scenario))["j"].dues
    hours = [(due.at_us - build.scenario.start_us) // 3_600_000_000 for due in dues]
    assert hours == [1, 25, 34, 58]  # 09:00, 09:00, then 18:00 on the second and third day


def test_a_trigger_is_an_occurrence_of_its_own():
    build = Build().up().loop().op("1h30m", "trigger", "j").run("j", "1h31m").runs("j", "1h")
    match = match_all(facts_of(build.history(), build.scenario))["j"]
    assert not match.extras
    assert [due.manual for due in match.dues if due.run is not None] == [False, True]


def test_a_change_of_a_job_that_is_gone_changes_nothing():
    more = "jobs: [{id: j, schedule: 1h}]\nsteps: [{at: 2h, do: update, job: j, set: {schedule: every 20m}}]\n"
    build = Build(more).up().loop().store(0, "j", next_run_at=iso("1h")).run("j", "1h")
    build.add("1h2s", "store.commit", changes=[["j", None]], by="a").op("2h", "update", "j", step=0)
    assert _outcomes(build) == [Outcome.RAN]


def test_an_update_to_the_same_interval_keeps_its_grid():
    more = "jobs: [{id: j, schedule: every 1h}]\nsteps: [{at: 90m, do: update, job: j, set: {schedule: every 1h}}]\n"
    build = Build(more).up().loop().runs("j", "1h", "2h", "3h").op("90m", "update", "j", step=0)
    assert _outcomes(build)[:3] == [Outcome.RAN] * 3
    assert not match_all(facts_of(build.history(), build.scenario))["j"].extras


def test_a_one_shot_stays_one_when_it_gets_another_schedule():
    more = "jobs: [{id: j, schedule: 2h}]\nsteps: [{at: 30m, do: update, job: j, set: {schedule: every 1h}}]\n"
    build = Build(more).up().loop().run("j", "90m").op("30m", "update", "j", step=0)
    assert _outcomes(build) == [Outcome.RAN]


def test_what_is_called_off_before_its_deadline_is_open():
    build = (
        Build(external=True)
        .up()
        .arm("j", 0, "1h")
        .add("30m", "nas.forgot", "nas")
        .op("90m", "remove", "j")
    )
    assert _outcomes(build) == [Outcome.OPEN]


def test_repeat_ends_the_occurrences():
    build = (
        Build("jobs: [{id: j, schedule: every 1h, repeat: 2}]\n").up().loop().runs("j", "1h", "2h")
    )
    assert _outcomes(build) == [Outcome.RAN, Outcome.RAN]


def test_a_refused_creation_expects_nothing():
    build = (
        Build("jobs: [{id: j, schedule: nonsense}]\n")
        .up()
        .loop()
        .add(0, "op.end", "operator", do="create", job="j", error="ScheduleError")
    )
    assert _outcomes(build) == []
    assert judge(build.history(), build.scenario).verdict == "unknown"  # nothing was due


@pytest.mark.parametrize(
    ("spans", "gap", "joined"),
    [
        ([(5, 6), (1, 2)], 0, [(1, 2), (5, 6)]),
        ([(1, 4), (2, 3), (4, 9)], 0, [(1, 9)]),
        ([(1, 2), (5, 6)], 3, [(1, 6)]),
    ],
)
def test_spans_are_joined(spans, gap, joined):
    assert merge(spans, gap) == joined


EXPECT = (
    "expect: {hold: [TICK-2], runs: {j: 3}}\nfaults: [{into: tick, raise: SystemExit, at: 90m}]\n"
)


def _good(more=EXPECT) -> Build:
    build = (
        Build(more)
        .up()
        .loop(skip=[5400])
        .tick(5400, error="SystemExit")
        .runs("j", "1h", "2h", "3h")
    )
    return build.add(5400, "fault", index=0, seam="tick", does="raise")


def test_a_run_that_shows_what_was_expected_held():
    judged = judge(_good().history(), _good().scenario)
    assert (judged.verdict, judged.reasons, judged.runs) == ("held", (), {"j": 3})


@pytest.mark.parametrize(
    ("build", "verdict", "reason"),
    [
        (_good().run("j", "3h30m"), "violated", "job j ran 4 times, expected 3"),
        (_good().drop("fault"), "unknown", "fault 0 (raise at tick) never fired"),
        (_good(EXPECT.replace("TICK-2", "TICK-6")), "unknown", "TICK-6: no run was longer"),
        (_good(EXPECT.replace("TICK-2", "STORE-1")), "unknown", "STORE-1: no checker"),
        (_good().add("2h", "not_simulated", "a", what="socket.connect"), "unknown", "socket.connect is not simulated"),
        (_good().add("3h30m", "fault", index=0, seam="tick", does="raise"), "unknown", "no occurrence was due after"),
        (_good().drop("world.end").add("3h50m", "world.end", "world", reason="deadlock"), "unknown", "ended by deadlock"),
    ],
)  # fmt: skip
def test_a_run_that_shows_less_did_not(build, verdict, reason):
    judged = judge(build.history(), build.scenario)
    assert judged.verdict == verdict
    assert any(reason in each for each in judged.reasons), judged.reasons


def test_what_a_provider_cannot_keep_is_not_asked_of_it():
    more = "expect: {hold: [RECON-1, LIVE-2, STAT-11], runs: {j: 3}}\n"
    build = Build(more).up().loop().runs("j", "1h", "2h", "3h")
    assert judge(build.history(), build.scenario).verdict == "held"


def test_store_registry_and_statuses_are_rebuilt_from_the_lines():
    build = (
        Build(external=True)
        .up()
        .store(1, "j", next_run_at="x")
        .store(2, "k", a=1)
        .arm("j", 3, "1h")
        .arm("k", 4, "2h")
    )
    build.add(5, "store.commit", changes=[["k", None]], by="a").add(
        6, "nas.cancelled", "nas", job_id="k"
    )
    build.beat(7).missed("j", "1h", at=8).add(9, "output", job="j", stamp="s").status(10, "STALLED")
    history = History.from_lines(build.history().to_bytes().decode().splitlines())
    store = final_store(history)
    assert store.records == {"j": {"id": "j", "next_run_at": "x"}}
    assert store.outputs == {"j": ["s"]}
    assert [record["occurrence"] for record in store.executions] == [iso("1h")]
    assert float(store.signals["ticker_heartbeat"]) == build.scenario.start_us / 1e6 + 7
    assert list(final_registry(history).armed) == ["j"]
    assert list(final_registry(history, before=history.of("nas.cancelled")[0].n).armed) == [
        "j",
        "k",
    ]
    assert [status["says"] for status in statuses(history)] == [["STALLED"]]
    build.add(11, "nas.forgot", "nas")
    assert final_registry(build.history()).armed == {}


def test_a_fire_takes_its_arm():
    build = (
        Build(external=True)
        .up()
        .arm("j", 0, "1h")
        .add("1h", "nas.fired", "nas", job_id="j", fire_at=iso("1h"))
    )
    assert final_registry(build.history()).armed == {}


def test_judging_is_not_quadratic():
    """Four times the history takes about four times the steps."""

    def steps(hours: int) -> int:
        build = (
            Build(f"lasts: {hours}h\njobs: [{{id: j, schedule: every 5m}}]\n")
            .up()
            .loop(last=f"{hours}h")
        )
        build.runs("j", *(300 * n for n in range(1, hours * 12))).run("j", 330, None).add(
            "6m", "crash", "a"
        )
        build.up("6m").status(f"{hours - 1}h", "STALLED")
        for second in range(600, hours * 3600, 600):
            build.fault(second, "store.read").status(second, "STALLED")
        history, count = build.history(), 0

        def trace(_frame, _event, _arg):
            nonlocal count
            count += 1
            return trace

        sys.settrace(trace)
        try:
            check(history, build.scenario)
        finally:
            sys.settrace(None)
        return count

    assert steps(24) < 5 * steps(6)
