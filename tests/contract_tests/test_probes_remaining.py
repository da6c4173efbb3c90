"""The probes of later and older hosts, imports, ends of a trigger, rhythm, races and told changes.

Each is held against a provider or a host with one thing wrong, and against one with none.
"""

import dataclasses
import functools
import logging
import textwrap
import threading
from contextlib import contextmanager
from unittest import mock

import pytest

from contract_tests.benches.changes import ChangesBench
from contract_tests.engine import Judge
from contract_tests.importing import Imported, import_apart
from contract_tests.probes import fallback
from contract_tests.surface import ReferenceSurface
from contract_tests.target import find_subject, subject_of
from contract_tests.verdicts import Ruling
from hermes_cron import CronScheduler, gateway, jobs, provider_calls, scheduler

logger = logging.getLogger(__name__)


class Loop(CronScheduler):
    """A loop that keeps to its grid and outlives everything."""

    name = "outsider"

    def start(self, stop_event, *, adapters=None, loop=None, interval=60):
        self.guarded(lambda: jobs.record_ticker_heartbeat(success=False))
        while not stop_event.is_set():
            clean = self.guarded(
                lambda: scheduler.tick(verbose=False, adapters=adapters, loop=loop, sync=False)
            )
            self.guarded(functools.partial(jobs.record_ticker_heartbeat, success=clean))
            self.guarded(lambda: stop_event.wait(interval))

    def guarded(self, call):
        try:
            call()
        except BaseException:
            logger.exception("one step of the loop failed")
            return False
        return True


class Quiet(CronScheduler):
    """External, and does nothing."""

    name = "quiet"

    def on_jobs_changed(self):
        return None

    def start(self, stop_event, *, adapters=None, loop=None, interval=60):
        return None


def verdict(provider, key, **judge):
    with Judge(subject_of(provider), profile="strict", **judge) as one:
        result = one.judge(key)
    return result.verdict, "\n".join(result.evidence)


def changed(base, **members):
    return type("Changed", (base,), members)


class Host(ReferenceSurface):
    """The reference with one function bent."""

    def __init__(self, **bent):
        self.__dict__.update(bent)


# -- ABC ----------------------------------------------------------------------------------------


def test_a_provider_runs_on_under_hooks_it_never_heard_of():
    ruling, evidence = verdict(Loop, "ABC-6")
    assert ruling is Ruling.PASS
    assert "on_calendar_reform()" in evidence
    assert not hasattr(CronScheduler, "on_calendar_reform")


@pytest.mark.parametrize("slots", [False, True])
def test_a_frozen_provider_is_judged_as_any_other(slots):
    frozen = dataclasses.dataclass(frozen=True, slots=slots)(type("Frozen", (Loop,), {}))
    assert verdict(frozen, "ABC-6")[0] is Ruling.PASS
    assert verdict(frozen, "TICK-5")[0] is Ruling.PASS


def test_any_keywords_that_are_handed_on_break_under_a_later_host():
    def start(self, stop_event, **settings):
        while not stop_event.is_set():
            interval = settings.pop("interval", 60)
            self.guarded(lambda: scheduler.tick(verbose=False, sync=False, **settings))
            stop_event.wait(interval)

    ruling, evidence = verdict(changed(Loop, start=start), "ABC-6")
    assert ruling is Ruling.FAIL
    assert "profile_homes=" in evidence


def test_what_runs_nothing_today_says_nothing_about_tomorrow():
    ruling, evidence = verdict(Quiet, "ABC-6")
    assert ruling is Ruling.NOT_RUN
    assert "no job to run on a host of today" in evidence


def test_a_duck_with_slots_is_judged_where_its_case_comes_up():
    class Slotted:
        __slots__ = ()
        name = "slotted"
        start = Loop.start
        guarded = Loop.guarded

    ruling, evidence = verdict(Slotted, "ABC-6")
    assert ruling is Ruling.NOT_RUN
    assert "inherits no hook" in evidence
    assert verdict(Slotted, "TICK-5", capabilities={"blocking"})[0] is Ruling.PASS


def test_a_host_that_takes_no_older_start_fails():
    refuses = mock.patch.object(provider_calls, "accepted", lambda _, offered: dict(offered))
    with refuses:
        ruling, evidence = verdict(Quiet, "ABC-7")
    assert ruling is Ruling.FAIL
    assert "does not take" in evidence


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import threading\nthreading.Thread(target=print, name='early').start()", "thread early"),
        ("import _thread\n_thread.start_new_thread(print, ())", "a thread"),
        ("import socket\nkept = socket.socket()\nkept.bind(('127.0.0.1', 0))", "a socket"),
        ("import socket\nsocket.socket().connect(('127.0.0.1', 9))", "socket.connect"),
        ("import socket\nsocket.getaddrinfo('portal.example.test', 443)", "getaddrinfo"),
        ("open('trace', 'w').close()", "open"),
        ("import os\nos.mkdir('traces')", "os.mkdir"),
        ("import subprocess\nsubprocess.run(['true'])", "subprocess"),
    ],
    ids=["thread", "bare-thread", "socket", "connect", "look-up", "file", "folder", "process"],
)
def test_an_import_with_effects_is_seen(tmp_path, text, said):
    (tmp_path / "early.py").write_text(text)
    seen = import_apart("early", tmp_path / "home", file=tmp_path / "early.py")
    effects = (*seen.threads, *seen.network, *seen.sockets, *seen.writes)
    assert said in " ".join(effects)


def test_an_import_without_effects_is_clean_also_with_a_probe_for_ipv6(tmp_path):
    """As urllib3 does it: bound to no port of its own, and closed."""
    text = "import socket\nprobe = socket.socket()\nprobe.bind(('127.0.0.1', 0))\nprobe.close()\n"
    (tmp_path / "clean.py").write_text(text)
    seen = import_apart("clean", tmp_path / "home", file=tmp_path / "clean.py")
    assert seen == Imported("clean", None)


def test_what_cannot_be_imported_apart_says_why(tmp_path):
    (tmp_path / "broken.py").write_text("raise SystemExit('not here')")
    seen = import_apart("broken", tmp_path / "home", file=tmp_path / "broken.py")
    assert seen.error == "SystemExit: not here"


def test_a_plugin_folder_that_writes_at_import_fails(tmp_path):
    folder = tmp_path / "writes"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        textwrap.dedent("""
            from .inner import Writes
            from hermes_cron import CronScheduler
        """)
    )
    (folder / "inner.py").write_text(
        textwrap.dedent("""
            from hermes_cron import CronScheduler
            open(__file__ + ".log", "a").close()
            class Writes(CronScheduler):
                name = "writes"
                def start(self, stop_event, *, adapters=None, loop=None, interval=60):
                    pass
        """)
    )
    with Judge(find_subject(str(folder)), capabilities={"external"}) as judge:
        result = judge.judge("ABC-8")
    assert result.verdict is Ruling.FAIL
    assert "inner.py.log" in result.evidence[0]


# -- FALL ---------------------------------------------------------------------------------------


def test_a_host_that_waits_for_an_answer_fails(monkeypatch):
    gate = threading.Event()
    real = fallback.ask
    monkeypatch.setattr(fallback, "ask", lambda function: real(function, wait_s=0.2))
    ruling, evidence = verdict(Quiet, "FALL-9", host=Host(resolve=lambda: gate.wait(20)))
    gate.set()
    assert ruling is Ruling.FAIL
    assert "holds up the host" in evidence


def test_a_host_that_leaves_a_dead_loop_alone_fails(monkeypatch):
    monkeypatch.setattr(gateway.Gateway, "_start", lambda self, provider, stop: None)
    assert verdict(Quiet, "FALL-10")[0] is Ruling.FAIL


def test_a_host_that_replaces_in_silence_fails(monkeypatch):
    monkeypatch.setattr(gateway, "logger", logging.getLogger("nobody.hears"))
    logging.getLogger("nobody.hears").propagate = False
    ruling, evidence = verdict(Quiet, "FALL-10")
    assert ruling is Ruling.FAIL
    assert "no warning names 'contract-ends-1'" in evidence


@pytest.mark.parametrize(
    "text",
    ["# as QStash wants it", "from temporalio import client", "URL = 'https://events.eventbridge'"],
)
def test_a_vendor_in_the_source_fails(tmp_path, text):
    file = tmp_path / "client.py"
    file.write_text(f"x = 1\n{text}\n")
    ruling, evidence = verdict(Quiet, "FALL-11", host=Host(sources=lambda: (file,)))
    assert ruling is Ruling.FAIL
    assert "client.py, line 2" in evidence


def test_ordinary_words_are_no_vendors(tmp_path):
    file = tmp_path / "client.py"
    file.write_text("# a temporal order; we defer to the cloud, and the bus is full\n")
    assert verdict(Quiet, "FALL-11", host=Host(sources=lambda: (file,)))[0] is Ruling.PASS


def test_a_host_without_sources_is_not_judged():
    assert verdict(Quiet, "FALL-11", host=Host(sources=tuple))[0] is Ruling.NOT_RUN


# -- TICK ---------------------------------------------------------------------------------------


def test_a_loop_that_outlives_everything_passes():
    ruling, evidence = verdict(Loop, "TICK-5")
    assert ruling is Ruling.PASS, evidence


def test_a_wait_that_ends_the_loop_fails_and_is_named():
    def guarded(self, call):
        try:
            call()
        except (OSError, KeyboardInterrupt):
            return False
        return True

    ruling, evidence = verdict(changed(Loop, guarded=guarded), "TICK-5")
    assert ruling is Ruling.FAIL
    assert "the last trouble was SystemExit from heartbeat" in evidence


def test_the_plain_wait_creeps_past_an_occurrence():
    ruling, evidence = verdict(Loop, "TICK-8")
    assert ruling is Ruling.FAIL
    assert "creep past it" in evidence


def test_a_dead_loop_fails_one_row_and_the_others_saw_nothing():
    dead = changed(Loop, start=lambda self, stop_event, **_: None)
    with Judge(subject_of(dead), profile="strict", capabilities={"blocking"}) as judge:
        found = {n: judge.judge(f"TICK-{n}") for n in range(1, 10)}
    failed = [n for n, result in found.items() if result.verdict is Ruling.FAIL]
    assert failed == [1]
    for number in (2, 3, 4, 5, 6, 8):
        assert found[number].verdict is Ruling.NOT_RUN
        assert "the loop was dead before this could be seen" in found[number].evidence[0]


def test_a_loop_that_never_ticks_fails_one_row_too():
    idle = changed(Loop, start=lambda self, stop_event, **_: stop_event.wait())
    with Judge(subject_of(idle), profile="strict", capabilities={"blocking"}) as judge:
        found = {n: judge.judge(f"TICK-{n}").verdict for n in (1, 2, 3, 4, 5, 6, 8)}
    assert [n for n, ruling in found.items() if ruling is Ruling.FAIL] == [1]


# -- RECON --------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["RECON-7", "RECON-8", "RECON-9", "RECON-10"])
def test_who_arms_nothing_converges_to_nothing(key):
    assert verdict(Quiet, key)[0] is not Ruling.PASS


def test_a_refusal_of_the_registry_is_quoted():
    from hermes_cron.plugins.chronos import ChronosCronScheduler

    class Forgets(ChronosCronScheduler):
        """Never asks for anything a second time."""

        def __init__(self):
            super().__init__()
            self.asked = set()

        def _arm(self, job):
            if job["id"] not in self.asked:
                self.asked.add(job["id"])
                super()._arm(job)

    ruling, evidence = verdict(Forgets, "RECON-10")
    assert ruling is Ruling.FAIL
    assert "its last provision" in evidence
    assert "200, html" in evidence


def test_a_way_that_tells_nobody_is_named():
    @contextmanager
    def bench(in_charge):
        def quietly(job):
            with mock.patch.object(scheduler, "_notify_provider_jobs_changed"):
                jobs.pause_job(job)

        yield ChangesBench(
            lambda: str(jobs.create_job("say hello", "every 1h")["id"]),
            ({"pause_job": jobs.pause_job, "a back door": quietly},),
        )

    ruling, evidence = verdict(
        Quiet, "RECON-11", host=Host(changes_bench=bench), capabilities={"external"}
    )
    assert ruling is Ruling.FAIL
    assert "a back door, in a gateway" in evidence
