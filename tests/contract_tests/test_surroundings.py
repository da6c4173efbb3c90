"""What a probe watches: the interpreter's own word, and nobody else's."""

import importlib
import logging
import os
import socket
import subprocess
import sys
import threading

import pytest

from contract_tests.surroundings import ask, captured_logs, home, watched


@pytest.mark.parametrize(
    ("reach", "event"),
    [
        (lambda: socket.create_connection(("127.0.0.1", 9)), "socket."),
        (lambda: socket.getaddrinfo("portal.example.test", 443), "socket.getaddrinfo"),
        (lambda: socket.gethostbyname("portal.example.test"), "socket.gethostbyname"),
        (lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9)), "sendto"),
        (lambda: subprocess.run([sys.executable, "-c", ""], check=False), "subprocess.Popen"),
    ],
)
def test_the_network_is_refused_and_noted(reach, event):
    with watched() as watch:
        answer = ask(reach)
    assert isinstance(answer.error, OSError)
    assert any(event in line for line in watch.network)


def test_a_provider_that_swallows_the_refusal_is_seen_all_the_same():
    def quiet():
        try:
            socket.getaddrinfo("portal.example.test", 443)
        except BaseException:
            return True

    with watched() as watch:
        assert ask(quiet).value is True
    assert watch.network


def test_a_helper_thread_is_watched_and_an_older_one_is_not():
    go, done = threading.Event(), threading.Event()

    def older():
        go.wait()
        with socket.socket() as probe:
            probe.connect_ex(("127.0.0.1", 9))
        done.set()

    threading.Thread(target=older, daemon=True).start()
    with watched() as watch:
        go.set()
        done.wait(5)
        assert watch.network == []
        helper = threading.Thread(target=lambda: ask(lambda: socket.gethostbyname("x.test")))
        helper.start()
        helper.join()
    assert len(watch.network) == 1


def test_writes_are_noted(tmp_path):
    with watched() as watch:
        (tmp_path / "read.me").write_text("x")
        (tmp_path / "read.me").read_text()
        os.open(tmp_path / "low", os.O_WRONLY | os.O_CREAT)
    assert [line.rpartition("/")[2] for line in watch.writes] == ["read.me", "low"]


def test_nothing_is_watched_afterwards(tmp_path):
    with watched() as watch:
        pass
    (tmp_path / "later").write_text("x")
    assert watch.writes == []


def test_whatever_is_raised_is_an_answer():
    for error in (SystemExit(1), KeyboardInterrupt(), GeneratorExit(), ValueError("x")):

        def throw(error=error):
            raise error

        assert ask(throw).error is error


def test_a_call_that_hangs_is_late():
    answer = ask(threading.Event().wait, wait_s=0.05)
    assert answer.late
    assert str(answer) == "did not come back"


def test_the_home_is_the_only_one_in_sight(tmp_path, monkeypatch):
    monkeypatch.setenv("HERMES_TIMEZONE", "Asia/Tokyo")
    with home(tmp_path / "h") as folder:
        assert os.environ["HERMES_HOME"] == str(folder)
        assert "HERMES_TIMEZONE" not in os.environ
    assert os.environ["HERMES_TIMEZONE"] == "Asia/Tokyo"


def test_logs_are_kept_and_not_printed(capsys):
    with captured_logs() as records:
        logging.getLogger("somewhere").warning("lost %s", "it")
    assert [record.getMessage() for record in records] == ["lost it"]
    assert capsys.readouterr().err == ""


def test_the_interpreters_cache_of_modules_is_nobodys_write(tmp_path, monkeypatch):
    """Whoever imports a module for the first time has it compiled, on a fresh machine above all."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "never_seen_before.py").write_text("value = 1\n")
    with watched() as seen:
        importlib.import_module("never_seen_before")
        assert list(tmp_path.glob("__pycache__/*.pyc")), "nothing was written: nothing is shown"
        (tmp_path / "mine").write_text("x")
    assert [write.split()[-1] for write in seen.writes] == [str(tmp_path / "mine")]
