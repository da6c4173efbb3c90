"""Writers of one store, killed or many at a time: a process of its own, small enough to fork.

    python -m contract_tests.benches.store_writers MODULE:SURFACE

It works in the home that the environment names and prints what it saw as JSON. First one writer
after another changes a job and dies by SIGKILL before the next call of the system, or half way
through a write; after each the jobs file is read as bytes. Then several processes of two threads
each change one job at the same time.
"""

import importlib
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from contract_tests.benches.store import StoreBench, cron_folder, jobs_file
from contract_tests.surroundings import unsynced

__all__ = ["NOTE", "main", "seen_of"]

NOTE = "kit_note"
# What a write of a file can be made of; more calls of the system are not seen from here.
CALLS = ("open", "write", "fsync", "fdatasync", "close", "replace", "rename", "link", "unlink")
HALF = ("write",)
MOST_STEPS = 60
PROCESSES, THREADS, CHANGES = 3, 2, 4


class Fate:
    """Ends this process before the nth of the calls, or half way through the nth write."""

    def __init__(self, nth: int, calls: tuple[str, ...], pipe: int) -> None:
        self.left, self.calls, self.pipe = nth, calls, pipe
        self.half = calls == HALF
        self.write = os.write

    def install(self) -> None:
        """Put itself before each of the calls."""
        for name in self.calls:
            setattr(os, name, self._before(name, getattr(os, name)))

    def _before(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def deadly(*words: Any, **more: Any) -> Any:
            self.left -= 1
            if self.left == 0:
                if self.half:
                    call(words[0], bytes(words[1])[: len(words[1]) // 2])
                self.write(self.pipe, f"{'half a' if self.half else 'before'} {name}".encode())
                _die()
            return call(*words, **more)

        return deadly


def _die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise SystemExit("survived SIGKILL")


def _forked(work: Callable[[], object]) -> int:
    """The process id of a child that does this and ends; 1 when it raised."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return pid


def _ended(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def seen_of(file: Path, job_id: str) -> dict[str, Any]:
    """What is in a jobs file now: the note of one job, and all beside it; or why that is not so."""
    try:
        whole = json.loads(file.read_bytes())
        job = next(one for one in whole["jobs"] if one["id"] == job_id)
        note = job.pop(NOTE)
    except (OSError, ValueError, LookupError, TypeError, StopIteration) as error:
        return {"torn": f"{type(error).__name__}: {error}"}
    return {"note": note, "rest": whole["jobs"]}


def _names(home: Path) -> set[str]:
    return {str(path) for path in cron_folder(home).rglob("*")}


def _killed(bench: StoreBench, home: Path) -> dict[str, Any]:
    """A change killed at each step in turn, then one that is left alone."""
    job_id = bench.add()
    _ended(_forked(partial(bench.change, job_id, {NOTE: "first"})))  # what any process leaves
    names, kills, lying = _names(home), [], set[str]()
    for calls in (CALLS, HALF):
        for nth in range(1, MOST_STEPS):
            wanted, good = f"{len(calls)} {nth}", jobs_file(home).read_bytes()
            before = seen_of(jobs_file(home), job_id)
            where = _kill_at(partial(bench.change, job_id, {NOTE: wanted}), nth, calls)
            if where is None:
                break  # the change got through alive: there are no more steps
            after = seen_of(jobs_file(home), job_id)
            kills.append({"where": where, "wanted": wanted, "before": before, "after": after})
            lying |= _names(home) - names
            if "torn" in after:  # the next one starts from a whole file again
                jobs_file(home).write_bytes(good)
    bench.change(job_id, {NOTE: "last"})
    return {"kills": kills, "lying": sorted(lying), "left": sorted(_names(home) - names)}


def _kill_at(change: Callable[[], object], nth: int, calls: tuple[str, ...]) -> str | None:
    """Where a change was killed; None when it was not."""
    reader, pipe = os.pipe()

    def work() -> None:
        Fate(nth, calls, pipe).install()
        change()

    code = _ended(_forked(work))
    os.close(pipe)
    where = os.read(reader, 100).decode()
    os.close(reader)
    return where if code == -signal.SIGKILL else None


def _together(bench: StoreBench, home: Path) -> dict[str, Any]:
    """Many changes of one job at the same time, each of a field of its own."""
    job_id = bench.add()
    go, start = os.pipe()

    def changes(process: int, thread: int) -> None:
        for nth in range(CHANGES):
            bench.change(job_id, {f"kit_{process}_{thread}_{nth}": True})

    def work(process: int) -> None:
        os.close(start)
        os.read(go, 1)
        made = [threading.Thread(target=changes, args=(process, nth)) for nth in range(THREADS)]
        for thread in made:
            thread.start()
        for thread in made:
            thread.join()

    children = [_forked(partial(work, nth)) for nth in range(PROCESSES)]
    os.close(start)
    codes = [_ended(pid) for pid in children]
    os.close(go)
    whole = json.loads(jobs_file(home).read_bytes())
    job = next(one for one in whole["jobs"] if one["id"] == job_id)
    wanted = PROCESSES * THREADS * CHANGES
    return {"wanted": wanted, "stored": sum(key.startswith("kit_") for key in job), "codes": codes}


def main(host: str) -> None:
    """Do both and print what was seen."""
    module, _, name = host.partition(":")
    home = Path(os.environ["HERMES_HOME"])
    surface = getattr(importlib.import_module(module), name)()
    # A killed process loses nothing that it gave to the system, synced or not.
    with unsynced(), surface.store_bench() as bench:
        facts = _killed(bench, home) | _together(bench, home)
    sys.stdout.write(json.dumps(facts))


if __name__ == "__main__":
    main(sys.argv[1])
