"""What a disk lost, and what a process read too late or not at all: nobody is told of these."""

from bisect import bisect_left

from simulator.checkers.facts import Facts
from simulator.checkers.struck import rule_of
from simulator.event import Event

__all__ = ["lost_commits", "lost_writes", "read_behind", "unread"]


def unread(facts: Facts) -> list[Event]:
    """Where a gateway with an external provider could not read the store: it armed nothing by it.

    Who is woken next looks again.
    """
    return [
        event
        for event in facts.history.of("fault")
        if not facts.blocking
        and event.machine in facts.lives
        and (event.data.get("seam"), event.data.get("does")) == ("store.read", "raise")
    ]


def read_behind(facts: Facts, job: str) -> list[Event]:
    """Where a store gave a reader the state before its last write, and that write was the job's.

    Nothing failed that could be tried again: who read it looks at the store when next woken.
    """

    def build() -> dict[str, list[Event]]:
        found: dict[str, list[Event]] = {}
        for event in facts.history.of("fault"):
            if (event.data.get("does"), event.data.get("seam")) == ("stale", "store.read"):
                for written in _last_written(facts, event):
                    found.setdefault(written, []).append(event)
        return found

    return facts.history.derived("read behind", build).get(job, [])


def lost_writes(facts: Facts) -> list[tuple[Event, set[str]]]:
    """Where the disk lost the last write, and the jobs that it was of."""
    struck = [
        event
        for event in facts.history.of("fault")
        if (rule := rule_of(facts, event)) is not None and rule.damage == "lost"
    ]
    struck += [
        op.begin
        for op in facts.ops
        if op.do == "damage" and op.step is not None and op.step.what == "lost"
    ]
    return [(event, jobs) for event in struck if (jobs := _last_written(facts, event))]


def lost_commits(facts: Facts) -> set[int]:
    """The numbers of the writes that the disk lost."""

    def build() -> set[int]:
        numbers = [commit.n for commit in facts.history.of("store.commit")]
        return {numbers[bisect_left(numbers, struck.n) - 1] for struck, _ in lost_writes(facts)}

    return facts.history.derived("lost commits", build)


def _last_written(facts: Facts, event: Event) -> set[str]:
    """The jobs that the last write of the store before an event was of."""

    def build() -> tuple[list[int], list[set[str]]]:
        writes = [
            (commit.n, {str(job) for job, _ in commit.data["changes"]})
            for commit in facts.history.of("store.commit")
        ]
        return [n for n, _ in writes], [jobs for _, jobs in writes]

    numbers, jobs = facts.history.derived("jobs by write", build)
    index = bisect_left(numbers, event.n) - 1
    return jobs[index] if index >= 0 else set()
