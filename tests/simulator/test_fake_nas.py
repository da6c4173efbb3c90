"""The fake NAS keeps NAS's side of WIRE.md (NAS-1 to NAS-3), and fails when it is told to."""

import itertools
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from nas_bench import AGENT, TOKEN, NasBench

from simulator import fold
from simulator.history import History
from simulator.nas_types import Action

BEARER = f"Bearer {TOKEN}"
URL = "https://agent.test"


@pytest.fixture
def bench():
    return NasBench()


def body(bench, job="j", in_s=3600, **changes):
    fire_at = bench.iso(in_s)
    whole = {
        "job_id": job,
        "fire_at": fire_at,
        "agent_callback_url": URL,
        "dedup_key": f"{job}:{fire_at}",
    }
    return whole | changes


def times(bench):
    """When, in seconds after the start, and which attempt."""
    start = bench.timer.us
    seen = []

    def deliver(delivery):
        seen.append(((bench.timer.us - start) / 1e6, delivery.attempt))
        bench.deliveries.append(delivery)

    bench.nas._relay._deliver = deliver
    return seen


class TestRegistry:
    def test_the_same_fire_again_changes_nothing(self, bench):
        first = bench.nas.handle("provision", BEARER, body(bench)).json
        assert bench.nas.handle("provision", BEARER, body(bench)).json == first
        assert bench.kinds().count("nas.armed") == 1

    def test_another_time_replaces_the_arm(self, bench):
        bench.nas.handle("provision", BEARER, body(bench))
        fired = times(bench)
        bench.nas.handle("provision", BEARER, body(bench, in_s=7200))
        assert bench.nas.snapshot() == {"j": bench.iso(7200)}
        bench.timer.advance(7100)
        assert fired == []
        bench.timer.advance(100)
        assert fired == [(7200, 1)]

    def test_another_callback_replaces_the_arm(self, bench):
        bench.nas.handle("provision", BEARER, body(bench))
        changed = body(bench, agent_callback_url="https://moved.test")
        bench.nas.handle("provision", BEARER, changed)
        bench.timer.advance(3600)
        assert [d.callback_url for d in bench.deliveries] == ["https://moved.test"]

    def test_cancel_is_idempotent(self, bench):
        bench.arm("j", 60)
        for _ in range(2):
            assert bench.nas.handle("cancel", BEARER, {"job_id": "j"}).json == {"ok": True}
        assert bench.kinds().count("nas.cancelled") == 1
        bench.timer.advance(100)
        assert bench.deliveries == []

    def test_agents_do_not_see_each_other(self, bench):
        bench.arm("j", 60)
        other = "Bearer other-token"
        assert bench.nas.handle("list", other, None).json == {"armed": []}
        bench.nas.handle("cancel", other, {"job_id": "j"})
        (armed,) = bench.nas.handle("list", BEARER, None).json["armed"]
        assert (armed["job_id"], armed["fire_at"]) == ("j", bench.iso(60))

    @pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer x", f"Basic {TOKEN}", TOKEN])
    @pytest.mark.parametrize("call", ["provision", "cancel", "list"])
    def test_unauthenticated_calls_are_refused(self, bench, call, header):
        """NAS-3."""
        assert bench.nas.handle(call, header, body(bench)).status == 401
        assert bench.kinds() == ["nas.call"]

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"job_id": None}, "job_id"),
            ({"job_id": ""}, "job_id"),
            ({"fire_at": "2026-03-02T09:00:00"}, "fire_at"),
            ({"fire_at": "garbage"}, "fire_at"),
            ({"fire_at": 5}, "fire_at"),
            ({"agent_callback_url": "agent.test"}, "agent_callback_url"),
            ({"dedup_key": "j"}, "dedup_key"),
        ],
    )
    def test_a_body_that_is_not_the_contracts_is_refused(self, bench, changes, field):
        reply = bench.nas.handle("provision", BEARER, body(bench, **changes))
        assert (reply.status, reply.json, reply.reason) == (400, {"error": field}, f"bad {field}")
        assert bench.nas.snapshot() == {}

    @pytest.mark.parametrize("value", [None, 5, [], "x"])
    def test_a_body_that_is_no_object_is_refused(self, bench, value):
        assert bench.nas.handle("provision", BEARER, value).status == 400

    def test_it_forgets_everything(self, bench):
        bench.arm("armed", 60)
        bench.arm("firing", 0)
        bench.timer.advance(0)
        bench.nas.forget_all()
        bench.timer.advance(1000)
        assert bench.nas.snapshot() == {}
        assert len(bench.deliveries) == 1


class TestFiring:
    def test_at_its_second_no_earlier_and_no_later(self, bench):
        """NAS-2."""
        fired = times(bench)
        bench.arm("j", 61)
        bench.timer.advance(60.999)
        assert fired == []
        bench.timer.advance(0.001)
        assert fired == [(61, 1)]

    def test_the_past_is_honoured_at_once(self, bench):
        bench.arm("j", -7200)
        assert bench.deliveries == []
        bench.timer.advance(0)
        assert [d.fire_at for d in bench.deliveries] == [bench.iso(-7200)]

    def test_until_a_2xx(self, bench):
        fired = times(bench)
        bench.arm("j", 0)
        bench.timer.advance(0)
        for status, pause_s in ((503, 2), (401, 4), (302, 8)):
            bench.nas.answer(bench.deliveries[-1], status)
            bench.timer.advance(pause_s)
        bench.nas.answer(bench.deliveries[-1], 202)
        bench.timer.advance(100_000)
        assert fired == [(0, 1), (2, 2), (6, 3), (14, 4)]

    def test_pauses_grow_to_a_minute_and_end_after_a_day(self, bench):
        fired = times(bench)
        bench.arm("j", 0)
        bench.timer.advance(0)
        while len(fired) < 12:
            bench.nas.answer(bench.deliveries[-1], None)
            bench.timer.advance(2 ** min(fired[-1][1], 6) if fired[-1][1] < 6 else 60)
        at = [when for when, _ in fired]
        assert [b - a for a, b in itertools.pairwise(at)] == [2, 4, 8, 16, 32] + [60] * 6
        while bench.kinds()[-1] != "nas.gave_up" and bench.timer.us < 2e15:
            bench.nas.answer(bench.deliveries[-1], 503)
            bench.timer.advance(60)
        assert 86_300 < fired[-1][0] <= 86_400

    def test_no_answer_within_30_seconds_is_a_failed_attempt(self, bench):
        fired = times(bench)
        bench.arm("j", 0)
        bench.timer.advance(33)
        assert fired == [(0, 1), (32, 2)]
        bench.nas.answer(bench.deliveries[0], 202)
        bench.timer.advance(100)
        assert len(fired) == 4, "a late answer to an attempt that was given up changes nothing"

    @pytest.mark.parametrize("how", ["cancel", "another fire"])
    def test_a_cancel_and_another_fire_end_the_retries(self, bench, how):
        bench.arm("j", 0)
        bench.timer.advance(0)
        bench.nas.answer(bench.deliveries[0], 503)
        if how == "cancel":
            bench.nas.cancel(AGENT, "j")
        else:
            bench.arm("j", 5000)
        bench.timer.advance(4000)
        assert len(bench.deliveries) == 1

    def test_the_same_fire_is_armed_anew_once_it_fired(self, bench):
        """How an agent says: that was too early."""
        fire_at = bench.arm("j", 60)
        bench.timer.advance(60)
        bench.nas.provision(AGENT, "j", fire_at, URL, f"j:{fire_at}")
        bench.nas.answer(bench.deliveries[0], 200)
        bench.timer.advance(0)
        assert [d.fire_at for d in bench.deliveries] == [fire_at, fire_at]

    def test_an_answer_to_the_old_does_not_disarm_the_new(self, bench):
        bench.arm("j", 0)
        bench.timer.advance(0)
        bench.arm("j", 60)
        bench.nas.answer(bench.deliveries[0], 202)
        assert bench.nas.snapshot() == {"j": bench.iso(60)}

    def test_the_token_is_that_of_the_contract(self, bench):
        bench.arm("j", 0.5)
        bench.timer.advance(1)
        now = bench.timer.us // 1_000_000
        (claims,) = bench.claims
        assert claims["aud"] == f"agent:{AGENT}"
        assert claims["iss"] == "https://portal.example.test"
        assert claims["purpose"] == "cron_fire"
        assert 60 <= claims["exp"] - claims["nbf"] <= 120
        assert now - 1 <= claims["nbf"] <= now
        assert bench.deliveries[0].token == "token-1"


class TestFaults:
    @pytest.mark.parametrize(
        ("action", "seen"),
        [
            ({"status": 403}, (403, None, "injected")),
            ({"error": "ConnectError"}, (None, "ConnectError", "ConnectError")),
            ({"body": "html"}, (200, None, "html")),
            ({"body": "shape"}, (200, None, "shape")),
        ],
    )
    @pytest.mark.parametrize("after", [False, True])
    def test_a_call_fails_before_or_after_its_effect(self, bench, action, seen, after):
        bench.goes_wrong("nas.provision", after=after, **action)
        reply = bench.nas.handle("provision", BEARER, body(bench))
        assert (reply.status, reply.error, reply.reason) == seen
        assert bool(bench.nas.snapshot()) is after
        assert bench.events[-1][1] == {
            "op": "provision",
            "job_id": "j",
            "status": reply.status,
            "reason": reply.reason,
        }

    @pytest.mark.parametrize("after", [False, True])
    @pytest.mark.parametrize("stays", [False, True])
    def test_a_call_that_hangs(self, bench, after, stays):
        bench.goes_wrong("nas.provision", hang_us=5, after=after)
        reply = bench.nas.handle("provision", BEARER, body(bench), wait=lambda us: stays)
        assert reply.error == (None if stays else "ReadTimeout")
        assert bool(bench.nas.snapshot()) is (after or stays)

    def test_a_list_from_before(self, bench):
        bench.arm("old", 60)
        before = bench.nas.handle("list", BEARER, None).json
        bench.arm("new", 60)
        bench.goes_wrong("nas.list", body="stale")
        assert bench.nas.handle("list", BEARER, None).json == before
        assert len(bench.nas.handle("list", BEARER, None).json["armed"]) == 2

    def test_a_delivery_that_is_lost_is_tried_again(self, bench):
        fired = times(bench)
        bench.goes_wrong("nas.deliver", drop=True)
        bench.arm("j", 10)
        bench.timer.advance(12)
        assert fired == [(12, 2)]

    def test_a_delivery_that_is_late_cannot_be_called_back(self, bench):
        fired = times(bench)
        bench.goes_wrong("nas.deliver", delay_us=90_000_000)
        bench.arm("j", 10)
        bench.timer.advance(50)
        bench.nas.cancel(AGENT, "j")
        bench.timer.advance(1000)
        assert fired == [(100, 1)]

    def test_deliveries_out_of_order(self, bench):
        bench.goes_wrong("nas.deliver", delay_us=5_000_000)
        bench.arm("first", 10)
        bench.arm("second", 12)
        bench.timer.advance(15)
        assert [d.job_id for d in bench.deliveries] == ["second", "first"]

    def test_copies_come_later_with_tokens_of_their_own(self, bench):
        fired = times(bench)
        bench.goes_wrong("nas.deliver", duplicate_us=(5_000_000, 400_000_000))
        bench.arm("j", 0)
        bench.timer.advance(0)
        bench.nas.answer(bench.deliveries[0], 202)
        bench.timer.advance(1000)
        assert [when for when, _ in fired] == [0, 5, 400]
        assert [d.copy for d in bench.deliveries] == [False, True, True]
        assert len({d.token for d in bench.deliveries}) == 3
        bench.nas.answer(bench.deliveries[1], 500)
        bench.timer.advance(1000)
        assert len(fired) == 3, "nobody waits for the answer to a copy"

    @pytest.mark.parametrize(("shift_s", "at"), [(-40, 60), (40, 140)])
    def test_a_timer_that_is_early_or_late(self, bench, shift_s, at):
        fired = times(bench)
        bench.goes_wrong("nas.arm", delay_us=shift_s * 1_000_000)
        bench.arm("j", 100)
        bench.timer.advance(1000)
        assert fired[0] == (at, 1)

    def test_one_more_delivery_of_anything(self, bench):
        assert bench.nas.redeliver("j") is False
        armed = bench.arm("j", 60)
        assert bench.nas.redeliver("j") is True
        assert bench.nas.redeliver("j", bench.iso(5)) is True
        assert [d.fire_at for d in bench.deliveries] == [armed, bench.iso(5)]
        assert bench.nas.snapshot() == {"j": armed}

    def test_nothing_is_the_default_action(self):
        assert Action() == Action(status=None, drop=False)


def test_the_registry_can_be_rebuilt_from_the_record(bench):
    """What the byte-equality of histories stands on."""
    history = History()
    bench.nas._record = bench.nas._relay._record = lambda kind, /, **data: history.append(
        kind, "nas", **data
    )
    bench.goes_wrong("nas.deliver", drop=True)
    for n, job in enumerate("abcde"):
        bench.arm(job, 10 * n)
    bench.nas.cancel(AGENT, "b")
    bench.timer.advance(25)
    bench.arm("a", 1000)
    registry = fold.Registry()
    for event in history:
        registry.apply(event)
    assert {job: arm.fire_at for job, arm in registry.armed.items()} == bench.nas.snapshot()
    assert set(bench.nas.snapshot()) == {"a", "d", "e"}
