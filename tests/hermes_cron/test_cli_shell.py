"""What a shell has of the three commands: completion, and pipes whose reader leaves."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hermes_cron import jobs
from hermes_cron.cli import shell

BIN = Path(sys.executable).parent
JOBS = Path(__file__).parents[2] / "simulator" / "examples" / "jobs.json"
PROGRAMS = ("hermes-cron", "hermes-sim", "hermes-contract")


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HERMES_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{BIN}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def in_bash(script):
    if shutil.which("bash") is None:
        pytest.skip("NOT_RUN: no bash")
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)


COMPLETE = """
eval "$({program} completion bash)"
COMP_WORDS=({words}) COMP_CWORD={number}
{function} {program}
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def completed(program, *words):
    quoted = " ".join(f"'{word}'" for word in (program, *words))
    function = f"_{program.replace('-', '_')}_completion"
    script = COMPLETE.format(program=program, words=quoted, number=len(words), function=function)
    done = in_bash(script)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize("program", PROGRAMS)
def test_bash_completes_the_subcommands(home, program):
    assert completed(program, "lis") == ["list"]
    assert completed(program, "list", "--js") == ["--json"]


def test_bash_completes_the_jobs_names(home):
    jobs.create_job("x", "1d", name="backup")
    assert completed("hermes-cron", "pause", "ba") == ["backup"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_each_shell_has_a_script_that_asks_the_program(home, program, shell):
    command = [program, "completion", shell]
    script = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    variable = f"_{program.replace('-', '_').upper()}_COMPLETE"
    assert f"{variable}={shell}_complete" in script


def to_nobody(*command):
    """The exit code and the complaints of a command whose reader has left."""
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(write)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("hermes-cron", "list"),
        ("hermes-sim", "list"),
        ("hermes-sim", "list", "--json"),
        ("hermes-sim", "forecast", str(JOBS), "--days", "2"),
        ("hermes-contract", "list"),
    ],
)
def test_a_reader_that_has_left_is_no_failure(home, command):
    assert to_nobody(*command) == (0, "")


def test_a_verdict_is_no_other_because_nobody_reads_it(home):
    jobs.create_job("x", "1d")
    assert to_nobody("hermes-cron", "status") == (1, "")


def test_what_is_read_is_whole(home):
    out = subprocess.run(["hermes-cron", "list"], capture_output=True, text=True, check=True).stdout
    assert out.startswith("No jobs yet")
    assert out.endswith("--name backup\n")


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_fits_80_columns_and_shows_examples(home, program):
    out = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
    assert sum(line.strip().startswith(program) for line in out.splitlines()) >= 4


def test_the_library_of_scenarios_fits_80_columns(home):
    command = ["hermes-sim", "list"]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
@pytest.mark.parametrize("arguments", [["list"], ["list", "--json"], ["status"]])
def test_text_that_the_terminal_cannot_show_ends_no_command(home, encoding, arguments):
    made = jobs.create_job("x", "1d", name="bill \N{MONEY BAG}")
    half = {"id": "\ud800", "name": "half of a pair"}
    jobs.JOBS_FILE.write_text(json.dumps({"jobs": [{**made, "mine": "\ud800"}, half]}))
    done = subprocess.run(
        [BIN / "hermes-cron", *arguments],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    assert b"codec" not in done.stderr
    assert done.returncode == (1 if arguments == ["status"] else 0)
    assert made["id"].encode() in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="NOT_RUN: no /dev/full")
def test_a_full_disk_under_the_output_is_one_line(home):
    jobs.create_job("x", "1d")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [BIN / "hermes-cron", "list"], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1
    assert b"No space left" in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="NOT_RUN: no /dev/full")
@pytest.mark.parametrize(
    "words",
    [
        ("hermes-contract", "list"),
        ("hermes-contract", "check", "builtin", "--only", "ABC-1"),
        ("hermes-sim", "list"),
        ("hermes-sim", "--help"),
    ],
    ids=" ".join,
)
def test_a_verdict_that_cannot_be_said_is_unknown(words):
    """1 would say that something is violated."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [BIN / words[0], *words[1:]], stdout=full, stderr=subprocess.PIPE, check=False
        )
    said = b"Error: standard output cannot be written: No space left on device\n"
    assert (done.returncode, done.stderr) == (3, said)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_a_run_with_its_script(home, number):
    (home / "scripts").mkdir()
    (home / "scripts" / "long.sh").write_text("echo $$ > pid.new; mv pid.new pid; exec sleep 300")
    job = jobs.create_job("", "every 1h", script="long.sh", no_agent=True)
    # Whoever runs the tests in the background has this one ignored, and a child inherits that.
    before = signal.signal(number, signal.default_int_handler)
    running = subprocess.Popen([BIN / "hermes-cron", "run", job["id"]], stderr=subprocess.PIPE)
    signal.signal(number, before)
    pid = home / "scripts" / "pid"
    while not pid.exists():
        assert running.poll() is None
        time.sleep(0.02)
    running.send_signal(number)
    assert b"KeyboardInterrupt" in running.communicate(timeout=300)[1]
    assert running.returncode == 1
    with pytest.raises(ProcessLookupError):
        os.killpg(int(pid.read_text()), 0)
    assert [one["state"] for one in jobs.list_executions(job["id"])] == ["failed"]


CHECKING = ("hermes-contract", "check", "builtin")
EXPLORING = ("hermes-sim", "explore", "--workers", "2", "--examples", "1000000")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("command", [CHECKING, EXPLORING], ids=lambda words: words[0])
def test_a_signal_ends_a_judge_with_all_that_it_began_and_is_no_verdict(tmp_path, number, command):
    work = tmp_path / "work"
    work.mkdir()
    # Whoever runs the tests in the background has this one ignored, and a child inherits that.
    before = signal.signal(number, signal.SIG_DFL)
    running = subprocess.Popen(
        [BIN / command[0], *command[1:]],
        env={**os.environ, "TMPDIR": str(work)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    signal.signal(number, before)
    while not any(work.glob("hermes-*/*")):  # as it is made, nobody knows yet that it must go
        assert running.poll() is None
        time.sleep(0.02)
    running.send_signal(number)
    # Its workers have these pipes too: the end comes when all of them are gone.
    said = running.communicate(timeout=300)
    assert (running.returncode, said) == (3, (b"", b"\nstopped before there was a verdict\n"))
    assert list(work.glob("hermes-*")) == []


def test_a_hang_up_that_is_ignored_stays_ignored():
    """`nohup hermes-sim explore`, and the terminal is closed."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with shell.ending_in_order():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_defect_of_ours_is_no_verdict(capsys):
    with pytest.raises(SystemExit) as left, shell.judging():
        raise ZeroDivisionError
    assert left.value.code == 3
    assert "ZeroDivisionError" in capsys.readouterr().err
