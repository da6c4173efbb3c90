"""The host rows of ONCE and LIVE: the reference passes whoever is judged; each bend is rejected."""

from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import datetime

import outside_providers as outside
import pytest

from contract_tests.engine import Judge
from contract_tests.surface import ReferenceSurface
from contract_tests.target import find_subject, subject_of
from contract_tests.verdicts import Ruling
from hermes_cron import (
    claim_rules,
    dispatch,
    executions,
    jobs,
    pending,
    records,
    runs,
    scheduler,
    store,
    upkeep,
)

ONCE = ("ONCE-1", "ONCE-7", "ONCE-10", "ONCE-11")
LIVE = ("LIVE-6", "LIVE-7", "LIVE-8", "LIVE-9", "LIVE-10", "LIVE-11", "LIVE-12", "LIVE-13")


class BentHost(ReferenceSurface):
    """The reference with another bench of claims."""

    bent = staticmethod(lambda bench: bench)

    @contextmanager
    def claim_bench(self):
        with super().claim_bench() as bench:
            yield self.bent(bench)


def judged(*ids, subject=None, bent=None):
    host = BentHost()
    if bent is not None:
        host.bent = bent
    with Judge(subject or find_subject("builtin"), host=host) as one:
        results = [one.judge(key) for key in ids]
    return {result.requirement.id: (result.verdict, result.evidence[0]) for result in results}


@pytest.mark.parametrize("provider", ["builtin", "chronos", outside.Registrar])
def test_the_reference_passes_whatever_is_judged(provider):
    subject = find_subject(provider) if isinstance(provider, str) else subject_of(provider)
    found = judged(*ONCE, *LIVE, subject=subject)
    assert {key: said for key, said in found.items() if said[0] is not Ruling.PASS} == {}


class DiesAtOnce(outside.Loop):
    """Its loop ends at the first tick: that is no fault of its host."""

    def tick(self, adapters, loop):
        raise SystemExit


def test_a_broken_provider_does_not_fail_its_host():
    assert judged("LIVE-12", subject=subject_of(DiesAtOnce))["LIVE-12"][0] is Ruling.PASS


# Each bend is one plausible mistake.


def everybody_wins(patch):
    del patch
    return lambda bench: replace(bench, claim=lambda job_id: True)


def nobody_wins(patch):
    del patch
    return lambda bench: replace(bench, claim=lambda job_id: False)


def no_fence(patch):
    real = runs._complete
    patch.setattr(
        runs, "_complete", lambda edit, job, told: real(edit, job, replace(told, execution=None))
    )


def as_the_scan_saw_it(patch):
    """What is due is claimed as the store has it now, whoever has taken it meanwhile."""
    real = jobs.claim_due

    def claim_due(due):
        document = store.current_store().read()
        now = {job["id"]: (document.get(job["id"]) or {}).get("next_run_at") for job in due}
        return real([{**job, "next_run_at": now[job["id"]]} for job in due])

    patch.setattr(jobs, "claim_due", claim_due)


def runs_what_was_due(patch):
    real = jobs.claim_due

    def claim_due(due):
        taken = real(due)
        return taken + [job for job in due if job["id"] not in {one["id"] for one in taken}]

    patch.setattr(jobs, "claim_due", claim_due)


def every_record(patch):
    as_the_scan_saw_it(patch)
    real = jobs.get_due_jobs

    def get_due_jobs():
        now = jobs._hermes_now()
        records = [one.value for one in store.current_store().read().entries if one.job_id]
        late = [
            one
            for one in records
            if one["next_run_at"] and datetime.fromisoformat(one["next_run_at"]) <= now
        ]
        return [dict(one) for one in late] if late else real()

    patch.setattr(jobs, "get_due_jobs", get_due_jobs)


def nothing_recorded(patch):
    patch.setattr(executions, "missed", lambda *_: [])


def trusts_records(patch):
    real = jobs.get_due_jobs

    def get_due_jobs():
        for record in store.current_store().read().records:
            record["schedule"]["kind"]
        return real()

    patch.setattr(jobs, "get_due_jobs", get_due_jobs)


def forgets_results(patch):
    patch.setattr(pending, "later", lambda write: None)
    patch.setattr(pending, "told_of", lambda job, claim: None)


def believes_the_future(patch):
    patch.setattr(claim_rules, "SKEW_S", 10**12)


def takes_over_at_once(patch):
    patch.setattr(claim_rules, "_left_s", lambda *_: 0.0)


def says_nothing(patch):
    del patch
    return lambda bench: replace(bench, operations={"a change": lambda job_id: None})


def writes_all_the_same(patch):
    del patch

    def change(job_id):
        path = jobs.JOBS_FILE
        path.write_text(path.read_text().replace(f'"name": "{job_id}"', '"name": "changed"'))
        raise store.StoreBusy("too late")

    return lambda bench: replace(bench, operations={"a change": change})


def waits_for_ever(patch):
    del patch
    return lambda bench: replace(bench, patience_s=float("inf"))


def never_impatient(patch):
    patch.setattr("contract_tests.probes.held_up.ANSWER_S", 0.2)
    return lambda bench: replace(bench, impatient=nullcontext)


def trusts_the_clock(patch):
    patch.setattr(upkeep, "is_ahead", lambda *_: False)


def slow_is_busy(patch):
    patch.setattr(dispatch, "SLOW_S", 1e9)


def switches_off(patch):
    real = records.plan

    def plan(job, at, *reason):
        real(job, at, *reason)
        job["enabled"] = at is not None

    patch.setattr(records, "plan", plan)


@pytest.mark.parametrize(
    ("key", "bend", "said"),
    [
        ("ONCE-1", everybody_wins, "6 of 6 threads won one claim"),
        ("ONCE-1", nobody_wins, "0 of 6 threads won one claim"),
        ("ONCE-7", no_fence, "had lost its claim, and its end changed"),
        ("ONCE-10", runs_what_was_due, "ran 2 times for one occurrence"),
        ("ONCE-11", every_record, "times for"),
        ("LIVE-6", nothing_recorded, "hourly at 3h was missed, and on record is nothing"),
        ("LIVE-7", trusts_records, "beside a record with null, a job that was due ran 0 times"),
        ("LIVE-8", forgets_results, "the refused result of report was forgotten"),
        ("LIVE-9", believes_the_future, "the claim on from-the-future was not taken over"),
        ("LIVE-9", takes_over_at_once, "too early"),
        ("LIVE-10", says_nothing, "a change said nothing"),
        ("LIVE-10", writes_all_the_same, "was written without the lock"),
        ("LIVE-10", waits_for_ever, "which is no bound"),
        ("LIVE-10", never_impatient, "waits for it for ever"),
        ("LIVE-11", trusts_the_clock, "was silent for"),
        ("LIVE-12", slow_is_busy, "got no turn"),
        ("LIVE-13", switches_off, "was switched off"),
    ],
)
def test_a_broken_host_is_rejected(key, bend, said, monkeypatch):
    bent = bend(monkeypatch)
    verdict, evidence = judged(key, bent=bent)[key]
    assert (verdict, said in evidence) == (Ruling.FAIL, True), evidence


def test_a_built_in_that_is_dead_says_nothing_about_its_host(monkeypatch):
    def tick(*_, **__):
        raise store.StoreBusy("never")

    monkeypatch.setattr(scheduler, "tick", tick)
    assert judged("ONCE-11")["ONCE-11"][0] is Ruling.NOT_RUN
