"""The controls of the kit against exploration: which broken provider is found, and how small.

The edited copy is what self-test judges too. A violation counts when it is of an id that the control
is pinned to, and when the unedited reference, given the same scenario, does not show it.
"""

import functools
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from contract_tests.controls import Control
from contract_tests.controls.bench import apply
from contract_tests.report import kit
from simulator.checkers import CHECKERS

HUNT = Path(__file__).with_name("hunt.py")
REASONS = tomllib.loads(Path(__file__).with_name("cannot_show.toml").read_text(encoding="utf-8"))
PORTION = 250
"""Examples that one process looks at: each leaves memory behind, as in exploring."""
LONGEST_S = 1800
WOKEN = {"FIRE", "HOOK", "RECON"}
"""Groups that only a provider with a registry can show, whatever target the kit judges."""


@dataclass(frozen=True)
class Bite:
    """What exploring one broken provider came to.

    Attributes:
        control: Its name.
        target: Which provider was explored.
        seed: What the examples were drawn from.
        made_on: Which code it was, by `digest`.
        looked: How many examples were looked at.
        index: The example that counted; None when there was none.
        requirement: What it violates.
        faults: How many were left after shrinking.
        steps: So for steps.
        replays: What shrinking took.
        reason: How it is violated, in the words of the judge.
        scenario: The shrunk scenario, a file's text.
    """

    control: str
    target: str
    looked: int
    index: int | None = None
    requirement: str = ""
    faults: int = 0
    steps: int = 0
    replays: int = 0
    reason: str = ""
    scenario: str = ""
    seed: int = 0
    made_on: str = ""

    @property
    def line(self) -> str:
        """For a person."""
        if self.index is None:
            return f"{self.control}: not found within {self.looked} ({self.target})"
        return (
            f"{self.control}: {self.requirement} at example {self.index}, shrunk in "
            f"{self.replays} replays to {self.faults} faults and {self.steps} steps: {self.reason}"
        )


def why_not(control: Control) -> str | None:
    """Why no history shows what is broken; None when one can."""
    if control.name in REASONS["control"]:
        return REASONS["control"][control.name]
    if set(control.rejects) & set(CHECKERS):
        return None
    return REASONS["requirement"][control.rejects[0]]


def target_of(control: Control) -> str:
    """The provider to explore: the one that is edited, where the kit judges it by its own registry."""
    groups = {one.partition("-")[0] for one in control.rejects}
    return "chronos" if groups & WOKEN and not control.registry else control.check


def explore_control(
    control: Control, *, indices: Sequence[int] = range(2000), seed: int = 0, days: int = 1
) -> Bite:
    """Look at these examples until one counts, and make that one small."""
    target, ids = target_of(control), [one for one in control.rejects if one in CHECKERS]
    made: dict[str, Any] = {"seed": seed, "made_on": digest()}
    with tempfile.TemporaryDirectory(prefix="hermes-explored-") as name:
        folder = Path(name)
        apply(control, folder)
        whom = {"target": target, "registry": control.registry}
        for seen in _seen(folder, indices, **whom, requirements=ids, seed=seed, days=days):
            for requirement in ids:
                if requirement in seen["violated"] and (
                    small := _shrunk(folder, whom, requirement, seen["scenario"])
                ):
                    index = seen["index"]
                    return Bite(
                        control.name, target, index + 1, index, requirement, **small, **made
                    )
    return Bite(control.name, target, max(indices, default=-1) + 1, **made)


def _seen(folder: Path, indices: Sequence[int], **wanted: Any) -> Iterator[dict[str, Any]]:
    """Each of these examples that violates one of the ids."""
    while indices:
        some = list(indices[:PORTION])
        answer = ask(folder, "look", indices=some, **wanted)
        looked = len(some)
        if answer["index"] is not None:
            yield answer
            looked = some.index(answer["index"]) + 1
        indices = indices[looked:]


def _shrunk(
    folder: Path, whom: dict[str, Any], requirement: str, scenario: str
) -> dict[str, Any] | None:
    """The example made small; None when the reference shows it too, before or after."""
    given = {**whom, "requirements": [requirement]}
    if ask(None, "judge", scenario=scenario, **given):
        return None
    small = ask(folder, "make_small", **whom, requirement=requirement, scenario=scenario)
    return None if ask(None, "judge", scenario=small["scenario"], **given) else small


def ask(folder: Path | None, does: str, **request: Any) -> dict[str, Any]:
    """Have `hunt` do it, beside the edited copy in `folder` or with the reference as it is."""
    path = [str(folder)] if folder else []
    with tempfile.TemporaryDirectory(prefix="hermes-hunt-") as elsewhere:
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([*path, *filter(None, [os.environ.get("PYTHONPATH")])]),
            "PYTHONHASHSEED": "0",
            "HYPOTHESIS_STORAGE_DIRECTORY": elsewhere,
        }
        done = subprocess.run(
            [sys.executable, str(HUNT), does, json.dumps(request)],
            env=environment, cwd=elsewhere, capture_output=True, text=True, check=False,
            timeout=LONGEST_S,
        )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{does} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def replayed(bite: Bite, control: Control) -> bool:
    """Whether the scenario that was kept still shows it, and the reference does not."""
    given: dict[str, Any] = {
        "target": bite.target, "registry": control.registry,
        "requirements": [bite.requirement], "scenario": bite.scenario,
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="hermes-explored-") as name:
        apply(control, Path(name))
        return bool(ask(Path(name), "judge", **given)) and not ask(None, "judge", **given)


@functools.cache
def digest() -> str:
    """SHA-256 over all that decides what is found: the judges, what is drawn, and what is edited."""
    whole = hashlib.sha256(kit.digest().encode())
    for name, file in kit.files_of("hermes_cron", (".py",)):
        whole.update(name.encode() + b"\0" + file.read_bytes() + b"\0")
    return whole.hexdigest()[:12]


def read(file: Path) -> dict[str, Bite]:
    """The newest result for each control."""
    if not file.is_file():
        return {}
    lines = file.read_text(encoding="utf-8").splitlines()
    return {bite.control: bite for bite in (Bite(**json.loads(line)) for line in lines)}


def keep(bite: Bite, file: Path) -> None:
    """Add a result."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps(asdict(bite)) + "\n")
