"""The verdict on evidence: each STAT requirement, as data."""

import dataclasses
import json
import math

import pytest

from hermes_cron import status
from hermes_cron.status.evidence import Evidence, number

NOW = 1_800_000_000.0
PROMISE = "will fire automatically"
PHRASES = (PROMISE, "STALLED", "no tick has succeeded", "is not running", "will NOT fire")


def evidence(**found):
    """A healthy built-in with one gateway, but for what is `found`."""
    healthy = {
        "now": NOW,
        "provider": "builtin",
        "external": False,
        "pids": [100],
        "heartbeat_age_s": 20.0,
        "success_age_s": 20.0,
        "jobs": [],
    }
    return Evidence(**{**healthy, **found})


def loop(pid=100, **facts):
    """What a loop of that process says about itself, each in seconds ago."""
    ago = {"heartbeat_at": 20, "success_at": 20, "started_at": 5000, "tick_since": None, **facts}
    told = {
        "pid": pid,
        "boot_id": "b",
        "host": "h",
        "interval_s": 60,
        "error": ago.pop("error", None),
    }
    return told | {name: None if s is None else NOW - s for name, s in ago.items()}


def gateway(pid=100, up_s=5000.0, **facts):
    return {
        "pid": pid,
        "boot_id": "b",
        "host": "h",
        "started_at": NOW - up_s,
        "state": "running",
        **facts,
    }


def job(**fields):
    return {"id": "j1", "name": "backup", "enabled": True, "state": "scheduled", **fields}


def at(seconds):
    from datetime import UTC, datetime

    return datetime.fromtimestamp(NOW + seconds, UTC).isoformat()


def external(armed, told=(), **found):
    """A managed provider whose registry holds `armed`."""
    registry = {"armed": armed, "listed": True, "at": NOW - 30, "last_error": None, **dict(told)}
    return evidence(
        provider="managed",
        external=True,
        heartbeat_age_s=None,
        success_age_s=None,
        registry=registry,
        **found,
    )


CASES = [
    # STAT-1
    ("STAT-1 fresh and fresh", evidence(), "healthy", PROMISE),
    (
        "STAT-1 at the edge",
        evidence(heartbeat_age_s=200.0, success_age_s=200.0),
        "healthy",
        PROMISE,
    ),
    (
        "STAT-1 its own loop agrees",
        evidence(loops=[loop()], gateways=[gateway()]),
        "healthy",
        PROMISE,
    ),
    # STAT-2
    ("STAT-2 stale heartbeat", evidence(heartbeat_age_s=201.0), "unhealthy", "STALLED"),
    (
        "STAT-2 #32612 dead for 15.5 h",
        evidence(heartbeat_age_s=55_800.0, success_age_s=55_800.0),
        "unhealthy",
        "STALLED",
    ),
    (
        "STAT-2 its own loop is stale",
        evidence(loops=[loop(heartbeat_at=300, success_at=300)]),
        "unhealthy",
        "STALLED",
    ),
    (
        "STAT-2 #60729 a tick is under way",
        evidence(
            heartbeat_age_s=500.0,
            success_age_s=500.0,
            loops=[loop(heartbeat_at=500, success_at=500, tick_since=500)],
        ),
        "unknown",
        None,
    ),
    (
        "STAT-2 a tick is under way from this moment on",
        evidence(
            heartbeat_age_s=500.0,
            success_age_s=500.0,
            loops=[loop(heartbeat_at=500, success_at=500, tick_since=0)],
        ),
        "unknown",
        None,
    ),
    (
        "STAT-2 for up to ten intervals",
        evidence(
            heartbeat_age_s=601.0,
            success_age_s=601.0,
            loops=[loop(heartbeat_at=601, success_at=601, tick_since=601)],
        ),
        "unhealthy",
        "STALLED",
    ),
    # STAT-3
    (
        "STAT-3 alive and failing",
        evidence(success_age_s=201.0),
        "unhealthy",
        "no tick has succeeded",
    ),
    (
        "STAT-3 its own loop fails",
        evidence(loops=[loop(success_at=900, error="OSError: x")]),
        "unhealthy",
        "no tick has succeeded",
    ),
    # STAT-4
    ("STAT-4 no gateway", evidence(pids=[]), "unhealthy", "will NOT fire"),
    (
        "STAT-4 whatever the heartbeat says",
        evidence(pids=[], heartbeat_age_s=9999.0),
        "unhealthy",
        "is not running",
    ),
    # STAT-5, STAT-6
    ("STAT-5 no heartbeat is unknown", evidence(heartbeat_age_s=None), "unknown", None),
    ("STAT-6 no success is unknown", evidence(success_age_s=None), "unknown", None),
    ("STAT-6 neither", evidence(heartbeat_age_s=None, success_age_s=None), "unknown", None),
    ("STAT-6 processes unknown", evidence(pids=None), "unknown", None),
    ("STAT-6 provider unknown", evidence(provider=None, external=None), "unknown", None),
    (
        "STAT-6 its own heartbeat lies in the future",
        evidence(loops=[loop(heartbeat_at=-500)]),
        "unknown",
        None,
    ),
    (
        "STAT-6 something could not be asked",
        evidence(unlearned=["the jobs: boom"]),
        "unknown",
        None,
    ),
    # STAT-7
    (
        "STAT-7 no clean tick since its start",
        evidence(loops=[loop(success_at=None, started_at=900)]),
        "unhealthy",
        "no tick has succeeded",
    ),
    (
        "STAT-7 its first tick failed",
        evidence(loops=[loop(success_at=None, started_at=30, error="SystemExit")]),
        "unhealthy",
        "no tick has succeeded",
    ),
    (
        "STAT-7 it has just started",
        evidence(loops=[loop(success_at=None, started_at=5, heartbeat_at=5)]),
        "unknown",
        None,
    ),
    (
        "STAT-7 the mark is an earlier boot's",
        evidence(gateways=[gateway(up_s=900)], success_age_s=950.0),
        "unhealthy",
        "no tick has succeeded",
    ),
    (
        "STAT-7 fresh, and an earlier boot's",
        evidence(gateways=[gateway(up_s=50)], heartbeat_age_s=20.0, success_age_s=100.0),
        "unknown",
        None,
    ),
    # STAT-8
    (
        "STAT-8 older than the gateway",
        evidence(gateways=[gateway(up_s=5)]),
        "unknown",
        "older than the gateway",
    ),
    ("STAT-8 another process's heartbeat", evidence(foreign_loops=[loop(pid=7)]), "unknown", None),
    (
        "STAT-8 another one beside its own",
        evidence(foreign_loops=[loop(pid=7)], loops=[loop()]),
        "healthy",
        PROMISE,
    ),
    (
        "STAT-8 one of two is stale",
        evidence(pids=[100, 101], loops=[loop(), loop(101, heartbeat_at=900)]),
        "unhealthy",
        "STALLED",
    ),
    # STAT-9
    (
        "STAT-9 slow on purpose",
        evidence(interval_s=600.0, heartbeat_age_s=900.0, success_age_s=900.0),
        "healthy",
        PROMISE,
    ),
    (
        "STAT-9 fast on purpose",
        evidence(interval_s=5.0, heartbeat_age_s=40.0),
        "unhealthy",
        "STALLED",
    ),
    # STAT-10
    (
        "STAT-10 a fallback is named",
        evidence(fallback={"configured": "dbos", "reason": "no module x"}),
        "healthy",
        "no module x",
    ),
    # STAT-11
    (
        "STAT-11 all armed",
        external({"j1": at(60)}, jobs=[job(next_run_at=at(60))]),
        "healthy",
        "managed scheduler",
    ),
    (
        "STAT-11 in another notation",
        external({"j1": at(60).replace("+00:00", "Z")}, jobs=[job(next_run_at=at(60))]),
        "healthy",
        PROMISE,
    ),
    (
        "STAT-11 #54600 without a gateway",
        external({"j1": at(60)}, jobs=[job(next_run_at=at(60))], pids=[]),
        "healthy",
        "no gateway runs on this machine",
    ),
    (
        "STAT-11 no evidence, no green",
        evidence(external=True, provider="managed"),
        "unknown",
        "managed scheduler",
    ),
    (
        "STAT-11 #97494 one is not armed",
        external({}, jobs=[job(next_run_at=at(60))], told={"last_error": "provision j1: 403"}),
        "unhealthy",
        "provision j1: 403",
    ),
    (
        "STAT-11 armed at another time",
        external({"j1": at(90)}, jobs=[job(next_run_at=at(60))]),
        "unhealthy",
        "0 of 1 job",
    ),
    (
        "STAT-11 the registry did not answer",
        external({"j1": at(60)}, jobs=[job(next_run_at=at(60))], told={"listed": False}),
        "unknown",
        None,
    ),
    (
        "STAT-11 a running one is armed after its run",
        external({}, jobs=[job(next_run_at=at(60), fire_claim={"at": at(-5), "by": "h:1"})]),
        "healthy",
        PROMISE,
    ),
    (
        "STAT-11 one that runs, whose next arm was refused",
        external(
            {},
            jobs=[job(next_run_at=at(60), fire_claim={"at": at(-5), "by": "h:1"})],
            told={"failures": {"j1": {"call": "provision", "reason": "403", "at": NOW - 5}}},
        ),
        "unhealthy",
        "only 0 of 1 job armed",
    ),
    (
        "STAT-11 one that was refused at the time that it was armed for once",
        external(
            {"j1": at(60)},
            jobs=[job(next_run_at=at(60))],
            told={"failures": {"j1": {"call": "provision", "reason": "403", "at": NOW - 5}}},
        ),
        "unhealthy",
        "only 0 of 1 job armed",
    ),
    (
        "STAT-11 an orphan that was not cancelled",
        external(
            {"j1": at(60)},
            jobs=[job(next_run_at=at(60))],
            told={"failures": {"j1": {"call": "cancel", "reason": "403", "at": NOW - 5}, "x": 5}},
        ),
        "healthy",
        PROMISE,
    ),
    ("STAT-11 garbage", external("much"), "unknown", None),
    # STAT-12
    (
        "STAT-12 an overdue job",
        evidence(jobs=[job(next_run_at=at(-300))]),
        "unhealthy",
        "overdue by 5 min",
    ),
    (
        "STAT-12 late, but not yet overdue",
        evidence(jobs=[job(next_run_at=at(-100))]),
        "healthy",
        PROMISE,
    ),
    (
        "STAT-12 held, so not overdue",
        evidence(jobs=[job(next_run_at=at(-300), fire_claim={"at": at(-60), "by": "h:1"})]),
        "healthy",
        PROMISE,
    ),
    (
        "STAT-12 it could not begin before its last run was over",
        evidence(jobs=[job(next_run_at=at(-300), last_run_at=at(-100))]),
        "healthy",
        PROMISE,
    ),
    (
        "STAT-12 overdue since its last run was over",
        evidence(jobs=[job(next_run_at=at(-900), last_run_at=at(-300))]),
        "unhealthy",
        "overdue by 15 min",
    ),
    (
        "STAT-12 overdue, whatever a clock that was ahead wrote",
        evidence(jobs=[job(next_run_at=at(-300), last_run_at=at(300))]),
        "unhealthy",
        "overdue by 5 min",
    ),
    (
        "STAT-12 paused, so not overdue",
        evidence(jobs=[job(next_run_at=at(-300), state="paused")]),
        "healthy",
        PROMISE,
    ),
    (
        "STAT-12 overdue at the registry too",
        external({"j1": at(-300)}, jobs=[job(next_run_at=at(-300))]),
        "unhealthy",
        "overdue",
    ),
    (
        "STAT-12 a job in error",
        evidence(jobs=[job(state="error", last_error="no croniter")]),
        "unhealthy",
        "no croniter",
    ),
    (
        "STAT-12 a one-shot that the host gave up",
        evidence(given_up=[job(enabled=False, state="error", last_error="its time passed")]),
        "unhealthy",
        "its time passed",
    ),
    (
        "STAT-12 a failed run is said, and fires again",
        evidence(jobs=[job(next_run_at=at(60), last_status="error", last_error="exit 1")]),
        "healthy",
        "exit 1",
    ),
    (
        "STAT-12 #68483 an unreadable store",
        evidence(jobs=None, store_error="StoreUnreadable: permission"),
        "unhealthy",
        "StoreUnreadable: permission",
    ),
    (
        "STAT-12 a broken record",
        evidence(broken=["record 3: no id"]),
        "unhealthy",
        "record 3: no id",
    ),
    (
        "STAT-12 a draining gateway",
        evidence(gateways=[gateway(state="draining")]),
        "unhealthy",
        "shutting down",
    ),
]


def words(text):
    """The text as it would stand on a line without end."""
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("found", "verdict", "says"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_the_verdict_and_the_words(found, verdict, says):
    report = status.judge(found)
    text = words(status.as_text(report))
    assert report.verdict == verdict
    assert says is None or says in text
    # STAT-13: words, verdict and exit code agree; only a healthy one promises, in its first line.
    assert (PROMISE in text) == (verdict == "healthy") == (PROMISE in report.headline)
    assert report.exit_code == {"healthy": 0, "unhealthy": 1, "unknown": 3}[verdict]
    if verdict == "unknown":
        assert not any(phrase in text for phrase in PHRASES)
    if found.external:
        assert "STALLED" not in text
    assert text.startswith(words(f"{verdict.upper()} {report.headline}"))


@pytest.mark.parametrize("found", [case[1] for case in CASES], ids=[case[0] for case in CASES])
def test_the_json_says_the_same(found):
    report = status.judge(found)
    told = json.loads(status.as_json(report), parse_constant=pytest.fail)
    assert (told["verdict"], told["exit_code"]) == (report.verdict, report.exit_code)
    assert told["ages"]["heartbeat_s"] == found.heartbeat_age_s
    assert bool(told["reasons"]) == (report.verdict != "healthy")


def test_what_is_wrong_says_what_to_do():
    for name, found, verdict, _ in CASES:
        report = status.judge(found)
        if verdict == "unhealthy":
            assert any(finding.advice for finding in report.findings), name


@pytest.mark.parametrize(
    "value", [None, -1, -0.001, math.nan, math.inf, -math.inf, "5", True, [1], b"1"]
)
def test_no_age_that_cannot_be_believed(value):
    assert number(value) is None


def test_zero_is_an_age():
    assert number(0) == 0.0


@pytest.mark.parametrize("found", [case[1] for case in CASES], ids=[case[0] for case in CASES])
def test_it_fits_a_terminal(found):
    assert all(len(line) <= 80 for line in status.judge(found).lines)


@pytest.mark.parametrize("length", range(1, 60))
def test_no_phrase_that_people_look_for_is_broken(length):
    """Wherever the line ends, it ends beside the phrase: the name before it may have any length."""
    found = dataclasses.replace(external({}), provider="p" * length)
    lines = status.judge(found).lines
    for phrase in (PROMISE, "managed scheduler"):
        assert any(phrase in line for line in lines), lines[:3]


def test_a_path_is_not_broken():
    path = "/a/very/long/path" * 6
    report = status.judge(evidence(jobs=None, store_error=f"StoreUnreadable: {path} is no JSON"))
    assert any(path in line for line in report.lines)


@pytest.mark.parametrize(("age_s", "verdict"), [(40, "unhealthy"), (30, "healthy")])
def test_each_loop_is_judged_by_its_own_interval(age_s, verdict):
    """STAT-9: a quick loop beside a slow one is stale when it is, not when the slow one would be."""
    quick = loop(101, heartbeat_at=age_s, success_at=age_s) | {"interval_s": 5}
    slow = loop(heartbeat_at=500, success_at=500) | {"interval_s": 600}
    report = status.judge(evidence(pids=[100, 101], loops=[slow, quick], interval_s=600.0))
    assert report.verdict == verdict


def test_a_quick_tick_has_ten_of_its_own_intervals():
    told = loop(heartbeat_at=60, success_at=60, tick_since=60) | {"interval_s": 5}
    report = status.judge(evidence(heartbeat_age_s=60.0, interval_s=5.0, loops=[told]))
    assert "STALLED" in report.headline


@pytest.mark.parametrize(("ahead_s", "verdict"), [(1.5, "healthy"), (3, "unknown")])
def test_two_clocks_may_differ_by_two_seconds(ahead_s, verdict):
    told = loop(heartbeat_at=-ahead_s, success_at=-ahead_s)
    assert status.judge(evidence(loops=[told])).verdict == verdict


def test_a_loop_that_has_just_started_is_said_to_be_that_and_nothing_else():
    told = loop(heartbeat_at=3, success_at=None, started_at=3)
    report = status.judge(evidence(success_age_s=None, loops=[told]))
    assert report.reasons == ["just-started"]


@pytest.mark.parametrize(
    ("armed", "next_run_at", "verdict"),
    [({}, at(40), "unhealthy"), ({"j1": at(40)}, at(40), "healthy"), ({}, None, "unknown")],
)
def test_a_job_whose_runner_is_dead_has_to_be_armed_all_the_same(armed, next_run_at, verdict):
    claim = {"at": at(-20), "by": "h:4242", "boot": "b", "token": 1}
    held = job(next_run_at=next_run_at, fire_claim=claim)
    assert status.judge(external(armed, jobs=[held])).verdict == "healthy"
    report = status.judge(external(armed, jobs=[held], interrupted=["j1"]))
    assert report.verdict == verdict
    assert "interrupted" in {finding.code for finding in report.findings}


def test_a_registry_says_how_old_its_evidence_is():
    event = {"job_id": "j1", "at": NOW - 5400}
    told = {"at": NOW - 5400, "last_accepted": event, "last_fire": None}
    text = status.as_text(
        status.judge(external({"j1": at(60)}, told, jobs=[job(next_run_at=at(60))]))
    )
    assert "1 of 1, by the last contact 1 h 30 min ago" in text
    assert "1 h 30 min ago, job 'backup' (j1)" in text
    assert "last fire   none yet" in text
