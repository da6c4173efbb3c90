"""Each injectable fault of the store, produced for real once: the same exception, the same state.

The real ones happen to hermes-agent's file store below a temporary folder, each in a process of its
own; the injected ones to the store in memory. What cannot be produced on this machine is skipped
as NOT_RUN, and said in the summary.
"""

import errno
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import real_store_faults as real_faults
import store_faults as faults

from hermes_cron import process
from simulator.fake_store import _REASONS
from simulator.fault_rule import SEAMS
from simulator.volume import DAMAGES

ROOT = Path(__file__).resolve().parents[2]
NOT_PRODUCED = {
    errno.EDQUOT: "needs a disk quota; the store takes it for ENOSPC",
    errno.ENFILE: "would leave the whole machine without descriptors; EMFILE is the same to us",
}


# Asked for before a test runs: pytest's own folder is one that only its user may enter.
FOR_ALL = tempfile.gettempdir()


@pytest.fixture(scope="module")
def real():
    """The facts of all real ones, by name; some are produced as another user."""
    with tempfile.TemporaryDirectory(dir=FOR_ALL) as folder:
        done = subprocess.run(
            [sys.executable, real_faults.__file__, folder],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def produced(real, figure):
    """The facts of a real one; a line of the table, however the comparison ends."""
    lines = {}

    def facts(name, how):
        found = real[name]
        lines["say"] = f"{name} | {how} | "
        if "not_run" in found:
            figure(f"{lines['say']}NOT_RUN: {found['not_run']}")
            pytest.skip(f"NOT_RUN: {found['not_run']}")
        assert "broke" not in found, found["broke"]
        return found

    facts.say = lambda text: figure(lines["say"] + text)
    return facts


@pytest.fixture(autouse=True)
def _own_process(monkeypatch):
    state = process.ProcessState(pid=1, boot_id="boot", host="host")
    monkeypatch.setattr(process, "current", lambda: state)


def plain(facts):
    return json.loads(json.dumps(facts))


@pytest.mark.parametrize("row", real_faults.ROWS, ids=lambda row: row.name)
def test_the_injected_fault_is_the_real_one(row, produced):
    found, said = produced(row.name, row.how), plain(faults.injected(row))
    assert found["state"].pop("temporaries") == said["state"].pop("temporaries") + row.left
    produced.say(
        f"exception {_agree(found['outcomes'], said['outcomes'])}, "
        f"state {_agree(found['state'], said['state'])}"
        + (", a temporary file stays until the next commit" if row.left else "")
    )
    assert found == said


@pytest.mark.parametrize("seam", faults.POINTS)
def test_a_killed_process_leaves_what_a_crash_leaves(seam, produced):
    found, said = produced(f"kill {seam}", "SIGKILL"), plain(faults.injected_kill(seam))
    produced.say(f"state {_agree(found['state'], said['state'])}")
    assert found["outcomes"] == "killed"
    assert found == said


@pytest.mark.parametrize("seam", faults.POINTS)
def test_a_stopped_process_is_met_as_one_that_hangs(seam, produced):
    found, said = produced(f"stop {seam}", "SIGSTOP"), plain(faults.injected_stop(seam))
    produced.say(
        f"meanwhile {_agree(found['meanwhile'], said['meanwhile'])}, "
        f"state {_agree(found['state'], said['state'])}"
    )
    assert found == said


@pytest.mark.parametrize(
    ("name", "how", "inject"),
    [
        ("lock held", "another process has it and never gives it back", faults.injected_lock),
        ("stale", "replaced while the reader has it open", faults.injected_stale),
    ],
)
def test_what_another_process_does(name, how, inject, produced):
    found, said = produced(name, how), plain(inject())
    produced.say(
        f"outcome {_agree(found['outcomes'], said['outcomes'])}, "
        f"state {_agree(found['state'], said['state'])}"
    )
    assert found == said


@pytest.mark.parametrize("seam", real_faults.CUTS)
def test_a_power_cut_leaves_the_old_or_the_new(seam, produced):
    """Which crash at which step: what was told to be done is there, and nothing is torn."""
    found = produced(f"power {seam}", "ext4 shut down without a flush, mounted again")
    there = found["state"]["jobs"]
    produced.say(f"{there[0]} afterwards")
    assert there in ([["new"]] if seam is None else [["old"], ["new"]])
    assert found["then"]["jobs"] == ["later"]
    assert found["then"]["temporaries"] == 0


def test_every_fault_of_the_catalogue_is_in_the_table(figure):
    """A seam, an effect or a damage that is new has to be produced here too."""
    produced = {(row.seam, "raise", False) for row in real_faults.ROWS if row.seam}
    for point in faults.POINTS:
        late = point == "store.committed"
        seam = "store.replace" if late else point
        produced |= {(seam, "crash", late), (seam, "hang", late)}
    # What the disk did to a write that was told to be done: the rows "torn" and "lost".
    produced |= {("store.replace", "damage", late) for late in (False, True)}
    produced |= {("store.read", "stale", False)}
    catalogue = {
        (seam, effect, late)
        for seam, place in SEAMS.items()
        if seam.startswith("store.")
        for effect in place.effects
        for late in ((False, True) if effect in place.after else (False,))
    }
    assert catalogue == produced
    assert {row.damage for row in real_faults.ROWS} - {""} == set(DAMAGES)
    assert {row.number for row in real_faults.ROWS} | set(NOT_PRODUCED) >= set(_REASONS)
    for number, why in NOT_PRODUCED.items():
        figure(f"{errno.errorcode[number]} | NOT_PRODUCED: {why}")


def _agree(real, injected):
    return "the same" if real == injected else f"DIFFERS: {real} for real, {injected} injected"
