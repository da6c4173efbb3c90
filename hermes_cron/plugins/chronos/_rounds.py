"""One round at a time: whoever asks while one is on gets another one after it."""

import threading
from collections.abc import Callable

from hermes_cron import clock

__all__ = ["Rounds"]


class Rounds:
    """Makes rounds when asked; thread-safe, and no lock is held during one.

    A request that comes during a round returns at once, and the thread that is at it goes round
    again. So the last round begins after the last request, and no caller waits for another's.

    Args:
        make: Makes one round. Gets the words that were left since the last one began, in order,
            and whether it is the first one of this thread's turn.
        ended: Says that no further round may begin.
        failed: Told what a round raised.
    """

    def __init__(
        self,
        make: Callable[[list[str], bool], None],
        *,
        ended: Callable[[], bool],
        failed: Callable[[Exception], None],
    ) -> None:
        self._make = make
        self._ended = ended
        self._failed = failed
        self._lock = threading.Lock()
        self._asked = False
        self._words: dict[str, None] = {}
        self._at_it = False
        self._timer: threading.Timer | None = None
        self._timer_due_s = 0.0  # monotonic; when there is one

    def ask(self, word: str | None = None) -> None:
        """Want a round, and make it here unless another thread will."""
        with self._lock:
            self._asked = True
            if word is not None:
                self._words[word] = None
            if self._at_it:
                return
            self._at_it = True
        try:
            first = True
            while (words := self._next()) is not None:
                try:
                    self._make(words, first)
                except Exception as error:  # a later request makes a round that may succeed
                    self._failed(error)
                first = False
        except BaseException:
            with self._lock:
                self._at_it = False
            raise

    def ask_in(self, pause_s: float) -> None:
        """Want one round after a while, unless one is wanted sooner already."""
        due_s = clock.monotonic() + pause_s
        with self._lock:
            if self._ended() or (self._timer is not None and self._timer_due_s <= due_s):
                return
            if self._timer is not None:
                self._timer.cancel()
            self._timer = timer = threading.Timer(pause_s, self._now)
            self._timer_due_s = due_s
            timer.daemon = True
            timer.start()

    def drop_timer(self) -> None:
        """Forget what was wanted later."""
        with self._lock:
            timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _now(self) -> None:
        with self._lock:
            self._timer = None
        self.ask()

    def _next(self) -> list[str] | None:
        """Take what was asked for; with nothing asked, or after the end, this turn is over."""
        with self._lock:
            if not self._asked or self._ended():
                self._at_it = False
                return None
            self._asked = False
            words = list(self._words)
            self._words.clear()
            return words
