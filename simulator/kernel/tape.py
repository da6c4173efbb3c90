"""The choice tape: the few places where a run deviates from first-in-first-out.

Everything that can switch tasks counts a *decision* of the running task: taking or releasing a
lock, waiting, setting an event, sleeping, starting a thread, a seam of a fake. With an empty tape
tasks that are ready at the same instant run in the order in which they became ready. A `Choice`
names one decision (the task and how many it had taken by then) and holds the task back there.
Because choices are keyed by task, taking a job out of a scenario does not shift those of others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["MAX_CHOICES", "Choice", "Tape"]

MAX_CHOICES = 8


@dataclass(frozen=True, order=True)
class Choice:
    """At the `nth` decision (from 1) of the task called `task`, wait `delay_us` first.

    A delay of 0 lets everything that is ready at this instant go first.
    """

    task: str
    nth: int
    delay_us: int = 0

    def __post_init__(self) -> None:
        if self.nth < 1:
            raise ValueError(f"decisions are counted from 1, not {self.nth} ({self.task})")
        if self.delay_us < 0:
            raise ValueError(f"time can't go backwards: delay of {self.delay_us} us ({self.task})")


@dataclass(frozen=True)
class Tape:
    """At most eight choices and the seed of everything that is random in a run."""

    entries: tuple[Choice, ...] = ()
    seed: int = 0
    _by_task: dict[str, dict[int, int]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.entries) > MAX_CHOICES:
            raise ValueError(f"a tape has at most {MAX_CHOICES} choices, not {len(self.entries)}")
        by_task: dict[str, dict[int, int]] = {}
        for choice in self.entries:
            of_task = by_task.setdefault(choice.task, {})
            if choice.nth in of_task:
                raise ValueError(f"two choices for decision {choice.nth} of {choice.task}")
            of_task[choice.nth] = choice.delay_us
        object.__setattr__(self, "_by_task", by_task)

    def of(self, task: str) -> dict[int, int] | None:
        """The delays of one task by decision number, None when it has none."""
        return self._by_task.get(task)

    def to_data(self) -> dict[str, Any]:
        """Plain data for a file: `{"seed": 0, "choices": [[task, nth, delay_us], ...]}`."""
        return {"seed": self.seed, "choices": [[c.task, c.nth, c.delay_us] for c in self.entries]}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Tape:
        """The opposite of `to_data`; ValueError or TypeError when the data are of another shape."""
        choices: Sequence[Sequence[Any]] = data.get("choices", ())
        return cls(tuple(Choice(*choice) for choice in choices), int(data.get("seed", 0)))
