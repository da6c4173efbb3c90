"""The live home and the path constants that hermes-agent's callers patch."""

import sys
from pathlib import Path
from types import ModuleType
from unittest import mock

import pytest

from hermes_cron import paths


@pytest.fixture
def facade(monkeypatch):
    """A module in the place of `hermes_cron.jobs` that did what that one does."""
    module = ModuleType("hermes_cron.jobs")
    monkeypatch.setitem(sys.modules, "hermes_cron.jobs", module)
    paths.make_live("hermes_cron.jobs")
    return module


@pytest.fixture
def _home(monkeypatch, tmp_path):
    monkeypatch.setenv("HERMES_HOME", str(tmp_path / "one"))


def test_home_is_read_live(monkeypatch, tmp_path):
    monkeypatch.setenv("HERMES_HOME", str(tmp_path / "one"))
    assert paths.home() == tmp_path / "one"
    monkeypatch.setenv("HERMES_HOME", str(tmp_path / "two"))
    assert paths.home() == tmp_path / "two"
    assert paths.current().jobs_file == tmp_path / "two" / "cron" / "jobs.json"


@pytest.mark.parametrize("value", [None, "", "  "])
def test_home_without_the_variable_is_below_the_users(monkeypatch, tmp_path, value):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("HERMES_HOME", raising=False)
    if value is not None:
        monkeypatch.setenv("HERMES_HOME", value)
    assert paths.home() == tmp_path / ".hermes"


def test_a_tilde_in_the_variable_is_the_users_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HERMES_HOME", "~/bot")
    assert paths.home() == tmp_path / "bot"


def test_names_follow_a_changed_home(facade, monkeypatch, tmp_path):
    monkeypatch.setenv("HERMES_HOME", str(tmp_path / "one"))
    assert tmp_path / "one" / "cron" == facade.CRON_DIR
    monkeypatch.setenv("HERMES_HOME", str(tmp_path / "two"))
    cron = tmp_path / "two" / "cron"
    assert [getattr(facade, name) for name in paths.PATH_NAMES] == [
        cron,
        cron / "jobs.json",
        cron / "output",
        cron / "ticker_heartbeat",
        cron / "ticker_last_success",
    ]


@pytest.mark.usefixtures("_home")
def test_a_patched_folder_takes_the_others_along(facade, tmp_path):
    with mock.patch.object(facade, "CRON_DIR", tmp_path / "else"):
        assert tmp_path / "else" / "jobs.json" == facade.JOBS_FILE
        now = paths.current()
        assert now.jobs_file == tmp_path / "else" / "jobs.json"
        assert now.lock_file("jobs") == tmp_path / "else" / ".jobs.lock"
        assert now.executions_file.parent == now.signals_dir.parent == tmp_path / "else"
    assert paths.current().cron_dir == tmp_path / "one" / "cron"


@pytest.mark.usefixtures("_home")
def test_a_patched_file_is_alone(facade, tmp_path):
    with mock.patch.object(facade, "JOBS_FILE", tmp_path / "mine.json"):
        assert paths.current().jobs_file == tmp_path / "mine.json"
        assert paths.current().cron_dir == tmp_path / "one" / "cron"


@pytest.mark.parametrize("name", paths.PATH_NAMES)
def test_after_monkeypatch_is_undone_the_live_home_rules(facade, monkeypatch, tmp_path, name):
    monkeypatch.setenv("HERMES_HOME", str(tmp_path / "one"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(facade, name, tmp_path / "patched")
        assert getattr(facade, name) == tmp_path / "patched"
    monkeypatch.setenv("HERMES_HOME", str(tmp_path / "two"))
    assert getattr(facade, name).is_relative_to(tmp_path / "two")
    assert paths.current().jobs_file == tmp_path / "two" / "cron" / "jobs.json"


def test_nested_patches_come_undone_one_by_one(facade, monkeypatch, tmp_path):
    monkeypatch.setenv("HERMES_HOME", str(tmp_path))
    with pytest.MonkeyPatch.context() as outer:
        outer.setattr(facade, "CRON_DIR", tmp_path / "outer")
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(facade, "CRON_DIR", tmp_path / "inner")
            inner.setattr(facade, "JOBS_FILE", tmp_path / "inner" / "jobs.json")
        assert paths.current().cron_dir == facade.CRON_DIR == tmp_path / "outer"
        assert paths.current().jobs_file == tmp_path / "outer" / "jobs.json"
    assert paths.current().cron_dir == tmp_path / "cron"


def test_a_path_that_is_merely_equal_is_a_patch(facade, monkeypatch, tmp_path):
    """Who pins the folder to where it happens to be wants it to stay there."""
    monkeypatch.setenv("HERMES_HOME", str(tmp_path / "one"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(facade, "CRON_DIR", Path(tmp_path / "one" / "cron"))
        monkeypatch.setenv("HERMES_HOME", str(tmp_path / "two"))
        assert paths.current().cron_dir == tmp_path / "one" / "cron"


@pytest.mark.usefixtures("_home")
def test_a_string_is_a_path_too(facade, tmp_path):
    with mock.patch.object(facade, "CRON_DIR", str(tmp_path / "text")):
        assert [
            tmp_path / "text",
            tmp_path / "text" / "jobs.json",
        ] == [facade.CRON_DIR, facade.JOBS_FILE]


@pytest.mark.usefixtures("_home")
def test_deleting_what_nobody_set_is_an_error(facade):
    with pytest.raises(AttributeError, match="CRON_DIR"):
        del facade.CRON_DIR


@pytest.mark.usefixtures("_home")
def test_signals_that_hermes_agent_reads_lie_where_it_looks():
    now = paths.current()
    assert now.signal_file("ticker_heartbeat") == now.ticker_heartbeat_file
    assert now.signal_file("ticker_last_success") == now.ticker_success_file
    assert now.signal_file("gateway-1") == now.cron_dir / "signals" / "gateway-1"
