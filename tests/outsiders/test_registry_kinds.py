"""What a registry declares is allowed for; what it does not, and what goes beyond it, is not."""

import sys
from pathlib import Path

import pytest

from contract_tests.engine import Judge
from contract_tests.scenarios import scenario
from contract_tests.target import TargetError, find_subject, subject_of
from contract_tests.verdicts import Ruling
from simulator.world import simulate

HERE = Path(__file__).parent


@pytest.fixture
def kinds(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    import registry_kinds

    yield registry_kinds
    for name in ("registry_kinds",):
        sys.modules.pop(name, None)


def verdict(row, provider, registry):
    subject = subject_of(provider).with_registry(registry)
    with Judge(subject, capabilities={"external"}) as judge:
        result = judge.judge(row)
    return result.verdict, result.evidence[0]


def undeclared(kinds, registry):
    return type("Silent", (kinds.Undeclared, registry), {})


@pytest.mark.parametrize(
    ("provider", "registry", "row"),
    [
        ("RemindlyCron", "MinutesOnly", "RECON-1"),
        ("GoesByStages", "HalfAnHourAhead", "RECON-1"),
        ("ArmsOnce", "Repeats", "RECON-1"),
        ("ArmsOnce", "Repeats", "RECON-6"),
        ("Renews", "TenMinuteLocks", "RECON-1"),
        ("Renews", "TenMinuteLocks", "RECON-5"),
        ("RemindlyCron", "BehindByAMinute", "RECON-2"),
    ],
)
def test_who_lives_with_it_passes(kinds, provider, registry, row):
    ruling, said = verdict(row, getattr(kinds, provider), getattr(kinds, registry))
    assert ruling is Ruling.PASS, said


@pytest.mark.parametrize(
    ("provider", "registry", "row", "words"),
    [
        ("RemindlyCron", "MinutesOnly", "RECON-1", "armed at"),
        ("GoesByStages", "HalfAnHourAhead", "RECON-1", "armed at"),
        ("Renews", "TenMinuteLocks", "RECON-5", "with nothing due, it called the registry"),
    ],
)
def test_the_same_fails_where_nothing_is_declared(kinds, provider, registry, row, words):
    silent = undeclared(kinds, getattr(kinds, registry))
    ruling, said = verdict(row, getattr(kinds, provider), silent)
    assert ruling is Ruling.FAIL
    assert words in said


@pytest.mark.parametrize(
    ("provider", "registry", "row", "words"),
    [
        ("RemindlyCron", "MinutesOnlyTooEarly", "RECON-1", "armed at"),
        ("RemindlyCron", "HalfAnHourAhead", "RECON-1", "is not armed"),
        ("ForgetsTheFar", "HalfAnHourAhead", "RECON-1", "is not armed"),
        ("RemindlyCron", "TenMinuteLocks", "RECON-1", "is not armed"),
        ("RenewsInAHurry", "TenMinuteLocks", "RECON-5", "lasts 10m, and was renewed again"),
    ],
)
def test_who_does_not_know_it_fails(kinds, provider, registry, row, words):
    ruling, said = verdict(row, getattr(kinds, provider), getattr(kinds, registry))
    assert ruling is Ruling.FAIL
    assert words in said


def test_no_run_sees_the_arms_of_another(kinds):
    fake = kinds.FakeRemindly()
    subject = subject_of(kinds.RemindlyCron).with_registry(fake)
    with Judge(subject, capabilities={"external"}) as judge:
        assert judge.judge("RECON-6").verdict is Ruling.PASS
    assert fake.at == {}


def test_half_a_fake_is_refused_by_what_it_lacks(kinds):
    class Half:
        def armed(self):
            return {}

    with pytest.raises(TargetError, match="no attach, deliver_due, forget_all, fail_next"):
        subject_of(kinds.RemindlyCron).with_registry(Half)


def test_one_that_never_delivers_is_the_authors_mistake_and_no_failure(kinds):
    class Keeps(kinds.FakeRemindly):
        def deliver_due(self, now):
            return []

    ruling, said = verdict("RECON-1", kinds.RemindlyCron, Keeps)
    assert ruling is Ruling.KIT_ERROR
    assert "return what is due, and arm it no longer" in said


def test_a_run_over_real_http_is_the_same_each_time(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    target = find_subject("over_http:HttpTimersCron").with_registry("over_http:FakeTimers").target
    digests = {simulate(scenario("registry-arms"), target).history.digest() for _ in range(2)}
    assert len(digests) == 1
