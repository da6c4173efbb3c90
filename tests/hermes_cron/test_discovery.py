"""Where providers come from, and which one wins."""

import importlib.metadata
import sys
import threading

import pytest
from unanswered import hang_gate

from hermes_cron import plugins, process
from hermes_cron.plugins import chronos, loading
from hermes_cron.scheduler_provider import CronScheduler

SOURCE = """
from hermes_cron.scheduler_provider import CronScheduler

class {cls}(CronScheduler):
    name = "{name}"
    def start(self, stop_event, *, adapters=None, loop=None, interval=60):
        pass
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HERMES_HOME", str(tmp_path))
    state = process.ProcessState(pid=1, boot_id="b", host="h")
    monkeypatch.setattr(process, "current", lambda: state)
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("_hermes_user_cron")]:
        del sys.modules[name]


def plugin(home, name, source="", **files):
    folder = home / "plugins" / name
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(source or SOURCE.format(cls="Mine", name=name))
    for file, text in files.items():
        (folder / file.replace("_yaml", ".yaml").replace("_py", ".py")).write_text(text)
    return folder


def names():
    return [name for name, _, _ in plugins.discover_cron_schedulers()]


def test_the_bundled_one_is_found_without_a_plugins_folder(home):
    ((name, description, available),) = plugins.discover_cron_schedulers()
    assert (name, available) == ("chronos", False)
    assert description.startswith("Managed cron:")
    assert plugins.find_provider_dir("chronos") == loading._BUNDLED_FOLDER / "chronos"
    assert type(plugins.load_cron_scheduler("chronos")) is chronos.ChronosCronScheduler


def test_each_load_gives_a_new_instance(home):
    assert plugins.load_cron_scheduler("chronos") is not plugins.load_cron_scheduler("chronos")


def test_installed_ones_follow_with_their_description(home):
    folder = plugin(home, "mine", plugin_yaml="description: >-\n  My own\n  trigger\n")
    assert ("mine", "My own trigger", True) in plugins.discover_cron_schedulers()
    assert plugins.find_provider_dir("mine") == folder
    assert plugins.load_cron_scheduler("mine").name == "mine"


@pytest.mark.parametrize("text", ["[1, 2]", "a: [", "", "description: 5", "\x00"])
def test_a_plugin_yaml_that_is_none_is_no_description(home, text):
    plugin(home, "mine", plugin_yaml=text)
    assert plugins.discover_cron_schedulers()[1][0] == "mine"


@pytest.mark.parametrize("error", ["SystemExit", "KeyboardInterrupt", "GeneratorExit", "OSError"])
def test_a_plugin_that_raises_takes_nobody_along(home, error):
    plugin(home, "mine", f"# CronScheduler\nraise {error}")
    assert ("mine", "", False) in plugins.discover_cron_schedulers()
    assert plugins.load_cron_scheduler("mine") is None
    assert error in plugins.why_not_loaded("mine")


def test_bundled_wins_on_equal_names(home):
    plugin(home, "chronos")
    assert names() == ["chronos"]
    assert type(plugins.load_cron_scheduler("chronos")) is chronos.ChronosCronScheduler


def test_folders_that_are_not_about_cron_are_passed_over(home):
    plugin(home, "memory", "raise AssertionError('imported')")
    plugin(home, "_private")
    (home / "plugins" / "empty").mkdir()
    (home / "plugins" / "file.py").write_text("CronScheduler")
    assert names() == ["chronos"]
    assert plugins.find_provider_dir("memory") is None
    assert plugins.load_cron_scheduler("memory") is None


def test_register_may_stand_in_another_file_of_the_plugin(home):
    plugin(
        home,
        "mine",
        "from .inner import register",
        inner_py=SOURCE.format(cls="Mine", name="mine")
        + "def register(ctx):\n    ctx.register_tool('x', y=1)\n    ctx.register_cron_scheduler(Mine())",
    )
    assert plugins.load_cron_scheduler("mine").name == "mine"


def test_a_context_that_offers_less_than_the_plugin_wants_is_an_error(home, caplog):
    plugin(home, "mine", "def register(ctx):\n    ctx.config  # register_cron_scheduler")
    assert plugins.load_cron_scheduler("mine") is None
    assert "'mine' cannot be loaded: its register(ctx) raised AttributeError" in caplog.text
    assert "register(ctx)" in plugins.why_not_loaded("mine")


def test_the_most_derived_class_of_the_plugin_is_built(home):
    source = SOURCE.format(cls="Base", name="base") + (
        "from hermes_cron.scheduler_provider import InProcessCronScheduler\n"
        "class Abstract(CronScheduler): pass\n"
        "class Leaf(Base):\n    name = 'leaf'\n"
    )
    plugin(home, "mine", source)
    assert plugins.load_cron_scheduler("mine").name == "leaf"


def test_the_same_name_from_another_home_is_another_plugin(home, tmp_path, monkeypatch):
    source = "from .inner import *"
    plugin(home, "mine", source, inner_py=SOURCE.format(cls="Mine", name="mine"))
    assert plugins.load_cron_scheduler("mine").name == "mine"
    other = tmp_path / "other"
    plugin(other, "mine", source, inner_py=SOURCE.format(cls="Mine", name="others"))
    monkeypatch.setenv("HERMES_HOME", str(other))
    assert plugins.load_cron_scheduler("mine").name == "others"


def test_a_plugin_that_cannot_be_built_is_not_left_in_its_package(home):
    plugin(home, "mine", SOURCE.format(cls="Mine", name="mine") + "    __init__ = None\n")
    assert plugins.load_cron_scheduler("mine") is None
    assert not hasattr(sys.modules["_hermes_user_cron"], "mine")


def test_a_module_is_imported_once(home):
    plugin(home, "mine", SOURCE.format(cls="Mine", name="mine") + "LOADED = object()\n")
    first = type(plugins.load_cron_scheduler("mine"))
    assert type(plugins.load_cron_scheduler("mine")) is first


class Entry(CronScheduler):
    name = "entry"

    def start(self, stop_event, *, adapters=None, loop=None, interval=60):
        pass


made = Entry()


@pytest.mark.parametrize("attribute", ["Entry", "made", ""])
def test_entry_points_come_last(home, monkeypatch, attribute):
    """A class, an instance or a whole module."""
    target = __name__ + (f":{attribute}" if attribute else "")
    point = importlib.metadata.EntryPoint("entry", target, "hermes_cron.providers")
    monkeypatch.setattr(loading, "_entry_points", lambda: iter([point]))
    plugin(home, "mine")
    assert names() == ["chronos", "mine", "entry"]
    assert plugins.load_cron_scheduler("entry").name == "entry"
    assert plugins.find_provider_dir("entry") is None


def test_an_entry_point_that_fails_leaves_nothing_behind(home, monkeypatch, tmp_path, caplog):
    package = tmp_path / "half_package"
    package.mkdir()
    (package / "__init__.py").write_text("from . import good, bad")
    (package / "good.py").write_text("")
    (package / "bad.py").write_text("raise SystemExit")
    monkeypatch.syspath_prepend(str(tmp_path))
    point = importlib.metadata.EntryPoint("half", "half_package:P", "hermes_cron.providers")
    monkeypatch.setattr(loading, "_entry_points", lambda: iter([point]))
    assert ("half", "", False) in plugins.discover_cron_schedulers()
    assert plugins.load_cron_scheduler("half") is None
    assert not [name for name in sys.modules if name.startswith("half_package")]


@pytest.mark.parametrize("error", ["SystemExit", "KeyboardInterrupt", "GeneratorExit"])
@pytest.mark.parametrize(
    "source",
    [
        "raise {error}",
        "def P():\n    raise {error}",
        "class P:\n    def __init__(self):\n        raise {error}",
        "def register(ctx):\n    raise {error}\nP = __import__('sys').modules[__name__]",
        "def __getattr__(name):\n    raise {error}",
        (
            "class M(type):\n    def __getattr__(cls, name):\n        raise {error}\n"
            "class P(metaclass=M):\n    __call__ = None\nP = P()"
        ),
        "P = 42",
    ],
    ids=["import", "factory", "constructor", "register", "getattr", "metaclass", "number"],
)
def test_a_nasty_entry_point_takes_nobody_along(home, monkeypatch, tmp_path, source, error):
    (tmp_path / "nasty_point.py").write_text(source.replace("{error}", error))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "nasty_point", raising=False)
    point = importlib.metadata.EntryPoint("nasty", "nasty_point:P", "hermes_cron.providers")
    monkeypatch.setattr(loading, "_entry_points", lambda: iter([point]))
    plugin(home, "mine")
    assert ("nasty", "", False) in plugins.discover_cron_schedulers()
    assert plugins.load_cron_scheduler("mine").name == "mine"
    sys.modules.pop("nasty_point", None)


def test_a_hanging_entry_point_is_given_up_and_forgotten(home, monkeypatch, tmp_path):
    (tmp_path / "slow_point.py").write_text("__import__('hang_gate').gate.wait()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    point = importlib.metadata.EntryPoint("slow", "slow_point:P", "hermes_cron.providers")
    monkeypatch.setattr(loading, "_entry_points", lambda: iter([point]))
    with hang_gate():
        assert plugins.load_cron_scheduler("slow") is None
    assert "importing slow_point:P did not come back" in plugins.why_not_loaded("slow")
    for thread in threading.enumerate():
        if thread.name == "cron-provider-question":
            thread.join()
    assert "slow_point" not in sys.modules


def test_a_damaged_distribution_hides_no_folder(home, monkeypatch, caplog):
    def entry_points(**_):
        raise ValueError("metadata is damaged")

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    plugin(home, "mine")
    assert names() == ["chronos", "mine"]
    assert "metadata is damaged" in caplog.text


def test_importing_the_providers_starts_nothing(home):
    """ABC-8, for the bundled one: no thread, no socket, no file."""
    import subprocess

    code = (
        "import socket, threading\n"
        "def refuse(*a, **k): raise AssertionError('a socket')\n"
        "socket.socket.connect = refuse; socket.getaddrinfo = refuse\n"
        "import hermes_cron.plugins.chronos as c\n"
        "from hermes_cron.plugins.chronos import verify, _nas_client\n"
        "p = c.ChronosCronScheduler(); print(p.name, p.is_available(), threading.active_count())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=home
    )
    assert done.stdout.split() == ["chronos", "False", "1"]
    assert list(home.iterdir()) == []
