"""Who may import whom: hermes_cron <- simulator <- contract_tests <- tests."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ORDER = ("hermes_cron", "simulator", "contract_tests", "tests")
RANK = {name: rank for rank, name in enumerate(ORDER)}

# Where a host's own providers and private parts may be named, and nowhere else beside hermes_cron.
NAMING_PLACES = (Path("simulator/hosts"), Path("contract_tests/controls"))
OUR_PROVIDERS = re.compile(
    r"InProcessCronScheduler|ChronosCronScheduler|[\"']chronos[\"']|hermes_cron\.plugins\.chronos"
)


def sources(*packages: str) -> Iterator[Path]:
    for package in packages:
        yield from sorted((ROOT / package).rglob("*.py"))


def imported(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            # Lazy imports by name obey the same arrows.
            names = [one.value for one in node.args[:1] if isinstance(one, ast.Constant)]
            yield from ((node.lineno, str(name)) for name in names)


def against_the_arrows() -> list[str]:
    found = []
    for path in sources(*ORDER):
        package = path.relative_to(ROOT).parts[0]
        for line, name in imported(path):
            other = name.partition(".")[0]
            if RANK.get(other, -1) > RANK[package]:
                found.append(f"{path.relative_to(ROOT)}:{line} imports {name}")
    return found


def test_imports_go_one_way() -> None:
    assert against_the_arrows() == []


IMPORT_EACH_FIRST = """
import importlib, pkgutil, sys, hermes_cron
for info in pkgutil.walk_packages(hermes_cron.__path__, "hermes_cron."):
    for known in [name for name in sys.modules if name.partition(".")[0] == "hermes_cron"]:
        del sys.modules[known]
    if not info.name.endswith("__main__"):
        importlib.import_module(info.name)
"""


def test_any_module_of_the_host_can_be_imported_first() -> None:
    """They know each other in circles, which hold while each looks names up when it uses them."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_EACH_FIRST],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_simulator_never_imports_pytest() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sources("hermes_cron", "simulator")
        for line, name in imported(path)
        if name.partition(".")[0] in {"pytest", "_pytest"}
    ]
    assert found == []


def test_hypothesis_is_needed_by_exploration_only() -> None:
    """It is an extra: whoever runs scenarios has no use for it."""
    found = [
        str(path.relative_to(ROOT / "simulator"))
        for path in sources("hermes_cron", "simulator")
        for _line, name in imported(path)
        if name.partition(".")[0] == "hypothesis"
    ]
    drawing = {"strategies.py", "stateful.py", "explore/drawing.py"}
    drawn = ("faults", "ground", "rarely", "together")
    assert set(found) == drawing | {f"drawn_{what}.py" for what in drawn}


@pytest.mark.parametrize(
    "package", ["simulator/checkers", "simulator/oracle.py", "simulator/cron_text.py"]
)
def test_judges_share_no_code_with_the_host(package: str) -> None:
    place = ROOT / package
    files = sorted(place.rglob("*.py")) if place.is_dir() else [place]
    assert files
    found = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in files
        for line, name in imported(path)
        if name.partition(".")[0] in {"hermes_cron", "croniter", "cronsim"}
    ]
    assert found == []


def test_no_provider_of_ours_is_named_by_the_simulator_or_the_kit() -> None:
    found = []
    for path in sources("simulator", "contract_tests"):
        place = path.relative_to(ROOT)
        if any(place.is_relative_to(allowed) for allowed in NAMING_PLACES):
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if OUR_PROVIDERS.search(line):
                found.append(f"{place}:{number} {line.strip()}")
    assert found == []


def test_nothing_in_the_host_knows_that_it_is_simulated() -> None:
    words = re.compile(r"greenlet|simulat|freezegun|respx", re.IGNORECASE)
    found = []
    for path in sources("hermes_cron"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        # Prose may explain why a function is looked up at the time of use; code may not depend on it.
        for node in ast.walk(tree):
            name = (
                getattr(node, "id", None)
                or getattr(node, "attr", None)
                or getattr(node, "name", None)
            )
            if isinstance(name, str) and words.search(name):
                found.append(f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)} {name}")
    assert found == []
