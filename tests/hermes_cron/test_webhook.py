"""The answers of WIRE.md, row by row: status, body, what is in the store, and what is set going."""

import json
from datetime import timedelta
from types import SimpleNamespace

import pytest

from hermes_cron import claims, jobs, scheduler_provider, store, webhook
from hermes_cron.plugins.chronos import verify

TOKEN = "Bearer good"


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A webhook over a real store; `verified` holds what the token check was called with."""
    monkeypatch.setenv("HERMES_HOME", str(tmp_path))
    (tmp_path / "config.yaml").write_text(
        "cron: {chronos: {portal_url: https://portal, expected_audience: 'agent:1', nas_jwks_url: https://keys}}"
    )
    desk = SimpleNamespace(
        dispatched=[], rearmed=0, verified=[], unready=None, verdict={"sub": "nas"}
    )

    def check(**asked):
        desk.verified.append(asked)
        return desk.verdict

    def rearm():
        desk.rearmed += 1

    def receive(body, authorization=TOKEN):
        return webhook.receive_fire(
            authorization=authorization,
            body=body if isinstance(body, bytes) else json.dumps(body).encode(),
            dispatch=lambda job_id, _reserved: desk.dispatched.append(job_id),
            rearm=rearm,
            unready=lambda: desk.unready,
        )

    monkeypatch.setattr(verify, "get_fire_verifier", lambda: check)
    desk.receive = receive
    return desk


def due_job(**updates):
    """A job that is due just now; the body of its fire."""
    job = jobs.create_job("p", "every 1h", script="x.sh", no_agent=True)
    at = (jobs._hermes_now() - timedelta(seconds=1)).isoformat()
    with store.current_store().edit() as edit:
        edit.get(job["id"]).update({"next_run_at": at, **updates})
    return {"job_id": job["id"], "fire_at": at}


def record(fire):
    return store.current_store().read().get(fire["job_id"])


def test_a_won_claim_is_in_the_store_when_202_is_said(desk):
    fire = due_job()
    seen = []
    desk.dispatched = SimpleNamespace(
        append=lambda job_id: seen.append(record(fire)["fire_claim"]["reserved"])
    )
    answer = desk.receive(fire)
    assert (answer.status, answer.body) == (202, {"status": "accepted", "job_id": fire["job_id"]})
    assert seen == [True]
    assert record(fire)["next_run_at"] > fire["fire_at"]
    assert desk.rearmed == 0


def test_the_plain_claim_that_follows_takes_the_reservation_up(desk):
    fire = due_job()
    desk.receive(fire)
    assert jobs.claim_job_for_fire(fire["job_id"])
    assert not jobs.claim_job_for_fire(fire["job_id"])


@pytest.mark.parametrize("authorization", [None, "", "good", "Basic good", "Bearer ", "bearer"])
def test_a_missing_token_is_401_without_asking_the_check(desk, authorization):
    fire = due_job()
    assert desk.receive(fire, authorization).status == 401
    assert (desk.verified, desk.dispatched, record(fire).get("fire_claim")) == ([], [], None)


@pytest.mark.parametrize("verdict", [None, False, "yes", 1])
def test_a_refused_token_is_401_and_says_no_more(desk, verdict):
    fire = due_job()
    desk.verdict = verdict
    answer = desk.receive(fire)
    assert (answer.status, answer.body) == (401, {"error": "invalid fire token"})
    assert (desk.dispatched, record(fire).get("fire_claim")) == ([], None)


def test_a_check_that_raises_has_not_accepted(desk, monkeypatch, caplog):
    def check(**_):
        raise ValueError("boom")

    monkeypatch.setattr(verify, "get_fire_verifier", lambda: check)
    assert desk.receive(due_job()).status == 401
    assert "boom" in caplog.text


def test_the_check_gets_what_the_configuration_says(desk):
    desk.receive(due_job())
    assert desk.verified == [
        {
            "token": "good",
            "expected_audience": "agent:1",
            "jwks_or_key": "https://keys",
            "issuer": "https://portal",
        }
    ]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"[" * 30_000, 400),
        (b"[]", 400),
        (b"{}", 400),
        ({"job_id": ""}, 400),
        ({"job_id": 7}, 400),
        ({"job_id": "a", "fire_at": "soon"}, 400),
        ({"job_id": "a", "fire_at": 1}, 400),
        ({"job_id": "a", "fire_at": "2026-03-02T09:00:00"}, 400),
        (b'{"job_id": "' + b"a" * webhook.MAX_BODY_BYTES + b'"}', 413),
    ],
)
def test_a_bad_body_runs_nothing(desk, body, status):
    answer = desk.receive(body)
    assert answer.status == status
    assert answer.body["error"]
    assert (desk.dispatched, desk.rearmed) == ([], 0)


def test_an_unknown_job_is_gone(desk):
    answer = desk.receive({"job_id": "nobody", "fire_at": "2026-03-02T09:00:00+00:00"})
    assert (answer.status, answer.body) == (200, {"status": "gone", "job_id": "nobody"})


def test_the_second_delivery_is_ignored_and_re_armed(desk):
    fire = due_job()
    assert desk.receive(fire).status == 202
    answer = desk.receive(fire)
    assert (answer.status, answer.body["status"], answer.body["reason"]) == (
        200,
        "ignored",
        "duplicate",
    )
    assert (len(desk.dispatched), desk.rearmed) == (1, 1)


@pytest.mark.parametrize(
    ("updates", "reason"),
    [
        ({"state": "paused"}, "paused"),
        ({"enabled": False}, "disabled"),
        ({"state": "completed"}, "completed"),
        ({"next_run_at": "2099-01-01T00:00:00+00:00"}, "stale"),
    ],
)
def test_what_a_retry_cannot_help_is_ignored_with_its_reason(desk, updates, reason):
    answer = desk.receive(due_job(**updates))
    assert (answer.status, answer.body["reason"]) == (200, reason)
    assert (desk.dispatched, desk.rearmed) == ([], 1)


@pytest.mark.parametrize(("early_s", "status"), [(25, 202), (40, 200)])
def test_up_to_30_s_early_runs(desk, early_s, status):
    at = (jobs._hermes_now() + timedelta(seconds=early_s)).isoformat()
    fire = due_job(next_run_at=at)
    answer = desk.receive({**fire, "fire_at": at})
    assert answer.status == status
    if status == 200:
        assert answer.body["reason"] == "early"
        assert record(fire)["next_run_at"] == at
    assert desk.rearmed == (status == 200)


def test_the_same_instant_in_another_notation_is_the_same_fire(desk):
    fire = due_job()
    at = (
        jobs._hermes_now().fromisoformat(fire["fire_at"]).astimezone(tz=None).replace(microsecond=0)
    )
    assert desk.receive({**fire, "fire_at": at.isoformat()}).status == 202


def test_without_fire_at_the_first_caller_wins(desk):
    fire = due_job()
    body = {"job_id": fire["job_id"]}
    assert [desk.receive(body).status, desk.receive(body).status] == [202, 200]
    assert desk.receive({**body, "fire_at": None}).body["status"] == "ignored"


@pytest.mark.parametrize(
    "error",
    [store.StoreBusy("held"), store.StoreUnreadable("torn"), OSError("disk"), ValueError("defect")],
)
def test_a_store_that_cannot_is_503(desk, monkeypatch, caplog, error):
    def reserve(job_id, fire_at):
        raise error

    monkeypatch.setattr(claims, "reserve", reserve)
    fire = due_job()
    assert desk.receive(fire).status == 503
    assert (desk.dispatched, desk.rearmed) == ([], 0)
    assert fire["job_id"] in caplog.text


def test_a_torn_jobs_file_is_503_and_left_alone(desk, tmp_path):
    fire = due_job()
    jobs.JOBS_FILE.write_text('{"jobs": [')
    assert desk.receive(fire).status == 503
    assert jobs.JOBS_FILE.read_text() == '{"jobs": ['


def test_a_process_that_takes_no_fires_claims_nothing(desk):
    fire = due_job()
    desk.unready = "the gateway is draining"
    answer = desk.receive(fire)
    assert (answer.status, answer.body["error"]) == (503, "the gateway is draining")
    assert record(fire).get("fire_claim") is None
    assert desk.receive(fire, "Basic x").status == 401


def test_a_run_that_cannot_be_started_is_503_and_due_again(desk):
    def dispatch(job_id):
        raise RuntimeError("can't start new thread")

    fire = due_job()
    desk.dispatched = SimpleNamespace(append=dispatch)
    assert desk.receive(fire).status == 503
    assert record(fire)["next_run_at"] == fire["fire_at"]
    desk.dispatched = []
    assert desk.receive(fire).status == 202


def test_a_re_arming_that_cannot_be_started_changes_no_answer(desk, monkeypatch, caplog):
    def rearm():
        raise RuntimeError("no thread")

    answer = webhook.receive_fire(
        authorization=TOKEN,
        body=json.dumps(due_job(state="paused")).encode(),
        dispatch=lambda job_id, _reserved: desk.dispatched.append(job_id),
        rearm=rearm,
    )
    assert (answer.status, answer.body["reason"]) == (200, "paused")
    assert "no thread" in caplog.text


def test_the_default_fire_due_runs_what_was_reserved(desk, tmp_path):
    class Plain(scheduler_provider.CronScheduler):
        name = "plain"

        def start(self, stop_event, *, adapters=None, loop=None, interval=60):
            return

    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "x.sh").write_text("echo ran")
    fire = due_job()
    desk.receive(fire)
    assert Plain().fire_due(fire["job_id"]) is True
    assert record(fire)["last_status"] == "ok"
    assert desk.receive(fire).body["reason"] == "duplicate"


def test_a_job_id_that_is_half_a_surrogate_pair_is_400_in_an_answer_that_can_be_sent(desk):
    answer = desk.receive(b'{"job_id": "\\ud800"}')
    assert answer.status == 400
    json.dumps(answer.body, ensure_ascii=False).encode()


def test_the_log_says_in_words_what_became_of_a_fire(desk, caplog):
    caplog.set_level("INFO")
    fire = due_job()
    desk.receive(fire)
    desk.receive(fire)
    said = [r.getMessage() for r in caplog.records if "fire of job" in r.getMessage()]
    assert [line.rpartition(": ")[2] for line in said] == ["reserved", "ignored (duplicate)"]
