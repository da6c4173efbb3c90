"""Import a provider's module in a process of its own, and watch what that does outside.

The watch is the interpreter's: its audit events, its way of starting threads (of which Python 3.11
has no event), and the sockets that are open afterwards. The module is imported as the target was,
by its name or, where a plugin folder has no importable one, from its file.
"""

import _thread
import gc
import importlib
import importlib.util
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contract_tests.surroundings import watched

__all__ = ["Imported", "import_apart", "main"]

TIME_LIMIT_S = 60.0
_JOINABLE = ("start_joinable_thread", "_start_joinable_thread")  # from Python 3.13 on
_MAIN = "from contract_tests.importing import main; main()"


@dataclass(frozen=True, slots=True)
class Imported:
    """What importing did.

    Attributes:
        module: what was imported.
        error: why it could not be; None when it could.
        threads: those that were started.
        network: connections, look-ups and processes.
        sockets: those that are still open.
        writes: what changed the disk.
    """

    module: str
    error: str | None
    threads: tuple[str, ...] = ()
    network: tuple[str, ...] = ()
    sockets: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()


def import_apart(
    module: str, folder: Path, *, file: Path | None = None, aliased: bool = False
) -> Imported:
    """Import a module in a fresh interpreter, with ``folder`` as home and working folder.

    Args:
        module: its name.
        folder: of the kit's own; need not exist.
        file: where it is, when it cannot be found by its name.
        aliased: hermes-agent's import paths are the host's here.
    """
    folder.mkdir(parents=True, exist_ok=True)
    question = json.dumps({"module": module, "file": file and str(file), "aliased": aliased})
    try:
        done = subprocess.run(  # noqa: S603 - our own module, in this interpreter
            [sys.executable, "-c", _MAIN, question],
            cwd=folder,
            env=_environment(folder),
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Imported(module, f"importing it was not over after {TIME_LIMIT_S:g} s")
    last = done.stdout.strip().rpartition("\n")[2]
    try:
        found = json.loads(last)
    except ValueError:
        said = done.stderr.strip().rpartition("\n")[2]
        return Imported(module, f"the process ended with {done.returncode}: {said}")
    return Imported(
        module, found.pop("error"), **{name: tuple(value) for name, value in found.items()}
    )


def _environment(folder: Path) -> Mapping[str, str]:
    """This interpreter's modules, found in the same order, and a home of the kit's own."""
    path = os.pathsep.join(one or str(Path.cwd()) for one in sys.path)
    return os.environ | {
        "PYTHONPATH": path,
        "HERMES_HOME": str(folder),
        "HOME": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def main() -> None:
    """Answer the question on the command line: one line of JSON."""
    question = json.loads(sys.argv[1])
    error, threads = None, _threads_started()
    from contract_tests.surface import reference_surface

    host = reference_surface()
    host.ready()
    if question["aliased"]:
        host.alias()
    with watched() as watch:
        try:
            _import(question["module"], question["file"])
        except BaseException as raised:
            error = f"{type(raised).__name__}: {raised}"
    answer = {
        "error": error,
        "threads": threads,
        "network": watch.network,
        "sockets": _open_sockets(),
        "writes": watch.writes,
    }
    sys.stdout.write(f"\n{json.dumps(answer)}\n")
    sys.stdout.flush()
    os._exit(0)  # whatever threads it left behind


def _threads_started() -> list[str]:
    """Put a list-keeper where every thread of Python code starts."""
    started: list[str] = []

    def kept(real: Callable[..., Any]) -> Callable[..., Any]:
        def start(function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
            of = getattr(function, "__self__", None)
            name = of.name if isinstance(of, threading.Thread) else repr(function)
            started.append(f"a thread {name}")
            return real(function, *arguments, **keywords)

        return start

    for module in (_thread, threading):
        for name in ("start_new_thread", "_start_new_thread", *_JOINABLE):
            if hasattr(module, name):
                setattr(module, name, kept(getattr(module, name)))
    return started


def _import(name: str, file: str | None) -> None:
    if file is None:
        importlib.import_module(name)
        return
    below = [str(Path(file).parent)] if Path(file).name == "__init__.py" else None
    spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=below)
    assert spec is not None and spec.loader is not None  # noqa: PT018 - a file of Python
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


def _open_sockets() -> list[str]:
    # One that was opened and closed again, as urllib3 does to see whether there is IPv6, is none.
    return [
        f"a socket at {_place(one)}"
        for one in gc.get_objects()
        if isinstance(one, socket.socket) and one.fileno() != -1
    ]


def _place(one: socket.socket) -> Any:
    try:
        return one.getsockname()
    except OSError:
        return "no address"
