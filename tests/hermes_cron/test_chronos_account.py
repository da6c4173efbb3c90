"""What Chronos tells the status about its registry, whichever process tells it."""

import json

import pytest
from jobs_home import make_home

from hermes_cron import store
from hermes_cron.plugins.chronos._account import Account

SIGNAL = "registry-mine"


@pytest.fixture
def home(tmp_path, monkeypatch):
    yield from make_home(tmp_path, monkeypatch)


@pytest.fixture
def account(home):
    return Account("mine")


def text():
    return store.current_store().read_signal(SIGNAL)


def told(account):
    account.write()
    return json.loads(text())


def test_the_first_words(home, account):
    assert told(account) == {
        "provider": "mine",
        "pid": home.state.pid,
        "at": home.epoch(),
        "wanted": {},
        "armed": {},
        "listed": False,
        "last_accepted": None,
        "last_fire": None,
        "failures": {},
        "last_error": None,
    }


def test_the_same_is_told_in_the_same_words(account):
    account.settled({"b": "1", "a": "2"}, {"d": "3", "c": "4"}, listed=True)
    found = told(account)
    assert (found["wanted"], found["armed"]) == ({"b": "1", "a": "2"}, {"d": "3", "c": "4"})
    assert text() == json.dumps(found, sort_keys=True)


def test_a_failure_stays_while_the_job_is_wanted_or_armed(account):
    for job in ("wanted", "armed", "gone", ""):
        account.failed(job, "cancel", ValueError())
    account.settled({"wanted": "1"}, {"armed": "2"}, listed=True)
    assert set(told(account)["failures"]) == {"wanted", "armed", ""}
    account.mended("wanted")
    account.mended("wanted")
    assert set(told(account)["failures"]) == {"armed", ""}


def test_the_first_failure_of_a_round_is_told_at_once(account):
    """Whoever makes these calls may die before the round is over."""
    written = []
    for job_id in ("a", "b"):
        account.failed(job_id, "provision", OSError("no"))
        written.append(sorted(json.loads(text())["failures"]))
    account.settled({"a": "1", "b": "1"}, {}, listed=True)
    account.failed("b", "provision", OSError("no"))
    written.append(sorted(json.loads(text())["failures"]))
    assert written == [["a"], ["a"], ["a", "b"]]


def test_the_last_error_is_the_latest(home, account):
    account.failed("b", "provision", ValueError())
    home.wait(seconds=1)
    account.failed("a", "cancel", TimeoutError())
    home.wait(seconds=1)
    assert told(account)["last_error"] == "cancel a: TimeoutError"
    account.failed("", "list", store.StoreError("torn", reason="corrupt"))
    assert told(account)["last_error"] == "list: corrupt"


def test_an_arm_that_was_accepted_makes_its_failure_good(account):
    account.failed("a", "provision", ValueError())
    account.accepted("a", "1")
    assert told(account)["failures"] == {}


@pytest.mark.parametrize("what", ["last_fire", "last_accepted"])
@pytest.mark.parametrize(
    ("away_s", "whose"), [(-1, "ours"), (0, "ours"), (0.5, "theirs"), (1, "theirs"), (1.5, "ours")]
)
def test_of_two_notes_the_later_one_counts_unless_it_comes_from_the_future(
    home, account, what, away_s, whose
):
    account.fired("ours", ran=True)
    account.accepted("ours", "1")
    theirs = {"job_id": "theirs", "at": home.epoch() + away_s}
    store.current_store().write_signal(SIGNAL, json.dumps({what: theirs}))
    home.wait(seconds=1)
    assert told(account)[what]["job_id"] == whose


@pytest.mark.parametrize("at", [None, "1", [], {}])
def test_a_note_without_a_time_counts_for_nothing(account, at):
    store.current_store().write_signal(SIGNAL, json.dumps({"last_fire": {"at": at}}))
    assert told(account)["last_fire"] is None


@pytest.mark.parametrize("written", ["", "[]", "5", "{", "[" * 100_000, '{"last_fire": 7}'])
def test_what_is_no_account_is_written_over(account, written, caplog):
    store.current_store().write_signal(SIGNAL, written)
    assert told(account)["provider"] == "mine"
    assert caplog.records == []


def test_what_another_process_told_stays_until_it_is_made_good(account):
    other = Account("mine")
    other.settled({"a": "1", "b": "2"}, {"b": "2"}, listed=True)
    other.failed("a", "provision", ValueError())
    other.failed("b", "cancel", ValueError())
    other.write()
    account.accepted("b", "3")
    found = told(account)
    assert set(found["failures"]) == {"a"}
    assert (found["wanted"], found["armed"]) == ({"a": "1", "b": "2"}, {"b": "3"})
    account.settled({"a": "1"}, {}, listed=False)
    assert set(told(account)["failures"]) == {"a"}
    account.listed()
    assert told(account)["failures"] == {}


def test_what_another_process_made_good_is_not_told_again(account):
    account.failed("a", "provision", ValueError())
    account.write()
    other = Account("mine")
    other.accepted("a", "2")
    other.write()
    account.fired("b", ran=True)
    found = told(account)
    assert (found["failures"], found["armed"]) == ({}, {"a": "2"})


def test_what_failed_after_a_list_counts(account):
    account.failed("a", "provision", ValueError())
    account.listed()
    account.failed("b", "provision", ValueError())
    assert (account.misses("a"), account.misses("b")) == (False, True)
    assert set(told(account)["failures"]) == {"b"}


def test_what_could_not_be_written_is_told_later(account, monkeypatch):
    def full(*_args):
        raise store.StoreError("no space", reason="full")

    other = Account("mine")
    other.failed("x", "provision", ValueError())
    other.write()
    with monkeypatch.context() as patched:
        patched.setattr(type(store.current_store()), "write_signal", full)
        account.listed()
        account.settled({"a": "1"}, {"a": "1", "c": "0"}, listed=True)
        account.failed("b", "provision", ValueError())
        account.write()
        account.accepted("a", "2")
        account.mended("b")
        account.failed("c", "cancel", ValueError())
        account.write()
    found = told(account)
    assert (found["wanted"], found["armed"]) == ({"a": "1"}, {"a": "2", "c": "0"})
    assert (set(found["failures"]), found["listed"]) == ({"c"}, True)


@pytest.mark.parametrize("failures", [None, [], {"a": None}, {"a": {}}, {"a": {"at": "now"}}])
def test_a_failure_that_makes_no_sense_is_none(account, failures):
    written = {"failures": failures, "armed": {"a": 5}, "wanted": 7}
    store.current_store().write_signal(SIGNAL, json.dumps(written))
    found = told(account)
    assert (found["failures"], found["armed"], found["wanted"]) == ({}, {}, {})
