"""The reusable action: its steps are run here as a workflow would run them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
ACTION = yaml.safe_load((ROOT / ".github/actions/contract/action.yml").read_text())


def run_check(folder, commands=Path(sys.executable).parent, **inputs):
    """The check step in a folder, with the action's own defaults for what is not given."""
    step = next(step for step in ACTION["runs"]["steps"] if step["id"] == "check")
    given = {key: row.get("default", "") for key, row in ACTION["inputs"].items()} | inputs
    values = {
        name: given[text.removeprefix("${{ inputs.").removesuffix(" }}")]
        for name, text in step["env"].items()
    }
    files = {name: str(folder / name) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    path = f"{commands}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", step["run"]],
        cwd=folder,
        env=os.environ | values | files | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_conformant_provider_passes_and_leaves_its_report(tmp_path):
    done = run_check(tmp_path, target="builtin")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "GITHUB_OUTPUT").read_text() == "verdict=conformant\n"
    assert "conformant" in (tmp_path / "GITHUB_STEP_SUMMARY").read_text()
    left = {path.name for path in (tmp_path / "hermes-contract").iterdir()}
    assert left == {"report.json", "report.xml", "report.md", "badge.svg"}


def test_a_broken_one_fails_and_says_why(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from hermes_cron import InProcessCronScheduler\n"
        "class Mine(InProcessCronScheduler):\n"
        "    name = ''\n"
    )
    done = run_check(tmp_path, target="mine:Mine", capabilities="blocking")
    assert done.returncode == 1, done.stdout + done.stderr
    assert (tmp_path / "GITHUB_OUTPUT").read_text() == "verdict=violated\n"
    assert "ABC-4" in (tmp_path / "GITHUB_STEP_SUMMARY").read_text()


@pytest.mark.parametrize(
    ("profile", "more"),
    [("ci", ""), ("nightly", " --seed 12 --scenarios hermes-contract/scenarios")],
)
def test_only_the_night_gives_a_seed_and_keeps_scenarios(tmp_path, profile, more):
    command = tmp_path / "bin" / "hermes-contract"
    command.parent.mkdir()
    command.write_text('#!/bin/sh\necho "$@" > words\n')
    command.chmod(0o755)
    done = run_check(tmp_path, commands=command.parent, target="x:Y", profile=profile, seed="12")
    assert done.returncode == 0, done.stderr
    words = (tmp_path / "words").read_text()
    assert words.startswith(f"check x:Y --profile {profile}{more} --json ")


@pytest.mark.parametrize("step", ACTION["runs"]["steps"], ids=lambda step: step["id"])
def test_no_input_is_put_into_a_script_as_text(step):
    """An input in a script is a hole: whoever names a branch could run a command."""
    assert "${{" not in step["run"]


def test_every_input_is_used():
    used = yaml.safe_dump(ACTION["runs"])
    assert [name for name in ACTION["inputs"] if f"inputs.{name} " not in used] == []
