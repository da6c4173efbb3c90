"""A state machine for Hypothesis: what people, disks and registries do to a provider, in any order.

    from simulator.stateful import CronMachine

    class MyMachine(CronMachine):
        provider = MyProvider

    TestMyProvider = MyMachine.TestCase

Rules create and change jobs, let time pass, inject faults, kill and start gateways, deliver fires
again. After each of them nothing may be violated so far. At the end the faults stop, every gateway
comes back, time passes, and still nothing may be violated: the provider has converged. What fails
is one scenario, which the message's command replays without Hypothesis. A subclass may add rules
and invariants of its own over `self.sim`, a `simulator.CronSim`.

Each `advance` runs the scenario from its start, some ten milliseconds. Twelve steps an example
(`settings(stateful_step_count=12)`) reach most of what more steps do. Hypothesis comes with the
extra: pip install 'hermes-cron[explore]'.
"""

import re
import sys
import tempfile
from functools import cache, partial
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
)

from simulator.cron_sim import CronSim
from simulator.durations import HOUR_US, format_duration, parse_duration
from simulator.fault_rule import Fault
from simulator.strategies import faults, jobs

__all__ = ["CronMachine"]

_MOST_JOBS = 4
_FAULTS_WITHIN_US = 2 * HOUR_US  # from when they are said
_LONGEST_US = 12 * HOUR_US  # an example lasts a few virtual hours, or shrinking takes too long
_CONVERGES_IN = "3h"

_pauses = st.sampled_from(("1m", "10m", "25m", "1h", "2h"))
_outages = st.sampled_from(("30s", "5m", "2h"))


class CronMachine(RuleBasedStateMachine):
    """Drives one provider; subclass it and name the provider.

    Attributes:
        provider: What is tested, in any form that `CronSim` takes.
        words: What else `CronSim` is given, like {"zone": "Europe/Berlin", "registry": MyFake}.
        sim: The run so far.
    """

    provider: ClassVar[Any] = None
    words: ClassVar[dict[str, Any]] = {}

    known_jobs: Bundle[str] = Bundle("known_jobs")

    def __init__(self) -> None:
        """A provider that has not run yet.

        Raises:
            TypeError: The subclass names no provider.
        """
        super().__init__()
        cls = type(self)
        if cls.provider is None:
            raise TypeError(f"{cls.__name__} names no provider: write provider = MyProvider in it")
        said = {"name": _name(cls), "folder": partial(_folder, cls), **cls.words}
        self.sim = CronSim(cls.provider, capabilities=_capabilities(cls), **said)
        self._made = 0

    # -- what people do

    @initialize(target=known_jobs, said=jobs(breakable=False))
    def first(self, said: dict[str, Any]) -> str:
        """A run without a job shows nothing."""
        return self._create(said)

    @precondition(lambda self: self._made < _MOST_JOBS)
    @rule(target=known_jobs, said=jobs(breakable=False))
    def create(self, said: dict[str, Any]) -> str:
        """Somebody creates a job."""
        return self._create(said)

    def _create(self, said: dict[str, Any]) -> str:
        self._made += 1
        words = {**said, **said.get("body", {}), "runtime": said["runs_for"]}
        for only_in_files in ("id", "schedule", "body", "runs_for"):
            words.pop(only_in_files, None)
        job_id = f"job-{self._made}"
        self.sim.job(job_id, said["schedule"], **words)
        return job_id

    @rule(job=known_jobs, schedule=jobs().map(lambda said: said["schedule"]))
    def change(self, job: str, schedule: str) -> None:
        """Somebody gives a job another schedule."""
        self.sim.do("update", job, set={"schedule": schedule})

    @rule(job=known_jobs, do=st.sampled_from(("pause", "resume", "trigger")))
    def touch(self, job: str, do: str) -> None:
        """Somebody pauses or resumes a job, or wants it to run now."""
        self.sim.do(do, job)

    @rule(job=consumes(known_jobs))
    def remove(self, job: str) -> None:
        """Somebody removes a job."""
        self.sim.do("remove", job)

    # -- what time and the world do

    @precondition(lambda self: parse_duration(self.sim.elapsed) < _LONGEST_US)
    @rule(lasts=_pauses)
    def advance(self, lasts: str) -> None:
        """Time passes."""
        self.sim.run(lasts)

    @rule(data=st.data())
    def fault(self, data: st.DataObject) -> None:
        """Something is going to go wrong."""
        drawn = data.draw(
            faults(
                job_ids=[f"job-{nth}" for nth in range(1, self._made + 1)],
                machines=[machine.id for machine in self.sim.machines],
                lasts_us=_FAULTS_WITHIN_US,
                capabilities=self.sim.target.capabilities,
            )
        )
        if drawn is not None:
            self.sim.fault(self._from_now(drawn))

    def _from_now(self, drawn: Fault) -> dict[str, Any]:
        """The rule, with its instants counted from where the run stands."""
        elapsed_us = parse_duration(self.sim.elapsed)
        plain = drawn.plain()
        later = {
            key: format_duration(parse_duration(plain[key]) + elapsed_us)
            for key in ("at", "from", "until")
            if key in plain
        }
        return plain | later

    @rule()
    def heal(self) -> None:
        """Nothing goes wrong any more of what was going to."""
        self.sim.do("heal")

    @rule(data=st.data(), outage=_outages)
    def crash(self, data: st.DataObject, outage: str) -> None:
        """A gateway is killed, and comes back later."""
        self.sim.do("crash", data.draw(self._any_machine()), for_=outage)

    @rule(data=st.data())
    def restart(self, data: st.DataObject) -> None:
        """A gateway is killed, if it runs, and started."""
        self.sim.do("restart", data.draw(self._any_machine()))

    def _any_machine(self) -> st.SearchStrategy[str]:
        return st.sampled_from([machine.id for machine in self.sim.machines])

    @precondition(lambda self: "external" in self.sim.target.capabilities)
    @rule(job=known_jobs, times=st.integers(1, 3))
    def deliver(self, job: str, times: int) -> None:
        """The registry delivers the last fire of a job again."""
        self.sim.do("deliver", job, times=times)

    @precondition(lambda self: "external" in self.sim.target.capabilities)
    @rule()
    def forget(self) -> None:
        """The registry loses what was armed."""
        self.sim.do("forget")

    # -- what must hold

    @invariant()
    def nothing_is_violated(self) -> None:
        """Safety: whatever happened so far, no checker finds a violation."""
        if self.sim.has_run:
            self.sim.check_so_far()

    def teardown(self) -> None:
        """Convergence: without further faults, with every gateway up, all is well again."""
        if sys.exc_info()[0] is None:  # else the example has ended by something else
            self.sim.do("heal")
            for machine in self.sim.machines:
                if self.sim.has_run and machine.id not in self.sim.up:
                    self.sim.do("restart", machine.id)
            self.sim.run(_CONVERGES_IN)
            self.sim.check_so_far()
            (end,) = self.sim.history.of("world.end")
            assert end.data["reason"] == "horizon", f"the run ended by {end.data['reason']}"


@cache
def _capabilities(cls: type[CronMachine]) -> frozenset[str]:
    """What the provider of a subclass shows; looked at once."""
    return CronSim(cls.provider, **cls.words).target.capabilities


@cache
def _folder(cls: type[CronMachine]) -> Path:
    """Where what fails is left, made when the first does; the last example is the smallest."""
    return Path(tempfile.mkdtemp(prefix=f"{_name(cls)}-"))


def _name(cls: type[CronMachine]) -> str:
    words = re.findall("[A-Z]?[a-z0-9]+|[A-Z]+", cls.__name__)
    return "-".join(word.lower() for word in words)
