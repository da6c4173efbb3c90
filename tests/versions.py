"""`make versions`: the same histories under every Python that is here, byte for byte.

Each interpreter gets an environment of its own beside `.venv` and gives the digests of the rough day
and of all incidents (test_determinism). One that is missing, or cannot install, is NOT_RUN.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from test_determinism import digests

ROOT = Path(__file__).resolve().parents[1]
VERSIONS = ("3.11", "3.12", "3.13")


def environment(version: str) -> Path | str:
    """The interpreter of an environment for this version; why there is none, as text."""
    found = shutil.which(f"python{version}")
    if found is None:
        return f"no python{version} here"
    folder = ROOT / f".venv-{version}"
    python = folder / "bin" / "python"
    steps = [
        [found, "-m", "venv", str(folder)],
        [
            str(python),
            *["-m", "pip", "install", "--quiet", "-c", "constraints.txt", "-e", ".[test]"],
        ],
    ]
    for step in steps:
        done = subprocess.run(step, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            return (done.stderr.strip().splitlines() or ["failed without a word"])[-1]
    return python


def main() -> int:
    ours = digests()
    worst = 0
    for version in VERSIONS:
        python = environment(version)
        if isinstance(python, str):
            print(f"{version}  NOT_RUN  {python}")
            continue
        program = "from test_determinism import digests; print('\\n'.join(digests()))"
        done = subprocess.run(
            [str(python), "-c", program],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            print(f"{version}  FAILED   {done.stderr.strip().splitlines()[-1]}")
            worst = 1
            continue
        theirs = done.stdout.split("\n")[:-1]
        different = [one for one, other in zip(ours, theirs, strict=True) if one != other]
        print(f"{version}  {'equal' if not different else 'DIFFERENT'}    {len(theirs)} histories")
        worst = worst or bool(different)
    return worst


if __name__ == "__main__":
    sys.exit(main())
