"""Where a probe puts the code under test, and what it watches there.

Evidence comes from places that a provider cannot write: the interpreter's audit events, a log
handler of the kit's own, files in a folder of the kit's own.
"""

import contextlib
import dataclasses
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

__all__ = ["Answer", "Watch", "ask", "captured_logs", "home", "unsynced", "watched"]

_NETWORK = frozenset(
    {
        "socket.connect",
        "socket.getaddrinfo",
        "socket.gethostbyaddr",
        "socket.gethostbyname",
        "socket.getnameinfo",
        "socket.sendmsg",
        "socket.sendto",
        "os.posix_spawn",
        "os.system",
        "subprocess.Popen",
    }
)
_CHANGES = frozenset(
    f"os.{name}"
    for name in (
        "chmod",
        "chown",
        "link",
        "mkdir",
        "remove",
        "rename",
        "rmdir",
        "symlink",
        "truncate",
        "utime",
    )
)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


@contextlib.contextmanager
def home(folder: Path) -> Iterator[Path]:
    """Make ``folder`` the home of the agent, and nothing of this machine's user visible.

    Yields:
        The folder, which exists.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with mock.patch.dict(os.environ, {"HERMES_HOME": str(folder), "HOME": str(folder.parent)}):
        for name in [name for name in os.environ if name.startswith("HERMES_")]:
            if name != "HERMES_HOME":
                del os.environ[name]  # mock.patch.dict puts it back
        yield folder


@contextlib.contextmanager
def unsynced() -> Iterator[None]:
    """Let files be written without waiting for the disk, where no power cut is judged.

    A busy disk takes ten times as long for a sync as for all the rest of a write.
    """
    with mock.patch.object(os, "fsync", return_value=None):
        yield


@dataclasses.dataclass
class Answer:
    """What came of one call.

    Attributes:
        value: what was returned, if anything was.
        error: what was raised, of any kind.
        late: it had not come back when the wait was over.
        took_s: real seconds until it came back.
    """

    value: Any = None
    error: BaseException | None = None
    late: bool = False
    took_s: float = 0.0

    def __str__(self) -> str:
        if self.late:
            return "did not come back"
        if self.error is not None:
            return f"raised {type(self.error).__name__}: {self.error}"
        return f"returned {self.value!r}"


def ask(function: Callable[[], Any], *, wait_s: float = 20.0) -> Answer:
    """Call ``function`` on a thread of its own, and survive whatever it raises."""
    answer = Answer(late=True)

    def call() -> None:
        began = time.monotonic()
        try:
            answer.value = function()
        # Providers under test raise SystemExit and its like on purpose.
        except BaseException as error:
            answer.error = error
        answer.took_s = time.monotonic() - began
        answer.late = False

    thread = threading.Thread(target=call, name="contract-probe", daemon=True)
    thread.start()
    thread.join(wait_s)
    return answer


@dataclasses.dataclass
class Watch:
    """What the interpreter reported while the watch was on, from threads that it covers.

    Attributes:
        network: connections, look-ups and processes that were refused.
        writes: what changed the disk.
        others: the threads that were there before and are left alone.
        asked: there was something to watch.
    """

    network: list[str] = dataclasses.field(default_factory=list)
    writes: list[str] = dataclasses.field(default_factory=list)
    others: frozenset[threading.Thread] = frozenset()
    asked: bool = True

    def see(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Take note of one audit event; refuse it when it would leave this machine."""
        if event in _NETWORK:
            self.network.append(f"{event}{_shown(arguments)}")
            raise ConnectionRefusedError(f"{event} is not allowed here")
        if _is_the_interpreters(arguments[0]):
            return
        if event in _CHANGES or (event == "open" and _writes(arguments)):
            self.writes.append(f"{event} {arguments[0]}")


_SEEN = _NETWORK | _CHANGES
_active: list[Watch] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _active and (event == "open" or event in _SEEN):
        # The object, not its number: the number of a thread that has ended is given out again.
        me = threading.current_thread()
        for watch in _active:
            if me not in watch.others:
                watch.see(event, arguments)


def _shown(arguments: tuple[Any, ...]) -> str:
    plain = [repr(value) for value in arguments if isinstance(value, str | int | tuple | bytes)]
    return f"({', '.join(plain)})"


def _is_the_interpreters(path: object) -> bool:
    """Whether this is its cache of compiled modules, which it writes whoever imports.

    A descriptor is none of anybody's: the file behind it was seen when it was opened by its name.
    """
    return isinstance(path, int) or "__pycache__" in str(path) or str(path) == os.devnull


def _writes(arguments: tuple[Any, ...]) -> bool:
    _, mode, flags = arguments
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return isinstance(flags, int) and bool(flags & _WRITING)


def _install_hook(installed: list[bool] = []) -> None:  # noqa: B006 - an audit hook is for ever
    if not installed:
        installed.append(True)
        sys.addaudithook(_hook)


@contextlib.contextmanager
def watched() -> Iterator[Watch]:
    """Watch this thread and every thread started from now on.

    Connections, name look-ups and new processes are refused and noted; writes are noted. Threads
    that were there before, a test runner's for one, are left alone.
    """
    _install_hook()
    before = frozenset(threading.enumerate())
    watch = Watch(others=before - {threading.current_thread()})
    _active.append(watch)
    try:
        yield watch
        # A call made from a helper thread counts as well: give it a moment to happen.
        for thread in set(threading.enumerate()) - before:
            thread.join(0.2)
    finally:
        _active.remove(watch)


class _Keeper(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@contextlib.contextmanager
def captured_logs() -> Iterator[list[logging.LogRecord]]:
    """Every log record from WARNING up that reaches the root logger."""
    keeper = _Keeper()
    root = logging.getLogger()
    # Without a handler of its own, logging prints warnings to stderr, in the middle of our report.
    root.addHandler(keeper)
    try:
        yield keeper.records
    finally:
        root.removeHandler(keeper)
