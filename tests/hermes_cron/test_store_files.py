"""Files replaced whole or not at all, and what a writer that is gone left behind."""

import errno
import logging
import os
import stat
import subprocess
import sys
from itertools import count
from pathlib import Path
from unittest import mock

import pytest

from hermes_cron import clock, process
from hermes_cron.store import StoreWriteFailed, files

NOW_S = 1_700_000_000


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current one, so that names without a folder lie in it too."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def failing(call, number):
    return mock.patch(f"os.{call}", side_effect=OSError(number, os.strerror(number)))


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


# Folders.


def test_what_is_missing_above_a_folder_is_made_too(folder):
    files.make_private_folder(str(folder / "a" / "b"))
    assert (mode(folder / "a"), mode(folder / "a" / "b")) == (0o700, 0o700)


def test_a_folder_is_made_in_the_current_one(folder):
    files.make_private_folder("cron")
    assert os.listdir() == ["cron"]  # noqa: PTH208 the current one is meant


@pytest.mark.usefixtures("folder")
def test_a_new_folder_is_open_to_others_at_no_moment():
    before = os.umask(0)
    with mock.patch("os.chmod") as chmod:
        files.make_private_folder("cron")
    os.umask(before)
    assert not chmod.called
    assert mode(Path("cron")) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make others' folders")
@pytest.mark.parametrize(("who", "given"), [(0, 1), (1000, 0)])
def test_only_root_gives_to_the_owner_of_the_folder(folder, who, given):
    os.chown(folder, 65534, 65534)
    with mock.patch("os.geteuid", return_value=who), mock.patch("os.chown") as chown:
        files.replace_file("jobs.json", b"{}")
    assert chown.call_count == given


@pytest.mark.parametrize(("given", "touched"), [(0o700, 0), (0o500, 0), (0o750, 1), (0o701, 1)])
def test_only_a_folder_that_others_may_enter_is_closed(folder, given, touched):
    (folder / "cron").mkdir()
    (folder / "cron").chmod(given)
    with mock.patch("os.chmod", wraps=os.chmod) as chmod:
        files.make_private_folder(str(folder / "cron"))
    assert chmod.call_count == touched
    assert mode(folder / "cron") & 0o077 == 0


def test_a_folder_that_cannot_be_closed_is_used_as_it_is(folder, caplog):
    folder.chmod(0o755)
    with failing("chmod", errno.EPERM):
        files.make_private_folder(str(folder))
    assert "is open to others and stays so" in caplog.text


def test_a_folder_that_another_process_made_first_will_do(folder):
    mkdir = os.mkdir

    def twice(*args):
        mkdir(*args)
        mkdir(*args)

    with mock.patch("os.mkdir", twice):
        files.make_private_folder(str(folder / "cron"))


def where(failed):
    return failed.value.step, failed.value.errno


def test_what_is_in_the_way_of_a_folder_is_said(folder):
    (folder / "cron").touch()
    with pytest.raises(StoreWriteFailed) as failed:
        files.make_private_folder(str(folder / "cron"))
    assert str(failed.value) == (
        f"could not make the folder {folder}/cron (write: a folder is needed there); "
        "the old state stands; move away what is in the way, then try again"
    )
    assert where(failed) == ("write", errno.ENOTDIR)


@pytest.mark.usefixtures("folder")
def test_of_two_folders_the_one_that_cannot_be_made_is_said_once():
    with failing("mkdir", errno.EROFS), pytest.raises(StoreWriteFailed) as failed:
        files.make_private_folder("home/cron")
    assert str(failed.value) == (
        "could not make the folder home (write: Read-only file system); the old state stands; "
        "make it writable for the user that runs this, then try again"
    )
    assert where(failed) == ("write", errno.EROFS)


# Replacing.


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EACCES, "make it writable for the user that runs this"),
        (errno.EMFILE, "this process has too many files open"),
        (errno.EIO, "look at the disk"),
        (errno.EBUSY, "it is a mount point of its own: mount its folder instead"),
    ],
)
def test_a_write_that_failed_says_which_file_why_and_what_to_do(folder, number, hint):
    with failing("replace", number), pytest.raises(StoreWriteFailed) as failed:
        files.replace_file("jobs.json", b"{}")
    assert str(failed.value) == (
        f"could not write {folder}/jobs.json (replace: {os.strerror(number)}); "
        f"the old state stands; {hint}, then try again"
    )
    assert where(failed) == ("replace", number)


def test_a_temporary_file_that_cannot_be_made_says_so(folder):
    with failing("open", errno.EROFS), pytest.raises(StoreWriteFailed) as failed:
        files.replace_file("jobs.json", b"{}")
    assert str(failed.value) == (
        f"could not write {folder}/jobs.json (write: Read-only file system); the old state "
        "stands; make it writable for the user that runs this, then try again"
    )
    assert where(failed) == ("write", errno.EROFS)


def test_a_disk_that_takes_nothing_is_broken(folder):
    with mock.patch("os.write", return_value=0), pytest.raises(StoreWriteFailed) as failed:
        files.replace_file("jobs.json", b"{}")
    assert "(write: the disk took nothing)" in str(failed.value)
    assert failed.value.errno == errno.EIO
    assert list(folder.iterdir()) == []


def test_the_temporary_file_of_a_namesake_is_left_alone(folder, monkeypatch):
    """Two containers of one name on one disk: the process ids may be the same as well."""
    monkeypatch.setattr(files, "_serial", count(5))
    theirs = folder / f".jobs.json.{files._HOST:08x}.{os.getpid()}.5.tmp"
    theirs.write_text("theirs")
    with pytest.raises(StoreWriteFailed, match="File exists"):
        files.replace_file("jobs.json", b"{}")
    assert theirs.read_text() == "theirs"
    files.replace_file("jobs.json", b"{}")
    assert (folder / "jobs.json").read_text() == "{}"


@pytest.mark.parametrize(
    ("written_ns", "newer_than_ns", "found_ns"), [(7, 6, 7), (7, 7, 8), (7, 9, 10)]
)
def test_a_file_is_dated_later_only_where_it_would_not_be(
    folder, monkeypatch, written_ns, newer_than_ns, found_ns
):
    monkeypatch.setattr(
        files, "write_all", lambda descriptor, _data: os.utime(descriptor, ns=(3, written_ns))
    )
    status = files.replace_file("signal", b"", newer_than_ns=newer_than_ns)
    found = (folder / "signal").stat()
    assert status.st_mtime_ns == found.st_mtime_ns == found_ns


@pytest.mark.parametrize(
    ("number", "level"), [(errno.EINVAL, logging.DEBUG), (errno.EIO, logging.WARNING)]
)
@pytest.mark.usefixtures("folder")
def test_a_file_system_that_syncs_no_folders_is_no_news(number, level, caplog):
    caplog.set_level(logging.DEBUG)
    with failing("fsync", number):
        files.sync_folder(".")
    assert [record.levelno for record in caplog.records] == [level]


# Sweeping.


def swept(folder, name, *, age_s=0, locked_prefix=None):
    """Whether a temporary file of that name goes."""
    (folder / name).touch()
    os.utime(folder / name, (NOW_S - age_s, NOW_S - age_s))
    with mock.patch.object(clock, "epoch", return_value=float(NOW_S)):
        files.sweep(str(folder), locked_prefix=locked_prefix)
    return not (folder / name).exists()


@pytest.fixture
def other():
    """Another process of this machine."""
    command = [sys.executable, "-S", "-c", "input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as child:
        yield child
        child.kill()


def ours(pid):
    """How a process of this machine names its temporary files."""
    return f".jobs.json.{files._HOST:08x}.{pid}.0.tmp"


def test_what_a_live_process_is_writing_stays_however_old(folder, other):
    assert not swept(folder, ours(other.pid), age_s=1_000_000)
    assert not swept(folder, ours(os.getpid()), age_s=1_000_000)
    other.kill()
    other.wait()
    assert swept(folder, ours(other.pid))
    assert not swept(folder, ours(os.getpid()))


def test_whether_a_process_lives_is_asked_of_the_process_state(folder, monkeypatch):
    asked = []
    state = process.ProcessState(1, "boot", "h", pid_is_alive=asked.append)
    monkeypatch.setattr(process, "current", lambda: state)
    assert swept(folder, ours(123))
    assert swept(folder, ours("9" * 30))
    assert asked == [123, int("9" * 30)]


@pytest.mark.parametrize(
    "name",
    [
        ".jobs.json.ffffffff0.1.0.tmp",  # another machine's
        f".jobs.json.{files._HOST:08x}.x.0.tmp",
        f".jobs.json.{files._HOST:08x}.\N{SUPERSCRIPT TWO}.0.tmp",
        f".{files._HOST:08x}.1.tmp",
        ".tmp",
    ],
)
def test_what_does_not_say_whose_it_is_goes_when_it_is_an_hour_old(folder, name):
    assert not swept(folder, name, age_s=3600)
    assert swept(folder, name, age_s=3601)


def test_what_is_only_written_under_the_callers_lock_goes_at_once(folder, other):
    assert swept(folder, ours(other.pid), locked_prefix=".jobs")
    assert not swept(folder, ours(other.pid), locked_prefix=".output")


def test_what_is_no_hidden_temporary_file_stays(folder):
    assert not swept(folder, "mine.tmp", age_s=1_000_000)
    assert not swept(folder, ".mine", age_s=1_000_000)


def test_what_cannot_be_looked_at_stays(folder):
    (folder / ".half.tmp").touch()
    with failing("stat", errno.EACCES), failing("unlink", errno.EACCES) as unlink:
        files.sweep(str(folder))
    assert not unlink.called


def test_what_cannot_be_removed_stays(folder):
    with failing("unlink", errno.EACCES) as unlink:
        assert not swept(folder, ".half.tmp", age_s=3601)
    assert unlink.called


def test_a_folder_that_is_not_there_has_nothing_to_sweep(folder):
    files.sweep(str(folder / "none"))
