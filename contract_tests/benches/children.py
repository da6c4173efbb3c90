"""Benches that need processes: a module of this package, run in one of its own."""

import json
import os
import subprocess
import sys
from typing import Any, cast

__all__ = ["WAIT_S", "ask_child"]

WAIT_S = 60.0


def ask_child(module: str, host: object) -> dict[str, Any] | str:
    """Run a module of this package in the present home.

    Args:
        module: its name; it takes ``MODULE:SURFACE`` and prints JSON.
        host: the surface of the host that it works on; made anew there, without arguments.

    Returns:
        What it printed, or why there is nothing.
    """
    if not hasattr(os, "fork"):
        return "this system cannot fork"
    surface = f"{type(host).__module__}:{type(host).__qualname__}"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            [sys.executable, "-m", module, surface],
            env=environment,
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"{module} was not done after {WAIT_S:g} s"
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:]
        return f"{module} ended with {done.returncode}: {' '.join(last)}"
    return cast("dict[str, Any]", json.loads(done.stdout))
