"""Cron never loses its trigger: FALL-1 to FALL-9 of CONTRACT.md."""

import logging
import sys
import threading

import pytest
from unanswered import hang_gate

from hermes_cron import config, plugins, process
from hermes_cron.scheduler_provider import (
    CronScheduler,
    InProcessCronScheduler,
    provider_in_charge,
    resolve_cron_scheduler,
)

DEADLY = ["SystemExit", "KeyboardInterrupt", "GeneratorExit", "ValueError", "MemoryError"]

GOOD = """
from hermes_cron.scheduler_provider import CronScheduler

class Mine(CronScheduler):
    name = "mine"

    def start(self, stop_event, *, adapters=None, loop=None, interval=60):
        pass
"""


class Duck:
    """A provider by its shape alone."""

    name = "duck"

    def __init__(self, **parts):
        for key, value in parts.items():
            setattr(self, key, value)

    def is_available(self):
        return True

    def start(self, stop_event, *, adapters=None, loop=None, interval=60):
        pass


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HERMES_HOME", str(tmp_path))
    state = process.ProcessState(pid=1, boot_id="b", host="h")
    monkeypatch.setattr(process, "current", lambda: state)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("_hermes_user_cron"):
            del sys.modules[name]


def configure(home, provider):
    (home / "config.yaml").write_text(f"cron:\n  provider: {provider}\n")


def plugin(home, source, name="mine"):
    folder = home / "plugins" / name
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(source)
    return folder


def resolves_to_builtin(caplog, *, configured, because):
    caplog.clear()
    provider = resolve_cron_scheduler()
    assert type(provider) is InProcessCronScheduler
    said = [r.getMessage() for r in caplog.records if "using built-in ticker" in r.getMessage()]
    assert len(said) == 1, caplog.text
    assert configured in said[0]
    assert because in said[0]
    fallback = process.current().fallback
    assert fallback["configured"] == configured
    assert because in fallback["reason"]


@pytest.mark.parametrize("said", ["", "''", "builtin", "in-process", "inprocess", "' builtin '"])
def test_no_name_or_an_alias_gives_the_builtin_without_a_warning(home, caplog, said):
    configure(home, said)
    process.current().fallback = {"configured": "old", "reason": "old"}
    assert type(resolve_cron_scheduler()) is InProcessCronScheduler
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert process.current().fallback is None


def test_no_configuration_gives_the_builtin(home):
    assert type(resolve_cron_scheduler()) is InProcessCronScheduler


def test_an_unknown_name_is_named(home, caplog):
    configure(home, "nonesuch")
    resolves_to_builtin(caplog, configured="nonesuch", because="not found")


def test_a_plugin_that_is_there_without_a_provider_is_not_said_to_be_missing(home, caplog):
    configure(home, "mine")
    plugin(home, "def register(context):\n    pass\n")
    resolves_to_builtin(caplog, configured="mine", because="register_cron_scheduler")


def test_an_unavailable_provider_is_named(home, caplog):
    """Chronos, without any of what it needs."""
    configure(home, "chronos")
    resolves_to_builtin(caplog, configured="chronos", because="not available")


def test_an_available_one_is_used(home, caplog):
    configure(home, "mine")
    plugin(home, GOOD)
    process.current().fallback = {"configured": "old", "reason": "old"}
    caplog.set_level(logging.INFO)
    assert resolve_cron_scheduler().name == "mine"
    assert "Using cron scheduler provider: mine" in caplog.text
    assert process.current().fallback is None


def test_a_patched_loader_is_asked(home, monkeypatch):
    configure(home, "duck")
    duck = Duck()
    monkeypatch.setattr(plugins, "load_cron_scheduler", lambda name: duck)
    assert resolve_cron_scheduler() is duck


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit, ValueError])
def test_a_loader_that_raises_is_survived(home, caplog, monkeypatch, error):
    def load(name):
        raise error

    configure(home, "mine")
    monkeypatch.setattr(plugins, "load_cron_scheduler", load)
    resolves_to_builtin(caplog, configured="mine", because=error.__name__)


def test_a_configuration_that_raises_is_said(home, caplog, monkeypatch):
    def load_config():
        raise SystemExit("no config")

    monkeypatch.setattr(config, "load_config", load_config)
    resolves_to_builtin(caplog, configured="None", because="could not be read: SystemExit")


@pytest.mark.parametrize("error", DEADLY)
@pytest.mark.parametrize(
    "where",
    [
        "raise {error}('in the import')",
        GOOD + "    def __init__(self):\n        raise {error}('in the constructor')\n",
        GOOD + "def register(ctx):\n    raise {error}('in register')\n",
        GOOD + "    def is_available(self):\n        raise {error}('in is_available')\n",
        GOOD + "    name = property(lambda self: (_ for _ in ()).throw({error}('in name')))\n",
        "from . import other\nCronScheduler = 1",
    ],
    ids=["import", "constructor", "register", "is_available", "name", "submodule"],
)
def test_whatever_is_raised_on_the_way_gives_the_builtin(home, caplog, where, error):
    configure(home, "mine")
    folder = plugin(home, "# CronScheduler\n" + where.replace("{error}", error))
    (folder / "other.py").write_text(f"raise {error}('in a submodule')\n")
    resolves_to_builtin(caplog, configured="mine", because=error)


@pytest.mark.parametrize("error", DEADLY)
def test_nothing_half_imported_stays_and_a_mended_plugin_loads(home, caplog, error):
    configure(home, "mine")
    folder = plugin(home, f"from . import good, bad  # CronScheduler\nx = {error}")
    (folder / "good.py").write_text("")
    (folder / "bad.py").write_text(f"raise {error}")
    resolves_to_builtin(caplog, configured="mine", because=error)
    assert not [name for name in sys.modules if name.startswith("_hermes_user_cron.")]
    assert not hasattr(sys.modules.get("_hermes_user_cron"), "mine")
    (folder / "__init__.py").write_text(GOOD)
    assert resolve_cron_scheduler().name == "mine"


@pytest.mark.parametrize(
    ("registered", "because"),
    [
        ("42", "has no start()"),
        ("type('P', (), {'name': 'p'})()", "has no start()"),
        ("Mine", "a class was registered"),
        ("Mine().start", "has no start()"),
    ],
)
def test_what_is_not_a_provider_is_refused(home, caplog, registered, because):
    configure(home, "mine")
    plugin(home, GOOD + f"def register(ctx):\n    ctx.register_cron_scheduler({registered})\n")
    resolves_to_builtin(caplog, configured="mine", because=because)


async def _coroutine(stop_event, *, adapters=None, loop=None, interval=60):
    pass


@pytest.mark.parametrize(
    ("parts", "because"),
    [
        ({"start": lambda stop_event: None}, "does not take"),
        ({"start": lambda: None}, "does not take"),
        ({"start": lambda stop, extra, *, adapters, loop, interval: None}, "does not take"),
        ({"start": _coroutine}, "coroutine"),
        ({"name": None}, "its name is None"),
        ({"name": ""}, "its name is ''"),
        ({"name": lambda: "x"}, "a non-empty string is needed"),
        ({"name": "builtin"}, "the built-in's name alone"),
        ({"name": " In-Process"}, "the built-in's name alone"),
        ({"is_available": lambda: 1}, "answered 1, not a bool"),
        ({"is_available": lambda: None}, "answered None, not a bool"),
        ({"is_available": None}, "not callable"),
    ],
)
def test_wrong_parts_are_refused(home, caplog, monkeypatch, parts, because):
    configure(home, "duck")
    monkeypatch.setattr(plugins, "load_cron_scheduler", lambda name: Duck(**parts))
    resolves_to_builtin(caplog, configured="duck", because=because)


def test_a_subclass_of_the_builtin_that_keeps_its_name_is_refused(home, caplog, monkeypatch):
    class Sub(InProcessCronScheduler):
        pass

    configure(home, "sub")
    monkeypatch.setattr(plugins, "load_cron_scheduler", lambda name: Sub())
    resolves_to_builtin(caplog, configured="sub", because="the built-in's name alone")


def test_more_keywords_with_defaults_and_any_keywords_are_fine(home, monkeypatch):
    configure(home, "duck")
    for start in (
        lambda stop, *, adapters=None, loop=None, interval=60, can_dispatch=None: None,
        lambda stop, **kw: None,
    ):
        duck = Duck(start=start)
        monkeypatch.setattr(plugins, "load_cron_scheduler", lambda name, duck=duck: duck)
        assert resolve_cron_scheduler() is duck


@pytest.mark.parametrize(
    "name", ["../evil", "/tmp/evil", "a/b", "a.b", ".", "..", "evil\\x", "é", "x" * 65, "-x", "a b"]
)
def test_a_name_that_is_no_name_runs_no_code(home, caplog, name):
    """FALL-8."""
    outside = home / "evil"
    outside.mkdir()
    (outside / "__init__.py").write_text("CronScheduler = 1\nraise AssertionError('code was run')")
    (home / "plugins").mkdir()
    (home / "config.yaml").write_text(f"cron:\n  provider: '{name}'\n")
    resolves_to_builtin(caplog, configured=name, because="not a provider name")
    assert plugins.find_provider_dir(name) is None
    assert plugins.load_cron_scheduler(name) is None
    assert "not a provider name" in plugins.why_not_loaded(name)


@pytest.mark.parametrize(
    ("value", "said"),
    [("42", "42"), ("[a, b]", "['a', 'b']"), ("true", "True"), ("{a: b}", "{'a': 'b'}")],
)
def test_a_value_that_is_no_text_is_refused(home, caplog, value, said):
    configure(home, value)
    resolves_to_builtin(caplog, configured=said, because="not a provider name")


def test_in_charge_is_what_runs_here_else_what_is_configured(home):
    class Empty(InProcessCronScheduler):
        def __len__(self):
            return 0

    assert type(provider_in_charge()) is InProcessCronScheduler
    process.current().provider = running = Empty()
    assert provider_in_charge() is running


HANG = "__import__('hang_gate').gate.wait()"


@pytest.fixture
def gate():
    """Where plugins of these tests hang; set at the end."""
    with hang_gate() as gate:
        yield gate


def test_an_availability_that_hangs_does_not_hang_the_host(home, caplog, monkeypatch, gate):
    """FALL-9."""
    configure(home, "duck")
    duck = Duck(is_available=gate.wait)
    monkeypatch.setattr(plugins, "load_cron_scheduler", lambda name: duck)
    resolves_to_builtin(caplog, configured="duck", because="did not come back within 5 s")


@pytest.mark.parametrize(
    ("where", "step"),
    [
        (HANG, "importing"),
        (GOOD + f"    def __init__(self):\n        {HANG}\n", "building Mine"),
        (GOOD + f"def register(ctx):\n    {HANG}\n", "register(ctx)"),
        (GOOD + f"    def is_available(self):\n        return {HANG}\n", "is_available()"),
        (GOOD + f"    name = property(lambda self: {HANG})\n", "asking for its name"),
        (GOOD + f"    start = property(lambda self: {HANG})\n", "looking for its start"),
        (GOOD + f"    __class__ = property(lambda self: {HANG})\n", "looking for its start"),
        (GOOD + f"def __getattr__(name):\n    {HANG}\n", "importing"),
        ("from . import other\nCronScheduler = 1", "importing"),
    ],
    ids=[
        "import",
        "constructor",
        "register",
        "is_available",
        "name",
        "start",
        "class",
        "module-getattr",
        "submodule",
    ],
)
def test_whatever_hangs_gives_the_builtin_and_is_named(home, caplog, gate, where, step):
    configure(home, "mine")
    folder = plugin(home, "# CronScheduler\n" + where)
    (folder / "other.py").write_text(HANG)
    resolves_to_builtin(caplog, configured="mine", because="did not come back within")
    assert step in process.current().fallback["reason"]
    if step in ("importing", "building Mine", "register(ctx)"):
        assert not below_user_package()


def below_user_package():
    return [name for name in sys.modules if name.startswith("_hermes_user_cron.")]


def questions():
    return [one for one in threading.enumerate() if one.name == "cron-provider-question"]


def answered():
    for thread in questions():
        thread.join()
    assert not questions()


def test_what_comes_back_too_late_leaves_nothing_either(home, caplog, gate):
    """It was given up in the middle of its import, and goes on importing after that."""
    configure(home, "mine")
    folder = plugin(home, f"{HANG}\nimport _hermes_user_cron.late\n" + GOOD)
    (folder / "late.py").write_text("")
    resolves_to_builtin(caplog, configured="mine", because="did not come back within")
    gate.set()
    answered()
    assert not below_user_package()
    assert not hasattr(sys.modules["_hermes_user_cron"], "mine")


def test_what_still_hangs_is_not_waited_for_again(home, caplog, gate):
    """One command asks for its provider more than once."""
    configure(home, "mine")
    plugin(home, HANG + "\n" + GOOD)
    for _ in range(3):
        resolves_to_builtin(caplog, configured="mine", because="did not come back within")
        assert len(questions()) == 1
    gate.set()
    answered()
    assert resolve_cron_scheduler().name == "mine"


def test_what_comes_back_too_late_takes_nothing_from_a_later_load(home, caplog, gate):
    configure(home, "mine")
    folder = plugin(home, HANG + "\n" + GOOD)
    resolves_to_builtin(caplog, configured="mine", because="did not come back within")
    (folder / "__init__.py").write_text(GOOD)
    assert resolve_cron_scheduler().name == "mine"
    loaded = sys.modules["_hermes_user_cron.mine"]
    gate.set()
    answered()
    assert sys.modules["_hermes_user_cron.mine"] is loaded
    assert sys.modules["_hermes_user_cron"].mine is loaded


@pytest.mark.parametrize("error", DEADLY)
@pytest.mark.parametrize(
    "nasty",
    [
        "def __getattr__(name):\n    raise {error}\n",
        (
            "class Meta(type(CronScheduler)):\n"
            "    def __call__(cls):\n        raise {error}\n"
            "class Worse(Mine, metaclass=Meta):\n    pass\n"
        ),
        "class Worse(Mine):\n    __class__ = property(lambda self: (_ for _ in ()).throw({error}))\n",
        (
            "class Odd:\n    def __repr__(self):\n        raise {error}\n"
            "class Worse(Mine):\n    def is_available(self):\n        return Odd()\n"
        ),
        (
            "class Odd(str):\n    def strip(self):\n        raise {error}\n"
            "class Worse(Mine):\n    name = Odd('worse')\n"
        ),
    ],
    ids=["module-getattr", "metaclass", "class", "repr", "text"],
)
def test_no_trick_of_the_language_escapes(home, caplog, nasty, error):
    """Discovery lists such a plugin, and the resolver passes it over."""
    configure(home, "mine")
    plugin(home, GOOD + nasty.replace("{error}", error))
    resolves_to_builtin(caplog, configured="mine", because="")
    assert ("mine", "", False) in plugins.discover_cron_schedulers()


def test_a_false_bool_is_no_bool(home, caplog, monkeypatch):
    class Says:
        __class__ = bool

    configure(home, "duck")
    duck = Duck(is_available=Says)
    monkeypatch.setattr(plugins, "load_cron_scheduler", lambda name: duck)
    resolves_to_builtin(caplog, configured="duck", because="not a bool")


def test_an_older_start_without_adapters_and_loop_is_taken(home, monkeypatch):
    configure(home, "duck")
    for start in (lambda stop_event, interval: None, lambda stop_event, *, interval=60: None):
        duck = Duck(start=start)
        monkeypatch.setattr(plugins, "load_cron_scheduler", lambda name, duck=duck: duck)
        assert resolve_cron_scheduler() is duck


def test_an_abstract_leftover_is_no_provider(home, caplog):
    configure(home, "mine")
    plugin(home, GOOD.replace("def start", "def begin"))
    resolves_to_builtin(caplog, configured="mine", because="defines no CronScheduler subclass")
    assert CronScheduler.__abstractmethods__
