"""Processes beside this one: they end with it, however it ends."""

import os
import subprocess
import sys

import pytest

from simulator.processes import processes

BESIDE = """
import os, sys, time
from simulator.processes import processes

def work(sign):
    os.write(1, sign)
    time.sleep(3600)

if __name__ == "__main__":
    with processes(2) as pool:
        going = [pool.submit(work, b"x") for _ in range(2)]
        {then}
"""


@pytest.mark.parametrize(
    ("then", "code"),
    [
        ("input(); os.kill(os.getpid(), 9)", -9),
        ("input(); sys.exit(7)", 7),
    ],
    ids=["killed", "left"],
)
def test_none_of_them_outlives_its_parent(tmp_path, then, code):
    program = tmp_path / "beside.py"
    program.write_text(BESIDE.format(then=then))
    words = [sys.executable, program]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout.read(2) == b"xx", "both are at work"
        # They have this pipe too: it is over when all of them are gone.
        rest, _ = parent.communicate(b"go\n", timeout=60)
    assert (parent.returncode, rest) == (code, b"")


def test_each_begins_as_it_is_told_to(tmp_path):
    with processes(2, os.chdir, tmp_path) as pool:
        assert {pool.submit(os.getcwd).result() for _ in range(4)} == {str(tmp_path)}
