"""The judgement of `make mutants`; the run itself takes too long for a test."""

from collections import Counter

import pytest

from . import __main__ as command
from .survivors import Mutant, arguments, is_wording, judge
from .workshop import CONFIG, ROOT

MODULE = "hermes_cron/claims.py"
ONE = Mutant(MODULE, "_claim", "return True", "return False", "survived")
ARGUED = Counter([ONE.key])
MODULES = [module for group in CONFIG["group"] for module in group["modules"]]
TESTS = [test for group in CONFIG["group"] for test in group["tests"]]


def judged(*mutants, argued=()):
    [row], stale = judge([MODULE], mutants, Counter(argued))
    return row, stale


def with_status(status):
    return Mutant(*ONE.key, status)


def test_a_survivor_without_an_argument_is_open():
    row, stale = judged(ONE)
    assert (row.mutants, row.killed, row.argued, row.open, stale) == (1, 0, 0, [ONE], [])


@pytest.mark.parametrize("status", ["survived", "no tests"])
def test_an_argument_speaks_for_a_survivor(status):
    row, stale = judged(with_status(status), argued=ARGUED)
    assert (row.argued, row.open, stale) == (1, [], [])


@pytest.mark.parametrize("status", ["killed", "timeout", "segfault"])
def test_an_argument_for_what_is_killed_is_stale(status):
    row, stale = judged(with_status(status), argued=ARGUED)
    assert (row.killed, row.argued, stale) == (1, 0, [ONE.key])


@pytest.mark.parametrize("status", ["not checked", "suspicious", "check was interrupted by user"])
def test_what_never_ran_to_an_end_is_not_counted_as_killed(status):
    row, _ = judged(with_status(status))
    assert (row.killed, row.unjudged) == (0, [with_status(status)])


def test_an_argument_for_what_never_ran_is_not_stale():
    row, stale = judged(with_status("not checked"), argued=ARGUED)
    assert (row.argued, len(row.unjudged), stale) == (0, 1, [])


def test_the_same_edit_in_two_places_needs_two_arguments():
    row, _ = judged(ONE, ONE, argued=ARGUED)
    assert (row.argued, row.open) == (1, [ONE])
    row, stale = judged(ONE, argued=[ONE.key, ONE.key])
    assert (row.argued, stale) == (1, [ONE.key])


def test_arguments_of_modules_that_did_not_run_are_not_stale():
    _, stale = judged(argued=[("hermes_cron/leases.py", *ONE.key[1:])])
    assert stale == []


@pytest.mark.parametrize(
    ("was", "became", "expected"),
    [
        ('raise X("it is over")', 'raise X("XXit is overXX")', True),
        ('raise X("it is over")', 'raise X("IT IS OVER")', True),
        ("""f('it is "over"')""", """f('XXit is "over"XX')""", True),
        ('raise X("it is over")', "raise X(None)", False),
        ('f("it is over", 1)', 'f("XXit is overXX", 2)', False),
        ('return "stale"', 'return "XXstaleXX"', False),
        ('", ".join(found)', '"XX, XX".join(found)', False),
    ],
)
def test_only_the_words_of_a_sentence_are_wording(was, became, expected):
    assert is_wording(Mutant(MODULE, "f", was, became, "survived")) is expected


def test_an_argument_without_a_reason_is_refused():
    with pytest.raises(ValueError, match="needs a why"):
        arguments(f'[[equivalent]]\nwhy = " "\nmodule = "{MODULE}"\nmutants = [["f", "a", "b"]]')
    with pytest.raises(ValueError, match="its mutants"):
        arguments(f'[[equivalent]]\nwhy = "so"\nmodule = "{MODULE}"\nmutants = []')


def test_what_is_to_be_done_is_said(capsys):
    row, stale = judged(ONE, argued=[(MODULE, "g", "a", "b")])
    command.report([row], stale, 90.0)
    said = capsys.readouterr().out
    assert f"SURVIVED without an argument: {MODULE} _claim" in said
    assert "became return False" in said
    assert "1.5 minutes" in said
    assert f"STALE argument, nothing survives: {MODULE} g" in said


def test_the_arguments_speak_of_modules_and_functions_that_are_there():
    for module, function, *_ in arguments(command.ARGUMENTS.read_text(encoding="utf-8")):
        assert module in MODULES
        name = function.rpartition(".")[2]
        assert f"def {name}(" in (ROOT / module).read_text(encoding="utf-8"), (module, function)


@pytest.mark.parametrize("path", [*MODULES, *TESTS, *CONFIG["copied"]])
def test_what_is_configured_is_there(path):
    file, _, test = path.partition("::")
    assert (ROOT / file).exists()
    if test:
        assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8")


class TestCommand:
    @pytest.fixture
    def outcome(self, monkeypatch, tmp_path):
        """What mutmut would have found, and the written arguments."""

        def arrange(mutants, arguments_text="", gets_through=(True,)):
            through = iter(gets_through)
            written = tmp_path / "survivors.toml"
            written.write_text(arguments_text, encoding="utf-8")
            monkeypatch.setattr(command, "ARGUMENTS", written)
            monkeypatch.setattr(command, "prepare", lambda folder, modules, tests, *, again: None)
            monkeypatch.setattr(command, "run", lambda folder: next(through))
            monkeypatch.setattr(
                command, "results", lambda _, modules: [m for m in mutants if m.module in modules]
            )

        return arrange

    ARGUMENT = f"""
[[equivalent]]
module = "{MODULE}"
why = "it is the same"
mutants = [["_claim", "return True", "return False"]]
"""

    @pytest.mark.parametrize(
        ("mutants", "argument", "code"),
        [
            ([with_status("killed")], "", 0),
            ([ONE], "", 1),
            ([ONE], ARGUMENT, 0),
            ([with_status("killed")], ARGUMENT, 1),
            ([with_status("not checked")], "", 1),
        ],
    )
    def test_it_fails_for_what_is_open_stale_or_not_judged(self, outcome, mutants, argument, code):
        outcome(mutants, argument)
        assert command.main([MODULE]) == code

    def test_what_was_not_judged_is_counted(self, outcome, capsys):
        outcome([with_status("not checked"), with_status("killed")])
        command.main([MODULE])
        assert f"NOT JUDGED: 1 of {MODULE}\n" in capsys.readouterr().out

    def test_a_run_that_is_cut_off_tells_what_it_judged_and_what_not(self, outcome, capsys):
        first = Mutant("hermes_cron/store/edit.py", *ONE.key[1:], "killed")
        outcome([first, with_status("killed")], gets_through=(True, False))
        assert command.main([MODULE, first.module]) == 2
        told = capsys.readouterr()
        assert f"{first.module}        1       1" in told.out
        assert MODULE not in told.out
        assert f"CUT OFF before {MODULE} was judged" in told.err

    def test_a_module_that_is_not_configured_is_refused(self, outcome, capsys):
        outcome([])
        assert command.main(["hermes_cron/cli/shell.py"]) == 2
        assert "not in mutants.toml: hermes_cron/cli/shell.py" in capsys.readouterr().err
