"""Which jobs a scan looks at: those that changed or whose time has come, and never one too few."""

from __future__ import annotations

import itertools
import json
import random
from datetime import UTC, timedelta
from zoneinfo import ZoneInfo

import pytest
from jobs_home import make_home

from hermes_cron import due, jobs, process, store
from hermes_cron.agenda import Agenda
from hermes_cron.store import Document, Edit, parse


@pytest.fixture
def home(tmp_path, monkeypatch):
    yield from make_home(tmp_path, monkeypatch)


def document(*ids):
    return parse(json.dumps({"jobs": [{"id": job_id} for job_id in ids]}).encode())


def edited(before: Document, **fields: object) -> Document:
    edit = Edit(before)
    for job_id, value in fields.items():
        if value is None:
            edit.delete(job_id)
        else:
            edit.put({"id": job_id, "n": value})
    after, _ = edit.finish()
    return after


class TestWhatChanged:
    def test_an_edit_tells_which_jobs_it_changed_made_and_removed(self):
        first = document("a", "b", "c")
        second = edited(first, b=1)
        third = edited(second, d=2, a=None)
        assert second.changed_since(first) == ["b"]
        assert set(third.changed_since(first)) == {"a", "b", "d"}
        assert third.changed_since(third) == []

    def test_there_is_no_telling_between_documents_that_do_not_follow_each_other(self):
        first = document("a", "b")
        refused, stored = edited(first, a=1), edited(first, b=2)
        assert stored.changed_since(refused) is None
        assert refused.changed_since(first) == ["a"]
        assert stored.changed_since(first) is None, "the write before it may have been the one"
        assert first.changed_since(refused) is None
        assert document("a", "b").changed_since(first) is None

    def test_which_of_two_records_counts_may_change_with_neither_of_them(self):
        twice = parse(b'{"jobs": [{"id": "a", "n": 1}, {"id": "b"}, {"id": "a", "n": 2}]}')
        edit = Edit(twice)
        edit.replace_all([{"id": "b"}, {"id": "a", "n": 2}])
        after, changes = edit.finish()
        assert (after.get("a"), changes) == ({"id": "a", "n": 2}, [])
        assert after.changed_since(twice) is None

    def test_a_journal_ends_before_it_is_endless(self, monkeypatch):
        monkeypatch.setattr("hermes_cron.store.document._LONGEST_JOURNAL", 3)
        line = [document("a")]
        for value in range(5):
            line.append(edited(line[-1], a=value))
        told = [after.changed_since(before) for before, after in itertools.pairwise(line)]
        assert told == [["a"], ["a"], ["a"], None, ["a"]]


class TestAgenda:
    def look(self, agenda, of, at, running=(), zone=UTC):
        return agenda.to_look_at(of, at, zone, running)

    def settled(self, *until):
        """Jobs a, b, ... of one document, settled until these epochs, at 0."""
        of, agenda = document(*"abcdef"[: len(until)]), Agenda()
        for job_id, epoch in zip(self.look(agenda, of, 0.0), until, strict=True):
            agenda.settle(job_id, epoch)
        return agenda, of

    def test_a_job_is_looked_at_when_its_time_has_come_and_until_it_is_settled(self):
        agenda, of = self.settled(20.0, 10.0)
        assert agenda.next_at() == 10.0
        assert self.look(agenda, of, 9.9) == []
        assert self.look(agenda, of, 10.0) == ["b"]
        assert self.look(agenda, of, 10.5) == ["b"]
        agenda.settle("b", 30.0)
        assert (agenda.next_at(), self.look(agenda, of, 11.0)) == (20.0, [])
        assert self.look(agenda, of, 31.0) == ["a", "b"]

    def test_a_record_that_changed_is_looked_at(self):
        agenda, of = self.settled(20.0, 10.0)
        of = edited(of, b=1)
        assert self.look(agenda, of, 1.0) == ["b"]
        agenda.settle("b", 40.0)
        assert self.look(agenda, of, 15.0) == []

    def test_one_that_is_gone_is_not(self):
        agenda, of = self.settled(20.0, 10.0)
        assert self.look(agenda, edited(of, b=None), 10.0) == []
        assert agenda.next_at() == 20.0

    def test_one_that_runs_is(self):
        agenda, of = self.settled(20.0, 10.0)
        assert self.look(agenda, of, 1.0, running=["b", "no record"]) == ["b"]

    @pytest.mark.parametrize(
        ("at", "zone"), [(1.0, ZoneInfo("Europe/Berlin")), (-1.0, UTC)], ids=["zone", "back"]
    )
    def test_all_are_when_the_zone_changed_or_the_clock_went_back(self, at, zone):
        agenda, of = self.settled(20.0, 10.0)
        assert self.look(agenda, of, at, zone=zone) == ["a", "b"]

    def test_a_look_that_was_cut_off_is_made_up_for(self):
        agenda, of = self.settled(20.0, 10.0, 15.0)
        assert self.look(agenda, of, 16.0) == ["b", "c"]
        agenda.settle("b", 30.0)
        assert self.look(agenda, of, 16.0) == ["c"]

    def test_what_does_not_stand_any_more_is_thrown_away(self):
        agenda, of = self.settled(20.0, 10.0)
        for epoch in range(100, 1100):
            agenda.settle("b", float(epoch))
        assert len(agenda._order) <= 5
        assert agenda.next_at() == 20.0
        assert self.look(agenda, of, 1099.0) == ["a", "b"]


def test_a_tick_looks_at_what_changed_and_at_nothing_else(home, monkeypatch):
    with store.current_store().edit() as edit:
        for number in range(50):
            next_at = home.at + timedelta(minutes=number)
            edit.put(
                {
                    "id": f"job{number}",
                    "schedule": {"kind": "interval", "minutes": 60},
                    "next_run_at": next_at.isoformat(),
                }
            )
    jobs.get_due_jobs()
    looked = []
    real = due._look
    monkeypatch.setattr(
        due, "_look", lambda job, *more: looked.append(job["id"]) or real(job, *more)
    )
    home.change("job40", prompt="x")
    jobs.claim_due(jobs.get_due_jobs())
    assert looked == ["job0", "job40"]
    home.wait(minutes=1)
    looked.clear()
    assert [job["id"] for job in jobs.get_due_jobs()] == ["job1"]
    assert looked == ["job0", "job1"]


def run_or_end(job_id: str, rng: random.Random) -> None:
    process.current().running.clear()
    if rng.random() < 0.5:
        process.current().running[job_id] = process.Execution(job_id, "run")


@pytest.mark.parametrize("seed", range(20))
def test_it_finds_what_a_look_at_all_finds(home, seed):
    """Whatever is done to the jobs: a scan that remembers is no other than one that does not."""
    rng = random.Random(seed)
    deeds = [
        lambda job_id: home.plant(id=job_id, next_run_at=home.at.isoformat()),
        jobs.pause_job,
        jobs.resume_job,
        jobs.remove_job,
        jobs.claim_job_for_fire,
        lambda job_id: jobs.mark_job_run(job_id, True),
        lambda _: setattr(home, "zone", rng.choice([ZoneInfo("UTC"), ZoneInfo("Asia/Tokyo")])),
        lambda job_id: run_or_end(job_id, rng),
        lambda _: jobs.claim_due(jobs.get_due_jobs()[:2]),
    ]
    for number in range(6):
        schedule = {"kind": "cron", "expr": f"*/{number + 1} * * * *"}
        home.plant(id=f"job{number}", schedule=schedule)
    home.plant(id="bystander", enabled=False)
    found = set()
    for nth in range(60):
        rng.choice(deeds)(f"job{rng.randrange(6)}")
        home.change("bystander", nth=nth)  # so that nothing is known to be quiet
        home.wait(seconds=rng.choice([0, 20, 60, 400]))
        remembered = [job["id"] for job in jobs.get_due_jobs()]
        at_all = due._look_at_all(Agenda(), store.current_store().read(), home.now())
        assert remembered == [one for one, verdict in at_all.items() if verdict == due._DUE]
        found.update(remembered)
    process.current().running.clear()
    assert len(found) > 2
