"""What searches found in a reference or its judges, as small as it became: nothing of it is left.

A scenario in `found/NAME_OF_PROVIDER/` is one; its name says what happens in it.
"""

from pathlib import Path

import pytest

from simulator import find_target, judge, load_scenario, reference_host, simulate

FOUND = sorted((Path(__file__).parent / "found").glob("*/*.yaml"))


def test_there_is_something():
    assert {file.parent.name for file in FOUND} == {"builtin", "chronos"}


@pytest.mark.parametrize("file", FOUND, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_nothing_is_violated(file):
    scenario = load_scenario(file)
    run = simulate(scenario, find_target(file.parent.name, reference_host()))
    judged = judge(run.history, scenario)
    assert not [one for one in judged.findings if one.verdict == "violated"], judged.reasons
