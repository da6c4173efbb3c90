"""What the README says is run: its two commands exist, its examples work, its screens are real."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FIRST_SCREEN = README.splitlines()[:30]
FENCES = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
COMMANDS = [
    line.removeprefix("$ ")
    for language, block in FENCES
    if language == "console"
    for line in block.splitlines()
    if line.startswith("$ ")
]
# What an environment, a moment or the machine's speed decides is not compared, nor whether the teeth
# of the kit were proven since its last change.
VARIES = re.compile(r"in \d+\.\d+ s\b|\b\d+\.\d+ s\b|^teeth of this kit: .*$", re.MULTILINE)


def run(command: str, cwd: Path, home: Path) -> subprocess.CompletedProcess[str]:
    words = command.split()
    if "'" in command or '"' in command:
        import shlex

        words = shlex.split(command)
    return subprocess.run(
        [str(Path(sys.executable).parent / words[0]), *words[1:]],
        cwd=cwd,
        env={**os.environ, "HERMES_HOME": str(home), "COLUMNS": "100"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize("target", ["run", "test"])
def test_the_two_commands_are_in_the_first_screen_and_are_targets(target: str) -> None:
    said = [line for line in FIRST_SCREEN if re.match(rf"\s+make {target}\b", line)]
    assert len(said) == 1
    listed = subprocess.run(
        ["make", "-n", said[0].partition("#")[0].split()[1]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert listed.returncode == 0, listed.stderr
    tool = {"run": "hermes-sim run", "test": "pytest"}[target]
    assert tool in listed.stdout


def test_ci_runs_what_the_readme_says() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "make test" in script
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_there_are_examples() -> None:
    assert len(COMMANDS) >= 6


@pytest.mark.parametrize("command", [c for c in COMMANDS if " serve" not in c])
def test_an_example_works(command: str, tmp_path: Path) -> None:
    for name in ("simulator",):
        (tmp_path / name).symlink_to(ROOT / name)  # examples name files of the clone
    done = run(command, tmp_path, tmp_path / "home")
    status = "status" in command
    assert done.returncode in ({0, 1, 3} if status else {0}), done.stdout + done.stderr
    assert done.stdout.strip()


def screen_after(text: str) -> str:
    """The `text` block that follows the first mention of `text` in the README."""
    rest = README[README.index(text) :]
    found = re.search(r"^```text\n(.*?)^```$", rest, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.parametrize(
    ("mention", "command"),
    [
        ("## A screen of output", "hermes-sim run"),
        ("## What will my jobs do?", next(c for c in COMMANDS if "Europe/Berlin" in c)),
        ("## Is my provider safe to ship?", "hermes-contract check builtin"),
    ],
)
def test_a_screen_is_what_the_command_prints(mention: str, command: str, tmp_path: Path) -> None:
    (tmp_path / "simulator").symlink_to(ROOT / "simulator")
    printed = run(command, tmp_path, tmp_path / "home").stdout
    shown = VARIES.sub("", screen_after(mention))
    lines = [line.rstrip() for line in VARIES.sub("", printed).splitlines()]
    missing = [
        line
        for line in shown.splitlines()
        if line.strip() not in {"", "..."} and line.rstrip() not in lines
    ]
    assert missing == []


def test_the_map_names_files_that_are_there() -> None:
    block = README[README.index("## A map of the code") :]
    here: list[str] = []
    missing = []
    for line in block.splitlines():
        if re.match(r"    \S", line):
            here = [line.split()[0].rstrip("/")]
        found = re.match(r" {6}((?:\S+ )*\S+)(?: {2,}| [A-Z]|$)", line)
        if found and here:
            names = [w for w in found[1].split() if re.fullmatch(r"[\w/]+(?:\.py|\.toml|/)", w)]
            missing += [n for n in names if not (ROOT / here[0] / n).exists()]
    assert missing == []
