"""The copies of the tree in which mutmut works, and what it says there. Nothing else is touched."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

from .survivors import KILLED, Mutant

ROOT = Path(__file__).resolve().parents[2]
WORKSHOP = ROOT / "build" / "mutants"
MEMORY = Path("/dev/shm")  # where Linux has its disk in memory
CONFIG = tomllib.loads(Path(__file__).with_name("mutants.toml").read_text(encoding="utf-8"))


def prepare(
    folder: Path, modules: Sequence[str], tests: Sequence[str], *, again: bool = False
) -> None:
    """Lay the tree out, with these modules to mutate.

    Args:
        folder: where; a group has one of its own, so that a run that was cut off can go on.
        modules: paths from the root of the tree.
        tests: those that must notice.
        again: keep what died in the last run, unless its function was changed since. What
            survived is shown to the tests that there are now.
    """
    if not again:
        shutil.rmtree(folder, ignore_errors=True)
    # mutmut's own folder is on the path from the start: a process remembers what was not there.
    (folder / "mutants").mkdir(parents=True, exist_ok=True)
    for name in CONFIG["copied"]:
        if (ROOT / name).is_dir():
            without = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, folder / name, ignore=without, dirs_exist_ok=True)
        else:
            shutil.copy2(ROOT / name, folder / name)
    for module in modules:
        # mutmut would take one that it copied in another run, unmutated, for mutated.
        (folder / "mutants" / module).unlink(missing_ok=True)
    _forget_survivors(folder / "mutants")
    settings = {
        **CONFIG["mutmut"],
        "only_mutate": list(modules),
        "pytest_add_cli_args_test_selection": list(tests),
    }
    with (folder / "pyproject.toml").open("a", encoding="utf-8") as pyproject:
        pyproject.write("\n[tool.mutmut]\n")
        pyproject.writelines(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())


def _forget_survivors(mutants: Path) -> None:
    # Without its statistics mutmut looks anew which tests reach what.
    (mutants / "mutmut-stats.json").unlink(missing_ok=True)
    for path in mutants.rglob("*.py.meta"):
        found = json.loads(path.read_bytes())
        codes = found["exit_code_by_key"]
        found["exit_code_by_key"] = {
            name: code if _status(code) in KILLED else None for name, code in codes.items()
        }
        path.write_text(json.dumps(found), encoding="utf-8")


def _status(code: int | None) -> str:
    from mutmut.stats import status_by_exit_code

    return status_by_exit_code[code]


def run(folder: Path) -> bool:
    """Break the modules and run the tests; whether mutmut got through."""
    # The tests of a store sync thousands of files: on a disk they would wait most of the time.
    memory = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as temporary:
        try:
            return _mutmut(folder, temporary) == 0
        except KeyboardInterrupt:
            return False


def _mutmut(folder: Path, temporary: str) -> int:
    seen_first = {
        "TMPDIR": temporary,
        "PYTHONPATH": str(folder / "mutants"),  # also by the processes that tests start
        "PYTHONHASHSEED": "0",
        "CI": "true",  # the same drawn examples each time
    }
    mutmut = Path(sys.executable).with_name("mutmut")
    command = [str(mutmut), "run", "--max-children", "1"]
    return subprocess.run(
        command, cwd=folder, env={**os.environ, **seen_first}, check=False
    ).returncode


def results(folder: Path, modules: Sequence[str]) -> Iterator[Mutant]:
    """What became of each mutant."""
    with contextlib.chdir(folder):  # mutmut reads its configuration in the current folder
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
