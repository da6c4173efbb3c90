"""A provider put through a scenario, in a test of one's own.

    sim = CronSim(MyProvider)
    sim.job("report", "every 1h", runtime="2s")
    sim.fault(SystemExit, into="tick", at="1h")
    sim.run("1d")
    sim.check()
    assert sim.runs("report") == 24

`run` may be called again and goes on. Each time the scenario is run from its start to the new
horizon, so that what a failure leaves behind is one scenario that replays by one command; up to the
old horizon the provider does the same as before, and what is said in between comes after it. Under
pytest the fixture `cron_sim` hands this class out, with a folder for what it leaves behind.
"""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console

from simulator.checkers import CHECKERS
from simulator.checkers.finding import Finding
from simulator.departure import Departure, find_departure
from simulator.detect import with_capabilities
from simulator.durations import parse_duration
from simulator.fold import final_registry
from simulator.handed import handed
from simulator.history import History
from simulator.hosts import Host, Reading, reference_host
from simulator.runner import replay_command
from simulator.scenario import Scenario
from simulator.scenario_base import hint
from simulator.scenario_file import ScenarioError
from simulator.script import Script
from simulator.timeline import excerpt_of, say_departure, show_timeline
from simulator.verdict import Judged, judge
from simulator.world import Run, simulate

__all__ = ["CronSim"]


def _temporary() -> Path:
    return Path(tempfile.mkdtemp(prefix="cron-sim-"))


class CronSim(Script):
    """One provider and one scenario, said word by word, run, and looked at.

    Attributes:
        target: The provider, with its capabilities: what it declares, else what it shows.
    """

    def __init__(
        self,
        provider: object,
        *,
        registry: object = None,
        zone: str = "UTC",
        start: str = "2026-03-02T08:00:00",
        interval: int = 60,
        machines: Sequence[str] | Mapping[str, Mapping[str, str]] = ("a",),
        tape: Mapping[str, Any] | None = None,
        scenario: Scenario | str | Path | None = None,
        name: str = "cron-sim",
        folder: Path | Callable[[], Path] = _temporary,
        capabilities: Collection[str] = (),
        host: Host | None = None,
        sentence_of: Callable[[str], str] = lambda _requirement: "",
        again: str = "",
    ) -> None:
        """Nothing runs yet.

        Args:
            provider: A class, a function that makes one, an instance (stands for its class at each
                boot), or a name: "builtin", "module:attribute", a plugin's folder.
            registry: The fake of its registry, where that is not NAS: a class, a function that
                makes one, an instance, or "module:attribute" (`simulator.registry`).
            zone: The configured time zone.
            start: Wall time in the zone.
            interval: Seconds that `start` of the provider is told.
            machines: Gateways on one store, like ("a", "b") or {"a": {}, "b": {"skew": "2s"}}.
            tape: A seed and choices, like {"seed": 7, "choices": [["a#1/gateway", 2, "1s"]]}.
            scenario: A scenario, or a file of one, to start from instead of the five before.
            name: What the scenario is called, in small letters with hyphens.
            folder: Where a failed `check` leaves the scenario, or what makes that place once there
                is anything to leave; a temporary one when not given.
            capabilities: What it declares, "blocking" or "external"; what it shows when not given.
            host: The code around the provider; this distribution's own when not given.
            sentence_of: Gives what a requirement demands, for messages.
            again: How to run it again where no command can name the provider, for messages.

        Raises:
            TargetError: The provider, or the fake of its registry, cannot be made.
            ScenarioError: A word is wrong.
        """
        head = {"name": name, "zone": zone, "start": start, "interval": interval}
        head |= {"machines": machines} | ({"tape": tape} if tape else {})
        super().__init__(self.begun(scenario, head))
        self._host = host or reference_host()
        self._handed = handed(provider, self._host, registry)
        target = self._handed.target
        target = replace(target, capabilities=frozenset(capabilities) or target.capabilities)
        self.target = with_capabilities(target, self._host)
        self._folder, self._sentence_of, self._again = folder, sentence_of, again
        self._run: Run | None = None
        self._failed: tuple[str, ...] = ()  # what the last check missed

    def __repr__(self) -> str:
        return f"<CronSim of {self.target.label} after {self.elapsed}>"

    # -- running

    def run(self, lasts: str | None = None) -> None:
        """Let so much time pass, from where the run stands.

        Args:
            lasts: A duration like "1d"; None: to the end of the scenario it started from.

        Raises:
            ScenarioError: No duration, or what was said does not fit together.
        """
        try:
            more_us = parse_duration(lasts) if lasts is not None else 0
        except ValueError as error:
            raise ScenarioError(str(error)) from error
        if lasts is not None and more_us <= 0:
            raise ScenarioError(f"run({lasts!r}): time can't go backwards, nor stand still")
        if lasts is None and self._elapsed_us >= self._base.lasts:
            raise ScenarioError(f"{self.elapsed} have run, which is all of it: say how much more")
        scenario = self.scenario(self._elapsed_us + more_us if more_us else self._base.lasts)
        self._run = simulate(scenario, self.target, host=self._host)
        self._elapsed_us = scenario.lasts

    # -- looking

    @property
    def has_run(self) -> bool:
        """Whether there is anything to look at."""
        return self._run is not None

    @property
    def history(self) -> History:
        """All that was seen (`simulator.history`)."""
        return self._seen.history

    @property
    def judged(self) -> Judged:
        """The verdict on the run, with the finding of every checker."""
        return self.history.derived("judged", lambda: judge(self.history, self._seen.scenario))

    def runs(self, job: str) -> int:
        """How often a job has run.

        Raises:
            ScenarioError: There is no such job.
        """
        counts = self.judged.runs
        if job not in counts:
            raise ScenarioError(f"no job {job!r}{hint(job, counts)}")
        return counts[job]

    def status(self) -> Reading:
        """What the status command says where the run stands: verdict, exit code, text."""
        said = [event for event in self.history.of("status") if event.at_us <= self._end_us]
        if not said:
            raise ScenarioError("the status was never read at one instant: see sim.timeline()")
        last = said[-1]
        text = self.history.text(last.n) or ""
        return Reading(last.data["verdict"], last.data["exit_code"], text, last.data["evidence"])

    @property
    def armed(self) -> dict[str, datetime]:
        """What is armed at the registry where the run stands: the instant, in the zone, by job."""
        after = (event.n for event in self.history if event.at_us > self._end_us)
        registry = final_registry(self.history, before=next(after, None))
        return {
            job: datetime.fromisoformat(arm.fire_at).astimezone(self._base.tz)
            for job, arm in sorted(registry.armed.items())
            if arm.at_us is not None
        }

    @property
    def up(self) -> list[str]:
        """The machines on which a gateway runs where the run stands."""
        runs: dict[str, bool] = {}
        for event in self.history.of("boot", "crash", "stopped"):
            if event.at_us <= self._end_us:
                runs[event.machine] = event.kind == "boot"
        return [machine.id for machine in self._base.machines if runs.get(machine.id)]

    def timeline(self, width: int = 100) -> str:
        """The run for people; where it departs from one that passes is marked if it is violated."""
        out = StringIO()
        show_timeline(
            self.history, Console(file=out, width=width, emoji=False), departure=self._departure()
        )
        return out.getvalue()

    def replay(self) -> str:
        """How to get this run again: a command over the scenario, written to a file for it."""
        if not isinstance(self._folder, Path):
            self._folder = self._folder()
        path = self.save(self._folder / f"{self._base.name}.yaml", hold=self._failed)
        if self._handed.word is not None:
            place = (
                f"PYTHONPATH={shlex.quote(self._handed.pythonpath)} "
                if self._handed.pythonpath
                else ""
            )
            return place + replay_command(str(path), self._handed.word, self._handed.registry)
        return f"{self._again or 'run it again'} (no command can name the provider; see {path})"

    # -- judging

    def check(self, *requirements: str) -> None:
        """Fail unless everything held, or these requirements.

        What a run cannot tell does not count as held: a fault that never struck, a requirement
        whose case never came up.

        Args:
            *requirements: Ids, like "TICK-2"; all that can be judged, when none is given.

        Raises:
            AssertionError: What was violated or cannot be told, the events that prove it, where
                the run departs from one that passes, and the command that replays it.
            ScenarioError: No such requirement is judged by a run.
        """
        __tracebackhide__ = True
        if wrong := self._wrong(requirements):
            raise AssertionError("\n".join(self._message(wrong, self._departure())))

    def check_so_far(self) -> None:
        """Fail if anything is violated; what cannot be told yet may still come.

        Raises:
            AssertionError: As for `check`, but for the departure, which takes runs of its own.
        """
        __tracebackhide__ = True
        if wrong := self.violations():
            raise AssertionError("\n".join(self._message(wrong)))

    def violations(self) -> list[Finding]:
        """What is violated so far, by every checker."""
        return [one for one in self.judged.findings if one.verdict == "violated"]

    # -- inside

    @property
    def _seen(self) -> Run:
        if self._run is None:
            raise ScenarioError('nothing has run: run("1d") first')
        return self._run

    @property
    def _end_us(self) -> int:
        return self._seen.scenario.end_us

    def _wrong(self, requirements: Sequence[str]) -> list[Finding]:
        """What keeps the run from being good; what is no requirement's is said under "the run"."""
        for one in requirements:
            if one not in CHECKERS:
                raise ScenarioError(f"no checker judges {one!r} from a run{hint(one, CHECKERS)}")
        findings = {one.id: one for one in self.judged.findings}
        to_come = self.to_come(self._elapsed_us)
        if not requirements:
            said = {f"{one.id}: {one.reason}" for one in self.violations()}
            others = [reason for reason in self.judged.reasons if reason not in said]
            return (
                self.violations()
                + [Finding("the run", self.judged.verdict, reason) for reason in others]
                + [Finding("the run", "unknown", reason) for reason in to_come]
            )
        wrong = [findings[one] for one in requirements if findings[one].verdict != "held"]
        faults = self._seen.scenario.faults
        never = [f"fault {n} at {faults[n].into} never fired" for n in self._seen.never_fired]
        return wrong + [Finding("the run", "unknown", reason) for reason in [*never, *to_come]]

    def _message(self, wrong: Sequence[Finding], departure: Departure | None = None) -> list[str]:
        self._failed = tuple(one.id for one in wrong if one.id in CHECKERS)
        lines = [f"{self.target.label} after {self.elapsed}:"]
        for one in wrong:
            lines.append(f"{one.id} {one.verdict}: {one.reason}")
            if one.id in CHECKERS and (sentence := self._sentence_of(one.id)):
                lines.append(f"  demanded: {sentence}")
            if one.verdict == "violated":
                lines += [f"  {line}" for line in excerpt_of(self.history, one.lines)]
        if departure is not None:
            lines.append(say_departure(self.history, departure))
        return [*lines, f"replay: {self.replay()}"]

    def _departure(self) -> Departure | None:
        if self.judged.verdict != "violated":
            return None
        return self.history.derived(
            "departure", lambda: find_departure(self._seen, self.target, self._host)
        )
