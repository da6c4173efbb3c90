"""Processes that work beside this one, and end with it: in order, called off, or killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

__all__ = ["processes"]


@contextmanager
def processes(
    count: int, begin: Callable[..., object] | None = None, *words: Any
) -> Iterator[ProcessPoolExecutor]:
    """A pool of fresh interpreters; what they are still at, when this is left, is dropped.

    Each holds the far end of a pipe, which closes with this process however that ends: a pool alone
    would leave them at work for ever when it is killed.

    Args:
        count: How many.
        begin: Called in each before anything else, with `words`.
        words: What can be pickled.
    """
    spawn = multiprocessing.get_context("spawn")
    theirs, ours = spawn.Pipe(duplex=False)
    told = (theirs, begin, words)
    with (
        theirs,
        ours,
        ProcessPoolExecutor(count, mp_context=spawn, initializer=_begin, initargs=told) as pool,
    ):
        try:
            yield pool
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            ours.close()


def _begin(
    pipe: Connection[Any, Any], begin: Callable[..., object] | None, words: tuple[Any, ...]
) -> None:
    """In a new process. Ctrl-C reaches it too, and is its parent's to act on."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with, args=(pipe,), name="parent", daemon=True).start()
    if begin is not None:
        begin(*words)


def _leave_with(pipe: Connection[Any, Any]) -> None:
    try:
        pipe.recv_bytes()
    except (EOFError, OSError):
        os._exit(1)
