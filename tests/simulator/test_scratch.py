"""The folder that a search keeps what is not its user's in."""

import tempfile
from pathlib import Path

import pytest
from filelock import FileLock

from simulator.explore.scratch import scratch


@pytest.fixture
def tmp(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def left(tmp: Path, name: str) -> Path:
    (tmp / name).mkdir()
    (tmp / name / ".lock").touch()
    (tmp / name / "kept").write_text("what was read")
    return tmp / name


def test_it_goes_at_the_end(tmp):
    with scratch("explore-") as folder:
        assert list(tmp.iterdir()) == [Path(folder)]
    assert not list(tmp.iterdir())


def test_what_a_killed_one_left_goes_and_what_is_used_stays(tmp):
    dead, used, other = (left(tmp, name) for name in ("explore-dead", "explore-used", "other"))
    just_made = tmp / "explore-new"
    just_made.mkdir()
    with FileLock(used / ".lock"), scratch("explore-") as folder:
        assert set(tmp.iterdir()) == {used, other, just_made, Path(folder)}
    assert not dead.exists()
    assert (used / "kept").read_text() == "what was read"


def test_nothing_is_removed_through_a_link(tmp):
    home = left(tmp, "home")
    (tmp / "explore-link").symlink_to(home)
    with scratch("explore-"):
        assert (home / "kept").exists()
