"""Naming a provider: bundled, module:attribute, a plugin's folder; and made anew at each boot."""

from __future__ import annotations

import sys
import textwrap
from dataclasses import replace

import pytest

from simulator.hosts import reference_host
from simulator.scenario_file import parse_scenario
from simulator.target import TargetError, find_target
from simulator.verdict import judge
from simulator.world import simulate

COUNTING = """
    from hermes_cron import InProcessCronScheduler
    from .memory import seen

    class Provider(InProcessCronScheduler):
        name = "counting"

        def start(self, stop_event, **kwargs):
            seen.append(1)
            if len(seen) > 1:
                raise RuntimeError("this module remembers what its process did before it died")
            super().start(stop_event, **kwargs)
"""
TWO_BOOTS = """
name: boots
start: 2026-03-02T08:00:00
lasts: 3h10m
jobs: [{id: report, schedule: every 1h}]
steps: [{at: 90m, do: crash, machine: a, for: 1m}]
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A provider in a package, with a module beside it that remembers."""
    folder = tmp_path / "counting"
    folder.mkdir()
    (folder / "__init__.py").write_text(textwrap.dedent(COUNTING))
    (folder / "memory.py").write_text("seen = []\n")
    (folder / "provider.py").write_text("from counting import Provider\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "counting"]:
        del sys.modules[name]


def test_a_package_is_imported_anew_at_each_boot(package):
    """What its modules remember dies with the process, as a crash would have it."""
    found = find_target("counting.provider:Provider", reference_host())
    target = replace(found, capabilities=frozenset({"blocking"}))
    scenario = parse_scenario(TWO_BOOTS)
    run = simulate(scenario, target)
    assert not run.history.of("provider.raised")
    assert judge(run.history, scenario).verdict == "held"


def test_a_package_that_others_use_stays_as_it_is(package):
    """Somebody has imported it before: its classes keep their identity."""
    import counting  # type: ignore[import-not-found]

    target = find_target("counting:Provider", reference_host())
    assert isinstance(target.make(), counting.Provider)
    assert sys.modules["counting"] is counting


def test_a_folder_of_a_plugin_is_a_provider_too(package):
    """As it would be dropped into the home, and anew at each boot."""
    target = find_target(str(package), reference_host())
    scenario = parse_scenario(TWO_BOOTS)
    run = simulate(scenario, target)
    assert target.label == "counting"
    assert run.history.of("run.begin")
    assert not run.history.of("provider.raised")


@pytest.mark.parametrize("value", ["counting.provider:Provider", "counting"])
def test_an_installed_provider_is_named_by_its_name(package, tmp_path, value):
    """As its distribution registers it; anew at each boot."""
    facts = tmp_path / "counting-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: counting\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(f"[hermes_cron.providers]\ntallying = {value}\n")
    target = find_target("tallying", reference_host())
    scenario = parse_scenario(TWO_BOOTS)
    run = simulate(scenario, replace(target, capabilities=frozenset({"blocking"})))
    assert target.label == "tallying"
    assert not run.history.of("provider.raised")
    assert judge(run.history, scenario).verdict == "held"


def test_an_entry_point_that_is_no_package_says_what_to_write(tmp_path, monkeypatch):
    """A module alone cannot say which of its names is the provider."""
    facts = tmp_path / "lonely-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: lonely\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[hermes_cron.providers]\nlonely = not_there\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(TargetError, match="let it name module:attribute"):
        find_target("lonely", reference_host())


@pytest.mark.parametrize(
    ("text", "reason"),
    [("x = 1\n", "registers no cron provider"), ("import nothing_like_it\n", "nothing_like_it")],
)
def test_a_folder_without_a_provider_says_why(tmp_path, text, reason):
    """At the time when it is asked for one."""
    folder = tmp_path / "empty_one"
    folder.mkdir()
    (folder / "__init__.py").write_text(text)
    target = find_target(str(folder), reference_host())
    with pytest.raises(TargetError, match=reason):
        target.make()


def test_what_is_nothing_is_refused_with_what_would_be_something(tmp_path):
    """A word, and a folder that is no package."""
    with pytest.raises(TargetError, match="the folder of a plugin"):
        find_target("nobody", reference_host())
    with pytest.raises(TargetError, match="no __init__"):
        find_target(str(tmp_path), reference_host())
