"""The copy of the tree in which mutmut works, and what it says there. Nothing else is touched."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

from .survivors import KILLED, Mutant

ROOT = Path(__file__).resolve().parents[2]
WORKSHOP = ROOT / "build" / "mutants"
CONFIG = tomllib.loads(Path(__file__).with_name("mutants.toml").read_text(encoding="utf-8"))


def prepare(modules: Sequence[str], tests: Sequence[str], *, again: bool = False) -> None:
    """Lay the tree out, with these modules to mutate.

    Args:
        modules: paths from the root of the tree.
        tests: those that must notice.
        again: keep what died in the last run, unless its function was changed since. What
            survived is shown to the tests that there are now.
    """
    if not again:
        shutil.rmtree(WORKSHOP, ignore_errors=True)
    # mutmut's own folder is on the path from the start: a process remembers what was not there.
    (WORKSHOP / "mutants").mkdir(parents=True, exist_ok=True)
    for name in CONFIG["copied"]:
        if (ROOT / name).is_dir():
            without = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, WORKSHOP / name, ignore=without, dirs_exist_ok=True)
        else:
            shutil.copy2(ROOT / name, WORKSHOP / name)
    for module in modules:
        # mutmut would take one that it copied in another run, unmutated, for mutated.
        (WORKSHOP / "mutants" / module).unlink(missing_ok=True)
    _forget_survivors()
    settings = {
        **CONFIG["mutmut"],
        "only_mutate": list(modules),
        "pytest_add_cli_args_test_selection": list(tests),
    }
    with (WORKSHOP / "pyproject.toml").open("a", encoding="utf-8") as pyproject:
        pyproject.write("\n[tool.mutmut]\n")
        pyproject.writelines(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())


def _forget_survivors() -> None:
    # Without its statistics mutmut looks anew which tests reach what.
    (WORKSHOP / "mutants" / "mutmut-stats.json").unlink(missing_ok=True)
    for path in (WORKSHOP / "mutants").rglob("*.py.meta"):
        found = json.loads(path.read_bytes())
        codes = found["exit_code_by_key"]
        found["exit_code_by_key"] = {
            name: code if _status(code) in KILLED else None for name, code in codes.items()
        }
        path.write_text(json.dumps(found), encoding="utf-8")


def _status(code: int | None) -> str:
    from mutmut.stats import status_by_exit_code

    return status_by_exit_code[code]


def run() -> int:
    """Break the modules and run the tests; what mutmut returned."""
    seen_first = {
        "PYTHONPATH": str(WORKSHOP / "mutants"),  # also by the processes that tests start
        "PYTHONHASHSEED": "0",
        "CI": "true",  # the same drawn examples each time
    }
    mutmut = Path(sys.executable).with_name("mutmut")
    command = [str(mutmut), "run", "--max-children", "1"]
    return subprocess.run(
        command, cwd=WORKSHOP, env={**os.environ, **seen_first}, check=False
    ).returncode


def results(modules: Sequence[str]) -> Iterator[Mutant]:
    """What became of each mutant."""
    with contextlib.chdir(WORKSHOP):  # mutmut reads its configuration in the current folder
        from mutmut.mutation.data import SourceFileMutationData
        from mutmut.mutation.diff_apply import get_diff_for_mutant
        from mutmut.utils.format_utils import orig_function_and_class_names_from_key

        for module in modules:
            data = SourceFileMutationData(path=module)
            data.load()
            for name, code in data.exit_code_by_key.items():
                function, owner = orig_function_and_class_names_from_key(name)
                diff = get_diff_for_mutant(name, path=module).splitlines()[2:]
                yield Mutant(
                    module,
                    f"{owner}.{function}" if owner else function,
                    _said(diff, "-"),
                    _said(diff, "+"),
                    _status(code),
                )


def _said(diff: Sequence[str], sign: str) -> str:
    """The removed or added lines of a diff in one line."""
    return " ".join(" ".join(line[1:] for line in diff if line.startswith(sign)).split())
