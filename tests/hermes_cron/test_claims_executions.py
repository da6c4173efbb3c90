"""The execution records: what one says, and which ones stand for what was never run."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from hermes_cron import executions, pending, process, store

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
_ID = executions._id
DAY = 24 * 60
DAILY = {"kind": "cron", "expr": "0 9 * * *"}
NINE_O_CLOCK = {"id": "job", "schedule": {"kind": "cron", "expr": "* 9 * * *"}}
IN_BERLIN = (NOW + timedelta(days=30)).astimezone(ZoneInfo("Europe/Berlin"))
MINUTELY = {"id": "job", "schedule": {"kind": "interval", "minutes": 1}}


def at(minutes=0):
    return NOW + timedelta(minutes=minutes)


def iso(minutes=0):
    return at(minutes).isoformat()


@pytest.fixture(autouse=True)
def me(tmp_path, monkeypatch):
    monkeypatch.setenv("HERMES_HOME", str(tmp_path))
    state = process.ProcessState(pid=7, boot_id="boot7", host="h")
    monkeypatch.setattr(process, "current", lambda: state)
    monkeypatch.setattr(process, "new_id", lambda: "fresh")
    monkeypatch.setattr(executions, "_id", lambda *_args: "fresh")
    return state


def said(state, occurrence, **more):
    return {
        "id": "fresh",
        "job_id": "job",
        "state": state,
        "occurrence": occurrence,
        "at": iso(90),
        "by": "h:7",
        **more,
    }


class TestRecord:
    @pytest.mark.parametrize("occurrence", [NOW, iso()])
    def test_it_says_what_who_and_when(self, occurrence):
        found = executions.record(
            "failed", MINUTELY, at(90), occurrence=occurrence, error="no", count=None
        )
        assert found == said("failed", iso(), error="no")

    @pytest.mark.parametrize(
        ("given", "stored"), [("attempt", "attempt"), (5, "5"), (None, "fresh"), ("", "fresh")]
    )
    def test_the_id_is_the_attempts_or_a_fresh_one(self, given, stored):
        assert executions.record("failed", {}, NOW, execution_id=given)["id"] == stored

    def test_without_an_occurrence_it_says_none(self):
        assert executions.record("missed", {}, NOW)["occurrence"] is None


class TestStored:
    def entry(self, state, minutes, execution_id="a", job_id="job", **more):
        job = {"id": job_id}
        more = {"occurrence": iso(), "execution_id": execution_id, **more}
        return executions.record(state, job, at(minutes), **more)

    def test_nothing_to_write_is_written(self, monkeypatch):
        monkeypatch.setattr(store, "current_store", lambda: pytest.fail("nothing is asked"))
        assert executions.append([]) is True

    def test_what_the_store_did_not_take_is_said(self, monkeypatch):
        class Full:
            def append_executions(self, _entries):
                return False

        with monkeypatch.context() as broken:
            broken.setattr(store, "current_store", Full)
            assert executions.append([self.entry("claimed", 0)]) is False
        assert executions.append([self.entry("claimed", 0)]) is True

    def test_an_attempt_is_its_records_in_one(self):
        executions.append([self.entry("claimed", 0, source="tick")])
        executions.append([self.entry("running", 1), self.entry("missed", 2, "b", "other")])
        executions.append([self.entry("failed", 3, error="no")])
        first, second = executions.attempts()
        assert first == {
            "id": "a",
            "job_id": "job",
            "state": "failed",
            "occurrence": iso(),
            "at": iso(3),
            "by": "h:7",
            "source": "tick",
            "error": "no",
            "claimed_at": iso(),
            "running_at": iso(1),
            "failed_at": iso(3),
        }
        assert (second["id"], second["missed_at"]) == ("b", iso(2))
        assert executions.attempts("other") == [second]

    def test_the_states_of_an_attempt(self):
        executions.append(
            [
                self.entry("claimed", 0),
                self.entry("running", 1),
                self.entry("claimed", 2, "b", "other"),
                self.entry("missed", 3, "c", "third"),
            ]
        )
        assert executions.states_of([]) == {}
        assert executions.states_of(["a"]) == {"a": {"claimed", "running"}}
        both = {"a": {"claimed", "running"}, "b": {"claimed"}}
        assert executions.states_of(["a", "b", "nobody's"]) == both

    def test_only_the_records_that_are_asked_for_are_read(self, monkeypatch):
        asked = []
        real = store.current_store().executions
        monkeypatch.setattr(
            store.current_store(), "executions", lambda ids: asked.append(ids) or real(ids=ids)
        )
        executions.states_of(["a", "b"])
        executions.states_of([])
        assert asked == [["a", "b"]]


class TestFirst:
    """What is told before the change is stored may be told again (LIVE-6)."""

    def test_what_stands_is_not_written_again(self, monkeypatch):
        monkeypatch.setattr(executions, "_id", _ID)
        assert executions.append_first(executions.missed(MINUTELY, at(0), at(2), at(90)))
        assert executions.append_first(executions.missed(MINUTELY, at(0), at(3), at(91)))
        found = store.current_store().executions("job")
        assert [entry["occurrence"] for entry in found] == [iso(0), iso(1), iso(2)]
        assert len({entry["id"] for entry in found}) == 3

    def test_another_state_of_the_same_attempt_is(self):
        for state in ("claimed", "unknown", "unknown"):
            executions.append_first([said(state, iso())])
        states = [entry["state"] for entry in store.current_store().executions("job")]
        assert states == ["claimed", "unknown"]

    def test_a_stretch_that_grew_is_told_anew(self):
        ids = {_ID(MINUTELY, at(0), at(last)) for last in (20, 20, 21)}
        assert len(ids) == 2

    def test_the_same_of_another_job_is_told_as_its_own(self):
        """By an id of the length that all have."""
        ids = {_ID({"id": job}, at(0), at(1)) for job in ("job", "other")}
        assert [len(one) for one in ids] == [12, 12]

    @pytest.mark.parametrize(("before", "last"), [(21, 20), (5000, 4999)])
    def test_a_stretch_is_told_by_its_first_and_its_last(self, monkeypatch, before, last):
        monkeypatch.setattr(executions, "_id", _ID)
        [found] = executions.missed(MINUTELY, at(0), at(before), at(6000))
        assert found["id"] == _ID(MINUTELY, at(0), at(last))


class TestMissed:
    def test_each_gets_a_record_from_the_first_until_before_the_end(self):
        found = executions.missed(MINUTELY, at(0), at(3), at(90))
        assert found == [said("missed", iso(minute)) for minute in range(3)]

    @pytest.mark.parametrize("first", [3, 4])
    def test_an_end_that_is_not_later_leaves_none(self, first):
        assert executions.missed(MINUTELY, at(first), at(3), at(90)) == []

    def test_of_no_time_at_all_no_schedule_is_asked(self):
        broken = {"id": "job", "schedule": {"kind": "cron", "expr": "none"}}
        assert executions.missed(broken, at(3), at(3), at(90)) == []

    def test_without_a_schedule_none_is_known(self):
        assert executions.missed({"id": "job"}, at(0), at(3), at(90)) == []

    def test_twenty_get_a_record_each_and_more_get_one(self):
        found = executions.missed(MINUTELY, at(0), at(20), at(90))
        assert [entry["occurrence"] for entry in found] == [iso(minute) for minute in range(20)]
        assert executions.missed(MINUTELY, at(0), at(21), at(90)) == [
            said("missed", iso(), until=iso(20), count=21)
        ]

    def test_what_came_while_the_last_run_was_on_is_skipped(self):
        job = {**MINUTELY, "last_run_at": iso(1)}
        assert executions.missed(job, at(0), at(4), at(90)) == [
            said("skipped", iso(0), reason="still running"),
            said("skipped", iso(1), reason="still running"),
            said("missed", iso(2)),
            said("missed", iso(3)),
        ]

    def test_the_end_of_the_last_run_is_meant_in_the_hosts_zone(self):
        job = {**MINUTELY, "last_run_at": "2026-03-02T09:01:00"}
        now = at(90).astimezone(ZoneInfo("Europe/Berlin"))
        found = executions.missed(job, at(0), at(3), now)
        assert [entry["state"] for entry in found] == ["skipped", "skipped", "missed"]

    def test_up_to_999_are_counted_to_the_end(self):
        [found] = executions.missed(MINUTELY, at(0), at(999), at(90))
        assert found == said("missed", iso(), until=iso(998), count=999)

    def test_of_more_the_last_is_found_without_counting(self):
        [found] = executions.missed(MINUTELY, at(0), at(5000), at(90))
        assert found == said("missed", iso(), until=iso(4999), count=1000, count_is_least=True)

    def test_of_more_that_were_all_skipped_the_rest_is_missed(self):
        job = {**MINUTELY, "last_run_at": iso(2000)}
        skipped, missed = executions.missed(job, at(0), at(5000), at(90))
        assert skipped == said("skipped", iso(), until=iso(999), count=1000, reason="still running")
        assert missed == said("missed", iso(999), until=iso(4999), count=1, count_is_least=True)

    def test_of_very_many_the_last_is_meant_in_the_hosts_zone(self):
        [found] = executions.missed(NINE_O_CLOCK, at(0), at(30 * DAY), IN_BERLIN)
        assert (found["until"], found["count"]) == ("2026-04-01T09:59:00+02:00", 1000)


class TestOvertaken:
    def test_the_first_and_what_came_since(self):
        found = executions.overtaken(MINUTELY, at(0), at(2.5))
        expected = [said("skipped", iso(minute), reason="still running") for minute in range(3)]
        assert [{**entry, "at": iso(90)} for entry in found] == expected
        assert {entry["at"] for entry in found} == {iso(2.5)}

    def test_what_comes_now_has_come(self):
        found = executions.overtaken(MINUTELY, at(0), at(2))
        assert [entry["occurrence"] for entry in found] == [iso(0), iso(1), iso(2)]

    def test_many_are_one_record(self):
        [found] = executions.overtaken(MINUTELY, at(0), at(90))
        assert found == said("skipped", iso(), until=iso(90), count=91, reason="still running")

    def test_of_very_many_the_last_is_found_without_counting(self):
        [found] = executions.overtaken(MINUTELY, at(0), at(5000))
        assert (found["until"], found["count"]) == (iso(5000), 1000)
        assert found["count_is_least"] is True

    def test_just_below_they_are_counted_to_the_end(self):
        [found] = executions.overtaken(MINUTELY, at(0), at(998))
        assert (found["until"], found["count"]) == (iso(998), 999)
        assert "count_is_least" not in found

    def test_they_are_meant_in_the_hosts_zone(self):
        [found] = executions.overtaken({**NINE_O_CLOCK, "schedule": DAILY}, at(0), IN_BERLIN)
        assert found["until"] == "2026-04-01T09:00:00+02:00"
        [found] = executions.overtaken(NINE_O_CLOCK, at(0), IN_BERLIN)
        assert found["until"] == "2026-04-01T09:59:00+02:00"


class TestPutOff:
    """What the store cannot take of how something ended is told at the next occasion (LIVE-6)."""

    @pytest.fixture
    def refused(self, monkeypatch):
        """Whether the store takes records now."""
        says = [True]
        real = store.JsonFileStore.append_executions

        def append(self, entries):
            return not says[0] and real(self, entries)

        monkeypatch.setattr(store.JsonFileStore, "append_executions", append)
        return says

    def entry(self, state, **more):
        return executions.record(state, MINUTELY, at(90), occurrence=NOW, **more)

    def states(self):
        return [entry["state"] for entry in store.current_store().executions()]

    def test_only_an_end_is_told_later_and_once(self, refused, me):
        assert executions.append([self.entry("running"), self.entry("missed")]) is False
        assert executions.append([self.entry("missed")]) is False
        pending.retry()
        refused[0] = False
        pending.retry()
        pending.retry()
        assert (self.states(), me.pending) == (["missed"], [])

    def test_what_was_told_meanwhile_is_not_told_again(self, refused, me):
        executions.append([self.entry("unknown")])
        refused[0] = False
        executions.append([self.entry("unknown")])
        pending.retry()
        assert (self.states(), me.pending) == (["unknown"], [])

    def test_only_so_many_wait(self, refused, monkeypatch):
        monkeypatch.setattr(executions, "_MOST_WAITING", 2)
        executions.append([self.entry("missed", execution_id=nth) for nth in (1, 2, 3)])
        refused[0] = False
        pending.retry()
        assert [entry["id"] for entry in store.current_store().executions()] == ["2", "3"]
