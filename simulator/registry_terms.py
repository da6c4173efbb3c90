"""What a registry may do that NAS does not, as judges allow for it: its declared terms."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.durations import SECOND_US
from simulator.history import History

__all__ = ["Terms", "terms_of"]


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of the registry of a run; NAS's own are all 0. Durations are microseconds.

    Attributes:
        other: It is another registry than NAS, named so.
        granularity_us: An arm may be later than wanted by less than this.
        horizon_us: What is wanted further ahead need not be armed; 0: no limit.
        list_lag_us: The list may be behind by this.
        lock_us: An arm has to be renewed in this time; 0: it stays.
    """

    other: str = ""
    granularity_us: int = 0
    horizon_us: int = 0
    list_lag_us: int = 0
    lock_us: int = 0

    def fits(self, arm_us: int, wanted_us: int, armed_us: int) -> bool:
        """Whether what was armed at `armed_us` serves a time that is wanted."""
        late_us = arm_us - wanted_us
        if self.beyond(wanted_us, armed_us) and late_us < 0:
            return True  # a step on the way there
        return abs(late_us) < SECOND_US or 0 <= late_us < self.granularity_us

    def beyond(self, wanted_us: int, now_us: int) -> bool:
        """Whether it cannot be armed yet."""
        return bool(self.horizon_us) and wanted_us - now_us > self.horizon_us


def terms_of(history: History) -> Terms:
    """The terms that were declared for a run."""
    told = history.header.get("registry")
    if not told:
        return Terms()
    lasting = {
        f"{name}_us": round(told.get(f"{name}_s", 0) * SECOND_US)
        for name in ("granularity", "horizon", "list_lag", "lock")
    }
    return Terms(other=told["label"], **lasting)
