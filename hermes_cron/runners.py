"""What a run does: a script, or a prompt that an agent answers.

Scripts lie in `$HERMES_HOME/scripts`; `.sh` and `.bash` run with bash, everything else with this
Python. Agents are pluggable: the entry-point group `hermes_cron.runners` names callables
`runner(job, *, script_output) -> str` (the answer) or `-> (success, output, text, error)`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from hermes_cron import config, paths

__all__ = ["GROUP", "SILENT", "Result", "run_prompt", "run_script", "script_job"]

GROUP = "hermes_cron.runners"
SILENT = "[SILENT]"
DEFAULT_TIMEOUT_S = 3600
_LOOK_EVERY_S = 1.0  # whether a script has ended that left its pipes to others
_MOST_OUTPUT = 1_000_000  # characters kept of what a script says; the end of it

Result = tuple[bool, str, str, str | None]
"""Success, the document to keep, the text to deliver, and what went wrong."""


def script_job(job: Mapping[str, Any]) -> Result:
    """Run a job that is a script: what it prints is delivered, nothing printed is a silent run.

    A last line `{"wakeAgent": false}` makes the run silent too.
    """
    ok, said = run_script(str(job.get("script") or ""), workdir=job.get("workdir"))
    if not ok:
        text = f"The script of cron job '{job.get('name')}' failed.\n\n{said}"
        return False, _document(job, "script failed", said), text, said
    if not said.strip() or not _wakes(said):
        return True, _document(job, "silent", said), SILENT, None
    return True, _document(job, "ok", said), said, None


def run_prompt(job: Mapping[str, Any]) -> Result:
    """Have an agent answer the job's prompt; its script, if it has one, runs first."""
    script_output: str | None = None
    if job.get("script"):
        ok, script_output = run_script(str(job["script"]), workdir=job.get("workdir"))
        if ok and not _wakes(script_output):
            return True, _document(job, "silent", script_output), SILENT, None
    runner = _runner()
    if runner is None:
        error = (
            "it asks an agent and none is installed: install a package that"
            f" offers one in the entry-point group '{GROUP}', or make it a script job (no_agent)"
        )
        return False, _document(job, "no agent", error), "", error
    answer = runner(job, script_output=script_output)
    if isinstance(answer, tuple):
        success, output, text, error = answer
        return bool(success), str(output), str(text), error
    return True, _document(job, "ok", str(answer)), str(answer), None


def run_script(
    script: str, *, workdir: object = None, timeout_s: float | None = None
) -> tuple[bool, str]:
    """Run a script and wait for it.

    Args:
        script: a path below `$HERMES_HOME/scripts`, relative to it or absolute.
        workdir: the folder to run in; the script's own without one.
        timeout_s: after that many seconds it is killed, with all that it started; the configured
            time when left out.

    Returns:
        Whether it exited with 0, and what it printed, or what went wrong.
    """
    if not script.strip():
        return False, "the job has no script; give it one, or a prompt"
    folder = (paths.home() / "scripts").resolve()
    path = (folder / Path(script.strip()).expanduser()).resolve()
    if not path.is_relative_to(folder):
        return False, f"script {script!r} is not below {folder}: only what lies there is run"
    if not path.is_file():
        return False, f"script {str(path)!r} is no file; put it there"
    command = _command(path)
    if command is None:
        return False, f"script {path.name!r} needs bash, which is not on the PATH"
    cwd = str(workdir) if workdir and Path(str(workdir)).is_dir() else str(path.parent)
    limit_s = _timeout_s() if timeout_s is None else timeout_s
    try:
        return _finished(command, cwd, limit_s)
    except OSError as error:
        return False, f"script {str(path)!r} could not be started: {error}"


def _command(path: Path) -> list[str] | None:
    if path.suffix.lower() not in {".sh", ".bash"}:
        return [sys.executable, str(path)]
    bash = shutil.which("bash")
    return None if bash is None else [bash, str(path)]


def _finished(command: list[str], cwd: str, timeout_s: float) -> tuple[bool, str]:
    child = subprocess.Popen(  # noqa: S603 - what the user put into the scripts folder
        command,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        out, err = _said(child, timeout_s)
    except subprocess.TimeoutExpired:
        _kill_group(child)
        return False, f"the script did not end within {timeout_s:g} s and was killed: {command[-1]}"
    except BaseException:
        _kill_group(child)
        raise
    out, err = out.strip()[-_MOST_OUTPUT:], err.strip()[-_MOST_OUTPUT:]
    if child.returncode == 0:
        return True, out
    said = "\n".join(part for part in (err, out) if part)
    return False, f"the script exited with {child.returncode}\n{said}".strip()


def _said(child: subprocess.Popen[str], timeout_s: float) -> tuple[str, str]:
    """What the script printed until it ended.

    What it left running in the background has its pipes too, and may keep them open for ever: it
    is not waited for, and what it prints later is lost.

    Raises:
        subprocess.TimeoutExpired: the script itself did not end within `timeout_s`.
    """
    deadline_s = time.monotonic() + timeout_s
    ended = False
    while True:
        try:
            left_s = deadline_s - time.monotonic()
            return child.communicate(timeout=max(0.0, min(left_s, _LOOK_EVERY_S)))
        except subprocess.TimeoutExpired as waiting:
            if ended:  # for as long as one look: what it printed last has been read
                _close_pipes(child)
                return _text(waiting.stdout), _text(waiting.stderr)
            ended = child.poll() is not None
            if not ended and time.monotonic() >= deadline_s:
                raise


def _close_pipes(child: subprocess.Popen[str]) -> None:
    for pipe in (child.stdout, child.stderr):
        if pipe is not None:
            pipe.close()


def _text(printed: str | bytes | None) -> str:
    """What was read before a time-out, which comes as bytes."""
    return printed.decode(errors="replace") if isinstance(printed, bytes) else printed or ""


def _kill_group(child: subprocess.Popen[str]) -> None:
    """Kill the script and what it started: a child that keeps the pipe open would be waited for."""
    with suppress(OSError):
        os.killpg(child.pid, signal.SIGKILL)
    with suppress(OSError, subprocess.TimeoutExpired):
        child.communicate(timeout=5)


def _timeout_s() -> float:
    configured = config.cfg_get(config.load_config(), "cron", "script_timeout_seconds")
    for value in (os.environ.get("HERMES_CRON_SCRIPT_TIMEOUT"), configured):
        with suppress(TypeError, ValueError):
            wanted = float(value)  # type: ignore[arg-type]
            if wanted > 0:
                return wanted
    return DEFAULT_TIMEOUT_S


def _runner() -> Callable[..., Any] | None:
    """The agent: the first of the group by name, so that it is the same one each time."""
    found = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    return found[0].load() if found else None


def _wakes(said: str) -> bool:
    """Whether a script's last line asks for silence."""
    lines = said.strip().splitlines()
    try:
        gate = json.loads(lines[-1]) if lines else None
    except ValueError:
        return True
    return not (isinstance(gate, dict) and gate.get("wakeAgent") is False)


def _document(job: Mapping[str, Any], status: str, said: str) -> str:
    """What is kept of a run, for people."""
    return (
        f"# {job.get('name') or job.get('id')}\n\n"
        f"- job: {job.get('id')}\n- schedule: {job.get('schedule_display')}\n- status: {status}\n\n"
        f"{said}\n"
    )
