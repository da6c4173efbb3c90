"""What is not simulated is refused by its name, and the refusal cannot be swallowed unnoticed."""

import _thread
import asyncio
import contextlib
import multiprocessing
import os
import select
import selectors
import signal
import socket
import subprocess
import time
import urllib.request
from concurrent.futures import ProcessPoolExecutor
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


def datagram():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendmsg([b"x"], [], 0, ("127.0.0.1", 9))


def process_of(kind):
    multiprocessing.get_context(kind).Process(target=print).start()


async def ask():
    async with httpx.AsyncClient() as client:
        await client.get("http://localhost:9/")


async def serve():
    await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)


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
        (lambda: socket.socketpair(), "socket.socketpair"),  # noqa: PLW0108
        (datagram, "socket.socket.sendmsg"),
        (lambda: process_of("fork"), "multiprocessing.Process.start"),
        (lambda: process_of("spawn"), "multiprocessing.Process.start"),
        (lambda: process_of("forkserver"), "multiprocessing.Process.start"),
        (lambda: multiprocessing.Lock(), "multiprocessing.SemLock"),  # noqa: PLW0108
        (lambda: multiprocessing.Event(), "multiprocessing.SemLock"),  # noqa: PLW0108
        (lambda: multiprocessing.Queue(), "multiprocessing.Pipe"),  # noqa: PLW0108
        (lambda: multiprocessing.Pool(1), "multiprocessing.Pipe"),
        (lambda: ProcessPoolExecutor(1), "concurrent.futures.ProcessPoolExecutor"),
        (lambda: os.popen("true"), "subprocess.Popen"),
        (lambda: os.wait(), "os.wait"),  # noqa: PLW0108
        (lambda: os.waitpid(-1, 0), "os.waitpid"),
        (lambda: os.wait3(0), "os.wait3"),
        (lambda: os.wait4(-1, 0), "os.wait4"),
        (lambda: os.waitid(os.P_ALL, 0, os.WEXITED), "os.waitid"),
        (lambda: os.killpg(1, 0), "os.killpg"),
        (lambda: os.spawnv(os.P_WAIT, "/bin/true", ["true"]), "os.fork"),
        (lambda: signal.sigwait([signal.SIGUSR1]), "signal.sigwait"),
        (lambda: signal.sigwaitinfo([signal.SIGUSR1]), "signal.sigwaitinfo"),
        (lambda: signal.sigtimedwait([signal.SIGUSR1], 1), "signal.sigtimedwait"),
        (lambda: signal.pause(), "signal.pause"),  # noqa: PLW0108
        (lambda: signal.raise_signal(signal.SIGTERM), "signal.raise_signal"),
        (lambda: _thread.interrupt_main(), "_thread.interrupt_main"),  # noqa: PLW0108
        (lambda: httpx.get("http://localhost:9/"), "socket.create_connection"),
        (lambda: asyncio.run(ask()), "socket.getaddrinfo"),
        (lambda: asyncio.run(asyncio.open_connection("127.0.0.1", 9)), "socket.socket.connect"),
        (lambda: asyncio.run(serve()), "socket.socket.bind"),
        (lambda: asyncio.run(asyncio.create_subprocess_exec("true")), "subprocess.Popen"),
        (lambda: urllib.request.urlopen("http://localhost:9/"), "socket.create_connection"),
    ],
)
def test_refused_by_name(body, name):
    assert tried(body) == [name]


WAITS = {
    "select.select": lambda reader, wait_s: select.select([reader], [], [], wait_s)[0],
    "select.poll": lambda reader, wait_s: poller(select.poll(), reader).poll(
        None if wait_s is None else wait_s * 1000
    ),
    "select.epoll": lambda reader, wait_s: poller(select.epoll(), reader).poll(wait_s),
    "selectors.select": lambda reader, wait_s: poller(
        selectors.DefaultSelector(), reader, 1
    ).select(wait_s),
}


def poller(one, reader, *events):
    one.register(reader, *events)
    return one


@pytest.mark.parametrize("wait_s", [5, None])
@pytest.mark.parametrize("name", WAITS)
def test_a_wait_for_a_descriptor_is_refused_and_a_look_at_one_is_not(name, wait_s):
    reader, writer = os.pipe()
    ready = []

    def body():
        ready.append(bool(WAITS[name](reader, 0)))
        os.write(writer, b"!")
        ready.append(bool(WAITS[name](reader, wait_s)))
        os.read(reader, 1)
        WAITS[name](reader, wait_s)

    try:
        assert tried(body) == [f"{name} on a descriptor"]
    finally:
        os.close(reader)
        os.close(writer)
    assert ready == [False, True]


def test_a_wait_for_no_descriptor_is_a_sleep():
    def body():
        for make, wait in (
            (select.poll, 2000),
            (select.epoll, 2),
            (selectors.PollSelector, 2),
            (selectors.EpollSelector, 2),
        ):
            began = time.monotonic()
            one = make()
            (one.select if hasattr(one, "select") else one.poll)(wait)
            waited.append(time.monotonic() - began)

    waited = []
    assert tried(body) == []
    assert waited == [2] * 4


def test_a_loop_in_a_thread_may_have_no_signal_handlers():
    """As outside: providers catch that and go on."""
    kernel, seen = Kernel(start_us=0), []

    async def main():
        with pytest.raises(RuntimeError, match="main thread"):
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, print)
        seen.append(True)

    with install(kernel):
        kernel.spawn(lambda: asyncio.run(main()), name="x", machine=kernel.boot("a"))
        kernel.run(1)
    assert seen == [True]
    assert kernel.not_simulated == []


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
