"""The interface and the built-in loop (ABC, TICK, FIRE of CONTRACT.md)."""

import asyncio
import importlib
import inspect
import itertools
import logging
import subprocess
import sys
import threading

import pytest
from jobs_home import make_home

import hermes_cron
from hermes_cron import clock, executions, heartbeat, jobs, scheduler, settling, store
from hermes_cron.scheduler_provider import CronScheduler, InProcessCronScheduler

LOGGER = "cron.scheduler_provider"
DEADLY = [
    SystemExit,
    KeyboardInterrupt,
    GeneratorExit,
    asyncio.CancelledError,
    MemoryError,
    ValueError,
]


class Loop:
    """A built-in under virtual time: the stop event's waits move the clock and end the loop."""

    def __init__(self, monkeypatch, *, waits):
        self.now_s = 1000.0
        self.waits_left = waits
        self.waited: list[float] = []
        self.log: list[object] = []
        self.tick_takes: dict[int, float] = {}
        self.tick_raises: dict[int, BaseException] = {}
        self.wait_oversleeps: dict[int, float] = {}
        self.wait_raises: dict[int, BaseException] = {}
        self.began: list[float] = []
        self.provider = InProcessCronScheduler()
        monkeypatch.setattr(clock, "monotonic", lambda: self.now_s)
        monkeypatch.setattr(clock, "sleep", self.sleep)
        monkeypatch.setattr(scheduler, "tick", self.tick)
        monkeypatch.setattr(scheduler, "recover", lambda: 0)
        monkeypatch.setattr(jobs, "record_ticker_heartbeat", self.beat)

    def tick(self, **kwargs):
        self.log.append(("tick", kwargs))
        self.began.append(self.now_s)
        nth = len(self.began)
        self.now_s += self.tick_takes.get(nth, 0.0)
        if nth in self.tick_raises:
            raise self.tick_raises[nth]
        return 0

    def beat(self, success=False):
        self.log.append(("beat", success))

    def is_set(self):
        return self.waits_left <= 0

    def wait(self, timeout):
        self.waits_left -= 1
        self.waited.append(timeout)
        nth = len(self.waited)
        if nth in self.wait_raises:
            raise self.wait_raises[nth]
        self.now_s += timeout + self.wait_oversleeps.get(nth, 0.0)

    def sleep(self, seconds):
        assert seconds > 0, "a pause of nothing is a hot loop"
        self.now_s += seconds

    def run(self, **kwargs):
        self.provider.start(self, **kwargs)
        return self

    def beats(self):
        return [what for kind, what in self.log if kind == "beat"]


@pytest.fixture
def loop(monkeypatch):
    return Loop(monkeypatch, waits=3)


class TestInterface:
    def test_name_and_start_are_all_that_is_required(self):
        assert CronScheduler.__abstractmethods__ == {"name", "start"}

    def test_start_keeps_its_signature(self):
        parameters = inspect.signature(CronScheduler.start).parameters
        assert list(parameters) == ["self", "stop_event", "adapters", "loop", "interval"]
        assert [p.kind.name for p in parameters.values()][2:] == ["KEYWORD_ONLY"] * 3
        assert parameters["interval"].default == 60

    def test_whatever_else_the_built_in_takes_has_a_default(self):
        inspect.signature(InProcessCronScheduler().start).bind(
            object(), adapters=None, loop=None, interval=60
        )

    def test_a_class_with_only_name_and_start_runs(self, tmp_path, monkeypatch):
        class Least(CronScheduler):
            name = "least"

            def start(self, stop_event, *, adapters=None, loop=None, interval=60):
                pass

        for _ in make_home(tmp_path, monkeypatch):
            least = Least()
            assert least.is_available() is True
            assert least.fire_due("nobody") is False
            assert least.recover_interrupted() == 0
            for nothing in (least.stop, least.on_jobs_changed, least.reconcile):
                assert nothing() is None

    def test_the_public_face_is_lazy(self):
        code = "import sys, hermes_cron; print(hermes_cron.__version__, len(sys.modules)); import httpx"
        lines = subprocess.run(
            [sys.executable, "-c", f"{code}\nprint('hermes_cron.jobs' in sys.modules)"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert lines.stdout.split()[0] == hermes_cron.__version__
        assert lines.stdout.split()[-1] == "False"

    @pytest.mark.parametrize("name", hermes_cron.__all__)
    def test_the_public_names_are_those_of_their_homes(self, name):
        value = getattr(hermes_cron, name)
        assert getattr(importlib.import_module(value.__module__), name) is value
        assert name in dir(hermes_cron)

    def test_an_unknown_name_is_an_attribute_error(self):
        with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
            _ = hermes_cron.nonsense


class TestTicks:
    def test_a_heartbeat_before_the_first_tick_and_after_every_one(self, loop):
        loop.run(adapters="A", loop="L", interval=60)
        tick = ("tick", {"verbose": False, "adapters": "A", "loop": "L", "sync": False})
        assert loop.log == [("beat", False)] + [tick, ("beat", True)] * 3
        assert loop.waited == [60, 60, 60]

    def test_a_stop_event_that_is_set_already_ticks_not_at_all(self, loop):
        loop.waits_left = 0
        assert loop.run().log == [("beat", False)]

    @pytest.mark.parametrize("error", DEADLY)
    def test_nothing_that_a_tick_raises_ends_the_loop(self, loop, caplog, error):
        """TICK-2, #32612: 15 hours without a trigger, after one SystemExit."""
        loop.tick_raises = {2: error("by the tick")}
        loop.run()
        assert len(loop.began) == 3
        assert loop.beats() == [False, True, False, True], "no success for the tick that raised"
        (record,) = [r for r in caplog.records if r.levelno >= logging.ERROR]
        assert record.getMessage() == f"Cron tick error: {error.__name__}: by the tick"
        assert record.name == LOGGER
        assert record.exc_info[0] is error

    def test_the_heartbeat_hears_why_a_tick_failed(self, loop, monkeypatch):
        heard = []
        monkeypatch.setattr(heartbeat, "tick_failed", heard.append)
        loop.tick_raises = {2: ValueError("by the tick")}
        loop.run()
        assert heard == [loop.tick_raises[2]]

    def test_an_error_whose_text_raises_is_logged_too(self, loop, caplog):
        class UnspeakableError(Exception):
            def __str__(self):
                raise SystemExit

        loop.tick_raises = {1: UnspeakableError()}
        loop.run()
        assert "Cron tick error: UnspeakableError" in caplog.text
        assert len(loop.began) == 3

    def test_a_log_handler_that_raises_does_not_end_the_loop(self, loop):
        class Broken(logging.Handler):
            def emit(self, record):
                if record.levelno >= logging.ERROR:
                    raise SystemExit

        handler = Broken()
        logging.getLogger(LOGGER).addHandler(handler)
        try:
            loop.tick_raises = {1: ValueError()}
            assert len(loop.run().began) == 3
        finally:
            logging.getLogger(LOGGER).removeHandler(handler)

    @pytest.mark.parametrize("error", DEADLY)
    def test_nothing_that_a_heartbeat_raises_ends_the_loop(self, loop, monkeypatch, caplog, error):
        """TICK-4 and TICK-5."""
        monkeypatch.setattr(
            jobs, "record_ticker_heartbeat", lambda success=False: (_ for _ in ()).throw(error())
        )
        loop.run()
        assert len(loop.began) == 3
        said = [(r.levelname, r.getMessage(), r.exc_info[0]) for r in caplog.records]
        what = f"Cron ticker heartbeat could not be written: {error.__name__}"
        assert said == [("WARNING", what, error)] * 4

    @pytest.mark.parametrize("error", DEADLY)
    def test_nothing_that_the_recovery_raises_ends_the_loop(self, loop, monkeypatch, caplog, error):
        def recover():
            raise error

        monkeypatch.setattr(scheduler, "recover", recover)
        assert len(loop.run().began) == 3
        [said] = caplog.records
        assert said.getMessage() == f"Cron start-up recovery failed: {error.__name__}"
        assert said.exc_info[0] is error

    def test_the_recovery_comes_after_the_first_heartbeat(self, loop, monkeypatch):
        monkeypatch.setattr(scheduler, "recover", lambda: loop.log.append(("recover", None)) or 0)
        loop.run()
        assert [kind for kind, _ in loop.log[:3]] == ["beat", "recover", "tick"]

    @pytest.mark.parametrize("error", DEADLY)
    def test_one_wait_that_raises_does_not_end_the_loop(self, loop, caplog, error):
        """TICK-5: and the next tick still comes an interval later."""
        loop.wait_raises = {1: error()}
        loop.run(interval=60)
        assert [at - loop.began[0] for at in loop.began] == [0, 60, 120]
        [said] = caplog.records
        assert said.getMessage() == f"Cron ticker wait failed: {error.__name__}"
        assert said.exc_info[0] is error

    def test_a_wait_that_always_raises_is_no_hot_loop(self, loop):
        loop.wait_raises = dict.fromkeys(range(1, 4), OSError())
        loop.run(interval=0)
        steps = [b - a for a, b in itertools.pairwise(loop.began)]
        assert all(step >= 0.5 for step in steps)

    def test_the_gate_holds_ticks_back_and_no_success_is_claimed(self, loop):
        answers = iter([False, True, False])
        loop.run(can_dispatch=lambda: next(answers))
        assert loop.beats() == [False, False, True, False]
        assert len(loop.began) == 1

    @pytest.mark.parametrize("error", DEADLY)
    def test_a_gate_that_raises_lets_no_tick_through_and_ends_nothing(self, loop, caplog, error):
        answers = iter([error(), None])

        def gate():
            answer = next(answers, None)
            if answer is not None:
                raise answer
            return True

        loop.run(can_dispatch=gate)
        assert loop.beats() == [False, False, True, True]
        assert "Cron tick error" in caplog.text

    def test_the_log_shows_that_it_lives(self, loop, caplog):
        """TICK-9: at start and at every fifth tick."""
        caplog.set_level(logging.INFO, LOGGER)
        loop.waits_left = 14
        loop.tick_raises = {10: ValueError()}
        loop.run()
        said = [r.getMessage() for r in caplog.records if r.levelno == logging.INFO]
        assert said == [
            "In-process cron scheduler started (interval=60s)",
            "Cron ticker alive: 5 ticks, the last one clean",
            "Cron ticker alive: 10 ticks, the last one not clean",
        ]

    def test_a_real_stop_event_ends_a_wait_at_once(self, monkeypatch):
        began, stop = threading.Event(), threading.Event()
        monkeypatch.setattr(scheduler, "tick", lambda **_: began.set())
        monkeypatch.setattr(scheduler, "recover", lambda: 0)
        monkeypatch.setattr(jobs, "record_ticker_heartbeat", lambda success=False: None)
        thread = threading.Thread(target=InProcessCronScheduler().start, args=(stop,), daemon=True)
        thread.start()
        assert began.wait(10)
        stop.set()
        thread.join(10)
        assert not thread.is_alive()


class TestCadence:
    """TICK-8: ticks keep to a grid; what passed is not made up for."""

    def offsets(self, loop, waits, **kwargs):
        loop.waits_left = waits
        loop.run(interval=60, **kwargs)
        return [round(at - loop.began[0], 3) for at in loop.began]

    def test_the_time_of_a_tick_is_taken_off_the_wait(self, loop):
        loop.tick_takes = dict.fromkeys(range(1, 200), 1.0)
        assert self.offsets(loop, 120) == [60.0 * n for n in range(120)]

    def test_small_delays_do_not_add_up(self, loop):
        loop.tick_takes = dict.fromkeys(range(1, 2000), 0.02)
        offsets = self.offsets(loop, 1000)
        assert abs(offsets[-1] - 60 * 999) <= 0.06
        assert loop.waited.count(60) > 500, "mostly the plain wait(interval)"

    def test_a_tick_longer_than_its_slot_is_followed_by_the_next_slot(self, loop):
        loop.tick_takes = {1: 150.0}
        assert self.offsets(loop, 4) == [0, 180, 240, 300]

    def test_a_suspended_machine_makes_no_burst(self, loop):
        loop.wait_oversleeps = {1: 8 * 3600.0 - 0.1}
        offsets = self.offsets(loop, 4)
        steps = [b - a for a, b in itertools.pairwise(offsets)]
        assert steps[1:] == [60, 60]

    def test_a_clock_that_goes_back_does_not_lengthen_the_wait(self, loop):
        loop.wait_oversleeps = {1: -3600.0}
        self.offsets(loop, 4)
        assert max(loop.waited) == 60

    def test_a_clock_that_goes_back_by_a_slot_is_followed_at_once(self, loop):
        loop.tick_takes = dict.fromkeys(range(1, 4), 1.0)
        loop.wait_oversleeps = {1: -60.0}
        self.offsets(loop, 3)
        assert loop.waited == [59, 59, 59]

    def test_a_clock_that_stands_still_waits_plainly(self, loop, monkeypatch):
        monkeypatch.setattr(clock, "monotonic", lambda: 5.0)
        self.offsets(loop, 4)
        assert loop.waited == [60] * 4

    def test_interval_zero_ticks_back_to_back(self, loop):
        loop.tick_takes = {1: 5.0}
        loop.waits_left = 4
        loop.run(interval=0)
        assert loop.waited == [0] * 4


class TestFireDue:
    """FIRE-1 to FIRE-5, in the default that every provider inherits."""

    @pytest.fixture
    def home(self, tmp_path, monkeypatch):
        yield from make_home(tmp_path, monkeypatch)

    @pytest.fixture
    def provider(self):
        return InProcessCronScheduler()

    def test_it_claims_and_runs(self, home, provider):
        home.plant()
        assert provider.fire_due("job") is True
        assert home.ran == ["job"]

    def test_it_hands_adapters_and_loop_through(self, home, provider, monkeypatch):
        home.plant()
        calls = []
        monkeypatch.setattr(
            scheduler, "run_one_job", lambda job, **kw: calls.append((job["id"], kw))
        )
        assert provider.fire_due("job", adapters="A", loop="L") is True
        assert calls == [("job", {"adapters": "A", "loop": "L"})]

    def test_a_lost_claim_runs_nothing(self, home, provider, monkeypatch):
        home.plant()
        monkeypatch.setattr(jobs, "claim_job_for_fire", lambda job_id: False)
        assert provider.fire_due("job") is False
        assert home.ran == []

    def test_a_job_that_is_gone_runs_nothing(self, home, provider, monkeypatch, caplog):
        caplog.set_level(logging.INFO, LOGGER)
        assert provider.fire_due("nobody") is False
        monkeypatch.setattr(jobs, "claim_job_for_fire", lambda job_id: True)
        assert provider.fire_due("nobody") is False
        [said] = caplog.records
        assert said.getMessage() == "Job nobody is gone: its fire runs nothing"
        assert (said.job_id, said.occurrence) == ("nobody", None)

    @pytest.fixture
    def stopped_meanwhile(self, home, monkeypatch):
        """Makes a job that is due, and that somebody stops once it is claimed."""

        def plant(**fields):
            def claim_and_stop(job_id):
                won = claim(job_id)
                home.change(**fields)
                return won

            claim = jobs.claim_job_for_fire
            monkeypatch.setattr(jobs, "claim_job_for_fire", claim_and_stop)
            home.plant()

        return plant

    @pytest.mark.parametrize(
        ("fields", "why"),
        [
            ({"state": "paused"}, "paused"),
            ({"enabled": False}, "paused"),
            ({"state": "completed"}, "completed"),
        ],
    )
    def test_what_was_stopped_after_the_claim_runs_nothing(
        self, home, stopped_meanwhile, caplog, fields, why
    ):
        """FIRE-4; and the claim does not keep the job from running once it is resumed."""
        caplog.set_level(logging.INFO, LOGGER)
        stopped_meanwhile(**fields)
        assert InProcessCronScheduler().fire_due("job") is False
        assert home.ran == []
        assert home.job()["fire_claim"] is None
        assert executions.attempts()[-1]["reason"] == f"given back: {why}"
        [said] = [record for record in caplog.records if record.name == LOGGER]
        assert said.getMessage() == f"Job job is {why}: its fire runs nothing"
        assert (said.job_id, said.occurrence) == ("job", home.at.isoformat())

    def test_a_claim_that_a_patched_function_made_is_given_back_by_its_record(
        self, home, provider, monkeypatch
    ):
        home.plant()
        claim = {"at": home.at.isoformat(), "by": "x:1", "token": 9}

        def claim_and_stop(_job_id):
            home.change(fire_claim=claim, state="paused")
            return True

        monkeypatch.setattr(jobs, "claim_job_for_fire", claim_and_stop)
        assert provider.fire_due("job") is False
        assert home.job()["fire_claim"] is None

    def test_a_claim_that_raises_after_its_write_is_given_back(self, home, provider, monkeypatch):
        home.plant()
        claim_job = jobs.claim_job_for_fire

        def claim_and_raise(job_id):
            assert claim_job(job_id)
            raise KeyboardInterrupt

        monkeypatch.setattr(jobs, "claim_job_for_fire", claim_and_raise)
        with pytest.raises(KeyboardInterrupt):
            provider.fire_due("job")
        job = home.job()
        assert (job["fire_claim"], job["next_run_at"]) == (None, home.at.isoformat())

    def test_a_claim_that_cannot_be_given_back_is_given_back_later(
        self, home, provider, stopped_meanwhile, monkeypatch
    ):
        stopped_meanwhile(state="paused")

        def release(*_args):
            raise store.StoreError("no space")

        with monkeypatch.context() as full:
            full.setattr(settling, "release", release)
            assert provider.fire_due("job") is False
        assert home.job()["fire_claim"] is not None
        jobs.retry_pending()
        assert home.job()["fire_claim"] is None

    def test_false_when_the_claim_was_lost_before_the_body_began(self, home, provider, monkeypatch):
        """FIRE-1: true means claimed and run."""
        home.plant()
        get_job = jobs.get_job

        def get_and_lose(job_id):
            job = get_job(job_id)
            home.change(fire_claim={**job["fire_claim"], "token": 99})
            return job

        monkeypatch.setattr(jobs, "get_job", get_and_lose)
        assert provider.fire_due("job") is False
        assert home.ran == []

    def test_a_fire_that_was_held_up_until_its_claim_was_over_runs_nothing(
        self, home, provider, monkeypatch
    ):
        """ONCE-3: another took the claim over, ran the next occurrence and was done."""
        home.plant()
        claim = jobs.claim_job_for_fire

        def hang_after_it(job_id):
            won = claim(job_id)
            home.change(fire_claim=None)
            return won

        monkeypatch.setattr(jobs, "claim_job_for_fire", hang_after_it)
        assert provider.fire_due("job") is False
        assert home.ran == []

    def test_a_fire_that_does_not_see_its_claim_gives_it_back(self, home, provider, monkeypatch):
        """LIVE-8: a copy that is behind is read; the occurrence is due again."""
        home.plant()
        behind = jobs.get_job("job")
        with monkeypatch.context() as patched:
            patched.setattr(jobs, "get_job", lambda job_id: behind)
            assert provider.fire_due("job") is False
        assert home.ran == []
        assert home.job()["fire_claim"] is None
        assert home.job()["next_run_at"] == behind["next_run_at"]
        assert provider.fire_due("job") is True

    def test_a_claim_that_was_put_in_the_place_of_ours_is_believed(
        self, home, provider, monkeypatch
    ):
        home.plant()
        monkeypatch.setattr(jobs, "claim_job_for_fire", lambda job_id: True)
        assert provider.fire_due("job") is True
        assert home.ran == ["job"]

    @pytest.mark.parametrize("error", DEADLY)
    def test_true_whatever_the_body_raised(self, home, provider, error):
        home.plant()

        def body(job):
            raise error("in the body")

        home.body = body
        assert provider.fire_due("job") is True
        assert home.job()["last_status"] == "error"

    def test_what_the_shared_path_lets_out_does_not_reach_the_caller(
        self, home, provider, monkeypatch, caplog
    ):
        home.plant()

        def run_one_job(job, **_):
            raise SystemExit

        monkeypatch.setattr(scheduler, "run_one_job", run_one_job)
        assert provider.fire_due("job") is True
        [said] = [record for record in caplog.records if record.name == LOGGER]
        assert said.getMessage() == "Job job: the run raised past its own record: SystemExit"
        assert said.exc_info[0] is SystemExit
