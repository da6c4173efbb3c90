"""config.yaml: merged over the defaults, and never the reason why cron stops."""

import logging

import pytest

from hermes_cron import config


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HERMES_HOME", str(tmp_path))
    return tmp_path


def test_without_a_file_the_defaults_are_in_effect_and_nobody_complains(home, caplog):
    assert config.load_config() == config.DEFAULT_CONFIG
    assert config.load_config()["cron"]["provider"] == ""
    assert not caplog.records


def test_what_the_file_says_wins_and_the_rest_stays(home):
    (home / "config.yaml").write_text(
        "cron:\n  provider: chronos\n  chronos: {portal_url: http://p}\nmine: 1\n"
    )
    cfg = config.load_config()
    assert cfg["cron"]["provider"] == "chronos"
    assert cfg["cron"]["chronos"] == {
        **config.DEFAULT_CONFIG["cron"]["chronos"],
        "portal_url": "http://p",
    }
    assert cfg["cron"]["output_retention"] == 50
    assert cfg["mine"] == 1


def test_a_changed_file_is_seen_without_a_restart(home):
    path = home / "config.yaml"
    path.write_text("timezone: UTC\n")
    assert config.load_config()["timezone"] == "UTC"
    path.write_text("timezone: Europe/Berlin\n")
    assert config.load_config()["timezone"] == "Europe/Berlin"
    path.write_text("timezone: Europe/London\n")  # as long as before
    assert config.load_config()["timezone"] == "Europe/London"
    path.unlink()
    assert config.load_config()["timezone"] == ""


def test_what_a_caller_changes_is_his_own(home):
    config.load_config()["cron"]["provider"] = "mine"
    config.load_config()["cron"]["chronos"]["portal_url"] = "mine"
    assert config.load_config()["cron"]["provider"] == ""
    assert config.DEFAULT_CONFIG["cron"]["chronos"]["portal_url"] == ""


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"cron: [", "not valid YAML"),
        (b"- a\n- b\n", "holds a list"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"day: 2026-02-31\n", "not valid YAML"),
        (b"cron: 42\n", "section 'cron'"),
    ],
)
def test_an_unreadable_file_is_one_error_and_the_defaults(home, caplog, content, says):
    (home / "config.yaml").write_bytes(content)
    assert config.load_config() == config.DEFAULT_CONFIG
    assert config.load_config() == config.DEFAULT_CONFIG
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert says in record.getMessage()
    assert str(home / "config.yaml") in record.getMessage()


def test_a_folder_in_the_files_place_is_an_error_in_the_log(home, caplog):
    (home / "config.yaml").mkdir()
    assert config.load_config() == config.DEFAULT_CONFIG
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_an_empty_section_is_the_default_one(home, caplog):
    (home / "config.yaml").write_text("cron:\n")
    assert config.load_config() == config.DEFAULT_CONFIG
    assert not caplog.records


@pytest.mark.parametrize(
    ("cfg", "keys", "expected"),
    [
        ({"a": {"b": 1}}, ("a", "b"), 1),
        ({"a": {"b": None}}, ("a", "b"), None),
        ({"a": {}}, ("a", "b"), "d"),
        ({"a": "text"}, ("a", "b"), "d"),
        (None, ("a",), "d"),
        ({}, ("a", "b", "c"), "d"),
    ],
)
def test_a_path_that_ends_early_gives_the_default(cfg, keys, expected):
    assert config.cfg_get(cfg, *keys, default="d") == expected


def test_what_is_wrong_with_the_file_is_told_until_it_is_mended(home):
    path = home / "config.yaml"
    path.write_text("cron: 7\n")
    [problem] = config.problems()
    assert problem.startswith(f"{path} has a int")
    assert config.problems() == [problem], "told once, however often the file is asked"
    path.write_text("cron: {}\n")
    assert config.problems() == []
