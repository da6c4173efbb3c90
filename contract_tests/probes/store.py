"""STORE: any job store. Writers that are killed, disks that fail, files that are hurt."""

import contextlib
import errno
import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast
from unittest import mock

from contract_tests.benches.children import ask_child
from contract_tests.benches.store import StoreBench, cron_folder, hourly, jobs_file, put_file
from contract_tests.engine import Context, Outcome, held, probe, unknown, violated
from contract_tests.surroundings import captured_logs, home

__all__: list[str] = []  # probes are found by their ids

_WRITERS = "contract_tests.benches.store_writers"


@contextlib.contextmanager
def _bench(context: Context, label: str) -> Iterator[tuple[StoreBench, Path]]:
    """A bench on a fresh home, and that home."""
    folder = context.folder / "store" / label / "home"
    with home(folder), captured_logs(), context.host.store_bench() as bench:
        bench.restart()
        yield bench, folder


def _tree(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


def _raised(call: Callable[[], object]) -> Exception | None:
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
    with _bench(context, "failing") as (bench, folder):
        job_id = bench.add()
        bench.change(job_id, {"name": "before"})
        before, tree = jobs_file(folder).read_bytes(), _tree(folder)
        struck: list[str] = []
        for step in _STEPS:
            for number in _ERRORS:
                case = f"{errno.errorcode[number]} at {step}"
                with _failing(step, number) as disk:
                    error = _raised(lambda: bench.change(job_id, {"name": "after"}))
                if not disk.strikes:
                    continue
                struck.append(case)
                if error is None:
                    return violated(f"{case}: the change was taken for made")
                if jobs_file(folder).read_bytes() != before:
                    return violated(f"{case}: the old state is gone")
                if left := _tree(folder) - tree:
                    names = ", ".join(sorted(path.name for path in left))
                    return violated(f"{case}: a temporary file stays: {names}")
        missed = [step for step in _STEPS if not any(case.endswith(step) for case in struck)]
        if missed:
            return unknown(f"a failure never struck at: {', '.join(missed)}")
        if (error := _raised(lambda: bench.change(job_id, {"name": "after"}))) is not None:
            return violated(f"with the disk in order again, a change still raises: {error}")
    return held(f"{len(struck)} failures, each raised, the old state and no other file there")


# Files that are hurt.


def _link_to_itself(file: Path) -> None:
    file.unlink()
    file.symlink_to(file.name)


def _folder_instead(file: Path) -> None:
    file.unlink()
    file.mkdir()


def _content(file: Path) -> bytes | str:
    """What stands in a file's place, to be compared."""
    if file.is_symlink():
        return "a link"
    if file.is_dir():
        return f"a folder of {len(list(file.iterdir()))}"
    return file.read_bytes() if file.exists() else "nothing"


def _objection(bench: StoreBench, file: Path, case: str) -> str | None:
    """What is wrong with how a host takes a jobs file that it cannot read."""
    there = _content(file)
    calls = {"reading": bench.read, "creating": bench.add, "changing": lambda: _touch(bench)}
    for doing, call in calls.items():
        error = _raised(call)
        if error is None:
            return f"{case}: {doing} raises nothing"
        if file.name not in str(error):
            return f"{case}: {doing} does not say which file: {type(error).__name__}: {error}"
        if _content(file) != there:
            return f"{case}: {doing} wrote over it"
    _raised(bench.start_due)
    if _content(file) != there or bench.started:
        return f"{case}: a tick wrote over it"
    return None


def _touch(bench: StoreBench) -> None:
    bench.change("known", {"name": "changed"})


_UNREADABLE: dict[str, Callable[[Path], object]] = {
    "a link to itself": _link_to_itself,
    "a folder in its place": _folder_instead,
    "bytes that are no JSON": lambda file: file.write_bytes(b"\x00\xff garbage"),
    "no bytes at all": lambda file: file.write_bytes(b""),
}


@probe("STORE-4")
def unreadable(context: Context) -> Outcome:
    """A jobs file that cannot be opened, or is no JSON: read, created into, changed, ticked."""
    for number, (case, hurt) in enumerate(_UNREADABLE.items()):
        with _bench(context, f"unreadable-{number}") as (bench, folder):
            put_file(folder, {"jobs": [hourly("known")]})
            bench.read()
            hurt(jobs_file(folder))
            if problem := _objection(bench, jobs_file(folder), case):
                return violated(problem)
    return held(f"an error that names the file, and nothing written, in {len(_UNREADABLE)} cases")


def _cut_short(folder: Path) -> None:
    data = jobs_file(folder).read_bytes()
    put_file(folder, data[: len(data) // 2])


_DAMAGES: dict[str, Callable[[Path], object]] = {
    "cut short": _cut_short,
    "jobs by id": lambda folder: put_file(folder, {"jobs": {"known": hourly("known")}}),
    "no jobs in it": lambda folder: put_file(folder, {"tasks": [hourly("known")]}),
    "a number": lambda folder: put_file(folder, 42),
    "gone": lambda folder: jobs_file(folder).unlink(),
}


@probe("STORE-5")
def damaged(context: Context) -> Outcome:
    """Cut short, of another shape, gone: in the process that saw it whole, and in a new one."""
    count = 0
    for number, (case, hurt) in enumerate(_DAMAGES.items()):
        for born in ("seen whole", "new"):
            with _bench(context, f"damaged-{number}-{born}") as (bench, folder):
                bench.add()  # by the host itself: a file of the kit's alone it need not remember
                hurt(folder)
                if born == "new":
                    bench.restart()
                problem = _objection(bench, jobs_file(folder), case)
                if not problem and case != "gone":
                    problem = _not_aside(folder, case)
                if problem:
                    return violated(f"in a process that is {born}, {problem}")
                count += 1
    return held(f"said, kept aside and not emptied in each of {count} cases")


def _not_aside(folder: Path, case: str) -> str | None:
    file = jobs_file(folder)
    data = file.read_bytes()
    others = (path for path in _tree(cron_folder(folder)) if path.is_file() and path != file)
    if any(path.read_bytes() == data for path in others):
        return None
    return f"{case}: no copy of it is kept aside"


# What is written.


@probe("STORE-6")
def unknown_fields(context: Context) -> Outcome:
    """Fields of a later version, in the file, in a record and inside its schedule."""
    ours = {"deep": [1, None, 2.5, {"é": True}]}
    job, bystander = hourly("known", kit=ours), hourly("bystander", kit=ours)
    job["schedule"]["kit"] = ours
    with _bench(context, "unknown-fields") as (bench, folder):
        put_file(folder, {"jobs": [job, bystander], "updated_at": "", "kit": ours})
        writes: dict[str, Callable[[], object]] = {
            "a creation": bench.add,
            "a change": lambda: _touch(bench),
            "a pause": lambda: bench.pause("known"),
            "a resume": lambda: bench.resume("known"),
            "a run": lambda: bench.run("known"),
            "a trigger": lambda: bench.trigger("known"),
            "a tick": bench.start_due,
            "a removal": lambda: bench.remove("bystander"),
        }
        for what, write in writes.items():
            before = jobs_file(folder).read_bytes()
            write()
            after = jobs_file(folder).read_bytes()
            if after == before:
                return unknown(f"{what} wrote nothing")
            if lost := _lost(json.loads(after), ours):
                return violated(f"{what} lost a field that the host does not know: {lost}")
    return held(f"unknown fields are still there after {len(writes)} kinds of write")


def _lost(whole: dict[str, Any], ours: object) -> str | None:
    jobs = {job["id"]: job for job in whole["jobs"]}
    known = jobs["known"]
    places = {"in the file": whole, "in the record": known, "in its schedule": known["schedule"]}
    if "bystander" in jobs:
        places["in another record"] = jobs["bystander"]
    return next((place for place, found in places.items() if found.get("kit") != ours), None)


_ESCAPES = ("../escaped", "../../escaped", "..", ".", "a/b", "", "nul\0byte")


@probe("STORE-8")
def owner_only(context: Context) -> Outcome:
    """Modes under the widest umask, and outputs of jobs whose ids are paths."""
    with _bench(context, "modes") as (bench, folder):
        mask = os.umask(0)
        try:
            job_id = bench.add()
            bench.run(job_id)
            bench.beat()
        finally:
            os.umask(mask)
        cron = cron_folder(folder)
        if not jobs_file(folder).exists() or not _outputs(folder):
            return unknown("the jobs or the output of a run are not where they are expected")
        for path in sorted({cron, *_tree(cron)}):
            mode, wanted = path.stat().st_mode & 0o777, 0o700 if path.is_dir() else 0o600
            if mode != wanted:
                return violated(f"{path.relative_to(folder)} is open to others: {mode:o}")
        escapes = (*_ESCAPES, str(folder.parent / "escaped"))
        for name in escapes:
            if problem := _escape(bench, folder, name):
                return violated(problem)
    return held(f"0600 and 0700 everywhere, and none of {len(escapes)} ids left its folder")


def _outputs(folder: Path) -> set[Path]:
    return {path for path in _tree(cron_folder(folder) / "output") if path.is_file()}


def _escape(bench: StoreBench, folder: Path, job_id: str) -> str | None:
    """What an output of a job of this id wrote anywhere but in a folder of its own."""
    output = cron_folder(folder) / "output"
    before = _tree(folder.parent)
    _raised(lambda: bench.keep_output(job_id, "out"))
    added = {path for path in _tree(folder.parent) - before if path.is_file()}
    astray = sorted(path for path in added if path.parent.parent != output)
    if not astray:
        return None
    where = astray[0].relative_to(folder.parent)
    return f"a job with the id {job_id!r} wrote {where}, outside its folder"


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
        with _bench(context, f"due-{many}") as (bench, folder):
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
