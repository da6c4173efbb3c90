"""STORE: any job store. Writers that are killed, disks that fail, and how often it is written."""

import contextlib
import errno
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast
from unittest import mock

from contract_tests.benches.children import ask_child
from contract_tests.benches.store import StoreBench, hourly, jobs_file, put_file
from contract_tests.engine import Context, Outcome, held, probe, unknown, violated
from contract_tests.surroundings import captured_logs, home, unsynced

__all__ = ["raised_by", "store_on", "tree_of"]

_WRITERS = "contract_tests.benches.store_writers"


@contextlib.contextmanager
def store_on(context: Context, label: str) -> Iterator[tuple[StoreBench, Path]]:
    """A bench on a fresh home, and that home."""
    folder = context.folder / "store" / label / "home"
    with home(folder), captured_logs(), unsynced(), context.host.store_bench() as bench:
        bench.restart()
        yield bench, folder


def tree_of(folder: Path) -> set[Path]:
    """All that is in a folder, and below it."""
    return set(folder.rglob("*"))


def raised_by(call: Callable[[], object]) -> Exception | None:
    """What a call raises, if it does."""
    try:
        call()
    except Exception as error:
        return error
    return None


# Writers in a process of their own.


def _writers(context: Context) -> dict[str, Any] | str:
    """What came of the writers that were killed or worked together; or why nothing did."""
    if "store writers" not in context.shared:
        context.shared["store writers"] = _let_write(context)
    return cast("dict[str, Any] | str", context.shared["store writers"])


def _let_write(context: Context) -> dict[str, Any] | str:
    with home(context.folder / "store" / "writers" / "home"):
        return ask_child(_WRITERS, context.host)


@probe("STORE-1")
def old_or_new(context: Context) -> Outcome:
    """A writer killed before each system call of a change, and half way through each write."""
    facts = _writers(context)
    if isinstance(facts, str):
        return unknown(facts)
    new = 0
    for kill in facts["kills"]:
        before, after = kill["before"], kill["after"]
        if "torn" in after:
            return violated(f"killed {kill['where']}, it left a torn file: {after['torn']}")
        if after["rest"] != before["rest"]:
            return violated(f"killed {kill['where']}, it left other jobs than there were")
        if after["note"] not in (before["note"], kill["wanted"]):
            return violated(f"killed {kill['where']}, it left neither the old state nor the new")
        new += after["note"] == kill["wanted"]
    old = len(facts["kills"]) - new
    if not old or not new:
        return unknown(f"of {old + new} kills, {old} came before the change took effect")
    return held(f"{old + new} kills: {old} times the old state, {new} times the new")


@probe("STORE-3")
def no_update_is_lost(context: Context) -> Outcome:
    """Several processes of two threads change one job, each a field of its own each time."""
    facts = _writers(context)
    if isinstance(facts, str):
        return unknown(facts)
    wanted, stored = facts["wanted"], facts["stored"]
    if any(facts["codes"]):
        return violated(f"of the writers that worked together, some failed: {facts['codes']}")
    if stored != wanted:
        return violated(f"of {wanted} changes made at the same time, {wanted - stored} were lost")
    return held(f"all of {wanted} changes of one job, by {len(facts['codes'])} processes")


@probe("STORE-7")
def left_overs_are_swept(context: Context) -> Outcome:
    """What killed writers left, after one more change."""
    facts = _writers(context)
    if isinstance(facts, str):
        return unknown(facts)
    if not facts["lying"]:
        return unknown(f"none of {len(facts['kills'])} killed writers left a file")
    if facts["left"]:
        return violated(
            f"{len(facts['left'])} files of killed writers are still there after a change",
            *facts["left"][:3],
        )
    return held(f"{len(facts['lying'])} files of killed writers were swept")


# A disk that fails.

_ERRORS = (errno.ENOSPC, errno.EACCES, errno.EIO)
_STEPS = {
    "making the file": ("open",),
    "write": ("write",),
    "sync": ("fsync", "fdatasync"),
    "replace": ("replace", "rename"),
}


class _Disk:
    """Refuses one kind of system call to the thread that made it, half done where that can be."""

    def __init__(self, number: int) -> None:
        self.number, self.strikes = number, 0
        self._me = threading.get_ident()

    def refusing(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def refused(*words: Any, **more: Any) -> Any:
            if threading.get_ident() != self._me or not _is_ours(name, words):
                return call(*words, **more)
            self.strikes += 1
            if name == "write":
                call(words[0], bytes(words[1])[: len(words[1]) // 2])
            raise OSError(self.number, os.strerror(self.number))

        return refused


def _is_ours(name: str, words: tuple[Any, ...]) -> bool:
    """Whether a call belongs to a write; a lock is opened as well, but not as a new file."""
    return name != "open" or bool(words[1] & os.O_EXCL)


@contextlib.contextmanager
def _failing(step: str, number: int) -> Iterator[_Disk]:
    disk = _Disk(number)
    with contextlib.ExitStack() as stack:
        for name in _STEPS[step]:
            if hasattr(os, name):
                wrapped = disk.refusing(name, getattr(os, name))
                stack.enter_context(mock.patch.object(os, name, wrapped))
        yield disk


@probe("STORE-2")
def a_failing_write(context: Context) -> Outcome:
    """No space, no permission, an I/O error: at each step of a write."""
    with store_on(context, "failing") as (bench, folder):
        job_id = bench.add()
        bench.change(job_id, {"name": "before"})
        before, tree = jobs_file(folder).read_bytes(), tree_of(folder)
        struck: list[str] = []
        for step in _STEPS:
            for number in _ERRORS:
                case = f"{errno.errorcode[number]} at {step}"
                with _failing(step, number) as disk:
                    error = raised_by(lambda: bench.change(job_id, {"name": "after"}))
                if not disk.strikes:
                    continue
                struck.append(case)
                if error is None:
                    return violated(f"{case}: the change was taken for made")
                if jobs_file(folder).read_bytes() != before:
                    return violated(f"{case}: the old state is gone")
                if left := tree_of(folder) - tree:
                    names = ", ".join(sorted(path.name for path in left))
                    return violated(f"{case}: a temporary file stays: {names}")
        missed = [step for step in _STEPS if not any(case.endswith(step) for case in struck)]
        if missed:
            return unknown(f"a failure never struck at: {', '.join(missed)}")
        if (error := raised_by(lambda: bench.change(job_id, {"name": "after"}))) is not None:
            return violated(f"with the disk in order again, a change still raises: {error}")
    return held(f"{len(struck)} failures, each raised, the old state and no other file there")


# What is written.


@contextlib.contextmanager
def _writes_of(file: Path) -> Iterator[list[str]]:
    """Each replacement of a file, by whichever thread."""
    seen: list[str] = []

    def noting(call: Callable[..., None]) -> Callable[..., None]:
        def noted(source: Any, target: Any, **more: Any) -> None:
            call(source, target, **more)
            if os.fspath(target) == os.fspath(file):
                seen.append(os.fspath(source))

        return noted

    with (
        mock.patch.object(os, "replace", noting(os.replace)),
        mock.patch.object(os, "rename", noting(os.rename)),
    ):
        yield seen


_MANY = 25


@probe("STORE-9")
def one_write_for_all(context: Context) -> Outcome:
    """One tick with one due job, and one with many; none of them comes to its end."""
    counts: list[int] = []
    for many in (1, _MANY):
        with store_on(context, f"due-{many}") as (bench, folder):
            ids = [f"due-{number}" for number in range(many)]
            bench.change(bench.add(), {"name": "a first write, so that the folder is furnished"})
            late = timedelta(seconds=-30)
            put_file(folder, {"jobs": [hourly(job_id, late) for job_id in ids]})
            with _writes_of(jobs_file(folder).resolve()) as writes:
                bench.start_due()
        if missing := sorted(set(ids) - set(bench.started)):
            return unknown(f"{len(missing)} of {many} due jobs were not started")
        if not writes:
            return unknown("the jobs file was not replaced when due jobs were started")
        counts.append(len(writes))
    if max(counts) > 1:
        return violated(_spent(zip((1, _MANY), counts, strict=True)))
    return held(f"one write of the jobs file for 1 due job and for {_MANY}")


def _spent(counts: Iterable[tuple[int, int]]) -> str:
    each = ", ".join(f"{writes} writes for {due} due" for due, writes in counts)
    return f"starting what is due cost {each}"
