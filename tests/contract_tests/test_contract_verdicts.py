"""How the parts add up: nothing that was not run is counted as good."""

from dataclasses import replace

import pytest

from contract_tests import catalogue
from contract_tests.verdicts import EXIT_CODES, Assessment, Result, Ruling


def assessment(changed=None, *, profile="core", capabilities=("blocking", "external")):
    """All that applies holds, less what is changed."""
    results = []
    for row in catalogue.load().requirements:
        applies = row.applies_to(frozenset(capabilities))
        verdict = Ruling.PASS if applies else Ruling.NOT_SUPPORTED
        results.append(Result(row, (changed or {}).get(row.id, verdict)))
    declared = frozenset(capabilities)
    return Assessment("t", "T", "1", profile, declared, declared, tuple(results))


def test_all_that_is_expected_holds():
    assert assessment().verdict == "conformant"
    assert assessment(capabilities=("blocking",)).verdict == "conformant"


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"TICK-2": Ruling.FAIL}, "violated"),
        ({"TICK-2": Ruling.KNOWN_DEVIATION}, "deviating"),
        ({"TICK-2": Ruling.KNOWN_DEVIATION, "ABC-1": Ruling.NOT_RUN}, "inconclusive"),
        ({"TICK-2": Ruling.KNOWN_DEVIATION, "ABC-1": Ruling.FAIL}, "violated"),
        ({"TICK-2": Ruling.NOT_RUN}, "inconclusive"),
        ({"TICK-2": Ruling.KIT_ERROR}, "inconclusive"),
        ({"TICK-2": Ruling.NOT_RUN, "ABC-1": Ruling.FAIL}, "violated"),
        ({"ABC-8": Ruling.FAIL}, "conformant"),
        ({"STORE-1": Ruling.FAIL}, "violated"),
        ({"STORE-1": Ruling.KIT_ERROR}, "inconclusive"),
    ],
)
def test_one_row_can_change_the_verdict(changed, expected):
    assert assessment(changed).verdict == expected


def test_strict_counts_what_core_only_reports():
    assert assessment({"ABC-8": Ruling.FAIL}, profile="strict").verdict == "violated"
    unseen = assessment({"ABC-8": Ruling.NOT_RUN}, profile="strict")
    assert unseen.verdict == "inconclusive"
    assert unseen.verdict_of("core") == "conformant"


def test_nothing_run_is_inconclusive():
    nothing = dict.fromkeys((row.id for row in catalogue.load().requirements), Ruling.NOT_RUN)
    assert assessment(nothing).verdict == "inconclusive"


def test_no_rows_at_all_are_inconclusive():
    nothing = frozenset({"blocking"})
    assert Assessment("t", "T", "1", "core", nothing, nothing, ()).verdict == "inconclusive"


def test_counts_add_up_to_the_contract():
    counts = assessment({"TICK-2": Ruling.FAIL}).counts()
    assert sum(counts[verdict.value] for verdict in Ruling) == counts["total"] == 108
    assert counts["executed"] == counts["PASS"] + counts["FAIL"]


@pytest.mark.parametrize("capabilities", [(), ("replicas",)])
def test_neither_a_loop_nor_a_registry_is_inconclusive(capabilities):
    assert assessment(capabilities=capabilities).verdict == "inconclusive"


def test_exit_codes_are_those_of_every_command():
    assert EXIT_CODES == {"conformant": 0, "violated": 1, "inconclusive": 3, "deviating": 4}


def test_levels_are_judged_apart():
    mixed = assessment({"ABC-8": Ruling.FAIL}, profile="strict")
    assert mixed.verdict_of("core") == "conformant"
    assert mixed.verdict_of("strict") == "violated"


def test_a_row_of_a_later_contract_is_not_scored():
    whole = assessment()
    later = [
        replace(one, requirement=replace(one.requirement, since="2"), verdict=Ruling.FAIL)
        if one.requirement.id == "TICK-2"
        else one
        for one in whole.results
    ]
    assert replace(whole, results=tuple(later)).verdict == "conformant"
    assert replace(whole, results=tuple(later), contract="2").verdict == "violated"
