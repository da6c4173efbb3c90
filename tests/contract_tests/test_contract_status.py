"""The kit's judgement of the status: against hosts whose status has one thing wrong."""

import contextlib
import dataclasses

import pytest

from contract_tests.engine import Judge
from contract_tests.probes import status_cases
from contract_tests.scenarios import scenario
from contract_tests.surface import ReferenceSurface
from contract_tests.surroundings import captured_logs, home
from contract_tests.target import find_subject
from contract_tests.verdicts import Ruling

IDS = [f"STAT-{number}" for number in (*range(1, 11), 12, 13)]


@pytest.fixture(scope="module")
def judge():
    """The built-in, judged once for the tests that only read."""
    with Judge(find_subject("builtin"), profile="strict") as one:
        yield one


@pytest.mark.parametrize("key", IDS)
def test_the_reference_tells_what_is_so(judge, key):
    result = judge.judge(key)
    assert result.verdict is Ruling.PASS, result.evidence
    assert result.reached


def test_so_it_does_beside_a_registry():
    with Judge(find_subject("chronos"), profile="strict") as one:
        assert one.judge("STAT-11").verdict is Ruling.PASS
        assert one.judge("STAT-1").verdict is Ruling.PASS


@pytest.mark.parametrize("key", sorted(status_cases.MOMENTS))
def test_each_moment_is_one_at_which_its_scenario_asks(key):
    from simulator.durations import parse_duration

    for name, moments in status_cases.MOMENTS[key].items():
        asked = {step.at for step in scenario(name).steps if step.do == "status"}
        assert {parse_duration(at) for at in moments} <= asked


class Bent(ReferenceSurface):
    """The reference, with its answers bent after the fact."""

    def __init__(self, bend):
        self.bend = bend

    @contextlib.contextmanager
    def status_bench(self):
        with super().status_bench() as bench:
            read = bench.read
            bench.read = lambda: self.bend(read())
            yield bench


def bent(key, bend):
    with Judge(find_subject("builtin"), profile="strict", host=Bent(bend)) as one:
        result = one.judge(key)
    return result.verdict, " ".join(result.evidence)


def instead(old, new):
    """The same reading with other words."""
    return lambda reading: dataclasses.replace(
        reading, text=reading.text.replace(old, new), printed=reading.printed.replace(old, new)
    )


def stuck(reading):
    raise TimeoutError("the status waits")


@pytest.mark.parametrize(
    ("key", "bend", "said"),
    [
        ("STAT-1", instead("will fire automatically", "will run"), "does not say 'will fire auto"),
        ("STAT-2", instead("STALLED", "slow"), "does not say 'STALLED'"),
        ("STAT-2", lambda r: dataclasses.replace(r, text=r.text.split("\n\n")[0]), "what to do"),
        ("STAT-3", instead("no tick has succeeded", "ticks fail"), "'no tick has succeeded'"),
        ("STAT-4", instead("will NOT fire", "do not fire"), "does not say 'will NOT fire'"),
        ("STAT-5", instead("no heartbeat", "STALLED: no heartbeat"), "it says 'STALLED'"),
        ("STAT-10", instead("portside", "another one"), "does not say 'portside'"),
        ("STAT-12", instead("backup", "a job"), "does not say 'backup'"),
        ("STAT-1", stuck, "TimeoutError"),
        ("STAT-13", stuck, "TimeoutError"),
        ("STAT-13", lambda r: dataclasses.replace(r, json_exit_code=0), "exit code [0, 1]"),
        ("STAT-13", lambda r: dataclasses.replace(r, data="{"), "--json gives no verdict"),
        ("STAT-13", lambda r: dataclasses.replace(r, error=KeyError("k")), "raised KeyError"),
        (
            "STAT-13",
            lambda r: dataclasses.replace(r, printed=r.printed + "will fire automatically"),
            "and the words are",
        ),
    ],
)
def test_words_that_are_not_so_are_rejected(key, bend, said):
    verdict, evidence = bent(key, bend)
    assert verdict is Ruling.FAIL
    assert said in evidence


def test_a_reader_that_writes_is_seen():
    class Writes(Bent):
        @contextlib.contextmanager
        def status_bench(self):
            with ReferenceSurface.status_bench(self) as bench:
                read = bench.read

                def and_write():
                    bench.write("last_look", "now")
                    return read()

                bench.read = and_write
                yield bench

    with Judge(find_subject("builtin"), profile="strict", host=Writes(None)) as one:
        result = one.judge("STAT-13")
    assert result.verdict is Ruling.FAIL
    assert "to ask for the status is to write" in result.evidence[0]


def test_the_bench_leaves_what_gateways_leave(tmp_path):
    """What the probes rest on: the two files of HOST.md, as old as was asked for, and JSON beside."""
    folder = tmp_path / "home"
    with home(folder), captured_logs(), ReferenceSurface().status_bench() as bench:
        bench.gateway(4242, began_s=900)
        bench.loop(4242, beat_s=30, clean_s=500)
        beat = float((folder / "cron/ticker_heartbeat").read_text())
        clean = float((folder / "cron/ticker_last_success").read_text())
        bench.reported(4242)
        reading = bench.read()
    assert beat - clean == pytest.approx(470, abs=5)
    assert reading.data["ages"]["success_s"] == pytest.approx(500, abs=5)
    assert reading.exit_code == reading.json_exit_code == 1
