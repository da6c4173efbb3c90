"""STORE: files of a host that are hurt, fields that nobody knows, modes, ids that are paths."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from contract_tests.benches.store import StoreBench, cron_folder, hourly, jobs_file, put_file
from contract_tests.engine import Context, Outcome, held, probe, unknown, violated
from contract_tests.probes.store import raised_by, store_on, tree_of

__all__: list[str] = []  # probes are found by their ids


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
        error = raised_by(call)
        if error is None:
            return f"{case}: {doing} raises nothing"
        if file.name not in str(error):
            return f"{case}: {doing} does not say which file: {type(error).__name__}: {error}"
        if _content(file) != there:
            return f"{case}: {doing} wrote over it"
    raised_by(bench.start_due)
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
        with store_on(context, f"unreadable-{number}") as (bench, folder):
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
            with store_on(context, f"damaged-{number}-{born}") as (bench, folder):
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
    others = (path for path in tree_of(cron_folder(folder)) if path.is_file() and path != file)
    if any(path.read_bytes() == data for path in others):
        return None
    return f"{case}: no copy of it is kept aside"


@probe("STORE-6")
def unknown_fields(context: Context) -> Outcome:
    """Fields of a later version, in the file, in a record and inside its schedule."""
    ours = {"deep": [1, None, 2.5, {"é": True}]}
    job, bystander = hourly("known", kit=ours), hourly("bystander", kit=ours)
    job["schedule"]["kit"] = ours
    with store_on(context, "unknown-fields") as (bench, folder):
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
    with store_on(context, "modes") as (bench, folder):
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
        for path in sorted({cron, *tree_of(cron)}):
            mode, wanted = path.stat().st_mode & 0o777, 0o700 if path.is_dir() else 0o600
            if mode != wanted:
                return violated(f"{path.relative_to(folder)} is open to others: {mode:o}")
        escapes = (*_ESCAPES, str(folder.parent / "escaped"))
        for name in escapes:
            if problem := _escape(bench, folder, name):
                return violated(problem)
    return held(f"0600 and 0700 everywhere, and none of {len(escapes)} ids left its folder")


def _outputs(folder: Path) -> set[Path]:
    return {path for path in tree_of(cron_folder(folder) / "output") if path.is_file()}


def _escape(bench: StoreBench, folder: Path, job_id: str) -> str | None:
    """What an output of a job of this id wrote anywhere but in a folder of its own."""
    output = cron_folder(folder) / "output"
    before = tree_of(folder.parent)
    raised_by(lambda: bench.keep_output(job_id, "out"))
    added = {path for path in tree_of(folder.parent) - before if path.is_file()}
    astray = sorted(path for path in added if path.parent.parent != output)
    if not astray:
        return None
    where = astray[0].relative_to(folder.parent)
    return f"a job with the id {job_id!r} wrote {where}, outside its folder"
