"""Four processes that write one job store and are killed at random steps, again and again.

    python store_writers.py FOLDER SEED KILLS

Each writer raises the number of its own job, and the sum in the last job, by one in an edit and says
so through a pipe before the next: a file that is half old and half new has a wrong sum. Three of four die by their own hand at a step that was drawn: before or after a system call of
a commit, or in the middle of a write. The others are killed from outside at any time, waiting for
the lock included. After each death the file is read. The facts are printed as JSON; whoever started
this judges them. One thread, so that forking is safe.
"""

from __future__ import annotations

import json
import os
import random
import selectors
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from hermes_cron.paths import Paths
from hermes_cron.store.json_file import JsonFileStore

WRITERS = 4
WITHIN_S = 25.0
BYSTANDER = {"id": "bystander", "name": "é", "not-of-ours": {"deep": [1, None, 2.5]}}
LEDGER = "ledger"
BROKEN = {"name": "has no id", "kept": True}
# The system calls of a commit; a write may also be cut in the middle.
CALLS = ("open", "write", "fstat", "utime", "fsync", "close", "replace", "unlink")
MOST_STEPS = 45  # about three commits


@dataclass
class Writer:
    """One of the four, through all its lives."""

    job_id: str
    reported: int = 0
    kills: int = 0
    pid: int = 0
    pipe: int = -1
    kill_at_s: float | None = None
    heard: bytearray = field(default_factory=bytearray)


def store_in(folder: Path) -> JsonFileStore:
    paths = Paths(
        cron_dir=folder,
        jobs_file=folder / "jobs.json",
        output_dir=folder / "output",
        ticker_heartbeat_file=folder / "ticker_heartbeat",
        ticker_success_file=folder / "ticker_last_success",
    )
    return JsonFileStore(lambda: paths)


# -- a writer's life -----------------------------------------------------------------------------


class Fate:
    """Kills this process at the step that was drawn, counted while it holds the lock."""

    def __init__(self, steps: int, *, after: bool, say: Callable[[str], object]) -> None:
        self.steps, self.after, self.say = steps, after, say
        self.holds = False
        self.write = os.write

    def install(self) -> None:
        for name in CALLS:
            setattr(os, name, self._deadly(name, getattr(os, name)))

    def _deadly(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*words: Any, **more: Any) -> Any:
            if not self.holds:
                return call(*words, **more)
            self.steps -= 1
            if self.steps:
                return call(*words, **more)
            when = "before"
            if self.after:
                when = "after"
                if name == "write":
                    when = "half"
                    call(words[0], words[1][: len(words[1]) // 2])
                else:
                    call(*words, **more)
            self.say(f"{when} {name}")
            die()

        return wrapped


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise SystemExit("survived SIGKILL")


def live(folder: Path, job_id: str, pipe: int, seed: int, *, by_own_hand: bool) -> NoReturn:
    """Write until killed; in a child."""
    drawn = random.Random(seed)
    fate = Fate(
        drawn.randint(1, MOST_STEPS) if by_own_hand else sys.maxsize,
        after=drawn.random() < 0.5,
        say=lambda text: fate.write(pipe, f"!{text}\n".encode()),
    )
    fate.install()
    store = store_in(folder)
    until = time.monotonic() + WITHIN_S
    while time.monotonic() < until:
        with store.edit() as edit:
            fate.holds = True
            job, ledger = edit.get(job_id), edit.get(LEDGER)
            assert job is not None
            assert ledger is not None
            job["n"] += 1
            ledger["sum"] += 1
        fate.holds = False
        fate.write(pipe, b"+\n")
    os._exit(1)


# -- from outside --------------------------------------------------------------------------------


class Nursery:
    """Starts the writers, counts what they say and how they die, and looks at the file."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.drawn = random.Random(seed)
        self.writers = [Writer(f"writer-{number}") for number in range(WRITERS)]
        self.steps: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.most_left_over = 0
        self.selector = selectors.DefaultSelector()
        records = [{"id": one.job_id, "n": 0} for one in self.writers]
        folder.mkdir(parents=True)
        text = json.dumps(
            {"jobs": [BYSTANDER, *records, BROKEN, {"id": LEDGER, "sum": 0}], "kept": "too"}
        )
        (folder / "jobs.json").write_text(text)

    def run(self, kills: int) -> None:
        until = time.monotonic() + WITHIN_S
        for writer in self.writers:
            self._begin(writer)
        while self._killed() < kills and time.monotonic() < until:
            for key, _ in self.selector.select(0.005):
                if self._hear(key.data):
                    self._begin(key.data)
            for writer in self.writers:
                if writer.kill_at_s is not None and time.monotonic() > writer.kill_at_s:
                    writer.kill_at_s = None
                    os.kill(writer.pid, signal.SIGKILL)
        for writer in self.writers:
            os.kill(writer.pid, signal.SIGKILL)
            while not self._hear(writer):
                pass

    def _killed(self) -> int:
        return sum(writer.kills for writer in self.writers)

    def _begin(self, writer: Writer) -> None:
        by_own_hand = self.drawn.random() < 0.75
        seed = self.drawn.randrange(1 << 30)
        reader, pipe = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                live(self.folder, writer.job_id, pipe, seed, by_own_hand=by_own_hand)
            finally:
                os._exit(2)
        os.close(pipe)
        writer.pid, writer.pipe = pid, reader
        writer.kill_at_s = None if by_own_hand else time.monotonic() + self.drawn.uniform(0, 0.08)
        self.selector.register(reader, selectors.EVENT_READ, writer)

    def _hear(self, writer: Writer) -> bool:
        """Take in what a writer says; True when it is dead, and counted."""
        if said := os.read(writer.pipe, 65536):
            writer.heard += said
            return False
        self.selector.unregister(writer.pipe)
        os.close(writer.pipe)
        _, status = os.waitpid(writer.pid, 0)
        writer.kill_at_s = None
        if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
            self.wrong.append(f"{writer.job_id} ended by itself: status {status}")
        words = writer.heard.decode().splitlines()
        writer.heard.clear()
        writer.reported += words.count("+")
        writer.kills += 1
        self.steps[next((word[1:] for word in words if word[0] == "!"), "from outside")] += 1
        self._look()
        return True

    def _look(self) -> None:
        """The file is whole at any moment, the others' records as they were."""
        self.most_left_over = max(self.most_left_over, self._left_over())
        data = (self.folder / "jobs.json").read_bytes()
        try:
            whole = json.loads(data)
        except ValueError:
            self.wrong.append(f"torn: {data[-60:]!r}")
            return
        first, *jobs, broken, ledger = whole["jobs"]
        if [first, broken, whole["kept"]] != [BYSTANDER, BROKEN, "too"]:
            self.wrong.append("somebody else's record was changed")
        if [job["id"] for job in jobs] != [writer.job_id for writer in self.writers]:
            self.wrong.append(f"records: {jobs}")
        elif sum(job["n"] for job in jobs) != ledger["sum"]:
            self.wrong.append(f"half of one state and half of another: {jobs}, {ledger}")

    def _left_over(self) -> int:
        return sum(path.suffix == ".tmp" for path in self.folder.iterdir())

    def facts(self) -> dict[str, Any]:
        with store_in(self.folder).edit() as edit:  # the lock went with its holder
            numbers = {one.job_id: (edit.get(one.job_id) or {"n": -1})["n"] for one in self.writers}
            job = edit.get("bystander")
            assert job is not None
            job["name"] = "changed"
        return {
            "writers": [
                {"reported": one.reported, "stored": numbers[one.job_id], "kills": one.kills}
                for one in self.writers
            ],
            "steps": dict(sorted(self.steps.items())),
            "wrong": self.wrong,
            "most_left_over": self.most_left_over,
            "left_over": self._left_over(),
        }


if __name__ == "__main__":
    nursery = Nursery(Path(sys.argv[1]), int(sys.argv[2]))
    nursery.run(int(sys.argv[3]))
    sys.stdout.write(json.dumps(nursery.facts()))
