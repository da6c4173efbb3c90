"""Nothing in the simulator knows our providers: copies under other names behave the same, to the byte.

Each reference is copied out of the package, its module, class and name changed, and driven through
every incident that it is for. The histories are equal but for the name.
"""

import ast
import json
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import hermes_cron
from simulator.hosts import reference_host
from simulator.runner import incidents
from simulator.target import Target, from_attribute
from simulator.verdict import judge
from simulator.world import simulate

PACKAGE = Path(hermes_cron.__file__).parent


def copy_of_the_loop(folder: Path) -> str:
    """The built-in's class in a file of its own; the interface stays the host's."""
    source = (PACKAGE / "scheduler_provider.py").read_text(encoding="utf-8")
    tree = ast.parse(source)
    lines = source.splitlines(keepends=True)
    for node in reversed(tree.body):
        if isinstance(node, ast.ClassDef) and node.name == "CronScheduler":
            first = min([node.lineno, *(item.lineno for item in node.decorator_list)])
            lines[first - 1 : node.end_lineno] = [
                "from hermes_cron.scheduler_provider import CronScheduler\n"
            ]
    text = "".join(lines).replace("InProcessCronScheduler", "OrbitTicker")
    text = text.replace('return "builtin"', 'return "orbital"')
    (folder / "orbit_ticker.py").write_text(text, encoding="utf-8")
    return "orbit_ticker:OrbitTicker"


def copy_of_the_whole_module(folder: Path) -> str:
    """The built-in's module as it stands, with its own copy of the interface."""
    text = (PACKAGE / "scheduler_provider.py").read_text(encoding="utf-8")
    text = text.replace("InProcessCronScheduler", "OrbitTicker")
    text = text.replace('return "builtin"', 'return "orbital"')
    (folder / "orbit_vendored.py").write_text(text, encoding="utf-8")
    return "orbit_vendored:OrbitTicker"


def copy_of_the_arming_one(folder: Path) -> str:
    """The external reference's package under another name."""
    shutil.copytree(PACKAGE / "plugins" / "chronos", folder / "orbit_registry")
    for path in (folder / "orbit_registry").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        text = text.replace("hermes_cron.plugins.chronos", "orbit_registry")
        text = text.replace("ChronosCronScheduler", "OrbitRegistry")
        text = re.sub(r'return "chronos"', 'return "orbital"', text)
        path.write_text(text, encoding="utf-8")
    return "orbit_registry:OrbitRegistry"


COPIES: dict[str, Callable[[Path], str]] = {
    "builtin": copy_of_the_loop,
    "chronos": copy_of_the_arming_one,
}
CASES = [*COPIES.items(), ("builtin", copy_of_the_whole_module)]


def lines_without_name(target: Target, name: str, scenario) -> list[str]:
    run = simulate(scenario, replace(target, label="X"))
    # The loggers' names are the interface's (HOST.md), not the provider's.
    lines = (re.sub(rf"(?<!cron\.)\b{name}\b", "NAME", line) for line in run.history.lines())
    return [_without_it(line) if '"names"' in line else line for line in lines]


def _without_it(line: str) -> str:
    """A status, less whether it names the provider: only one that the host brings is configured."""
    data = json.loads(line)
    names = [name for name in data["names"] if name != "NAME"]
    return json.dumps(data | {"names": names}, sort_keys=True)


@pytest.fixture(autouse=True)
def _imported_anew():
    yield
    for module in [one for one in sys.modules if one.startswith("orbit_")]:
        del sys.modules[module]


@pytest.mark.parametrize(("name", "copy"), CASES, ids=lambda one: getattr(one, "__name__", one))
def test_a_copy_under_other_names_gives_the_same_histories(
    name: str, copy: Callable[[Path], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    original = reference_host().bundled()[name]
    copied = replace(from_attribute(copy(tmp_path)), capabilities=original.capabilities)
    assert copied.make().name == "orbital"
    assert type(copied.make()).__module__.startswith("orbit_")
    compared = 0
    for scenario in incidents():
        if not original.capabilities & set(scenario.capabilities):
            continue
        ours = lines_without_name(original, name, scenario)
        theirs = lines_without_name(copied, "orbital", scenario)
        assert theirs == ours, scenario.name
        compared += 1
    assert compared >= 5


@pytest.mark.parametrize("name", sorted(COPIES))
def test_a_copy_that_is_broken_is_found_out(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comparison above can fail: an edit of the copy shows in the history and in the verdict."""
    monkeypatch.syspath_prepend(str(tmp_path))
    spec = COPIES[name](tmp_path)
    if name == "builtin":
        path = tmp_path / "orbit_ticker.py"
        text = path.read_text(encoding="utf-8")
        broken = text.replace("except BaseException", "except Exception")
        scenario = next(one for one in incidents() if one.name == "tick-raises-systemexit")
    else:
        path = tmp_path / "orbit_registry" / "__init__.py"
        text = path.read_text(encoding="utf-8")
        broken = re.sub(
            r"(    def fire_due\(.*?\) -> bool:\n)",
            r"\1        return False\n",
            text,
            flags=re.DOTALL,
        )
        scenario = next(one for one in incidents() if one.name == "redelivery-after-completion")
    assert broken != text
    path.write_text(broken, encoding="utf-8")
    target = replace(
        from_attribute(spec), capabilities=reference_host().bundled()[name].capabilities
    )
    assert judge(simulate(scenario, target).history, scenario).verdict == "violated"
