"""TARGET: what can be named, and what is said when nothing can."""

import logging
import textwrap

import pytest

from contract_tests.target import find_subject, subject_of
from hermes_cron import CronScheduler
from simulator.target import TargetError

PROVIDER = """
from hermes_cron import CronScheduler

class Mine(CronScheduler):
    name = "mine"

    def start(self, stop_event, *, adapters=None, loop=None, interval=60):
        return None

class Needy(Mine):
    def __init__(self, url):
        self.url = url

def make_mine():
    return Mine()

class Called(Mine):
    def __call__(self):
        raise RuntimeError("no factory")

an_instance = Mine()
one_that_is_called = Called()
helper = 42
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A user's folder, in which they stand."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(name, text=PROVIDER):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))

    return write


def test_the_references_are_known_by_name():
    assert find_subject("builtin").is_builtin
    assert find_subject("builtin").capabilities == {"blocking"}
    chronos = find_subject("chronos")
    assert chronos.make().name == "chronos"
    assert chronos.make() is not chronos.make()


@pytest.mark.parametrize("attribute", ["Mine", "make_mine", "an_instance", "one_that_is_called"])
def test_a_class_a_factory_and_an_instance_in_the_current_folder(here, attribute):
    here(f"shapes_{attribute.lower()}.py")
    subject = find_subject(f"shapes_{attribute.lower()}:{attribute}")
    assert subject.label == ("Called" if attribute == "one_that_is_called" else "Mine")
    assert subject.make().name == "mine"


def test_a_plugin_folder_is_loaded_as_the_host_would(here):
    here("plugs/my-plugin/__init__.py", PROVIDER.partition("class Needy")[0])
    here("plugs/my-plugin/plugin.yaml", "description: mine\n")
    assert find_subject("plugs/my-plugin").make().name == "mine"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("", "TARGET is empty"),
        ("built-in", "no provider is called 'built-in'.*did you mean builtin"),
        ("mine.py", "a file is named as module:attribute, mine:MyProvider"),
        ("nowhere_at_all:Mine", "cannot import 'nowhere_at_all'"),
        ("wrong_ones:", "write module:attribute"),
        ("wrong_ones:Min", "did you mean wrong_ones:Mine"),
        ("wrong_ones:helper", "is no provider"),
        ("wrong_ones:CronScheduler", "cannot be made"),
        ("wrong_ones:Needy", "cannot be made without arguments"),
        ("leaves:Mine", "raised SystemExit"),
        ("./not-there", "there is no folder"),
        ("./empty", "is no plugin folder"),
        ("./wrong_ones.py", "is a file: name it as module:attribute, wrong_ones:MyProvider"),
        ("wrong_ones", "for the file wrong_ones.py write module:attribute"),
        ("./plugs", "no plugin folder.*did you mean plugs/one"),
        ("needs_more:Mine", "'needs_more' was found, and what it imports was not.*no_such_thing"),
        ("./breaks", "gives no provider.*division by zero"),
    ],
)
def test_what_cannot_be_judged_is_said(here, tmp_path, spec, said):
    here("wrong_ones.py")
    here("leaves.py", "raise SystemExit(3)")
    here("breaks/__init__.py", "from hermes_cron import CronScheduler\n1 / 0\n")
    here("plugs/one/__init__.py")
    here("needs_more.py", "import no_such_thing\n")
    (tmp_path / "empty").mkdir()
    with pytest.raises(TargetError, match=said):
        find_subject(spec)


def test_looking_for_a_name_leaves_no_log_lines_behind(capsys, monkeypatch):
    """The reason is in the message; the host's warning about an empty home only confuses."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # as in the command
    with pytest.raises(TargetError):
        find_subject("not.a.name")
    assert capsys.readouterr().err == ""


class Local(CronScheduler):
    name = "local"

    def start(self, stop_event, *, adapters=None, loop=None, interval=60):
        return None


def test_an_instance_stands_for_its_class():
    given = Local()
    subject = subject_of(given)
    assert type(subject.make()) is Local
    assert subject.make() is not given
    with pytest.raises(TargetError, match="not a provider"):
        subject_of(42)
