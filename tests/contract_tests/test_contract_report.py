"""The report: adds up, says what failed and how to see it again, and cannot be bent unnoticed."""

import json
import os
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner
from rich.console import Console

from contract_tests import catalogue, controls
from contract_tests.cli import cli
from contract_tests.report import kit
from contract_tests.report.badge import as_badge
from contract_tests.report.forms import write_report
from contract_tests.report.junit import as_junit
from contract_tests.report.markdown import as_markdown
from contract_tests.report.model import Report, published_schema, report_of
from contract_tests.report.terminal import print_report
from contract_tests.report.verify import ReportError, objections, read_report
from contract_tests.verdicts import Assessment, Result, Ruling

LOOP = frozenset({"blocking"})


def report(changed=None, *, profile="core", evidence="what was <seen>"):
    """A report in which all that applies holds, less what is changed."""
    results = []
    for row in catalogue.load().requirements:
        verdict = Ruling.PASS if row.applies_to(LOOP) else Ruling.NOT_SUPPORTED
        verdict = (changed or {}).get(row.id, verdict)
        reached = verdict is Ruling.PASS
        excerpt = ("> Mon 09:00:00 a  it died",) if verdict is Ruling.FAIL else ()
        results.append(Result(row, verdict, (evidence,), reached, excerpt))
    return report_of(Assessment("x:Y", "Y", "1", profile, LOOP, LOOP, tuple(results)))


def bent(path, **changes):
    """The report on disk, edited by hand."""
    data = json.loads(path.read_text())
    for key, value in changes.items():
        data[key] = value
    path.write_text(json.dumps(data))


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "r.json"
    path.write_text(report({"TICK-2": Ruling.FAIL}).model_dump_json())
    return path


def test_the_published_schema_is_that_of_the_report():
    assert published_schema() == Report.model_json_schema()


def test_a_failure_names_the_one_command():
    row = next(row for row in report({"TICK-2": Ruling.FAIL}).failures)
    assert row.replay == "hermes-contract check x:Y --only TICK-2 --timeline"
    assert all(row.replay is None for row in report().requirements)


def test_a_report_that_was_written_stands(written):
    assert list(objections(read_report(written))) == []


def test_a_verdict_that_the_rows_do_not_give(written):
    bent(written, verdict="conformant")
    assert any("verdict is conformant" in one for one in objections(read_report(written)))


def test_a_row_that_was_bent(written):
    data = json.loads(written.read_text())
    row = next(row for row in data["requirements"] if row["id"] == "TICK-2")
    row["verdict"] = "PASS"
    written.write_text(json.dumps(data))
    found = list(objections(read_report(written)))
    assert "TICK-2: PASS, and its case was never reached" in found
    assert any("add up to" in one for one in found)


def test_a_failure_that_was_made_a_pass_still_tells_how_it_failed(written):
    data = json.loads(written.read_text())
    row = next(row for row in data["requirements"] if row["id"] == "TICK-2")
    row |= {"verdict": "PASS", "reached": True}
    written.write_text(json.dumps(data))
    found = list(objections(read_report(written)))
    assert "TICK-2: PASS, with a timeline of how it failed" in found
    assert any("TICK-2: replay is 'hermes-contract check x:Y" in one for one in found)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"contract": "abc"}, "its contract is 'abc', and this kit has no contract"),
        ({"contract": "999"}, "its contract is '999'"),
        ({"capabilities": {"declared": ["flying"], "shown": []}}, "flying is no capability"),
    ],
)
def test_what_no_reader_could_add_up_is_said(written, changes, said):
    bent(written, **changes)
    (found,) = objections(read_report(written))
    assert found.startswith(said)


def test_a_row_that_is_left_out(written):
    data = json.loads(written.read_text())
    data["requirements"] = [row for row in data["requirements"] if row["id"] != "TICK-2"]
    written.write_text(json.dumps(data))
    assert "TICK-2" in next(iter(objections(read_report(written))))


def test_a_softer_sentence(written):
    data = json.loads(written.read_text())
    data["requirements"][0]["level"] = "strict"
    written.write_text(json.dumps(data))
    assert any("ABC-1: level" in one for one in objections(read_report(written)))


def test_a_report_of_another_kit(written):
    bent(written, kit_digest="0" * 64)
    assert any("another kit" in one for one in objections(read_report(written)))


def test_teeth_that_this_kit_does_not_have(written, monkeypatch):
    monkeypatch.setattr(kit, "proven", lambda: None)
    bent(written, self_test={"rejects": [999, 999], "accepts": [9, 9]})
    assert any("self-test" in one for one in objections(read_report(written)))


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"report": 2}', "\x00"])
def test_what_is_no_report_is_said(tmp_path, text):
    path = tmp_path / "r.json"
    path.write_text(text)
    with pytest.raises(ReportError, match="is no report"):
        read_report(path)


def test_the_command_verifies_and_answers_by_its_exit_code(written):
    good = CliRunner().invoke(cli, ["verify-report", str(written)])
    assert good.exit_code == 0
    assert "stands: x:Y is violated by core" in good.output
    bent(written, verdict="conformant")
    bad = CliRunner().invoke(cli, ["verify-report", str(written)])
    assert bad.exit_code == 1
    assert "does not stand" in bad.output
    missing = CliRunner().invoke(cli, ["verify-report", str(written.with_name("none.json"))])
    assert missing.exit_code == 2


def test_a_badge_is_made_of_a_report_that_stands_and_of_no_other(written):
    good = CliRunner().invoke(cli, ["badge", str(written)])
    assert good.exit_code == 0
    assert ET.fromstring(good.output).get("aria-label").endswith("core: violated")
    bent(written, verdict="conformant")
    assert CliRunner().invoke(cli, ["badge", str(written)]).exit_code == 2


def test_badges_differ_by_verdict():
    assert as_badge(report()) != as_badge(report({"TICK-2": Ruling.FAIL}))


def test_junit_counts_what_was_not_run_as_an_error_where_it_counts():
    root = ET.fromstring(
        as_junit(report({"TICK-2": Ruling.FAIL, "ABC-1": Ruling.NOT_RUN, "ABC-8": Ruling.NOT_RUN}))
    )
    core, strict = root.findall("testsuite")
    assert (core.get("failures"), core.get("errors")) == ("1", "1")
    assert (strict.get("failures"), strict.get("errors")) == ("0", "0")
    cases = root.findall(".//testcase")
    assert len(cases) == len(catalogue.load().requirements)
    failure = next(case for case in cases if case.get("name") == "TICK-2").find("failure")
    assert "it died" in failure.text
    assert "hermes-contract check x:Y --only TICK-2" in failure.text


def test_junit_holds_whatever_a_provider_says():
    text = as_junit(report({"TICK-2": Ruling.FAIL}, evidence="bad \x00 \ud800 <&>\x1b[31m"))
    assert ET.fromstring(text).find(".//failure") is not None


def test_markdown_shows_failures_as_text():
    text = as_markdown(report({"TICK-2": Ruling.FAIL}, evidence="it said <img> and `x` | y"))
    assert text.startswith("## ❌ `x:Y`: violated")
    assert "<img>" not in text
    assert "&lt;img&gt; and \\`x\\` \\| y" in text
    assert "Mon 09:00:00" in text


def test_what_is_no_file_is_written_into_and_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    end = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    try:
        write_report(report(), "markdown", pipe)
        assert b"conformant" in os.read(end, 100_000)
    finally:
        os.close(end)
    assert pipe.is_fifo()


def test_the_screen_says_why_a_row_was_not_run_that_does_not_count(capsys):
    console = Console(width=200)
    print_report(report({"TICK-5": Ruling.NOT_RUN}, evidence="no wait was seen"), console)
    said = capsys.readouterr().out
    assert "NOT_RUN TICK-5 (strict)" in said
    assert "no wait was seen" in said


def test_the_smallest_scenario_is_replayed_with_the_registry_of_the_run(tmp_path):
    broken = report({"TICK-2": Ruling.FAIL}).model_copy(update={"registry": "x:Fake"})
    named = broken.naming({"TICK-2": tmp_path / "a.yaml"})
    row = next(row for row in named.failures)
    assert row.smallest == f"hermes-sim run {tmp_path / 'a.yaml'} -p x:Y --registry x:Fake"


class TestTheProofOfTheTeeth:
    @pytest.fixture(autouse=True)
    def elsewhere(self, tmp_path, monkeypatch):
        monkeypatch.setattr(kit, "_home", lambda: tmp_path)
        self.file = tmp_path / "self_test.json"

    def record(self):
        wrong, odd = len(controls.broken()), len(controls.oddities())
        kit.record_proof(rejects=(wrong, wrong), accepts=(odd, odd))
        return json.loads(self.file.read_text())

    def test_without_a_record_there_is_none(self):
        assert kit.proven() is None

    def test_a_whole_self_test_is_believed(self):
        told = self.record()
        assert kit.proven() == {"rejects": told["rejects"], "accepts": told["accepts"]}

    @pytest.mark.parametrize(
        "changes",
        [
            {"digest": "0" * 64},
            {"rejects": [5, 5]},
            {"accepts": [0, 0]},
            {"rejects": [len(controls.broken()) + 1, len(controls.broken())]},
            {"rejects": None},
        ],
        ids=["another-kit", "fewer-controls", "fewer-oddities", "more-than-all", "no-figures"],
    )
    def test_one_that_was_bent_is_not(self, changes):
        self.file.write_text(json.dumps(self.record() | changes))
        assert kit.proven() is None

    @pytest.mark.parametrize("text", ["", "[]", "{}", "garbage"])
    def test_what_is_no_record_is_not(self, text):
        self.file.write_text(text)
        assert kit.proven() is None


def test_a_digest_is_of_all_that_judges():
    names = {name for package, endings in kit.JUDGES for name, _ in kit.files_of(package, endings)}
    assert {"contract_tests/requirements.toml", "contract_tests/engine.py"} <= names
    assert {"contract_tests/scenarios/registry-arms.yaml", "simulator/oracle.py"} <= names
    assert not any(name.endswith((".pyc", "self_test.json")) for name in names)
