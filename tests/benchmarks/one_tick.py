"""One `tick` with every job due, in a process of its own: hermes-agent's where that is installed.

    python one_tick.py HOW_MANY

Prints one line of JSON: how long until `tick` had started all, how long until all were recorded,
and what was written to jobs.json meanwhile. Plain Python: it runs in environments without ours.
"""

import importlib.util
import json
import logging
import os
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

TEXT = "Look at what came in since yesterday, and write down in a few lines what matters. " * 3
LONGEST_S = 600.0


class Writes:
    """What was put in the place of a file, by the interpreter's own account."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.count = self.size = 0
        sys.addaudithook(self._see)

    def _see(self, event: str, arguments: tuple) -> None:
        if event == "os.rename" and Path(arguments[1]).name == self.name:
            self.count += 1
            self.size += Path(arguments[0]).stat().st_size

    def so_far(self) -> dict[str, int]:
        return {"writes": self.count, "bytes": self.size}


def record(number: int, due_at: datetime) -> dict:
    return {
        "id": f"{number:012x}",
        "name": f"job number {number}",
        "prompt": TEXT,
        "schedule": {"kind": "interval", "minutes": 60, "display": "every 60m"},
        "schedule_display": "every 60m",
        "repeat": {"times": None, "completed": 0},
        "enabled": True,
        "state": "scheduled",
        "next_run_at": due_at.isoformat(),
        "last_run_at": None,
        "last_status": None,
        "last_error": None,
        "last_delivery_error": None,
        "deliver": "local",
        "created_at": (due_at - timedelta(days=1)).isoformat(),
    }


def main(how_many: int, home: Path) -> dict:
    os.environ["HERMES_HOME"] = str(home)
    os.environ["HERMES_TIMEZONE"] = "UTC"
    if importlib.util.find_spec("cron") is None:
        import hermes_cron.compat

        hermes_cron.compat.install()
    from cron import jobs, scheduler

    logging.disable(logging.CRITICAL)
    file = home / "cron" / "jobs.json"
    file.parent.mkdir()
    due_at = datetime.now(UTC) - timedelta(seconds=30)
    text = json.dumps({"jobs": [record(number, due_at) for number in range(how_many)]}, indent=2)
    file.write_text(text, encoding="utf-8")
    ran = []
    all_started = threading.Event()  # completions are counted apart: none comes before

    def run_job(job: dict, **_more: object) -> tuple:
        all_started.wait()
        ran.append(job["id"])
        return True, "done", "done", None

    scheduler.run_job = run_job
    jobs.load_jobs()
    writes = Writes(file.name)
    began = time.perf_counter()
    scheduler.tick(verbose=False, sync=False)
    started = {"seconds": time.perf_counter() - began, **writes.so_far()}
    all_started.set()
    while time.perf_counter() - began < LONGEST_S:
        stored = json.loads(file.read_text(encoding="utf-8"))["jobs"]
        if all(job.get("last_status") == "ok" for job in stored):
            break
        time.sleep(0.05)
    else:
        raise SystemExit("not every job was recorded")
    recorded = {"seconds": time.perf_counter() - began, **writes.so_far()}
    assert sorted(ran) == sorted(job["id"] for job in stored), "each job once"
    return {"file_bytes": len(text), "started": started, "recorded": recorded}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="one-tick-") as folder:
        line = json.dumps(main(int(sys.argv[1]), Path(folder)))
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
    os._exit(0)  # threads of pools would keep the process
