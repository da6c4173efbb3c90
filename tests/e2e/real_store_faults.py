"""The faults of a job store as they really happen to hermes-agent's file store.

    python real_store_faults.py FOLDER

makes each in a forked process of its own below FOLDER and prints what came of it, by name, as JSON.
One thread, so that forking is safe.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from real_disk import (
    NOBODY,
    Descriptors,
    Disk,
    DyingDisk,
    NotHere,
    SmallDisk,
    UserDisk,
    just_before,
)
from store_faults import (
    OPERATIONS,
    POINTS,
    Point,
    Row,
    after,
    attempt,
    looked,
    named,
    plant,
    put,
    use,
)

from hermes_cron import paths, store

CUTS = ("store.write", "store.sync", "store.replace", "store.committed", None)


class Home:
    """The files of the host on a disk, as the process of a row uses them."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        os.environ["HERMES_HOME"] = str(disk.folder)
        self.cron = paths.current().cron_dir
        self.use()
        plant()
        disk.settle()
        self.use()

    def use(self, wait_s: float = 0.3) -> None:
        """Go on as a process that has seen nothing yet."""
        use(store.JsonFileStore(paths.current, lock_timeout_s=wait_s))

    def look(self) -> dict[str, Any]:
        self.use()
        left = sum(path.name.startswith(".jobs_") for path in self.cron.rglob("*.tmp"))
        return looked(left, len(list(self.cron.glob("jobs.json.corrupt-*"))))


def really(row: Row, home: Home) -> dict[str, Any]:
    home.use()
    outcomes = {}
    with row.real(home):
        for name in row.do:
            outcomes[name] = attempt(OPERATIONS[name])
    if not row.stays:
        home.disk.heal()
    return after(home.look, outcomes)


def in_child(do: Callable[[], Any]) -> tuple[int, int]:
    """Do something in a forked process; its id, and where it will write the outcome."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writer)
        return pid, reader
    code = 1
    with suppress(BaseException):
        os.write(writer, json.dumps(attempt(do)).encode())
        code = 0
    os._exit(code)


def really_kill(seam: str, home: Home) -> dict[str, Any]:
    point = POINTS[seam]

    def doomed() -> None:
        with point.reached(lambda: os.kill(os.getpid(), signal.SIGKILL)):
            OPERATIONS[point.do]()

    pid, reader = in_child(doomed)
    _, status = os.waitpid(pid, 0)
    os.close(reader)
    killed = os.waitstatus_to_exitcode(status) == -signal.SIGKILL
    return after(home.look, "killed" if killed else "survived")


def really_stop(seam: str, home: Home) -> dict[str, Any]:
    point = POINTS[seam]

    def stopped() -> Any:
        with point.reached(lambda: os.kill(os.getpid(), signal.SIGSTOP)):
            return OPERATIONS[point.do]()

    pid, reader = in_child(stopped)
    _, status = os.waitpid(pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status), f"it never came to {seam}"
    facts = {"during": home.look(), "meanwhile": attempt(lambda: put("meanwhile"))}
    os.kill(pid, signal.SIGCONT)
    os.waitpid(pid, 0)
    outcome = json.loads(os.read(reader, 65536))
    os.close(reader)
    return after(home.look, outcome) | facts


def really_lock(home: Home) -> dict[str, Any]:
    had, told = os.pipe()

    def hold() -> None:
        with store.current_store().lock("jobs", timeout_s=1.0):
            os.write(told, b"!")
            signal.pause()

    pid, _ = in_child(hold)
    os.read(had, 1)
    outcomes = {name: attempt(OPERATIONS[name]) for name in ("load", "update")}
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return after(home.look, outcomes)


def really_stale(home: Home) -> dict[str, Any]:
    """A reader that has the file open while somebody replaces it."""

    def elsewhere() -> None:
        pid, reader = in_child(lambda: put("newest"))
        os.waitpid(pid, 0)
        os.close(reader)

    with just_before("fstat", lambda *_: True, elsewhere):
        outcome = attempt(OPERATIONS["load"])
    return after(home.look, {"load": outcome})


def power_cut(seam: str | None, home: Home) -> dict[str, Any]:
    """The disk is gone with all that was not synced, and comes back: there, or after the update."""
    if seam is None:
        outcome = attempt(OPERATIONS["update"])
        home.disk.die()
    else:
        with POINTS[seam].reached(home.disk.die):
            outcome = attempt(OPERATIONS["update"])
    home.disk.heal()
    return after(home.look, outcome)


@contextmanager
def _at(point: Point, do: Callable[[], object], undo: Callable[[], object]) -> Iterator[None]:
    with point.reached(do):
        yield
    undo()


@contextmanager
def _from_here(do: Callable[[], object], undo: Callable[[], object]) -> Iterator[None]:
    do()
    yield
    undo()


def _nothing() -> None:
    pass


def full(home: Home) -> Any:
    return _from_here(home.disk.fill, _nothing)


def closed(home: Home) -> Any:
    return _from_here(home.disk.close, _nothing)


def closed_at(seam: str) -> Callable[[Home], Any]:
    return lambda home: _at(POINTS[seam], home.disk.close, home.disk.heal)


def dead(home: Home) -> Any:
    return _from_here(home.disk.die, _nothing)


def dead_at(seam: str) -> Callable[[Home], Any]:
    return lambda home: _at(POINTS[seam], home.disk.die, _nothing)


def no_descriptors(_home: Home) -> Any:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, limit[1]))
    all_open = Descriptors()
    return _from_here(all_open.use_up, all_open.give_back)


def no_descriptors_to_write(_home: Home) -> Any:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, limit[1]))
    all_open = Descriptors()
    return _at(Point("update", "open", named(".tmp")), all_open.use_up, all_open.give_back)


def short_files(home: Home) -> Any:
    """No file may grow beyond a few bytes; the jobs file needs more."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def set_to(limit: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))

    return _from_here(lambda: set_to(16), lambda: set_to(before[0]))


def mount_point(home: Home) -> Any:
    return _from_here(lambda: home.disk.bind(home.cron / "jobs.json"), _nothing)


@contextmanager
def lock_of_root(home: Home) -> Iterator[None]:
    lock = home.cron / ".jobs.lock"
    with home.disk.as_root():
        os.chown(lock, 0, 0)
        lock.chmod(0o600)
    yield
    with home.disk.as_root():
        lock.unlink()


@contextmanager
def sticky(home: Home) -> Iterator[None]:
    """As in /tmp: everybody may write, nobody may replace what is another's."""
    file = home.cron / "jobs.json"
    with home.disk.as_root():
        os.chown(home.cron, 0, 0)
        home.cron.chmod(0o1777)
        os.chown(file, 0, 0)
        file.chmod(0o644)
    yield
    with home.disk.as_root():
        os.chown(home.cron, NOBODY, NOBODY)
        os.chown(file, NOBODY, NOBODY)


@contextmanager
def of_another(home: Home) -> Iterator[None]:
    """Root writes the jobs file anew and keeps it to itself."""
    file = home.cron / "jobs.json"
    with home.disk.as_root():
        copy = file.with_name("by-hand")
        copy.write_bytes(file.read_bytes())
        copy.chmod(0o600)
        copy.replace(file)
    yield


@contextmanager
def bad_sectors(home: Home) -> Iterator[None]:
    """The jobs file is there and gives EIO to whoever reads it, as `/proc/self/mem` does at 0."""
    file, aside = home.cron / "jobs.json", home.cron / "moved"
    file.replace(aside)
    file.symlink_to("/proc/self/mem")
    yield
    aside.replace(file)


def rewritten(change: Callable[[bytes], bytes]) -> Callable[[Home], Any]:
    """Somebody writes the jobs file in place."""

    def do(home: Home) -> Any:
        file = home.cron / "jobs.json"
        data = change(file.read_bytes())
        return _from_here(lambda: file.write_bytes(data), _nothing)

    return do


def deleted(home: Home) -> Any:
    return _from_here((home.cron / "jobs.json").unlink, _nothing)


def executions_lost(home: Home) -> Any:
    file = home.cron / "executions.jsonl"
    return _from_here(lambda: file.write_bytes(b"\xff\0 not ours\n"), _nothing)


ROWS = [
    Row("no descriptor for the lock", "all descriptors are open", no_descriptors, "store.lock", errno.EMFILE),
    Row("lock file of root's", "chown, mode 600", lock_of_root, "store.lock", errno.EACCES, disk=UserDisk),
    Row("lock on a dead disk", "ext4 shut down", dead, "store.lock", errno.EIO, disk=DyingDisk),
    Row("lock on a read-only disk", "remounted read-only", closed, "store.lock", errno.EROFS, disk=SmallDisk),
    Row("no descriptor to read", "all descriptors are open", no_descriptors, "store.read", errno.EMFILE, do=("load",)),
    Row("unreadable sectors", "a file that gives EIO", bad_sectors, "store.read", errno.EIO, do=("load",)),
    Row("read from a dead disk", "ext4 shut down", dead, "store.read", errno.EIO, do=("load",), disk=DyingDisk),
    Row("no space at the write", "a tmpfs filled up", full, "store.write", errno.ENOSPC, disk=SmallDisk),
    Row("file too large", "RLIMIT_FSIZE", short_files, "store.write", errno.EFBIG),
    Row("folder not writable", "mode 500, not root", closed, "store.write", errno.EACCES, disk=UserDisk),
    Row("no descriptor to write", "all but the lock's in use", no_descriptors_to_write, "store.write", errno.EMFILE),
    Row("disk dies at the write", "ext4 shut down before write()", dead_at("store.write"), "store.write", errno.EIO, disk=DyingDisk),
    Row("disk dies at the sync", "ext4 shut down before fsync()", dead_at("store.sync"), "store.sync", errno.EIO, disk=DyingDisk),
    Row("disk dies at the replacement", "ext4 shut down before rename()", dead_at("store.replace"), "store.replace", errno.EIO, disk=DyingDisk, left=1),
    Row("another's file in a sticky folder", "mode 1777, file of root", sticky, "store.replace", errno.EPERM, disk=UserDisk),
    Row("folder closed before the replacement", "chmod 500 in between", closed_at("store.replace"), "store.replace", errno.EACCES, disk=UserDisk, left=1),
    Row("jobs file is a mount point", "mount --bind on the file", mount_point, "store.replace", errno.EBUSY, disk=SmallDisk),
    Row("no space for a signal", "a tmpfs filled up", full, "store.signal", errno.ENOSPC, do=("signal",), disk=SmallDisk),
    Row("no space for a record of runs", "a tmpfs filled up", full, "store.execution", errno.ENOSPC, do=("execution",), disk=SmallDisk),
    Row("no space for an output", "a tmpfs filled up", full, "store.output", errno.ENOSPC, do=("output",), disk=SmallDisk),
    Row("full", "a tmpfs filled up", full, damage="full", do=("update", "signal", "output", "execution"), disk=SmallDisk),
    Row("read-only", "all folders mode 500, not root", closed, damage="read-only", do=("load", "update", "signal", "output"), disk=UserDisk),
    Row("failing", "ext4 shut down", dead, damage="failing", do=("load", "update", "signal", "output", "execution"), disk=DyingDisk),
    Row("unreadable", "root rewrites it, mode 600", of_another, damage="unreadable", do=("load", "update"), disk=UserDisk, stays=True),
    Row("torn", "cut in half in place", rewritten(lambda data: data[: len(data) // 2]), damage="torn", do=("load", "update"), stays=True),
    Row("garbage", "overwritten in place", rewritten(lambda _: b"\0\xff not the jobs"), damage="garbage", do=("load", "update"), stays=True),
    Row("control-character", "a raw BEL typed in", rewritten(lambda data: data.replace(b'"prompt": "', b'"prompt": "\x07', 1)), damage="control-character", do=("load",), stays=True),
    Row("deleted", "unlink", deleted, damage="deleted", do=("load", "update"), stays=True),
    Row("lost", "put back as before the last write", rewritten(lambda data: data.replace(b'"old"', b'"older"')), damage="lost", do=("load",), stays=True),
    Row("forgotten-runs", "overwritten in place", executions_lost, damage="forgotten-runs", do=("load",), stays=True),
]  # fmt: skip


def all_real() -> dict[str, tuple[type[Disk], Callable[[Home], dict[str, Any]]]]:
    """What is to be produced, by name: on which disk, and how."""
    real: dict[str, tuple[type[Disk], Callable[[Home], dict[str, Any]]]] = {
        row.name: (row.disk, lambda home, row=row: really(row, home)) for row in ROWS
    }
    for seam in POINTS:
        real[f"kill {seam}"] = (Disk, lambda home, seam=seam: really_kill(seam, home))
        real[f"stop {seam}"] = (Disk, lambda home, seam=seam: really_stop(seam, home))
    for seam in CUTS:
        real[f"power {seam}"] = (DyingDisk, lambda home, seam=seam: power_cut(seam, home))
    return real | {"lock held": (Disk, really_lock), "stale": (Disk, really_stale)}


def main(folder: Path) -> None:
    facts = {}
    folder.chmod(0o755)
    Home(Disk(folder / "warm")).look()  # who is not root later can import nothing any more
    for number, (name, (kind, produce)) in enumerate(all_real().items()):

        def one(number: int = number, kind: type[Disk] = kind, produce: Any = produce) -> Any:
            try:
                return produce(Home(kind(folder / str(number))))
            except NotHere as error:
                return {"not_run": str(error)}
            except BaseException:
                return {"broke": traceback.format_exc()}

        pid, reader = in_child(one)
        with os.fdopen(reader, "rb") as pipe:
            said = pipe.read()
        os.waitpid(pid, 0)
        facts[name] = json.loads(said or b'{"broke": "it died without a word"}')
    sys.stdout.write(json.dumps(facts))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
