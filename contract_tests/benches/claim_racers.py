"""Processes that claim the same jobs at the same time: one of its own, small enough to fork.

    python -m contract_tests.benches.claim_racers MODULE:SURFACE

It works in the home that the environment names and prints as JSON who won each job. Half of the
racers are processes of one machine, the others replicas with names of their own. Each starts while
the lock of the jobs is kept from it, so that all have looked before anybody can write.
"""

import importlib
import json
import os
import sys
import time

from contract_tests.benches.claims import ClaimBench

__all__ = ["JOBS", "RACERS", "main"]

RACERS = 4
JOBS = 3
_START_S = 0.05  # what a racer takes from its start to the lock


def _race(bench: ClaimBench, number: int, jobs: list[str], pipe: int) -> None:
    """Claim each job in turn and tell the pipe of every one that was won."""
    if number % 2:
        bench.as_replica(f"replica-{number}")
    for job_id in jobs:
        if bench.claim(job_id):
            os.write(pipe, f"{number} {job_id}\n".encode())


def _forked(bench: ClaimBench, number: int, jobs: list[str], pipe: int) -> int:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            _race(bench, number, jobs, pipe)
            code = 0
        finally:
            os._exit(code)
    return pid


def main(surface: str) -> None:
    """Let them race and print what was seen."""
    module, _, name = surface.partition(":")
    with getattr(importlib.import_module(module), name)().claim_bench() as bench:
        jobs = [bench.add() for _ in range(JOBS)]
        reader, pipe = os.pipe()
        with bench.stuck():
            children = [_forked(bench, number, jobs, pipe) for number in range(RACERS)]
            time.sleep(_START_S)
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
        os.close(pipe)
        with os.fdopen(reader) as told:
            lines = [line.split() for line in told]
    winners = {job: [number for number, won in lines if won == job] for job in jobs}
    sys.stdout.write(json.dumps({"winners": winners, "codes": codes}))


if __name__ == "__main__":
    main(sys.argv[1])
