"""The provider rows of ONCE and LIVE: who passes, who is rejected, and what says nothing."""

import outside_providers as outside
import pytest

from contract_tests.engine import Judge
from contract_tests.probes import virtual
from contract_tests.scenarios import scenario
from contract_tests.target import find_subject, subject_of
from contract_tests.verdicts import Ruling
from hermes_cron import claims
from simulator.durations import SECOND_US
from simulator.scenario import Body

FOR_ALL = ("ONCE-2", "ONCE-3", "ONCE-4", "ONCE-5", "ONCE-6", "ONCE-8", "ONCE-9", "LIVE-1", "LIVE-5")
FOR_EXTERNAL = ("LIVE-2", "LIVE-3", "LIVE-4")
KINDS = {outside.Loop: "blocking", outside.Registrar: "external"}


def judged(subject, *ids, **judge):
    with Judge(subject, **judge) as one:
        results = [one.judge(key) for key in ids]
    return {
        result.requirement.id: (result.verdict, " ".join(result.evidence)) for result in results
    }


def subject(provider):
    return find_subject(provider) if isinstance(provider, str) else subject_of(provider)


def kind(provider):
    if isinstance(provider, str):
        return {"builtin": "blocking", "chronos": "external"}[provider]
    return next(kind for base, kind in KINDS.items() if issubclass(provider, base))


RIGHT = ["builtin", "chronos", outside.Loop, outside.RemembersFires, outside.Registrar]


@pytest.mark.parametrize("provider", RIGHT)
def test_what_is_right_passes(provider):
    ids = (*FOR_ALL, *FOR_EXTERNAL) if kind(provider) == "external" else FOR_ALL
    found = judged(subject(provider), *ids)
    assert {key: said for key, said in found.items() if said[0] is not Ruling.PASS} == {}


def test_a_loop_is_not_asked_to_arm():
    found = judged(subject("builtin"), *FOR_EXTERNAL)
    assert {verdict for verdict, _ in found.values()} == {Ruling.NOT_SUPPORTED}


@pytest.mark.parametrize(
    ("provider", "key", "said"),
    [
        (outside.RunsWhatItReconciles, "ONCE-2", "came again while its run was on"),
        (outside.RunsWhatItReconciles, "ONCE-3", "came again after its run"),
        (outside.RunsWhatItReconciles, "ONCE-4", "an occurrence that it had given up"),
        (outside.RunsWhatItReconciles, "ONCE-5", "ran ahead of its time"),
        (outside.HasNothingToReconcile, "ONCE-5", "its occurrence was lost"),
        (outside.KeepsItsOwnTimes, "ONCE-6", "a second run of slow began"),
        (outside.KeepsItsOwnTimes, "ONCE-8", "report ran by a webhook"),
        (outside.RunsAgainAfterADeath, "ONCE-9", "over the deaths"),
        (outside.TiresOfFailures, "LIVE-1", "though nothing went wrong any more"),
        (outside.ArmsOnlyWhatFired, "LIVE-2", "the arm of new failed and was not made good"),
        (outside.LeavesErrorsAlone, "LIVE-3", "a death came before in-the-body was armed again"),
        (outside.ArmsOnlyWhatRan, "LIVE-4", "somebody else took the occurrence of lost"),
        (outside.HasNothingToReconcile, "LIVE-4", "took the occurrence of overtaken"),
        (outside.MakesUpForEverything, "LIVE-5", "ran 5 times for them"),
        (outside.RunsAllAtOnce, "LIVE-5", "16 of 16 jobs ran at the same time"),
    ],
)
def test_what_is_wrong_fails(provider, key, said):
    verdict, evidence = judged(subject(provider), key, capabilities={kind(provider)})[key]
    assert verdict is Ruling.FAIL, evidence
    assert said in evidence


def test_a_host_that_forgets_which_occurrence_it_gave_away_fails_for_loops_too(monkeypatch):
    monkeypatch.setattr(claims, "_not_its_occurrence", lambda *_: None)
    found = judged(subject("builtin"), "ONCE-3", "ONCE-4", "ONCE-5")
    assert {verdict for verdict, _ in found.values()} == {Ruling.FAIL}


@pytest.mark.parametrize("capabilities", [{"blocking"}, {"blocking", "replicas"}])
def test_only_who_promises_several_hosts_is_asked_for_them(capabilities, monkeypatch):
    """Leases that are not renewed hurt nobody on one host."""
    monkeypatch.setattr("hermes_cron.leases.PERIOD_S", 600.0)
    verdict, evidence = judged(subject(outside.Loop), "ONCE-6", capabilities=capabilities)["ONCE-6"]
    if "replicas" in capabilities:
        assert verdict is Ruling.FAIL
        assert "on a and b" in evidence
    else:
        assert verdict is Ruling.PASS


def uneventful(name):
    """The scenario without what makes its case: no steps, no faults, short and tame bodies."""
    whole = scenario(name)
    tame = [job.model_copy(update={"body": Body(), "runs_for": SECOND_US}) for job in whole.jobs]
    return whole.model_copy(update={"steps": (), "faults": (), "jobs": tuple(tame)})


@pytest.mark.parametrize("provider", ["builtin", "chronos"])
def test_where_the_case_never_came_nothing_is_said(provider, monkeypatch):
    monkeypatch.setattr(virtual, "scenario", uneventful)
    ids = (*FOR_ALL, *FOR_EXTERNAL) if provider == "chronos" else FOR_ALL
    found = judged(subject(provider), *ids)
    assert {key: said for key, said in found.items() if said[0] is not Ruling.NOT_RUN} == {}


@pytest.mark.parametrize("key", ["ONCE-2", "ONCE-3", "ONCE-6", "ONCE-8", "ONCE-9"])
def test_who_runs_nothing_has_run_nothing_twice_and_is_not_praised_for_it(key):
    verdict, evidence = judged(subject(outside.TakesNoFires), key)[key]
    assert verdict is Ruling.NOT_RUN, evidence
