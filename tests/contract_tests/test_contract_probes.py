"""Probes against providers and hosts of the tests' own, each with one thing wrong."""

import itertools
import logging
import socket
import subprocess
import threading
from pathlib import Path

import httpx
import pytest

from contract_tests import detect
from contract_tests.engine import LONGEST_LINE, Judge
from contract_tests.probes import availability, virtual
from contract_tests.surface import ReferenceSurface
from contract_tests.surroundings import ask
from contract_tests.target import subject_of
from contract_tests.verdicts import Ruling
from hermes_cron import CronScheduler, InProcessCronScheduler, gateway, jobs, scheduler
from simulator.kernel.guard import guarded

logger = logging.getLogger(__name__)


class Quiet(CronScheduler):
    """External, and does nothing: all that is asked about its face is right."""

    @property
    def name(self):
        return "quiet"

    def on_jobs_changed(self):
        return None

    def start(self, stop_event, *, adapters=None, loop=None, interval=60):
        return None


class Loop(CronScheduler):
    """A loop that an outsider would write, and does it right."""

    name = "outsider"
    caught = BaseException

    def start(self, stop_event, *, adapters=None, loop=None, interval=60):
        self.beat(False)
        while not stop_event.is_set():
            clean = False
            try:
                scheduler.tick(verbose=False, adapters=adapters, loop=loop, sync=False)
                clean = True
            except self.caught:
                logger.exception("tick failed")
            self.beat(clean)
            stop_event.wait(interval)

    def beat(self, success):
        try:
            jobs.record_ticker_heartbeat(success=success)
        except Exception:
            logger.warning("no heartbeat")


def verdict(provider, key, **judge):
    with Judge(subject_of(provider), **judge) as one:
        result = one.judge(key)
    return result.verdict, "\n".join(result.evidence)


def changed(base, **members):
    return type("Changed", (base,), members)


@pytest.mark.parametrize("key", ["ABC-3", "ABC-4", "ABC-5", "AVAIL-1", "AVAIL-2", "AVAIL-3"])
def test_a_right_face_passes(key):
    assert verdict(Quiet, key)[0] is Ruling.PASS


async def asynchronous(self, stop_event, *, adapters=None, loop=None, interval=60):
    return None


def hang(self):
    raise SystemExit(3)


@pytest.mark.parametrize(
    ("key", "members", "said"),
    [
        ("ABC-3", {"start": lambda self, stop_event, interval: None}, "adapters"),
        ("ABC-3", {"start": lambda self, stop_event, *, must, **kw: None}, "must"),
        ("ABC-3", {"start": asynchronous}, "coroutine"),
        ("ABC-4", {"name": ""}, "not a text"),
        ("ABC-4", {"name": None}, "not a text"),
        ("ABC-4", {"name": "builtin"}, "this is not the built-in"),
        ("ABC-4", {"name": property(hang)}, "raised SystemExit"),
        ("ABC-5", {"fire_due": lambda self, job_id: False}, "fire_due does not take"),
        ("ABC-5", {"reconcile": lambda self, force: None}, "reconcile does not take"),
        ("AVAIL-2", {"is_available": lambda self: 1}, "returned 1"),
        ("AVAIL-2", {"is_available": hang}, "raised SystemExit"),
        (
            "AVAIL-3",
            {"is_available": lambda self: Path("trace").touch() is None},
            "open",
        ),
    ],
)
def test_a_wrong_face_fails(key, members, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ruling, evidence = verdict(changed(Quiet, **members), key)
    assert ruling is Ruling.FAIL
    assert said in evidence


class Host(ReferenceSurface):
    """The reference with one function bent."""

    def __init__(self, **bent):
        self.__dict__.update(bent)


@pytest.mark.parametrize("key", ["FALL-1", "FALL-2", "FALL-3", "FALL-4", "FALL-5"])
def test_a_resolver_that_raises_fails_all_of_fallback(key):
    def resolve():
        raise KeyboardInterrupt

    assert verdict(Quiet, key, host=Host(resolve=resolve))[0] is Ruling.FAIL


def test_a_plugin_that_calls_itself_builtin_is_not_taken_for_it():
    impostor = changed(Quiet, name="builtin")
    real = ReferenceSurface().resolve
    calls = []

    def resolve():
        calls.append(1)
        return real() if len(calls) == 2 else impostor()

    ruling, evidence = verdict(Quiet, "FALL-2", host=Host(resolve=resolve))
    assert ruling is Ruling.FAIL
    assert "Changed with the name 'builtin'" in evidence


def test_an_availability_that_hangs_is_not_known_to_keep_off_the_network(monkeypatch):
    gate = threading.Event()

    def is_available(self):
        gate.wait(60)

    def impatient(question):  # with what hangs, and with nothing else
        return ask(question, wait_s=0.2 if question.__name__ == "is_available" else 60)

    monkeypatch.setattr(availability, "ask", impatient)
    slow = changed(Quiet, is_available=is_available)
    assert verdict(slow, "AVAIL-1")[0] is Ruling.NOT_RUN
    ruling, evidence = verdict(slow, "AVAIL-3")
    gate.set()
    assert ruling is Ruling.FAIL
    assert "did not come back" in evidence


@pytest.mark.parametrize(("slow", "ruling"), [(2, Ruling.PASS), (99, Ruling.FAIL)])
def test_an_answer_that_is_slow_each_time_is_the_providers_fault(slow, ruling, monkeypatch):
    """And one that is not is the machine's."""
    took_s = itertools.chain([1.5] * slow, itertools.repeat(0.1))

    def timed(question):
        answer = ask(question)
        if question.__name__ == "is_available":
            answer.took_s = next(took_s)
        return answer

    monkeypatch.setattr(availability, "ask", timed)
    judged, evidence = verdict(Quiet, "AVAIL-3")
    assert judged is ruling
    assert ("is_available() took 1.5 s" in evidence) is (ruling is Ruling.FAIL)


def test_a_thread_of_its_own_behind_a_start_that_returns_is_told_what_is_wrong():
    def start(self, stop_event, **_):
        threading.Thread(target=Loop.start, args=(self, stop_event), daemon=True).start()

    ruling, evidence = verdict(changed(Loop, start=start), "TICK-1")
    assert ruling is Ruling.FAIL
    assert "the host starts the built-in beside it" in evidence


@pytest.mark.parametrize("key", ["TICK-1", "TICK-2", "TICK-3", "TICK-4", "TICK-6"])
def test_a_loop_that_dies_of_what_we_do_not_simulate_is_not_judged(key):
    def beat(self, success):
        subprocess.run(["true"], check=False)

    ruling, evidence = verdict(changed(Loop, beat=beat), key, capabilities={"blocking"})
    assert ruling is Ruling.NOT_RUN, evidence
    assert "not simulated: subprocess" in evidence


@pytest.mark.parametrize("key", ["RECON-1", "RECON-2", "RECON-3", "RECON-4", "RECON-5", "RECON-6"])
def test_a_client_that_we_do_not_simulate_is_not_judged(key):
    def start(self, stop_event, **_):
        socket.create_connection(("portal.sim", 443))

    ruling, evidence = verdict(changed(Quiet, start=start), key, capabilities={"external"})
    assert ruling is Ruling.NOT_RUN, evidence
    assert "not simulated: socket" in evidence


def test_a_provider_whose_first_minutes_cannot_be_seen_passes_nothing(monkeypatch):
    """Its rows for loops and registries are not 'not supported': nobody knows what it is."""

    def broken(*_, **__):
        raise RuntimeError("the world broke")

    monkeypatch.setattr(detect, "quiet_run", broken)
    with Judge(subject_of(Loop)) as judge:
        result = judge.judge("TICK-1")
        assert judge.assessment([]).verdict == "inconclusive"
    assert result.verdict is Ruling.NOT_RUN
    assert "the world broke" in " ".join(result.evidence)


def test_a_loop_that_wants_to_hear_of_changes_is_no_registry_provider():
    """A hook that wakes a loop early arms nothing outside."""
    with Judge(subject_of(changed(Loop, on_jobs_changed=lambda self: None))) as judge:
        assert judge.capabilities == {"blocking"}


def test_a_provider_that_was_seen_to_spin_is_not_run_again(monkeypatch):
    monkeypatch.setattr(virtual, "MOST_EVENTS", 10)
    with Judge(subject_of(Loop), capabilities={"blocking"}) as judge:
        assert judge.judge("TICK-1").verdict is Ruling.PASS
        later = [judge.judge(key) for key in ("TICK-6", "TICK-8")]
    assert {result.verdict for result in later} == {Ruling.NOT_RUN}
    assert len({result.evidence for result in later}) == 1
    assert "it spins: in loop-at-once more than 10 things happened" in later[0].evidence[0]


def test_a_provider_that_spins_is_stopped_and_that_is_said_once():
    def start(self, stop_event, **_):
        while not stop_event.is_set():
            scheduler.tick(verbose=False, sync=False)

    with Judge(subject_of(changed(Loop, start=start)), capabilities={"blocking"}) as judge:
        first, later = judge.judge("TICK-6"), judge.judge("TICK-8")
        (run,) = virtual.runs_of(judge.context, "loop-beside-a-long-job")
    assert later.verdict is Ruling.NOT_RUN
    assert "it spins" in later.evidence[0]
    assert first.verdict is Ruling.NOT_RUN
    assert "more than 200000 events" in first.evidence[0]
    assert run.run.events < virtual.MOST_EVENTS + 2 * 20_000


class Slotted:
    """A loop of somebody who saves memory, and inherits from nobody."""

    __slots__ = ()

    name = "slotted"
    caught, start, beat = BaseException, Loop.start, Loop.beat

    def is_available(self):
        return True


def test_a_provider_that_takes_no_attribute_is_bent_all_the_same():
    found = []
    for provider in (Slotted, Loop):
        with Judge(subject_of(provider), capabilities={"blocking"}) as judge:
            found.append([judge.judge(key) for key in ("TICK-5", "TICK-8")])
    assert found[0] == found[1]
    assert {result.verdict for result in found[0]} == {Ruling.FAIL}


def asks_what_is_armed(self, stop_event, **_):
    """A start that knows NAS, and arms nothing there."""
    credentials = {"Authorization": "Bearer sim-agent-token"}
    httpx.get("https://portal.sim/api/agent-cron/list", headers=credentials)


def test_a_provider_that_arms_nothing_fails_where_something_was_to_be_armed():
    """With nothing armed the world stands still; that is no reason to say nothing."""
    asks = changed(Quiet, start=asks_what_is_armed)
    assert verdict(asks, "RECON-1")[0] is Ruling.FAIL
    ruling, evidence = verdict(asks, "RECON-2")
    assert ruling is Ruling.FAIL
    assert "is not armed" in evidence
    assert "(lines )" not in evidence


@pytest.mark.parametrize("key", ["TICK-1", "TICK-2", "TICK-3", "TICK-4", "TICK-6"])
def test_a_loop_of_an_outsider_passes(key):
    ruling, evidence = verdict(Loop, key)
    assert ruling is Ruling.PASS, evidence


def test_a_loop_that_dies_of_systemexit_is_caught_though_the_host_mends_it():
    ruling, evidence = verdict(changed(Loop, caught=Exception), "TICK-2")
    assert ruling is Ruling.FAIL
    assert "the loop was left" in evidence
    assert "SystemExit" in evidence


def test_what_start_raised_is_told_in_its_own_words():
    def start(self, stop_event, **offered):
        raise RuntimeError("no queue")

    evidence = verdict(changed(Loop, start=start), "TICK-1", capabilities={"blocking"})[1]
    assert "RuntimeError: no queue" in evidence


def test_what_cannot_be_said_or_written_is_judged_all_the_same():
    class UnsayableError(RuntimeError):
        def __str__(self):
            raise RuntimeError

    def raising(error):
        def start(self, stop_event, **offered):
            raise error

        return changed(Loop, start=start)

    ruling, evidence = verdict(raising(UnsayableError()), "TICK-1", capabilities={"blocking"})
    assert ruling is Ruling.FAIL
    assert "saying it raised RuntimeError" in evidence
    odd = RuntimeError("\udcff" + "x" * 1_000_000)
    ruling, evidence = verdict(raising(odd), "TICK-1", capabilities={"blocking"})
    assert ruling is Ruling.FAIL
    assert "\\udcff" in evidence
    assert len(evidence.encode()) < 3 * LONGEST_LINE


def test_a_provider_that_is_false_is_judged_and_no_other_in_its_place():
    def start(self, stop_event, *, adapters=None, loop=None, interval=60):
        raise RuntimeError

    dead = changed(Loop, start=start, __len__=lambda _: 0)
    assert verdict(dead, "TICK-1", capabilities={"blocking"})[0] is Ruling.FAIL


@pytest.mark.parametrize("key", ["TICK-1", "TICK-2"])
def test_nothing_is_said_where_the_host_runs_another_provider(key, monkeypatch):
    class Dead(Loop):
        def start(self, stop_event, *, adapters=None, loop=None, interval=60):
            raise RuntimeError

    taken = gateway.Gateway._take
    other = InProcessCronScheduler()
    monkeypatch.setattr(gateway.Gateway, "_take", lambda self, _: taken(self, other))
    ruling, evidence = verdict(Dead, key, capabilities={"blocking"})
    assert ruling is Ruling.NOT_RUN
    assert "the host ran 'builtin' in its place" in evidence


def test_a_silent_external_provider_does_not_pass_for_a_converging_one():
    assert verdict(Quiet, "RECON-1")[0] is not Ruling.PASS


def test_a_fault_that_never_struck_is_no_pass():
    """A provider that never arms anything cannot have survived the failures of arming."""
    ruling, evidence = verdict(changed(Quiet, start=asks_what_is_armed), "RECON-4")
    assert ruling is Ruling.NOT_RUN
    assert "never struck" in evidence


def test_what_is_not_declared_is_not_judged_and_reported():
    with Judge(subject_of(Quiet), capabilities={"blocking"}) as judge:
        assert judge.judge("RECON-1").verdict is Ruling.NOT_SUPPORTED
        notes = judge.assessment([]).notes
    assert any("shows external without declaring it" in note for note in notes)


def test_a_probe_that_breaks_is_the_kits_fault():
    def interface():
        raise SystemExit("not mine")

    ruling, evidence = verdict(Quiet, "ABC-1", host=Host(interface=interface))
    assert ruling is Ruling.KIT_ERROR
    assert "the probe itself failed" in evidence


def test_the_last_trouble_is_the_one_that_came_last():
    """Recovery raises SystemExit, and the first heartbeat of the loop at the same instant."""

    def beat(self, success):
        jobs.record_ticker_heartbeat(success=success)

    with Judge(subject_of(changed(Loop, beat=beat)), capabilities={"blocking"}) as judge:
        evidence = judge.judge("TICK-5").evidence
    assert "KeyboardInterrupt" in evidence[0]
    assert evidence[1].startswith("the last trouble was KeyboardInterrupt from heartbeat")


def test_a_provider_that_hangs_where_nothing_is_done_to_it_hangs_once(monkeypatch):
    soon = lambda kernel, _hang_s: guarded(kernel, 0.5)  # noqa: E731
    monkeypatch.setattr("simulator.kernel.patches.guarded", soon)
    began = []

    def start(self, stop_event, **_):
        began.append(stop_event)
        while True:
            pass

    with Judge(subject_of(changed(Loop, start=start))) as judge:
        results = [judge.judge(key) for key in ("TICK-1", "LIVE-1", "RECON-1", "TICK-6")]
    assert len(began) == 1
    assert {result.verdict for result in results} == {Ruling.NOT_RUN}
    (said,) = {result.evidence[0] for result in results}
    assert "in ten-quiet-minutes" in said
    assert "hangs in start" in said
