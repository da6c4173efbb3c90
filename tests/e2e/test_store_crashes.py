"""The JSON file store under writers that are killed: old or new, never torn, nothing lost."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

KILLS = 240
SEED = 20_260_302
ROOT = Path(__file__).resolve().parents[2]
# What a commit cannot do without; each is to be met, before and after it.
STEPS = {
    f"{when} {call}"
    for call in ("open", "fsync", "replace", "close", "write")
    for when in ("before", "half" if call == "write" else "after")
}


def test_four_writers_and_hundreds_of_kills(tmp_path, figure):
    """STORE-1, STORE-3 and STORE-7: every reported increment is there, at most one more a kill."""
    began_s = time.monotonic()
    done = subprocess.run(
        [
            sys.executable,
            str(Path(__file__).parent / "store_writers.py"),
            str(tmp_path / "cron"),
            str(SEED),
            str(KILLS),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    took_s = time.monotonic() - began_s
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    writers = facts["writers"]
    kills, reported, stored = (
        sum(one[name] for one in writers) for name in ("kills", "reported", "stored")
    )
    lost = sum(max(0, one["reported"] - one["stored"]) for one in writers)
    figure(
        f"{kills} kills of 4 writers in {took_s:.1f} s, {reported} increments reported, {stored} stored, "
        f"{lost} lost, {len(facts['wrong'])} torn, at most {facts['most_left_over']} "
        f"temporary files lay about and {facts['left_over']} at the end; seed {SEED}"
    )
    figure("killed " + ", ".join(f"{step} {count}" for step, count in facts["steps"].items()))
    for one in writers:
        assert one["reported"] <= one["stored"] <= one["reported"] + one["kills"], one
        assert one["kills"] >= KILLS / 10, "each of the four was killed often"
    assert facts["wrong"] == []
    assert kills >= KILLS
    assert facts["steps"].keys() >= STEPS, STEPS - facts["steps"].keys()
    assert facts["steps"]["from outside"] >= KILLS / 10
    assert facts["left_over"] == 0
