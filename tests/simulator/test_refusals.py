"""What is not simulated is refused by its name, and the refusal cannot be swallowed unnoticed."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import urllib.request
from socket import getaddrinfo

import httpx
import pytest

from simulator.kernel import Kernel
from simulator.kernel.patches import install
from simulator.kernel.refusals import NotSimulated


def tried(body):
    """What a task that does `body` was refused, and whether it saw the refusal."""
    kernel, told, seen = Kernel(start_us=0), [], []
    kernel.on_not_simulated = told.append

    def task():
        try:
            body()
        except NotSimulated as error:
            seen.append(error.what)

    with install(kernel):
        kernel.spawn(task, name="x", machine=kernel.boot("a"))
        kernel.run(10_000_000)
    assert kernel.not_simulated == told
    assert seen == told
    return told


def connect(method="connect"):
    with socket.socket() as s:
        getattr(s, method)(("127.0.0.1", 9))


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (connect, "socket.socket.connect"),
        (lambda: connect("connect_ex"), "socket.socket.connect_ex"),
        (lambda: connect("bind"), "socket.socket.bind"),
        (lambda: socket.create_connection(("localhost", 9)), "socket.create_connection"),
        (lambda: socket.getaddrinfo("localhost", 9), "socket.getaddrinfo"),
        (lambda: getaddrinfo("localhost", 9), "socket.getaddrinfo"),
        (lambda: socket.gethostbyname("localhost"), "socket.gethostbyname"),
        (lambda: subprocess.run(["true"], check=False), "subprocess.Popen"),
        (lambda: os.system("true"), "os.system"),
        (lambda: os.fork(), "os.fork"),  # noqa: PLW0108 - the name, not what it holds now
        (lambda: os.execv("/bin/true", ["true"]), "os.execv"),
        (lambda: os.posix_spawn("/bin/true", ["true"], {}), "os.posix_spawn"),
        (lambda: os.kill(os.getpid(), signal.SIGTERM), "os.kill with signal 15"),
        (lambda: signal.alarm(1), "signal.alarm"),
        (lambda: signal.setitimer(signal.ITIMER_REAL, 1), "signal.setitimer"),
        (lambda: httpx.get("http://localhost:9/"), "socket.create_connection"),
        (lambda: urllib.request.urlopen("http://localhost:9/"), "socket.create_connection"),
    ],
)
def test_refused_by_name(body, name):
    assert tried(body) == [name]


def test_an_except_exception_does_not_swallow_it_and_a_wider_one_is_told_all_the_same():
    def wide():
        with contextlib.suppress(BaseException):
            connect()

    def narrow():
        try:
            connect()
        except Exception:
            pytest.fail("taken for a failed network")

    kernel = Kernel(start_us=0)
    with install(kernel):
        kernel.spawn(wide, name="x")
        kernel.run(1)
    assert kernel.not_simulated == ["socket.socket.connect"]
    assert tried(narrow) == ["socket.socket.connect"]


def test_signal_handlers_are_for_main_threads_which_no_task_is():
    kernel, seen = Kernel(start_us=0), []

    def body():
        with pytest.raises(ValueError, match="main thread"):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        seen.append(socket.gethostname())

    with install(kernel):
        kernel.spawn(body, name="x", machine=kernel.boot("host-a"))
        kernel.run(1)
    assert seen == ["host-a"]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_outside_a_run_everything_is_allowed():
    with install(Kernel(start_us=0)), socket.socket() as s:
        s.bind(("127.0.0.1", 0))
    assert asyncio.run(asyncio.sleep(0)) is None
    assert subprocess.run([os.fspath("/bin/true")], check=False).returncode == 0
