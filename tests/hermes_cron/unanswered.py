"""Code of a provider that hangs, and a host that gives it up when it does so, not by the clock."""

import contextlib
import sys
import threading
import types
from unittest import mock

from hermes_cron.plugins import vetting


class Gate:
    """Whoever waits here hangs, until it is set."""

    def __init__(self):
        self.hanging = set()
        self._open = threading.Event()

    def wait(self):
        if not self._open.is_set():
            self.hanging.add(threading.current_thread())
            self._open.wait(60)

    def set(self):
        self._open.set()
        self.hanging.clear()


@contextlib.contextmanager
def hang_gate():
    """A gate for plugins: `__import__("hang_gate").gate.wait()`.

    The host waits as long as it takes for what does not hang at it: on a busy machine no limit is
    too long for that, and each would be too short.
    """
    gate = Gate()

    class Asked(threading.Thread):
        def join(self, timeout=None):
            while self.is_alive() and self not in gate.hanging:
                super().join(0.005)

    module = types.SimpleNamespace(gate=gate)
    real = types.SimpleNamespace(**{**vars(threading), "Thread": Asked})
    try:
        with (
            mock.patch.dict(sys.modules, hang_gate=module),
            mock.patch.object(vetting, "threading", real),
        ):
            yield gate
    finally:
        gate.set()
