"""The one place that reads time."""

from __future__ import annotations

import time
from zoneinfo import ZoneInfo

import pytest

from hermes_cron import clock


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HERMES_HOME", str(tmp_path))
    monkeypatch.delenv("HERMES_TIMEZONE", raising=False)
    clock._named.cache_clear()
    return tmp_path


def test_a_clock_put_in_the_place_of_time_is_read(monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 0.0)
    monkeypatch.setattr(time, "monotonic", lambda: 7.0)
    assert (clock.epoch(), clock.monotonic()) == (0.0, 7.0)
    assert clock.now().timestamp() == 0.0


def test_the_zone_is_the_configured_one(home):
    (home / "config.yaml").write_text("timezone: Asia/Kathmandu\n")
    assert clock.zone() == ZoneInfo("Asia/Kathmandu")
    assert clock.now().utcoffset().total_seconds() == 5.75 * 3600


def test_the_environment_wins(home, monkeypatch):
    (home / "config.yaml").write_text("timezone: Asia/Kathmandu\n")
    monkeypatch.setenv("HERMES_TIMEZONE", "Europe/Berlin")
    assert clock.zone() == ZoneInfo("Europe/Berlin")


def test_a_changed_configuration_is_seen_without_a_restart(home):
    (home / "config.yaml").write_text("timezone: Asia/Kathmandu\n")
    assert clock.zone().key == "Asia/Kathmandu"
    (home / "config.yaml").write_text("timezone: Australia/Lord_Howe\n")
    assert clock.zone().key == "Australia/Lord_Howe"


@pytest.mark.parametrize("name", ["Mars/Olympus", "../etc/passwd", "/etc/localtime"])
def test_a_name_that_is_no_zone_is_said_once(monkeypatch, caplog, name):
    monkeypatch.setenv("HERMES_TIMEZONE", name)
    monkeypatch.setenv("TZ", "Europe/Berlin")
    assert [clock.zone().key for _ in range(3)] == ["Europe/Berlin"] * 3
    assert len([r for r in caplog.records if name in r.getMessage()]) == 1


@pytest.mark.parametrize(("value", "said"), [("5", 1), ("[]", 0), ("''", 0), ("{a: 1}", 1)])
def test_what_is_no_name_is_the_systems_zone(home, monkeypatch, caplog, value, said):
    (home / "config.yaml").write_text(f"timezone: {value}\n")
    monkeypatch.setenv("TZ", ":Europe/Berlin")
    assert clock.zone() == (ZoneInfo("Europe/Berlin"))
    assert len([r for r in caplog.records if "is no zone" in r.getMessage()]) == said
