"""The store of a process, and what every store says when it cannot."""

import json
import pickle
from unittest import mock

import pytest

from hermes_cron import process, store
from hermes_cron.store import StoreBusy, StoreError, StoreUnreadable, StoreWriteFailed
from hermes_cron.store.errors import write_reason


@pytest.fixture
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("HERMES_HOME", str(tmp_path))
    monkeypatch.setattr(process.current(), "slots", {})
    return tmp_path


def put(job):
    with store.current_store().edit() as edit:
        edit.put(job)


def test_the_store_of_a_process_is_one_and_follows_the_home(home, monkeypatch):
    assert store.current_store() is store.current_store()
    put({"id": "a"})
    assert json.loads((home / "cron" / "jobs.json").read_bytes())["jobs"] == [{"id": "a"}]
    monkeypatch.setenv("HERMES_HOME", str(home / "other"))
    assert store.current_store().read().jobs == ()


@pytest.mark.usefixtures("home")
def test_no_second_one_is_made():
    first = store.current_store()
    with mock.patch("hermes_cron.store.JsonFileStore", side_effect=AssertionError):
        assert store.current_store() is first


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [("1", 1), ("3", 3), ("0", 50), ("-2", 50), ("true", 50), ("1.5", 50), ("many", 50), ("", 50)],
)
def test_as_many_outputs_stay_as_the_configuration_says(home, wanted, kept):
    (home / "config.yaml").write_text(f"cron: {{output_retention: {wanted}}}")
    for number in range(52):
        store.current_store().save_output("a", f"{number:03d}", "text")
    found = store.current_store().outputs("a")
    assert [path[-6:-3] for path in found] == [f"{number:03d}" for number in range(52 - kept, 52)]


@pytest.mark.parametrize(
    "error",
    [
        StoreUnreadable("said", reason="shape"),
        StoreBusy("said"),
        StoreWriteFailed("said", reason="no_space", step="sync", number=28),
    ],
)
def test_errors_travel_between_processes(error):
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (type(error), "said", vars(error))
    assert isinstance(again, RuntimeError)


@pytest.mark.parametrize(
    ("kind", "known"),
    [
        (StoreError, {"reason": "io"}),
        (StoreBusy, {"reason": "busy"}),
        (StoreWriteFailed, {"reason": "io", "step": "write"}),
    ],
)
def test_a_store_that_says_no_more_has_the_plainest_reason(kind, known):
    assert vars(kind("said")) == known


def test_a_failure_without_a_number_is_one_of_the_disk():
    assert write_reason(OSError("odd")) == "io"
