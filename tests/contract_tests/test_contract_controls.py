"""The controls: that the suite has teeth, and only where it should."""

import os
import re

import pytest

from contract_tests import catalogue, controls, engine
from contract_tests.controls import Control, Edit
from contract_tests.controls.bench import EditError, apply, compare, try_control
from contract_tests.verdicts import Ruling

EVERY = (*controls.broken(), *controls.oddities())

# One for each group and an oddity run each time; CONTROLS=all runs every one (ten minutes), as
# does `hermes-contract self-test`.
ALWAYS = (
    "start-has-a-default",
    "available-with-a-fresh-login",
    "one-alias-forgotten",
    "catches-exceptions-only",
    "claims-and-runs-anyway",
    "one-failure-ends-the-round",
    "a-duplicate-for-five-minutes",
    "rests-after-failures",
    "busy-for-ever",
    "leaves-temporaries-to-the-sweep",
    "a-named-hour-is-fixed",
    "five-minutes-leeway",
    "unknown-is-not-found",
    "slow-to-arm",
)
CHOSEN = [one for one in EVERY if os.environ.get("CONTROLS") == "all" or one.name in ALWAYS]


@pytest.mark.parametrize("control", CHOSEN, ids=lambda control: control.name)
def test_the_users_own_command_rejects_it_with_exactly_the_pinned_ids(control):
    trial = try_control(control)
    assert trial.verdict is Ruling.PASS, trial.reason


def test_those_that_always_run_cover_every_group():
    ids = {key for control in CHOSEN for key in control.rejects}
    assert {key.rsplit("-", 1)[0] for key in ids} == set(catalogue.load().groups())


def test_every_row_has_a_test_and_a_control():
    rows = {row.id for row in catalogue.load().requirements}
    assert rows == set(engine.probed_ids())
    assert rows == {key for control in controls.broken() for key in control.rejects}


@pytest.mark.parametrize("control", EVERY, ids=lambda control: control.name)
def test_it_fits_the_reference_and_is_python(control, tmp_path):
    apply(control, tmp_path)
    for edit in control.edits:
        compile((tmp_path / edit.package / edit.file).read_text(), edit.file, "exec")


def test_names_are_unique_and_edits_name_no_id():
    names = [control.name for control in EVERY]
    assert len(set(names)) == len(names)
    ids = re.compile("|".join(rf"\b{row.id}\b" for row in catalogue.load().requirements))
    for control in EVERY:
        added = "\n".join(line for line in control.diff() if line.startswith("+"))
        assert not ids.search(control.name + added), control.name


def test_an_edit_that_fits_no_more_is_the_kits_fault(tmp_path):
    stale = Control("x", "", "builtin", ("ABC-1",), "", (Edit("clock.py", "no such text", ""),))
    assert try_control(stale).verdict is Ruling.KIT_ERROR
    with pytest.raises(EditError, match=r"clock.py has 'no such text' 0 times"):
        apply(stale, tmp_path)


def row(key, verdict, *evidence):
    return {"id": key, "verdict": verdict, "evidence": list(evidence)}


@pytest.mark.parametrize(
    ("rows", "code", "expected"),
    [
        ([row("ABC-1", "FAIL", "it is so"), row("ABC-2", "PASS")], 1, Ruling.PASS),
        ([row("ABC-1", "PASS"), row("ABC-2", "PASS")], 0, Ruling.FAIL),
        ([row("ABC-1", "FAIL", "it is so"), row("ABC-2", "FAIL")], 1, Ruling.FAIL),
        ([row("ABC-1", "FAIL", "another reason"), row("ABC-2", "PASS")], 1, Ruling.FAIL),
        ([row("ABC-1", "FAIL", "it is so"), row("ABC-2", "PASS")], 3, Ruling.FAIL),
        ([row("ABC-1", "FAIL", "it is so"), row("ABC-2", "KIT_ERROR", "?")], 1, Ruling.KIT_ERROR),
    ],
)
def test_a_trial_is_strict_about_ids_words_and_exit_code(rows, code, expected):
    control = Control("x", "", "builtin", ("ABC-1",), "it is so", ())
    report = {"requirements": rows, "verdict": "violated"}
    assert compare(control, code, "", report).verdict is expected


def test_no_report_is_the_kits_fault():
    control = Control("x", "", "builtin", ("ABC-1",), "", ())
    assert compare(control, 2, "boom", None).verdict is Ruling.KIT_ERROR
