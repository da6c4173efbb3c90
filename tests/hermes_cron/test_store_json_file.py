"""The file store: what is on the disk, also when something goes wrong for real."""

import errno
import fcntl
import json
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest

from hermes_cron import paths
from hermes_cron.store import JsonFileStore, StoreBusy, StoreUnreadable, StoreWriteFailed

JOB = {"id": "a", "n": 0}


@pytest.fixture
def cron(monkeypatch, tmp_path):
    """The folder of a fresh home."""
    monkeypatch.setenv("HERMES_HOME", str(tmp_path))
    return tmp_path / "cron"


@pytest.fixture
def jobs(cron):
    """A store with one job in it."""
    jobs = new_store()
    put(jobs, dict(JOB))
    return jobs


def new_store(**options):
    return JsonFileStore(paths.current, **options)


def put(jobs, job):
    with jobs.edit() as edit:
        edit.put(job)


def on_disk(cron):
    return json.loads((cron / "jobs.json").read_bytes())["jobs"]


def left_overs(cron):
    return [path.name for path in cron.rglob("*.tmp")]


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@contextmanager
def umask(value):
    before = os.umask(value)
    yield
    os.umask(before)


def in_child(do):
    """Run `do` in a forked child; its exit status, and what it returned as text."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writing, str(do()).encode())
        except BaseException as error:
            os.write(writing, f"{type(error).__name__} {getattr(error, 'reason', error)}".encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    return os.waitpid(pid, 0)[1], said


# Format and ownership.


def test_the_file_is_what_hermes_agent_writes(jobs, cron):
    content = json.loads((cron / "jobs.json").read_text())
    assert list(content) == ["jobs", "updated_at"]
    assert content["jobs"] == [JOB]
    assert content["updated_at"].endswith("+00:00")


def test_everything_is_the_owners_only(cron):
    with umask(0):
        jobs = new_store()
        put(jobs, dict(JOB))
        jobs.write_signal("ticker_heartbeat", "1")
        jobs.write_signal("gateway-1", "{}")
        jobs.append_executions([{"job_id": "a"}])
        jobs.save_output("a", "2026", "text")
    found = [cron, *cron.rglob("*")]
    assert len(found) == 12
    assert {mode(path) for path in found if path.is_dir()} == {0o700}
    assert {mode(path) for path in found if path.is_file()} == {0o600}


def test_a_folder_that_is_open_to_others_is_closed(cron):
    cron.mkdir(mode=0o755)
    put(new_store(), dict(JOB))
    assert mode(cron) == 0o700


def test_a_file_that_was_open_to_others_is_closed_by_a_write(jobs, cron):
    (cron / "jobs.json").chmod(0o644)
    put(jobs, {"id": "a", "n": 1})
    assert mode(cron / "jobs.json") == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_roots_command_leaves_the_file_to_its_owner(jobs, cron):
    os.chown(cron / "jobs.json", 65534, 65534)
    put(jobs, {"id": "a", "n": 1})
    status = (cron / "jobs.json").stat()
    assert (status.st_uid, status.st_gid) == (65534, 65534)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_roots_command_makes_first_is_left_to_the_owner_of_the_home(cron, tmp_path):
    """Also the locks: the gateway's user could not open one that root made for itself."""
    os.chown(tmp_path, 65534, 65533)
    jobs = new_store()
    put(jobs, dict(JOB))
    jobs.write_signal("gateway-1", "{}")
    jobs.append_executions([{"n": 1}])
    jobs.save_output("a", "2026", "text")
    (cron / "jobs.json").write_bytes(b"[")
    jobs.keep_aside()
    found = [cron, *cron.rglob("*")]
    assert len(found) == 12
    assert {(path.stat().st_uid, path.stat().st_gid) for path in found} == {(65534, 65533)}


def test_a_linked_jobs_file_stays_linked(cron, tmp_path):
    real = tmp_path / "dotfiles" / "jobs.json"
    real.parent.mkdir()
    real.write_text('{"jobs": []}')
    cron.mkdir()
    (cron / "jobs.json").symlink_to(real)
    put(new_store(), dict(JOB))
    assert (cron / "jobs.json").is_symlink()
    assert json.loads(real.read_text())["jobs"] == [JOB]


# Reading.


def test_an_unchanged_file_is_not_read_again(jobs):
    reader = new_store()
    read = reader.read()
    with mock.patch("pathlib.Path.open", side_effect=AssertionError):
        assert reader.read() is read
        assert jobs.read().jobs == (JOB,), "what it wrote itself is not read at all"


def test_what_another_process_wrote_is_seen(jobs):
    other = new_store()
    # Equal sizes, reused inodes, within one tick of the disk's clock.
    versions = set()
    for number in range(200):
        put(other, {"id": "a", "n": number % 10})
        assert jobs.read().get("a")["n"] == number % 10
        assert jobs.read().version == other.read().version
        versions.add(jobs.read().version)
    assert len(versions) == 200


def test_each_write_is_later_than_the_one_before(jobs, cron):
    """Whatever the clock does: readers tell states apart by it."""
    ahead = time.time_ns() + 3600 * 10**9
    os.utime(cron / "jobs.json", ns=(ahead, ahead))
    put(jobs, {"id": "a", "n": 1})
    assert (cron / "jobs.json").stat().st_mtime_ns > ahead


def test_a_fresh_home_has_no_jobs_and_reading_makes_none(cron):
    jobs = new_store()
    assert jobs.read().jobs == ()
    assert jobs.read() is jobs.read()
    assert not cron.exists()


def test_a_changed_home_is_followed(jobs, monkeypatch, tmp_path):
    monkeypatch.setenv("HERMES_HOME", str(tmp_path / "other"))
    assert jobs.read().jobs == ()
    put(jobs, {"id": "b"})
    jobs.append_executions([{"n": 1}])
    monkeypatch.setenv("HERMES_HOME", str(tmp_path))
    assert jobs.read().jobs == (JOB,)
    assert jobs.executions() == []


@pytest.mark.parametrize("who", ["the same process", "a process that never saw it"])
def test_a_missing_file_where_there_was_one_is_said(jobs, cron, who):
    (cron / "jobs.json").unlink()
    reader = jobs if who == "the same process" else new_store()
    for attempt in (reader.read, lambda: put(reader, {"id": "new"})):
        with pytest.raises(StoreUnreadable, match="is missing, but there was one before") as caught:
            attempt()
        assert caught.value.reason == "missing"
    assert not (cron / "jobs.json").exists()
    (cron / "jobs.json").write_text('{"jobs": []}')
    put(reader, {"id": "new"})


def test_a_process_that_wrote_notices_the_loss_without_the_mark(jobs, cron):
    (cron / "jobs.json").unlink()
    paths.current().marker_file.unlink()
    with pytest.raises(StoreUnreadable) as caught:
        jobs.read()
    assert caught.value.reason == "missing"


def test_a_process_that_only_read_notices_the_loss_too(cron):
    cron.mkdir()
    (cron / "jobs.json").write_text('{"jobs": []}')
    jobs = new_store()
    jobs.read()
    (cron / "jobs.json").unlink()
    with pytest.raises(StoreUnreadable, match="missing"):
        jobs.read()


def test_a_corrupt_file_is_never_written_over_and_kept_aside_once(jobs, cron):
    data = b'{"jobs": [{"id": "a"'
    (cron / "jobs.json").write_bytes(data)
    for writer in (jobs, jobs, new_store()):
        with pytest.raises(StoreUnreadable, match="is not valid JSON") as caught:
            put(writer, {"id": "new"})
        assert caught.value.reason == "corrupt"
        os.utime(cron / "jobs.json", (0, 0))
    copies = list(cron.glob("jobs.json.corrupt-*"))
    assert [copy.read_bytes() for copy in copies] == [data]
    assert (cron / "jobs.json").read_bytes() == data
    assert new_store().keep_aside() == str(copies[0])


def test_a_copy_is_named_by_when_and_what_was_broken(jobs, cron, monkeypatch):
    """UTC, wherever the machine is; other damage of the same second is another copy."""
    copies = []
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "America/New_York")
        time.tzset()
        for damage in (b"{", b"["):
            (cron / "jobs.json").write_bytes(damage)
            os.utime(cron / "jobs.json", (0, 1_000_000_000))
            copies.append(jobs.keep_aside())
    time.tzset()
    begin = str(cron / "jobs.json.corrupt-20010909T014640Z-")
    assert copies == [f"{begin}15d54739", f"{begin}2ebb67f1"]
    assert [Path(copy).read_bytes() for copy in copies] == [b"{", b"["]


def test_reading_a_corrupt_file_writes_nothing(jobs, cron):
    (cron / "jobs.json").write_bytes(b"[")
    before = sorted(cron.iterdir())
    with pytest.raises(StoreUnreadable, match=f"^{cron}/jobs.json is not valid JSON"):
        new_store().read()
    assert sorted(cron.iterdir()) == before


def test_a_good_file_is_not_kept_aside(jobs, cron):
    assert jobs.keep_aside() is None
    assert list(cron.glob("*.corrupt-*")) == []


def test_a_folder_in_the_files_place_is_unreadable(jobs, cron):
    (cron / "jobs.json").unlink()
    (cron / "jobs.json").mkdir()
    with pytest.raises(StoreUnreadable, match="Is a directory") as caught:
        put(jobs, {"id": "new"})
    assert caught.value.reason == "io"


@pytest.mark.usefixtures("jobs")
def test_somebody_elses_file_is_a_permission_error(cron):
    """The jobs file was rewritten as root (#68483)."""

    def read_as_nobody():
        # The folders above belong to root too: only the file's own mode is to count.
        cron.chmod(0o755)
        os.chdir(cron)
        if os.geteuid() == 0:
            os.setuid(65534)
        else:
            (cron / "jobs.json").chmod(0)
        here = paths.Paths(*map(Path, (".", "jobs.json", "output", "heartbeat", "success")))
        return JsonFileStore(lambda: here).read()

    assert in_child(read_as_nobody)[1] == "StoreUnreadable permission"


# Writing.


@pytest.mark.parametrize(
    ("error", "reason", "says"),
    [
        (
            PermissionError(errno.EACCES, "Permission denied"),
            "permission",
            "Permission denied. Nothing was changed; make it readable for the user that runs this.",
        ),
        (OSError(errno.EIO, "I/O error"), "io", "I/O error. Nothing was changed; look at it."),
        (OSError("no number"), "io", "no number. Nothing was changed; look at it."),
    ],
)
def test_a_file_that_cannot_be_read_says_why_and_what_to_do(jobs, cron, error, reason, says):
    with (
        mock.patch("pathlib.Path.stat", side_effect=error),
        pytest.raises(StoreUnreadable) as caught,
    ):
        jobs.read()
    assert str(caught.value) == f"{cron / 'jobs.json'} cannot be read: {says}"
    assert (caught.value.reason, caught.value.__cause__) == (reason, error)


def test_an_edit_is_one_write_and_none_when_nothing_changed(jobs):
    with mock.patch("os.replace", wraps=os.replace) as replace:
        with jobs.edit() as edit:
            for number in range(100):
                edit.put({"id": f"j{number}"})
            edit.get("a")["n"] = 5
        assert replace.call_count == 1
        put(jobs, {"id": "a", "n": 5})
        assert replace.call_count == 1


def test_what_was_written_is_known_without_reading_it(jobs, cron):
    told = json.loads((cron / "jobs.json").read_bytes())["updated_at"]
    assert jobs.read().updated_at == told == new_store().read().updated_at
    assert jobs.read().version == new_store().read().version


def test_the_temporary_file_is_named_as_what_only_a_holder_of_the_lock_writes(jobs):
    """So that the next one who holds it sweeps it at once, whoever left it."""
    with (
        mock.patch("os.replace", side_effect=OSError(errno.EIO, "no")) as replaced,
        pytest.raises(StoreWriteFailed),
    ):
        put(jobs, {"id": "b"})
    [(temporary, _target)] = [call.args for call in replaced.call_args_list]
    assert Path(temporary).name.startswith(".jobs_")


def test_an_exception_in_the_edit_writes_nothing(jobs, cron):
    def interrupted():
        with jobs.edit() as edit:
            edit.get("a")["n"] = 1
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert on_disk(cron) == [JOB]
    put(jobs, {"id": "a", "n": 2})


@pytest.mark.parametrize(
    "failure",
    [
        (errno.ENOSPC, "no_space"),
        (errno.EDQUOT, "no_space"),
        (errno.EROFS, "permission"),
        (errno.EACCES, "permission"),
        (errno.EIO, "io"),
        (errno.EMFILE, "too_many_files"),
    ],
)
@pytest.mark.parametrize(
    ("call", "step"),
    [("open", "write"), ("write", "write"), ("fsync", "sync"), ("replace", "replace")],
)
def test_a_write_that_fails_keeps_the_old_and_leaves_nothing(jobs, cron, call, step, failure):
    number, reason = failure
    before = jobs.read()
    original = getattr(os, call)

    def fail(first, *rest, **named):
        if call == "open" and not str(first).endswith(".tmp"):
            return original(first, *rest, **named)
        raise OSError(number, os.strerror(number))

    with (
        mock.patch(f"os.{call}", fail),
        pytest.raises(StoreWriteFailed, match=os.strerror(number)) as caught,
    ):
        put(jobs, {"id": "a", "n": 1})
    assert (caught.value.reason, caught.value.step, caught.value.errno) == (reason, step, number)
    assert isinstance(caught.value, OSError)
    assert on_disk(cron) == [JOB]
    assert jobs.read() is before
    assert left_overs(cron) == []
    put(jobs, {"id": "a", "n": 1})
    assert on_disk(cron) == [{"id": "a", "n": 1}]


def test_a_file_that_may_not_grow_keeps_the_old(jobs, cron):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    try:
        with pytest.raises(StoreWriteFailed, match="could not write") as caught:
            put(jobs, {"id": "a", "prompt": "x" * 5000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.reason == "no_space"
    assert (on_disk(cron), left_overs(cron)) == ([JOB], [])


def test_short_writes_are_continued(jobs, cron):
    original = os.write
    with mock.patch("os.write", lambda fd, data: original(fd, data[:7])):
        put(jobs, {"id": "a", "prompt": "x" * 100})
    assert on_disk(cron) == [{"id": "a", "prompt": "x" * 100}]


def test_the_content_is_on_the_disk_before_the_old_goes(jobs):
    calls = []
    fsync, replace = os.fsync, os.replace
    with (
        mock.patch(
            "os.fsync", lambda fd: (calls.append(stat.S_IFMT(os.fstat(fd).st_mode)), fsync(fd))
        ),
        mock.patch("os.replace", lambda *names: (calls.append("replace"), replace(*names))),
    ):
        put(jobs, {"id": "a", "n": 1})
    assert calls == [stat.S_IFREG, "replace", stat.S_IFDIR]


def test_a_folder_that_cannot_be_synced_is_logged_only(jobs, cron, caplog):
    """The new state is in force by then: an error would say the opposite."""
    original = os.fsync

    def fail(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, "no")
        original(descriptor)

    with mock.patch("os.fsync", fail):
        put(jobs, {"id": "a", "n": 1})
    assert on_disk(cron) == [{"id": "a", "n": 1}]
    assert "could not be synced" in caplog.text


def kill_me(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def write_half_and_die(descriptor, data):
    os.pwrite(descriptor, data[: len(data) // 2], 0)
    kill_me()


def replace_and_die(temporary, target):
    Path(temporary).rename(target)
    kill_me()


@pytest.mark.parametrize(
    ("call", "fake", "new"),
    [
        ("write", write_half_and_die, False),
        ("fsync", kill_me, False),
        ("replace", kill_me, False),
        ("replace", replace_and_die, True),
    ],
)
def test_a_killed_writer_leaves_the_old_or_the_new(jobs, cron, call, fake, new):
    def write():
        with mock.patch(f"os.{call}", fake):
            put(jobs, {"id": "a", "n": 1})

    assert in_child(write)[0] == signal.SIGKILL
    expected = {"id": "a", "n": 1} if new else JOB
    assert on_disk(cron) == [expected]
    assert len(left_overs(cron)) == (0 if new else 1)
    put(jobs, {"id": "b"})
    assert on_disk(cron) == [expected, {"id": "b"}]
    assert left_overs(cron) == []


def test_left_overs_of_hermes_agent_are_swept_and_nothing_else(jobs, cron):
    (cron / ".jobs_ab12.tmp").touch()
    (cron / "mine.tmp").touch()
    (cron / ".hb_cd34.tmp").touch()
    put(jobs, {"id": "b"})
    assert sorted(left_overs(cron)) == [".hb_cd34.tmp", "mine.tmp"]
    os.utime(cron / ".hb_cd34.tmp", (0, 0))
    put(jobs, {"id": "c"})
    assert left_overs(cron) == ["mine.tmp"]


def test_a_signal_that_a_killed_process_left_half_is_swept(jobs, cron):
    def write():
        with mock.patch("os.replace", kill_me):
            jobs.write_signal("gateway-1", "{}")

    assert in_child(write)[0] == signal.SIGKILL
    assert len(left_overs(cron)) == 1
    new_store().write_signal("gateway-2", "{}")
    assert left_overs(cron) == []


# Locks.


def increment(jobs, times):
    for _ in range(times):
        with jobs.edit() as edit:
            edit.get("a")["n"] += 1


def test_threads_and_processes_lose_no_update(jobs, cron):
    children = []
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            increment(new_store(), 25)
            os._exit(0)
        children.append(pid)
    threads = [threading.Thread(target=increment, args=(jobs, 25)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0, 0]
    assert on_disk(cron) == [{"id": "a", "n": 150}]


HOLDER = "import fcntl,sys; f=open(sys.argv[1],'a+'); fcntl.flock(f,2); print('held',flush=True); input()"


@pytest.fixture
def holder(jobs, cron):
    """Another process that has locked the jobs as hermes-agent does."""
    command = [sys.executable, "-S", "-c", HOLDER, str(cron / ".jobs.lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"held\n"
        yield child
        child.kill()


def test_a_stuck_process_is_waited_for_a_bounded_time(holder, cron):
    jobs = new_store(lock_timeout_s=0.1)
    start = time.monotonic()
    with pytest.raises(
        StoreBusy, match=r"another process has held .*\.jobs\.lock for more than 0.1 s"
    ):
        put(jobs, {"id": "a", "n": 1})
    assert time.monotonic() - start > 0.09
    assert on_disk(cron) == [JOB]
    assert jobs.read().jobs == (JOB,), "readers wait for nobody"
    holder.kill()
    holder.wait()
    put(jobs, {"id": "a", "n": 1})


@pytest.mark.usefixtures("holder")
def test_a_lock_that_comes_free_is_had_within_a_hundredth_of_a_second():
    pauses_s = []
    sleep = time.sleep
    with (
        mock.patch("time.sleep", lambda s: (pauses_s.append(s), sleep(s))),
        pytest.raises(StoreBusy),
    ):
        put(new_store(lock_timeout_s=0.03), {"id": "a", "n": 1})
    assert 0 < max(pauses_s) <= 0.01


def test_a_stuck_thread_is_waited_for_a_bounded_time(jobs):
    held, done = threading.Event(), threading.Event()

    def hold():
        with jobs.edit():
            held.set()
            done.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(60)
    jobs.lock_timeout_s = 0.05
    with pytest.raises(StoreBusy, match="another thread of this process"):
        put(jobs, {"id": "a", "n": 1})
    assert thread.is_alive(), "it has the lock still"
    done.set()
    thread.join()
    put(jobs, {"id": "a", "n": 1})


def test_an_edit_inside_an_edit_is_refused_at_once(jobs):
    with (
        jobs.edit(),
        pytest.raises(StoreBusy, match="an edit inside an edit cannot work"),
        jobs.edit(),
    ):
        pass
    put(jobs, {"id": "a", "n": 1})


def test_named_locks_are_apart_and_lie_where_hermes_agent_locks(jobs, cron):
    with jobs.lock("tick", timeout_s=1), jobs.lock("jobs", timeout_s=1):
        for name in (".tick.lock", ".jobs.lock"):
            with (cron / name).open() as file, pytest.raises(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_lock_that_cannot_be_opened_is_no_lock(cron):
    cron.mkdir()
    (cron / ".jobs.lock").mkdir()
    with pytest.raises(
        StoreWriteFailed, match=r"could not open the lock /.*/\.jobs\.lock"
    ) as caught:
        put(new_store(), dict(JOB))
    assert caught.value.step == "lock"
    assert not (cron / "jobs.json").exists()


def test_a_file_in_the_folders_place_is_said(cron):
    cron.write_text("")
    with pytest.raises(StoreWriteFailed, match="a folder is needed there"):
        put(new_store(), dict(JOB))


# Evidence.


def test_signals_are_listed_read_and_removed(jobs, cron):
    assert jobs.signals() == []
    jobs.write_signal("ticker_heartbeat", "1.5")
    jobs.write_signal("gateway-7", "{}")
    assert (cron / "ticker_heartbeat").read_text() == "1.5"
    assert jobs.signals() == ["gateway-7", "ticker_heartbeat"]
    assert jobs.read_signal("ticker_last_success") is None
    jobs.remove_signal("gateway-7")
    jobs.remove_signal("gateway-7")
    assert jobs.read_signal("gateway-7") is None
    (cron / "ticker_heartbeat").write_bytes(b"\xff")
    assert jobs.read_signal("ticker_heartbeat") == "\ufffd"
    (cron / "ticker_heartbeat").unlink()
    (cron / "ticker_heartbeat").mkdir()
    with pytest.raises(OSError, match="Is a directory"):
        jobs.read_signal("ticker_heartbeat")


def test_a_sign_of_life_waits_for_no_disk(jobs):
    """It is written each minute, and worth nothing after a loss of power."""
    with mock.patch("os.fsync") as synced:
        jobs.write_signal("ticker_heartbeat", "1")
    assert not synced.called


def test_what_a_writer_left_half_is_no_signal(jobs):
    jobs.write_signal("g", "1")
    folder = paths.current().signals_dir
    (folder / ".g.half").write_text("1")
    assert jobs.signals() == ["g"]


def test_signals_go_on_when_somebody_cleared_their_folder_away(jobs):
    jobs.write_signal("ticker-1", "1")
    shutil.rmtree(paths.current().signals_dir)
    with pytest.raises(StoreWriteFailed):
        jobs.write_signal("ticker-1", "2")
    jobs.write_signal("ticker-1", "3")
    assert jobs.read_signal("ticker-1") == "3"


def test_a_signal_that_cannot_be_written_leaves_the_old(jobs, cron):
    jobs.write_signal("ticker_heartbeat", "1")
    with (
        mock.patch("os.replace", side_effect=OSError(errno.EIO, "no")),
        pytest.raises(OSError, match="no"),
    ):
        jobs.write_signal("ticker_heartbeat", "2")
    assert jobs.read_signal("ticker_heartbeat") == "1"
    assert left_overs(cron) == []


@pytest.mark.parametrize("name", ["", "..", "a/b", "/etc/passwd", ".hidden"])
def test_names_stay_in_their_folder(jobs, name):
    for use in (jobs.read_signal, jobs.remove_signal, lambda name: jobs.write_signal(name, "x")):
        with pytest.raises(ValueError, match=f"^signal {name!r} is not one safe path component$"):
            use(name)
    if name != ".hidden":
        with pytest.raises(ValueError, match=f"^job id {name!r} is not one"):
            jobs.save_output(name, "2026", "x")
        with pytest.raises(ValueError, match=f"^job id {name!r} is not one"):
            jobs.outputs(name)
        with pytest.raises(ValueError, match=f"^stamp {name!r} is not one"):
            jobs.save_output("a", name, "x")
        with (
            pytest.raises(ValueError, match=f"^lock {name!r} is not one"),
            jobs.lock(name, timeout_s=0),
        ):
            pass


def test_the_newest_outputs_stay(jobs, cron):
    for minute in range(60):
        jobs.save_output("a", f"2026-03-02_09-{minute:02d}-00", "text")
    assert [path[-8:-3] for path in jobs.outputs("a")] == [
        f"{minute:02d}-00" for minute in range(10, 60)
    ]
    again = jobs.save_output("a", "2026-03-02_09-59-00", "second")
    assert (
        again == jobs.outputs("a")[-1] == str(cron / "output" / "a" / "2026-03-02_09-59-00_002.md")
    )
    assert len(jobs.outputs("a")) == 50
    assert jobs.outputs("b") == []


def test_an_output_is_later_than_the_one_before_whatever_the_clock_says(jobs):
    first = jobs.save_output("a", "2026-03-02_09-00-00", "text")
    ahead_ns = time.time_ns() + 3_600_000_000_000
    os.utime(first, ns=(ahead_ns, ahead_ns))
    second = jobs.save_output("a", "2026-03-02_08-00-00", "text")
    assert jobs.outputs("a") == [first, second]


def test_an_output_holds_what_utf_8_can(jobs):
    path = jobs.save_output("a", "2026-03-02_09-00-00", "ü\ud800x")
    assert Path(path).read_bytes() == "ü?x".encode()


def test_half_an_output_is_swept_by_the_next(jobs):
    folder = Path(jobs.save_output("a", "2026-03-02_09-00-00", "text")).parent
    (folder / ".half.tmp").write_text("te")
    os.utime(folder / ".half.tmp", (0, 0))
    jobs.save_output("a", "2026-03-02_09-01-00", "text")
    assert not (folder / ".half.tmp").exists()


def test_an_old_output_that_cannot_be_removed_is_said(cron, caplog):
    jobs = JsonFileStore(paths.current, outputs_kept=lambda: 1)
    jobs.save_output("a", "2026-03-02_09-00-00", "text")
    with mock.patch("pathlib.Path.unlink", side_effect=OSError(errno.EIO, "no")):
        jobs.save_output("a", "2026-03-02_09-01-00", "text")
    assert len(jobs.outputs("a")) == 2
    [told] = [one for one in caplog.records if "stays" in one.getMessage()]
    assert told.getMessage() == "job a: the old output 2026-03-02_09-00-00.md stays: [Errno 5] no"
    assert (told.job_id, told.occurrence) == ("a", None)


def test_the_newest_outputs_stay_in_a_repeated_hour(cron):
    """Their names go back by an hour; they are no older for that."""
    jobs = JsonFileStore(paths.current, outputs_kept=lambda: 2)
    names = [f"2026-10-25_{wall}" for wall in ("02-40-00", "02-50-00", "02-05-00", "02-10-00")]
    saved = [jobs.save_output("a", name, "text") for name in names]
    assert jobs.outputs("a") == saved[-2:]


def test_executions_are_kept_in_order_and_bounded(jobs, cron, monkeypatch):
    monkeypatch.setattr("hermes_cron.store.execution_log.EXECUTIONS_KEPT", 20)
    monkeypatch.setattr("hermes_cron.store.execution_log._SLACK", 5)
    other = new_store()
    for number in range(100):
        (jobs, other)[number % 2].append_executions(
            [{"job_id": "ab"[number % 3 == 0], "n": number, "by": "b"}]
        )
    assert [record["n"] for record in jobs.executions()] == list(range(80, 100))
    assert [record["n"] for record in other.executions("b")] == [81, 84, 87, 90, 93, 96, 99]
    assert len((cron / "executions.jsonl").read_bytes().splitlines()) <= 25


@pytest.mark.parametrize("beside", [0, 30])
def test_executions_are_found_by_their_ids(jobs, cron, beside):
    jobs.append_executions(
        [
            {"id": one, "job_id": job, "n": n}
            for n, (one, job) in enumerate(["xa", "ya", "xb", "zb"])
        ]
    )
    with (cron / "executions.jsonl").open("ab") as file:
        file.write(b'{"id": ["x"], "n": 9}\n')
    ids = {"x", "z", *map(str, range(beside))}
    assert [record["n"] for record in jobs.executions(ids=ids)] == [0, 2, 3]
    assert [record["n"] for record in jobs.executions("b", ids=ids)] == [2, 3]
    assert jobs.executions(ids=()) == []


@pytest.mark.parametrize(
    ("half", "left"), [(b'{"n": 2, "st', [1, 3, 4]), (b'{"n": 2}', [1, 2, 3, 4])]
)
def test_half_a_line_of_a_killed_writer_swallows_nothing(jobs, cron, half, left):
    jobs.append_executions([{"n": 1}])
    with (cron / "executions.jsonl").open("ab") as file:
        file.write(half)
    new_store().append_executions([{"n": 3}])
    jobs.append_executions([{"n": 4}])
    assert [record["n"] for record in jobs.executions()] == left


@pytest.mark.parametrize("data", [b"\xff\0garbage", b'{"n": 1}\n[1]\nnull\n', b"x" * 1000])
def test_a_broken_record_of_executions_is_kept_aside(jobs, cron, data, caplog):
    (cron / "executions.jsonl").write_bytes(data)
    jobs.append_executions([{"n": 2}])
    assert [record["n"] for record in jobs.executions()][-1] == 2
    assert [copy.read_bytes() for copy in cron.glob("executions.jsonl.corrupt-*")] == [data]
    assert "kept aside" in caplog.text


def test_a_folder_in_place_of_the_executions_stops_nothing(jobs, cron):
    (cron / "executions.jsonl").mkdir()
    assert jobs.executions() == []
    jobs.append_executions([{"n": 1}])
    assert jobs.executions() == [{"n": 1}]


def test_executions_are_written_under_a_lock_of_their_own(jobs):
    assert jobs.append_executions([]) is True
    other = new_store(lock_timeout_s=0.0)
    with jobs.lock("executions", timeout_s=0):
        put(other, {"id": "b"})
        assert other.append_executions([]) is True
        assert other.append_executions([{"n": 1}]) is False
    with jobs.lock("jobs", timeout_s=0):
        assert other.append_executions([{"n": 2}]) is True
    assert jobs.executions() == [{"n": 2}]


def test_executions_that_cannot_be_written_are_logged(jobs, caplog):
    with mock.patch("os.write", side_effect=OSError(errno.ENOSPC, "full")):
        assert not jobs.append_executions([{"n": 1}])
    assert "full: [{'n': 1}]" in caplog.text
    assert jobs.append_executions([{"n": 2}])
    assert jobs.executions() == [{"n": 2}]
