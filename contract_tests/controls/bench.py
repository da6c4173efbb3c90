"""Run a control: edit a copy of a package, judge it by the user's own command, compare."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contract_tests.controls import Control
from contract_tests.verdicts import Ruling

__all__ = ["EditError", "Trial", "apply", "compare", "try_control"]

TIME_LIMIT_S = 120


class EditError(Exception):
    """An edit does not fit the reference any more: the control must be written anew."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one control.

    Attributes:
        control: which one.
        verdict: PASS when exactly the pinned ids rejected it, FAIL when others did or too few,
            KIT_ERROR when it could not be tried.
        reason: what was expected and seen.
        failed: the ids that rejected it.
        report: the JSON report of the command; empty when there is none.
    """

    control: Control
    verdict: Ruling
    reason: str
    failed: tuple[str, ...] = ()
    report: dict[str, Any] | None = None


def try_control(control: Control) -> Trial:
    """Judge the edited copy; see `Trial`."""
    with tempfile.TemporaryDirectory(prefix="hermes-control-") as name:
        folder = Path(name)
        try:
            apply(control, folder)
        except EditError as error:
            return Trial(control, Ruling.KIT_ERROR, str(error))
        return compare(control, *_command(control, folder))


def apply(control: Control, folder: Path) -> None:
    """Put edited copies of the packages that it edits into ``folder``.

    Raises:
        EditError: an old text is not there, or there more than once.
    """
    for package in sorted({edit.package for edit in control.edits}):
        spec = importlib.util.find_spec(package)
        assert spec is not None and spec.submodule_search_locations  # noqa: PT018 - it is ours
        source = Path(next(iter(spec.submodule_search_locations)))
        # Compiled modules come along, with the times of their sources: most files stay as they are.
        shutil.copytree(source, folder / package)
    for edit in control.edits:
        path = folder / edit.package / edit.file
        if not path.is_file():
            raise EditError(f"{control.name}: {edit.package} has no {edit.file} any more")
        text = path.read_text(encoding="utf-8")
        times = text.count(edit.old)
        if times != 1:
            first = edit.old.strip().splitlines()[0]
            raise EditError(f"{control.name}: {edit.file} has {first!r} {times} times, not once")
        path.write_text(text.replace(edit.old, edit.new), encoding="utf-8")


def _command(control: Control, folder: Path) -> tuple[int, str, dict[str, Any] | None]:
    script = Path(sys.executable).with_name("hermes-contract")
    command = [str(script)] if script.is_file() else [sys.executable, "-m", "contract_tests"]
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"PYTHONPATH": path, "PYTHONHASHSEED": "0"}
    report = folder / "report.json"
    try:
        done = subprocess.run(  # noqa: S603 - our own command
            [*command, *control.arguments, "--json", str(report)],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return -1, f"the command was still running after {TIME_LIMIT_S} s", None
    data = json.loads(report.read_text(encoding="utf-8")) if report.is_file() else None
    return done.returncode, done.stderr.strip()[-500:], data


def compare(control: Control, code: int, said: str, report: dict[str, Any] | None) -> Trial:
    """Hold a report against the pins: the ids, the message, the exit code."""
    if report is None:
        return Trial(control, Ruling.KIT_ERROR, f"no report, exit code {code}: {said}")
    by_id = {row["id"]: row for row in report["requirements"]}
    failed = tuple(row["id"] for row in report["requirements"] if row["verdict"] == "FAIL")
    if broken := [key for key, row in by_id.items() if row["verdict"] == "KIT_ERROR"]:
        evidence = by_id[broken[0]]["evidence"]
        return Trial(control, Ruling.KIT_ERROR, f"{broken[0]}: {evidence}", failed, report)
    problem = None
    if set(failed) != set(control.rejects):
        problem = f"rejected by {_ids(failed)}, pinned to {_ids(control.rejects)}"
    elif code != bool(control.rejects):
        problem = f"exit code {code}, verdict {report['verdict']}"
    elif control.rejects and not _says(by_id[control.rejects[0]], control.message):
        problem = f"{control.rejects[0]} does not say {control.message!r}"
    if problem:
        detail = [f"{key}: {by_id[key]['evidence'][:2]}" for key in failed]
        return Trial(control, Ruling.FAIL, "; ".join([problem, *detail]), failed, report)
    return Trial(control, Ruling.PASS, f"rejected by {_ids(failed)}", failed, report)


def _says(row: dict[str, Any], words: str) -> bool:
    return any(words in line for line in row["evidence"])


def _ids(ids: tuple[str, ...]) -> str:
    return ", ".join(ids) or "nothing"
