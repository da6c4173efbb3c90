"""A tick with every job due, beside hermes-agent's, each in processes of its own."""

import json
import statistics
import subprocess
import sys
import venv
from pathlib import Path

from rich.table import Table

__all__ = ["AGENT", "agent_python", "tick_rows"]

AGENT = "hermes-agent==0.19.0"
JOBS = 1000
ROUNDS = 5
# It takes minutes: one round tells a factor of hundreds as well as five would.
THEIR_ROUNDS = 1

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".venv-agent"
CHILD = Path(__file__).with_name("one_tick.py")


def agent_python() -> tuple[Path | None, str]:
    """The interpreter of an environment with hermes-agent, made when it is missing; else why not."""
    python = FOLDER / "bin" / "python"
    if not python.exists():
        venv.create(FOLDER, with_pip=True)
    version = AGENT.rpartition("=")[2]
    probe = f"import importlib.metadata as m; assert m.version('hermes-agent') == {version!r}"
    if _run(python, "-c", probe).returncode == 0:
        return python, ""
    pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", AGENT, "pytest")
    done = _run(python, *pip)
    if done.returncode == 0:
        return python, ""
    return None, (done.stderr.strip().splitlines() or ["pip failed"])[-1]


def tick_rows(table: Table) -> None:
    """Add the rows of the tick; without hermes-agent theirs is NOT_RUN."""
    theirs, why = agent_python()
    ours = [_one_tick(Path(sys.executable)) for _ in range(ROUNDS)]
    _add(table, f"tick, {JOBS} jobs, {JOBS} due", ours)
    if theirs is None:
        table.add_row(f"the same by {AGENT}", f"NOT_RUN: {why}")
        return
    agents = [_one_tick(theirs) for _ in range(THEIR_ROUNDS)]
    _add(table, f"the same by {AGENT} ({THEIR_ROUNDS} round)", agents)
    for moment, aim in (("started", "200"), ("recorded", "")):
        ratio = _median(agents, moment, "seconds") / _median(ours, moment, "seconds")
        least = "50" if aim else ""
        table.add_row(
            f"  until all are {moment}: times faster", f"{ratio:,.0f}", "", "", least, aim
        )


def _add(table: Table, what: str, rounds: list[dict]) -> None:
    table.add_row(f"{what}, a file of {rounds[0]['file_bytes'] / 1024:,.0f} KiB")
    for moment in ("started", "recorded"):
        budget = ("2", "1") if moment == "started" else ("", "")
        for name, form, least_aim in (
            ("seconds", ".3f", ("", "")),
            ("writes", ",.0f", budget),
            ("bytes", ",.0f", ("", "")),
        ):
            values = [one[moment][name] for one in rounds]
            figures = (statistics.median(values), min(values), max(values))
            shown = (format(figure, form) for figure in figures)
            table.add_row(f"  until all are {moment}: {name}", *shown, *least_aim)


def _median(rounds: list[dict], moment: str, name: str) -> float:
    return statistics.median(one[moment][name] for one in rounds)


def _one_tick(python: Path) -> dict:
    done = _run(python, CHILD, JOBS)
    if done.returncode != 0:
        raise RuntimeError(f"{python} {CHILD.name}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def _run(python: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [str(python), *map(str, arguments)]
    # Not from our own folder: an environment without our packages must not find them there.
    return subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
