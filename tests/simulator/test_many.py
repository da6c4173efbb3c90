"""Runs and occurrences that are made when they are looked at are those that were taken in."""

import pytest

from simulator.checkers import check, facts, many_dues
from simulator.checkers.dues import Due, Outcome
from simulator.checkers.facts import facts_of
from simulator.checkers.happened import BodyRun
from simulator.checkers.many import Made, Part
from simulator.checkers.many_dues import Dues
from simulator.checkers.many_runs import Runs
from simulator.checkers.matching import match_all
from simulator.event import Event
from simulator.history import History
from simulator.hosts import reference_host
from simulator.scenario import Scenario
from simulator.world import simulate

JOBS = [{"id": f"j{n}", "schedule": f"{7 * n} * * * *", "runs_for": "20s"} for n in range(3)]
LAST = {"id": "long", "schedule": "every 5h", "runs_for": "90m", "repeat": 2}
SCENARIO = Scenario.model_validate(
    {
        "name": "a-crash-and-a-refusal",
        "start": "2026-03-02T08:00:30",
        "lasts": "1d",
        "jobs": [*JOBS, LAST],
        "steps": [
            {"at": "5h20m", "do": "crash", "machine": "a", "for": "3h"},
            {"at": "10h", "do": "trigger", "job": "j1"},
            {"at": "12h", "do": "update", "job": "j2", "set": {"schedule": "every 30m"}},
            {"at": "15h", "do": "status"},
        ],
        "faults": [
            {"into": "body", "raise": "ValueError", "nth": 4},
            {"into": "store.replace", "raise": {"OSError": "ENOSPC"}, "nth": 40},
        ],
    }
)


def event(n, kind, **data):
    return Event(n, 60 * n, "ab"[n % 2], kind, data)


@pytest.fixture
def runs():
    """One that ended, one that is on, one whose machine died, one that ended badly."""
    found = Runs()
    places = [found.begun(event(n, "run.begin", job="ij"[n % 2], run=n)) for n in range(1, 5)]
    found.ended(places[0], event(5, "run.end", job="j", run=1, ok=True, error=None))
    found.ended(places[3], event(6, "run.end", job="i", run=4, ok=False, error="OSError"))
    found.died[places[2]] = event(9, "crash")
    return found


def test_runs_are_made_of_their_events(runs):
    well, bad = (
        {"job": "j", "ok": True, "error": None},
        {"job": "i", "ok": False, "error": "OSError"},
    )
    assert list(runs) == [
        BodyRun("j", event(1, "run.begin", job="j"), event(5, "run.end", **well)),
        BodyRun("i", event(2, "run.begin", job="i")),
        BodyRun("j", event(3, "run.begin", job="j"), died=event(9, "crash")),
        BodyRun("i", event(4, "run.begin", job="i"), event(6, "run.end", **bad)),
    ]


def test_places_are_counted_from_both_ends(runs):
    part, whole = Part(runs, [0, 2]), list(runs)
    assert (runs[-1], runs[1:3]) == (whole[3], whole[1:3])
    assert (len(part), list(part), part[-1], part[:1]) == (
        2,
        [whole[0], whole[2]],
        whole[2],
        [whole[0]],
    )
    for beyond in (4, -5):
        with pytest.raises(IndexError):
            runs[beyond]


def test_occurrences_are_what_they_were(runs):
    dues = [
        Due("j", 60, 0, 90, 120, run=runs[0], outcome=Outcome.RAN),
        Due("j", 120, 1, optional=True, again=True),
        Due("j", 130, 1, manual=True, asked_n=1 << 40, run=runs[2], outcome=Outcome.LATE),
        *(Due("j", 140, 2, outcome=outcome) for outcome in Outcome),
    ]
    assert list(Dues(dues, Part(runs, [0, 2]))) == dues


@pytest.mark.parametrize("provider", ["builtin", "chronos"])
def test_it_is_judged_as_ever(monkeypatch, provider):
    """Every finding is the same, however many runs are few."""
    lines = list(simulate(SCENARIO, reference_host().bundled()[provider]).history.lines())
    told = {}
    for few in (10_000, 0):
        monkeypatch.setattr(facts, "FEW", few)
        monkeypatch.setattr(many_dues, "FEW", few)
        history = History.from_lines(lines)
        told[few] = check(history, SCENARIO)
        matches = match_all(facts_of(history, SCENARIO)).values()
        assert all(isinstance(match.dues, Made) is (few == 0) for match in matches)
    assert told[0] == told[10_000]
    assert sum(finding.verdict == "held" for finding in told[0]) > 10
