"""Commits that were folded are the commits that were taken in."""

import pytest

from simulator.checkers import wanted
from simulator.checkers.facts import Facts
from simulator.checkers.stored import CHUNK, Stored
from simulator.event import Event
from simulator.history import History
from simulator.scenario import Scenario

MANY = 3 * CHUNK + 5
SCENARIO = Scenario.model_validate(
    {"name": "long", "start": "2026-03-02T08:00:00", "lasts": "1h", "jobs": []}
)


def record(nth, odd):
    """Some fields stay, some change, some come and go; 1 and True are not the same."""
    if nth % 17 == 5:
        return None
    told = {"id": "a", "flag": True if nth == 9 else 1, "claim": None if nth % 3 else {"at": nth}}
    return {**told, "more": [nth, "é"]} if nth % 5 == 0 else {**told, "last": odd}


def stored(*, folded, odd=None):
    found = Stored()
    for nth in range(MANY):
        data = {"changes": [["a", record(nth, odd)]], "by": "ab"[nth % 2]}
        event = Event(7 * nth, 60 * nth, "ab"[nth % 2], "store.commit", data)
        found.append(event, record(nth, odd))
        if folded:
            found.fold()
    return found


@pytest.fixture
def pair():
    plain, folded = stored(folded=False), stored(folded=True)
    assert len(folded._plain) < CHUNK < len(plain._plain)
    return plain, folded


def said(pairs):
    """What judges ask; `repr` tells 1 from True."""
    return [
        (event.n, event.at_us, event.machine, event.kind, event.data["by"], repr(told))
        for event, told in pairs
    ]


def test_every_commit_is_there_in_order(pair):
    plain, folded = pair
    assert said(folded) == said(plain)
    assert len(folded) == len(plain) == MANY


def test_every_place_is_found_from_both_ends(pair):
    plain, folded = pair
    places = [*range(MANY), -1, -CHUNK, -MANY]
    assert said(folded[place] for place in places) == said(plain[place] for place in places)
    assert said(folded[CHUNK - 2 : CHUNK + 2]) == said(plain[CHUNK - 2 : CHUNK + 2])
    for beyond in (MANY, -MANY - 1):
        with pytest.raises(IndexError):
            folded[beyond]


def test_they_are_found_by_the_numbers_of_events(pair):
    for commits in pair:
        assert (commits.before(7 * CHUNK), commits.until(7 * CHUNK)) == (CHUNK, CHUNK + 1)
        assert [event.n for event, _ in commits.since(MANY - 2)] == [7 * MANY - 14, 7 * MANY - 7]


def test_what_is_no_json_is_kept_as_it_is():
    class Word(str):
        __slots__ = ()

    commits = stored(folded=True, odd=Word("sent"))
    assert type(commits[1][1]["last"]) is Word


def test_the_commits_of_a_long_history_are_folded():
    history = History({})
    for nth in range(2 * wanted._FEW):
        job = "ab"[nth % 2]
        history.append("store.commit", "m", changes=[[job, {"id": job, "nth": nth}]], by="m")
    found = wanted.commits_by_job(Facts(history, SCENARIO))
    assert [told["nth"] for _, told in found["b"]] == list(range(1, 2 * wanted._FEW, 2))
    assert all(len(commits._plain) < CHUNK for commits in found.values())
