"""What happened, in the words of judges: lives, ticks, runs, fires, operations, disturbances.

Built from a history once and shared by all checkers of it (`facts_of`). Nothing here judges.
"""

import heapq
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import cached_property

from simulator.checkers.happened import (
    COMMAND,
    FOREVER,
    SLACK_US,
    BodyRun,
    Fire,
    Life,
    Op,
    Window,
    merge,
)
from simulator.checkers.many import FEW, Made, Part
from simulator.checkers.many_runs import Runs
from simulator.checkers.ticks import Ticks, Track, tracks_of
from simulator.durations import SECOND_US
from simulator.event import Event
from simulator.history import History
from simulator.registry_terms import Terms, terms_of
from simulator.scenario import Scenario
from simulator.steps import Step

__all__ = ["Facts", "facts_of"]


class Facts:
    """A history, ordered by what judges ask. Everything is computed once, when first asked for.

    Attributes:
        skew_us: How far the clocks of two machines may be apart.
        held_us: How long the tape holds tasks back, all its choices together.
        terms: What the registry of the run may do that NAS does not.
        slack_us: What dispatch, locks, rounding and the tape may take on top of what is allowed.
    """

    def __init__(self, history: History, scenario: Scenario) -> None:
        """Facts of `history`, which is a run of `scenario`."""
        self.history = history
        self.scenario = scenario
        header = history.header
        self.interval_us: int = int(header.get("interval_s", scenario.interval)) * SECOND_US
        capabilities: Sequence[str] = header.get("capabilities") or scenario.capabilities
        self.blocking = "blocking" in capabilities
        self.external = "external" in capabilities
        self.skew_us = max(abs(machine.skew) for machine in scenario.machines)
        self.held_us: int = sum(
            delay_us for _, _, delay_us in header.get("tape", {}).get("choices", ())
        )
        self.terms: Terms = terms_of(history)
        self.slack_us: int = SLACK_US + self.held_us + self.terms.granularity_us

    @cached_property
    def last_us(self) -> int:
        """When the last thing was seen."""
        return self.history[-1].at_us if len(self.history) else self.scenario.start_us

    @cached_property
    def end_us(self) -> int:
        """How far the run is judged: its horizon, or its end when that came before.

        At the horizon machines are asked to leave; what they do then is not the jobs' matter.
        """
        return min(self.last_us, self.scenario.end_us)

    @cached_property
    def lives(self) -> dict[str, list[Life]]:
        """Each gateway's processes, in order."""
        found: dict[str, list[Life]] = {machine.id: [] for machine in self.scenario.machines}
        ends = {"crash", "stopped"}
        for event in self.history.of(
            "boot", "up", "crash", "stopped", "stop.requested",
            "provider.start", "provider.returned", "provider.raised",
        ):  # fmt: skip
            lives = found.setdefault(event.machine, [])
            if event.kind == "boot":
                lives.append(Life(event.machine, event))
            elif not lives or lives[-1].end is not None:
                continue  # a crash of what is off already
            elif event.kind == "up":
                lives[-1].up = event
            elif event.kind == "stop.requested":
                lives[-1].stop_requested = event
            elif event.kind == "provider.start":
                lives[-1].started = lives[-1].started or event
                lives[-1].last_started = event
            elif event.kind in ends:
                lives[-1].end = event
            elif lives[-1].start_left is None:
                lives[-1].start_left = event
        return found

    @cached_property
    def all_lives(self) -> list[Life]:
        """Every process, by its boot."""
        lives = [life for lives in self.lives.values() for life in lives]
        return sorted(lives, key=lambda life: life.boot.n)

    @cached_property
    def down(self) -> list[Window]:
        """When no gateway at all was serving."""
        up = merge(
            (life.up_us, life.serves_until_us) for life in self.all_lives if life.up is not None
        )
        windows, at_us = [], self.scenario.start_us
        for start, end in up:
            if start > at_us:
                windows.append((at_us, start))
            at_us = max(at_us, end)
        if at_us < self.end_us:
            windows.append((at_us, FOREVER))
        return windows

    def life_at(self, event: Event) -> Life | None:
        """The process of this event's machine that it happened in."""
        lives = self.lives.get(event.machine, [])
        index = bisect_right(lives, event.n, key=lambda life: life.boot.n) - 1
        return lives[index] if index >= 0 else None

    def serving(self, n: int) -> list[Life]:
        """The processes that are up, and not asked to leave, at event `n`."""
        return [
            life
            for life in self.all_lives
            if life.up is not None
            and life.up.n <= n
            and (life.end is None or life.end.n > n)
            and (life.stop_requested is None or life.stop_requested.n > n)
        ]

    @cached_property
    def ticks(self) -> dict[str, Ticks]:
        """Each gateway's ticks; those that an operator asked for are not among them."""
        asked = [op for op in self.ops if op.do == "tick"]
        ends = tracks_of(self.history, "tick.end")
        found: dict[str, Ticks] = {}
        for machine, begins in tracks_of(self.history, "tick.begin").items():
            waited = begins.where(lambda data: data.get("sync") is not False)
            by_hand = {place for place in waited if self._by_hand(begins[place], asked)}
            ended = ends.get(machine, begins.part(slice(0)))
            if by_hand:
                over = _ended_by_hand(sorted(begins.ns[p] for p in by_hand), ended, asked)
                begins = begins.pick(p for p in range(len(begins)) if p not in by_hand)  # noqa: PLW2901
                ended = ended.pick(p for p in range(len(ended)) if p not in over)
            if begins:
                found[machine] = Ticks.paired(begins, ended)
        return found

    @cached_property
    def failed_ticks(self) -> list[Event]:
        """The ends of ticks that raised, of those too that an operator asked for."""
        return [
            ends[place]
            for ends in tracks_of(self.history, "tick.end").values()
            for place in ends.where(lambda data: data.get("error") is not None)
        ]

    def ticks_at(self, machine: str) -> Ticks:
        """The ticks of one gateway, of one that never ticked too."""
        return self.ticks.get(machine) or Ticks.none(machine)

    def _by_hand(self, event: Event, asked: list[Op]) -> bool:
        """Whether an operator asked for this tick, by a command or inside the gateway."""
        return event.machine == COMMAND or any(
            op.begin.n < event.n < self._over_n(op, event.machine) for op in asked
        )

    def _over_n(self, op: Op, machine: str) -> int:
        """Until when a tick by hand goes on: in a gateway that died in it, until that ended."""
        if op.end is not None:
            return op.end.n
        life = next((one for one in self.lives.get(machine, ()) if one.end_n > op.begin.n), None)
        here = op.step is not None and op.step.machine == machine
        return life.end_n if here and life is not None else op.begin.n

    @cached_property
    def runs(self) -> dict[str, Sequence[BodyRun]]:
        """Each job's runs, by their beginning."""
        runs = self.all_runs
        places: dict[str, array[int]] = {}
        for place, run in enumerate(runs):
            places.setdefault(run.job, array("i")).append(place)
        if isinstance(runs, Made):
            return {job: Part(runs, mine) for job, mine in places.items()}
        return {job: [runs[place] for place in mine] for job, mine in places.items()}

    @cached_property
    def all_runs(self) -> Sequence[BodyRun]:
        """Every run, by its beginning."""
        runs, on = Runs(), dict[object, tuple[int, str]]()
        for event in self.history.of("run.begin", "run.end", "crash", "stopped"):
            if event.kind == "run.begin":
                on[event.data["run"]] = runs.begun(event), event.machine
            elif event.kind == "run.end":
                if event.data["run"] in on:
                    runs.ended(on.pop(event.data["run"])[0], event)
            else:
                for number, (place, machine) in list(on.items()):
                    if machine == event.machine:
                        runs.died[place] = event
                        del on[number]
        return runs if len(runs) > FEW else list(runs)

    def begun_us(self, job: str) -> Sequence[int]:
        """When each run of a job began."""
        runs = self.runs.get(job, ())
        return self.history.derived(
            ("begun", job), lambda: array("q", (run.begin.at_us for run in runs))
        )

    def runs_on(self, at_us: int) -> int:
        """How many runs were on at an instant."""

        def build() -> tuple[Sequence[int], Sequence[int]]:
            begun = array("q", (run.begin.at_us for run in self.all_runs))
            return begun, array("q", sorted(run.end_us for run in self.all_runs))

        begun, ended = self.history.derived("begun and ended", build)
        return bisect_right(begun, at_us) - bisect_left(ended, at_us)

    @cached_property
    def fires(self) -> list[Fire]:
        """Every call of `fire_due`, by its beginning, with the runs and claims that are its own."""
        found: list[Fire] = []
        on: dict[tuple[str, str], list[Fire]] = {}
        kinds = ("fire.end", "run.begin", "claim", "crash", "stopped", "fault")
        began = len(self.history.of("fire.begin")) > 0
        runs = {run.begin.n: run for run in self.all_runs} if began else {}
        for event in self.history.of("fire.begin", *kinds) if began else ():
            if event.kind in {"crash", "stopped"}:  # what was on there has no end
                on = {key: inside for key, inside in on.items() if key[0] != event.machine}
                continue
            key = (event.machine, str(event.data.get("job")))
            if event.kind == "fire.begin":
                fire = Fire(key[1], event)
                found.append(fire)
                on.setdefault(key, []).append(fire)
                continue
            inside = on.get(key)
            if not inside:
                continue
            if event.kind == "fire.end":
                self._ended(inside, event)
            elif event.kind == "fault":
                if (event.data.get("seam"), event.data.get("does")) == ("fire", "raise"):
                    inside[-1].struck = True
            elif event.kind == "run.begin":
                free = [fire for fire in inside if not fire.runs and fire.won]
                if free or not self._ticks_too(event):
                    (free or inside)[0].runs.append(runs[event.n])
            else:
                free = [fire for fire in inside if not fire.won and not fire.lost]
                fire = (free or inside)[0]
                (fire.won if event.data.get("won") else fire.lost).append(event)
        return found

    def _ticks_too(self, event: Event) -> bool:
        """Whether ticks run jobs on this event's machine: one by hand, or a loop for its provider.

        The loop goes on there in the place of one whose start failed.
        """
        life = self.life_at(event)
        return (life is not None and self._struck(life)) or any(
            op.begin.n < event.n < self._over_n(op, event.machine)
            for op in self.ops
            if op.do == "tick" and op.step is not None and op.step.machine == event.machine
        )

    @staticmethod
    def _ended(inside: list[Fire], event: Event) -> None:
        """Close the call that fits the end: by its id where there is one, else by its value."""
        wanted = event.data.get("id")
        ran = event.data.get("value") is True
        fits = [fire for fire in inside if fire.begin.data.get("id") == wanted]
        exact = [fire for fire in fits if bool(fire.runs) == ran]
        fire = (exact or fits or inside)[0]
        fire.end = event
        inside.remove(fire)

    @cached_property
    def fire_of_run(self) -> dict[int, Fire]:
        """The call of `fire_due` that a run (by the number of its first event) came from."""
        return {run.begin.n: fire for fire in self.fires for run in fire.runs}

    @cached_property
    def ops(self) -> list[Op]:
        """What the operator did, in order."""
        found: list[Op] = []
        waiting = dict(enumerate(self.scenario.steps))
        for event in self.history.of("op", "op.end"):
            if event.kind == "op":
                found.append(Op(event, self._step_of(event, waiting)))
            else:
                ended = next((op for op in reversed(found) if _ends(op, event)), None)
                if ended is not None:
                    ended.end = event
        return found

    @staticmethod
    def _step_of(event: Event, waiting: dict[int, Step]) -> Step | None:
        """The scenario's step that this operation carries out: by number, else the first alike."""
        number = event.data.get("step")
        if isinstance(number, int):
            return waiting.pop(number, None)
        for index, step in waiting.items():
            if step.do == event.data.get("do") and step.job == event.data.get("job"):
                return waiting.pop(index)
        return None

    @cached_property
    def faults(self) -> list[Event]:
        """Faults that really fired, and writes that the store refused."""
        return list(self.history.of("fault", "store.refused"))

    @cached_property
    def deliveries(self) -> dict[str, list[Event]]:
        """What NAS delivered, by job."""
        found: dict[str, list[Event]] = {}
        for event in self.history.of("nas.deliver"):
            found.setdefault(str(event.data["job"]), []).append(event)
        return found

    @cached_property
    def occasions(self) -> list[tuple[Event, Event]]:
        """(first, last event) of each time that an external provider was woken and could act.

        A start, a fire of any job, a change of any job while a gateway was up. Not a start, nor a
        fire, in whose place a fault raised. Not one that its
        machine was asked to leave in: after that nothing may be armed. Nor a change that changed
        nothing, of which no provider is told. Nor a run by hand: the process of that command has no
        provider in a simulated world, and no gateway hears of it.
        """
        found = [
            (life.started, life.start_left)
            for life in self.all_lives
            if life.started is not None and life.start_left is not None and not self._struck(life)
        ]
        fires = (fire for fire in self.fires if not fire.struck)
        found += [(fire.begin, fire.end) for fire in fires if fire.end is not None]
        found = [pair for pair in found if not self._cut_by_a_stop(*pair)]
        for op in self.ops:
            if op.end is not None and self._tells(op):
                found.append((op.begin, op.end))
        return sorted(found, key=lambda pair: pair[0].n)

    def _struck(self, life: Life) -> bool:
        """Whether a fault raised in the place of a provider's start: the provider was never asked.

        Then its host goes on without it.
        """
        return any(
            life.boot.n < event.n < life.end_n and event.machine == life.machine
            for event in self.history.of("fault")
            if (event.data.get("seam"), event.data.get("does")) == ("start", "raise")
        )

    def _tells(self, op: Op) -> bool:
        """Whether a provider is told of an operation: it changed a job inside a gateway."""
        if op.job is None or op.do in {"deliver", "run"} or op.failed:
            return False
        was_gone = op.do != "create" and op.begin.n in self._on_gone_jobs
        return bool(self.serving(op.begin.n)) and not was_gone

    @cached_property
    def _on_gone_jobs(self) -> set[int]:
        """The begins, by number, of operations on jobs that the store had said to be gone."""
        gone, found = set[object](), set[int]()
        begun = [op.begin for op in self.ops]
        for event in heapq.merge(self.history.of("store.commit"), begun, key=lambda e: e.n):
            if event.kind == "op":
                if event.data.get("job") in gone:
                    found.add(event.n)
                continue
            for job, record in event.data["changes"]:
                if isinstance(job, str):
                    (gone.add if record is None else gone.discard)(job)
        return found

    def _cut_by_a_stop(self, begin: Event, end: Event) -> bool:
        """Whether the machine was asked to leave before the end of what it began."""
        life = self.life_at(begin)
        asked = life.stop_requested if life is not None else None
        return asked is not None and asked.n < end.n

    @cached_property
    def _occasion_numbers(self) -> list[int]:
        return [first.n for first, _ in self.occasions]

    def occasion_after(self, event: Event) -> tuple[Event, Event] | None:
        """The first occasion that began after this event."""
        index = bisect_left(self._occasion_numbers, event.n + 1)
        return self.occasions[index] if index < len(self.occasions) else None


def _ended_by_hand(begun: list[int], ends: Track, asked: list[Op]) -> set[int]:
    """The places of the ends of ticks by hand, whose beginnings have these numbers.

    Another tick may be on all the time: such an end is the last one before its command's.
    """
    return {
        bisect_left(ends.ns, op.end.n) - 1
        for op in asked
        if op.end is not None and bisect_left(begun, op.begin.n) < bisect_left(begun, op.end.n)
    }


def _ends(op: Op, event: Event) -> bool:
    """Whether an `op.end` is that of this operation."""
    number = op.begin.data.get("step")
    return (
        op.end is None
        and op.do == event.data.get("do")
        and event.data.get("job", op.job) == op.job
        and event.data.get("step", number) == number
    )


def facts_of(history: History, scenario: Scenario) -> Facts:
    """The facts of a history, computed once for all its checkers."""
    facts = history.derived("facts", lambda: Facts(history, scenario))
    return facts if facts.scenario is scenario else Facts(history, scenario)
