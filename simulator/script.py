"""A scenario said in Python, word by word: what a file can say, with Python's own values.

Durations are text like "1h30m" or `timedelta`s; an instant is one since the start, or wall time in
the zone ("2026-03-02T09:00:00", a `datetime`). Exceptions are classes or instances. A word that is
a keyword of Python has a `_` behind it: `for_`, `from_`. A wrong word is a `ScenarioError` that
says which one was meant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Self, TypeVar, Unpack

from pydantic import ValidationError

from simulator.durations import SECOND_US, format_duration, parse_duration
from simulator.fault_rule import Fault
from simulator.scenario import Job, Machine, Scenario
from simulator.scenario_base import Model, hint, say_mistake
from simulator.scenario_file import ScenarioError, load_scenario, to_yaml
from simulator.steps import OPERATIONS, Step
from simulator.words import (
    FaultWords,
    JobWords,
    Raised,
    StepWords,
    When,
    exception_of,
    span_of,
    value_of,
)

__all__ = ["Script"]

M = TypeVar("M", bound=Model)
_NOTHING_US = 1  # how long a script lasts that was not run
_BODY = ("raises", "fails", "crashes", "restarts_after", "nth")
_INSTANTS = ("at", "from", "until")
_ABOUT = ("job", "machine", "what", "to", "lock")
"""What a step is about, by the field that it has for it."""


class Script:
    """A scenario that is still being said.

    What is said after a first part has run speaks of what comes after it, and an instant before
    that is refused. What is given no instant happens second by second from where the run stands.
    """

    def __init__(self, scenario: Scenario) -> None:
        """Start from a scenario; its horizon is not yet run."""
        self._base = scenario
        self._jobs: list[Job] = list(scenario.jobs)
        self._steps: list[Step] = list(scenario.steps)
        self._faults: list[Fault] = list(scenario.faults)
        self._elapsed_us = self._moment_us = 0

    @classmethod
    def begun(cls, scenario: Scenario | str | Path | None, head: Mapping[str, Any]) -> Scenario:
        """What a script starts from: a scenario, a file of one, or `head` as a file would say it.

        Raises:
            ScenarioError: What is wrong with it.
        """
        if isinstance(scenario, str | Path):
            return load_scenario(scenario)
        return scenario or _valid(Scenario, {**head, "lasts": format_duration(_NOTHING_US)})

    @property
    def elapsed(self) -> str:
        """How much of it has run, like "1d"."""
        return format_duration(self._elapsed_us)

    @property
    def machines(self) -> tuple[Machine, ...]:
        """The gateways."""
        return self._base.machines

    def job(self, job_id: str, schedule: str, /, **words: Unpack[JobWords]) -> Self:
        """A job that stands at the start, or is created `at` an instant.

        Args:
            job_id: Its id and its name.
            schedule: As a user would type it.
            **words: `runtime` (1s when not given), `repeat`, `record` (merged over the stored
                record, to break it); `raises`, `fails` or `crashes` (with `restarts_after`) for
                what the body does, in its `nth` run only when that is given.

        Raises:
            ScenarioError: What is wrong with it.
        """
        said = self._words(words, JobWords)
        body = {key: said.pop(key) for key in _BODY if key in said}
        at = said.pop("at", None)
        if "runtime" in said:
            said["runs_for"] = said.pop("runtime")
        if at is not None or self._elapsed_us:
            said["created"] = "by a step"
        self._jobs.append(_valid(Job, {"id": job_id, "schedule": schedule, "body": body, **said}))
        if "created" in said:
            self._steps.append(_valid(Step, {"do": "create", "job": job_id, "at": self._from(at)}))
        return self

    def do(
        self, what: str, about: str | None = None, /, *, at: When | None = None,
        **words: Unpack[StepWords],
    ) -> Self:  # fmt: skip
        """Something is done from outside: `do("pause", "report", at="2h")`.

        Args:
            what: A step (`simulator.steps.OPERATIONS`): create, update, pause, resume, remove,
                trigger, run, tick, crash, stop, restart, suspend, set-clock, set-zone, hold-lock,
                damage, status, deliver, forget, heal.
            about: The job or the machine (or what else it is about); the only machine needs no
                name.
            at: When; when not given a second after what was done before.
            **words: The step's other fields.

        Raises:
            ScenarioError: What is wrong with it.
        """
        said = self._words(words, StepWords)
        must, may = OPERATIONS.get(what, (frozenset[str](), frozenset[str]()))
        if about is not None:
            fields = [name for name in _ABOUT if name in must | may]
            said.setdefault(fields[0] if fields else "job", about)
        machines = self._base.machines
        if "machine" in must and len(machines) == 1:
            said.setdefault("machine", machines[0].id)
        self._steps.append(_valid(Step, {"at": self._from(at), "do": what, **said}))
        return self

    def fault(
        self, what: Raised | Fault | int | None = None, /, *, into: str | None = None,
        **words: Unpack[FaultWords],
    ) -> Self:  # fmt: skip
        """Something goes wrong: `fault(SystemExit, into="tick", at="1h")`.

        Args:
            what: An exception to raise; a number: NAS answers that HTTP status; "crash", "drop",
                "stale" or "shutdown"; a whole rule as a file has it. None: `words` say it.
            into: The seam (`simulator.fault_rule.SEAMS`).
            **words: Which passage (`at`, `from_`, `until`, `nth`, `times`, `job`, `machine`, `on`)
                and what (`answer`, `hang`, `delay`, `early`, `duplicate`, `damage`, `after`, ...).

        Raises:
            ScenarioError: What is wrong with it.
        """
        said = self._words(words, FaultWords)
        if into is not None:
            said["into"] = into
        if isinstance(what, Fault):
            said = what.plain() | said
        elif isinstance(what, Mapping):
            said = {**self._plain(what), **said}
        elif isinstance(what, int):
            said["answer"] = what
        elif isinstance(what, str):
            said[what] = True
        elif what is not None:
            said["raise"] = exception_of(what)
        if self._elapsed_us and not {"at", "from"} & said.keys():
            said["at"] = self.elapsed
        said |= {key: self._from(said[key]) for key in ("at", "from") if key in said}
        self._faults.append(_valid(Fault, said))
        return self

    def expect(self, *requirements: str, runs: Mapping[str, Any] | None = None) -> Self:
        """What must hold: requirement ids, and how often jobs run, at the end of it all.

        Args:
            *requirements: Ids, like "TICK-2".
            runs: By job: a number, or {"min": 5, "max": 7}.

        Raises:
            ScenarioError: What is wrong with it.
        """
        before = self._base.expect.plain()
        expect = {
            "hold": list(dict.fromkeys([*before.get("hold", ()), *requirements])),
            "runs": {**before.get("runs", {}), **(runs or {})},
        }
        valid = _valid(type(self._base.expect), expect)
        self._base = self._base.model_copy(update={"expect": valid})
        return self

    def scenario(self, lasts_us: int | None = None) -> Scenario:
        """What was said, up to where it has run or for so long; what comes later is left out.

        Raises:
            ScenarioError: What was said does not fit together, or nothing says how long it lasts.
        """
        lasts_us = lasts_us or self._elapsed_us or self._base.lasts
        if lasts_us == _NOTHING_US:
            raise ScenarioError('nothing says how long it lasts: run("1d") first')
        later = self._created_after(lasts_us)

        def has_come(part: Step | Fault) -> bool:
            return _at_us(part) <= lasts_us and part.job not in later

        draft = self._base.model_copy(
            update={
                "lasts": lasts_us,
                "jobs": tuple(job for job in self._jobs if job.id not in later),
                "steps": tuple(sorted(filter(has_come, self._steps), key=_at_us)),
                "faults": tuple(filter(has_come, self._faults)),
            }
        )
        return _valid(Scenario, draft.plain())

    def to_come(self, lasts_us: int) -> list[str]:
        """What was said and lies beyond so many microseconds: it waits for a run that goes on."""
        parts: list[tuple[str, Step | Fault]] = [
            *((f"step {step.do!r}", step) for step in self._steps),
            *((f"{fault.effect!r} at {fault.into}", fault) for fault in self._faults),
        ]
        return [
            f"{what} is said for {format_duration(_at_us(part))}, and {self.elapsed} have run"
            for what, part in parts
            if _at_us(part) > lasts_us
        ]

    def save(self, path: str | Path, *, hold: Sequence[str] = ()) -> Path:
        """Write it as a scenario file, which `hermes-sim run` takes; named as the file is.

        Args:
            path: The file.
            hold: Requirement ids that must hold besides those that it expects.

        Raises:
            ScenarioError: The file's name is no name of a scenario, or it has another ending.
        """
        path = Path(path)
        if path.suffix != ".yaml":
            raise ScenarioError(f"{path}: a scenario file ends in .yaml")
        plain = {**self.scenario().plain(), "name": path.stem}
        expect = plain.get("expect", {})
        expect["hold"] = list(dict.fromkeys([*expect.get("hold", ()), *hold]))
        named = _valid(Scenario, {**plain, "expect": expect})
        path.write_text(to_yaml(named), encoding="utf-8")
        return path

    # -- inside

    def _created_after(self, lasts_us: int) -> set[str | None]:
        """The jobs that a step creates, but not yet."""
        made = {step.job: step.at for step in self._steps if step.do == "create"}
        return {job for job, at in made.items() if at > lasts_us}

    def _words(self, words: Mapping[str, Any], known: type) -> dict[str, Any]:
        """Keyword arguments as a file says them."""
        names = known.__annotations__
        for word in words:
            if word not in names:
                raise ScenarioError(f"unknown word {word!r}{hint(word, names)}")
        return self._plain({key.removesuffix("_"): value for key, value in words.items()})

    def _plain(self, said: Mapping[str, Any]) -> dict[str, Any]:
        plain = {key: value_of(value) for key, value in said.items() if value is not None}
        return plain | {key: self._since(said[key]) for key in _INSTANTS if said.get(key)}

    def _since(self, when: When) -> str:
        """An instant as a duration since the start."""
        if isinstance(when, timedelta) or (isinstance(when, str) and "T" not in when):
            return span_of(when)
        try:
            return format_duration(self._base.instant_us(when) - self._base.start_us)
        except ValueError as error:
            raise ScenarioError(f"{when!r} is no instant: write 1h30m or {_WALL}") from error

    def _from(self, when: When | None) -> str:
        """An instant that is still to come.

        When not given, the next second: what a person does takes a moment, and what is done to a
        machine at the instant of its death is lost.

        Raises:
            ScenarioError: It is past.
        """
        if when is None:
            self._moment_us = max(self._moment_us, self._elapsed_us) + SECOND_US
            return format_duration(self._moment_us)
        at = self._since(when)
        try:
            at_us = parse_duration(at)
        except ValueError as error:
            raise ScenarioError(str(error)) from error
        if at_us < self._elapsed_us:
            raise ScenarioError(f"{at} is past: {self.elapsed} have run; say it before that run()")
        # What was due at the very instant where the run stands has happened.
        return format_duration(at_us + 1) if 0 < at_us == self._elapsed_us else at


def _at_us(part: Step | Fault) -> int:
    return part.first_at if isinstance(part, Fault) else part.at


_WALL = "wall time like 2026-03-02T09:00:00"


def _valid(kind: type[M], said: Any) -> M:
    """The model of what was said.

    Raises:
        ScenarioError: One line a mistake.
    """
    try:
        return kind.model_validate(said)
    except ValidationError as error:
        said_wrong = dict.fromkeys(say_mistake(problem) for problem in error.errors())
        raise ScenarioError("\n".join(said_wrong)) from None
