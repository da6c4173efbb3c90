"""`make explore-teeth`: what is quickly found, and what the command makes of what is not."""

import json
from pathlib import Path

import pytest

from contract_tests import catalogue
from contract_tests.controls import broken
from simulator.checkers import CHECKERS
from simulator.scenario_file import parse_scenario

from . import __main__ as command
from . import teeth

CONTROLS = {control.name: control for control in broken()}
ONE = "catches-exceptions-only"
SMALL = {"faults": 1, "steps": 0, "replays": 9, "reason": "why", "scenario": "text"}


@pytest.mark.parametrize(
    "name",
    ["first-heartbeat-after-the-first-tick", "true-if-the-job-succeeded", "asks-for-leave-outside"],
)
def test_a_broken_provider_is_found_and_made_small(name):
    bite = teeth.explore_control(CONTROLS[name], indices=range(60))
    assert bite.requirement in CONTROLS[name].rejects, bite.line
    scenario = parse_scenario(bite.scenario)
    assert len(scenario.faults) == bite.faults <= command.MOST_FAULTS
    assert len(scenario.jobs) == 1
    assert bite.replays <= 50


def test_the_reference_is_not_found():
    unedited = teeth.Control("unedited", "", "builtin", ("TICK-1", "TICK-2"), "", ())
    assert teeth.explore_control(unedited, indices=range(10)).index is None


def test_each_requirement_without_a_judge_says_why():
    known = {row.id for row in catalogue.load().requirements}
    assert set(teeth.REASONS["requirement"]) == known - set(CHECKERS)


def test_a_reason_speaks_of_a_control_that_would_be_explored():
    for name in teeth.REASONS["control"]:
        assert set(CONTROLS[name].rejects) & set(CHECKERS)


@pytest.fixture
def answers(monkeypatch, tmp_path):
    """What `hunt` answers, in turn, and what it was asked; nothing is recorded yet."""
    told, asked = [], []
    monkeypatch.setattr(command, "RECORD", tmp_path / "found.jsonl")

    def ask(folder: Path | None, does: str, **request):
        asked.append((folder is not None, does, request))
        return told.pop(0)

    monkeypatch.setattr(teeth, "ask", ask)
    return told, asked


def seen(index):
    return {"index": index, "violated": {"TICK-2": "why"}, "scenario": "text"}


def test_what_the_reference_shows_too_does_not_count(answers):
    told, asked = answers
    told += [seen(3), {"TICK-2": "so does it"}, seen(7), {}, SMALL, {}]
    bite = teeth.explore_control(CONTROLS[ONE], indices=range(20))
    assert (bite.index, bite.looked, bite.requirement) == (7, 8, "TICK-2")
    assert [(edited, does) for edited, does, _ in asked] == [
        (True, "look"), (False, "judge"),
        (True, "look"), (False, "judge"), (True, "make_small"), (False, "judge"),
    ]  # fmt: skip
    assert asked[2][2]["indices"][0] == 4


def test_what_shrinking_slipped_to_does_not_count(answers):
    told, _ = answers
    told += [seen(3), {}, SMALL, {"TICK-2": "so does it"}, {"index": None}]
    assert teeth.explore_control(CONTROLS[ONE], indices=range(20)).index is None


def run(results, *more):
    return command.main([ONE, "--examples", "20", "--results", str(results), *more])


def test_what_was_not_found_is_looked_for_from_where_it_ended(answers, tmp_path, capsys):
    told, asked = answers
    results = tmp_path / "there" / "results.jsonl"
    told += [{"index": None}]
    assert run(results) == 1
    assert f"MISSED       {ONE}: not found within 20 (builtin)" in capsys.readouterr().out
    assert run(results) == 1, "it is not looked for again"
    told += [seen(25), {}, SMALL, {}]
    assert run(results, "--examples", "30") == 0
    assert [request["indices"][0] for _, does, request in asked if does == "look"] == [0, 20]
    assert run(results, "--examples", "99") == 0
    assert len(results.read_text(encoding="utf-8").splitlines()) == 2
    told += [{"index": None}]
    assert run(results, "--afresh") == 1


def test_what_stays_big_is_told_and_is_not_good(answers, tmp_path, capsys):
    told, _ = answers
    told += [seen(5), {}, SMALL | {"faults": 4}, {}]
    assert run(tmp_path / "results.jsonl") == 1
    assert f"TOO BIG      {ONE}: TICK-2 at example 5, shrunk in 9 replays to 4 faults" in (
        capsys.readouterr().out
    )


def test_what_no_history_shows_is_told_with_the_reason(tmp_path, capsys):
    name = "adapters-left-behind"
    assert command.main([name, "--results", str(tmp_path / "none.jsonl")]) == 0
    assert f"cannot show  {name}: {teeth.REASONS['control'][name]}" in capsys.readouterr().out
    assert not (tmp_path / "none.jsonl").exists()


def test_what_is_found_is_recorded_with_the_code_that_it_was_found_on(
    answers, tmp_path, capsys, monkeypatch
):
    told, asked = answers
    monkeypatch.setattr(teeth, "digest", lambda: "this")
    told += [seen(5), {}, SMALL | {"faults": 4}, {}]
    assert run(tmp_path / "big.jsonl", "--record") == 1
    assert not command.RECORD.exists(), "it stayed big"
    told += [seen(5), {}, SMALL, {}]
    for _ in range(2):
        assert run(tmp_path / "results.jsonl", "--record") == 0
    bite = teeth.Bite(**json.loads(command.RECORD.read_text(encoding="utf-8")))  # one line
    assert (bite.control, bite.index, bite.made_on) == (ONE, 5, "this")
    assert "1 faults at most; 1 of them on exactly this code" in capsys.readouterr().out
    monkeypatch.setattr(teeth, "digest", lambda: "another")
    told += [{"TICK-2": "why"}, {}]
    assert run(tmp_path / "none.jsonl", "--replay") == 0
    assert "1 faults at most; 0 of them on exactly this code" in capsys.readouterr().out
    assert [(edited, does) for edited, does, _ in asked[-2:]] == [(True, "judge"), (False, "judge")]


@pytest.mark.parametrize(
    ("edited", "reference"), [({}, {}), ({"TICK-2": "why"}, {"TICK-2": "why"})]
)
def test_a_record_that_shows_nothing_any_more_is_told(answers, tmp_path, capsys, edited, reference):
    told, _ = answers
    assert run(tmp_path / "none.jsonl", "--replay") == 1
    assert f"NO RECORD    {ONE}" in capsys.readouterr().out
    teeth.keep(teeth.Bite(ONE, "builtin", 6, 5, "TICK-2", **SMALL), command.RECORD)
    told += [edited, reference]
    assert run(tmp_path / "none.jsonl", "--replay") == 1
    assert f"NOTHING      {ONE}: TICK-2 at example 5" in capsys.readouterr().out


def test_the_record_is_of_controls_that_are_there_and_of_what_they_break():
    recorded = teeth.read(command.RECORD)
    assert recorded
    for name, bite in recorded.items():
        assert teeth.why_not(CONTROLS[name]) is None
        assert bite.requirement in CONTROLS[name].rejects
        scenario = parse_scenario(bite.scenario)
        assert len(scenario.faults) == bite.faults <= command.MOST_FAULTS
        assert f"example-{bite.index}-of-seed-{bite.seed}" == scenario.name


def test_a_process_that_fails_is_told():
    with pytest.raises(RuntimeError, match="judge ended with 1"):
        teeth.ask(
            None, "judge", target="nobody", registry=None, requirements=[], scenario=json.dumps({})
        )
