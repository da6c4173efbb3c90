"""A traceback that is written once reads as `logging` writes it, and another is another."""

import logging
import sys

import pytest

from simulator.hosts.tracebacks import Tracebacks


class OddError(Exception):
    """Says what it was given."""


def raised(function):
    try:
        function()
    except BaseException:
        return sys.exc_info()
    raise AssertionError("it raises")


def plain(word="no"):
    raise OddError(word)


def other_line(word="no"):
    raise OddError(word)


def from_another():
    try:
        plain("first")
    except OddError as error:
        raise ValueError("second") from error


def in_another():
    try:
        plain("first")
    except OddError:
        raise ValueError("second")  # noqa: B904 - on purpose


def from_none():
    try:
        plain("first")
    except OddError:
        raise ValueError("second") from None


def circle():
    first, second = OddError("first"), OddError("second")
    first.__cause__, second.__cause__ = second, first
    raise first


def noted():
    error = OddError("no")
    error.add_note("of its own")
    raise error


WAYS = [
    plain,
    lambda: plain("yes"),
    other_line,
    from_another,
    in_another,
    from_none,
    circle,
    noted,
    lambda: (_ for _ in ()).throw(ExceptionGroup("several", [OddError("one")])),
    lambda: compile("1 +", "there", "exec"),
    lambda: [].lenght,
    lambda: int("x"),
]


def test_each_way_reads_as_logging_writes_it():
    tracebacks = Tracebacks()
    for _ in range(3):
        for way in WAYS:
            found = raised(way)
            assert tracebacks.formatException(found) == logging.Formatter().formatException(found)


def test_the_same_is_written_once(monkeypatch):
    tracebacks, written = Tracebacks(), []
    real = logging.Formatter.formatException
    monkeypatch.setattr(
        logging.Formatter, "formatException", lambda *args: written.append(0) or real(*args)
    )
    for way in (plain, plain, other_line, from_another, from_another):
        for _ in range(5):
            tracebacks.formatException(raised(way))
    assert len(written) == 3


@pytest.mark.parametrize("way", [noted, lambda: [].lenght])
def test_what_says_more_is_written_each_time(way):
    tracebacks = Tracebacks()
    tracebacks.formatException(raised(way))
    assert not tracebacks._written
