"""Known deviations: known is not conformant, and stale ones fail."""

import datetime as dt

import pytest

from contract_tests import catalogue
from contract_tests.deviations import DeviationError, in_the_light_of, read_deviations
from contract_tests.verdicts import Deviation, Result, Ruling

TODAY = dt.date(2026, 3, 2)
ENTRY = """
[[deviation]]
id = "RECON-8"
reason = "no cancel yet"
link = "https://example.test/12"
expires = {expires}
"""
KNOWN = {"RECON-8": Deviation("RECON-8", "no cancel yet", "https://example.test/12", "2026-03-02")}


def seen(verdict, *, key="RECON-8", today=TODAY):
    result = Result(catalogue.load().get(key), verdict, ("what was seen",), reached=True)
    return in_the_light_of(result, KNOWN, today)


def test_a_listed_failure_is_known_to_the_end_of_its_day():
    known = seen(Ruling.FAIL)
    assert known.verdict is Ruling.KNOWN_DEVIATION
    assert known.evidence[0] == "what was seen"
    assert "no cancel yet" in known.evidence[-1]


def test_its_day_is_over():
    late = seen(Ruling.FAIL, today=TODAY + dt.timedelta(days=1))
    assert late.verdict is Ruling.FAIL
    assert "known until 2026-03-02" in late.evidence[-1]


@pytest.mark.parametrize("verdict", [Ruling.PASS, Ruling.NOT_SUPPORTED])
def test_an_entry_that_is_needed_no_more_fails(verdict):
    stale = seen(verdict)
    assert stale.verdict is Ruling.FAIL
    assert "take the entry out" in stale.evidence[0]


@pytest.mark.parametrize("verdict", [Ruling.NOT_RUN, Ruling.KIT_ERROR])
def test_what_was_not_seen_is_not_known(verdict):
    assert seen(verdict).verdict is verdict


def test_what_is_not_listed_is_as_it_was():
    assert seen(Ruling.FAIL, key="RECON-7").verdict is Ruling.FAIL


@pytest.mark.parametrize("expires", ["2026-03-02", '"2026-03-02"'])
def test_a_file_is_read(tmp_path, expires):
    file = tmp_path / "dev.toml"
    file.write_text(ENTRY.format(expires=expires))
    assert {one.id: one for one in read_deviations(file)} == KNOWN


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[deviation", "dev.toml"),
        ("[deviation]\nid = 'RECON-8'", "double brackets"),
        ("[[deviaton]]\nid = 'RECON-8'", "'deviaton' is unknown"),
        (ENTRY.format(expires="2026-03-02").replace("RECON-8", "RECON-88"), "RECON-88"),
        (ENTRY.format(expires='"soon"'), "such as 2026-12-31"),
        (ENTRY.format(expires="2026-03-02").replace("reason", "cause"), "reason is missing"),
        (ENTRY.format(expires="2026-03-02") + 'why = "x"', "'why' is unknown"),
        (ENTRY.format(expires="2026-03-02") * 2, "listed twice"),
    ],
)
def test_a_bad_file_is_named_with_its_entry(tmp_path, text, said):
    file = tmp_path / "dev.toml"
    file.write_text(text)
    with pytest.raises(DeviationError, match=r"dev\.toml.*"):
        read_deviations(file)
    with pytest.raises(DeviationError) as caught:
        read_deviations(file)
    assert said in str(caught.value)


def test_no_file_is_an_error(tmp_path):
    with pytest.raises(DeviationError, match=r"none\.toml"):
        read_deviations(tmp_path / "none.toml")
