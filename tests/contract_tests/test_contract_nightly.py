"""Profiles ci and nightly: what they count, what a search adds, and that it cannot be bent."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

import contract_tests.searched
from contract_tests import catalogue, engine, searching
from contract_tests.cli import cli
from contract_tests.report.junit import as_junit
from contract_tests.report.model import Report, head_of, report_from, report_of, row_of
from contract_tests.report.verify import objections, read_report
from contract_tests.searched import Finding, Floor, Search, Searched
from contract_tests.searching import in_the_light_of_search
from contract_tests.target import find_subject
from contract_tests.verdicts import Assessment, Deviation, Result, Ruling
from simulator.explore.reach import FLOORS

LOOP = frozenset({"blocking"})
SIMULATOR_TESTS = Path(__file__).parents[1] / "simulator"
SCENARIO = """\
name: tick-2-seed-7-example-3
story: It dies.
start: "2026-03-02T08:00:00"
lasts: 1h
jobs: [{id: job-1, schedule: every 10m}]
expect: {hold: [TICK-2]}
"""
FOUND = Finding("TICK-2", "the loop was left", 3, SCENARIO, "hermes-contract check x:Y again")


def searched(*findings, share=1.0, **more):
    """A search that tried so much of what it must."""
    floors = tuple(Floor(what, least * share, least) for what, least in FLOORS.items())
    return replace(Searched(200, 7, 1, 200, floors, findings), **more)


def assessment(search, profile="nightly", changed=None):
    results = []
    for row in catalogue.load().requirements:
        verdict = Ruling.PASS if row.applies_to(LOOP) else Ruling.NOT_SUPPORTED
        verdict = (changed or {}).get(row.id, verdict)
        result = Result(row, verdict, ("seen",), verdict is Ruling.PASS)
        results.append(in_the_light_of_search(result, search))
    return Assessment("x:Y", "Y", "1", profile, LOOP, LOOP, tuple(results), search=search)


@pytest.fixture
def bent(tmp_path):
    """Write the report of an assessment, edit its search, and tell what is objected."""

    def bend(found, **changes):
        path = tmp_path / "r.json"
        data = json.loads(report_of(found).model_dump_json())
        data["search"] |= changes
        path.write_text(json.dumps(data))
        return list(objections(read_report(path)))

    return bend


class TestWhatCounts:
    def test_ci_counts_what_strict_counts(self):
        strict_fails = {"TICK-5": Ruling.FAIL}
        assert assessment(None, "core", strict_fails).verdict == "conformant"
        assert assessment(None, "strict", strict_fails).verdict == "violated"
        assert assessment(None, "ci", strict_fails).verdict == "violated"
        assert assessment(None, "ci").verdict == "conformant"

    def test_a_search_that_tried_enough_and_found_nothing(self):
        assert assessment(searched()).verdict == "conformant"

    def test_a_search_below_its_floors_is_inconclusive_and_names_them(self):
        few = searched(share=0.5)
        assert assessment(few).verdict == "inconclusive"
        assert "clean runs: 30 of 60" in few.sentence

    def test_no_search_is_inconclusive(self):
        assert assessment(None).verdict == "inconclusive"
        assert assessment(searched(floors=(), tried=0)).verdict == "inconclusive"
        assert assessment(searched(not_tried="it spins")).verdict == "inconclusive"

    def test_what_it_finds_breaks_the_row_with_its_own_replay(self):
        found = report_of(assessment(searched(FOUND)))
        assert found.verdict == "violated"
        row = next(row for row in found.requirements if row.id == "TICK-2")
        assert row.verdict == "FAIL"
        assert row.evidence == ("found by the search, in example 3: the loop was left",)
        assert row.replay == FOUND.replay

    def test_a_row_that_is_broken_anyway_keeps_its_own_evidence(self):
        found = report_of(assessment(searched(FOUND), changed={"TICK-2": Ruling.FAIL}))
        row = next(row for row in found.requirements if row.id == "TICK-2")
        assert row.evidence == ("seen",)
        assert row.replay == "hermes-contract check x:Y --only TICK-2 --timeline"

    def test_a_strict_row_that_was_not_run_is_an_error_for_ci_systems(self):
        missing = assessment(None, "ci", {"TICK-5": Ruling.NOT_RUN})
        assert "<error" in as_junit(report_of(missing))
        assert "<error" not in as_junit(report_of(replace(missing, profile="core")))


class TestTheReport:
    def test_it_goes_from_a_worker_to_another_and_back(self):
        whole = assessment(searched(FOUND))
        rows = {row.requirement.id: row_of(row, whole) for row in whole.results}
        told = {key: row.model_dump(mode="json") for key, row in rows.items()}
        head = json.loads(json.dumps(head_of(whole)))
        assert report_from(head, told, {}) == report_of(whole)

    def test_it_is_read_as_it_was_written(self):
        found = report_of(assessment(searched(FOUND)))
        assert Report.model_validate_json(found.model_dump_json()) == found

    def test_one_that_was_written_stands(self, bent):
        assert bent(assessment(searched(FOUND))) == []
        assert bent(assessment(searched(share=0.5))) == []

    @pytest.mark.parametrize(
        ("changes", "says"),
        [
            ({"findings": []}, "replay"),
            ({"tried": 201}, "tried 201 of 200"),
            ({"floors": []}, "floors of its search"),
        ],
    )
    def test_a_search_that_was_bent(self, bent, changes, says):
        assert any(says in one for one in bent(assessment(searched(FOUND)), **changes))

    def test_a_finding_that_breaks_no_row(self, bent):
        found = {"requirement": "TICK-3", "reason": "r", "example": 1, "scenario": SCENARIO}
        said = bent(assessment(searched()), findings=[found | {"replay": "x"}])
        assert any("found TICK-3 violated, which is PASS" in one for one in said)
        assert any("scenario for TICK-3 is of TICK-2" in one for one in said)

    def test_a_finding_whose_scenario_is_none(self, bent):
        data = {"requirement": "TICK-2", "reason": FOUND.reason, "example": 3, "scenario": "no: 1"}
        said = bent(assessment(searched(FOUND)), findings=[data | {"replay": FOUND.replay}])
        assert any("scenario for TICK-2 is none" in one for one in said)

    def test_a_search_that_was_cut_out(self, bent, tmp_path):
        bent(assessment(searched()))
        data = json.loads((tmp_path / "r.json").read_text()) | {"search": None}
        (tmp_path / "r.json").write_text(json.dumps(data))
        said = list(objections(read_report(tmp_path / "r.json")))
        assert "profile nightly, without a search" in said
        assert any(one.startswith("verdict is conformant") for one in said)


class TestTheJudge:
    @pytest.fixture
    def judge(self, monkeypatch):
        monkeypatch.setattr(engine, "search", lambda *_: searched(FOUND))

        def make(**settings):
            return engine.Judge(find_subject("builtin"), profile="nightly", **settings)

        return make

    def test_a_row_that_holds_is_broken_by_what_the_search_found(self, judge):
        with judge() as one:
            assert one.judge("TICK-2").verdict is Ruling.FAIL
            assert one.judge("ABC-1").verdict is Ruling.PASS

    def test_what_is_known_to_be_broken_stays_known(self, judge):
        known = Deviation("TICK-2", "a reason", "a link", "2999-12-31")
        with judge(deviations=[known]) as one:
            assert one.judge("TICK-2").verdict is Ruling.KNOWN_DEVIATION

    def test_without_hypothesis_it_says_what_to_install(self, judge, monkeypatch):
        monkeypatch.setattr(contract_tests.searched, "can_search", lambda: False)
        monkeypatch.setattr(engine, "can_search", lambda: False)
        with pytest.raises(ValueError, match=r"hermes-cron\[explore\]"):
            judge()
        done = CliRunner().invoke(cli, ["check", "builtin", "--profile", "nightly"])
        assert (done.exit_code, "hermes-cron[explore]" in done.output) == (2, True)


def test_the_same_seed_finds_the_same_and_what_it_finds_replays(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(SIMULATOR_TESTS))
    subject = find_subject("explored_providers:RunsWhateverComes")
    how = Search(examples=3, seed=1)
    found, again = (searching.search(subject, frozenset({"external"}), how) for _ in range(2))
    assert found == again
    assert found.verdict == "violated"
    ids = [one.requirement for one in found.findings]
    assert "FIRE-1" in ids
    assert len(set(ids)) == len(ids)
    first = found.findings[0]
    file = tmp_path / f"{first.requirement.lower()}-seed-1-example-{first.example}.yaml"
    file.write_text(first.scenario)
    command = [str(Path(sys.executable).with_name("hermes-sim")), "run", str(file)]
    done = subprocess.run(
        [*command, "-p", "explored_providers:RunsWhateverComes"],
        capture_output=True,
        text=True,
        check=False,
        cwd=SIMULATOR_TESTS,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert ids[0] in done.stdout


SUITE = """
import pytest
from contract_tests import CronSchedulerContract, Search
class TestMine(CronSchedulerContract):
    search = Search(examples=2)
    @pytest.fixture
    def provider(self):
        from hermes_cron import InProcessCronScheduler
        return InProcessCronScheduler
"""


def run_pytest(folder, *arguments):
    (folder / "test_mine.py").write_text(SUITE)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


class TestThePytestFront:
    def test_too_little_tried_fails_a_test_of_its_own(self, tmp_path):
        done = run_pytest(
            tmp_path,
            *("--contract-profile", "nightly", "--contract-seed", "5", "--contract-json", "r.json"),
            *("-k", "ABC_1 or search_tried"),
        )
        assert done.returncode == 1, done.stdout
        assert "1 failed, 1 passed" in done.stdout
        assert "test_mine.TestMine: inconclusive" in done.stdout
        assert "search: unknown, 2 of 2 examples of at most 1 d from seed 5" in done.stdout
        written = read_report(tmp_path / "r.json")
        assert (written.profile, written.search.tried) == ("nightly", 2)
        assert list(objections(written)) == []

    def test_a_profile_without_a_search_has_no_test_of_it(self, tmp_path):
        done = run_pytest(tmp_path, "--contract-profile", "ci", "-k", "ABC_1 or search_tried")
        assert "1 passed" in done.stdout
        assert "search" not in done.stdout


def test_options_of_a_search_need_a_profile_that_searches():
    done = CliRunner().invoke(cli, ["check", "builtin", "--seed", "3"])
    assert done.exit_code == 2
    assert "--seed goes with --profile nightly" in done.output
