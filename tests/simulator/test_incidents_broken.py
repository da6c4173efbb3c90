"""For each incident of the library a broken implementation that makes it fail.

A few run each time; ``CONTROLS=all`` runs every one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from contract_tests.controls import Control, Edit, broken
from contract_tests.controls.bench import apply
from simulator.runner import incidents

ROWS = tomllib.loads(Path(__file__).with_name("incidents_broken.toml").read_text())["broken"]
ALWAYS = {"tick-raises-systemexit", "moved-while-armed", "down-for-27-hours"}
CHOSEN = [row for row in ROWS if os.environ.get("CONTROLS") == "all" or row["incident"] in ALWAYS]


def control(row: dict) -> Control:
    """The edits of a row, of its own or of the contract's control that it names."""
    if "control" in row:
        return next(one for one in broken() if one.name == row["control"])
    edits = tuple(Edit(**edit) for edit in row["edit"])
    return Control(row["incident"], "", row["provider"], (), row["says"], edits)


def test_every_incident_has_one():
    """None of the library can only be held."""
    assert [row["incident"] for row in ROWS if row["incident"] in {s.name for s in incidents()}]
    assert {row["incident"] for row in ROWS} == {scenario.name for scenario in incidents()}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["incident"])
def test_its_edit_fits_the_reference(row, tmp_path):
    """What is to be replaced stands there once, and what comes of it is Python."""
    wanted = control(row)
    apply(wanted, tmp_path)
    for edit in wanted.edits:
        path = tmp_path / edit.package / edit.file
        compile(path.read_text(encoding="utf-8"), str(path), "exec")


@pytest.mark.parametrize("row", CHOSEN, ids=lambda row: row["incident"])
def test_the_incident_happens_again(row, tmp_path):
    """By the user's own command, with the reason that is written beside the edit."""
    apply(control(row), tmp_path)
    report = tmp_path / "report.json"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "simulator.cli", "run", row["incident"]),
            *("--provider", row["provider"], "--json", str(report)),
        ],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path), "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert report.is_file(), done.stderr
    (found,) = json.loads(report.read_text(encoding="utf-8"))["rows"]
    assert found["verdict"] == "violated", found["reasons"]
    assert done.returncode == 1
    assert row["says"] in "\n".join(found["reasons"]), found["reasons"]
